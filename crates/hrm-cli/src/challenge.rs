//! Challenges: puzzles without labels, whose answers are checked by the rules.

use std::num::NonZeroUsize;
use std::path::Path;

use hrm_core::Budget;
use hrm_puzzles::{Style, Verdict};
use hrm_tasks::{Answer, Checkpoint, Query, answer_all};
use hrm_train::task::Document;
use serde_json::{Value, json};

use crate::puzzle_text;
use crate::term::note;

/// The answers to the puzzles of a file.
pub(crate) struct Challenge {
    n_puzzles: usize,
    n_valid: usize,
    /// Number of answers that no rules can check.
    n_unchecked: usize,
    n_segments: usize,
    /// The answers, in the format for submission.
    pub(crate) document: Document,
}

/// Answers every puzzle of `file`. Labels are not needed.
///
/// # Errors
///
/// If the file cannot be read or does not hold puzzles of the model's task, or
/// the backend fails.
pub(crate) fn run(
    checkpoint: &Checkpoint,
    file: &Path,
    budget: Budget,
    batch_size: NonZeroUsize,
) -> anyhow::Result<Challenge> {
    let kind = checkpoint.record.task.puzzle_kind();
    let text = puzzle_text::read(file)?;
    let place = file.display().to_string();
    let queries = kind.parse_queries(&text, &place, &checkpoint.identifiers)?;
    note_refusals(&queries);

    let mut answers: Vec<Answer> = Vec::with_capacity(queries.len());
    let mut n_segments = 0;
    answer_all(&checkpoint.model, &queries, budget, batch_size, |idx, outputs| {
        let mut answer = queries[idx].answer(outputs, Style::Plain);
        // Not shown; a file may have many.
        answer.drawing = String::new();
        n_segments += answer.n_segments;
        answers.push(answer);
        anyhow::Ok(())
    })?;

    let count = |is: fn(&Verdict) -> bool| answers.iter().filter(|a| is(&a.verdict)).count();
    Ok(Challenge {
        n_puzzles: answers.len(),
        n_valid: count(|verdict| matches!(verdict, Verdict::Valid | Verdict::Expected)),
        n_unchecked: count(|verdict| matches!(verdict, Verdict::Unchecked(_))),
        n_segments,
        document: kind.export_answers(&answers),
    })
}

/// Lists the puzzles that the model cannot be asked.
fn note_refusals(queries: &[Box<dyn Query>]) {
    /// Number of puzzles that are listed.
    const N_NAMED_MAX: usize = 10;

    let refusals: Vec<_> = queries.iter().filter_map(|query| query.refusal()).collect();
    if refusals.is_empty() {
        return;
    }
    refusals.iter().take(N_NAMED_MAX).for_each(|why| note(format!("not answered: {why}")));
    let more = match refusals.len() {
        n if n > N_NAMED_MAX => format!(", of which {N_NAMED_MAX} are listed"),
        _ => String::new(),
    };
    note(format!(
        "{} of {} test inputs are not answered{more}; a submission has a single black cell for each",
        refusals.len(),
        queries.len()
    ));
}

impl Challenge {
    /// The results on a few lines.
    pub(crate) fn table(&self) -> String {
        let Self { n_puzzles, n_valid, n_unchecked, .. } = self;
        let mut text = format!("{n_puzzles} answers, {:.1} segments each\n", self.mean_segments());
        if n_unchecked < n_puzzles {
            let share = *n_valid as f64 / (n_puzzles - n_unchecked) as f64 * 100.0;
            text += &format!("  {:<22} {share:>6.2} %\n", "valid");
        }
        if *n_unchecked > 0 {
            text += &format!("  {:<22} {n_unchecked:>6}\n", "cannot be checked");
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "kind": "challenge",
            "puzzles": self.n_puzzles,
            "valid": self.n_valid,
            "unchecked": self.n_unchecked,
            "mean_segments": self.mean_segments(),
        })
    }

    fn mean_segments(&self) -> f64 {
        self.n_segments as f64 / self.n_puzzles.max(1) as f64
    }
}
