//! `--device` and `--dtype`: the device and the precision of the computation.

use candle_core::{DType, Device};
use clap::{Args, ValueEnum};
use hrm_kernels::Isa;

use crate::error::{backend_message, usage};

/// Device and precision of the computation.
#[derive(Args, Clone, Debug)]
pub(crate) struct Compute {
    /// Device to compute on. Default: cpu.
    #[arg(long, value_enum)]
    device: Option<DeviceKind>,
    /// Data type of activations; weights are always f32. `auto`, the default, is bf16
    /// on CPUs with bf16 instructions, else f32.
    #[arg(long, value_enum)]
    dtype: Option<Precision>,
    /// Whether the device is that of a run, and not given.
    #[arg(skip)]
    is_of_run: bool,
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
    /// The device and the precision of a run, by their names.
    ///
    /// # Errors
    ///
    /// If a name is unknown.
    pub(crate) fn named(device: &str, dtype: &str) -> anyhow::Result<Self> {
        let known = |what, err| usage(format!("{what}: {err}"));
        Ok(Self {
            device: Some(DeviceKind::from_str(device, false).map_err(|err| known("device", err))?),
            dtype: Some(Precision::from_str(dtype, false).map_err(|err| known("dtype", err))?),
            is_of_run: true,
        })
    }

    /// These, and what was not given from `others`.
    pub(crate) fn or(&self, others: &Self) -> Self {
        Self {
            device: self.device.or(others.device),
            dtype: self.dtype.or(others.dtype),
            is_of_run: if self.device.is_some() { self.is_of_run } else { others.is_of_run },
        }
    }

    fn device_kind(&self) -> DeviceKind {
        self.device.unwrap_or(DeviceKind::Cpu)
    }

    fn precision(&self) -> Precision {
        self.dtype.unwrap_or(Precision::Auto)
    }

    /// Opens the device.
    ///
    /// # Errors
    ///
    /// If it is not available on this machine or in this build.
    pub(crate) fn device(&self) -> anyhow::Result<Device> {
        let missing = |kind: &str, err: candle_core::Error| {
            let why = backend_message(&err);
            let missing = format!("not available on this machine or in this build ({why})");
            usage(match self.is_of_run {
                false => format!("--device {kind}: {missing}"),
                true => format!(
                    "the run computes on {kind}, which is {missing}. It can only be resumed where \
                     that is; to start a new run here, give --device cpu with `hrm train --from \
                     RUN`, or with --init RUN to keep its weights"
                ),
            })
        };
        match self.device_kind() {
            DeviceKind::Cpu => Ok(Device::Cpu),
            DeviceKind::Cuda => Device::new_cuda(0).map_err(|err| missing("cuda", err)),
            DeviceKind::Metal => Device::new_metal(0).map_err(|err| missing("metal", err)),
        }
    }

    /// The dtype of activations.
    ///
    /// # Errors
    ///
    /// If `HRM_CPU` does not name an instruction set of this machine.
    pub(crate) fn dtype(&self) -> anyhow::Result<DType> {
        let has_bf16 = cpu_isa()?.has_bf16();
        Ok(match self.precision() {
            Precision::Auto if self.device_kind() == DeviceKind::Cpu && has_bf16 => DType::BF16,
            Precision::Auto | Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        })
    }

    /// The same, but `auto` means f32.
    pub(crate) fn with_f32_default(&self) -> Self {
        let dtype = match self.precision() {
            Precision::Auto => Precision::F32,
            dtype => dtype,
        };
        Self { dtype: Some(dtype), ..self.clone() }
    }
}

/// Instruction set in use on the CPU.
///
/// # Errors
///
/// If `HRM_CPU` does not name an instruction set of this machine.
pub(crate) fn cpu_isa() -> anyhow::Result<Isa> {
    Isa::current().map_err(|err| usage(backend_message(&err)))
}

/// The name of a device on the command line.
pub(crate) fn device_name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}
