//! One answer of the model, to show at the end of a run.

use hrm_tasks::{PuzzleTask, TokenView};
use hrm_train::task::Prediction;

use crate::term::style;

/// One answer on the test set: the first that is exact, or the first if none is.
pub(crate) struct Example {
    inputs: Vec<u32>,
    tokens: Vec<u32>,
    /// Whether every labelled cell is correct.
    pub(crate) is_exact: bool,
}

impl Example {
    /// Replaces `best` by an answer that is a better example, if this one is.
    pub(super) fn offer(best: &mut Option<Self>, answer: &Prediction<'_>) {
        if best.as_ref().is_some_and(|best| best.is_exact) {
            return;
        }
        let Prediction { inputs, labels, tokens, .. } = *answer;
        let is_exact = TokenView { inputs, prediction: Some(tokens), labels }.n_wrong() == 0;
        if is_exact || best.is_none() {
            let (inputs, tokens) = (inputs.to_vec(), tokens.to_vec());
            *best = Some(Self { inputs, tokens, is_exact });
        }
    }

    /// Question and answer as text.
    pub(crate) fn draw(&self, task: &dyn PuzzleTask) -> String {
        task.draw(&self.inputs, &self.tokens, style())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_train::task::{PADDING, RowId};

    #[test]
    fn the_first_exact_answer_is_the_example() {
        let mut best = None;
        let mut offer = |inputs: &[u32], tokens: &[u32]| {
            let at = RowId { group: 0, version: 0, row: 0 };
            let labels = &[PADDING, 5];
            let answer = Prediction { at, inputs, labels, tokens, sampled: None, q_halt: 0.0 };
            Example::offer(&mut best, &answer);
            let best = best.as_ref().unwrap();
            (best.inputs[0], best.is_exact)
        };
        assert_eq!(offer(&[1], &[1, 4]), (1, false));
        assert_eq!(offer(&[2], &[1, 3]), (1, false));
        assert_eq!(offer(&[3], &[2, 5]), (3, true));
        assert_eq!(offer(&[4], &[2, 5]), (3, true));
    }
}
