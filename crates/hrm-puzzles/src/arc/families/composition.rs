//! Tasks of one family, or of two as one: the outputs of the first are the
//! inputs of the second.

use super::family::{Draw, Family, Rule, Step};
use super::sketch::Sketch;
use crate::arc::Pair;

/// What a task is drawn from: one family, or two in turn.
#[derive(Clone, Copy)]
pub(super) struct Composition {
    pub(super) first: &'static Family,
    /// A family that is a [`Step`].
    pub(super) second: Option<&'static Family>,
}

impl Composition {
    pub(super) fn one(family: &'static Family) -> Self {
        Self { first: family, second: None }
    }

    /// What ids of its tasks start with: `rotate`, `recolour+rotate`.
    pub(super) fn name(&self) -> String {
        match self.second {
            Some(second) => format!("{}+{}", self.first.name, second.name),
            None => self.first.name.to_owned(),
        }
    }

    /// The rule of one task.
    pub(super) fn rule(&self, sketch: &mut Sketch) -> Rule {
        let Some(Draw::Step { draw, growth }) = self.second.map(|second| second.draw) else {
            return self.first.rule(sketch);
        };
        let side_max = sketch.side_max() / growth;
        let first = sketch.within(side_max, |sketch| self.first.rule(sketch));
        then(first, draw(sketch), side_max)
    }
}

/// `first` on grids of up to `side_max` cells a side, then `second`.
fn then(first: Rule, second: Step, side_max: usize) -> Rule {
    Box::new(move |sketch| {
        let (input, between) = sketch.within(side_max, &first)?;
        let output = (second.apply)(&between)?;
        // Nobody could tell a step that changes nothing, and a blank grid may
        // have come about in any way.
        let first_matters = (second.apply)(&input).is_none_or(|without| without != output);
        let both_matter = input != between && between != output && first_matters;
        let is_blank = output.cells().iter().all(|colour| *colour == output.at(0, 0));
        (both_matter && !is_blank).then_some((input, output))
    })
}

/// The pairs of one task and how many of them are train pairs. `None` if the
/// parameters drawn do not allow enough different pairs.
pub(super) fn sample_task(
    composition: &Composition,
    sketch: &mut Sketch,
) -> Option<(Vec<Pair>, usize)> {
    const N_TRIES: usize = 200;

    let rule = composition.rule(sketch);
    let n_train = sketch.between(3, 4);
    let n_test = if sketch.chance(0.25) { 2 } else { 1 };
    let mut pairs: Vec<Pair> = Vec::new();
    for _ in 0..N_TRIES {
        if pairs.len() == n_train + n_test {
            // Nothing can be learnt from outputs that are always the same.
            let varies = pairs[1..n_train].iter().any(|pair| pair.output != pairs[0].output);
            return varies.then_some((pairs, n_train));
        }
        if let Some((input, output)) = rule(sketch)
            // A pair on which the rule does nothing teaches nothing.
            && input != output
            && pairs.iter().all(|pair| pair.input != input)
        {
            pairs.push(Pair { input, output });
        }
    }
    None
}
