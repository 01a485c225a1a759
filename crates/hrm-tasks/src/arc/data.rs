//! A set of ARC tasks as rows for the trainer.
//!
//! Every task keeps its pairs once, and of each version only what was done to
//! it; rows are written from both when they are asked for.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use rand::Rng;
use rayon::prelude::*;

use hrm_base::rng::{ChaCha8Rng, stream};
use hrm_train::task::{BLANK_PUZZLE, Examples, RowId, RowMut, Scorer, Task};

use crate::arc::library::{self, Library, Role, Solved};
use crate::arc::score::Score;
use crate::arc::{ArcConfig, Augmentation, Grid, Pair, augment, canvas, draw, json, survey};
use crate::{Distribution, Leak, PuzzleTask, Style, TaskError};

/// Name of identifier [`BLANK_PUZZLE`].
const BLANK_NAME: &str = "<blank>";

/// Files of base puzzles, in the folders that say what they are for.
const TRAINING: &str = "training/tasks.json";
const EVALUATION: &str = "evaluation/tasks.json";

/// Bounds memory to about a gigabyte, and keeps identifiers within `u32`.
const N_VERSIONS_MAX: usize = 50_000_000;

/// One version of a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) augmentation: Augmentation,
    pub(crate) puzzle_id: u32,
}

impl Version {
    /// The task itself, under an identifier that says nothing about it.
    pub(crate) const UNKNOWN: Self =
        Self { augmentation: Augmentation::IDENTITY, puzzle_id: BLANK_PUZZLE };
}

/// One task with its versions.
struct Versioned {
    id: String,
    solved: Solved,
    versions: Vec<Version>,
}

/// Training and evaluation data, or evaluation data alone.
pub(crate) struct ArcData {
    tasks: Arc<[Versioned]>,
    train: ArcExamples,
    eval: ArcExamples,
    side: usize,
    n_puzzle_ids: usize,
    /// Hundreds of thousands of names that only few callers want to see.
    identifiers: OnceLock<Vec<String>>,
    /// Tasks that do not fit on the canvas.
    left_out: Library,
    notes: Vec<String>,
}

impl ArcData {
    /// Everything in `library`, each task in versions drawn for it. Tasks that
    /// do not fit on the canvas are left out; of the others, a share of
    /// `held_out` are for evaluation if none is.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if no task fits or there are too many versions,
    /// [`TaskError::Empty`] without anything to learn.
    pub(crate) fn new(
        config: &ArcConfig,
        library: Library,
        held_out: f64,
    ) -> Result<Self, TaskError> {
        let (mut library, left_out, notes) = fitting(config, library)?;
        library::hold_out(&mut library, held_out, config.seed);
        if library.len().saturating_mul(config.augmentations + 1) > N_VERSIONS_MAX {
            let n_most = N_VERSIONS_MAX / library.len() - 1;
            let expected = format!("at most {n_most} for {} tasks", library.len());
            return Err(TaskError::setting("augmentations", expected, config.augmentations));
        }

        let mut next_id = BLANK_PUZZLE + 1;
        let drawn: Vec<_> = library
            .par_iter()
            .map(|(id, task)| augment::distinct(id, &task.pairs, config.augmentations, config.seed))
            .collect();
        let tasks = library.into_iter().zip(drawn).map(|((id, solved), drawn)| {
            let versions = std::iter::once(Augmentation::IDENTITY).chain(drawn);
            let versions = versions.zip(next_id..);
            let versions: Vec<_> = versions
                .map(|(augmentation, puzzle_id)| Version { augmentation, puzzle_id })
                .collect();
            next_id += versions.len() as u32;
            Versioned { id, solved, versions }
        });
        let tasks: Arc<[Versioned]> = tasks.collect();

        let train_pairs = |task: &Solved| match task.role {
            Role::Training => 0..task.pairs.len(),
            Role::Evaluation => 0..task.n_train,
        };
        let test_pairs = |task: &Solved| match task.role {
            Role::Training => 0..0,
            Role::Evaluation => task.n_train..task.pairs.len(),
        };
        let translation = config.translate.then_some(config.seed);
        let train = ArcExamples::new(&tasks, config.canvas, translation, train_pairs);
        if train.groups.is_empty() {
            return Err(TaskError::Empty { place: "the data".to_owned(), what: "training pairs" });
        }
        Ok(Self {
            train,
            eval: ArcExamples::new(&tasks, config.canvas, None, test_pairs),
            tasks,
            side: config.canvas,
            n_puzzle_ids: next_id as usize,
            identifiers: OnceLock::new(),
            left_out,
            notes,
        })
    }

    /// The test pairs of everything in `library`, which was read at `place`, in
    /// the versions that `identifiers` name.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if no task fits on the canvas,
    /// [`TaskError::Empty`] without anything to ask.
    pub(crate) fn for_eval(
        config: &ArcConfig,
        library: Library,
        place: String,
        identifiers: &[String],
    ) -> Result<Self, TaskError> {
        let (library, left_out, mut notes) = fitting(config, library)?;
        let mut known = known_versions(identifiers, |id| library.contains_key(id));
        let n_unknown = library.keys().filter(|id| !known.contains_key(*id)).count();
        if n_unknown > 0 {
            notes.push(format!(
                "{n_unknown} of {} tasks are unknown to the model: asked once, under {BLANK_NAME}",
                library.len()
            ));
        }
        let tasks = library.into_iter().map(|(id, solved)| {
            let versions = known.remove(&id).unwrap_or_else(|| vec![Version::UNKNOWN]);
            Versioned { id, solved, versions }
        });
        let tasks: Arc<[Versioned]> = tasks.collect();

        let mut identifiers = identifiers.to_vec();
        if identifiers.is_empty() {
            identifiers.push(BLANK_NAME.to_owned());
        }
        let all_tests = |task: &Solved| task.n_train..task.pairs.len();
        let eval = ArcExamples::new(&tasks, config.canvas, None, all_tests);
        if eval.groups.is_empty() {
            return Err(TaskError::Empty { place, what: "test pairs" });
        }
        Ok(Self {
            train: ArcExamples::new(&tasks, config.canvas, None, |_| 0..0),
            eval,
            tasks,
            side: config.canvas,
            n_puzzle_ids: identifiers.len(),
            identifiers: OnceLock::from(identifiers),
            left_out,
            notes,
        })
    }

    /// The tasks that are in use, by name.
    fn in_use(&self) -> Vec<(&str, &Solved)> {
        self.tasks.iter().map(|task| (task.id.as_str(), &task.solved)).collect()
    }
}

/// The tasks that fit on the canvas, those that do not, and a remark about
/// them.
fn fitting(
    config: &ArcConfig,
    library: Library,
) -> Result<(Library, Library, Vec<String>), TaskError> {
    let n_tasks = library.len();
    let (library, left_out): (Library, Library) =
        library.into_iter().partition(|(_, task)| task.side() <= config.canvas);
    if library.is_empty() {
        let expected = "as large as the grids of at least one task";
        return Err(TaskError::setting("canvas", expected, config.canvas));
    }
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        notes.push(format!(
            "{n_left_out} of {n_tasks} tasks are left out: a grid is larger than the canvas of \
             {side} by {side}",
            n_left_out = left_out.len(),
            side = config.canvas
        ));
    }
    Ok((library, left_out, notes))
}

/// The versions that `identifiers` name, by task, of the tasks that are
/// `wanted`. A task's own name wins over a version of another task.
pub(crate) fn known_versions(
    identifiers: &[String],
    wanted: impl Fn(&str) -> bool,
) -> HashMap<String, Vec<Version>> {
    let mut known: HashMap<String, Vec<Version>> = HashMap::new();
    // Identifier 0 is blank, whatever it is called.
    for (name, puzzle_id) in identifiers.iter().zip(0..).skip(1) {
        let itself = wanted(name).then_some((name.as_str(), Augmentation::IDENTITY));
        let named = itself.or_else(|| Augmentation::parse(name).filter(|(id, _)| wanted(id)));
        if let Some((id, augmentation)) = named {
            let version = Version { augmentation, puzzle_id };
            match known.get_mut(id) {
                Some(versions) => versions.push(version),
                None => drop(known.insert(id.to_owned(), vec![version])),
            }
        }
    }
    known
}

impl Task for ArcData {
    fn name(&self) -> &'static str {
        "arc"
    }

    fn vocab_size(&self) -> usize {
        canvas::vocabulary().len()
    }

    fn n_cells(&self) -> usize {
        self.side * self.side
    }

    fn n_puzzle_ids(&self) -> usize {
        self.n_puzzle_ids
    }

    fn train(&self) -> &dyn Examples {
        &self.train
    }

    fn eval(&self) -> &dyn Examples {
        &self.eval
    }

    fn scorer(&self) -> Box<dyn Scorer + '_> {
        Box::new(Score::new(&self.eval))
    }
}

impl PuzzleTask for ArcData {
    fn identifiers(&self) -> &[String] {
        self.identifiers.get_or_init(|| {
            let names = self.tasks.iter().flat_map(|task| {
                task.versions.iter().map(|version| version.augmentation.name(&task.id))
            });
            std::iter::once(BLANK_NAME.to_owned()).chain(names).collect()
        })
    }

    fn base_puzzles(&self) -> Option<Vec<(&'static str, String)>> {
        let left_out = self.left_out.iter().map(|(name, task)| (name.as_str(), task));
        let tasks: Vec<_> = self.in_use().into_iter().chain(left_out).collect();
        let roles = [(Role::Training, TRAINING), (Role::Evaluation, EVALUATION)];
        let files = roles.into_iter().filter_map(|(role, name)| {
            let of_role = tasks.iter().filter(|(_, task)| task.role == role);
            let of_role: Vec<_> = of_role.map(|(id, task)| (*id, task.to_task())).collect();
            let text = || json::combined(of_role.iter().map(|(id, task)| (*id, task)));
            (!of_role.is_empty()).then(|| (name, text()))
        });
        Some(files.collect())
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        draw::canvases(self.side, inputs, labels, style)
    }

    fn stats(&self) -> Vec<(String, f64)> {
        let tasks = || self.tasks.iter();
        let grids = || {
            let pairs = tasks().flat_map(|task| &task.solved.pairs);
            pairs.flat_map(|pair| [&pair.input, &pair.output])
        };
        let n_grids = grids().count();
        let mean = |sum: usize, n: usize| if n == 0 { 0.0 } else { sum as f64 / n as f64 };
        let of_role = |role| tasks().filter(|task| task.solved.role == role).count();
        let n_train_pairs: usize = tasks().map(|task| task.solved.n_train).sum();
        let n_pairs: usize = tasks().map(|task| task.solved.pairs.len()).sum();
        let figures = [
            ("tasks", self.tasks.len() as f64),
            ("training tasks", of_role(Role::Training) as f64),
            ("evaluation tasks", of_role(Role::Evaluation) as f64),
            ("tasks left out", self.left_out.len() as f64),
            ("train pairs", n_train_pairs as f64),
            ("test pairs", (n_pairs - n_train_pairs) as f64),
            ("versions", tasks().map(|task| task.versions.len()).sum::<usize>() as f64),
            ("training rows", self.train.n_rows_in_all() as f64),
            ("evaluation rows", self.eval.n_rows_in_all() as f64),
            ("mean grid height", mean(grids().map(Grid::n_rows).sum(), n_grids)),
            ("mean grid width", mean(grids().map(Grid::n_cols).sum(), n_grids)),
            ("largest grid side", grids().map(Grid::side).max().unwrap_or(0) as f64),
            (
                "mean colours per task",
                mean(tasks().map(|task| task.solved.n_colours()).sum(), self.tasks.len()),
            ),
        ];
        figures.map(|(name, figure)| (name.to_owned(), figure)).into()
    }

    fn distributions(&self) -> Vec<Distribution> {
        survey::distributions(&self.in_use())
    }

    fn leaks(&self) -> Vec<Leak> {
        // Whether files overlap does not depend on the canvas.
        let left_out = self.left_out.iter().map(|(name, task)| (name.as_str(), task));
        survey::leaks(&self.in_use().into_iter().chain(left_out).collect::<Vec<_>>())
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

/// A block of the generator: more words than two bounded draws take.
const N_WORDS_PER_DRAW: u128 = 16;

/// Some of the pairs of every task, in every version.
pub(crate) struct ArcExamples {
    tasks: Arc<[Versioned]>,
    /// Tasks with at least one row here.
    groups: Vec<Group>,
    side: usize,
}

struct Group {
    task_idx: usize,
    /// Which of the task's pairs are rows.
    pairs: Range<usize>,
    /// What their offsets are read from, if they are moved about the canvas.
    offsets: Option<ChaCha8Rng>,
}

impl ArcExamples {
    fn new(
        tasks: &Arc<[Versioned]>,
        side: usize,
        translation: Option<u64>,
        pairs: impl Fn(&Solved) -> Range<usize>,
    ) -> Self {
        let groups = tasks.iter().enumerate().map(|(task_idx, task)| Group {
            task_idx,
            pairs: pairs(&task.solved),
            offsets: translation.map(|seed| stream(seed, &format!("arc offsets of {}", task.id))),
        });
        let groups = groups.filter(|group| !group.pairs.is_empty()).collect();
        Self { tasks: tasks.clone(), groups, side }
    }

    /// Cells on each side of the canvas.
    pub(crate) fn side(&self) -> usize {
        self.side
    }

    /// The task of a group.
    pub(crate) fn id(&self, group: usize) -> &str {
        &self.task(group).id
    }

    /// The base pairs of a group, in order of their rows.
    pub(crate) fn pairs(&self, group: usize) -> &[Pair] {
        let group = &self.groups[group];
        &self.tasks[group.task_idx].solved.pairs[group.pairs.clone()]
    }

    /// What was done to a version.
    pub(crate) fn augmentation(&self, group: usize, version: usize) -> &Augmentation {
        &self.task(group).versions[version].augmentation
    }

    fn task(&self, group: usize) -> &Versioned {
        &self.tasks[self.groups[group].task_idx]
    }

    fn n_rows_in_all(&self) -> usize {
        let groups = 0..self.groups.len();
        groups.map(|group| self.n_versions(group) * self.pairs(group).len()).sum()
    }

    /// The `(row, column)` of both grids' top left corner.
    fn offset(&self, RowId { group, version, row }: RowId, pair: &Pair) -> (usize, usize) {
        let Group { pairs, offsets, .. } = &self.groups[group];
        let Some(offsets) = offsets else { return (0, 0) };
        // Draws at a place of their own in the task's stream, so that any row
        // can be written without those before it: per version the number of
        // the row that stays, then each row's offset.
        let mut draws = offsets.clone();
        let seek = |draws: &mut ChaCha8Rng, place: usize| {
            let place = version as u128 * (pairs.len() as u128 + 1) + place as u128;
            draws.set_word_pos(place * N_WORDS_PER_DRAW);
        };
        seek(&mut draws, 0);
        // One row of each version stays where evaluation will ask for it.
        if draws.random_range(0..pairs.len() as u32) as usize == row {
            return (0, 0);
        }
        seek(&mut draws, 1 + row);
        let mut below = |used: usize| draws.random_range(0..=(self.side - used) as u32) as usize;
        let n_rows = pair.input.n_rows().max(pair.output.n_rows());
        let n_cols = pair.input.n_cols().max(pair.output.n_cols());
        (below(n_rows), below(n_cols))
    }
}

impl Examples for ArcExamples {
    fn n_groups(&self) -> usize {
        self.groups.len()
    }

    fn n_versions(&self, group: usize) -> usize {
        self.task(group).versions.len()
    }

    fn n_rows(&self, group: usize, version: usize) -> usize {
        assert!(version < self.n_versions(group), "version {version} is out of range");
        self.groups[group].pairs.len()
    }

    fn write(&self, at: RowId, row: RowMut<'_>) {
        let Version { augmentation, puzzle_id } = self.task(at.group).versions[at.version];
        let Pair { input, output } = &self.pairs(at.group)[at.row];
        let pair = Pair { input: augmentation.apply(input), output: augmentation.apply(output) };
        let offset = self.offset(at, &pair);
        canvas::place(&pair.input, offset, self.side, row.inputs);
        canvas::place(&pair.output, offset, self.side, row.labels);
        *row.puzzle_id = puzzle_id;
    }
}
