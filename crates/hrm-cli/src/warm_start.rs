//! `hrm train --init`: a run that starts from the weights of a checkpoint.
//!
//! The model has the settings of the checkpoint, except those that change no weights and
//! are given. The optimiser is new. Puzzle identifiers that the checkpoint knows by name
//! keep their embeddings, whichever project named them; new ones start as in a new model.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use hrm_base::durable;
use hrm_core::{Hrm, HrmConfig, names};
use hrm_tasks::published::numbers_of;
use hrm_tasks::settings::{SET_BY_TASK, leaves};
use hrm_tasks::{Checkpoint, CheckpointError, PuzzleTask, TaskConfig, TaskRecord, Vocabulary};
use hrm_train::TrainError;
use hrm_train::run::{files, sha256, write_checksums};
use hrm_train::task::BLANK_PUZZLE;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkpoint;
use crate::error::usage;
use crate::term::note;

/// Where the weights of a run come from, in `run.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InitRecord {
    /// The checkpoint folder.
    pub(crate) checkpoint: PathBuf,
    /// SHA-256 of its weight file.
    pub(crate) weights_sha256: String,
}

/// The checkpoint that a run starts from.
#[derive(Debug)]
pub(crate) struct WarmStart {
    checkpoint: Checkpoint,
    record: InitRecord,
}

impl WarmStart {
    /// Reads a checkpoint folder, or the best or newest checkpoint of a run folder.
    ///
    /// # Errors
    ///
    /// If the folder is neither, or its files do not fit together.
    pub(crate) fn open(path: &Path, device: &Device) -> anyhow::Result<Self> {
        let (checkpoint, weights_sha256) = Checkpoint::open_with(path, |found| {
            let checkpoint = Checkpoint::open(found, device)?;
            let weights = found.join(files::WEIGHTS);
            let hash = sha256(&weights)
                .map_err(|source| TrainError::Read { path: weights.clone(), source })?;
            Ok::<_, CheckpointError>((checkpoint, hash))
        })
        .map_err(|err| checkpoint::explained(path, err.into()))?;
        checkpoint::say_lost(path, &checkpoint.path)?;
        let record =
            InitRecord { checkpoint: std::path::absolute(&checkpoint.path)?, weights_sha256 };
        Ok(Self { checkpoint, record })
    }

    /// Reads the checkpoint that the run in the folder `run` started from: the recorded one,
    /// or if it is gone or another, the copy in the folder.
    ///
    /// # Errors
    ///
    /// If neither can be read.
    pub(crate) fn reopen(record: &InitRecord, run: &Path, device: &Device) -> anyhow::Result<Self> {
        let InitRecord { checkpoint, weights_sha256 } = record;
        let is_same = sha256(&checkpoint.join(files::WEIGHTS)).is_ok_and(|h| h == *weights_sha256);
        let copy = run.join(files::INIT);
        if !is_same && !copy.is_dir() {
            return Err(usage(format!(
                "the run starts from the weights of {}, which no longer exist or have \
                 changed (expected SHA-256 {weights_sha256}), and there is no copy of them in {}: name a checkpoint \
                 with --init",
                checkpoint.display(),
                copy.display()
            )));
        }
        let found = Self::open(if is_same { checkpoint } else { &copy }, device)?;
        Ok(Self { record: record.clone(), ..found })
    }

    /// What `run.json` says about the checkpoint.
    pub(crate) fn record(&self) -> &InitRecord {
        &self.record
    }

    /// The puzzles of the checkpoint.
    pub(crate) fn task(&self) -> &TaskConfig {
        &self.checkpoint.record.task
    }

    /// The settings of its model.
    pub(crate) fn model_config(&self) -> &HrmConfig {
        self.checkpoint.model.config()
    }

    fn place(&self) -> std::path::Display<'_> {
        self.checkpoint.path.display()
    }

    /// Checks that the checkpoint is for puzzles of this kind.
    ///
    /// # Errors
    ///
    /// If it is for others.
    pub(crate) fn check_kind(&self, kind: &str) -> anyhow::Result<()> {
        let found = self.task().name();
        if found == kind {
            return Ok(());
        }
        Err(usage(format!(
            "{} is a model for {found}, not for {kind}, whose vocabulary is a different one. Train \
             {found}, or start without --init",
            self.place()
        )))
    }

    /// `task`, with the symbols and the size of the checkpoint's puzzles if its own puzzles
    /// have fewer.
    pub(crate) fn widened(&self, task: TaskConfig) -> TaskConfig {
        let (TaskConfig::Grid(mut grid), TaskConfig::Grid(known)) = (task.clone(), self.task())
        else {
            return task;
        };
        if grid.alphabet.chars().all(|symbol| known.alphabet.contains(symbol)) {
            grid.alphabet.clone_from(&known.alphabet);
        }
        if grid.rows <= known.rows && grid.columns <= known.columns {
            (grid.rows, grid.columns) = (known.rows, known.columns);
        }
        TaskConfig::Grid(grid)
    }

    /// Compares the settings of a model with those of the checkpoint. Returns each setting
    /// that differs, with its value here and in the checkpoint. `origin` says where a
    /// setting was given.
    ///
    /// # Errors
    ///
    /// If one of them changes the names or shapes of weights.
    pub(crate) fn differences(
        &self,
        model: &HrmConfig,
        origin: impl Fn(&str) -> String,
    ) -> anyhow::Result<Vec<(String, Value, Value)>> {
        let (ours, theirs) =
            (serde_json::to_value(model)?, serde_json::to_value(self.model_config())?);
        let mut differing = Vec::new();
        for (key, value) in leaves("model", &ours) {
            let pointer = format!("/{}", key["model.".len()..].replace('.', "/"));
            let Some(found) = theirs.pointer(&pointer) else { continue };
            if SET_BY_TASK.contains(&key.as_str()) || found == value {
                continue;
            }
            let mut changed = theirs.clone();
            if let Some(slot) = changed.pointer_mut(&pointer) {
                *slot = value.clone();
            }
            let changed: HrmConfig = serde_json::from_value(changed)?;
            let is_usable = shapes(&changed).is_some_and(|changed| {
                shapes(self.model_config()).is_some_and(|theirs| theirs == changed)
            });
            if !is_usable {
                return Err(usage(format!(
                    "{key} is {found} in {} and {value} in {}: this changes the shapes of \
                     parameters, so that it cannot start from these weights. Leave the setting out; \
                     with --init, the settings of the model are those of the checkpoint",
                    self.place(),
                    origin(&key)
                )));
            }
            differing.push((key, value.clone(), found.clone()));
        }
        Ok(differing)
    }

    /// Checks that the model can work on the puzzles of `task`, whose settings are `config`.
    ///
    /// # Errors
    ///
    /// If their symbols differ, or weights depend on the number of cells and that differs.
    pub(crate) fn check_task(&self, config: &TaskConfig, model: &HrmConfig) -> anyhow::Result<()> {
        let (ours, theirs) =
            (config.puzzle_kind().vocabulary(), self.task().puzzle_kind().vocabulary());
        if ours != theirs {
            return Err(usage(format!(
                "{} has a vocabulary of {} symbols ({}), and the puzzles of this run one of {} ({}): \
                 its weights cannot be used for them. Use puzzles with the same symbols, or start \
                 without --init",
                self.place(),
                theirs.len() - 1,
                listed(&theirs),
                ours.len() - 1,
                listed(&ours)
            )));
        }
        let (n_cells, known) = (model.input.n_cells, self.model_config().input.n_cells);
        if n_cells == known {
            return Ok(());
        }
        let same_ids = |config: &HrmConfig| {
            shapes(&config.clone().with(|config| config.input.n_puzzle_ids = 1))
        };
        if same_ids(model) != same_ids(self.model_config()) {
            return Err(usage(format!(
                "{} has weights for puzzles of {known} cells each, and those of this run have \
                 {n_cells}: use puzzles of the same size, or start without --init",
                self.place()
            )));
        }
        note(format!(
            "Puzzles have {n_cells} cells; those of {} had {known}. Its weights do not depend on \
             the number of cells.",
            self.place()
        ));
        Ok(())
    }

    /// The model of a run with these settings, before its first step, for the puzzles of
    /// `task`. Says what becomes of the puzzle embeddings.
    ///
    /// # Errors
    ///
    /// If the weights do not fit the settings.
    pub(crate) fn model(&self, config: &HrmConfig, task: &dyn PuzzleTask) -> anyhow::Result<Hrm> {
        let theirs = &self.checkpoint.model;
        let mut tensors: HashMap<String, Tensor> =
            theirs.weights().tensors().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
        let (wanted, known) = (task.identifiers(), &self.checkpoint.identifiers);
        if let Some(table) = tensors.get_mut(names::PUZZLES).filter(|_| wanted != known) {
            let (numbers, n_new) = numbers_of(wanted, known);
            let n_kept = wanted.len().saturating_sub(1 + n_new);
            // New identifiers take the row after the last, which is that of a new model.
            let row = |(id, number): (usize, u32)| match number {
                BLANK_PUZZLE if id > 0 => known.len() as u32,
                number => number,
            };
            let rows: Vec<u32> = numbers.into_iter().enumerate().map(row).collect();
            let n_gone = known.len().saturating_sub(1) - n_kept;
            note(format!(
                "Puzzle identifiers: {n_kept} keep their embeddings, {n_new} are new and start at \
                 zero, {n_gone} of the checkpoint are not in this data and are left out."
            ));
            let fresh = Tensor::zeros((1, table.dim(1)?), table.dtype(), table.device())?;
            let rows = Tensor::new(rows, table.device())?;
            *table = Tensor::cat(&[&*table, &fresh], 0)?.index_select(&rows, 0)?;
        }
        let weights = hrm_core::Weights::from_tensors(&config.params()?, tensors, theirs.device())?;
        Ok(Hrm::with_weights(config.clone(), weights)?)
    }
}

/// Writes the model before the first step into the run folder `run`, as a checkpoint.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn save(
    run: &Path,
    model: &Hrm,
    record: &TaskRecord,
    identifiers: &[String],
) -> anyhow::Result<()> {
    let folder = run.join(files::INIT);
    let failed = |source| TrainError::Write { path: folder.clone(), source };
    fs::create_dir(&folder).map_err(failed)?;
    model.save(&folder).map_err(TrainError::from)?;
    record.write(&folder, identifiers)?;
    write_checksums(&folder)?;
    Ok(durable::sync_folder(&folder).map_err(failed)?)
}

/// The shape of every weight by name; `None` if the config is invalid.
fn shapes(config: &HrmConfig) -> Option<BTreeMap<String, Vec<usize>>> {
    config.check().ok()?;
    let params = config.params().ok()?;
    Some(params.into_iter().map(|spec| (spec.name, spec.shape)).collect())
}

/// The symbols of a vocabulary, without padding.
fn listed(vocabulary: &Vocabulary) -> String {
    const N_SHOWN_MAX: u32 = 24;
    let n = vocabulary.len() as u32;
    let shown = (1..n.min(N_SHOWN_MAX + 1)).filter_map(|id| vocabulary.symbol(id));
    let text: String = shown.map(|symbol| symbol.escape_debug().to_string()).collect();
    if n > N_SHOWN_MAX + 1 { format!("{text}…") } else { text }
}
