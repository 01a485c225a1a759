//! Queries for ARC tasks: the model predicts the output in every version that it knows, and
//! the predictions vote.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use hrm_core::PuzzleInput;
use hrm_puzzles::arc::json::{ArcTask, Found, Listed, Refused};
use hrm_puzzles::arc::submission::{Attempts, Submission};
use hrm_puzzles::arc::{Grid, TestPair, TextPanel, json, library, side_by_side};
use hrm_puzzles::{Style, Verdict, clipped};

use super::examples::{Version, known_versions};
use super::{Ballot, canvas};
use crate::{Answer, ModelOutput, Query, TaskError};

/// One test input with the versions that vote on its output.
struct TestQuery {
    /// The task.
    id: String,
    test: TestPair,
    versions: Rc<[Version]>,
    side: usize,
}

/// A query for every test input of the tasks in `text`, on canvases of `side` by `side`
/// cells.
///
/// # Errors
///
/// As [`json::read`], [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) for
/// different tasks with the same id, or if the model can be asked about no test input,
/// [`PuzzleError::Empty`](hrm_puzzles::PuzzleError::Empty) without test inputs.
pub(crate) fn parse(
    text: &str,
    place: &str,
    identifiers: &[String],
    side: usize,
) -> Result<Vec<Box<dyn Query>>, TaskError> {
    let tasks = json::read(text.as_bytes(), place, &library::stem(place))?;
    of_tasks(json::tasks(tasks, place)?, place, identifiers, side)
}

/// A query for every test input of tasks; messages call their origin `place`.
///
/// # Errors
///
/// As [`parse`], except that the tasks have been read.
pub(crate) fn of_tasks(
    tasks: Vec<Listed>,
    place: &str,
    identifiers: &[String],
    side: usize,
) -> Result<Vec<Box<dyn Query>>, TaskError> {
    let tasks = by_id(tasks, place)?;
    let ids: HashSet<&str> = tasks.iter().map(|(id, _)| id.as_str()).collect();
    let known = known_versions(identifiers, |id| ids.contains(id));

    let mut queries: Vec<Box<dyn Query>> = Vec::new();
    let mut first_refusal = None;
    let mut n_answerable = 0;
    for (id, task) in tasks {
        // The train pairs are not shown to the model.
        let tests = match task {
            Found::Task(ArcTask { test, .. }) | Found::Refused(Refused { tests: Ok(test), .. }) => {
                test
            }
            Found::Refused(Refused { error, tests: Err(n_tests), .. }) => {
                // A task whose test pairs cannot be counted is named too.
                for _ in 0..n_tests.max(1) {
                    let reason = error.to_string();
                    queries.push(Box::new(RefusedTest { id: id.clone(), reason }));
                }
                first_refusal = first_refusal.or(Some(TaskError::from(error)));
                continue;
            }
        };
        let versions: Rc<[_]> =
            known.get(&id).map_or(&[Version::UNKNOWN][..], Vec::as_slice).into();
        for (idx, test) in tests.into_iter().enumerate() {
            if test.input.side() > side {
                let place = format!("{place}: task `{id}`, test[{idx}].input");
                let found = format!("{} by {}", test.input.n_rows(), test.input.n_cols());
                let expected = format!("a grid of at most {side} by {side}, the model's canvas");
                let error = TaskError::malformed(place, expected, found);
                queries.push(Box::new(RefusedTest { id: id.clone(), reason: error.to_string() }));
                first_refusal = first_refusal.or(Some(error));
                continue;
            }
            n_answerable += 1;
            let (id, versions) = (id.clone(), versions.clone());
            queries.push(Box::new(TestQuery { id, test, versions, side }));
        }
    }
    if queries.is_empty() {
        return Err(TaskError::empty(place, "test pairs"));
    }
    match first_refusal {
        Some(error) if n_answerable == 0 => Err(error),
        _ => Ok(queries),
    }
}

/// Tasks, each with its id. A task that is repeated counts once.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) for different tasks with the
/// same id: a submission has answers by id.
fn by_id(tasks: Vec<Listed>, place: &str) -> Result<Vec<(String, Found)>, TaskError> {
    let mut found: Vec<(String, Found)> = Vec::with_capacity(tasks.len());
    let mut known: HashMap<String, usize> = HashMap::new();
    for Listed { id, task, .. } in tasks {
        match (known.get(&id).map(|idx| &found[*idx].1), &task) {
            (None, _) => {
                known.insert(id.clone(), found.len());
                found.push((id, task));
            }
            (Some(Found::Task(first)), Found::Task(task)) if first == task => {}
            (Some(_), _) => {
                let place = format!("{place}: task `{}`", clipped(&id));
                let different = "different ones; give each an id of its own";
                return Err(TaskError::malformed(place, "one task with this id", different));
            }
        }
    }
    Ok(found)
}

/// A test input that the model cannot be asked about, because it is malformed or too large. It
/// is submitted as a task without candidates.
struct RefusedTest {
    id: String,
    reason: String,
}

impl Query for RefusedTest {
    fn inputs(&self) -> Vec<PuzzleInput> {
        Vec::new()
    }

    fn refusal(&self) -> Option<&str> {
        Some(&self.reason)
    }

    fn answer(&self, outputs: &[ModelOutput], _: Style) -> Answer {
        assert!(outputs.is_empty(), "one output per input");
        Answer {
            puzzle: self.id.clone(),
            drawing: String::new(),
            text: "null".to_owned(),
            second: None,
            verdict: Verdict::Unchecked(format!("not answered: {}", self.reason)),
            n_segments: 0,
        }
    }
}

impl Query for TestQuery {
    fn inputs(&self) -> Vec<PuzzleInput> {
        let input = |version: &Version| {
            let mut tokens = vec![0; self.side * self.side];
            let grid = version.augmentation.apply(&self.test.input);
            canvas::place(&grid, (0, 0), self.side, &mut tokens);
            PuzzleInput { tokens, puzzle_id: version.puzzle_id }
        };
        self.versions.iter().map(input).collect()
    }

    fn n_inputs(&self) -> usize {
        self.versions.len()
    }

    fn answer(&self, outputs: &[ModelOutput], style: Style) -> Answer {
        assert_eq!(outputs.len(), self.versions.len(), "one output per input");
        let read = |(version, output): (&Version, &ModelOutput)| {
            canvas::read(&output.tokens, self.side).map(|grid| version.augmentation.undo(&grid))
        };
        let grids: Vec<Option<Grid>> = self.versions.iter().zip(outputs).map(read).collect();
        let mut ballot = Ballot::default();
        for (grid, output) in grids.iter().zip(outputs) {
            if let Some(grid) = grid {
                ballot.add(grid.clone(), output.q_halt);
            }
        }

        let ranking = ballot.ranking();
        let first = ranking.first().copied();
        let mut panels = vec![TextPanel::of_grid("input", &self.test.input)];
        for (heading, attempt) in ["attempt 1", "attempt 2"].into_iter().zip(&ranking) {
            panels.push(TextPanel::of_grid(heading, attempt));
        }
        if let Some(output) = &self.test.output {
            panels.push(TextPanel::of_grid("expected", output));
        }
        // Among the outputs that voted for the first attempt, the one with the highest
        // confidence, and the earliest of equals.
        let voted = (0..outputs.len()).filter(|idx| grids[*idx].as_ref() == first);
        let chosen = voted.rev().max_by(|a, b| outputs[*a].q_halt.total_cmp(&outputs[*b].q_halt));
        let text =
            |grid: Option<&Grid>| serde_json::to_string(&grid).expect("a grid is always JSON");
        Answer {
            puzzle: self.id.clone(),
            drawing: side_by_side(&panels, style),
            text: text(first),
            second: ranking.get(1).map(|grid| text(Some(*grid))),
            verdict: verdict(first, self.test.output.as_ref()),
            n_segments: outputs.get(chosen.unwrap_or(0)).map_or(0, |output| output.n_segments),
        }
    }
}

/// A contest submission with the answers to test inputs, in order.
pub(crate) fn submission(answers: &[Answer]) -> Submission {
    let mut submission = Submission::new();
    for answer in answers {
        let texts = [Some(&answer.text), answer.second.as_ref()].into_iter().flatten();
        let grids: Vec<Grid> = texts.filter_map(|text| json::parse_grid(text)).collect();
        let attempts = Attempts::new(&grids.iter().collect::<Vec<_>>());
        submission.entry(answer.puzzle.clone()).or_default().push(attempts);
    }
    submission
}

/// Compares an attempt with the expected output, if that is known.
fn verdict(attempt: Option<&Grid>, expected: Option<&Grid>) -> Verdict {
    let Some(expected) = expected else {
        let reason = "ARC answers can only be checked against a label";
        return Verdict::Unchecked(reason.to_owned());
    };
    let size = |grid: &Grid| (grid.n_rows(), grid.n_cols());
    match attempt {
        None => Verdict::Invalid("the answer is not a grid".to_owned()),
        Some(attempt) if attempt == expected => Verdict::Expected,
        Some(attempt) if size(attempt) != size(expected) => {
            let ((n_rows, n_cols), want) = (size(attempt), size(expected));
            Verdict::Invalid(format!(
                "the answer is {n_rows} by {n_cols}, the label {} by {}",
                want.0, want.1
            ))
        }
        Some(attempt) => {
            let cells = attempt.cells().iter().zip(expected.cells());
            let n_wrong = cells.filter(|(found, want)| found != want).count();
            let n_cells = expected.cells().len();
            Verdict::Invalid(format!("{n_wrong} of {n_cells} cells differ from the label"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::tests::grid;
    use hrm_puzzles::arc::Augmentation;

    const TASK: &str = r#"{"train": [], "test": [{"input": [[1, 2]], "output": [[2, 1]]}]}"#;

    fn queries(text: &str, identifiers: &[&str]) -> Vec<Box<dyn Query>> {
        let identifiers: Vec<_> = identifiers.iter().map(|name| name.to_string()).collect();
        parse(text, "some/abc.json", &identifiers, 3).unwrap()
    }

    /// The model's output for a version, given the answer with its augmentation undone.
    fn output(version: &str, answer: &str, q_halt: f32) -> ModelOutput {
        let augmentation = Augmentation::parse(version).map_or(Augmentation::IDENTITY, |v| v.1);
        let mut tokens = vec![0; 9];
        canvas::place(&augmentation.apply(&grid(answer)), (0, 0), 3, &mut tokens);
        ModelOutput { tokens, q_halt, n_segments: 1 }
    }

    /// Outputs that differ in their number of segments: 1, 2, ...
    fn numbered<const N: usize>(mut outputs: [ModelOutput; N]) -> [ModelOutput; N] {
        for (output, n_segments) in outputs.iter_mut().zip(1..) {
            output.n_segments = n_segments;
        }
        outputs
    }

    #[test]
    fn a_known_task_is_queried_in_every_known_version() {
        let turned = "abc_t1_0213456789";
        let queries = queries(TASK, &["abc", "other", "abc", turned, "other_t1_0213456789"]);
        let inputs = queries[0].inputs();
        let want = |ids: [u32; 9], puzzle_id| PuzzleInput { tokens: ids.to_vec(), puzzle_id };
        // Identifier 0 is never a task. Colours 1 and 2 are ids 3 and 4.
        assert_eq!(
            inputs,
            [want([3, 4, 1, 1, 1, 0, 0, 0, 0], 2), want([3, 1, 0, 4, 1, 0, 1, 0, 0], 3)]
        );

        let outputs = numbered([output("abc", "22", 9.0), output(turned, "21", -1.0)]);
        let answer = queries[0].answer(&outputs, Style::Plain);
        assert_eq!((answer.text.as_str(), answer.n_segments), ("[[2,2]]", 1));
        let want = "input   attempt 1   attempt 2   expected\n12      22          21          21\n";
        assert_eq!(answer.drawing, want);
        assert_eq!(answer.verdict, Verdict::Invalid("1 of 2 cells differ from the label".into()));

        let outputs = numbered([output("abc", "21", -9.0), output(turned, "21", -1.0)]);
        let answer = queries[0].answer(&outputs, Style::Plain);
        assert_eq!((answer.verdict, answer.n_segments), (Verdict::Expected, 2));
    }

    #[test]
    fn an_unknown_task_is_queried_once() {
        let text = r#"{"x": {"train": [], "test": [{"input": [[1]]}, {"input": [[2]]}]}}"#;
        let queries = queries(text, &["<blank>", "abc"]);
        assert_eq!(queries.len(), 2);
        let want = PuzzleInput { tokens: vec![4, 1, 0, 1, 0, 0, 0, 0, 0], puzzle_id: 0 };
        assert_eq!(queries[1].inputs(), [want]);

        let answer = queries[1].answer(&numbered([output("x", "7", 0.0)]), Style::Plain);
        assert_eq!((answer.text.as_str(), answer.n_segments), ("[[7]]", 1));
        let reason = "ARC answers can only be checked against a label";
        assert_eq!(answer.verdict, Verdict::Unchecked(reason.into()));
    }

    #[test]
    fn outputs_without_a_grid_do_not_vote() {
        let queries = queries(TASK, &["<blank>", "abc", "abc_t2_0123456789"]);
        let empty = ModelOutput { tokens: vec![1; 9], q_halt: 5.0, n_segments: 1 };
        let answer = queries[0].answer(&numbered([empty.clone(), empty.clone()]), Style::Plain);
        assert_eq!((answer.text.as_str(), answer.n_segments), ("null", 1));
        assert_eq!(answer.drawing, "input   expected\n12      21\n");
        assert_eq!(answer.verdict, Verdict::Invalid("the answer is not a grid".into()));

        let outputs = numbered([empty, output("abc_t2_0123456789", "1 2 3", 0.0)]);
        let answer = queries[0].answer(&outputs, Style::Plain);
        assert_eq!((answer.text.as_str(), answer.n_segments), ("[[1],[2],[3]]", 2));
        let broken = "the answer is 3 by 1, the label 1 by 2";
        assert_eq!(answer.verdict, Verdict::Invalid(broken.into()));
    }

    #[test]
    fn a_task_that_is_too_large_leaves_the_others() {
        let wide = format!("[[{}1]]", "1,".repeat(30));
        let text = format!(
            r#"{{"a": {{"train": [], "test": [{{"input": [[1, 2, 3, 4]], "output": null}}]}},
                "b": {TASK},
                "c": {{"train": [], "test": [{{"input": [[1]]}}, {{"input": {wide}}}]}}}}"#
        );
        let queries = queries(&text, &[]);
        let refused: Vec<_> = queries.iter().map(|query| query.refusal().is_some()).collect();
        assert_eq!(refused, [true, false, true, true]);
        let want = "some/abc.json: task `a`, test[0].input: \
                    expected a grid of at most 3 by 3, the model's canvas, found 1 by 4";
        assert_eq!(queries[0].refusal(), Some(want));
        let outputs = [output("b", "21", 0.0)];
        let answers: Vec<_> = queries
            .iter()
            .map(|query| query.answer(&outputs[..query.n_inputs()], Style::Plain))
            .collect();
        // Every test input has its place in a submission.
        let text = hrm_puzzles::arc::submission::to_json(&submission(&answers));
        let black = r#"{"attempt_1":[[0]],"attempt_2":[[0]]}"#;
        let answer = r#"{"attempt_1":[[2,1]],"attempt_2":[[2,1]]}"#;
        let want = format!("{{\"a\":[{black}],\"b\":[{answer}],\"c\":[{black},{black}]}}\n");
        assert_eq!(text, want);
    }

    #[test]
    fn a_malformed_task_leaves_the_others() {
        let ragged = r#"{"train": [], "test": [{"input": [[1, 2], [3]]}, {"input": [[1]]}]}"#;
        let wrong_train = r#"{"train": [{"input": "no", "output": [[1]]}],
                              "test": [{"input": [[1, 2]]}]}"#;
        let text = format!(
            r#"{{"a": {ragged}, "b": {TASK}, "c": {wrong_train}, "d": {{"train": [], "test": 3}}}}"#
        );
        let queries = queries(&text, &[]);
        let refused: Vec<_> = queries.iter().map(|query| query.refusal()).collect();
        let want = "some/abc.json: task `a`, test[0].input, row 2: \
                    expected as many colours as in row 1 (2), found 1";
        let of_d = "some/abc.json: task `d`, test: expected an array of pairs, found the number 3";
        assert_eq!(refused, [Some(want), Some(want), None, None, Some(of_d)]);
        let err = parse(&format!(r#"{{"a": {ragged}}}"#), "abc", &[], 3).err().unwrap();
        assert!(err.to_string().starts_with("abc: task `a`, test[0].input, row 2"), "{err}");
    }

    #[test]
    fn an_id_stands_for_one_task() {
        let line = |colour: u8| {
            format!(r#"{{"id": "q", "train": [], "test": [{{"input": [[{colour}]]}}]}}"#)
        };
        let text = [line(1), line(1)].join("\n");
        assert_eq!(queries(&text, &[]).len(), 1);
        let text = [line(1), line(2)].join("\n");
        let want = "abc: task `q`: expected one task with this id, \
                    found different ones; give each an id of its own";
        assert_eq!(parse(&text, "abc", &[], 3).err().unwrap().to_string(), want);
    }

    #[test]
    fn unusable_queries_are_rejected() {
        let message = |text: &str| parse(text, "abc", &[], 1).err().unwrap().to_string();
        let want = "abc: task `abc`, test[0].input: \
                    expected a grid of at most 1 by 1, the model's canvas, found 1 by 2";
        assert_eq!(message(TASK), want);
        assert_eq!(message(r#"{"train": [], "test": []}"#), "abc holds no test pairs");
        assert_eq!(message("?"), "abc:1:1: expected a JSON object, found '?'");
    }
}
