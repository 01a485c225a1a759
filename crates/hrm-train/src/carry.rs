//! What crosses from one segment to the next.

use candle_core::{Result, Tensor};
use hrm_blocks::Init;
use hrm_core::{Hrm, Starts, States};
use rayon::prelude::*;

use crate::Batch;
use hrm_base::rng::stream;

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

    /// Gives every halted row a fresh puzzle and the states to start from.
    /// `place` writes the puzzle of one row; `seed` decides states that are drawn.
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

    /// Gives rows the states to start from.
    fn restart(&mut self, model: &Hrm, fresh: &[usize], seed: u64) -> Result<()> {
        // In front of the states, one start for each fresh row or for all.
        let starts: Vec<States> = match model.config().starts {
            Starts::Fixed => vec![model.initial_states(1)?],
            Starts::Random => fresh
                .par_iter()
                .map(|row| model.draw_states(&mut stream(seed, &format!("start {row}"))))
                .collect::<Result<_>>()?,
        };
        let n_starts = starts.len() as u32;
        let mut rows: Vec<u32> = (n_starts..n_starts + self.halted.len() as u32).collect();
        for (row, start) in fresh.iter().zip((0..n_starts).cycle()) {
            rows[*row] = start;
        }
        let rows = Tensor::new(rows.as_slice(), model.device())?;
        let restart = |state: fn(&States) -> &Tensor| {
            let all: Vec<&Tensor> = starts.iter().map(state).chain([state(&self.states)]).collect();
            Tensor::cat(&all, 0)?.index_select(&rows, 0)
        };
        self.states = States { z_h: restart(|s| &s.z_h)?, z_l: restart(|s| &s.z_l)? };
        Ok(())
    }

    /// Adds a normal draw of deviation `deviation` to every channel of both
    /// states; `seed` decides it.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn disturb(&mut self, deviation: f64, seed: u64) -> Result<()> {
        let disturbed = |z: &Tensor, state: &str| {
            let (n_rows, n_positions, hidden_dim) = z.dims3()?;
            let init = Init::TruncatedNormal { std: deviation };
            let mut noise = vec![0f32; z.elem_count()];
            noise.par_chunks_mut(n_positions * hidden_dim).enumerate().for_each(|(row, noise)| {
                let rng = &mut stream(seed, &format!("noise of {state} {row}"));
                noise.copy_from_slice(&init.sample(noise.len(), rng));
            });
            let noise = Tensor::from_vec(noise, (n_rows, n_positions, hidden_dim), z.device())?;
            z + noise.to_dtype(z.dtype())?
        };
        self.states = States {
            z_h: disturbed(&self.states.z_h, "z_h")?,
            z_l: disturbed(&self.states.z_l, "z_l")?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_core::HrmConfig;

    fn model(starts: Starts) -> Hrm {
        let config = HrmConfig { starts, ..HrmConfig::tiny() };
        Hrm::seeded(config, 1, &Device::Cpu).unwrap()
    }

    fn rows(z: &Tensor) -> Vec<Vec<f32>> {
        z.flatten_from(1).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn fresh_rows_restart_and_others_go_on() {
        for starts in [Starts::Fixed, Starts::Random] {
            let model = model(starts);
            let mut carry = Carry::waiting(&model, 3).unwrap();
            carry.refill(&model, |_, _| (), 1).unwrap();
            let first = rows(&carry.states.z_h);
            carry.disturb(0.5, 1).unwrap();
            let disturbed = rows(&carry.states.z_h);
            carry.halted[1] = true;
            let mut placed = Vec::new();
            carry.refill(&model, |row, _| placed.push(row), 2).unwrap();
            let then = rows(&carry.states.z_h);
            assert_eq!(placed, [1]);
            assert_eq!([&then[0], &then[2]], [&disturbed[0], &disturbed[2]]);
            assert_ne!(then[1], disturbed[1]);
            // A drawn start is another one each time.
            assert_eq!(then[1] == first[1], starts == Starts::Fixed);
            assert_eq!(first[0] == first[1], starts == Starts::Fixed);
        }
    }

    #[test]
    fn noise_has_its_deviation_and_its_seed() {
        let model = model(Starts::Fixed);
        let noise = |seed| {
            let mut carry = Carry::waiting(&model, 2).unwrap();
            let before = carry.states.z_l.clone();
            carry.disturb(0.01, seed).unwrap();
            rows(&(&carry.states.z_l - before).unwrap())
        };
        assert_eq!(noise(1), noise(1));
        assert_ne!(noise(1), noise(2));
        let [a, b] = &noise(1)[..] else { panic!("two rows") };
        assert_ne!(a, b);
        let squares: f32 = a.iter().chain(b).map(|x| x * x).sum();
        let deviation = (squares / (a.len() + b.len()) as f32).sqrt();
        assert!((deviation - 0.01).abs() < 5e-4, "{deviation}");
    }
}
