//! `--pictures`: renders answers of the model.
//!
//! An evaluation produces every answer once. [`Answers`] keeps a few of them, as
//! row ids and tokens; the puzzles themselves are read again when rendered.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hrm_base::words::counted;
use hrm_puzzles::PuzzleError;
use hrm_puzzles::picture::{Picture, PuzzlePicture};
use hrm_tasks::{PuzzleKind, PuzzleTask, TokenView};
use hrm_train::task::{Examples, PADDING, Prediction, RowId, RowMut};

use crate::{output, term};

/// Puzzles per sheet.
const N_PER_SHEET: usize = 24;

#[derive(Args)]
pub(crate) struct Pictures {
    /// Render puzzles, with prediction and truth, on sheets in this new folder.
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// Number of puzzles to render, wrong answers first.
    #[arg(long, default_value_t = N_PER_SHEET, requires = "pictures")]
    n_pictures: usize,
    /// File format of the pictures.
    #[arg(long, value_enum, default_value_t = Format::Png, requires = "pictures")]
    picture_format: Format,
    /// Also render each puzzle to a separate file.
    #[arg(long, requires = "pictures")]
    picture_each: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Png,
    Svg,
}

impl Format {
    pub(crate) fn encode(self, picture: &Picture) -> Result<Vec<u8>, PuzzleError> {
        match self {
            Self::Png => picture.to_png(),
            Self::Svg => Ok(picture.to_svg().into_bytes()),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
        }
    }
}

impl Pictures {
    /// An empty collection with room for the answers to render.
    ///
    /// # Errors
    ///
    /// If the folder exists, so that this is known before the evaluation.
    pub(crate) fn start(&self) -> anyhow::Result<Answers> {
        if let Some(folder) = &self.pictures {
            output::must_be_free(folder)?;
        }
        Ok(Answers::at_most(if self.pictures.is_some() { self.n_pictures } else { 0 }))
    }

    /// Renders the answers.
    ///
    /// # Errors
    ///
    /// If the pictures cannot be rendered or written.
    pub(crate) fn write(
        &self,
        answers: &Answers,
        task: &dyn PuzzleTask,
        kind: &dyn PuzzleKind,
    ) -> anyhow::Result<()> {
        let Some(folder) = &self.pictures else { return Ok(()) };
        let puzzles = answers.puzzles(task, task.eval(), kind);
        let title = answers.title(task.name(), "evaluation");
        output::new_folder(folder, |place| {
            for (sheet, puzzles) in puzzles.chunks(N_PER_SHEET).enumerate() {
                let (title, puzzles) = (title.clone(), puzzles.to_vec());
                let picture = Picture { title, puzzles, n_columns: None };
                self.save(place, &format!("sheet-{:03}", sheet + 1), &picture)?;
            }
            for (idx, puzzle) in puzzles.iter().enumerate().filter(|_| self.picture_each) {
                let picture = Picture { puzzles: vec![puzzle.clone()], ..Picture::default() };
                self.save(place, &format!("puzzle-{:04}", idx + 1), &picture)?;
            }
            Ok(())
        })?;
        let n_puzzles = counted(puzzles.len(), "puzzle", "puzzles");
        term::note(format!("{n_puzzles} rendered to {}", folder.display()));
        Ok(())
    }

    fn save(&self, folder: &Path, name: &str, picture: &Picture) -> anyhow::Result<()> {
        let format = self.picture_format;
        let path = folder.join(format!("{name}.{}", format.extension()));
        Ok(output::write_new(&path, &format.encode(picture)?)?)
    }
}

/// One example, with owned tokens.
pub(crate) struct Row {
    pub(crate) inputs: Vec<u32>,
    pub(crate) labels: Vec<u32>,
    pub(crate) puzzle_id: u32,
}

impl Row {
    pub(crate) fn read(task: &dyn PuzzleTask, examples: &dyn Examples, at: RowId) -> Self {
        let padding = || vec![PADDING; task.n_cells()];
        let mut row = Self { inputs: padding(), labels: padding(), puzzle_id: 0 };
        let Self { inputs, labels, puzzle_id } = &mut row;
        examples.write(at, RowMut { inputs, labels, puzzle_id });
        row
    }

    /// The name of the puzzle, or its number if it has none.
    pub(crate) fn name(&self, task: &dyn PuzzleTask, at: RowId) -> String {
        match task.identifiers().get(self.puzzle_id as usize) {
            Some(name) if self.puzzle_id > 0 => name.clone(),
            _ => format!("#{}", at.group + 1),
        }
    }
}

/// Up to `n_max` answers, one per puzzle: the first wrong ones, then the first
/// right ones.
#[derive(Default)]
pub(crate) struct Answers {
    n_max: usize,
    n_seen: usize,
    wrong: Vec<(RowId, Vec<u32>)>,
    right: Vec<(RowId, Vec<u32>)>,
}

impl Answers {
    /// An empty collection for up to `n_max` answers.
    pub(crate) fn at_most(n_max: usize) -> Self {
        Self { n_max, ..Self::default() }
    }

    /// Keeps an answer to a row of `examples`, if there is room for it.
    pub(crate) fn add(&mut self, examples: &dyn Examples, predicted: &Prediction<'_>) {
        let Prediction { at, inputs, labels, tokens, .. } = *predicted;
        // Later versions are the same puzzle again.
        let is_first = || (0..at.version).all(|version| examples.n_rows(at.group, version) == 0);
        if self.n_max == 0 || !is_first() {
            return;
        }
        self.n_seen += 1;
        let is_wrong = TokenView { inputs, prediction: Some(tokens), labels }.n_wrong() > 0;
        let n_free = self.n_max - self.wrong.len();
        if is_wrong && n_free > 0 {
            self.wrong.push((at, tokens.to_vec()));
            self.right.truncate(n_free - 1);
        } else if !is_wrong && n_free > self.right.len() {
            self.right.push((at, tokens.to_vec()));
        }
    }

    /// The title of a sheet.
    pub(crate) fn title(&self, kind: &str, part: &str) -> String {
        let n = self.wrong.len() + self.right.len();
        format!("{kind}: {n} of {} {part} puzzles, wrong ones first", self.n_seen)
    }

    /// The puzzles, read from `examples`, with the answers.
    pub(crate) fn puzzles(
        &self,
        task: &dyn PuzzleTask,
        examples: &dyn Examples,
        kind: &dyn PuzzleKind,
    ) -> Vec<PuzzlePicture> {
        let picture = |(at, tokens): &(RowId, Vec<u32>)| {
            let row = Row::read(task, examples, *at);
            let view =
                TokenView { inputs: &row.inputs, prediction: Some(tokens), labels: &row.labels };
            let verdict = match view.n_wrong() {
                0 => "right".to_owned(),
                n => format!("{n} of {} cells wrong", view.n_labels()),
            };
            let caption = format!("{}: {verdict}", row.name(task, *at));
            PuzzlePicture { caption, panels: kind.panels(&view) }
        };
        self.wrong.iter().chain(&self.right).map(picture).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight puzzles of one row, in two versions each.
    struct Twice;

    impl Examples for Twice {
        fn n_groups(&self) -> usize {
            8
        }
        fn n_versions(&self, _: usize) -> usize {
            2
        }
        fn n_rows(&self, _: usize, _: usize) -> usize {
            1
        }
        fn write(&self, _: RowId, _: RowMut<'_>) {}
    }

    #[test]
    fn wrong_answers_replace_right_ones() {
        let mut answers = Answers::at_most(3);
        let groups = |kept: &[(RowId, Vec<u32>)]| -> Vec<usize> {
            kept.iter().map(|(at, _)| at.group).collect()
        };
        let mut add = |group: usize, version: usize, tokens: &[u32]| {
            let at = RowId { group, version, row: 0 };
            let (inputs, labels) = (&[1, 1], &[1, 0]);
            let (sampled, q_halt) = (None, 0.0);
            answers.add(&Twice, &Prediction { at, inputs, labels, tokens, sampled, q_halt });
            (groups(&answers.wrong), groups(&answers.right))
        };
        add(0, 0, &[1, 5]);
        assert_eq!(add(1, 0, &[2, 0]), (vec![1], vec![0]));
        add(2, 0, &[1, 0]);
        assert_eq!(add(3, 0, &[1, 0]), (vec![1], vec![0, 2]), "there is room for three");
        assert_eq!(add(4, 1, &[2, 0]), (vec![1], vec![0, 2]), "another version");
        assert_eq!(add(5, 0, &[2, 0]), (vec![1, 5], vec![0]));
        add(6, 0, &[2, 0]);
        assert_eq!(add(7, 0, &[2, 0]), (vec![1, 5, 6], vec![]));
        assert_eq!(answers.n_seen, 7);
    }
}
