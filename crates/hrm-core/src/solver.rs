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
    let n_rows = tokens.dim(0)?;
    let mut input = network.encode(tokens, puzzle_rows)?;
    let mut states = network.initial_states(n_rows)?;
    let mut solutions: Vec<Option<Solution>> = vec![None; n_rows];
    let mut at_work: Vec<u32> = (0..n_rows as u32).collect();

    for n_segments in 1..=budget.n_segments_max() {
        let out = network.segment(&states, &input)?;
        let q = out.q.to_vec2::<f32>()?;
        let is_last = n_segments == budget.n_segments_max();
        let halts = |q: &[f32]| {
            is_last
                || matches!(budget, Budget::UntilHalt(_))
                    && network.halting().wants_to_halt([q[0], q[1]])
        };
        let (done, going): (Vec<u32>, Vec<u32>) =
            (0..at_work.len() as u32).partition(|row| halts(&q[*row as usize]));
        if !done.is_empty() {
            let rows = Tensor::new(done.as_slice(), tokens.device())?;
            let logits = out.logits.index_select(&rows, 0)?;
            let answers = logits.argmax(D::Minus1)?.to_vec2::<u32>()?;
            for (place, (row, tokens)) in done.iter().zip(answers).enumerate() {
                let q = [q[*row as usize][0], q[*row as usize][1]];
                let solution = Solution { tokens, logits: logits.get(place)?, q, n_segments };
                solutions[at_work[*row as usize] as usize] = Some(solution);
            }
        }
        if going.is_empty() {
            break;
        }
        states = out.states.detach();
        if !done.is_empty() {
            let rows = Tensor::new(going.as_slice(), tokens.device())?;
            let keep = |t: &Tensor| t.index_select(&rows, 0);
            states = States { z_h: keep(&states.z_h)?, z_l: keep(&states.z_l)? };
            input = keep(&input)?;
            at_work = going.iter().map(|row| at_work[*row as usize]).collect();
        }
    }
    Ok(solutions.into_iter().map(|s| s.expect("every row ends in the last segment")).collect())
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
        Ok(())
    }
}
