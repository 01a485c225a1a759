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
    self, Cell, Generator, Given, Maze, SIDE_MAX, SIDE_MIN, SYMBOLS, Size, SolvedMaze, Symbols,
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
use crate::published::Sample;
use crate::{Encoding, FitToData, TaskError, Vocabulary};

/// Settings of mazes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MazeConfig {
    /// Number of rows, `2..=100`: 30 as published.
    pub side: usize,
    /// Cells per row, `2..=100`. 0: as many as rows.
    #[serde(default)]
    pub width: usize,
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
    /// The characters of mazes in files and questions, as [`Symbols`] reads them, e.g.
    /// `wall=1,free=0`; empty for those of this program.
    #[serde(default)]
    pub symbols: String,
}

/// How training mazes are augmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MazeAugment {
    /// Not at all, as published.
    None,
    /// Turned and flipped: eight versions, or the four that keep the shape of a rectangle.
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

impl MazeConfig {
    /// Height and width.
    fn size(&self) -> Result<Size, TaskError> {
        let width = if self.width == 0 { self.side } else { self.width };
        Ok(Size::new(self.side, width)?)
    }

    /// Height and width, after [`check`](CellKind::check) has accepted them.
    fn checked_size(&self) -> Size {
        self.size().expect("settings are checked before mazes are read or sampled")
    }

    /// The characters of mazes.
    fn symbols(&self) -> Result<Symbols, TaskError> {
        Ok(self.symbols.parse::<Symbols>()?)
    }

    /// The characters of mazes, after [`check`](CellKind::check) has accepted them.
    fn checked_symbols(&self) -> Symbols {
        self.symbols().expect("settings are checked before mazes are read or sampled")
    }

    /// The same settings for mazes of another size.
    fn with_size(self, size: Size) -> Self {
        // A path length that was set explicitly for this side is kept, even if it is long.
        let min_path = match size.is_square() && self.size().ok() == Some(size) {
            true => self.min_path,
            false => maze::attainable_path(size, self.min_path),
        };
        let width = if size.is_square() { 0 } else { size.width() };
        Self { side: size.height(), width, min_path, ..self }
    }

    /// The size of mazes of `n_cells` on one line: as these settings say if that fits, else a
    /// square.
    fn size_of_line(&self, n_cells: usize) -> Option<Size> {
        let stated = self.size().ok().filter(|size| self.width != 0 && size.n_cells() == n_cells);
        stated.or(Size::of_square(n_cells))
    }
}

/// The shapes of mazes in which the answers of rows are paths from start to goal. A row whose
/// answer is none in any shape says nothing.
fn sizes_of_rows(Sample { n_cells, rows, .. }: &Sample) -> Vec<Size> {
    let heights = (SIDE_MIN..=SIDE_MAX).filter(|height| n_cells.is_multiple_of(*height));
    let all: Vec<Size> =
        heights.filter_map(|height| Size::new(height, n_cells / height).ok()).collect();
    let mut sizes = all.clone();
    let mut is_known = false;
    for (inputs, labels) in rows {
        let (text, answer) = (vocabulary().decode(inputs), characters_of(labels));
        let is_path = |size: &Size| {
            let maze = Maze::parse(&text, *size, &Symbols::default(), "question");
            maze.is_ok_and(|maze| maze::walk(&maze, &answer).is_ok())
        };
        if all.iter().any(is_path) {
            is_known = true;
            sizes.retain(is_path);
        }
    }
    if is_known { sizes } else { Vec::new() }
}

/// What gives the shape of mazes that are on one line and not square, for messages.
const SHAPE: &str =
    "for mazes that are not square, say --set task.side=ROWS --set task.width=CELLS";

impl Encoding for MazeConfig {
    fn vocabulary(&self) -> Vocabulary {
        vocabulary()
    }

    fn n_cells(&self) -> usize {
        let width = if self.width == 0 { self.side } else { self.width };
        self.side.saturating_mul(width)
    }

    fn draw_panels(&self, view: &PuzzleView<'_>) -> Vec<Panel> {
        match self.size() {
            Ok(size) => maze::panels(size, view),
            Err(_) => characters(view),
        }
    }
}

impl FitToData for MazeConfig {
    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        let Some(size) = self.size_of_line(n_cells) else {
            let expected = format!("{SIDE_MIN} to {SIDE_MAX} ({SHAPE})");
            return Err(TaskError::setting("side", expected, format!("{n_cells} cells")));
        };
        Ok(self.with_size(size))
    }

    /// Rows do not say where a line of a maze ends, but their answers are paths in one shape only.
    fn with_rows(self, sample: &Sample) -> Result<Self, TaskError> {
        let sizes = sizes_of_rows(sample);
        let stated = self.size().ok().filter(|size| self.width != 0 && sizes.contains(size));
        match (stated, sizes.as_slice()) {
            (Some(size), _) => Ok(self.with_size(size)),
            (None, [size]) => Ok(self.with_size(*size)),
            // Nothing to go by, such as answers that are not known.
            (None, []) => self.with_cells(sample.n_cells),
            (None, several) => {
                let shape = |size: &Size| format!("{} by {}", size.height(), size.width());
                let shapes: Vec<_> = several.iter().map(shape).collect();
                let expected = "the one that --set task.side=ROWS --set task.width=CELLS gives: \
                                the answers of the prepared mazes are paths in several shapes";
                Err(TaskError::setting("side", expected, shapes.join(", ")))
            }
        }
    }

    fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError> {
        let Some(located) = records::first(data, &self.checked_columns()?)? else {
            return Ok(self);
        };
        let question = &located.record.question;
        let n_cells = question.chars().count();
        let of_rows = maze::size_of_rows(question, &self.symbols()?);
        let Some(size) = of_rows.or(self.size_of_line(n_cells)) else {
            let expected = format!(
                "a square maze, row by row, of {SIDE_MIN} to {SIDE_MAX} cells per side ({SHAPE})"
            );
            let found = format!("{n_cells} cells: {}", quoted(question));
            return Err(TaskError::malformed(located.field("question"), expected, found));
        };
        Ok(self.with_size(size))
    }
}

impl CellKind for MazeConfig {
    type Puzzle = SolvedMaze;
    type Question = Given;

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
        self.size()?;
        self.symbols().map(drop)
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
        maze::draw(self.checked_size(), &question, &answer, style, &self.checked_symbols())
    }
}

impl CellFiles for MazeConfig {
    fn plain(&self) -> Self {
        Self { table_columns: String::new(), symbols: String::new(), ..self.clone() }
    }

    const OF_ROWS: Option<&'static [&'static str]> = Some(&["side", "width", "symbols"]);

    fn read(&self, located: &Located) -> Result<SolvedMaze, TaskError> {
        Ok(SolvedMaze::from_record(located, self.size()?, &self.symbols()?)?)
    }

    fn to_record(&self, solved: &SolvedMaze) -> Record {
        solved.to_record(&self.checked_symbols())
    }
}

impl CellGenerator for MazeConfig {
    const OF_GENERATOR: &'static [&'static str] = &["n_train", "n_eval", "min_path"];

    type Sampler<'a> = Generator;

    fn sampler(&self) -> Result<Generator, TaskError> {
        Ok(Generator::new(self.size()?, self.min_path)?)
    }

    fn sample(&self, generator: &Generator, rng: &mut ChaCha8Rng) -> Result<SolvedMaze, TaskError> {
        Ok(SolvedMaze::new(generator.maze(rng)?))
    }

    fn identity(&self, solved: &SolvedMaze) -> impl Hash + use<> {
        solved.maze().canonical()
    }

    fn question_text(&self, solved: &SolvedMaze) -> String {
        let question = solved.to_record(&self.checked_symbols()).question;
        maze::in_lines(&question, self.checked_size()) + "\n"
    }
}

impl CellVersions for MazeConfig {
    fn n_versions(&self) -> usize {
        match self.augment {
            MazeAugment::None => 1,
            MazeAugment::Dihedral => self.checked_size().symmetries().count(),
        }
    }

    /// The maze turned and flipped, with the label of the turned maze.
    fn version<'a>(
        &self,
        solved: &'a SolvedMaze,
        _group: usize,
        version: usize,
    ) -> Cow<'a, SolvedMaze> {
        match self.checked_size().symmetries().nth(version) {
            None | Some(Dihedral::Identity) => Cow::Borrowed(solved),
            // Among shortest paths, the label is chosen by an order of directions. Turning the
            // label along with the maze would change that order, and one model cannot learn
            // both. So the label is computed again for the turned maze.
            Some(transform) => Cow::Owned(SolvedMaze::new(solved.maze().turned(transform))),
        }
    }
}

impl CellQueries for MazeConfig {
    fn parse(&self, text: Text) -> Result<Questions<Given>, TaskError> {
        let mazes = maze::mazes(self.size()?, &self.symbols()?, text, &self.checked_columns()?)?;
        Ok(Box::new(mazes.map(|given| Ok(given?))))
    }

    fn inputs(&self, given: &Given) -> Result<Vec<u32>, TaskError> {
        let mut inputs = vec![0; self.n_cells()];
        encode(&given.maze, &[], &mut inputs);
        Ok(inputs)
    }

    fn is_given(&self, input: u32) -> bool {
        input != id(Cell::Free)
    }

    fn to_text(&self, given: &Given, ids: &[u32]) -> String {
        given.written(&characters_of(ids), &self.checked_symbols())
    }

    fn verdict(&self, given: &Given, tokens: &[u32]) -> Verdict {
        maze::check_answer(&given.maze, &characters_of(tokens))
    }

    fn score_names(&self) -> &'static [&'static str] {
        &["valid", "shortest"]
    }

    fn scores(&self, inputs: &[u32], tokens: &[u32]) -> Vec<bool> {
        // No answer to an invalid maze is right.
        let text = vocabulary().decode(inputs);
        let maze = Maze::parse(&text, self.checked_size(), &Symbols::default(), "question");
        let Ok(maze) = maze else { return vec![false; 2] };
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
