//! Rows for evaluation that are also trained on.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use hrm_base::progress::Stage;
use hrm_train::task::{BLANK_PUZZLE, Examples, RowId, RowMut};

/// For each puzzle of `eval` a row of it whose question and answer, `n_cells` each, are also a
/// row of `train`, and that row. Puzzles of `eval` are compared as they are, not in their other
/// versions, with the first `n_versions` versions of those of `train`.
pub fn same_rows(
    train: &dyn Examples,
    eval: &dyn Examples,
    n_cells: usize,
    n_versions: usize,
) -> Vec<(RowId, RowId)> {
    let stage = Stage::start("comparing puzzles", (train.n_groups() + eval.n_groups()) as u64);
    let (mut inputs, mut labels) = (vec![0; n_cells], vec![0; n_cells]);
    let mut hash = |examples: &dyn Examples, at: RowId| {
        let mut puzzle_id = BLANK_PUZZLE;
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        examples.write(at, row);
        let mut hasher = DefaultHasher::new();
        (&inputs, &labels).hash(&mut hasher);
        hasher.finish()
    };
    let mut wanted: HashMap<u64, Vec<RowId>> = HashMap::new();
    for group in 0..eval.n_groups() {
        stage.advance(1);
        for at in rows(eval, group, 1) {
            wanted.entry(hash(eval, at)).or_default().push(at);
        }
    }
    let (mut same, mut found) = (Vec::new(), HashSet::new());
    for group in 0..train.n_groups() {
        stage.advance(1);
        for at in rows(train, group, n_versions) {
            for row in wanted.remove(&hash(train, at)).into_iter().flatten() {
                if found.insert(row.group) {
                    same.push((row, at));
                }
            }
        }
    }
    same.sort_unstable();
    same
}

/// The rows of the first versions of a group.
fn rows(examples: &dyn Examples, group: usize, n_versions: usize) -> impl Iterator<Item = RowId> {
    let versions = 0..examples.n_versions(group).min(n_versions);
    versions.flat_map(move |version| {
        let n_rows = examples.n_rows(group, version);
        (0..n_rows).map(move |row| RowId { group, version, row })
    })
}
