//! Puzzles with rules: what follows from them, a kind with built-in data.

use std::io::Write;
use std::path::PathBuf;

use hrm_base::rng::stream;
use serde::{Deserialize, Serialize};

use super::canvas::{self, Canvas};
use super::pairs::Pair;
use super::task::Kind;
use super::{Grid, Rules, pose, presets};
use crate::drawing::{self, Taken};
use crate::picture::{Panel, Shown, characters_in_rows};
use crate::records::{self, Located, Record, Split};
use crate::{Family, Posed, Preset, PuzzleTask, RunConfig, TaskConfig, TaskError, Vocabulary};

/// Bounds memory and time of built-in data.
const N_PUZZLES_MAX: usize = 1_000_000;

/// Settings of a puzzle with rules: its own, and those of its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ruled<R> {
    /// The puzzle's own settings.
    pub rules: R,
    /// Decides built-in puzzles and what is held out.
    pub seed: u64,
    /// Built-in training puzzles, at most 1,000,000.
    pub n_train: usize,
    /// Built-in evaluation puzzles, at most 1,000,000. None is a training
    /// puzzle.
    pub n_eval: usize,
    /// Share of data files without a test set that is kept for evaluation, in
    /// `0..1`; at least one puzzle if it is positive.
    pub held_out: f64,
}

impl<R: Rules + Clone + 'static> Ruled<R> {
    /// A puzzle with 2000 built-in training and 200 evaluation puzzles.
    pub fn new(rules: R) -> Self {
        Self { rules, seed: 1, n_train: 2000, n_eval: 200, held_out: 0.1 }
    }

    /// A run on this kind of puzzle.
    pub fn preset(preset: Preset) -> RunConfig
    where
        TaskConfig: From<Self>,
    {
        let n_train = match preset {
            Preset::Tiny => 2000,
            Preset::Small | Preset::Paper | Preset::TinyRecursive => 10_000,
        };
        let task = Self { n_train, ..Self::new(R::preset(preset)) };
        let (model, train) = presets::model_and_training(preset);
        let (n_cells, vocab_size) = (task.n_cells(), task.vocabulary().len());
        let model = model.with(|model| {
            model.input.n_cells = n_cells;
            model.input.vocab_size = vocab_size;
        });
        RunConfig { task: task.into(), model, train }
    }

    /// The kind of grids, if the settings are in range.
    fn kind(&self) -> Result<Kind, TaskError> {
        self.rules.check()?;
        for (field, n) in [("n_train", self.n_train), ("n_eval", self.n_eval)] {
            check_number(field, n)?;
        }
        if !(0.0..1.0).contains(&self.held_out) {
            return Err(TaskError::setting("held_out", "in 0..1", self.held_out));
        }
        canvas::check_alphabet("rules", &self.rules.alphabet())?;
        let (n_rows, n_columns) = self.rules.size();
        let canvas = Canvas::new(n_rows, n_columns, &self.rules.alphabet());
        let rules = Some(Box::new(self.rules.clone()) as Box<dyn Rules>);
        Ok(Kind { name: self.rules.name(), canvas, rules })
    }

    /// Shows `each` of `n` generated puzzles whose questions are not in `taken`,
    /// which they then are.
    fn draw(
        &self,
        wanted: (&'static str, usize),
        seed: u64,
        taken: &mut Taken,
        each: impl FnMut((Grid, Grid)) -> Result<(), TaskError>,
    ) -> Result<(), TaskError> {
        let draw = |attempt: u64| {
            let stream_name = format!("{} {} {attempt}", self.rules.name(), wanted.0);
            Ok(self.rules.puzzle(&mut stream(seed, &stream_name)))
        };
        drawing::distinct(wanted, draw, |(question, _)| question.clone(), taken, each)
    }

    /// Built-in pairs of one side.
    fn built_in(
        &self,
        kind: &Kind,
        wanted: (&'static str, usize),
        taken: &mut Taken,
    ) -> Result<Vec<Pair>, TaskError> {
        let mut pairs = Vec::new();
        self.draw(wanted, self.seed, taken, |(question, answer)| {
            // A generator that breaks its own rules is found out like a file.
            let record = record(&question, &answer);
            let place = format!("generated puzzle {} of {}", pairs.len() + 1, wanted.0);
            pairs.push(Pair::read(kind, &Located { record, place })?);
            Ok(())
        })?;
        Ok(pairs)
    }
}

fn check_number(field: &'static str, n: usize) -> Result<(), TaskError> {
    if n <= N_PUZZLES_MAX {
        return Ok(());
    }
    Err(TaskError::setting(field, format!("at most {N_PUZZLES_MAX}"), n))
}

fn record(question: &Grid, answer: &Grid) -> Record {
    Record {
        source: "generated".to_owned(),
        question: question.to_text(),
        answer: answer.to_text(),
        rating: String::new(),
    }
}

impl<R: Rules + Clone + 'static> Family for Ruled<R> {
    fn vocabulary(&self) -> Vocabulary {
        canvas::vocabulary(&self.rules.alphabet())
    }

    fn n_cells(&self) -> usize {
        let (n_rows, n_columns) = self.rules.size();
        n_rows.saturating_mul(n_columns)
    }

    fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let kind = self.kind()?;
        if !data.is_empty() {
            return kind.read(&records::split(data, self.held_out, self.seed)?);
        }
        // Evaluation first: it is the same however much there is to learn from.
        let mut taken = Taken::default();
        let eval = self.built_in(&kind, ("n_eval", self.n_eval), &mut taken)?;
        let train = self.built_in(&kind, ("n_train", self.n_train), &mut taken)?;
        Ok(kind.task(train, eval))
    }

    fn open_for_eval(
        &self,
        data: &[PathBuf],
        _identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let kind = self.kind()?;
        if !data.is_empty() {
            return kind.read(&Split { train: Vec::new(), eval: records::for_eval(data)? });
        }
        let eval = self.built_in(&kind, ("n_eval", self.n_eval), &mut Taken::default())?;
        Ok(kind.task(Vec::new(), eval))
    }

    fn pose(
        &self,
        text: &str,
        place: &str,
        _identifiers: &[String],
    ) -> Result<Vec<Box<dyn Posed>>, TaskError> {
        pose::pose(self.kind()?, text, place)
    }

    fn example(&self, seed: u64) -> Result<String, TaskError> {
        self.rules.check()?;
        let (question, _) = self.rules.puzzle(&mut stream(seed, "example"));
        Ok(question.in_lines() + "\n")
    }

    fn generate(&self, n: usize, seed: u64, out: &mut dyn Write) -> Result<(), TaskError> {
        self.rules.check()?;
        let mut file = records::Writer::new(out);
        let each = |(question, answer)| file.write(&record(&question, &answer));
        self.draw(("n", n), seed, &mut Taken::default(), each)?;
        file.finish()
    }

    fn panels(&self, shown: &Shown<'_>) -> Vec<Panel> {
        characters_in_rows(&self.vocabulary(), self.rules.size().1, shown)
    }

    fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
        if n_cells == self.n_cells() {
            return Ok(self);
        }
        let expected = format!("such that a puzzle has {n_cells} cells");
        Err(TaskError::setting("rules", expected, format!("{} cells", self.n_cells())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::generated;
    use crate::{Style, Verdict};
    use hrm_base::rng::ChaCha8Rng;
    use hrm_train::task::{Predicted, RowId, RowMut};

    /// The question with every letter in upper case.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shout {
        columns: usize,
        /// Whether the generator gets it wrong.
        broken: bool,
    }

    impl Rules for Shout {
        fn name(&self) -> &'static str {
            "shout"
        }
        fn size(&self) -> (usize, usize) {
            (2, self.columns)
        }
        fn alphabet(&self) -> String {
            "abAB".to_owned()
        }
        fn puzzle(&self, rng: &mut ChaCha8Rng) -> (Grid, Grid) {
            use rand::Rng;
            let mut question = Grid::filled(2, self.columns, 'a');
            for column in 0..self.columns {
                question[(1, column)] = if rng.random() { 'a' } else { 'b' };
            }
            let answer = Grid::parse(&question.to_text().to_uppercase(), "test").unwrap();
            (question.clone(), if self.broken { question } else { answer })
        }
        fn judge(&self, question: &Grid, answer: &Grid) -> Result<(), String> {
            let mut cells = question.cells();
            match cells.find(|(at, symbol)| answer[*at] != symbol.to_ascii_uppercase()) {
                None => Ok(()),
                Some((_, symbol)) => Err(format!("{symbol} is not loud")),
            }
        }
        fn check(&self) -> Result<(), TaskError> {
            match self.columns {
                0 => Err(TaskError::setting("rules.columns", "at least 1", 0)),
                _ => Ok(()),
            }
        }
        fn preset(_preset: Preset) -> Self {
            Self { columns: 6, broken: false }
        }
    }

    fn shout() -> Ruled<Shout> {
        Ruled { n_train: 20, n_eval: 10, ..Ruled::new(Shout::preset(Preset::Tiny)) }
    }

    fn inputs(task: &dyn PuzzleTask, is_train: bool) -> Vec<Vec<u32>> {
        let examples = if is_train { task.train() } else { task.eval() };
        let write = |at| {
            let (mut inputs, mut labels) = (vec![0; task.n_cells()], vec![0; task.n_cells()]);
            let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut 0 };
            examples.write(at, row);
            inputs
        };
        examples.row_ids().map(write).collect()
    }

    #[test]
    fn built_in_puzzles_are_apart_and_repeatable() {
        let task = shout().open(&[]).unwrap();
        assert_eq!((task.name(), task.n_cells(), task.vocab_size()), ("shout", 12, 6));
        let (train, eval) = (inputs(task.as_ref(), true), inputs(task.as_ref(), false));
        assert_eq!((train.len(), eval.len()), (20, 10));
        assert!(eval.iter().all(|question| !train.contains(question)));
        assert!(task.notes().is_empty() && task.leaks().is_empty());

        let more = Ruled { n_train: 40, ..shout() }.open(&[]).unwrap();
        assert_eq!(inputs(more.as_ref(), false), eval);
        assert_eq!(inputs(shout().open_for_eval(&[], &[]).unwrap().as_ref(), false), eval);
        let other = Ruled { seed: 2, ..shout() }.open(&[]).unwrap();
        assert_ne!(inputs(other.as_ref(), false), eval);
    }

    #[test]
    fn settings_and_generators_are_checked() {
        let message = |family: Ruled<Shout>| family.open(&[]).err().unwrap().to_string();
        let none = Ruled { rules: Shout { columns: 0, broken: false }, ..shout() };
        assert_eq!(message(none), "task.rules.columns must be at least 1, found 0");
        let want = "task.held_out must be in 0..1, found 1";
        assert_eq!(message(Ruled { held_out: 1.0, ..shout() }), want);
        let want = "task.n_train must be at most 1000000, found 1000001";
        assert_eq!(message(Ruled { n_train: 1_000_001, ..shout() }), want);
        let want = "task.n_train must be at most the number of different puzzles, found 60 (only 54 \
                    came)";
        assert_eq!(message(Ruled { n_train: 60, ..shout() }), want);
        let broken = Ruled { rules: Shout { columns: 6, broken: true }, ..shout() };
        let want = "generated puzzle 1 of n_eval: field `answer`: expected an answer that obeys \
                    the rules, found a is not loud";
        assert_eq!(message(broken), want);
        assert!(shout().with_cells(12).is_ok() && shout().with_cells(13).is_err());
    }

    #[test]
    fn generated_files_are_read_and_other_files_are_judged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, generated(&shout(), 15, 3).unwrap()).unwrap();
        let task = shout().open(std::slice::from_ref(&path)).unwrap();
        assert_eq!((task.train().n_groups(), task.eval().n_groups()), (13, 2));

        let message = |question: &str, answer: &str| {
            std::fs::write(&path, format!("question,answer\n{question},{answer}\n")).unwrap();
            let opened = shout().open_for_eval(std::slice::from_ref(&path), &[]);
            let message = opened.err().map_or_else(String::new, |err| err.to_string());
            message.replace(&path.display().to_string(), "a.csv")
        };
        assert_eq!(message("aaaaaa/bbbbbb", "AAAAAA/BBBBBB"), "");
        let want = "a.csv:2: field `question`: expected 2 rows of 6 cells, found row 2 has 5 \
                    cells and not 6";
        assert_eq!(message("aaaaaa/bbbbb", "AAAAAA/BBBBB"), want);
        let want = "a.csv:2: field `answer`: expected an answer that obeys the rules, found b is \
                    not loud";
        assert_eq!(message("aaaaaa/bbbbbb", "AAAAAA/BBBBBb"), want);
        let want = "a.csv:2: field `answer`: expected an answer that obeys the rules, found row 2 \
                    has 0 cells and not 6";
        assert_eq!(message("aaaaaa/bbbbbb", "AAAAAA"), want);
    }

    #[test]
    fn answers_are_judged_by_the_rules() {
        let kind = shout().kind().unwrap();
        let text = shout().example(5).unwrap();
        let question = Grid::parse(&text, "test").unwrap();
        let right = Grid::parse(&text.to_uppercase(), "test").unwrap();
        let posed = &shout().pose(&text, "test", &[]).unwrap()[0];
        let verdict = |answer: &Grid| {
            let tokens = kind.canvas.labels(answer, "test").unwrap();
            let reply = crate::Reply { tokens, q_halt: 0.0, n_segments: 1 };
            posed.answer(&[reply], Style::Plain).verdict
        };
        assert_eq!(verdict(&right), Verdict::Valid);
        assert_eq!(verdict(&question), Verdict::Invalid("a is not loud".to_owned()));
        let ragged = Grid::parse("AA", "test").unwrap();
        let wrong = "row 1 has 2 cells and not 6".to_owned();
        assert_eq!(verdict(&ragged), Verdict::Invalid(wrong));

        let task = shout().open(&[]).unwrap();
        let inputs = kind.canvas.inputs(&question, "test").unwrap();
        let mut scorer = task.scorer();
        for answer in [&right, &question, &ragged, &right] {
            let tokens = kind.canvas.labels(answer, "test").unwrap();
            let at = RowId { group: 0, version: 0, row: 0 };
            let predicted = Predicted {
                at,
                inputs: &inputs,
                labels: &[],
                tokens: &tokens,
                sampled: None,
                q_halt: 0.0,
            };
            scorer.add(predicted).unwrap();
        }
        assert_eq!(scorer.finish().unwrap().scores, [("valid", 0.5)]);
    }
}
