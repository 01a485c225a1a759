//! A reference implementation of the solver, for tests: fills one cell at a time and
//! makes no deduction beyond the rules themselves.

use super::{Board, Shape};

/// Number of filled cells after which a search gives up.
const N_STEPS_MAX: usize = 5_000;

/// Up to `n_max` solutions, in order; `None` if the search takes too long.
pub(super) fn solutions(shape: Shape, puzzle: &Board, n_max: usize) -> Option<Vec<Board>> {
    let mut plain = Plain { shape, n_max, n_steps: 0, found: Vec::new() };
    if puzzle.clash(shape).is_none() {
        plain.complete(&mut puzzle.clone());
    }
    plain.found.sort();
    (plain.n_steps < N_STEPS_MAX).then_some(plain.found)
}

struct Plain {
    shape: Shape,
    n_max: usize,
    n_steps: usize,
    found: Vec<Board>,
}

impl Plain {
    /// Fills the blank cell with the fewest candidates, recursively.
    fn complete(&mut self, board: &mut Board) {
        let shape = self.shape;
        let mut used = [[0u32; 16]; 3];
        for (cell, digit) in board.cells().iter().enumerate().filter(|(_, digit)| **digit != 0) {
            for (kind, unit) in shape.units_of(cell).into_iter().enumerate() {
                used[kind][unit] |= 1 << digit;
            }
        }
        let options = |cell: &usize| {
            let [row, column, square] = shape.units_of(*cell);
            let free = !(used[0][row] | used[1][column] | used[2][square]);
            (1..=shape.side as u8).filter(move |digit| free >> digit & 1 != 0)
        };
        let blanks = (0..shape.n_cells()).filter(|cell| board.cells()[*cell] == 0);
        let Some(cell) = blanks.min_by_key(|cell| options(cell).count()) else {
            self.found.push(board.clone());
            return;
        };
        for digit in options(&cell) {
            if self.found.len() < self.n_max && self.n_steps < N_STEPS_MAX {
                self.n_steps += 1;
                board.set(cell, digit);
                self.complete(board);
                board.set(cell, 0);
            }
        }
    }
}
