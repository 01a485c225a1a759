//! What a golden file says about one tensor: its value, and how far the reference
//! itself is from it.
//!
//! `f64.X` is the exact value of tensor `X`, from a run in f64. `noise.X` holds the
//! distance of f32 runs of the reference from it: the root mean square over the
//! elements and the largest element, both of a typical run, and the root mean square
//! of the run that is farthest off. Without `noise.X` it is the distance of `X`;
//! without `f64.X` nothing is known, and fixed tolerances apply.

use candle_core::{DType, Tensor};
use hrm_testkit::{F32_ROUNDING, Golden, GoldenError, Size};

/// Beyond this relative error of the hidden states in one f32 run of the reference, a
/// step says nothing: rounding has decided the signs of gradients, and the runs have
/// parted.
const PARTED: f64 = 0.01;

/// The rounding error of bf16 is up to 2^-8, that of f32 up to 2^-24.
pub(crate) const BF16_ROUNDINGS: f64 = 65_536.0;

/// Beyond this expected relative error, a gradient in bf16 has no direction.
const BF16_ERROR_MAX: f64 = 0.5;

/// The expected value of a tensor, and the yardstick for errors in it.
pub(crate) struct Reference<'a> {
    pub(crate) value: &'a Tensor,
    pub(crate) yardstick: Option<Yardstick>,
}

/// The unit of errors in f32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yardstick {
    /// The error of the reference, at least one rounding of f32 at the size of the
    /// tensor: the reference can be exact by luck.
    pub(crate) unit: Size,
    /// The size of the tensor.
    pub(crate) size: Size,
    /// The error of the run of the reference that is farthest off, root mean square.
    worst_rms: f64,
}

impl Yardstick {
    /// The unit as a fraction of the tensor.
    fn relative(&self) -> f64 {
        if self.size.rms > 0.0 { self.unit.rms / self.size.rms } else { 0.0 }
    }

    /// The relative error that is to be expected in bf16.
    pub(crate) fn relative_in_bf16(&self) -> f64 {
        self.relative() * BF16_ROUNDINGS
    }
}

impl<'a> Reference<'a> {
    /// A value without a yardstick.
    pub(crate) fn value(value: &'a Tensor) -> Self {
        Self { value, yardstick: None }
    }

    /// The reference for tensor `name`.
    pub(crate) fn of(golden: &'a Golden, name: &str) -> anyhow::Result<Self> {
        Ok(Self::find(golden, name)?.ok_or_else(|| missing(golden, name))?)
    }

    /// The reference for tensor `name`, if the file has it.
    pub(crate) fn find(golden: &'a Golden, name: &str) -> anyhow::Result<Option<Self>> {
        let Some(value) = golden.find(&exact_name(name)) else {
            return Ok(golden.find(name).map(Self::value));
        };
        if !matches!(value.dtype(), DType::F32 | DType::F64) {
            return Ok(Some(Self::value(value)));
        }
        let (noise, worst_rms) = match golden.find(&format!("noise.{name}")) {
            Some(noise) => match noise.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?[..] {
                [rms, largest, worst_rms] => (Size { rms, largest }, worst_rms),
                _ => anyhow::bail!(GoldenError::Shape {
                    path: golden.path().to_owned(),
                    name: format!("noise.{name}"),
                    expected: "three numbers".to_owned(),
                    found: format!("shape {:?}", noise.dims()),
                }),
            },
            None => {
                let noise = Size::of_difference(golden.tensor(name)?, value)?;
                (noise, noise.rms)
            }
        };
        let size = Size::of(value)?;
        let unit = noise.max(size * F32_ROUNDING);
        Ok(Some(Self { value, yardstick: Some(Yardstick { unit, size, worst_rms }) }))
    }
}

fn exact_name(name: &str) -> String {
    format!("f64.{name}")
}

fn missing(golden: &Golden, name: &str) -> GoldenError {
    GoldenError::MissingTensor { path: golden.path().to_owned(), name: name.to_owned() }
}

/// How many steps of a file can be compared.
pub(crate) struct Extent {
    pub(crate) n_steps: u64,
    /// Why it is not all of them.
    pub(crate) note: Option<String>,
}

/// The steps before the runs of the reference part.
///
/// They part if their decisions differ (a margin smaller than their rounding errors),
/// or if the configuration amplifies rounding errors until nothing is left in common.
pub(crate) fn extent(golden: &Golden, n_steps: u64) -> anyhow::Result<Extent> {
    let until = |n_steps, why| Ok(Extent { n_steps, note: Some(why) });
    for step in 0..n_steps {
        for state in ["z_h", "z_l"] {
            let reference = Reference::find(golden, &format!("{step}.{state}"))?;
            let error =
                reference.and_then(|r| r.yardstick).map_or(0.0, |y| y.worst_rms / y.size.rms);
            if error > PARTED {
                let why = format!(
                    "step {step}: rounding errors of a run of the reference reach {:.0} % of `{state}`",
                    error * 100.0
                );
                return until(step, why);
            }
        }
        for (decision, what) in [("exact", "predicts other cells"), ("halted", "halts otherwise")] {
            if differs(golden, &format!("{step}.{decision}"))? {
                return until(step, format!("step {step}: the reference {what} in f64"));
            }
        }
    }
    Ok(Extent { n_steps, note: None })
}

/// The first step, unless the configuration amplifies the rounding errors of bf16
/// until nothing is left of a gradient.
///
/// Rounding to bf16 flips the signs of small gradients, so after the first step the
/// weights differ, and later steps cannot be compared.
pub(crate) fn extent_in_bf16(golden: &Golden) -> anyhow::Result<Extent> {
    for (name, _) in golden.tensors_under("f64.0.grad.") {
        let reference = Reference::of(golden, &format!("0.grad.{name}"))?;
        let error = reference.yardstick.map_or(0.0, |y| y.relative_in_bf16());
        if error > BF16_ERROR_MAX {
            let percent = error * 100.0;
            let why = format!("step 0: rounding to bf16 changes gradients by {percent:.0} %");
            return Ok(Extent { n_steps: 0, note: Some(why) });
        }
    }
    Ok(Extent { n_steps: 1, note: None })
}

/// Whether the f32 and the f64 run of the reference decide differently.
fn differs(golden: &Golden, name: &str) -> anyhow::Result<bool> {
    let (Some(found), Some(exact)) = (golden.find(name), golden.find(&exact_name(name))) else {
        return Ok(false);
    };
    Ok(Size::of_difference(found, exact)?.largest > 0.0)
}
