//! Tiles of the single-precision product in vector instructions.

use std::arch::x86_64::{
    _mm256_fmadd_ps, _mm256_load_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm512_fmadd_ps,
    _mm512_load_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::{Instructions, LINE, Panels, ROWS, Tile, instructions, multiply_tiles};

pub(super) fn multiply_avx512_checked(
    left: &[f32],
    right: &Panels,
    start: &[f32],
    output: &mut [f32],
) {
    assert_eq!(instructions(), Instructions::Avx512);
    // SAFETY: the machine has these instructions.
    unsafe { multiply_avx512(left, right, start, output) }
}

pub(super) fn multiply_avx2_checked(
    left: &[f32],
    right: &Panels,
    start: &[f32],
    output: &mut [f32],
) {
    assert_ne!(instructions(), Instructions::Baseline);
    // SAFETY: the machine has these instructions.
    unsafe { multiply_avx2(left, right, start, output) }
}

#[target_feature(enable = "avx512f")]
fn multiply_avx512(left: &[f32], right: &Panels, start: &[f32], output: &mut [f32]) {
    let compute = |tile: &Tile<'_>, output: &mut [f32], stride| {
        check(tile, output, stride);
        // SAFETY: the slices hold what is read and written.
        match tile.count {
            1 => unsafe { tile_avx512::<1>(tile, output, stride) },
            _ => unsafe { tile_avx512::<2>(tile, output, stride) },
        }
    };
    multiply_tiles(left, right, start, output, compute);
}

#[target_feature(enable = "avx2,fma")]
fn multiply_avx2(left: &[f32], right: &Panels, start: &[f32], output: &mut [f32]) {
    let compute = |tile: &Tile<'_>, output: &mut [f32], stride| {
        check(tile, output, stride);
        // SAFETY: the slices hold what is read and written.
        match tile.count {
            1 => unsafe { tile_avx2::<1>(tile, output, stride) },
            _ => unsafe { tile_avx2::<2>(tile, output, stride) },
        }
    };
    multiply_tiles(left, right, start, output, compute);
}

/// # Panics
/// Unless every index that a tile reads or writes lies in its slice.
#[inline(always)]
fn check(tile: &Tile<'_>, output: &[f32], stride: usize) {
    let inner = tile.inner;
    assert!(
        tile.count == 1 || tile.count == 2,
        "one or two lines of columns"
    );
    assert!(tile.left.iter().all(|row| row.len() == inner), "equal rows");
    assert_eq!(tile.lines.len(), inner * tile.count, "a line for each term");
    assert!(
        output.len() >= (ROWS - 1) * stride + tile.count * LINE,
        "output holds a tile"
    );
}

/// # Safety
/// `tile` and `output` have been checked, and the tile's count is `COUNT`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn tile_avx512<const COUNT: usize>(tile: &Tile<'_>, output: &mut [f32], stride: usize) {
    let mut begin = [_mm512_setzero_ps(); COUNT];
    for (begin, line) in begin.iter_mut().zip(tile.begin) {
        // SAFETY: a line is one vector, and aligned as one.
        *begin = unsafe { _mm512_load_ps(line.0.as_ptr()) };
    }
    let mut sums = [begin; ROWS];
    let starts = tile.left.map(<[f32]>::as_ptr);
    let lines = tile.lines.as_ptr();
    let mut add = |k: usize| {
        // SAFETY: k is below the length of each row, and there are so many lines for it.
        unsafe {
            let mut right = [_mm512_setzero_ps(); COUNT];
            for (part, right) in right.iter_mut().enumerate() {
                *right = _mm512_load_ps(lines.add(k * COUNT + part).cast());
            }
            for (sums, start) in sums.iter_mut().zip(starts) {
                let value = _mm512_set1_ps(*start.add(k));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = _mm512_fmadd_ps(value, right, *sum);
                }
            }
        }
    };
    // Two terms at a time: the loop itself takes the place of work otherwise.
    let inner = tile.inner;
    for pair in 0..inner / 2 {
        add(2 * pair);
        add(2 * pair + 1);
    }
    if inner % 2 == 1 {
        add(inner - 1);
    }
    for (row, sums) in sums.into_iter().enumerate() {
        for (part, sum) in sums.into_iter().enumerate() {
            // SAFETY: the output holds a tile.
            unsafe { _mm512_storeu_ps(output.as_mut_ptr().add(row * stride + part * LINE), sum) }
        }
    }
}

/// # Safety
/// As for [`tile_avx512`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn tile_avx2<const COUNT: usize>(tile: &Tile<'_>, output: &mut [f32], stride: usize) {
    // Sixteen registers hold four by two vectors of sums and what is multiplied.
    for first_row in [0, ROWS / 2] {
        for part in 0..COUNT {
            let begin = tile.begin[part].0.as_ptr();
            // SAFETY: a line is two vectors, and aligned.
            let begin = unsafe { [_mm256_load_ps(begin), _mm256_load_ps(begin.add(LINE / 2))] };
            let mut sums = [begin; ROWS / 2];
            for k in 0..tile.inner {
                // SAFETY: k is below the length of each row, and there are `COUNT` lines for it.
                unsafe {
                    let line = tile.lines.as_ptr().add(k * COUNT + part).cast::<f32>();
                    let right = [_mm256_load_ps(line), _mm256_load_ps(line.add(LINE / 2))];
                    for (sums, left) in sums.iter_mut().zip(&tile.left[first_row..]) {
                        let value = _mm256_set1_ps(*left.as_ptr().add(k));
                        for (sum, right) in sums.iter_mut().zip(right) {
                            *sum = _mm256_fmadd_ps(value, right, *sum);
                        }
                    }
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                for (half, sum) in sums.into_iter().enumerate() {
                    let place = (first_row + row) * stride + part * LINE + half * LINE / 2;
                    // SAFETY: the output holds a tile.
                    unsafe { _mm256_storeu_ps(output.as_mut_ptr().add(place), sum) }
                }
            }
        }
    }
}
