//! Differences between tensors, and tolerances for them.

use std::fmt;

use candle_core::{DType, Result, Tensor};

/// A tolerance: elements may differ by at most `absolute` plus `relative` times the
/// largest magnitude of the expected tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tol {
    /// In units of the tensor.
    pub absolute: f64,
    /// As a fraction of the largest magnitude of the expected tensor.
    pub relative: f64,
}

impl Tol {
    /// One kernel in f32: a few rounding errors of 6e-8 in sums of a hundred terms.
    pub const F32_KERNEL: Self = Self { absolute: 1e-6, relative: 2e-6 };

    /// One sublayer in f32: a product of products, and a norm.
    pub const F32_SUBLAYER: Self = Self { absolute: 2e-6, relative: 1e-5 };

    /// Logits and states of a segment in f32. The recurrence amplifies the rounding
    /// errors of different summation orders to about 1e-5.
    pub const F32_SEGMENT: Self = Self { absolute: 0.0, relative: 1e-4 };

    /// Gradients in f32. The rounding errors of the reference itself, measured against
    /// f64, reach 4e-4 of the largest element with long schedules.
    pub const F32_GRADIENT: Self = Self { absolute: 1e-9, relative: 1e-3 };

    /// Losses in f32: sums over many cells, so rounding errors average out.
    pub const F32_LOSS: Self = Self { absolute: 0.0, relative: 1e-5 };

    /// Tensors that must be equal. Zeros of either sign are equal.
    pub const EXACT: Self = Self { absolute: 0.0, relative: 0.0 };
}

/// The difference between two tensors of the same shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Largest absolute difference; infinite if any element is NaN.
    pub worst: f64,
    /// `worst` as a fraction of the largest magnitude of the expected tensor.
    pub worst_relative: f64,
    /// The index of the element with the largest difference.
    pub index: Vec<usize>,
    /// The value found there.
    pub found: f64,
    /// The value expected there.
    pub expected: f64,
    /// Fraction of elements outside the tolerance, in `0..=1`.
    pub share_outside: f64,
    /// Largest magnitude of the expected tensor.
    pub magnitude: f64,
}

impl Difference {
    /// Whether every element is within the tolerance.
    pub fn is_within(&self) -> bool {
        self.share_outside == 0.0
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worst, index, found, expected, share_outside, .. } = self;
        let percent = share_outside * 100.0;
        write!(
            f,
            "worst at {index:?}: found {found:e}, expected {expected:e}, a difference of \
             {worst:e}; {percent:.3} % of elements outside the tolerance"
        )
    }
}

/// Compares `found` with `expected`, and counts the elements outside `tol`.
///
/// # Errors
///
/// If the shapes differ.
pub fn difference(found: &Tensor, expected: &Tensor, tol: Tol) -> Result<Difference> {
    if found.dims() != expected.dims() {
        candle_core::bail!("found shape {:?}, expected {:?}", found.dims(), expected.dims());
    }
    let values = |t: &Tensor| t.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (found_values, expected_values) = (values(found)?, values(expected)?);
    let magnitude = expected_values.iter().fold(0f64, |max, v| max.max(v.abs()));
    let bound = tol.absolute + tol.relative * magnitude;

    let mut worst = (0, -1.0);
    let mut n_outside = 0usize;
    for (idx, (found, expected)) in found_values.iter().zip(&expected_values).enumerate() {
        let error = (found - expected).abs();
        let error = if error.is_nan() { f64::INFINITY } else { error };
        n_outside += usize::from(error > bound);
        if error > worst.1 {
            worst = (idx, error);
        }
    }
    let (at, error) = (worst.0, worst.1.max(0.0));
    Ok(Difference {
        worst: error,
        worst_relative: if error == 0.0 { 0.0 } else { error / magnitude.max(f64::MIN_POSITIVE) },
        index: unravel(at, found.dims()),
        found: found_values.get(at).copied().unwrap_or(0.0),
        expected: expected_values.get(at).copied().unwrap_or(0.0),
        share_outside: n_outside as f64 / found_values.len().max(1) as f64,
        magnitude,
    })
}

/// The difference, or `None` if every element is within `tol`.
///
/// # Panics
///
/// If the shapes differ.
fn mismatch(found: &Tensor, expected: &Tensor, tol: Tol) -> Option<Difference> {
    let difference =
        difference(found, expected, tol).expect("tensors of the same shape are comparable");
    (!difference.is_within()).then_some(difference)
}

/// Asserts that every element of `found` is within `tol` of `expected`.
///
/// # Panics
///
/// If one is not, naming the tensor and the worst element; or if the shapes differ.
#[track_caller]
pub fn assert_close(name: &str, found: &Tensor, expected: &Tensor, tol: Tol) {
    if let Some(difference) = mismatch(found, expected, tol) {
        panic!("`{name}` differs: {difference}");
    }
}

/// The root mean square of the difference, as a fraction of that of the expected
/// tensor. A single outlier hardly changes it; use it where the elements have
/// independent rounding errors.
///
/// # Panics
///
/// If the shapes differ.
pub fn relative_rms(found: &Tensor, expected: &Tensor) -> f64 {
    let rms = |t: Tensor| -> Result<f64> {
        Ok(t.to_dtype(DType::F64)?.sqr()?.mean_all()?.to_scalar::<f64>()?.sqrt())
    };
    let in_f64 = |t: &Tensor| t.to_dtype(DType::F64);
    let error = in_f64(found).and_then(|found| found - in_f64(expected)?).and_then(rms);
    let error = error.expect("tensors of the same shape are comparable");
    let size = rms(expected.clone()).expect("the backend sums");
    if error == 0.0 { 0.0 } else { error / size.max(f64::MIN_POSITIVE) }
}

/// The index along each axis of element `flat` of a tensor of shape `dims`.
fn unravel(mut flat: usize, dims: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = dims
        .iter()
        .rev()
        .map(|dim| {
            let at = flat % dim.max(&1);
            flat /= dim.max(&1);
            at
        })
        .collect();
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_worst_element_is_named() {
        let expected = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu).unwrap();
        let found = Tensor::new(&[[1f32, 2.], [3.5, 4.1]], &Device::Cpu).unwrap();
        let report = mismatch(&found, &expected, Tol { absolute: 0.2, relative: 0.0 }).unwrap();
        assert_eq!((report.index.as_slice(), report.share_outside), ([1, 0].as_slice(), 0.25));
        assert!(report.to_string().contains("worst at [1, 0]"), "{report}");
    }

    #[test]
    fn nan_is_never_close() {
        let nan = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
        let wide = Tol { absolute: 1e30, relative: 0.0 };
        assert!(mismatch(&nan, &nan, wide).is_some());
        assert!(mismatch(&nan, &nan.zeros_like().unwrap(), wide).is_some());
    }

    #[test]
    #[should_panic(expected = "expected [1]")]
    fn different_shapes_are_not_comparable() {
        let one = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        mismatch(&Tensor::new(&[1f32, 2.], &Device::Cpu).unwrap(), &one, Tol::EXACT);
    }
}
