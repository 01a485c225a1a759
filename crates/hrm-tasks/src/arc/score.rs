//! Predictions of all versions of the evaluation tasks, and their figures.

use std::collections::BTreeMap;

use hrm_train::task::{Examples, Predicted, Scorer};

use crate::arc::data::ArcExamples;
use crate::arc::{Ballot, canvas};

/// Attempts that are allowed per test input.
const N_ATTEMPTS_MAX: usize = 2;

/// Collects the votes of all versions, test input by test input.
///
/// Figures are means over the tasks that were asked at all. A test input that
/// was not asked, or that no version answered with a readable grid, is wrong.
pub(crate) struct Score<'a> {
    examples: &'a ArcExamples,
    /// By group, one per row.
    ballots: BTreeMap<usize, Vec<Ballot>>,
}

impl<'a> Score<'a> {
    pub(crate) fn new(examples: &'a ArcExamples) -> Self {
        Self { examples, ballots: BTreeMap::new() }
    }

    /// Places of the right answers of a task, one per test input.
    fn places(&self, group: usize, ballots: &[Ballot]) -> Vec<Option<usize>> {
        let pairs = self.examples.pairs(group).iter();
        pairs.zip(ballots).map(|(pair, ballot)| ballot.place(&pair.output)).collect()
    }
}

impl Scorer for Score<'_> {
    fn add(&mut self, predicted: Predicted<'_>) {
        let at = predicted.at;
        let n_rows = self.examples.n_rows(at.group, at.version);
        let ballots =
            self.ballots.entry(at.group).or_insert_with(|| vec![Ballot::default(); n_rows]);
        if let Some(grid) = canvas::read(predicted.tokens, self.examples.side()) {
            let augmentation = self.examples.augmentation(at.group, at.version);
            ballots[at.row].add(augmentation.undo(&grid), predicted.q_halt);
        }
    }

    fn finish(self: Box<Self>) -> Vec<(&'static str, f64)> {
        let n_tasks = self.ballots.len().max(1) as f64;
        let mut whole = [0.0; N_ATTEMPTS_MAX];
        let mut partial = [0.0; N_ATTEMPTS_MAX];
        for (group, ballots) in &self.ballots {
            let places = self.places(*group, ballots);
            for n_attempts in 1..=N_ATTEMPTS_MAX {
                let is_right = |place: &&Option<usize>| place.is_some_and(|at| at < n_attempts);
                let share = places.iter().filter(is_right).count() as f64 / places.len() as f64;
                whole[n_attempts - 1] += share.floor();
                partial[n_attempts - 1] += share;
            }
        }
        vec![
            ("pass@1", whole[0] / n_tasks),
            ("pass@2", whole[1] / n_tasks),
            ("pass@1 partial", partial[0] / n_tasks),
            ("pass@2 partial", partial[1] / n_tasks),
        ]
    }
}
