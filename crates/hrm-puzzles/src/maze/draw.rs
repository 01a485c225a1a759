//! Mazes as text, question and answer side by side.

use super::picture::look;
use super::{Size, Symbols};
use crate::Style;
use crate::picture::{Colour, Symbol};

/// Assumed width of a terminal.
const N_COLUMNS: usize = 80;
const GAP: &str = "   ";

/// Renders question and answer, one symbol per cell, as `symbols` writes them; ends in a
/// newline.
///
/// The answer is placed to the right of the question, or below it if 80 columns are too
/// few.
pub fn pair(
    size: Size,
    question: &[Symbol],
    answer: &[Symbol],
    style: Style,
    symbols: &Symbols,
) -> String {
    let width = size.width();
    let [question, answer] = [question, answer].map(|cells| panel(width, cells, style, symbols));
    let is_wide = 2 * panel_width(width, style) + GAP.len() > N_COLUMNS;
    let lines: Vec<String> = if is_wide {
        question.into_iter().chain([String::new()]).chain(answer).collect()
    } else {
        question.into_iter().zip(answer).map(|(left, right)| left + GAP + &right).collect()
    };
    lines.join("\n") + "\n"
}

fn panel(width: usize, cells: &[Symbol], style: Style, symbols: &Symbols) -> Vec<String> {
    let rows = cells.chunks(width);
    match style {
        Style::Plain => {
            // The frame makes the ends of rows visible that end in spaces.
            let border = format!("+{}+", "-".repeat(width));
            let plain = |row: &[Symbol]| -> String {
                row.iter().map(|cell| plain(cell, symbols)).collect()
            };
            let rows = rows.map(|row| format!("|{}|", plain(row)));
            [border.clone()].into_iter().chain(rows).chain([border]).collect()
        }
        Style::Ansi => rows.map(|row| coloured(row, symbols)).collect(),
    }
}

fn plain(cell: &Symbol, symbols: &Symbols) -> char {
    match cell {
        None => '_',
        Some(char::REPLACEMENT_CHARACTER) => '?',
        Some(symbol) => symbols.written(*symbol),
    }
}

fn panel_width(width: usize, style: Style) -> usize {
    match style {
        Style::Plain => width + 2,
        Style::Ansi => 2 * width,
    }
}

/// A row of blocks, two columns per cell: about as wide as a line is high.
fn coloured(row: &[Symbol], symbols: &Symbols) -> String {
    let runs = row.chunk_by(|left, right| left == right);
    let run = |cells: &[Symbol]| {
        let cell = look(cells[0]);
        let background = code(48, cell.fill);
        let (colours, text) = match cell.symbol {
            Some(symbol) => (
                format!("1;{};{background}", code(38, cell.ink)),
                format!("{} ", symbols.written(symbol)),
            ),
            None => (background, "  ".to_owned()),
        };
        format!("\x1b[{colours}m{}\x1b[0m", text.repeat(cells.len()))
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
        let draw =
            |symbols: &Symbols| pair(Size::square(2), &question, &answer, Style::Plain, symbols);
        assert_eq!(draw(&Symbols::default()), want);
        let symbols = "wall=X,free=.,path=*".parse().unwrap();
        assert_eq!(draw(&symbols), "+--+   +--+\n|SX|   |S_|\n|.G|   |*?|\n+--+   +--+\n");
        let wide = pair(Size { height: 1, width: 4 }, &question, &answer, Style::Plain, &symbols);
        assert_eq!(wide, "+----+   +----+\n|SX.G|   |S_*?|\n+----+   +----+\n");
    }

    #[test]
    fn coloured_mazes_are_blocks_with_one_code_per_run_of_equal_cells() {
        let want = [
            "\x1b[1;38;2;255;255;255;48;2;0;135;0mS \x1b[0m\x1b[48;2;68;68;68m  \x1b[0m",
            "\x1b[48;2;255;175;0m    \x1b[0m",
        ];
        let panel = |cells: &[Symbol]| panel(2, cells, Style::Ansi, &Symbols::default());
        assert_eq!(panel(&['S', '#', 'o', 'o'].map(Some)), want);
        assert!(panel(&[None, None, Some('x'), Some('?')])[1].contains("? "));
    }

    #[test]
    fn a_wide_answer_is_placed_below_its_question() {
        let n_lines = |side: usize, style| {
            let cells = vec![Some(' '); side * side];
            pair(Size::square(side), &cells, &cells, style, &Symbols::default()).lines().count()
        };
        assert_eq!(n_lines(36, Style::Plain), 38);
        assert_eq!(n_lines(37, Style::Plain), 39 + 1 + 39);
        assert_eq!(n_lines(19, Style::Ansi), 19);
        assert_eq!(n_lines(20, Style::Ansi), 20 + 1 + 20);
    }
}
