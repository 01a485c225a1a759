//! The scores of an evaluation, as JSON, on one line, or as a table.

use std::fmt::Write;

use hrm_base::words::counted;
use hrm_train::Evaluation;
use serde_json::{Value, json};

/// All scores by name. Programs may read any of them, so none is left out.
pub(crate) fn to_json(evaluation: &Evaluation, step: Option<u64>) -> Value {
    let mut line = json!({
        "kind": "eval",
        "rows": evaluation.n_rows,
        "exact": evaluation.exact(),
        "cells": evaluation.cells(),
        "halting": evaluation.halting(),
        "mean_segments": evaluation.mean_segments(),
    });
    if let Some(step) = step {
        line["step"] = json!(step);
    }
    for (name, share) in &evaluation.scores {
        line[*name] = json!(share);
    }
    line
}

/// The main scores on one line, and the task's own that can differ from each other.
pub(crate) fn describe(evaluation: &Evaluation) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut text = format!(
        "{} of {} exact ({}), cells {}",
        evaluation.n_exact,
        evaluation.n_rows,
        percent(evaluation.exact()),
        percent(evaluation.cells()),
    );
    for (name, share) in evaluation.informative_scores() {
        let _ = write!(text, ", {name} {}", percent(share));
    }
    text
}

/// All scores that can differ from each other, one per line.
pub(crate) fn table(evaluation: &Evaluation) -> String {
    let mut rows = vec![
        ("exact", evaluation.exact()),
        ("cells", evaluation.cells()),
        ("halting head correct", evaluation.halting()),
    ];
    rows.extend(evaluation.informative_scores());
    let mut text = format!(
        "{}, {:.1} segments each\n",
        counted(evaluation.n_rows as usize, "evaluation row", "evaluation rows"),
        evaluation.mean_segments()
    );
    for (name, share) in rows {
        let _ = writeln!(text, "  {name:<22} {:>6.2} %", share * 100.0);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_that_cannot_differ_are_only_in_the_json() {
        let evaluation = Evaluation {
            n_rows: 4,
            n_exact: 1,
            scores: vec![("pass@1", 0.25), ("pass@1000", 0.25)],
            redundant: vec!["pass@1000"],
            ..Evaluation::default()
        };
        for text in [describe(&evaluation), table(&evaluation)] {
            assert!(text.contains("pass@1 ") && !text.contains("pass@1000"), "{text}");
        }
        assert_eq!(to_json(&evaluation, None)["pass@1000"], 0.25);
    }
}
