//! Height and width of a maze, and places in it.

use std::fmt;

use crate::{Dihedral, PuzzleError};

/// Smallest number of rows, and of cells per row: a start and a goal must fit.
pub const SIDE_MIN: usize = 2;

/// Largest number of rows, and of cells per row.
pub const SIDE_MAX: usize = 100;

/// Height and width of a maze. Displayed as `side 6` or `4 by 9 cells`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    /// Number of rows.
    pub(super) height: usize,
    /// Number of cells per row.
    pub(super) width: usize,
}

impl Size {
    /// A size in range.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] unless both numbers are in [`SIDE_MIN`]`..=`[`SIDE_MAX`].
    pub fn new(height: usize, width: usize) -> Result<Self, PuzzleError> {
        for (field, n) in [("side", height), ("width", width)] {
            if !(SIDE_MIN..=SIDE_MAX).contains(&n) {
                return Err(PuzzleError::setting(field, format!("{SIDE_MIN} to {SIDE_MAX}"), n));
            }
        }
        Ok(Self { height, width })
    }

    /// The square with this number of cells, if there is one in range.
    pub fn of_square(n_cells: usize) -> Option<Self> {
        let side = n_cells.isqrt();
        Self::new(side, side).ok().filter(|size| size.n_cells() == n_cells)
    }

    #[cfg(test)]
    pub(super) fn square(side: usize) -> Self {
        Self { height: side, width: side }
    }

    /// Number of rows.
    pub fn height(self) -> usize {
        self.height
    }

    /// Number of cells per row.
    pub fn width(self) -> usize {
        self.width
    }

    /// Number of cells.
    pub fn n_cells(self) -> usize {
        self.height * self.width
    }

    /// Whether there are as many rows as cells per row.
    pub fn is_square(self) -> bool {
        self.height == self.width
    }

    /// The size after a rotation or reflection.
    pub fn turned(self, transform: Dihedral) -> Self {
        match transform.swaps_sides() {
            true => Self { height: self.width, width: self.height },
            false => self,
        }
    }

    /// The rotations and reflections that keep this size, in the order of their numbers: all
    /// eight for a square, otherwise four.
    pub fn symmetries(self) -> impl Iterator<Item = Dihedral> {
        Dihedral::ALL.into_iter().filter(move |transform| self.turned(*transform) == self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_square() {
            true => write!(f, "side {}", self.height),
            false => write!(f, "{} by {} cells", self.height, self.width),
        }
    }
}

/// Row and column of a cell, displayed counting from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Counted from 0 at the top.
    pub row: usize,
    /// Counted from 0 at the left.
    pub col: usize,
}

impl Spot {
    pub(super) fn new(size: Size, cell: usize) -> Self {
        Self { row: cell / size.width, col: cell % size.width }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}, column {}", self.row + 1, self.col + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_out_of_range_are_rejected() {
        let message = |height, width| Size::new(height, width).unwrap_err().to_string();
        assert_eq!(message(1, 5), "side must be 2 to 100, found 1");
        assert_eq!(message(5, 101), "width must be 2 to 100, found 101");
        let huge = usize::MAX;
        assert_eq!(message(huge, huge), format!("side must be 2 to 100, found {huge}"));
        assert_eq!(Size::of_square(36), Some(Size::square(6)));
        for n_cells in [0, 1, 35, 101 * 101, huge] {
            assert_eq!(Size::of_square(n_cells), None);
        }
    }

    #[test]
    fn a_rectangle_has_the_four_symmetries_that_keep_its_size() {
        let all: Vec<Dihedral> = Size::square(3).symmetries().collect();
        assert_eq!(all, Dihedral::ALL);
        let four: Vec<usize> =
            Size { height: 2, width: 5 }.symmetries().map(|transform| transform.number()).collect();
        assert_eq!(four, [0, 2, 4, 5]);
    }
}
