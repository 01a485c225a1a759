//! How well a run does: validation during it, evaluation of what it comes to.

use hrm_core::{Budget, Hrm};
use hrm_tasks::PuzzleTask;
use hrm_train::run::load_model;
use hrm_train::task::{Predicted, Task};
use hrm_train::{Asking, Evaluation, TrainConfig, Trainer, WithValidation, evaluate};
use serde_json::json;
use tracing::info_span;

use super::log::Log;
use super::position::Best;
use crate::eval;
use crate::record::RunRecord;

impl Log {
    /// Evaluates the model as it is: by the validation puzzles if there are any,
    /// else by the evaluation puzzles if there are any.
    pub(super) fn judge(
        &mut self,
        trainer: &Trainer,
        split: &WithValidation<'_>,
    ) -> anyhow::Result<()> {
        let (model, step, config) = (trainer.averaged(), trainer.n_steps(), trainer.config());
        if config.n_validation == 0 {
            return self.evaluate(model, split, config.batch_size, step);
        }
        let found = self.ask(model, &split.validation(), config.batch_size)?;
        let line = json!({
            "kind": "validation",
            "step": step,
            "rows": found.n_rows,
            "exact": found.exact(),
            "cells": found.cells(),
        });
        self.line(step, &line)?;
        self.sync()?;
        self.progress.remark(format!("step {step}: validation {}", eval::describe(&found)));

        let (exact, cells) = (found.exact(), found.cells());
        if self.position.best.is_none_or(|best| (exact, cells) > (best.exact, best.cells)) {
            self.position.best = Some(Best { step, exact, cells });
            self.position.n_worse = 0;
            self.saver.finish()?;
            self.folder.checkpoints().set_best(Some(step))?;
        } else {
            self.position.n_worse += 1;
        }
        Ok(())
    }

    /// Evaluates the checkpoint that validation has chosen, if it has.
    pub(super) fn judge_chosen(
        &mut self,
        task: &dyn PuzzleTask,
        record: &RunRecord,
    ) -> anyhow::Result<()> {
        let (Some(best), Some(checkpoint)) =
            (self.position.best, self.folder.checkpoints().best()?)
        else {
            return Ok(());
        };
        let compute = record.compute()?;
        let model = load_model(&checkpoint, &compute.device()?)?.with_dtype(compute.dtype()?);
        self.progress.remark(format!("Step {} was best in validation.", best.step));
        self.evaluate(&model, task, record.config.train.batch_size, best.step)
    }

    /// Evaluates a model by the evaluation puzzles, if there are any.
    pub(super) fn evaluate(
        &mut self,
        model: &Hrm,
        task: &dyn Task,
        batch_size: usize,
        step: u64,
    ) -> anyhow::Result<()> {
        if task.eval().row_ids().next().is_none() {
            return Ok(());
        }
        let evaluation = self.ask(model, task, batch_size)?;
        self.line(step, &eval::to_json(&evaluation, Some(step)))?;
        self.sync()?;
        self.progress.remark(format!("step {step}: {}", eval::describe(&evaluation)));
        self.judged = Some(evaluation);
        Ok(())
    }

    /// Asks a model as the published code does, with every segment.
    pub(super) fn ask(
        &mut self,
        model: &Hrm,
        task: &dyn Task,
        batch_size: usize,
    ) -> anyhow::Result<Evaluation> {
        let _evaluating = info_span!("evaluate").entered();
        let n_rows = task.eval().row_ids().count() as u64;
        let budget = Budget::Fixed(model.config().n_segments_max);
        let asking = Asking { budget, batch_size, sampling: None };
        let mut n_done = 0;
        evaluate(model, task, asking, |_: &Predicted<'_>| {
            n_done += 1;
            self.progress.show_evaluation(n_done, n_rows);
            match self.interrupt.signal() {
                None => anyhow::Ok(()),
                Some(signal) => Err(self.interrupted(signal).into()),
            }
        })
    }

    /// Whether validation has not become better for long enough.
    pub(super) fn has_lost_patience(&self, config: &TrainConfig) -> bool {
        config.patience > 0 && self.position.n_worse >= config.patience
    }
}
