//! Puzzles with exactly one solution.

use rand::Rng;
use rand::seq::SliceRandom;

use super::{Board, Shape, Solver, Symmetry};

/// Guesses that a proof of uniqueness may take. Boards up to 9 need far fewer;
/// on larger ones a given that would need more stays.
const N_GUESSES_MAX: u64 = 5_000;

/// A random board that obeys every rule.
pub fn solved_board(shape: Shape, rng: &mut impl Rng) -> Board {
    solved(&Solver::new(shape), shape, rng)
}

/// A random puzzle with one solution, and that solution. No given can be left
/// out, except for up to `reveal` more, uniform in number and place.
pub fn minimal_puzzle(shape: Shape, reveal: usize, rng: &mut impl Rng) -> (Board, Board) {
    Generator::new(shape).puzzle(reveal, rng)
}

/// Draws puzzles of one shape.
pub(super) struct Generator {
    shape: Shape,
    solver: Solver,
}

impl Generator {
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape, solver: Solver::new(shape) }
    }

    /// See [`minimal_puzzle`].
    pub(super) fn puzzle(&self, reveal: usize, rng: &mut impl Rng) -> (Board, Board) {
        let solution = solved(&self.solver, self.shape, rng);
        let mut puzzle = solution.clone();
        let mut order: Vec<usize> = (0..self.shape.n_cells()).collect();
        order.shuffle(rng);
        for cell in order {
            let digit = puzzle.cells()[cell];
            puzzle.set(cell, 0);
            if !self.solver.is_unique(&puzzle, N_GUESSES_MAX) {
                puzzle.set(cell, digit);
            }
        }

        let mut blanks: Vec<usize> =
            (0..self.shape.n_cells()).filter(|cell| puzzle.cells()[*cell] == 0).collect();
        blanks.shuffle(rng);
        let n_revealed = rng.random_range(0..=reveal as u32) as usize;
        for cell in blanks.into_iter().take(n_revealed) {
            puzzle.set(cell, solution.cells()[cell]);
        }
        (puzzle, solution)
    }

    /// Guesses that the puzzle takes.
    pub(super) fn rate(&self, puzzle: &Board) -> u64 {
        self.solver.rate(puzzle, N_GUESSES_MAX)
    }
}

fn solved(solver: &Solver, shape: Shape, rng: &mut impl Rng) -> Board {
    let board = solver.fill(&Board::blank(shape), rng).expect("an empty board has solutions");
    // The search fills cells in a fixed order; a symmetry spreads its habits
    // over the whole board.
    Symmetry::random(shape, rng).apply(shape, &board)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_train::rng::stream;

    #[test]
    fn puzzles_have_one_solution_and_no_given_to_spare() {
        for side in [4, 6, 9] {
            let shape = Shape::new(side).unwrap();
            let solver = Solver::new(shape);
            for seed in 0..5 {
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
