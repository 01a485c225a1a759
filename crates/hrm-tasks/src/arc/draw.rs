//! Grids beside each other, as digits or in colour.

use hrm_train::task::PADDING;

use crate::Style;
use crate::arc::picture::PALETTE;
use crate::arc::{Grid, canvas};

/// One picture with a heading.
pub(crate) struct Panel<'a> {
    /// Written above; may be empty.
    pub(crate) heading: &'a str,
    /// Token ids, row by row.
    pub(crate) rows: Vec<Vec<u32>>,
}

impl<'a> Panel<'a> {
    pub(crate) fn of_grid(heading: &'a str, grid: &Grid) -> Self {
        let id = |colour: &u8| canvas::FIRST_COLOUR + u32::from(*colour);
        let rows = grid.rows().map(|row| row.iter().map(id).collect());
        Self { heading, rows: rows.collect() }
    }

    fn width(&self, style: Style) -> usize {
        let n_cols = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        (n_cols * cell_width(style)).max(self.heading.len())
    }
}

/// Question and answer: the part of two canvases of `side` by `side` cells that
/// either of them uses; `|` marks a grid's end.
pub(crate) fn canvases(side: usize, inputs: &[u32], labels: &[u32], style: Style) -> String {
    let used = |cell: &(usize, usize)| {
        [inputs, labels]
            .iter()
            .any(|ids| ids.get(cell.0 * side + cell.1).is_some_and(|id| *id != PADDING))
    };
    let cells = (0..side).flat_map(|row| (0..side).map(move |col| (row, col)));
    let used: Vec<_> = cells.filter(used).collect();
    let span = |place: fn(&(usize, usize)) -> usize| {
        let places = used.iter().map(place);
        places.clone().min().unwrap_or(0)..places.max().map_or(0, |last| last + 1)
    };
    let (rows, cols) = (span(|cell| cell.0), span(|cell| cell.1));
    let panels = [inputs, labels].map(|ids| {
        let at = |row, col| ids.get(row * side + col).copied().unwrap_or(PADDING);
        let rows = rows.clone().map(|row| cols.clone().map(|col| at(row, col)).collect());
        Panel { heading: "", rows: rows.collect() }
    });
    side_by_side(&panels, style)
}

/// Panels from left to right, ending in a newline.
pub(crate) fn side_by_side(panels: &[Panel<'_>], style: Style) -> String {
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
            let cells: String = row.iter().map(|id| cell(*id, style)).collect();
            // Counted by hand: escape sequences have no width.
            let padding = panel.width(style) - row.len() * cell_width(style);
            cells + &" ".repeat(padding)
        });
        lines.push(parts.collect::<Vec<_>>().join(GAP));
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn cell(id: u32, style: Style) -> String {
    match (canvas::colour(id), style) {
        (Some(colour), Style::Plain) => colour.to_string(),
        (Some(colour), Style::Ansi) => {
            let [red, green, blue] = PALETTE[usize::from(colour)];
            format!("\x1b[48;2;{red};{green};{blue}m  \x1b[0m")
        }
        (None, style) => {
            let symbol = match id {
                0 => " ",
                canvas::END_OF_GRID => "|",
                _ => "?",
            };
            symbol.repeat(cell_width(style))
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
    fn panels_stand_side_by_side() {
        let panels = [
            Panel::of_grid("in", &grid("123 456")),
            Panel { heading: "guess", rows: vec![vec![2, 1, 0, 99]] },
            Panel::of_grid("", &grid("7 8 9")),
        ];
        let want = "in    guess\n123   0| ?    7\n456           8\n              9\n";
        assert_eq!(side_by_side(&panels, Style::Plain), want);
        assert_eq!(side_by_side(&[], Style::Plain), "");
    }

    #[test]
    fn colours_are_backgrounds_two_characters_wide() {
        let panels = [Panel::of_grid("", &grid("0")), Panel::of_grid("", &grid("1 2"))];
        let want = "\x1b[48;2;0;0;0m  \x1b[0m   \x1b[48;2;0;116;217m  \x1b[0m\n\
                    \x20    \x1b[48;2;255;65;54m  \x1b[0m\n";
        assert_eq!(side_by_side(&panels, Style::Ansi), want);
    }
}
