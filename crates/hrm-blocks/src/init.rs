//! How parameters start, identically on every machine.

use hrm_base::rng::ChaCha8Rng;
use rand::Rng;

/// The law of a parameter before the first step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Every element the same.
    Constant(f32),
    /// A normal law cut at twice its own deviation, that deviation chosen so
    /// that the cut law has deviation `std`.
    TruncatedNormal {
        /// Deviation of what is drawn.
        std: f64,
    },
}

impl Init {
    /// A truncated normal of deviation `1 / sqrt(fan_in)`.
    pub fn lecun(fan_in: usize) -> Self {
        Self::TruncatedNormal { std: (fan_in as f64).sqrt().recip() }
    }

    /// Draws `len` elements.
    pub fn draw(self, len: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        match self {
            Self::Constant(value) => vec![value; len],
            Self::TruncatedNormal { std } => {
                let scale = std / UNIT_CUT_STD;
                (0..len).map(|_| (scale * unit_cut_normal(rng)) as f32).collect()
            }
        }
    }
}

/// Where the normal law is cut, in its own deviations.
const CUT: f64 = 2.0;

/// Deviation that a unit normal law keeps when it is cut at [`CUT`]:
/// `sqrt(1 - 2 c pdf(c) / (cdf(c) - cdf(-c)))`.
const UNIT_CUT_STD: f64 = 0.879_625_661_034_239_8;

/// A unit normal, cut at [`CUT`], by rejection.
///
/// Only multiplication and an exponential in portable arithmetic are used, so
/// the draws do not depend on the platform's mathematical library.
fn unit_cut_normal(rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let x = rng.random::<f64>() * (2.0 * CUT) - CUT;
        if is_below_bell(rng.random::<f64>(), 0.5 * x * x) {
            return x;
        }
    }
}

/// Whether `u < e^-t`, for `t` in `0..=2`.
fn is_below_bell(u: f64, t: f64) -> bool {
    // Partial sums of the series lie below and above in turn; they decide
    // nearly always. What they leave open, within rounding, is computed.
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
    fn the_bell_is_where_the_exponential_is() {
        for i in 0..=200 {
            let t = f64::from(i) / 100.0;
            let bell = libm::exp(-t);
            for apart in [1e-15, 1e-9, 1e-3, 0.05] {
                assert!(is_below_bell(bell - apart, t), "{t} - {apart}");
                assert!(!is_below_bell(bell + apart, t), "{t} + {apart}");
            }
            assert!(!is_below_bell(bell, t), "{t}");
        }
    }

    #[test]
    fn draws_have_the_stated_deviation_and_bounds() {
        let draws = Init::TruncatedNormal { std: 0.5 }.draw(200_000, &mut rng::stream(1, "test"));
        let mean = draws.iter().map(|v| f64::from(*v)).sum::<f64>() / draws.len() as f64;
        let variance =
            draws.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 5e-3, "mean {mean}");
        assert!((variance.sqrt() - 0.5).abs() < 3e-3, "deviation {}", variance.sqrt());
        let bound = (CUT * 0.5 / UNIT_CUT_STD) as f32;
        assert!(draws.iter().all(|v| v.abs() <= bound));
        // A normal law cut this far out still reaches for its bounds.
        assert!(draws.iter().any(|v| v.abs() > 0.98 * bound));
    }

    #[test]
    fn the_cut_deviation_follows_from_the_cut() {
        let pdf = libm::exp(-0.5 * CUT * CUT) / (2.0 * std::f64::consts::PI).sqrt();
        let inside = libm::erf(CUT / std::f64::consts::SQRT_2);
        let want = (1.0 - 2.0 * CUT * pdf / inside).sqrt();
        assert!((UNIT_CUT_STD - want).abs() < 1e-12, "{want}");
    }

    #[test]
    fn draws_are_the_same_on_every_machine() {
        let draws = Init::lecun(4).draw(3, &mut rng::stream(7, "weight"));
        let bits: Vec<u32> = draws.iter().map(|v| v.to_bits()).collect();
        assert_eq!(bits, [1_062_620_386, 1_053_542_088, 1_052_171_666], "{draws:?}");
    }
}
