//! The state of a trainer, in files beside those of the model.
//!
//! ```text
//! trainer.json           steps, and the progress of every row in its puzzle
//! trainer.safetensors    moments of the optimiser, hidden states and puzzles of the
//!                        carries, and the weights if those of the model are an EMA
//! ```

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use hrm_core::{Hrm, HrmConfig, States, model_folder, weight_file};
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::carry::Carry;
use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::optim::{Moments, Optimiser};
use crate::run::{read_json, write_json};
use crate::trainer::{Progress, Trainer};

/// File names.
const RECORD: &str = "trainer.json";
const TENSORS: &str = "trainer.safetensors";

/// The content of `trainer.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    progress: Progress,
    n_optimiser_steps: i32,
    carries: Vec<CarryRecord>,
}

/// The progress of each row of a carry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CarryRecord {
    n_done: Vec<u32>,
    halted: Vec<bool>,
}

/// Names of the tensors of a carry.
const Z_H: &str = "z_h";
const Z_L: &str = "z_l";
const INPUTS: &str = "inputs";
const LABELS: &str = "labels";
const PUZZLE_IDS: &str = "puzzle_ids";

/// The name of a tensor of carry `idx`.
fn of_carry(idx: usize, name: &str) -> String {
    format!("carry.{idx}.{name}")
}

/// Prefixes of parameter names, for moments and values.
const MEAN: &str = "mean";
const MEAN_SQUARE: &str = "mean_square";
const VALUE: &str = "value";

/// A deep copy in host memory.
///
/// On an accelerator, each thread has its own command queue, so another thread could
/// read a copy there before it is complete.
fn host_copy(tensor: &Tensor) -> candle_core::Result<Tensor> {
    if tensor.device().is_cpu() { tensor.copy() } else { tensor.to_device(&Device::Cpu) }
}

/// The content of a checkpoint, in host memory. Later steps of the trainer do not
/// change it, and any thread may write it.
#[derive(Debug)]
pub struct Snapshot {
    config: HrmConfig,
    weights: Vec<(String, Tensor)>,
    record: Record,
    tensors: Vec<(String, Tensor)>,
}

impl Snapshot {
    /// Steps so far.
    pub fn n_steps(&self) -> u64 {
        self.record.progress.n_steps
    }

    /// Writes the [`averaged`](Trainer::averaged) model, which [`Hrm::load`] reads, and the
    /// state that [`restore`](Trainer::restore) needs in addition.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`] or [`TrainError::Weights`].
    pub fn write(&self, folder: &Path) -> Result<(), TrainError> {
        let named = |(name, tensor): &(String, Tensor)| (name.clone(), tensor.clone());
        model_folder::write(&self.config, self.weights.iter().map(named), folder)?;
        write_json(&folder.join(RECORD), &self.record)?;
        let tensors = self.tensors.iter().map(named);
        Ok(weight_file::write_tensors(tensors, &folder.join(TENSORS))?)
    }
}

impl Trainer {
    /// Copies the content of a checkpoint.
    ///
    /// # Errors
    ///
    /// [`TrainError::Backend`] if memory cannot hold the copies.
    pub fn snapshot(&self) -> Result<Snapshot, TrainError> {
        let carry = |carry: &Carry| CarryRecord {
            n_done: carry.n_done.clone(),
            halted: carry.halted.clone(),
        };
        let record = Record {
            progress: self.progress(),
            n_optimiser_steps: self.optimiser().n_steps(),
            carries: self.carries().iter().map(carry).collect(),
        };
        // Parameters and moments change in place; all other tensors are replaced.
        let weights = self.averaged().weights().tensors();
        let weights = weights.map(|(name, tensor)| Ok((name.to_owned(), host_copy(&tensor)?)));
        let weights = weights.collect::<candle_core::Result<_>>()?;
        let device = &Device::Cpu;
        let mut tensors = Vec::new();
        for (idx, Carry { states, batch, .. }) in self.carries().iter().enumerate() {
            tensors.extend([
                (of_carry(idx, Z_H), states.z_h.to_device(device)?),
                (of_carry(idx, Z_L), states.z_l.to_device(device)?),
                (of_carry(idx, INPUTS), batch.input_tensor(device)?),
                (of_carry(idx, LABELS), batch.label_tensor(device)?),
                (of_carry(idx, PUZZLE_IDS), Tensor::new(batch.puzzle_ids(), device)?),
            ]);
        }
        for ((name, _), moments) in self.model().weights().trained().zip(self.optimiser().moments())
        {
            tensors.push((format!("{MEAN}.{name}"), host_copy(&moments.mean)?));
            if let Some(mean_square) = &moments.mean_square {
                tensors.push((format!("{MEAN_SQUARE}.{name}"), host_copy(mean_square)?));
            }
        }
        if self.config().optimiser.ema > 0.0 {
            for (name, value) in self.model().weights().trained() {
                tensors.push((format!("{VALUE}.{name}"), host_copy(&value.as_detached_tensor())?));
            }
        }
        Ok(Snapshot { config: self.averaged().config().clone(), weights, record, tensors })
    }

    /// Restores a trainer from the files of a [`Snapshot`] and the model saved with it.
    ///
    /// # Errors
    ///
    /// [`TrainError::State`] if the files do not fit the model and the settings, or
    /// another [`TrainError`] if they cannot be read.
    pub fn restore(model: Hrm, config: TrainConfig, folder: &Path) -> Result<Self, TrainError> {
        config.check()?;
        let record: Record = read_json(&folder.join(RECORD))?;
        let path = folder.join(TENSORS);
        let mut tensors = Tensors { path: &path, tensors: weight_file::read(&path)? };

        let (n_carries, n_rows) = (config.n_carries, config.batch_size);
        let fits =
            |carry: &CarryRecord| carry.n_done.len() == n_rows && carry.halted.len() == n_rows;
        if record.carries.len() != n_carries || !record.carries.iter().all(fits) {
            let sizes: Vec<_> = record.carries.iter().map(|carry| carry.n_done.len()).collect();
            return Err(TrainError::State {
                path: folder.join(RECORD),
                what: "carries".to_owned(),
                expected: format!("{n_carries} of batch size {n_rows}"),
                found: format!("batch sizes {sizes:?}"),
            });
        }
        let initial = model.initial_states(n_rows)?;
        let (n_cells, device) = (model.config().input.n_cells, model.device());
        let mut carries = Vec::with_capacity(n_carries);
        for (idx, CarryRecord { n_done, halted }) in record.carries.into_iter().enumerate() {
            let mut take = |name: &str, shape: &[usize], dtype: DType| {
                tensors.take(&of_carry(idx, name), shape, dtype)
            };
            let (shape, dtype) = (initial.z_h.dims(), initial.z_h.dtype());
            let states = States {
                z_h: take(Z_H, shape, dtype)?.to_device(device)?,
                z_l: take(Z_L, shape, dtype)?.to_device(device)?,
            };
            let batch = Batch::new(
                n_cells,
                take(INPUTS, &[n_rows, n_cells], DType::U32)?.flatten_all()?.to_vec1()?,
                take(LABELS, &[n_rows, n_cells], DType::I64)?.flatten_all()?.to_vec1()?,
                take(PUZZLE_IDS, &[n_rows], DType::U32)?.to_vec1()?,
            );
            carries.push(Carry { states, batch, n_done, halted });
        }

        let (model, averaged) = match config.optimiser.ema {
            0.0 => (model, None),
            _ => {
                let current = model.fork()?;
                for (name, parameter) in current.weights().trained() {
                    let name = format!("{VALUE}.{name}");
                    parameter.set(&tensors.take_like(&name, parameter)?)?;
                }
                (current, Some(model))
            }
        };
        let moments = |name: &str, parameter: &Var, needs_square: bool| {
            let mean = tensors.take_like(&format!("{MEAN}.{name}"), parameter)?;
            let mean_square = match needs_square {
                true => Some(tensors.take_like(&format!("{MEAN_SQUARE}.{name}"), parameter)?),
                false => None,
            };
            Ok::<_, TrainError>(Moments { mean, mean_square })
        };
        let optimiser = Optimiser::restored(
            model.weights().trained(),
            &config.optimiser,
            record.n_optimiser_steps,
            moments,
        )?;
        tensors.finish()?;
        Ok(Self::from_parts((model, averaged), config, optimiser, carries, record.progress))
    }
}

/// The tensors of a file, which are taken one by one.
struct Tensors<'a> {
    path: &'a Path,
    tensors: HashMap<String, Tensor>,
}

impl Tensors<'_> {
    fn take(&mut self, name: &str, shape: &[usize], dtype: DType) -> Result<Tensor, TrainError> {
        let expected = format!("{} {shape:?}", dtype.as_str());
        let found = match self.tensors.remove(name) {
            Some(tensor) if tensor.dims() == shape && tensor.dtype() == dtype => return Ok(tensor),
            Some(tensor) => format!("{} {:?}", tensor.dtype().as_str(), tensor.dims()),
            None => "nothing".to_owned(),
        };
        let path = self.path.to_owned();
        Err(TrainError::State { path, what: name.to_owned(), expected, found })
    }

    /// A tensor of the shape, dtype and device of `like`.
    fn take_like(&mut self, name: &str, like: &Tensor) -> Result<Tensor, TrainError> {
        Ok(self.take(name, like.dims(), like.dtype())?.to_device(like.device())?)
    }

    /// Checks that every tensor has been taken.
    fn finish(self) -> Result<(), TrainError> {
        let Some(name) = self.tensors.into_keys().min() else { return Ok(()) };
        let (path, found) = (self.path.to_owned(), "a tensor".to_owned());
        Err(TrainError::State { path, what: name, expected: "nothing".to_owned(), found })
    }
}
