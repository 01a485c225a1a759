//! A prepared data set as a task.

use std::path::PathBuf;

use hrm_base::progress::Stage;
use hrm_train::task::{BLANK_PUZZLE, Examples, PADDING, RowId, RowMut, Scorer, Task};
use rayon::prelude::*;

use super::layout::{Layout, Side, is_split, sides_of};
use super::names::{BLANK_NAME, numbers_of};
use super::split::Split;
use hrm_puzzles::{Leak, Style};

use crate::error::TaskError;
use crate::same_rows::same_rows;
use crate::traits::{PuzzleKind, PuzzleTask, RowDecoder, UnknownNames};

/// Opens the training and, if it exists, the test side of a prepared data set.
///
/// # Errors
///
/// As [`Layout::open`], [`Layout::check`] and [`Prepared::new`].
pub(crate) fn open(
    (name, kind): (&'static str, &dyn PuzzleKind),
    folders: &[PathBuf],
) -> Result<Box<dyn PuzzleTask>, TaskError> {
    let has_test = |folder: &PathBuf| sides_of(folder).contains(&Side::Test);
    let layout = match folders {
        // A split that is named alone is trained on, whatever it is called.
        [folder] if has_test(folder) && !is_split(folder) => {
            Layout::open(folder, &[Side::Train, Side::Test])?
        }
        [folder] => Layout::open(folder, &[Side::Train])?,
        folders if folders.iter().any(has_test) => {
            Layout::open_all(folders, &[Side::Train, Side::Test])?
        }
        folders => Layout::open_all(folders, &[Side::Train])?,
    };
    layout.check(name, (kind.vocabulary().len(), kind.n_cells()))?;
    Ok(Box::new(Prepared::new((name, kind), layout, None)?))
}

/// Opens the test side of a prepared data set, for a model that knows `identifiers`.
///
/// # Errors
///
/// As [`Layout::open`], [`Layout::check`] and [`Prepared::new`].
pub(crate) fn open_for_eval(
    (name, kind): (&'static str, &dyn PuzzleKind),
    folders: &[PathBuf],
    identifiers: &[String],
) -> Result<Box<dyn PuzzleTask>, TaskError> {
    let layout = Layout::open_all(folders, &[Side::Test])?;
    layout.check(name, (kind.vocabulary().len(), kind.n_cells()))?;
    Ok(Box::new(Prepared::new((name, kind), layout, Some(identifiers))?))
}

/// The reason of a leak.
const SAME_ROW: &str = "the same question and answer";

/// A prepared data set of one kind of puzzle.
pub(super) struct Prepared {
    kind: &'static str,
    decoder: Box<dyn RowDecoder>,
    train: Split,
    eval: Split,
    /// Names of the identifiers, in the numbering of the files.
    names: Vec<String>,
    /// Names of the identifiers that the model knows, in its numbering, if it is given.
    known: Option<Vec<String>>,
    unknown_names: Option<UnknownNames>,
    notes: Vec<String>,
}

impl Prepared {
    /// The rows of `layout`. With `known`, the identifiers of a model, rows carry these.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if the settings are out of range, or the published code
    /// prepares no data sets of this kind; [`TaskError`] if the first row is none of this kind.
    pub(super) fn new(
        (name, kind): (&'static str, &dyn PuzzleKind),
        layout: Layout,
        known: Option<&[String]>,
    ) -> Result<Self, TaskError> {
        let metadata = layout.metadata().clone();
        let decoder = kind.row_decoder()?;
        let mut notes = layout.notes;
        let mut unknown_names = None;
        if known.is_none() && layout.test.is_none() {
            notes.push(format!("{} has no test split to evaluate on", layout.place));
        }
        let [train, mut eval] = [layout.train, layout.test]
            .map(|split| split.unwrap_or_else(|| Split::empty(metadata.clone())));
        let rows = [&train, &eval].map(|side| Some(side.example(side.row_ids().next()?)));
        if let Some((inputs, _)) = rows.into_iter().flatten().next() {
            decoder.check(&inputs, &layout.place)?;
        }
        for (split, side) in [(&train, Side::Train), (&eval, Side::Test)] {
            check_answers(
                split,
                decoder.as_ref(),
                &format!("{}: {}", layout.place, side.folder()),
            )?;
        }
        if let Some(known) = known.filter(|known| *known != layout.identifiers) {
            let (numbers, n_unknown) = numbers_of(&layout.identifiers, known);
            let n_names = layout.identifiers.len() - 1;
            if n_names > 0 && known.len() > 1 {
                unknown_names = Some(UnknownNames { n_unknown, n_names });
            }
            if n_unknown > 0 {
                notes.push(format!(
                    "the model does not know {n_unknown} of {} identifiers: their rows are \
                     evaluated under the identifier {BLANK_NAME}",
                    layout.identifiers.len()
                ));
            }
            eval.renumber(numbers);
        }
        Ok(Self {
            kind: name,
            decoder,
            train,
            eval,
            names: layout.identifiers,
            known: known.map(<[String]>::to_vec),
            unknown_names,
            notes,
        })
    }
}

/// Makes sure that the labels of every row answer its question. `place` is the split, for
/// messages.
///
/// # Errors
///
/// [`TaskError`] with the first row whose labels do not.
fn check_answers(split: &Split, decoder: &dyn RowDecoder, place: &str) -> Result<(), TaskError> {
    if !decoder.has_rules() {
        return Ok(());
    }
    let n_cells = split.metadata().seq_len;
    let stage = Stage::start("checking answers", split.n_examples() as u64);
    let check = |group: usize| {
        let (mut inputs, mut labels) = (vec![PADDING; n_cells], vec![PADDING; n_cells]);
        for version in 0..split.n_versions(group) {
            for row in 0..split.n_rows(group, version) {
                stage.advance(1);
                let puzzle_id = &mut BLANK_PUZZLE.clone();
                let at = RowId { group, version, row };
                split.write(at, RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id });
                let place = || format!("{place}, group {group}, version {version}, row {row}");
                decoder.check_answer(&inputs, &labels, &place)?;
            }
        }
        Ok(())
    };
    let wrong = (0..split.n_groups()).into_par_iter().find_map_first(|group| check(group).err());
    wrong.map_or(Ok(()), Err)
}

impl Task for Prepared {
    fn name(&self) -> &'static str {
        self.kind
    }

    fn vocab_size(&self) -> usize {
        self.train.metadata().vocab_size
    }

    fn n_cells(&self) -> usize {
        self.train.metadata().seq_len
    }

    fn n_puzzle_ids(&self) -> usize {
        self.identifiers().len()
    }

    fn train(&self) -> &dyn Examples {
        &self.train
    }

    fn eval(&self) -> &dyn Examples {
        &self.eval
    }

    fn scorer(&self) -> Box<dyn Scorer + '_> {
        self.decoder
            .scorer(Box::new(|at| &self.names[self.eval.identifier(at.group, at.version) as usize]))
    }
}

impl PuzzleTask for Prepared {
    fn identifiers(&self) -> &[String] {
        match &self.known {
            // A model without any identifier still has the blank one.
            Some(known) if !known.is_empty() => known,
            Some(_) => &self.names[..1],
            None => &self.names,
        }
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        self.decoder.draw(inputs, labels, style)
    }

    fn stats(&self) -> Vec<(String, f64)> {
        let sides = [("training", &self.train), ("evaluation", &self.eval)];
        let figures = sides.into_iter().flat_map(|(side, split)| {
            [
                (format!("{side} puzzles"), split.n_groups()),
                (format!("{side} versions"), split.n_puzzles()),
                (format!("{side} rows"), split.n_examples()),
            ]
        });
        let figures = figures.chain([("identifiers".to_owned(), self.names.len())]);
        figures.map(|(name, figure)| (name, figure as f64)).collect()
    }

    /// Rows are all that is known of the puzzles, so they are compared as they are.
    fn leaks(&self) -> Vec<Leak> {
        let same = same_rows(&self.train, &self.eval, self.n_cells(), usize::MAX);
        let name = |split: &Split, side: Side, RowId { group, version, row }: RowId| {
            let name = match split.identifier(group, version) {
                BLANK_PUZZLE => String::new(),
                id => format!(" ({})", self.names[id as usize]),
            };
            format!("{} group {group}, version {version}, row {row}{name}", side.folder())
        };
        let leak = |(eval, train)| Leak {
            eval: name(&self.eval, Side::Test, eval),
            train: name(&self.train, Side::Train, train),
            why: SAME_ROW,
        };
        same.into_iter().map(leak).collect()
    }

    fn has_stored_versions(&self) -> bool {
        true
    }

    fn unknown_names(&self) -> Option<UnknownNames> {
        self.unknown_names
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}
