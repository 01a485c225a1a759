//! The settings of ARC, and the data they open.

use std::io::Write;
use std::path::PathBuf;

use hrm_base::rng::stream;
use hrm_puzzles::PuzzleError;
use hrm_puzzles::arc::library::{self, Library};
use hrm_puzzles::arc::{self, BuiltIn, Role, SIDE_MAX, SolvedTask, json, submission};
use hrm_puzzles::picture::{Panel, PuzzleView, characters};
use hrm_train::task::Document;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::data::ArcData;
use super::decoder::Canvases;
use super::{canvas, query};
use crate::cells::check_held_out;
use crate::traits::{PreparedRows, RowDecoder};
use crate::{
    Answer, DataSource, Encoding, FitToData, Generate, PuzzleTask, Queries, Query, TaskError,
    Vocabulary,
};

/// Size of the canvas, and how tasks are varied, drawn and split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArcConfig {
    /// Cells on each side of the canvas, `1..=30`: 30 as published. Tasks with a
    /// larger grid are left out.
    pub canvas: usize,
    /// Versions of each task beyond itself, at most 100 000. 1000 as published.
    pub augmentations: usize,
    /// Whether training pairs are moved about the canvas. As published: yes.
    pub translate: bool,
    /// Draws the built-in tasks, versions, offsets and what is held out.
    pub seed: u64,
    /// Built-in data: training tasks, at most 100 000.
    pub n_train: usize,
    /// Built-in data: evaluation tasks, at most 100 000.
    pub n_eval: usize,
    /// Share of the user's tasks, at least one if it is positive, that are
    /// evaluation tasks when no file or folder is. `0 <= held_out < 1`.
    pub held_out: f64,
    /// Built-in data: share of the tasks that follow two rules in turn, as
    /// `recolour+rotate-0001` does. `0 <= compose <= 1`.
    #[serde(default)]
    pub compose: f64,
}

/// Bounds memory: a set of all versions then still fits in a few gigabytes.
const N_AUGMENTATIONS_MAX: usize = 100_000;
const N_TASKS_MAX: usize = 100_000;

/// Up to here a canvas grows with the tasks of files: larger ones take more time
/// than whoever asks for a small model has.
const FITTED_CANVAS_MAX: usize = 12;

impl ArcConfig {
    /// Refuses settings outside their range.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] naming the first of them.
    pub fn check(&self) -> Result<(), TaskError> {
        let ranges = [
            ("canvas", self.canvas, 1, SIDE_MAX),
            ("augmentations", self.augmentations, 0, N_AUGMENTATIONS_MAX),
            ("n_train", self.n_train, 0, N_TASKS_MAX),
            ("n_eval", self.n_eval, 0, N_TASKS_MAX),
        ];
        for (field, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(TaskError::setting(field, format!("{low} to {high}"), value));
            }
        }
        check_held_out(self.held_out)?;
        if !(0.0..=1.0).contains(&self.compose) {
            return Err(TaskError::setting("compose", "0 to 1", self.compose));
        }
        Ok(())
    }

    /// The built-in training and evaluation tasks.
    fn built_in(&self) -> Result<Library, TaskError> {
        if self.n_train + self.n_eval == 0 {
            return Err(TaskError::setting("n_train", "positive, or task.n_eval", 0));
        }
        let mut built_in = BuiltIn::new(self.canvas, self.compose, self.seed)?;
        let mut library = Library::new();
        for (n_tasks, role) in [(self.n_train, Role::Training), (self.n_eval, Role::Evaluation)] {
            library.extend(built_in.draw(n_tasks, role, "")?);
        }
        Ok(library)
    }

    /// Tasks from files, or built-in tasks.
    fn library(&self, data: &[PathBuf]) -> Result<Library, TaskError> {
        self.check()?;
        if data.is_empty() { self.built_in() } else { Ok(library::read(data)?) }
    }
}

impl Encoding for ArcConfig {
    fn vocabulary(&self) -> Vocabulary {
        canvas::vocabulary()
    }

    fn n_cells(&self) -> usize {
        self.canvas.saturating_mul(self.canvas)
    }

    fn draw_panels(&self, view: &PuzzleView<'_>) -> Vec<Panel> {
        match self.check() {
            Ok(()) => arc::panels(self.canvas, view),
            Err(_) => characters(view),
        }
    }
}

impl FitToData for ArcConfig {
    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        let canvas = n_cells.isqrt();
        if canvas * canvas != n_cells || !(1..=SIDE_MAX).contains(&canvas) {
            let expected = format!("1 to {SIDE_MAX}");
            return Err(TaskError::setting("canvas", expected, format!("{n_cells} cells")));
        }
        Ok(Self { canvas, ..self })
    }

    /// Tasks of files are as large as they are, up to 12 by 12; a canvas that is
    /// larger already stays.
    fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError> {
        if data.is_empty() {
            return Ok(self);
        }
        let library = library::read_apart(data)?;
        let side = library.values().map(SolvedTask::side).max().unwrap_or(0);
        Ok(Self { canvas: self.canvas.max(side.min(FITTED_CANVAS_MAX)), ..self })
    }
}

impl DataSource for ArcConfig {
    fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let held_out = if data.is_empty() { 0.0 } else { self.held_out };
        Ok(Box::new(ArcData::new(self, self.library(data)?, held_out)?))
    }

    fn open_for_inspection(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        if data.is_empty() {
            return self.open(data);
        }
        self.check()?;
        Ok(Box::new(ArcData::new(self, library::read_apart(data)?, self.held_out)?))
    }

    fn open_for_eval(
        &self,
        data: &[PathBuf],
        identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let mut library = self.library(data)?;
        if data.is_empty() {
            library.retain(|_, task| task.role == Role::Evaluation);
        }
        let paths: Vec<_> = data.iter().map(|path| path.display().to_string()).collect();
        Ok(Box::new(ArcData::for_eval(self, library, paths.join(", "), identifiers)?))
    }
}

impl Queries for ArcConfig {
    fn parse_queries(
        &self,
        text: &str,
        place: &str,
        identifiers: &[String],
    ) -> Result<Vec<Box<dyn Query>>, TaskError> {
        self.check()?;
        query::parse(text, place, identifiers, self.canvas)
    }

    /// The file of the ARC contest.
    fn export_answers(&self, answers: &[Answer]) -> Document {
        let text = submission::to_json(&query::submission(answers));
        Document { name: "submission.json", text }
    }
}

impl Generate for ArcConfig {
    /// One of the built-in evaluation tasks, so that a model that was trained on the
    /// built-in data has an identifier for it.
    fn example(&self, seed: u64) -> Result<String, TaskError> {
        let library = self.library(&[])?;
        let has_evaluation = self.n_eval > 0;
        let is_candidate = |task: &&SolvedTask| !has_evaluation || task.role == Role::Evaluation;
        let candidates: Vec<_> = library.iter().filter(|(_, task)| is_candidate(task)).collect();
        let mut rng = stream(seed, "arc example");
        let (id, task) = candidates[rng.random_range(0..candidates.len() as u32) as usize];
        Ok(json::combined([(id.as_str(), &task.to_task())]))
    }

    /// A combined file. Ids hold the seed, so that a model of the built-in
    /// data does not take them for the tasks that it knows.
    fn generate(&self, n: usize, seed: u64, out: &mut dyn Write) -> Result<(), TaskError> {
        self.check()?;
        if n > N_TASKS_MAX {
            return Err(TaskError::setting("n", format!("at most {N_TASKS_MAX}"), n));
        }
        let mut built_in = BuiltIn::new(self.canvas, self.compose, seed)?;
        let drawn = built_in.draw(n, Role::Training, &format!("-{seed}"))?;
        let tasks: Vec<_> = drawn.iter().map(|(id, solved)| (id, solved.to_task())).collect();
        let text = json::combined(tasks.iter().map(|(id, task)| (id.as_str(), task)));
        Ok(out.write_all(text.as_bytes()).map_err(PuzzleError::Output)?)
    }
}

impl PreparedRows for ArcConfig {
    fn row_decoder(&self) -> Result<Box<dyn RowDecoder>, TaskError> {
        self.check()?;
        Ok(Box::new(Canvases { side: self.canvas }))
    }
}
