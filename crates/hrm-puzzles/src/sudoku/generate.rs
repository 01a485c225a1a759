//! Generating puzzles with exactly one solution.

use rand::Rng;
use rand::seq::SliceRandom;

use super::{Board, Shape, Solver, Symmetry};

/// Guesses allowed for proving that a given can or cannot be removed. Boards up to side
/// 9 need far fewer. On larger boards, puzzles that would need more are discarded, so
/// that puzzles reported as minimal really are.
const N_GUESSES_MAX: u64 = 20_000;

/// Largest rating.
const RATING_MAX: u64 = 1_000_000;

/// Samples a board that obeys every rule.
pub fn solved_board(shape: Shape, rng: &mut impl Rng) -> Board {
    Generator::new(shape).solved(rng)
}

/// Samples a puzzle with exactly one solution, and returns both. The puzzle is minimal,
/// plus up to `reveal` further givens, uniform in number and position.
pub fn minimal_puzzle(shape: Shape, reveal: usize, rng: &mut impl Rng) -> (Board, Board) {
    Generator::new(shape).puzzle(reveal, rng)
}

/// Generates puzzles of one shape.
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

    /// Samples a puzzle and its solution; see [`minimal_puzzle`].
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

    /// Samples a solved board; see [`solved_board`].
    fn solved(&self, rng: &mut impl Rng) -> Board {
        let blank = Board::blank(self.shape);
        let board = self.solver.fill(&blank, rng).expect("an empty board has solutions");
        // The search fills cells in a fixed order; a random symmetry removes this bias.
        Symmetry::random(self.shape, rng).apply(self.shape, &board)
    }

    /// Removes givens in random order as long as the solution stays unique; `None` if a
    /// proof would take too many guesses.
    pub fn minimal(&self, puzzle: &Board, rng: &mut impl Rng) -> Option<Board> {
        let mut puzzle = puzzle.clone();
        let mut order: Vec<usize> =
            (0..self.shape.n_cells()).filter(|cell| puzzle.cells()[*cell] != 0).collect();
        order.shuffle(rng);
        for cell in order {
            let digit = puzzle.cells()[cell];
            puzzle.set(cell, 0);
            // The board has one solution with the given, so any other solution differs in this
            // cell.
            if self.solver.can_differ(&puzzle, cell, digit, N_GUESSES_MAX)? {
                puzzle.set(cell, digit);
            }
        }
        Some(puzzle)
    }

    /// The rating of a puzzle: the guesses that the solver needs.
    pub fn rate(&self, puzzle: &Board) -> u64 {
        self.solver.rate(puzzle, RATING_MAX)
    }
}

/// Fills `n` blanks of a puzzle, or all if there are fewer.
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
    fn puzzles_have_one_solution_and_no_redundant_given() {
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
    fn the_seed_determines_the_puzzle() {
        let shape = Shape::new(4).unwrap();
        let puzzle = |seed| minimal_puzzle(shape, 3, &mut stream(seed, "test"));
        assert_eq!(puzzle(3), puzzle(3));
        assert_ne!(puzzle(3), puzzle(4));
    }
}
