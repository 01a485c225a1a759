//! A maze with its answer, as stored in files.

use super::{Maze, shortest_path, walk};
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
    pub fn from_record(located: &Located, side: usize) -> Result<Self, PuzzleError> {
        let Located { record, .. } = located;
        let maze = Maze::parse(&record.question, side, &located.field("question"))?;
        let rejected = |expected: &str, found: String| {
            Err(PuzzleError::malformed(located.field("answer"), expected, found))
        };
        let answer: Vec<char> = record.answer.chars().collect();
        if answer.len() != side * side {
            return rejected(&format!("{} characters", side * side), answer.len().to_string());
        }
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

    /// Converts the maze to a record; its rating is the number of moves, as in the
    /// published files.
    pub fn to_record(&self) -> Record {
        Record {
            source: String::new(),
            question: self.maze.to_text(&[]),
            answer: self.maze.to_text(&self.path),
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
