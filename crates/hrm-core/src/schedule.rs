//! The order of updates within a segment, and where gradients begin.

use std::fmt;

/// Which state an update rewrites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The fast state: `z_l <- L(z_l + z_h + x)`.
    Low,
    /// The slow state: `z_h <- H(z_h + z_l)`.
    High,
}

/// Differentiated updates at the end of a segment: one `Low`, one `High`.
pub const N_TRACKED: usize = 2;

/// Every update of one segment, in order.
///
/// Printed as a letter per update, with a bar where gradients begin: `LLHL|LH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    updates: Vec<Update>,
}

impl Schedule {
    /// Each slow cycle runs `n_l_cycles` fast updates and then a slow one.
    ///
    /// # Panics
    ///
    /// If either count is 0.
    pub fn new(n_h_cycles: usize, n_l_cycles: usize) -> Self {
        assert!(n_h_cycles > 0 && n_l_cycles > 0, "a segment updates both states");
        let one_cycle = || std::iter::repeat_n(Update::Low, n_l_cycles).chain([Update::High]);
        Self { updates: (0..n_h_cycles).flat_map(|_| one_cycle()).collect() }
    }

    /// All updates, in order.
    pub fn updates(&self) -> &[Update] {
        &self.updates
    }

    /// The updates that run without gradient.
    pub fn warm_up(&self) -> &[Update] {
        &self.updates[..self.updates.len() - N_TRACKED]
    }

    /// The last [`N_TRACKED`] updates, `Low` and `High`, which carry gradient.
    pub fn tracked(&self) -> &[Update] {
        &self.updates[self.updates.len() - N_TRACKED..]
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = |updates: &[Update]| -> String {
            let letter = |update: &Update| match update {
                Update::Low => 'L',
                Update::High => 'H',
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
    fn check(n_h_cycles: usize, n_l_cycles: usize, want: &str) {
        assert_eq!(Schedule::new(n_h_cycles, n_l_cycles).to_string(), want);
    }

    #[test]
    fn schedule_marks_the_gradient_boundary() {
        check(1, 1, "|LH");
        check(1, 3, "LL|LH");
        check(2, 2, "LLHL|LH");
        check(3, 1, "LHLH|LH");
    }
}
