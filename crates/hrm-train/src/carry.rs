//! The carry: the state that one segment passes on to the next.

use std::ops::Range;

use candle_core::{Result, Tensor};
use hrm_base::rng::stream;
use hrm_blocks::Init;
use hrm_core::{Hrm, InitialStates, States};
use rayon::prelude::*;

use crate::batch::Batch;

/// The puzzles of one batch in progress, one per row, and their hidden states.
#[derive(Clone, Debug)]
pub struct Carry {
    /// Hidden states, detached.
    pub states: States,
    /// The puzzles.
    pub batch: Batch,
    /// Segments done so far, per row.
    pub n_done: Vec<u32>,
    /// Rows whose puzzle has halted. They take a new puzzle in the next step.
    pub halted: Vec<bool>,
}

impl Carry {
    /// A carry of `n_rows` rows that take their first puzzle in the next step.
    ///
    /// # Errors
    ///
    /// If the device cannot hold the hidden states.
    pub fn empty(model: &Hrm, n_rows: usize) -> Result<Self> {
        Ok(Self {
            states: model.initial_states(n_rows)?,
            batch: Batch::blank(n_rows, model.config().input.n_cells),
            n_done: vec![0; n_rows],
            halted: vec![true; n_rows],
        })
    }

    /// A copy of some of the rows.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub(crate) fn part(&self, rows: Range<usize>) -> Result<Self> {
        let states = |z: &Tensor| z.narrow(0, rows.start, rows.len())?.contiguous();
        Ok(Self {
            states: States { z_h: states(&self.states.z_h)?, z_l: states(&self.states.z_l)? },
            batch: self.batch.part(rows.clone()),
            n_done: self.n_done[rows.clone()].to_vec(),
            halted: self.halted[rows].to_vec(),
        })
    }

    /// Gives every halted row a new puzzle and initial states. `place` writes the
    /// puzzle of one row; `seed` determines random initial states.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn refill(
        &mut self,
        model: &Hrm,
        mut place: impl FnMut(usize, &mut Batch),
        seed: u64,
    ) -> Result<()> {
        let fresh: Vec<usize> = (0..self.halted.len()).filter(|row| self.halted[*row]).collect();
        for row in &fresh {
            place(*row, &mut self.batch);
            self.n_done[*row] = 0;
        }
        if !fresh.is_empty() {
            self.restart(model, &fresh, seed)?;
        }
        self.halted.fill(false);
        Ok(())
    }

    /// Resets rows to initial states.
    fn restart(&mut self, model: &Hrm, fresh: &[usize], seed: u64) -> Result<()> {
        // The initial states, one per fresh row or one for all, come before those of the
        // carry.
        let initial: Vec<States> = match model.config().recurrence.initial_states {
            InitialStates::Fixed => vec![model.initial_states(1)?],
            InitialStates::Random => fresh
                .par_iter()
                .map(|row| model.sample_initial_states(&mut stream(seed, &format!("start {row}"))))
                .collect::<Result<_>>()?,
        };
        let n_initial = initial.len() as u32;
        let mut sources: Vec<u32> = (n_initial..n_initial + self.halted.len() as u32).collect();
        for (row, source) in fresh.iter().zip((0..n_initial).cycle()) {
            sources[*row] = source;
        }
        let sources = Tensor::new(sources.as_slice(), model.device())?;
        let restart = |state: fn(&States) -> &Tensor| {
            let all: Vec<&Tensor> =
                initial.iter().map(state).chain([state(&self.states)]).collect();
            Tensor::cat(&all, 0)?.index_select(&sources, 0)
        };
        self.states = States { z_h: restart(|s| &s.z_h)?, z_l: restart(|s| &s.z_l)? };
        Ok(())
    }

    /// Adds truncated normal noise of standard deviation `std` to both hidden states;
    /// `seed` determines the noise.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn add_noise(&mut self, std: f64, seed: u64) -> Result<()> {
        let noisy = |z: &Tensor, state: &str| {
            let (n_rows, n_positions, hidden_dim) = z.dims3()?;
            let init = Init::TruncatedNormal { std };
            let mut noise = vec![0f32; z.elem_count()];
            noise.par_chunks_mut(n_positions * hidden_dim).enumerate().for_each(|(row, noise)| {
                let rng = &mut stream(seed, &format!("noise of {state} {row}"));
                noise.copy_from_slice(&init.sample(noise.len(), rng));
            });
            let noise = Tensor::from_vec(noise, (n_rows, n_positions, hidden_dim), z.device())?;
            z + noise.to_dtype(z.dtype())?
        };
        self.states =
            States { z_h: noisy(&self.states.z_h, "z_h")?, z_l: noisy(&self.states.z_l, "z_l")? };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_core::HrmConfig;

    fn model(initial_states: InitialStates) -> Hrm {
        let config =
            HrmConfig::tiny().with(|config| config.recurrence.initial_states = initial_states);
        Hrm::seeded(config, 1, &Device::Cpu).unwrap()
    }

    fn per_row(z: &Tensor) -> Vec<Vec<f32>> {
        z.flatten_from(1).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn fresh_rows_restart_and_others_continue() {
        for initial_states in [InitialStates::Fixed, InitialStates::Random] {
            let model = model(initial_states);
            let mut carry = Carry::empty(&model, 3).unwrap();
            carry.refill(&model, |_, _| (), 1).unwrap();
            let first = per_row(&carry.states.z_h);
            carry.add_noise(0.5, 1).unwrap();
            let noisy = per_row(&carry.states.z_h);
            carry.halted[1] = true;
            let mut placed = Vec::new();
            carry.refill(&model, |row, _| placed.push(row), 2).unwrap();
            let then = per_row(&carry.states.z_h);
            assert_eq!(placed, [1]);
            assert_eq!([&then[0], &then[2]], [&noisy[0], &noisy[2]]);
            assert_ne!(then[1], noisy[1]);
            // Random initial states differ each time.
            assert_eq!(then[1] == first[1], initial_states == InitialStates::Fixed);
            assert_eq!(first[0] == first[1], initial_states == InitialStates::Fixed);
        }
    }

    #[test]
    fn noise_follows_its_standard_deviation_and_seed() {
        let model = model(InitialStates::Fixed);
        let noise = |seed| {
            let mut carry = Carry::empty(&model, 2).unwrap();
            let before = carry.states.z_l.clone();
            carry.add_noise(0.01, seed).unwrap();
            per_row(&(&carry.states.z_l - before).unwrap())
        };
        assert_eq!(noise(1), noise(1));
        assert_ne!(noise(1), noise(2));
        let [a, b] = &noise(1)[..] else { panic!("two rows") };
        assert_ne!(a, b);
        let squares: f32 = a.iter().chain(b).map(|x| x * x).sum();
        let std = (squares / (a.len() + b.len()) as f32).sqrt();
        assert!((std - 0.01).abs() < 5e-4, "{std}");
    }
}
