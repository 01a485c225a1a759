//! Rules that draw lines and continue patterns.

use super::family::Rule;
use super::sketch::{BLANK, Sketch, TURNS, turned};
use crate::Dihedral;
use crate::arc::Grid;

/// Two points in the same row, or the same column, are connected by a line.
pub(super) fn connect_points(sketch: &mut Sketch) -> Rule {
    let [point, line] = sketch.colours();
    let transform = sketch.pick(&[Dihedral::Identity, Dihedral::Transpose]);
    Box::new(move |sketch| {
        let mut input = sketch.blank(5);
        let mut output = input.clone();
        let n_lines = sketch.between(1, 3);
        for row in sketch.sample(n_lines, input.n_rows()) {
            let left = sketch.between(0, input.n_cols() - 3);
            let right = sketch.between(left + 2, input.n_cols() - 1);
            (left..right).for_each(|col| output.set(row, col, line));
            for col in [left, right] {
                input.set(row, col, point);
                output.set(row, col, point);
            }
        }
        Some(turned(transform, (input, output)))
    })
}

/// Points are extended to lines that end at one edge.
pub(super) fn extend_lines(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS);
    Box::new(move |sketch| {
        let mut input = sketch.blank(4);
        let mut output = input.clone();
        let palette: [u8; 3] = sketch.colours();
        let n_lines = sketch.between(1, 3);
        for col in sketch.sample(n_lines, input.n_cols()) {
            let colour = sketch.pick(&palette);
            let start = sketch.between(0, input.n_rows() - 2);
            input.set(start, col, colour);
            (start..input.n_rows()).for_each(|row| output.set(row, col, colour));
        }
        Some(turned(direction, (input, output)))
    })
}

/// Lines are drawn along the rows and columns of points.
pub(super) fn cross(sketch: &mut Sketch) -> Rule {
    let [point, line] = sketch.colours();
    rays(point, line, |(row, col), (other_row, other_col)| row == other_row || col == other_col)
}

/// Lines are drawn along the diagonals of points.
pub(super) fn diagonals(sketch: &mut Sketch) -> Rule {
    let [point, line] = sketch.colours();
    rays(point, line, |(row, col), (other_row, other_col)| {
        row.abs_diff(other_row) == col.abs_diff(other_col)
    })
}

/// Blank cells for which `in_line` holds with any point are painted.
fn rays(point: u8, line: u8, in_line: fn((usize, usize), (usize, usize)) -> bool) -> Rule {
    Box::new(move |sketch| {
        let mut input = sketch.blank(3);
        let (n_rows, n_cols) = (input.n_rows(), input.n_cols());
        let n_points = sketch.between(1, 2);
        let points = sketch.sample(n_points, n_rows * n_cols);
        let points: Vec<_> =
            points.into_iter().map(|cell| (cell / n_cols, cell % n_cols)).collect();
        points.iter().for_each(|(row, col)| input.set(*row, *col, point));
        let output = Grid::from_fn(n_rows, n_cols, |row, col| {
            let is_hit = points.iter().any(|at| in_line(*at, (row, col)));
            match input.at(row, col) {
                BLANK if is_hit => line,
                unchanged => unchanged,
            }
        });
        Some((input, output))
    })
}

/// A chequered corner is continued over the whole grid.
pub(super) fn checkerboard(_: &mut Sketch) -> Rule {
    Box::new(|sketch| {
        let (n_rows, n_cols) = (sketch.side(5), sketch.side(5));
        let colours: [u8; 2] = sketch.colours();
        let n_given = sketch.between(2, 3);
        let output = Grid::from_fn(n_rows, n_cols, |row, col| colours[(row + col) % 2]);
        let input = Grid::from_fn(n_rows, n_cols, |row, col| {
            if row < n_given && col < n_given { output.at(row, col) } else { BLANK }
        });
        Some((input, output))
    })
}

/// Stripes at one edge are repeated up to the opposite edge.
pub(super) fn stripes(sketch: &mut Sketch) -> Rule {
    let direction = sketch.pick(&TURNS);
    Box::new(move |sketch| {
        let colours: [u8; 3] = sketch.colours();
        let (n_rows, n_cols) = (sketch.side(4), sketch.side(2));
        let n_given = sketch.between(2, (n_rows / 2).min(3));
        let output = Grid::from_fn(n_rows, n_cols, |row, _| colours[row % n_given]);
        let input =
            Grid::from_fn(
                n_rows,
                n_cols,
                |row, col| {
                    if row < n_given { output.at(row, col) } else { BLANK }
                },
            );
        Some(turned(direction, (input, output)))
    })
}
