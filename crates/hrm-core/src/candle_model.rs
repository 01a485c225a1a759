//! The model with the interface of candle's own models: built from a [`VarBuilder`],
//! and called as a [`Module`].

use std::collections::HashMap;

use candle_core::{DType, Module, Result, Tensor};
use candle_nn::VarBuilder;
use hrm_blocks::{Init, ParamSpec, Weights};

use crate::config::HrmConfig;
use crate::error::ModelError;
use crate::model::Hrm;
use crate::solver::{Budget, solve};

impl Hrm {
    /// Builds a model from a [`VarBuilder`], which provides every parameter by its
    /// [name](crate::names) and shape. Weights are converted to f32; activations are
    /// f32.
    ///
    /// With a [`VarMap`](candle_nn::VarMap), the model shares its variables: an
    /// optimiser over them trains the model. Puzzle embeddings and initial states are
    /// among them, but get no gradient from a [`network`](Self::network). An empty map
    /// is filled with candle's generator; [`seeded`](Self::seeded) gives the same
    /// weights on every machine.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the sizes do not fit together, or if a parameter is missing,
    /// has another shape, is not finite, or is a variable whose dtype is not f32.
    ///
    /// ```
    /// use hrm_core::candle_core::{DType, Device, Module, Tensor};
    /// use hrm_core::candle_nn::{VarBuilder, VarMap};
    /// use hrm_core::{Hrm, HrmConfig};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let vars = VarMap::new();
    /// let builder = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    /// let model = Hrm::new(&HrmConfig::tiny(), builder)?;
    /// let logits = model.forward(&Tensor::ones((2, 16), DType::U32, &Device::Cpu)?)?;
    /// assert_eq!(logits.dims(), [2, 16, 6]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(
        config: &HrmConfig,
        builder: VarBuilder<'_>,
    ) -> std::result::Result<Self, ModelError> {
        let specs = config.params()?;
        let mut tensors = HashMap::with_capacity(specs.len());
        for ParamSpec { name, shape, init, .. } in &specs {
            let shape = shape.as_slice();
            let tensor = builder.get_with_hints_dtype(shape, name, hint(*init), DType::F32)?;
            // A conversion would copy the variable, and the model would not share it.
            if tensor.is_variable() && tensor.dtype() != DType::F32 {
                return Err(ModelError::Variable { name: name.clone(), found: tensor.dtype() });
            }
            tensors.insert(name.clone(), tensor);
        }
        let weights = Weights::from_tensors(&specs, tensors, builder.device())?;
        Self::with_weights(config.clone(), weights)
    }
}

/// How candle initialises a parameter. It has no truncated normal distribution.
fn hint(init: Init) -> candle_nn::Init {
    match init {
        Init::Constant(value) => candle_nn::Init::Const(value.into()),
        Init::TruncatedNormal { std } => candle_nn::Init::Randn { mean: 0.0, stdev: std },
    }
}

/// Tokens `[B, S]` u32 to logits `[B, S, V]`, in the model's dtype, after
/// `n_segments_max` segments with the blank puzzle identifier. No gradients are
/// recorded.
///
/// Each call binds the weights; for many calls, see [`Hrm::frozen`].
impl Module for Hrm {
    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let network = self.frozen()?;
        let embeddings = self.puzzle_embeddings(&vec![0; tokens.dim(0)?])?;
        let budget = Budget::Fixed(self.n_segments_max());
        let solutions = solve(&network, tokens, embeddings.as_ref(), budget)?;
        let logits: Vec<&Tensor> = solutions.iter().map(|solution| &solution.logits).collect();
        Tensor::stack(&logits, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_folder;
    use candle_core::Device;
    use candle_nn::{Optimizer, SGD, VarMap};
    use hrm_testkit::{Tol, assert_close};

    fn config() -> HrmConfig {
        HrmConfig::tiny().with(|config| {
            config.puzzle_embedding.dim = 16;
            config.block.hidden_dim = 16;
            config.halting.n_segments_max = 2;
        })
    }

    fn tokens() -> Tensor {
        let tokens = (0..3 * 16).map(|i| (i * 7 % 5) as u32).collect::<Vec<_>>();
        Tensor::from_vec(tokens, (3, 16), &Device::Cpu).unwrap()
    }

    fn loss(model: &Hrm) -> Result<Tensor> {
        let network = model.network()?;
        let embeddings = model.puzzle_embeddings(&[0, 0, 0])?;
        let input = network.encode(&tokens(), embeddings.as_ref())?;
        let out = network.segment(&network.initial_states(3)?, &input)?;
        out.logits.sqr()?.mean_all()? + out.q.sqr()?.mean_all()?
    }

    #[test]
    fn training_the_variables_of_a_map_trains_the_model() -> Result<()> {
        let vars = VarMap::new();
        let builder = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let model = Hrm::new(&config(), builder.clone()).unwrap();
        let second = Hrm::new(&config(), builder).unwrap();
        // The same values in every run of the test.
        for (name, value) in Hrm::seeded(config(), 3, &Device::Cpu).unwrap().weights().tensors() {
            vars.data().lock().unwrap()[name].set(&value)?;
        }
        let copies = |model: &Hrm| -> Vec<(String, Tensor)> {
            let copy = |(name, t): (&str, Tensor)| (name.to_owned(), t.copy().unwrap());
            model.weights().tensors().map(copy).collect()
        };
        let (before, loss_before) = (copies(&model), loss(&model)?);
        SGD::new(vars.all_vars(), 1e-3)?.backward_step(&loss_before)?;

        let trained: Vec<&str> = model.weights().trained().map(|(name, _)| name).collect();
        for ((name, before), (_, after)) in before.iter().zip(copies(&model)) {
            let moved = (before - &after)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert_eq!(moved > 0.0, trained.contains(&name.as_str()), "{name} moved by {moved}");
            let var = vars.data().lock().unwrap()[name].as_detached_tensor();
            assert_close(name, &after, &var, Tol::EXACT);
        }
        let [loss_before, loss_after, of_second] =
            [loss_before, loss(&model)?, loss(&second)?].map(|t| t.to_scalar::<f32>().unwrap());
        assert!(loss_after < loss_before, "{loss_before} to {loss_after}");
        assert_eq!(of_second, loss_after);
        Ok(())
    }

    #[test]
    fn a_weight_file_gives_the_same_model_as_loading_its_folder() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        Hrm::seeded(config(), 3, &Device::Cpu).unwrap().save(folder.path()).unwrap();
        let loaded = Hrm::load(folder.path(), &Device::Cpu).unwrap();

        let bytes = std::fs::read(folder.path().join(model_folder::WEIGHTS)).unwrap();
        let builder = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu)?;
        let built = Hrm::new(loaded.config(), builder).unwrap();
        for ((name, found), (_, want)) in built.weights().tensors().zip(loaded.weights().tensors())
        {
            assert_close(name, &found, &want, Tol::EXACT);
        }
        let logits = built.forward(&tokens())?;
        assert_close("logits", &logits, &loaded.forward(&tokens())?, Tol::EXACT);

        // What the module computes, segment by segment.
        let network = loaded.frozen()?;
        let input = network.encode(&tokens(), loaded.puzzle_embeddings(&[0; 3])?.as_ref())?;
        let states = network.advance(&network.initial_states(3)?, &input)?;
        let states = network.advance(&states, &input)?;
        assert_close("segments", &logits, &network.read_cells(&states)?, Tol::EXACT);
        assert!(!logits.track_op());
        Ok(())
    }

    #[test]
    fn parameters_that_do_not_fit_are_rejected() {
        let message = |builder: VarBuilder<'_>| match Hrm::new(&config(), builder).unwrap_err() {
            ModelError::Backend(source) => source.to_string(),
            err => err.to_string(),
        };
        let model = Hrm::seeded(config(), 3, &Device::Cpu).unwrap();
        let tensors = || -> HashMap<String, Tensor> {
            model.weights().tensors().map(|(name, tensor)| (name.to_owned(), tensor)).collect()
        };
        let builder = |tensors| VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let mut missing = tensors();
        missing.remove(crate::names::LM_HEAD);
        assert!(message(builder(missing)).contains(crate::names::LM_HEAD));
        let mut reshaped = tensors();
        reshaped.insert(
            crate::names::LM_HEAD.to_owned(),
            Tensor::zeros((6, 8), DType::F32, &Device::Cpu).unwrap(),
        );
        assert!(message(builder(reshaped)).contains(crate::names::LM_HEAD));

        let vars = VarMap::new();
        let shape = (config().input.vocab_size, config().block.hidden_dim);
        let init = candle_nn::Init::Const(0.0);
        vars.get(shape, crate::names::LM_HEAD, init, DType::BF16, &Device::Cpu).unwrap();
        let err = message(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu));
        let want = "variable `inner.lm_head.weight` must have dtype f32, found bf16";
        assert!(err.starts_with(want), "{err}");
        let broken = config().with(|config| config.block.n_heads = 3);
        assert!(matches!(
            Hrm::new(&broken, VarBuilder::zeros(DType::F32, &Device::Cpu)),
            Err(ModelError::Config(_))
        ));
    }
}
