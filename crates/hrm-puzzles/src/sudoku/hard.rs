//! Generating hard puzzles by local search: a random change is kept if the rating does
//! not fall.
//!
//! A change reveals a few cells and then removes redundant givens in a new random
//! order, so every step leads from one minimal puzzle to another with the same
//! solution. A search that stalls restarts from a new solution.

use rand::Rng;
use rand::seq::IteratorRandom;

use super::Board;
use super::generate::Generator;

/// Largest number of cells that a change reveals.
const N_GIVEN_MAX: usize = 5;

/// Steps without improvement after which a search restarts.
const N_STALLED_MAX: usize = 150;

/// Largest number of rated puzzles per search.
fn n_steps_max(side: usize) -> usize {
    if side > 9 { 1_000 } else { 20_000 }
}

impl Generator {
    /// Searches for a minimal puzzle with a rating of at least `rating_min`; returns it
    /// with its solution.
    ///
    /// # Errors
    ///
    /// The number of puzzles that were rated, if none is hard enough.
    pub fn hard_puzzle(
        &self,
        rating_min: u64,
        rng: &mut impl Rng,
    ) -> Result<(Board, Board), usize> {
        let n_steps_max = n_steps_max(self.shape.side);
        let mut n_steps = 0;
        while n_steps < n_steps_max {
            n_steps += 1;
            let (mut puzzle, solution) = self.puzzle(0, rng);
            let mut rating = self.rate(&puzzle);
            let mut n_stalled = 0;
            while rating < rating_min && n_stalled < N_STALLED_MAX && n_steps < n_steps_max {
                n_steps += 1;
                n_stalled += 1;
                let Some(changed) = self.changed(&puzzle, &solution, rng) else { continue };
                let changed_rating = self.rate(&changed);
                if changed_rating > rating {
                    n_stalled = 0;
                }
                if changed_rating >= rating {
                    (puzzle, rating) = (changed, changed_rating);
                }
            }
            if rating >= rating_min {
                return Ok((puzzle, solution));
            }
        }
        Err(n_steps)
    }

    /// Another minimal puzzle with the same solution.
    fn changed(&self, puzzle: &Board, solution: &Board, rng: &mut impl Rng) -> Option<Board> {
        let mut changed = puzzle.clone();
        let blanks = (0..self.shape.n_cells()).filter(|cell| puzzle.cells()[*cell] == 0);
        let n_given = rng.random_range(1..=N_GIVEN_MAX as u32) as usize;
        for cell in blanks.choose_multiple(rng, n_given) {
            changed.set(cell, solution.cells()[cell]);
        }
        self.minimal(&changed, rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sudoku::{Shape, Solver};
    use hrm_base::rng::stream;

    #[test]
    fn a_hard_puzzle_is_minimal_and_reaches_the_requested_rating() {
        for (side, rating_min) in [(6, 2), (9, 12)] {
            let shape = Shape::new(side).unwrap();
            let sample = |seed| {
                let found = Generator::new(shape).hard_puzzle(rating_min, &mut stream(seed, "t"));
                found.unwrap()
            };
            let (puzzle, solution) = sample(1);
            assert_eq!(sample(1), (puzzle.clone(), solution.clone()));
            assert_ne!(sample(2).0, puzzle);
            let solver = Solver::new(shape);
            assert!(solver.rate(&puzzle, u64::MAX) >= rating_min);
            assert_eq!(solver.search(&puzzle, 2, u64::MAX).solutions, [solution]);
            for cell in (0..shape.n_cells()).filter(|cell| puzzle.cells()[*cell] != 0) {
                let mut without = puzzle.clone();
                without.set(cell, 0);
                assert!(!solver.is_unique(&without, u64::MAX));
            }
        }
    }

    #[test]
    fn the_search_stops_if_the_rating_is_out_of_reach() {
        let generator = Generator::new(Shape::new(4).unwrap());
        let n_tried = generator.hard_puzzle(1_000, &mut stream(1, "test")).unwrap_err();
        assert_eq!(n_tried, n_steps_max(4));
    }
}
