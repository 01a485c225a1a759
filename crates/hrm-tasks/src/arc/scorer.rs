//! Scores of the evaluation rows of ARC tasks.

use std::collections::BTreeMap;

use hrm_train::task::{Prediction, Report, RowId, ScoreError, Scorer};

use super::examples::ArcExamples;
use super::votes::TaskVotes;

/// Collects the votes of evaluation rows. Tasks without rows do not count.
pub(crate) struct ArcScorer<'a> {
    examples: &'a ArcExamples,
    votes: TaskVotes,
    /// The index in the votes of each group with a row.
    tasks: BTreeMap<usize, usize>,
}

impl<'a> ArcScorer<'a> {
    pub(crate) fn new(examples: &'a ArcExamples) -> Self {
        Self { examples, votes: TaskVotes::new(examples.side()), tasks: BTreeMap::new() }
    }
}

impl Scorer for ArcScorer<'_> {
    fn add(&mut self, predicted: Prediction<'_>) -> Result<(), ScoreError> {
        let RowId { group, version, row } = predicted.at;
        let task = *self.tasks.entry(group).or_insert_with(|| {
            let task = self.votes.task(self.examples.id(group));
            for pair in self.examples.pairs(group) {
                self.votes.test(task, Some(pair.output.clone()));
            }
            task
        });
        let augmentation = self.examples.augmentation(group, version);
        Ok(self.votes.vote((task, row), augmentation, &predicted)?)
    }

    fn finish(self: Box<Self>) -> Result<Report, ScoreError> {
        self.votes.report()
    }
}
