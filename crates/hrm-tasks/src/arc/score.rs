//! Predictions of all versions of the evaluation tasks, and their figures.

use std::collections::BTreeSet;

use hrm_train::task::{Document, Predicted, Report, ScoreError, Scorer};

use crate::arc::ballot_box::BallotBox;
use crate::arc::data::ArcExamples;
use crate::arc::submission::{self, Attempts, Submission, candidates};
use crate::arc::{Grid, canvas};

/// Candidates that may be tried, and what a share of tasks solved so is called:
/// a task counts if all its test outputs are right, or in proportion.
const TRIES: [(usize, &str, &str); 6] = [
    (1, "pass@1", "pass@1 partial"),
    (2, "pass@2", "pass@2 partial"),
    (5, "pass@5", "pass@5 partial"),
    (10, "pass@10", "pass@10 partial"),
    (100, "pass@100", "pass@100 partial"),
    (1000, "pass@1000", "pass@1000 partial"),
];

/// Memory for votes; more of them are put on disk.
const N_BYTES_MAX: usize = 256 << 20;

/// Which answer of the model a vote is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Likely,
    Sampled,
}

/// Collects the votes of all versions, test input by test input.
///
/// Figures are means over the tasks that were asked at all. A test input that
/// was not asked, or that no version answered with a readable grid, is wrong.
pub(crate) struct Score<'a> {
    examples: &'a ArcExamples,
    asked: BTreeSet<usize>,
    /// By group and row.
    ballots: BallotBox<(usize, usize, Kind)>,
}

/// What became of one task.
struct TaskScore {
    id: String,
    /// Place of the right output among the candidates, 0 for the best, and the
    /// number of candidates; by test input.
    places: Vec<(Option<usize>, usize)>,
    /// Votes, over all test inputs.
    n_votes: usize,
}

impl TaskScore {
    /// Share of the test outputs that are among the first `n_tries` candidates.
    fn share(&self, n_tries: usize) -> f64 {
        let is_right = |place: &&(Option<usize>, usize)| place.0.is_some_and(|at| at < n_tries);
        self.places.iter().filter(is_right).count() as f64 / self.places.len().max(1) as f64
    }
}

impl<'a> Score<'a> {
    pub(crate) fn new(examples: &'a ArcExamples) -> Self {
        Self { examples, asked: BTreeSet::new(), ballots: BallotBox::new(N_BYTES_MAX) }
    }

    fn vote(
        &mut self,
        kind: Kind,
        predicted: &Predicted<'_>,
        tokens: &[u32],
    ) -> std::io::Result<()> {
        let at = predicted.at;
        let Some(grid) = canvas::read(tokens, self.examples.side()) else { return Ok(()) };
        let grid = self.examples.augmentation(at.group, at.version).undo(&grid);
        self.ballots.add((at.group, at.row, kind), grid, predicted.q_halt)
    }

    /// Counts the votes on one task.
    fn task(&mut self, group: usize) -> std::io::Result<(TaskScore, Vec<Attempts>)> {
        let id = self.examples.id(group).to_owned();
        let mut score = TaskScore { id, places: Vec::new(), n_votes: 0 };
        let mut attempts = Vec::new();
        let examples = self.examples;
        for (row, pair) in examples.pairs(group).iter().enumerate() {
            let likely = self.ballots.take((group, row, Kind::Likely))?;
            let sampled = self.ballots.take((group, row, Kind::Sampled))?;
            let candidates: Vec<&Grid> = candidates(&likely, &sampled);
            let place = candidates.iter().position(|grid| **grid == pair.output);
            score.places.push((place, candidates.len()));
            score.n_votes += likely.n_votes() + sampled.n_votes();
            attempts.push(Attempts::new(&candidates));
        }
        Ok((score, attempts))
    }
}

impl Scorer for Score<'_> {
    fn add(&mut self, predicted: Predicted<'_>) -> Result<(), ScoreError> {
        self.asked.insert(predicted.at.group);
        self.vote(Kind::Likely, &predicted, predicted.tokens)?;
        if let Some(sampled) = predicted.sampled {
            self.vote(Kind::Sampled, &predicted, sampled)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Report, ScoreError> {
        let mut tasks = Vec::new();
        let mut submission = Submission::new();
        for group in std::mem::take(&mut self.asked) {
            let (score, attempts) = self.task(group)?;
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
        Ok(Report { scores: [whole, partial].concat(), documents })
    }
}

/// A line per task: how many of its test outputs are right within one and two
/// attempts, and where the right ones stand, `-` for those nobody voted for.
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
