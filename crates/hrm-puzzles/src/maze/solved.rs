//! A maze with its answer, as stored in files.

use super::text::{Given, laid_out};
use super::{Maze, Size, Symbols, shortest_path, walk};
use crate::PuzzleError;
use crate::records::{Located, Record};

/// A maze and its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolvedMaze {
    maze: Maze,
    /// Cells of the path from start to goal, both included; the order in between is
    /// unspecified.
    path: Vec<usize>,
}

impl SolvedMaze {
    /// Solves a maze with [`shortest_path`].
    ///
    /// # Panics
    ///
    /// If the goal is unreachable.
    pub fn new(maze: Maze) -> Self {
        let path = shortest_path(&maze).expect("the goal can be reached");
        Self { maze, path }
    }

    /// Reads a record whose answer is a shortest path of its question.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] naming the field and the problem.
    pub fn from_record(
        located: &Located,
        size: Size,
        symbols: &Symbols,
    ) -> Result<Self, PuzzleError> {
        let Located { record, .. } = located;
        let maze = Given::parse(&record.question, size, symbols, &located.field("question"))?.maze;
        let place = located.field("answer");
        let rejected =
            |expected: &str, found: String| Err(PuzzleError::malformed(&place, expected, found));
        let (_, written) = laid_out(&record.answer, size, symbols, &place)?;
        let n_chars = written.chars().count();
        if n_chars != size.n_cells() {
            return rejected(&format!("{} characters", size.n_cells()), n_chars.to_string());
        }
        let read = |(cell, symbol)| symbols.cell_of_answer(symbol, maze.spot(cell), &place);
        let answer: Vec<char> = written.chars().enumerate().map(read).collect::<Result<_, _>>()?;
        let Some(shortest) = shortest_path(&maze) else {
            return rejected("a path", "a goal that cannot be reached".to_owned());
        };
        let n_moves_min = shortest.len() - 1;
        match walk(&maze, &answer) {
            Err(fault) => rejected("the maze with a path", fault.to_string()),
            Ok(n_moves) if n_moves > n_moves_min => {
                let expected = format!("a path with the fewest moves ({n_moves_min})");
                rejected(&expected, format!("{n_moves} moves"))
            }
            Ok(_) => {
                let is_on_path = |cell: &usize| answer[*cell] != maze.cells()[*cell].symbol();
                let inner = (0..answer.len()).filter(is_on_path);
                let path = [maze.start()].into_iter().chain(inner).chain([maze.goal()]).collect();
                Ok(Self { maze, path })
            }
        }
    }

    /// Converts the maze to a record, as `symbols` writes it; its rating is the number of
    /// moves, as in the published files.
    pub fn to_record(&self, symbols: &Symbols) -> Record {
        let written = |own: Vec<char>| own.into_iter().map(|own| symbols.written(own)).collect();
        Record {
            source: String::new(),
            question: written(self.maze.symbols(&[])),
            answer: written(self.maze.symbols(&self.path)),
            rating: self.n_moves().to_string(),
        }
    }

    /// The maze.
    pub fn maze(&self) -> &Maze {
        &self.maze
    }

    /// The cells of the path, start and goal included.
    pub fn path(&self) -> &[usize] {
        &self.path
    }

    /// Number of moves of the path.
    pub fn n_moves(&self) -> usize {
        self.path.len() - 1
    }
}
