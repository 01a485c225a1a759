//! Mazes: a square of walls, a start, a goal, and a shortest way between them.
//!
//! Cells are id 0 padding, 1 `#` wall, 2 space, 3 `S` start, 4 `G` goal, 5 `o`
//! path, row by row. Only answers hold `o`; the label is the whole grid.
//!
//! Most mazes have many shortest paths. Labels of generated mazes follow one
//! rule, [`shortest_path`]; the rules of the puzzle accept any of them.
//!
//! # Where to start
//!
//! [`MazeConfig`] opens data: the user's, or mazes of the [`Generator`].
//! [`walk`] says what counts as a path.

mod draw;
mod generate;
mod grid;
mod path;
mod picture;
mod pose;
mod presets;
mod task;
mod turn;

pub use generate::Generator;
pub use grid::{Cell, Maze, PATH_ID, SIDE_MAX, SIDE_MIN, SYMBOLS, Spot};
pub use path::{Fault, shortest_path, walk};
pub use task::{MazeAugment, MazeConfig};
