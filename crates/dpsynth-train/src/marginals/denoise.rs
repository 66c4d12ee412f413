//! Noisy histograms to shares: what the noise alone would show is taken out, at no cost.

/// Shifts counts down by one number and cuts them at 0, so that they add up to `total`.
///
/// This is the projection onto the histograms with that total (Wang et al. 2020, "Norm-Sub"): the
/// cells that are empty, whose noise is as often below as above 0, end at 0.
pub(super) fn project(counts: &[f64], total: f64) -> Vec<f64> {
    let total = total.max(1e-9);
    let mut sorted = counts.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut shift) = (0.0, f64::NEG_INFINITY);
    for (kept, &count) in sorted.iter().enumerate() {
        sum += count;
        let candidate = (sum - total) / (kept + 1) as f64;
        if count > candidate {
            shift = candidate;
        }
    }
    counts
        .iter()
        .map(|count| (count - shift).max(0.0))
        .collect()
}

/// Smooths counts of ordered cells: differences between neighbouring blocks that the noise explains
/// are taken out, at every scale (Haar wavelets, Donoho & Johnstone 1994).
///
/// A difference is kept if it exceeds a number of deviations of its noise, or if one inside its block is
/// kept: a spike is then kept at its full height, and not at the half of it that the finest difference
/// tells. The number is larger where false spikes, one from every so many differences, would be much of the
/// whole.
pub(super) fn smooth(counts: &[f64], noise_stddev: f64) -> Vec<f64> {
    let mut smoothed = counts.to_vec();
    let noise = Noise {
        stddev: noise_stddev,
        share: noise_stddev / counts.iter().sum::<f64>().max(noise_stddev),
    };
    split(&mut smoothed, &noise, 1.0);
    smoothed
}

/// The noise of each cell.
struct Noise {
    stddev: f64,
    /// The same, of what all cells hold.
    share: f64,
}

impl Noise {
    /// Deviations above which one of as many differences as there are `blocks` is taken for real.
    fn threshold(&self, blocks: f64) -> f64 {
        // Of n normal numbers a share of about e^(-t²/2) is above t; each is then a false spike.
        let bearably = (2.0 * (blocks * self.share / BEARABLE).ln().max(0.0)).sqrt();
        bearably.max(LEAST)
    }
}

/// Smooths one of so many `blocks` in place, and says whether anything inside it stands out.
fn split(block: &mut [f64], noise: &Noise, blocks: f64) -> bool {
    if block.len() < 2 {
        return false;
    }
    let (left, right) = block.split_at_mut(block.len() / 2);
    let (left_sum, right_sum) = (left.iter().sum::<f64>(), right.iter().sum::<f64>());
    let (left_size, right_size) = (left.len() as f64, right.len() as f64);
    let inside = split(left, noise, 2.0 * blocks) | split(right, noise, 2.0 * blocks);
    let difference = left_sum / left_size - right_sum / right_size;
    let deviation = noise.stddev * (left_size.recip() + right_size.recip()).sqrt();
    let stands_out = inside || difference.abs() > noise.threshold(blocks) * deviation;
    if !stands_out {
        let mean = (left_sum + right_sum) / (left_size + right_size);
        block.fill(mean);
    }
    stands_out
}

/// Share of the whole that false spikes may have.
const BEARABLE: f64 = 0.05;

/// Deviations above which a difference is taken for real where false ones are nothing beside the whole.
const LEAST: f64 = 2.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projections_add_up_and_empty_cells_end_empty() {
        let projected = project(&[50.0, -3.0, 4.0, 1.0, 30.0, -2.0], 76.0);
        assert!((projected.iter().sum::<f64>() - 76.0).abs() < 1e-9);
        assert_eq!(projected[1], 0.0);
        assert!(projected[0] < 50.0 && projected[0] > 46.0);
        // Below the total the missing mass is spread evenly.
        assert_eq!(project(&[1.0, 2.0], 5.0), [2.0, 3.0]);
        assert_eq!(project(&[3.0], 5.0), [5.0]);
        assert_eq!(project(&[-1.0, -1.0], 0.0).len(), 2);
    }

    #[test]
    fn noise_is_smoothed_and_a_spike_keeps_its_height() {
        let mut counts: Vec<f64> = (0..64).map(|i| 100.0 + f64::from(i % 3) - 1.0).collect();
        let flat = smooth(&counts, 5.0);
        assert!(flat.iter().all(|count| (count - 100.0).abs() < 0.1));
        counts[37] = 900.0;
        let spiked = smooth(&counts, 5.0);
        assert_eq!(spiked[37], 900.0);
        assert!(spiked[..32].iter().all(|count| (count - 100.0).abs() < 0.2));
        assert_eq!(smooth(&[7.0], 5.0), [7.0]);
    }

    #[test]
    fn noise_makes_few_spikes_where_they_would_weigh() {
        // 1,000 rows in as many cells, with noise of 30 in each: a false spike is a tenth of the whole.
        let mut rng = dpsynth_privacy::PublicRng::from_seed(7);
        let mut spikes = |total: f64| -> usize {
            let histograms = (0..100).map(|_| {
                let mut counts: Vec<f64> = (0..1024).map(|_| 30.0 * rng.normal()).collect();
                let excess = (counts.iter().sum::<f64>() - total) / 1024.0;
                counts.iter_mut().for_each(|count| *count -= excess);
                let flat = total / 1024.0;
                let smoothed = smooth(&counts, 30.0);
                let far = smoothed.iter().filter(|count| (*count - flat).abs() > 60.0);
                far.count()
            });
            histograms.sum()
        };
        let few = spikes(1e3);
        assert!(few < 150, "{few}");
        // Beside 10 million rows they are nothing, and all above 2.5 deviations pass.
        let many = spikes(1e7);
        assert!(many > 4 * few, "{many}");
    }
}
