//! How learning rates and recurrence change over the steps of a run.

use serde::{Deserialize, Serialize};

use super::range::{check_range, refuse};
use crate::error::TrainError;

/// Number of steps of a run that has no fixed number.
pub(super) const OPEN_ENDED: u64 = u64::MAX;

/// The learning-rate schedule and the curriculum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// Steps over which the learning rates rise linearly from zero.
    pub warmup_steps: u64,
    /// How the learning rates fall from the end of warm-up to the last step.
    pub decay: Decay,
    /// Learning rates at the last step as a share of those after warm-up, in
    /// `0..=1`. 1: constant.
    pub lr_min_ratio: f64,
    /// Stages with fewer cycles, in order. After the last stage the cycles are
    /// those of the model (arXiv 2511.08653).
    pub curriculum: Vec<CurriculumStage>,
}

/// How learning rates fall after warm-up. The default is the published schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decay {
    /// Along half a cosine.
    #[default]
    Cosine,
    /// Along a straight line.
    Linear,
    /// Not at all.
    Constant,
}

/// A part of a run with its own number of cycles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurriculumStage {
    /// End of the stage, as a share of all steps. In `0..=1`.
    pub until: f64,
    /// Slow updates per segment. At least 1.
    pub n_h_cycles: usize,
    /// Fast updates per slow update. At least 1.
    pub n_l_cycles: usize,
}

impl Default for ScheduleConfig {
    /// The published settings.
    fn default() -> Self {
        Self {
            warmup_steps: 2_000,
            decay: Decay::Cosine,
            lr_min_ratio: 1.0,
            curriculum: Vec::new(),
        }
    }
}

impl ScheduleConfig {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] naming the first setting that is not.
    pub fn check(&self) -> Result<(), TrainError> {
        check_range("schedule.lr_min_ratio", self.lr_min_ratio, 0.0..=1.0, "in 0..=1")?;
        let field = "schedule.curriculum";
        let mut begin = 0.0;
        for CurriculumStage { until, n_h_cycles, n_l_cycles } in &self.curriculum {
            let expected = "stages with increasing `until` in 0..=1";
            check_range(field, *until, begin..=1.0, expected)?;
            let cycles = 1..=1 << 10;
            if !cycles.contains(n_h_cycles) || !cycles.contains(n_l_cycles) {
                let found = format!("{n_h_cycles} and {n_l_cycles}");
                return refuse(field, "stages with 1..=1024 cycles", found);
            }
            begin = *until;
        }
        Ok(())
    }

    /// The stage of step `step` out of `n_steps`, counted from 1, if a stage covers
    /// it.
    pub fn stage_at(&self, step: u64, n_steps: u64) -> Option<&CurriculumStage> {
        let done = step.saturating_sub(1) as f64 / n_steps as f64;
        self.curriculum.iter().find(|stage| done < stage.until)
    }

    /// Factor of the learning rates at step `step` out of `n_steps`, counted from 1. Where the
    /// number of steps is open, there is nothing to decay over.
    pub fn lr_factor_at(&self, step: u64, n_steps: u64) -> f64 {
        if step < self.warmup_steps {
            return step as f64 / self.warmup_steps as f64;
        }
        if n_steps == OPEN_ENDED {
            return 1.0;
        }
        let n_decaying = n_steps.saturating_sub(self.warmup_steps).max(1);
        let progress = ((step - self.warmup_steps) as f64 / n_decaying as f64).min(1.0);
        let above_least = match self.decay {
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            Decay::Linear => 1.0 - progress,
            Decay::Constant => 1.0,
        };
        self.lr_min_ratio + (1.0 - self.lr_min_ratio) * above_least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_warms_up_then_decays() {
        let cosine =
            ScheduleConfig { warmup_steps: 100, lr_min_ratio: 0.2, ..ScheduleConfig::default() };
        let factors = [1, 50, 100, 200, 300, 400].map(|step| cosine.lr_factor_at(step, 300));
        let want = [0.01, 0.5, 1.0, 0.6, 0.2, 0.2];
        for (factor, want) in factors.into_iter().zip(want) {
            assert!((factor - want).abs() < 1e-12, "{factors:?}");
        }
        let linear = ScheduleConfig { decay: Decay::Linear, ..cosine.clone() };
        let factors = [100, 150, 200, 300, 400].map(|step| linear.lr_factor_at(step, 300));
        for (factor, want) in factors.into_iter().zip([1.0, 0.8, 0.6, 0.2, 0.2]) {
            assert!((factor - want).abs() < 1e-12, "{factors:?}");
        }
        let constant = ScheduleConfig { decay: Decay::Constant, ..cosine.clone() };
        assert_eq!([100, 200, 300].map(|step| constant.lr_factor_at(step, 300)), [1.0; 3]);
        let constant = ScheduleConfig { warmup_steps: 0, lr_min_ratio: 1.0, ..cosine };
        assert_eq!(constant.lr_factor_at(1, 300), 1.0);
    }

    #[test]
    fn curriculum_stages_follow_each_other() {
        let stage = |until, n_l_cycles| CurriculumStage { until, n_h_cycles: 1, n_l_cycles };
        let of = |curriculum| ScheduleConfig { curriculum, ..ScheduleConfig::default() };
        let schedule = of(vec![stage(0.3, 2), stage(0.6, 4)]);
        schedule.check().unwrap();
        let cycles = |step| schedule.stage_at(step, 10).map(|stage| stage.n_l_cycles);
        let found: Vec<_> = (1..=10).map(cycles).collect();
        let (two, four) = (Some(2), Some(4));
        assert_eq!(found, [two, two, two, four, four, four, None, None, None, None]);

        let wrong = |stages| of(stages).check().unwrap_err().to_string();
        assert_eq!(
            wrong(vec![stage(0.6, 2), stage(0.3, 2)]),
            "train.schedule.curriculum must be stages with increasing `until` in 0..=1, found 0.3"
        );
        assert_eq!(
            wrong(vec![stage(0.6, 0)]),
            "train.schedule.curriculum must be stages with 1..=1024 cycles, found 1 and 0"
        );
    }
}
