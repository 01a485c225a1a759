//! All useful compositions of two families.

use hrm_base::rng::stream;

use super::composition::{Composition, sample_task};
use super::family::{Family, Sampler};
use super::list::FAMILIES;
use super::sketch::Sketch;

/// Compositions in an order that soon includes every family, as first and as second rule.
/// After the last comes the first again.
pub(super) struct Compositions {
    side: usize,
    seconds: Vec<&'static Family>,
    /// Useful compositions found so far.
    found: Vec<Composition>,
    /// Index of the next pair of families to examine.
    next: usize,
}

impl Compositions {
    /// Compositions for grids of up to `side` cells per side.
    pub(super) fn new(side: usize) -> Self {
        let is_step = |family: &&Family| matches!(family.sampler, Sampler::Step { .. });
        let seconds = FAMILIES.iter().filter(is_step).collect();
        Self { side, seconds, found: Vec::new(), next: 0 }
    }

    /// The composition with index `idx`, modulo their number.
    pub(super) fn get(&mut self, idx: usize) -> Composition {
        let n_pairs = FAMILIES.len() * self.seconds.len();
        while self.found.len() <= idx && self.next < n_pairs {
            let (round, at) = (self.next / FAMILIES.len(), self.next % FAMILIES.len());
            let first = &FAMILIES[at];
            let second = self.seconds[(at + round) % self.seconds.len()];
            self.next += 1;
            let composition = Composition { first, second: Some(second) };
            if self.fits(first, second) && can_be_sampled(&composition, self.side) {
                self.found.push(composition);
            }
        }
        // Never empty: `recolour+rotate` works on every canvas.
        self.found[idx % self.found.len()]
    }

    /// Whether `second` can follow `first` on a canvas of this side.
    fn fits(&self, first: &Family, second: &Family) -> bool {
        let Sampler::Step { growth, .. } = second.sampler else { return false };
        first.output_is_picture && first.name != second.name && first.side_min * growth <= self.side
    }
}

/// Whether tasks of a composition are easy to sample. Some pairs of families undo or hide
/// each other.
fn can_be_sampled(composition: &Composition, side: usize) -> bool {
    const N_TRIES: usize = 30;
    const N_WANTED: usize = 3;

    // The stream does not depend on the user's seed, so the list is the same for all seeds.
    let rng = stream(0, &format!("arc composition {} on {side}", composition.name()));
    let mut sketch = Sketch::new(rng, side);
    let sampled = (0..N_TRIES).filter(|_| sample_task(composition, &mut sketch).is_some());
    sampled.take(N_WANTED).count() == N_WANTED
}
