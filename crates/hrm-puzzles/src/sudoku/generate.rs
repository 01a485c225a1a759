//! Puzzles with exactly one solution.

use rand::Rng;
use rand::seq::SliceRandom;

use super::{Board, Shape, Solver, Symmetry};

/// Guesses that it may take to prove that a given is needed or is not. Boards up
/// to 9 need far fewer. On larger ones a puzzle that would need more is dropped,
/// so that what is called minimal is.
const N_GUESSES_MAX: u64 = 20_000;

/// Guesses that a rating counts, at most.
const RATING_MAX: u64 = 1_000_000;

/// A random board that obeys every rule.
pub fn solved_board(shape: Shape, rng: &mut impl Rng) -> Board {
    Generator::new(shape).solved(rng)
}

/// A random puzzle with one solution, and that solution. No given can be left
/// out, except for up to `reveal` more, uniform in number and place.
pub fn minimal_puzzle(shape: Shape, reveal: usize, rng: &mut impl Rng) -> (Board, Board) {
    Generator::new(shape).puzzle(reveal, rng)
}

/// Samples puzzles of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    pub(super) shape: Shape,
    solver: Solver,
}

impl Generator {
    /// A generator for boards of this shape.
    pub fn new(shape: Shape) -> Self {
        Self { shape, solver: Solver::new(shape) }
    }

    /// See [`minimal_puzzle`].
    pub fn puzzle(&self, reveal: usize, rng: &mut impl Rng) -> (Board, Board) {
        loop {
            let solution = self.solved(rng);
            if let Some(mut puzzle) = self.minimal(&solution, rng) {
                let n = rng.random_range(0..=reveal as u32) as usize;
                self::reveal(&mut puzzle, &solution, n, rng);
                return (puzzle, solution);
            }
        }
    }

    /// See [`solved_board`].
    fn solved(&self, rng: &mut impl Rng) -> Board {
        let blank = Board::blank(self.shape);
        let board = self.solver.fill(&blank, rng).expect("an empty board has solutions");
        // The search fills cells in a fixed order; a symmetry spreads its habits
        // over the whole board.
        Symmetry::random(self.shape, rng).apply(self.shape, &board)
    }

    /// What is left of a puzzle with one solution when givens are taken away in
    /// random order for as long as there is no other; `None` if a proof would
    /// take too long.
    pub fn minimal(&self, puzzle: &Board, rng: &mut impl Rng) -> Option<Board> {
        let mut puzzle = puzzle.clone();
        let mut order: Vec<usize> =
            (0..self.shape.n_cells()).filter(|cell| puzzle.cells()[*cell] != 0).collect();
        order.shuffle(rng);
        for cell in order {
            let digit = puzzle.cells()[cell];
            puzzle.set(cell, 0);
            // With the given there is one solution, so any other differs here.
            if self.solver.can_differ(&puzzle, cell, digit, N_GUESSES_MAX)? {
                puzzle.set(cell, digit);
            }
        }
        Some(puzzle)
    }

    /// Guesses that the puzzle takes.
    pub fn rate(&self, puzzle: &Board) -> u64 {
        self.solver.rate(puzzle, RATING_MAX)
    }
}

/// Gives `n` blanks of a puzzle, all if there are fewer.
pub fn reveal(puzzle: &mut Board, solution: &Board, n: usize, rng: &mut impl Rng) {
    let is_blank = |cell: &usize| puzzle.cells()[*cell] == 0;
    let mut blanks: Vec<usize> = (0..puzzle.cells().len()).filter(is_blank).collect();
    blanks.shuffle(rng);
    for cell in blanks.into_iter().take(n) {
        puzzle.set(cell, solution.cells()[cell]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_base::rng::stream;

    #[test]
    fn puzzles_have_one_solution_and_no_given_to_spare() {
        for side in [4, 6, 9, 16] {
            let shape = Shape::new(side).unwrap();
            let solver = Solver::new(shape);
            for seed in 0..if side == 16 { 1 } else { 5 } {
                let (puzzle, solution) = minimal_puzzle(shape, 0, &mut stream(seed, "test"));
                let search = solver.search(&puzzle, 2, u64::MAX);
                assert_eq!(search.solutions, [solution]);
                for cell in (0..shape.n_cells()).filter(|cell| puzzle.cells()[*cell] != 0) {
                    let mut without = puzzle.clone();
                    without.set(cell, 0);
                    assert_eq!(solver.search(&without, 2, u64::MAX).solutions.len(), 2);
                }
            }
        }
    }

    #[test]
    fn revealed_cells_come_from_the_solution() {
        let shape = Shape::new(6).unwrap();
        let n_givens: Vec<usize> = (0..20)
            .map(|seed| {
                let (puzzle, solution) = minimal_puzzle(shape, 20, &mut stream(seed, "test"));
                assert!(solution.keeps(&puzzle) && solution.is_solved(shape));
                puzzle.n_givens()
            })
            .collect();
        let (least, most) = (n_givens.iter().min().unwrap(), n_givens.iter().max().unwrap());
        assert!(most - least > 8, "{n_givens:?}");
    }

    #[test]
    fn a_seed_decides_the_puzzle() {
        let shape = Shape::new(4).unwrap();
        let puzzle = |seed| minimal_puzzle(shape, 3, &mut stream(seed, "test"));
        assert_eq!(puzzle(3), puzzle(3));
        assert_ne!(puzzle(3), puzzle(4));
    }
}
