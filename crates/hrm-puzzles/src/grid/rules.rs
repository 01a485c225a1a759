//! Puzzles with rules: what their author writes.

use hrm_base::rng::ChaCha8Rng;

use super::{Grid, draw};
use crate::{PuzzleError, Style};

/// A puzzle on grids of one size, with rules that decide which answers are right.
///
/// The value holds the puzzle's own settings, such as its side.
pub trait Rules: Send + Sync {
    /// Short lower-case name.
    fn name(&self) -> &'static str;

    /// Rows and columns of every question and answer.
    fn size(&self) -> (usize, usize);

    /// The characters of questions and answers, each once.
    fn alphabet(&self) -> String;

    /// A question and an answer to it, which [`check_answer`](Self::check_answer) accepts.
    fn puzzle(&self, rng: &mut ChaCha8Rng) -> (Grid, Grid);

    /// Whether an answer is right. Both grids have [`size`](Self::size), but
    /// the answer is the model's: any character may stand anywhere.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words: the first rule that it breaks, and
    /// where.
    fn check_answer(&self, question: &Grid, answer: &Grid) -> Result<(), String>;

    /// Question and answer as people see them, ending in a newline.
    fn draw(&self, question: &Grid, answer: &Grid, style: Style) -> String {
        draw::pair(question, answer, style)
    }

    /// Makes sure that the settings are in range. Name them `rules.side` and
    /// the like.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] naming the first that is not.
    fn check_settings(&self) -> Result<(), PuzzleError> {
        Ok(())
    }
}
