//! Tasks drawn from the families, in turn and all different.

use std::collections::{HashMap, HashSet};

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

/// Draws tasks that are pairwise different, and evaluation tasks whose test
/// pairs are learnt in no task.
///
/// Each task has random streams of its own, so the threads that draw them do
/// not matter.
pub struct BuiltIn {
    families: Vec<&'static Family>,
    compositions: Compositions,
    /// Share of the tasks that are compositions.
    compose: f64,
    side: usize,
    seed: u64,
    seen: HashSet<Vec<Pair>>,
    /// Pairs of training tasks, and train pairs of evaluation tasks.
    learnt: HashSet<Pair>,
    /// Test pairs of evaluation tasks.
    asked: HashSet<Pair>,
    n_composed: usize,
    /// Tasks of each composition so far, by its name.
    n_sampled: HashMap<String, usize>,
}

/// A task that is yet to be drawn.
struct Planned {
    id: String,
    composition: Composition,
}

/// A drawn task, and the number of the try that gave it.
type Sampled = (Vec<Pair>, usize, usize);

impl BuiltIn {
    /// For grids of up to `side` cells a side. A share of `compose` of the
    /// tasks follows two rules in turn.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] if no family fits.
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
            learnt: HashSet::new(),
            asked: HashSet::new(),
            n_composed: 0,
            n_sampled: HashMap::new(),
        })
    }

    /// `n` more tasks with their ids, from all families in turn. `tag` stands
    /// in each id between the family's name and the number.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] if the canvas is too small for so many.
    pub fn sample(
        &mut self,
        n: usize,
        role: Role,
        tag: &str,
    ) -> Result<Vec<(String, SolvedTask)>, PuzzleError> {
        let planned = self.plan(n, tag);
        let drafts: Vec<_> = planned.par_iter().map(|task| self.sample_from(task, 0)).collect();
        let mut tasks = Vec::with_capacity(n);
        for (task, mut draft) in planned.into_iter().zip(drafts) {
            // Which of two tasks that clash is drawn again depends on their
            // order alone.
            let (pairs, n_train) = loop {
                let Some((pairs, n_train, attempt)) = draft else {
                    let expected = "large enough for so many different tasks";
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

    /// Takes note of a task, unless it clashes with an earlier one.
    fn admit(&mut self, pairs: &[Pair], n_train: usize, role: Role) -> bool {
        let n_learnt = match role {
            Role::Training => pairs.len(),
            Role::Evaluation => n_train,
        };
        let (learnt, asked) = pairs.split_at(n_learnt);
        let is_apart = learnt.iter().all(|pair| !self.asked.contains(pair))
            && asked.iter().all(|pair| !self.learnt.contains(pair));
        let is_new = is_apart && self.seen.insert(pairs.to_vec());
        if is_new {
            self.learnt.extend(learnt.iter().cloned());
            self.asked.extend(asked.iter().cloned());
        }
        is_new
    }

    /// What the next `n` tasks are drawn from, and what they are called.
    fn plan(&mut self, n: usize, tag: &str) -> Vec<Planned> {
        // Spread evenly: one more whenever the share reaches another whole.
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

    /// The first draw from try `start` on that comes to something.
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
    fn a_rule_without_room_is_an_error() {
        static CRAMPED: Family =
            crate::arc::families::family::rule("cramped", 3, |_| Box::new(|_| None));
        let built_in = BuiltIn::new(3, 0.0, 1).unwrap();
        let mut built_in = BuiltIn { families: vec![&CRAMPED], ..built_in };
        let err = built_in.sample(1, Role::Training, "").unwrap_err();
        let want = "canvas must be large enough for so many different tasks, found 3";
        assert_eq!(err.to_string(), want);
    }
}
