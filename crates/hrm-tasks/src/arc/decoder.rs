//! ARC rows of a prepared data set, whose tasks are known by name only.

use std::collections::BTreeMap;

use hrm_base::progress::Stage;
use hrm_puzzles::Style;
use hrm_puzzles::arc::{ArcTask, Augmentation, Grid, Pair, TestPair, json};
use hrm_train::task::{Examples, PADDING, Prediction, Report, RowId, ScoreError, Scorer};

use super::canvas;
use super::votes::TaskVotes;
use crate::published::{Imported, Layout, Split};
use crate::traits::{NameOf, RowDecoder};

/// Decodes canvases given as rows of token ids.
pub(crate) struct Canvases {
    pub(crate) side: usize,
}

impl RowDecoder for Canvases {
    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        canvas::draw(self.side, inputs, labels, style)
    }

    fn scorer<'a>(&'a self, name_of: NameOf<'a>) -> Box<dyn Scorer + 'a> {
        let (votes, tasks) = (TaskVotes::new(self.side), BTreeMap::new());
        Box::new(Votes { side: self.side, name_of, votes, tasks })
    }

    /// The tasks with their augmentations undone. The rows of the test split are test
    /// pairs. The training split holds all other pairs and does not say which of them were
    /// test pairs of a training task, so all of them become train pairs.
    fn import(&self, layout: &Layout) -> Imported {
        let n_groups = |split: &Option<Split>| split.as_ref().map_or(0, Examples::n_groups);
        let n_total = n_groups(&layout.train) + n_groups(&layout.test);
        let stage = Stage::start("converting tasks", n_total as u64);
        let mut imported = Imported::default();
        let mut tasks = BTreeMap::<&str, ArcTask>::new();
        let mut add = |split: &Option<Split>, take: fn(&mut ArcTask, Pair)| {
            let Some(split) = split else { return };
            for group in 0..split.n_groups() {
                stage.advance(1);
                let version_of = |version| {
                    let id = split.identifier(group, version) as usize;
                    version_of(&layout.identifiers[id])
                };
                let versions = 0..split.n_versions(group);
                // Without an unaugmented version any other will do, because augmentations
                // can be undone.
                let is_itself = |version: &usize| version_of(*version).1 == Augmentation::IDENTITY;
                let version = versions.clone().find(is_itself).unwrap_or(0);
                let (id, augmentation) = version_of(version);
                imported.n_versions += versions.len() - 1;
                for row in 0..split.n_rows(group, version) {
                    let (inputs, labels) = split.example(RowId { group, version, row });
                    let grid = |ids: &[u32]| Some(augmentation.undo(&found(ids, self.side)?));
                    match (grid(&inputs), grid(&labels)) {
                        (Some(input), Some(output)) => {
                            let empty = || ArcTask { train: Vec::new(), test: Vec::new() };
                            take(tasks.entry(id).or_insert_with(empty), Pair { input, output });
                        }
                        _ => imported.refused.push(format!(
                            "{}: task `{id}`, group {group}, row {row}: not a grid on a canvas",
                            layout.place
                        )),
                    }
                }
            }
        };
        add(&layout.train, |task, pair| task.train.push(pair));
        add(&layout.test, |task, Pair { input, output }| {
            task.test.push(TestPair { input, output: Some(output) });
        });

        imported.n_puzzles = tasks.len();
        let (evaluation, training): (Vec<_>, Vec<_>) =
            tasks.iter().partition(|(_, task)| !task.test.is_empty());
        for (role, tasks) in [("training", training), ("evaluation", evaluation)] {
            if !tasks.is_empty() {
                let text = json::combined(tasks.into_iter().map(|(id, task)| (*id, task)));
                imported.files.push((format!("{role}/tasks.json"), text));
            }
        }
        imported
    }
}

/// The task and the augmentation that an identifier names.
fn version_of(name: &str) -> (&str, Augmentation) {
    Augmentation::parse(name).unwrap_or((name, Augmentation::IDENTITY))
}

/// The grid on a canvas, at any position; `None` if the canvas holds anything else.
fn found(cells: &[u32], side: usize) -> Option<Grid> {
    let used = || (0..cells.len()).filter(|cell| canvas::colour(cells[*cell]).is_some());
    let span = |place: fn(usize, usize) -> usize| {
        let places = used().map(move |cell| place(cell, side));
        Some((places.clone().min()?, places.max()? + 1))
    };
    let (top, bottom) = span(|cell, side| cell / side)?;
    let (left, right) = span(|cell, side| cell % side)?;
    let colour = |row: usize, col: usize| canvas::colour(cells[row * side + col]);
    let is_full = (top..bottom).all(|row| (left..right).all(|col| colour(row, col).is_some()));
    let grid = is_full.then(|| {
        Grid::from_fn(bottom - top, right - left, |row, col| {
            colour(top + row, left + col).expect("every cell is a colour")
        })
    })?;
    let mut again = vec![PADDING; cells.len()];
    canvas::place(&grid, (top, left), side, &mut again);
    (again == cells).then_some(grid)
}

/// Collects the votes of all versions. Rows are votes on the same output if task and
/// input are equal once the augmentation is undone.
struct Votes<'a> {
    side: usize,
    name_of: NameOf<'a>,
    votes: TaskVotes,
    /// The index of each task, and of each of its test inputs.
    tasks: BTreeMap<&'a str, (usize, BTreeMap<Option<Grid>, usize>)>,
}

impl Scorer for Votes<'_> {
    fn add(&mut self, predicted: Prediction<'_>) -> Result<(), ScoreError> {
        let (name, augmentation) = version_of((self.name_of)(predicted.at));
        let in_frame = |ids| Some(augmentation.undo(&found(ids, self.side)?));
        let tasks = self.tasks.entry(name);
        let (task, tests) = tasks.or_insert_with(|| (self.votes.task(name), BTreeMap::new()));
        let test = tests.entry(in_frame(predicted.inputs));
        let test = test.or_insert_with(|| self.votes.test(*task, in_frame(predicted.labels)));
        Ok(self.votes.vote((*task, *test), &augmentation, &predicted)?)
    }

    fn finish(self: Box<Self>) -> Result<Report, ScoreError> {
        self.votes.report()
    }
}
