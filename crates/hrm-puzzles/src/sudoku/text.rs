//! Boards as users type them, and as other programs write them.

use std::collections::VecDeque;
use std::io::Cursor;

use super::line::{
    BARS, Line, board_of_field, cells_of, cells_of_field, has_corners, is_blank, side_by_side,
    spaced,
};
use super::notation::{Notation, foreign, is_count};
use super::{Board, Digits, Shape};
use crate::PuzzleError;
use crate::questions::{Lines, Questions};
use crate::records::{Columns, Located};
use crate::text::Text;

/// Sections in which some programs store what belongs to the puzzle before them, such as what
/// a player has done so far.
const BESIDE: &[&str] =
    &["state", "candidates", "pencilmarks", "history", "moves", "notes", "comments"];

/// Words in what stands before the answers to the puzzles above.
const ANSWERS: &[&str] = &[
    "solution",
    "solutions",
    "solved",
    "answer",
    "answers",
    "lösung",
    "lösungen",
    "solución",
    "soluciones",
    "réponse",
    "réponses",
    "soluzione",
    "soluzioni",
];

/// What to do about rows with too few cells, to be appended to what was found.
const WRITE_BLANKS: &str = "; write every blank as .";

/// Lines that are held until it is clear what they are.
const N_ROWS_MAX: usize = 99;

/// A board as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The board.
    pub board: Board,
    /// How its digits are written.
    pub digits: Digits,
}

impl Given {
    /// Parses a puzzle that has something to solve.
    fn open(shape: Shape, question: &str, answer: &str, place: &str) -> Result<Self, PuzzleError> {
        let given = Self::parse(shape, question, answer, place)?;
        if given.board.n_givens() == shape.n_cells() {
            return Err(PuzzleError::malformed(place, "a puzzle with blanks", "a full board"));
        }
        Ok(given)
    }

    fn parse(shape: Shape, question: &str, answer: &str, place: &str) -> Result<Self, PuzzleError> {
        let notation = Notation::of(shape, question, answer, place)?;
        let board = Board::new(shape, notation.cells(shape, question, place)?);
        match board.clash(shape) {
            None => Ok(Self { board, digits: notation.digits }),
            Some(clash) => {
                let [one, other] = clash.cells.map(|cell| shape.name_of(cell));
                let boxes = clash.boxes_in_words(shape);
                let found = format!("{clash} ({one} and {other}){boxes}");
                Err(PuzzleError::malformed(place, "givens that obey the rules", found))
            }
        }
    }
}

/// Parses puzzles from text, as [`Boards`] does.
///
/// # Errors
///
/// The first puzzle that cannot be read: [`PuzzleError::Malformed`] with the line and the
/// unexpected character, or with the rule that the givens break; [`PuzzleError::Empty`]
/// without puzzles.
pub fn parse_boards(shape: Shape, text: &str, place: &str) -> Result<Vec<Board>, PuzzleError> {
    let text = Text::new(Cursor::new(text.to_owned().into_bytes()), place, &[])?;
    let boards = Boards::new(shape, text, &Columns::default())?;
    boards.map(|given| Ok(given?.board)).collect()
}

/// The puzzles of a text, one after another: a table, JSON, one puzzle per line, or puzzles with
/// one line per row.
///
/// Outside tables, headings (`Grid 01`), remarks (`#`), spaces and the lines between boxes
/// (`|`, `-----+----`) are passed over, and lists (`[[5, 3, 0, ...], ...]`) are read. Blanks may
/// be spaces where bars or tabs separate cells or boxes, and rows and columns may be numbered,
/// from 1 or A. Of a line with a puzzle and other
/// fields, the puzzle is read, and if one of them is its answer, the one with blanks. Of a
/// drawing of question and answer side by side, or with `Solution:` between them, the question
/// is read; of two questions side by side, both. A line that has fields or nearly as many cells as a board is a puzzle, although it
/// may be one that cannot be read. Each error concerns one puzzle, except for
/// [`PuzzleError::Read`], which is the last.
pub struct Boards {
    shape: Shape,
    source: Questions,
    /// Rows of a board that is not complete, with their lines.
    rows: Vec<Row>,
    /// The number of rows before the last empty line.
    n_before: usize,
    /// Puzzles in lines with bars, which may be the rows of a larger board.
    barred: Vec<(usize, String)>,
    /// Whether there is a line between boxes since the last empty line.
    is_ruled: bool,
    ready: VecDeque<Result<Given, PuzzleError>>,
    is_elsewhere: bool,
    /// Whether answers come next, as long as boards are whole.
    is_answer: bool,
    /// Whether there was a board, or what should be one.
    has_begun: bool,
    /// The number of puzzles so far.
    n_given: usize,
    is_empty: bool,
    has_ended: bool,
}

/// A line of a drawn board.
#[derive(Debug)]
struct Row {
    at: usize,
    cells: String,
    /// A row of blanks, or a line between rows: as many `-` as cells, or only spaces.
    may_be_drawn: bool,
    /// Whether there are spaces in front or side by side, which may be blanks.
    has_gaps: bool,
    /// Whether it consists of nothing but separators: a row of blanks, or a line between boards.
    is_bare: bool,
    /// The row of another board, to the right of it.
    beside: Option<String>,
}

impl Row {
    /// A row that can be nothing else.
    fn new(at: usize, cells: String) -> Self {
        Self { at, cells, may_be_drawn: false, has_gaps: false, is_bare: false, beside: None }
    }
}

impl Boards {
    /// The puzzles of a text.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`], [`PuzzleError::Empty`] for an empty text, and
    /// [`PuzzleError::Malformed`] for a table without a column of questions.
    pub fn new(shape: Shape, text: Text, columns: &Columns) -> Result<Self, PuzzleError> {
        let is_board = |text: &str| cells_of_field(shape, text).chars().count() == shape.n_cells();
        let is_whole = move |text: &str| cells_of(shape, text).chars().count() > shape.side;
        Ok(Self {
            shape,
            source: Questions::of(text, columns, "puzzles", is_board, Box::new(is_whole))?,
            rows: Vec::new(),
            n_before: 0,
            barred: Vec::new(),
            is_ruled: false,
            ready: VecDeque::new(),
            is_elsewhere: false,
            is_answer: false,
            has_begun: false,
            n_given: 0,
            is_empty: true,
            has_ended: false,
        })
    }

    /// Takes a line of text.
    fn line(&mut self, at: usize, line: &str) {
        let has_begun = self.has_begun || !self.rows.is_empty() || !self.barred.is_empty();
        let is_comment = line.contains('#');
        let (line, comment) = line.split_once('#').unwrap_or((line, ""));
        let mut text = line.trim();
        let spaced = if self.is_elsewhere { None } else { spaced(self.shape, line) };
        if text.is_empty() && spaced.is_none() {
            let of_comment = answer_after(comment).filter(|rest| rest.is_empty());
            if of_comment.is_some() && has_begun && !self.is_elsewhere {
                self.end_of_board();
                self.is_answer = true;
            } else if !is_comment {
                self.end_of_paragraph();
            }
            return;
        }
        if let Some(section) = section(text) {
            self.end_of_board();
            self.is_answer = false;
            let mut names = BESIDE.iter().chain(ANSWERS);
            self.is_elsewhere = names.any(|name| section.eq_ignore_ascii_case(name));
            return;
        }
        if self.is_elsewhere {
            return;
        }
        let is_name = self.is_number(text) || is_date(text) && self.rows.is_empty();
        if is_name && spaced.is_none() {
            self.end_of_board();
            return;
        }
        let answer = answer_after(text).filter(|_| has_begun);
        if let Some(rest) = answer {
            self.end_of_board();
            self.is_answer = true;
            text = rest;
            if text.is_empty() {
                return;
            }
        }
        let kind = spaced.unwrap_or_else(|| Line::of(self.shape, text));
        let is_barred = matches!(kind, Line::Board(_)) && text.contains(BARS);
        if !is_barred && kind != Line::Rule {
            self.end_of_barred();
        }
        match kind {
            Line::Rule => self.is_ruled |= has_corners(text),
            Line::Heading => {
                self.end_of_board();
                self.is_answer = answer.is_some();
            }
            Line::RowOrRule(cells) => {
                let row = Row { may_be_drawn: true, ..Row::new(at, cells) };
                self.rows.push(row);
            }
            Line::Several(n) => {
                self.end_of_board();
                let expected = "one puzzle in a line, alone or with its answer";
                let found = format!(
                    "{n}; give each a line of its own, or begin with the names of the columns \
                     and add --columns question=NAME"
                );
                self.refuse(at, expected, found);
            }
            Line::Board(cells) if is_barred && self.barred.len() < N_ROWS_MAX => {
                self.end_of_rows();
                self.barred.push((at, cells));
            }
            Line::Board(cells) => {
                self.end_of_board();
                self.give(at, &cells);
            }
            Line::Row(cells) => {
                let has_gaps = line.starts_with(' ') || line.trim_end().contains("  ");
                let is_bare = text.chars().all(|symbol| ",; ".contains(symbol));
                let beside = side_by_side(self.shape, text).filter(|(left, _)| *left == cells);
                let beside = beside.map(|(_, right)| right);
                self.rows.push(Row { has_gaps, is_bare, beside, ..Row::new(at, cells) });
                self.end_of_whole_rows();
            }
        }
    }

    /// Whether a line is the number of the next puzzle, or of one of several answers.
    fn is_number(&self, text: &str) -> bool {
        let number: Option<usize> = text.trim_end_matches([':', ')', '.']).parse().ok();
        let is_next = |n: usize| self.is_answer || n == self.n_given || n == self.n_given + 1;
        self.rows.is_empty() && text.len() < self.shape.side && number.is_some_and(is_next)
    }

    /// Makes boards of the rows so far if they are surely all of them.
    fn end_of_whole_rows(&mut self) {
        let side = self.shape.side;
        let n_whole = match &self.rows[0] {
            // Of rows below a header, the last is still to come.
            first if is_count(self.shape, &first.cells) => 2 * side,
            // There may be such a row in front of each board.
            first if first.is_bare => side * (side + 1),
            _ => side,
        };
        let is_clear = self.n_before == 0 && !self.rows.iter().any(|row| row.may_be_drawn);
        if is_clear && self.rows.len() == n_whole || self.rows.len() > N_ROWS_MAX.max(n_whole) {
            self.end_of_rows();
        }
    }

    /// After an empty line: a board is complete, or there are empty lines between its boxes.
    fn end_of_paragraph(&mut self) {
        self.end_of_barred();
        let n_rows = |rows: &[Row]| rows.iter().filter(|row| !row.may_be_drawn).count();
        let n_last = n_rows(&self.rows[self.n_before..]);
        let is_whole = n_last > 0 && n_last.is_multiple_of(self.shape.side);
        if self.n_before > 0 && is_whole {
            // The rows before were no whole board.
            let last = self.rows.split_off(self.n_before);
            let is_header = self.n_before == 1 && is_count(self.shape, &self.rows[0].cells);
            if !is_header {
                self.end_of_board();
            }
            self.rows = last;
        }
        if n_rows(&self.rows) >= self.shape.side {
            self.end_of_board();
        }
        self.n_before = self.rows.len();
    }

    /// Makes boards of what was held so far.
    fn end_of_board(&mut self) {
        self.end_of_barred();
        self.end_of_rows();
    }

    /// Makes boards of the lines with bars so far, unless they are the rows of a larger one.
    fn end_of_barred(&mut self) {
        let barred = std::mem::take(&mut self.barred);
        let is_ruled = std::mem::take(&mut self.is_ruled);
        match barred.first() {
            Some((at, _)) if is_ruled && barred.len() > 1 => {
                let side = self.shape.side;
                let found = format!("a drawing with rows of {}, as for side {0}", side * side);
                self.refuse(*at, &format!("a board of side {side}"), found);
            }
            _ => barred.iter().for_each(|(at, cells)| self.give(*at, cells)),
        }
    }

    /// Makes boards of the rows so far.
    fn end_of_rows(&mut self) {
        let side = self.shape.side;
        self.n_before = 0;
        let mut rows = std::mem::take(&mut self.rows);
        // Rows of blanks, if other rows have such blanks, or if only they make a board.
        let n_rows = rows.iter().filter(|row| !row.may_be_drawn).count();
        let uses_dashes = rows.iter().any(|row| !row.may_be_drawn && row.cells.contains('-'));
        let fits = |n: usize| n > 0 && n.is_multiple_of(side);
        if fits(n_rows) && !(uses_dashes && fits(rows.len())) || !fits(rows.len()) {
            rows.retain(|row| !row.may_be_drawn);
        }
        let mut rows = without_separators(side, rows);
        without_labels(self.shape, &mut rows);
        let is_right = |row: &Row| row.cells.chars().count() == side;
        let n_right = rows.iter().take_while(|row| is_right(row)).count();
        let is_wrong = n_right < rows.len() || !fits(rows.len());
        if n_right >= side && is_wrong && is_count(self.shape, &rows[0].cells) {
            // The first was no header, and the board is not to blame for what follows it.
            let first = rows.drain(..side).collect::<Vec<_>>();
            self.give_rows(&first);
        }
        let Some(first) = rows.first() else { return };
        let wrong = rows.iter().find(|row| !is_right(row));
        let counted = |row: &Row, n_expected: usize, hint: &str| {
            let n = row.cells.chars().count();
            let gaps = if row.has_gaps && n < n_expected { WRITE_BLANKS } else { "" };
            let foreign = foreign(self.shape, &row.cells);
            (row.at, format!("{n_expected} characters"), format!("{n}{hint}{foreign}{gaps}"))
        };
        let (at, expected, found) = match wrong {
            _ if rows.len() == 1 => {
                let n = first.cells.chars().count();
                let hint = Shape::new(n.isqrt()).ok().filter(|shape| shape.n_cells() == n);
                let hint =
                    hint.map_or(String::new(), |shape| format!(", as for side {}", shape.side));
                counted(first, self.shape.n_cells(), &hint)
            }
            Some(row) => counted(row, side, ""),
            None if !fits(rows.len()) => {
                let expected = format!("{side} lines of {side} characters");
                (first.at, expected, format!("{} lines", rows.len()))
            }
            None => {
                rows.chunks(side).for_each(|rows| self.give_rows(rows));
                return;
            }
        };
        self.refuse(at, &expected, found);
    }

    /// Takes a puzzle that is drawn in rows, with its answer or another puzzle beside it or with
    /// none.
    fn give_rows(&mut self, rows: &[Row]) {
        let at = rows[0].at;
        let left: String = rows.iter().map(|row| row.cells.as_str()).collect();
        let right: Option<String> = rows.iter().map(|row| row.beside.as_deref()).collect();
        // Wrong cells of an answer may be marked.
        let answer = right.as_deref().filter(|right| right.contains('!'));
        match right.as_deref().filter(|_| answer.is_none()) {
            Some(right) if self.is_answer_to(&left, right) => self.give(at, right),
            Some(right) if !self.is_answer_to(right, &left) => {
                self.give(at, &left);
                self.give(at, right);
            }
            _ => self.give(at, &left),
        }
    }

    /// Whether a board is whole and keeps the givens of a question.
    fn is_answer_to(&self, board: &str, question: &str) -> bool {
        let is_blank = is_blank(self.shape.side > 9);
        let keeps = |(own, given): (char, char)| {
            !is_blank(own) && (is_blank(given) || own.eq_ignore_ascii_case(&given))
        };
        board.chars().zip(question.chars()).all(keeps)
    }

    /// Takes a puzzle, or the answer to the one before.
    fn give(&mut self, at: usize, cells: &str) {
        let Questions::Lines(lines) = &self.source else { return };
        self.has_begun = true;
        let n_cells = cells.chars().count();
        let is_whole =
            n_cells == self.shape.n_cells() && !cells.contains(is_blank(self.shape.side > 9));
        self.is_answer &= is_whole;
        if self.is_answer {
            return;
        }
        self.n_given += 1;
        self.ready.push_back(Given::open(self.shape, cells, "", &lines.place(at)));
    }

    /// Takes a puzzle that cannot be read.
    fn refuse(&mut self, at: usize, expected: &str, found: String) {
        let Questions::Lines(lines) = &self.source else { return };
        self.has_begun = true;
        self.n_given += 1;
        self.ready.push_back(Err(PuzzleError::malformed(lines.place(at), expected, found)));
    }

    fn of_record(&self, located: &Located) -> Result<Given, PuzzleError> {
        let place = located.field("question");
        let question = board_of_field(self.shape, &located.record.question, &place)?;
        let answer = cells_of_field(self.shape, &located.record.answer);
        Given::open(self.shape, &question, &answer, &place)
    }
}

impl Iterator for Boards {
    type Item = Result<Given, PuzzleError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(given) = self.ready.pop_front() {
                self.is_empty = false;
                return Some(given);
            }
            if self.has_ended {
                return None;
            }
            let lines: &mut Lines = match &mut self.source {
                Questions::Records(records) => {
                    let located = records.next()?;
                    return Some(located.and_then(|located| self.of_record(&located)));
                }
                Questions::Lines(lines) => lines,
            };
            match lines.next() {
                Some(Ok((at, line))) => self.line(at, &line),
                Some(Err(err)) => {
                    self.end_of_board();
                    self.ready.push_back(Err(err));
                }
                None => {
                    self.has_ended = true;
                    let place = lines.name().to_owned();
                    self.end_of_paragraph();
                    self.end_of_board();
                    if self.ready.is_empty() && self.is_empty {
                        return Some(Err(PuzzleError::Empty { place, what: "puzzles" }));
                    }
                }
            }
        }
    }
}

/// The rows without those of separators alone, if there is such a row in front of each board.
fn without_separators(side: usize, rows: Vec<Row>) -> Vec<Row> {
    let is_separator = |at: usize| at.is_multiple_of(side + 1);
    let is_bare = |(at, row): (usize, &Row)| row.is_bare || !is_separator(at);
    // The last one may be behind the last board.
    if rows.len() % (side + 1) > 1 || !rows.iter().enumerate().all(is_bare) {
        return rows;
    }
    let rows = rows.into_iter().enumerate().filter(|(at, _)| !is_separator(*at));
    rows.map(|(_, row)| row).collect()
}

/// Removes what numbers the columns, in a row above a board, and the rows, in front of each.
fn without_labels(shape: Shape, rows: &mut Vec<Row>) {
    let width = |row: &Row| row.cells.chars().count();
    let n_header = usize::from(rows.len() == shape.side + 1 && is_count(shape, &rows[0].cells));
    let Some(n_cells) = rows.get(n_header).map(width) else { return };
    if !(shape.side..=shape.side + 1).contains(&n_cells)
        || rows[n_header..].iter().any(|row| width(row) != n_cells)
    {
        return;
    }
    rows.drain(..n_header);
    let label = |row: &Row| row.cells.chars().next();
    let mut boards = rows.chunks(shape.side);
    let labels = |rows: &[Row]| rows.iter().filter_map(label).collect::<String>();
    if n_cells > shape.side && boards.all(|rows| is_count(shape, &labels(rows))) {
        for row in rows {
            row.cells.remove(0);
        }
    }
}

/// The name in brackets of a section, e.g. `[Puzzle]`.
fn section(text: &str) -> Option<&str> {
    let name = text.strip_prefix('[')?.strip_suffix(']')?;
    (name.len() > 2 && name.chars().all(|symbol| symbol.is_ascii_alphabetic())).then_some(name)
}

/// Whether a line is a date: 2024-01-31, 31/1/2024.
fn is_date(text: &str) -> bool {
    const N_BYTES_MAX: usize = "2024-01-31".len();

    if text.len() > N_BYTES_MAX {
        return false;
    }
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    let [first, second, third] = parts[..] else { return false };
    let is_in = |text: &str, most: u32| {
        let is_short = (1..=2).contains(&text.len());
        is_short && text.parse().is_ok_and(|n: u32| (1..=most).contains(&n))
    };
    let is_year =
        |text: &str| text.len() == 4 && ["19", "20"].iter().any(|at| text.starts_with(at));
    let is_day = |one: &str, other: &str| is_in(one, 12) && is_in(other, 31);
    is_year(first) && is_day(second, third)
        || is_year(third) && (is_day(first, second) || is_day(second, first))
}

/// What follows, on a line, words that say that answers come next: `Solution 1: ...`.
fn answer_after(text: &str) -> Option<&str> {
    const N_CHARS_MAX: usize = 60;

    let (words, rest) = text.split_once(':').unwrap_or((text, ""));
    let is_end = |symbol: char| symbol.is_whitespace() || "()[]*_#.-–".contains(symbol);
    let mut parts = words.split(is_end).filter(|part| !part.is_empty());
    let is_part = |part: &str| {
        let is_number = part.len() < 8 && part.bytes().all(|at| at.is_ascii_digit());
        is_number || part.chars().all(char::is_alphabetic)
    };
    let is_answer = words.chars().count() <= N_CHARS_MAX
        && parts.clone().all(is_part)
        && parts.any(|part| ANSWERS.contains(&&*part.to_lowercase()));
    is_answer.then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Record;
    use crate::sudoku::{Puzzle, shape_of};

    const PUZZLE: &str = "1..........4....";
    const SOLVED: &str = "1234341221434321";

    fn four() -> Shape {
        Shape::new(4).unwrap()
    }

    #[test]
    fn every_text_form_of_puzzles_is_parsed() {
        let want = Board::parse(four(), PUZZLE, "test").unwrap();
        let drawn = "1...\n....\n...4\n....\n";
        let csv = format!("source,question,answer,rating\nx,{PUZZLE},{SOLVED},0\n");
        for text in [PUZZLE, drawn, &csv, &format!("\n  {PUZZLE}  \n\n")] {
            assert_eq!(
                parse_boards(four(), text, "test").unwrap(),
                std::slice::from_ref(&want),
                "{text}"
            );
        }
        assert_eq!(
            parse_boards(four(), &format!("{PUZZLE}\n{PUZZLE}\n"), "test").unwrap().len(),
            2
        );
    }

    #[test]
    fn spaces_and_lines_between_boxes_are_ignored() {
        let want = vec![Board::parse(four(), PUZZLE, "test").unwrap()];
        for text in [
            "1... .... ...4 ....",
            " 1 . . .  . . . .  . . . 4  . . . .\n",
            "1.|..\n..|..\n--+--\n..|.4\n..|..\n",
            "+-----+-----+\n| 1 . | . . |\n| . . | . . |\n|-----+-----|\n| . . | . 4 |\n\
             | . . | . . |\n+-----+-----+\n",
        ] {
            assert_eq!(parse_boards(four(), text, "test").unwrap(), want, "{text}");
        }
    }

    #[test]
    fn our_own_drawings_are_parsed() {
        for side in [4, 6, 9, 12, 16] {
            let shape = Shape::new(side).unwrap();
            let sample = |seed| {
                let rng = &mut hrm_base::rng::stream(seed, "test");
                let solution = crate::sudoku::solved_board(shape, rng);
                let mut question = solution.clone();
                (0..shape.n_cells()).step_by(2).for_each(|cell| question.set(cell, 0));
                (question, solution)
            };
            let (one, other) = (sample(1), sample(2));
            let mut wrong = other.1.clone();
            wrong.set(1, 0);
            let draw = |question, answer| {
                crate::sudoku::draw(shape, question, answer, crate::Style::Plain, Digits::FromOne)
            };
            let text = format!("{}\n{}", draw(&one.0, &one.1), draw(&other.0, &wrong));
            assert_eq!(parse_boards(shape, &text, "test").unwrap(), [one.0, other.0], "{text}");
        }
    }

    #[test]
    fn of_a_puzzle_and_its_answer_on_a_line_the_puzzle_is_read() {
        let want = [Ok(PUZZLE.to_owned())];
        for text in [
            format!("{SOLVED},{PUZZLE}"),
            format!("{PUZZLE};{SOLVED}"),
            format!("easy\t{SOLVED}\t{PUZZLE}\t3.5"),
            format!("{SOLVED}|{PUZZLE}"),
            format!("{{\"answer\": \"{SOLVED}\", \"question\": \"{PUZZLE}\"}}"),
        ] {
            assert_eq!(texts(four(), &text), want, "{text}");
        }
        let refused = |at: usize, n: usize| {
            Err(format!(
                "f:{at}: expected one puzzle in a line, alone or with its answer, found {n}; give \
                 each a line of its own, or begin with the names of the columns and add --columns \
                 question=NAME"
            ))
        };
        let text = format!("{PUZZLE} {PUZZLE}\n{SOLVED},{SOLVED},{SOLVED}\n{PUZZLE}\n");
        assert_eq!(texts(four(), &text), [refused(1, 2), refused(2, 3), want[0].clone()]);
        let message = |text: &str| parse_boards(four(), text, "f").unwrap_err().to_string();
        let want = "f:1: expected a header that names question once, found \"solved,initial\"; say \
                    which columns are meant: --columns question=NAME,answer=NAME";
        assert_eq!(message(&format!("solved,initial\n{SOLVED},{PUZZLE}\n")), want);
        // 0 may be a digit.
        let shape = Shape::new(16).unwrap();
        let (.., question, answer) = pair(16, Digits::FromZero, 3);
        assert!(answer.contains('0'));
        let found = texts(shape, &format!("{answer},{question}"));
        assert_eq!(found, texts(shape, &question));
    }

    #[test]
    fn an_answer_below_its_puzzle_is_no_puzzle() {
        let [drawn, solved] = [PUZZLE, SOLVED].map(|text| {
            text.as_bytes()
                .chunks(4)
                .map(|row| String::from_utf8_lossy(row) + "\n")
                .collect::<String>()
        });
        let want = vec![Ok(PUZZLE.to_owned()); 2];
        for text in [
            format!("Puzzle:\n{drawn}Solution:\n{solved}Puzzle:\n{drawn}Solution:\n{solved}"),
            format!("{drawn}\nAnswer 1\n{solved}\n{drawn}\n"),
            format!("{PUZZLE}\nsolution: {SOLVED}\n{PUZZLE}\nSolution 2: {SOLVED}\n"),
            format!("{PUZZLE}\n{PUZZLE}\nSolutions\n{SOLVED}\n{SOLVED}\n"),
            format!("{drawn}Solution (1):\n{solved}Puzzle (2):\n{drawn}Answer key - 2\n{solved}"),
            format!("{drawn}\n# Solution\n{solved}\n{drawn}\n## The solution\n{solved}"),
            format!("{drawn}Puzzle 1 solution:\n{solved}\n{drawn}**Lösung**\n{solved}"),
            format!("[Puzzle]\n{drawn}[Answer]\n{solved}[Puzzle]\n{drawn}[Solved]\n{solved}"),
            format!("{PUZZLE}\nSolution: as it should be\n{SOLVED}\n{PUZZLE}\n"),
            // What is not solved is no answer, and nothing is one without a puzzle.
            format!("{PUZZLE}\nSolution:\n{drawn}"),
            format!("Solution:\n{PUZZLE}\n{PUZZLE}\n"),
        ] {
            assert_eq!(texts(four(), &text), want, "{text}");
        }
    }

    #[test]
    fn blanks_may_be_spaces_between_bars_or_tabs() {
        let six = Shape::new(6).unwrap();
        let puzzle = "1.....".to_owned() + &".".repeat(6) + "...4.." + &".".repeat(18);
        for text in [
            "┌───────┬───────┐\n│ 1     │       │\n│       │       │\n├───────┼───────┤\n│       │ 4     │\n\
             │       │       │\n├───────┼───────┤\n│       │       │\n│       │       │\n└───────┴───────┘\n",
            "+---+---+\n|1  |   |\n|   |   |\n+---+---+\n|   |4  |\n|   |   |\n+---+---+\n|   |   |\n|   |   |\n\
             +---+---+\n",
            "|1| | | | | |\n| | | | | | |\n| | | |4| | |\n| | | | | | |\n| | | | | | |\n| | | | | | |\n",
            "1\t\t\t\t\t\n\t\t\t\t\t\n\t\t\t4\t\t\n\t\t\t\t\t\n\t\t\t\t\t\n\t\t\t\t\t\n",
        ] {
            assert_eq!(texts(six, text), [Ok(puzzle.clone())], "{text}");
        }
        // Lines without cells in a drawing that has other blanks are no rows.
        let text = "|  |  |\n|1.|..|\n|..|..|\n|  |  |\n|..|.4|\n|..|..|\n|  |  |\n";
        assert_eq!(texts(four(), text), [Ok(PUZZLE.to_owned())]);
        let message =
            parse_boards(four(), "1  2\n 3 4\n2341\n4123\n", "f").unwrap_err().to_string();
        assert_eq!(message, "f:1: expected 4 characters, found 2; write every blank as .");
    }

    #[test]
    fn lists_of_other_programs_are_read() {
        let want = [Ok(PUZZLE.to_owned())];
        for text in [
            "array([[1, 0, 0, 0],\n       [0, 0, 0, 0],\n       [0, 0, 0, 4],\n       [0, 0, 0, 0]])\n",
            "1;0;0;0\n0;0;0;0\n0;0;0;4\n0;0;0;0\n",
            "1;;;\n;;;\n;;;4\n;;;\n",
            " 1 -1 -1 -1\n-1 -1 -1 -1\n-1 -1 -1  4\n-1 -1 -1 -1\n",
            "# Puzzle 1\n```\n1...\n....\n...4\n....\n```\n",
        ] {
            assert_eq!(texts(four(), text), want, "{text}");
        }
        let (shape, board, ..) = pair(16, Digits::FromOne, 4);
        let cell = |digit: &u8| if *digit == 0 { "..".to_owned() } else { format!("{digit:02}") };
        let rows = board
            .cells()
            .chunks(16)
            .map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" ") + "\n");
        assert_eq!(parse_boards(shape, &rows.collect::<String>(), "f").unwrap(), [board]);
    }

    #[test]
    fn what_a_spreadsheet_or_another_program_changed_is_said() {
        let nine = Shape::new(9).unwrap();
        let read = |shape: Shape, question: &str, answer: &str| {
            let record =
                Record { question: question.into(), answer: answer.into(), ..Record::default() };
            let located = Located { record, place: "f:2".to_owned() };
            Puzzle::from_record(&located, shape).unwrap_err().to_string()
        };
        let found = |question: &str| {
            let message = read(nine, question, "");
            message
                .strip_prefix("f:2: field `question`: expected 81 characters, found ")
                .unwrap()
                .to_owned()
        };
        let want = "11, a rounded number: a spreadsheet must hold puzzles as text";
        assert_eq!(found("5.14908E+75"), want);
        let want = "76; a spreadsheet that holds puzzles as numbers loses zeros in front";
        assert_eq!(found(&"50".repeat(38)), want);
        let want = ", as for side 25 (supported are 4, 6, 9, 12 or 16)";
        assert_eq!(found(&"1.".repeat(313)[..625]), format!("625{want}"));
        let six = "632451245163516324324516451632163245";
        let want = "f:2: field `answer`: expected a board that obeys the rules, found box 1 holds 2 \
                    twice (boxes have 2 rows and 3 columns)";
        assert_eq!(read(Shape::new(6).unwrap(), &".".repeat(36), six), want);
    }

    #[test]
    fn numbers_of_rows_and_columns_are_no_cells() {
        let good = || Ok(PUZZLE.to_owned());
        for text in [
            "| A | B | C | D |\n|---|---|---|---|\n| 1 | . | . | . |\n| . | . | . | . |\n\
             | . | . | . | 4 |\n| . | . | . | . |\n",
            "|   | A | B | C | D |\n|---|---|---|---|---|\n| 1 | 1 |   |   |   |\n\
             | 2 |   |   |   |   |\n| 3 |   |   |   | 4 |\n| 4 |   |   |   |   |\n",
            "  1 2 3 4\nA 1 . . .\nB . . . .\nC . . . 4\nD . . . .\n",
            "  A B   C D\n\n1 1 . | . .\n2 . . | . .\n  ----+----\n3 . . | . 4\n4 . . | . .\n",
            "1 1...\n2 ....\n3 ...4\n4 ....\n",
            "a|1.|..\nb|..|..\nc|..|.4\nd|..|..\n",
        ] {
            assert_eq!(texts(four(), text), [good()], "{text}");
            assert_eq!(texts(four(), &format!("{text}\n{text}")), [good(), good()], "{text}");
        }
        // A row of a board may be such numbers.
        let rows = "1234\n....\n...1\n....\n";
        let want = || Ok("1234.......1....".to_owned());
        for (n, more) in [(1, "12\n"), (3, "..\n....\n"), (2, "....\n")] {
            let found = texts(four(), &format!("{}{more}", rows.repeat(n)));
            assert_eq!(found[..n], vec![want(); n], "{n}");
            assert_eq!(found[n..].iter().map(Result::is_err).collect::<Vec<_>>(), [true], "{n}");
        }
        assert_eq!(texts(four(), &rows.repeat(5)), vec![want(); 5]);
        assert_eq!(texts(four(), &format!("{rows}\n{rows}")), vec![want(); 2]);
    }

    #[test]
    fn of_boards_side_by_side_only_answers_are_no_puzzles() {
        let rows = |boards: [&str; 2]| -> String {
            let rows = boards.map(|board| board.as_bytes().chunks(4).map(String::from_utf8_lossy));
            let [left, right] = rows;
            left.zip(right).map(|(left, right)| format!("{left}    {right}\n")).collect()
        };
        let (answer, other) = ("1243341221344321", "..3.4...........");
        let [one, two] = [PUZZLE, other].map(|text| Ok(text.to_owned()));
        assert_eq!(texts(four(), &rows([PUZZLE, answer])), std::slice::from_ref(&one));
        assert_eq!(texts(four(), &rows([answer, PUZZLE])), std::slice::from_ref(&one));
        assert_eq!(texts(four(), &rows([PUZZLE, other])), [one.clone(), two.clone()]);
        let framed = rows([PUZZLE, other]).replace("    ", "|   |").replace('\n', "|\n|");
        let framed = format!("|{}", framed.trim_end_matches('|'));
        assert_eq!(texts(four(), &framed), [one, two]);
        // A solved board that is the answer to another puzzle.
        let found = texts(four(), &rows(["2...............", SOLVED]));
        let full = "f:1: expected a puzzle with blanks, found a full board".to_owned();
        assert_eq!(found, [Ok("2...............".to_owned()), Err(full)]);
    }

    #[test]
    fn numbers_and_dates_above_puzzles_are_headings() {
        let rows = "1...\n....\n...4\n....\n";
        let solved = "1243\n3421\n2134\n4312\n";
        let want = vec![Ok(PUZZLE.to_owned()); 3];
        for names in [["1", "2", "3"], ["0:", "1:", "2:"], ["1.", "2.", "3."]] {
            let text: String = names.iter().map(|name| format!("{name}\n{rows}")).collect();
            assert_eq!(texts(four(), &text), want, "{text}");
            let answers: String = names.iter().map(|name| format!("{name}\n{solved}")).collect();
            assert_eq!(texts(four(), &format!("{text}Solutions\n{answers}")), want);
        }
        let text: String = ["2024-01-31", "31/1/2024", "1.31.2024"]
            .iter()
            .map(|date| format!("{date}\n{rows}\n"))
            .collect();
        assert_eq!(texts(four(), &text), want);
        // Another number is a row that is too short.
        let message = |text: &str| parse_boards(four(), text, "f").unwrap_err().to_string();
        assert_eq!(message(&format!("7\n{rows}")), "f:1: expected 4 characters, found 1, with '7'");
        assert!(!is_date("1234-5-67") && !is_date("1-2-3") && is_date("1999-12-3"));
    }

    #[test]
    fn rows_may_be_on_one_line_or_in_one_field() {
        let want = [Ok(PUZZLE.to_owned()), Ok(PUZZLE.to_owned())];
        for text in [
            "1.../..../...4/....\n1.../..../...4/..../\n",
            "1...\\n....\\n...4\\n....\n1...\\n....\\n...4\\n....\\n",
            "puzzle\n1.../..../...4/....\n\"1...\n....\n...4\n....\"\n",
        ] {
            assert_eq!(texts(four(), text), want, "{text}");
        }
        // Rows that only add up to a board.
        let odd = "f:1: field `question`: expected 4 rows of 4 characters, found 3 in row 1";
        let text = r#"{"puzzle": ["1..", ".....", "...4", "...."]}"#;
        assert_eq!(texts(four(), text), [Err(odd.to_owned())]);
        let text = "puzzle\n\"1..\n.....\n...4\n....\"\n";
        assert_eq!(texts(four(), text), [Err(odd.replace("f:1", "f:2"))]);
    }

    #[test]
    fn a_full_board_is_no_puzzle() {
        let want = "f:1: expected a puzzle with blanks, found a full board";
        let text = format!("{SOLVED}\n{PUZZLE}\n");
        assert_eq!(texts(four(), &text), [Err(want.to_owned()), Ok(PUZZLE.to_owned())]);
        let want = "f:2: field `question`: expected a puzzle with blanks, found a full board";
        let text = format!("puzzle,solution\n{SOLVED},{PUZZLE}\n");
        assert_eq!(texts(four(), &text), [Err(want.to_owned())]);
    }

    #[test]
    fn rows_of_separators_are_between_boards_or_rows_of_blanks() {
        let want = |n: usize| vec![Ok(PUZZLE.to_owned()); n];
        for rows in ["1,,,\n,,,\n,,,4\n,,,\n", "1;;;\n;;;\n;;;4\n;;;\n"] {
            let bare = &rows[5..9];
            for n in 1..12 {
                assert_eq!(texts(four(), &rows.repeat(n)), want(n), "{n}");
                let separated = format!("{rows}{bare}").repeat(n);
                assert_eq!(texts(four(), &separated), want(n), "{n}");
                let between = separated.strip_suffix(bare).unwrap();
                assert_eq!(texts(four(), between), want(n), "{n}");
                assert_eq!(texts(four(), &format!("{bare}{separated}")), want(n), "{n}");
            }
            // Boards that begin with a row of blanks.
            let text = format!("{bare}{bare}{}\n{bare}", &rows[..4]);
            let first = "........1.......";
            assert_eq!(texts(four(), &text.repeat(7)), vec![Ok(first.to_owned()); 7]);
        }
    }

    #[test]
    fn rows_of_a_larger_drawing_are_not_puzzles() {
        let row = "| 1 . . . | . . . . | . . . 4 | . . . . |\n";
        let rule = "+---------+---------+---------+---------+\n";
        let drawn = format!("{rule}{}{rule}", format!("{}{rule}", row.repeat(4)).repeat(4));
        let want =
            "f:2: expected a board of side 4, found a drawing with rows of 16, as for side 16";
        assert_eq!(texts(four(), &drawn), [Err(want.to_owned())]);
        let found = texts(four(), &format!("{drawn}\n{PUZZLE}\n{drawn}"));
        assert_eq!(found.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
        // Bars may be between the rows of a board in a line.
        let text = "1...|....|...4|....\n".repeat(200);
        assert_eq!(texts(four(), &text), vec![Ok(PUZZLE.to_owned()); 200]);
        let text = format!("{PUZZLE}\n1...|....|...4|....\n1...\n....\n...4\n....\n");
        assert_eq!(texts(four(), &text), vec![Ok(PUZZLE.to_owned()); 3]);
    }

    #[test]
    fn text_that_is_not_a_puzzle_is_rejected_with_its_line() {
        let message = |text: &str| parse_boards(four(), text, "f").unwrap_err().to_string();
        assert_eq!(message(" \n"), "f holds no puzzles");
        assert_eq!(message("12"), "f:1: expected 16 characters, found 2");
        assert_eq!(
            message("1...\n....\n....\n"),
            "f:1: expected 4 lines of 4 characters, found 3 lines"
        );
        assert_eq!(message("1...\n...\n....\n....\n"), "f:2: expected 4 characters, found 3");
        assert_eq!(
            message("11.............."),
            "f:1: expected givens that obey the rules, found row 1 holds 1 twice (row 1, \
             column 1 and row 1, column 2)"
        );
    }

    fn texts(shape: Shape, text: &str) -> Vec<Result<String, String>> {
        let text = Text::new(Cursor::new(text.to_owned().into_bytes()), "f", &[]).unwrap();
        let boards = Boards::new(shape, text, &Columns::default()).unwrap();
        boards
            .map(|given| given.map(|given| given.board.to_text()).map_err(|err| err.to_string()))
            .collect()
    }

    #[test]
    fn drawings_of_other_programs_are_read() {
        let want = [Ok(PUZZLE.to_owned()), Ok(PUZZLE.to_owned())];
        for text in [
            "Grid 01\n1000\n0000\n0004\n0000\nGrid 02\n1000\n0000\n0004\n0000\n",
            "1___\n____\n___4\n____\n\n1___\n____\n___4\n____",
            "1..\u{a0}.\n....\n\n...4\n....\n\n\n1...\n....\n...4\n....\n",
            "# easy\n1*** **** ***4 **** # first\n\n1---------- 4----\n",
            "*-----*\n|1.|..|\n|..|..|\n|--+--|\n|..|.4|\n|..|..|\n*-----*\n1..........4....\n",
            "1---\n----\n---4\n----\n\n1...\n....\n----\n...4\n....\n",
            "a;1..........4....;3.5\nb;1..........4....;1234341221434321\n",
            "[[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 4], [0, 0, 0, 0]]\n[\n [1, 0, 0, 0],\n\
             [0, 0, 0, 0],\n [0, 0, 0, 4],\n [0, 0, 0, 0]\n]\n",
            "1,,,\n,,,\n,,,4\n,,,\n1,0,0,0\n0,0,0,0\n0,0,0,4\n0,0,0,0\n",
            "[Puzzle]\n1...\n....\n...4\n....\n[State]\n12..\n....\n...4\n....\n[Puzzle]\n\
             1..........4....\n",
            "┌──┬──┐\n│1.│..│\n│..│..│\n├──┼──┤\n│..│.4│\n│..│..│\n└──┴──┘\n1xxxxxxxxxx4xxxx\n",
            "Puzzle\n1...\n....\n...4\n....\nPuzzle\n1...\n....\n...4\n....\n",
            "id;puzzle;solution\n1;1..........4....;\n2;1..........4....;\n",
        ] {
            assert_eq!(texts(four(), text), want, "{text}");
        }
    }

    #[test]
    fn a_puzzle_that_cannot_be_read_does_not_block_the_others() {
        let good = || Ok(PUZZLE.to_owned());
        let bad = |message: &str| Err(message.to_owned());
        let text = format!("{PUZZLE}\n1..........4...\n{PUZZLE}\n1.......y..4....\n{PUZZLE}\n");
        let want = [
            good(),
            bad("f:2: expected 16 characters, found 15"),
            good(),
            bad("f:4: expected `.` or one of 1234, found 'y' at row 3, column 1"),
            good(),
        ];
        assert_eq!(texts(four(), &text), want);
        let text = "1...\n....\n...4\n\n1...\n....\n...4\n....\n";
        let want = [bad("f:1: expected 4 lines of 4 characters, found 3 lines"), good()];
        assert_eq!(texts(four(), text), want);
        let text =
            "puzzle,solution\n1..........4....,\n1..0.......4....,\n1..........4\u{200b}...,\n";
        let want = [
            good(),
            bad("f:3: field `question`: expected one symbol for blanks, found both '.' and '0'; \
                 write every blank as ., and digits as 1 to 4"),
            bad("f:4: field `question`: expected `.` or one of 1234, found U+200B (zero-width \
                 character) at row 3, column 5"),
        ];
        let found = texts(four(), text);
        assert_eq!(found[..2], want[..2]);
        assert!(found[2].as_ref().unwrap_err().contains("U+200B (zero-width character)"));
    }

    #[test]
    fn a_puzzle_among_fields_is_never_taken_for_a_heading() {
        let good = || Ok(PUZZLE.to_owned());
        let bad = |message: &str| Err(message.to_owned());
        let text = format!(
            "name;cells;rating\neasy;{PUZZLE};3.5\neasy;1..........4...;3.5\n\
             hard;1.....y....4....;3.5\nhard 1..........4..... 9\nhard;;2\nhard,{PUZZLE},2\n"
        );
        let want = [
            good(),
            bad("f:3: expected 16 characters, found 15"),
            bad("f:4: expected `.` or one of 1234, found 'y' at row 2, column 3"),
            bad("f:5: expected 16 characters, found 17"),
            bad("f:6: expected 16 characters, found 7, with 'h'"),
            good(),
        ];
        assert_eq!(texts(four(), &text), want);
        let text = format!("Grid 1, easy\n{PUZZLE}\nMade on 2024-02-28, by me\n{PUZZLE}\n");
        assert_eq!(texts(four(), &text), [good(), good()]);
    }

    #[test]
    fn puzzles_in_a_row_that_cannot_be_read_are_counted_one_by_one() {
        let good = || Ok(PUZZLE.to_owned());
        let bad = |at: usize, n: usize| Err(format!("f:{at}: expected 16 characters, found {n}"));
        let text =
            format!("{PUZZLE}\n1..........4...\n1..........4.....\n1.............\n{PUZZLE}");
        assert_eq!(texts(four(), &text), [good(), bad(2, 15), bad(3, 17), bad(4, 14), good()]);
        let text = format!("{}\n{PUZZLE}\n", ",".repeat(3 << 20));
        let found = texts(four(), &text);
        assert_eq!((found.len(), &found[1]), (2, &good()));
    }

    #[test]
    fn only_known_sections_are_passed_over() {
        let text = format!("{PUZZLE}\n[Hard]\n{PUZZLE}\n[State]\n1\n[Easy]\n{PUZZLE}\n");
        assert_eq!(texts(four(), &text), vec![Ok(PUZZLE.to_owned()); 3]);
    }

    #[test]
    fn a_line_that_is_too_long_or_has_an_open_quote_does_not_block_the_others() {
        let good = || Ok(PUZZLE.to_owned());
        let text = format!("{PUZZLE}\n{}\n{PUZZLE}\n{PUZZLE}\n", "1".repeat(5 << 20));
        let want = "f:2: expected a line of less than 4194304 bytes, found more".to_owned();
        assert_eq!(texts(four(), &text), [good(), Err(want), good(), good()]);
        let text = format!("puzzle,id\n{PUZZLE},1\n\"{PUZZLE},2\n{PUZZLE},3\n{PUZZLE},4");
        let want = "f:3: expected a quote at the end of field 1, found none".to_owned();
        assert_eq!(texts(four(), &text), [good(), Err(want), good(), good()]);
        let text = format!("{PUZZLE}\r{PUZZLE}\r1...\r....\r...4\r....\r");
        assert_eq!(texts(four(), &text), vec![good(); 3]);
    }

    #[test]
    fn digits_may_count_from_zero_on_large_boards() {
        let shape = Shape::new(16).unwrap();
        let solved = crate::sudoku::solved_board(shape, &mut hrm_base::rng::stream(1, "test"));
        let text = solved.to_text().replace('G', "0");
        let zero_at = text.find('0').unwrap();
        let mut question = text.clone();
        question.replace_range(zero_at + 1..zero_at + 9, "........");
        let given = |question: &str, answer: &str| Given::parse(shape, question, answer, "f");
        let found = given(&question, "").unwrap();
        assert_eq!(found.digits, Digits::FromZero);
        assert_eq!(usize::from(found.board.cells()[zero_at]), 16);
        assert_eq!(found.board.n_givens(), 248);
        assert_eq!(given(&question.to_lowercase(), "").unwrap(), found);
        // The answer decides where the question does not.
        let message = given(&text, "").unwrap_err().to_string();
        assert!(message.contains("0, which may be a blank (digits 1 to G) or a digit (0 to F)"));
        assert_eq!(given(&text, &text).unwrap().digits, Digits::FromZero);
        let blanked = solved.to_text().replace('1', "0");
        assert_eq!(given(&blanked, &solved.to_text()).unwrap().digits, Digits::FromOne);
        assert_eq!(given(&blanked, "").unwrap().board.n_givens(), 240);
    }

    /// A solved board, and a question with every third cell blank, in these digits.
    fn pair(side: usize, digits: Digits, seed: u64) -> (Shape, Board, String, String) {
        let shape = Shape::new(side).unwrap();
        let solved = crate::sudoku::solved_board(shape, &mut hrm_base::rng::stream(seed, "test"));
        let mut question = solved.clone();
        (0..shape.n_cells()).step_by(3).for_each(|cell| question.set(cell, 0));
        let texts = [&question, &solved].map(|board| board.written(shape, digits));
        let [text, answer] = texts;
        (shape, question, text, answer)
    }

    #[test]
    fn all_digits_may_be_letters() {
        for side in [4, 9, 12, 16] {
            let (shape, want, text, answer) = pair(side, Digits::Letters, 1);
            assert!(text.chars().all(|symbol| symbol == '.' || symbol.is_ascii_uppercase()));
            let given = |question: &str, answer: &str| Given::parse(shape, question, answer, "f");
            for text in [text.clone(), text.to_lowercase(), text.replace('.', "0")] {
                let found = given(&text, "").unwrap();
                assert_eq!((&found.board, found.digits), (&want, Digits::Letters), "{text}");
                assert_eq!(
                    found.board.written(shape, found.digits),
                    text.to_uppercase().replace('0', ".")
                );
                assert_eq!(given(&text, &answer).unwrap(), found);
            }
            let mut lines = text.as_bytes().chunks(side).map(String::from_utf8_lossy);
            let drawn = lines.by_ref().collect::<Vec<_>>().join("\n");
            assert_eq!(parse_boards(shape, &drawn, "f").unwrap(), [want]);
            // Two symbols for blanks.
            let at = text.find('.').unwrap();
            let mut two = text.clone();
            two.replace_range(at..=at, "0");
            let message = given(&two, "").unwrap_err().to_string();
            assert!(message.contains("expected one symbol for blanks, found both "), "{message}");
            // A digit among letters.
            let mixed = text.replace('A', "1");
            let message = given(&mixed, "").unwrap_err().to_string();
            assert!(message.contains("expected `.` or one of 1234"), "{message}");
        }
        let shape = Shape::new(9).unwrap();
        let message = Given::parse(shape, &format!("AJ{}", ".".repeat(79)), "", "f").unwrap_err();
        let want = "f: expected `.` or one of ABCDEFGHI, found 'J' at row 1, column 2";
        assert_eq!(message.to_string(), want);
    }

    #[test]
    fn letters_of_two_alphabets_are_refused() {
        let shape = Shape::new(16).unwrap();
        let text = format!("AG{}", ".".repeat(254));
        let message = Given::parse(shape, &text, "", "f").unwrap_err().to_string();
        assert_eq!(
            message,
            "f: expected digits that are clearly 1 to G, or letters A to P, found only letters up \
             to G, which may be either; write the digits as a list of numbers, 1 to 16 with commas \
             between them"
        );
        // As that says, and as hexadecimal says with 0 and another blank.
        let numbers = format!("10,16{}", ",".repeat(254));
        let cells = |text: &str| parse_boards(shape, text, "f").unwrap()[0].cells()[..2].to_vec();
        assert_eq!(cells(&numbers), [10, 16]);
        assert_eq!(cells(&format!("A0{}", ".".repeat(254))), [10, 16]);
    }

    #[test]
    fn json_is_read() {
        let want = [Ok(PUZZLE.to_owned()), Ok(PUZZLE.to_owned())];
        let rows = r#"["1...", "....", "...4", "...."]"#;
        let numbers = "[[1,0,0,0],[0,0,0,0],[0,0,0,4],[0,0,0,0]]";
        for text in [
            format!("{{\"puzzle\": {rows}}}\n{{\"puzzle\": {numbers}, \"solution\": \"{SOLVED}\"}}"),
            format!("[{rows}, {numbers}]"),
            format!("{numbers}\n{rows}\n"),
            format!("[\"{PUZZLE}\",\n \"{PUZZLE}\"]"),
            format!("[[1,null,null,null,0,0,0,0,0,0,0,4,0,0,0,0], {numbers}]").replace("null", "0"),
            "[1,0,0,0]\n[0,0,0,0]\n[0,0,0,4]\n[0,0,0,0]\n[1,0,0,0]\n[0,0,0,0]\n[0,0,0,4]\n[0,0,0,0]\n".to_owned(),
            numbers.replace("0", "null") + "\n" + numbers,
        ] {
            assert_eq!(texts(four(), &text), want, "{text}");
        }
        let text =
            format!("{{\"puzzle\": \"{PUZZLE}\"}}\n{{\"puzzle\": [[1,2],[3,4]]}}\n{numbers}\n");
        let bad = "f:2: field `question`: expected 4 rows of 4 characters, found 2 rows";
        assert_eq!(texts(four(), &text), [want[0].clone(), Err(bad.to_owned()), want[0].clone()]);
        let (shape, want, ..) = pair(16, Digits::FromOne, 2);
        let rows: Vec<Vec<u8>> = want.cells().chunks(16).map(<[u8]>::to_vec).collect();
        let text = serde_json::to_string(&rows).unwrap();
        assert_eq!(parse_boards(shape, &text, "f").unwrap(), std::slice::from_ref(&want));
        assert_eq!(
            parse_boards(shape, &text.replace("0", "null").replace("1null", "10"), "f").unwrap(),
            [want]
        );
        assert_eq!(shape_of(&text[1..text.len() - 1].replace("],", "]\n")), Some(shape));
        assert_eq!((shape_of("1..\n"), shape_of("1...\n....\n...4\n....")), (None, Some(four())));
    }
}
