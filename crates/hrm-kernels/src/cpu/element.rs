//! The number types that fused kernels multiply: f32 and bf16.

use half::bf16;

/// An operand of a matrix product.
pub(crate) trait Element:
    Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static
{
    /// Rounds to nearest, ties to even.
    fn from_f32(x: f32) -> Self;
    /// Converts without loss.
    fn to_f32(self) -> f32;
}

impl Element for f32 {
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
}

impl Element for bf16 {
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        // No branches, so that the compiler can vectorise loops over it.
        let bits = x.to_bits();
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
        let kept = if x.is_nan() { bits | 0x0040_0000 } else { rounded };
        Self::from_bits((kept >> 16) as u16)
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_to_bf16_is_to_nearest_even_and_preserves_nan_and_infinity() {
        for x in
            [0.0, -0.0, 1.0, 257.0 / 256.0, 259.0 / 256.0, -3.4e38, 1e-40, f32::INFINITY, 65535.9]
        {
            assert_eq!(<bf16 as Element>::from_f32(x), bf16::from_f32(x), "{x}");
        }
        assert!(<bf16 as Element>::from_f32(f32::NAN).is_nan());
        assert!(<bf16 as Element>::from_f32(f32::from_bits(0x7fff_ffff)).is_nan());
        assert_eq!(<bf16 as Element>::to_f32(bf16::from_f32(-2.5)), -2.5);
    }
}
