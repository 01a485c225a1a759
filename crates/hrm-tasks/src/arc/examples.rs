//! The pairs of ARC tasks as rows for the trainer.
//!
//! Each task stores its pairs once, and for each version only the augmentation. A row is
//! computed from the two when it is read.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use hrm_base::rng::{ChaCha8Rng, stream};
use hrm_puzzles::arc::{Augmentation, Pair, SolvedTask};
use hrm_train::task::{BLANK_PUZZLE, Examples, RowId, RowMut};
use rand::Rng;

use super::canvas;

/// One version of a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) augmentation: Augmentation,
    pub(crate) puzzle_id: u32,
}

impl Version {
    /// The task itself, under the blank identifier.
    pub(crate) const UNKNOWN: Self =
        Self { augmentation: Augmentation::IDENTITY, puzzle_id: BLANK_PUZZLE };
}

/// One task with its versions.
pub(crate) struct Versioned {
    pub(crate) id: String,
    pub(crate) solved: SolvedTask,
    pub(crate) versions: Vec<Version>,
}

/// The versions that `identifiers` name, grouped by task, for the tasks in `wanted`. If a
/// name is that of a task and also that of a version of another task, it is the task's.
pub(crate) fn known_versions(
    identifiers: &[String],
    wanted: impl Fn(&str) -> bool,
) -> HashMap<String, Vec<Version>> {
    let mut known: HashMap<String, Vec<Version>> = HashMap::new();
    // Identifier 0 is the blank one, whatever its name.
    for (name, puzzle_id) in identifiers.iter().zip(0..).skip(1) {
        let itself = wanted(name).then_some((name.as_str(), Augmentation::IDENTITY));
        let named = itself.or_else(|| Augmentation::parse(name).filter(|(id, _)| wanted(id)));
        if let Some((id, augmentation)) = named {
            let version = Version { augmentation, puzzle_id };
            match known.get_mut(id) {
                Some(versions) => versions.push(version),
                None => drop(known.insert(id.to_owned(), vec![version])),
            }
        }
    }
    known
}

/// Words of the random stream per position: more than two bounded samples consume.
const N_WORDS_PER_SAMPLE: u128 = 16;

/// A selection of each task's pairs, in every version.
pub(crate) struct ArcExamples {
    tasks: Arc<[Versioned]>,
    /// Tasks with at least one row here.
    groups: Vec<Group>,
    side: usize,
}

struct Group {
    task_idx: usize,
    /// The indices of the task's pairs that are rows.
    pairs: Range<usize>,
    /// The random stream of the offsets, if grids are placed at random positions.
    offsets: Option<ChaCha8Rng>,
}

impl ArcExamples {
    /// The selection `pairs` of each task's pairs, on canvases of `side` by `side` cells.
    /// With a seed `translation`, grids are placed at random positions.
    pub(crate) fn new(
        tasks: &Arc<[Versioned]>,
        side: usize,
        translation: Option<u64>,
        pairs: impl Fn(&SolvedTask) -> Range<usize>,
    ) -> Self {
        let groups = tasks.iter().enumerate().map(|(task_idx, task)| Group {
            task_idx,
            pairs: pairs(&task.solved),
            offsets: translation.map(|seed| stream(seed, &format!("arc offsets of {}", task.id))),
        });
        let groups = groups.filter(|group| !group.pairs.is_empty()).collect();
        Self { tasks: tasks.clone(), groups, side }
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Cells on each side of the canvas.
    pub(crate) fn side(&self) -> usize {
        self.side
    }

    /// The task of a group.
    pub(crate) fn id(&self, group: usize) -> &str {
        &self.task(group).id
    }

    /// The base pairs of a group, in order of their rows.
    pub(crate) fn pairs(&self, group: usize) -> &[Pair] {
        let group = &self.groups[group];
        &self.tasks[group.task_idx].solved.pairs[group.pairs.clone()]
    }

    /// The augmentation of a version.
    pub(crate) fn augmentation(&self, group: usize, version: usize) -> &Augmentation {
        &self.task(group).versions[version].augmentation
    }

    fn task(&self, group: usize) -> &Versioned {
        &self.tasks[self.groups[group].task_idx]
    }

    /// The `(row, column)` of the top left corner of both grids.
    fn offset(&self, RowId { group, version, row }: RowId, pair: &Pair) -> (usize, usize) {
        let Group { pairs, offsets, .. } = &self.groups[group];
        let Some(offsets) = offsets else { return (0, 0) };
        // Each version has its own position in the task's stream, so that any row can be
        // computed without the rows before it. The index of the row that is not moved comes
        // first, then the offset of each row.
        let mut rng = offsets.clone();
        let seek = |rng: &mut ChaCha8Rng, place: usize| {
            let place = version as u128 * (pairs.len() as u128 + 1) + place as u128;
            rng.set_word_pos(place * N_WORDS_PER_SAMPLE);
        };
        seek(&mut rng, 0);
        // One row of each version stays at the top left corner, where evaluation puts it.
        if rng.random_range(0..pairs.len() as u32) as usize == row {
            return (0, 0);
        }
        seek(&mut rng, 1 + row);
        let mut shift = |used: usize| rng.random_range(0..=(self.side - used) as u32) as usize;
        let n_rows = pair.input.n_rows().max(pair.output.n_rows());
        let n_cols = pair.input.n_cols().max(pair.output.n_cols());
        (shift(n_rows), shift(n_cols))
    }
}

impl Examples for ArcExamples {
    fn n_groups(&self) -> usize {
        self.groups.len()
    }

    fn n_versions(&self, group: usize) -> usize {
        self.task(group).versions.len()
    }

    fn n_rows(&self, group: usize, version: usize) -> usize {
        assert!(version < self.n_versions(group), "version {version} is out of range");
        self.groups[group].pairs.len()
    }

    fn n_rows_total(&self) -> u64 {
        let n_rows = |group| self.n_versions(group) as u64 * self.pairs(group).len() as u64;
        (0..self.groups.len()).map(n_rows).sum()
    }

    fn write(&self, at: RowId, row: RowMut<'_>) {
        let Version { augmentation, puzzle_id } = self.task(at.group).versions[at.version];
        let Pair { input, output } = &self.pairs(at.group)[at.row];
        let pair = Pair { input: augmentation.apply(input), output: augmentation.apply(output) };
        let offset = self.offset(at, &pair);
        canvas::place(&pair.input, offset, self.side, row.inputs);
        canvas::place(&pair.output, offset, self.side, row.labels);
        *row.puzzle_id = puzzle_id;
    }
}
