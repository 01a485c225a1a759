//! The order of updates within a segment, and the update at which gradients begin.

use std::fmt;

use crate::config::{HrmConfig, RecurrenceConfig};
use crate::variants::{GradientSpan, Modules};

/// Which state is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The fast state: `z_l <- L(z_l + z_h + x)`.
    Low,
    /// The slow state: `z_h <- H(z_h + z_l)`.
    High,
    /// The only state: `z_h <- L(z_h + x)`.
    Flat,
}

/// Every update of one segment, in order.
///
/// Displayed as one letter per update, with a bar where gradients begin:
/// `LLHL|LH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    updates: Vec<Update>,
    n_tracked: usize,
}

impl Schedule {
    /// The schedule of a model with this config: each slow cycle runs `n_l_cycles`
    /// fast updates and then a slow one.
    ///
    /// # Panics
    ///
    /// If a number of cycles or layers is 0.
    pub fn new(config: &HrmConfig) -> Self {
        let &RecurrenceConfig { n_h_cycles, n_l_cycles, n_h_layers, n_l_layers, .. } =
            &config.recurrence;
        assert!(n_h_cycles > 0 && n_l_cycles > 0, "a segment updates both states");
        let one_cycle = || std::iter::repeat_n(Update::Low, n_l_cycles).chain([Update::High]);
        let (updates, last, cycle): (Vec<Update>, usize, usize) = match config.recurrence.modules {
            Modules::Two | Modules::Shared => {
                ((0..n_h_cycles).flat_map(|_| one_cycle()).collect(), 2, n_l_cycles + 1)
            }
            Modules::Flat => {
                let n_blocks = n_h_cycles * (n_l_cycles * n_l_layers + n_h_layers);
                let n_updates = n_blocks.div_ceil(n_l_layers + n_h_layers);
                (vec![Update::Flat; n_updates], 1, n_updates.div_ceil(n_h_cycles))
            }
        };
        let n_tracked = match config.recurrence.gradient_span {
            GradientSpan::LastUpdate => last,
            GradientSpan::LastCycle => cycle,
            GradientSpan::Updates(n) => n,
        };
        let n_tracked = n_tracked.min(updates.len());
        Self { updates, n_tracked }
    }

    /// The schedule of a model with this config, but `n_h_cycles` and `n_l_cycles`.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn with_cycles(config: &HrmConfig, n_h_cycles: usize, n_l_cycles: usize) -> Self {
        Self::new(&config.clone().with(|config| {
            config.recurrence.n_h_cycles = n_h_cycles;
            config.recurrence.n_l_cycles = n_l_cycles;
        }))
    }

    /// All updates, in order.
    pub fn updates(&self) -> &[Update] {
        &self.updates
    }

    /// The updates that run without gradient.
    pub fn warm_up(&self) -> &[Update] {
        &self.updates[..self.updates.len() - self.n_tracked]
    }

    /// The updates at the end that carry gradient.
    pub fn tracked(&self) -> &[Update] {
        &self.updates[self.updates.len() - self.n_tracked..]
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = |updates: &[Update]| -> String {
            let letter = |update: &Update| match update {
                Update::Low => 'L',
                Update::High => 'H',
                Update::Flat => 'F',
            };
            updates.iter().map(letter).collect()
        };
        write!(f, "{}|{}", letters(self.warm_up()), letters(self.tracked()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check((n_h_cycles, n_l_cycles): (usize, usize), modules: Modules, span: &str, want: &str) {
        let config = HrmConfig::paper().with(|config| {
            config.recurrence.n_h_cycles = n_h_cycles;
            config.recurrence.n_l_cycles = n_l_cycles;
            config.recurrence.modules = modules;
            config.recurrence.gradient_span = span.parse().unwrap();
        });
        assert_eq!(Schedule::new(&config).to_string(), want);
    }

    #[test]
    fn schedule_marks_the_gradient_boundary() {
        check((1, 1), Modules::Two, "last-update", "|LH");
        check((1, 3), Modules::Two, "last-update", "LL|LH");
        check((2, 2), Modules::Two, "last-update", "LLHL|LH");
        check((3, 1), Modules::Two, "last-update", "LHLH|LH");
        check((2, 2), Modules::Shared, "last-cycle", "LLH|LLH");
        check((2, 2), Modules::Two, "4-updates", "LL|HLLH");
        check((2, 2), Modules::Two, "1-updates", "LLHLL|H");
        check((2, 2), Modules::Two, "99-updates", "|LLHLLH");
    }

    #[test]
    fn a_flat_model_applies_the_same_number_of_blocks() {
        // Two cycles of two fast updates and a slow one, of 4 blocks each, apply
        // 24 blocks: three updates of 8.
        check((2, 2), Modules::Flat, "last-update", "FF|F");
        check((2, 2), Modules::Flat, "last-cycle", "F|FF");
        check((2, 2), Modules::Flat, "3-updates", "|FFF");
        check((1, 1), Modules::Flat, "last-cycle", "|F");
    }
}
