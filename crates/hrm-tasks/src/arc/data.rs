//! A set of ARC tasks with its training and evaluation rows.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use hrm_base::progress::Stage;
use hrm_puzzles::arc::library::{self, Library, Loaded};
use hrm_puzzles::arc::{self, Augmentation, Grid, Role, SolvedTask, augment, json};
use hrm_puzzles::stats::Distribution;
use hrm_puzzles::{Leak, Style};
use hrm_train::task::{BLANK_PUZZLE, Examples, Scorer, Task};
use rayon::prelude::*;

use super::canvas;
use super::config::ArcConfig;
use super::examples::{ArcExamples, Version, Versioned, known_versions};
use super::scorer::ArcScorer;
use crate::published::BLANK_NAME;
use crate::{PuzzleTask, TaskError, UnknownNames};

/// Files of base puzzles, in folders named after the role of the tasks.
const TRAINING: &str = "training/tasks.json";
const EVALUATION: &str = "evaluation/tasks.json";

/// Bounds memory to about a gigabyte, and keeps identifiers within `u32`.
const N_VERSIONS_MAX: usize = 50_000_000;

/// Training and evaluation data, or evaluation data alone.
pub(crate) struct ArcData {
    tasks: Arc<[Versioned]>,
    train: ArcExamples,
    eval: ArcExamples,
    side: usize,
    n_puzzle_ids: usize,
    /// Computed on demand: there are hundreds of thousands of names, and few callers need
    /// them.
    identifiers: OnceLock<Vec<String>>,
    /// What the model that is evaluated does not know.
    unknown_names: Option<UnknownNames>,
    /// Tasks that do not fit on the canvas.
    left_out: Library,
    notes: Vec<String>,
}

impl ArcData {
    /// Every task in `loaded`, each in randomly sampled versions. Tasks that do not fit
    /// on the canvas are left out. If none of the others is an evaluation task, a share
    /// `held_out` of them is held out for evaluation.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if no task fits or there are too many versions,
    /// [`PuzzleError::Empty`](hrm_puzzles::PuzzleError::Empty) if there is no training pair.
    pub(crate) fn new(
        config: &ArcConfig,
        loaded: Loaded,
        held_out: f64,
    ) -> Result<Self, TaskError> {
        let Fitting { mut library, left_out, mut notes } = fitting(config, loaded)?;
        let n_held_out = library::hold_out(&mut library, held_out, config.seed);
        if n_held_out > 0 {
            notes.push(format!(
                "no name of a file or folder says what is for evaluation: {n_held_out} of {} \
                 tasks are held out for it (task.held_out)",
                library.len()
            ));
        }
        if library.len().saturating_mul(config.augmentations + 1) > N_VERSIONS_MAX {
            let n_most = N_VERSIONS_MAX / library.len() - 1;
            let expected = format!("at most {n_most} for {} tasks", library.len());
            return Err(TaskError::setting("augmentations", expected, config.augmentations));
        }

        let mut next_id = BLANK_PUZZLE + 1;
        let stage = Stage::start("augmenting tasks", library.len() as u64);
        let sampled: Vec<_> = library
            .par_iter()
            .inspect(|_| stage.advance(1))
            .map(|(id, task)| augment::distinct(id, &task.pairs, config.augmentations, config.seed))
            .collect();
        drop(stage);
        let tasks = library.into_iter().zip(sampled).map(|((id, solved), sampled)| {
            let versions = std::iter::once(Augmentation::IDENTITY).chain(sampled);
            let versions = versions.zip(next_id..);
            let versions: Vec<_> = versions
                .map(|(augmentation, puzzle_id)| Version { augmentation, puzzle_id })
                .collect();
            next_id += versions.len() as u32;
            Versioned { id, solved, versions }
        });
        let tasks: Arc<[Versioned]> = tasks.collect();

        let train_pairs = |task: &SolvedTask| match task.role {
            Role::Training => 0..task.pairs.len(),
            Role::Evaluation => 0..task.n_train,
        };
        let test_pairs = |task: &SolvedTask| match task.role {
            Role::Training => 0..0,
            Role::Evaluation => task.n_train..task.pairs.len(),
        };
        let translation = config.translate.then_some(config.seed);
        let train = ArcExamples::new(&tasks, config.canvas, translation, train_pairs);
        if train.is_empty() {
            return Err(TaskError::empty("the data", "training pairs"));
        }
        Ok(Self {
            train,
            eval: ArcExamples::new(&tasks, config.canvas, None, test_pairs),
            tasks,
            side: config.canvas,
            n_puzzle_ids: next_id as usize,
            identifiers: OnceLock::new(),
            unknown_names: None,
            left_out,
            notes,
        })
    }

    /// The test pairs of every task in `loaded`, in the versions that `identifiers`
    /// name. Messages call the origin of `loaded` `place`.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if no task fits on the canvas,
    /// [`PuzzleError::Empty`](hrm_puzzles::PuzzleError::Empty) if there is no test pair.
    pub(crate) fn for_eval(
        config: &ArcConfig,
        loaded: Loaded,
        place: String,
        identifiers: &[String],
    ) -> Result<Self, TaskError> {
        let Fitting { library, left_out, mut notes } = fitting(config, loaded)?;
        let mut known = known_versions(identifiers, |id| library.contains_key(id));
        let n_unknown = library.keys().filter(|id| !known.contains_key(*id)).count();
        if n_unknown > 0 {
            notes.push(format!(
                "the model does not know {n_unknown} of {} tasks: each is evaluated once, under \
                 the identifier {BLANK_NAME}",
                library.len()
            ));
        }
        // A model without names knows no task, and was not trained to.
        let names =
            (identifiers.len() > 1).then_some(UnknownNames { n_unknown, n_names: library.len() });
        let tasks = library.into_iter().map(|(id, solved)| {
            let versions = known.remove(&id).unwrap_or_else(|| vec![Version::UNKNOWN]);
            Versioned { id, solved, versions }
        });
        let tasks: Arc<[Versioned]> = tasks.collect();

        let mut identifiers = identifiers.to_vec();
        if identifiers.is_empty() {
            identifiers.push(BLANK_NAME.to_owned());
        }
        let all_tests = |task: &SolvedTask| task.n_train..task.pairs.len();
        let eval = ArcExamples::new(&tasks, config.canvas, None, all_tests);
        if eval.is_empty() {
            return Err(TaskError::empty(place, "test pairs"));
        }
        Ok(Self {
            train: ArcExamples::new(&tasks, config.canvas, None, |_| 0..0),
            eval,
            tasks,
            side: config.canvas,
            n_puzzle_ids: identifiers.len(),
            identifiers: OnceLock::from(identifiers),
            unknown_names: names,
            left_out,
            notes,
        })
    }

    /// The tasks that fit on the canvas, with their names.
    fn in_use(&self) -> Vec<(&str, &SolvedTask)> {
        self.tasks.iter().map(|task| (task.id.as_str(), &task.solved)).collect()
    }
}

/// The tasks that fit on the canvas, those that do not, and notes.
struct Fitting {
    library: Library,
    left_out: Library,
    notes: Vec<String>,
}

fn fitting(
    config: &ArcConfig,
    Loaded { library, mut notes }: Loaded,
) -> Result<Fitting, TaskError> {
    let n_tasks = library.len();
    let side_of_all = library.values().map(SolvedTask::side).max().unwrap_or(0);
    let side_of_one = library.values().map(SolvedTask::side).min().unwrap_or(0);
    let (library, left_out): (Library, Library) =
        library.into_iter().partition(|(_, task)| task.side() <= config.canvas);
    if library.is_empty() {
        let expected = format!(
            "as large as the grids of at least one task ({side_of_one} holds one, and \
             {side_of_all} holds them all: --set task.canvas={side_of_all})"
        );
        return Err(TaskError::setting("canvas", expected, config.canvas));
    }
    if !left_out.is_empty() {
        notes.push(format!(
            "left out {n_left_out} of {n_tasks} tasks: a grid is larger than the canvas of \
             {side} by {side}; task.canvas={side_of_all} holds them all",
            n_left_out = left_out.len(),
            side = config.canvas
        ));
    }
    Ok(Fitting { library, left_out, notes })
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
        Box::new(ArcScorer::new(&self.eval))
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

    fn test_puzzles(&self) -> Option<String> {
        let tasks = self.in_use().into_iter().filter(|(_, task)| task.role == Role::Evaluation);
        let tasks: Vec<_> = tasks.map(|(id, task)| (id, task.to_task())).collect();
        Some(json::combined(tasks.iter().map(|(id, task)| (*id, task))))
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        canvas::draw(self.side, inputs, labels, style)
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
            ("training rows", self.train.n_rows_total() as f64),
            ("evaluation rows", self.eval.n_rows_total() as f64),
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
        arc::distributions(&self.in_use())
    }

    fn leaks(&self) -> Vec<Leak> {
        // Whether files overlap does not depend on the canvas.
        let left_out = self.left_out.iter().map(|(name, task)| (name.as_str(), task));
        arc::leaks(&self.in_use().into_iter().chain(left_out).collect::<Vec<_>>())
    }

    fn leaks_from(&self, trained: &dyn PuzzleTask) -> Option<Vec<Leak>> {
        let trained = (trained as &dyn Any).downcast_ref::<Self>()?;
        // Only their test pairs are evaluated.
        let tests = |task: &SolvedTask| SolvedTask {
            pairs: task.pairs[task.n_train..].to_vec(),
            n_train: 0,
            role: Role::Evaluation,
            id: task.id.clone(),
        };
        let own: Vec<(&str, SolvedTask)> =
            self.in_use().into_iter().map(|(name, task)| (name, tests(task))).collect();
        let own = own.iter().map(|(name, task)| (*name, task));
        // Of evaluation tasks, only the train pairs were trained on: the id says nothing.
        let trained_part = |task: &SolvedTask| match task.role {
            Role::Training => task.clone(),
            Role::Evaluation => SolvedTask {
                pairs: task.pairs[..task.n_train].to_vec(),
                n_train: task.n_train,
                role: Role::Training,
                id: "\0".to_owned(),
            },
        };
        let of_run: Vec<(&str, SolvedTask)> =
            trained.in_use().into_iter().map(|(name, task)| (name, trained_part(task))).collect();
        let of_run = of_run.iter().map(|(name, task)| (*name, task));
        Some(arc::leaks(&own.chain(of_run).collect::<Vec<_>>()))
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn unknown_names(&self) -> Option<UnknownNames> {
        self.unknown_names
    }
}
