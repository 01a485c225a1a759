//! Grids from files alone, and grids with rules.

use std::path::{Path, PathBuf};

use hrm_base::rng::ChaCha8Rng;
use hrm_puzzles::grid::{Grid, Rules};
use hrm_puzzles::{PuzzleError, Style, Verdict};
use hrm_train::task::{Prediction, RowId, RowMut};
use serde::{Deserialize, Serialize};

use super::pair::CharacterGrid;
use super::{GridConfig, Ruled};
use crate::traits::tests::generated;
use crate::{DataSource, Encoding, FitToData, Generate, ModelOutput, PuzzleTask, Queries};

fn preset() -> GridConfig {
    GridConfig {
        alphabet: String::new(),
        rows: 0,
        columns: 0,
        seed: 1,
        held_out: 0.1,
        table_columns: String::new(),
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Grids of several shapes in a file with its columns in another order and one column more.
const RAGGED: &str = "\
    id,answer,question\n\
    1,ba/b,ab/b\n\
    2,\"ef\u{301}g\n/\",\"象_\n\n /\n\"\n\
    3,🙂,🙂🙂🙂🙂\n";

#[test]
fn alphabet_and_canvas_are_taken_from_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.csv", RAGGED);
    let config = preset().fitted_to(std::slice::from_ref(&path)).unwrap();
    assert_eq!(config.alphabet, " /_abefg\u{301}象🙂");
    assert_eq!((config.rows, config.columns, config.n_cells()), (3, 4, 12));
    assert_eq!(config.vocabulary().len(), 2 + 11);

    let task = config.open(std::slice::from_ref(&path)).unwrap();
    assert_eq!((task.n_cells(), task.vocab_size(), task.n_puzzle_ids()), (12, 13, 1));
    assert_eq!((task.train().n_groups(), task.eval().n_groups()), (2, 1));
    let [columns, sizes, ..] = &task.notes()[..] else { panic!("two notes") };
    assert!(columns.ends_with("question = question, answer = answer; not read: id"), "{columns}");
    assert_eq!(sizes, "grids of up to 3 by 4, number of characters: 11");
    let stats = task.stats();
    let figure = |name: &str| stats.iter().find(|(n, _)| n == name).unwrap().1;
    assert_eq!((figure("cells of a question min"), figure("cells of an answer max")), (3.0, 5.0));
    assert_eq!(figure("cells that change min"), 0.0);
    let sizes = &task.distributions()[1];
    assert_eq!(sizes.name, "answer size");
    let want = [("1 by 1", 1), ("2 by 2", 1), ("2 by 4", 1)];
    assert_eq!(sizes.bins, want.map(|(size, n)| (size.to_owned(), n)));

    // All settings are stored with a checkpoint.
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<GridConfig>(&text).unwrap(), config);
}

#[test]
fn rows_hold_the_puzzles_of_the_file() {
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
        ["characters in evaluation puzzles but in no training puzzle: 2"]
    );
}

#[test]
fn puzzles_that_do_not_fit_the_model_are_reported_with_file_and_line() {
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
    let want = format!("{question} one of the characters \"ab\", found 'c' at row 1, column 2");
    assert_eq!(message("ac,ab"), want);
    let want = "b.csv:3: field `answer`: expected a grid of at most 1 by 2, found 2 by 1";
    assert_eq!(message("ab,a/b"), want);
    assert_eq!(message(",ab"), format!("{question} at least one cell, found none"));
    assert_eq!(message("ab"), "b.csv:3: expected as many fields as in the header (2), found 1");
    // Every line of a record that spans several lines is counted.
    let want = "b.csv:5: field `answer`: expected at least one cell, found none";
    assert_eq!(message("\"a\n\",ab\na,"), want);
    let message = config.parse_queries("ab\n\nax", "p.txt", &[]).err().unwrap().to_string();
    let want = "p.txt:3: expected one of the characters \"ab\", found 'x' at row 1, column 2";
    assert_eq!(message, want);
}

#[test]
fn settings_out_of_range_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.csv", "question,answer\nab,ba\n");
    let message = |change: fn(&mut GridConfig)| {
        let mut config = preset().fitted_to(std::slice::from_ref(&path)).unwrap();
        change(&mut config);
        let message = config.open(std::slice::from_ref(&path)).err().unwrap().to_string();
        message.replace(&path.display().to_string(), "a.csv")
    };
    assert_eq!(message(|c| c.rows = 0), "task.rows must be at least 1, found 0");
    let want = "task.columns must be at most 65536 if task.rows is 1, found 65537";
    assert_eq!(message(|c| c.columns = 65_537), want);
    assert!(message(|c| c.columns = usize::MAX).starts_with("task.columns must be"));
    assert_eq!(
        message(|c| c.held_out = 1.0),
        "task.held_out must be at least 0 and less than 1, found 1"
    );
    let want = "task.alphabet must be printable characters, each once, found 'a'";
    assert_eq!(message(|c| c.alphabet = "aba".to_owned()), want);
    let want = "task.alphabet must be at least one character, found none";
    assert_eq!(message(|c| c.alphabet.clear()), want);
    let want = "a.csv:2: field `question`: expected a grid of at most 1 by 1, found 1 by 2";
    assert_eq!(message(|c| c.columns = 1), want);
}

#[test]
fn opening_without_data_is_an_error() {
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

fn kind() -> GridConfig {
    GridConfig { alphabet: "ab/".to_owned(), rows: 2, columns: 3, ..preset() }
}

fn answer(question: &str, answer: &str) -> crate::Answer {
    let queries = kind().parse_queries(question, "f", &[]).unwrap();
    let answer = Grid::parse(answer, "test").unwrap();
    let tokens = kind().canvas().labels(&answer, "test").unwrap();
    queries[0].answer(&[ModelOutput { tokens, q_halt: 0.0, n_segments: 1 }], Style::Plain)
}

#[test]
fn queries_that_do_not_fit_the_model_are_rejected_with_their_line() {
    let message = |text: &str| kind().parse_queries(text, "f", &[]).err().unwrap().to_string();
    assert_eq!(message("\n \n\n"), "f holds no puzzles");
    assert_eq!(message("a\n\nabba"), "f:3: expected a grid of at most 2 by 3, found 1 by 4");
    let want = "f:2: field `question`: expected one of the characters \"ab/\", found 'x' at row 1, \
                column 1";
    assert_eq!(message("question\nx\n"), want);
}

#[test]
fn answers_have_the_form_of_their_question() {
    assert_eq!(answer("a", "ab/b").text, "ab/b");
    assert_eq!(answer("a\nb", "ab/b").text, "ab\nb");
    assert_eq!(answer("a\nb", "ab/b").drawing, "|a|   |ab|\n|b|   |b|\n");
}

#[test]
fn without_rules_answers_are_checked_against_the_label() {
    let verdict = |question: &str, found: &str| answer(question, found).verdict;
    let unchecked = "without rules, answers can only be checked against a label".to_owned();
    assert_eq!(verdict("ab", "ba"), Verdict::Unchecked(unchecked));
    let labelled = "question,answer\nab/b,ba/a\n";
    assert_eq!(verdict(labelled, "ba/a"), Verdict::Expected);
    let wrong = "1 of 3 cells differ from the label".to_owned();
    assert_eq!(verdict(labelled, "ba/b"), Verdict::Invalid(wrong));
    let wrong = "row 2 has length 0, not 1".to_owned();
    assert_eq!(verdict(labelled, "ba"), Verdict::Invalid(wrong));
}

/// The question with every letter in upper case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shout {
    columns: usize,
    /// Whether the generator gives wrong answers.
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
    fn check_answer(&self, question: &Grid, answer: &Grid) -> Result<(), String> {
        let mut cells = question.cells();
        match cells.find(|(at, symbol)| answer[*at] != symbol.to_ascii_uppercase()) {
            None => Ok(()),
            Some((_, symbol)) => Err(format!("{symbol} is not loud")),
        }
    }
    fn check_settings(&self) -> Result<(), PuzzleError> {
        match self.columns {
            0 => Err(PuzzleError::setting("rules.columns", "at least 1", 0)),
            _ => Ok(()),
        }
    }
}

fn shout() -> Ruled<Shout> {
    Ruled { n_train: 20, n_eval: 10, ..Ruled::new(Shout { columns: 6, broken: false }) }
}

fn questions(task: &dyn PuzzleTask, is_train: bool) -> Vec<Vec<u32>> {
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
fn built_in_sides_are_disjoint_and_reproducible() {
    let task = shout().open(&[]).unwrap();
    assert_eq!((task.name(), task.n_cells(), task.vocab_size()), ("shout", 12, 6));
    let (train, eval) = (questions(task.as_ref(), true), questions(task.as_ref(), false));
    assert_eq!((train.len(), eval.len()), (20, 10));
    assert!(eval.iter().all(|question| !train.contains(question)));
    assert!(task.notes().is_empty() && task.leaks().is_empty());

    let more = Ruled { n_train: 40, ..shout() }.open(&[]).unwrap();
    assert_eq!(questions(more.as_ref(), false), eval);
    assert_eq!(questions(shout().open_for_eval(&[], &[]).unwrap().as_ref(), false), eval);
    let other = Ruled { seed: 2, ..shout() }.open(&[]).unwrap();
    assert_ne!(questions(other.as_ref(), false), eval);
}

#[test]
fn settings_and_generators_are_checked() {
    let message = |kind: Ruled<Shout>| kind.open(&[]).err().unwrap().to_string();
    let none = Ruled { rules: Shout { columns: 0, broken: false }, ..shout() };
    assert_eq!(message(none), "task.rules.columns must be at least 1, found 0");
    let want = "task.held_out must be at least 0 and less than 1, found 1";
    assert_eq!(message(Ruled { held_out: 1.0, ..shout() }), want);
    let want = "task.n_train must be at most 1000000, found 1000001";
    assert_eq!(message(Ruled { n_train: 1_000_001, ..shout() }), want);
    let want = "task.n_train must be at most the number of distinct puzzles, found 60 \
                (distinct puzzles found: 54)";
    assert_eq!(message(Ruled { n_train: 60, ..shout() }), want);
    let broken = Ruled { rules: Shout { columns: 6, broken: true }, ..shout() };
    let want = "answer of a generated puzzle: expected an answer that obeys the rules, found a is \
                not loud";
    assert_eq!(message(broken), want);
    assert!(shout().with_cells(12).is_ok() && shout().with_cells(13).is_err());
}

#[test]
fn generated_files_are_read_and_other_files_are_checked() {
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
    let want = "a.csv:2: field `question`: expected a grid of 2 by 6, found row 2 has length 5, \
                not 6";
    assert_eq!(message("aaaaaa/bbbbb", "AAAAAA/BBBBB"), want);
    let want = "a.csv:2: field `answer`: expected an answer that obeys the rules, found b is \
                not loud";
    assert_eq!(message("aaaaaa/bbbbbb", "AAAAAA/BBBBBb"), want);
    let want = "a.csv:2: field `answer`: expected an answer that obeys the rules, found row 2 \
                has length 0, not 6";
    assert_eq!(message("aaaaaa/bbbbbb", "AAAAAA"), want);
}

#[test]
fn answers_are_checked_by_the_rules() {
    let canvas = shout().canvas();
    let text = shout().example(5).unwrap();
    let question = Grid::parse(&text, "test").unwrap();
    let right = Grid::parse(&text.to_uppercase(), "test").unwrap();
    let query = &shout().parse_queries(&text, "test", &[]).unwrap()[0];
    let verdict = |answer: &Grid| {
        let tokens = canvas.labels(answer, "test").unwrap();
        let output = ModelOutput { tokens, q_halt: 0.0, n_segments: 1 };
        query.answer(&[output], Style::Plain).verdict
    };
    assert_eq!(verdict(&right), Verdict::Valid);
    assert_eq!(verdict(&question), Verdict::Invalid("a is not loud".to_owned()));
    let ragged = Grid::parse("AA", "test").unwrap();
    let wrong = "row 1 has length 2, not 6".to_owned();
    assert_eq!(verdict(&ragged), Verdict::Invalid(wrong));

    let task = shout().open(&[]).unwrap();
    let inputs = canvas.inputs(&question, "test").unwrap();
    let mut scorer = task.scorer();
    for answer in [&right, &question, &ragged, &right] {
        let tokens = canvas.labels(answer, "test").unwrap();
        let at = RowId { group: 0, version: 0, row: 0 };
        let predicted = Prediction {
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
