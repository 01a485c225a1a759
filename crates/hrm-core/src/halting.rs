//! Adaptive halting: does a puzzle need another segment?

use crate::variants::HaltRule;

/// The random numbers that make a puzzle run for a minimum number of segments in
/// training, whatever the halting head says. They are an argument because this
/// crate does not sample them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exploration {
    /// Uniform in `0..1`. The puzzle explores if it is below the probability.
    pub u: f32,
    /// Minimum number of segments of an exploring puzzle, in `2..=n_segments_max`.
    pub min_segments: u32,
}

impl Exploration {
    /// Minimum number of segments of the puzzle: 0 unless it explores.
    pub fn min_segments(&self, probability: f64) -> u32 {
        if f64::from(self.u) < probability { self.min_segments } else { 0 }
    }
}

/// Whether a puzzle halts in training after `n_done` segments, given its halting
/// logits `[halt, continue]`.
pub fn halts(
    rule: HaltRule,
    n_done: u32,
    n_segments_max: u32,
    logits: [f32; 2],
    min_segments: u32,
) -> bool {
    // With a budget of one segment there is nothing to learn about halting.
    if n_segments_max <= 1 {
        return true;
    }
    let out_of_budget = n_done >= n_segments_max;
    (out_of_budget || rule.wants_to_halt(logits)) && n_done >= min_segments
}

/// The Q-learning target of `continue`, in `0..=1`: the value of the better action
/// one segment later, given its logits `[halt, continue]`, or the value of halting
/// if the budget ends there.
pub fn continue_target(next_logits: [f32; 2], out_of_budget: bool) -> f32 {
    let [halt, cont] = next_logits;
    sigmoid(if out_of_budget { halt } else { halt.max(cont) })
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid(x: f32) -> f32 {
    (1.0 + (-x).exp()).recip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_logits_and_exploration_decide() {
        const RULE: HaltRule = HaltRule::QLearning;
        const HALT: [f32; 2] = [1.0, 0.0];
        const CONTINUE: [f32; 2] = [0.0, 1.0];
        assert!(halts(RULE, 3, 16, HALT, 0));
        assert!(!halts(RULE, 3, 16, CONTINUE, 0));
        assert!(!halts(RULE, 3, 16, [0.5, 0.5], 0), "a tie continues");
        assert!(halts(RULE, 16, 16, CONTINUE, 0));
        assert!(!halts(RULE, 3, 16, HALT, 4), "exploration delays halting");
        assert!(halts(RULE, 4, 16, HALT, 4));
        assert!(halts(RULE, 1, 1, CONTINUE, 0));
    }

    #[test]
    fn exploration_applies_below_its_probability() {
        let exploration = Exploration { u: 0.05, min_segments: 7 };
        assert_eq!(exploration.min_segments(0.1), 7);
        assert_eq!(exploration.min_segments(0.05f32.into()), 0);
    }

    #[test]
    fn the_target_is_the_value_of_the_better_action() {
        assert_eq!(continue_target([0.0, 3.0], true), 0.5);
        assert_eq!(continue_target([0.0, 3.0], false), sigmoid(3.0));
        assert_eq!(continue_target([3.0, 0.0], false), sigmoid(3.0));
        assert_eq!(sigmoid(-200.0), 0.0);
    }
}
