//! The training and evaluation data of a kind: rows for the trainer, statistics and drawings
//! for people.

use std::any::Any;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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
use super::sides::{Placed, Sides, Stated};
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
            let reading = Reading::default();
            let read = |located: &Located| reading.read(self, located);
            let split = records::split(data, &columns, (held_out, seed), read)?;
            return Ok(Box::new(CellTask::of_files(self, split, reading)));
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
            let reading = Reading::default();
            let read = |located: &Located| reading.read(self, located);
            let split = records::for_eval(data, &self.checked_columns()?, read)?;
            return Ok(Box::new(CellTask::of_files(self, split, reading)));
        };
        Ok(Box::new(CellTask::new(self.clone(), Sides { train: Vec::new(), eval })))
    }
}

/// Reads records, keeps what only the file knows, and counts optional columns that are filled
/// and cannot be read.
#[derive(Default)]
struct Reading {
    stated: Mutex<HashSet<Arc<Stated>>>,
    unread: Mutex<Unread>,
}

#[derive(Default)]
struct Unread {
    n: u64,
    /// The place of the first one, in the order of files, with its column.
    first: Option<((String, u64), &'static str)>,
}

impl Reading {
    /// The puzzle of a record.
    fn read<K: CellFiles>(
        &self,
        kind: &K,
        located: &Located,
    ) -> Result<Placed<K::Puzzle>, TaskError> {
        let puzzle = kind.read(located)?;
        if let Some(column) = kind.unread(located, &puzzle) {
            let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
            unread.n += 1;
            // Records are read in any order.
            let (file, line) = located.place.rsplit_once(':').unwrap_or((&located.place, ""));
            let place = (file.to_owned(), line.parse().unwrap_or(0));
            if unread.first.as_ref().is_none_or(|(first, _)| place < *first) {
                unread.first = Some((place, column));
            }
        }
        Ok(Placed {
            stated: self.stated(kind, located, &puzzle),
            puzzle,
            place: located.place.clone(),
        })
    }

    /// What the file states and the puzzle does not hold.
    fn stated<K: CellFiles>(
        &self,
        kind: &K,
        Located { record, .. }: &Located,
        puzzle: &K::Puzzle,
    ) -> Option<Arc<Stated>> {
        let is_held = record.rating.is_empty() || !kind.to_record(puzzle).rating.is_empty();
        let rating = if is_held { String::new() } else { record.rating.clone() };
        let stated = Stated { source: record.source.clone(), rating };
        if stated == Stated::default() {
            return None;
        }
        let mut known = self.stated.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&stated) {
            return Some(Arc::clone(known));
        }
        let stated = Arc::new(stated);
        known.insert(Arc::clone(&stated));
        Some(stated)
    }

    fn note(self) -> Option<String> {
        let Unread { n, first } = self.unread.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ((file, line), column) = first?;
        let have = if n == 1 { "puzzle has" } else { "puzzles have" };
        Some(format!(
            "{n} {have} something else than a whole number in the column `{column}`, which is not \
             used there, e.g. in {file}:{line}"
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
    sides: Arc<Sides<K::Puzzle>>,
    /// How files were read.
    notes: Vec<String>,
    kind: K,
}

/// The examples of one side: one row per version of a puzzle.
struct Rows<K: CellKind> {
    kind: K,
    sides: Arc<Sides<K::Puzzle>>,
    is_train: bool,
    n_versions: usize,
}

impl<K: CellVersions> CellTask<K> {
    fn new(kind: K, sides: Sides<K::Puzzle>) -> Self {
        let sides = Arc::new(sides);
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
    fn of_files(kind: &K, split: Split<Placed<K::Puzzle>>, reading: Reading) -> Self {
        let Split { train, eval, mut notes } = split;
        notes.extend(reading.note());
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

    fn leaks_from(&self, trained: &dyn PuzzleTask) -> Option<Vec<Leak>> {
        let trained = (trained as &dyn Any).downcast_ref::<Self>()?;
        if trained.n_cells() != self.n_cells() {
            return None;
        }
        let (train, eval) = (trained.sides.train.clone(), self.sides.eval.clone());
        Some(self.kind.leaks(&Sides { train, eval }))
    }

    fn notes(&self) -> Vec<String> {
        self.notes.iter().cloned().chain(self.kind.notes(&self.sides)).collect()
    }
}

/// The record of a puzzle: with the source `generated` if it was not read from a file, else
/// with what the file states.
fn record<K: CellFiles>(kind: &K, Placed { puzzle, place, stated }: &Placed<K::Puzzle>) -> Record {
    let record = kind.to_record(puzzle);
    match stated {
        Some(stated) => {
            let rating = Some(record.rating).filter(|rating| !rating.is_empty());
            let rating = rating.unwrap_or_else(|| stated.rating.clone());
            Record { source: stated.source.clone(), rating, ..record }
        }
        None if place.is_empty() => Record { source: "generated".to_owned(), ..record },
        None => Record { source: String::new(), ..record },
    }
}
