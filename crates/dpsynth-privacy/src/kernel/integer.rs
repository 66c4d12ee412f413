//! The exact product of two matrices of small integers, which sums the contributions of a step.

use super::widest::{Instructions, instructions, widest};

/// Largest magnitude of a factor: 128 products of two such factors stay below 2^31.
pub(crate) const FACTOR_LIMIT: i32 = 4095;

/// Pairs of rows whose products are added up in 32 bits.
const CHUNK_PAIRS: usize = 64;
/// Columns of the left operand that are multiplied together.
const LEFT: usize = 8;
/// Columns of the right operand that are multiplied together.
const RIGHT: usize = 32;

/// A matrix of 16-bit integers as the product reads it: rows in pairs, columns in panels.
///
/// Element `[row][column]` lies at panel `column / width`, pair `row / 2`, place
/// `column % width`; that of an even row is the lower half, that of an odd one the upper. What no row or
/// column fills is zero.
pub(crate) struct PairedRows<const WIDTH: usize> {
    columns: usize,
    /// Pairs from the start of one panel to that of the next: two more than there are, so that
    /// panels do not fall on the same lines of the cache.
    stride: usize,
    values: Vec<i32>,
}

/// The left operand: its columns are the rows of the product.
pub(crate) type LeftRows = PairedRows<LEFT>;
/// The right operand: its columns are the columns of the product.
pub(crate) type RightRows = PairedRows<RIGHT>;

impl<const WIDTH: usize> PairedRows<WIDTH> {
    /// Makes a matrix of zeros; `rows` is a multiple of 128.
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        assert!(rows.is_multiple_of(2 * CHUNK_PAIRS), "rows come in blocks");
        let stride = rows / 2 + 2;
        Self {
            columns,
            stride,
            values: vec![0; columns.div_ceil(WIDTH) * stride * WIDTH],
        }
    }

    /// Writes consecutive rows, the first of which is even; `rows` is row-major.
    // Panel by panel, so that memory is written in order: what is read is close at hand.
    #[inline(always)]
    pub(crate) fn write(&mut self, first_row: usize, rows: &[i16]) {
        let (columns, stride) = (self.columns, self.stride);
        for (panel, start) in (0..columns).step_by(WIDTH).enumerate() {
            let out = &mut self.values[(panel * stride + first_row / 2) * WIDTH..];
            let pairs = rows.chunks_exact(2 * columns);
            for (out, pair) in out.as_chunks_mut::<WIDTH>().0.iter_mut().zip(pairs) {
                let (even, odd) = pair.split_at(columns);
                let (even, odd) = (&even[start..], &odd[start..]);
                // All of them before the first is stored, because the compiler vectorises that.
                let mut words = [0; WIDTH];
                match (even.first_chunk::<WIDTH>(), odd.first_chunk::<WIDTH>()) {
                    (Some(even), Some(odd)) => {
                        for place in 0..WIDTH {
                            words[place] = paired(even[place], odd[place]);
                        }
                    }
                    _ => {
                        for ((word, &even), &odd) in words.iter_mut().zip(even).zip(odd) {
                            *word = paired(even, odd);
                        }
                    }
                }
                *out = words;
            }
        }
    }

    fn panel(&self, index: usize, rows: usize) -> &[i32] {
        let start = index * self.stride * WIDTH;
        &self.values[start..start + rows / 2 * WIDTH]
    }
}

/// Two elements in one word, which is how vectors of them are put together.
#[inline(always)]
fn paired(even: i16, odd: i16) -> i32 {
    (i32::from(even) & 0xffff) | (i32::from(odd) << 16)
}

/// Adds `leftᵀ · right` over the first `rows` rows to `totals`, which has one row for each column
/// of `left`.
///
/// # Guarantee
/// The sum is exact modulo 2^64 if every factor is at most [`FACTOR_LIMIT`] in magnitude: 128
/// products then add up below 2^31, and these sums are added in 64 bits. Integers have no
/// rounding, so neither order, instructions nor threads can change it. Tested against plain
/// arithmetic at the largest factors, on every instruction set that the machine has.
///
/// # Panics
/// If the operands or `totals` are too short, or `rows` is no multiple of 128.
pub(crate) fn add_product(left: &LeftRows, right: &RightRows, rows: usize, totals: &mut [i64]) {
    widest(
        #[inline(always)]
        || add_product_with(instructions(), left, right, rows, totals),
    );
}

#[inline(always)]
fn add_product_with(
    instructions: Instructions,
    left: &LeftRows,
    right: &RightRows,
    rows: usize,
    totals: &mut [i64],
) {
    assert!(rows.is_multiple_of(2 * CHUNK_PAIRS), "rows come in blocks");
    assert_eq!(totals.len(), left.columns * right.columns);
    let tile = match instructions {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => x86::tile_avx512_checked,
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => x86::tile_avx2_checked,
        Instructions::Baseline => tile_plain,
    };
    let columns = right.columns;
    for (right_panel, right_start) in (0..columns).step_by(RIGHT).enumerate() {
        let right_values = right.panel(right_panel, rows);
        let width = RIGHT.min(columns - right_start);
        for (chunk, right_values) in right_values.chunks(CHUNK_PAIRS * RIGHT).enumerate() {
            for (left_panel, left_start) in (0..left.columns).step_by(LEFT).enumerate() {
                let left_values = left.panel(left_panel, rows);
                let left_values = &left_values[chunk * CHUNK_PAIRS * LEFT..][..CHUNK_PAIRS * LEFT];
                let totals = &mut totals[left_start * columns + right_start..];
                if left.columns - left_start >= LEFT && width == RIGHT {
                    tile(left_values, right_values, totals, columns);
                    continue;
                }
                let mut sums = [0i64; LEFT * RIGHT];
                tile(left_values, right_values, &mut sums, RIGHT);
                for (row, sums) in totals.chunks_mut(columns).zip(sums.chunks_exact(RIGHT)) {
                    add_row(&mut row[..width], &sums[..width]);
                }
            }
        }
    }
}

fn add_row(totals: &mut [i64], sums: &[i64]) {
    for (total, &sum) in totals.iter_mut().zip(sums) {
        *total = total.wrapping_add(sum);
    }
}

/// Adds what [`CHUNK_PAIRS`] pairs at most add up to in 32 bits to the sums of one tile, whose rows
/// are `stride` apart.
fn tile_plain(left: &[i32], right: &[i32], sums: &mut [i64], stride: usize) {
    let mut part = [0i32; LEFT * RIGHT];
    for (left, right) in left.chunks_exact(LEFT).zip(right.chunks_exact(RIGHT)) {
        for (part, &a) in part.chunks_exact_mut(RIGHT).zip(left) {
            for (sum, &b) in part.iter_mut().zip(right) {
                *sum += i32::from(a as i16) * i32::from(b as i16) + (a >> 16) * (b >> 16);
            }
        }
    }
    for (sums, part) in sums.chunks_mut(stride).zip(part.chunks_exact(RIGHT)) {
        for (sum, &part) in sums.iter_mut().zip(part) {
            *sum = sum.wrapping_add(i64::from(part));
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, __m256i, __m512i, _mm256_add_epi32, _mm256_add_epi64, _mm256_castsi256_si128,
        _mm256_cvtepi32_epi64, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_set1_epi32, _mm256_setzero_si256, _mm256_storeu_si256, _mm512_add_epi64,
        _mm512_castsi512_si256, _mm512_cvtepi32_epi64, _mm512_dpwssd_epi32,
        _mm512_extracti64x4_epi64, _mm512_loadu_si512, _mm512_set1_epi32, _mm512_setzero_si512,
        _mm512_storeu_si512,
    };

    use super::{Instructions, LEFT, RIGHT, instructions};

    pub(super) fn tile_avx512_checked(
        left: &[i32],
        right: &[i32],
        sums: &mut [i64],
        stride: usize,
    ) {
        assert_eq!(instructions(), Instructions::Avx512);
        // SAFETY: the machine has these instructions.
        unsafe { tile_avx512(left, right, sums, stride) }
    }

    pub(super) fn tile_avx2_checked(left: &[i32], right: &[i32], sums: &mut [i64], stride: usize) {
        assert_ne!(instructions(), Instructions::Baseline);
        // SAFETY: the machine has these instructions.
        unsafe { tile_avx2(left, right, sums, stride) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn tile_avx512(left: &[i32], right: &[i32], sums: &mut [i64], stride: usize) {
        let mut lanes = [[_mm512_setzero_si512(); 2]; LEFT];
        for (left, right) in left.chunks_exact(LEFT).zip(right.chunks_exact(RIGHT)) {
            let (low, high) = right.split_at(RIGHT / 2);
            // SAFETY: each half holds 16 words of 4 bytes, which is one vector.
            let (low, high) = unsafe {
                (
                    _mm512_loadu_si512(low.as_ptr().cast::<__m512i>()),
                    _mm512_loadu_si512(high.as_ptr().cast::<__m512i>()),
                )
            };
            for (lanes, &pair) in lanes.iter_mut().zip(left) {
                let pair = _mm512_set1_epi32(pair);
                lanes[0] = _mm512_dpwssd_epi32(lanes[0], pair, low);
                lanes[1] = _mm512_dpwssd_epi32(lanes[1], pair, high);
            }
        }
        for (sums, lanes) in sums.chunks_mut(stride).zip(lanes) {
            for (sums, lanes) in sums[..RIGHT].chunks_exact_mut(16).zip(lanes) {
                let halves = [
                    _mm512_castsi512_si256(lanes),
                    _mm512_extracti64x4_epi64::<1>(lanes),
                ];
                for (sums, half) in sums.chunks_exact_mut(8).zip(halves) {
                    let place = sums.as_mut_ptr().cast::<__m512i>();
                    // SAFETY: the chunk holds 8 integers of 8 bytes, which is one vector.
                    unsafe {
                        let sum = _mm512_loadu_si512(place);
                        let sum = _mm512_add_epi64(sum, _mm512_cvtepi32_epi64(half));
                        _mm512_storeu_si512(place, sum);
                    }
                }
            }
        }
    }

    #[target_feature(enable = "avx2")]
    fn tile_avx2(left: &[i32], right: &[i32], sums: &mut [i64], stride: usize) {
        // Sixteen registers hold four by two vectors of sums and what is multiplied.
        for (half, sums) in sums.chunks_mut(4 * stride).take(2).enumerate() {
            for quarter in 0..2 {
                let mut lanes = [[_mm256_setzero_si256(); 2]; 4];
                for (left, right) in left.chunks_exact(LEFT).zip(right.chunks_exact(RIGHT)) {
                    let (low, high) = right[16 * quarter..16 * quarter + 16].split_at(8);
                    // SAFETY: each half holds 8 words of 4 bytes, which is one vector.
                    let (low, high) = unsafe {
                        (
                            _mm256_loadu_si256(low.as_ptr().cast::<__m256i>()),
                            _mm256_loadu_si256(high.as_ptr().cast::<__m256i>()),
                        )
                    };
                    for (lanes, &pair) in lanes.iter_mut().zip(&left[4 * half..]) {
                        let pair = _mm256_set1_epi32(pair);
                        lanes[0] = _mm256_add_epi32(lanes[0], _mm256_madd_epi16(pair, low));
                        lanes[1] = _mm256_add_epi32(lanes[1], _mm256_madd_epi16(pair, high));
                    }
                }
                for (sums, lanes) in sums.chunks_mut(stride).zip(lanes) {
                    let sums = sums[16 * quarter..16 * quarter + 16].chunks_exact_mut(8);
                    for (sums, lanes) in sums.zip(lanes) {
                        let halves: [__m128i; 2] = [
                            _mm256_castsi256_si128(lanes),
                            _mm256_extracti128_si256::<1>(lanes),
                        ];
                        for (sums, half) in sums.chunks_exact_mut(4).zip(halves) {
                            let place = sums.as_mut_ptr().cast::<__m256i>();
                            // SAFETY: the chunk holds 4 integers of 8 bytes, which is one vector.
                            unsafe {
                                let sum = _mm256_loadu_si256(place);
                                let sum = _mm256_add_epi64(sum, _mm256_cvtepi32_epi64(half));
                                _mm256_storeu_si256(place, sum);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::widest::available;
    use crate::random::PublicRng;

    /// Compares a product with plain arithmetic, for factors that `draw` makes.
    fn check(rows: usize, left: usize, right: usize, mut draw: impl FnMut() -> i16) {
        let a: Vec<i16> = (0..rows * left).map(|_| draw()).collect();
        let b: Vec<i16> = (0..rows * right).map(|_| draw()).collect();
        let mut expected = vec![5i64; left * right];
        for r in 0..rows {
            for i in 0..left {
                for j in 0..right {
                    expected[i * right + j] +=
                        i64::from(a[r * left + i]) * i64::from(b[r * right + j]);
                }
            }
        }
        let mut paired = (LeftRows::new(rows, left), RightRows::new(rows, right));
        for first in (0..rows).step_by(128) {
            paired
                .0
                .write(first, &a[first * left..(first + 128) * left]);
            paired
                .1
                .write(first, &b[first * right..(first + 128) * right]);
        }
        for instructions in available() {
            let mut totals = vec![5i64; left * right];
            add_product_with(instructions, &paired.0, &paired.1, rows, &mut totals);
            assert_eq!(totals, expected, "{instructions:?}");
        }
    }

    #[test]
    fn the_product_is_that_of_plain_arithmetic() {
        let mut rng = PublicRng::from_seed(3);
        for (rows, left, right) in [(128, 1, 1), (256, 13, 33), (512, 129, 70), (128, 24, 64)] {
            check(rows, left, right, || {
                (rng.next_u64() % 8191) as i16 - FACTOR_LIMIT as i16
            });
        }
    }

    #[test]
    fn the_largest_factors_do_not_overflow() {
        let limit = FACTOR_LIMIT as i16;
        check(512, 13, 33, || limit);
        check(512, 13, 33, || -limit);
        // Negative control: one more on each side, and 128 products leave 32 bits.
        assert!(128 * (i64::from(FACTOR_LIMIT) + 1).pow(2) > i64::from(i32::MAX));
        assert!(128 * i64::from(FACTOR_LIMIT).pow(2) <= i64::from(i32::MAX));
    }
}
