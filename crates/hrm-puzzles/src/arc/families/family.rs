//! What a family of built-in tasks is: a rule whose parameters are drawn once
//! per task, or a step that can also follow another family.

use super::sketch::Sketch;
use crate::arc::Grid;

/// Draws one pair, input and output. `None` if the draw came to nothing, e.g.
/// found no room for an object; another may.
pub(super) type Rule = Box<dyn Fn(&mut Sketch) -> Option<(Grid, Grid)>>;

/// The output for a picture, if it has one.
pub(super) type Apply = Box<dyn Fn(&Grid) -> Option<Grid>>;

/// A rule for any picture.
pub(super) struct Step {
    /// Colours of the pictures that show it when it stands alone.
    pub(super) palette: Vec<u8>,
    /// Their share of cells that are not blank.
    pub(super) density: f64,
    /// The output for a picture. `None` if there is none, e.g. of half a
    /// picture with an odd number of rows.
    pub(super) apply: Apply,
}

impl Step {
    pub(super) fn new(palette: &[u8], apply: impl Fn(&Grid) -> Option<Grid> + 'static) -> Self {
        // A little more than half: both figure and background are seen.
        Self { palette: palette.to_vec(), density: 0.6, apply: Box::new(apply) }
    }

    /// The same step, shown on pictures with few cells.
    pub(super) fn sparse(self) -> Self {
        Self { density: 0.3, ..self }
    }
}

/// A kind of built-in task.
pub(super) struct Family {
    /// Task ids start with it.
    pub(super) name: &'static str,
    /// Least canvas, in cells a side, for grids that show the rule.
    pub(super) side_min: usize,
    pub(super) draw: Draw,
    /// Whether outputs are pictures, on which another rule can go on.
    pub(super) goes_on: bool,
}

/// Draws the parameters of one task.
#[derive(Clone, Copy)]
pub(super) enum Draw {
    Rule(fn(&mut Sketch) -> Rule),
    Step {
        draw: fn(&mut Sketch) -> Step,
        /// How many times longer a side may become.
        growth: usize,
    },
}

pub(super) const fn rule(
    name: &'static str,
    side_min: usize,
    draw: fn(&mut Sketch) -> Rule,
) -> Family {
    Family { name, side_min, draw: Draw::Rule(draw), goes_on: true }
}

/// A rule whose outputs are single cells, bars or lists.
pub(super) const fn answer(
    name: &'static str,
    side_min: usize,
    draw: fn(&mut Sketch) -> Rule,
) -> Family {
    Family { goes_on: false, ..rule(name, side_min, draw) }
}

pub(super) const fn step(
    name: &'static str,
    side_min: usize,
    draw: fn(&mut Sketch) -> Step,
) -> Family {
    Family { name, side_min, draw: Draw::Step { draw, growth: 1 }, goes_on: true }
}

/// A step that may make sides twice as long.
pub(super) const fn doubling(
    name: &'static str,
    side_min: usize,
    draw: fn(&mut Sketch) -> Step,
) -> Family {
    Family { name, side_min, draw: Draw::Step { draw, growth: 2 }, goes_on: true }
}

impl Family {
    /// The rule of one task.
    pub(super) fn rule(&self, sketch: &mut Sketch) -> Rule {
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
