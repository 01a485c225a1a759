//! Which instruction sets this CPU has, and which one is used.

use std::fmt;
use std::sync::OnceLock;

use candle_core::Result;

/// An instruction set with its own kernels, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 with bf16 dot products; f32 runs as on [`Avx512`](Self::Avx512).
    Avx512Bf16,
    /// AVX-512.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// Plain loops, compiled to the vectors of the build target: SSE2 on x86-64,
    /// NEON on AArch64.
    Portable,
}

impl Isa {
    const ALL: [Self; 4] = [Self::Avx512Bf16, Self::Avx512, Self::Avx2, Self::Portable];

    /// The environment variable that forces an instruction set.
    pub const VARIABLE: &str = "HRM_CPU";

    /// The instruction set in use: the one that `HRM_CPU` names, or the best that
    /// this CPU has. Decided once per process.
    ///
    /// # Errors
    ///
    /// If `HRM_CPU` names an instruction set that is unknown or that this CPU
    /// lacks.
    pub fn current() -> Result<Self> {
        static CURRENT: OnceLock<std::result::Result<Isa, String>> = OnceLock::new();
        let current = CURRENT.get_or_init(|| {
            let forced = std::env::var_os(Self::VARIABLE).map(|v| v.to_string_lossy().into_owned());
            Self::choose(forced.as_deref())
        });
        current.clone().map_err(candle_core::Error::msg)
    }

    /// The instruction sets of this CPU, best first. Never empty.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// Whether it multiplies bf16 in hardware.
    pub fn has_bf16(self) -> bool {
        self == Self::Avx512Bf16
    }

    /// The name by which `HRM_CPU` selects it.
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
        available.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            let (variable, names) = (Self::VARIABLE, names.join(", "));
            format!(
                "{variable} must be one of this machine's instruction sets ({names}), \
                 found `{name}`"
            )
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

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_set_is_chosen_by_name() {
        for isa in Isa::available() {
            assert_eq!(Isa::choose(Some(isa.name())), Ok(isa));
        }
        assert_eq!(Isa::choose(None), Ok(Isa::available()[0]));
        assert_eq!(Isa::choose(Some("")), Ok(Isa::available()[0]));
    }

    #[test]
    fn an_unknown_instruction_set_is_rejected_with_a_list_of_the_available_ones() {
        let message = Isa::choose(Some("sse9")).unwrap_err();
        assert!(message.starts_with("HRM_CPU must be one of"), "{message}");
        assert!(message.contains("portable") && message.ends_with("found `sse9`"), "{message}");
    }
}
