//! The meaning of the solver: one cell at a time, and no deduction but what the
//! rules say of a cell. For tests.

use super::{Board, Shape};

/// Up to `n_max` solutions, in order.
pub(super) fn solutions(shape: Shape, puzzle: &Board, n_max: usize) -> Vec<Board> {
    let mut found = Vec::new();
    if puzzle.clash(shape).is_none() {
        let cells = || 0..shape.n_cells();
        let share = |a, b| a != b && super::board::share_unit(shape, a, b);
        let peers = cells().map(|a| cells().filter(|b| share(a, *b)).collect()).collect();
        complete(&Peers { shape, of: peers }, &mut puzzle.clone(), n_max, &mut found);
    }
    found.sort();
    found
}

struct Peers {
    shape: Shape,
    of: Vec<Vec<usize>>,
}

/// Digits of no peer, if the cell is blank.
fn options(peers: &Peers, board: &Board, cell: usize) -> Option<Vec<u8>> {
    let is_free = |digit: &u8| peers.of[cell].iter().all(|peer| board.cells()[*peer] != *digit);
    (board.cells()[cell] == 0).then(|| (1..=peers.shape.side as u8).filter(is_free).collect())
}

/// Fills the blank with the fewest options, and so on.
fn complete(peers: &Peers, board: &mut Board, n_max: usize, found: &mut Vec<Board>) {
    let blanks = (0..peers.shape.n_cells())
        .filter_map(|cell| options(peers, board, cell).map(|options| (cell, options)));
    let Some((cell, options)) = blanks.min_by_key(|(_, options)| options.len()) else {
        found.push(board.clone());
        return;
    };
    for digit in options {
        if found.len() < n_max {
            board.set(cell, digit);
            complete(peers, board, n_max, found);
            board.set(cell, 0);
        }
    }
}
