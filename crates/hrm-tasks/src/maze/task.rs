//! Mazes as the trainer and the command line see them.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use hrm_base::rng::stream;
use hrm_train::task::{
    BLANK_PUZZLE, Examples, Prediction, Report, RowId, RowMut, ScoreError, Scorer, Task,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::generate::attainable_path;
use super::grid::{check_side, vocabulary};
use super::{Generator, Maze, SIDE_MAX, SIDE_MIN, draw, picture, pose, shortest_path, walk};
use crate::drawing::{self, Taken};
use crate::figures::{by_value, spread};
use crate::picture::{Panel, Shown, characters};
use crate::published::{self, Imported, Layout};
use crate::records::{self, Located, Record};
use crate::{
    Dihedral, Distribution, Family, Interpreter, Leak, NameOf, Posed, PuzzleTask, Style, TaskError,
    Vocabulary,
};

/// Bounds memory and time of the built-in data.
const N_MAZES_MAX: usize = 1_000_000;

/// Settings of mazes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MazeConfig {
    /// Cells on each side, `2..=100`: 30 as published.
    pub side: usize,
    /// Generated mazes: cells on the shortest path, start and goal included,
    /// at least. 110 as published, which is 109 moves. Data files may hold any
    /// length.
    pub min_path: usize,
    /// Versions of each training maze.
    pub augment: MazeAugment,
    /// Decides built-in mazes and what is held out.
    pub seed: u64,
    /// Built-in training mazes, at most a million.
    pub n_train: usize,
    /// Built-in evaluation mazes, at most a million. None is a training maze,
    /// turned and flipped ones counted as the same.
    pub n_eval: usize,
    /// Share of data files without a test set that is kept for evaluation,
    /// `0 <= held_out < 1`; at least one maze if it is positive.
    pub held_out: f64,
}

/// How training mazes are varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MazeAugment {
    /// Not at all, as published.
    None,
    /// Turned and flipped: eight versions.
    Dihedral,
}

impl MazeAugment {
    fn n_versions(self) -> usize {
        match self {
            Self::None => 1,
            Self::Dihedral => Dihedral::ALL.len(),
        }
    }
}

impl MazeConfig {
    /// Refuses settings outside their range.
    fn check(&self) -> Result<(), TaskError> {
        check_side(self.side)?;
        for (field, n_mazes) in [("n_train", self.n_train), ("n_eval", self.n_eval)] {
            check_number(field, n_mazes)?;
        }
        if !(0.0..1.0).contains(&self.held_out) {
            let expected = "at least 0 and less than 1";
            return Err(TaskError::setting("held_out", expected, self.held_out));
        }
        Ok(())
    }

    /// Shows `each` of `n` generated mazes that are not in `taken`, which they
    /// then are.
    fn draw(
        &self,
        wanted: (&'static str, usize),
        seed: u64,
        taken: &mut Taken,
        each: impl FnMut(Solved) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let generator = Generator::new(self.side, self.min_path)?;
        let draw = |attempt: u64| {
            let rng = &mut stream(seed, &format!("maze {} {attempt}", wanted.0));
            Ok(Solved::by_rule(generator.maze(rng)?))
        };
        drawing::distinct(wanted, draw, |solved| solved.maze.canonical(), taken, each)
    }

    /// Built-in mazes of one side.
    fn built_in(
        &self,
        wanted: (&'static str, usize),
        taken: &mut Taken,
    ) -> Result<Vec<Solved>, TaskError> {
        let mut mazes = Vec::new();
        self.draw(wanted, self.seed, taken, |solved| {
            mazes.push(solved);
            Ok(())
        })?;
        Ok(mazes)
    }

    /// The built-in evaluation mazes. Drawn before the training mazes, so that
    /// they are the same however many of those there are.
    fn built_in_eval(&self, taken: &mut Taken) -> Result<Vec<Solved>, TaskError> {
        self.built_in(("n_eval", self.n_eval), taken)
    }

    fn read(&self, located: &[Located]) -> Result<Vec<Solved>, TaskError> {
        located.par_iter().map(|located| Solved::read(located, self.side)).collect()
    }

    fn task(&self, train: Vec<Solved>, eval: Vec<Solved>) -> Box<dyn PuzzleTask> {
        Box::new(MazeTask {
            side: self.side,
            train: Mazes { solved: train, n_versions: self.augment.n_versions() },
            eval: Mazes { solved: eval, n_versions: 1 },
            identifiers: vec!["<blank>".to_owned()],
        })
    }
}

fn check_number(field: &'static str, n_mazes: usize) -> Result<(), TaskError> {
    if n_mazes <= N_MAZES_MAX {
        return Ok(());
    }
    Err(TaskError::setting(field, format!("at most {N_MAZES_MAX}"), n_mazes))
}

impl Family for MazeConfig {
    fn vocabulary(&self) -> Vocabulary {
        vocabulary()
    }

    fn n_cells(&self) -> usize {
        self.side.saturating_mul(self.side)
    }

    fn interpreter(&self) -> Result<Box<dyn Interpreter>, TaskError> {
        self.check()?;
        Ok(Box::new(Squares { side: self.side }))
    }

    fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        self.check()?;
        if data.is_empty() {
            let mut taken = Taken::default();
            let eval = self.built_in_eval(&mut taken)?;
            let train = self.built_in(("n_train", self.n_train), &mut taken)?;
            return Ok(self.task(train, eval));
        }
        let split = records::split(data, self.held_out, self.seed)?;
        Ok(self.task(self.read(&split.train)?, self.read(&split.eval)?))
    }

    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        let side = n_cells.isqrt();
        if side * side != n_cells || !(SIDE_MIN..=SIDE_MAX).contains(&side) {
            let expected = format!("{SIDE_MIN} to {SIDE_MAX}");
            return Err(TaskError::setting("side", expected, format!("{n_cells} cells")));
        }
        // A length that was chosen for this side stays, however ambitious.
        let min_path = match side == self.side {
            true => self.min_path,
            false => attainable_path(side, self.min_path),
        };
        Ok(Self { side, min_path, ..self })
    }

    fn cells_in(&self, data: &[PathBuf]) -> Result<Option<usize>, TaskError> {
        records::n_cells(data)
    }

    fn open_for_eval(
        &self,
        data: &[PathBuf],
        _identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        self.check()?;
        let eval = match data {
            [] => self.built_in_eval(&mut Taken::default())?,
            data => self.read(&records::for_eval(data)?)?,
        };
        Ok(self.task(Vec::new(), eval))
    }

    fn pose(
        &self,
        text: &str,
        place: &str,
        _identifiers: &[String],
    ) -> Result<Vec<Box<dyn Posed>>, TaskError> {
        pose::pose(self.side, text, place)
    }

    fn example(&self, seed: u64) -> Result<String, TaskError> {
        let generator = Generator::new(self.side, self.min_path)?;
        let maze = generator.maze(&mut stream(seed, "maze example"))?;
        Ok(pose::in_lines(&maze.to_text(&[]), self.side) + "\n")
    }

    fn generate(&self, n: usize, seed: u64, out: &mut dyn Write) -> Result<(), TaskError> {
        let mut file = records::Writer::new(out);
        let each = |solved: Solved| file.write(&solved.to_record());
        self.draw(("n", n), seed, &mut Taken::default(), each)?;
        file.finish()
    }

    fn panels(&self, shown: &Shown<'_>) -> Vec<Panel> {
        match check_side(self.side) {
            Ok(()) => picture::panels(self.side, shown),
            Err(_) => characters(&self.vocabulary(), shown),
        }
    }
}

/// A maze and the path of its label.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Solved {
    maze: Maze,
    /// From start to goal, in no particular order between.
    path: Vec<usize>,
    /// Where it was read; empty for built-in ones.
    place: String,
}

impl Solved {
    /// The answer that follows the rule of the labels.
    ///
    /// # Panics
    ///
    /// If the goal is out of reach.
    fn by_rule(maze: Maze) -> Self {
        let path = shortest_path(&maze).expect("the goal is within reach");
        Self { maze, path, place: String::new() }
    }

    /// A record whose answer is a shortest path of its question.
    fn read(located: &Located, side: usize) -> Result<Self, TaskError> {
        let Located { record, place } = located;
        let maze = Maze::parse(&record.question, side, &pose::question_of(place))?;

        let field = format!("{place}: field `answer`");
        let refused = |expected: &str, found: String| {
            Err(TaskError::malformed(field.clone(), expected, found))
        };
        let ids = vocabulary().encode(&record.answer, &field)?;
        if ids.len() != side * side {
            return refused(&format!("{} characters", side * side), ids.len().to_string());
        }
        let Some(shortest) = shortest_path(&maze) else {
            return refused("a path", "a goal that is out of reach".to_owned());
        };
        let n_moves_min = shortest.len() - 1;
        match walk(&maze, &ids) {
            Err(fault) => refused("the maze with a path", fault.to_string()),
            Ok(n_moves) if n_moves > n_moves_min => {
                let expected = format!("a shortest path, {n_moves_min} moves");
                refused(&expected, format!("{n_moves} moves"))
            }
            Ok(_) => {
                let is_on_path = |cell: &usize| ids[*cell] != maze.cells()[*cell].id();
                let inner = (0..ids.len()).filter(is_on_path);
                let path = [maze.start()].into_iter().chain(inner).chain([maze.goal()]).collect();
                Ok(Self { maze, path, place: place.clone() })
            }
        }
    }

    fn to_record(&self) -> Record {
        Record {
            source: if self.place.is_empty() { "generated" } else { "" }.to_owned(),
            question: self.maze.to_text(&[]),
            answer: self.maze.to_text(&self.path),
            // As in the published files.
            rating: self.n_moves().to_string(),
        }
    }

    fn n_moves(&self) -> usize {
        self.path.len() - 1
    }

    /// This maze turned and flipped, with the label of the turned maze.
    fn version(&self, transform: Dihedral) -> Self {
        match transform {
            Dihedral::Identity => self.clone(),
            // Of many shortest paths the label shows the one that prefers some
            // directions. Turned along, it would prefer others, and one model
            // cannot learn both: it is found anew.
            transform => Self::by_rule(self.maze.turned(transform)),
        }
    }
}

/// Mazes with their versions; a row each.
struct Mazes {
    solved: Vec<Solved>,
    n_versions: usize,
}

impl Examples for Mazes {
    fn n_groups(&self) -> usize {
        self.solved.len()
    }

    fn n_versions(&self, _group: usize) -> usize {
        self.n_versions
    }

    fn n_rows(&self, _group: usize, _version: usize) -> usize {
        1
    }

    fn n_rows_total(&self) -> u64 {
        self.solved.len() as u64 * self.n_versions as u64
    }

    fn write(&self, at: RowId, row: RowMut<'_>) {
        let Solved { maze, path, .. } = self.solved[at.group].version(Dihedral::ALL[at.version]);
        row.inputs.copy_from_slice(&maze.ids(&[]));
        row.labels.copy_from_slice(&maze.ids(&path));
        *row.puzzle_id = BLANK_PUZZLE;
    }
}

/// Mazes with their data.
struct MazeTask {
    side: usize,
    train: Mazes,
    eval: Mazes,
    identifiers: Vec<String>,
}

impl Task for MazeTask {
    fn name(&self) -> &'static str {
        "maze"
    }

    fn vocab_size(&self) -> usize {
        vocabulary().len()
    }

    fn n_cells(&self) -> usize {
        self.side * self.side
    }

    fn n_puzzle_ids(&self) -> usize {
        self.identifiers.len()
    }

    fn train(&self) -> &dyn Examples {
        &self.train
    }

    fn eval(&self) -> &dyn Examples {
        &self.eval
    }

    fn scorer(&self) -> Box<dyn Scorer + '_> {
        Box::new(Score::new(self.side))
    }
}

impl PuzzleTask for MazeTask {
    fn identifiers(&self) -> &[String] {
        &self.identifiers
    }

    fn base_puzzles(&self) -> Option<Vec<(&'static str, String)>> {
        let records = |side: &Mazes| side.solved.iter().map(Solved::to_record).collect::<Vec<_>>();
        Some(records::to_files(&records(&self.train), &records(&self.eval)))
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        draw::pair(self.side, inputs, labels, style)
    }

    fn stats(&self) -> Vec<(String, f64)> {
        let both = || self.train.solved.iter().chain(&self.eval.solved);
        let mut stats = vec![
            ("training puzzles".to_owned(), self.train.solved.len() as f64),
            ("evaluation puzzles".to_owned(), self.eval.solved.len() as f64),
            ("versions per training puzzle".to_owned(), self.train.n_versions as f64),
        ];
        stats.extend(spread("walls", both().map(|solved| solved.maze.n_walls() as u64)));
        stats.extend(spread("moves", both().map(|solved| solved.n_moves() as u64)));
        stats
    }

    fn distributions(&self) -> Vec<Distribution> {
        let sides = [("training", &self.train.solved), ("evaluation", &self.eval.solved)];
        let of_side = |(side, solved): (&str, &Vec<Solved>)| {
            let (moves, walls) = (solved.iter().map(Solved::n_moves), solved.iter());
            [
                by_value(format!("{side} moves"), moves.map(|n| n as u64)),
                by_value(format!("{side} walls"), walls.map(|s| s.maze.n_walls() as u64)),
            ]
        };
        sides.into_iter().flat_map(of_side).flatten().collect()
    }

    fn leaks(&self) -> Vec<Leak> {
        let name = |at: usize, solved: &Solved| match solved.place.as_str() {
            "" => format!("built-in maze {}", at + 1),
            place => place.to_owned(),
        };
        let mut known: HashMap<Maze, (usize, &Solved)> = HashMap::new();
        for (at, solved) in self.train.solved.iter().enumerate() {
            known.entry(solved.maze.canonical()).or_insert((at, solved));
        }
        let leak = |(at, solved): (usize, &Solved)| {
            let (train_at, train) = *known.get(&solved.maze.canonical())?;
            let why = if train.maze == solved.maze { "the same" } else { "turned or flipped" };
            Some(Leak { eval: name(at, solved), train: name(train_at, train), why })
        };
        self.eval.solved.iter().enumerate().filter_map(leak).collect()
    }

    fn notes(&self) -> Vec<String> {
        let (n_known, n_eval) = (self.leaks().len(), self.eval.solved.len());
        let note = format!(
            "{n_known} of {n_eval} evaluation mazes are training mazes too, or turned copies of one"
        );
        if n_known > 0 { vec![note] } else { Vec::new() }
    }
}

/// Mazes as rows of ids.
struct Squares {
    side: usize,
}

impl Interpreter for Squares {
    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        draw::pair(self.side, inputs, labels, style)
    }

    fn scorer<'a>(&'a self, _name_of: NameOf<'a>) -> Box<dyn Scorer + 'a> {
        Box::new(Score::new(self.side))
    }

    fn import(&self, layout: &Layout) -> Imported {
        published::records(layout, |inputs, labels, place| {
            let record = Record {
                source: "prepared".to_owned(),
                question: vocabulary().decode(inputs),
                answer: vocabulary().decode(labels),
                rating: String::new(),
            };
            let located = Located { record, place: place.to_owned() };
            let rating = Solved::read(&located, self.side)?.n_moves().to_string();
            Ok(Record { rating, ..located.record })
        })
    }
}

/// Counts answers that hold by the rules, whichever path the label shows.
struct Score {
    side: usize,
    n_rows: usize,
    n_valid: usize,
    n_shortest: usize,
}

impl Score {
    fn new(side: usize) -> Self {
        Self { side, n_rows: 0, n_valid: 0, n_shortest: 0 }
    }
}

impl Scorer for Score {
    fn add(&mut self, predicted: Prediction<'_>) -> Result<(), ScoreError> {
        self.n_rows += 1;
        let text = vocabulary().decode(predicted.inputs);
        // No answer to what is no maze holds.
        let Ok(maze) = Maze::parse(&text, self.side, "question") else { return Ok(()) };
        if let Ok(n_moves) = walk(&maze, predicted.tokens) {
            self.n_valid += 1;
            let shortest = shortest_path(&maze);
            self.n_shortest += usize::from(shortest.is_some_and(|path| path.len() == n_moves + 1));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Report, ScoreError> {
        let share = |n: usize| n as f64 / self.n_rows.max(1) as f64;
        let scores = vec![("valid", share(self.n_valid)), ("shortest", share(self.n_shortest))];
        Ok(Report { scores, ..Report::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::generated;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::path::Path;

    use crate::maze::grid::tests::any_maze;
    use crate::maze::{Cell, PATH_ID};

    fn config() -> MazeConfig {
        MazeConfig {
            side: 6,
            min_path: 8,
            augment: MazeAugment::Dihedral,
            seed: 1,
            n_train: 20,
            n_eval: 10,
            held_out: 0.0,
        }
    }

    /// Input and label of one row.
    fn row(examples: &dyn Examples, n_cells: usize, at: RowId) -> (Vec<u32>, Vec<u32>) {
        let (mut inputs, mut labels, mut puzzle_id) = (vec![99; n_cells], vec![99; n_cells], 99);
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        examples.write(at, row);
        assert_eq!(puzzle_id, BLANK_PUZZLE);
        (inputs, labels)
    }

    fn rows(examples: &dyn Examples) -> Vec<(Vec<u32>, Vec<u32>)> {
        examples.row_ids().map(|at| row(examples, 36, at)).collect()
    }

    /// A file of `n` generated mazes of side 6.
    fn file(folder: &Path, name: &str, n: usize, seed: u64) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, generated(&config(), n, seed).unwrap()).unwrap();
        path
    }

    fn sizes(task: &dyn PuzzleTask) -> (usize, usize) {
        (task.train().n_groups(), task.eval().n_groups())
    }

    #[test]
    fn settings_outside_their_range_are_refused() {
        let refused = |change: fn(&mut MazeConfig), want: &str| {
            let mut config = config();
            change(&mut config);
            assert_eq!(config.open(&[]).err().unwrap().to_string(), want);
        };
        refused(|c| c.side = 1, "task.side must be 2 to 100, found 1");
        refused(|c| c.side = 101, "task.side must be 2 to 100, found 101");
        refused(|c| c.min_path = 1, "task.min_path must be 2 to 26 for task.side 6, found 1");
        refused(|c| c.n_train = 1_000_001, "task.n_train must be at most 1000000, found 1000001");
        refused(|c| c.n_eval = 1_000_001, "task.n_eval must be at most 1000000, found 1000001");
        let range = "task.held_out must be at least 0 and less than 1, found";
        refused(|c| c.held_out = 1.0, &format!("{range} 1"));
        refused(|c| c.held_out = f64::NAN, &format!("{range} NaN"));

        let text = serde_json::to_string(&config()).unwrap();
        assert!(text.contains(r#""augment":"dihedral""#), "{text}");
        assert_eq!(serde_json::from_str::<MazeConfig>(&text).unwrap(), config());
        let misspelt = text.replace("held_out", "heldout");
        assert!(serde_json::from_str::<MazeConfig>(&misspelt).is_err());
    }

    #[test]
    fn a_side_with_few_mazes_says_so() {
        let config = MazeConfig { side: 2, min_path: 2, n_eval: 50, ..config() };
        let message = config.open(&[]).err().unwrap().to_string();
        let want = "task.n_eval must be at most the number of different puzzles, found 50";
        assert!(message.starts_with(want), "{message}");
    }

    #[test]
    fn built_in_mazes_are_apart_and_repeatable() {
        let task = config().open(&[]).unwrap();
        assert_eq!((task.name(), task.vocab_size(), task.n_cells()), ("maze", 6, 36));
        assert_eq!((task.n_puzzle_ids(), task.identifiers()), (1, &["<blank>".to_owned()][..]));
        assert_eq!(sizes(task.as_ref()), (20, 10));
        assert_eq!((task.train().n_versions(0), task.eval().n_versions(0)), (8, 1));

        let train: HashSet<_> = rows(task.train()).into_iter().collect();
        assert!(rows(task.eval()).iter().all(|row| !train.contains(row)));
        assert!(task.notes().is_empty());

        assert_eq!(rows(config().open(&[]).unwrap().train()), rows(task.train()));
        let for_eval = config().open_for_eval(&[], &[]).unwrap();
        assert_eq!(sizes(for_eval.as_ref()), (0, 10));
        assert_eq!(rows(for_eval.eval()), rows(task.eval()));
        let other = MazeConfig { seed: 2, ..config() }.open(&[]).unwrap();
        assert_ne!(rows(other.train()), rows(task.train()));
    }

    #[test]
    fn every_version_has_the_label_of_the_rule() {
        let task = config().open(&[]).unwrap();
        for at in task.train().row_ids() {
            let (inputs, labels) = row(task.train(), 36, at);
            let maze = Maze::parse(&vocabulary().decode(&inputs), 6, "test").unwrap();
            assert_eq!(labels, maze.ids(&shortest_path(&maze).unwrap()));
            let original = row(task.train(), 36, RowId { version: 0, ..at }).0;
            let original = Maze::parse(&vocabulary().decode(&original), 6, "test").unwrap();
            assert_eq!(maze, original.turned(Dihedral::ALL[at.version]));
        }
    }

    #[test]
    fn files_and_folders_are_trained_on_and_tests_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let train = file(folder.path(), "train.csv", 12, 1);
        let more = file(folder.path(), "more.csv", 5, 2);
        let config = MazeConfig { held_out: 0.25, augment: MazeAugment::None, ..config() };
        let opened = |paths: &[&Path]| {
            let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
            let task = config.open(&paths).unwrap();
            let (train, eval) = (rows(task.train()), rows(task.eval()));
            assert!(eval.iter().all(|row| !train.contains(row)));
            (train.len(), eval.len())
        };
        let for_eval =
            |path: &Path| sizes(config.open_for_eval(&[path.to_path_buf()], &[]).unwrap().as_ref());
        assert_eq!(opened(&[&train]), (9, 3));
        assert_eq!(opened(&[folder.path(), &more]), (13, 4));
        assert_eq!(for_eval(folder.path()), (0, 12));
        file(folder.path(), "test.csv", 3, 3);
        assert_eq!(opened(&[folder.path(), &more]), (17, 3));
        assert_eq!(for_eval(folder.path()), (0, 3));
        assert_eq!(for_eval(&more), (0, 5));
        assert_eq!(config.cells_in(&[more]).unwrap(), Some(36));
        assert_eq!(config.cells_in(&[]).unwrap(), None);
    }

    #[test]
    fn mazes_on_both_sides_are_remarked_on() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "train.csv", 3, 1);
        file(folder.path(), "test.csv", 2, 1);
        let task = config().open(&[folder.path().to_path_buf()]).unwrap();
        let want = "2 of 2 evaluation mazes are training mazes too, or turned copies of one";
        assert_eq!(task.notes(), [want]);
    }

    /// What is said of one record of side 3.
    fn message(question: &str, answer: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let text = format!("source,question,answer,rating\nx,{question},{answer},1\n");
        std::fs::write(&path, text).unwrap();
        let opened = MazeConfig { side: 3, ..config() }.open(std::slice::from_ref(&path));
        let message = opened.err().map_or_else(String::new, |err| err.to_string());
        message.replace(&path.display().to_string(), "a.csv")
    }

    #[test]
    fn any_shortest_path_is_an_answer() {
        assert_eq!(message("S   #   G", "Soo #o  G"), "");
        assert_eq!(message("S   #   G", "S  o# ooG"), "");
        // Spaces at the ends of a field are cells.
        assert_eq!(message("   SG    ", "   SG    "), "");
    }

    #[test]
    fn records_that_are_no_puzzles_are_refused() {
        let question = |text: &str| message(text, "");
        let field = "a.csv:2: field `question`: expected";
        assert_eq!(
            question("SG  "),
            format!("{field} 9 characters for task.side 3, found 4, a side of 2")
        );
        assert_eq!(
            question("SG#######S"),
            format!("{field} 9 characters for task.side 3, found 10")
        );
        assert_eq!(
            question("S   o   G"),
            format!("{field} '#', ' ', 'S' or 'G', found 'o' at row 2, column 2")
        );
        assert_eq!(question("    G    "), format!("{field} one 'S', found none"));

        let answer = |text: &str| message("S   #   G", text);
        let field = "a.csv:2: field `answer`: expected";
        assert_eq!(
            answer("Soox"),
            format!("{field} characters among \"# SGo\", found 'x' at character 4")
        );
        assert_eq!(answer("Soo"), format!("{field} 9 characters, found 3"));
        let path = format!("{field} the maze with a path, found");
        assert_eq!(
            answer("Soo oo  G"),
            format!("{path} the answer changes the maze at row 2, column 2")
        );
        assert_eq!(answer("S   #   G"), format!("{path} the path breaks off at row 1, column 1"));
        assert_eq!(
            message("S   # G  ", "Soo #oGoo"),
            format!("{field} a shortest path, 2 moves, found 6 moves")
        );
        assert_eq!(
            message("S# ## ##G", "S# ##o##G"),
            format!("{field} a path, found a goal that is out of reach")
        );
    }

    #[test]
    fn scores_follow_the_rules_and_not_the_label() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let rows = "x,S   # G  ,S  o# G  ,2\nx,S   #   G,Soo #o  G,4\n";
        std::fs::write(&path, format!("source,question,answer,rating\n{rows}")).unwrap();
        let task = MazeConfig { side: 3, ..config() }.open_for_eval(&[path], &[]).unwrap();
        let figures = |answers: &[(usize, &str)]| {
            let mut scorer = task.scorer();
            for (group, answer) in answers {
                let tokens = vocabulary().encode(answer, "test").unwrap();
                let at = RowId { group: *group, version: 0, row: 0 };
                let (inputs, labels) = row(task.eval(), 9, at);
                let predicted = Prediction {
                    at,
                    inputs: &inputs,
                    labels: &labels,
                    tokens: &tokens,
                    sampled: None,
                    q_halt: 0.0,
                };
                scorer.add(predicted).unwrap();
            }
            scorer.finish().unwrap().scores
        };
        assert_eq!(figures(&[]), [("valid", 0.0), ("shortest", 0.0)]);
        // A detour, and a shortest path that is not the label's.
        let both = [(0, "Soo #oGoo"), (1, "S  o# ooG")];
        assert_eq!(figures(&both), [("valid", 1.0), ("shortest", 0.5)]);
        let broken = [(0, "S   # G  "), (1, "S__o# ooG")];
        assert_eq!(figures(&broken), [("valid", 0.0), ("shortest", 0.0)]);
    }

    #[test]
    fn the_size_of_the_data_can_be_taken() {
        let paper = MazeConfig { side: 30, min_path: 110, ..config() };
        let taken = |n_cells| {
            let config = paper.clone().with_cells(n_cells).unwrap();
            (config.side, config.min_path)
        };
        assert_eq!(taken(900), (30, 110));
        assert_eq!(taken(1600), (40, 110));
        assert_eq!(taken(100), (10, 12));
        assert_eq!(taken(4), (2, 2));
        let ambitious = MazeConfig { min_path: 140, ..paper.clone() };
        assert_eq!(ambitious.with_cells(900).unwrap().min_path, 140);
        for n_cells in [0, 1, 5, 899, 101 * 101, usize::MAX] {
            let message = paper.clone().with_cells(n_cells).unwrap_err().to_string();
            assert_eq!(message, format!("task.side must be 2 to 100, found {n_cells} cells"));
        }
    }

    #[test]
    fn examples_can_be_posed_and_figures_are_counted() {
        let config = config();
        let text = config.example(7).unwrap();
        assert_eq!(config.example(7).unwrap(), text);
        assert_eq!(text.lines().map(|line| line.chars().count()).collect::<Vec<_>>(), [6; 6]);
        let posed = config.pose(&text, "example", &[]).unwrap();
        assert_eq!(posed.len(), 1);
        let inputs = &posed[0].questions()[0].inputs;
        assert!(inputs.contains(&Cell::Start.id()) && !inputs.contains(&PATH_ID));

        let task = config.open(&[]).unwrap();
        let stats = task.stats();
        let names: Vec<_> = stats.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names[..3],
            ["training puzzles", "evaluation puzzles", "versions per training puzzle"]
        );
        assert_eq!(names[3..7], ["walls min", "walls mean", "walls median", "walls max"]);
        assert_eq!(names[7..], ["moves min", "moves mean", "moves median", "moves max"]);
        assert!(stats[7].1 >= 7.0 && stats[7].1 <= stats[8].1 && stats[8].1 <= stats[10].1);

        let (inputs, labels) = row(task.eval(), 36, RowId { group: 0, version: 0, row: 0 });
        assert_eq!(task.draw(&inputs, &labels, Style::Plain).lines().count(), 8);
    }

    proptest! {
        #[test]
        fn a_written_record_is_read_back(maze in any_maze(6)) {
            if shortest_path(&maze).is_some() {
                let solved = Solved::by_rule(maze);
                let text = records::to_text([&solved.to_record()]);
                let located = records::parse(text.as_bytes(), "test").unwrap();
                let back = Solved::read(&located[0], solved.maze.side()).unwrap();
                // Where it came from is for its file to say.
                let want = Record { source: String::new(), ..solved.to_record() };
                prop_assert_eq!(back.to_record(), want);
            }
        }
    }
}
