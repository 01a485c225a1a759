//! Conversions between tensors and the operands of fused kernels on the CPU.

use std::cell::RefCell;

use candle_core::backend::BackendStorage as _;
use candle_core::{
    CpuStorage, DType, Device, InplaceOp1, Layout, Result, Shape, Storage, Tensor, WithDType,
};
use half::bf16;
use rayon::prelude::*;

use crate::cpu::{Element, Isa, KernelImpl, Scratch, Simd, scratch};
use crate::operand::Operand;

/// The dtype of hidden states between sublayers that compute in `dtype`.
///
/// On the CPU, fused kernels round to their operands as they read, so hidden states
/// stay f32: sums of hidden states are not rounded to bf16.
pub fn activation_dtype(dtype: DType, device: &Device) -> DType {
    let is_fused = Isa::current().is_ok_and(|isa| KernelImpl::select(dtype, isa).is_some());
    if device.is_cpu() && is_fused { DType::F32 } else { dtype }
}

/// Elements per task of a thread.
const N_ELEMENTS_PER_TASK: usize = 1 << 14;

/// Converts a contiguous f32 or bf16 tensor to operands.
///
/// # Errors
///
/// If it is not contiguous or has another dtype.
pub(crate) fn load<V: Simd<Elem: Operand>>(
    name: &str,
    x: &CpuStorage,
    layout: &Layout,
) -> Result<Scratch<V::Elem>> {
    let mut operands = scratch::<V::Elem>(layout.shape().elem_count());
    let to = operands.par_chunks_mut(N_ELEMENTS_PER_TASK);
    if V::Elem::DTYPE == x.dtype() {
        let from = contiguous::<V::Elem>(name, x, layout)?.par_chunks(N_ELEMENTS_PER_TASK);
        to.zip(from).for_each(|(to, from)| to.copy_from_slice(from));
    } else if x.dtype() == DType::F32 {
        let from = contiguous::<f32>(name, x, layout)?.par_chunks(N_ELEMENTS_PER_TASK);
        to.zip(from).for_each(|(to, from)| {
            V::vectorized(
                #[inline(always)]
                || V::round_to(from, to),
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

/// [`load`] for a tensor on the CPU.
///
/// # Errors
///
/// If it is not on the CPU, not contiguous, or has another dtype.
pub(crate) fn load_tensor<V: Simd<Elem: Operand>>(
    name: &str,
    x: &Tensor,
) -> Result<Scratch<V::Elem>> {
    with_storage(name, x, |storage, layout| load::<V>(name, storage, layout))
}

/// Converts operands to storage of `dtype`: f32 or bf16.
pub(crate) fn store<V: Simd<Elem: Operand>>(operands: &[V::Elem], dtype: DType) -> CpuStorage {
    fn collect<V: Simd, T: Copy + Send>(
        operands: &[V::Elem],
        number: impl Fn(V::Elem) -> T + Sync,
    ) -> Vec<T> {
        let mut numbers = Vec::with_capacity(operands.len());
        numbers.spare_capacity_mut()[..operands.len()]
            .par_chunks_mut(N_ELEMENTS_PER_TASK)
            .zip(operands.par_chunks(N_ELEMENTS_PER_TASK))
            .for_each(|(to, from)| {
                V::vectorized(
                    #[inline(always)]
                    || {
                        for (to, from) in to.iter_mut().zip(from) {
                            to.write(number(*from));
                        }
                    },
                );
            });
        // SAFETY: both slices have this length and were cut into the same pieces, so
        // every element has been written.
        unsafe { numbers.set_len(operands.len()) };
        numbers
    }
    match dtype {
        DType::F32 => CpuStorage::F32(collect::<V, f32>(operands, Element::to_f32)),
        _ => CpuStorage::BF16(collect::<V, bf16>(operands, |x| Element::from_f32(x.to_f32()))),
    }
}

/// [`store`] as a tensor with the dtype and on the device of `like`.
///
/// # Errors
///
/// If the number of operands does not fit the shape.
pub(crate) fn store_tensor<V: Simd<Elem: Operand>>(
    operands: &[V::Elem],
    shape: impl Into<Shape>,
    like: &Tensor,
) -> Result<Tensor> {
    match store::<V>(operands, like.dtype()) {
        CpuStorage::F32(values) => Tensor::from_vec(values, shape.into(), like.device()),
        CpuStorage::BF16(values) => Tensor::from_vec(values, shape.into(), like.device()),
        _ => candle_core::bail!("operands are stored as f32 or bf16"),
    }
}

/// The elements of a contiguous tensor.
///
/// # Errors
///
/// If it is not contiguous or has another dtype.
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
/// If it is not on the CPU, not contiguous, has another dtype, or `f` fails.
pub(crate) fn with_values<E: WithDType, R>(
    name: &str,
    x: &Tensor,
    f: impl FnOnce(&[E]) -> Result<R>,
) -> Result<R> {
    with_storage(name, x, |storage, layout| f(contiguous(name, storage, layout)?))
}

/// Calls `f` with the mutable elements of a contiguous f32 tensor on the CPU.
///
/// # Errors
///
/// If it is not on the CPU, not contiguous, has another dtype, or `f` fails.
pub(crate) fn with_values_mut(
    name: &'static str,
    tensor: &Tensor,
    f: impl FnOnce(&mut [f32]) -> Result<()>,
) -> Result<()> {
    struct WithValues<F>(&'static str, RefCell<Option<F>>);

    impl<F: FnOnce(&mut [f32]) -> Result<()>> InplaceOp1 for WithValues<F> {
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

    tensor.inplace_op1(&WithValues(name, RefCell::new(Some(f))))
}

/// Whether [`with_values_mut`] and [`with_values`] accept a tensor as f32.
pub(crate) fn is_plain_f32(tensor: &Tensor) -> bool {
    tensor.device().is_cpu() && tensor.dtype() == DType::F32 && tensor.is_contiguous()
}

/// Calls `f` with the storage of a tensor on the CPU.
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
