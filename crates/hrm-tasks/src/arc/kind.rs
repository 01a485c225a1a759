//! ARC as a kind of puzzle: opening data, generating, queries.

use std::io::Write;
use std::path::{Path, PathBuf};

use hrm_base::rng::stream;
use hrm_puzzles::PuzzleError;
use hrm_puzzles::arc::library::{self, Library, Loaded};
use hrm_puzzles::arc::{self, BuiltIn, OnConflict, Role, SIDE_MAX, SolvedTask, json, submission};
use hrm_puzzles::picture::{Panel, PuzzleView, characters};
use hrm_train::task::Document;
use rand::Rng;

use super::config::{ArcConfig, N_TASKS_MAX};
use super::data::ArcData;
use super::decoder::Canvases;
use super::{canvas, query};
use crate::error::TaskError;
use crate::query::{Answer, Query};
use crate::traits::{
    DataSource, Encoding, FitToData, Generate, PreparedRows, PuzzleTask, Queries, QueryStream,
    RowDecoder,
};
use crate::vocabulary::Vocabulary;

/// Largest side to which a canvas grows to hold the tasks of files. A larger canvas takes
/// more time than a user of a small model expects.
const FITTED_CANVAS_MAX: usize = 12;

impl ArcConfig {
    /// The built-in training and evaluation tasks.
    fn built_in(&self) -> Result<Library, TaskError> {
        if self.n_train + self.n_eval == 0 {
            return Err(TaskError::setting("n_train", "positive if task.n_eval is 0", 0));
        }
        let mut built_in = BuiltIn::new(self.canvas, self.compose, self.seed)?;
        let mut library = Library::new();
        for (n_tasks, role) in [(self.n_train, Role::Training), (self.n_eval, Role::Evaluation)] {
            library.extend(built_in.sample(n_tasks, role, "")?);
        }
        Ok(library)
    }

    /// Tasks from files, or built-in tasks.
    fn library(&self, data: &[PathBuf]) -> Result<Loaded, TaskError> {
        self.check()?;
        if data.is_empty() {
            return Ok(Loaded { library: self.built_in()?, notes: Vec::new() });
        }
        Ok(library::read(data, self.on_conflict)?)
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

    /// The canvas grows to hold the tasks of the files, up to 12 by 12; it never shrinks.
    fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError> {
        if data.is_empty() {
            return Ok(self);
        }
        let library = library::read_apart(data)?.library;
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
        // Without a rule, all tasks are shown.
        let loaded = match self.on_conflict {
            OnConflict::Error => library::read_apart(data)?,
            rule => library::read(data, rule)?,
        };
        Ok(Box::new(ArcData::new(self, loaded, self.held_out)?))
    }

    fn are_named_alike(&self, path: &Path, other: &Path) -> bool {
        library::are_named_alike(path, other)
    }

    fn open_for_eval(
        &self,
        data: &[PathBuf],
        identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let mut loaded = self.library(data)?;
        let n_all = loaded.library.len();
        let has_evaluation = loaded.library.values().any(|task| task.role == Role::Evaluation);
        if data.is_empty() || has_evaluation {
            loaded.library.retain(|_, task| task.role == Role::Evaluation);
        }
        match n_all - loaded.library.len() {
            n if n > 0 && !data.is_empty() => loaded.notes.push(format!(
                "{n} of {n_all} tasks are for training and are not evaluated; to evaluate them, \
                 name only their files"
            )),
            _ => {}
        }
        let paths: Vec<_> = data.iter().map(|path| path.display().to_string()).collect();
        Ok(Box::new(ArcData::for_eval(self, loaded, paths.join(", "), identifiers)?))
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

    /// The tasks of all files of the folder.
    fn queries_of_folder(
        &self,
        folder: &Path,
        identifiers: &[String],
    ) -> Result<(QueryStream, Vec<String>), TaskError> {
        self.check()?;
        let (tasks, notes) = library::unsolved_tasks(folder)?;
        let place = folder.display().to_string();
        let queries = query::of_tasks(tasks, &place, identifiers, self.canvas)?;
        Ok((Box::new(queries.into_iter().map(Ok)), notes))
    }

    /// A submission file of the ARC Prize contest.
    fn export_answers(&self, answers: &[Answer]) -> Document {
        let text = submission::to_json(&query::submission(answers));
        Document { name: "submission.json", text }
    }

    fn stand_in(&self) -> Option<&'static str> {
        Some("a single black cell")
    }
}

impl Generate for ArcConfig {
    fn settings_of_generator(&self) -> &'static [&'static str] {
        &["n_train", "n_eval", "compose"]
    }

    /// One of the built-in evaluation tasks, so that a model that was trained on the
    /// built-in data has an identifier for it.
    fn example(&self, seed: u64) -> Result<String, TaskError> {
        let library = self.library(&[])?.library;
        let has_evaluation = self.n_eval > 0;
        let is_candidate = |task: &&SolvedTask| !has_evaluation || task.role == Role::Evaluation;
        let candidates: Vec<_> = library.iter().filter(|(_, task)| is_candidate(task)).collect();
        let mut rng = stream(seed, "arc example");
        let (id, task) = candidates[rng.random_range(0..candidates.len() as u32) as usize];
        Ok(json::combined([(id.as_str(), &task.to_task())]))
    }

    /// One JSON file with all tasks. Their ids contain the seed, so that a model trained on
    /// the built-in data does not mistake them for the tasks that it knows.
    fn generate(&self, n: usize, seed: u64, out: &mut dyn Write) -> Result<(), TaskError> {
        self.check()?;
        if n > N_TASKS_MAX {
            return Err(TaskError::setting("n", format!("at most {N_TASKS_MAX}"), n));
        }
        let mut built_in = BuiltIn::new(self.canvas, self.compose, seed)?;
        let sampled = built_in.sample(n, Role::Training, &format!("-{seed}"))?;
        let tasks: Vec<_> = sampled.iter().map(|(id, solved)| (id, solved.to_task())).collect();
        let text = json::combined(tasks.iter().map(|(id, task)| (id.as_str(), task)));
        Ok(out.write_all(text.as_bytes()).map_err(PuzzleError::Output)?)
    }
}

impl PreparedRows for ArcConfig {
    fn settings_of_rows(&self) -> Option<&'static [&'static str]> {
        Some(&["canvas"])
    }

    fn row_decoder(&self) -> Result<Box<dyn RowDecoder>, TaskError> {
        self.check()?;
        Ok(Box::new(Canvases { side: self.canvas }))
    }
}
