//! Tasks of one family, or of two composed: the outputs of the first are the inputs of the
//! second.

use super::family::{Family, Rule, Sampler, Step};
use super::sketch::Sketch;
use crate::arc::Pair;

/// The source of a task: one family, or two applied in sequence.
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

    /// First part of the ids of its tasks: `rotate`, `recolour+rotate`.
    pub(super) fn name(&self) -> String {
        match self.second {
            Some(second) => format!("{}+{}", self.first.name, second.name),
            None => self.first.name.to_owned(),
        }
    }

    /// Samples the rule of one task.
    pub(super) fn rule(&self, sketch: &mut Sketch) -> Rule {
        let second = self.second.map(|second| second.sampler);
        let Some(Sampler::Step { sample, growth }) = second else {
            return self.first.rule(sketch);
        };
        let side_max = sketch.side_max() / growth;
        let first = sketch.within(side_max, |sketch| self.first.rule(sketch));
        then(first, sample(sketch), side_max)
    }
}

/// The rule that applies `first` to grids of up to `side_max` cells per side, then `second`.
/// Pairs that do not show the effect of both are skipped.
fn then(first: Rule, second: Step, side_max: usize) -> Rule {
    Box::new(move |sketch| {
        let (input, between) = sketch.within(side_max, &first)?;
        let output = (second.apply)(&between)?;
        // A step without effect could not be inferred from the examples, and an output of
        // one colour could result from many rules.
        let first_matters = (second.apply)(&input).is_none_or(|without| without != output);
        let both_matter = input != between && between != output && first_matters;
        let is_uniform = output.cells().iter().all(|colour| *colour == output.at(0, 0));
        (both_matter && !is_uniform).then_some((input, output))
    })
}

/// Samples the pairs of one task, train pairs first; also returns the number of train
/// pairs. `None` if the sampled parameters allow too few distinct pairs.
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
            // If all train outputs were equal, the task could be solved by copying one.
            let varies = pairs[1..n_train].iter().any(|pair| pair.output != pairs[0].output);
            return varies.then_some((pairs, n_train));
        }
        if let Some((input, output)) = rule(sketch)
            // A pair that the rule leaves unchanged shows nothing about the rule.
            && input != output
            && pairs.iter().all(|pair| pair.input != input)
        {
            pairs.push(Pair { input, output });
        }
    }
    None
}
