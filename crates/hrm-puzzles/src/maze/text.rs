//! Mazes as users type them.

use std::io::Cursor;

use super::{Maze, check_side};
use crate::PuzzleError;
use crate::questions::Questions;
use crate::records::{Columns, Located};
use crate::text::Text;

/// How a maze was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All cells on one line, or in one field.
    OneLine,
    /// One line per row.
    Drawn,
}

/// One line per row, without a newline after the last.
pub fn in_lines(text: &str, side: usize) -> String {
    let symbols: Vec<char> = text.chars().collect();
    let lines: Vec<String> = symbols.chunks(side).map(|row| row.iter().collect()).collect();
    lines.join("\n")
}

/// Parses mazes from text, as [`mazes`] does.
///
/// # Errors
///
/// The first maze that cannot be read: [`PuzzleError::Malformed`] with the line and the
/// unexpected character, [`PuzzleError::Empty`] without mazes, [`PuzzleError::Setting`] if
/// `side` is out of range.
pub fn parse_mazes(side: usize, text: &str, place: &str) -> Result<(Form, Vec<Maze>), PuzzleError> {
    check_side(side)?;
    let text = Text::new(Cursor::new(text.to_owned().into_bytes()), place, &[])?;
    let found: Vec<(Form, Maze)> =
        mazes(side, text, &Columns::default())?.collect::<Result<_, _>>()?;
    let form = found.first().map_or(Form::OneLine, |(form, _)| *form);
    Ok((form, found.into_iter().map(|(_, maze)| maze).collect()))
}

/// Mazes, or why one of them could not be read.
pub type Mazes = Box<dyn Iterator<Item = Result<(Form, Maze), PuzzleError>>>;

/// The mazes of `side` in a text, one after another: a table, one maze per line, or mazes
/// with one line per row, separated by empty lines. Each error concerns one maze, except for
/// [`PuzzleError::Read`], which is the last.
///
/// # Errors
///
/// [`PuzzleError::Read`], [`PuzzleError::Empty`] without mazes, [`PuzzleError::Malformed`]
/// for a table without a column of questions and for drawings of more than 64 MiB, and
/// [`PuzzleError::Setting`] if `side` is out of range.
pub fn mazes(side: usize, text: Text, columns: &Columns) -> Result<Mazes, PuzzleError> {
    /// Drawn mazes are held in memory: which empty lines are rows shows only at the end.
    const N_DRAWN_BYTES_MAX: usize = 64 << 20;

    check_side(side)?;
    let is_row = |line: &str| line.chars().count() >= side * side;
    let mut lines = match Questions::of(text, columns, "mazes", is_row)? {
        Questions::Table(table) => {
            let read = move |located: Result<Located, PuzzleError>| {
                let located = located?;
                let place = located.field("question");
                Ok((Form::OneLine, Maze::parse(&located.record.question, side, &place)?))
            };
            return Ok(Box::new(table.map(read)));
        }
        Questions::Lines(lines) => lines,
    };
    let name = lines.name().to_owned();
    let mut numbered = Vec::new();
    let mut n_bytes = 0;
    while let Some(line) = lines.next() {
        let (at, line) = line?;
        let is_one_line = line.chars().count() == side * side;
        if is_one_line && numbered.iter().all(|(_, line): &(usize, String)| line.is_empty()) {
            let read = move |line: Result<(usize, String), PuzzleError>| match line {
                Ok((_, line)) if line.trim_end_matches('\r').is_empty() => None,
                line => Some(line.and_then(|(at, line)| {
                    Ok((Form::OneLine, Maze::parse(&line, side, &format!("{name}:{at}"))?))
                })),
            };
            return Ok(Box::new(std::iter::once(Ok((at, line))).chain(lines).filter_map(read)));
        }
        n_bytes += line.len();
        if n_bytes > N_DRAWN_BYTES_MAX {
            let expected = format!("at most {N_DRAWN_BYTES_MAX} bytes of drawn mazes");
            return Err(PuzzleError::malformed(name, expected, "more"));
        }
        numbered.push((at, line));
    }
    if numbered.iter().all(|(_, line)| line.trim().is_empty()) {
        return Err(PuzzleError::Empty { place: name, what: "mazes" });
    }
    let borrowed: Vec<(usize, &str)> =
        numbered.iter().map(|(at, line)| (*at, line.as_str())).collect();
    let read = |rows| drawn(side, rows, &name).map(|maze| (Form::Drawn, maze));
    let mazes: Vec<_> = blocks(side, &borrowed).into_iter().map(read).collect();
    Ok(Box::new(mazes.into_iter()))
}

/// The lines of each maze.
fn blocks<'a, 'b>(side: usize, lines: &'a [(usize, &'b str)]) -> Vec<&'a [(usize, &'b str)]> {
    let is_empty = |line: &(usize, &str)| line.1.is_empty();
    // An editor may have stripped a row of spaces to an empty line. If all separators
    // are where they belong, an empty line anywhere else is such a row.
    let exact = || lines.chunks(side + 1);
    let ends_well = |block: &[(usize, &str)]| block.get(side).is_none_or(is_empty);
    if exact().all(|block| block.len() >= side && ends_well(block)) {
        return exact().map(|block| &block[..side]).collect();
    }
    lines.split(is_empty).filter(|block| !block.is_empty()).collect()
}

/// Parses a maze from its rows, which may have lost trailing spaces.
fn drawn(side: usize, rows: &[(usize, &str)], place: &str) -> Result<Maze, PuzzleError> {
    let place = format!("{place}:{}", rows.first().map_or(1, |(at, _)| *at));
    if let [(_, line)] = rows {
        return Maze::parse(line, side, &place);
    }
    let n_chars_max = rows.iter().map(|(_, row)| row.chars().count()).max().unwrap_or(0);
    if rows.len() != side || n_chars_max > side {
        let expected = format!("{side} lines of {side} characters for side {side}");
        let found = format!("{} lines of up to {n_chars_max}", rows.len());
        return Err(PuzzleError::malformed(place, expected, found));
    }
    let padded: String = rows.iter().map(|(_, row)| format!("{row:side$}")).collect();
    Maze::parse(&padded, side, &place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maze::grid::tests::{any_maze, maze};
    use proptest::prelude::*;

    fn texts(side: usize, text: &str) -> Vec<String> {
        let (_, mazes) = parse_mazes(side, text, "test").unwrap();
        mazes.iter().map(|maze| maze.to_text(&[])).collect()
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
        let message =
            |side: usize, text: &str| parse_mazes(side, text, "f").unwrap_err().to_string();
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
            "f:4: expected '#', ' ', 'S' or 'G', found 'x' at row 2, column 2"
        );
        assert_eq!(message(2, "S#\n #\n"), "f:1: expected one 'G', found none");
        let want = "f:2: field `question`: expected 9 characters for side 3, found 2";
        assert_eq!(message(3, "source,question,answer,rating\nx,SG,,\n"), want);
        // A question needs no answer.
        assert_eq!(texts(3, "source,question\nx,S #   # G\n"), ["S #   # G"]);
        assert!(parse_mazes(0, "SG", "f").is_err());
    }

    proptest! {
        #[test]
        fn a_drawn_maze_is_parsed_with_or_without_trailing_spaces(
            mazes in proptest::collection::vec(any_maze(5), 1..4),
            stripped: bool,
        ) {
            let side = mazes[0].side();
            let mazes: Vec<_> = mazes.into_iter().filter(|maze| maze.side() == side).collect();
            let mut text = String::new();
            for maze in &mazes {
                for line in in_lines(&maze.to_text(&[]), side).lines() {
                    text += if stripped { line.trim_end() } else { line };
                    text += "\n";
                }
                text += "\n";
            }
            prop_assert_eq!(parse_mazes(side, &text, "test").unwrap(), (Form::Drawn, mazes));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[# SGo,\n]{0,40}", side in 0usize..6) {
            let _ = parse_mazes(side, &text, "test");
        }
    }

    #[test]
    fn a_maze_whose_last_rows_are_free_is_parsed_as_drawn() {
        let maze = maze(&["SG ", "   ", "   "]);
        assert_eq!(parse_mazes(3, "SG \n   \n   \n", "test").unwrap(), (Form::Drawn, vec![maze]));
    }
}
