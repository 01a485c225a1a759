//! Which implementation runs for a dtype on an instruction set.

use candle_core::DType;

use super::detect::Isa;

/// An implementation of [`Simd`](super::Simd) that this CPU can run: operands of
/// one dtype on one instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KernelImpl {
    /// bf16 operands. All others have f32 operands.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl KernelImpl {
    /// The implementation for activations of `dtype` on `isa`, or `None` if
    /// there is no fused one. Operands are bf16 only where the hardware
    /// multiplies bf16.
    pub(crate) fn select(dtype: DType, isa: Isa) -> Option<Self> {
        match (dtype, isa) {
            #[cfg(target_arch = "x86_64")]
            (DType::BF16, Isa::Avx512Bf16) => Some(Self::Avx512Bf16),
            // Without dot products of bf16, bf16 activations are computed in f32.
            #[cfg(target_arch = "x86_64")]
            (DType::F32, Isa::Avx512Bf16) | (DType::F32 | DType::BF16, Isa::Avx512) => {
                Some(Self::Avx512)
            }
            #[cfg(target_arch = "x86_64")]
            (DType::F32 | DType::BF16, Isa::Avx2) => Some(Self::Avx2),
            (DType::F32 | DType::BF16, Isa::Portable) => Some(Self::Portable),
            _ => None,
        }
    }
}

/// Evaluates an expression with the type `$simd` bound to the [`Simd`](super::Simd)
/// implementation that `$kernel` names.
macro_rules! with_simd {
    ($kernel:expr, $simd:ident => $body:expr) => {
        match $kernel {
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::isa::KernelImpl::Avx512Bf16 => {
                type $simd = $crate::cpu::isa::Avx512Bf16;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::isa::KernelImpl::Avx512 => {
                type $simd = $crate::cpu::isa::Avx512;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::isa::KernelImpl::Avx2 => {
                type $simd = $crate::cpu::isa::Avx2;
                $body
            }
            $crate::cpu::isa::KernelImpl::Portable => {
                type $simd = $crate::cpu::isa::Portable;
                $body
            }
        }
    };
}
pub(crate) use with_simd;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Simd;
    use candle_core::WithDType as _;

    #[test]
    fn every_instruction_set_implements_both_activation_dtypes() {
        for isa in Isa::available() {
            for dtype in [DType::F32, DType::BF16] {
                let kernel = KernelImpl::select(dtype, isa).expect("both dtypes are implemented");
                let operands = with_simd!(kernel, V => <V as Simd>::Elem::DTYPE);
                let keeps_dtype = dtype == DType::F32 || isa.has_bf16();
                assert_eq!(operands == dtype, keeps_dtype, "{isa} {dtype:?}");
            }
            assert_eq!(KernelImpl::select(DType::F64, isa), None);
        }
    }
}
