//! Two families as one: the outputs of the first are the inputs of the second.

use hrm_base::rng::stream;

use super::built_in::draw_task;
use super::sketch::Sketch;
use super::{Draw, FAMILIES, Family, Rule, Step};

/// What a task is drawn from: one family, or two in turn.
#[derive(Clone, Copy)]
pub(super) struct Composition {
    first: &'static Family,
    /// A family that is a [`Step`].
    second: Option<&'static Family>,
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

/// Compositions in an order that visits all families, first and second, early
/// and begins again after the last.
pub(super) struct Compositions {
    side: usize,
    seconds: Vec<&'static Family>,
    /// Those found so far.
    found: Vec<Composition>,
    /// Place in the list of all pairs of families from which to look on.
    next: usize,
}

impl Compositions {
    /// For grids of up to `side` cells a side.
    pub(super) fn new(side: usize) -> Self {
        let is_step = |family: &&Family| matches!(family.draw, Draw::Step { .. });
        let seconds = FAMILIES.iter().filter(is_step).collect();
        Self { side, seconds, found: Vec::new(), next: 0 }
    }

    /// The composition at place `idx`.
    pub(super) fn get(&mut self, idx: usize) -> Composition {
        let n_pairs = FAMILIES.len() * self.seconds.len();
        while self.found.len() <= idx && self.next < n_pairs {
            let (round, at) = (self.next / FAMILIES.len(), self.next % FAMILIES.len());
            let first = &FAMILIES[at];
            let second = self.seconds[(at + round) % self.seconds.len()];
            self.next += 1;
            let composition = Composition { first, second: Some(second) };
            if self.is_sound(first, second) && is_drawable(&composition, self.side) {
                self.found.push(composition);
            }
        }
        // Never empty: cells can be recoloured and then turned on any canvas.
        self.found[idx % self.found.len()]
    }

    fn is_sound(&self, first: &Family, second: &Family) -> bool {
        let Draw::Step { growth, .. } = second.draw else { return false };
        first.goes_on && first.name != second.name && first.side_min * growth <= self.side
    }
}

/// Whether tasks come of it: some pairs of families undo or hide each other.
fn is_drawable(composition: &Composition, side: usize) -> bool {
    const N_TRIES: usize = 30;
    const N_WANTED: usize = 3;

    // The same for every seed, so that all know the same compositions.
    let rng = stream(0, &format!("arc composition {} on {side}", composition.name()));
    let mut sketch = Sketch::new(rng, side);
    let drawn = (0..N_TRIES).filter(|_| draw_task(composition, &mut sketch).is_some());
    drawn.take(N_WANTED).count() == N_WANTED
}
