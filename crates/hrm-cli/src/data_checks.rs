//! Checks of data before they are trained on or evaluated: leaks, and names that a model does
//! not know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hrm_puzzles::{Leak, clipped};
use hrm_tasks::{PuzzleTask, UnknownNames, same_rows};

use crate::error::usage;
use crate::term::note;

/// Most puzzles that are compared up to symmetry unasked, which takes seconds; more are
/// compared as they are.
const N_PUZZLES_MAX: usize = 50_000;

/// Puzzles that are trained on and evaluated.
enum Found {
    /// Compared up to the symmetries of the puzzle.
    Leaks(Vec<Leak>),
    /// The number of those with the same question and answer.
    SameRows(usize),
}

/// Warns of evaluation puzzles that are training puzzles too, or refuses them. The built-in
/// puzzles never coincide.
///
/// # Errors
///
/// If there are such puzzles, and `forbid` is set.
pub(crate) fn leaks(task: &dyn PuzzleTask, data: &[PathBuf], forbid: bool) -> anyhow::Result<()> {
    if data.is_empty() {
        return Ok(());
    }
    let found = match forbid || n_compared(task, task) <= N_PUZZLES_MAX {
        true => Found::Leaks(task.leaks()),
        false => same(task, task, 1),
    };
    report(found, (task, task), "the training puzzles", "; `hrm data stats` lists leaks", forbid)
}

/// As [`leaks`], for evaluation puzzles of `task` and a run that was trained on `trained`, which
/// are built-in puzzles if `is_built_in`.
///
/// # Errors
///
/// If there are such puzzles, and `forbid` is set.
pub(crate) fn trained_on(
    task: &dyn PuzzleTask,
    (trained, is_built_in): (&dyn PuzzleTask, bool),
    forbid: bool,
) -> anyhow::Result<()> {
    let is_few = n_compared(trained, task) <= N_PUZZLES_MAX;
    // On small boards, almost every puzzle is like a built-in one up to symmetry.
    let leaks = match !is_built_in && (forbid || is_few) {
        true => task.leaks_from(trained),
        false => None,
    };
    let is_deep = trained.has_stored_versions() && (forbid || is_few);
    let found = match leaks {
        Some(leaks) => Found::Leaks(leaks),
        None => same(trained, task, if is_deep { usize::MAX } else { 1 }),
    };
    report(found, (trained, task), "the puzzles that the run was trained on", "", forbid)
}

fn n_compared(trained: &dyn PuzzleTask, task: &dyn PuzzleTask) -> usize {
    trained.train().n_groups() + task.eval().n_groups()
}

fn same(trained: &dyn PuzzleTask, task: &dyn PuzzleTask, n_versions: usize) -> Found {
    let n_cells = task.n_cells();
    Found::SameRows(match trained.n_cells() == n_cells {
        true => same_rows(trained.train(), task.eval(), n_cells, n_versions).len(),
        false => 0,
    })
}

/// Prints or refuses what was found among `training`, and says what was not compared.
fn report(
    found: Found,
    (trained, task): (&dyn PuzzleTask, &dyn PuzzleTask),
    training: &str,
    advice: &str,
    forbid: bool,
) -> anyhow::Result<()> {
    let n_eval = task.eval().n_groups();
    let message = match &found {
        Found::Leaks(leaks) if leaks.is_empty() => return Ok(()),
        Found::Leaks(leaks) => describe(leaks, n_eval, training),
        Found::SameRows(0) if !forbid && n_compared(trained, task) > N_PUZZLES_MAX => {
            note(format!(
                "no evaluation puzzle is among {training} as it is; with --forbid-leaks they are \
                 also compared up to symmetry, which takes longer for so many puzzles"
            ));
            return Ok(());
        }
        Found::SameRows(0) => return Ok(()),
        Found::SameRows(n) => format!(
            "{n} of {n_eval} evaluation puzzles are among {training}: they have the same question \
             and answer"
        ),
    };
    if forbid {
        return Err(usage(format!("{message} (--forbid-leaks)")));
    }
    note(format!("{message}{advice}; --forbid-leaks refuses them"));
    Ok(())
}

/// One line about leaks, with their reasons counted.
fn describe(leaks: &[Leak], n_eval: usize, training: &str) -> String {
    let mut reasons = BTreeMap::new();
    leaks.iter().for_each(|leak| *reasons.entry(leak.why).or_insert(0) += 1);
    let reasons: Vec<_> = reasons.into_iter().map(|(why, n)| format!("{n}: {why}")).collect();
    let Leak { eval, train, .. } = &leaks[0];
    format!(
        "{} of {n_eval} evaluation puzzles are among {training} ({}), e.g. {eval} is {train}",
        leaks.len(),
        reasons.join("; ")
    )
}

/// Refuses data most of whose names the model does not know, unless `allow` is set.
///
/// # Errors
///
/// If the model does not know most names.
pub(crate) fn unknown_names(task: &dyn PuzzleTask, allow: bool) -> anyhow::Result<()> {
    match task.unknown_names() {
        Some(UnknownNames { n_unknown, n_names }) if !allow && 2 * n_unknown > n_names => {
            Err(usage(format!(
                "the model does not know {n_unknown} of the {n_names} puzzle identifiers of the \
                 data: it has learned a vector for each identifier that it knows, and would be \
                 scored without it. If the model was imported, its identifiers.json is missing or \
                 belongs to other data. --allow-unknown evaluates nevertheless"
            )))
        }
        _ => Ok(()),
    }
}

/// Refuses the data of a run if, with other settings or other content, their identifiers are no
/// longer those that the model has learned: their numbers would select vectors of other puzzles.
///
/// # Errors
///
/// If an identifier differs.
pub(crate) fn same_identifiers(task: &dyn PuzzleTask, known: &[String]) -> anyhow::Result<()> {
    let found = task.identifiers();
    if found == known {
        return Ok(());
    }
    let idx = found.iter().zip(known).take_while(|(found, known)| found == known).count();
    let name = |names: &[String]| {
        names.get(idx).map_or_else(|| "none".to_owned(), |name| format!("`{}`", clipped(name)))
    };
    Err(usage(format!(
        "with these settings the data of the run have {} puzzle identifiers, and the model has \
         learned {}; identifier {idx} is {}, and was {}. Evaluate with the settings and data of \
         the run, or name data with --data: their identifiers are found by name",
        found.len(),
        known.len(),
        name(found),
        name(known)
    )))
}
