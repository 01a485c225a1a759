//! An exact solver: deduction as far as it goes, then guessing.
//!
//! Two deductions are made until neither applies: a cell with one option left
//! takes it, and a digit with one place left in a unit goes there. Then the
//! cell with the fewest options is guessed. How often that happens is the
//! difficulty of a puzzle.

use rand::Rng;
use rand::seq::SliceRandom;

use super::{Board, Shape};

/// The units and neighbours of a shape, worked out once.
#[derive(Clone, Debug)]
pub struct Solver {
    shape: Shape,
    /// Cells that share a unit with each cell.
    peers: Vec<Vec<usize>>,
    /// Cells of each row, column and box.
    units: Vec<Vec<usize>>,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Solutions found, as many as asked for at most.
    pub solutions: Vec<Board>,
    /// Guesses made.
    pub n_guesses: u64,
    /// Whether the search ended before its budget of guesses did.
    pub is_complete: bool,
}

/// Options of every cell, as bits, and which cells are settled.
#[derive(Clone)]
struct State {
    options: Vec<u32>,
    is_settled: Vec<bool>,
}

impl Solver {
    /// A solver for boards of `shape`.
    pub fn new(shape: Shape) -> Self {
        let cells = || 0..shape.n_cells();
        let share = |a, b| a != b && super::board::share_unit(shape, a, b);
        let peers = cells().map(|a| cells().filter(|b| share(a, *b)).collect()).collect();
        let unit = |kind: usize, index: usize| {
            cells().filter(|cell| shape.units_of(*cell)[kind] == index).collect()
        };
        let units = (0..3).flat_map(|kind| (0..shape.side).map(move |index| unit(kind, index)));
        Self { shape, peers, units: units.collect() }
    }

    /// Up to `n_solutions` solutions, making at most `n_guesses_max` guesses.
    pub fn search(&self, puzzle: &Board, n_solutions: usize, n_guesses_max: u64) -> Search {
        let mut search = Search { solutions: Vec::new(), n_guesses: 0, is_complete: true };
        if let Some(state) = self.state(puzzle) {
            let mut ascending = |_: &mut Vec<u32>| {};
            self.explore(state, n_solutions, n_guesses_max, &mut ascending, &mut search);
        }
        search
    }

    /// Whether there is one solution and no other, as far as `n_guesses_max`
    /// guesses can tell.
    pub fn is_unique(&self, puzzle: &Board, n_guesses_max: u64) -> bool {
        let search = self.search(puzzle, 2, n_guesses_max);
        search.is_complete && search.solutions.len() == 1
    }

    /// Guesses until the solution is found: the difficulty of a puzzle.
    pub fn rate(&self, puzzle: &Board, n_guesses_max: u64) -> u64 {
        self.search(puzzle, 1, n_guesses_max).n_guesses
    }

    /// A solution with its guesses in random order, if there is one.
    pub fn fill(&self, puzzle: &Board, rng: &mut impl Rng) -> Option<Board> {
        let mut search = Search { solutions: Vec::new(), n_guesses: 0, is_complete: true };
        let mut shuffled = |options: &mut Vec<u32>| options.shuffle(rng);
        self.explore(self.state(puzzle)?, 1, u64::MAX, &mut shuffled, &mut search);
        search.solutions.pop()
    }

    /// The options that a puzzle leaves; `None` if its givens contradict.
    fn state(&self, puzzle: &Board) -> Option<State> {
        let n_cells = self.shape.n_cells();
        let all = (1u32 << self.shape.side) - 1;
        let mut state = State { options: vec![all; n_cells], is_settled: vec![false; n_cells] };
        for (cell, digit) in puzzle.cells().iter().enumerate().filter(|(_, d)| **d != 0) {
            if !self.place(&mut state, cell, 1 << (digit - 1)) {
                return None;
            }
        }
        Some(state)
    }

    fn explore(
        &self,
        mut state: State,
        n_solutions: usize,
        n_guesses_max: u64,
        order: &mut impl FnMut(&mut Vec<u32>),
        search: &mut Search,
    ) {
        if !self.deduce(&mut state) {
            return;
        }
        let open = (0..state.options.len()).filter(|cell| !state.is_settled[*cell]);
        let Some(cell) = open.min_by_key(|cell| state.options[*cell].count_ones()) else {
            search.solutions.push(self.board(&state));
            return;
        };
        let mut options: Vec<u32> = (0..self.shape.side as u32)
            .map(|d| 1 << d)
            .filter(|bit| state.options[cell] & bit != 0)
            .collect();
        order(&mut options);
        for bit in options {
            if search.solutions.len() >= n_solutions {
                return;
            }
            if search.n_guesses >= n_guesses_max {
                search.is_complete = false;
                return;
            }
            search.n_guesses += 1;
            let mut guess = state.clone();
            if self.place(&mut guess, cell, bit) {
                self.explore(guess, n_solutions, n_guesses_max, order, search);
            }
        }
    }

    /// Places digits that have one place left; false on a contradiction.
    fn deduce(&self, state: &mut State) -> bool {
        loop {
            let mut has_changed = false;
            for unit in &self.units {
                let (mut once, mut twice) = (0u32, 0u32);
                for cell in unit {
                    twice |= once & state.options[*cell];
                    once |= state.options[*cell];
                }
                if once != (1 << self.shape.side) - 1 {
                    return false;
                }
                let single = once & !twice;
                for cell in unit.iter().filter(|_| single != 0) {
                    let bit = state.options[*cell] & single;
                    if bit != 0 && !state.is_settled[*cell] {
                        // Two digits whose only place is the same cell.
                        if bit.count_ones() > 1 || !self.place(state, *cell, bit) {
                            return false;
                        }
                        has_changed = true;
                    }
                }
            }
            if !has_changed {
                return true;
            }
        }
    }

    /// Settles a cell and whatever follows for its neighbours; false on a
    /// contradiction.
    fn place(&self, state: &mut State, cell: usize, bit: u32) -> bool {
        let mut pending = vec![(cell, bit)];
        while let Some((cell, bit)) = pending.pop() {
            if state.options[cell] & bit == 0 {
                return false;
            }
            if state.is_settled[cell] {
                continue;
            }
            state.options[cell] = bit;
            state.is_settled[cell] = true;
            for peer in &self.peers[cell] {
                let options = &mut state.options[*peer];
                if *options & bit == 0 {
                    continue;
                }
                *options &= !bit;
                match options.count_ones() {
                    0 => return false,
                    1 if !state.is_settled[*peer] => pending.push((*peer, *options)),
                    _ => {}
                }
            }
        }
        true
    }

    fn board(&self, state: &State) -> Board {
        let digits = state.options.iter().map(|bit| bit.trailing_zeros() as u8 + 1);
        Board::new(self.shape, digits.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All completions by trying every digit in every cell.
    fn count_by_force(shape: Shape, board: &mut Board) -> usize {
        if board.clash(shape).is_some() {
            return 0;
        }
        let Some(cell) = board.cells().iter().position(|d| *d == 0) else { return 1 };
        let mut n = 0;
        for digit in 1..=shape.side as u8 {
            board.set(cell, digit);
            n += count_by_force(shape, board);
        }
        board.set(cell, 0);
        n
    }

    #[test]
    fn every_four_by_four_grid_is_found() {
        let shape = Shape::new(4).unwrap();
        let search = Solver::new(shape).search(&Board::blank(shape), usize::MAX, u64::MAX);
        // 288 grids of this size are known to exist.
        assert_eq!(search.solutions.len(), 288);
        assert!(search.is_complete && search.solutions.iter().all(|s| s.is_solved(shape)));
    }

    #[test]
    fn counts_agree_with_brute_force() {
        let shape = Shape::new(4).unwrap();
        let solver = Solver::new(shape);
        for text in ["12..34..........", "1...............", "11..............", "1234341221434321"]
        {
            let mut board = Board::parse(shape, text, "test").unwrap();
            let found = solver.search(&board, usize::MAX, u64::MAX).solutions.len();
            assert_eq!(found, count_by_force(shape, &mut board), "{text}");
        }
    }

    #[test]
    fn a_hard_puzzle_has_its_one_solution() {
        // A published 17-clue puzzle.
        let shape = Shape::new(9).unwrap();
        let text =
            "000000010400000000020000000000050407008000300001090000300400200050100000000806000";
        let puzzle = Board::parse(shape, text, "test").unwrap();
        let search = Solver::new(shape).search(&puzzle, 2, u64::MAX);
        assert_eq!(search.solutions.len(), 1);
        assert!(search.solutions[0].is_solved(shape) && search.solutions[0].keeps(&puzzle));
    }

    #[test]
    fn a_budget_of_guesses_is_kept() {
        let shape = Shape::new(9).unwrap();
        let search = Solver::new(shape).search(&Board::blank(shape), usize::MAX, 100);
        assert!(!search.is_complete && search.n_guesses == 100);
    }
}
