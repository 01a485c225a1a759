//! The interface of a kind of puzzle, one trait per job.
//!
//! ```text
//! Encoding       puzzles as token ids: vocabulary, number of cells, pictures
//! DataSource     training and evaluation data, from files or the generator
//! FitToData      settings that follow the data: board size, characters
//! Queries        puzzles to solve from text, answers as files
//! Generate       generated puzzles as files
//! PreparedRows   rows of token ids from data sets that the published code prepared
//! ```
//!
//! A kind is plain data, its settings, stored with every checkpoint. [`PuzzleKind`] is all
//! of them together. Kinds whose question and answer are one grid of cells each implement
//! the traits of [`cells`](crate::cells) instead and get these in return.

use std::any::Any;
use std::io::Write;
use std::path::{Path, PathBuf};

use hrm_puzzles::picture::{Panel, PuzzleView, characters};
use hrm_puzzles::stats::Distribution;
use hrm_puzzles::text::Text;
use hrm_puzzles::{Leak, Style};
use hrm_train::task::{Document, RowId, Scorer, Task};

use crate::published::{Imported, Layout, Sample};
use crate::query::answers_to_csv;
use crate::{Answer, Query, TaskError, TokenView, Vocabulary};

/// Puzzles as token ids.
pub trait Encoding {
    /// The vocabulary of its cells.
    fn vocabulary(&self) -> Vocabulary;

    /// Cells per puzzle; 0 for settings that have not been fitted to data.
    fn n_cells(&self) -> usize;

    /// Draws the characters of a puzzle, one panel per part, with the wrong cells of a
    /// prediction marked. Accepts anything: slices of other lengths, characters that the
    /// puzzle does not have.
    fn draw_panels(&self, view: &PuzzleView<'_>) -> Vec<Panel> {
        characters(view)
    }

    /// [`draw_panels`](Self::draw_panels) from token ids.
    fn panels(&self, view: &TokenView<'_>) -> Vec<Panel> {
        let vocabulary = self.vocabulary();
        let symbols = |ids: &[u32]| vocabulary.symbols_of(ids);
        let (question, answer) = (symbols(view.inputs), symbols(view.labels));
        let prediction = view.prediction.map(symbols);
        let prediction = prediction.as_deref();
        self.draw_panels(&PuzzleView { question: &question, prediction, answer: &answer })
    }
}

/// Training and evaluation data.
pub trait DataSource {
    /// Opens training and evaluation data; without paths, those of the built-in generator.
    /// Data sets that the published code prepared are opened by
    /// [`TaskConfig::open`](crate::TaskConfig::open), for all kinds.
    ///
    /// # Errors
    ///
    /// [`TaskError`] naming the wrong setting, or the file and place of the error.
    fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError>;

    /// As [`open`](Self::open), for inspection only: files that contradict each other are
    /// opened too, so that [`leaks`](PuzzleTask::leaks) can report them.
    ///
    /// # Errors
    ///
    /// See [`open`](Self::open); contradictory files are not an error.
    fn open_for_inspection(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        self.open(data)
    }

    /// Whether files mean the same at another path, where puzzles may be named after files and
    /// folders, or these names say what puzzles are for. Both paths are absolute.
    fn are_named_alike(&self, path: &Path, other: &Path) -> bool {
        let _ = (path, other);
        true
    }

    /// Opens evaluation data only, for a model that knows `identifiers`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    fn open_for_eval(
        &self,
        data: &[PathBuf],
        identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError>;
}

/// Settings that follow the data.
pub trait FitToData: Sized {
    /// The same settings for puzzles of `n_cells` cells.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if this kind has no puzzles of that size.
    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError>;

    /// The same settings for the rows of a prepared data set.
    ///
    /// # Errors
    ///
    /// As [`with_cells`](Self::with_cells), and if the rows do not determine a setting.
    fn with_rows(self, sample: &Sample) -> Result<Self, TaskError> {
        self.with_cells(sample.n_cells)
    }

    /// The same settings, with size and characters taken from the puzzles in `data`. Without
    /// data nothing changes.
    ///
    /// # Errors
    ///
    /// [`TaskError`] for data that cannot be read, or are not puzzles of this kind.
    fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError>;
}

/// Puzzles to solve, or why one of them cannot be read.
pub type QueryStream = Box<dyn Iterator<Item = Result<Box<dyn Query>, TaskError>>>;

/// Largest length of a text of puzzles that are read together.
const N_TEXT_BYTES_MAX: u64 = 256 << 20;

/// Puzzles to solve.
pub trait Queries {
    /// Reads puzzles to solve from `text`; messages call its origin `place`.
    ///
    /// # Errors
    ///
    /// [`TaskError`] naming what is wrong with the text, and where.
    fn parse_queries(
        &self,
        text: &str,
        place: &str,
        identifiers: &[String],
    ) -> Result<Vec<Box<dyn Query>>, TaskError>;

    /// Reads puzzles to solve one after another, so that they need not fit in memory. An
    /// error within concerns one puzzle and names its place, except for
    /// [`PuzzleError::Read`](hrm_puzzles::PuzzleError::Read), which is the last.
    ///
    /// # Errors
    ///
    /// [`TaskError`] if the text cannot be read at all.
    fn queries(&self, text: Text, identifiers: &[String]) -> Result<QueryStream, TaskError> {
        let name = text.name().to_owned();
        let text = text.whole(N_TEXT_BYTES_MAX)?;
        let queries = self.parse_queries(&text, &name, identifiers)?;
        Ok(Box::new(queries.into_iter().map(Ok)))
    }

    /// Reads the puzzles to solve in the files of a folder, with notes about what was passed
    /// over.
    ///
    /// # Errors
    ///
    /// As [`queries`](Self::queries); always for puzzles of which a file holds many.
    fn queries_of_folder(
        &self,
        folder: &Path,
        _identifiers: &[String],
    ) -> Result<(QueryStream, Vec<String>), TaskError> {
        let place = folder.display().to_string();
        Err(TaskError::malformed(place, "a file of puzzles", "a folder; name a file in it"))
    }

    /// Whether [`export_answers`](Self::export_answers) writes a table with one row for each
    /// query, so that answers need not be kept.
    fn answers_are_rows(&self) -> bool {
        false
    }

    /// What [`export_answers`](Self::export_answers) writes for a query that is
    /// [refused](Query::refusal), where the format asks for an answer to every query.
    fn stand_in(&self) -> Option<&'static str> {
        None
    }

    /// A file with the answers to queries, in order.
    fn export_answers(&self, answers: &[Answer]) -> Document {
        Document { name: "answers.csv", text: answers_to_csv(answers) }
    }
}

/// Generated puzzles.
pub trait Generate {
    /// The settings that only generated puzzles obey, and not those of files.
    fn settings_of_generator(&self) -> &'static [&'static str];

    /// A generated puzzle as text that [`Queries::parse_queries`] reads.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if the settings allow no puzzle.
    fn example(&self, seed: u64) -> Result<String, TaskError>;

    /// Writes `n` generated puzzles in the file format of the kind, each as soon as it is
    /// found.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if the settings allow no puzzle or fewer than `n`, and
    /// failed writes.
    fn generate(&self, n: usize, seed: u64, out: &mut dyn Write) -> Result<(), TaskError>;
}

/// Rows of prepared data sets, which hold token ids instead of puzzles.
pub trait PreparedRows {
    /// The settings that rows obey; all others are for puzzles. `None` if the published code
    /// prepares no data sets of this kind.
    fn settings_of_rows(&self) -> Option<&'static [&'static str]>;

    /// The decoder of rows of this kind.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] naming the wrong setting, or if the published code
    /// prepares no data sets of this kind.
    fn row_decoder(&self) -> Result<Box<dyn RowDecoder>, TaskError>;
}

/// The complete interface of a kind of puzzle.
pub trait PuzzleKind: Encoding + DataSource + Queries + Generate + PreparedRows {}

impl<K: Encoding + DataSource + Queries + Generate + PreparedRows> PuzzleKind for K {}

/// Interprets rows of token ids of one kind of puzzle.
pub trait RowDecoder: Send + Sync {
    /// As [`PuzzleTask::draw`].
    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String;

    /// An empty score sheet, as [`Task::scorer`].
    fn scorer<'a>(&'a self, name_of: NameOf<'a>) -> Box<dyn Scorer + 'a>;

    /// Makes sure that the question `inputs` is one of this kind: data of another may have as
    /// many cells and token ids.
    ///
    /// # Errors
    ///
    /// [`TaskError`] with what is wrong with the question, found at `place`.
    fn check(&self, inputs: &[u32], place: &str) -> Result<(), TaskError> {
        let _ = (inputs, place);
        Ok(())
    }

    /// Whether a question decides which answers are right, so that
    /// [`check_answer`](Self::check_answer) can tell.
    fn has_rules(&self) -> bool {
        false
    }

    /// Makes sure that the question `inputs` has the answer `labels`, as readers of puzzle files
    /// do. Labels that are padding are unknown.
    ///
    /// # Errors
    ///
    /// [`TaskError`] with what is wrong, found at `place()`.
    fn check_answer(
        &self,
        inputs: &[u32],
        labels: &[u32],
        place: &dyn Fn() -> String,
    ) -> Result<(), TaskError> {
        let _ = (inputs, labels, place);
        Ok(())
    }

    /// The base puzzles of a data set, as files that [`DataSource::open`] reads.
    fn import(&self, layout: &Layout) -> Imported;
}

/// The name of the puzzle identifier of a row.
pub type NameOf<'a> = Box<dyn Fn(RowId) -> &'a str + 'a>;

/// How many puzzle identifiers of some data a model does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownNames {
    /// Number of names that the model does not know.
    pub n_unknown: usize,
    /// Number of all names, the blank one excluded.
    pub n_names: usize,
}

/// A [`Task`] with the puzzles behind its rows.
pub trait PuzzleTask: Task + Any {
    /// Name of every puzzle identifier, the blank one (`<blank>`) first.
    fn identifiers(&self) -> &[String];

    /// Question and answer as text, side by side where they fit, ending in a newline.
    /// `labels` may be a prediction.
    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String;

    /// Statistics of the base puzzles, by name: counts, sizes, difficulty.
    fn stats(&self) -> Vec<(String, f64)>;

    /// The base puzzles of both sides, as files by name. A folder of them opens to the
    /// same rows. `None` if only the rows are known.
    fn base_puzzles(&self) -> Option<Vec<(&'static str, String)>> {
        None
    }

    /// The tasks that TRM's evaluation scores, as the file that it reads; only for ARC, and if
    /// the tasks are known.
    fn test_puzzles(&self) -> Option<String> {
        None
    }

    /// Distributions of ratings, sizes, colours and the like over the base puzzles.
    fn distributions(&self) -> Vec<Distribution> {
        Vec::new()
    }

    /// Evaluation puzzles that the training side contains too, up to the symmetries of the
    /// puzzle.
    fn leaks(&self) -> Vec<Leak> {
        Vec::new()
    }

    /// Evaluation puzzles that are among the training puzzles of `trained`, as
    /// [`leaks`](Self::leaks); `None` if only the rows of both can be compared.
    fn leaks_from(&self, trained: &dyn PuzzleTask) -> Option<Vec<Leak>> {
        let _ = trained;
        None
    }

    /// Whether the versions of puzzles are stored, and not computed when they are read.
    fn has_stored_versions(&self) -> bool {
        false
    }

    /// How many names of the data the model that is evaluated does not know; `None` for data
    /// or a model without names, or that was not opened for a model.
    fn unknown_names(&self) -> Option<UnknownNames> {
        None
    }

    /// Notes for the user, e.g. how many tasks were left out and why.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Generated puzzles as text.
    pub(crate) fn generated(
        kind: &(impl Generate + ?Sized),
        n: usize,
        seed: u64,
    ) -> Result<String, TaskError> {
        let mut text = Vec::new();
        kind.generate(n, seed, &mut text)?;
        Ok(String::from_utf8(text).expect("puzzles are text"))
    }
}
