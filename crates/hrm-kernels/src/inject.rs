//! The input of a module: the sum of a state and two injected terms.
//!
//! Versions, by increasing speed:
//! 1. Additions of tensors, for any device.
//! 2. [`inject`]: one pass over f32 or bf16 on the CPU, summed in f32. The backward
//!    pass hands the incoming gradient to every tracked term without a copy.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, WithDType as _};
use rayon::prelude::*;

use crate::cpu::{Isa, KernelImpl, Simd, vector_ops, with_simd};
use crate::operand::Operand;
use crate::storage::contiguous;

/// `z + (one + other)` for tensors of the same shape and dtype.
///
/// # Errors
///
/// If shapes or dtypes differ.
pub(crate) fn inject(z: &Tensor, one: &Tensor, other: &Tensor) -> Result<Tensor> {
    let terms = [z, one, other];
    let is_plain = |t: &&Tensor| {
        t.device().is_cpu() && t.is_contiguous() && t.dtype() == z.dtype() && t.shape() == z.shape()
    };
    let kernel = KernelImpl::select(z.dtype(), Isa::current()?);
    if let Some(kernel) = kernel.filter(|_| terms.iter().all(is_plain)) {
        with_simd!(kernel, V => {
            if <V as Simd>::Elem::DTYPE == z.dtype() {
                return z.apply_op3(one, other, Inject::<V>(std::marker::PhantomData));
            }
        });
    }
    z + (one + other)?
}

/// Elements per task of a thread.
const N_ELEMENTS_PER_TASK: usize = 1 << 13;

struct Inject<V>(std::marker::PhantomData<V>);

impl<V: Simd<Elem: Operand>> CustomOp3 for Inject<V> {
    fn name(&self) -> &'static str {
        "inject"
    }

    fn cpu_fwd(
        &self,
        z: &CpuStorage,
        z_layout: &Layout,
        one: &CpuStorage,
        one_layout: &Layout,
        other: &CpuStorage,
        other_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let mut sums = contiguous::<V::Elem>(self.name(), z, z_layout)?.to_vec();
        let one = contiguous::<V::Elem>(self.name(), one, one_layout)?;
        let other = contiguous::<V::Elem>(self.name(), other, other_layout)?;
        sums.par_chunks_mut(N_ELEMENTS_PER_TASK)
            .zip(one.par_chunks(N_ELEMENTS_PER_TASK).zip(other.par_chunks(N_ELEMENTS_PER_TASK)))
            .for_each(|(sums, (one, other))| {
                V::vectorized(
                    #[inline(always)]
                    || vector_ops::inject::<V>(sums, &[one, other]),
                );
            });
        Ok((V::Elem::to_cpu_storage_owned(sums), z_layout.shape().clone()))
    }

    fn bwd(
        &self,
        z: &Tensor,
        one: &Tensor,
        other: &Tensor,
        _sum: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad_of = |term: &Tensor| term.track_op().then(|| grad.clone());
        Ok((grad_of(z), grad_of(one), grad_of(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Var};
    use hrm_testkit::{Tol, assert_close, ramp, value_and_grad};

    #[test]
    fn every_term_receives_the_gradient() -> Result<()> {
        for shape in [(1, 1), (3, 901)] {
            let (z, one, other) = (ramp(shape)?, ramp(shape)?.cos()?, ramp(shape)?.sin()?);
            let expected = (&z + (&one + &other)?)?;
            let (y, dz) = value_and_grad(&z, |z| inject(z, &one, &other))?;
            let (_, d_one) = value_and_grad(&one, |one| inject(&z, one, &other))?;
            let (_, d_other) = value_and_grad(&other, |other| inject(&z, &one, other))?;
            let (_, plain) = value_and_grad(&z, |z| z + (&one + &other)?)?;
            assert_close("sum", &y, &expected, Tol::F32_KERNEL);
            for grad in [dz, d_one, d_other] {
                assert_close("gradient", &grad, &plain, Tol::EXACT);
            }
        }
        Ok(())
    }

    #[test]
    fn other_dtypes_and_layouts_take_plain_additions() -> Result<()> {
        let z = ramp((3, 5))?;
        let transposed = inject(&z.t()?, &z.t()?, &z.t()?)?;
        assert_close("transposed", &transposed, &(z.t()? * 3.0)?.contiguous()?, Tol::F32_KERNEL);
        let bf16 = z.to_dtype(DType::BF16)?;
        assert_eq!(inject(&bf16, &bf16, &bf16)?.dtype(), DType::BF16);
        assert!(inject(&z, &bf16, &bf16).is_err());
        assert!(inject(&z, &z.t()?, &z).is_err());
        let untracked = Var::from_tensor(&z)?.as_detached_tensor();
        assert!(!inject(&untracked, &z, &z)?.track_op());
        Ok(())
    }
}
