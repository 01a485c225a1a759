//! A weight matrix, with its packed forms beside it.
//!
//! Products read weights in another order than they are stored in. Packing
//! costs a pass over the weight, and a weight is used many times between two
//! optimiser steps: so it is packed once, when it is bound.

use std::sync::Arc;

use candle_core::{DType, Result, Tensor};

use crate::cpu::matmul::Panels;
use crate::cpu::{Arith, Path, Scheme, mlp, with_arith};
use crate::element::{Operand, with_values};

/// A weight `[N, K]` as sublayers take it.
///
/// Packed forms hold what the weight was when this was made: make it anew
/// after an optimiser step. Clones share them.
#[derive(Clone, Debug)]
pub struct Weight {
    tensor: Tensor,
    packed: Option<Arc<Packed>>,
}

/// What a weight is multiplied as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Column by column.
    Plain,
    /// Its first half gates its second half.
    Gated,
}

/// Packed forms of one weight, in one dtype.
#[derive(Debug)]
pub(crate) enum Packed {
    F32(Packs<f32>),
    Bf16(Packs<half::bf16>),
}

/// Packed forms of one weight.
#[derive(Debug)]
pub(crate) struct Packs<E: Operand> {
    scheme: Scheme,
    /// For `x W^T`.
    forward: Panels<E>,
    /// For `y W`, packed at once if the weight is tracked.
    backward: Option<Arc<Panels<E>>>,
}

impl Weight {
    /// A weight for activations of `dtype`. Its own dtype may be another one:
    /// f32 weights are rounded when they are packed, and their gradients are
    /// f32 again.
    ///
    /// # Errors
    ///
    /// If it is no matrix, or `HRM_CPU` names no path of this machine.
    pub fn new(tensor: Tensor, dtype: DType) -> Result<Self> {
        Self::on_path(tensor, dtype, Form::Plain, Path::current()?)
    }

    /// The first weight of [`mlp_block`](crate::mlp_block): `[2 I, K]`, gate
    /// first.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), or if its rows are odd in number.
    pub fn gated(tensor: Tensor, dtype: DType) -> Result<Self> {
        Self::on_path(tensor, dtype, Form::Gated, Path::current()?)
    }

    /// The matrix itself.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The same weight without its variable. Storage and packed forms are shared.
    #[must_use]
    pub fn detach(&self) -> Self {
        Self { tensor: self.tensor.detach(), packed: self.packed.clone() }
    }

    /// The matrix in the dtype of `x`, as the reference multiplies it.
    pub(crate) fn tensor_like(&self, x: &Tensor) -> Result<Tensor> {
        self.tensor.to_dtype(x.dtype())
    }

    pub(crate) fn on_path(tensor: Tensor, dtype: DType, form: Form, path: Path) -> Result<Self> {
        let (n_rows, _) = tensor.dims2()?;
        if form == Form::Gated && !n_rows.is_multiple_of(2) {
            candle_core::bail!("a gated weight has an even number of rows, found {n_rows}");
        }
        let is_packable =
            tensor.device().is_cpu() && tensor.dtype() == DType::F32 && tensor.is_contiguous();
        let scheme = Scheme::of(dtype, path).filter(|_| is_packable);
        let packed = match scheme {
            Some(scheme) => {
                Some(Arc::new(with_arith!(scheme, A => pack::<A>(&tensor, form, scheme)?)))
            }
            None => None,
        };
        Ok(Self { tensor, packed })
    }

    /// How products with this weight are computed, if it is packed.
    pub(crate) fn scheme(&self) -> Option<Scheme> {
        self.packed.as_deref().map(|packed| match packed {
            Packed::F32(packs) => packs.scheme,
            Packed::Bf16(packs) => packs.scheme,
        })
    }

    /// For `x W^T`.
    ///
    /// # Panics
    ///
    /// If it is not packed for these operands; see [`scheme`](Self::scheme).
    pub(crate) fn forward<E: Operand>(&self) -> &Panels<E> {
        &self.packs().forward
    }

    /// For `y W`.
    ///
    /// # Errors
    ///
    /// If the weight cannot be read.
    pub(crate) fn backward<A: Arith<Elem: Operand>>(&self) -> Result<Arc<Panels<A::Elem>>> {
        match &self.packs::<A::Elem>().backward {
            Some(panels) => Ok(panels.clone()),
            None => Ok(Arc::new(pack_backward::<A>(&self.tensor)?)),
        }
    }

    fn packs<E: Operand>(&self) -> &Packs<E> {
        let packs = self.packed.as_deref().and_then(E::packs);
        packs.expect("a sublayer asks for the scheme before it asks for panels")
    }
}

fn pack<A: Arith<Elem: Operand>>(tensor: &Tensor, form: Form, scheme: Scheme) -> Result<Packed> {
    let (n, k) = tensor.dims2()?;
    let forward = with_values("weight", tensor, |w: &[f32]| {
        Ok(match form {
            Form::Plain => Panels::of_weight::<A>(w, n, k, |j| (j < n).then_some(j)),
            Form::Gated => mlp::pack_gate_up::<A>(w, n / 2, k),
        })
    })?;
    let backward = match tensor.track_op() {
        true => Some(Arc::new(pack_backward::<A>(tensor)?)),
        false => None,
    };
    Ok(A::Elem::wrap(Packs { scheme, forward, backward }))
}

fn pack_backward<A: Arith<Elem: Operand>>(tensor: &Tensor) -> Result<Panels<A::Elem>> {
    let (n, k) = tensor.dims2()?;
    with_values("weight", tensor, |w: &[f32]| Ok(Panels::of_weight_transposed::<A>(w, k, n)))
}
