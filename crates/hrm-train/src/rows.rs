//! The order in which training examples are drawn.
//!
//! As the published code draws them: groups in random order; one version of
//! each; its rows in random order until the batch is full. What does not fit
//! of the last group is dropped, so a batch never depends on the one before.

use rand::Rng;
use rand::seq::SliceRandom;

use crate::TrainError;
use crate::rng::{self, ChaCha8Rng};
use crate::task::{Examples, RowId};

/// An endless sequence of batches of places.
pub struct TrainingRows<'a> {
    examples: &'a dyn Examples,
    rng: ChaCha8Rng,
    /// A permutation of the groups, drawn anew when it is used up.
    order: Vec<u32>,
    next: usize,
}

impl<'a> TrainingRows<'a> {
    /// Starts the sequence that `seed` decides.
    ///
    /// # Errors
    ///
    /// [`TrainError::NoExamples`] if there is no row to draw.
    pub fn new(examples: &'a dyn Examples, seed: u64) -> Result<Self, TrainError> {
        if examples.row_ids().next().is_none() {
            return Err(TrainError::NoExamples { what: "training" });
        }
        let order: Vec<u32> = (0..examples.n_groups() as u32).collect();
        let next = order.len();
        Ok(Self { examples, rng: rng::stream(seed, "training rows"), order, next })
    }

    /// The places of the next batch.
    pub fn next_batch(&mut self, batch_size: usize) -> Vec<RowId> {
        let mut batch = Vec::with_capacity(batch_size);
        while batch.len() < batch_size {
            let group = self.next_group();
            let version = self.rng.random_range(0..self.examples.n_versions(group) as u32) as usize;
            let mut rows: Vec<u32> = (0..self.examples.n_rows(group, version) as u32).collect();
            rows.shuffle(&mut self.rng);
            rows.truncate(batch_size - batch.len());
            batch.extend(rows.into_iter().map(|row| RowId { group, version, row: row as usize }));
        }
        batch
    }

    fn next_group(&mut self) -> usize {
        if self.next == self.order.len() {
            self.order.shuffle(&mut self.rng);
            self.next = 0;
        }
        self.next += 1;
        self.order[self.next - 1] as usize
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
        let mut rows = TrainingRows::new(&stairs, 1).unwrap();
        for _epoch in 0..20 {
            let batch = rows.next_batch(15);
            for group in 0..6 {
                let mut of_group: Vec<_> = batch.iter().filter(|at| at.group == group).collect();
                assert_eq!(of_group.len(), group);
                of_group.sort();
                of_group.dedup();
                assert_eq!(of_group.len(), group, "rows of a version are drawn once");
                assert!(of_group.iter().all(|at| at.version == of_group[0].version));
            }
        }
    }

    #[test]
    fn every_version_is_drawn_and_the_seed_decides() {
        let stairs = Stairs(4);
        let draw = |seed| TrainingRows::new(&stairs, seed).unwrap().next_batch(200);
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        for version in 0..3 {
            assert!(draw(3).iter().any(|at| at.group == 2 && at.version == version));
        }
    }

    #[test]
    fn a_set_without_rows_is_refused() {
        assert!(TrainingRows::new(&Stairs(1), 1).is_err());
        assert!(TrainingRows::new(&Stairs(0), 1).is_err());
    }
}
