//! What crosses from one segment to the next.

use candle_core::{Result, Tensor};
use hrm_core::{Hrm, Network, States};

use crate::Batch;

/// The puzzles at work and how far they have come, one per row.
#[derive(Clone, Debug)]
pub struct Carry {
    /// Recurrent states, detached.
    pub states: States,
    /// The puzzles.
    pub batch: Batch,
    /// Segments each puzzle has run.
    pub n_done: Vec<u32>,
    /// Rows whose puzzle is finished. They take a fresh one on the next step.
    pub halted: Vec<bool>,
}

impl Carry {
    /// `n_rows` rows that wait for their first puzzle.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the states.
    pub fn waiting(model: &Hrm, n_rows: usize) -> Result<Self> {
        Ok(Self {
            states: model.initial_states(n_rows)?,
            batch: Batch::blank(n_rows, model.config().n_cells),
            n_done: vec![0; n_rows],
            halted: vec![true; n_rows],
        })
    }

    /// Gives every halted row a fresh puzzle and the initial states. `place`
    /// writes the puzzle of one row.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn refill(
        &mut self,
        network: &Network,
        mut place: impl FnMut(usize, &mut Batch),
    ) -> Result<()> {
        for row in (0..self.halted.len()).filter(|row| self.halted[*row]) {
            place(row, &mut self.batch);
            self.n_done[row] = 0;
        }
        if self.halted.contains(&true) {
            let start = network.initial_states(1)?.detach();
            // Row 0 is the start, the others are the states one further on.
            let rows = self.halted.iter().zip(1u32..);
            let rows: Vec<u32> = rows.map(|(halted, at)| if *halted { 0 } else { at }).collect();
            let rows = Tensor::new(rows.as_slice(), start.z_h.device())?;
            let restart =
                |start: &Tensor, z: &Tensor| Tensor::cat(&[start, z], 0)?.index_select(&rows, 0);
            self.states = States {
                z_h: restart(&start.z_h, &self.states.z_h)?,
                z_l: restart(&start.z_l, &self.states.z_l)?,
            };
        }
        self.halted.fill(false);
        Ok(())
    }
}
