//! Adaptive halting: is another segment worth it for this puzzle?
//!
//! Preferences are the halting logits of one puzzle, `[halt, continue]`.

use crate::Halting;

/// The draws that make a puzzle go on for a while in training, whatever the
/// halting head says: an argument, because this crate has no randomness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exploration {
    /// Uniform in `0..1`; the puzzle explores if it is below the probability.
    pub u: f32,
    /// Segments it must then run at least, in `2..=n_segments_max`.
    pub min_segments: u32,
}

impl Exploration {
    /// Segments the puzzle must run at least, 0 unless it explores.
    pub fn min_segments(&self, probability: f64) -> u32 {
        if f64::from(self.u) < probability { self.min_segments } else { 0 }
    }
}

/// The decision in training, by `rule`, for a puzzle that has run `n_done`
/// segments.
pub fn halts(
    rule: Halting,
    n_done: u32,
    n_segments_max: u32,
    preference: [f32; 2],
    min_segments: u32,
) -> bool {
    // With one segment there is nothing to learn about halting.
    if n_segments_max <= 1 {
        return true;
    }
    let out_of_budget = n_done >= n_segments_max;
    (out_of_budget || rule.wants_to_halt(preference)) && n_done >= min_segments
}

/// What `continue` is worth, in `0..=1`: the better of the two preferences one
/// segment later, or that of halting if there the budget ends.
pub fn continue_target(next: [f32; 2], out_of_budget: bool) -> f32 {
    let [halt, cont] = next;
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
    fn the_budget_the_head_and_exploration_decide() {
        const RULE: Halting = Halting::QLearning;
        const STOP: [f32; 2] = [1.0, 0.0];
        const GO: [f32; 2] = [0.0, 1.0];
        assert!(halts(RULE, 3, 16, STOP, 0));
        assert!(!halts(RULE, 3, 16, GO, 0));
        assert!(!halts(RULE, 3, 16, [0.5, 0.5], 0), "a tie goes on");
        assert!(halts(RULE, 16, 16, GO, 0));
        assert!(!halts(RULE, 3, 16, STOP, 4), "exploration holds it back");
        assert!(halts(RULE, 4, 16, STOP, 4));
        assert!(halts(RULE, 1, 1, GO, 0));
    }

    #[test]
    fn exploration_applies_below_its_probability() {
        let draw = Exploration { u: 0.05, min_segments: 7 };
        assert_eq!(draw.min_segments(0.1), 7);
        assert_eq!(draw.min_segments(0.05f32.into()), 0);
    }

    #[test]
    fn the_target_is_the_best_that_can_come() {
        assert_eq!(continue_target([0.0, 3.0], true), 0.5);
        assert_eq!(continue_target([0.0, 3.0], false), sigmoid(3.0));
        assert_eq!(continue_target([3.0, 0.0], false), sigmoid(3.0));
        assert_eq!(sigmoid(-200.0), 0.0);
    }
}
