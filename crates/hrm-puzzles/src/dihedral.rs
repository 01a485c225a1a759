//! The eight ways to turn and flip a grid, numbered as in the published data.

/// A symmetry of the square. The order of the variants is their number.
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
    /// 4: left and right exchanged.
    FlipLeftRight,
    /// 5: top and bottom exchanged.
    FlipUpDown,
    /// 6: rows become columns.
    Transpose,
    /// 7: a quarter turn, then left and right exchanged; the other diagonal's
    /// transposition.
    AntiTranspose,
}

impl Dihedral {
    /// All eight, in order of their number.
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

    /// Its number, `0..8`.
    pub fn number(self) -> usize {
        self as usize
    }

    /// The transform that undoes this one.
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

    /// Where the cell at `(row, col)` of the result comes from, in a grid of
    /// `height` by `width`.
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
