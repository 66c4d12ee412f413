//! Small symmetric matrices, row-major.

/// Eigenvalues and eigenvectors of a symmetric matrix by cyclic Jacobi rotations (Golub & Van Loan
/// 2013, Algorithm 8.5.2).
///
/// Returned are the values and a matrix whose column `k` belongs to value `k`, in no order.
pub(crate) fn eigen(matrix: &[f64], size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut vectors = vec![0.0; size * size];
    for i in 0..size {
        vectors[i * size + i] = 1.0;
    }
    let all: f64 = a.iter().map(|value| value * value).sum();
    for _ in 0..MOST_SWEEPS {
        let off: f64 = (0..size)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| a[i * size + j].powi(2))
            .sum();
        if off <= SMALLEST_REST * all {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(&mut a, &mut vectors, size, p, q);
            }
        }
    }
    ((0..size).map(|i| a[i * size + i]).collect(), vectors)
}

/// Rotates the plane of two coordinates so that their entry becomes 0.
fn rotate(a: &mut [f64], vectors: &mut [f64], size: usize, p: usize, q: usize) {
    let entry = a[p * size + q];
    if entry == 0.0 {
        return;
    }
    let theta = (a[q * size + q] - a[p * size + p]) / (2.0 * entry);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = tangent.hypot(1.0).recip();
    let sine = tangent * cosine;
    let turn = |matrix: &mut [f64], i: usize, j: usize| {
        let (x, y) = (matrix[i], matrix[j]);
        matrix[i] = cosine * x - sine * y;
        matrix[j] = sine * x + cosine * y;
    };
    for k in 0..size {
        turn(a, k * size + p, k * size + q);
        turn(vectors, k * size + p, k * size + q);
    }
    for k in 0..size {
        turn(a, p * size + k, q * size + k);
    }
}

/// The matrix with the same eigenvectors and changed eigenvalues.
pub(crate) fn from_eigen(values: &[f64], vectors: &[f64]) -> Vec<f64> {
    let size = values.len();
    let mut matrix = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..size {
            matrix[i * size + j] = (0..size)
                .map(|k| vectors[i * size + k] * values[k] * vectors[j * size + k])
                .sum();
        }
    }
    matrix
}

/// The nearest correlation matrix in the Frobenius norm (Higham 2002, Algorithm 3.3), with no
/// eigenvalue below about `least`.
pub(crate) fn nearest_correlation(matrix: &[f64], size: usize, least: f64) -> Vec<f64> {
    let mut nearest = matrix.to_vec();
    let mut correction = vec![0.0; size * size];
    for _ in 0..MOST_PROJECTIONS {
        let shifted: Vec<f64> = nearest
            .iter()
            .zip(&correction)
            .map(|(x, c)| x - c)
            .collect();
        let (mut values, vectors) = eigen(&shifted, size);
        if values.iter().all(|&value| value >= least) {
            break;
        }
        values
            .iter_mut()
            .for_each(|value| *value = value.max(2.0 * least));
        nearest = from_eigen(&values, &vectors);
        for ((correction, near), shifted) in correction.iter_mut().zip(&nearest).zip(&shifted) {
            *correction = near - shifted;
        }
        for i in 0..size {
            nearest[i * size + i] = 1.0;
        }
    }
    nearest
}

/// The lower triangle L with L·Lᵀ equal to the matrix, its rows scaled to length 1, so that the
/// product is a correlation matrix. What is not positive definite is made so row by row.
pub(crate) fn cholesky(matrix: &[f64], size: usize) -> Vec<f64> {
    let mut lower = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..i {
            let known: f64 = (0..j)
                .map(|k| lower[i * size + k] * lower[j * size + k])
                .sum();
            lower[i * size + j] = (matrix[i * size + j] - known) / lower[j * size + j];
        }
        let known: f64 = (0..i).map(|k| lower[i * size + k].powi(2)).sum();
        lower[i * size + i] = (matrix[i * size + i] - known).max(SMALLEST_PIVOT).sqrt();
        let length = (0..=i)
            .map(|k| lower[i * size + k].powi(2))
            .sum::<f64>()
            .sqrt();
        for entry in &mut lower[i * size..=i * size + i] {
            *entry /= length;
        }
    }
    lower
}

/// Squares off the diagonal, over those of all entries, that are as good as none.
const SMALLEST_REST: f64 = 1e-26;
const MOST_SWEEPS: usize = 30;
const MOST_PROJECTIONS: usize = 100;
const SMALLEST_PIVOT: f64 = 1e-10;

#[cfg(test)]
mod tests {
    use dpsynth_privacy::PublicRng;

    use super::*;

    fn symmetric(size: usize, seed: u64) -> Vec<f64> {
        let mut rng = PublicRng::from_seed(seed);
        let mut matrix = vec![0.0; size * size];
        for i in 0..size {
            for j in 0..=i {
                let value = rng.normal();
                matrix[i * size + j] = value;
                matrix[j * size + i] = value;
            }
        }
        matrix
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    #[test]
    fn eigenvalues_and_vectors_make_the_matrix_again() {
        for size in [1, 2, 3, 10, 25] {
            let matrix = symmetric(size, size as u64);
            let (values, vectors) = eigen(&matrix, size);
            assert!(distance(&from_eigen(&values, &vectors), &matrix) < 1e-9);
            let trace: f64 = (0..size).map(|i| matrix[i * size + i]).sum();
            assert!((values.iter().sum::<f64>() - trace).abs() < 1e-9);
            // Columns are orthonormal: with all values 1 the product is the identity.
            let identity = from_eigen(&vec![1.0; size], &vectors);
            let off = identity.iter().enumerate().all(|(at, value)| {
                (value - f64::from(u8::from(at % (size + 1) == 0))).abs() < 1e-9
            });
            assert!(off, "{identity:?}");
        }
        assert_eq!(eigen(&[0.0; 9], 3).0, [0.0; 3]);
    }

    #[test]
    fn the_nearest_correlation_matrix_is_one() {
        // Higham (2002), section 4: the nearest of this one has 0.7607 and 0.1573 off the diagonal.
        let known = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0];
        let nearest = nearest_correlation(&known, 3, 1e-9);
        assert!((nearest[1] - 0.7607).abs() < 1e-3, "{nearest:?}");
        assert!((nearest[2] - 0.1573).abs() < 1e-3, "{nearest:?}");
        let mut wild: Vec<f64> = symmetric(8, 3)
            .iter()
            .map(|x| x.clamp(-0.99, 0.99))
            .collect();
        for i in 0..8 {
            wild[i * 8 + i] = 1.0;
        }
        assert!(eigen(&wild, 8).0.iter().any(|&value| value < 0.0));
        let nearest = nearest_correlation(&wild, 8, 1e-4);
        assert!(eigen(&nearest, 8).0.iter().all(|&value| value > -1e-3));
        // One that is a correlation matrix already stays as it is.
        let fine = [1.0, 0.5, 0.5, 1.0];
        assert_eq!(nearest_correlation(&fine, 2, 1e-4), fine);
    }

    #[test]
    fn the_triangle_makes_the_matrix_again() {
        let matrix = [1.0, 0.6, -0.3, 0.6, 1.0, 0.1, -0.3, 0.1, 1.0];
        let lower = cholesky(&matrix, 3);
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|k| lower[i * 3 + k] * lower[j * 3 + k]).sum();
                assert!((product - matrix[i * 3 + j]).abs() < 1e-12);
            }
        }
        // Even of what is no correlation matrix, every row has length 1.
        let lower = cholesky(&[1.0, 1.5, 1.5, 1.0], 2);
        assert!((lower[2].hypot(lower[3]) - 1.0).abs() < 1e-12);
    }
}
