//! Rules about objects: connected cells that are separated by background.

use super::family::Rule;
use super::sketch::{Area, BLANK, Sketch, TURNS, paint, paint_inside, paint_rim, paste, turned};
use crate::arc::Grid;

/// The only object is cut out.
pub(super) fn crop_object(sketch: &mut Sketch) -> Rule {
    let palette: [u8; 3] = sketch.colours();
    Box::new(move |sketch| {
        let mut input = sketch.blank(4);
        let [area] = sketch.areas(&input, 1, (2, 5), &[])[..] else { return None };
        let object = sketch.shape(area.n_rows, area.n_cols, &palette, 0.6);
        paste(&mut input, &object, area.top, area.left);
        Some((input, object))
    })
}

/// The object with the largest area is cut out.
pub(super) fn crop_largest(_: &mut Sketch) -> Rule {
    Box::new(|sketch| {
        let mut input = sketch.blank(7);
        let areas = several(sketch, &input)?;
        let largest = largest(&areas)?;
        let mut output = None;
        for (idx, area) in areas.into_iter().enumerate() {
            let palette: [u8; 2] = sketch.colours();
            let object = sketch.speckled(area.n_rows, area.n_cols, &palette, 1.0);
            paste(&mut input, &object, area.top, area.left);
            if idx == largest {
                output = Some(object);
            }
        }
        Some((input, output?))
    })
}

/// The object with the largest area takes another colour.
pub(super) fn recolour_largest(sketch: &mut Sketch) -> Rule {
    let [plain, marked] = sketch.colours();
    Box::new(move |sketch| {
        let mut input = sketch.blank(7);
        let areas = several(sketch, &input)?;
        let largest = largest(&areas)?;
        areas.iter().for_each(|area| paint(&mut input, *area, plain));
        let mut output = input.clone();
        paint(&mut output, areas[largest], marked);
        Some((input, output))
    })
}

/// Two or three areas that do not touch; `None` if only one was found.
fn several(sketch: &mut Sketch, grid: &Grid) -> Option<Vec<Area>> {
    let n = sketch.between(2, 3);
    let areas = sketch.areas(grid, n, (1, 4), &[]);
    (areas.len() >= 2).then_some(areas)
}

/// The index of the area that is larger than all others; `None` on a tie.
pub(super) fn largest(areas: &[Area]) -> Option<usize> {
    let most = areas.iter().map(|area| area.n_cells()).max()?;
    let mut largest = (0..areas.len()).filter(|idx| areas[*idx].n_cells() == most);
    let first = largest.next();
    first.filter(|_| largest.next().is_none())
}

/// The insides of closed outlines are filled.
pub(super) fn fill_holes(sketch: &mut Sketch) -> Rule {
    let [wall, filling] = sketch.colours();
    Box::new(move |sketch| {
        let mut input = sketch.blank(5);
        let n = sketch.between(1, 3);
        let areas = sketch.areas(&input, n, (3, 6), &[]);
        areas.iter().for_each(|area| paint_rim(&mut input, *area, wall));
        let mut output = input.clone();
        areas.iter().for_each(|area| paint_inside(&mut output, *area, filling));
        // Single cells of the wall's colour enclose nothing.
        for cell in sketch.areas(&input, 2, (1, 1), &areas) {
            paint(&mut input, cell, wall);
            paint(&mut output, cell, wall);
        }
        Some((input, output))
    })
}

/// Solid objects are outlined.
pub(super) fn outline(sketch: &mut Sketch) -> Rule {
    let [object, line] = sketch.colours();
    Box::new(move |sketch| {
        let mut input = sketch.blank(5);
        let n = sketch.between(1, 3);
        let areas = sketch.areas(&input, n, (3, 6), &[]);
        areas.iter().for_each(|area| paint_inside(&mut input, *area, object));
        let mut output = input.clone();
        areas.iter().for_each(|area| paint_rim(&mut output, *area, line));
        Some((input, output))
    })
}

/// The rectangle between four corner points is filled.
pub(super) fn fill_box(sketch: &mut Sketch) -> Rule {
    let [corner, filling] = sketch.colours();
    Box::new(move |sketch| {
        let mut input = sketch.blank(4);
        let mut output = input.clone();
        let n = sketch.between(1, 2);
        for area in sketch.areas(&input, n, (3, 6), &[]) {
            paint(&mut output, area, filling);
            for row in [area.top, area.top + area.n_rows - 1] {
                for col in [area.left, area.left + area.n_cols - 1] {
                    input.set(row, col, corner);
                    output.set(row, col, corner);
                }
            }
        }
        Some((input, output))
    })
}

/// Isolated cells are removed; larger objects stay.
pub(super) fn denoise(sketch: &mut Sketch) -> Rule {
    let palette: [u8; 3] = sketch.colours();
    Box::new(move |sketch| {
        let mut output = sketch.blank(6);
        let n = sketch.between(1, 3);
        let areas = sketch.areas(&output, n, (2, 4), &[]);
        areas.iter().for_each(|area| paint(&mut output, *area, sketch.pick(&palette)));
        let mut input = output.clone();
        let n = sketch.between(1, 6);
        for cell in sketch.areas(&output, n, (1, 1), &areas) {
            paint(&mut input, cell, sketch.pick(&palette));
        }
        Some((input, output))
    })
}

/// The only object is cut out and scaled up by two.
pub(super) fn zoom_object(sketch: &mut Sketch) -> Rule {
    let crop = crop_object(sketch);
    Box::new(move |sketch| {
        let (input, object) = crop(sketch)?;
        let (n_rows, n_cols) = (2 * object.n_rows(), 2 * object.n_cols());
        let fits = n_rows.max(n_cols) <= sketch.side_max();
        let enlarged = |row, col| object.at(row / 2, col / 2);
        fits.then(|| (input, Grid::from_fn(n_rows, n_cols, enlarged)))
    })
}

/// Solid rectangles keep only their rim.
pub(super) fn hollow(sketch: &mut Sketch) -> Rule {
    let palette: [u8; 2] = sketch.colours();
    Box::new(move |sketch| {
        let mut input = sketch.blank(4);
        let n = sketch.between(1, 3);
        let areas = sketch.areas(&input, n, (3, 6), &[]);
        areas.iter().for_each(|area| paint(&mut input, *area, sketch.pick(&palette)));
        let mut output = input.clone();
        areas.iter().for_each(|area| paint_inside(&mut output, *area, BLANK));
        Some((input, output))
    })
}

/// Bars of one colour take a colour that depends on their length.
pub(super) fn colour_by_size(sketch: &mut Sketch) -> Rule {
    let [plain, short, middle, long] = sketch.colours();
    let transform = sketch.pick(&TURNS[..2]);
    Box::new(move |sketch| {
        let mut input = sketch.blank(5);
        let mut output = input.clone();
        // Bars in neighbouring columns could touch and form one object.
        for col in (0..input.n_cols()).step_by(2) {
            let length = sketch.between(1, 3);
            let top = sketch.between(0, input.n_rows() - length);
            for row in top..top + length {
                input.set(row, col, plain);
                output.set(row, col, [short, middle, long][length - 1]);
            }
        }
        Some(turned(transform, (input, output)))
    })
}

/// Scattered points are framed by the smallest rectangle that contains them all.
pub(super) fn bounding_box(sketch: &mut Sketch) -> Rule {
    let [point, frame] = sketch.colours();
    Box::new(move |sketch| {
        let mut input = sketch.blank(4);
        let [area] = sketch.areas(&input, 1, (3, 9), &[])[..] else { return None };
        let points = sketch.shape(area.n_rows, area.n_cols, &[point], 0.1);
        paste(&mut input, &points, area.top, area.left);
        let mut output = input.clone();
        paint_rim(&mut output, area, frame);
        paste(&mut output, &points, area.top, area.left);
        Some((input, output))
    })
}
