//! The kind of puzzle that weights are for: as it is named, else as the files beside the
//! weights say, else the only one with a vocabulary of that size.

use std::path::Path;

use hrm_tasks::settings::SettingsError;
use hrm_tasks::{RunConfig, TaskConfig};

use super::published::Published;
use super::shapes::Shapes;
use crate::error::usage;
use crate::settings::apply_to_task;

/// Largest side of a square puzzle that a vocabulary is looked for in.
const SIDE_MAX: usize = 64;

/// What is known about the task of weights.
pub(super) struct Evidence<'a> {
    /// The weights, for messages.
    pub(super) place: &'a str,
    pub(super) shapes: &'a Shapes,
    pub(super) published: &'a Published,
    /// The kind that was asked for.
    pub(super) kind: Option<&'a str>,
    /// Settings of the task that were asked for.
    pub(super) set: &'a [String],
    /// Number of cells, if anything says it.
    pub(super) n_cells: Option<usize>,
    /// Files of puzzles that the model was trained on.
    pub(super) puzzles: Option<&'a Path>,
}

impl Evidence<'_> {
    /// The task and its number of cells; what nothing gives is added to `defaults`.
    ///
    /// # Errors
    ///
    /// If nothing decides between several kinds, or the task has another vocabulary than the
    /// weights.
    pub(super) fn task(&self, defaults: &mut Vec<String>) -> anyhow::Result<(TaskConfig, usize)> {
        self.check_set()?;
        let exported = self.published.task.as_ref();
        let exported = exported.filter(|task| self.kind.is_none_or(|kind| kind == task.name()));
        let task = match (exported, self.kind) {
            (Some(task), _) => apply_to_task(task.clone(), self.set)?,
            (None, Some(kind)) => self.published_task(kind)?,
            (None, None) => self.published_task(self.guess(defaults)?)?,
        };
        let task = match self.puzzles {
            Some(path) => task.fitted_to(&[path.to_owned()])?,
            None => task,
        };
        self.check_alphabet(&task)?;
        let is_given = exported.is_some() || !self.set.is_empty() || self.puzzles.is_some();
        let task = match self.n_cells {
            Some(n_cells) => task.with_cells(n_cells)?,
            None if is_given => task,
            None => {
                let task = self.with_vocabulary(&task).unwrap_or(task);
                defaults.push(format!("seq_len {}", task.puzzle_kind().n_cells()));
                task
            }
        };
        let n_cells = task.puzzle_kind().n_cells();
        let task = self.with_set(task, n_cells)?;
        let (found, expected) = (self.shapes.vocab_size, vocab_size(&task));
        if found != expected {
            return Err(usage(format!(
                "{}: the weights have a vocabulary of {found} symbols, but {} with {n_cells} cells \
                 has {expected}: name another kind of puzzle, or the number of cells with --cells; \
                 {}",
                self.place,
                task.name(),
                self.as_grid()
            )));
        }
        Ok((task, n_cells))
    }

    /// Refuses settings that no kind of puzzle has.
    ///
    /// # Errors
    ///
    /// With what is wrong with the first of them.
    fn check_set(&self) -> anyhow::Result<()> {
        let kinds: Vec<_> = match self.kind {
            Some(kind) => vec![kind],
            None => TaskConfig::NAMES.to_vec(),
        };
        for pair in self.set {
            let mut others = Vec::new();
            let is_of_none = kinds.iter().all(|kind| {
                let task = RunConfig::preset(kind, "paper").map(|preset| preset.task);
                let set = task.map_err(anyhow::Error::from);
                let set = set.and_then(|task| apply_to_task(task, std::slice::from_ref(pair)));
                set.map_err(|err| others.push(err)).is_err()
            });
            if is_of_none {
                let is_known = |err: &anyhow::Error| {
                    !matches!(err.downcast_ref(), Some(SettingsError::Unknown { .. }))
                };
                // What a kind that has the setting says of its value.
                let said = others.iter().position(is_known);
                return Err(match (said, self.kind) {
                    (None, None) => usage(format!(
                        "--set {pair}: no kind of puzzle has this setting; `hrm settings --task \
                         KIND` lists those of one"
                    )),
                    (said, _) => others.swap_remove(said.unwrap_or(0)),
                });
            }
        }
        Ok(())
    }

    /// The task with the settings that were asked for, which may not change its number of cells.
    fn with_set(&self, task: TaskConfig, n_cells: usize) -> anyhow::Result<TaskConfig> {
        let task = apply_to_task(task, self.set)?;
        let found = task.puzzle_kind().n_cells();
        if found == n_cells {
            return Ok(task);
        }
        let pairs: Vec<_> = self.set.iter().map(|pair| format!("--set {pair}")).collect();
        Err(usage(format!(
            "{}: with {}, puzzles of {} have {found} cells, and those of the weights {n_cells}, by \
             --cells, --data or the config beside them: leave out the one that is wrong",
            self.place,
            pairs.join(" "),
            task.name()
        )))
    }

    /// The kind that the data set is named after, else the only one that fits.
    fn guess(&self, defaults: &mut Vec<String>) -> anyhow::Result<&'static str> {
        let (published, vocab_size) = (self.published, self.shapes.vocab_size);
        let named: Vec<_> = TaskConfig::NAMES
            .iter()
            .filter(|kind| published.data_names.iter().any(|name| is_named_after(name, kind)))
            .collect();
        let fitting: Vec<_> = TaskConfig::NAMES
            .iter()
            .filter_map(|kind| Some((*kind, self.fitting(kind)?)))
            .collect();
        if let [kind] = named.as_slice()
            && fitting.iter().any(|(fitting, _)| fitting == *kind)
        {
            return Ok(kind);
        }
        let n_ids = self.shapes.n_puzzle_ids;
        let without_ids: Vec<_> = TaskConfig::NAMES
            .iter()
            .filter(|kind| self.n_cells_of(kind).is_some())
            .copied()
            .collect();
        match fitting.as_slice() {
            [] if !without_ids.is_empty() => Err(usage(format!(
                "{}: a vocabulary of {vocab_size} symbols is that of {}, whose puzzles have no \
                 embeddings of their own, and the weights have {n_ids}: if they are for it, name \
                 it with --task",
                self.place,
                without_ids.join(" or ")
            ))),
            [] => Err(usage(format!(
                "{}: no kind of puzzle{} has a vocabulary of {vocab_size} symbols: name it with \
                 --task; {}",
                self.place,
                self.n_cells.map_or(String::new(), |n| format!(" of {n} cells")),
                self.as_grid()
            ))),
            [(kind, _)] => {
                let of_data = match named.is_empty() {
                    true => String::new(),
                    // Configs are copied from one training run to the next.
                    false => {
                        format!(", though the data set is {}", published.data_names.join(", "))
                    }
                };
                defaults.push(format!(
                    "task {kind} (the only one with a vocabulary of {vocab_size} symbols{of_data})"
                ));
                Ok(kind)
            }
            several => {
                let listed: Vec<_> = several
                    .iter()
                    .map(|(kind, n_cells)| format!("{kind} ({n_cells} cells)"))
                    .collect();
                Err(usage(format!(
                    "{}: several kinds of puzzle have a vocabulary of {vocab_size} symbols: {}. Name one \
                     with --task",
                    self.place,
                    listed.join(", ")
                )))
            }
        }
    }

    /// The number of cells with which a kind fits what is known.
    fn fitting(&self, kind: &str) -> Option<usize> {
        // Only the tasks of ARC have identifiers of their own.
        if self.shapes.n_puzzle_ids > 1 && kind != "arc" {
            return None;
        }
        self.n_cells_of(kind)
    }

    /// [`fitting`](Self::fitting), whatever its puzzle embeddings.
    fn n_cells_of(&self, kind: &str) -> Option<usize> {
        let task = self.published_task(kind).ok()?;
        let task = match self.n_cells {
            Some(n_cells) => self.fits(task.with_cells(n_cells).ok()?),
            None => self.with_vocabulary(&task),
        };
        Some(task?.puzzle_kind().n_cells())
    }

    /// The task with the vocabulary of the weights: as it is, else on the smallest square.
    fn with_vocabulary(&self, task: &TaskConfig) -> Option<TaskConfig> {
        let squares = (1..=SIDE_MAX).map(|side| side * side);
        let mut on_squares = squares.filter_map(|n_cells| task.clone().with_cells(n_cells).ok());
        self.fits(task.clone()).or_else(|| on_squares.find_map(|task| self.fits(task)))
    }

    /// The task, if it has the vocabulary of the weights.
    fn fits(&self, task: TaskConfig) -> Option<TaskConfig> {
        (vocab_size(&task) == self.shapes.vocab_size).then_some(task)
    }

    /// A task with its published settings and those that were asked for.
    fn published_task(&self, kind: &str) -> anyhow::Result<TaskConfig> {
        apply_to_task(RunConfig::preset(kind, "paper")?.task, self.set)
    }

    /// Refuses grids of unknown characters.
    fn check_alphabet(&self, task: &TaskConfig) -> anyhow::Result<()> {
        match task {
            TaskConfig::Grid(grid) if grid.alphabet.is_empty() => Err(usage(format!(
                "{}: no files beside the weights say which characters their grids have; {}",
                self.place,
                self.as_grid()
            ))),
            _ => Ok(()),
        }
    }

    /// How to import weights for grids of any characters.
    fn as_grid(&self) -> String {
        format!(
            "for grids of {} characters, give --task grid with --set task.alphabet=CHARACTERS, \
             --set task.rows=N and --set task.columns=N, or with files of such puzzles as --data",
            // Besides these, padding and the end of a row.
            self.shapes.vocab_size.saturating_sub(2)
        )
    }
}

fn vocab_size(task: &TaskConfig) -> usize {
    task.puzzle_kind().vocabulary().len()
}

/// Whether the name of a data set (`maze-30x30-hard-1k`) has the name of a kind as a word.
fn is_named_after(data_name: &str, kind: &str) -> bool {
    data_name.split(|c: char| !c.is_alphanumeric()).any(|word| {
        word.strip_prefix(kind).is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device, Tensor};
    use hrm_core::names;

    use super::*;

    #[test]
    fn puzzle_embeddings_of_a_kind_without_them_are_named() {
        let matrix = |name: &str, shape: (usize, usize)| {
            let zeros = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            (name.to_owned(), zeros)
        };
        let down = format!("{}.mlp.down_proj.weight", names::layer(names::L_MODULE, 0));
        let tensors = |n_symbols, n_ids| -> HashMap<String, Tensor> {
            let sizes =
                [(names::TOKENS, (n_symbols, 8)), (names::PUZZLES, (n_ids, 8)), (&down, (8, 24))];
            sizes.into_iter().map(|(name, shape)| matrix(name, shape)).collect()
        };
        let task = |n_symbols, n_ids, kind| {
            let shapes = Shapes::of("w", &tensors(n_symbols, n_ids), None).unwrap();
            let published = Published::default();
            let (set, n_cells, puzzles) = (&[], None, None);
            let evidence = Evidence {
                place: "w",
                shapes: &shapes,
                published: &published,
                kind,
                set,
                n_cells,
                puzzles,
            };
            let task = evidence.task(&mut Vec::new());
            task.map(|(task, _)| task.name()).map_err(|err| err.to_string())
        };
        let want = "w: a vocabulary of 11 symbols is that of sudoku, whose puzzles have no embeddings \
                    of their own, and the weights have 5: if they are for it, name it with --task";
        assert_eq!(task(11, 5, None), Err(want.to_owned()));
        assert_eq!(task(11, 5, Some("sudoku")), Ok("sudoku"));
        assert_eq!(task(11, 1, None), Ok("sudoku"));
        assert_eq!(task(12, 5, None), Ok("arc"));
        let none = task(40, 5, None).unwrap_err();
        assert!(none.starts_with("w: no kind of puzzle has a vocabulary of 40 symbols"), "{none}");
    }

    #[test]
    fn data_sets_are_named_after_their_puzzles() {
        for (name, kind) in [
            ("sudoku-extreme-1k-aug-1000", "sudoku"),
            ("maze-30x30-hard-1k", "maze"),
            ("arc1concept-aug-1000", "arc"),
            ("arc-2-aug-1000", "arc"),
            ("sudoku4x4", "sudoku"),
        ] {
            let named: Vec<_> =
                TaskConfig::NAMES.iter().filter(|kind| is_named_after(name, kind)).collect();
            assert_eq!(named, [&kind], "{name}");
        }
        for name in ["archive-1k", "amazed", "search", ""] {
            assert!(!TaskConfig::NAMES.iter().any(|kind| is_named_after(name, kind)), "{name}");
        }
    }
}
