//! What a trainer holds beside its weights, in files.
//!
//! ```text
//! trainer.json           steps, and where every row is in its puzzle
//! trainer.safetensors    moments of the optimiser, states and puzzles of the rows
//! ```

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Tensor};
use hrm_core::{Hrm, States, weight_file};
use serde::{Deserialize, Serialize};

use crate::optim::AdamAtan2;
use crate::run::{read_json, write_json};
use crate::{Batch, Carry, TrainConfig, TrainError, Trainer};

/// File names.
const RECORD: &str = "trainer.json";
const TENSORS: &str = "trainer.safetensors";

/// What `trainer.json` holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    n_steps: u64,
    n_optimiser_steps: i32,
    n_done: Vec<u32>,
    halted: Vec<bool>,
}

/// Names of the tensors of a carry.
const Z_H: &str = "carry.z_h";
const Z_L: &str = "carry.z_l";
const INPUTS: &str = "carry.inputs";
const LABELS: &str = "carry.labels";
const PUZZLE_IDS: &str = "carry.puzzle_ids";

/// Names of the moments of a parameter.
fn moments_of(parameter: &str) -> [String; 2] {
    [format!("mean.{parameter}"), format!("mean_square.{parameter}")]
}

impl Trainer {
    /// Writes what [`restore`](Self::restore) needs beside the model.
    ///
    /// # Errors
    ///
    /// [`TrainError::Write`] or [`TrainError::Weights`].
    pub fn save_state(&self, folder: &Path) -> Result<(), TrainError> {
        let Carry { states, batch, n_done, halted } = self.carry();
        let record = Record {
            n_steps: self.n_steps(),
            n_optimiser_steps: self.optimiser().n_steps(),
            n_done: n_done.clone(),
            halted: halted.clone(),
        };
        write_json(&folder.join(RECORD), &record)?;

        let device = &candle_core::Device::Cpu;
        let mut tensors = vec![
            (Z_H.to_owned(), states.z_h.clone()),
            (Z_L.to_owned(), states.z_l.clone()),
            (INPUTS.to_owned(), batch.input_tensor(device)?),
            (LABELS.to_owned(), batch.label_tensor(device)?),
            (PUZZLE_IDS.to_owned(), Tensor::new(batch.puzzle_ids(), device)?),
        ];
        let names = self.model().weights().trained().map(|(name, _)| moments_of(name));
        for (names, moments) in names.zip(self.optimiser().moments()) {
            tensors.extend(names.into_iter().zip(moments.map(Tensor::clone)));
        }
        Ok(weight_file::write_tensors(tensors, &folder.join(TENSORS))?)
    }

    /// The trainer that [`save_state`](Self::save_state) wrote, with the model
    /// that it had.
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

        let n_rows = config.batch_size;
        let (n_cells, device) = (model.config().n_cells, model.device());
        if record.n_done.len() != n_rows || record.halted.len() != n_rows {
            let found = format!("{} and {}", record.n_done.len(), record.halted.len());
            let expected = format!("{n_rows} rows");
            let path = folder.join(RECORD);
            return Err(TrainError::State { path, what: "carry".to_owned(), expected, found });
        }
        let start = model.initial_states(n_rows)?;
        let states = States {
            z_h: tensors.take(Z_H, start.z_h.dims(), start.z_h.dtype())?.to_device(device)?,
            z_l: tensors.take(Z_L, start.z_l.dims(), start.z_l.dtype())?.to_device(device)?,
        };
        let batch = Batch::new(
            n_cells,
            tensors.take(INPUTS, &[n_rows, n_cells], DType::U32)?.flatten_all()?.to_vec1()?,
            tensors.take(LABELS, &[n_rows, n_cells], DType::I64)?.flatten_all()?.to_vec1()?,
            tensors.take(PUZZLE_IDS, &[n_rows], DType::U32)?.to_vec1()?,
        );
        let carry = Carry { states, batch, n_done: record.n_done, halted: record.halted };

        let mut moments = Vec::new();
        for (name, parameter) in model.weights().trained() {
            let [mean, mean_square] = moments_of(name);
            let mut take = |name: &str| -> Result<Tensor, TrainError> {
                let tensor = tensors.take(name, parameter.dims(), parameter.dtype())?;
                Ok(tensor.to_device(device)?)
            };
            moments.push([take(&mean)?, take(&mean_square)?]);
        }
        tensors.finish()?;
        let parameters = model.weights().trained().map(|(_, parameter)| parameter);
        let optimiser =
            AdamAtan2::restore(parameters.zip(moments), &config, record.n_optimiser_steps);
        Ok(Self::from_parts(model, config, optimiser, carry, record.n_steps))
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

    /// Makes sure that nothing is left.
    fn finish(self) -> Result<(), TrainError> {
        let Some(name) = self.tensors.into_keys().min() else { return Ok(()) };
        let (path, found) = (self.path.to_owned(), "a tensor".to_owned());
        Err(TrainError::State { path, what: name, expected: "nothing".to_owned(), found })
    }
}
