use super::table::{Cut, SLACK};
use super::*;
use crate::noise::RoundedGaussian;
use crate::noise::statistics::{distance, distance_limit};
use crate::random::{Purpose, SecretKey};

const ALPHA: f64 = 1e-9;

impl<const BITS: u32> Strips<BITS> {
    /// The place that a word gives which points at `at`, if one does.
    pub(in crate::noise) fn pointing_at(&self, at: f64, negative: bool) -> Option<Place> {
        let grid = f64::from(1u32 << LazyPlace::GRID);
        let strips = self.levels.iter().flatten();
        let strip = strips.filter(|strip| strip.width > 0).find(|strip| {
            (f64::from(strip.left)..f64::from(strip.left + strip.width)).contains(&(at * grid))
        })?;
        let share = (at * grid - f64::from(strip.left)) / f64::from(strip.width);
        let within = (share * (1u64 << Self::WITHIN_DIGITS) as f64) as u64;
        let word = (within << (TRIAL_DIGITS + 1)) | u64::from(negative);
        Some(place::<BITS>(strip, word))
    }
}

/// The coarsest table: one strip of width 1, chosen by a coin, and beyond it the tail. Nothing is
/// kept at the first stage, and half of the proposals are of the tail.
fn coarse(slack: f64) -> Strips<1> {
    Strips::new(Cut {
        levels: 1,
        end: 1,
        envelope: 2_621_440,
        slack,
        most_quick: 0,
    })
}

/// The standard cut, with stages made frequent.
fn slowed(slack: f64) -> Strips<10> {
    Strips::new(Cut {
        levels: 2,
        end: 12,
        envelope: 1_318_794,
        slack,
        most_quick: 0,
    })
}

fn sample<const BITS: u32>(strips: &Strips<BITS>, scale: f64, count: usize, seed: u64) -> Vec<i64> {
    let noise = RoundedGaussian::new(scale).unwrap();
    let mut rng = SecretKey::fixed(seed).stream(Purpose::GradientNoise, 0, 0);
    (0..count)
        .map(|_| noise.draw_from(strips, &mut rng))
        .collect()
}

/// Accepts the scale and rejects it 20 per cent off: the samples are small, because each draw is
/// slow.
fn assert_gaussian(sample: &[i64], scale: f64) {
    let limit = distance_limit(sample.len(), ALPHA);
    assert!(distance(sample, scale) < limit);
    assert!(distance(sample, 0.8 * scale) > limit);
    assert!(distance(sample, 1.2 * scale) > limit);
}

#[test]
fn the_tail_and_the_exact_stage_give_the_gaussian() {
    // A slack of 2 leaves every proposal to digits: of the strip, of the tail, of the trial.
    let scale = 1000.0;
    let sample = sample(&coarse(2.0), scale, 20_000, 1);
    assert_gaussian(&sample, scale);
    // A third of the draws came from the tail; their share beyond 2 is exact as well.
    for limit in [1.0, 2.0, 3.0] {
        let expected =
            sample.len() as f64 * libm::erfc((limit + 0.0005) / std::f64::consts::SQRT_2);
        let seen = sample
            .iter()
            .filter(|x| x.abs() as f64 > limit * scale)
            .count() as f64;
        // As for the tail of the standard table: below 1e-9 by Chernoff.
        assert!(
            (seen - expected).abs() < 6.5 * expected.sqrt() + 21.0,
            "{limit} {seen} {expected}"
        );
    }
}

#[test]
fn the_tail_and_double_precision_give_the_gaussian() {
    assert_gaussian(&sample(&coarse(SLACK), 0.7, 20_000, 2), 0.7);
}

#[test]
fn every_strip_left_to_double_precision_gives_the_gaussian() {
    assert_gaussian(
        &sample(&slowed(SLACK), 3.3 * 2f64.powi(40), 200_000, 3),
        3.3 * 2f64.powi(40),
    );
}

#[test]
fn every_strip_left_to_digits_gives_the_gaussian() {
    assert_gaussian(&sample(&slowed(2.0), 30.5, 12_000, 4), 30.5);
}

#[test]
fn a_wrong_tail_is_noticed() {
    // Negative control of the tests above: the tail begins one too far out.
    let mut strips = coarse(2.0);
    strips.end = 2;
    let sample = sample(&strips, 1000.0, 20_000, 1);
    assert!(distance(&sample, 1000.0) > distance_limit(sample.len(), ALPHA));
}

#[test]
fn double_precision_errs_less_than_the_slack() {
    let strips = Strips::standard();
    let mut rng = SecretKey::fixed(9).stream(Purpose::LatentDraws, 0, 0);
    let mut exponent = 0;
    for (level, peaks) in strips.levels.iter().zip(&strips.peaks) {
        exponent += 10;
        for (strip, peak) in level.iter().zip(peaks).step_by(7) {
            let within = rng.next_u64() >> 11;
            let estimate = peak * strip.decline(within, 53);
            let place = LazyPlace {
                left: u64::from(strip.left),
                width: strip.width,
                within: LazyDigits::new(within, 53),
            };
            let (from, to, digits) = place.interval();
            // a(x) in units of 2^-60, both bounds.
            let height = |f: UBig| {
                let scaled = (f * UBig::from(strip.width)) << (exponent + ENVELOPE_DIGITS);
                let height = (scaled / UBig::from(strips.envelope)) >> (LazyPlace::GRID + 128 - 60);
                u64::try_from(height).unwrap() as f64 * 2f64.powi(-60)
            };
            let (least, most) = bell(&from, &to, digits, 128);
            let (least, most) = (height(least), height(most));
            let allowed = SLACK / 32.0;
            assert!(estimate > least - allowed && estimate < most + allowed);
        }
    }
}

#[test]
fn the_strips_cover_the_line_and_stay_below_one() {
    let strips = Strips::standard();
    let mut at = 0;
    let (mut kept, mut probability) = (0.0, 1.0);
    for (level, peaks) in strips.levels.iter().zip(&strips.peaks) {
        assert_eq!(level.len(), 1023);
        probability /= 1024.0;
        for (strip, &peak) in level.iter().zip(peaks) {
            assert_eq!(strip.left, at);
            at += strip.width;
            assert!(peak <= 1.0);
            // An independent computation of the first stage's bound.
            let grid = f64::from(1u32 << LazyPlace::GRID);
            let right = f64::from(at) / grid;
            let envelope = strips.envelope as f64 / f64::from(1 << ENVELOPE_DIGITS);
            let exact = libm::exp(-right * right / 2.0) * f64::from(strip.width)
                / (grid * probability * envelope);
            let quick = f64::from(strip.quick) / 2f64.powi(TRIAL_DIGITS as i32);
            assert!(quick <= exact * (1.0 + 1e-12) && exact - quick < 2f64.powi(-11));
            kept += probability * quick;
        }
    }
    assert_eq!(at, 12 << LazyPlace::GRID);
    // What the documentation promises of the first stage.
    assert!(kept > 0.99, "{kept}");
}

#[test]
fn the_same_key_gives_the_same_draws_everywhere() {
    // Written down once; another platform, compiler or table must reproduce them.
    let noise = RoundedGaussian::new(2f64.powi(40)).unwrap();
    let mut rng = SecretKey::fixed(2026).stream(Purpose::GradientNoise, 3, 5);
    let mut draws = vec![0i64; 100_000];
    noise.fill(&mut draws, &mut rng);
    let digest = draws
        .iter()
        .fold(0u64, |sum, &draw| sum.rotate_left(7) ^ draw as u64);
    assert_eq!(
        (draws[0], draws[99_999], digest),
        (
            1_187_096_199_590,
            901_121_643_494,
            11_830_778_400_913_196_776
        )
    );
}
