//! How far apart two tensors are, and how far they may be.

use std::fmt;

use candle_core::{DType, Result, Tensor};

/// How far apart two tensors may be: each element by at most `absolute` plus
/// `relative` times the largest magnitude of the wanted tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tol {
    /// In the tensor's own units.
    pub absolute: f64,
    /// As a share of the wanted tensor's largest magnitude.
    pub relative: f64,
}

impl Tol {
    /// One kernel in f32: a few roundings of 6e-8 on sums of a hundred terms.
    pub const F32_KERNEL: Self = Self { absolute: 1e-6, relative: 2e-6 };

    /// One sublayer in f32: a product of products, and a norm.
    pub const F32_SUBLAYER: Self = Self { absolute: 2e-6, relative: 1e-5 };

    /// Logits and states of a segment in f32. The recurrence amplifies the
    /// different summation orders of two implementations to about 1e-5.
    pub const F32_SEGMENT: Self = Self { absolute: 0.0, relative: 1e-4 };

    /// Gradients in f32. The reference's own rounding reaches 4e-4 of the
    /// largest element at wide schedules, measured against f64.
    pub const F32_GRADIENT: Self = Self { absolute: 1e-9, relative: 1e-3 };

    /// Losses in f32: sums over many cells, so rounding averages out.
    pub const F32_LOSS: Self = Self { absolute: 0.0, relative: 1e-5 };

    /// Tensors that must be the same to the last bit.
    pub const EXACT: Self = Self { absolute: 0.0, relative: 0.0 };
}

/// The distance between two tensors of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Largest absolute difference; infinite if any element is not a number.
    pub worst: f64,
    /// The same as a share of the wanted tensor's largest magnitude.
    pub worst_relative: f64,
    /// Where it is.
    pub index: Vec<usize>,
    /// The value found there.
    pub found: f64,
    /// The value wanted there.
    pub wanted: f64,
    /// Share of elements outside the tolerance, in `0..=1`.
    pub share_outside: f64,
    /// Largest magnitude of the wanted tensor.
    pub magnitude: f64,
}

impl Difference {
    /// Whether every element is within the tolerance it was measured with.
    pub fn is_within(&self) -> bool {
        self.share_outside == 0.0
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worst, index, found, wanted, share_outside, .. } = self;
        let percent = share_outside * 100.0;
        write!(
            f,
            "worst at {index:?}: found {found:e}, wanted {wanted:e}, off by {worst:e}; \
             {percent:.3} % of elements out of bounds"
        )
    }
}

/// Measures `found` against `wanted`, counting the elements outside `tol`.
///
/// # Errors
///
/// If the shapes differ.
pub fn difference(found: &Tensor, wanted: &Tensor, tol: Tol) -> Result<Difference> {
    if found.dims() != wanted.dims() {
        candle_core::bail!("found shape {:?}, wanted {:?}", found.dims(), wanted.dims());
    }
    let values = |t: &Tensor| t.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (found_values, wanted_values) = (values(found)?, values(wanted)?);
    let magnitude = wanted_values.iter().fold(0f64, |max, v| max.max(v.abs()));
    let bound = tol.absolute + tol.relative * magnitude;

    let mut worst = (0, -1.0);
    let mut n_outside = 0usize;
    for (idx, (found, wanted)) in found_values.iter().zip(&wanted_values).enumerate() {
        let apart = (found - wanted).abs();
        let apart = if apart.is_nan() { f64::INFINITY } else { apart };
        n_outside += usize::from(apart > bound);
        if apart > worst.1 {
            worst = (idx, apart);
        }
    }
    let (at, apart) = (worst.0, worst.1.max(0.0));
    Ok(Difference {
        worst: apart,
        worst_relative: if apart == 0.0 { 0.0 } else { apart / magnitude.max(f64::MIN_POSITIVE) },
        index: unravel(at, found.dims()),
        found: found_values.get(at).copied().unwrap_or(0.0),
        wanted: wanted_values.get(at).copied().unwrap_or(0.0),
        share_outside: n_outside as f64 / found_values.len().max(1) as f64,
        magnitude,
    })
}

/// The difference, if there is an element outside `tol`.
///
/// # Panics
///
/// If the tensors cannot be compared at all.
pub fn mismatch(found: &Tensor, wanted: &Tensor, tol: Tol) -> Option<Difference> {
    let difference = difference(found, wanted, tol).expect("tensors of one shape are comparable");
    (!difference.is_within()).then_some(difference)
}

/// Fails the test unless every element of `found` is within `tol` of `wanted`.
///
/// # Panics
///
/// With the name and the worst element.
#[track_caller]
pub fn assert_close(name: &str, found: &Tensor, wanted: &Tensor, tol: Tol) {
    if let Some(difference) = mismatch(found, wanted, tol) {
        panic!("`{name}` differs: {difference}");
    }
}

/// The distance of two tensors of one shape as a share of the wanted one, both
/// as root mean squares. One stray element hardly moves it; use it where every
/// element carries a rounding of its own.
///
/// # Panics
///
/// If the shapes differ.
pub fn relative_rms(found: &Tensor, wanted: &Tensor) -> f64 {
    let rms = |t: Tensor| -> Result<f64> {
        Ok(t.to_dtype(DType::F64)?.sqr()?.mean_all()?.to_scalar::<f64>()?.sqrt())
    };
    let in_f64 = |t: &Tensor| t.to_dtype(DType::F64);
    let apart = in_f64(found).and_then(|found| found - in_f64(wanted)?).and_then(rms);
    let apart = apart.expect("tensors of one shape are comparable");
    let size = rms(wanted.clone()).expect("the backend sums");
    if apart == 0.0 { 0.0 } else { apart / size.max(f64::MIN_POSITIVE) }
}

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
        let wanted = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu).unwrap();
        let found = Tensor::new(&[[1f32, 2.], [3.5, 4.1]], &Device::Cpu).unwrap();
        let report = mismatch(&found, &wanted, Tol { absolute: 0.2, relative: 0.0 }).unwrap();
        assert_eq!((report.index.as_slice(), report.share_outside), ([1, 0].as_slice(), 0.25));
        assert!(report.to_string().contains("worst at [1, 0]"), "{report}");
    }

    #[test]
    fn not_a_number_is_never_close() {
        let nan = Tensor::new(&[f32::NAN], &Device::Cpu).unwrap();
        let wide = Tol { absolute: 1e30, relative: 0.0 };
        assert!(mismatch(&nan, &nan, wide).is_some());
        assert!(mismatch(&nan, &nan.zeros_like().unwrap(), wide).is_some());
    }

    #[test]
    #[should_panic(expected = "wanted [1]")]
    fn another_shape_is_not_comparable() {
        let one = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        mismatch(&Tensor::new(&[1f32, 2.], &Device::Cpu).unwrap(), &one, Tol::EXACT);
    }
}
