//! The training loop.

use std::ops::ControlFlow;
use std::sync::mpsc;

use hrm_core::halting::Exploration;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::rng::stream;
use crate::task::Task;
use crate::{Batch, RowsCursor, StepReport, TrainError, Trainer, TrainingRows};

/// Batches that wait for their step, drawn by a thread of their own.
const N_BATCHES_AHEAD: usize = 2;

/// What a run is fed: the seed that batches and halting draws follow from, and
/// how far they have been drawn. All the randomness that a run has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Decides batches and halting draws.
    pub seed: u64,
    /// Where the next batch begins.
    pub rows: RowsCursor,
}

impl Feed {
    /// The feed of a run that has not begun.
    pub fn new(seed: u64) -> Self {
        Self { seed, rows: RowsCursor::default() }
    }

    /// The halting draws for the rows of the batch that is drawn next.
    fn exploration(&self, n_rows: usize, n_segments_max: u32) -> Vec<Exploration> {
        let mut rng = stream(self.seed, &format!("halting {}", self.rows.n_batches));
        let mut draw = || {
            let u = rng.random();
            Exploration { u, min_segments: rng.random_range(2..=n_segments_max.max(2)) }
        };
        (0..n_rows).map(|_| draw()).collect()
    }
}

/// Trains on `task` for the configured number of steps, fed from `feed` on.
/// `watch` sees every step, with what the next one is fed, and may stop early.
///
/// # Errors
///
/// [`TrainError::Mismatch`] if model and task differ in size, or whatever ended
/// a step or came from `watch`.
pub fn train<E: From<TrainError>>(
    trainer: &mut Trainer,
    task: &dyn Task,
    mut feed: Feed,
    mut watch: impl FnMut(&Trainer, &StepReport, Feed) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    check_sizes(trainer, task)?;
    let mut rows = TrainingRows::new(task.train(), feed.seed, feed.rows)?;
    let n_rows = trainer.config().batch_size;
    let n_segments_max = trainer.model().config().n_segments_max as u32;

    std::thread::scope(|scope| {
        let (drawn, batches) = mpsc::sync_channel(N_BATCHES_AHEAD);
        let (emptied, empty) = mpsc::channel();
        scope.spawn(move || {
            // A whole batch is drawn although only finished rows take theirs:
            // the published code drops the rest too, which its epochs depend on.
            loop {
                let mut batch =
                    empty.try_recv().unwrap_or_else(|_| Batch::blank(n_rows, task.n_cells()));
                for (row, at) in rows.next_batch(n_rows).into_iter().enumerate() {
                    batch.write(row, task.train(), at);
                }
                // Nobody waits any more when the run ends.
                if drawn.send((batch, rows.cursor())).is_err() {
                    return;
                }
            }
        });
        while trainer.n_steps() < trainer.config().steps {
            // A drawing thread that panicked panics once more as the scope ends.
            let Ok((fresh, next)) = batches.recv() else { break };
            let exploration = feed.exploration(n_rows, n_segments_max);
            feed.rows = next;
            let place = |row: usize, batch: &mut Batch| batch.copy_row(row, &fresh);
            let report = trainer.step(place, &exploration)?;
            let _ = emptied.send(fresh);
            if watch(trainer, &report, feed)?.is_break() {
                break;
            }
        }
        // Ends the drawing thread, which the scope waits for.
        drop(batches);
        Ok(())
    })
}

/// Makes sure that the model can hold the task's examples.
pub(crate) fn check_sizes(trainer: &Trainer, task: &dyn Task) -> Result<(), TrainError> {
    crate::evaluate::check_sizes(trainer.model().config(), task)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrainConfig;
    use crate::task::{Examples, Predicted, Report, RowId, RowMut, ScoreError, Scorer};
    use candle_core::Device;
    use hrm_core::{Hrm, HrmConfig};

    /// Copy the question: the easiest thing to learn.
    struct Copying;

    impl Examples for Copying {
        fn n_groups(&self) -> usize {
            24
        }
        fn n_versions(&self, _group: usize) -> usize {
            1
        }
        fn n_rows(&self, _group: usize, _version: usize) -> usize {
            1
        }
        fn write(&self, at: RowId, row: RowMut<'_>) {
            for (cell, input) in row.inputs.iter_mut().enumerate() {
                *input = ((at.group * 7 + cell * (at.group + 3)) % 4 + 1) as u32;
            }
            row.labels.copy_from_slice(row.inputs);
            *row.puzzle_id = (at.group % 2) as u32;
        }
    }

    impl Task for Copying {
        fn name(&self) -> &'static str {
            "copying"
        }
        fn vocab_size(&self) -> usize {
            5
        }
        fn n_cells(&self) -> usize {
            6
        }
        fn n_puzzle_ids(&self) -> usize {
            2
        }
        fn train(&self) -> &dyn Examples {
            self
        }
        fn eval(&self) -> &dyn Examples {
            self
        }
        fn scorer(&self) -> Box<dyn Scorer + '_> {
            struct Nothing;
            impl Scorer for Nothing {
                fn add(&mut self, _: Predicted<'_>) -> Result<(), ScoreError> {
                    Ok(())
                }
                fn finish(self: Box<Self>) -> Result<Report, ScoreError> {
                    Ok(Report::default())
                }
            }
            Box::new(Nothing)
        }
    }

    fn trainer(steps: u64) -> Trainer {
        let config = HrmConfig {
            vocab_size: 5,
            n_cells: 6,
            n_puzzle_ids: 2,
            hidden_dim: 16,
            puzzle_dim: 16,
            n_heads: 2,
            n_segments_max: 3,
            ..HrmConfig::tiny()
        };
        let train = TrainConfig {
            batch_size: 12,
            steps,
            learning_rate: 1e-2,
            weight_decay: 0.0,
            puzzle_learning_rate: 1e-2,
            warmup_steps: 5,
            ..TrainConfig::paper()
        };
        Trainer::new(Hrm::seeded(config, 1, &Device::Cpu).unwrap(), train).unwrap()
    }

    fn losses(steps: u64, seed: u64) -> Vec<f64> {
        let mut losses = Vec::new();
        train(&mut trainer(steps), &Copying, Feed::new(seed), |_, report, _| {
            losses.push(report.loss);
            Ok::<_, TrainError>(ControlFlow::Continue(()))
        })
        .unwrap();
        losses
    }

    #[test]
    fn copying_is_learnt_and_measured() {
        let mut trainer = trainer(60);
        let never_stop =
            |_: &Trainer, _: &StepReport, _: Feed| Ok::<_, TrainError>(ControlFlow::Continue(()));
        train(&mut trainer, &Copying, Feed::new(1), never_stop).unwrap();
        let budget = hrm_core::Budget::Fixed(3);
        // Almost without chance, a draw is the most likely token.
        let sampling = Some(crate::Sampling { temperature: 1e-3, seed: 1 });
        let asking = crate::Asking { budget, batch_size: 7, sampling };
        let mut n_observed = 0;
        let observe = |predicted: &Predicted<'_>| {
            n_observed += 1;
            assert_eq!(predicted.sampled, Some(predicted.tokens));
            Ok::<_, TrainError>(())
        };
        let evaluation = crate::evaluate(trainer.model(), &Copying, asking, observe).unwrap();
        assert_eq!(n_observed, 24);
        assert_eq!(evaluation.n_rows, 24);
        assert!(evaluation.exact() > 0.9, "{evaluation:?}");
        assert!(evaluation.cells() >= evaluation.exact());
    }

    #[test]
    fn a_seed_decides_the_run() {
        assert_eq!(losses(4, 5), losses(4, 5));
        assert_ne!(losses(4, 5), losses(4, 6));
    }

    /// Every tensor of a trainer, as bytes.
    fn bits(trainer: &Trainer) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        crate::run::save_model(trainer.model(), folder.path()).unwrap();
        trainer.save_state(folder.path()).unwrap();
        let mut files: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
    }

    #[test]
    fn a_restored_trainer_goes_on_bit_for_bit() {
        let run = |trainer: &mut Trainer, feed: Feed, until: u64| {
            let (mut losses, mut next) = (Vec::new(), feed);
            train(trainer, &Copying, feed, |_, report, feed| {
                losses.push(report.loss);
                next = feed;
                let is_last = report.step == until;
                Ok::<_, TrainError>(match is_last {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            })
            .unwrap();
            (losses, next)
        };
        let mut straight = trainer(40);
        let (wanted, _) = run(&mut straight, Feed::new(1), 23);

        let mut halting = trainer(40);
        let (mut losses, feed) = run(&mut halting, Feed::new(1), 11);
        let folder = tempfile::tempdir().unwrap();
        crate::run::save_model(halting.model(), folder.path()).unwrap();
        halting.save_state(folder.path()).unwrap();
        let restore = |config| {
            let model = crate::run::load_model(folder.path(), &Device::Cpu).unwrap();
            Trainer::restore(model, config, folder.path())
        };
        let mut again = restore(halting.config().clone()).unwrap();
        assert_eq!(bits(&again), bits(&halting));
        losses.extend(run(&mut again, feed, 23).0);
        assert_eq!(losses, wanted);
        assert_eq!(bits(&again), bits(&straight));

        let other = TrainConfig { batch_size: 5, ..halting.config().clone() };
        let err = restore(other).unwrap_err().to_string();
        assert!(err.ends_with("`carry` must be 5 rows, found 12 and 12"), "{err}");
    }

    #[test]
    fn watching_may_stop_the_run() {
        let mut trainer = trainer(100);
        train(&mut trainer, &Copying, Feed::new(1), |_, report, _| {
            let done = report.step == 3;
            Ok::<_, TrainError>(if done {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })
        .unwrap();
        assert_eq!(trainer.n_steps(), 3);
    }

    #[test]
    fn another_size_is_refused_before_the_first_step() {
        let config = HrmConfig { n_cells: 6, ..HrmConfig::tiny() };
        let model = Hrm::seeded(config, 1, &Device::Cpu).unwrap();
        let mut trainer =
            Trainer::new(model, TrainConfig { batch_size: 2, ..TrainConfig::paper() }).unwrap();
        let err = train(&mut trainer, &Copying, Feed::new(1), |_, _, _| {
            Ok::<_, TrainError>(ControlFlow::Continue(()))
        });
        let message = err.unwrap_err().to_string();
        assert_eq!(message, "the model has `vocab_size` 6, but the task needs 5");
    }

    #[test]
    fn finished_rows_take_fresh_puzzles_on_the_next_step() {
        let mut trainer = trainer(10);
        let hold = Exploration { u: 0.0, min_segments: 3 };
        let mut n_placed = Vec::new();
        for _ in 0..7 {
            let mut placed = 0;
            let place = |row: usize, batch: &mut crate::Batch| {
                placed += 1;
                batch.write(row, &Copying, RowId { group: row, version: 0, row: 0 });
            };
            // Exploring everywhere holds every row for all of its 3 segments.
            trainer.step(place, &[hold; 12]).unwrap();
            n_placed.push(placed);
        }
        // The bias of the halting head makes it prefer neither, so a row runs
        // until its budget ends.
        assert_eq!(n_placed, [12, 0, 0, 12, 0, 0, 12]);
    }
}
