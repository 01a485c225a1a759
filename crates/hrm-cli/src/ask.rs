//! Answers the questions of puzzles, in batches that are refilled as they empty.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use hrm_core::{Budget, Hrm, PuzzleInput, solve_all};
use hrm_tasks::{Posed, Reply};

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
    // Number of questions of each puzzle. Questions are made when they are due.
    let n_questions = RefCell::new(Vec::new());
    let inputs = puzzles.iter().flat_map(|posed| {
        let questions = posed.questions();
        n_questions.borrow_mut().push(questions.len());
        let input = |question: hrm_tasks::Question| PuzzleInput {
            tokens: question.inputs,
            puzzle_id: question.puzzle_id,
        };
        questions.into_iter().map(input)
    });
    let batch_size = NonZeroUsize::new(batch_size).unwrap_or(NonZeroUsize::MIN);
    // Replies that came before those to earlier questions.
    let mut early: BTreeMap<usize, Reply> = BTreeMap::new();
    let (mut n_puzzles_done, mut n_questions_done) = (0, 0);
    solve_all(model, inputs, budget, batch_size, |question, _, solution| {
        let (q_halt, n_segments) = (solution.q[0], solution.n_segments);
        early.insert(question, Reply { tokens: solution.tokens, q_halt, n_segments });
        while let Some(&n) = n_questions.borrow().get(n_puzzles_done) {
            let mine = n_questions_done..n_questions_done + n;
            if early.range(mine.clone()).count() < n {
                break;
            }
            let replies: Vec<Reply> = mine.filter_map(|question| early.remove(&question)).collect();
            if !replies.is_empty() {
                done(n_puzzles_done, &replies)?;
            }
            (n_puzzles_done, n_questions_done) = (n_puzzles_done + 1, n_questions_done + n);
        }
        Ok(())
    })
}
