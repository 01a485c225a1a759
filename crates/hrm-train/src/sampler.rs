//! The order in which training examples are sampled.
//!
//! As in the published code: groups in random order; one random version of each; its
//! rows in random order until the batch is full. Rows of the last group that do not
//! fit are dropped, so a batch never depends on the previous one.

use hrm_base::rng::stream;
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::task::{Examples, RowId};

/// A position in the sequence of batches. Together with the seed it determines all
/// further batches, because every batch and every pass over the groups has its own
/// random stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplerCursor {
    /// Batches sampled so far.
    pub n_batches: u64,
    /// Groups sampled so far, over all passes.
    pub n_groups: u64,
}

/// An endless sequence of batches of training examples.
pub struct TrainingSampler<'a> {
    examples: &'a dyn Examples,
    seed: u64,
    cursor: SamplerCursor,
    /// The permutation of the groups in the current pass.
    order: Vec<u32>,
}

impl<'a> TrainingSampler<'a> {
    /// The sequence that `seed` determines, starting at `cursor`.
    ///
    /// # Errors
    ///
    /// [`TrainError::NoExamples`] if there are no rows.
    pub fn new(
        examples: &'a dyn Examples,
        seed: u64,
        cursor: SamplerCursor,
    ) -> Result<Self, TrainError> {
        if examples.row_ids().next().is_none() {
            return Err(TrainError::NoExamples { what: "training" });
        }
        let mut sampler = Self { examples, seed, cursor, order: Vec::new() };
        if !sampler.is_between_passes() {
            sampler.shuffle();
        }
        Ok(sampler)
    }

    /// The position of the next batch.
    pub fn cursor(&self) -> SamplerCursor {
        self.cursor
    }

    /// The addresses of the `batch_size` rows of the next batch.
    pub fn next_batch(&mut self, batch_size: usize) -> Vec<RowId> {
        let mut rng = stream(self.seed, &format!("training batch {}", self.cursor.n_batches));
        self.cursor.n_batches += 1;
        let mut batch = Vec::with_capacity(batch_size);
        while batch.len() < batch_size {
            let group = self.next_group();
            let version = rng.random_range(0..self.examples.n_versions(group) as u32) as usize;
            let mut rows: Vec<u32> = (0..self.examples.n_rows(group, version) as u32).collect();
            rows.shuffle(&mut rng);
            rows.truncate(batch_size - batch.len());
            batch.extend(rows.into_iter().map(|row| RowId { group, version, row: row as usize }));
        }
        batch
    }

    fn next_group(&mut self) -> usize {
        if self.is_between_passes() {
            self.shuffle();
        }
        let at = self.cursor.n_groups % self.examples.n_groups() as u64;
        self.cursor.n_groups += 1;
        self.order[at as usize] as usize
    }

    /// Whether the next group begins a pass.
    fn is_between_passes(&self) -> bool {
        self.cursor.n_groups.is_multiple_of(self.examples.n_groups() as u64)
    }

    /// Samples the order of the pass that the next group belongs to.
    fn shuffle(&mut self) {
        let n_groups = self.examples.n_groups();
        let pass = self.cursor.n_groups / n_groups as u64;
        self.order.clear();
        self.order.extend(0..n_groups as u32);
        self.order.shuffle(&mut stream(self.seed, &format!("training pass {pass}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::RowMut;

    /// Group `g` has `g % 3 + 1` versions of `g` rows.
    struct Stairs(usize);

    impl Examples for Stairs {
        fn n_groups(&self) -> usize {
            self.0
        }
        fn n_versions(&self, group: usize) -> usize {
            group % 3 + 1
        }
        fn n_rows(&self, group: usize, _version: usize) -> usize {
            group
        }
        fn write(&self, _at: RowId, _row: RowMut<'_>) {}
    }

    #[test]
    fn an_epoch_visits_each_group_once_with_one_version() {
        let stairs = Stairs(6);
        // One version of each group has 0 + 1 + 2 + 3 + 4 + 5 rows.
        let mut sampler = TrainingSampler::new(&stairs, 1, SamplerCursor::default()).unwrap();
        for _epoch in 0..20 {
            let batch = sampler.next_batch(15);
            for group in 0..6 {
                let mut of_group: Vec<_> = batch.iter().filter(|at| at.group == group).collect();
                assert_eq!(of_group.len(), group);
                of_group.sort();
                of_group.dedup();
                assert_eq!(of_group.len(), group, "rows of a version are sampled once");
                assert!(of_group.iter().all(|at| at.version == of_group[0].version));
            }
        }
    }

    #[test]
    fn every_version_is_sampled_and_the_seed_determines_the_batch() {
        let stairs = Stairs(4);
        let batch = |seed| {
            TrainingSampler::new(&stairs, seed, SamplerCursor::default()).unwrap().next_batch(200)
        };
        assert_eq!(batch(3), batch(3));
        assert_ne!(batch(3), batch(4));
        for version in 0..3 {
            assert!(batch(3).iter().any(|at| at.group == 2 && at.version == version));
        }
    }

    #[test]
    fn a_data_set_without_rows_is_rejected() {
        let start = SamplerCursor::default();
        assert!(TrainingSampler::new(&Stairs(1), 1, start).is_err());
        assert!(TrainingSampler::new(&Stairs(0), 1, start).is_err());
    }

    #[test]
    fn a_sequence_continues_from_any_cursor() {
        let stairs = Stairs(5);
        let mut sampler = TrainingSampler::new(&stairs, 3, SamplerCursor::default()).unwrap();
        let mut next = || (sampler.cursor(), sampler.next_batch(4));
        let straight: Vec<_> = (0..40).map(|_| next()).collect();
        // Batches of 4 end within passes, and sometimes between two.
        assert!(straight.iter().any(|(cursor, _)| cursor.n_groups % 5 == 0));
        assert!(straight.iter().any(|(cursor, _)| cursor.n_groups % 5 != 0));
        for ahead in straight.windows(3) {
            let mut again = TrainingSampler::new(&stairs, 3, ahead[0].0).unwrap();
            for (cursor, batch) in ahead {
                assert_eq!((again.cursor(), &again.next_batch(4)), (*cursor, batch));
            }
        }
    }
}
