//! What the command line knows of a kind of puzzle.
//!
//! The trainer needs only a [`Task`]. People also generate, look at, pose and
//! check puzzles: that is a [`Family`], one value per config section `task`.

use std::io::Write;
use std::path::PathBuf;

use hrm_train::task::{Document, RowId, Scorer, Task};

use crate::picture::{self, Panel, Shown};
use crate::published::{Imported, Layout};
use crate::{TaskError, Vocabulary};

/// A kind of puzzle with its settings: board size, augmentations, seed.
///
/// A family is plain data, stored with every checkpoint.
pub trait Family {
    /// The vocabulary that encodes its cells.
    fn vocabulary(&self) -> Vocabulary;

    /// Cells per puzzle; 0 before settings that follow the data are
    /// [fitted](Self::fitted_to) to some.
    fn n_cells(&self) -> usize;

    /// Reads rows that come without the puzzles they were made of.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] naming the setting that is wrong, or if rows of
    /// this kind say too little.
    fn interpreter(&self) -> Result<Box<dyn Interpreter>, TaskError> {
        let expected = "a kind that the published code prepares: sudoku, maze or arc";
        Err(TaskError::setting("kind", expected, "another"))
    }

    /// Training and evaluation data. No paths: the built-in generator's.
    /// Prepared data sets of the published code are opened by
    /// [`TaskConfig::open`](crate::TaskConfig::open), for all kinds.
    ///
    /// # Errors
    ///
    /// [`TaskError`] naming the setting, or the file and place, that is wrong.
    fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError>;

    /// As [`open`](Self::open), to be looked at and not learnt: data in which
    /// files contradict each other are opened too, so that
    /// [`leaks`](PuzzleTask::leaks) can say where.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), otherwise.
    fn survey(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        self.open(data)
    }

    /// The same settings for puzzles of `n_cells` cells.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if there is no such puzzle of this kind.
    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError>
    where
        Self: Sized;

    /// Cells per puzzle in `data`, where the data leave only one choice.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    fn cells_in(&self, data: &[PathBuf]) -> Result<Option<usize>, TaskError> {
        let _ = data;
        Ok(None)
    }

    /// The same settings for the puzzles in `data`: their size, their characters.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`with_cells`](Self::with_cells).
    fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError>
    where
        Self: Sized,
    {
        match self.cells_in(data)? {
            Some(n_cells) => self.with_cells(n_cells),
            None => Ok(self),
        }
    }

    /// Evaluation data only, for a model that knows `identifiers`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    fn open_for_eval(
        &self,
        data: &[PathBuf],
        identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError>;

    /// Puzzles somebody wants solved, read from `text`; messages call its
    /// origin `place`.
    ///
    /// # Errors
    ///
    /// [`TaskError::Malformed`] naming what is wrong with the text.
    fn pose(
        &self,
        text: &str,
        place: &str,
        identifiers: &[String],
    ) -> Result<Vec<Box<dyn Posed>>, TaskError>;

    /// Answers to posed puzzles, in their order, as a file to hand in.
    fn hand_in(&self, answers: &[Answer]) -> Document {
        Document { name: "answers.csv", text: answers_to_csv(answers) }
    }

    /// A text that [`pose`](Self::pose) accepts, drawn from the generator.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if the settings allow no puzzle.
    fn example(&self, seed: u64) -> Result<String, TaskError>;

    /// Writes `n` generated puzzles in the family's file format, as they come.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if the settings allow no puzzle or not so many,
    /// [`TaskError::Output`] if they cannot be written.
    fn generate(&self, n: usize, seed: u64, out: &mut dyn Write) -> Result<(), TaskError>;

    /// A puzzle as panels of cells, one for each part that is shown, with the
    /// wrong cells of a prediction marked. Draws whatever it is given: slices of
    /// another length, ids that are no token.
    fn panels(&self, shown: &Shown<'_>) -> Vec<Panel> {
        picture::characters(&self.vocabulary(), shown)
    }
}

/// What a family generates, as text.
///
/// # Panics
///
/// If the text is not UTF-8.
#[cfg(test)]
pub(crate) fn generated(
    family: &(impl Family + ?Sized),
    n: usize,
    seed: u64,
) -> Result<String, TaskError> {
    let mut text = Vec::new();
    family.generate(n, seed, &mut text)?;
    Ok(String::from_utf8(text).expect("puzzles are text"))
}

/// Answers as a table `question,answer,valid,why`, a line each; `valid` is
/// empty where the rules cannot tell.
pub(crate) fn answers_to_csv(answers: &[Answer]) -> String {
    let mut table = csv::Writer::from_writer(Vec::new());
    let written = (|| {
        table.write_record(["question", "answer", "valid", "why"])?;
        for answer in answers {
            let (valid, why) = match &answer.verdict {
                Verdict::Valid | Verdict::Expected => ("true", ""),
                Verdict::Invalid(why) => ("false", why.as_str()),
                Verdict::Unchecked(why) => ("", why.as_str()),
            };
            table.write_record([&answer.puzzle, &answer.text, valid, why])?;
        }
        table.flush()
    })();
    written.expect("memory can be written");
    let bytes = table.into_inner().expect("everything is flushed");
    String::from_utf8(bytes).expect("fields are text")
}

/// What token ids mean to a kind of puzzle, where there is nothing but ids:
/// rows of a prepared data set.
pub trait Interpreter: Send + Sync {
    /// As [`PuzzleTask::draw`].
    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String;

    /// An empty score sheet, as [`Task::scorer`].
    fn scorer<'a>(&'a self, name_of: NameOf<'a>) -> Box<dyn Scorer + 'a>;

    /// The base puzzles of a data set, in files that
    /// [`open`](Family::open) reads.
    fn import(&self, layout: &Layout) -> Imported;
}

/// Tells the name of the puzzle identifier of a row.
pub type NameOf<'a> = Box<dyn Fn(RowId) -> &'a str + 'a>;

/// A [`Task`] that can also be looked at.
pub trait PuzzleTask: Task {
    /// Name of every puzzle identifier, the blank one (`<blank>`) first.
    fn identifiers(&self) -> &[String];

    /// Question and answer, side by side where they fit, ending in a newline.
    /// `labels` may be a prediction.
    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String;

    /// Figures about the base puzzles, by name: counts, sizes, difficulty.
    fn stats(&self) -> Vec<(String, f64)>;

    /// The base puzzles of both sides, as files by name. A folder of them is
    /// data that opens to the same rows. `None` where there are only rows.
    fn base_puzzles(&self) -> Option<Vec<(&'static str, String)>> {
        None
    }

    /// How ratings, sizes, colours and the like are spread over the base puzzles.
    fn distributions(&self) -> Vec<Distribution> {
        Vec::new()
    }

    /// Puzzles of the evaluation side that the training side holds too, up to
    /// the symmetries of the puzzle.
    fn leaks(&self) -> Vec<Leak> {
        Vec::new()
    }

    /// Remarks a user should read once, e.g. tasks left out and why.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// How often each value of a property occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// What is counted, e.g. `training path length`.
    pub name: String,
    /// Values, or ranges of them, in order, with their counts.
    pub bins: Vec<(String, u64)>,
}

/// A puzzle that is on both sides of the split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The puzzle as the evaluation side has it: a name, or file and line.
    pub eval: String,
    /// The same puzzle as the training side has it.
    pub train: String,
    /// What makes them the same, e.g. `turned or flipped`.
    pub why: &'static str,
}

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Characters only, for files and pipes.
    Plain,
    /// With ANSI colours, for terminals.
    Ansi,
}

/// One question to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Token ids, `[n_cells]`.
    pub inputs: Vec<u32>,
    /// Puzzle identifier; blank if the model does not know the puzzle.
    pub puzzle_id: u32,
}

/// What the model says to one [`Question`].
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// Most likely token of each cell, `[n_cells]`.
    pub tokens: Vec<u32>,
    /// Halting logit: how sure the model is.
    pub q_halt: f32,
    /// Segments it took.
    pub n_segments: usize,
}

/// A puzzle somebody wants solved.
pub trait Posed {
    /// What to ask the model: several questions when versions vote.
    fn questions(&self) -> Vec<Question>;

    /// The answer that `replies` (one per question, in order) amount to.
    ///
    /// # Panics
    ///
    /// If there are not as many replies as questions.
    fn answer(&self, replies: &[Reply], style: Style) -> Answer;
}

/// The model's answer to a posed puzzle.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The task, or the puzzle itself where it has no other name.
    pub puzzle: String,
    /// The puzzle and the answer, with filled cells marked; ends in a newline.
    pub drawing: String,
    /// The answer in the form the puzzle was given in.
    pub text: String,
    /// Another answer, in the same form, where two may be given.
    pub second: Option<String>,
    /// Whether it is right, as far as that can be told.
    pub verdict: Verdict,
    /// The reply that was taken.
    pub reply_idx: usize,
}

/// Whether an answer is right: by the rules, or by the label where a puzzle has
/// no rules to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every rule holds.
    Valid,
    /// It is the label, where that alone can tell.
    Expected,
    /// The rule that is broken.
    Invalid(String),
    /// Why the rules cannot tell.
    Unchecked(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_a_table_with_their_verdicts() {
        let answer = |puzzle: &str, verdict| Answer {
            puzzle: puzzle.to_owned(),
            drawing: String::new(),
            text: "12".to_owned(),
            second: None,
            verdict,
            reply_idx: 0,
        };
        let answers = [
            answer("1.", Verdict::Valid),
            answer("1\n.", Verdict::Invalid("row 1, twice".to_owned())),
            answer("..", Verdict::Unchecked("no rules".to_owned())),
        ];
        let want = "question,answer,valid,why\n1.,12,true,\n\"1\n.\",12,false,\"row 1, twice\"\n\
                    ..,12,,no rules\n";
        assert_eq!(answers_to_csv(&answers), want);
    }
}
