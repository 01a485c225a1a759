//! `--device` and `--dtype`: where and how precisely to compute.

use candle_core::{DType, Device};
use clap::{Args, ValueEnum};
use hrm_kernels::Path;

use crate::error::{backend_message, usage};

/// Where and how precisely to compute.
#[derive(Args, Clone, Debug)]
pub(crate) struct Compute {
    /// Where to compute.
    #[arg(long, value_enum, default_value_t = DeviceKind::Cpu)]
    device: DeviceKind,
    /// Precision of activations; weights stay f32. `auto` is bf16 on a CPU that
    /// multiplies it, else f32.
    #[arg(long, value_enum, default_value_t = Precision::Auto)]
    dtype: Precision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DeviceKind {
    Cpu,
    Cuda,
    Metal,
}

/// Precision of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    Auto,
    #[value(alias = "float32")]
    F32,
    #[value(alias = "bfloat16")]
    Bf16,
}

impl Compute {
    /// What was chosen by the names of a device and of a dtype.
    ///
    /// # Errors
    ///
    /// For a name that there is not.
    pub(crate) fn named(device: &str, dtype: &str) -> anyhow::Result<Self> {
        let known = |what, err| usage(format!("{what}: {err}"));
        Ok(Self {
            device: DeviceKind::from_str(device, false).map_err(|err| known("device", err))?,
            dtype: Precision::from_str(dtype, false).map_err(|err| known("dtype", err))?,
        })
    }

    /// Opens the device.
    ///
    /// # Errors
    ///
    /// If this machine or this build does not have it.
    pub(crate) fn device(&self) -> anyhow::Result<Device> {
        let missing = |kind: &str, err: candle_core::Error| {
            let why = backend_message(&err);
            usage(format!("--device {kind}: not there on this machine or in this build ({why})"))
        };
        match self.device {
            DeviceKind::Cpu => Ok(Device::Cpu),
            DeviceKind::Cuda => Device::new_cuda(0).map_err(|err| missing("cuda", err)),
            DeviceKind::Metal => Device::new_metal(0).map_err(|err| missing("metal", err)),
        }
    }

    /// The dtype of activations.
    ///
    /// # Errors
    ///
    /// If `HRM_CPU` names no instruction set of this machine.
    pub(crate) fn dtype(&self) -> anyhow::Result<DType> {
        let has_bf16 = cpu_path()?.has_bf16();
        Ok(match self.dtype {
            Precision::Auto if self.device == DeviceKind::Cpu && has_bf16 => DType::BF16,
            Precision::Auto | Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        })
    }

    /// The same, in f32 unless another precision is asked for by name.
    pub(crate) fn exactly(&self) -> Self {
        let dtype = if self.dtype == Precision::Auto { Precision::F32 } else { self.dtype };
        Self { dtype, ..self.clone() }
    }
}

/// Instruction sets in force on the CPU.
///
/// # Errors
///
/// If `HRM_CPU` names none of this machine.
pub(crate) fn cpu_path() -> anyhow::Result<Path> {
    Path::current().map_err(|err| usage(backend_message(&err)))
}

/// The name of a device as users write it.
pub(crate) fn device_name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}
