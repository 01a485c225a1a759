//! Operands of fused kernels, and containers that hold either dtype.

use candle_core::WithDType;
use half::bf16;

use crate::cpu::Element;
use crate::packed::{Packed, PackedWeight};

/// An operand of fused products that is also an element of tensors.
pub(crate) trait Operand: Element + WithDType {
    /// The packed weight, if it holds these operands.
    fn packed(packed: &Packed) -> Option<&PackedWeight<Self>>;
    /// The inverse of [`packed`](Self::packed).
    fn into_packed(weight: PackedWeight<Self>) -> Packed;
    /// The values, if they are these operands.
    fn slice<'a>(values: &'a Values<'_>) -> Option<&'a [Self]>;
    /// Like [`slice`](Self::slice), but mutable.
    fn slice_mut<'a>(values: &'a mut Values<'_>) -> Option<&'a mut [Self]>;
    /// The inverse of [`slice`](Self::slice).
    fn values(slice: &mut [Self]) -> Values<'_>;
}

/// Mutably borrowed operands of either dtype.
#[derive(Debug)]
pub(crate) enum Values<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
}

impl Values<'_> {
    /// Keeps the first `len` values.
    pub(crate) fn truncate(&mut self, len: usize) {
        fn front<T>(values: &mut &mut [T], len: usize) {
            let all = std::mem::take(values);
            let len = len.min(all.len());
            *values = &mut all[..len];
        }
        match self {
            Self::F32(values) => front(values, len),
            Self::Bf16(values) => front(values, len),
        }
    }
}

impl Operand for f32 {
    fn packed(packed: &Packed) -> Option<&PackedWeight<Self>> {
        match packed {
            Packed::F32(weight) => Some(weight),
            Packed::Bf16(_) => None,
        }
    }

    fn into_packed(weight: PackedWeight<Self>) -> Packed {
        Packed::F32(weight)
    }

    fn slice<'a>(values: &'a Values<'_>) -> Option<&'a [Self]> {
        match values {
            Values::F32(slice) => Some(slice),
            Values::Bf16(_) => None,
        }
    }

    fn slice_mut<'a>(values: &'a mut Values<'_>) -> Option<&'a mut [Self]> {
        match values {
            Values::F32(slice) => Some(slice),
            Values::Bf16(_) => None,
        }
    }

    fn values(slice: &mut [Self]) -> Values<'_> {
        Values::F32(slice)
    }
}

impl Operand for bf16 {
    fn packed(packed: &Packed) -> Option<&PackedWeight<Self>> {
        match packed {
            Packed::Bf16(weight) => Some(weight),
            Packed::F32(_) => None,
        }
    }

    fn into_packed(weight: PackedWeight<Self>) -> Packed {
        Packed::Bf16(weight)
    }

    fn slice<'a>(values: &'a Values<'_>) -> Option<&'a [Self]> {
        match values {
            Values::Bf16(slice) => Some(slice),
            Values::F32(_) => None,
        }
    }

    fn slice_mut<'a>(values: &'a mut Values<'_>) -> Option<&'a mut [Self]> {
        match values {
            Values::Bf16(slice) => Some(slice),
            Values::F32(_) => None,
        }
    }

    fn values(slice: &mut [Self]) -> Values<'_> {
        Values::Bf16(slice)
    }
}
