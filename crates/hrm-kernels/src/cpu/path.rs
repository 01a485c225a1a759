//! Which instruction sets the CPU has, and which one is in force.

use std::fmt;
use std::sync::OnceLock;

use candle_core::{DType, Result};

/// Instruction sets with a path of their own, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// AVX-512 with dot products of bf16; f32 as [`Avx512`](Self::Avx512).
    Avx512Bf16,
    /// AVX-512.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// Plain loops, in whatever vectors the compiler may assume: SSE2 on
    /// x86-64, NEON on AArch64.
    Portable,
}

impl Path {
    /// Every path, best first.
    pub const ALL: [Self; 4] = [Self::Avx512Bf16, Self::Avx512, Self::Avx2, Self::Portable];

    /// The environment variable that forces a path.
    pub const VARIABLE: &str = "HRM_CPU";

    /// The path in force: the best that this machine has, or the one that
    /// `HRM_CPU` names. Read once per process.
    ///
    /// # Errors
    ///
    /// If `HRM_CPU` names no path, or one that this machine does not have.
    pub fn current() -> Result<Self> {
        static CURRENT: OnceLock<std::result::Result<Path, String>> = OnceLock::new();
        let current = CURRENT.get_or_init(|| {
            let forced = std::env::var_os(Self::VARIABLE).map(|v| v.to_string_lossy().into_owned());
            Self::choose(forced.as_deref())
        });
        current.clone().map_err(candle_core::Error::msg)
    }

    /// Paths of this machine, best first. Never empty.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|path| path.is_available()).collect()
    }

    /// Whether products of bf16 run at their own speed on this path.
    pub fn has_bf16(self) -> bool {
        self == Self::Avx512Bf16
    }

    /// The name that `HRM_CPU` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    fn choose(forced: Option<&str>) -> std::result::Result<Self, String> {
        let available = Self::available();
        let Some(name) = forced.filter(|name| !name.is_empty()) else { return Ok(available[0]) };
        available.iter().copied().find(|path| path.name() == name).ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|path| path.name()).collect();
            let (variable, names) = (Self::VARIABLE, names.join(", "));
            format!("{variable} must be one of this machine's paths ({names}), found `{name}`")
        })
    }

    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let has_avx512 = has_avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match self {
            Self::Avx512Bf16 => has_avx512 && is_x86_feature_detected!("avx512bf16"),
            Self::Avx512 => has_avx512,
            Self::Avx2 => has_avx2,
            Self::Portable => true,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_available(self) -> bool {
        self == Self::Portable
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a fused operation computes: operands of one dtype on one instruction
/// set that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// bf16 operands.
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    /// f32 operands, like those below.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Scheme {
    /// How activations of `dtype` are computed on `path`, if it has a fused
    /// version. Operands are bf16 only where the hardware multiplies them.
    pub(crate) fn of(dtype: DType, path: Path) -> Option<Self> {
        match (dtype, path) {
            #[cfg(target_arch = "x86_64")]
            (DType::BF16, Path::Avx512Bf16) => Some(Self::Avx512Bf16),
            // Without dot products of bf16, such activations are computed in f32.
            #[cfg(target_arch = "x86_64")]
            (DType::F32, Path::Avx512Bf16) | (DType::F32 | DType::BF16, Path::Avx512) => {
                Some(Self::Avx512)
            }
            #[cfg(target_arch = "x86_64")]
            (DType::F32 | DType::BF16, Path::Avx2) => Some(Self::Avx2),
            (DType::F32 | DType::BF16, Path::Portable) => Some(Self::Portable),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Arith, with_arith};
    use candle_core::WithDType as _;

    #[test]
    fn a_path_is_chosen_by_name() {
        for path in Path::available() {
            assert_eq!(Path::choose(Some(path.name())), Ok(path));
        }
        assert_eq!(Path::choose(None), Ok(Path::available()[0]));
        assert_eq!(Path::choose(Some("")), Ok(Path::available()[0]));
    }

    #[test]
    fn an_unknown_path_is_refused_with_the_known_ones() {
        let message = Path::choose(Some("sse9")).unwrap_err();
        assert!(message.starts_with("HRM_CPU must be one of"), "{message}");
        assert!(message.contains("portable") && message.ends_with("found `sse9`"), "{message}");
    }

    #[test]
    fn every_path_has_a_scheme_for_both_dtypes() {
        for path in Path::available() {
            for dtype in [DType::F32, DType::BF16] {
                let scheme = Scheme::of(dtype, path).expect("activations have a scheme");
                let operands = with_arith!(scheme, A => <A as Arith>::Elem::DTYPE);
                let keeps_dtype = dtype == DType::F32 || path.has_bf16();
                assert_eq!(operands == dtype, keeps_dtype, "{path} {dtype:?}");
            }
            assert_eq!(Scheme::of(DType::F64, path), None);
        }
    }
}
