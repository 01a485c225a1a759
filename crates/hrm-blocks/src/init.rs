//! Initial values of parameters, identical on every machine.

use hrm_base::rng::ChaCha8Rng;
use rand::Rng;

/// The distribution of the initial values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Every element has this value.
    Constant(f32),
    /// A normal distribution truncated at two standard deviations, then scaled so that
    /// the truncated distribution has standard deviation `std`.
    TruncatedNormal {
        /// Standard deviation of the samples.
        std: f64,
    },
}

impl Init {
    /// A truncated normal with standard deviation `1 / sqrt(fan_in)`.
    pub fn lecun(fan_in: usize) -> Self {
        Self::TruncatedNormal { std: (fan_in as f64).sqrt().recip() }
    }

    /// Samples `len` elements.
    pub fn sample(self, len: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        match self {
            Self::Constant(value) => vec![value; len],
            Self::TruncatedNormal { std } => {
                let scale = std / UNIT_TRUNCATED_STD;
                (0..len).map(|_| (scale * sample_unit_truncated_normal(rng)) as f32).collect()
            }
        }
    }
}

/// Where the normal distribution is truncated, in standard deviations before
/// truncation.
const BOUND: f64 = 2.0;

/// Standard deviation of a unit normal truncated at [`BOUND`]:
/// `sqrt(1 - 2 c pdf(c) / (cdf(c) - cdf(-c)))`.
const UNIT_TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

/// Samples a unit normal truncated at [`BOUND`], by rejection.
///
/// It uses only multiplication and an exponential in portable arithmetic, so samples
/// do not depend on the platform's mathematical library.
fn sample_unit_truncated_normal(rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let x = rng.random::<f64>() * (2.0 * BOUND) - BOUND;
        if is_below_bell(rng.random::<f64>(), 0.5 * x * x) {
            return x;
        }
    }
}

/// Whether `u < e^-t`, for `t` in `0..=2`.
fn is_below_bell(u: f64, t: f64) -> bool {
    // Partial sums of the alternating series bound e^-t from below and above, which
    // nearly always decides. e^-t is computed only if `u` is between them.
    const ROUNDING: f64 = 1e-12;
    let below = 1.0 - t * (1.0 - t / 2.0 * (1.0 - t / 3.0 * (1.0 - t / 4.0 * (1.0 - t / 5.0))));
    let above = below + t.powi(6) / 720.0;
    if u < below - ROUNDING {
        true
    } else if u > above + ROUNDING {
        false
    } else {
        u < libm::exp(-t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_base::rng;

    #[test]
    fn the_bell_curve_agrees_with_the_exponential() {
        for i in 0..=200 {
            let t = f64::from(i) / 100.0;
            let bell = libm::exp(-t);
            for distance in [1e-15, 1e-9, 1e-3, 0.05] {
                assert!(is_below_bell(bell - distance, t), "{t} - {distance}");
                assert!(!is_below_bell(bell + distance, t), "{t} + {distance}");
            }
            assert!(!is_below_bell(bell, t), "{t}");
        }
    }

    #[test]
    fn samples_have_the_stated_deviation_and_bounds() {
        let samples =
            Init::TruncatedNormal { std: 0.5 }.sample(200_000, &mut rng::stream(1, "test"));
        let mean = samples.iter().map(|v| f64::from(*v)).sum::<f64>() / samples.len() as f64;
        let variance = samples.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>()
            / samples.len() as f64;
        assert!(mean.abs() < 5e-3, "mean {mean}");
        assert!((variance.sqrt() - 0.5).abs() < 3e-3, "deviation {}", variance.sqrt());
        let bound = (BOUND * 0.5 / UNIT_TRUNCATED_STD) as f32;
        assert!(samples.iter().all(|v| v.abs() <= bound));
        // Some samples come close to the bounds.
        assert!(samples.iter().any(|v| v.abs() > 0.98 * bound));
    }

    #[test]
    fn the_truncated_deviation_follows_from_the_bound() {
        let pdf = libm::exp(-0.5 * BOUND * BOUND) / (2.0 * std::f64::consts::PI).sqrt();
        let inside = libm::erf(BOUND / std::f64::consts::SQRT_2);
        let expected = (1.0 - 2.0 * BOUND * pdf / inside).sqrt();
        assert!((UNIT_TRUNCATED_STD - expected).abs() < 1e-12, "{expected}");
    }

    #[test]
    fn samples_are_the_same_on_every_machine() {
        let samples = Init::lecun(4).sample(3, &mut rng::stream(7, "weight"));
        let bits: Vec<u32> = samples.iter().map(|v| v.to_bits()).collect();
        assert_eq!(bits, [1_062_620_386, 1_053_542_088, 1_052_171_666], "{samples:?}");
    }
}
