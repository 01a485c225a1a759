//! Grids side by side, each row between bars.

use unicode_width::UnicodeWidthChar;

use super::Grid;
use crate::Style;

/// Assumed width of a terminal, in columns.
const N_COLUMNS: usize = 80;
const GAP: &str = "   ";

/// Single rows with fewer cells are never rendered as squares.
const N_CELLS_SQUARE_MIN: usize = 16;

/// Renders question and answer; ends in a newline. The answer is placed to the right of
/// the question, or below it if 80 columns are too few. Bars make the ends of rows
/// visible that end in spaces; in the ANSI style, cells that differ from the question
/// are green.
///
/// If both grids are single rows of n * n cells, n at least 4, they are rendered as
/// squares.
pub fn pair(question: &Grid, answer: &Grid, style: Style) -> String {
    let both = [squared(question, answer), squared(answer, question)];
    let [question, answer] = &both;
    let symbols = || both.iter().flat_map(Grid::cells).map(|(_, symbol)| symbol);
    let cell_width = symbols().map(|symbol| shown(symbol).1).max().unwrap_or(1);

    let lines = |grid: &Grid, style| -> Vec<(String, usize)> {
        (0..grid.n_rows()).map(|row| line(grid, question, row, cell_width, style)).collect()
    };
    let (left, right) = (lines(question, Style::Plain), lines(answer, style));
    let width = |lines: &[(String, usize)]| lines.iter().map(|(_, width)| *width).max();
    let (left_width, right_width) = (width(&left).unwrap_or(0), width(&right).unwrap_or(0));
    if left_width + GAP.len() + right_width > N_COLUMNS {
        let block = |lines: &[(String, usize)]| -> String {
            lines.iter().map(|(text, _)| format!("{text}\n")).collect()
        };
        return format!("{}\n{}", block(&left), block(&right));
    }
    let n_lines = left.len().max(right.len());
    let beside = |idx: usize| {
        let (left, width) = left.get(idx).map_or(("", 0), |(text, width)| (text, *width));
        let right = right.get(idx).map_or("", |(text, _)| text);
        let filling = " ".repeat(left_width - width);
        format!("{}\n", format!("{left}{filling}{GAP}{right}").trim_end())
    };
    (0..n_lines).map(beside).collect()
}

/// Reshapes a single row to a square, if both grids are single rows of its length.
fn squared(grid: &Grid, other: &Grid) -> Grid {
    let n_cells = grid.n_columns();
    let side = n_cells.isqrt();
    let are_alike = grid.n_rows() == 1 && other.n_rows() == 1 && other.n_columns() == n_cells;
    if !are_alike || side * side != n_cells || n_cells < N_CELLS_SQUARE_MIN {
        return grid.clone();
    }
    Grid::new(grid.rows()[0].chunks(side).map(<[char]>::to_vec).collect())
}

/// A row between bars, and the number of terminal columns that it occupies.
fn line(grid: &Grid, question: &Grid, row: usize, width: usize, style: Style) -> (String, usize) {
    let mut text = String::from("|");
    for (column, symbol) in grid.rows()[row].iter().enumerate() {
        let is_same = question.get((row, column)) == Some(*symbol);
        let (shown, n_columns) = shown(*symbol);
        let shown = shown + &" ".repeat(width - n_columns);
        match style {
            Style::Ansi if !is_same => text.push_str(&format!("\x1b[1;32m{shown}\x1b[0m")),
            _ => text.push_str(&shown),
        }
    }
    text.push('|');
    (text, grid.rows()[row].len() * width + 2)
}

/// A character as shown in its own cell, and the number of terminal columns that it
/// occupies. Zero-width characters combine with the preceding one, so they get a
/// dotted circle to combine with.
fn shown(symbol: char) -> (String, usize) {
    match symbol.width() {
        None | Some(0) => (format!("\u{25cc}{symbol}"), 1),
        Some(width) => (symbol.to_string(), width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::grid::tests::grid;

    fn plain(question: &str, answer: &str) -> String {
        pair(&grid(question), &grid(answer), Style::Plain)
    }

    #[test]
    fn ragged_grids_are_rendered_side_by_side() {
        let want = ["|12|    |1 |", "|3.4|   ||", "        |4|", ""].join("\n");
        assert_eq!(plain("12/3.4", "1 //4"), want);
        assert_eq!(plain("1/2", "1"), "|1|   |1|\n|2|\n");
    }

    #[test]
    fn single_rows_of_square_length_are_rendered_as_squares() {
        let board = "1..........4....";
        let want = ["|1...|", "|....|", "|...4|", "|....|"].map(|row| format!("{row}   {row}\n"));
        assert_eq!(plain(board, board), want.concat());
        assert_eq!(plain("abcd", "dcba"), "|abcd|   |dcba|\n");
        assert_eq!(plain(board, "1"), format!("|{board}|   |1|\n"));
    }

    #[test]
    fn columns_stay_aligned_for_characters_of_any_width() {
        assert_eq!(plain("象a", "a\u{301}"), "|象a |   |a \u{25cc}\u{301} |\n");
    }

    #[test]
    fn an_answer_that_does_not_fit_beside_is_placed_below() {
        let row = "ab".repeat(19);
        assert_eq!(plain(&row, &row).lines().count(), 3);
        assert_eq!(plain(&row[..30], &row[..30]).lines().count(), 1);
    }

    #[test]
    fn changed_cells_are_coloured() {
        let want = "|.a|   |\x1b[1;32mb\x1b[0ma\x1b[1;32mc\x1b[0m|\n";
        assert_eq!(pair(&grid(".a"), &grid("bac"), Style::Ansi), want);
    }
}
