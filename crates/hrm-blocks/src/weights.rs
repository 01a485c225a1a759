//! Parameters by name.
//!
//! A model states its parameters as a list of [`ParamSpec`]; [`Weights`] holds
//! a tensor for each, drawn from a seed or taken from a file. Iteration is in
//! order of names, because anything that sums over parameters in another order
//! on each run is not reproducible.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor, Var};
use hrm_base::rng;
use hrm_kernels::carrier;
use rayon::prelude::*;

use crate::Init;

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Stepped by the optimiser from its gradient.
    Trained,
    /// A table of which each step touches a few rows; stepped row by row.
    Rows,
    /// Never changes.
    Fixed,
}

/// One parameter of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// Its name in weight files.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Init,
    /// What it is for.
    pub role: Role,
}

impl ParamSpec {
    /// A parameter that the optimiser steps.
    pub fn trained(name: impl Into<String>, shape: impl Into<Vec<usize>>, init: Init) -> Self {
        Self { name: name.into(), shape: shape.into(), init, role: Role::Trained }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Tensors that do not make up a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// A parameter of the model is not among the tensors.
    #[error("no tensor `{name}`, which this model needs with shape {expected:?}")]
    Missing {
        /// The parameter.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
    },

    /// A tensor is no parameter of the model.
    #[error("tensor `{name}` with shape {found:?} is no parameter of this model")]
    Unexpected {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
    },

    /// A tensor has another shape than the parameter.
    #[error("tensor `{name}` has shape {found:?}, this model needs {expected:?}")]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
        /// The tensor's.
        found: Vec<usize>,
    },

    /// A tensor holds something that is not a number, or is infinite.
    #[error("tensor `{name}` holds values that are not finite")]
    NotFinite {
        /// The parameter.
        name: String,
    },

    /// The tensor backend failed.
    #[error("cannot hold tensor `{name}`")]
    Backend {
        /// The parameter.
        name: String,
        /// What the backend says.
        #[source]
        source: candle_core::Error,
    },
}

/// Whether a view records gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// Results can be differentiated with respect to trained parameters.
    Live,
    /// Results carry no graph. Storage is shared, so values stay current.
    Frozen,
}

/// The parameters of one model: f32, by name.
#[derive(Debug)]
pub struct Weights {
    params: BTreeMap<String, (Role, Var)>,
    device: Device,
}

impl Weights {
    /// Draws every parameter from its law. The same seed gives the same weights
    /// on every machine, whatever the order of `specs`.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Backend`] if the device cannot hold a parameter.
    pub fn seeded(specs: &[ParamSpec], seed: u64, device: &Device) -> Result<Self, WeightsError> {
        let param = |spec: &ParamSpec| {
            let values = spec.init.draw(spec.len(), &mut rng::stream(seed, &spec.name));
            let var = Var::from_vec(values, spec.shape.as_slice(), device)
                .map_err(|source| WeightsError::Backend { name: spec.name.clone(), source })?;
            Ok((spec.name.clone(), (spec.role, var)))
        };
        let params = specs.par_iter().map(param).collect::<Result<_, WeightsError>>()?;
        Ok(Self { params, device: device.clone() })
    }

    /// Takes every parameter from `tensors`, which are converted to f32.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] naming the first tensor that is missing, superfluous,
    /// of another shape, or not finite.
    pub fn from_tensors(
        specs: &[ParamSpec],
        mut tensors: HashMap<String, Tensor>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let mut params = BTreeMap::new();
        for spec in specs {
            let ParamSpec { name, shape, role, .. } = spec;
            let tensor = tensors.remove(name).ok_or_else(|| WeightsError::Missing {
                name: name.clone(),
                expected: shape.clone(),
            })?;
            if tensor.dims() != shape {
                return Err(WeightsError::Shape {
                    name: name.clone(),
                    expected: shape.clone(),
                    found: tensor.dims().to_vec(),
                });
            }
            let backend = |source| WeightsError::Backend { name: name.clone(), source };
            let (var, is_finite) = own(&tensor, device).map_err(backend)?;
            if !is_finite {
                return Err(WeightsError::NotFinite { name: name.clone() });
            }
            params.insert(name.clone(), (*role, var));
        }
        // The least name, so that the message is the same every time.
        if let Some((name, tensor)) = tensors.into_iter().min_by(|a, b| a.0.cmp(&b.0)) {
            return Err(WeightsError::Unexpected { name, found: tensor.dims().to_vec() });
        }
        Ok(Self { params, device: device.clone() })
    }

    /// Copies of the trained parameters and the very same others.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the copies.
    pub fn fork(&self) -> candle_core::Result<Self> {
        let param = |(name, (role, var)): (&String, &(Role, Var))| {
            let var = match role {
                Role::Trained => Var::from_tensor(&var.as_detached_tensor().copy()?)?,
                Role::Rows | Role::Fixed => var.clone(),
            };
            Ok((name.clone(), (*role, var)))
        };
        let params = self.params.iter().map(param).collect::<candle_core::Result<_>>()?;
        Ok(Self { params, device: self.device.clone() })
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Parameters that the optimiser steps, in order of names.
    pub fn trained(&self) -> impl Iterator<Item = (&str, &Var)> {
        let is_trained = |role: Role| role == Role::Trained;
        self.params
            .iter()
            .filter(move |(_, (role, _))| is_trained(*role))
            .map(|(name, (_, var))| (name.as_str(), var))
    }

    /// Every parameter as it is now, detached, in order of names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, Tensor)> {
        self.params.iter().map(|(name, (_, var))| (name.as_str(), var.as_detached_tensor()))
    }

    /// A parameter as it is now, detached, if the model has it.
    pub fn find(&self, name: &str) -> Option<Tensor> {
        self.params.get(name).map(|(_, var)| var.as_detached_tensor())
    }

    /// The weights as modules use them that compute in `dtype`.
    ///
    /// Tensors of a view in f32 share storage and stay current; in another dtype
    /// they hold what the weights were when they were taken.
    pub fn view(&self, dtype: DType, tracking: Tracking) -> WeightsView<'_> {
        let carrier = carrier(dtype, &self.device);
        WeightsView { weights: self, prefix: String::new(), dtype, carrier, tracking }
    }
}

/// Weights under a common prefix, in the dtype and tracking of a module.
#[derive(Clone, Debug)]
pub struct WeightsView<'a> {
    weights: &'a Weights,
    prefix: String,
    dtype: DType,
    carrier: DType,
    tracking: Tracking,
}

impl WeightsView<'_> {
    /// The weights whose names continue with `.{name}`.
    pub fn under(&self, name: &str) -> Self {
        Self { prefix: self.full_name(name), ..self.clone() }
    }

    /// The parameter `name` below this prefix, in the dtype of hidden states.
    ///
    /// # Errors
    ///
    /// If the model has no such parameter.
    pub fn get(&self, name: &str) -> candle_core::Result<Tensor> {
        self.parameter(name)?.to_dtype(self.carrier)
    }

    /// The parameter `name` below this prefix as it is held, f32.
    ///
    /// # Errors
    ///
    /// If the model has no such parameter.
    pub fn parameter(&self, name: &str) -> candle_core::Result<Tensor> {
        let name = self.full_name(name);
        let Some((role, var)) = self.weights.params.get(&name) else {
            candle_core::bail!("the model has no parameter `{name}`");
        };
        let is_live = self.tracking == Tracking::Live && *role == Role::Trained;
        Ok(if is_live { var.as_tensor().clone() } else { var.as_detached_tensor() })
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.weights.device
    }

    /// The dtype that modules compute in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Whether what is made of them can be differentiated.
    pub fn tracking(&self) -> Tracking {
        self.tracking
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}

/// A copy of `tensor` in f32 on `device`, and whether all of it is finite.
fn own(tensor: &Tensor, device: &Device) -> candle_core::Result<(Var, bool)> {
    let tensor = tensor.to_device(device)?.to_dtype(DType::F32)?.contiguous()?;
    let is_finite = if tensor.elem_count() == 0 {
        true
    } else {
        // A sum of magnitudes is finite only if each of them is; in f64 it
        // cannot overflow on its own.
        tensor.to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?.is_finite()
    };
    Ok((Var::from_tensor(&tensor)?, is_finite))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> Vec<ParamSpec> {
        vec![
            ParamSpec::trained("b.weight", [2, 3], Init::lecun(3)),
            ParamSpec { role: Role::Fixed, ..ParamSpec::trained("a.start", [3], Init::lecun(1)) },
        ]
    }

    fn tensors() -> HashMap<String, Tensor> {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        HashMap::from([("b.weight".into(), zeros(&[2, 3])), ("a.start".into(), zeros(&[3]))])
    }

    fn refusal(tensors: HashMap<String, Tensor>) -> String {
        Weights::from_tensors(&specs(), tensors, &Device::Cpu).unwrap_err().to_string()
    }

    #[test]
    fn a_seed_decides_the_weights_whatever_the_order() {
        let forwards = Weights::seeded(&specs(), 3, &Device::Cpu).unwrap();
        let mut reversed = specs();
        reversed.reverse();
        let backwards = Weights::seeded(&reversed, 3, &Device::Cpu).unwrap();
        for ((name, one), (_, other)) in forwards.tensors().zip(backwards.tensors()) {
            hrm_testkit::assert_close(name, &one, &other, hrm_testkit::Tol::EXACT);
        }
        let names: Vec<_> = forwards.tensors().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(names, ["a.start", "b.weight"]);
    }

    #[test]
    fn tensors_that_do_not_make_up_the_model_are_named() {
        let mut missing = tensors();
        missing.remove("a.start");
        assert_eq!(refusal(missing), "no tensor `a.start`, which this model needs with shape [3]");
        let mut extra = tensors();
        extra.insert("c".into(), Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
        assert_eq!(refusal(extra), "tensor `c` with shape [1] is no parameter of this model");
        let mut turned = tensors();
        turned.insert("b.weight".into(), Tensor::zeros((3, 2), DType::F32, &Device::Cpu).unwrap());
        assert_eq!(refusal(turned), "tensor `b.weight` has shape [3, 2], this model needs [2, 3]");
        let mut nan = tensors();
        nan.insert("a.start".into(), Tensor::new(&[0f32, f32::NAN, 0.], &Device::Cpu).unwrap());
        assert_eq!(refusal(nan), "tensor `a.start` holds values that are not finite");
    }

    #[test]
    fn only_live_views_of_trained_parameters_are_tracked() {
        let weights = Weights::seeded(&specs(), 3, &Device::Cpu).unwrap();
        let tracked =
            |tracking, name| weights.view(DType::F32, tracking).get(name).unwrap().track_op();
        assert!(tracked(Tracking::Live, "b.weight"));
        assert!(!tracked(Tracking::Live, "a.start"));
        assert!(!tracked(Tracking::Frozen, "b.weight"));
        assert!(weights.view(DType::F32, Tracking::Live).under("b").get("weight").is_ok());
        assert!(weights.view(DType::F32, Tracking::Live).get("weight").is_err());
    }

    #[test]
    fn a_frozen_view_sees_later_steps() {
        let weights = Weights::seeded(&specs(), 3, &Device::Cpu).unwrap();
        let frozen = weights.view(DType::F32, Tracking::Frozen).get("b.weight").unwrap();
        let (_, var) = weights.trained().next().unwrap();
        var.set(&var.zeros_like().unwrap()).unwrap();
        assert_eq!(frozen.to_vec2::<f32>().unwrap(), [[0.0; 3]; 2]);
    }
}
