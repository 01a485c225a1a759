//! What a trainer holds beside its weights, in files.
//!
//! ```text
//! trainer.json           steps, and where every row is in its puzzle
//! trainer.safetensors    moments of the optimiser, states and puzzles of the rows,
//!                        and the weights themselves where the model's are an average
//! ```

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use hrm_core::{Hrm, HrmConfig, States, model_folder, weight_file};
use serde::{Deserialize, Serialize};

use crate::optim::{Moments, Optimiser};
use crate::run::{read_json, write_json};
use crate::trainer::Progress;
use crate::{Batch, Carry, TrainConfig, TrainError, Trainer};

/// File names.
const RECORD: &str = "trainer.json";
const TENSORS: &str = "trainer.safetensors";

/// What `trainer.json` holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    progress: Progress,
    n_optimiser_steps: i32,
    /// The rows of each batch at work.
    carries: Vec<Rows>,
}

/// Where the rows of a batch are.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    n_done: Vec<u32>,
    halted: Vec<bool>,
}

/// Names of the tensors of a carry.
const Z_H: &str = "z_h";
const Z_L: &str = "z_l";
const INPUTS: &str = "inputs";
const LABELS: &str = "labels";
const PUZZLE_IDS: &str = "puzzle_ids";

/// The name of a tensor of one of the carries.
fn of_carry(turn: usize, name: &str) -> String {
    format!("carry.{turn}.{name}")
}

/// Prefixes of the names of parameters: their moments, and their values.
const MEAN: &str = "mean";
const MEAN_SQUARE: &str = "mean_square";
const VALUE: &str = "value";

/// A copy of its own, in the processor's memory.
///
/// Each thread gives an accelerator its commands in a queue of its own, so what
/// one thread copies there another may read too early.
fn kept(tensor: &Tensor) -> candle_core::Result<Tensor> {
    if tensor.device().is_cpu() { tensor.copy() } else { tensor.to_device(&Device::Cpu) }
}

/// What a checkpoint of a trainer holds, in the processor's memory. The trainer
/// may go on meanwhile, and any thread may write it.
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

    /// Writes the [`averaged`](Trainer::averaged) model, as
    /// [`Hrm::load`] reads it, and what
    /// [`restore`](Trainer::restore) needs beside it.
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
    /// Copies what a checkpoint holds.
    ///
    /// # Errors
    ///
    /// [`TrainError::Backend`] if memory cannot hold the copies.
    pub fn snapshot(&self) -> Result<Snapshot, TrainError> {
        let rows =
            |carry: &Carry| Rows { n_done: carry.n_done.clone(), halted: carry.halted.clone() };
        let record = Record {
            progress: self.progress(),
            n_optimiser_steps: self.optimiser().n_steps(),
            carries: self.carries().iter().map(rows).collect(),
        };
        // Parameters and moments change in place; everything else is replaced.
        let weights = self.averaged().weights().tensors();
        let weights = weights.map(|(name, tensor)| Ok((name.to_owned(), kept(&tensor)?)));
        let weights = weights.collect::<candle_core::Result<_>>()?;
        let device = &Device::Cpu;
        let mut tensors = Vec::new();
        for (turn, Carry { states, batch, .. }) in self.carries().iter().enumerate() {
            tensors.extend([
                (of_carry(turn, Z_H), states.z_h.to_device(device)?),
                (of_carry(turn, Z_L), states.z_l.to_device(device)?),
                (of_carry(turn, INPUTS), batch.input_tensor(device)?),
                (of_carry(turn, LABELS), batch.label_tensor(device)?),
                (of_carry(turn, PUZZLE_IDS), Tensor::new(batch.puzzle_ids(), device)?),
            ]);
        }
        for ((name, _), moments) in self.model().weights().trained().zip(self.optimiser().moments())
        {
            tensors.push((format!("{MEAN}.{name}"), kept(&moments.mean)?));
            if let Some(mean_square) = &moments.mean_square {
                tensors.push((format!("{MEAN_SQUARE}.{name}"), kept(mean_square)?));
            }
        }
        if self.config().ema > 0.0 {
            for (name, value) in self.model().weights().trained() {
                tensors.push((format!("{VALUE}.{name}"), kept(&value.as_detached_tensor())?));
            }
        }
        Ok(Snapshot { config: self.averaged().config().clone(), weights, record, tensors })
    }

    /// The trainer that a [`Snapshot`] was taken of, with the model that was
    /// written with it.
    ///
    /// # Errors
    ///
    /// [`TrainError::State`] for files that do not fit the model and settings,
    /// or whatever is wrong with reading them.
    pub fn restore(model: Hrm, config: TrainConfig, folder: &Path) -> Result<Self, TrainError> {
        config.check()?;
        let record: Record = read_json(&folder.join(RECORD))?;
        let path = folder.join(TENSORS);
        let mut tensors = Tensors { path: &path, tensors: weight_file::read(&path)? };

        let (n_carries, n_rows) = (config.n_carries, config.batch_size);
        let fits = |rows: &Rows| rows.n_done.len() == n_rows && rows.halted.len() == n_rows;
        if record.carries.len() != n_carries || !record.carries.iter().all(fits) {
            let sizes: Vec<_> = record.carries.iter().map(|rows| rows.n_done.len()).collect();
            return Err(TrainError::State {
                path: folder.join(RECORD),
                what: "carries".to_owned(),
                expected: format!("{n_carries} of {n_rows} rows"),
                found: format!("{sizes:?}"),
            });
        }
        let start = model.initial_states(n_rows)?;
        let (n_cells, device) = (model.config().input.n_cells, model.device());
        let mut carries = Vec::with_capacity(n_carries);
        for (turn, Rows { n_done, halted }) in record.carries.into_iter().enumerate() {
            let mut take = |name: &str, shape: &[usize], dtype: DType| {
                tensors.take(&of_carry(turn, name), shape, dtype)
            };
            let (shape, dtype) = (start.z_h.dims(), start.z_h.dtype());
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

        let (model, average) = match config.ema {
            0.0 => (model, None),
            _ => {
                let now = model.fork()?;
                for (name, parameter) in now.weights().trained() {
                    let name = format!("{VALUE}.{name}");
                    parameter.set(&tensors.take_like(&name, parameter)?)?;
                }
                (now, Some(model))
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
        let optimiser = Optimiser::remembering(
            model.weights().trained(),
            &config,
            record.n_optimiser_steps,
            moments,
        )?;
        tensors.finish()?;
        Ok(Self::from_parts((model, average), config, optimiser, carries, record.progress))
    }
}

/// The tensors of a file, taken one by one.
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

    /// Makes sure that nothing is left.
    fn finish(self) -> Result<(), TrainError> {
        let Some(name) = self.tensors.into_keys().min() else { return Ok(()) };
        let (path, found) = (self.path.to_owned(), "a tensor".to_owned());
        Err(TrainError::State { path, what: name, expected: "nothing".to_owned(), found })
    }
}
