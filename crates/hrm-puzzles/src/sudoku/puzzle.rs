//! A puzzle with its answer, as stored in files.

use super::line::board_of_field;
use super::notation::Notation;
use super::{Board, Shape};
use crate::PuzzleError;
use crate::records::{Located, Record};

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Puzzle {
    /// The board with blanks.
    pub question: Board,
    /// The solved board.
    pub answer: Board,
    /// Difficulty on the scale of its file, if known.
    pub rating: Option<u64>,
}

impl Puzzle {
    /// Reads a record whose answer obeys the rules and keeps the givens.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] naming the field and the problem.
    pub fn from_record(located: &Located, shape: Shape) -> Result<Self, PuzzleError> {
        let Located { record, .. } = located;
        let place = located.field("question");
        let question = board_of_field(shape, &record.question, &place)?;
        let answer = board_of_field(shape, &record.answer, &located.field("answer"))?;
        let notation = Notation::of(shape, &question, &answer, &place)?;
        let question = Board::new(shape, notation.cells(shape, &question, &place)?);
        let answer = notation.cells(shape, &answer, &located.field("answer"))?;
        let answer = Board::new(shape, answer);
        let rejected = |expected: &str, found: String| {
            Err(PuzzleError::malformed(located.field("answer"), expected, found))
        };
        if let Some(cell) = answer.cells().iter().position(|digit| *digit == 0) {
            return rejected(
                "a digit in every cell",
                format!("a blank at {}", shape.name_of(cell)),
            );
        }
        if let Some(clash) = answer.clash(shape) {
            let found = format!("{clash}{}", clash.boxes_in_words(shape));
            return rejected("a board that obeys the rules", found);
        }
        if !answer.keeps(&question) {
            return rejected("the givens of the question", "other digits".to_owned());
        }
        let rating = rating(&record.rating);
        Ok(Self { question, answer, rating })
    }

    /// Converts the puzzle to a record.
    pub fn to_record(&self) -> Record {
        Record {
            source: String::new(),
            question: self.question.to_text(),
            answer: self.answer.to_text(),
            rating: self.rating.map_or(String::new(), |rating| rating.to_string()),
        }
    }
}

/// A rating in whole numbers, which some files write as `7.0`.
fn rating(text: &str) -> Option<u64> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.trim_end_matches('0').strip_suffix('.')?.parse().ok())
}

impl Board {
    /// Checks whether this is a correct answer to `question`, by the rules only.
    ///
    /// # Errors
    ///
    /// The first broken rule, as a sentence.
    pub fn check_answer(&self, shape: Shape, question: &Self) -> Result<(), String> {
        let cells = || question.cells().iter().zip(self.cells()).enumerate();
        if let Some((cell, _)) = cells().find(|(_, (_, digit))| **digit == 0) {
            return Err(format!("{} is empty", shape.name_of(cell)));
        }
        let changed = cells().find(|(_, (given, digit))| **given != 0 && given != digit);
        if let Some((cell, (given, digit))) = changed {
            return Err(format!("{} was given {given} and became {digit}", shape.name_of(cell)));
        }
        self.clash(shape).map_or(Ok(()), |clash| Err(clash.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_checked_by_the_rules_and_the_givens() {
        let shape = Shape::new(4).unwrap();
        let board = |text| Board::parse(shape, text, "test").unwrap();
        let check = |question, answer| board(answer).check_answer(shape, &board(question)).err();
        const PUZZLE: &str = "1..........4....";
        let why = "row 3, column 4 was given 4 and became 3";
        assert_eq!(check(PUZZLE, "1234341224134321").as_deref(), Some(why));
        let open = "1...............";
        assert_eq!(check(open, "1234341221434321"), None);
        assert_eq!(check(open, "1234341221434322").as_deref(), Some("row 4 holds 2 twice"));
        assert_eq!(check(open, "123434122143432.").as_deref(), Some("row 4, column 4 is empty"));
    }
}
