//! Boards as users type them.

use super::{Board, Shape};
use crate::{PuzzleError, records};

/// Parses puzzles from text: CSV, one puzzle per line, or a single puzzle with one line
/// per row.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] with the line and the unexpected character, or with the
/// rule that the givens break; [`PuzzleError::Empty`] without puzzles.
pub fn parse_boards(shape: Shape, text: &str, place: &str) -> Result<Vec<Board>, PuzzleError> {
    let lines: Vec<(usize, &str)> =
        (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty()).collect();
    let Some((first_at, first)) = lines.first() else {
        return Err(PuzzleError::Empty { place: place.to_owned(), what: "puzzles" });
    };
    if records::is_header(first) {
        let located = records::parse(text.as_bytes(), place)?;
        return located.iter().map(|l| board(shape, &l.record.question, &l.place)).collect();
    }
    let is_drawn = first.chars().count() == shape.side && lines.len() > 1;
    if !is_drawn {
        let read = |(at, line): &(usize, &str)| board(shape, line, &format!("{place}:{at}"));
        return lines.iter().map(read).collect();
    }
    if lines.len() != shape.side {
        let expected = format!("{} lines of {0} characters", shape.side);
        return Err(PuzzleError::malformed(place, expected, format!("{} lines", lines.len())));
    }
    for (at, line) in &lines {
        let n_chars = line.chars().count();
        if n_chars != shape.side {
            let expected = format!("{} characters", shape.side);
            return Err(PuzzleError::malformed(
                format!("{place}:{at}"),
                expected,
                n_chars.to_string(),
            ));
        }
    }
    let joined: String = lines.iter().map(|(_, line)| *line).collect();
    Ok(vec![board(shape, &joined, &format!("{place}:{first_at}"))?])
}

/// Parses a board and checks that its givens break no rule.
fn board(shape: Shape, text: &str, place: &str) -> Result<Board, PuzzleError> {
    let board = Board::parse(shape, text, place)?;
    match board.clash(shape) {
        None => Ok(board),
        Some(clash) => {
            let [one, other] = clash.cells.map(|cell| shape.name_of(cell));
            let found = format!("{clash} ({one} and {other})");
            Err(PuzzleError::malformed(place, "givens that obey the rules", found))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn text_that_is_not_a_puzzle_is_rejected_with_its_line() {
        let message = |text: &str| parse_boards(four(), text, "f").unwrap_err().to_string();
        assert_eq!(message(" \n"), "f holds no puzzles");
        assert_eq!(message("12"), "f:1: expected 16 characters, found 2");
        assert_eq!(
            message("1...\n....\n....\n"),
            "f: expected 4 lines of 4 characters, found 3 lines"
        );
        assert_eq!(message("1...\n...\n....\n....\n"), "f:2: expected 4 characters, found 3");
        assert_eq!(
            message("11.............."),
            "f:1: expected givens that obey the rules, found row 1 holds 1 twice (row 1, \
             column 1 and row 1, column 2)"
        );
    }
}
