//! Families of built-in tasks: a rule whose parameters are sampled once per task, or a step
//! that can also follow another family.

use super::sketch::Sketch;
use crate::arc::Grid;

/// Samples one input and its output. `None` if the sample failed, e.g. found no room for
/// an object; the next may succeed.
pub(super) type Rule = Box<dyn Fn(&mut Sketch) -> Option<(Grid, Grid)>>;

/// The output for an input picture, if it has one.
pub(super) type Apply = Box<dyn Fn(&Grid) -> Option<Grid>>;

/// A rule that applies to any picture.
pub(super) struct Step {
    /// Colours of the inputs sampled for it, unless it follows another family.
    pub(super) palette: Vec<u8>,
    /// Share of cells of these inputs that are not blank.
    pub(super) density: f64,
    /// The output for a picture. `None` if there is none, e.g. for the upper half of an
    /// odd number of rows.
    pub(super) apply: Apply,
}

impl Step {
    pub(super) fn new(palette: &[u8], apply: impl Fn(&Grid) -> Option<Grid> + 'static) -> Self {
        // A little more than half, so that figure and background are both visible.
        Self { palette: palette.to_vec(), density: 0.6, apply: Box::new(apply) }
    }

    /// The same step with inputs that have few coloured cells.
    pub(super) fn sparse(self) -> Self {
        Self { density: 0.3, ..self }
    }
}

/// A family of built-in tasks.
pub(super) struct Family {
    /// First part of the ids of its tasks.
    pub(super) name: &'static str,
    /// Cells per side of the smallest canvas on which the rule can be recognised.
    pub(super) side_min: usize,
    pub(super) sampler: Sampler,
    /// Whether outputs are pictures, to which a step can be applied.
    pub(super) output_is_picture: bool,
}

/// Samples the parameters of one task.
#[derive(Clone, Copy)]
pub(super) enum Sampler {
    Rule(fn(&mut Sketch) -> Rule),
    Step {
        sample: fn(&mut Sketch) -> Step,
        /// Largest factor by which a side may grow.
        growth: usize,
    },
}

/// A family of rules whose outputs are pictures.
pub(super) const fn rule(
    name: &'static str,
    side_min: usize,
    sample: fn(&mut Sketch) -> Rule,
) -> Family {
    Family { name, side_min, sampler: Sampler::Rule(sample), output_is_picture: true }
}

/// A family of rules whose outputs are single cells, bars or lists.
pub(super) const fn answer(
    name: &'static str,
    side_min: usize,
    sample: fn(&mut Sketch) -> Rule,
) -> Family {
    Family { output_is_picture: false, ..rule(name, side_min, sample) }
}

/// A family of steps that keep or shorten the sides.
pub(super) const fn step(
    name: &'static str,
    side_min: usize,
    sample: fn(&mut Sketch) -> Step,
) -> Family {
    let sampler = Sampler::Step { sample, growth: 1 };
    Family { name, side_min, sampler, output_is_picture: true }
}

/// A family of steps that may double the sides.
pub(super) const fn doubling(
    name: &'static str,
    side_min: usize,
    sample: fn(&mut Sketch) -> Step,
) -> Family {
    Family { sampler: Sampler::Step { sample, growth: 2 }, ..step(name, side_min, sample) }
}

impl Family {
    /// Samples the rule of one task.
    pub(super) fn rule(&self, sketch: &mut Sketch) -> Rule {
        match self.sampler {
            Sampler::Rule(sample) => sample(sketch),
            Sampler::Step { sample, growth } => {
                let Step { palette, density, apply } = sample(sketch);
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
