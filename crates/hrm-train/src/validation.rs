//! A validation split of the training set, to choose a checkpoint.
//!
//! Choosing a checkpoint by the evaluation set would bias its results, so some training
//! puzzles are held back from training. A puzzle with one row is held back entirely, with all
//! its versions. Of a puzzle with several rows only the last row is held back, in all
//! versions: a model cannot answer questions about an ARC task that it has never
//! seen.

use std::collections::BTreeSet;

use hrm_base::rng::stream;
use rand::Rng;
use rand::seq::index;

use crate::error::TrainError;
use crate::task::{
    Examples, Prediction, Report, RowId, RowMut, ScoreError, Scorer, Task, every_row,
};

/// A task with some training puzzles held back for validation.
pub struct ValidationSplit<'a> {
    task: &'a dyn Task,
    train: Slice<'a>,
}

/// The training part or the validation part of training examples.
#[derive(Clone)]
struct Slice<'a> {
    examples: &'a dyn Examples,
    held_back: BTreeSet<usize>,
    seed: u64,
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Validation,
}

impl<'a> ValidationSplit<'a> {
    /// Holds back `n` training puzzles of `task`, sampled with `seed`. `n` may be 0.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if no training puzzles would remain.
    pub fn new(task: &'a dyn Task, n: usize, seed: u64) -> Result<Self, TrainError> {
        let examples = task.train();
        let n_groups = examples.n_groups();
        if n > 0 && n >= n_groups {
            let (field, expected) =
                ("evaluation.n_validation", "less than the number of training puzzles");
            return Err(TrainError::Setting { field, expected, found: n.to_string() });
        }
        let held_back =
            index::sample(&mut stream(seed, "validation"), n_groups, n).into_iter().collect();
        Ok(Self { task, train: Slice { examples, held_back, seed, part: Part::Train } })
    }

    /// The task whose evaluation examples are those held back, in one version of each
    /// puzzle.
    pub fn validation(&self) -> impl Task + use<'a> {
        Validation {
            task: self.task,
            slice: Slice { part: Part::Validation, ..self.train.clone() },
        }
    }
}

impl Slice<'_> {
    /// The version of a held-back puzzle that is evaluated.
    fn version(&self, group: usize) -> usize {
        let n_versions = self.examples.n_versions(group) as u32;
        let mut rng = stream(self.seed, &format!("validation version {group}"));
        rng.random_range(0..n_versions.max(1)) as usize
    }
}

impl Examples for Slice<'_> {
    fn n_groups(&self) -> usize {
        self.examples.n_groups()
    }

    fn n_versions(&self, group: usize) -> usize {
        self.examples.n_versions(group)
    }

    fn n_rows(&self, group: usize, version: usize) -> usize {
        let n_rows = self.examples.n_rows(group, version);
        let n_held = usize::from(self.held_back.contains(&group) && n_rows > 0);
        match self.part {
            Part::Train => n_rows - n_held,
            Part::Validation if n_held > 0 && version == self.version(group) => 1,
            Part::Validation => 0,
        }
    }

    fn n_rows_total(&self) -> u64 {
        match self.part {
            Part::Train => {
                // Each version of a held-back puzzle lacks one row, unless it is empty.
                let n_missing = |group: &usize| {
                    let has_rows = |version| self.examples.n_rows(*group, version) > 0;
                    (0..self.n_versions(*group)).filter(|v| has_rows(*v)).count() as u64
                };
                self.examples.n_rows_total() - self.held_back.iter().map(n_missing).sum::<u64>()
            }
            Part::Validation => self.row_ids().count() as u64,
        }
    }

    fn row_ids(&self) -> Box<dyn Iterator<Item = RowId> + '_> {
        match self.part {
            Part::Train => Box::new(every_row(self)),
            // Does not visit the versions of all other puzzles.
            Part::Validation => Box::new(self.held_back.iter().filter_map(|group| {
                let at = RowId { group: *group, version: self.version(*group), row: 0 };
                (self.n_rows(at.group, at.version) > 0).then_some(at)
            })),
        }
    }

    fn write(&self, at: RowId, row: RowMut<'_>) {
        let n_rows_before = match self.part {
            Part::Train => 0,
            Part::Validation => self.examples.n_rows(at.group, at.version) - 1,
        };
        self.examples.write(RowId { row: at.row + n_rows_before, ..at }, row);
    }
}

/// The methods of [`Task`] that a split does not change.
macro_rules! delegate_sizes {
    () => {
        fn name(&self) -> &'static str {
            self.task.name()
        }

        fn vocab_size(&self) -> usize {
            self.task.vocab_size()
        }

        fn n_cells(&self) -> usize {
            self.task.n_cells()
        }

        fn n_puzzle_ids(&self) -> usize {
            self.task.n_puzzle_ids()
        }
    };
}

impl Task for ValidationSplit<'_> {
    delegate_sizes!();

    fn train(&self) -> &dyn Examples {
        &self.train
    }

    fn eval(&self) -> &dyn Examples {
        self.task.eval()
    }

    fn scorer(&self) -> Box<dyn Scorer + '_> {
        self.task.scorer()
    }
}

/// See [`ValidationSplit::validation`].
struct Validation<'a> {
    task: &'a dyn Task,
    slice: Slice<'a>,
}

impl Task for Validation<'_> {
    delegate_sizes!();

    fn train(&self) -> &dyn Examples {
        self.task.train()
    }

    fn eval(&self) -> &dyn Examples {
        &self.slice
    }

    fn scorer(&self) -> Box<dyn Scorer + '_> {
        Box::new(NoMetrics)
    }
}

/// A scorer without metrics: those of a task are defined on its evaluation set only.
pub(crate) struct NoMetrics;

impl Scorer for NoMetrics {
    fn add(&mut self, _: Prediction<'_>) -> Result<(), ScoreError> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Report, ScoreError> {
        Ok(Report::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 groups of 3 versions; versions of even groups have one row, others have four.
    struct Numbered;

    impl Examples for Numbered {
        fn n_groups(&self) -> usize {
            40
        }
        fn n_versions(&self, _: usize) -> usize {
            3
        }
        fn n_rows(&self, group: usize, _: usize) -> usize {
            if group.is_multiple_of(2) { 1 } else { 4 }
        }
        fn write(&self, at: RowId, row: RowMut<'_>) {
            row.inputs[0] = (at.group * 100 + at.version * 10 + at.row) as u32;
        }
    }

    impl Task for Numbered {
        fn name(&self) -> &'static str {
            "numbered"
        }
        fn vocab_size(&self) -> usize {
            4000
        }
        fn n_cells(&self) -> usize {
            1
        }
        fn n_puzzle_ids(&self) -> usize {
            1
        }
        fn train(&self) -> &dyn Examples {
            self
        }
        fn eval(&self) -> &dyn Examples {
            self
        }
        fn scorer(&self) -> Box<dyn Scorer + '_> {
            Box::new(NoMetrics)
        }
    }

    fn numbers(examples: &dyn Examples) -> BTreeSet<u32> {
        let number = |at| {
            let (mut inputs, mut labels, mut puzzle_id) = ([0], [0], 0);
            let row =
                RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
            examples.write(at, row);
            inputs[0]
        };
        examples.row_ids().map(number).collect()
    }

    #[test]
    fn no_validation_row_is_trained_on() {
        let split = ValidationSplit::new(&Numbered, 10, 1).unwrap();
        let (train, validation) = (numbers(split.train()), numbers(split.validation().eval()));
        assert_eq!(validation.len(), 10);
        let slice = split.validation();
        assert!(slice.eval().row_ids().eq(every_row(slice.eval())));
        for examples in [split.train(), slice.eval(), Numbered.train()] {
            assert_eq!(examples.n_rows_total(), examples.row_ids().count() as u64);
        }
        for number in &validation {
            let (group, row) = (number / 100, number % 10);
            let same = train.iter().filter(|n| *n / 100 == group).count();
            if group % 2 == 0 {
                assert_eq!((row, same), (0, 0), "a puzzle of one row is held back entirely");
            } else {
                assert_eq!((row, same), (3, 9), "of several rows the last one is held back");
                assert!(train.iter().all(|n| n / 100 != group || n % 10 < 3));
            }
        }
        // All other puzzles are trained on.
        let held: BTreeSet<u32> = validation.iter().map(|n| n / 100).collect();
        let is_free = |n: &u32| !held.contains(&(n / 100));
        let others: BTreeSet<u32> = numbers(&Numbered).into_iter().filter(is_free).collect();
        assert!(!others.is_empty() && others.is_subset(&train));
        // Versions are random.
        assert!(validation.iter().any(|n| n / 10 % 10 > 0));
    }

    #[test]
    fn the_seed_determines_which_puzzles_are_held_back() {
        let split = |n, seed| ValidationSplit::new(&Numbered, n, seed).unwrap();
        let held = |seed| numbers(split(10, seed).validation().eval());
        assert_eq!(held(1), held(1));
        assert_ne!(held(1), held(2));
        assert_eq!(numbers(split(0, 1).train()), numbers(&Numbered));
        let err = ValidationSplit::new(&Numbered, 40, 1).err().unwrap().to_string();
        assert_eq!(
            err,
            "train.evaluation.n_validation must be less than the number of training puzzles, \
             found 40"
        );
    }
}
