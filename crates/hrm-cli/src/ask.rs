//! Posed puzzles put to a model, several at a time.

use std::collections::{BTreeMap, VecDeque};

use candle_core::Tensor;
use hrm_core::{Budget, Hrm, RollingBatch, Tracking};
use hrm_tasks::{Posed, Question, Reply};

/// Asks every question of `puzzles`, `batch_size` at a time whichever puzzle
/// they belong to. `done` is told each puzzle's number and replies, in order.
///
/// # Errors
///
/// If the backend fails, or `done` does.
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
        Questions { puzzles: puzzles.iter(), waiting: VecDeque::new(), n: Vec::new() };
    // Replies that came before those to earlier questions.
    let mut early: BTreeMap<usize, Reply> = BTreeMap::new();
    let mut n_told = 0;
    for puzzle in 0..puzzles.len() {
        let mine = n_told..n_told + questions.of(puzzle);
        while early.range(mine.clone()).count() < mine.len() {
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
            mine.clone().filter_map(|question| early.remove(&question)).collect();
        n_told = mine.end;
        if !replies.is_empty() {
            done(puzzle, &replies)?;
        }
    }
    Ok(())
}

/// The questions of puzzles, made when they are due.
struct Questions<'a> {
    puzzles: std::slice::Iter<'a, Box<dyn Posed>>,
    waiting: VecDeque<Question>,
    /// How many each puzzle has, of those that have been due.
    n: Vec<usize>,
}

impl Questions<'_> {
    /// The next questions, up to `n`.
    fn take(&mut self, n: usize) -> Vec<Question> {
        while self.waiting.len() < n && self.make() {}
        self.waiting.drain(..n.min(self.waiting.len())).collect()
    }

    /// How many questions a puzzle has.
    fn of(&mut self, puzzle: usize) -> usize {
        while self.n.len() <= puzzle && self.make() {}
        self.n.get(puzzle).copied().unwrap_or_default()
    }

    /// Makes the questions of the next puzzle, if there is one.
    fn make(&mut self) -> bool {
        let Some(posed) = self.puzzles.next() else { return false };
        let questions = posed.questions();
        self.n.push(questions.len());
        self.waiting.extend(questions);
        true
    }
}

/// Adds questions to those at work.
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
