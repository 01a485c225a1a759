//! The interface of puzzles with rules.

use hrm_base::rng::ChaCha8Rng;

use super::{Grid, draw};
use crate::{PuzzleError, Style};

/// A puzzle on grids of one size, with rules that determine which answers are correct.
///
/// An implementation's fields are the settings of the puzzle, such as its side.
pub trait Rules: Send + Sync {
    /// Short name in lower case.
    fn name(&self) -> &'static str;

    /// Number of rows and columns of every question and answer.
    fn size(&self) -> (usize, usize);

    /// All characters of questions and answers, each once.
    fn alphabet(&self) -> String;

    /// The character of cells that are to be filled, if all other cells of a question are
    /// given and must not change. `None` if answers may change any cell.
    fn blank(&self) -> Option<char> {
        None
    }

    /// Samples a question, with an answer that [`check_answer`](Self::check_answer)
    /// accepts.
    fn puzzle(&self, rng: &mut ChaCha8Rng) -> (Grid, Grid);

    /// Checks an answer. Both grids have [`size`](Self::size), but the answer may come
    /// from a model, so its cells may hold any character.
    ///
    /// # Errors
    ///
    /// A sentence that names the first broken rule and the place.
    fn check_answer(&self, question: &Grid, answer: &Grid) -> Result<(), String>;

    /// Renders question and answer for people; ends in a newline.
    fn draw(&self, question: &Grid, answer: &Grid, style: Style) -> String {
        draw::pair(question, answer, style)
    }

    /// Checks that the settings are in range. Errors should name a setting by its path,
    /// e.g. `rules.side`.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] naming the first setting that is out of range.
    fn check_settings(&self) -> Result<(), PuzzleError> {
        Ok(())
    }
}
