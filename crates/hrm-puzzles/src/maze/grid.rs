//! A maze and its text form.

use std::fmt;

use crate::PuzzleError;
use crate::text::shown;

/// Smallest number of cells per side: a start and a goal must fit.
pub const SIDE_MIN: usize = 2;

/// Largest number of cells per side.
pub const SIDE_MAX: usize = 100;

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

/// A square of cells with one start and one goal. The goal may be unreachable.
///
/// Cells are identified by their index, row by row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Maze {
    side: usize,
    cells: Box<[Cell]>,
    start: usize,
    goal: usize,
}

impl Maze {
    /// Parses `side * side` characters, row by row, without separators.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] if `side` is not in [`SIDE_MIN`]`..=`[`SIDE_MAX`].
    /// [`PuzzleError::Malformed`] at `place` for a wrong number of characters, a
    /// character not in `# SG`, or unless there is exactly one `S` and one `G`.
    pub fn parse(text: &str, side: usize, place: &str) -> Result<Self, PuzzleError> {
        check_side(side)?;
        let n_chars = text.chars().count();
        if n_chars != side * side {
            let expected = format!("{} characters for side {side}", side * side);
            return Err(PuzzleError::malformed(place, expected, size_in_words(n_chars)));
        }
        let cell = |(idx, symbol)| {
            Cell::from_symbol(symbol).ok_or_else(|| {
                let found = format!("{} at {}", shown(symbol), Spot::new(side, idx));
                PuzzleError::malformed(place, "'#', ' ', 'S' or 'G'", found)
            })
        };
        let cells: Box<[Cell]> = text.chars().enumerate().map(cell).collect::<Result<_, _>>()?;
        let only = |wanted: Cell, symbol: char| {
            let mut places = (0..cells.len()).filter(|idx| cells[*idx] == wanted);
            let found = match (places.next(), places.next()) {
                (Some(idx), None) => return Ok(idx),
                (None, _) => "none".to_owned(),
                (Some(_), Some(second)) => format!("a second at {}", Spot::new(side, second)),
            };
            Err(PuzzleError::malformed(place, format!("one {symbol:?}"), found))
        };
        let (start, goal) = (only(Cell::Start, 'S')?, only(Cell::Goal, 'G')?);
        Ok(Self { side, cells, start, goal })
    }

    /// Creates a maze with the given walls, `[side * side]`.
    ///
    /// # Panics
    ///
    /// If `walls` has a different length, or if start and goal are not two distinct
    /// free cells.
    pub(super) fn from_walls(side: usize, walls: &[bool], start: usize, goal: usize) -> Self {
        assert_eq!(walls.len(), side * side, "one wall or none per cell");
        assert!(
            start != goal && !walls[start] && !walls[goal],
            "start and goal are two free cells"
        );
        let wall = |is_wall: &bool| if *is_wall { Cell::Wall } else { Cell::Free };
        let mut cells: Box<[Cell]> = walls.iter().map(wall).collect();
        cells[start] = Cell::Start;
        cells[goal] = Cell::Goal;
        Self { side, cells, start, goal }
    }

    /// The maze whose cell `to` is this maze's cell `source(to)`.
    pub(super) fn rearranged(&self, source: impl Fn(usize) -> usize) -> Self {
        let cells: Box<[Cell]> = (0..self.cells.len()).map(|to| self.cells[source(to)]).collect();
        let place =
            |wanted| cells.iter().position(|cell| *cell == wanted).expect("cells only moved");
        let (start, goal) = (place(Cell::Start), place(Cell::Goal));
        Self { side: self.side, cells, start, goal }
    }

    /// Number of cells per side.
    pub fn side(&self) -> usize {
        self.side
    }

    /// All cells, row by row.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cell where the path begins.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The cell where the path ends.
    pub fn goal(&self) -> usize {
        self.goal
    }

    /// Number of wall cells.
    pub fn n_walls(&self) -> usize {
        self.cells.iter().filter(|cell| **cell == Cell::Wall).count()
    }

    /// Row and column of a cell.
    pub fn spot(&self, cell: usize) -> Spot {
        Spot::new(self.side, cell)
    }

    /// Characters row by row, without separators, with the free cells of `path` marked.
    pub fn symbols(&self, path: &[usize]) -> Vec<char> {
        let mut symbols: Vec<char> = self.cells.iter().map(|cell| cell.symbol()).collect();
        for cell in path {
            if self.cells[*cell] == Cell::Free {
                symbols[*cell] = PATH;
            }
        }
        symbols
    }

    /// [`symbols`](Self::symbols) as text.
    pub fn to_text(&self, path: &[usize]) -> String {
        self.symbols(path).into_iter().collect()
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
    fn new(side: usize, cell: usize) -> Self {
        Self { row: cell / side, col: cell % side }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}, column {}", self.row + 1, self.col + 1)
    }
}

/// The neighbours of `cell` in a square of `side`: down, left, right, up.
pub(super) fn neighbours(side: usize, cell: usize) -> impl Iterator<Item = usize> {
    let (row, col) = (cell / side, cell % side);
    let down = (row + 1 < side).then(|| cell + side);
    let left = (col > 0).then(|| cell - 1);
    let right = (col + 1 < side).then(|| cell + 1);
    let up = (row > 0).then(|| cell - side);
    [down, left, right, up].into_iter().flatten()
}

/// Checks that `side` is in [`SIDE_MIN`]`..=`[`SIDE_MAX`].
///
/// # Errors
///
/// [`PuzzleError::Setting`] otherwise.
pub fn check_side(side: usize) -> Result<(), PuzzleError> {
    if (SIDE_MIN..=SIDE_MAX).contains(&side) {
        return Ok(());
    }
    Err(PuzzleError::setting("side", format!("{SIDE_MIN} to {SIDE_MAX}"), side))
}

/// A number of characters, and the side if it is a square number.
fn size_in_words(n_chars: usize) -> String {
    let side = n_chars.isqrt();
    match side * side == n_chars && side >= SIDE_MIN {
        true => format!("{n_chars}, as for side {side}"),
        false => n_chars.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A maze from its rows.
    pub(crate) fn maze(rows: &[&str]) -> Maze {
        Maze::parse(&rows.concat(), rows.len(), "test").unwrap()
    }

    prop_compose! {
        /// Mazes with any share of walls; the goal is often unreachable.
        pub(crate) fn any_maze(side_max: usize)(side in SIDE_MIN..=side_max, n_in_8 in 0u32..8)(
            side in Just(side),
            mut walls in proptest::collection::vec((0u32..8).prop_map(move |n| n < n_in_8), side * side),
            start in 0..side * side,
            offset in 1..side * side,
        ) -> Maze {
            let goal = (start + offset) % (side * side);
            (walls[start], walls[goal]) = (false, false);
            Maze::from_walls(side, &walls, start, goal)
        }
    }

    proptest! {
        #[test]
        fn a_maze_survives_a_round_trip(maze in any_maze(8)) {
            let text = maze.to_text(&[]);
            prop_assert_eq!(&Maze::parse(&text, maze.side(), "test").unwrap(), &maze);
        }

        #[test]
        fn text_that_parses_is_written_back_unchanged(
            text in "[# SGox\n]{0,20}",
            side in 0usize..5,
        ) {
            if let Ok(maze) = Maze::parse(&text, side, "test") {
                prop_assert_eq!(maze.to_text(&[]), text);
            }
        }
    }

    #[test]
    fn neighbours_are_in_the_order_down_left_right_up() {
        let of = |cell| neighbours(3, cell).collect::<Vec<_>>();
        assert_eq!(of(4), [7, 3, 5, 1]);
        assert_eq!(of(0), [3, 1]);
        assert_eq!(of(2), [5, 1]);
        assert_eq!(of(6), [7, 3]);
        assert_eq!(of(8), [7, 5]);
    }

    #[test]
    fn a_path_is_marked_on_free_cells_only() {
        let maze = maze(&["S#", " G"]);
        assert_eq!(maze.to_text(&[0, 2, 3]), "S#oG");
        assert_eq!(maze.symbols(&[0, 2, 3]), ['S', '#', 'o', 'G']);
        assert_eq!((maze.start(), maze.goal(), maze.n_walls()), (0, 3, 1));
    }

    #[test]
    fn text_that_is_not_a_maze_is_rejected() {
        let message = |text: &str, side| Maze::parse(text, side, "f:2").unwrap_err().to_string();
        assert_eq!(message("SG", 1), "side must be 2 to 100, found 1");
        assert_eq!(
            message("SG", usize::MAX),
            format!("side must be 2 to 100, found {}", usize::MAX)
        );
        assert_eq!(message("SG ", 2), "f:2: expected 4 characters for side 2, found 3");
        assert_eq!(
            message("S G      ", 2),
            "f:2: expected 4 characters for side 2, found 9, as for side 3"
        );
        assert_eq!(
            message("SGo ", 2),
            "f:2: expected '#', ' ', 'S' or 'G', found 'o' at row 2, column 1"
        );
        assert_eq!(message(" G  ", 2), "f:2: expected one 'S', found none");
        assert_eq!(message("SGSG", 2), "f:2: expected one 'S', found a second at row 2, column 1");
        assert_eq!(message("S###", 2), "f:2: expected one 'G', found none");
    }
}
