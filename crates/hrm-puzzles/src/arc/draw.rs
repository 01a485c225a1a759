//! Grids as text, side by side: digits, or colours.

use super::picture::{END_OF_GRID, PALETTE, colour};
use crate::Style;
use crate::arc::Grid;
use crate::picture::Symbol;

/// A grid of symbols under a heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPanel<'a> {
    /// Shown above the grid; may be empty.
    pub heading: &'a str,
    /// Digits, `|` for the end of a grid, or no symbol, row by row.
    pub rows: Vec<Vec<Symbol>>,
}

impl<'a> TextPanel<'a> {
    /// The panel of a grid.
    pub fn of_grid(heading: &'a str, grid: &Grid) -> Self {
        let symbol = |colour: &u8| Some(char::from(b'0' + colour));
        let rows = grid.rows().map(|row| row.iter().map(symbol).collect());
        Self { heading, rows: rows.collect() }
    }

    fn width(&self, style: Style) -> usize {
        let n_cols = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        (n_cols * cell_width(style)).max(self.heading.len())
    }
}

/// Renders question and answer: the part of two canvases of `side` by `side` symbols
/// that at least one of them uses.
pub fn canvases(side: usize, question: &[Symbol], answer: &[Symbol], style: Style) -> String {
    let at = |symbols: &[Symbol], row: usize, col: usize| {
        symbols.get(row * side + col).copied().flatten()
    };
    let is_used = |cell: &(usize, usize)| {
        [question, answer].iter().any(|symbols| at(symbols, cell.0, cell.1).is_some())
    };
    let cells = (0..side).flat_map(|row| (0..side).map(move |col| (row, col)));
    let used: Vec<_> = cells.filter(is_used).collect();
    let span = |place: fn(&(usize, usize)) -> usize| {
        let places = used.iter().map(place);
        places.clone().min().unwrap_or(0)..places.max().map_or(0, |last| last + 1)
    };
    let (rows, cols) = (span(|cell| cell.0), span(|cell| cell.1));
    let panels = [question, answer].map(|symbols| {
        let rows = rows.clone().map(|row| cols.clone().map(|col| at(symbols, row, col)).collect());
        TextPanel { heading: "", rows: rows.collect() }
    });
    side_by_side(&panels, style)
}

/// Renders panels from left to right; ends in a newline.
pub fn side_by_side(panels: &[TextPanel<'_>], style: Style) -> String {
    const GAP: &str = "   ";

    let mut lines = Vec::new();
    if panels.iter().any(|panel| !panel.heading.is_empty()) {
        let headings =
            panels.iter().map(|panel| format!("{:1$}", panel.heading, panel.width(style)));
        lines.push(headings.collect::<Vec<_>>().join(GAP));
    }
    let n_rows = panels.iter().map(|panel| panel.rows.len()).max().unwrap_or(0);
    for row_idx in 0..n_rows {
        let parts = panels.iter().map(|panel| {
            let row = panel.rows.get(row_idx).map_or(&[][..], Vec::as_slice);
            let cells: String = row.iter().map(|symbol| cell(*symbol, style)).collect();
            // Not `len`: escape sequences have no width.
            let padding = panel.width(style) - row.len() * cell_width(style);
            cells + &" ".repeat(padding)
        });
        lines.push(parts.collect::<Vec<_>>().join(GAP));
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn cell(symbol: Symbol, style: Style) -> String {
    match (colour(symbol), style) {
        (Some(colour), Style::Plain) => colour.to_string(),
        (Some(colour), Style::Ansi) => {
            let [red, green, blue] = PALETTE[usize::from(colour)];
            format!("\x1b[48;2;{red};{green};{blue}m  \x1b[0m")
        }
        (None, style) => {
            let text = match symbol {
                None => " ",
                Some(END_OF_GRID) => "|",
                Some(_) => "?",
            };
            text.repeat(cell_width(style))
        }
    }
}

/// Characters per cell.
fn cell_width(style: Style) -> usize {
    match style {
        Style::Plain => 1,
        // Two characters are about as wide as a line is high.
        Style::Ansi => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::grid::tests::grid;

    #[test]
    fn panels_are_rendered_side_by_side() {
        let panels = [
            TextPanel::of_grid("in", &grid("123 456")),
            TextPanel { heading: "guess", rows: vec![vec![Some('0'), Some('|'), None, Some('x')]] },
            TextPanel::of_grid("", &grid("7 8 9")),
        ];
        let want = "in    guess\n123   0| ?    7\n456           8\n              9\n";
        assert_eq!(side_by_side(&panels, Style::Plain), want);
        assert_eq!(side_by_side(&[], Style::Plain), "");
    }

    #[test]
    fn colours_are_backgrounds_two_characters_wide() {
        let panels = [TextPanel::of_grid("", &grid("0")), TextPanel::of_grid("", &grid("1 2"))];
        let want = "\x1b[48;2;0;0;0m  \x1b[0m   \x1b[48;2;0;116;217m  \x1b[0m\n\
                    \x20    \x1b[48;2;255;65;54m  \x1b[0m\n";
        assert_eq!(side_by_side(&panels, Style::Ansi), want);
    }
}
