//! Boards as users type them.

use super::{Board, Shape};
use crate::{PuzzleError, records};

/// At least this many spaces separate the question from the answer in a drawing.
const GAP: &str = "   ";

/// Parses puzzles from text: CSV, one puzzle per line, or puzzles with one line per row.
///
/// Outside CSV, spaces and the lines between boxes (`|`, `-----+----`) are ignored. Of a
/// drawing of question and answer side by side, the question is parsed.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] with the line and the unexpected character, or with the
/// rule that the givens break; [`PuzzleError::Empty`] without puzzles.
pub fn parse_boards(shape: Shape, text: &str, place: &str) -> Result<Vec<Board>, PuzzleError> {
    let is_empty = |line: &&str| line.trim().is_empty();
    let Some(first) = text.lines().find(|line| !is_empty(line)) else {
        return Err(PuzzleError::Empty { place: place.to_owned(), what: "puzzles" });
    };
    if records::is_header(first) {
        let located = records::parse(text.as_bytes(), place)?;
        return located.iter().map(|l| board(shape, &l.record.question, &l.place)).collect();
    }
    let lines: Vec<(usize, String)> = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !is_empty(line) && !is_rule(line))
        .map(|(at, line)| (at, cells_of(shape, line)))
        .collect();
    let is_drawn = lines.len() > 1 && lines[0].1.chars().count() == shape.side;
    if !is_drawn {
        let read = |(at, line): &(usize, String)| board(shape, line, &format!("{place}:{at}"));
        return lines.iter().map(read).collect();
    }
    if !lines.len().is_multiple_of(shape.side) {
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
    let drawn = |lines: &[(usize, String)]| {
        let joined: String = lines.iter().map(|(_, line)| line.as_str()).collect();
        board(shape, &joined, &format!("{place}:{}", lines[0].0))
    };
    lines.chunks(shape.side).map(drawn).collect()
}

/// Whether a line is drawn between boxes and holds no cells.
fn is_rule(line: &str) -> bool {
    line.contains('-') && line.chars().all(|symbol| "-+| ".contains(symbol))
}

/// The cells of a line. If it is a row of two boards side by side, those of the first.
fn cells_of(shape: Shape, line: &str) -> String {
    let cells = |text: &str| -> String {
        text.chars().filter(|symbol| !symbol.is_whitespace() && *symbol != '|').collect()
    };
    match line.trim().split_once(GAP) {
        Some((question, answer)) if cells(question).len() == shape.side && !answer.is_empty() => {
            // A cell that is marked as wrong is preceded by `!`.
            let n_others = cells(answer).chars().filter(|symbol| *symbol != '!').count();
            if n_others == shape.side { cells(question) } else { cells(line) }
        }
        _ => cells(line),
    }
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
        for side in [4, 6, 9, 16] {
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
                crate::sudoku::draw(shape, question, answer, crate::Style::Plain)
            };
            let text = format!("{}\n{}", draw(&one.0, &one.1), draw(&other.0, &wrong));
            assert_eq!(parse_boards(shape, &text, "test").unwrap(), [one.0, other.0], "{text}");
        }
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
