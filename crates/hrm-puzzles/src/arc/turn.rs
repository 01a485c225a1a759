//! Grids rotated and reflected.

use crate::Dihedral;
use crate::arc::Grid;

impl Dihedral {
    /// Transforms a grid.
    pub fn apply(self, grid: &Grid) -> Grid {
        self.apply_with(grid, |colour| colour)
    }

    /// Transforms a grid and replaces every colour.
    ///
    /// # Panics
    ///
    /// If a new colour is not in `0..=9`.
    pub fn apply_with(self, grid: &Grid, colour: impl Fn(u8) -> u8) -> Grid {
        let (height, width) = (grid.n_rows(), grid.n_cols());
        let (n_rows, n_cols) = if self.swaps_sides() { (width, height) } else { (height, width) };
        Grid::from_fn(n_rows, n_cols, |row, col| {
            let (row, col) = self.source(height, width, row, col);
            colour(grid.at(row, col))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::grid::tests::{any_grid, grid};
    use proptest::prelude::*;

    #[test]
    fn transforms_are_numbered_as_in_the_published_data() {
        let want = [
            "012 345", "25 14 03", "543 210", "30 41 52", "210 543", "345 012", "03 14 25",
            "52 41 30",
        ];
        for (number, (transform, want)) in Dihedral::ALL.into_iter().zip(want).enumerate() {
            assert_eq!(transform.number(), number);
            assert_eq!(transform.apply(&grid("012 345")), grid(want), "{transform:?}");
        }
        assert_eq!(
            Dihedral::ALL.map(|transform| transform.inverse().number()),
            [0, 3, 2, 1, 4, 5, 6, 7]
        );
    }

    proptest! {
        #[test]
        fn undoing_a_transform_restores_the_grid(grid in any_grid(8), number in 0usize..8) {
            let transform = Dihedral::ALL[number];
            prop_assert_eq!(transform.inverse().apply(&transform.apply(&grid)), grid);
        }

        #[test]
        fn two_quarter_turns_are_a_half_turn(grid in any_grid(8)) {
            let turn = Dihedral::QuarterTurn;
            let half = turn.apply(&turn.apply(&grid));
            prop_assert_eq!(&half, &Dihedral::HalfTurn.apply(&grid));
            prop_assert_eq!(turn.apply(&half), Dihedral::ThreeQuarterTurn.apply(&grid));
            let flipped = Dihedral::FlipLeftRight.apply(&turn.apply(&grid));
            prop_assert_eq!(flipped, Dihedral::AntiTranspose.apply(&grid));
        }
    }
}
