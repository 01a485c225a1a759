//! Challenges: puzzles without labels, whose answers are checked by the rules.

use std::cell::Cell;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::Path;

use hrm_core::Budget;
use hrm_puzzles::{Style, Verdict};
use hrm_tasks::{Answer, AnswerTable, Checkpoint, TaskConfig, TaskError};
use serde_json::{Value, json};

use crate::output;
use crate::puzzle_text::{self, Answered, Refused};
use crate::term::note;

/// The answers to the puzzles of a file.
#[derive(Default)]
pub(crate) struct Challenge {
    /// Number of puzzles that were answered.
    n_puzzles: usize,
    n_valid: usize,
    /// Number of answers that no rules can check.
    n_unchecked: usize,
    n_segments: usize,
    /// Number of puzzles that cannot be answered.
    n_refused: usize,
}

/// Answers every puzzle of `file`, which for ARC may be a folder, with `task` as the settings of
/// the model's puzzles. `-` is standard input. Labels are not needed. The answers are written
/// into the new folder `out`, if it is given, in the format for submission.
///
/// # Errors
///
/// If the file cannot be read or holds no puzzles of the model's task, the folder cannot
/// be written, or the backend fails.
pub(crate) fn run(
    (checkpoint, task): (&Checkpoint, &TaskConfig),
    file: &Path,
    (budget, batch_size): (Budget, NonZeroUsize),
    out: Option<&Path>,
) -> anyhow::Result<Challenge> {
    let kind = task.puzzle_kind();
    let queries = if file.is_dir() {
        let (queries, notes) = kind.queries_of_folder(file, &checkpoint.identifiers)?;
        notes.into_iter().for_each(note);
        queries
    } else {
        let is_input = file.as_os_str() == "-";
        let text = if is_input { puzzle_text::stdin()? } else { puzzle_text::open(file)? };
        kind.queries(text, &checkpoint.identifiers)?
    };
    let mut challenge = Challenge::default();
    let mut refused = Refused::default();
    let n_stand_ins = Cell::new(0_usize);
    let answer_to = |each: &mut dyn FnMut(Result<Answer, &str>) -> anyhow::Result<()>| {
        puzzle_text::answer(checkpoint, queries, budget, batch_size, |answered| {
            let answer = match answered {
                Answered::Outputs(query, outputs) => {
                    let answer = query.answer(outputs, Style::Plain);
                    match query.refusal() {
                        Some(why) => {
                            refused.add(why);
                            n_stand_ins.set(n_stand_ins.get() + 1);
                        }
                        None => challenge.add(&answer),
                    }
                    answer
                }
                Answered::Refused(why) => {
                    refused.add(why);
                    return each(Err(why));
                }
            };
            each(Ok(answer))
        })
    };
    let name = match out {
        None => {
            answer_to(&mut |_| Ok(()))?;
            None
        }
        // A row at a time: there may be many.
        Some(out) if kind.answers_are_rows() => {
            const NAME: &str = "answers.csv";
            output::new_folder(out, |folder| {
                let path = folder.join(NAME);
                let failed = TaskError::write(&path);
                let file = std::fs::File::create_new(&path).map_err(&failed)?;
                let mut table = AnswerTable::new(BufWriter::new(file)).map_err(&failed)?;
                answer_to(&mut |answer| {
                    let written = match answer {
                        Ok(answer) => table.write(&answer),
                        Err(why) => table.write_refused(why),
                    };
                    Ok(written.map_err(&failed)?)
                })?;
                let mut file = table.finish().map_err(&failed)?;
                file.flush().and_then(|()| file.get_ref().sync_all()).map_err(&failed)?;
                Ok(())
            })?;
            Some(NAME)
        }
        Some(out) => {
            let mut answers = Vec::new();
            answer_to(&mut |answer| {
                // Not shown; a file may have many.
                let answer = answer.map(|answer| Answer { drawing: String::new(), ..answer });
                answers.extend(answer);
                Ok(())
            })?;
            let document = kind.export_answers(&answers);
            output::new_folder(out, |folder| {
                Ok(output::write_new(&folder.join(document.name), document.text.as_bytes())?)
            })?;
            Some(document.name)
        }
    };
    challenge.n_refused = refused.finish();
    if let (Some(name), Some(out)) = (name, out) {
        if let (Some(stand_in), n @ 1..) = (kind.stand_in(), n_stand_ins.get()) {
            let which = if n == 1 { "the puzzle" } else { "each of the puzzles" };
            note(format!("{name} has {stand_in} for {which} that could not be answered"));
        }
        note(format!("{name} written to {}", out.display()));
    }
    Ok(challenge)
}

impl Challenge {
    fn add(&mut self, answer: &Answer) {
        self.n_puzzles += 1;
        self.n_segments += answer.n_segments;
        match answer.verdict {
            Verdict::Valid | Verdict::Expected => self.n_valid += 1,
            Verdict::Unchecked(_) => self.n_unchecked += 1,
            Verdict::Invalid(_) => {}
        }
    }

    /// The results on a few lines.
    pub(crate) fn table(&self) -> String {
        let Self { n_puzzles, n_valid, n_unchecked, .. } = self;
        let answers = if *n_puzzles == 1 { "answer" } else { "answers" };
        let mut text =
            format!("{n_puzzles} {answers}, {:.1} segments each\n", self.mean_segments());
        if n_unchecked < n_puzzles {
            let share = *n_valid as f64 / (n_puzzles - n_unchecked) as f64 * 100.0;
            text += &format!("  {:<22} {share:>6.2} %\n", "valid");
        }
        if *n_unchecked > 0 {
            text += &format!("  {:<22} {n_unchecked:>6}\n", "cannot be checked");
        }
        if self.n_refused > 0 {
            text += &format!("  {:<22} {:>6}\n", "not answered", self.n_refused);
        }
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "kind": "challenge",
            "puzzles": self.n_puzzles,
            "valid": self.n_valid,
            "unchecked": self.n_unchecked,
            "refused": self.n_refused,
            "mean_segments": self.mean_segments(),
        })
    }

    fn mean_segments(&self) -> f64 {
        self.n_segments as f64 / self.n_puzzles.max(1) as f64
    }
}
