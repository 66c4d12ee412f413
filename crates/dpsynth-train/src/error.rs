//! What can go wrong in training and in reading a model file.

use dpsynth_privacy::MechanismError;

/// A failure of training, or of reading a model file.
///
/// No variant carries a value of a record, a row count or a tensor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The network cannot be built.
    #[error("the network's `{field}` is out of range; {expected}")]
    Network {
        /// Field of [`Network`](crate::Network).
        field: &'static str,
        /// What the field may be.
        expected: &'static str,
    },
    /// The plan of a training run is not usable.
    #[error("the training plan's `{field}` is out of range; {expected}")]
    Plan {
        /// Field of [`TrainingPlan`](crate::TrainingPlan).
        field: &'static str,
        /// What the field may be.
        expected: &'static str,
    },
    /// The one-way counts do not describe the columns of the network.
    #[error(
        "the one-way counts do not fit the columns of the network; measure every cell of every \
         column in the schema's order"
    )]
    OneWayCounts,
    /// The weights left the range of numbers.
    #[error(
        "training did not converge: a weight is not a finite number; lower the learning rate or \
         ask for a larger epsilon"
    )]
    Diverged,
    /// A step of the paid mechanism failed.
    #[error(transparent)]
    Mechanism(#[from] MechanismError),
    /// The program was built without support for graphics processors.
    #[error(
        "this build cannot use a graphics processor; build it with `cargo build --release -p \
         dpsynth --features cuda` on a machine with the CUDA toolkit"
    )]
    DeviceNotBuilt,
    /// The graphics processor does not answer, or cannot hold the network.
    #[error(
        "the graphics processor cannot be used ({reason}); see that NVIDIA's driver finds it and \
         that its memory is free, or train with `--device cpu`"
    )]
    DeviceClosed {
        /// What the library says; it has seen no data.
        reason: String,
    },
    /// The gradient of a row changes with the other rows.
    #[error(
        "on this graphics processor the gradient of a row changes with the other rows, so that \
         nothing could be promised; train with `--device cpu`"
    )]
    DeviceRows,
    /// The factors are not those of the processor that the program was tested on.
    #[error(
        "this graphics processor computes other gradients than the tested code does; train with \
         `--device cpu`, and report the kind of device"
    )]
    DeviceDiffers,
    /// The bytes are not a model file.
    #[error("this is not a model file; pass the file that a release wrote as its model")]
    NotModelFile,
    /// The description of the model is missing or unreadable.
    #[error(
        "the model file does not describe its network; it was cut short, changed, or written by \
         another version"
    )]
    ModelDescription,
    /// A tensor is missing, has another shape than the description says, or is one too many.
    #[error(
        "tensor `{tensor}` of the model file does not fit the network that the file describes; \
         take the file from the release again"
    )]
    ModelTensor {
        /// Name of the tensor that the network has in this place.
        tensor: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "tensor `{tensor}` of the model file holds a number that is not finite; take the file \
         from the release again"
    )]
    ModelValue {
        /// Name of the tensor.
        tensor: String,
    },
    /// A product of checked shapes failed.
    #[error("the decoder could not be evaluated; this is a defect of dpsynth, please report it")]
    Decoder,
}

impl TrainError {
    /// The codes that [`TrainError::code`] returns, in order; those of the mechanisms are listed
    /// there.
    pub const CODES: &'static [&'static str] = &[
        "DPS3001", "DPS3002", "DPS3003", "DPS3004", "DPS3005", "DPS3006", "DPS3007", "DPS3008",
        "DPS3010", "DPS3011", "DPS3012", "DPS3013", "DPS9030",
    ];

    /// Returns the stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Network { .. } => "DPS3001",
            Self::Plan { .. } => "DPS3002",
            Self::OneWayCounts => "DPS3003",
            Self::Diverged => "DPS3004",
            Self::Mechanism(error) => error.code(),
            Self::DeviceNotBuilt => "DPS3005",
            Self::DeviceClosed { .. } => "DPS3006",
            Self::DeviceRows => "DPS3007",
            Self::DeviceDiffers => "DPS3008",
            Self::NotModelFile => "DPS3010",
            Self::ModelDescription => "DPS3011",
            Self::ModelTensor { .. } => "DPS3012",
            Self::ModelValue { .. } => "DPS3013",
            Self::Decoder => "DPS9030",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_own_code_is_listed_once() {
        let errors = [
            TrainError::Network {
                field: "latent",
                expected: "",
            },
            TrainError::Plan {
                field: "seed",
                expected: "",
            },
            TrainError::OneWayCounts,
            TrainError::Diverged,
            TrainError::DeviceNotBuilt,
            TrainError::DeviceClosed {
                reason: String::new(),
            },
            TrainError::DeviceRows,
            TrainError::DeviceDiffers,
            TrainError::NotModelFile,
            TrainError::ModelDescription,
            TrainError::ModelTensor {
                tensor: String::new(),
            },
            TrainError::ModelValue {
                tensor: String::new(),
            },
            TrainError::Decoder,
        ];
        let codes: Vec<_> = errors.iter().map(TrainError::code).collect();
        assert_eq!(codes, TrainError::CODES);
    }

    #[test]
    fn messages_say_what_happened_and_what_to_do() {
        let message = TrainError::OneWayCounts.to_string();
        assert!(message.contains("; "));
        assert!(!message.ends_with('.'));
    }
}
