//! `--device` and `--dtype`: where and how precisely to compute.

use candle_core::{DType, Device};
use clap::{Args, ValueEnum};

use crate::outcome::{backend_message, usage};

/// Where and how precisely to compute.
#[derive(Args, Clone, Debug)]
pub(crate) struct Compute {
    /// Where to compute.
    #[arg(long, value_enum, default_value_t = DeviceKind::Cpu)]
    device: DeviceKind,
    /// Precision of activations; weights stay f32. `auto` is f32.
    #[arg(long, value_enum, default_value_t = Precision::Auto)]
    dtype: Precision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DeviceKind {
    Cpu,
    Cuda,
    Metal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Precision {
    Auto,
    #[value(alias = "float32")]
    F32,
    #[value(alias = "bfloat16")]
    Bf16,
}

impl Compute {
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
    pub(crate) fn dtype(&self) -> DType {
        match self.dtype {
            Precision::Auto | Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }
}

/// The name of a device as users write it.
pub(crate) fn device_name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}
