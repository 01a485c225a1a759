//! Checks of data before they are trained on or evaluated: leaks, and names that a model does
//! not know.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use hrm_puzzles::Leak;
use hrm_tasks::{PuzzleTask, UnknownNames};
use hrm_train::task::{BLANK_PUZZLE, Examples, RowId, RowMut};

use crate::error::usage;
use crate::term::note;

/// Most puzzles that are compared up to symmetry, which takes seconds; more are compared as
/// they are.
const N_PUZZLES_MAX: usize = 50_000;

/// Most cells that are compared as they are, on each side, which takes about a second.
const N_CELLS_MAX: usize = 100_000_000;

/// Warns of evaluation puzzles that are training puzzles too, or refuses them. The built-in
/// puzzles never coincide.
///
/// # Errors
///
/// If there are such puzzles, and `forbid` is set.
pub(crate) fn leaks(task: &dyn PuzzleTask, data: &[PathBuf], forbid: bool) -> anyhow::Result<()> {
    let [n_train, n_eval] = [task.train(), task.eval()].map(|side| side.n_groups());
    if data.is_empty() || n_train == 0 {
        return Ok(());
    }
    let n_puzzles = n_train + n_eval;
    let found = if n_puzzles <= N_PUZZLES_MAX { task.leaks() } else { Vec::new() };
    let message = match found.as_slice() {
        [] => match same_rows(task) {
            0 => return Ok(()),
            n => format!(
                "{n} of {n_eval} evaluation puzzles have a question and answer that is also \
                 trained on"
            ),
        },
        leaks => describe(leaks, n_eval),
    };
    if forbid {
        return Err(usage(format!("{message} (--forbid-leaks)")));
    }
    note(format!("{message}; `hrm data stats` lists leaks, --forbid-leaks refuses them"));
    Ok(())
}

/// One line about leaks, with their reasons counted.
fn describe(leaks: &[Leak], n_eval: usize) -> String {
    let mut reasons = BTreeMap::new();
    leaks.iter().for_each(|leak| *reasons.entry(leak.why).or_insert(0) += 1);
    let reasons: Vec<_> = reasons.into_iter().map(|(why, n)| format!("{n}: {why}")).collect();
    let Leak { eval, train, .. } = &leaks[0];
    format!(
        "{} of {n_eval} evaluation puzzles are among the training puzzles ({}), e.g. {eval} is \
         {train}",
        leaks.len(),
        reasons.join("; ")
    )
}

/// Number of evaluation puzzles with a row that is a training row.
fn same_rows(task: &dyn PuzzleTask) -> usize {
    let n_cells = task.n_cells();
    let n_rows_max = N_CELLS_MAX / n_cells.max(1);
    let (mut inputs, mut labels) = (vec![0; n_cells], vec![0; n_cells]);
    let mut hash = |examples: &dyn Examples, at: RowId| {
        let mut puzzle_id = BLANK_PUZZLE;
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        examples.write(at, row);
        let mut hasher = DefaultHasher::new();
        (&inputs, &labels).hash(&mut hasher);
        hasher.finish()
    };
    let rows = task.train().row_ids().take(n_rows_max);
    let trained: HashSet<u64> = rows.map(|at| hash(task.train(), at)).collect();
    if trained.is_empty() {
        return 0;
    }
    let rows = task.eval().row_ids().take(n_rows_max);
    let leaked = rows.filter(|at| trained.contains(&hash(task.eval(), *at)));
    leaked.map(|at| at.group).collect::<HashSet<_>>().len()
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
