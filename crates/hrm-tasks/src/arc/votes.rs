//! Votes of all versions of the evaluation tasks, and the scores that follow from them.

use hrm_puzzles::arc::submission::{self, Attempts, Submission};
use hrm_puzzles::arc::{Augmentation, Grid};
use hrm_train::task::{Document, Prediction, Report, ScoreError};

use super::spilled_votes::SpilledVotes;
use super::{Ballot, canvas};

/// Number of attempts, and the names of its two scores. In the first a task counts if all
/// its test outputs are right; in the second it counts by the share of right outputs.
const TRIES: [(usize, &str, &str); 6] = [
    (1, "pass@1", "pass@1 partial"),
    (2, "pass@2", "pass@2 partial"),
    (5, "pass@5", "pass@5 partial"),
    (10, "pass@10", "pass@10 partial"),
    (100, "pass@100", "pass@100 partial"),
    (1000, "pass@1000", "pass@1000 partial"),
];

/// Memory for votes, in bytes. When it is full, votes move to disk.
const N_BYTES_MAX: usize = 256 << 20;

/// Whether a vote is the model's most likely answer or a sampled one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Vote {
    Likely,
    Sampled,
}

/// The result of one task.
struct TaskScore {
    id: String,
    /// For each test input, the rank of the right output among the candidates, 0 for the
    /// best, and the number of candidates.
    places: Vec<(Option<usize>, usize)>,
    /// Number of votes over all test inputs.
    n_votes: usize,
}

impl TaskScore {
    /// Share of the test outputs that are among the first `n_tries` candidates.
    fn share(&self, n_tries: usize) -> f64 {
        let is_right = |place: &&(Option<usize>, usize)| place.0.is_some_and(|at| at < n_tries);
        self.places.iter().filter(is_right).count() as f64 / self.places.len().max(1) as f64
    }
}

/// One task with the outputs of its test inputs, where they are known.
struct TaskOutputs {
    id: String,
    outputs: Vec<Option<Grid>>,
    /// Answers of the model to each test input, readable or not.
    n_answers: Vec<usize>,
}

/// The votes on the test inputs of some tasks.
///
/// Scores are means over the tasks. A test input without a single readable vote counts as
/// wrong.
pub(crate) struct TaskVotes {
    /// Cells on each side of the canvas.
    side: usize,
    tasks: Vec<TaskOutputs>,
    /// By task and test input.
    ballots: SpilledVotes<(usize, usize, Vote)>,
}

impl TaskVotes {
    /// No tasks yet, for canvases of `side` by `side` cells.
    pub(crate) fn new(side: usize) -> Self {
        Self { side, tasks: Vec::new(), ballots: SpilledVotes::new(N_BYTES_MAX) }
    }

    /// Adds a task without test inputs. Returns its index.
    pub(crate) fn task(&mut self, id: &str) -> usize {
        self.tasks.push(TaskOutputs {
            id: id.to_owned(),
            outputs: Vec::new(),
            n_answers: Vec::new(),
        });
        self.tasks.len() - 1
    }

    /// Adds a test input to a task. Returns its index in the task.
    pub(crate) fn test(&mut self, task: usize, output: Option<Grid>) -> usize {
        let TaskOutputs { outputs, n_answers, .. } = &mut self.tasks[task];
        outputs.push(output);
        n_answers.push(0);
        outputs.len() - 1
    }

    /// Counts the model's prediction for one version of a test input.
    ///
    /// # Errors
    ///
    /// If votes cannot be written to disk.
    pub(crate) fn vote(
        &mut self,
        (task, test): (usize, usize),
        augmentation: &Augmentation,
        predicted: &Prediction<'_>,
    ) -> std::io::Result<()> {
        let answers = [(Vote::Likely, Some(predicted.tokens)), (Vote::Sampled, predicted.sampled)];
        for (vote, tokens) in answers {
            let Some(tokens) = tokens else { continue };
            self.tasks[task].n_answers[test] += 1;
            let Some(grid) = canvas::read(tokens, self.side) else { continue };
            self.ballots.add((task, test, vote), augmentation.undo(&grid), predicted.q_halt)?;
        }
        Ok(())
    }

    /// Counts the votes on one task.
    fn count(&mut self, task: usize) -> std::io::Result<(TaskScore, Vec<Attempts>)> {
        let TaskOutputs { id, outputs, .. } = &self.tasks[task];
        let mut score = TaskScore { id: id.clone(), places: Vec::new(), n_votes: 0 };
        let mut attempts = Vec::new();
        for (test, output) in outputs.iter().enumerate() {
            let likely = self.ballots.take((task, test, Vote::Likely))?;
            let sampled = self.ballots.take((task, test, Vote::Sampled))?;
            let candidates: Vec<&Grid> = candidates(&likely, &sampled);
            let place = candidates.iter().position(|grid| Some(*grid) == output.as_ref());
            score.places.push((place, candidates.len()));
            score.n_votes += likely.n_votes() + sampled.n_votes();
            attempts.push(Attempts::new(&candidates));
        }
        Ok((score, attempts))
    }

    /// Names of the scores that cannot differ from another one: those with more attempts
    /// than a test input can have candidates, and partial ones if no task has several test
    /// inputs.
    fn redundant(&self) -> Vec<&'static str> {
        let n_candidates_max = self.tasks.iter().flat_map(|task| &task.n_answers).max();
        let n_candidates_max = n_candidates_max.copied().unwrap_or(0);
        let has_parts = self.tasks.iter().any(|task| task.outputs.len() > 1);
        let mut redundant = Vec::new();
        // With fewer attempts, all candidates are counted already.
        let mut is_covered = false;
        for (n_tries, whole, partial) in TRIES {
            if is_covered {
                redundant.push(whole);
            }
            if is_covered || !has_parts {
                redundant.push(partial);
            }
            is_covered |= n_tries >= n_candidates_max;
        }
        redundant
    }

    /// The scores of all tasks.
    ///
    /// # Errors
    ///
    /// If votes cannot be read back from disk.
    pub(crate) fn report(mut self) -> Result<Report, ScoreError> {
        let redundant = self.redundant();
        let mut tasks = Vec::new();
        let mut submission = Submission::new();
        for task in 0..self.tasks.len() {
            let (score, attempts) = self.count(task)?;
            submission.insert(score.id.clone(), attempts);
            tasks.push(score);
        }
        let mean = |share: &dyn Fn(&TaskScore) -> f64| {
            tasks.iter().map(share).sum::<f64>() / tasks.len().max(1) as f64
        };
        let whole = TRIES.map(|(n, name, _)| (name, mean(&|task| task.share(n).floor())));
        let partial = TRIES.map(|(n, _, name)| (name, mean(&|task| task.share(n))));
        let documents = vec![
            Document { name: "submission.json", text: submission::to_json(&submission) },
            Document { name: "tasks.csv", text: table(&tasks)? },
        ];
        Ok(Report { scores: [whole, partial].concat(), redundant, documents })
    }
}

/// One line per task: how many of its test outputs are right within one and two attempts,
/// and the ranks of the right outputs, `-` for one without votes.
fn table(tasks: &[TaskScore]) -> Result<String, ScoreError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["task", "tests", "right@1", "right@2", "places", "candidates", "votes"])?;
    for task in tasks {
        let n_right = |n_tries| (task.share(n_tries) * task.places.len() as f64).round();
        let place = |place: Option<usize>| place.map_or("-".to_owned(), |at| (at + 1).to_string());
        let places: Vec<String> = task.places.iter().map(|(at, _)| place(*at)).collect();
        let n_candidates: Vec<String> = task.places.iter().map(|(_, n)| n.to_string()).collect();
        table.write_record([
            &task.id,
            &task.places.len().to_string(),
            &n_right(1).to_string(),
            &n_right(2).to_string(),
            &places.join(" "),
            &n_candidates.join(" "),
            &task.n_votes.to_string(),
        ])?;
    }
    Ok(String::from_utf8(table.into_inner()?)?)
}

/// Candidates for an output, best first: the ranking of the most likely answers. The
/// winner among the sampled answers comes second if it differs from the first.
fn candidates<'a>(likely: &'a Ballot, sampled: &'a Ballot) -> Vec<&'a Grid> {
    let mut candidates = likely.ranking();
    let first = candidates.first().copied();
    if let Some(other) = sampled.ranking().into_iter().find(|grid| Some(*grid) != first) {
        candidates.retain(|grid| *grid != other);
        candidates.insert(1.min(candidates.len()), other);
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::tests::grid;
    use hrm_train::task::RowId;

    fn ballot(votes: &[&str]) -> Ballot {
        let mut ballot = Ballot::default();
        votes.iter().for_each(|text| ballot.add(grid(text), 0.0));
        ballot
    }

    #[test]
    fn scores_that_cannot_differ_are_named() {
        // Numbers of test inputs of each task, and of answers to each input.
        let redundant = |n_tests: &[usize], n_answers: usize| {
            let mut votes = TaskVotes::new(1);
            for n_tests in n_tests {
                let task = votes.task("t");
                for _ in 0..*n_tests {
                    let test = votes.test(task, Some(grid("1")));
                    let at = RowId { group: 0, version: 0, row: 0 };
                    for colour in 0..n_answers as u32 {
                        let (inputs, labels, tokens) = (&[2], &[2], &[2 + colour % 10]);
                        let (sampled, q_halt) = (None, 0.0);
                        let predicted = Prediction { at, inputs, labels, tokens, sampled, q_halt };
                        votes.vote((task, test), &Augmentation::IDENTITY, &predicted).unwrap();
                    }
                }
            }
            let report = votes.report().unwrap();
            assert_eq!(report.scores.len(), 12, "all scores are computed");
            let score = |name| report.scores.iter().find(|score| score.0 == name).unwrap().1;
            let is_redundant = |name| report.redundant.contains(&name);
            let kept = report.scores.iter().filter(|score| !is_redundant(score.0));
            let kept: Vec<_> = kept.map(|score| score.0).collect();
            if n_answers < 100 {
                assert_eq!(score("pass@100"), score("pass@1000"));
            }
            kept
        };
        assert_eq!(redundant(&[1, 1], 1), ["pass@1"]);
        assert_eq!(redundant(&[1, 2], 1), ["pass@1", "pass@1 partial"]);
        assert_eq!(redundant(&[1], 2), ["pass@1", "pass@2"]);
        assert_eq!(redundant(&[1], 3), ["pass@1", "pass@2", "pass@5"]);
        let all = ["pass@1", "pass@2", "pass@5", "pass@10", "pass@100", "pass@1000"];
        assert_eq!(redundant(&[1], 101), all);
    }

    #[test]
    fn a_sampled_favourite_is_the_second_attempt() {
        let order = |likely: &[&str], sampled: &[&str]| -> Vec<Grid> {
            let (likely, sampled) = (ballot(likely), ballot(sampled));
            candidates(&likely, &sampled).into_iter().cloned().collect()
        };
        let grids = |texts: &[&str]| texts.iter().map(|text| grid(text)).collect::<Vec<_>>();
        let likely = ["1", "1", "1", "2", "2", "3"];
        assert_eq!(order(&likely, &[]), grids(&["1", "2", "3"]));
        assert_eq!(order(&likely, &["3", "3", "1"]), grids(&["1", "3", "2"]));
        assert_eq!(order(&likely, &["1", "1", "4"]), grids(&["1", "4", "2", "3"]));
        assert_eq!(order(&[], &["5"]), grids(&["5"]));
    }
}
