//! A task with all its outputs, and the side of the split it belongs to.

use crate::arc::Grid;
use crate::arc::json::{ArcTask, Pair, TestPair};

/// The side of the train/test split that a task belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// All its pairs are used for training.
    Training,
    /// Its test pairs are used for evaluation only.
    Evaluation,
}

/// A task with all its outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolvedTask {
    /// The task's id in its file; its key in the library may differ.
    pub id: String,
    /// Train pairs, then test pairs.
    pub pairs: Vec<Pair>,
    /// Number of train pairs.
    pub n_train: usize,
    /// The side of the split that the task belongs to.
    pub role: Role,
}

impl SolvedTask {
    /// Converts the task to the form stored in files.
    pub fn to_task(&self) -> ArcTask {
        let (train, test) = self.pairs.split_at(self.n_train);
        let test = test.iter().cloned();
        let test = test.map(|Pair { input, output }| TestPair { input, output: Some(output) });
        ArcTask { train: train.to_vec(), test: test.collect() }
    }

    /// Number of distinct colours in all grids, background included.
    pub fn n_colours(&self) -> usize {
        let seen = self.grids().flat_map(Grid::cells).fold(0u16, |seen, colour| seen | 1 << colour);
        seen.count_ones() as usize
    }

    /// The longest side of all grids, in cells.
    pub fn side(&self) -> usize {
        self.grids().map(Grid::side).max().unwrap_or(0)
    }

    pub(super) fn grids(&self) -> impl Iterator<Item = &Grid> {
        self.pairs.iter().flat_map(|pair| [&pair.input, &pair.output])
    }

    /// Whether both have the same pairs, in any order: releases of the same task differ in it.
    pub(super) fn has_pairs_of(&self, other: &Self) -> bool {
        let sorted = |task: &Self| {
            let mut pairs = task.pairs.clone();
            pairs.sort_unstable();
            pairs
        };
        self.pairs == other.pairs
            || (self.pairs.len() == other.pairs.len() && sorted(self) == sorted(other))
    }
}
