//! A maze and its text form.

use super::cell::{Cell, PATH};
use super::size::{SIDE_MIN, Size, Spot};
use super::symbols::Symbols;
use crate::PuzzleError;

/// A rectangle of cells with one start and one goal. The goal may be unreachable.
///
/// Cells are identified by their index, row by row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Maze {
    size: Size,
    cells: Box<[Cell]>,
    start: usize,
    goal: usize,
}

impl Maze {
    /// Parses the characters of a maze of this size, row by row, without separators, as
    /// `symbols` writes them.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] at `place` for a wrong number of characters, a character
    /// that is no cell, or unless there is exactly one start and one goal.
    pub fn parse(
        text: &str,
        size: Size,
        symbols: &Symbols,
        place: &str,
    ) -> Result<Self, PuzzleError> {
        let n_chars = text.chars().count();
        if n_chars != size.n_cells() {
            let expected = format!("{} characters for {size}", size.n_cells());
            return Err(PuzzleError::malformed(place, expected, size_in_words(n_chars)));
        }
        let cell = |(idx, symbol)| symbols.cell(symbol, Spot::new(size, idx), place);
        let cells: Box<[Cell]> = text.chars().enumerate().map(cell).collect::<Result<_, _>>()?;
        let only = |wanted: Cell| {
            let mut places = (0..cells.len()).filter(|idx| cells[*idx] == wanted);
            let found = match (places.next(), places.next()) {
                (Some(idx), None) => return Ok(idx),
                (None, _) => "none".to_owned(),
                (Some(_), Some(second)) => format!("a second at {}", Spot::new(size, second)),
            };
            let symbol = symbols.written(wanted.symbol());
            Err(PuzzleError::malformed(place, format!("one {symbol:?}"), found))
        };
        let (start, goal) = (only(Cell::Start)?, only(Cell::Goal)?);
        Ok(Self { size, cells, start, goal })
    }

    /// Creates a maze with the given walls, one or none per cell.
    ///
    /// # Panics
    ///
    /// If `walls` has a different length, or if start and goal are not two distinct
    /// free cells.
    pub(super) fn from_walls(size: Size, walls: &[bool], start: usize, goal: usize) -> Self {
        assert_eq!(walls.len(), size.n_cells(), "one wall or none per cell");
        assert!(
            start != goal && !walls[start] && !walls[goal],
            "start and goal are two free cells"
        );
        let wall = |is_wall: &bool| if *is_wall { Cell::Wall } else { Cell::Free };
        let mut cells: Box<[Cell]> = walls.iter().map(wall).collect();
        cells[start] = Cell::Start;
        cells[goal] = Cell::Goal;
        Self { size, cells, start, goal }
    }

    /// The maze of `size`, with as many cells, whose cell `to` is this maze's cell `source(to)`.
    pub(super) fn rearranged(&self, size: Size, source: impl Fn(usize) -> usize) -> Self {
        let cells: Box<[Cell]> = (0..self.cells.len()).map(|to| self.cells[source(to)]).collect();
        let place =
            |wanted| cells.iter().position(|cell| *cell == wanted).expect("cells only moved");
        let (start, goal) = (place(Cell::Start), place(Cell::Goal));
        Self { size, cells, start, goal }
    }

    /// Height and width.
    pub fn size(&self) -> Size {
        self.size
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
        Spot::new(self.size, cell)
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

/// The neighbours of `cell` in a maze of `size`: down, left, right, up.
pub(super) fn neighbours(size: Size, cell: usize) -> impl Iterator<Item = usize> {
    let Size { height, width } = size;
    let (row, col) = (cell / width, cell % width);
    let down = (row + 1 < height).then(|| cell + width);
    let left = (col > 0).then(|| cell - 1);
    let right = (col + 1 < width).then(|| cell + 1);
    let up = (row > 0).then(|| cell - width);
    [down, left, right, up].into_iter().flatten()
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
        let size = Size::new(rows.len(), rows[0].chars().count()).unwrap();
        parse(&rows.concat(), size, "test").unwrap()
    }

    /// [`Maze::parse`] with the characters of this program.
    pub(crate) fn parse(text: &str, size: Size, place: &str) -> Result<Maze, PuzzleError> {
        Maze::parse(text, size, &Symbols::default(), place)
    }

    prop_compose! {
        /// Mazes with any share of walls; the goal is often unreachable.
        pub(crate) fn any_maze(side_max: usize)(
            height in SIDE_MIN..=side_max,
            width in SIDE_MIN..=side_max,
            n_in_8 in 0u32..8,
        )(
            size in Just(Size { height, width }),
            mut walls in proptest::collection::vec(
                (0u32..8).prop_map(move |n| n < n_in_8), height * width,
            ),
            start in 0..height * width,
            offset in 1..height * width,
        ) -> Maze {
            let goal = (start + offset) % size.n_cells();
            (walls[start], walls[goal]) = (false, false);
            Maze::from_walls(size, &walls, start, goal)
        }
    }

    proptest! {
        #[test]
        fn a_maze_survives_a_round_trip(maze in any_maze(8)) {
            let text = maze.to_text(&[]);
            prop_assert_eq!(&parse(&text, maze.size(), "test").unwrap(), &maze);
        }

        #[test]
        fn text_that_parses_is_written_back_unchanged(
            text in "[# SGox\n]{0,20}",
            height in 2usize..5,
            width in 2usize..5,
        ) {
            if let Ok(maze) = parse(&text, Size { height, width }, "test") {
                prop_assert_eq!(maze.to_text(&[]), text);
            }
        }
    }

    #[test]
    fn neighbours_are_in_the_order_down_left_right_up() {
        let of = |cell| neighbours(Size::square(3), cell).collect::<Vec<_>>();
        assert_eq!(of(4), [7, 3, 5, 1]);
        assert_eq!(of(0), [3, 1]);
        assert_eq!(of(2), [5, 1]);
        assert_eq!(of(6), [7, 3]);
        assert_eq!(of(8), [7, 5]);
        let of = |cell| neighbours(Size { height: 2, width: 4 }, cell).collect::<Vec<_>>();
        assert_eq!(of(3), [7, 2]);
        assert_eq!(of(5), [4, 6, 1]);
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
        let message =
            |text: &str, side| parse(text, Size::square(side), "f:2").unwrap_err().to_string();
        assert_eq!(message("SG ", 2), "f:2: expected 4 characters for side 2, found 3");
        assert_eq!(
            message("S G      ", 2),
            "f:2: expected 4 characters for side 2, found 9, as for side 3"
        );
        let wide = parse("SG ", Size { height: 2, width: 3 }, "f:2").unwrap_err().to_string();
        assert_eq!(wide, "f:2: expected 6 characters for 2 by 3 cells, found 3");
        assert_eq!(
            message("SGo ", 2),
            "f:2: expected '#', ' ', 'S' or 'G', found 'o' at row 2, column 1, which marks a path; \
             leave the answer out of the question"
        );
        assert_eq!(
            message("SGx ", 2),
            "f:2: expected '#', ' ', 'S' or 'G', found 'x' at row 2, column 1; say what it stands \
             for, e.g. --symbols free=x"
        );
        assert_eq!(message(" G  ", 2), "f:2: expected one 'S', found none");
        assert_eq!(message("SGSG", 2), "f:2: expected one 'S', found a second at row 2, column 1");
        assert_eq!(message("S###", 2), "f:2: expected one 'G', found none");
    }
}
