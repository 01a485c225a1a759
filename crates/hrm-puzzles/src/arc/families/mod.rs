//! Built-in tasks: parametric families, each a rule with its parameters drawn
//! once per task.
//!
//! A family draws the parameters and returns a [`Rule`], which draws one pair
//! after another under them. Families that need room say so; all fit into
//! grids of 10 by 10, a good half into 3 by 3 to 5 by 5.
//!
//! A family that makes sense on any picture is a [`Step`]: it can also follow
//! another family, whose outputs are then its inputs. Such a task is named
//! after both, e.g. `recolour+rotate-0001`.

mod built_in;
mod colours;
mod compose;
mod counting;
mod layout;
mod lines;
mod motion;
mod objects;
mod panels;
mod paths;
mod sketch;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod look;
#[cfg(test)]
mod tests;

pub use built_in::BuiltIn;

use crate::arc::Grid;
use sketch::Sketch;

/// Draws one pair, input and output. `None` if the draw came to nothing, e.g.
/// found no room for an object; another may.
type Rule = Box<dyn Fn(&mut Sketch) -> Option<(Grid, Grid)>>;

/// The output for a picture, if it has one.
type Apply = Box<dyn Fn(&Grid) -> Option<Grid>>;

/// A rule for any picture.
struct Step {
    /// Colours of the pictures that show it when it stands alone.
    palette: Vec<u8>,
    /// Their share of cells that are not blank.
    density: f64,
    /// The output for a picture. `None` if there is none, e.g. of half a
    /// picture with an odd number of rows.
    apply: Apply,
}

impl Step {
    fn new(palette: &[u8], apply: impl Fn(&Grid) -> Option<Grid> + 'static) -> Self {
        // A little more than half: both figure and background are seen.
        Self { palette: palette.to_vec(), density: 0.6, apply: Box::new(apply) }
    }

    /// The same step, shown on pictures with few cells.
    fn sparse(self) -> Self {
        Self { density: 0.3, ..self }
    }
}

/// A kind of built-in task.
struct Family {
    /// Task ids start with it.
    name: &'static str,
    /// Least canvas, in cells a side, for grids that show the rule.
    side_min: usize,
    draw: Draw,
    /// Whether outputs are pictures, on which another rule can go on.
    goes_on: bool,
}

/// Draws the parameters of one task.
#[derive(Clone, Copy)]
enum Draw {
    Rule(fn(&mut Sketch) -> Rule),
    Step {
        draw: fn(&mut Sketch) -> Step,
        /// How many times longer a side may become.
        growth: usize,
    },
}

const fn rule(name: &'static str, side_min: usize, draw: fn(&mut Sketch) -> Rule) -> Family {
    Family { name, side_min, draw: Draw::Rule(draw), goes_on: true }
}

/// A rule whose outputs are single cells, bars or lists.
const fn answer(name: &'static str, side_min: usize, draw: fn(&mut Sketch) -> Rule) -> Family {
    Family { goes_on: false, ..rule(name, side_min, draw) }
}

const fn step(name: &'static str, side_min: usize, draw: fn(&mut Sketch) -> Step) -> Family {
    Family { name, side_min, draw: Draw::Step { draw, growth: 1 }, goes_on: true }
}

/// A step that may make sides twice as long.
const fn doubling(name: &'static str, side_min: usize, draw: fn(&mut Sketch) -> Step) -> Family {
    Family { name, side_min, draw: Draw::Step { draw, growth: 2 }, goes_on: true }
}

impl Family {
    /// The rule of one task.
    fn rule(&self, sketch: &mut Sketch) -> Rule {
        match self.draw {
            Draw::Rule(draw) => draw(sketch),
            Draw::Step { draw, growth } => {
                let Step { palette, density, apply } = draw(sketch);
                let side_min = self.side_min / growth;
                Box::new(move |sketch| {
                    let side_max = sketch.side_max() / growth;
                    let input = sketch.within(side_max, |sketch| {
                        let (n_rows, n_cols) = (sketch.side(side_min), sketch.side(side_min));
                        sketch.speckled(n_rows, n_cols, &palette, density)
                    });
                    let output = apply(&input)?;
                    Some((input, output))
                })
            }
        }
    }
}

/// Every family. The order decides which family the n-th task is from.
const FAMILIES: &[Family] = &[
    step("recolour", 3, colours::recolour),
    step("gravity", 3, motion::gravity),
    step("mirror", 3, layout::mirror),
    rule("fill-holes", 5, objects::fill_holes),
    rule("tile", 4, layout::tile),
    rule("connect-points", 5, lines::connect_points),
    rule("crop-object", 4, objects::crop_object),
    step("swap-colours", 3, colours::swap_colours),
    rule("sort-columns", 3, counting::sort_columns),
    rule("combine-halves", 5, panels::combine_halves),
    rule("outline", 5, objects::outline),
    step("rotate", 3, layout::rotate),
    rule("extend-lines", 4, lines::extend_lines),
    answer("count-bar", 3, counting::count_bar),
    rule("complete-symmetry", 4, layout::complete_symmetry),
    rule("denoise", 6, objects::denoise),
    doubling("scale-up", 4, layout::scale_up),
    rule("move-to-wall", 4, motion::move_to_wall),
    step("keep-colour", 3, colours::keep_colour),
    rule("cross", 3, lines::cross),
    rule("crop-largest", 7, objects::crop_largest),
    step("transpose", 3, layout::transpose),
    step("border", 3, layout::border),
    rule("fill-box", 4, objects::fill_box),
    answer("most-common", 3, counting::most_common),
    rule("checkerboard", 5, lines::checkerboard),
    rule("recolour-largest", 7, objects::recolour_largest),
    doubling("reflect", 4, layout::reflect),
    rule("diagonals", 4, lines::diagonals),
    step("negative", 3, colours::negative),
    step("shift", 3, motion::shift),
    rule("stripes", 4, lines::stripes),
    step("half", 4, layout::half),
    rule("flood-fill", 4, paths::flood_fill),
    rule("overlay", 5, panels::overlay),
    step("drop-colour", 4, colours::drop_colour),
    rule("majority-rows", 4, counting::majority_rows),
    answer("count-objects", 5, counting::count_objects),
    doubling("kaleidoscope", 4, layout::kaleidoscope),
    rule("bounding-box", 4, objects::bounding_box),
    rule("shoot", 5, paths::shoot),
    rule("mask", 5, panels::mask),
    rule("remove-lines", 4, layout::remove_lines),
    rule("zoom-object", 5, objects::zoom_object),
    step("parity", 4, colours::parity),
    rule("hollow", 4, objects::hollow),
    answer("rank-objects", 7, counting::rank_objects),
    rule("bounce", 5, paths::bounce),
    rule("odd-one-out", 8, panels::odd_one_out),
    rule("scale-by-colours", 6, counting::scale_by_colours),
    rule("elbow", 4, paths::elbow),
    rule("staircase", 5, counting::staircase),
    rule("colour-by-size", 5, objects::colour_by_size),
    rule("complete-tiling", 6, layout::complete_tiling),
    rule("largest-rectangle", 5, paths::largest_rectangle),
];
