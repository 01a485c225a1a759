//! Boards as text, question and answer side by side.

use super::{Board, Digits, Shape};
use crate::Style;

/// Status of a cell of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Given,
    Filled,
    Wrong,
}

/// Renders the question beside the answer, with filled cells in place of the question's
/// dots, and with these digits. A wrong cell is preceded by `!`, or red in the ANSI style.
pub fn side_by_side(
    shape: Shape,
    question: &Board,
    answer: &Board,
    style: Style,
    digits: Digits,
) -> String {
    let clashing = answer.clashing_cells(shape);
    let mark = |cell: usize| {
        let (given, digit) = (question.cells()[cell], answer.cells()[cell]);
        let is_wrong = clashing.contains(&cell) || digit == 0 || (given != 0 && given != digit);
        match (is_wrong, given != 0) {
            (true, _) => Mark::Wrong,
            (false, true) => Mark::Given,
            (false, false) => Mark::Filled,
        }
    };
    let mut text = String::new();
    for row in 0..shape.side {
        if row > 0 && row % shape.box_rows == 0 {
            text.push_str(&format!("{}   {}\n", rule(shape), rule(shape)));
        }
        let line = |board: &Board, mark: &dyn Fn(usize) -> Mark| {
            let mut line = String::new();
            for column in 0..shape.side {
                if column > 0 && column % shape.box_columns == 0 {
                    line.push_str(" |");
                }
                let cell = row * shape.side + column;
                let symbol = digits.symbol(shape, board.cells()[cell]);
                line.push_str(&styled(symbol, mark(cell), style));
            }
            line
        };
        let left = line(question, &|_| Mark::Given);
        let right = line(answer, &mark);
        text.push_str(format!("{left}   {right}").trim_end());
        text.push('\n');
    }
    text
}

/// The horizontal line between boxes.
fn rule(shape: Shape) -> String {
    let width = shape.box_columns * 2;
    vec!["-".repeat(width); shape.side / shape.box_columns].join("-+")
}

/// One cell, two columns wide. The mark of a wrong cell replaces the leading space, so
/// columns stay aligned.
fn styled(symbol: char, mark: Mark, style: Style) -> String {
    match (style, mark) {
        (Style::Plain, Mark::Wrong) => format!("!{symbol}"),
        (Style::Plain, _) | (Style::Ansi, Mark::Given) => format!(" {symbol}"),
        (Style::Ansi, Mark::Filled) => format!(" \x1b[1;32m{symbol}\x1b[0m"),
        (Style::Ansi, Mark::Wrong) => format!(" \x1b[1;31m{symbol}\x1b[0m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_and_answer_are_rendered_side_by_side() {
        let shape = Shape::new(4).unwrap();
        let board = |text| Board::parse(shape, text, "test").unwrap();
        let (question, answer) = (board("1..........3...."), board("1234341221.34321"));
        let want = [
            " 1 . | . .    1 2 | 3 4",
            " . . | . .    3 4 | 1 2",
            "-----+----   -----+----",
            " . . | . 3    2 1 |!. 3",
            " . . | . .    4 3 | 2 1",
            "",
        ]
        .join("\n");
        let draw = |style, digits| side_by_side(shape, &question, &answer, style, digits);
        assert_eq!(draw(Style::Plain, Digits::FromOne), want);
        assert!(draw(Style::Plain, Digits::Letters).starts_with(" A . | . .    A B | C D\n"));
        let coloured = draw(Style::Ansi, Digits::FromOne);
        assert!(coloured.contains("\x1b[1;32m2\x1b[0m") && coloured.contains("\x1b[1;31m.\x1b[0m"));
    }
}
