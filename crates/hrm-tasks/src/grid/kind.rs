//! The kind `grid`: whatever the files hold.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::canvas::{self, Canvas};
use super::task::Kind;
use super::{Grid, pose, presets};
use crate::picture::{Panel, Shown, characters_in_rows};
use crate::records::{self, Split};
use crate::{Family, Posed, Preset, PuzzleTask, RunConfig, TaskConfig, TaskError, Vocabulary};

const NAME: &str = "grid";

/// More than any model of the published kind has cells.
const N_CELLS_MAX: usize = 1 << 16;

/// Settings of grids. All but the last two are [fitted](Family::fitted_to) to
/// the data that a model is trained on, and are what it knows afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridConfig {
    /// The characters of questions and answers, sorted, each once.
    pub alphabet: String,
    /// Rows of the largest grid; `rows * columns` is at most 65,536.
    pub rows: usize,
    /// Cells of the longest row.
    pub columns: usize,
    /// Decides what is held out.
    pub seed: u64,
    /// Share of data files without a test set that is kept for evaluation, in
    /// `0..1`; at least one puzzle if it is positive.
    pub held_out: f64,
}

impl GridConfig {
    /// A run on grids.
    pub fn preset(preset: Preset) -> RunConfig {
        let task = Self { alphabet: String::new(), rows: 0, columns: 0, seed: 1, held_out: 0.1 };
        let (model, train) = presets::model_and_training(preset);
        RunConfig { task: TaskConfig::Grid(task), model, train }
    }

    /// The kind of grids, if the settings are in range.
    fn kind(&self) -> Result<Kind, TaskError> {
        for (field, n) in [("rows", self.rows), ("columns", self.columns)] {
            if n == 0 {
                return Err(TaskError::setting(field, "at least 1", n));
            }
        }
        if self.rows.saturating_mul(self.columns) > N_CELLS_MAX {
            let expected = format!("at most {} for {} rows", N_CELLS_MAX / self.rows, self.rows);
            return Err(TaskError::setting("columns", expected, self.columns));
        }
        if !(0.0..1.0).contains(&self.held_out) {
            return Err(TaskError::setting("held_out", "in 0..1", self.held_out));
        }
        canvas::check_alphabet("alphabet", &self.alphabet)?;
        let canvas = Canvas::new(self.rows, self.columns, &self.alphabet);
        Ok(Kind { name: NAME, canvas, rules: None })
    }
}

/// The same refusal for all that a generator would do.
fn no_generator<T>() -> Result<T, TaskError> {
    Err(TaskError::NoGenerator { kind: NAME })
}

impl Family for GridConfig {
    fn vocabulary(&self) -> Vocabulary {
        canvas::vocabulary(&self.alphabet)
    }

    fn n_cells(&self) -> usize {
        self.rows.saturating_mul(self.columns)
    }

    fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        if data.is_empty() {
            return no_generator();
        }
        self.kind()?.read(&records::split(data, self.held_out, self.seed)?)
    }

    fn open_for_eval(
        &self,
        data: &[PathBuf],
        _identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        if data.is_empty() {
            return no_generator();
        }
        self.kind()?.read(&Split { train: Vec::new(), eval: records::for_eval(data)? })
    }

    fn pose(
        &self,
        text: &str,
        place: &str,
        _identifiers: &[String],
    ) -> Result<Vec<Box<dyn Posed>>, TaskError> {
        pose::pose(self.kind()?, text, place)
    }

    fn example(&self, _seed: u64) -> Result<String, TaskError> {
        no_generator()
    }

    fn generate(&self, _n: usize, _seed: u64, _out: &mut dyn Write) -> Result<(), TaskError> {
        no_generator()
    }

    fn panels(&self, shown: &Shown<'_>) -> Vec<Panel> {
        characters_in_rows(&self.vocabulary(), self.columns, shown)
    }

    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        if n_cells != 0 && n_cells == self.n_cells() {
            return Ok(self);
        }
        let found = format!("nothing but {n_cells} cells");
        Err(TaskError::setting("alphabet", "that of the puzzles, with their rows", found))
    }

    fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError> {
        if data.is_empty() {
            return Ok(self);
        }
        let Split { train, eval } = records::split(data, 0.0, self.seed)?;
        let mut alphabet = BTreeSet::new();
        let (mut rows, mut columns) = (0, 0);
        for records::Located { record, place } in train.iter().chain(&eval) {
            for (name, text) in [("question", &record.question), ("answer", &record.answer)] {
                let grid = Grid::parse(text, &format!("{place}: field `{name}`"))?;
                alphabet.extend(grid.cells().map(|(_, symbol)| symbol));
                rows = rows.max(grid.n_rows());
                columns = columns.max(grid.n_columns());
            }
        }
        Ok(Self { alphabet: alphabet.into_iter().collect(), rows, columns, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Style;
    use crate::family::generated;
    use hrm_train::task::{RowId, RowMut};
    use std::path::Path;

    fn preset() -> GridConfig {
        match GridConfig::preset(Preset::Tiny).task {
            TaskConfig::Grid(config) => config,
            other => panic!("found {}", other.kind()),
        }
    }

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Grids of all shapes, with the columns in another order, and more.
    const RAGGED: &str = "\
        id,answer,question\n\
        1,ba/b,ab/b\n\
        2,\"ef\u{301}g\n/\",\"象_\n\n /\n\"\n\
        3,🙂,🙂🙂🙂🙂\n";

    #[test]
    fn alphabet_and_canvas_are_those_of_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "a.csv", RAGGED);
        let config = preset().fitted_to(std::slice::from_ref(&path)).unwrap();
        assert_eq!(config.alphabet, " /_abefg\u{301}象🙂");
        assert_eq!((config.rows, config.columns, config.n_cells()), (3, 4, 12));
        assert_eq!(config.vocabulary().len(), 2 + 11);

        let task = config.open(std::slice::from_ref(&path)).unwrap();
        assert_eq!((task.n_cells(), task.vocab_size(), task.n_puzzle_ids()), (12, 13, 1));
        assert_eq!((task.train().n_groups(), task.eval().n_groups()), (2, 1));
        assert_eq!(task.notes()[0], "grids of up to 3 rows of 4 cells, 11 characters");
        let stats = task.stats();
        let figure = |name: &str| stats.iter().find(|(n, _)| n == name).unwrap().1;
        assert_eq!(
            (figure("cells of a question min"), figure("cells of an answer max")),
            (3.0, 5.0)
        );
        assert_eq!(figure("cells that change min"), 0.0);
        let sizes = &task.distributions()[1];
        assert_eq!(sizes.name, "answer size");
        let want = [("1 by 1", 1), ("2 by 2", 1), ("2 by 4", 1)];
        assert_eq!(sizes.bins, want.map(|(size, n)| (size.to_owned(), n)));

        // All of it is stored with a checkpoint.
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<GridConfig>(&text).unwrap(), config);
    }

    #[test]
    fn rows_are_what_the_file_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "a.csv", RAGGED);
        let config = preset().fitted_to(std::slice::from_ref(&path)).unwrap();
        let task = config.open_for_eval(&[path], &[]).unwrap();
        assert_eq!((task.train().n_groups(), task.eval().n_groups()), (0, 3));
        let (mut inputs, mut labels, mut puzzle_id) = (vec![99; 12], vec![99; 12], 99);
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        task.eval().write(RowId { group: 0, version: 0, row: 0 }, row);
        let (a, b) = (5, 6);
        assert_eq!(inputs, [a, b, 0, 0, b, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(labels, [b, a, 1, 1, b, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(puzzle_id, 0);
        assert_eq!(task.draw(&inputs, &labels, Style::Plain), "|ab|   |ba|\n|b|    |b|\n");
        assert_eq!(task.scorer().finish().unwrap().scores, []);
    }

    #[test]
    fn a_folder_has_its_own_test_file() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "train.csv", "question,answer\nab,ba\nba,ab\n");
        write(folder.path(), "test.csv", "question,answer\nab,ba\nxy,yxy\n");
        let data = [folder.path().to_owned()];
        let config = preset().fitted_to(&data).unwrap();
        assert_eq!((&*config.alphabet, config.rows, config.columns), ("abxy", 1, 3));
        let task = config.open(&data).unwrap();
        assert_eq!((task.train().n_groups(), task.eval().n_groups()), (2, 2));
        let [leak] = &task.leaks()[..] else { panic!("one question is on both sides") };
        assert!(leak.eval.ends_with("test.csv:2") && leak.train.ends_with("train.csv:2"));
        assert_eq!(
            task.notes()[1..],
            [
                "1 of 2 evaluation questions are trained on too",
                "2 characters of evaluation puzzles are in no training puzzle"
            ]
        );
    }

    #[test]
    fn what_a_model_does_not_know_is_named_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "a.csv", "question,answer\nab,ba\n");
        let config = preset().fitted_to(&[path]).unwrap();
        let message = |record: &str| {
            let text = format!("question,answer\nab,ab\n{record}\n");
            let other = write(folder.path(), "b.csv", &text);
            let message = config.open_for_eval(&[other], &[]).err().unwrap().to_string();
            message[message.find("b.csv").unwrap()..].to_owned()
        };
        let question = "b.csv:3: field `question`: expected";
        let want = format!("{question} characters among \"ab\", found 'c' at row 1, column 2");
        assert_eq!(message("ac,ab"), want);
        let want = "b.csv:3: field `answer`: expected at most 1 rows of 2 cells, found 2 of 1";
        assert_eq!(message("ab,a/b"), want);
        assert_eq!(message(",ab"), format!("{question} at least one cell, found none"));
        assert_eq!(message("ab"), "b.csv:3: expected 2 fields, found 1 fields");
        // The lines of a record that spans some are counted.
        let want = "b.csv:5: field `answer`: expected at least one cell, found none";
        assert_eq!(message("\"a\n\",ab\na,"), want);
        let message = config.pose("ab\n\nax", "p.txt", &[]).err().unwrap().to_string();
        let want = "p.txt:3: expected characters among \"ab\", found 'x' at row 1, column 2";
        assert_eq!(message, want);
    }

    #[test]
    fn settings_outside_their_range_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "a.csv", "question,answer\nab,ba\n");
        let message = |change: fn(&mut GridConfig)| {
            let mut config = preset().fitted_to(std::slice::from_ref(&path)).unwrap();
            change(&mut config);
            let message = config.open(std::slice::from_ref(&path)).err().unwrap().to_string();
            message.replace(&path.display().to_string(), "a.csv")
        };
        assert_eq!(message(|c| c.rows = 0), "task.rows must be at least 1, found 0");
        let want = "task.columns must be at most 65536 for 1 rows, found 65537";
        assert_eq!(message(|c| c.columns = 65_537), want);
        assert!(message(|c| c.columns = usize::MAX).starts_with("task.columns must be"));
        assert_eq!(message(|c| c.held_out = 1.0), "task.held_out must be in 0..1, found 1");
        let want = "task.alphabet must be printable characters, each once, found 'a'";
        assert_eq!(message(|c| c.alphabet = "aba".to_owned()), want);
        let want = "task.alphabet must be at least one character, found none";
        assert_eq!(message(|c| c.alphabet.clear()), want);
        let want = "a.csv:2: field `question`: expected at most 1 rows of 1 cells, found 1 of 2";
        assert_eq!(message(|c| c.columns = 1), want);
    }

    #[test]
    fn without_data_there_is_nothing() {
        let want = "there are no built-in grid puzzles: give a CSV file with the columns question \
                    and answer (--data FILE), or a puzzle to solve";
        let config = preset().fitted_to(&[]).unwrap();
        assert_eq!(config.n_cells(), 0);
        for refused in [
            config.open(&[]).err(),
            config.open_for_eval(&[], &[]).err(),
            config.example(1).err(),
            generated(&config, 1, 1).err(),
        ] {
            assert_eq!(refused.unwrap().to_string(), want);
        }
        assert!(config.with_cells(81).is_err());
    }
}
