//! Working on rows of token ids alone: scores, and prepared data sets.

use std::io::Cursor;

use hrm_puzzles::Style;
use hrm_puzzles::records::{Located, Record};
use hrm_puzzles::text::{Text, quoted};
use hrm_train::task::{PADDING, Prediction, Report, ScoreError, Scorer};

use super::kind::{CellEncoding, CellFiles, CellQueries};
use crate::error::TaskError;
use crate::published::{self, Imported, Layout};
use crate::traits::{Encoding, NameOf, PreparedRows, RowDecoder};

/// Collects the share of answers that count for each score.
pub(super) struct ScoreSheet<'a, K> {
    kind: &'a K,
    n_rows: u64,
    counts: Vec<u64>,
}

impl<'a, K: CellQueries> ScoreSheet<'a, K> {
    pub(super) fn new(kind: &'a K) -> Self {
        Self { kind, n_rows: 0, counts: vec![0; kind.score_names().len()] }
    }
}

impl<K: CellQueries> Scorer for ScoreSheet<'_, K> {
    fn add(&mut self, predicted: Prediction<'_>) -> Result<(), ScoreError> {
        self.n_rows += 1;
        let scores = self.kind.scores(predicted.inputs, predicted.tokens);
        for (count, counts_for) in self.counts.iter_mut().zip(scores) {
            *count += u64::from(counts_for);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Report, ScoreError> {
        let share = |n: &u64| *n as f64 / self.n_rows.max(1) as f64;
        let names = self.kind.score_names().iter().copied();
        let scores = names.zip(self.counts.iter().map(share)).collect();
        Ok(Report { scores, ..Report::default() })
    }
}

impl<K: CellEncoding + CellFiles + CellQueries + Encoding> PreparedRows for K {
    fn settings_of_rows(&self) -> Option<&'static [&'static str]> {
        K::OF_ROWS
    }

    fn row_decoder(&self) -> Result<Box<dyn RowDecoder>, TaskError> {
        if K::OF_ROWS.is_none() {
            let expected = "a kind that the published code prepares: sudoku, maze or arc";
            return Err(TaskError::setting("kind", expected, self.name()));
        }
        self.check_all()?;
        // The text of rows is that of the vocabulary, however files are written.
        Ok(Box::new(Decoder(self.plain())))
    }
}

/// Decodes rows with the settings of a kind.
struct Decoder<K>(K);

impl<K: CellEncoding + CellFiles + CellQueries + Encoding> Decoder<K> {
    /// A row as a puzzle.
    fn read(&self, inputs: &[u32], labels: &[u32], place: &str) -> Result<K::Puzzle, TaskError> {
        let vocabulary = self.0.vocabulary();
        let record = Record {
            source: String::new(),
            question: vocabulary.decode(inputs),
            answer: vocabulary.decode(labels),
            // Token ids do not contain a rating.
            rating: String::new(),
        };
        self.0.read(&Located { record, place: place.to_owned() })
    }
}

impl<K: CellEncoding + CellFiles + CellQueries + Encoding> RowDecoder for Decoder<K> {
    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        self.0.draw(inputs, labels, style)
    }

    fn scorer<'a>(&'a self, _name_of: NameOf<'a>) -> Box<dyn Scorer + 'a> {
        Box::new(ScoreSheet::new(&self.0))
    }

    fn check(&self, inputs: &[u32], place: &str) -> Result<(), TaskError> {
        let question = self.0.vocabulary().decode(inputs);
        let text = Text::new(Cursor::new(question.clone().into_bytes()), place, &[])?;
        self.0.parse(text)?.try_for_each(|question| question.map(drop)).map_err(|err| {
            let expected = format!("prepared puzzles of kind {}", self.0.name());
            let found = format!("{}, which is none: {err}", quoted(&question));
            TaskError::malformed(place, expected, found)
        })
    }

    fn has_rules(&self) -> bool {
        true
    }

    fn check_answer(
        &self,
        inputs: &[u32],
        labels: &[u32],
        place: &dyn Fn() -> String,
    ) -> Result<(), TaskError> {
        let is_whole = !labels.contains(&PADDING);
        // This is quick, and says nothing about what is wrong.
        if is_whole && self.0.is_answer(inputs, labels) {
            return Ok(());
        }
        let is_changed = |cell: &usize| {
            let (input, label) = (inputs[*cell], labels[*cell]);
            label != PADDING && label != input && self.0.is_given(input)
        };
        if let Some(cell) = (0..labels.len()).find(is_changed) {
            let shown = |ids: &[u32]| quoted(&self.0.vocabulary().decode(&ids[cell..=cell]));
            let number = cell + 1;
            let expected =
                format!("the label {} of cell {number}, as its question gives it", shown(inputs));
            return Err(TaskError::malformed(place(), expected, shown(labels)));
        }
        if is_whole { self.read(inputs, labels, &place()).map(drop) } else { Ok(()) }
    }

    fn import(&self, layout: &Layout) -> Imported {
        published::records(layout, |inputs, labels, place| {
            let puzzle = self.read(inputs, labels, place)?;
            Ok(Record { source: "prepared".to_owned(), ..self.0.to_record(&puzzle) })
        })
    }
}
