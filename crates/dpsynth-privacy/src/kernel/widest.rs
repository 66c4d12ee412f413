//! The same code, compiled for wider vectors where the machine has them.

/// Vector instructions that the kernels know how to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instructions {
    /// What every machine of the architecture has.
    Baseline,
    /// AVX2 with fused multiplication and addition.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with its integer dot products.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The widest instructions that this machine has.
#[inline]
pub(crate) fn instructions() -> Instructions {
    #[cfg(target_arch = "x86_64")]
    {
        // The standard library asks the processor once and keeps the answer.
        if std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512vnni")
        {
            return Instructions::Avx512;
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
        {
            return Instructions::Avx2;
        }
    }
    Instructions::Baseline
}

/// All that this machine has, widest first.
#[cfg(test)]
pub(crate) fn available() -> Vec<Instructions> {
    match instructions() {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => vec![
            Instructions::Avx512,
            Instructions::Avx2,
            Instructions::Baseline,
        ],
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => vec![Instructions::Avx2, Instructions::Baseline],
        Instructions::Baseline => vec![Instructions::Baseline],
    }
}

/// Runs `work`, compiled for the widest vectors that this machine has.
///
/// What is inlined into `work` is vectorised anew. The bits of the result stay the same: the
/// compiler neither reorders nor fuses floating-point operations, and integers have no rounding.
#[inline]
pub fn widest<R>(work: impl FnOnce() -> R) -> R {
    match instructions() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the machine has these instructions.
        Instructions::Avx512 => unsafe { with_avx512(work) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the machine has these instructions.
        Instructions::Avx2 => unsafe { with_avx2(work) },
        Instructions::Baseline => work(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn with_avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}
