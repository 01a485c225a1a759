//! An exact solver: deduces as far as possible, then guesses.
//!
//! A guess tries a digit in a cell. When the branch is exhausted, the digit is removed
//! from the cell and deduction continues. The rating of a puzzle is the number of
//! guesses until its solution is found and proved unique. The order of guesses depends
//! only on the board, so ratings are the same on every machine; equivalent puzzles may
//! have slightly different ratings, because ties between guesses are broken by
//! position.

use rand::Rng;

use super::options::{Options, Placement};
use super::{Board, Shape};

/// A solver for boards of one shape.
#[derive(Clone, Copy, Debug)]
pub struct Solver {
    shape: Shape,
}

/// Result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The solutions found, at most the requested number.
    pub solutions: Vec<Board>,
    /// Number of guesses made.
    pub n_guesses: u64,
    /// Whether the search finished within its budget of guesses.
    pub is_complete: bool,
}

/// Parameters of a search.
struct Query<'a> {
    puzzle: &'a Board,
    /// Only look for solutions that do not have this digit in this cell.
    excluded: Option<Placement>,
    n_solutions: usize,
    n_guesses_max: u64,
}

/// Chooses a digit to try among a cell's candidates, given as bits and a suggestion.
type Choice<'a> = dyn FnMut(u32, usize) -> usize + 'a;

impl Solver {
    /// Creates a solver for boards of `shape`.
    pub fn new(shape: Shape) -> Self {
        Self { shape }
    }

    /// Finds up to `n_solutions` solutions, with at most `n_guesses_max` guesses.
    pub fn search(&self, puzzle: &Board, n_solutions: usize, n_guesses_max: u64) -> Search {
        let query = Query { puzzle, excluded: None, n_solutions, n_guesses_max };
        self.run(&query, &mut suggested)
    }

    /// Whether the puzzle is proved to have exactly one solution within `n_guesses_max`
    /// guesses.
    pub fn is_unique(&self, puzzle: &Board, n_guesses_max: u64) -> bool {
        let search = self.search(puzzle, 2, n_guesses_max);
        search.is_complete && search.solutions.len() == 1
    }

    /// Rates the difficulty of a puzzle: the number of guesses until the solution is
    /// found and proved unique, or until a second solution is found; at most
    /// `n_guesses_max`.
    pub fn rate(&self, puzzle: &Board, n_guesses_max: u64) -> u64 {
        self.search(puzzle, 2, n_guesses_max).n_guesses
    }

    /// Whether some solution has a digit other than `digit` in `cell`; `None` if that
    /// is not decided within `n_guesses_max` guesses.
    pub(super) fn can_differ(
        &self,
        puzzle: &Board,
        cell: usize,
        digit: u8,
        n_guesses_max: u64,
    ) -> Option<bool> {
        let excluded = Some(Placement { cell, digit: usize::from(digit) - 1 });
        let query = Query { puzzle, excluded, n_solutions: 1, n_guesses_max };
        let search = self.run(&query, &mut suggested);
        let can_differ = !search.solutions.is_empty();
        (can_differ || search.is_complete).then_some(can_differ)
    }

    /// A solution found by guessing random digits, if there is one.
    pub fn fill(&self, puzzle: &Board, rng: &mut impl Rng) -> Option<Board> {
        // An unlucky guess can lead into a very long search: restart with a larger
        // budget each time, so that the search terminates.
        let mut n_guesses_max = 200u64;
        loop {
            let query = Query { puzzle, excluded: None, n_solutions: 1, n_guesses_max };
            n_guesses_max = n_guesses_max.saturating_mul(2);
            let mut search = self.run(&query, &mut |digits, _| {
                let n_lower = rng.random_range(0..digits.count_ones());
                (0..n_lower).fold(digits, |left, _| left & (left - 1)).trailing_zeros() as usize
            });
            if search.is_complete || !search.solutions.is_empty() {
                return search.solutions.pop();
            }
        }
    }

    fn run(&self, query: &Query<'_>, choice: &mut Choice<'_>) -> Search {
        match self.shape.side {
            4 => run::<4, 2>(self.shape, query, choice),
            6 => run::<6, 3>(self.shape, query, choice),
            9 => run::<9, 3>(self.shape, query, choice),
            12 => run::<12, 4>(self.shape, query, choice),
            16 => run::<16, 4>(self.shape, query, choice),
            side => unreachable!("a shape has no side {side}"),
        }
    }
}

fn run<const N: usize, const B: usize>(
    shape: Shape,
    query: &Query<'_>,
    choice: &mut Choice<'_>,
) -> Search {
    let search = Search { solutions: Vec::new(), n_guesses: 0, is_complete: true };
    let mut walk = Walk { shape, query, choice, search };
    if query.n_solutions > 0 {
        let mut options = Options::<N, B>::new(query.puzzle.cells());
        if let Some(excluded) = query.excluded {
            options.exclude(excluded);
        }
        walk.explore(options);
    }
    walk.search
}

/// The choice in every search that is not random.
fn suggested(_digits: u32, digit: usize) -> usize {
    digit
}

/// State of a running search.
struct Walk<'a, 'b> {
    shape: Shape,
    query: &'a Query<'a>,
    choice: &'a mut Choice<'b>,
    search: Search,
}

impl Walk<'_, '_> {
    /// Finds the solutions that `options` allow; false if the search should stop.
    fn explore<const N: usize, const B: usize>(&mut self, mut options: Options<N, B>) -> bool {
        while options.deduce() {
            let Some(mut guess) = options.guess() else {
                self.search.solutions.push(Board::new(self.shape, options.to_cells()));
                return self.search.solutions.len() < self.query.n_solutions;
            };
            if self.search.n_guesses == self.query.n_guesses_max {
                self.search.is_complete = false;
                return false;
            }
            self.search.n_guesses += 1;
            guess.digit = (self.choice)(options.digits_of(guess.cell), guess.digit);
            let mut guessed = options;
            guessed.place(guess);
            if !self.explore(guessed) {
                return false;
            }
            options.exclude(guess);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sudoku::reference;
    use hrm_base::rng::stream;
    use proptest::prelude::*;
    use rand::Rng;
    use rand::seq::SliceRandom;

    fn board(side: usize, text: &str) -> Board {
        Board::parse(Shape::new(side).unwrap(), text, "test").unwrap()
    }

    /// All solutions up to `n_max`, sorted.
    fn solutions(shape: Shape, puzzle: &Board, n_max: usize) -> Vec<Board> {
        let search = Solver::new(shape).search(puzzle, n_max, u64::MAX);
        assert!(search.is_complete || search.solutions.len() == n_max);
        let mut solutions = search.solutions;
        solutions.sort();
        solutions
    }

    #[test]
    fn every_four_by_four_grid_is_found() {
        let shape = Shape::new(4).unwrap();
        let found = solutions(shape, &Board::blank(shape), usize::MAX);
        // There are exactly 288 such grids.
        assert_eq!(Some(&found), reference::solutions(shape, &Board::blank(shape), 300).as_ref());
        assert_eq!(found.len(), 288);
    }

    /// Boards with any number of solutions: some cells of a solved board, a few of them
    /// changed to another digit.
    fn any_board() -> impl Strategy<Value = (Shape, Board)> {
        let sides = prop::sample::select(vec![4usize, 6, 9, 16]);
        (sides, any::<u64>(), 0u32..=60, 0u32..=3).prop_map(|(side, seed, n_percent, n_wrong)| {
            let shape = Shape::new(side).unwrap();
            let rng = &mut stream(seed, "test");
            let mut board = crate::sudoku::solved_board(shape, rng);
            let mut cells: Vec<usize> = (0..shape.n_cells()).collect();
            cells.shuffle(rng);
            // Enough givens for the reference search to finish in most cases.
            let n_least = [(4, 0), (6, 0), (9, 36), (16, 60)].iter().find(|(s, _)| *s == side);
            let n_kept = shape.n_cells() * (n_least.unwrap().1 + n_percent as usize).min(95) / 100;
            for cell in &cells[n_kept..] {
                board.set(*cell, 0);
            }
            for cell in cells.iter().take(n_wrong as usize) {
                board.set(*cell, rng.random_range(1..=side as u32) as u8);
            }
            (shape, board)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn solutions_agree_with_the_reference((shape, puzzle) in any_board()) {
            let Some(few) = reference::solutions(shape, &puzzle, 51) else { return Ok(()) };
            if few.len() <= 50 {
                prop_assert_eq!(solutions(shape, &puzzle, usize::MAX), few);
            } else {
                let found = Solver::new(shape).search(&puzzle, 51, u64::MAX).solutions;
                prop_assert_eq!(found.len(), 51);
                prop_assert!(found.iter().all(|b| b.is_solved(shape) && b.keeps(&puzzle)));
            }
        }

        #[test]
        fn a_cell_can_differ_exactly_if_a_solution_differs_there(
            (shape, puzzle) in any_board(),
            at: usize,
        ) {
            let Some(known) = reference::solutions(shape, &puzzle, 51) else { return Ok(()) };
            prop_assume!(known.len() <= 50);
            let cell = at % shape.n_cells();
            for digit in 1..=shape.side as u8 {
                let differs = known.iter().any(|solution| solution.cells()[cell] != digit);
                let found = Solver::new(shape).can_differ(&puzzle, cell, digit, u64::MAX);
                prop_assert_eq!(found, Some(differs));
            }
        }
    }

    #[test]
    fn hostile_boards_have_no_solution_and_do_not_hang() {
        for side in [4, 6, 9, 12, 16] {
            let shape = Shape::new(side).unwrap();
            let solver = Solver::new(shape);
            let with = |givens: &[(usize, u8)]| {
                let mut board = Board::blank(shape);
                givens.iter().for_each(|(cell, digit)| board.set(*cell, *digit));
                solver.search(&board, 2, 10_000)
            };
            let impossible = Search { solutions: Vec::new(), n_guesses: 0, is_complete: true };
            // The same digit twice in a row, in a column, in a box.
            assert_eq!(with(&[(0, 1), (side - 1, 1)]), impossible);
            assert_eq!(with(&[(0, 1), (side * (side - 1), 1)]), impossible);
            assert_eq!(with(&[(0, 1), (side + 1, 1)]), impossible);
            // A cell without candidates, although no two givens clash.
            let mut around: Vec<(usize, u8)> =
                (1..side as u8).map(|digit| (usize::from(digit), digit)).collect();
            around.push((side * (side - 1), side as u8));
            assert_eq!(with(&around), impossible);
            // The same digit in every cell.
            let alike = Board::new(shape, vec![1; shape.n_cells()]);
            assert_eq!(solver.search(&alike, 2, 10_000), impossible);
            // No givens: many solutions, or the budget ends the search.
            let blank = with(&[]);
            assert!(blank.solutions.len() == 2 || (side == 16 && !blank.is_complete));
        }
    }

    #[test]
    fn hard_puzzles_have_one_solution_and_a_fixed_rating() {
        // A published 17-clue puzzle, and a hard puzzle with 21 clues.
        let texts = [
            "000000010400000000020000000000050407008000300001090000300400200050100000000806000",
            "800000000003600000070090200050007000000045700000100030001000068008500010090000400",
        ];
        let shape = Shape::new(9).unwrap();
        let rate = |text| {
            let puzzle = board(9, text);
            let search = Solver::new(shape).search(&puzzle, 2, u64::MAX);
            assert!(search.solutions.len() == 1 && search.solutions[0].is_solved(shape));
            assert!(search.solutions[0].keeps(&puzzle));
            assert_eq!(Solver::new(shape).rate(&puzzle, u64::MAX), search.n_guesses);
            search.n_guesses
        };
        // Ratings are stored in files, so they must not change.
        assert_eq!(texts.map(rate), [0, 36]);
    }

    #[test]
    fn the_budget_of_guesses_is_not_exceeded() {
        let shape = Shape::new(9).unwrap();
        let search = Solver::new(shape).search(&Board::blank(shape), usize::MAX, 100);
        assert!(!search.is_complete && search.n_guesses == 100);
        assert!(!Solver::new(shape).is_unique(&Board::blank(shape), 0));
        assert_eq!(Solver::new(shape).search(&Board::blank(shape), 0, 100).solutions, []);
    }
}
