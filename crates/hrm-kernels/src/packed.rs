//! The packed forms of a weight.

use std::sync::Arc;

use half::bf16;

use crate::cpu::matmul::Panels;
use crate::cpu::{Element, KernelImpl};

/// A weight packed for operands of either dtype.
#[derive(Debug)]
pub(crate) enum Packed {
    F32(PackedWeight<f32>),
    Bf16(PackedWeight<bf16>),
}

/// A weight packed for operands of one dtype.
#[derive(Debug)]
pub(crate) struct PackedWeight<E: Element> {
    /// The implementation whose tiles these panels fit.
    pub(crate) kernel: KernelImpl,
    /// For `x W^T`.
    pub(crate) forward: Panels<E>,
    /// For `y W`. Packed in advance if the weight is tracked.
    pub(crate) backward: Option<Arc<Panels<E>>>,
}

impl Packed {
    /// The implementation whose tiles the panels fit.
    pub(crate) fn kernel(&self) -> KernelImpl {
        match self {
            Self::F32(weight) => weight.kernel,
            Self::Bf16(weight) => weight.kernel,
        }
    }
}
