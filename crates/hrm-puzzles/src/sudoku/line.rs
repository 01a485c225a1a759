//! What the lines of a written puzzle are: whole boards, rows, or what is drawn around them.

use super::Shape;
use super::notation::{BLANKS, is_symbol, of_number};
use crate::PuzzleError;

/// What draws the sides of boxes and cells.
pub(super) const BARS: [char; 4] = ['|', '│', '┃', '║'];

/// At least this many spaces separate the question from the answer in a drawing.
const GAP: &str = "   ";

/// Bytes per cell, with all that is drawn around it, beyond which a line is no drawing.
const N_CELL_BYTES_MAX: usize = 64;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A whole puzzle, or what should be one.
    Board(String),
    /// A row, or what should be one.
    Row(String),
    /// Several boards, of which any may be the puzzle.
    Several(usize),
    /// A row of blanks, or a line between rows.
    RowOrRule(String),
    /// A line between boxes.
    Rule,
    /// A heading between puzzles.
    Heading,
}

/// Whether a character is one that boxes are drawn with.
fn is_of_box(symbol: char) -> bool {
    ('\u{2500}'..='\u{257f}').contains(&symbol)
}

/// Whether a line between boxes shows where their sides meet it.
pub(super) fn has_corners(rule: &str) -> bool {
    rule.contains(['+', '|']) || rule.contains(is_of_box)
}

/// Which symbols are blanks; 0 is none if it may be a digit.
pub(super) fn is_blank(may_count_from_zero: bool) -> impl Fn(char) -> bool {
    move |symbol| BLANKS.contains(symbol) && !(symbol == '0' && may_count_from_zero)
}

/// A row between bars or tabs, where blanks are spaces or nothing at all. `None` for other
/// lines, and for those that are whole without their spaces.
pub(super) fn spaced(shape: Shape, line: &str) -> Option<Line> {
    let one = |field: &str| -> Option<char> {
        let mut symbols = field.trim().chars();
        match (symbols.next(), symbols.next()) {
            (None, _) => Some('.'),
            (Some(symbol), None) => is_symbol(shape, symbol).then_some(symbol),
            _ => of_number(shape, field.trim()),
        }
    };
    let of_fields = |fields: &[&str]| -> Option<String> {
        let (label, fields) = match fields {
            [label, fields @ ..] if fields.len() == shape.side => (label.trim(), fields),
            _ => ("", fields),
        };
        let is_row = fields.len() == shape.side && label.chars().count() < 2;
        let cells =
            is_row.then(|| fields.iter().map(|field| one(field)).collect::<Option<String>>());
        Some(label.to_owned() + &cells??)
    };
    let bare = line.trim();
    let cells: String =
        if let Some(row) = bare.strip_prefix(BARS).and_then(|row| row.strip_suffix(BARS)) {
            let parts: Vec<&str> = row.split(BARS).collect();
            of_fields(&parts).or_else(|| {
                let n_boxes = shape.side / shape.box_columns;
                let of_box = |part: &&str| of_box(shape, part);
                (parts.len() == n_boxes).then(|| parts.iter().map(of_box).collect())?
            })?
        } else {
            of_fields(&line.split('\t').collect::<Vec<_>>()).filter(|_| line.contains('\t'))?
        };
    match cells_of(shape, bare).chars().count() {
        0 => Some(Line::RowOrRule(cells)),
        n if n < cells.chars().count() => Some(Line::Row(cells)),
        _ => None,
    }
}

/// The cells of a row of a box by their columns, with or without spaces around them.
fn of_box(shape: Shape, part: &str) -> Option<String> {
    let symbols: Vec<char> = part.chars().collect();
    let n = shape.box_columns;
    let (first, step) = match symbols.len() {
        len if len == n => (0, 1),
        len if len == 2 * n - 1 => (0, 2),
        len if len == 2 * n + 1 => (1, 2),
        _ => return None,
    };
    let is_cell = |at: usize| at >= first && (at - first).is_multiple_of(step);
    let cell = |symbol: char| match symbol {
        ' ' | '\u{a0}' => Some('.'),
        symbol => is_symbol(shape, symbol).then_some(symbol),
    };
    let between = |(at, symbol): (usize, &char)| is_cell(at) || cell(*symbol) == Some('.');
    if !symbols.iter().enumerate().all(between) {
        return None;
    }
    (0..n).map(|column| cell(symbols[first + step * column])).collect()
}

/// Whether a line that begins with a word is prose or names columns, instead of giving fields
/// of a puzzle.
fn is_heading(text: &str) -> bool {
    let is_field_end = |(at, symbol): (usize, char)| match symbol {
        ';' | '\t' => true,
        ',' => !text[at + 1..].starts_with(' '),
        _ => false,
    };
    let is_name = |field: &str| field.trim().starts_with(char::is_alphabetic);
    !text.char_indices().any(is_field_end) || text.split([';', '\t', ',']).all(is_name)
}

impl Line {
    /// What a line is that holds more than spaces.
    pub(super) fn of(shape: Shape, text: &str) -> Self {
        if let Some(rule) = Self::rule(shape, text) {
            return rule;
        }
        if text.len() > N_CELL_BYTES_MAX * shape.n_cells() {
            return Self::Board(text.to_owned());
        }
        if let Some(cells) = joined(shape, text) {
            return Self::Board(cells);
        }
        if let Some(cells) = listed(shape, text) {
            return if cells.chars().count() == shape.side {
                Self::Row(cells)
            } else {
                Self::Board(cells)
            };
        }
        let is_valid = |text: &str| text.chars().all(|symbol| is_symbol(shape, symbol));
        let cells = cells_of(shape, text);
        let n_cells = cells.chars().count();
        if is_valid(&cells) && (n_cells == shape.side || n_cells == shape.n_cells()) {
            return if n_cells == shape.side { Self::Row(cells) } else { Self::Board(cells) };
        }
        // A puzzle among other fields, e.g. a name and a rating.
        let is_board = |field: &&str| field.chars().count() == shape.n_cells() && is_valid(field);
        let mut fields = text.split([' ', '\t', ',', ';', '"', '\'', ':', '|']);
        let boards: Vec<&str> = fields.clone().filter(is_board).collect();
        if !boards.is_empty() {
            return match question_of(shape, &boards) {
                Some(board) => Self::Board(board.to_owned()),
                None => Self::Several(boards.len()),
            };
        }
        if n_cells == shape.n_cells() {
            return Self::Board(cells);
        }
        // A puzzle with wrong symbols, or too many or too few.
        let is_nearly = |text: &str| {
            let n = text.chars().count();
            let n_valid = text.chars().filter(|symbol| is_symbol(shape, *symbol)).count();
            n.abs_diff(shape.n_cells()) <= shape.n_cells() / 4 && 2 * n_valid > n
        };
        if let Some(board) = fields.find(|field| is_nearly(field)) {
            return Self::Board(board.to_owned());
        }
        let word: String = text.chars().take_while(|symbol| symbol.is_alphabetic()).collect();
        let is_word = word.chars().count() >= 2 && !is_valid(&word);
        match (is_word, is_heading(text)) {
            (true, true) => Self::Heading,
            (true, false) => Self::Board(cells),
            (false, _) if is_nearly(&cells) || n_cells > shape.n_cells() => Self::Board(cells),
            (false, _) => Self::Row(cells),
        }
    }

    /// A line that is drawn between boxes and holds no cells.
    fn rule(shape: Shape, text: &str) -> Option<Self> {
        let is_drawn = |symbol: char| "-=+|*: ".contains(symbol) || is_of_box(symbol);
        let has_run = text.contains("--") || text.contains("==") || text.contains(is_of_box);
        let is_bracket = text.contains(['[', ']', '(', ')', '{', '}'])
            && text.chars().all(|symbol| "[](){}, ".contains(symbol));
        if is_bracket || text.starts_with("```") {
            return Some(Self::Rule);
        }
        if !has_run || !text.chars().all(is_drawn) {
            return None;
        }
        let cells: Vec<char> = text.chars().filter(|symbol| !symbol.is_whitespace()).collect();
        let is_dashes = cells.iter().all(|symbol| *symbol == '-') && cells.len() == shape.side;
        Some(if is_dashes { Self::RowOrRule("-".repeat(shape.side)) } else { Self::Rule })
    }
}

/// The puzzle among the boards of a line, of which others may be its answer: the only one, or
/// the only one with blanks.
fn question_of<'a>(shape: Shape, boards: &[&'a str]) -> Option<&'a str> {
    if let [board] = boards {
        return Some(board);
    }
    let only = |may_count_from_zero: bool| {
        let mut open = boards.iter().filter(|board| board.contains(is_blank(may_count_from_zero)));
        open.next().filter(|_| open.next().is_none()).copied()
    };
    only(false).or_else(|| only(shape.side > 9))
}

/// The cells of a line of numbers: `[5, 3, 0, ...]`, `5,3,,7`, or, on large boards,
/// `10 . 3`. `None` if it is none, or does not have as many as a row or a board.
fn listed(shape: Shape, text: &str) -> Option<String> {
    let bare: String = text.chars().filter(|symbol| !"[](){}\"'|".contains(*symbol)).collect();
    let bare = bare.trim().trim_start_matches("np.").trim_start_matches("array");
    let fits = |n: usize| n == shape.side || n == shape.n_cells();
    let is_even = |separator: char| fits(bare.split(separator).count());
    let separator = [',', ';'].into_iter().find(|separator| is_even(*separator));
    let bare = if separator == Some(';') { bare } else { bare.trim_end_matches(';').trim() };
    let mut fields: Vec<&str> = match separator.or(bare.contains(',').then_some(',')) {
        Some(separator) => bare.split(separator).map(str::trim).collect(),
        None => bare.split_whitespace().collect(),
    };
    if !fits(fields.len()) && fields.last().is_some_and(|field| field.is_empty()) {
        fields.pop();
    }
    if !fits(fields.len()) {
        return None;
    }
    let symbol = |field: &&str| -> Option<char> {
        let mut symbols = field.chars();
        match (symbols.next(), symbols.next()) {
            (None, _) => Some('.'),
            (Some(symbol), None) => is_symbol(shape, symbol).then_some(symbol),
            _ => of_number(shape, field),
        }
    };
    fields.iter().map(symbol).collect()
}

/// The cells of a board in a field, which may hold a drawing or lists of numbers. A text that
/// is no board is unchanged.
pub(super) fn cells_of_field(shape: Shape, text: &str) -> String {
    if text.chars().count() == shape.n_cells() {
        return text.to_owned();
    }
    if let Some(cells) = joined(shape, text) {
        return cells;
    }
    let rows = rows_of_field(shape, text);
    let is_even = |row: &String| row.chars().count() == rows[0].chars().count();
    if rows.iter().all(is_even) && rows.concat().chars().count() == shape.n_cells() {
        return rows.concat();
    }
    text.to_owned()
}

/// As [`cells_of_field`], of a field that must hold a board.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] with the first row that is too short or too long.
pub(super) fn board_of_field(shape: Shape, text: &str, place: &str) -> Result<String, PuzzleError> {
    let cells = cells_of_field(shape, text);
    if !cells.trim().contains('\n') {
        return Ok(cells);
    }
    let rows = rows_of_field(shape, text);
    let n_cells = rows.iter().map(|row| row.chars().count());
    let odd = n_cells.enumerate().find(|(_, n)| *n != shape.side);
    let found = match odd {
        Some((at, n)) if rows.len() == shape.side => format!("{n} in row {}", at + 1),
        _ => format!("{} rows", rows.len()),
    };
    let expected = format!("{0} rows of {0} characters", shape.side);
    Err(PuzzleError::malformed(place, expected, found))
}

/// The cells of each line of a field, without the lines between boxes.
fn rows_of_field(shape: Shape, text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !matches!(Line::rule(shape, line), Some(Line::Rule)));
    lines.map(|line| listed(shape, line).unwrap_or_else(|| cells_of(shape, line))).collect()
}

/// The cells of a board whose rows are on one line, separated by `/` or `\\n`.
fn joined(shape: Shape, text: &str) -> Option<String> {
    let of_rows = |separator: &str| {
        let rows = text.trim().trim_end_matches(separator).split(separator).map(bare_cells);
        let rows: Vec<String> = rows.collect();
        let is_row = |row: &String| row.chars().count() == shape.side;
        (rows.len() == shape.side && rows.iter().all(is_row)).then(|| rows.concat())
    };
    ["/", "\\n"].iter().find_map(|separator| of_rows(separator))
}

/// The shape of the board in a field, if it is one.
pub fn shape_of(text: &str) -> Option<Shape> {
    let is_it = |shape: &Shape| cells_of_field(*shape, text).chars().count() == shape.n_cells();
    Shape::all().find(is_it)
}

/// The cells of a line. If it is a row of two boards side by side, those of the first.
pub(super) fn cells_of(shape: Shape, line: &str) -> String {
    side_by_side(shape, line).map_or_else(|| bare_cells(line), |(left, _)| left)
}

/// The cells of a line that is a row of two boards side by side, for each of them. Cells of the
/// second that are marked as wrong are preceded by `!`.
pub(super) fn side_by_side(shape: Shape, line: &str) -> Option<(String, String)> {
    let (left, right) = line.trim().split_once(GAP)?;
    let [left, right] = [left, right].map(bare_cells);
    let n_right = right.chars().filter(|symbol| *symbol != '!').count();
    (left.chars().count() == shape.side && n_right == shape.side).then_some((left, right))
}

/// The characters of a line without what is drawn around them.
fn bare_cells(line: &str) -> String {
    let is_drawn = |symbol: char| symbol.is_whitespace() || "|[](){}│┃║".contains(symbol);
    line.chars().filter(|symbol| !is_drawn(*symbol)).collect()
}
