//! Posed puzzles put to a model, several at a time.

use candle_core::Tensor;
use hrm_core::{Budget, Hrm, Tracking, solve};
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
    let mut questions = puzzles.iter().enumerate().flat_map(|(puzzle, posed)| {
        let questions = posed.questions();
        let n_questions = questions.len();
        (1..)
            .zip(questions)
            .map(move |(number, question)| (puzzle, number == n_questions, question))
    });
    let mut replies = Vec::new();
    loop {
        let batch: Vec<_> = questions.by_ref().take(batch_size.max(1)).collect();
        if batch.is_empty() {
            return Ok(());
        }
        let cells = batch.iter().flat_map(|(_, _, Question { inputs, .. })| inputs.iter().copied());
        let shape = (batch.len(), model.config().n_cells);
        let tokens = Tensor::from_vec(cells.collect(), shape, model.device())?;
        let ids: Vec<u32> = batch.iter().map(|(_, _, question)| question.puzzle_id).collect();
        let rows = model.puzzle_rows(&ids)?;
        let solutions = solve(&network, &tokens, rows.as_ref(), budget)?;
        for ((puzzle, is_last, _), solution) in batch.into_iter().zip(solutions) {
            let (q_halt, n_segments) = (solution.q[0], solution.n_segments);
            replies.push(Reply { tokens: solution.tokens, q_halt, n_segments });
            if is_last {
                done(puzzle, &std::mem::take(&mut replies))?;
            }
        }
    }
}
