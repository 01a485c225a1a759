//! Mazes for the trainer: settings, encoding, turned and flipped versions, scores.
//!
//! Token ids: 0 padding, 1 `#` wall, 2 space, 3 `S` start, 4 `G` goal, 5 `o` path, row by
//! row. Only answers contain `o`; the label is the whole maze.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::path::PathBuf;

use hrm_base::progress::Stage;
use hrm_base::rng::ChaCha8Rng;
use hrm_puzzles::maze::{
    self, Cell, Form, Generator, Maze, SIDE_MAX, SIDE_MIN, SYMBOLS, SolvedMaze,
};
use hrm_puzzles::picture::{Panel, PuzzleView, characters};
use hrm_puzzles::records::{self, Located, Record};
use hrm_puzzles::text::{Text, quoted};
use hrm_puzzles::{Dihedral, Leak, Style, Verdict};
use serde::{Deserialize, Serialize};

use crate::cells::{
    Bins, CellEncoding, CellFigures, CellFiles, CellGenerator, CellKind, CellQueries, CellVersions,
    DataSettings, Figure, Questions, Sides, name_of,
};
use crate::{Encoding, FitToData, TaskError, Vocabulary};

/// Settings of mazes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MazeConfig {
    /// Cells per side, `2..=100`: 30 as published.
    pub side: usize,
    /// Smallest number of cells on the shortest path of built-in mazes, start and goal
    /// included: 110 as published, which is 109 moves. Mazes in data files may have any
    /// length.
    pub min_path: usize,
    /// Versions of each training maze.
    pub augment: MazeAugment,
    /// Seed of built-in mazes and the held-out split.
    pub seed: u64,
    /// Number of built-in training mazes, at most 1,000,000.
    pub n_train: usize,
    /// Number of built-in evaluation mazes, at most 1,000,000. None is a training maze, or
    /// one turned or flipped.
    pub n_eval: usize,
    /// Share of data files without a test set that is held out for evaluation,
    /// `0 <= held_out < 1`; at least one maze if it is positive.
    pub held_out: f64,
    /// Which columns of data files hold what, e.g. `question=quizzes,answer=solutions`; empty for
    /// columns with known names.
    #[serde(default)]
    pub table_columns: String,
}

/// How training mazes are augmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MazeAugment {
    /// Not at all, as published.
    None,
    /// Turned and flipped: eight versions.
    Dihedral,
}

/// The token id of a cell of the path.
const PATH_ID: u32 = 5;

/// The token id of a cell of the maze.
fn id(cell: Cell) -> u32 {
    match cell {
        Cell::Wall => 1,
        Cell::Free => 2,
        Cell::Start => 3,
        Cell::Goal => 4,
    }
}

/// Writes the token ids of a maze, with the free cells of `path` marked.
fn encode(maze: &Maze, path: &[usize], tokens: &mut [u32]) {
    for (token, cell) in tokens.iter_mut().zip(maze.cells()) {
        *token = id(*cell);
    }
    for cell in path {
        if maze.cells()[*cell] == Cell::Free {
            tokens[*cell] = PATH_ID;
        }
    }
}

/// Padding, then the characters of mazes.
fn vocabulary() -> Vocabulary {
    Vocabulary::new(SYMBOLS.chars())
}

/// The characters of an answer. An id without a character becomes one that no maze has.
fn characters_of(tokens: &[u32]) -> Vec<char> {
    vocabulary().decode(tokens).chars().collect()
}

impl Encoding for MazeConfig {
    fn vocabulary(&self) -> Vocabulary {
        vocabulary()
    }

    fn n_cells(&self) -> usize {
        self.side.saturating_mul(self.side)
    }

    fn draw_panels(&self, view: &PuzzleView<'_>) -> Vec<Panel> {
        match maze::check_side(self.side) {
            Ok(()) => maze::panels(self.side, view),
            Err(_) => characters(view),
        }
    }
}

impl FitToData for MazeConfig {
    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        let side = n_cells.isqrt();
        if side * side != n_cells || !(SIDE_MIN..=SIDE_MAX).contains(&side) {
            let expected = format!("{SIDE_MIN} to {SIDE_MAX}");
            return Err(TaskError::setting("side", expected, format!("{n_cells} cells")));
        }
        // A path length that was set explicitly for this side is kept, even if it is long.
        let min_path = match side == self.side {
            true => self.min_path,
            false => maze::attainable_path(side, self.min_path),
        };
        Ok(Self { side, min_path, ..self })
    }

    fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError> {
        let Some(located) = records::first(data, &self.checked_columns()?)? else {
            return Ok(self);
        };
        let n_cells = located.record.question.chars().count();
        self.with_cells(n_cells).map_err(|_| {
            let expected = format!(
                "a square maze, row by row without separators, of {SIDE_MIN} to {SIDE_MAX} cells \
                 per side"
            );
            let found = format!("{n_cells} cells: {}", quoted(&located.record.question));
            TaskError::malformed(located.field("question"), expected, found)
        })
    }
}

impl CellKind for MazeConfig {
    type Puzzle = SolvedMaze;
    type Question = (Maze, Form);

    fn name(&self) -> &'static str {
        "maze"
    }

    fn table_columns(&self) -> &str {
        &self.table_columns
    }

    fn data(&self) -> DataSettings {
        let &Self { seed, n_train, n_eval, held_out, .. } = self;
        DataSettings { seed, n_train, n_eval, held_out }
    }

    fn check(&self) -> Result<(), TaskError> {
        Ok(maze::check_side(self.side)?)
    }
}

impl CellEncoding for MazeConfig {
    fn encode(&self, solved: &SolvedMaze, inputs: &mut [u32], labels: &mut [u32]) {
        encode(solved.maze(), &[], inputs);
        encode(solved.maze(), solved.path(), labels);
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        let vocabulary = vocabulary();
        let [question, answer] = [inputs, labels].map(|ids| vocabulary.symbols_of(ids));
        maze::draw(self.side, &question, &answer, style)
    }
}

impl CellFiles for MazeConfig {
    const HAS_PREPARED_SETS: bool = true;

    fn read(&self, located: &Located) -> Result<SolvedMaze, TaskError> {
        Ok(SolvedMaze::from_record(located, self.side)?)
    }

    fn to_record(&self, solved: &SolvedMaze) -> Record {
        solved.to_record()
    }
}

impl CellGenerator for MazeConfig {
    type Sampler<'a> = Generator;

    fn sampler(&self) -> Result<Generator, TaskError> {
        Ok(Generator::new(self.side, self.min_path)?)
    }

    fn sample(&self, generator: &Generator, rng: &mut ChaCha8Rng) -> Result<SolvedMaze, TaskError> {
        Ok(SolvedMaze::new(generator.maze(rng)?))
    }

    fn identity(&self, solved: &SolvedMaze) -> impl Hash + use<> {
        solved.maze().canonical()
    }

    fn question_text(&self, solved: &SolvedMaze) -> String {
        maze::in_lines(&solved.maze().to_text(&[]), self.side) + "\n"
    }
}

impl CellVersions for MazeConfig {
    fn n_versions(&self) -> usize {
        match self.augment {
            MazeAugment::None => 1,
            MazeAugment::Dihedral => Dihedral::ALL.len(),
        }
    }

    /// The maze turned and flipped, with the label of the turned maze.
    fn version<'a>(
        &self,
        solved: &'a SolvedMaze,
        _group: usize,
        version: usize,
    ) -> Cow<'a, SolvedMaze> {
        match Dihedral::ALL[version] {
            Dihedral::Identity => Cow::Borrowed(solved),
            // Among shortest paths, the label is chosen by an order of directions. Turning the
            // label along with the maze would change that order, and one model cannot learn
            // both. So the label is computed again for the turned maze.
            transform => Cow::Owned(SolvedMaze::new(solved.maze().turned(transform))),
        }
    }
}

impl CellQueries for MazeConfig {
    fn parse(&self, text: Text) -> Result<Questions<(Maze, Form)>, TaskError> {
        let mazes = maze::mazes(self.side, text, &self.checked_columns()?)?;
        let turned = |found: Result<(Form, Maze), _>| {
            let (form, maze) = found?;
            Ok((maze, form))
        };
        Ok(Box::new(mazes.map(turned)))
    }

    fn inputs(&self, (maze, _): &(Maze, Form)) -> Result<Vec<u32>, TaskError> {
        let mut inputs = vec![0; self.n_cells()];
        encode(maze, &[], &mut inputs);
        Ok(inputs)
    }

    fn is_given(&self, input: u32) -> bool {
        input != id(Cell::Free)
    }

    fn to_text(&self, (_, form): &(Maze, Form), ids: &[u32]) -> String {
        let text = vocabulary().decode(ids);
        match form {
            Form::OneLine => text,
            Form::Drawn => maze::in_lines(&text, self.side),
        }
    }

    fn verdict(&self, (maze, _): &(Maze, Form), tokens: &[u32]) -> Verdict {
        maze::check_answer(maze, &characters_of(tokens))
    }

    fn score_names(&self) -> &'static [&'static str] {
        &["valid", "shortest"]
    }

    fn scores(&self, inputs: &[u32], tokens: &[u32]) -> Vec<bool> {
        // No answer to an invalid maze is right.
        let text = vocabulary().decode(inputs);
        let Ok(maze) = Maze::parse(&text, self.side, "question") else { return vec![false; 2] };
        let answer = characters_of(tokens);
        let is_path = maze::walk(&maze, &answer).is_ok();
        vec![is_path, maze::check_answer(&maze, &answer) == Verdict::Valid]
    }
}

impl CellFigures for MazeConfig {
    fn figures(&self) -> Vec<Figure<Self>> {
        vec![
            Figure {
                name: "walls",
                bins: Some(Bins::Equal),
                of: |_, solved| Some(solved.maze().n_walls() as u64),
            },
            Figure {
                name: "moves",
                bins: Some(Bins::Equal),
                of: |_, solved| Some(solved.n_moves() as u64),
            },
        ]
    }

    fn leaks(&self, sides: &Sides<SolvedMaze>) -> Vec<Leak> {
        let n_mazes = sides.train.len() + sides.eval.len();
        let stage = Stage::start("comparing mazes", n_mazes as u64);
        let mut known: HashMap<Maze, usize> = HashMap::new();
        for (idx, placed) in sides.train.iter().enumerate() {
            stage.advance(1);
            known.entry(placed.puzzle.maze().canonical()).or_insert(idx);
        }
        let leak = |(idx, placed): (usize, &crate::cells::Placed<SolvedMaze>)| {
            stage.advance(1);
            let train_idx = *known.get(&placed.puzzle.maze().canonical())?;
            let train = &sides.train[train_idx];
            let is_same = train.puzzle.maze() == placed.puzzle.maze();
            let why = if is_same { "the same" } else { "turned or flipped" };
            Some(Leak { eval: name_of(placed, idx), train: name_of(train, train_idx), why })
        };
        sides.eval.iter().enumerate().filter_map(leak).collect()
    }
}
