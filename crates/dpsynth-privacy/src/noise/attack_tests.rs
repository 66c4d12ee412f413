//! The attack on Gaussian noise in floating point, and what it finds here: nothing.
//!
//! Jin, McMurtry, Rubinstein & Ohrimenko (2022), *Are we there yet? Timing and floating-point
//! attacks on differential privacy systems*, arXiv 2112.05307. Somebody who sees y = x + noise and
//! suspects that x is either of two values asks of each whether the sampler can yield y - x at all.
//! Floating-point samplers reach few of the doubles, so the answer for the wrong value is often no.

use std::f64::consts::TAU;

use super::RoundedGaussian;
use super::strips::{Place, Strips};
use crate::random::{Purpose, SecretKey, SecretRng};

const SCALE: f64 = 8.0;

/// The textbook sampler: Box and Muller (1958) in double precision, from uniforms of 53 bits.
fn box_muller(radius_bits: u64, angle_bits: u64) -> [f64; 2] {
    let uniform = (radius_bits + 1) as f64 / 2f64.powi(53);
    let radius = (-2.0 * uniform.ln()).sqrt();
    let (sin, cos) = (angle_bits as f64 / 2f64.powi(53) * TAU).sin_cos();
    [radius * cos, radius * sin]
}

fn release(values: [f64; 2], rng: &mut SecretRng) -> [f64; 2] {
    let normals = box_muller(rng.next_u64() >> 11, rng.next_u64() >> 11);
    [
        values[0] + SCALE * normals[0],
        values[1] + SCALE * normals[1],
    ]
}

/// Whether some pair of uniforms near those that `released` points at gives exactly `released`.
fn reachable(released: [f64; 2], suspected: [f64; 2]) -> bool {
    let [first, second] = [0, 1].map(|i| (released[i] - suspected[i]) / SCALE);
    let uniform = (-(first * first + second * second) / 2.0).exp();
    let turns = (second.atan2(first) / TAU).rem_euclid(1.0);
    let radius_bits = (uniform * 2f64.powi(53)) as i64 - 1;
    let angle_bits = (turns * 2f64.powi(53)) as i64;
    (-24..=24).any(|radius_step| {
        (-12..=12).any(|angle_step| {
            let (radius_bits, angle_bits) = (radius_bits + radius_step, angle_bits + angle_step);
            let in_range = 0..1i64 << 53;
            if !in_range.contains(&radius_bits) || !in_range.contains(&angle_bits) {
                return false;
            }
            let normals = box_muller(radius_bits as u64, angle_bits as u64);
            (0..2).all(|i| suspected[i] + SCALE * normals[i] == released[i])
        })
    })
}

#[test]
fn the_attack_tells_values_apart_under_textbook_noise() {
    let mut rng = SecretKey::fixed(1).stream(Purpose::LatentDraws, 0, 0);
    let (truth, other) = ([0.0; 2], [1.0; 2]);
    let trials = 300;
    let (mut true_kept, mut other_excluded) = (0, 0);
    for _ in 0..trials {
        let released = release(truth, &mut rng);
        true_kept += u32::from(reachable(released, truth));
        other_excluded += u32::from(!reachable(released, other));
    }
    // One release of two numbers names the value more often than not, so a few name it for certain.
    assert!(true_kept >= trials * 98 / 100, "{true_kept}");
    assert!(other_excluded >= trials / 2, "{other_excluded}");
}

#[test]
fn the_attack_finds_nothing_under_ours() {
    for (seed, scale) in [8.0, 1000.5, 3.3 * 2f64.powi(40)].into_iter().enumerate() {
        let noise = RoundedGaussian::new(scale).unwrap();
        let mut rng = SecretKey::fixed(seed as u64).stream(Purpose::LatentDraws, 0, 0);
        for _ in 0..2000 {
            let released = noise.draw(&mut rng);
            // Suspected values near and far, so differences with every pattern of low bits.
            for suspected in [0, 1, 2, 3, 64, 1 << 20, -1, -(scale as i64) / 2] {
                assert!(
                    ours_reaches(&noise, scale, released - suspected),
                    "{released} {suspected}"
                );
            }
        }
    }
}

#[test]
fn every_integer_around_zero_and_in_the_tail_is_reachable() {
    let scale = 2f64.powi(20);
    let noise = RoundedGaussian::new(scale).unwrap();
    for centre in [0.0, 1.0, -3.0, 6.0, -11.0] {
        let centre = (centre * scale) as i64;
        for value in centre - 500..=centre + 500 {
            assert!(ours_reaches(&noise, scale, value), "{value}");
        }
    }
    // Negative control: the test can fail. The textbook sampler in single precision leaves gaps.
    let single = |value: i64| (value as f32) as i64 == value;
    assert!((1i64 << 40..(1 << 40) + 500).any(|value| !single(value)));
}

/// Whether some word of the sampler gives `value`: looks for the place that it points at, and asks
/// the code that rounds.
fn ours_reaches(noise: &RoundedGaussian, scale: f64, value: i64) -> bool {
    let strips = Strips::standard();
    let magnitude = value.unsigned_abs() as f64;
    // Beyond 12 standard deviations the strips have width 1 and no end: every place has a word.
    if magnitude >= 11.99 * scale {
        return true;
    }
    // Places a little apart, because the quotient is rounded.
    (-8..=8).any(|step| {
        let at = (magnitude + f64::from(step) / 16.0) / scale;
        strips
            .pointing_at(at.abs(), value < 0)
            .is_some_and(|place: Place| noise.settled_place(&place) == Some(value))
    })
}
