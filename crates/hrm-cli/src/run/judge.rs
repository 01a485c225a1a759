//! How well a run does: validation during it, evaluation of what it comes to.

use std::fs;

use anyhow::Context;
use hrm_base::durable;
use hrm_core::{Budget, Hrm};
use hrm_tasks::PuzzleTask;
use hrm_tasks::picture::Picture;
use hrm_train::task::{Prediction, Task};
use hrm_train::{EvalOptions, Evaluation, TrainConfig, Trainer, ValidationSplit, evaluate};
use serde_json::json;
use tracing::info_span;

use super::log::Log;
use super::position::Best;
use crate::eval;
use crate::pictures::Answers;
use crate::record::RunRecord;

/// Folder of drawn answers in the folder of a run.
const PICTURES: &str = "pictures";

/// Who is asked what.
struct Asked<'a> {
    puzzles: &'a dyn PuzzleTask,
    /// The questions, as examples for evaluation.
    task: &'a dyn Task,
    /// What they are called.
    part: &'static str,
    /// How often the model has been updated.
    step: u64,
}

impl Log {
    /// Evaluates the model as it is: by the validation puzzles if there are any,
    /// else by the evaluation puzzles if there are any.
    pub(super) fn judge(
        &mut self,
        trainer: &Trainer,
        puzzles: &dyn PuzzleTask,
        split: &ValidationSplit<'_>,
    ) -> anyhow::Result<()> {
        let (model, step, config) = (trainer.averaged(), trainer.n_steps(), trainer.config());
        if config.evaluation.n_validation == 0 {
            return self.evaluate(model, puzzles, config.batch_size, step);
        }
        let validation = split.validation();
        let asked = Asked { puzzles, task: &validation, part: "validation", step };
        let found = self.ask(model, &asked, config.batch_size)?;
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
        let model = Hrm::load(&checkpoint, &compute.device()?)?.with_dtype(compute.dtype()?);
        self.progress.remark(format!("Step {} was best in validation.", best.step));
        self.evaluate(&model, task, record.config.train.batch_size, best.step)
    }

    /// Evaluates a model by the evaluation puzzles, if there are any.
    pub(super) fn evaluate(
        &mut self,
        model: &Hrm,
        puzzles: &dyn PuzzleTask,
        batch_size: usize,
        step: u64,
    ) -> anyhow::Result<()> {
        if puzzles.eval().row_ids().next().is_none() {
            return Ok(());
        }
        let asked = Asked { puzzles, task: puzzles, part: "evaluation", step };
        let evaluation = self.ask(model, &asked, batch_size)?;
        self.line(step, &eval::to_json(&evaluation, Some(step)))?;
        self.sync()?;
        self.progress.remark(format!("step {step}: {}", eval::describe(&evaluation)));
        self.judged = Some(evaluation);
        Ok(())
    }

    /// Asks a model as the published code does, with every segment, and has some
    /// answers drawn.
    fn ask(
        &mut self,
        model: &Hrm,
        asked: &Asked<'_>,
        batch_size: usize,
    ) -> anyhow::Result<Evaluation> {
        let _evaluating = info_span!("evaluate").entered();
        let examples = asked.task.eval();
        let n_rows = examples.n_rows_total();
        let budget = Budget::Fixed(model.n_segments_max());
        let asking = EvalOptions { budget, batch_size, sampling: None };
        let mut n_done = 0;
        let mut answers = Answers::at_most(self.n_pictures);
        let evaluation = evaluate(model, asked.task, asking, |predicted: &Prediction<'_>| {
            n_done += 1;
            answers.add(examples, predicted);
            self.progress.show_evaluation(n_done, n_rows);
            match self.interrupt.signal() {
                None => anyhow::Ok(()),
                Some(signal) => Err(self.interrupted(signal).into()),
            }
        })?;
        self.draw(&answers, asked)?;
        Ok(evaluation)
    }

    /// Begins to draw answers, if there are any.
    fn draw(&mut self, answers: &Answers, asked: &Asked<'_>) -> anyhow::Result<()> {
        let Asked { puzzles, task, part, step } = *asked;
        let exhibits = answers.exhibits(puzzles, task.eval(), self.puzzles.task.family());
        if exhibits.is_empty() {
            return Ok(());
        }
        let title = format!("{}, step {step}", answers.title(task.name(), part));
        let picture = Picture { title, exhibits, n_columns: None };
        let folder = self.folder.path().join(PICTURES);
        let file = folder.join(format!("{part}-{step:08}.png"));
        self.saver.start(info_span!("write pictures"), move || {
            let png = picture.to_png()?;
            let written = fs::create_dir_all(&folder).and_then(|()| durable::replace(&file, &png));
            written.with_context(|| format!("cannot write {}", file.display()))
        })
    }

    /// Whether validation has not become better for long enough.
    pub(super) fn has_lost_patience(&self, config: &TrainConfig) -> bool {
        let patience = config.evaluation.patience;
        patience > 0 && self.position.n_worse >= patience
    }
}
