//! Grids beside each other, each row between bars.

use unicode_width::UnicodeWidthChar;

use super::Grid;
use crate::Style;

/// Columns that a terminal is taken to have.
const N_COLUMNS: usize = 80;
const GAP: &str = "   ";

/// A single row of fewer cells is drawn as one, whatever its length.
const N_CELLS_SQUARE_MIN: usize = 16;

/// Question and answer, ending in a newline. The answer stands right of the
/// question, or below it where 80 columns are too few. Bars show where rows end
/// that end in spaces; in colour, what differs from the question is green.
///
/// Single rows of one length that is a square of 4 or more are drawn as squares.
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

/// A single row as a square, if both grids are single rows of its length.
fn squared(grid: &Grid, other: &Grid) -> Grid {
    let n_cells = grid.n_columns();
    let side = n_cells.isqrt();
    let are_alike = grid.n_rows() == 1 && other.n_rows() == 1 && other.n_columns() == n_cells;
    if !are_alike || side * side != n_cells || n_cells < N_CELLS_SQUARE_MIN {
        return grid.clone();
    }
    Grid::new(grid.rows()[0].chunks(side).map(<[char]>::to_vec).collect())
}

/// A row between bars, with the terminal columns it takes.
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

/// A character as it can stand alone, with the terminal columns it takes. What
/// has no width combines with what is before it: it is given a circle.
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
    fn ragged_grids_stand_side_by_side() {
        let want = ["|12|    |1 |", "|3.4|   ||", "        |4|", ""].join("\n");
        assert_eq!(plain("12/3.4", "1 //4"), want);
        assert_eq!(plain("1/2", "1"), "|1|   |1|\n|2|\n");
    }

    #[test]
    fn single_rows_of_square_length_are_squares() {
        let board = "1..........4....";
        let want = ["|1...|", "|....|", "|...4|", "|....|"].map(|row| format!("{row}   {row}\n"));
        assert_eq!(plain(board, board), want.concat());
        assert_eq!(plain("abcd", "dcba"), "|abcd|   |dcba|\n");
        assert_eq!(plain(board, "1"), format!("|{board}|   |1|\n"));
    }

    #[test]
    fn columns_stay_aligned_whatever_the_width_of_a_character() {
        assert_eq!(plain("象a", "a\u{301}"), "|象a |   |a \u{25cc}\u{301} |\n");
    }

    #[test]
    fn what_does_not_fit_beside_stands_below() {
        let row = "ab".repeat(19);
        assert_eq!(plain(&row, &row).lines().count(), 3);
        assert_eq!(plain(&row[..30], &row[..30]).lines().count(), 1);
    }

    #[test]
    fn what_was_changed_is_coloured() {
        let want = "|.a|   |\x1b[1;32mb\x1b[0ma\x1b[1;32mc\x1b[0m|\n";
        assert_eq!(pair(&grid(".a"), &grid("bac"), Style::Ansi), want);
    }
}
