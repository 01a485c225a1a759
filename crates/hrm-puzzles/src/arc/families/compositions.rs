//! The list of all compositions that make sense.

use hrm_base::rng::stream;

use super::composition::{Composition, sample_task};
use super::family::{Draw, Family};
use super::list::FAMILIES;
use super::sketch::Sketch;

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
    let drawn = (0..N_TRIES).filter(|_| sample_task(composition, &mut sketch).is_some());
    drawn.take(N_WANTED).count() == N_WANTED
}
