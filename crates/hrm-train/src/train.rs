//! The training loop.

use std::ops::ControlFlow;
use std::sync::mpsc;

use hrm_base::rng::stream;
use hrm_core::halting::Exploration;
use rand::Rng;
use serde::{Deserialize, Serialize};
use tracing::info_span;

use crate::batch::Batch;
use crate::error::TrainError;
use crate::evaluate;
use crate::sampler::{SamplerCursor, TrainingSampler};
use crate::task::Task;
use crate::trainer::{StepRandomness, StepReport, Trainer};

/// Number of batches that a background thread prepares ahead of their step.
const N_BATCHES_AHEAD: usize = 2;

/// The position of a run in its random data: the seed of batches, halting exploration
/// and random states, and the position in the sequence of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCursor {
    /// Seed of batches, halting exploration, random initial states and noise.
    pub seed: u64,
    /// The position of the next batch.
    #[serde(rename = "rows")]
    pub sampler: SamplerCursor,
}

impl DataCursor {
    /// The position before the first step.
    pub fn new(seed: u64) -> Self {
        Self { seed, sampler: SamplerCursor::default() }
    }

    /// Seed of random initial states and noise in the step of the next batch.
    fn states_seed(&self) -> u64 {
        stream(self.seed, &format!("states {}", self.sampler.n_batches)).random()
    }

    /// Random numbers for halting exploration, for each row of the next batch.
    fn exploration(&self, n_rows: usize, n_segments_max: u32) -> Vec<Exploration> {
        let mut rng = stream(self.seed, &format!("halting {}", self.sampler.n_batches));
        let mut sample = || {
            let u = rng.random();
            Exploration { u, min_segments: rng.random_range(2..=n_segments_max.max(2)) }
        };
        (0..n_rows).map(|_| sample()).collect()
    }
}

/// Trains on `task` up to the configured number of steps, starting at `cursor`. `watch`
/// is called after every step with the cursor of the next one, and may stop training.
///
/// # Errors
///
/// [`TrainError::Mismatch`] if model and task differ in size, or an error of a step or
/// of `watch`.
pub fn train<E: From<TrainError>>(
    trainer: &mut Trainer,
    task: &dyn Task,
    mut cursor: DataCursor,
    mut watch: impl FnMut(&Trainer, &StepReport, DataCursor) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    check_sizes(trainer, task)?;
    let mut sampler = TrainingSampler::new(task.train(), cursor.seed, cursor.sampler)?;
    let n_rows = trainer.config().batch_size;
    let n_segments_max = trainer.model().config().halting.n_segments_max as u32;

    std::thread::scope(|scope| {
        let (full_sender, full) = mpsc::sync_channel(N_BATCHES_AHEAD);
        let (used_sender, used) = mpsc::channel();
        scope.spawn(move || {
            // A whole batch is sampled although only halted rows take a puzzle from it:
            // the published code drops the others too, and its epochs depend on that.
            loop {
                let mut batch =
                    used.try_recv().unwrap_or_else(|_| Batch::blank(n_rows, task.n_cells()));
                let sampling = info_span!("sample puzzles").entered();
                for (row, at) in sampler.next_batch(n_rows).into_iter().enumerate() {
                    batch.write(row, task.train(), at);
                }
                drop(sampling);
                // The receiver is gone when training ends.
                if full_sender.send((batch, sampler.cursor())).is_err() {
                    return;
                }
            }
        });
        while trainer.n_steps() < trainer.config().steps {
            // If the sampling thread panicked, the scope panics when it ends.
            let waiting = info_span!("wait for puzzles").entered();
            let Ok((fresh, next)) = full.recv() else { break };
            drop(waiting);
            let exploration = cursor.exploration(n_rows, n_segments_max);
            let randomness =
                StepRandomness { exploration: &exploration, seed: cursor.states_seed() };
            cursor.sampler = next;
            let place = |row: usize, batch: &mut Batch| batch.copy_row(row, &fresh);
            let stepping = info_span!("step").entered();
            let report = trainer.step(place, randomness)?;
            drop(stepping);
            let _ = used_sender.send(fresh);
            if watch(trainer, &report, cursor)?.is_break() {
                break;
            }
        }
        // Ends the sampling thread, which the scope waits for.
        drop(full);
        Ok(())
    })
}

/// Checks that the sizes of model and task fit.
pub(crate) fn check_sizes(trainer: &Trainer, task: &dyn Task) -> Result<(), TrainError> {
    evaluate::check_sizes(trainer.model().config(), task)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CellLoss, CurriculumStage, OptimiserKind, TrainConfig};
    use crate::state::Snapshot;
    use crate::task::{Examples, Prediction, RowId, RowMut, Scorer};
    use candle_core::Device;
    use hrm_core::{Hrm, HrmConfig};
    use hrm_testkit::{Tol, assert_close};

    /// A task whose answers equal its questions.
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
            Box::new(crate::validation::NoMetrics)
        }
    }

    fn trainer(steps: u64) -> Trainer {
        with(steps, |_, _| ())
    }

    /// A change of the settings.
    type Change = fn(&mut HrmConfig, &mut TrainConfig);

    /// A trainer with some settings changed.
    fn with(steps: u64, change: impl FnOnce(&mut HrmConfig, &mut TrainConfig)) -> Trainer {
        let mut config = HrmConfig::tiny().with(|config| {
            config.input.vocab_size = 5;
            config.input.n_cells = 6;
            config.input.n_puzzle_ids = 2;
            config.block.hidden_dim = 16;
            config.puzzle_embedding.dim = 16;
            config.block.n_heads = 2;
            config.halting.n_segments_max = 3;
        });
        let mut train = TrainConfig::paper().with(|train| {
            train.batch_size = 12;
            train.steps = steps;
            train.optimiser.learning_rate = 1e-2;
            train.optimiser.weight_decay = 0.0;
            train.puzzle_embedding.learning_rate = 1e-2;
            train.schedule.warmup_steps = 5;
        });
        change(&mut config, &mut train);
        Trainer::new(Hrm::seeded(config, 1, &Device::Cpu).unwrap(), train).unwrap()
    }

    fn losses(steps: u64, seed: u64) -> Vec<f64> {
        let mut losses = Vec::new();
        train(&mut trainer(steps), &Copying, DataCursor::new(seed), |_, report, _| {
            losses.push(report.loss);
            Ok::<_, TrainError>(ControlFlow::Continue(()))
        })
        .unwrap();
        losses
    }

    #[test]
    fn samples_do_not_depend_on_the_batch_size() {
        let trainer = trainer(1);
        let model = trainer.model();
        // A halting head that halts about half of the rows after one segment.
        let parameter = |wanted: &str| {
            let (_, var) = model.weights().trained().find(|(name, _)| *name == wanted).unwrap();
            var.clone()
        };
        let weight = parameter(hrm_core::names::Q_WEIGHT);
        weight.set(&hrm_testkit::ramp((2, 16)).unwrap()).unwrap();
        let network = model.frozen().unwrap();
        let row_ids: Vec<RowId> = Copying.row_ids().collect();
        let batch = crate::Batch::read(&Copying, &row_ids, 6);
        let embeddings = model.puzzle_embeddings(batch.puzzle_ids()).unwrap();
        let tokens = batch.input_tensor(model.device()).unwrap();
        let input = network.encode(&tokens, embeddings.as_ref()).unwrap();
        let states = network.initial_states(row_ids.len()).unwrap();
        let q = network.segment(&states, &input).unwrap().q.mean(0).unwrap();
        let bias = parameter(hrm_core::names::Q_BIAS);
        bias.set(&(bias.as_detached_tensor() - q).unwrap()).unwrap();
        let sampled = |batch_size, seed| {
            let budget = hrm_core::Budget::UntilHalt(model.n_segments_max());
            let sampling = Some(crate::Sampling { temperature: 1.0, seed });
            let options = crate::EvalOptions { budget, batch_size, sampling };
            let mut rows = Vec::new();
            let evaluation = crate::evaluate(model, &Copying, options, |prediction| {
                rows.push((prediction.at, prediction.sampled.unwrap().to_vec()));
                Ok::<_, TrainError>(())
            });
            let n_segments = evaluation.unwrap().n_segments;
            rows.sort();
            (rows, n_segments)
        };
        let (rows, n_segments) = sampled(1, 3);
        let n_rows = rows.len() as u64;
        assert!(n_rows < n_segments && n_segments < 3 * n_rows, "{n_segments} segments");
        assert_eq!(sampled(7, 3).0, rows);
        assert_ne!(sampled(7, 4).0, rows);
        assert!(
            rows.iter().any(|(_, tokens)| *tokens != rows[0].1),
            "all rows have the same samples"
        );
    }

    #[test]
    fn the_copying_task_is_learnt_and_evaluated() {
        let mut trainer = trainer(60);
        let never_stop = |_: &Trainer, _: &StepReport, _: DataCursor| {
            Ok::<_, TrainError>(ControlFlow::Continue(()))
        };
        train(&mut trainer, &Copying, DataCursor::new(1), never_stop).unwrap();
        let budget = hrm_core::Budget::Fixed(trainer.model().n_segments_max());
        // At a low temperature, a sampled token is the most likely one.
        let sampling = Some(crate::Sampling { temperature: 1e-3, seed: 1 });
        let options = crate::EvalOptions { budget, batch_size: 7, sampling };
        let mut n_observed = 0;
        let observe = |prediction: &Prediction<'_>| {
            n_observed += 1;
            assert_eq!(prediction.sampled, Some(prediction.tokens));
            Ok::<_, TrainError>(())
        };
        let evaluation = crate::evaluate(trainer.averaged(), &Copying, options, observe).unwrap();
        assert_eq!(n_observed, 24);
        assert_eq!(evaluation.n_rows, 24);
        assert!(evaluation.exact() > 0.9, "{evaluation:?}");
        assert!(evaluation.cells() >= evaluation.exact());
    }

    #[test]
    fn files_keep_their_keys() {
        let cursor = serde_json::to_string(&DataCursor::new(7)).unwrap();
        assert_eq!(cursor, r#"{"seed":7,"rows":{"n_batches":0,"n_groups":0}}"#);
        let mut trainer = trainer(1);
        trainer.scale_learning_rates(0.5);
        let progress = serde_json::to_string(&trainer.progress()).unwrap();
        assert_eq!(progress, r#"{"n_steps":0,"n_skipped":0,"slowdown":0.5}"#);
    }

    #[test]
    fn the_seed_determines_the_losses() {
        assert_eq!(losses(4, 5), losses(4, 5));
        assert_ne!(losses(4, 5), losses(4, 6));
    }

    /// Every tensor of a trainer, as bytes.
    fn bits(trainer: &Trainer) -> Vec<Vec<u8>> {
        written(&trainer.snapshot().unwrap())
    }

    /// The files of a snapshot, as bytes.
    fn written(snapshot: &Snapshot) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        snapshot.write(folder.path()).unwrap();
        let mut files: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
    }

    #[test]
    fn a_snapshot_does_not_change_with_the_trainer() {
        for ema in [0.0, 0.9] {
            let mut trainer = with(3, |_, train| train.optimiser.ema = ema);
            let (snapshot, before) = (trainer.snapshot().unwrap(), bits(&trainer));
            run_through(&mut trainer);
            assert_eq!(written(&snapshot), before);
            let unchanged =
                bits(&trainer).iter().zip(&before).filter(|(now, then)| now == then).count();
            assert_eq!(unchanged, 1, "only the config is unchanged");
        }
    }

    /// Values of the dense weights of a model.
    fn dense(model: &Hrm) -> Vec<Vec<f32>> {
        let values = |(_, var): (&str, &candle_core::Var)| {
            var.as_detached_tensor().flatten_all().unwrap().to_vec1().unwrap()
        };
        model.weights().trained().map(values).collect()
    }

    /// Trains to the end. Returns the report of each step.
    fn run_through(trainer: &mut Trainer) -> Vec<StepReport> {
        let mut reports = Vec::new();
        train(trainer, &Copying, DataCursor::new(1), |_, report, _| {
            reports.push(report.clone());
            Ok::<_, TrainError>(ControlFlow::Continue(()))
        })
        .unwrap();
        reports
    }

    #[test]
    fn the_ema_follows_the_weights() {
        let mut trainer = with(3, |_, train| train.optimiser.ema = 0.75);
        let mut want = dense(trainer.model());
        train(&mut trainer, &Copying, DataCursor::new(1), |trainer, _, _| {
            for (want, now) in
                want.iter_mut().flatten().zip(dense(trainer.model()).iter().flatten())
            {
                *want = 0.75 * *want + 0.25 * now;
            }
            Ok::<_, TrainError>(ControlFlow::Continue(()))
        })
        .unwrap();
        assert_ne!(dense(trainer.averaged()), dense(trainer.model()));
        for (found, want) in dense(trainer.averaged()).iter().flatten().zip(want.iter().flatten()) {
            assert!((found - want).abs() < 1e-6, "found {found}, expected {want}");
        }
        // Puzzle embeddings are not averaged.
        let table = |model: &Hrm| {
            model.weights().find(hrm_core::names::PUZZLES).unwrap().to_vec2::<f32>().unwrap()
        };
        assert_eq!(table(trainer.averaged()), table(trainer.model()));
    }

    #[test]
    fn every_variant_learns() {
        let variants: [(&str, Change); 10] = [
            ("adamw", |_, train| train.optimiser.kind = OptimiserKind::Adamw),
            ("muon", |_, train| train.optimiser.kind = OptimiserKind::Muon),
            ("clipped", |_, train| train.optimiser.clip_norm = 0.1),
            ("average", |_, train| train.optimiser.ema = 0.8),
            ("softmax", |_, train| train.loss.cells = CellLoss::Softmax),
            ("smoothed", |_, train| train.loss.label_smoothing = 0.1),
            ("noise", |_, train| train.state_noise = 0.01),
            ("carries round-robin", |_, train| train.n_carries = 3),
            ("random initial states", |model, _| {
                model.recurrence.initial_states = hrm_core::InitialStates::Random
            }),
            ("damped", |model, _| model.recurrence.damping = 0.05),
        ];
        for (name, change) in variants {
            let mut trainer = with(60, change);
            let reports = run_through(&mut trainer);
            let mean = |part: &[StepReport]| {
                part.iter().map(|report| report.cell_loss).sum::<f64>() / part.len() as f64
            };
            let (first, last) = (mean(&reports[..5]), mean(&reports[55..]));
            assert!(last < 0.6 * first, "{name}: from {first} to {last}");
            assert!(reports.iter().all(|report| report.gradient_norm > 0.0), "{name}");
        }
    }

    #[test]
    fn a_disabled_variant_does_not_change_the_losses() {
        let off = |model: &mut HrmConfig, train: &mut TrainConfig| {
            model.recurrence.damping = 0.0;
            train.optimiser.clip_norm = 1e9;
            train.state_noise = 0.0;
            train.schedule.curriculum =
                vec![CurriculumStage { until: 1.0, n_h_cycles: 2, n_l_cycles: 2 }];
        };
        let losses = |trainer: &mut Trainer| -> Vec<f64> {
            run_through(trainer).iter().map(|report| report.loss).collect()
        };
        assert_eq!(losses(&mut with(5, off)), losses(&mut trainer(5)));
        let shorter = |_: &mut HrmConfig, train: &mut TrainConfig| {
            train.schedule.curriculum =
                vec![CurriculumStage { until: 0.5, n_h_cycles: 1, n_l_cycles: 1 }];
        };
        assert_ne!(losses(&mut with(5, shorter)), losses(&mut trainer(5)));
    }

    #[test]
    fn a_batch_in_parts_gives_the_same_steps_as_a_whole_one() {
        let change = |parts: usize| {
            with(12, move |model, train| {
                model.recurrence.initial_states = hrm_core::InitialStates::Random;
                train.state_noise = 0.01;
                train.n_carries = 2;
                train.accumulate = parts;
            })
        };
        let mut whole = change(1);
        let wanted = run_through(&mut whole);
        let embeddings = |trainer: &Trainer| {
            trainer.model().weights().find(hrm_core::names::PUZZLES).unwrap().copy().unwrap()
        };
        // Parts of 3 rows, of 5, 5 and 2, and of 1.
        for parts in [4, 3, 12] {
            let mut trainer = change(parts);
            let found = run_through(&mut trainer);
            for (found, wanted) in found.iter().zip(&wanted) {
                let close = |a: f64, b: f64| (a - b).abs() <= 1e-4 * b.abs();
                assert!(close(found.loss, wanted.loss), "{parts}: {found:?}, {wanted:?}");
                assert!(close(found.cell_loss, wanted.cell_loss), "{found:?}, {wanted:?}");
                assert!(close(found.gradient_norm, wanted.gradient_norm), "{found:?}, {wanted:?}");
                let counts = |report: &StepReport| {
                    (report.step, report.n_halted, report.n_exact, report.n_segments)
                };
                assert_eq!(counts(found), counts(wanted), "{parts}");
            }
            assert_close("embeddings", &embeddings(&trainer), &embeddings(&whole), Tol::F32_LOSS);
        }
    }

    #[test]
    fn carries_are_used_round_robin() {
        let mut trainer = with(10, |_, train| train.n_carries = 3);
        let hold = [Exploration { u: 0.0, min_segments: 3 }; 12];
        let mut n_done = Vec::new();
        for _ in 0..7 {
            let place = |row: usize, batch: &mut Batch| {
                batch.write(row, &Copying, RowId { group: row, version: 0, row: 0 });
            };
            trainer.step(place, StepRandomness { exploration: &hold, seed: 0 }).unwrap();
            n_done.push(trainer.carries().iter().map(|carry| carry.n_done[0]).collect::<Vec<_>>());
        }
        assert_eq!(n_done[..4], [[1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1]]);
        assert_eq!(n_done[6], [3, 2, 2]);
    }

    #[test]
    fn steps_that_are_not_finite_are_skipped_and_counted() {
        let mut trainer = with(100, |_, train| train.recovery.n_skipped_max = 2);
        let overwrite = |trainer: &Trainer, value: f32| {
            let (_, var) = trainer.model().weights().trained().last().unwrap();
            let first = var.as_detached_tensor().copy().unwrap();
            let constant = first.ones_like().unwrap().affine(f64::from(value), 0.0).unwrap();
            var.set(&constant).unwrap();
            first
        };
        let hold = [Exploration { u: 0.0, min_segments: 3 }; 12];
        let step = |trainer: &mut Trainer| {
            let mut n_placed = 0;
            let place = |row: usize, batch: &mut Batch| {
                n_placed += 1;
                batch.write(row, &Copying, RowId { group: row, version: 0, row: 0 });
            };
            let report = trainer.step(place, StepRandomness { exploration: &hold, seed: 0 });
            (report, n_placed)
        };
        assert!(!step(&mut trainer).0.unwrap().is_skipped);
        let intact = overwrite(&trainer, f32::NAN);
        let before = dense(trainer.model());
        let (report, n_placed) = step(&mut trainer);
        let report = report.unwrap();
        assert!(report.is_skipped && !report.loss.is_finite(), "{report:?}");
        assert_eq!((report.step, n_placed), (2, 0));
        // Compared as text, because of NaN.
        assert_eq!(format!("{before:?}"), format!("{:?}", dense(trainer.model())));
        // Every row takes a new puzzle, and finite weights make a finite step.
        let (_, var) = trainer.model().weights().trained().last().unwrap();
        var.set(&intact).unwrap();
        let (report, n_placed) = step(&mut trainer);
        assert!(!report.unwrap().is_skipped);
        assert_eq!(n_placed, 12);

        overwrite(&trainer, f32::INFINITY);
        for _ in 0..2 {
            assert!(step(&mut trainer).0.unwrap().is_skipped);
        }
        let err = step(&mut trainer).0.unwrap_err();
        assert!(matches!(err, TrainError::NotFinite { step: 6, .. }), "{err}");
    }

    #[test]
    fn scaled_learning_rates_scale_the_steps() {
        let moved = |factor: f64| {
            let mut trainer = with(1, |_, train| train.schedule.warmup_steps = 0);
            trainer.scale_learning_rates(factor);
            let before = dense(trainer.model());
            run_through(&mut trainer);
            let after = dense(trainer.model());
            let apart = before.iter().flatten().zip(after.iter().flatten());
            apart.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>()
        };
        let (whole, half) = (moved(1.0), moved(0.5));
        assert!((half / whole - 0.5).abs() < 1e-3, "{half} of {whole}");
    }

    #[test]
    fn a_restored_trainer_continues_bit_for_bit() {
        let run = |trainer: &mut Trainer, cursor: DataCursor, until: u64| {
            let (mut losses, mut next) = (Vec::new(), cursor);
            train(trainer, &Copying, cursor, |_, report, cursor| {
                losses.push(report.loss);
                next = cursor;
                let is_last = report.step == until;
                Ok::<_, TrainError>(match is_last {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            })
            .unwrap();
            (losses, next)
        };
        let variant = |_: &mut HrmConfig, train: &mut TrainConfig| {
            (train.optimiser.kind, train.optimiser.ema, train.state_noise) =
                (OptimiserKind::Muon, 0.9, 0.01);
            train.n_carries = 2;
        };
        let mut straight = with(40, variant);
        let (wanted, _) = run(&mut straight, DataCursor::new(1), 23);

        let mut halting = with(40, variant);
        let (mut losses, cursor) = run(&mut halting, DataCursor::new(1), 11);
        let folder = tempfile::tempdir().unwrap();
        halting.snapshot().unwrap().write(folder.path()).unwrap();
        let restore = |config| {
            let model = Hrm::load(folder.path(), &Device::Cpu).unwrap();
            Trainer::restore(model, config, folder.path())
        };
        let mut again = restore(halting.config().clone()).unwrap();
        assert_eq!(bits(&again), bits(&halting));
        losses.extend(run(&mut again, cursor, 23).0);
        assert_eq!(losses, wanted);
        assert_eq!(bits(&again), bits(&straight));

        let other = TrainConfig { batch_size: 5, ..halting.config().clone() };
        let err = restore(other).unwrap_err().to_string();
        assert!(
            err.ends_with("`carries` must be 2 of batch size 5, found batch sizes [12, 12]"),
            "{err}"
        );
    }

    #[test]
    fn watch_can_stop_training() {
        let mut trainer = trainer(100);
        train(&mut trainer, &Copying, DataCursor::new(1), |_, report, _| {
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
    fn a_model_of_another_size_is_rejected_before_the_first_step() {
        let config = HrmConfig::tiny().with(|config| config.input.n_cells = 6);
        let model = Hrm::seeded(config, 1, &Device::Cpu).unwrap();
        let mut trainer =
            Trainer::new(model, TrainConfig { batch_size: 2, ..TrainConfig::paper() }).unwrap();
        let err = train(&mut trainer, &Copying, DataCursor::new(1), |_, _, _| {
            Ok::<_, TrainError>(ControlFlow::Continue(()))
        });
        let message = err.unwrap_err().to_string();
        assert_eq!(message, "the model has `vocab_size` 6, but the task needs 5");
    }

    #[test]
    fn halted_rows_take_new_puzzles_in_the_next_step() {
        let mut trainer = trainer(10);
        let hold = Exploration { u: 0.0, min_segments: 3 };
        let mut n_placed = Vec::new();
        for _ in 0..7 {
            let mut placed = 0;
            let place = |row: usize, batch: &mut crate::Batch| {
                placed += 1;
                batch.write(row, &Copying, RowId { group: row, version: 0, row: 0 });
            };
            // Exploration keeps every row for all of its 3 segments.
            trainer.step(place, StepRandomness { exploration: &[hold; 12], seed: 0 }).unwrap();
            n_placed.push(placed);
        }
        // The initial halting head has no preference, so a row runs all its segments.
        assert_eq!(n_placed, [12, 0, 0, 12, 0, 0, 12]);
    }
}
