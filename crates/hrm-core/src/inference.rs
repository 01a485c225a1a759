//! Solves a stream of puzzles with a bounded number of them in memory.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use candle_core::{Result, Tensor};

use crate::model::Hrm;
use crate::solver::{Budget, RollingBatch, Solution};

/// One puzzle as the model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PuzzleInput {
    /// Token of each cell, `[S]`.
    pub tokens: Vec<u32>,
    /// Puzzle identifier. 0 is the blank one.
    pub puzzle_id: u32,
}

/// Solves puzzles in a rolling batch: whenever one is solved, the next takes its
/// slot. At most `batch_size` puzzles that are not solved yet are held in memory.
///
/// `on_solved` receives each puzzle with its index in `puzzles` and its solution,
/// in the order in which they are solved. It may stop the loop by returning an error.
///
/// # Errors
///
/// Errors of `on_solved`, and those of the backend: a puzzle with the wrong number
/// of tokens, a token or an identifier out of range.
///
/// ```
/// use hrm_core::candle_core::{Device, Error};
/// use hrm_core::{Budget, Hrm, HrmConfig, PuzzleInput, solve_all};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let model = Hrm::seeded(HrmConfig::tiny(), 7, &Device::Cpu)?;
/// let puzzles = (0..5).map(|n| PuzzleInput { tokens: vec![n; 16], puzzle_id: 0 });
/// let budget = Budget::UntilHalt(model.n_segments_max());
/// let batch_size = 2.try_into()?;
/// solve_all(&model, puzzles, budget, batch_size, |index, puzzle, solution| {
///     println!("{index}: {:?} -> {:?}", puzzle.tokens, solution.tokens);
///     Ok::<(), Error>(())
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn solve_all<E: From<candle_core::Error>>(
    model: &Hrm,
    puzzles: impl IntoIterator<Item = PuzzleInput>,
    budget: Budget,
    batch_size: NonZeroUsize,
    mut on_solved: impl FnMut(usize, PuzzleInput, Solution) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let network = model.frozen()?;
    let mut batch = RollingBatch::new(&network, budget);
    let mut puzzles = puzzles.into_iter();
    // Puzzles of the batch, by the number that the batch gives them.
    let mut active: HashMap<usize, PuzzleInput> = HashMap::new();
    let mut n_added = 0;
    loop {
        let n_free = batch_size.get() - batch.n_active();
        let fresh: Vec<PuzzleInput> = puzzles.by_ref().take(n_free).collect();
        if !fresh.is_empty() {
            add(model, &mut batch, &fresh, n_added)?;
            let n_fresh = fresh.len();
            active.extend((n_added..).zip(fresh));
            n_added += n_fresh;
        }
        if batch.n_active() == 0 {
            return Ok(());
        }
        for (index, solution) in batch.segment()? {
            let puzzle = active.remove(&index).expect("every puzzle of the batch is kept");
            on_solved(index, puzzle, solution)?;
        }
    }
}

/// Adds puzzles to a batch. The first has index `first`.
fn add(
    model: &Hrm,
    batch: &mut RollingBatch<'_>,
    puzzles: &[PuzzleInput],
    first: usize,
) -> Result<()> {
    let n_cells = model.config().input.n_cells;
    let mut tokens: Vec<u32> = Vec::with_capacity(puzzles.len() * n_cells);
    for (idx, puzzle) in puzzles.iter().enumerate() {
        if puzzle.tokens.len() != n_cells {
            let (idx, found) = (first + idx, puzzle.tokens.len());
            candle_core::bail!("puzzle {idx} must have {n_cells} tokens, found {found}");
        }
        tokens.extend(&puzzle.tokens);
    }
    let tokens = Tensor::from_vec(tokens, (puzzles.len(), n_cells), model.device())?;
    let ids: Vec<u32> = puzzles.iter().map(|puzzle| puzzle.puzzle_id).collect();
    batch.add(&tokens, model.puzzle_embeddings(&ids)?.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HrmConfig;
    use candle_core::{Device, Error};
    use std::cell::Cell;

    fn model() -> Hrm {
        let config = HrmConfig::tiny().with(|config| {
            config.input.n_puzzle_ids = 3;
            config.puzzle_embedding.dim = 16;
            config.block.hidden_dim = 16;
        });
        Hrm::seeded(config, 3, &Device::Cpu).unwrap()
    }

    fn puzzles(n: u32) -> impl Iterator<Item = PuzzleInput> {
        (0..n).map(|n| PuzzleInput {
            tokens: (0..16).map(|cell| (n * 7 + cell * 3) % 6).collect(),
            puzzle_id: n % 3,
        })
    }

    fn size(n: usize) -> NonZeroUsize {
        NonZeroUsize::new(n).unwrap()
    }

    #[test]
    fn every_puzzle_is_solved_and_at_most_a_batch_of_them_is_held() {
        let model = model();
        // A halting head that depends on the state.
        let trained: Vec<_> = model.weights().trained().collect();
        let (_, q_weight) =
            trained.iter().find(|(name, _)| *name == crate::names::Q_WEIGHT).unwrap();
        q_weight.set(&hrm_testkit::ramp((2, 16)).unwrap()).unwrap();

        let budget = Budget::UntilHalt(size(6));
        let answers = |batch_size| {
            let n_held = Cell::new(0usize);
            let counted = puzzles(10).inspect(|_| {
                n_held.set(n_held.get() + 1);
                assert!(n_held.get() <= batch_size, "{} puzzles are held", n_held.get());
            });
            let mut found = Vec::new();
            solve_all(&model, counted, budget, size(batch_size), |index, puzzle, solution| {
                n_held.set(n_held.get() - 1);
                found.push((index, puzzle, solution.tokens, solution.n_segments));
                Ok::<(), Error>(())
            })
            .unwrap();
            found.sort_by_key(|(index, ..)| *index);
            found
        };
        let want = answers(1);
        assert_eq!(
            want.iter().map(|(index, ..)| *index).collect::<Vec<_>>(),
            Vec::from_iter(0..10)
        );
        assert!(want.iter().zip(puzzles(10)).all(|((_, found, ..), puzzle)| *found == puzzle));
        assert!(
            want.iter().any(|(.., n_segments)| *n_segments != want[0].3),
            "all halt after the same segment"
        );
        assert_eq!(answers(4), want);
        assert_eq!(answers(99), want);
    }

    #[test]
    fn an_error_stops_solving() {
        let model = model();
        let budget = Budget::Fixed(size(1));
        let mut n_seen = 0;
        let stopped = solve_all(&model, puzzles(9), budget, size(2), |_, _, _| {
            n_seen += 1;
            if n_seen < 3 { Ok(()) } else { Err(Error::Msg("enough".to_owned())) }
        });
        assert_eq!((stopped.unwrap_err().to_string().as_str(), n_seen), ("enough", 3));

        let message = |puzzle: PuzzleInput| {
            let puzzles = puzzles(1).chain([puzzle]);
            let result = solve_all(&model, puzzles, budget, size(2), |_, _, _| Ok::<(), Error>(()));
            result.unwrap_err().to_string()
        };
        let short = message(PuzzleInput { tokens: vec![1; 15], puzzle_id: 0 });
        assert!(short.starts_with("puzzle 1 must have 16 tokens, found 15"), "{short}");
        message(PuzzleInput { tokens: vec![6; 16], puzzle_id: 0 });
        message(PuzzleInput { tokens: vec![1; 16], puzzle_id: 3 });
    }
}
