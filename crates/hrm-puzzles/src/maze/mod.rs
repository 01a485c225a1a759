//! Mazes: a rectangle of cells with walls, a start, a goal and a shortest path between
//! them.
//!
//! Cells are written row by row as `#` (wall), space (free), `S` (start), `G` (goal)
//! and, in answers only, `o` (path). An answer is the whole maze with the path marked.
//!
//! Files may use other characters, see [`Symbols`].
//!
//! Most mazes have many shortest paths. Answers of generated mazes use a fixed
//! tie-break, see [`shortest_path`]; [`walk`] accepts any path.
//!
//! # Where to start
//!
//! [`Generator`] samples mazes; [`SolvedMaze`] is a maze with its answer.

mod cell;
mod draw;
mod generate;
mod grid;
mod path;
mod picture;
mod size;
mod solved;
mod symbols;
mod text;
mod turn;

pub use cell::{Cell, PATH, SYMBOLS};
pub use draw::pair as draw;
pub use generate::{Generator, attainable_path};
pub use grid::Maze;
pub use path::{Fault, check_answer, shortest_path, walk};
pub use picture::panels;
pub use size::{SIDE_MAX, SIDE_MIN, Size, Spot};
pub use solved::SolvedMaze;
pub use symbols::Symbols;
pub use text::{Form, Given, Mazes, in_lines, mazes, parse_mazes, size_of_rows};
