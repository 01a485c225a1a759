//! The symbols of a board: which stand for blanks, and what 0 means on large boards.

use super::Shape;
use crate::PuzzleError;
use crate::text::shown;

/// Symbols that stand for a blank, one of them per puzzle.
const BLANKS: &str = ".0_*?-xX·";

/// What the symbols of a puzzle mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notation {
    blank: Option<char>,
    /// Digits are 0 to F (or 0 to B) instead of 1 to G: 0 is written for the largest.
    pub(super) has_zero: bool,
}

/// Whether a character can be a digit or a blank of a board.
pub(super) fn is_symbol(shape: Shape, symbol: char) -> bool {
    BLANKS.contains(symbol) || digit(shape, symbol).is_some()
}

fn digit(shape: Shape, symbol: char) -> Option<u8> {
    let at = shape.digits().chars().position(|digit| digit == symbol.to_ascii_uppercase())?;
    Some(at as u8 + 1)
}

impl Notation {
    /// The notation of a puzzle, of which `answer` is the solved board if it is known.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] if two symbols could be blanks, or if 0 could be a digit
    /// as well as a blank.
    pub(super) fn of(
        shape: Shape,
        question: &str,
        answer: &str,
        place: &str,
    ) -> Result<Self, PuzzleError> {
        let is_in = |text: &str, symbol: char| text.chars().any(|other| other == symbol);
        let blanks: Vec<char> = BLANKS.chars().filter(|blank| is_in(question, *blank)).collect();
        let top = shape.digits().chars().last().unwrap_or('G');
        // Digits from 0 are written on boards whose digits are letters as well.
        let may_count_from_zero = shape.side > 9
            && ![question, answer]
                .iter()
                .any(|text| is_in(text, top) || is_in(text, top.to_ascii_lowercase()));
        let zero = |blank: Option<char>| Ok(Self { blank, has_zero: true });
        let plain = |blank: Option<char>| Ok(Self { blank, has_zero: false });
        let refused = |found: String| {
            let expected = "one symbol for blanks";
            Err(PuzzleError::malformed(place, expected, found))
        };
        match blanks[..] {
            [] if may_count_from_zero && is_in(answer, '0') => zero(None),
            [] => plain(None),
            ['0'] if may_count_from_zero && is_in(answer, '0') => zero(None),
            ['0'] if may_count_from_zero && answer.is_empty() && !repeats_zero(shape, question) => {
                let digits = shape.digits();
                let (first, last) = (&digits[..1], &digits[digits.len() - 1..]);
                let below = &digits[digits.len() - 2..digits.len() - 1];
                refused(format!(
                    "0, which may be a blank (digits {first} to {last}) or a digit (0 to \
                     {below}); write blanks as ."
                ))
            }
            [blank] => {
                let counts = blank != '0' && may_count_from_zero && is_in(answer, '0');
                if counts { zero(Some(blank)) } else { plain(Some(blank)) }
            }
            ['0', other] | [other, '0'] if may_count_from_zero => zero(Some(other)),
            [one, other, ..] => {
                let (one, other) = (shown(one), shown(other));
                refused(format!("both {one} and {other}; write every blank as ."))
            }
        }
    }

    /// The cells of a board in this notation; 0 is a blank.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] with the number of characters or the unknown character.
    pub(super) fn cells(
        self,
        shape: Shape,
        text: &str,
        place: &str,
    ) -> Result<Vec<u8>, PuzzleError> {
        let n_chars = text.chars().count();
        if n_chars != shape.n_cells() {
            let side = n_chars.isqrt();
            let is_square = side * side == n_chars && Shape::new(side).is_ok();
            let hint = if is_square { format!(", as for side {side}") } else { String::new() };
            let foreign = foreign(shape, text);
            let expected = format!("{} characters", shape.n_cells());
            return Err(PuzzleError::malformed(
                place,
                expected,
                format!("{n_chars}{hint}{foreign}"),
            ));
        }
        let cell = |(cell, symbol): (usize, char)| match symbol {
            '0' if self.has_zero => Ok(shape.side as u8),
            symbol if self.blank == Some(symbol) || symbol == '0' => Ok(0),
            symbol => digit(shape, symbol).ok_or_else(|| {
                let expected = format!("`.` or one of {}", shape.digits());
                let found = format!("{} at {}", shown(symbol), shape.name_of(cell));
                PuzzleError::malformed(place, expected, found)
            }),
        };
        text.chars().enumerate().map(cell).collect()
    }
}

/// Whether 0 occurs twice in a row of a board.
fn repeats_zero(shape: Shape, text: &str) -> bool {
    let symbols: Vec<char> = text.chars().collect();
    symbols.chunks(shape.side).any(|row| row.iter().filter(|symbol| **symbol == '0').count() > 1)
}

/// Names the first character that no board has, for a message.
pub(super) fn foreign(shape: Shape, text: &str) -> String {
    let found = text.chars().find(|symbol| !is_symbol(shape, *symbol));
    found.map_or(String::new(), |symbol| format!(", with {}", shown(symbol)))
}
