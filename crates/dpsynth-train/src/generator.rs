//! The released model, whichever engine made it, and the rows it draws.

use dpsynth_privacy::PublicRng;

use crate::copula::Copula;
use crate::decoder::Decoder;
use crate::error::TrainError;
use crate::graphical::GraphicalModel;
use crate::mixture::Mixture;

/// A released model: all that is needed to draw rows, and nothing else. There is no place in it
/// for rows.
#[derive(Clone, Debug)]
pub enum Generator {
    /// A Gaussian copula.
    Copula(Copula),
    /// The decoder of an autoencoder, with continuous latents.
    Decoder(Decoder),
    /// Columns drawn one after another, along a junction tree.
    Graphical(GraphicalModel),
    /// A mixture of products, which is what a decoder with fixed latents comes to.
    Mixture(Mixture),
}

impl Generator {
    /// Number of codes of each column.
    #[must_use]
    pub fn domain_sizes(&self) -> Vec<u32> {
        match self {
            Self::Copula(copula) => copula.domain_sizes(),
            Self::Decoder(decoder) => decoder.shape().network().domain_sizes.clone(),
            Self::Graphical(model) => model.domain_sizes(),
            Self::Mixture(mixture) => mixture.domain_sizes(),
        }
    }

    /// Draws `rows` rows of codes, row-major: a function of the state of `rng` alone.
    ///
    /// # Errors
    /// [`TrainError::Decoder`] if the model cannot be evaluated, which is a defect.
    pub fn sample(&self, rows: usize, rng: &mut PublicRng) -> Result<Vec<u16>, TrainError> {
        self.sample_of(rows, rows, rng)
    }

    /// As [`sample`](Self::sample), of a table that has `all` rows when it is whole.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    pub fn sample_of(
        &self,
        all: usize,
        rows: usize,
        rng: &mut PublicRng,
    ) -> Result<Vec<u16>, TrainError> {
        match self {
            Self::Copula(copula) => Ok(copula.sample(rows, rng)),
            Self::Decoder(decoder) => decoder.sample(rows, rng),
            Self::Graphical(model) => Ok(model.sample(rows, rng)),
            Self::Mixture(mixture) => Ok(mixture.sample_of(all, rows, rng)),
        }
    }
}
