//! Rotary position embedding, in the rotate-half form.
//!
//! Channel `i` of a head is paired with channel `i + d/2`, and the pair is
//! rotated by the angle `position * base^(-2 i / d)`:
//!
//! ```text
//! y1 = x1 cos - x2 sin
//! y2 = x2 cos + x1 sin
//! ```

use std::sync::Arc;

use candle_core::{D, DType, Device, Result, Tensor};

use crate::accumulator::accumulator;

/// Cosines and sines of every position and channel pair.
#[derive(Clone, Debug)]
pub struct Rotary {
    /// `[positions, d/2]`, f32.
    cos: Tensor,
    /// `[positions, d/2]`, f32.
    sin: Tensor,
    /// The same values for fused kernels, which run on the CPU.
    host: Arc<(Vec<f32>, Vec<f32>)>,
}

impl Rotary {
    /// Computes the tables for `n_positions` positions and `head_dim` channels per
    /// head.
    ///
    /// Angles are computed in f32, as in the published code.
    ///
    /// # Errors
    ///
    /// If `head_dim` is odd.
    pub fn new(n_positions: usize, head_dim: usize, base: f64, device: &Device) -> Result<Self> {
        if !head_dim.is_multiple_of(2) {
            candle_core::bail!(
                "rotary embedding needs an even number of channels per head, found {head_dim}"
            );
        }
        let n_pairs = head_dim / 2;
        let frequency = |pair: usize| {
            let exponent = (2 * pair) as f32 / head_dim as f32;
            1.0 / (base as f32).powf(exponent)
        };
        let angles: Vec<f32> = (0..n_positions)
            .flat_map(|position| (0..n_pairs).map(move |pair| position as f32 * frequency(pair)))
            .collect();
        let cos: Vec<f32> = angles.iter().map(|angle| angle.cos()).collect();
        let sin: Vec<f32> = angles.iter().map(|angle| angle.sin()).collect();
        let table = |values: &[f32]| Tensor::from_slice(values, (n_positions, n_pairs), device);
        Ok(Self { cos: table(&cos)?, sin: table(&sin)?, host: Arc::new((cos, sin)) })
    }

    /// Cosines of every position and channel pair, `[positions, d/2]`, f32.
    pub fn cos(&self) -> &Tensor {
        &self.cos
    }

    /// Sines of every position and channel pair, `[positions, d/2]`, f32.
    pub fn sin(&self) -> &Tensor {
        &self.sin
    }

    /// Cosines and sines as slices, for heads with `head_dim` channels and at least
    /// `n_positions` positions.
    ///
    /// # Errors
    ///
    /// If the tables have fewer positions or another head size.
    pub(crate) fn host(&self, n_positions: usize, head_dim: usize) -> Result<(&[f32], &[f32])> {
        let (n_positions_max, n_pairs) = self.cos.dims2()?;
        if n_positions > n_positions_max || head_dim != 2 * n_pairs {
            candle_core::bail!(
                "rotary tables are for {n_positions_max} positions of {} channels, \
                 found {n_positions} of {head_dim}",
                2 * n_pairs
            );
        }
        Ok((&self.host.0, &self.host.1))
    }

    /// Rotates `x: [B, N, S, d]`; shape and dtype are preserved.
    ///
    /// # Errors
    ///
    /// If `x` has another head size, or more positions than the tables.
    pub(crate) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, n_positions, head_dim) = x.dims4()?;
        let dtype = x.dtype();
        let x = x.to_dtype(accumulator(dtype))?;
        let (x1, x2) = (
            x.narrow(D::Minus1, 0, head_dim / 2)?,
            x.narrow(D::Minus1, head_dim / 2, head_dim / 2)?,
        );
        let cos = Self::first(&self.cos, n_positions, x.dtype())?;
        let sin = Self::first(&self.sin, n_positions, x.dtype())?;
        let y1 = (x1.broadcast_mul(&cos)? - x2.broadcast_mul(&sin)?)?;
        let y2 = (x2.broadcast_mul(&cos)? + x1.broadcast_mul(&sin)?)?;
        Tensor::cat(&[y1, y2], D::Minus1)?.to_dtype(dtype)
    }

    fn first(table: &Tensor, n_positions: usize, dtype: DType) -> Result<Tensor> {
        table.narrow(0, 0, n_positions)?.to_dtype(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{Tol, assert_close, check_gradient, ramp, ramp64};

    #[test]
    fn gradient_matches_finite_differences() -> Result<()> {
        let rotary = Rotary::new(5, 6, 10_000.0, &Device::Cpu)?;
        check_gradient("x", &ramp64((1, 2, 5, 6))?, |x| rotary.apply(x));
        Ok(())
    }

    #[test]
    fn position_zero_is_unchanged_and_lengths_are_preserved() -> Result<()> {
        let rotary = Rotary::new(4, 8, 10_000.0, &Device::Cpu)?;
        let x = ramp((1, 1, 4, 8))?;
        let y = rotary.apply(&x)?;
        assert_close("position 0", &y.narrow(2, 0, 1)?, &x.narrow(2, 0, 1)?, Tol::F32_KERNEL);
        let length = |t: &Tensor| t.sqr()?.sum(D::Minus1);
        assert_close("lengths", &length(&y)?, &length(&x)?, Tol::F32_KERNEL);
        Ok(())
    }

    #[test]
    fn channels_half_a_head_apart_are_paired() -> Result<()> {
        let rotary = Rotary::new(2, 4, 10_000.0, &Device::Cpu)?;
        let x = Tensor::new(&[[0f32, 0., 0., 0.], [1., 0., 0., 0.]], &Device::Cpu)?;
        let y = rotary.apply(&x.reshape((1, 1, 2, 4))?)?.reshape((2, 4))?;
        let expected = [1f32.cos(), 0.0, 1f32.sin(), 0.0];
        assert_close(
            "rotated",
            &y.get(1)?,
            &Tensor::new(&expected, &Device::Cpu)?,
            Tol::F32_KERNEL,
        );
        Ok(())
    }

    #[test]
    fn too_many_positions_and_odd_head_sizes_are_rejected() -> Result<()> {
        let rotary = Rotary::new(2, 4, 10_000.0, &Device::Cpu)?;
        assert!(rotary.apply(&ramp((1, 1, 3, 4))?).is_err());
        assert!(Rotary::new(2, 3, 10_000.0, &Device::Cpu).is_err());
        Ok(())
    }
}
