//! Inference: segments until the answer stands.

use candle_core::{D, Result, Tensor};

use crate::{Network, States};

/// How many segments a puzzle gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Always this many, as the published evaluation does. At least 1.
    Fixed(usize),
    /// Until the halting head prefers to stop, at most this many. At least 1.
    UntilHalt(usize),
}

impl Budget {
    /// The most segments a puzzle can get.
    pub fn n_segments_max(self) -> usize {
        match self {
            Self::Fixed(n) | Self::UntilHalt(n) => n.max(1),
        }
    }
}

/// The model's answer to one puzzle.
#[derive(Clone, Debug)]
pub struct Solution {
    /// Most likely token of each cell, `[S]`.
    pub tokens: Vec<u32>,
    /// What the last segment says of each cell, `[S, V]` f32.
    pub logits: Tensor,
    /// Halting logits `[halt, continue]` after the last segment.
    pub q: [f32; 2],
    /// Segments it took.
    pub n_segments: usize,
}

/// Solves a batch: `tokens: [B, S]` u32, `puzzle_rows: [B, E]` if the model has
/// puzzle embeddings. `network` should be frozen, or memory grows.
///
/// # Errors
///
/// If a token is not in the vocabulary or the shapes do not fit.
pub fn solve(
    network: &Network,
    tokens: &Tensor,
    puzzle_rows: Option<&Tensor>,
    budget: Budget,
) -> Result<Vec<Solution>> {
    let mut batch = RollingBatch::new(network, budget);
    batch.add(tokens, puzzle_rows)?;
    let mut solutions = Vec::new();
    while batch.n_at_work() > 0 {
        solutions.extend(batch.segment()?);
    }
    solutions.sort_by_key(|(puzzle, _)| *puzzle);
    Ok(solutions.into_iter().map(|(_, solution)| solution).collect())
}

/// Puzzles side by side, each on its own segment: as soon as one is solved,
/// another can take its place.
#[derive(Debug)]
pub struct RollingBatch<'a> {
    network: &'a Network,
    budget: Budget,
    rows: Vec<Row>,
    /// Encoded puzzles and states of the rows; absent without rows.
    at_work: Option<(Tensor, States)>,
    n_added: usize,
}

/// A puzzle at work.
#[derive(Clone, Copy, Debug)]
struct Row {
    puzzle: usize,
    n_segments: usize,
}

impl<'a> RollingBatch<'a> {
    /// No puzzles yet. `network` should be frozen, or memory grows.
    pub fn new(network: &'a Network, budget: Budget) -> Self {
        Self { network, budget, rows: Vec::new(), at_work: None, n_added: 0 }
    }

    /// Puzzles that are not solved yet.
    pub fn n_at_work(&self) -> usize {
        self.rows.len()
    }

    /// Adds puzzles, counted from 0 in the order they come: `tokens: [B, S]`
    /// u32, `puzzle_rows: [B, E]` if the model has puzzle embeddings.
    ///
    /// # Errors
    ///
    /// If a token is not in the vocabulary or the shapes do not fit.
    pub fn add(&mut self, tokens: &Tensor, puzzle_rows: Option<&Tensor>) -> Result<()> {
        let n_new = tokens.dim(0)?;
        let input = self.network.encode(tokens, puzzle_rows)?;
        let states = self.network.initial_states(n_new)?;
        self.at_work = Some(match self.at_work.take() {
            None => (input, states),
            Some((inputs, before)) => {
                let z_h = Tensor::cat(&[before.z_h, states.z_h], 0)?;
                let z_l = Tensor::cat(&[before.z_l, states.z_l], 0)?;
                (Tensor::cat(&[inputs, input], 0)?, States { z_h, z_l })
            }
        });
        let puzzles = self.n_added..self.n_added + n_new;
        self.rows.extend(puzzles.map(|puzzle| Row { puzzle, n_segments: 0 }));
        self.n_added += n_new;
        Ok(())
    }

    /// One segment of every puzzle. Returns those that are solved with it, by
    /// number; they leave.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn segment(&mut self) -> Result<Vec<(usize, Solution)>> {
        let Some((input, states)) = self.at_work.take() else { return Ok(Vec::new()) };
        let out = self.network.segment(&states, &input)?;
        let q = out.q.to_vec2::<f32>()?;
        self.rows.iter_mut().for_each(|row| row.n_segments += 1);
        let (done, going): (Vec<u32>, Vec<u32>) = (0..self.rows.len() as u32)
            .partition(|row| self.is_done(&self.rows[*row as usize], &q[*row as usize]));
        let states = out.states.detach();
        if done.is_empty() {
            self.at_work = Some((input, states));
            return Ok(Vec::new());
        }

        let rows = Tensor::new(done.as_slice(), input.device())?;
        let logits = out.logits.index_select(&rows, 0)?;
        let answers = logits.argmax(D::Minus1)?.to_vec2::<u32>()?;
        let mut solutions = Vec::with_capacity(done.len());
        for (place, (row, tokens)) in done.iter().zip(answers).enumerate() {
            let Row { puzzle, n_segments } = self.rows[*row as usize];
            let q = [q[*row as usize][0], q[*row as usize][1]];
            solutions
                .push((puzzle, Solution { tokens, logits: logits.get(place)?, q, n_segments }));
        }
        if !going.is_empty() {
            let rows = Tensor::new(going.as_slice(), input.device())?;
            let keep = |t: &Tensor| t.index_select(&rows, 0);
            let states = States { z_h: keep(&states.z_h)?, z_l: keep(&states.z_l)? };
            self.at_work = Some((keep(&input)?, states));
        }
        self.rows = going.iter().map(|row| self.rows[*row as usize]).collect();
        Ok(solutions)
    }

    /// Whether a row with these halting logits is solved.
    fn is_done(&self, row: &Row, q: &[f32]) -> bool {
        let halts = match self.budget {
            Budget::Fixed(_) => false,
            Budget::UntilHalt(_) => self.network.halting().wants_to_halt([q[0], q[1]]),
        };
        halts || row.n_segments >= self.budget.n_segments_max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hrm, HrmConfig, Tracking};
    use candle_core::Device;

    fn model() -> Hrm {
        let config = HrmConfig { hidden_dim: 16, puzzle_dim: 16, n_heads: 2, ..HrmConfig::tiny() };
        Hrm::seeded(config, 3, &Device::Cpu).unwrap()
    }

    fn tokens() -> Tensor {
        let ids = (0..3 * 16).map(|i| (i * 7 % 5) as u32).collect::<Vec<_>>();
        Tensor::from_vec(ids, (3, 16), &Device::Cpu).unwrap()
    }

    #[test]
    fn a_fixed_budget_is_used_up() -> Result<()> {
        let model = model();
        let network = model.network(Tracking::Frozen)?;
        let rows = model.puzzle_rows(&[0, 0, 0])?;
        let solutions = solve(&network, &tokens(), rows.as_ref(), Budget::Fixed(3))?;
        for solution in &solutions {
            assert_eq!((solution.n_segments, solution.tokens.len()), (3, 16));
            let most_likely = solution.logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
            assert_eq!(most_likely, solution.tokens);
        }
        Ok(())
    }

    #[test]
    fn leaving_early_does_not_change_the_others() -> Result<()> {
        let model = model();
        // A halting head that reads the state, so that rows differ.
        let trained: Vec<_> = model.weights().trained().collect();
        let (_, q_weight) =
            trained.iter().find(|(name, _)| *name == crate::names::Q_WEIGHT).unwrap();
        q_weight.set(&hrm_testkit::ramp((2, 16))?)?;
        let network = model.network(Tracking::Frozen)?;
        let rows = model.puzzle_rows(&[0, 0, 0])?;
        let together = solve(&network, &tokens(), rows.as_ref(), Budget::UntilHalt(8))?;
        let row = model.puzzle_rows(&[0])?;
        for (idx, want) in together.iter().enumerate() {
            let alone = tokens().narrow(0, idx, 1)?;
            let alone = solve(&network, &alone, row.as_ref(), Budget::UntilHalt(8))?;
            assert_eq!((&alone[0].tokens, alone[0].n_segments), (&want.tokens, want.n_segments));
        }
        let n_segments: Vec<_> = together.iter().map(|s| s.n_segments).collect();
        assert!(n_segments.iter().any(|n| *n != n_segments[0]), "{n_segments:?}");

        // Two places: whoever waits takes the one that becomes free.
        let mut batch = RollingBatch::new(&network, Budget::UntilHalt(8));
        let mut waiting = 0..3;
        let mut n_together = 0;
        while batch.n_at_work() > 0 || !waiting.is_empty() {
            while batch.n_at_work() < 2 {
                let Some(idx) = waiting.next() else { break };
                batch.add(&tokens().narrow(0, idx, 1)?, row.as_ref())?;
            }
            for (puzzle, solution) in batch.segment()? {
                let want = &together[puzzle];
                assert_eq!(
                    (&solution.tokens, solution.n_segments),
                    (&want.tokens, want.n_segments)
                );
                n_together += 1;
            }
        }
        assert_eq!(n_together, 3);
        Ok(())
    }
}
