//! The eight symmetries of the square (rotations and reflections), numbered as in the
//! published data sets.

/// A symmetry of the square. Variants are in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Dihedral {
    /// 0: unchanged.
    Identity,
    /// 1: a quarter turn counter-clockwise.
    QuarterTurn,
    /// 2: a half turn.
    HalfTurn,
    /// 3: three quarter turns counter-clockwise.
    ThreeQuarterTurn,
    /// 4: left and right swapped.
    FlipLeftRight,
    /// 5: top and bottom swapped.
    FlipUpDown,
    /// 6: transposition: rows become columns.
    Transpose,
    /// 7: transposition along the other diagonal: a quarter turn, then left and right
    /// swapped.
    AntiTranspose,
}

impl Dihedral {
    /// All eight, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::QuarterTurn,
        Self::HalfTurn,
        Self::ThreeQuarterTurn,
        Self::FlipLeftRight,
        Self::FlipUpDown,
        Self::Transpose,
        Self::AntiTranspose,
    ];

    /// The number of this transform, `0..8`.
    pub fn number(self) -> usize {
        self as usize
    }

    /// The transform that reverses this one.
    pub fn inverse(self) -> Self {
        match self {
            Self::QuarterTurn => Self::ThreeQuarterTurn,
            Self::ThreeQuarterTurn => Self::QuarterTurn,
            own_inverse => own_inverse,
        }
    }

    /// Whether rows become columns.
    pub(crate) fn swaps_sides(self) -> bool {
        matches!(
            self,
            Self::QuarterTurn | Self::ThreeQuarterTurn | Self::Transpose | Self::AntiTranspose
        )
    }

    /// The source, in a grid of `height` by `width`, of the result's cell at `(row,
    /// col)`.
    pub(crate) fn source(
        self,
        height: usize,
        width: usize,
        row: usize,
        col: usize,
    ) -> (usize, usize) {
        match self {
            Self::Identity => (row, col),
            Self::QuarterTurn => (col, width - 1 - row),
            Self::HalfTurn => (height - 1 - row, width - 1 - col),
            Self::ThreeQuarterTurn => (height - 1 - col, row),
            Self::FlipLeftRight => (row, width - 1 - col),
            Self::FlipUpDown => (height - 1 - row, col),
            Self::Transpose => (col, row),
            Self::AntiTranspose => (height - 1 - col, width - 1 - row),
        }
    }
}
