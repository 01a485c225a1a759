//! The dtype of means and sums.

use candle_core::DType;

/// The dtype in which means and sums of `dtype` are computed: at least f32.
pub(crate) fn accumulator(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}
