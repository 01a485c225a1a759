//! Tasks as panels of a picture, and the colours of their cells.

use hrm_train::task::PADDING;

use super::canvas;
use crate::picture::{Cell, Colour, Panel, Part, Shown, Window};

/// The colours 0 to 9, as the public viewers show them.
pub(super) const PALETTE: [Colour; 10] = [
    [0, 0, 0],
    [0, 116, 217],
    [255, 65, 54],
    [46, 204, 64],
    [255, 220, 0],
    [170, 170, 170],
    [240, 18, 190],
    [255, 133, 27],
    [127, 219, 255],
    [135, 12, 37],
];

/// Between cells, as the public viewers have it.
const LINES: Colour = [85, 85, 85];
/// A cell of no grid.
const OUTSIDE: Colour = [240, 240, 240];

/// Input, prediction and output of a pair, without the canvas around them.
pub(super) fn panels(side: usize, shown: &Shown<'_>) -> Vec<Panel> {
    let panel = |part: &Part| {
        let window = window(side, shown, *part);
        let look = |cell| look(shown, *part, cell);
        shown.panel(*part, &window, look).with_lines(LINES)
    };
    shown.parts().iter().map(panel).collect()
}

/// The grid itself; all of the canvas if there is none.
///
/// Prediction and output are framed alike: by the output, and by whatever was
/// predicted wrongly at its edges.
fn window(side: usize, shown: &Shown<'_>, part: Part) -> Window {
    let is_colour = |part, cell| canvas::colour(shown.id(part, cell)).is_some();
    let around_output = || {
        let is_inside = |cell| is_colour(Part::Truth, cell) || shown.is_wrong(cell);
        Window::around(side, is_inside)
    };
    let found = match part {
        Part::Input => Window::around(side, |cell| is_colour(Part::Input, cell)),
        Part::Truth => around_output(),
        // A prediction without a label is all that there is to see.
        Part::Prediction => around_output()
            .or_else(|| Window::around(side, |cell| is_colour(Part::Prediction, cell))),
    };
    found.unwrap_or_else(|| Window::square(side))
}

fn look(shown: &Shown<'_>, part: Part, cell: usize) -> Cell {
    // What a model says where nothing is asked means nothing.
    let is_void = part == Part::Prediction && shown.n_asked() > 0 && !shown.is_asked(cell);
    let id = if is_void { PADDING } else { shown.id(part, cell) };
    match id {
        PADDING => Cell::plain(OUTSIDE),
        canvas::END_OF_GRID => Cell::with_symbol('|', LINES, OUTSIDE),
        id => match canvas::colour(id) {
            Some(colour) => Cell::plain(PALETTE[usize::from(colour)]),
            None => Cell::unknown(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::grid::tests::grid;

    fn canvas_of(text: &str, offset: (usize, usize), side: usize) -> Vec<u32> {
        let mut cells = vec![0; side * side];
        canvas::place(&grid(text), offset, side, &mut cells);
        cells
    }

    fn size(panel: &Panel) -> (usize, usize) {
        (panel.n_rows(), panel.n_cols())
    }

    #[test]
    fn grids_have_their_own_size_wherever_they_are() {
        let inputs = canvas_of("123 456", (2, 1), 6);
        let labels = canvas_of("7", (2, 1), 6);
        let panels = panels(6, &Shown { inputs: &inputs, prediction: None, labels: &labels });
        assert_eq!(panels.iter().map(size).collect::<Vec<_>>(), [(2, 3), (1, 1)]);
        let fills: Vec<_> = panels[0].cells().iter().map(|cell| cell.fill).collect();
        assert_eq!(fills, PALETTE[1..7]);
    }

    #[test]
    fn a_grid_of_the_wrong_size_shows_where_it_should_have_ended() {
        let (inputs, labels) = (canvas_of("1", (0, 0), 4), canvas_of("12 34", (0, 0), 4));
        let show = |prediction: &[u32]| {
            panels(4, &Shown { inputs: &inputs, prediction: Some(prediction), labels: &labels })
        };
        // Beyond the marks of the end nothing is asked.
        let mut right = labels.clone();
        right[15] = 5;
        let found = show(&right);
        assert_eq!((size(&found[1]), size(&found[2])), ((2, 2), (2, 2)));
        assert!(found[1].cells().iter().all(|cell| !cell.is_wrong));

        let found = show(&canvas_of("125 345", (0, 0), 4));
        assert_eq!((size(&found[1]), size(&found[2])), ((2, 3), (2, 3)));
        let marks: Vec<_> = found[1].cells().iter().map(|cell| cell.is_wrong).collect();
        assert_eq!(marks, [false, false, true, false, false, true]);
        assert_eq!(found[1].cells()[2].fill, PALETTE[5]);
        assert_eq!(found[2].cells()[2].symbol, Some('|'));
    }

    #[test]
    fn nothing_at_all_is_still_drawn() {
        let prediction = canvas_of("1 2", (0, 0), 3);
        let shown = Shown { inputs: &[], prediction: Some(&prediction), labels: &[] };
        let sizes: Vec<_> = panels(3, &shown).iter().map(size).collect();
        assert_eq!(sizes, [(3, 3), (2, 1), (3, 3)]);
    }
}
