//! The cells of mazes, and their characters in this program.

/// All characters of mazes and answers.
pub const SYMBOLS: &str = "# SGo";

/// The character of a path cell. Occurs only in answers.
pub const PATH: char = 'o';

/// A cell of a maze.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cell {
    /// `#`: blocks the path.
    Wall,
    /// A space.
    Free,
    /// `S`: start of the path.
    Start,
    /// `G`: end of the path.
    Goal,
}

impl Cell {
    /// The character of this cell.
    pub fn symbol(self) -> char {
        match self {
            Self::Wall => '#',
            Self::Free => ' ',
            Self::Start => 'S',
            Self::Goal => 'G',
        }
    }

    /// The cell for a character; `None` if it cannot occur in a maze without an answer.
    pub fn from_symbol(symbol: char) -> Option<Self> {
        match symbol {
            '#' => Some(Self::Wall),
            ' ' => Some(Self::Free),
            'S' => Some(Self::Start),
            'G' => Some(Self::Goal),
            _ => None,
        }
    }
}
