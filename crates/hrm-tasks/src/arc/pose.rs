//! An ARC task somebody wants solved: asked in every version the model knows.

use std::collections::HashSet;
use std::rc::Rc;

use crate::arc::data::{Version, known_versions};
use crate::arc::draw::{Panel, side_by_side};
use crate::arc::submission::{Attempts, Submission};
use crate::arc::{Ballot, Grid, TestPair, canvas, json, library};
use crate::{Answer, Posed, Question, Reply, Style, TaskError, Verdict};

/// One test input with the versions that vote on its output.
struct PosedTest {
    /// The task.
    id: String,
    test: TestPair,
    versions: Rc<[Version]>,
    side: usize,
}

/// Every test input of the tasks in `text`, for canvases of `side` cells.
///
/// # Errors
///
/// As [`json::parse`]; also for a test input that is larger than the canvas.
pub(crate) fn pose(
    text: &str,
    place: &str,
    identifiers: &[String],
    side: usize,
) -> Result<Vec<Box<dyn Posed>>, TaskError> {
    let tasks = json::parse(text.as_bytes(), place, &library::stem(place))?;
    let ids: HashSet<&str> = tasks.iter().map(|(id, _)| id.as_str()).collect();
    let known = known_versions(identifiers, |id| ids.contains(id));

    let mut posed: Vec<Box<dyn Posed>> = Vec::new();
    for (id, task) in tasks {
        let versions: Rc<[_]> =
            known.get(&id).map_or(&[Version::UNKNOWN][..], Vec::as_slice).into();
        for (idx, test) in task.test.into_iter().enumerate() {
            if test.input.side() > side {
                let place = format!("{place}: task `{id}`, test[{idx}].input");
                let found = format!("{} by {}", test.input.n_rows(), test.input.n_cols());
                let expected = format!("a grid of at most {side} by {side}, the model's canvas");
                return Err(TaskError::malformed(place, expected, found));
            }
            let (id, versions) = (id.clone(), versions.clone());
            posed.push(Box::new(PosedTest { id, test, versions, side }));
        }
    }
    if posed.is_empty() {
        return Err(TaskError::Empty { place: place.to_owned(), what: "test pairs" });
    }
    Ok(posed)
}

impl Posed for PosedTest {
    fn questions(&self) -> Vec<Question> {
        let ask = |version: &Version| {
            let mut inputs = vec![0; self.side * self.side];
            let input = version.augmentation.apply(&self.test.input);
            canvas::place(&input, (0, 0), self.side, &mut inputs);
            Question { inputs, puzzle_id: version.puzzle_id }
        };
        self.versions.iter().map(ask).collect()
    }

    fn answer(&self, replies: &[Reply], style: Style) -> Answer {
        assert_eq!(replies.len(), self.versions.len(), "one reply per question");
        let read = |(version, reply): (&Version, &Reply)| {
            canvas::read(&reply.tokens, self.side).map(|grid| version.augmentation.undo(&grid))
        };
        let grids: Vec<Option<Grid>> = self.versions.iter().zip(replies).map(read).collect();
        let mut ballot = Ballot::default();
        for (grid, reply) in grids.iter().zip(replies) {
            if let Some(grid) = grid {
                ballot.add(grid.clone(), reply.q_halt);
            }
        }

        let ranking = ballot.ranking();
        let first = ranking.first().copied();
        let mut panels = vec![Panel::of_grid("input", &self.test.input)];
        for (heading, attempt) in ["attempt 1", "attempt 2"].into_iter().zip(&ranking) {
            panels.push(Panel::of_grid(heading, attempt));
        }
        if let Some(output) = &self.test.output {
            panels.push(Panel::of_grid("expected", output));
        }
        // The surest of the replies that voted for the first attempt, the
        // earliest among equals.
        let voted = (0..replies.len()).filter(|idx| grids[*idx].as_ref() == first);
        let surest = voted.rev().max_by(|a, b| replies[*a].q_halt.total_cmp(&replies[*b].q_halt));
        let text =
            |grid: Option<&Grid>| serde_json::to_string(&grid).expect("a grid is always JSON");
        Answer {
            puzzle: self.id.clone(),
            drawing: side_by_side(&panels, style),
            text: text(first),
            second: ranking.get(1).map(|grid| text(Some(*grid))),
            verdict: verdict(first, self.test.output.as_ref()),
            reply_idx: surest.unwrap_or(0),
        }
    }
}

/// The contest's file, of answers to test inputs in their order.
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
    use crate::arc::Augmentation;
    use crate::arc::grid::tests::grid;

    const TASK: &str = r#"{"train": [], "test": [{"input": [[1, 2]], "output": [[2, 1]]}]}"#;

    fn posed(text: &str, identifiers: &[&str]) -> Vec<Box<dyn Posed>> {
        let identifiers: Vec<_> = identifiers.iter().map(|name| name.to_string()).collect();
        pose(text, "some/abc.json", &identifiers, 3).unwrap()
    }

    /// A reply to a version, given what it means in the task's own frame.
    fn reply(version: &str, answer: &str, q_halt: f32) -> Reply {
        let augmentation = Augmentation::parse(version).map_or(Augmentation::IDENTITY, |v| v.1);
        let mut tokens = vec![0; 9];
        canvas::place(&augmentation.apply(&grid(answer)), (0, 0), 3, &mut tokens);
        Reply { tokens, q_halt, n_segments: 1 }
    }

    #[test]
    fn a_known_task_is_asked_in_every_version() {
        let turned = "abc_t1_0213456789";
        let posed = posed(TASK, &["abc", "other", "abc", turned, "other_t1_0213456789"]);
        let questions = posed[0].questions();
        let want = |ids: [u32; 9], puzzle_id| Question { inputs: ids.to_vec(), puzzle_id };
        // Identifier 0 is never a task. Colours 1 and 2 are ids 3 and 4.
        assert_eq!(
            questions,
            [want([3, 4, 1, 1, 1, 0, 0, 0, 0], 2), want([3, 1, 0, 4, 1, 0, 1, 0, 0], 3)]
        );

        let replies = [reply("abc", "22", 9.0), reply(turned, "21", -1.0)];
        let answer = posed[0].answer(&replies, Style::Plain);
        assert_eq!((answer.text.as_str(), answer.reply_idx), ("[[2,2]]", 0));
        let want = "input   attempt 1   attempt 2   expected\n12      22          21          21\n";
        assert_eq!(answer.drawing, want);
        assert_eq!(answer.verdict, Verdict::Invalid("1 of 2 cells differ from the label".into()));

        let replies = [reply("abc", "21", -9.0), reply(turned, "21", -1.0)];
        let answer = posed[0].answer(&replies, Style::Plain);
        assert_eq!((answer.verdict, answer.reply_idx), (Verdict::Expected, 1));
    }

    #[test]
    fn an_unknown_task_is_asked_once() {
        let text = r#"{"x": {"train": [], "test": [{"input": [[1]]}, {"input": [[2]]}]}}"#;
        let posed = posed(text, &["<blank>", "abc"]);
        assert_eq!(posed.len(), 2);
        let want = Question { inputs: vec![4, 1, 0, 1, 0, 0, 0, 0, 0], puzzle_id: 0 };
        assert_eq!(posed[1].questions(), [want]);

        let answer = posed[1].answer(&[reply("x", "7", 0.0)], Style::Plain);
        assert_eq!((answer.text.as_str(), answer.reply_idx), ("[[7]]", 0));
        let reason = "ARC answers can only be checked against a label";
        assert_eq!(answer.verdict, Verdict::Unchecked(reason.into()));
    }

    #[test]
    fn replies_that_are_no_grids_do_not_vote() {
        let posed = posed(TASK, &["<blank>", "abc", "abc_t2_0123456789"]);
        let empty = Reply { tokens: vec![1; 9], q_halt: 5.0, n_segments: 1 };
        let answer = posed[0].answer(&[empty.clone(), empty.clone()], Style::Plain);
        assert_eq!((answer.text.as_str(), answer.reply_idx), ("null", 0));
        assert_eq!(answer.drawing, "input   expected\n12      21\n");
        assert_eq!(answer.verdict, Verdict::Invalid("the answer is not a grid".into()));

        let replies = [empty, reply("abc_t2_0123456789", "1 2 3", 0.0)];
        let answer = posed[0].answer(&replies, Style::Plain);
        assert_eq!((answer.text.as_str(), answer.reply_idx), ("[[1],[2],[3]]", 1));
        let broken = "the answer is 3 by 1, the label 1 by 2";
        assert_eq!(answer.verdict, Verdict::Invalid(broken.into()));
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let message = |text: &str| pose(text, "abc", &[], 1).err().unwrap().to_string();
        let want = "abc: task `abc`, test[0].input: \
                    expected a grid of at most 1 by 1, the model's canvas, found 1 by 2";
        assert_eq!(message(TASK), want);
        assert_eq!(message(r#"{"train": [], "test": []}"#), "abc holds no test pairs");
        assert_eq!(message("?"), "abc:1:1: expected a JSON object, found expected value");
    }
}
