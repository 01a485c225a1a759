//! The training and evaluation data of a kind: rows for the trainer, statistics and drawings
//! for people.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use hrm_base::progress::Stage;
use hrm_puzzles::records::{self, Located, Record, Split};
use hrm_puzzles::stats::{self, Distribution};
use hrm_puzzles::{Leak, Style};
use hrm_train::task::{BLANK_PUZZLE, Examples, RowId, RowMut, Scorer, Task};
use rayon::prelude::*;

use super::generate;
use super::kind::{
    Bins, CellEncoding, CellFigures, CellFiles, CellGenerator, CellKind, CellQueries, CellVersions,
};
use super::rows::ScoreSheet;
use super::settings::DataSettings;
use super::sides::{Placed, Sides};
use crate::error::TaskError;
use crate::published::BLANK_NAME;
use crate::traits::{DataSource, Encoding, PuzzleTask};

impl<K> DataSource for K
where
    K: CellKind
        + Encoding
        + CellEncoding
        + CellFiles
        + CellGenerator
        + CellVersions
        + CellQueries
        + CellFigures,
{
    fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let sides = if data.is_empty() {
            generate::sides(self)?
        } else {
            self.check_all()?;
            let DataSettings { held_out, seed, .. } = self.data();
            let columns = self.checked_columns()?;
            let unread = Unread::default();
            let read = |located: &Located| unread.read(self, located);
            let split = records::split(data, &columns, (held_out, seed), read)?;
            return Ok(Box::new(CellTask::of_files(self, split, unread)));
        };
        Ok(Box::new(CellTask::new(self.clone(), sides)))
    }

    fn open_for_eval(
        &self,
        data: &[PathBuf],
        _identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let eval = if data.is_empty() {
            generate::eval_side(self)?
        } else {
            self.check_all()?;
            let unread = Unread::default();
            let read = |located: &Located| unread.read(self, located);
            let split = records::for_eval(data, &self.checked_columns()?, read)?;
            return Ok(Box::new(CellTask::of_files(self, split, unread)));
        };
        Ok(Box::new(CellTask::new(self.clone(), Sides { train: Vec::new(), eval })))
    }
}

/// Counts optional columns that are filled and cannot be read.
#[derive(Default)]
struct Unread {
    n: AtomicU64,
    /// The column and the place of one of them.
    example: Mutex<Option<(&'static str, String)>>,
}

impl Unread {
    /// The puzzle of a record.
    fn read<K: CellFiles>(
        &self,
        kind: &K,
        located: &Located,
    ) -> Result<Placed<K::Puzzle>, TaskError> {
        let puzzle = kind.read(located)?;
        if let Some(column) = kind.unread(located, &puzzle) {
            self.n.fetch_add(1, Ordering::Relaxed);
            let mut example = self.example.lock().unwrap_or_else(PoisonError::into_inner);
            example.get_or_insert((column, located.place.clone()));
        }
        Ok(Placed { puzzle, place: located.place.clone() })
    }

    fn note(self) -> Option<String> {
        let example = self.example.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ((column, place), n) = (example?, self.n.into_inner());
        Some(format!(
            "the column `{column}` of {n} puzzles is no whole number and not used, e.g. in {place}"
        ))
    }
}

/// A kind of puzzle with its data.
struct CellTask<K: CellKind> {
    train: Rows<K>,
    eval: Rows<K>,
    identifiers: Vec<String>,
    /// Each figure of every puzzle, training puzzles first. Computed on demand, because
    /// rating a puzzle takes time.
    figures: OnceLock<Vec<Vec<Option<u64>>>>,
    sides: std::sync::Arc<Sides<K::Puzzle>>,
    /// How files were read.
    notes: Vec<String>,
    kind: K,
}

/// The examples of one side: one row per version of a puzzle.
struct Rows<K: CellKind> {
    kind: K,
    sides: std::sync::Arc<Sides<K::Puzzle>>,
    is_train: bool,
    n_versions: usize,
}

impl<K: CellVersions> CellTask<K> {
    fn new(kind: K, sides: Sides<K::Puzzle>) -> Self {
        let sides = std::sync::Arc::new(sides);
        let rows = |is_train, n_versions| Rows {
            kind: kind.clone(),
            sides: sides.clone(),
            is_train,
            n_versions,
        };
        Self {
            train: rows(true, kind.n_versions()),
            eval: rows(false, 1),
            identifiers: vec![BLANK_NAME.to_owned()],
            figures: OnceLock::new(),
            sides,
            notes: Vec::new(),
            kind,
        }
    }

    /// The puzzles of files.
    fn of_files(kind: &K, split: Split<Placed<K::Puzzle>>, unread: Unread) -> Self {
        let Split { train, eval, mut notes } = split;
        notes.extend(unread.note());
        Self { notes, ..Self::new(kind.clone(), Sides { train, eval }) }
    }
}

impl<K: CellFigures> CellTask<K> {
    /// Each figure of every puzzle.
    fn figures(&self) -> &[Vec<Option<u64>>] {
        self.figures.get_or_init(|| {
            let puzzles: Vec<&K::Puzzle> = self.sides.all().collect();
            let figures = self.kind.figures();
            let stage = Stage::start("rating puzzles", puzzles.len() as u64);
            let n_figures = figures.len();
            let figures_of = |puzzle: &&K::Puzzle| -> Vec<Option<u64>> {
                stage.advance(1);
                figures.iter().map(|figure| (figure.of)(&self.kind, puzzle)).collect()
            };
            let by_puzzle: Vec<_> = puzzles.par_iter().map(figures_of).collect();
            let of_all = |idx| by_puzzle.iter().map(|figures| figures[idx]).collect();
            (0..n_figures).map(of_all).collect()
        })
    }
}

impl<K: CellKind> Rows<K> {
    /// The puzzles of this side.
    fn puzzles(&self) -> &[Placed<K::Puzzle>] {
        if self.is_train { &self.sides.train } else { &self.sides.eval }
    }
}

impl<K: CellEncoding + CellVersions> Examples for Rows<K> {
    fn n_groups(&self) -> usize {
        self.puzzles().len()
    }

    fn n_versions(&self, _group: usize) -> usize {
        self.n_versions
    }

    fn n_rows(&self, _group: usize, _version: usize) -> usize {
        1
    }

    fn n_rows_total(&self) -> u64 {
        self.puzzles().len() as u64 * self.n_versions as u64
    }

    fn write(&self, at: RowId, row: RowMut<'_>) {
        let puzzle = &self.puzzles()[at.group].puzzle;
        match at.version {
            0 => self.kind.encode(puzzle, row.inputs, row.labels),
            version => {
                let puzzle = self.kind.version(puzzle, at.group, version);
                self.kind.encode(&puzzle, row.inputs, row.labels);
            }
        }
        *row.puzzle_id = BLANK_PUZZLE;
    }
}

impl<K> Task for CellTask<K>
where
    K: Encoding + CellEncoding + CellVersions + CellQueries,
{
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn vocab_size(&self) -> usize {
        self.kind.vocabulary().len()
    }

    fn n_cells(&self) -> usize {
        self.kind.n_cells()
    }

    fn n_puzzle_ids(&self) -> usize {
        self.identifiers.len()
    }

    fn train(&self) -> &dyn Examples {
        &self.train
    }

    fn eval(&self) -> &dyn Examples {
        &self.eval
    }

    fn scorer(&self) -> Box<dyn Scorer + '_> {
        Box::new(ScoreSheet::new(&self.kind))
    }
}

impl<K> PuzzleTask for CellTask<K>
where
    K: Encoding + CellEncoding + CellFiles + CellVersions + CellQueries + CellFigures,
{
    fn identifiers(&self) -> &[String] {
        &self.identifiers
    }

    fn base_puzzles(&self) -> Option<Vec<(&'static str, String)>> {
        let n_puzzles = self.sides.train.len() + self.sides.eval.len();
        let stage = Stage::start("preparing puzzles", n_puzzles as u64);
        let records = |puzzles: &[Placed<K::Puzzle>]| -> Vec<Record> {
            let counted = puzzles.iter().inspect(|_| stage.advance(1));
            counted.map(|placed| record(&self.kind, placed)).collect()
        };
        let (train, eval) = (records(&self.sides.train), records(&self.sides.eval));
        drop(stage);
        Some(records::to_files(&train, &eval))
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        self.kind.draw(inputs, labels, style)
    }

    fn stats(&self) -> Vec<(String, f64)> {
        let mut stats = vec![
            ("training puzzles".to_owned(), self.sides.train.len() as f64),
            ("evaluation puzzles".to_owned(), self.sides.eval.len() as f64),
            ("versions per training puzzle".to_owned(), self.train.n_versions as f64),
        ];
        stats.extend(self.kind.sizes());
        for (figure, values) in self.kind.figures().iter().zip(self.figures()) {
            stats.extend(stats::spread(figure.name, values.iter().copied().flatten()));
        }
        stats
    }

    fn distributions(&self) -> Vec<Distribution> {
        let n_train = self.sides.train.len();
        let of_side = |side: &'static str, range: std::ops::Range<usize>| {
            let figures = self.kind.figures();
            let bins = figures.into_iter().zip(self.figures()).filter_map(|(figure, values)| {
                let values = values[range.clone()].iter().copied().flatten();
                let name = format!("{side} {}", figure.name);
                match figure.bins? {
                    Bins::Equal => stats::by_value(name, values),
                    Bins::Doubling => stats::by_doubling(name, values),
                }
            });
            bins.collect::<Vec<_>>()
        };
        let mut distributions = of_side("training", 0..n_train);
        distributions.extend(of_side("evaluation", n_train..n_train + self.sides.eval.len()));
        distributions.extend(self.kind.distributions(&self.sides));
        distributions
    }

    fn leaks(&self) -> Vec<Leak> {
        self.kind.leaks(&self.sides)
    }

    fn notes(&self) -> Vec<String> {
        self.notes.iter().cloned().chain(self.kind.notes(&self.sides)).collect()
    }
}

/// The record of a puzzle, with the source `generated` if it was not read from a file.
fn record<K: CellFiles>(kind: &K, placed: &Placed<K::Puzzle>) -> Record {
    let source = if placed.place.is_empty() { "generated" } else { "" }.to_owned();
    Record { source, ..kind.to_record(&placed.puzzle) }
}
