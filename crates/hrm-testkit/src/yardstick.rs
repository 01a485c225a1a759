//! Rounding errors as a yardstick: how far a result may be from an exact one.
//!
//! A fixed tolerance is too strict where a computation amplifies rounding errors and
//! too lax where it does not. If the exact result is known (from a run in f64) and the
//! error that another implementation makes in the same precision, an error is measured
//! in units of the other one.

use candle_core::{DType, Result, Tensor};

/// Half the distance between 1 and the next f32: the relative error of one rounding.
pub const F32_ROUNDING: f64 = f32::EPSILON as f64 / 2.0;

/// The size of an error, or of a tensor: over all elements and of the largest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Root mean square of the elements.
    pub rms: f64,
    /// Largest magnitude of an element; infinite if any is NaN.
    pub largest: f64,
}

impl Size {
    /// The size of the difference between two tensors of the same shape.
    ///
    /// # Errors
    ///
    /// If the shapes differ.
    pub fn of_difference(found: &Tensor, exact: &Tensor) -> Result<Self> {
        Self::of(&(found.to_dtype(DType::F64)? - exact.to_dtype(DType::F64)?)?)
    }

    /// The size of a tensor.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn of(tensor: &Tensor) -> Result<Self> {
        let values = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        let finite = |v: &f64| if v.is_nan() { f64::INFINITY } else { v.abs() };
        let largest = values.iter().map(finite).fold(0.0, f64::max);
        let mean = values.iter().map(|v| v * v).sum::<f64>() / values.len().max(1) as f64;
        let rms = if mean.is_nan() { f64::INFINITY } else { mean.sqrt() };
        Ok(Self { rms, largest })
    }

    /// This size in units of another: the larger of the two ratios. An error of zero
    /// is zero in any unit.
    pub fn in_units_of(self, unit: Self) -> f64 {
        let ratio = |error: f64, unit: f64| if error == 0.0 { 0.0 } else { error / unit };
        ratio(self.rms, unit.rms).max(ratio(self.largest, unit.largest))
    }

    /// The larger of each of the two figures.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { rms: self.rms.max(other.rms), largest: self.largest.max(other.largest) }
    }
}

impl std::ops::Mul<f64> for Size {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self { rms: self.rms * factor, largest: self.largest * factor }
    }
}

/// How a tensor lies to an expected one, both taken as vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// Sine of the angle between them, in `0..=1`; 1 beyond a right angle, or if either
    /// is zero and the other is not.
    pub sine: f64,
    /// Length of the found tensor as a multiple of the expected one.
    pub length: f64,
}

impl Alignment {
    /// Compares `found` with `expected`.
    ///
    /// # Errors
    ///
    /// If the shapes differ.
    pub fn of(found: &Tensor, expected: &Tensor) -> Result<Self> {
        let (found, expected) = (found.to_dtype(DType::F64)?, expected.to_dtype(DType::F64)?);
        let dot = (&found * &expected)?.sum_all()?.to_scalar::<f64>()?;
        let norm =
            |t: &Tensor| -> Result<f64> { Ok(t.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt()) };
        let (found, expected) = (norm(&found)?, norm(&expected)?);
        if found == 0.0 && expected == 0.0 {
            return Ok(Self { sine: 0.0, length: 1.0 });
        }
        let cosine = dot / (found * expected);
        // False for NaN.
        let sine = if cosine > 0.0 { (1.0 - cosine * cosine).max(0.0).sqrt() } else { 1.0 };
        Ok(Self { sine, length: found / expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn tensor(values: &[f64]) -> Tensor {
        Tensor::new(values, &Device::Cpu).expect("the backend stores numbers")
    }

    #[test]
    fn an_error_is_measured_in_units_of_another() -> Result<()> {
        let exact = tensor(&[1.0, 2.0, 3.0, 4.0]);
        let unit = Size::of_difference(&tensor(&[1.1, 1.9, 3.1, 3.9]), &exact)?;
        assert!((unit.rms - 0.1).abs() < 1e-12 && (unit.largest - 0.1).abs() < 1e-12);
        let error = Size::of_difference(&tensor(&[1.0, 2.0, 3.0, 4.4]), &exact)?;
        assert!((error.in_units_of(unit) - 4.0).abs() < 1e-9, "the largest element decides");
        let error = Size::of_difference(&tensor(&[1.2, 2.2, 3.2, 4.2]), &exact)?;
        assert!((error.in_units_of(unit * 2.0) - 1.0).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn no_error_is_zero_in_any_unit_and_nan_is_infinite() -> Result<()> {
        let (x, none) = (tensor(&[1.0, 2.0]), Size { rms: 0.0, largest: 0.0 });
        assert_eq!(Size::of_difference(&x, &x)?.in_units_of(none), 0.0);
        assert_eq!(Size::of_difference(&(&x + 1.0)?, &x)?.in_units_of(none), f64::INFINITY);
        let nan = Size::of_difference(&tensor(&[f64::NAN, 2.0]), &x)?;
        assert_eq!(nan.in_units_of(Size { rms: 1.0, largest: 1.0 }), f64::INFINITY);
        assert!(Size::of_difference(&x, &tensor(&[1.0])).is_err());
        Ok(())
    }

    #[test]
    fn alignment_tells_turned_from_stretched() -> Result<()> {
        let x = tensor(&[3.0, 4.0]);
        let stretched = Alignment::of(&(&x * 0.9)?, &x)?;
        assert!(stretched.sine < 1e-7 && (stretched.length - 0.9).abs() < 1e-12);
        let turned = Alignment::of(&tensor(&[-4.0, 3.0]), &x)?;
        assert_eq!((turned.sine, turned.length), (1.0, 1.0));
        assert_eq!(Alignment::of(&(&x * -1.0)?, &x)?.sine, 1.0);
        assert_eq!(Alignment::of(&(&x * 0.0)?, &x)?.sine, 1.0);
        assert_eq!(Alignment::of(&(&x * f64::NAN)?, &x)?.sine, 1.0);
        Ok(())
    }
}
