//! Distinct tasks sampled from all families in turn.

use std::collections::{HashMap, HashSet};

use hrm_base::progress::Stage;
use hrm_base::rng::stream;
use rayon::prelude::*;

use super::composition::{Composition, sample_task};
use super::compositions::Compositions;
use super::family::Family;
use super::list::FAMILIES;
use super::sketch::Sketch;
use crate::PuzzleError;
use crate::arc::Pair;
use crate::arc::library::{Role, SolvedTask};

/// Samples distinct tasks. Test pairs of evaluation tasks occur in no training task, and
/// not among the train pairs of evaluation tasks.
///
/// Each task has its own random streams, so the result does not depend on the number of
/// threads.
pub struct BuiltIn {
    families: Vec<&'static Family>,
    compositions: Compositions,
    /// Share of the tasks that are compositions.
    compose: f64,
    side: usize,
    seed: u64,
    /// The pairs of each task so far.
    seen: HashSet<Vec<Pair>>,
    /// Pairs of training tasks, and train pairs of evaluation tasks.
    train_pairs: HashSet<Pair>,
    /// Test pairs of evaluation tasks.
    test_pairs: HashSet<Pair>,
    n_composed: usize,
    /// Number of tasks so far, by the name of their family or composition.
    n_sampled: HashMap<String, usize>,
}

/// A task that has not been sampled yet.
struct Planned {
    id: String,
    composition: Composition,
}

/// The pairs of a task, its number of train pairs, and the number of the attempt that
/// produced it.
type Sampled = (Vec<Pair>, usize, usize);

impl BuiltIn {
    /// Prepares tasks with grids of up to `side` cells per side. A share `compose` of the
    /// tasks applies two rules in sequence.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] if the side is too small for every family.
    pub fn new(side: usize, compose: f64, seed: u64) -> Result<Self, PuzzleError> {
        let families: Vec<_> = FAMILIES.iter().filter(|family| family.side_min <= side).collect();
        if families.is_empty() {
            return Err(PuzzleError::setting("canvas", "at least 3 for built-in tasks", side));
        }
        Ok(Self {
            families,
            compositions: Compositions::new(side),
            compose,
            side,
            seed,
            seen: HashSet::new(),
            train_pairs: HashSet::new(),
            test_pairs: HashSet::new(),
            n_composed: 0,
            n_sampled: HashMap::new(),
        })
    }

    /// Samples `n` more tasks, from all families in turn, with their ids
    /// `{family}{tag}-{number}`.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] if the canvas is too small for `n` more distinct tasks.
    pub fn sample(
        &mut self,
        n: usize,
        role: Role,
        tag: &str,
    ) -> Result<Vec<(String, SolvedTask)>, PuzzleError> {
        let planned = self.plan(n, tag);
        let stage = Stage::start("generating tasks", n as u64);
        let counted = planned.par_iter().inspect(|_| stage.advance(1));
        let drafts: Vec<_> = counted.map(|task| self.sample_from(task, 0)).collect();
        drop(stage);
        let mut tasks = Vec::with_capacity(n);
        for (task, mut draft) in planned.into_iter().zip(drafts) {
            // Of two conflicting tasks, always the later one is sampled again.
            let (pairs, n_train) = loop {
                let Some((pairs, n_train, attempt)) = draft else {
                    let expected = "large enough for the requested number of distinct tasks";
                    return Err(PuzzleError::setting("canvas", expected, self.side));
                };
                if self.admit(&pairs, n_train, role) {
                    break (pairs, n_train);
                }
                draft = self.sample_from(&task, attempt + 1);
            };
            let id = task.id.clone();
            tasks.push((task.id, SolvedTask { id, pairs, n_train, role }));
        }
        Ok(tasks)
    }

    /// Records a task and returns true, unless it conflicts with an earlier one.
    fn admit(&mut self, pairs: &[Pair], n_train: usize, role: Role) -> bool {
        let n_for_training = match role {
            Role::Training => pairs.len(),
            Role::Evaluation => n_train,
        };
        let (train, test) = pairs.split_at(n_for_training);
        let is_disjoint = train.iter().all(|pair| !self.test_pairs.contains(pair))
            && test.iter().all(|pair| !self.train_pairs.contains(pair));
        let is_new = is_disjoint && self.seen.insert(pairs.to_vec());
        if is_new {
            self.train_pairs.extend(train.iter().cloned());
            self.test_pairs.extend(test.iter().cloned());
        }
        is_new
    }

    /// Chooses the families and ids of the next `n` tasks.
    fn plan(&mut self, n: usize, tag: &str) -> Vec<Planned> {
        // Compositions are spread evenly over the tasks.
        let n_composed = |n: usize| (n as f64 * self.compose) as usize;
        let composed: Vec<_> = (0..n).map(|idx| n_composed(idx)..n_composed(idx + 1)).collect();
        let mut planned = Vec::with_capacity(n);
        for (idx, composed) in composed.into_iter().enumerate() {
            let composition = if composed.is_empty() {
                Composition::one(self.families[(idx - composed.start) % self.families.len()])
            } else {
                self.n_composed += 1;
                self.compositions.get(self.n_composed - 1)
            };
            let name = composition.name();
            let number = self.n_sampled.entry(name.clone()).or_default();
            planned.push(Planned { id: format!("{name}{tag}-{number:04}"), composition });
            *number += 1;
        }
        planned
    }

    /// Samples a task: the first attempt, from number `start` on, that succeeds. `None` if
    /// all fail.
    fn sample_from(&self, Planned { id, composition }: &Planned, start: usize) -> Option<Sampled> {
        const N_TRIES: usize = 1000;

        (start..N_TRIES).find_map(|attempt| {
            let rng = stream(self.seed, &format!("arc task {id}, try {attempt}"));
            let mut sketch = Sketch::new(rng, self.side);
            let (pairs, n_train) = sample_task(composition, &mut sketch)?;
            Some((pairs, n_train, attempt))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_without_samples_is_an_error() {
        static CRAMPED: Family =
            crate::arc::families::family::rule("cramped", 3, |_| Box::new(|_| None));
        let built_in = BuiltIn::new(3, 0.0, 1).unwrap();
        let mut built_in = BuiltIn { families: vec![&CRAMPED], ..built_in };
        let err = built_in.sample(1, Role::Training, "").unwrap_err();
        let want =
            "canvas must be large enough for the requested number of distinct tasks, found 3";
        assert_eq!(err.to_string(), want);
    }
}
