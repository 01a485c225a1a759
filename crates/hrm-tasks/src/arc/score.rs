//! Predictions of all versions of the evaluation tasks, and their figures.

use std::collections::BTreeMap;

use hrm_train::task::{Document, Prediction, Report, RowId, ScoreError, Scorer};

use crate::arc::ballot_box::BallotBox;
use crate::arc::data::ArcExamples;
use crate::arc::submission::{self, Attempts, Submission, candidates};
use crate::arc::{Augmentation, Grid, canvas};

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

/// One task with the right outputs of its test inputs, as far as they are known.
struct Asked {
    id: String,
    outputs: Vec<Option<Grid>>,
}

/// The votes on the test inputs of some tasks.
///
/// Figures are means over the tasks. A test input that no version answered with
/// a readable grid is wrong.
pub(crate) struct Tally {
    /// Cells on each side of the canvas.
    side: usize,
    tasks: Vec<Asked>,
    /// By task and test input.
    ballots: BallotBox<(usize, usize, Kind)>,
}

impl Tally {
    /// Without tasks, for canvases of `side` by `side` cells.
    pub(crate) fn new(side: usize) -> Self {
        Self { side, tasks: Vec::new(), ballots: BallotBox::new(N_BYTES_MAX) }
    }

    /// Adds a task without test inputs; its number.
    pub(crate) fn task(&mut self, id: &str) -> usize {
        self.tasks.push(Asked { id: id.to_owned(), outputs: Vec::new() });
        self.tasks.len() - 1
    }

    /// Adds a test input to a task; its number there.
    pub(crate) fn test(&mut self, task: usize, output: Option<Grid>) -> usize {
        let outputs = &mut self.tasks[task].outputs;
        outputs.push(output);
        outputs.len() - 1
    }

    /// Counts what the model says of a version of a test input.
    ///
    /// # Errors
    ///
    /// If votes cannot be put aside.
    pub(crate) fn vote(
        &mut self,
        (task, test): (usize, usize),
        augmentation: &Augmentation,
        predicted: &Prediction<'_>,
    ) -> std::io::Result<()> {
        let answers = [(Kind::Likely, Some(predicted.tokens)), (Kind::Sampled, predicted.sampled)];
        for (kind, tokens) in answers {
            let Some(grid) = tokens.and_then(|tokens| canvas::read(tokens, self.side)) else {
                continue;
            };
            self.ballots.add((task, test, kind), augmentation.undo(&grid), predicted.q_halt)?;
        }
        Ok(())
    }

    /// Counts the votes on one task.
    fn count(&mut self, task: usize) -> std::io::Result<(TaskScore, Vec<Attempts>)> {
        let Asked { id, outputs } = &self.tasks[task];
        let mut score = TaskScore { id: id.clone(), places: Vec::new(), n_votes: 0 };
        let mut attempts = Vec::new();
        for (test, output) in outputs.iter().enumerate() {
            let likely = self.ballots.take((task, test, Kind::Likely))?;
            let sampled = self.ballots.take((task, test, Kind::Sampled))?;
            let candidates: Vec<&Grid> = candidates(&likely, &sampled);
            let place = candidates.iter().position(|grid| Some(*grid) == output.as_ref());
            score.places.push((place, candidates.len()));
            score.n_votes += likely.n_votes() + sampled.n_votes();
            attempts.push(Attempts::new(&candidates));
        }
        Ok((score, attempts))
    }

    /// What the votes amount to.
    ///
    /// # Errors
    ///
    /// If votes that were put aside cannot be read back.
    pub(crate) fn report(mut self) -> Result<Report, ScoreError> {
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
        Ok(Report { scores: [whole, partial].concat(), documents })
    }
}

/// Scores the evaluation rows of tasks; those that were not asked at all do not
/// count.
pub(crate) struct Score<'a> {
    examples: &'a ArcExamples,
    tally: Tally,
    /// Number of each group that was asked.
    tasks: BTreeMap<usize, usize>,
}

impl<'a> Score<'a> {
    pub(crate) fn new(examples: &'a ArcExamples) -> Self {
        Self { examples, tally: Tally::new(examples.side()), tasks: BTreeMap::new() }
    }
}

impl Scorer for Score<'_> {
    fn add(&mut self, predicted: Prediction<'_>) -> Result<(), ScoreError> {
        let RowId { group, version, row } = predicted.at;
        let task = *self.tasks.entry(group).or_insert_with(|| {
            let task = self.tally.task(self.examples.id(group));
            for pair in self.examples.pairs(group) {
                self.tally.test(task, Some(pair.output.clone()));
            }
            task
        });
        let augmentation = self.examples.augmentation(group, version);
        Ok(self.tally.vote((task, row), augmentation, &predicted)?)
    }

    fn finish(self: Box<Self>) -> Result<Report, ScoreError> {
        self.tally.report()
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
