//! Rules that follow a path or fill a region.

use super::family::Rule;
use super::objects::largest;
use super::sketch::{Area, BLANK, Sketch, TURNS, paint, turned};
use crate::Dihedral;
use crate::arc::Grid;

/// A seed fills the blank cells connected to it, up to the walls.
pub(super) fn flood_fill(sketch: &mut Sketch) -> Rule {
    let [wall, seed] = sketch.colours();
    Box::new(move |sketch| {
        let (n_rows, n_cols) = (sketch.side(4), sketch.side(4));
        let mut input = sketch.speckled(n_rows, n_cols, &[wall], 0.4);
        let start = (sketch.between(0, n_rows - 1), sketch.between(0, n_cols - 1));
        input.set(start.0, start.1, seed);
        let mut output = input.clone();
        let mut open = vec![start];
        while let Some((row, col)) = open.pop() {
            let around = [
                (row.wrapping_sub(1), col),
                (row + 1, col),
                (row, col.wrapping_sub(1)),
                (row, col + 1),
            ];
            for (row, col) in around {
                if row < n_rows && col < n_cols && output.at(row, col) == BLANK {
                    output.set(row, col, seed);
                    open.push((row, col));
                }
            }
        }
        Some((input, output))
    })
}

/// The largest blank rectangle is painted.
pub(super) fn largest_rectangle(sketch: &mut Sketch) -> Rule {
    let [noise, filling] = sketch.colours();
    Box::new(move |sketch| {
        let (n_rows, n_cols) = (sketch.side(5), sketch.side(5));
        let input = sketch.speckled(n_rows, n_cols, &[noise], 0.4);
        let rectangles = blank_rectangles(&input);
        let mut output = input.clone();
        paint(&mut output, rectangles[largest(&rectangles)?], filling);
        Some((input, output))
    })
}

/// All blank rectangles that cannot be extended downwards.
fn blank_rectangles(grid: &Grid) -> Vec<Area> {
    let (n_rows, n_cols) = (grid.n_rows(), grid.n_cols());
    let mut areas = Vec::new();
    for top in 0..n_rows {
        for left in 0..n_cols {
            // With each further column, the number of blank rows can only shrink.
            let mut n_blank = n_rows - top;
            for col in left..n_cols {
                let blank = (top..top + n_blank).take_while(|row| grid.at(*row, col) == BLANK);
                n_blank = blank.count();
                if n_blank == 0 {
                    break;
                }
                areas.push(Area { top, left, n_rows: n_blank, n_cols: col + 1 - left });
            }
        }
    }
    areas
}

/// Points at one edge draw lines to the opposite edge, or up to the first obstacle.
pub(super) fn shoot(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS);
    let [point, obstacle] = sketch.colours();
    Box::new(move |sketch| {
        let (n_rows, n_cols) = (sketch.side(5), sketch.side(4));
        let mut input = sketch.speckled(n_rows, n_cols, &[obstacle], 0.15);
        (0..n_cols).for_each(|col| input.set(0, col, BLANK));
        let mut output = input.clone();
        let n_points = sketch.between(1, 3);
        for col in sketch.sample(n_points, n_cols) {
            input.set(0, col, point);
            let free = (0..n_rows).take_while(|row| output.at(*row, col) == BLANK).count();
            (0..free).for_each(|row| output.set(row, col, point));
        }
        Some(turned(direction, (input, output)))
    })
}

/// A point in a corner moves diagonally, bounces off the sides, and leaves a trail.
pub(super) fn bounce(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS);
    Box::new(move |sketch| {
        let [colour] = sketch.colours();
        let n_rows = sketch.side(5);
        let n_cols = sketch.between(2, (n_rows - 1).min(5));
        let mut output = Grid::filled(n_rows, n_cols, BLANK);
        let mut input = output.clone();
        input.set(0, 0, colour);
        let period = 2 * (n_cols - 1);
        for row in 0..n_rows {
            let at = row % period;
            output.set(row, at.min(period - at), colour);
        }
        Some(turned(direction, (input, output)))
    })
}

/// Two points are connected by a path with one bend.
pub(super) fn elbow(sketch: &mut Sketch) -> Rule {
    let [start, end, path] = sketch.colours();
    let transform = sketch.pick(&[Dihedral::Identity, Dihedral::Transpose]);
    Box::new(move |sketch| {
        let mut input = sketch.blank(4);
        let [from_row, to_row] = sketch.sample(2, input.n_rows())[..] else { return None };
        let [from_col, to_col] = sketch.sample(2, input.n_cols())[..] else { return None };
        let mut output = input.clone();
        // Along the row of the start, then along the column of the end.
        let span = |one: usize, other: usize| one.min(other)..=one.max(other);
        span(from_col, to_col).for_each(|col| output.set(from_row, col, path));
        span(from_row, to_row).for_each(|row| output.set(row, to_col, path));
        for grid in [&mut input, &mut output] {
            grid.set(from_row, from_col, start);
            grid.set(to_row, to_col, end);
        }
        Some(turned(transform, (input, output)))
    })
}
