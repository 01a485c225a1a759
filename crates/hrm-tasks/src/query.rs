//! Puzzles to solve, and the model's answers.

use std::io::{self, Write};

use hrm_core::PuzzleInput;
use hrm_puzzles::{Style, Verdict};

/// The model's output for one [`PuzzleInput`].
#[derive(Clone, Debug, PartialEq)]
pub struct ModelOutput {
    /// Most likely token of each cell, `[n_cells]`.
    pub tokens: Vec<u32>,
    /// Halting logit: the model's confidence in its answer.
    pub q_halt: f32,
    /// Number of segments run.
    pub n_segments: usize,
}

/// A puzzle to solve.
pub trait Query {
    /// The inputs of the model: several where augmented versions vote.
    fn inputs(&self) -> Vec<PuzzleInput>;

    /// The number of [`inputs`](Self::inputs).
    fn n_inputs(&self) -> usize {
        self.inputs().len()
    }

    /// Why the model cannot be asked, e.g. because the puzzle is too large for it. Such a
    /// query has no inputs, and its answer to no outputs is a stand-in.
    fn refusal(&self) -> Option<&str> {
        None
    }

    /// Changes the cells of `output` that the question fixes, such as the givens of a Sudoku
    /// or the walls of a maze, back to what the question says, where a kind of puzzle has
    /// such cells. Returns the number of changes.
    ///
    /// Solving a puzzle keeps givens; scores count the model's output as it is.
    fn keep_givens(&self, output: &mut ModelOutput) -> usize {
        let _ = output;
        0
    }

    /// Combines `outputs`, one per input in order, into an answer.
    ///
    /// # Panics
    ///
    /// If the number of outputs differs from the number of inputs.
    fn answer(&self, outputs: &[ModelOutput], style: Style) -> Answer;
}

/// The model's answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The name of the task, or the puzzle itself if it has no name.
    pub puzzle: String,
    /// Puzzle and answer as text, with filled cells marked; ends in a newline.
    pub drawing: String,
    /// The answer in the form in which the puzzle was written.
    pub text: String,
    /// A second attempt in the same form, where two are allowed.
    pub second: Option<String>,
    /// Whether the answer is right, as far as that can be checked.
    pub verdict: Verdict,
    /// Number of segments run for the output that the answer is based on.
    pub n_segments: usize,
}

/// The answer to a query with the cells that the question fixes kept, and the number of
/// such cells that the model had changed. `outputs` are as for [`Query::answer`].
///
/// # Panics
///
/// As [`Query::answer`].
pub fn answer_with_givens(
    query: &dyn Query,
    outputs: &[ModelOutput],
    style: Style,
) -> (Answer, usize) {
    let mut outputs = outputs.to_vec();
    let n_changed = outputs.iter_mut().map(|output| query.keep_givens(output)).sum();
    (query.answer(&outputs, style), n_changed)
}

/// The columns of a table of answers. `valid` is empty for answers that could not be checked.
const ANSWER_COLUMNS: [&str; 4] = ["question", "answer", "valid", "why"];

impl Answer {
    /// The row of this answer in a table with the columns `question,answer,valid,why`.
    fn row(&self) -> [&str; 4] {
        let (valid, why) = match &self.verdict {
            Verdict::Valid | Verdict::Expected => ("true", ""),
            Verdict::Invalid(why) => ("false", why.as_str()),
            Verdict::Unchecked(why) => ("", why.as_str()),
        };
        [&self.puzzle, &self.text, valid, why]
    }
}

/// A CSV table of answers, written a row at a time.
pub struct AnswerTable<W: Write>(csv::Writer<W>);

impl<W: Write> AnswerTable<W> {
    /// A table with its header, written to `out`.
    ///
    /// # Errors
    ///
    /// Failed writes.
    pub fn new(out: W) -> io::Result<Self> {
        let mut table = csv::Writer::from_writer(out);
        table.write_record(ANSWER_COLUMNS).map_err(cause)?;
        Ok(Self(table))
    }

    /// Appends an answer.
    ///
    /// # Errors
    ///
    /// Failed writes.
    pub fn write(&mut self, answer: &Answer) -> io::Result<()> {
        self.0.write_record(answer.row()).map_err(cause)
    }

    /// Appends a puzzle that could not be answered; `why` names its place.
    ///
    /// # Errors
    ///
    /// Failed writes.
    pub fn write_refused(&mut self, why: &str) -> io::Result<()> {
        self.0.write_record(["", "", "", why]).map_err(cause)
    }

    /// Writes what is left, and returns the output.
    ///
    /// # Errors
    ///
    /// Failed writes.
    pub fn finish(self) -> io::Result<W> {
        self.0.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// The failed write itself.
fn cause(err: csv::Error) -> io::Error {
    match err.into_kind() {
        csv::ErrorKind::Io(err) => err,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

/// Answers as a CSV table with the columns `question,answer,valid,why`.
pub(crate) fn answers_to_csv(answers: &[Answer]) -> String {
    let written = (|| {
        let mut table = AnswerTable::new(Vec::new())?;
        answers.iter().try_for_each(|answer| table.write(answer))?;
        table.finish()
    })();
    let bytes = written.expect("writing to memory succeeds");
    String::from_utf8(bytes).expect("fields are text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_a_table_with_verdicts() {
        let answer = |puzzle: &str, verdict| Answer {
            puzzle: puzzle.to_owned(),
            drawing: String::new(),
            text: "12".to_owned(),
            second: None,
            verdict,
            n_segments: 1,
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
