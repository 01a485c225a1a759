//! Mazes as users type them.

use std::collections::BTreeSet;
use std::io::Cursor;

use super::{Maze, PATH, Size, Symbols};
use crate::PuzzleError;
use crate::questions::Questions;
use crate::records::{Columns, Located};
use crate::text::Text;

/// What separates rows on one line, unless it stands for a cell.
const SEPARATORS: [&str; 4] = ["\\n", "/", "|", ";"];

/// How a maze was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All cells on one line, or in one field.
    OneLine,
    /// Row by row, with this between rows: a line break, or another separator.
    Rows(&'static str),
}

/// A maze as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The maze.
    pub maze: Maze,
    /// How it was written.
    pub form: Form,
    /// Its characters as they were written, row by row.
    cells: Vec<char>,
}

impl Given {
    /// Parses a maze in any form.
    pub(super) fn parse(
        text: &str,
        size: Size,
        symbols: &Symbols,
        place: &str,
    ) -> Result<Self, PuzzleError> {
        Self::new(laid_out(text, size, symbols, place)?, size, symbols, place)
    }

    fn new(
        (form, cells): (Form, String),
        size: Size,
        symbols: &Symbols,
        place: &str,
    ) -> Result<Self, PuzzleError> {
        let maze = Maze::parse(&cells, size, symbols, place)?;
        Ok(Self { maze, form, cells: cells.chars().collect() })
    }

    /// The cells `own`, in the characters of this program, in the form and with the
    /// characters of this question.
    pub fn written(&self, own: &[char], symbols: &Symbols) -> String {
        let cell = |(cell, own): (&char, &char)| match symbols.read(*cell) {
            Some(given) if given == *own => *cell,
            _ => symbols.written(*own),
        };
        let text: String = self.cells.iter().zip(own).map(cell).collect();
        match self.form {
            Form::OneLine => text,
            Form::Rows(separator) => in_rows(&text, self.maze.size(), separator),
        }
    }
}

/// One line per row, without a newline after the last.
pub fn in_lines(text: &str, size: Size) -> String {
    in_rows(text, size, "\n")
}

fn in_rows(text: &str, size: Size, separator: &str) -> String {
    let symbols: Vec<char> = text.chars().collect();
    let rows: Vec<String> = symbols.chunks(size.width()).map(|row| row.iter().collect()).collect();
    rows.join(separator)
}

/// The size of a maze that is written row by row; `None` for a maze on one line, or a size
/// out of range.
pub fn size_of_rows(text: &str, symbols: &Symbols) -> Option<Size> {
    let (_, rows) = rows_of(text, symbols)?;
    let width = match separated(&rows) {
        Some(rows) => rows[0].chars().count(),
        None => rows.iter().map(|row| row.chars().count()).max()?,
    };
    Size::new(rows.len(), width).ok()
}

/// The rows without what separates their characters: a space, a comma or the like between all
/// of them.
fn separated(rows: &[&str]) -> Option<Vec<String>> {
    let is_separated = |row: &&str, separator: char| {
        let mut between = row.chars().skip(1).step_by(2);
        row.chars().count() % 2 == 1 && between.all(|symbol| symbol == separator)
    };
    let is_long = rows.iter().all(|row| row.chars().nth(2).is_some());
    let separator = [' ', ',', ';', '\t'].into_iter();
    let mut separator = separator.filter(|at| rows.iter().all(|row| is_separated(row, *at)));
    let separator = separator.next().filter(|_| is_long)?;
    let own = |row: &&str| row.chars().step_by(2).collect();
    let own: Vec<String> = rows.iter().map(own).collect();
    // Where a space is a cell, all of them are.
    (!own.iter().any(|row| row.contains(separator))).then_some(own)
}

/// The rows of a maze, and what separates them; `None` for one line.
fn rows_of<'a>(text: &'a str, symbols: &Symbols) -> Option<(&'static str, Vec<&'a str>)> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.contains('\n') {
        return Some(("\n", text.split('\n').map(|row| row.trim_end_matches('\r')).collect()));
    }
    SEPARATORS.into_iter().find_map(|separator| {
        let is_cell = separator.chars().next().is_some_and(|first| symbols.read(first).is_some());
        let rows: Vec<&str> = text.split(separator).collect();
        let width = rows[0].chars().count();
        let is_even = rows.iter().all(|row| row.chars().count() == width);
        (!is_cell && rows.len() > 1 && width > 1 && is_even).then_some((separator, rows))
    })
}

/// The form of a maze or an answer, and its characters row by row.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] for rows that have another size.
pub(super) fn laid_out(
    text: &str,
    size: Size,
    symbols: &Symbols,
    place: &str,
) -> Result<(Form, String), PuzzleError> {
    match rows_of(text, symbols) {
        None => Ok((Form::OneLine, text.trim_end_matches(['\r', '\n']).to_owned())),
        Some((separator, rows)) => {
            Ok((Form::Rows(separator), joined(&rows, size, symbols, place)?))
        }
    }
}

/// The characters of a maze from its rows, which may have lost trailing spaces.
fn joined(
    rows: &[&str],
    size: Size,
    symbols: &Symbols,
    place: &str,
) -> Result<String, PuzzleError> {
    let (height, width) = (size.height(), size.width());
    let is_wide = rows.iter().any(|row| row.chars().count() > width);
    if let Some(rows) = separated(rows).filter(|_| is_wide) {
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        return joined(&rows, size, symbols, place);
    }
    let is_padded = symbols.read(' ').is_some();
    let rows = rows.iter().map(|row| if is_padded { row } else { row.trim_end() });
    let rows: Vec<&str> = rows.collect();
    let n_chars = |row: &&str| row.chars().count();
    let n_chars_max = rows.iter().map(n_chars).max().unwrap_or(0);
    let mut rest = rows.iter().enumerate();
    let fault = match rest.find(|(_, row)| !is_padded && n_chars(row) != width) {
        _ if rows.len() != height || n_chars_max > width => {
            format!("{} lines of up to {n_chars_max}", rows.len())
        }
        Some((at, row)) => format!("{} in row {}", n_chars(row), at + 1),
        None => return Ok(rows.iter().map(|row| format!("{row:width$}")).collect()),
    };
    let expected = format!("{height} lines of {width} characters for {size}");
    Err(PuzzleError::malformed(place, expected, fault))
}

/// Parses mazes from text, as [`mazes`] does.
///
/// # Errors
///
/// The first maze that cannot be read: [`PuzzleError::Malformed`] with the line and the
/// unexpected character, [`PuzzleError::Empty`] without mazes.
pub fn parse_mazes(
    size: Size,
    symbols: &Symbols,
    text: &str,
    place: &str,
) -> Result<Vec<Given>, PuzzleError> {
    let text = Text::new(Cursor::new(text.to_owned().into_bytes()), place, &[])?;
    mazes(size, symbols, text, &Columns::default())?.collect()
}

/// Mazes, or why one of them could not be read.
pub type Mazes = Box<dyn Iterator<Item = Result<Given, PuzzleError>>>;

/// The mazes of `size` in a text, one after another: a table, JSON, one maze per line, or mazes
/// with one line per row, separated by empty lines, headings or rules (`---`). Each error
/// concerns one maze, except for [`PuzzleError::Read`], which is the last.
///
/// Mazes may be in frames, as this program draws them: of question and answer side by side or
/// one below the other, the question is read. Comments (`;`) are passed over.
///
/// # Errors
///
/// [`PuzzleError::Read`], [`PuzzleError::Empty`] without mazes, and
/// [`PuzzleError::Malformed`] for a table without a column of questions and for drawings of
/// more than 64 MiB.
pub fn mazes(
    size: Size,
    symbols: &Symbols,
    text: Text,
    columns: &Columns,
) -> Result<Mazes, PuzzleError> {
    /// Drawn mazes are held in memory: which empty lines are rows shows only at the end.
    const N_DRAWN_BYTES_MAX: usize = 64 << 20;

    let symbols = symbols.clone();
    let is_board = |line: &str| line.chars().count() >= size.n_cells();
    let for_json = symbols.clone();
    let is_whole =
        move |text: &str| text.chars().count() > size.width() || rows_of(text, &for_json).is_some();
    let mut lines = match Questions::of(text, columns, "mazes", is_board, Box::new(is_whole))? {
        Questions::Records(records) => {
            let read = move |located: Result<Located, PuzzleError>| {
                let located = located?;
                let place = located.field("question");
                Given::parse(&located.record.question, size, &symbols, &place)
            };
            return Ok(Box::new(records.map(read)));
        }
        Questions::Lines(lines) => lines,
    };
    let name = lines.name().to_owned();
    let mut drawing: Vec<Row> = Vec::new();
    let mut n_bytes = 0;
    while let Some(line) = lines.next() {
        let (at, line) = line?;
        let kind = LineKind::of(&line, &symbols);
        let is_one = !matches!(kind, LineKind::Framed(_) | LineKind::Break | LineKind::Comment)
            && (line.chars().count() == size.n_cells() || rows_of(&line, &symbols).is_some());
        if is_one && drawing.iter().all(|row| row.text.is_empty()) {
            let read = move |line: Result<(usize, String), PuzzleError>| match line {
                Ok((_, line)) if is_between(&line, size, &symbols) => None,
                line => Some(line.and_then(|(at, line)| {
                    Given::parse(&line, size, &symbols, &format!("{name}:{at}"))
                })),
            };
            return Ok(Box::new(std::iter::once(Ok((at, line))).chain(lines).filter_map(read)));
        }
        n_bytes += line.len();
        if n_bytes > N_DRAWN_BYTES_MAX {
            let expected = format!("at most {N_DRAWN_BYTES_MAX} bytes of drawn mazes");
            return Err(PuzzleError::malformed(name, expected, "more"));
        }
        match kind {
            LineKind::Comment => {}
            LineKind::Break | LineKind::Heading => {
                if drawing.last().is_some_and(|row| !row.text.is_empty()) {
                    drawing.push(Row { at, text: String::new(), is_framed: false });
                }
            }
            LineKind::Framed(row) => {
                drawing.push(Row { at, text: row.to_owned(), is_framed: true });
            }
            LineKind::Row => drawing.push(Row { at, text: line, is_framed: false }),
        }
    }
    if drawing.iter().all(|row| row.text.trim().is_empty()) {
        return Err(PuzzleError::Empty { place: name, what: "mazes" });
    }
    let read = |rows: &[Row]| {
        let place = format!("{name}:{}", rows.first().map_or(1, |row| row.at));
        if let [row] = rows {
            return Given::parse(&row.text, size, &symbols, &place);
        }
        let rows: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        let cells = joined(&rows, size, &symbols, &place)?;
        Given::new((Form::Rows("\n"), cells), size, &symbols, &place)
    };
    let mut mazes = Vec::new();
    let mut question: Option<&[Row]> = None;
    for rows in blocks(size, &symbols, &drawing) {
        let is_framed = rows.iter().all(|row| row.is_framed);
        if is_framed && question.take().is_some_and(|of| is_answer(rows, of, &symbols)) {
            continue;
        }
        question = Some(rows).filter(|_| is_framed);
        mazes.push(read(rows));
    }
    Ok(Box::new(mazes.into_iter()))
}

/// A line of drawn mazes, without its frame.
struct Row {
    at: usize,
    text: String,
    is_framed: bool,
}

/// What a line of drawn mazes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineKind<'a> {
    /// A row, or what should be one.
    Row,
    /// A row in a frame: of several side by side, the first.
    Framed(&'a str),
    /// A side of a frame, or a rule between mazes.
    Break,
    /// A name, or what is said of an answer.
    Heading,
    Comment,
}

impl<'a> LineKind<'a> {
    /// What a line is, unless its characters stand for cells.
    fn of(line: &'a str, symbols: &Symbols) -> Self {
        let is_cell = |symbol: char| symbols.read(symbol).is_some();
        let bare = line.trim();
        if line.chars().all(is_cell) {
            return Self::Row;
        }
        let is_of =
            |drawn: &str| bare.chars().all(|at| at == ' ' || drawn.contains(at) && !is_cell(at));
        if bare.contains("--") && is_of("+-") || bare.contains("==") && is_of("=") {
            return Self::Break;
        }
        let framed = bare.strip_prefix('|').filter(|rest| rest.ends_with('|') && !is_cell('|'));
        if let Some((row, _)) = framed.and_then(|rest| rest.split_once('|')) {
            return Self::Framed(row);
        }
        if bare.starts_with(';') && !is_cell(';') {
            return Self::Comment;
        }
        // No kind of cell has three letters.
        let is_word = |word: &str| {
            let letters: BTreeSet<char> = word.chars().filter(|letter| !is_cell(*letter)).collect();
            letters.len() > 2
        };
        if bare.split(|symbol: char| !symbol.is_alphabetic()).any(is_word) {
            return Self::Heading;
        }
        Self::Row
    }
}

/// Whether a line between mazes on one line each is passed over. One with half the characters of
/// a maze should be one.
fn is_between(line: &str, size: Size, symbols: &Symbols) -> bool {
    let is_short = 2 * line.chars().count() < size.n_cells();
    match LineKind::of(line, symbols) {
        LineKind::Row => line.is_empty(),
        LineKind::Framed(_) => false,
        LineKind::Break | LineKind::Heading => is_short,
        LineKind::Comment => true,
    }
}

/// Whether a framed maze is the answer to the one above it: with a path, or other marks of a
/// drawn answer, or with the same cells.
fn is_answer(rows: &[Row], question: &[Row], symbols: &Symbols) -> bool {
    let is_mark = |symbol: char| match symbols.read(symbol) {
        Some(own) => own == PATH,
        None => "_?".contains(symbol),
    };
    let is_same = || rows.iter().zip(question).all(|(row, of)| row.text == of.text);
    let is_marked = || rows.iter().any(|row| row.text.contains(is_mark));
    rows.len() == question.len() && (is_marked() || is_same())
}

/// The lines of each maze.
fn blocks<'a>(size: Size, symbols: &Symbols, lines: &'a [Row]) -> Vec<&'a [Row]> {
    let height = size.height();
    let is_empty = |row: &Row| row.text.is_empty();
    // An editor may have stripped a row of spaces to an empty line. If all separators
    // are where they belong, an empty line anywhere else is such a row.
    let exact = || lines.chunks(height + 1);
    let ends_well = |block: &[Row]| block.get(height).is_none_or(is_empty);
    let may_be_rows = symbols.read(' ').is_some();
    if may_be_rows && exact().all(|block| block.len() >= height && ends_well(block)) {
        return exact().map(|block| &block[..height]).collect();
    }
    lines.split(is_empty).filter(|block| !block.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maze::grid::tests::{any_maze, maze};
    use proptest::prelude::*;

    fn parsed(size: Size, text: &str) -> Result<Vec<Given>, PuzzleError> {
        parse_mazes(size, &Symbols::default(), text, "f")
    }

    fn texts(side: usize, text: &str) -> Vec<String> {
        let mazes = parsed(Size::square(side), text).unwrap();
        mazes.iter().map(|given| given.maze.to_text(&[])).collect()
    }

    #[test]
    fn every_text_form_of_mazes_is_parsed() {
        let csv = "source,question,answer,rating\nx,S #   # G,anything,\ny,\"S #   # G\",,\n";
        assert_eq!(texts(3, csv), ["S #   # G"; 2]);
        assert_eq!(texts(3, "S #   # G"), ["S #   # G"]);
        assert_eq!(texts(3, "\nS #   # G\r\n\r\nS #   # G\n\n"), ["S #   # G"; 2]);
        assert_eq!(texts(3, "S #\n   \n# G\n"), ["S #   # G"]);
        assert_eq!(texts(3, "S #\r\n   \r\n# G"), ["S #   # G"]);
        assert_eq!(texts(3, "S #\n   \n# G\n\nS #\n   \n# G\n\n"), ["S #   # G"; 2]);
        assert_eq!(texts(3, "\n\nS #\n   \n# G\n\n\n\nS #\n   \n# G\n"), ["S #   # G"; 2]);
    }

    #[test]
    fn stripped_spaces_are_restored() {
        assert_eq!(texts(3, "S #\n\n# G"), ["S #   # G"]);
        assert_eq!(texts(3, "\nS\n  G\n"), ["   S    G"]);
        assert_eq!(texts(3, "SG\n\n\n\nS\n\n  G\n"), ["SG       ", "S       G"]);
    }

    #[test]
    fn text_that_is_not_a_maze_is_rejected_with_its_line() {
        let message = |side, text: &str| parsed(Size::square(side), text).unwrap_err().to_string();
        assert_eq!(message(3, " \n\n"), "f holds no mazes");
        assert_eq!(message(3, "SG"), "f:1: expected 9 characters for side 3, found 2");
        assert_eq!(
            message(3, "S  G"),
            "f:1: expected 9 characters for side 3, found 4, as for side 2"
        );
        let want = "f:3: expected 3 lines of 3 characters for side 3, found 2 lines of up to 2";
        assert_eq!(message(3, "\n\nS#\n G\n"), want);
        let want = "f:1: expected 3 lines of 3 characters for side 3, found 3 lines of up to 4";
        assert_eq!(message(3, "S#\n   G\n#\n"), want);
        assert_eq!(
            message(2, "S#\n G\n\nS#\n x\n"),
            "f:4: expected '#', ' ', 'S' or 'G', found 'x' at row 2, column 2; say what it stands \
             for, e.g. --symbols free=x"
        );
        assert_eq!(message(2, "S#\n #\n"), "f:1: expected one 'G', found none");
        let want = "f:2: field `question`: expected 9 characters for side 3, found 2";
        assert_eq!(message(3, "source,question,answer,rating\nx,SG,,\n"), want);
        // A question needs no answer.
        assert_eq!(texts(3, "source,question\nx,S #   # G\n"), ["S #   # G"]);
        let wide = Size { height: 2, width: 3 };
        let want =
            "f:1: expected 2 lines of 3 characters for 2 by 3 cells, found 3 lines of up to 2";
        assert_eq!(parsed(wide, "S#\n  \n G\n").unwrap_err().to_string(), want);
    }

    #[test]
    fn rows_on_one_line_are_separated_by_what_is_no_cell() {
        let size = Size { height: 2, width: 3 };
        for text in ["S #/ G ", "S #| G ", "S #; G ", "S #\\n G ", "question\n\"S #\n G\"\n"] {
            let found = &parsed(size, text).unwrap()[0];
            assert_eq!(found.maze.to_text(&[]), "S # G ", "{text}");
            let Form::Rows(separator) = found.form else { panic!("{text} is one line") };
            let want = format!("S #{separator} Go");
            assert_eq!(found.written(&['S', ' ', '#', ' ', 'G', 'o'], &Symbols::default()), want);
        }
        assert_eq!(parsed(size, "S #/ G \n\nS #/ G ").unwrap().len(), 2);
        let size = |text: &str| size_of_rows(text, &Symbols::default());
        assert_eq!(size("S #/ G "), Some(Size { height: 2, width: 3 }));
        assert_eq!(size("S\n G\n"), Some(Size { height: 2, width: 2 }));
        // Cells with a separator between them, as tables and matrices are written.
        let dots = "free=.".parse::<Symbols>().unwrap();
        for between in [" ", ",", ";", "\t"] {
            let row = |row: &str| row.split("").collect::<Vec<_>>()[1..4].join(between);
            let text = &["S.#", ".G."].map(row).join("\n");
            let size = Size { height: 2, width: 3 };
            assert_eq!(size_of_rows(text, &dots), Some(size), "{text}");
            let found = parse_mazes(size, &dots, text, "f").unwrap();
            assert_eq!(found[0].maze.to_text(&[]), "S # G ", "{text}");
        }
        assert_eq!(size("S   G\n#   #\n"), Some(Size { height: 2, width: 5 }));
        // Rows of different lengths, or a separator that is a cell.
        assert_eq!((size("S #/ G"), size("S # G ")), (None, None));
        let slash = "wall=/".parse::<Symbols>().unwrap();
        assert_eq!(size_of_rows("S /  /  G", &slash), None);
    }

    #[test]
    fn our_own_drawings_are_parsed() {
        let symbols = Symbols::default();
        for size in [Size { height: 2, width: 3 }, Size { height: 3, width: 40 }] {
            let free = size.n_cells() - 3;
            let mazes = [format!("S#{}G", " ".repeat(free)), format!("G#{}S", " ".repeat(free))];
            let verdict = "Not valid: the path breaks off at row 1, column 1, after 2 segments.\n";
            for answer in [mazes[0].replace(' ', "o"), mazes[0].clone(), mazes[0].replace(' ', "_")]
            {
                let [question, answer, other] = [&mazes[0], &answer, &mazes[1]]
                    .map(|text| text.chars().map(Some).collect::<Vec<_>>());
                let draw = |question: &[_], answer: &[_]| {
                    crate::maze::draw(size, question, answer, crate::Style::Plain, &symbols)
                };
                let (one, two) = (draw(&question, &answer), draw(&other, &other));
                for text in [format!("{one}\n{two}"), format!("{one}{verdict}{two}{verdict}")] {
                    let found = parsed(size, &text).unwrap();
                    let found: Vec<_> = found.iter().map(|given| given.maze.to_text(&[])).collect();
                    assert_eq!(found, mazes, "{text}");
                }
            }
        }
    }

    #[test]
    fn headings_rules_frames_and_comments_are_no_rows() {
        let maze = "S #   # G";
        for text in [
            "Maze 1\nS #\n   \n# G\n\nMaze 2\nS #\n\n# G\n",
            "S #\n   \n# G\n---\nS #\n   \n# G\n---\n",
            "+---+\n|S #|\n|   |\n|# G|\n+---+\n+---+\n|S #|\n|   |\n|# G|\n+---+\n",
            "; easy\nS #\n   \n# G\n\nS #\n   \n; the last row\n# G\n",
            "; easy\nS #   # G\n----\nS #   # G\n",
        ] {
            // Framed mazes that are equal are a question and its answer.
            let n = if text.starts_with('+') { 1 } else { 2 };
            assert_eq!(texts(3, text), vec![maze; n], "{text}");
        }
        // Nothing that should be a maze is passed over.
        let message = |text: &str| {
            let found = parse_mazes(Size::square(3), &Symbols::default(), text, "f");
            found.unwrap_err().to_string()
        };
        let want = "f:2: expected '#', ' ', 'S' or 'G', found 'W' at row 1, column 1; say what it \
                    stands for, e.g. --symbols free=W";
        assert_eq!(message("S #   # G\nWay# #  G\n"), want);
        let want = "f:5: expected '#', ' ', 'S' or 'G', found 'x' at row 1, column 3; say what it \
                    stands for, e.g. --symbols free=x";
        assert_eq!(message("|S #|\n|   |\n|# G|\n\n|S x|\n|   |\n|# G|\n"), want);
        // What stands for a cell is one.
        let symbols: Symbols = "wall=|,free=-,start=;,goal=+".parse().unwrap();
        let found = parse_mazes(Size::square(2), &symbols, ";|\n-+\n", "f").unwrap();
        assert_eq!(found[0].maze.to_text(&[]), "S# G");
    }

    #[test]
    fn mazes_are_read_and_written_with_other_characters() {
        let symbols: Symbols = "wall=1,free=0_,start=2,goal=3,path=4".parse().unwrap();
        let parsed = |size, text: &str| parse_mazes(size, &symbols, text, "f");
        let size = Size { height: 2, width: 3 };
        for (text, want) in [("201_30", "241430"), ("201\n_30\n", "241\n430")] {
            let found = &parsed(size, text).unwrap()[0];
            assert_eq!(found.maze.to_text(&[]), "S # G ");
            assert_eq!(found.written(&['S', 'o', '#', 'o', 'G', ' '], &symbols), want);
            // What is unchanged is written as it was.
            assert_eq!(found.written(&['S', ' ', '#', ' ', 'G', ' '], &symbols), text.trim_end());
        }
        let message = |text: &str| parsed(size, text).unwrap_err().to_string();
        assert_eq!(
            message("201\n 30\n"),
            "f:1: expected '1', '0', '_', '2' or '3', found a space at row 2, column 1; say what it \
             stands for, e.g. --symbols free=space"
        );
        assert_eq!(
            message("201\n_3\n"),
            "f:1: expected 2 lines of 3 characters for 2 by 3 cells, found 2 in row 2"
        );
        assert_eq!(message("201_00"), "f:1: expected one '3', found none");
        // An empty line is no row where spaces are no cells.
        assert_eq!(parsed(size, "201\n_30\n\n201\n_30\n").unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn a_drawn_maze_is_parsed_with_or_without_trailing_spaces(
            mazes in proptest::collection::vec(any_maze(5), 1..4),
            stripped: bool,
        ) {
            let size = mazes[0].size();
            let mazes: Vec<_> = mazes.into_iter().filter(|maze| maze.size() == size).collect();
            let mut text = String::new();
            for maze in &mazes {
                for line in in_lines(&maze.to_text(&[]), size).lines() {
                    text += if stripped { line.trim_end() } else { line };
                    text += "\n";
                }
                text += "\n";
            }
            let found = parsed(size, &text).unwrap();
            prop_assert!(found.iter().all(|given| given.form == Form::Rows("\n")));
            prop_assert_eq!(found.into_iter().map(|given| given.maze).collect::<Vec<_>>(), mazes);
        }

        #[test]
        fn no_text_makes_the_parser_panic(
            text in "[# SGo,/|\n]{0,40}",
            height in 2usize..6,
            width in 2usize..6,
        ) {
            let size = Size { height, width };
            for given in parsed(size, &text).unwrap_or_default() {
                let own = given.maze.symbols(&[]);
                let again = parsed(size, &given.written(&own, &Symbols::default())).unwrap();
                prop_assert_eq!(&again[0].maze, &given.maze);
            }

        }
    }

    #[test]
    fn a_maze_whose_last_rows_are_free_is_parsed_as_drawn() {
        let maze = maze(&["SG ", "   ", "   "]);
        assert_eq!(parsed(maze.size(), "SG \n   \n   \n").unwrap()[0].maze, maze);
    }
}
