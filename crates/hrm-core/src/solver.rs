//! Inference: runs segments until puzzles are solved.

use std::num::NonZeroUsize;

use candle_core::{D, Result, Tensor};

use crate::frozen::FrozenNetwork;
use crate::network::States;

/// Number of segments per puzzle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Always this many segments, as in the published evaluation.
    Fixed(NonZeroUsize),
    /// Until the halting head says to halt, but at most this many segments.
    UntilHalt(NonZeroUsize),
}

impl Budget {
    /// Maximum number of segments per puzzle.
    pub fn n_segments_max(self) -> usize {
        match self {
            Self::Fixed(n) | Self::UntilHalt(n) => n.get(),
        }
    }
}

/// The model's answer to one puzzle.
#[derive(Clone, Debug)]
pub struct Solution {
    /// Most likely token of each cell, `[S]`.
    pub tokens: Vec<u32>,
    /// Logits of each cell after the last segment, `[S, V]`, in the model's dtype.
    pub logits: Tensor,
    /// Halting logits `[halt, continue]` after the last segment.
    pub q: [f32; 2],
    /// Number of segments run.
    pub n_segments: usize,
}

/// Solves one batch: `tokens: [B, S]` u32, and `puzzle_embeddings: [B, E]` if the
/// model has them. Returns a solution per puzzle, in order.
///
/// # Errors
///
/// If a token is not in the vocabulary or the shapes do not fit.
pub fn solve(
    network: &FrozenNetwork,
    tokens: &Tensor,
    puzzle_embeddings: Option<&Tensor>,
    budget: Budget,
) -> Result<Vec<Solution>> {
    let mut batch = RollingBatch::new(network, budget);
    batch.add(tokens, puzzle_embeddings)?;
    let mut solutions = Vec::new();
    while batch.n_active() > 0 {
        solutions.extend(batch.segment()?);
    }
    solutions.sort_by_key(|(puzzle, _)| *puzzle);
    Ok(solutions.into_iter().map(|(_, solution)| solution).collect())
}

/// A batch of puzzles that may have run different numbers of segments: when a
/// puzzle is solved, another can take its slot.
///
/// A failed call leaves the batch as it was.
#[derive(Debug)]
pub struct RollingBatch<'a> {
    network: &'a FrozenNetwork,
    budget: Budget,
    slots: Vec<Slot>,
    /// Encoded puzzles and their states, one per slot. `None` without slots.
    active: Option<(Tensor, States)>,
    n_added: usize,
}

/// A puzzle of a rolling batch.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Number of the puzzle, in the order of addition.
    puzzle: usize,
    n_segments: usize,
}

impl<'a> RollingBatch<'a> {
    /// Makes an empty batch.
    pub fn new(network: &'a FrozenNetwork, budget: Budget) -> Self {
        Self { network, budget, slots: Vec::new(), active: None, n_added: 0 }
    }

    /// Number of puzzles that are not solved yet.
    pub fn n_active(&self) -> usize {
        self.slots.len()
    }

    /// Adds puzzles, which are numbered from 0 in the order of addition.
    /// `tokens: [B, S]` u32, and `puzzle_embeddings: [B, E]` if the model has them.
    ///
    /// # Errors
    ///
    /// If a token is not in the vocabulary or the shapes do not fit. The batch is
    /// then unchanged.
    pub fn add(&mut self, tokens: &Tensor, puzzle_embeddings: Option<&Tensor>) -> Result<()> {
        let n_new = tokens.dim(0)?;
        let input = self.network.encode(tokens, puzzle_embeddings)?;
        let states = self.network.initial_states(n_new)?;
        let joined = match &self.active {
            None => (input, states),
            Some((inputs, before)) => {
                let z_h = Tensor::cat(&[&before.z_h, &states.z_h], 0)?;
                let z_l = Tensor::cat(&[&before.z_l, &states.z_l], 0)?;
                (Tensor::cat(&[inputs, &input], 0)?, States { z_h, z_l })
            }
        };
        // Nothing fails from here on.
        self.active = Some(joined);
        let puzzles = self.n_added..self.n_added + n_new;
        self.slots.extend(puzzles.map(|puzzle| Slot { puzzle, n_segments: 0 }));
        self.n_added += n_new;
        Ok(())
    }

    /// Runs one segment of every active puzzle. Removes the puzzles that it solves, and
    /// returns them by number.
    ///
    /// # Errors
    ///
    /// If the backend fails. The batch is then unchanged.
    pub fn segment(&mut self) -> Result<Vec<(usize, Solution)>> {
        let Some((input, states)) = &self.active else { return Ok(Vec::new()) };
        let out = self.network.segment(states, input)?;
        let q = out.q.to_vec2::<f32>()?;
        let slots: Vec<Slot> = self
            .slots
            .iter()
            .map(|slot| Slot { n_segments: slot.n_segments + 1, ..*slot })
            .collect();
        let (done, continuing): (Vec<u32>, Vec<u32>) = (0..slots.len() as u32)
            .partition(|idx| self.is_done(slots[*idx as usize], &q[*idx as usize]));

        let mut solutions = Vec::with_capacity(done.len());
        let mut active = Some((input.clone(), out.states));
        if !done.is_empty() {
            let indices = Tensor::new(done.as_slice(), input.device())?;
            let logits = out.logits.index_select(&indices, 0)?;
            let answers = logits.argmax(D::Minus1)?.to_vec2::<u32>()?;
            for (place, (idx, tokens)) in done.iter().zip(answers).enumerate() {
                let Slot { puzzle, n_segments } = slots[*idx as usize];
                let q = [q[*idx as usize][0], q[*idx as usize][1]];
                let solution = Solution { tokens, logits: logits.get(place)?, q, n_segments };
                solutions.push((puzzle, solution));
            }
            active = match active {
                Some((input, states)) if !continuing.is_empty() => {
                    let indices = Tensor::new(continuing.as_slice(), input.device())?;
                    let keep = |t: &Tensor| t.index_select(&indices, 0);
                    let states = States { z_h: keep(&states.z_h)?, z_l: keep(&states.z_l)? };
                    Some((keep(&input)?, states))
                }
                _ => None,
            };
        }
        // Nothing fails from here on.
        self.active = active;
        self.slots = continuing.iter().map(|idx| slots[*idx as usize]).collect();
        Ok(solutions)
    }

    /// Whether a puzzle is solved, given its halting logits.
    fn is_done(&self, slot: Slot, q: &[f32]) -> bool {
        let halts = match self.budget {
            Budget::Fixed(_) => false,
            Budget::UntilHalt(_) => self.network.halt_rule().wants_to_halt([q[0], q[1]]),
        };
        halts || slot.n_segments >= self.budget.n_segments_max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HrmConfig;
    use crate::model::Hrm;
    use candle_core::Device;

    fn fixed(n_segments: usize) -> Budget {
        Budget::Fixed(NonZeroUsize::new(n_segments).unwrap())
    }

    fn until_halt(n_segments: usize) -> Budget {
        Budget::UntilHalt(NonZeroUsize::new(n_segments).unwrap())
    }

    fn model() -> Hrm {
        let config = HrmConfig::tiny().with(|config| {
            config.puzzle_embedding.dim = 16;
            config.block.hidden_dim = 16;
            config.block.n_heads = 2;
        });
        Hrm::seeded(config, 3, &Device::Cpu).unwrap()
    }

    /// A model whose halting head depends on the state, so that puzzles halt at
    /// different segments.
    fn model_that_halts() -> Hrm {
        let model = model();
        let trained: Vec<_> = model.weights().trained().collect();
        let (_, q_weight) =
            trained.iter().find(|(name, _)| *name == crate::names::Q_WEIGHT).unwrap();
        q_weight.set(&hrm_testkit::ramp((2, 16)).unwrap()).unwrap();
        model
    }

    fn tokens() -> Tensor {
        let ids = (0..3 * 16).map(|i| (i * 7 % 5) as u32).collect::<Vec<_>>();
        Tensor::from_vec(ids, (3, 16), &Device::Cpu).unwrap()
    }

    #[test]
    fn a_fixed_budget_is_used_in_full() -> Result<()> {
        let model = model();
        let network = model.frozen()?;
        let embeddings = model.puzzle_embeddings(&[0, 0, 0])?;
        let solutions = solve(&network, &tokens(), embeddings.as_ref(), fixed(3))?;
        for solution in &solutions {
            assert_eq!((solution.n_segments, solution.tokens.len()), (3, 16));
            let most_likely = solution.logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
            assert_eq!(most_likely, solution.tokens);
        }
        Ok(())
    }

    #[test]
    fn a_puzzle_that_halts_early_does_not_change_the_others() -> Result<()> {
        let model = model_that_halts();
        let network = model.frozen()?;
        let embeddings = model.puzzle_embeddings(&[0, 0, 0])?;
        let together = solve(&network, &tokens(), embeddings.as_ref(), until_halt(8))?;
        let embedding = model.puzzle_embeddings(&[0])?;
        for (idx, want) in together.iter().enumerate() {
            let single = tokens().narrow(0, idx, 1)?;
            let single = solve(&network, &single, embedding.as_ref(), until_halt(8))?;
            assert_eq!((&single[0].tokens, single[0].n_segments), (&want.tokens, want.n_segments));
        }
        let n_segments: Vec<_> = together.iter().map(|s| s.n_segments).collect();
        assert!(n_segments.iter().any(|n| *n != n_segments[0]), "{n_segments:?}");

        // With two slots, the third puzzle takes the first slot that becomes free.
        let mut batch = RollingBatch::new(&network, until_halt(8));
        let mut waiting = 0..3;
        let mut n_solved = 0;
        while batch.n_active() > 0 || !waiting.is_empty() {
            while batch.n_active() < 2 {
                let Some(idx) = waiting.next() else { break };
                batch.add(&tokens().narrow(0, idx, 1)?, embedding.as_ref())?;
            }
            for (puzzle, solution) in batch.segment()? {
                let want = &together[puzzle];
                assert_eq!(
                    (&solution.tokens, solution.n_segments),
                    (&want.tokens, want.n_segments)
                );
                n_solved += 1;
            }
        }
        assert_eq!(n_solved, 3);
        Ok(())
    }

    #[test]
    fn a_failed_call_leaves_the_batch_as_it_was() -> Result<()> {
        let model = model_that_halts();
        let network = model.frozen()?;
        let embeddings = model.puzzle_embeddings(&[0, 0, 0])?;
        let want = solve(&network, &tokens(), embeddings.as_ref(), until_halt(8))?;

        let mut batch = RollingBatch::new(&network, until_halt(8));
        let two = |t: &Tensor| t.narrow(0, 0, 2).unwrap();
        batch.add(&two(&tokens()), Some(&two(embeddings.as_ref().unwrap())))?;
        let mut solved = batch.segment()?;

        // Puzzles of another size, tokens outside the vocabulary, missing embeddings.
        let last = model.puzzle_embeddings(&[0])?;
        let n_active = batch.n_active();
        assert!(batch.add(&Tensor::new(&[[1u32, 2]], &Device::Cpu)?, last.as_ref()).is_err());
        assert!(batch.add(&Tensor::new(&[[9u32; 16]], &Device::Cpu)?, last.as_ref()).is_err());
        assert!(batch.add(&tokens().narrow(0, 2, 1)?, None).is_err());
        assert_eq!(batch.n_active(), n_active);

        // A segment whose states do not fit its input fails in the backend.
        let good = batch.active.clone().unwrap();
        let n_segments: Vec<_> = batch.slots.iter().map(|slot| slot.n_segments).collect();
        let z_h = good.1.z_h.narrow(1, 0, 3)?;
        batch.active = Some((good.0.clone(), States { z_h, ..good.1.clone() }));
        for _ in 0..2 {
            assert!(batch.segment().is_err());
            assert_eq!(batch.n_active(), n_active);
            let after: Vec<_> = batch.slots.iter().map(|slot| slot.n_segments).collect();
            assert_eq!(after, n_segments);
        }
        batch.active = Some(good);

        batch.add(&tokens().narrow(0, 2, 1)?, last.as_ref())?;
        while batch.n_active() > 0 {
            solved.extend(batch.segment()?);
        }
        solved.sort_by_key(|(puzzle, _)| *puzzle);
        let found: Vec<_> = solved.iter().map(|(n, s)| (*n, &s.tokens, s.n_segments)).collect();
        let want: Vec<_> =
            want.iter().enumerate().map(|(n, s)| (n, &s.tokens, s.n_segments)).collect();
        assert_eq!(found, want);
        Ok(())
    }
}
