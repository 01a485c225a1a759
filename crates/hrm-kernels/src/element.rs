//! Numbers of tensors that fused versions compute with.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, WithDType};
use half::bf16;

use crate::cpu::Element;
use crate::weight::{Packed, Packs};

/// An operand of fused products, with the containers that hold some.
pub(crate) trait Operand: Element + WithDType {
    /// The packed weight of these operands.
    fn packs(packed: &Packed) -> Option<&Packs<Self>>;
    /// The reverse of [`packs`](Self::packs).
    fn wrap(packs: Packs<Self>) -> Packed;
    /// The values, if they are these operands.
    fn slice<'a>(values: &'a Values<'_>) -> Option<&'a [Self]>;
    /// [`slice`](Self::slice), to change.
    fn slice_mut<'a>(values: &'a mut Values<'_>) -> Option<&'a mut [Self]>;
    /// The reverse of [`slice`](Self::slice).
    fn values(slice: &mut [Self]) -> Values<'_>;
}

/// Operands of either kind.
#[derive(Debug)]
pub(crate) enum Values<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
}

impl Operand for f32 {
    fn packs(packed: &Packed) -> Option<&Packs<Self>> {
        match packed {
            Packed::F32(packs) => Some(packs),
            Packed::Bf16(_) => None,
        }
    }

    fn wrap(packs: Packs<Self>) -> Packed {
        Packed::F32(packs)
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
    fn packs(packed: &Packed) -> Option<&Packs<Self>> {
        match packed {
            Packed::Bf16(packs) => Some(packs),
            Packed::F32(_) => None,
        }
    }

    fn wrap(packs: Packs<Self>) -> Packed {
        Packed::Bf16(packs)
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

/// The elements of a contiguous tensor.
///
/// # Errors
///
/// If it is not contiguous, or of another dtype.
pub(crate) fn contiguous<'a, E: WithDType>(
    name: &str,
    x: &'a CpuStorage,
    layout: &Layout,
) -> Result<&'a [E]> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("{name} needs contiguous tensors");
    };
    Ok(&x.as_slice::<E>()?[start..end])
}

/// Calls `f` with the elements of a contiguous tensor on the CPU.
///
/// # Errors
///
/// If it is elsewhere, not contiguous, of another dtype, or `f` fails.
pub(crate) fn with_values<E: WithDType, R>(
    name: &str,
    x: &Tensor,
    f: impl FnOnce(&[E]) -> Result<R>,
) -> Result<R> {
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        candle_core::bail!("{name} needs tensors on the CPU");
    };
    f(contiguous(name, storage, layout)?)
}
