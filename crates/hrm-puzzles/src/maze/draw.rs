//! Mazes as text, question and answer side by side.

use super::picture::look;
use crate::Style;
use crate::picture::{Colour, Symbol};

/// Assumed width of a terminal.
const N_COLUMNS: usize = 80;
const GAP: &str = "   ";

/// Renders question and answer, `[side * side]` symbols each; ends in a newline.
///
/// The answer is placed to the right of the question, or below it if 80 columns are too
/// few.
pub fn pair(side: usize, question: &[Symbol], answer: &[Symbol], style: Style) -> String {
    let (question, answer) = (panel(side, question, style), panel(side, answer, style));
    let is_wide = 2 * panel_width(side, style) + GAP.len() > N_COLUMNS;
    let lines: Vec<String> = if is_wide {
        question.into_iter().chain([String::new()]).chain(answer).collect()
    } else {
        question.into_iter().zip(answer).map(|(left, right)| left + GAP + &right).collect()
    };
    lines.join("\n") + "\n"
}

fn panel(side: usize, symbols: &[Symbol], style: Style) -> Vec<String> {
    let rows = symbols.chunks(side);
    match style {
        Style::Plain => {
            // The frame makes the ends of rows visible that end in spaces.
            let border = format!("+{}+", "-".repeat(side));
            let rows = rows.map(|row| format!("|{}|", row.iter().map(plain).collect::<String>()));
            [border.clone()].into_iter().chain(rows).chain([border]).collect()
        }
        Style::Ansi => rows.map(coloured).collect(),
    }
}

fn plain(symbol: &Symbol) -> char {
    match symbol {
        None => '_',
        Some(char::REPLACEMENT_CHARACTER) => '?',
        Some(symbol) => *symbol,
    }
}

fn panel_width(side: usize, style: Style) -> usize {
    match style {
        Style::Plain => side + 2,
        Style::Ansi => 2 * side,
    }
}

/// A row of blocks, two columns per cell: about as wide as a line is high.
fn coloured(row: &[Symbol]) -> String {
    let runs = row.chunk_by(|left, right| left == right);
    let run = |symbols: &[Symbol]| {
        let cell = look(symbols[0]);
        let background = code(48, cell.fill);
        let (colours, text) = match cell.symbol {
            Some(symbol) => {
                (format!("1;{};{background}", code(38, cell.ink)), format!("{symbol} "))
            }
            None => (background, "  ".to_owned()),
        };
        format!("\x1b[{colours}m{}\x1b[0m", text.repeat(symbols.len()))
    };
    runs.map(run).collect()
}

/// The ANSI code of a foreground (38) or background (48) colour.
fn code(place: u8, [red, green, blue]: Colour) -> String {
    format!("{place};2;{red};{green};{blue}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_mazes_are_framed_side_by_side() {
        let question = "S# G".chars().map(Some).collect::<Vec<_>>();
        let answer = [Some('S'), None, Some('o'), Some(char::REPLACEMENT_CHARACTER)];
        let want = "+--+   +--+\n|S#|   |S_|\n| G|   |o?|\n+--+   +--+\n";
        assert_eq!(pair(2, &question, &answer, Style::Plain), want);
    }

    #[test]
    fn coloured_mazes_are_blocks_with_one_code_per_run_of_equal_cells() {
        let want = [
            "\x1b[1;38;2;255;255;255;48;2;0;135;0mS \x1b[0m\x1b[48;2;68;68;68m  \x1b[0m",
            "\x1b[48;2;255;175;0m    \x1b[0m",
        ];
        assert_eq!(panel(2, &['S', '#', 'o', 'o'].map(Some), Style::Ansi), want);
        assert!(panel(2, &[None, None, Some('x'), Some('?')], Style::Ansi)[1].contains("? "));
    }

    #[test]
    fn a_wide_answer_is_placed_below_its_question() {
        let n_lines = |side: usize, style| {
            let cells = vec![Some(' '); side * side];
            pair(side, &cells, &cells, style).lines().count()
        };
        assert_eq!(n_lines(36, Style::Plain), 38);
        assert_eq!(n_lines(37, Style::Plain), 39 + 1 + 39);
        assert_eq!(n_lines(19, Style::Ansi), 19);
        assert_eq!(n_lines(20, Style::Ansi), 20 + 1 + 20);
    }
}
