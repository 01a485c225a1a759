//! A weight matrix together with its packed forms.
//!
//! Products do not read weights in the order in which tensors store them. Packing
//! costs a pass over the weight, and a weight is used many times between two optimiser
//! steps; it is therefore packed once, when it is bound.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use crate::cpu::matmul::Panels;
use crate::cpu::{Isa, KernelImpl, Simd, mlp, with_simd};
use crate::operand::Operand;
use crate::packed::{Packed, PackedWeight};
use crate::storage::with_values;

/// A weight `[N, K]` bound for use in sublayers.
///
/// Packed forms are a snapshot: bind the weight again after an optimiser step.
/// Clones share them.
#[derive(Clone, Debug)]
pub struct Weight {
    tensor: Tensor,
    packed: Option<Arc<Packed>>,
}

/// The order in which the columns of `x W^T` are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WeightLayout {
    /// One after the other.
    Plain,
    /// Each gate, from the first half, next to its value from the second half.
    Gated,
}

impl Weight {
    /// Binds a weight for activations of `dtype`. The weight itself may have another
    /// dtype: f32 weights are rounded when they are packed, and their gradients are
    /// f32.
    ///
    /// # Errors
    ///
    /// If the tensor is not a matrix, or `HRM_CPU` names no instruction set of this
    /// machine.
    pub fn new(tensor: Tensor, dtype: DType) -> Result<Self> {
        Self::for_isa(tensor, dtype, WeightLayout::Plain, Isa::current()?)
    }

    /// Binds the first weight of [`mlp_block`](crate::mlp_block): `[2 I, K]`, gate
    /// first.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), or if the number of rows is odd.
    pub fn gated(tensor: Tensor, dtype: DType) -> Result<Self> {
        Self::for_isa(tensor, dtype, WeightLayout::Gated, Isa::current()?)
    }

    /// The matrix.
    pub(crate) fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The same weight, untracked. Storage and packed forms are shared.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self { tensor: self.tensor.detach(), packed: self.packed.clone() }
    }

    /// The matrix in the dtype of `x`, as the reference multiplies it.
    pub(crate) fn tensor_like(&self, x: &Tensor) -> Result<Tensor> {
        self.tensor.to_dtype(x.dtype())
    }

    pub(crate) fn for_isa(
        tensor: Tensor,
        dtype: DType,
        layout: WeightLayout,
        isa: Isa,
    ) -> Result<Self> {
        let (n_rows, _) = tensor.dims2()?;
        if layout == WeightLayout::Gated && !n_rows.is_multiple_of(2) {
            candle_core::bail!("a gated weight needs an even number of rows, found {n_rows}");
        }
        let is_packable =
            tensor.device().is_cpu() && tensor.dtype() == DType::F32 && tensor.is_contiguous();
        let kernel = KernelImpl::select(dtype, isa).filter(|_| is_packable);
        let packed = match kernel {
            Some(kernel) => {
                Some(Arc::new(with_simd!(kernel, V => pack::<V>(&tensor, layout, kernel)?)))
            }
            None => None,
        };
        Ok(Self { tensor, packed })
    }

    /// The implementation that the weight is packed for, if it is packed.
    pub(crate) fn kernel(&self) -> Option<KernelImpl> {
        self.packed.as_deref().map(Packed::kernel)
    }

    /// Panels for `x W^T`.
    ///
    /// # Panics
    ///
    /// If the weight is not packed for these operands; see [`kernel`](Self::kernel).
    pub(crate) fn forward<E: Operand>(&self) -> &Panels<E> {
        &self.packed_for().forward
    }

    /// Panels for `y W`.
    ///
    /// # Errors
    ///
    /// If the weight cannot be read.
    ///
    /// # Panics
    ///
    /// As for [`forward`](Self::forward).
    pub(crate) fn backward<V: Simd<Elem: Operand>>(&self) -> Result<Arc<Panels<V::Elem>>> {
        match &self.packed_for::<V::Elem>().backward {
            Some(panels) => Ok(panels.clone()),
            None => Ok(Arc::new(pack_backward::<V>(&self.tensor)?)),
        }
    }

    fn packed_for<E: Operand>(&self) -> &PackedWeight<E> {
        let weight = self.packed.as_deref().and_then(E::packed);
        weight.expect("sublayers check `kernel` before they use panels")
    }
}

fn pack<V: Simd<Elem: Operand>>(
    tensor: &Tensor,
    layout: WeightLayout,
    kernel: KernelImpl,
) -> Result<Packed> {
    let (n, k) = tensor.dims2()?;
    let forward = with_values("weight", tensor, |w: &[f32]| {
        Ok(match layout {
            WeightLayout::Plain => Panels::of_weight::<V>(w, n, k, |j| (j < n).then_some(j)),
            WeightLayout::Gated => mlp::pack_gate_up::<V>(w, n / 2, k),
        })
    })?;
    let backward = match tensor.track_op() {
        true => Some(Arc::new(pack_backward::<V>(tensor)?)),
        false => None,
    };
    Ok(V::Elem::into_packed(PackedWeight { kernel, forward, backward }))
}

fn pack_backward<V: Simd<Elem: Operand>>(tensor: &Tensor) -> Result<Panels<V::Elem>> {
    let (n, k) = tensor.dims2()?;
    with_values("weight", tensor, |w: &[f32]| Ok(Panels::of_weight_transposed::<V>(w, k, n)))
}
