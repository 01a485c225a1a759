//! Transformations of a board that preserve the rules.
//!
//! They relabel digits, permute bands and the rows within a band, permute stacks and
//! the columns within a stack, and, if boxes are square, transpose.

use rand::Rng;
use rand::seq::SliceRandom;

use super::{Board, Shape};

/// One symmetry: `out(r, c) = digit(in(rows[r], columns[c]))`, with the row and the
/// column of `in` swapped if it transposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symmetry {
    side: usize,
    /// The image of each digit; blank stays blank.
    digits: Vec<u8>,
    rows: Vec<usize>,
    columns: Vec<usize>,
    transposes: bool,
}

impl Symmetry {
    /// Samples a symmetry of boards of `shape`.
    pub fn random(shape: Shape, rng: &mut impl Rng) -> Self {
        let Shape { side, box_rows, box_columns } = shape;
        let mut digits: Vec<u8> = (1..=side as u8).collect();
        digits.shuffle(rng);
        digits.insert(0, 0);
        let rows = shuffled_lines(side, box_rows, rng);
        let columns = shuffled_lines(side, box_columns, rng);
        let transposes = box_rows == box_columns && rng.random::<bool>();
        Self { side, digits, rows, columns, transposes }
    }

    /// Applies this symmetry to a board.
    ///
    /// # Panics
    ///
    /// If the board has a different size.
    pub fn apply(&self, shape: Shape, board: &Board) -> Board {
        assert_eq!(shape.side, self.side, "a symmetry is of one size");
        let cells = (0..shape.n_cells()).map(|cell| {
            let (row, column) = (self.rows[cell / self.side], self.columns[cell % self.side]);
            let from =
                if self.transposes { column * self.side + row } else { row * self.side + column };
            self.digits[usize::from(board.cells()[from])]
        });
        Board::new(shape, cells.collect())
    }

    /// The symmetry that reverses this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let mut digits = vec![0; self.digits.len()];
        for (digit, image) in self.digits.iter().enumerate() {
            digits[usize::from(*image)] = digit as u8;
        }
        let (rows, columns) = (inverse(&self.rows), inverse(&self.columns));
        let (rows, columns) = if self.transposes { (columns, rows) } else { (rows, columns) };
        Self { side: self.side, digits, rows, columns, transposes: self.transposes }
    }
}

/// A permutation of lines that keeps groups of `group` lines together.
fn shuffled_lines(side: usize, group: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..side / group).collect();
    groups.shuffle(rng);
    let mut lines = Vec::with_capacity(side);
    for first in groups.into_iter().map(|g| g * group) {
        let mut within: Vec<usize> = (first..first + group).collect();
        within.shuffle(rng);
        lines.extend(within);
    }
    lines
}

fn inverse(permutation: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; permutation.len()];
    for (at, image) in permutation.iter().enumerate() {
        inverse[*image] = at;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sudoku::solved_board;
    use hrm_base::rng::stream;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_symmetry_preserves_solved_boards_and_can_be_undone(
            seed in any::<u64>(),
            side in prop::sample::select(vec![4usize, 6, 9]),
        ) {
            let shape = Shape::new(side).unwrap();
            let rng = &mut stream(seed, "test");
            let board = solved_board(shape, rng);
            let symmetry = Symmetry::random(shape, rng);
            let turned = symmetry.apply(shape, &board);
            prop_assert!(turned.is_solved(shape));
            prop_assert_eq!(symmetry.inverse().apply(shape, &turned), board);
        }
    }

    #[test]
    fn blanks_stay_blank() {
        let shape = Shape::new(9).unwrap();
        let symmetry = Symmetry::random(shape, &mut stream(1, "test"));
        assert_eq!(symmetry.apply(shape, &Board::blank(shape)), Board::blank(shape));
    }
}
