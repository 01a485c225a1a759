//! Parameters by name.
//!
//! A model declares its parameters as a list of [`ParamSpec`]; [`Weights`] holds a
//! tensor for each, sampled from a seed or loaded from a file. Iteration is in the
//! order of names: sums over parameters would not be reproducible otherwise.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor, Var};
use hrm_base::rng;
use hrm_kernels::activation_dtype;
use rayon::prelude::*;

use crate::Init;

/// How a parameter is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Updated by the optimiser from its gradient.
    Trained,
    /// An embedding table. Each step updates only the embeddings of its batch.
    SparseEmbedding,
    /// Never updated.
    Fixed,
}

/// One parameter of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// Name in weight files.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Distribution of the initial values.
    pub init: Init,
    /// How it is trained.
    pub role: Role,
}

impl ParamSpec {
    /// A parameter that the optimiser updates.
    pub fn trained(name: impl Into<String>, shape: impl Into<Vec<usize>>, init: Init) -> Self {
        Self { name: name.into(), shape: shape.into(), init, role: Role::Trained }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Tensors that do not fit a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// A parameter of the model has no tensor.
    #[error("tensor `{name}` is missing, this model needs it with shape {expected:?}")]
    Missing {
        /// The parameter.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
    },

    /// A tensor is not a parameter of the model.
    #[error("tensor `{name}` with shape {found:?} is not a parameter of this model")]
    Unexpected {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
    },

    /// A tensor does not have the shape of its parameter.
    #[error("tensor `{name}` has shape {found:?}, this model needs {expected:?}")]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
        /// The shape of the tensor.
        found: Vec<usize>,
    },

    /// A tensor holds NaN or infinity.
    #[error("tensor `{name}` holds values that are not finite")]
    NotFinite {
        /// The parameter.
        name: String,
    },

    /// The tensor backend failed.
    #[error("cannot create tensor `{name}` on the device")]
    Backend {
        /// The parameter.
        name: String,
        /// The error of the backend.
        #[source]
        source: candle_core::Error,
    },
}

/// Whether results can be differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// Results are tracked with respect to trained parameters.
    Live,
    /// Results are untracked. Storage is shared, so values stay current.
    Frozen,
}

/// The parameters of one model: f32, by name.
#[derive(Debug)]
pub struct Weights {
    params: BTreeMap<String, (Role, Var)>,
    device: Device,
}

impl Weights {
    /// Samples every parameter from its initial distribution. The same seed gives the
    /// same weights on every machine, in any order of `specs`.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Backend`] if the device cannot hold a parameter.
    pub fn seeded(specs: &[ParamSpec], seed: u64, device: &Device) -> Result<Self, WeightsError> {
        let param = |spec: &ParamSpec| {
            let values = spec.init.sample(spec.len(), &mut rng::stream(seed, &spec.name));
            let var = Var::from_vec(values, spec.shape.as_slice(), device)
                .map_err(|source| WeightsError::Backend { name: spec.name.clone(), source })?;
            Ok((spec.name.clone(), (spec.role, var)))
        };
        let params = specs.par_iter().map(param).collect::<Result<_, WeightsError>>()?;
        Ok(Self { params, device: device.clone() })
    }

    /// Takes every parameter from `tensors`, converted to f32.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] naming the first tensor that is missing, unexpected, has
    /// another shape, or is not finite.
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
            let (var, is_finite) = to_f32_var(&tensor, device).map_err(backend)?;
            if !is_finite {
                return Err(WeightsError::NotFinite { name: name.clone() });
            }
            params.insert(name.clone(), (*role, var));
        }
        // The first name in order, so that the message is deterministic.
        if let Some((name, tensor)) = tensors.into_iter().min_by(|a, b| a.0.cmp(&b.0)) {
            return Err(WeightsError::Unexpected { name, found: tensor.dims().to_vec() });
        }
        Ok(Self { params, device: device.clone() })
    }

    /// Weights with copies of the trained parameters; all others are shared.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the copies.
    pub fn fork(&self) -> candle_core::Result<Self> {
        let param = |(name, (role, var)): (&String, &(Role, Var))| {
            let var = match role {
                Role::Trained => Var::from_tensor(&var.as_detached_tensor().copy()?)?,
                Role::SparseEmbedding | Role::Fixed => var.clone(),
            };
            Ok((name.clone(), (*role, var)))
        };
        let params = self.params.iter().map(param).collect::<candle_core::Result<_>>()?;
        Ok(Self { params, device: self.device.clone() })
    }

    /// The device that holds the parameters.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Parameters that the optimiser updates, in the order of names.
    pub fn trained(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.params
            .iter()
            .filter(|(_, (role, _))| *role == Role::Trained)
            .map(|(name, (_, var))| (name.as_str(), var))
    }

    /// The current value of every parameter, detached, in the order of names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, Tensor)> {
        self.params.iter().map(|(name, (_, var))| (name.as_str(), var.as_detached_tensor()))
    }

    /// The current value of a parameter, detached, if the model has it.
    pub fn find(&self, name: &str) -> Option<Tensor> {
        self.params.get(name).map(|(_, var)| var.as_detached_tensor())
    }

    /// The weights for modules that compute in `dtype`.
    ///
    /// Tensors of an f32 view share storage and stay current; those of another dtype
    /// are copies made when they are taken from the view.
    pub fn view(&self, dtype: DType, tracking: Tracking) -> WeightsView<'_> {
        let activation_dtype = activation_dtype(dtype, &self.device);
        WeightsView { weights: self, prefix: String::new(), dtype, activation_dtype, tracking }
    }
}

/// Weights under a common prefix, with the dtype and tracking of a module.
#[derive(Clone, Debug)]
pub struct WeightsView<'a> {
    weights: &'a Weights,
    prefix: String,
    dtype: DType,
    activation_dtype: DType,
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
        self.parameter(name)?.to_dtype(self.activation_dtype)
    }

    /// The parameter `name` below this prefix in f32, as it is stored.
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

    /// The device of the parameters.
    pub fn device(&self) -> &Device {
        &self.weights.device
    }

    /// The dtype that modules compute in.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Whether results can be differentiated.
    pub fn tracking(&self) -> Tracking {
        self.tracking
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}

/// Values that are copied at a time to check them.
const N_CHECKED_AT_A_TIME: usize = 1 << 20;

/// Copies `tensor` to f32 on `device`; also returns whether all elements are finite.
fn to_f32_var(tensor: &Tensor, device: &Device) -> candle_core::Result<(Var, bool)> {
    let tensor = tensor.to_device(device)?.to_dtype(DType::F32)?.contiguous()?;
    let all = tensor.flatten_all()?;
    let mut is_finite = true;
    // In chunks, which need little memory.
    for start in (0..all.elem_count()).step_by(N_CHECKED_AT_A_TIME) {
        let chunk = all.narrow(0, start, N_CHECKED_AT_A_TIME.min(all.elem_count() - start))?;
        // A sum of magnitudes is finite only if each of them is, and a sum of f32 values
        // does not overflow in f64.
        let sum = chunk.to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?;
        is_finite &= sum.is_finite();
    }
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

    fn message(tensors: HashMap<String, Tensor>) -> String {
        Weights::from_tensors(&specs(), tensors, &Device::Cpu).unwrap_err().to_string()
    }

    #[test]
    fn a_seed_determines_the_weights_in_any_order() {
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
    fn tensors_that_do_not_fit_the_model_are_named() {
        let mut missing = tensors();
        missing.remove("a.start");
        assert_eq!(
            message(missing),
            "tensor `a.start` is missing, this model needs it with shape [3]"
        );
        let mut extra = tensors();
        extra.insert("c".into(), Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
        assert_eq!(message(extra), "tensor `c` with shape [1] is not a parameter of this model");
        let mut transposed = tensors();
        transposed
            .insert("b.weight".into(), Tensor::zeros((3, 2), DType::F32, &Device::Cpu).unwrap());
        assert_eq!(
            message(transposed),
            "tensor `b.weight` has shape [3, 2], this model needs [2, 3]"
        );
        let mut nan = tensors();
        nan.insert("a.start".into(), Tensor::new(&[0f32, f32::NAN, 0.], &Device::Cpu).unwrap());
        assert_eq!(message(nan), "tensor `a.start` holds values that are not finite");
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
