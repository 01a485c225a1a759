//! The symbols of a board: which stand for blanks, and how digits are written.

use super::shape::{SIDES_IN_WORDS, Shape, symbol};
use crate::PuzzleError;
use crate::text::shown;

/// Symbols that stand for a blank, one of them per puzzle.
pub(super) const BLANKS: &str = ".0_*?-xX·";

/// The first of the characters that numbers of two digits become while a list is read:
/// unlike letters, they mean one digit. They are of no alphabet (private use).
const NUMBERS: u32 = 0xe000;

/// How the digits of a board are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digits {
    /// 1 to 9, then A to G.
    #[default]
    FromOne,
    /// From 0, as in hexadecimal: 0 is written for the largest.
    FromZero,
    /// Letters, from A.
    Letters,
}

impl Digits {
    /// The symbol of a digit of a board of this shape, or of 0 for blank.
    pub fn symbol(self, shape: Shape, digit: u8) -> char {
        match self {
            Self::FromZero if usize::from(digit) == shape.side => '0',
            Self::Letters if digit > 0 => letter(digit),
            _ => symbol(digit),
        }
    }

    /// The digit for a symbol, which is not a blank.
    fn digit(self, shape: Shape, symbol: char) -> Option<u8> {
        let symbol = symbol.to_ascii_uppercase();
        let is_it = |digit: &u8| self.symbol(shape, *digit) == symbol || number(*digit) == symbol;
        (1..=shape.side as u8).find(is_it)
    }
}

/// The letter of a digit, where digits are letters.
fn letter(digit: u8) -> char {
    char::from(b'@'.saturating_add(digit))
}

/// The character of a number in a list.
fn number(digit: u8) -> char {
    match digit {
        0..=9 => symbol(digit),
        _ => char::from_u32(NUMBERS + u32::from(digit)).unwrap_or('?'),
    }
}

/// The character of a number in a list of the cells of a board; `None` if no board of this
/// shape has it.
pub(super) fn of_number(shape: Shape, text: &str) -> Option<char> {
    // A blank may be as wide as a number, or below all digits.
    let is_wide = shape.side > 9 && ["..", "00", "__", "--", "**"].contains(&text);
    if is_wide || text == "-1" {
        return Some('.');
    }
    let digit: u8 = text.parse().ok()?;
    (1..=shape.side).contains(&usize::from(digit)).then(|| number(digit))
}

/// What the symbols of a puzzle mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notation {
    blank: Option<char>,
    pub(super) digits: Digits,
}

/// Whether a character can be a digit or a blank of a board.
pub(super) fn is_symbol(shape: Shape, symbol: char) -> bool {
    let is_digit = |digits: Digits| digits.digit(shape, symbol).is_some();
    BLANKS.contains(symbol) || is_digit(Digits::FromOne) || is_digit(Digits::Letters)
}

/// Whether digits are letters: if there are letters, no other digits, and not only letters
/// that are digits above 9 as well.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] if letters may be either.
fn are_letters(
    shape: Shape,
    question: &str,
    answer: &str,
    has_zero: bool,
    place: &str,
) -> Result<bool, PuzzleError> {
    let symbols = || question.chars().chain(answer.chars()).filter(|at| !BLANKS.contains(*at));
    let is = |digits: Digits, symbol: char| digits.digit(shape, symbol).is_some();
    let letters = || symbols().filter(char::is_ascii_alphabetic);
    let has_others =
        symbols().any(|symbol| !symbol.is_ascii_alphabetic() && is(Digits::FromOne, symbol));
    if has_others || !letters().any(|symbol| is(Digits::Letters, symbol)) {
        return Ok(false);
    }
    let is_clear =
        letters().any(|symbol| is(Digits::Letters, symbol) && !is(Digits::FromOne, symbol));
    if is_clear || has_zero {
        return Ok(is_clear);
    }
    let side = shape.side as u8;
    let (top, last) = (symbol(side), letter(side));
    let expected = format!("digits that are clearly 1 to {top}, or letters A to {last}");
    let found = format!(
        "only letters up to {top}, which may be either; write the digits as a list of numbers, 1 \
         to {side} with commas between them"
    );
    Err(PuzzleError::malformed(place, expected, found))
}

impl Notation {
    /// The notation of a puzzle, of which `answer` is the solved board if it is known.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] if two symbols could be blanks, if 0 could be a digit as
    /// well as a blank, or if letters could be digits of two alphabets.
    pub(super) fn of(
        shape: Shape,
        question: &str,
        answer: &str,
        place: &str,
    ) -> Result<Self, PuzzleError> {
        check_length(shape, question, place)?;
        let is_in = |text: &str, symbol: char| text.chars().any(|other| other == symbol);
        let blanks: Vec<char> = BLANKS.chars().filter(|blank| is_in(question, *blank)).collect();
        let top = shape.digits().chars().last().unwrap_or('G');
        let is_number = |symbol: char| u32::from(symbol) >= NUMBERS;
        // Digits from 0 are written on boards whose digits are letters as well.
        let may_count_from_zero = shape.side > 9
            && ![question, answer].iter().any(|text| {
                is_in(text, top)
                    || is_in(text, top.to_ascii_lowercase())
                    || text.contains(is_number)
            });
        let has_zero =
            may_count_from_zero && blanks.contains(&'0') && blanks.len() > 1 || is_in(answer, '0');
        let are_letters = are_letters(shape, question, answer, has_zero, place)?;
        let zero = |blank: Option<char>| Ok(Self { blank, digits: Digits::FromZero });
        let plain = |blank: Option<char>| {
            let digits = if are_letters { Digits::Letters } else { Digits::FromOne };
            Ok(Self { blank, digits })
        };
        let may_count_from_zero = may_count_from_zero && !are_letters;
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
                let digits = match blanks.contains(&'0') {
                    true => format!(", and digits as {} to {top}", &shape.digits()[..1]),
                    false => String::new(),
                };
                let (one, other) = (shown(one), shown(other));
                refused(format!("both {one} and {other}; write every blank as .{digits}"))
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
        check_length(shape, text, place)?;
        let cell = |(cell, symbol): (usize, char)| match symbol {
            '0' if self.digits == Digits::FromZero => Ok(shape.side as u8),
            symbol if self.blank == Some(symbol) || symbol == '0' => Ok(0),
            symbol => self.digits.digit(shape, symbol).ok_or_else(|| {
                let digits = match self.digits {
                    Digits::Letters => (1..=shape.side as u8).map(letter).collect(),
                    _ => shape.digits().to_owned(),
                };
                let blank = self.blank.map_or(String::new(), |blank| format!("`{blank}` or "));
                let expected = format!("{blank}one of {digits}");
                let found = format!("{} at {}", shown(symbol), shape.name_of(cell));
                PuzzleError::malformed(place, expected, found)
            }),
        };
        text.chars().enumerate().map(cell).collect()
    }
}

/// Makes sure that a text has as many characters as a board has cells.
fn check_length(shape: Shape, text: &str, place: &str) -> Result<(), PuzzleError> {
    let n_chars = text.chars().count();
    if n_chars == shape.n_cells() {
        return Ok(());
    }
    let side = n_chars.isqrt();
    let is_digits = |text: &str| !text.is_empty() && text.chars().all(|it| it.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['E', 'e']).unwrap_or_default();
    let is_rounded =
        is_digits(&mantissa.replacen('.', "", 1)) && is_digits(exponent.trim_start_matches('+'));
    let hint = if is_rounded {
        ", a rounded number: a spreadsheet must hold puzzles as text".to_owned()
    } else if side * side == n_chars && Shape::new(side).is_ok() {
        format!(", as for side {side}")
    } else if side * side == n_chars && side > 1 {
        format!(", as for side {side} (supported are {SIDES_IN_WORDS})")
    } else if is_digits(text) && n_chars < shape.n_cells() && text.contains('0') {
        "; a spreadsheet that holds puzzles as numbers loses zeros in front".to_owned()
    } else {
        String::new()
    };
    let foreign = if is_rounded { String::new() } else { foreign(shape, text) };
    let expected = format!("{} characters", shape.n_cells());
    Err(PuzzleError::malformed(place, expected, format!("{n_chars}{hint}{foreign}")))
}

/// Whether 0 occurs twice in a row of a board.
fn repeats_zero(shape: Shape, text: &str) -> bool {
    let symbols: Vec<char> = text.chars().collect();
    symbols.chunks(shape.side).any(|row| row.iter().filter(|symbol| **symbol == '0').count() > 1)
}

/// Whether the characters of a text are all digits of a board in order, from 1 or A, as rows
/// and columns are numbered.
pub(super) fn is_count(shape: Shape, text: &str) -> bool {
    let is_in = |digits: Digits| {
        let found = text.chars().map(|symbol| digits.digit(shape, symbol));
        found.eq((1..=shape.side as u8).map(Some))
    };
    is_in(Digits::FromOne) || is_in(Digits::Letters)
}

/// Names the first character that no board has, for a message.
pub(super) fn foreign(shape: Shape, text: &str) -> String {
    let found = text.chars().find(|symbol| !is_symbol(shape, *symbol));
    found.map_or(String::new(), |symbol| format!(", with {}", shown(symbol)))
}
