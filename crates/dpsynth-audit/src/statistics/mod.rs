//! What the audits measure with: intervals for proportions, distances to a distribution, and limits
//! that a correct program exceeds with a stated probability.

mod binomial;
mod fit;
mod normal;

pub use binomial::{clopper_pearson_lower, clopper_pearson_upper, probability, survival, wilson};
pub use fit::{
    chi_square, chi_square_limit, correlation_limit, distance, distance_limit, gaussian_bins,
};
pub use normal::{cdf, quantile};
