//! Puzzles from files and standard input, and the answers to them, one after another.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::path::Path;

use hrm_base::progress::Stage;
use hrm_core::Budget;
use hrm_puzzles::PuzzleError;
use hrm_puzzles::text::{PUZZLE_ENDINGS, Text};
use hrm_tasks::{Checkpoint, ModelOutput, Query, QueryStream, TaskError, answer_each};

use crate::term::note;

/// Puzzles that cannot be answered and are listed; the others are only counted.
const N_SHOWN: usize = 10;

/// Opens a file of puzzles, whatever it is packed in.
///
/// # Errors
///
/// As [`Text::open`].
pub(crate) fn open(path: &Path) -> anyhow::Result<Text> {
    let n_bytes = std::fs::metadata(path).map_err(TaskError::read(path))?.len();
    let stage = Stage::start("solving puzzles", n_bytes);
    Ok(Text::open_with(path, PUZZLE_ENDINGS, move |n| stage.advance(n))?)
}

/// Puzzles on standard input.
///
/// # Errors
///
/// As [`Text::new`].
pub(crate) fn stdin() -> anyhow::Result<Text> {
    Ok(Text::new(std::io::stdin(), "standard input", PUZZLE_ENDINGS)?)
}

/// What became of a puzzle.
pub(crate) enum Answered<'a> {
    /// It has outputs.
    Outputs(&'a dyn Query, &'a [ModelOutput]),
    /// It cannot be answered; the reason names its place.
    Refused(&'a str),
}

/// Answers puzzles as they are read, and passes each to `done`, in order. One that cannot be
/// read or is not for this model does not stop the others. Returns how many there were.
///
/// # Errors
///
/// If the text cannot be read on, no puzzle at all could be answered (then the reason of the
/// first), the backend or `done` fails.
pub(crate) fn answer(
    checkpoint: &Checkpoint,
    queries: QueryStream,
    budget: Budget,
    batch_size: NonZeroUsize,
    mut done: impl FnMut(Answered<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    // Refused puzzles that wait for those before them, with their numbers.
    let refused: RefCell<VecDeque<(usize, String)>> = RefCell::default();
    let (first, fatal) = (RefCell::new(None), RefCell::new(None));
    let n_refused = std::cell::Cell::new(0);
    let numbered = queries.enumerate().map_while(|(idx, query)| match query {
        Ok(query) => Some(Some((idx, query))),
        Err(err @ TaskError::Puzzle(PuzzleError::Read { .. })) => {
            *fatal.borrow_mut() = Some(err);
            None
        }
        Err(err) => {
            n_refused.set(n_refused.get() + 1);
            refused.borrow_mut().push_back((idx, err.to_string()));
            first.borrow_mut().get_or_insert(err);
            Some(None)
        }
    });
    let mut n_answered = 0;
    let flush = |until: usize, done: &mut dyn FnMut(Answered<'_>) -> anyhow::Result<()>| {
        loop {
            let mut waiting = refused.borrow_mut();
            if waiting.front().is_none_or(|(idx, _)| *idx >= until) {
                return anyhow::Ok(());
            }
            let Some((_, why)) = waiting.pop_front() else { return Ok(()) };
            drop(waiting);
            done(Answered::Refused(&why))?;
        }
    };
    let model = &checkpoint.model;
    let numbered = numbered.flatten();
    answer_each(
        model,
        numbered,
        budget,
        batch_size,
        |(idx, query): (usize, Box<dyn Query>), outputs| {
            flush(idx, &mut done)?;
            n_answered += 1;
            done(Answered::Outputs(query.as_ref(), outputs))
        },
    )?;
    if let Some(err) = fatal.into_inner() {
        return Err(err.into());
    }
    if n_answered == 0
        && let Some(err) = first.into_inner()
    {
        let n_others = n_refused.get() - 1;
        return Err(match n_others {
            0 => err.into(),
            n => anyhow::Error::from(err)
                .context(format!("none of {} puzzles can be answered; the first", n + 1)),
        });
    }
    flush(usize::MAX, &mut done)?;
    Ok(n_refused.get())
}

/// Lists puzzles that cannot be answered, and counts them.
#[derive(Default)]
pub(crate) struct Refused(usize);

impl Refused {
    /// Prints a note of one of them.
    pub(crate) fn add(&mut self, why: &str) {
        self.0 += 1;
        if self.0 <= N_SHOWN {
            note(format!("not answered: {why}"));
        }
    }

    /// Prints how many there were.
    pub(crate) fn finish(self) -> usize {
        let Self(n) = self;
        if n > N_SHOWN {
            note(format!("not answered: {n} puzzles, of which {N_SHOWN} are listed above"));
        } else if n > 1 {
            note(format!("not answered: {n} puzzles"));
        }
        n
    }
}
