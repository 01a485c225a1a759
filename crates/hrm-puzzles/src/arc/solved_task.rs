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

impl Role {
    /// The side that the name of a file, of a folder or of a set of tasks stands for; `None`
    /// for a name of neither or of both. `evaluation` may be a part of a word.
    pub(super) fn named(name: &str) -> Option<Self> {
        const TRAINING: [&str; 2] = ["train", "training"];
        const EVALUATION: [&str; 11] = [
            "eval",
            "evals",
            "test",
            "tests",
            "testing",
            "val",
            "valid",
            "validation",
            "dev",
            "held",
            "heldout",
        ];
        if Self::is_spelled_out(name) {
            return Some(Self::Evaluation);
        }
        let words = words(name);
        let has = |known: &[&str]| {
            let of_set = |word: &String| {
                let word = word.trim_end_matches(|at: char| at.is_ascii_digit());
                known.contains(&word)
                    || word.strip_suffix("set").is_some_and(|w| known.contains(&w))
            };
            words.iter().any(of_set)
        };
        match (has(&TRAINING), has(&EVALUATION)) {
            (true, false) => Some(Self::Training),
            (false, true) => Some(Self::Evaluation),
            _ => None,
        }
    }

    /// Whether a name has the word of the published sets for evaluation, which leaves no doubt
    /// about what it means.
    pub(super) fn is_spelled_out(name: &str) -> bool {
        name.to_lowercase().contains("evaluation")
    }
}

/// The words of a name such as `arc-agi_test`, `publicEval` or `Validation2`, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for symbol in name.chars() {
        let begins = symbol.is_uppercase() && !before.is_uppercase();
        if begins || !symbol.is_alphanumeric() {
            words.push(String::new());
        }
        if symbol.is_alphanumeric() {
            words.last_mut().expect("there is a word").extend(symbol.to_lowercase());
        }
        before = symbol;
    }
    words
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_tasks_are_for() {
        for name in [
            "evaluation",
            "Evaluation",
            "my_evaluation2.json",
            "test",
            "Test.json",
            "public_eval",
            "publicEval",
            "val",
            "validation",
            "devset",
            "TESTSET",
            "arc-agi_test_challenges.json",
            "held-out",
            "eval_003.json",
        ] {
            assert_eq!(Role::named(name), Some(Role::Evaluation), "{name}");
        }
        for name in ["train", "Training", "TRAIN", "arc_training.json", "trainset", "train_7.json"]
        {
            assert_eq!(Role::named(name), Some(Role::Training), "{name}");
        }
        for name in ["", "data", "latest", "contest", "medieval", "interval.json", "train_test"] {
            assert_eq!(Role::named(name), None, "{name}");
        }
    }
}
