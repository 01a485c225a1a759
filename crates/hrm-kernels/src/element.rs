//! Numbers of tensors that fused versions compute with.

use std::cell::RefCell;

use candle_core::backend::BackendStorage as _;
use candle_core::{
    CpuStorage, DType, Device, InplaceOp1, Layout, Result, Shape, Storage, Tensor, WithDType,
};
use half::bf16;
use rayon::prelude::*;

use crate::cpu::{Arith, Element, Path, Scheme, Scratch, scratch};
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

impl Values<'_> {
    /// Keeps the first `len` of them.
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

/// The dtype of tensors between sublayers that compute in `dtype`.
///
/// On the CPU fused versions round to their operands as they read, so tensors
/// stay f32: sums of them are then exact, and plain vector code.
pub fn carrier(dtype: DType, device: &Device) -> DType {
    let is_fused = Path::current().is_ok_and(|path| Scheme::of(dtype, path).is_some());
    if device.is_cpu() && is_fused { DType::F32 } else { dtype }
}

/// Elements that a thread converts at a time.
const N_ELEMENTS_PER_TASK: usize = 1 << 14;

/// A contiguous f32 or bf16 tensor as operands.
///
/// # Errors
///
/// If it is not contiguous, or of another dtype.
pub(crate) fn load<A: Arith<Elem: Operand>>(
    name: &str,
    x: &CpuStorage,
    layout: &Layout,
) -> Result<Scratch<A::Elem>> {
    let mut operands = scratch::<A::Elem>(layout.shape().elem_count());
    let to = operands.par_chunks_mut(N_ELEMENTS_PER_TASK);
    if A::Elem::DTYPE == x.dtype() {
        let from = contiguous::<A::Elem>(name, x, layout)?.par_chunks(N_ELEMENTS_PER_TASK);
        to.zip(from).for_each(|(to, from)| to.copy_from_slice(from));
    } else if x.dtype() == DType::F32 {
        let from = contiguous::<f32>(name, x, layout)?.par_chunks(N_ELEMENTS_PER_TASK);
        to.zip(from).for_each(|(to, from)| {
            A::vectorized(
                #[inline(always)]
                || A::narrow(from, to),
            );
        });
    } else {
        let from = contiguous::<bf16>(name, x, layout)?.par_chunks(N_ELEMENTS_PER_TASK);
        to.zip(from).for_each(|(to, from)| {
            to.iter_mut().zip(from).for_each(|(to, from)| {
                *to = Element::from_f32(Element::to_f32(*from));
            });
        });
    }
    Ok(operands)
}

/// [`load`] from a tensor on the CPU.
///
/// # Errors
///
/// If it is elsewhere, not contiguous, or of another dtype.
pub(crate) fn load_tensor<A: Arith<Elem: Operand>>(
    name: &str,
    x: &Tensor,
) -> Result<Scratch<A::Elem>> {
    with_storage(name, x, |storage, layout| load::<A>(name, storage, layout))
}

/// Operands as a tensor's elements, f32 or bf16.
pub(crate) fn store<A: Arith<Elem: Operand>>(operands: &[A::Elem], dtype: DType) -> CpuStorage {
    fn collect<A: Arith, T: Copy + Send>(
        operands: &[A::Elem],
        number: impl Fn(A::Elem) -> T + Sync,
    ) -> Vec<T> {
        let mut numbers = Vec::with_capacity(operands.len());
        numbers.spare_capacity_mut()[..operands.len()]
            .par_chunks_mut(N_ELEMENTS_PER_TASK)
            .zip(operands.par_chunks(N_ELEMENTS_PER_TASK))
            .for_each(|(to, from)| {
                A::vectorized(
                    #[inline(always)]
                    || {
                        for (to, from) in to.iter_mut().zip(from) {
                            to.write(number(*from));
                        }
                    },
                );
            });
        // SAFETY: both were cut into pieces of the same lengths, so every one of
        // these elements has been written.
        unsafe { numbers.set_len(operands.len()) };
        numbers
    }
    match dtype {
        DType::F32 => CpuStorage::F32(collect::<A, f32>(operands, Element::to_f32)),
        _ => CpuStorage::BF16(collect::<A, bf16>(operands, |x| Element::from_f32(x.to_f32()))),
    }
}

/// [`store`] as a tensor of the dtype and on the device of another.
///
/// # Errors
///
/// If there are more or fewer operands than the shape says.
pub(crate) fn store_tensor<A: Arith<Elem: Operand>>(
    operands: &[A::Elem],
    shape: impl Into<Shape>,
    like: &Tensor,
) -> Result<Tensor> {
    match store::<A>(operands, like.dtype()) {
        CpuStorage::F32(values) => Tensor::from_vec(values, shape.into(), like.device()),
        CpuStorage::BF16(values) => Tensor::from_vec(values, shape.into(), like.device()),
        _ => candle_core::bail!("operands are stored as f32 or bf16"),
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
    with_storage(name, x, |storage, layout| f(contiguous(name, storage, layout)?))
}

/// Lends the elements of a contiguous f32 tensor on the CPU to `f`, to change.
///
/// # Errors
///
/// If it is elsewhere, not contiguous, of another dtype, or `f` fails.
pub(crate) fn lend(
    name: &'static str,
    tensor: &Tensor,
    f: impl FnOnce(&mut [f32]) -> Result<()>,
) -> Result<()> {
    struct Lend<F>(&'static str, RefCell<Option<F>>);

    impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for Lend<F> {
        fn name(&self) -> &'static str {
            self.0
        }

        fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
            let (CpuStorage::F32(values), Some((start, end))) =
                (storage, layout.contiguous_offsets())
            else {
                candle_core::bail!("{} needs contiguous f32 tensors", self.name());
            };
            let f = self.1.take().expect("an operation runs once");
            f(&mut values[start..end])
        }
    }

    tensor.inplace_op1(&Lend(name, RefCell::new(Some(f))))
}

/// Whether [`lend`] and [`with_values`] take a tensor as f32.
pub(crate) fn is_plain(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32 && tensor.is_contiguous()
}

/// Calls `f` with what holds a tensor on the CPU.
fn with_storage<R>(
    name: &str,
    x: &Tensor,
    f: impl FnOnce(&CpuStorage, &Layout) -> Result<R>,
) -> Result<R> {
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        candle_core::bail!("{name} needs tensors on the CPU");
    };
    f(storage, layout)
}
