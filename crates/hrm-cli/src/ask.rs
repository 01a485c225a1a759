//! Answers the questions of puzzles, in batches that are refilled as they empty.

use std::collections::{BTreeMap, VecDeque};

use candle_core::Tensor;
use hrm_core::{Budget, Hrm, RollingBatch, Tracking};
use hrm_tasks::{Posed, Question, Reply};

/// Answers all questions of `puzzles`, `batch_size` at a time; a batch may mix
/// puzzles. Calls `done` for each puzzle in order, with its index and replies.
///
/// # Errors
///
/// If the backend or `done` fails.
pub(crate) fn ask(
    model: &Hrm,
    puzzles: &[Box<dyn Posed>],
    budget: Budget,
    batch_size: usize,
    mut done: impl FnMut(usize, &[Reply]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let network = model.network(Tracking::Frozen)?;
    let mut rolling = RollingBatch::new(&network, budget);
    let mut questions =
        Questions { puzzles: puzzles.iter(), waiting: VecDeque::new(), counts: Vec::new() };
    // Replies that arrived before those to earlier questions.
    let mut early: BTreeMap<usize, Reply> = BTreeMap::new();
    let mut n_reported = 0;
    for puzzle in 0..puzzles.len() {
        let own = n_reported..n_reported + questions.count(puzzle);
        while early.range(own.clone()).count() < own.len() {
            let n_free = batch_size.max(1).saturating_sub(rolling.n_at_work());
            let fresh = questions.take(n_free);
            if !fresh.is_empty() {
                add(model, &mut rolling, fresh)?;
            }
            for (question, solution) in rolling.segment()? {
                let (q_halt, n_segments) = (solution.q[0], solution.n_segments);
                early.insert(question, Reply { tokens: solution.tokens, q_halt, n_segments });
            }
        }
        let replies: Vec<Reply> =
            own.clone().filter_map(|question| early.remove(&question)).collect();
        n_reported = own.end;
        if !replies.is_empty() {
            done(puzzle, &replies)?;
        }
    }
    Ok(())
}

/// The questions of puzzles, created when they are needed.
struct Questions<'a> {
    puzzles: std::slice::Iter<'a, Box<dyn Posed>>,
    waiting: VecDeque<Question>,
    /// Number of questions of each puzzle so far.
    counts: Vec<usize>,
}

impl Questions<'_> {
    /// Takes the next questions, up to `n`.
    fn take(&mut self, n: usize) -> Vec<Question> {
        while self.waiting.len() < n && self.create() {}
        self.waiting.drain(..n.min(self.waiting.len())).collect()
    }

    /// Number of questions of a puzzle.
    fn count(&mut self, puzzle: usize) -> usize {
        while self.counts.len() <= puzzle && self.create() {}
        self.counts.get(puzzle).copied().unwrap_or_default()
    }

    /// Creates the questions of the next puzzle. Returns whether there was one.
    fn create(&mut self) -> bool {
        let Some(posed) = self.puzzles.next() else { return false };
        let questions = posed.questions();
        self.counts.push(questions.len());
        self.waiting.extend(questions);
        true
    }
}

/// Adds questions to the batch.
fn add(
    model: &Hrm,
    rolling: &mut RollingBatch<'_>,
    questions: Vec<Question>,
) -> candle_core::Result<()> {
    let ids: Vec<u32> = questions.iter().map(|question| question.puzzle_id).collect();
    let cells: Vec<u32> = questions.into_iter().flat_map(|question| question.inputs).collect();
    let tokens = Tensor::from_vec(cells, (ids.len(), model.config().n_cells), model.device())?;
    rolling.add(&tokens, model.puzzle_rows(&ids)?.as_ref())
}
