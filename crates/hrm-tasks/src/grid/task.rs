//! Grids with their data, as the trainer and the command line see them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use hrm_train::task::{Examples, Prediction, Report, ScoreError, Scorer, Task};

use super::canvas::Canvas;
use super::pairs::{Pair, Pairs};
use super::{Grid, Rules, draw};
use crate::figures::spread;
use crate::records::{self, Record, Split};
use crate::{Distribution, Leak, PuzzleTask, Style, TaskError, Verdict};

/// How the grids of one kind of puzzle are encoded, judged and drawn.
pub(super) struct Kind {
    /// As users write it.
    pub(super) name: &'static str,
    pub(super) canvas: Canvas,
    /// None: only a label can tell what is right.
    pub(super) rules: Option<Box<dyn Rules>>,
}

impl Kind {
    /// Ids of a question, `[n_cells]`.
    ///
    /// # Errors
    ///
    /// [`TaskError::Malformed`] at `place` for a grid that the canvas cannot
    /// hold, or that leaves some of it empty although the kind has one size.
    pub(super) fn inputs(&self, question: &Grid, place: &str) -> Result<Vec<u32>, TaskError> {
        if self.rules.is_some() {
            let (n_rows, n_columns) = (self.canvas.n_rows, self.canvas.n_columns);
            question.fits(&Grid::filled(n_rows, n_columns, ' ')).map_err(|fault| {
                let expected = format!("{n_rows} rows of {n_columns} cells");
                TaskError::malformed(place, expected, fault)
            })?;
        }
        self.canvas.inputs(question, place)
    }

    /// The rule that an answer breaks, if the kind has rules and it does.
    pub(super) fn broken_rule(&self, question: &Grid, answer: &Grid) -> Option<String> {
        let rules = self.rules.as_ref()?;
        answer.fits(question).and_then(|()| rules.judge(question, answer)).err()
    }

    /// Whether an answer is right, by the rules, else by the label.
    pub(super) fn verdict(&self, question: &Grid, answer: &Grid, label: Option<&Grid>) -> Verdict {
        if self.rules.is_some() {
            return self.broken_rule(question, answer).map_or(Verdict::Valid, Verdict::Invalid);
        }
        let Some(label) = label else {
            return Verdict::Unchecked("only a label could tell what is right".to_owned());
        };
        let same = answer.fits(label).and_then(|()| {
            let n_wrong = answer.cells().filter(|(at, symbol)| label[*at] != *symbol).count();
            let n_cells = label.cells().count();
            let message = format!("{n_wrong} of {n_cells} cells differ from the label");
            if n_wrong == 0 { Ok(()) } else { Err(message) }
        });
        same.map_or_else(Verdict::Invalid, |()| Verdict::Expected)
    }

    /// Question and answer, side by side where they fit.
    pub(super) fn draw(&self, question: &Grid, answer: &Grid, style: Style) -> String {
        match &self.rules {
            // A prediction may have any shape, and rules are about one.
            Some(rules) if answer.fits(question).is_ok() => rules.draw(question, answer, style),
            _ => draw::pair(question, answer, style),
        }
    }

    /// Both sides of the data, read from records.
    ///
    /// # Errors
    ///
    /// As [`Pair::read`].
    pub(super) fn read(self, split: &Split) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let read = |located| Pair::read(&self, located);
        let train = split.train.iter().map(read).collect::<Result<_, _>>()?;
        let eval = split.eval.iter().map(read).collect::<Result<_, _>>()?;
        Ok(self.task(train, eval))
    }

    /// Both sides of the data.
    pub(super) fn task(self, train: Vec<Pair>, eval: Vec<Pair>) -> Box<dyn PuzzleTask> {
        let identifiers = vec!["<blank>".to_owned()];
        let (train, eval) = (Pairs(train), Pairs(eval));
        Box::new(GridTask { kind: Arc::new(self), train, eval, identifiers })
    }
}

/// Grids with their data.
struct GridTask {
    kind: Arc<Kind>,
    train: Pairs,
    eval: Pairs,
    identifiers: Vec<String>,
}

impl GridTask {
    /// Every pair as grids, training side first.
    fn grids(&self) -> impl Iterator<Item = (Grid, Grid)> + '_ {
        let canvas = &self.kind.canvas;
        let pairs = self.train.0.iter().chain(&self.eval.0);
        pairs.map(|pair| (canvas.grid(&pair.inputs), canvas.grid(&pair.labels)))
    }
}

impl Task for GridTask {
    fn name(&self) -> &'static str {
        self.kind.name
    }

    fn vocab_size(&self) -> usize {
        self.kind.canvas.vocab_size()
    }

    fn n_cells(&self) -> usize {
        self.kind.canvas.n_cells()
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
        Box::new(Validity { kind: &self.kind, n_rows: 0, n_valid: 0 })
    }
}

impl PuzzleTask for GridTask {
    fn identifiers(&self) -> &[String] {
        &self.identifiers
    }

    fn base_puzzles(&self) -> Option<Vec<(&'static str, String)>> {
        let record = |pair: &Pair| Record {
            source: String::new(),
            question: self.kind.canvas.grid(&pair.inputs).to_text(),
            answer: self.kind.canvas.grid(&pair.labels).to_text(),
            rating: String::new(),
        };
        let records = |pairs: &Pairs| pairs.0.iter().map(record).collect::<Vec<_>>();
        Some(records::to_files(&records(&self.train), &records(&self.eval)))
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        let (question, answer) = (self.kind.canvas.grid(inputs), self.kind.canvas.grid(labels));
        self.kind.draw(&question, &answer, style)
    }

    fn stats(&self) -> Vec<(String, f64)> {
        let canvas = &self.kind.canvas;
        let mut stats = vec![
            ("training puzzles".to_owned(), self.train.0.len() as f64),
            ("evaluation puzzles".to_owned(), self.eval.0.len() as f64),
            ("rows of the canvas".to_owned(), canvas.n_rows as f64),
            ("columns of the canvas".to_owned(), canvas.n_columns as f64),
            ("characters".to_owned(), canvas.vocab_size() as f64 - 2.0),
        ];
        let n_cells = |grid: &Grid| grid.cells().count() as u64;
        let n_changed = |question: &Grid, answer: &Grid| {
            answer.cells().filter(|(at, symbol)| question.get(*at) != Some(*symbol)).count() as u64
        };
        stats.extend(spread("cells of a question", self.grids().map(|(q, _)| n_cells(&q))));
        stats.extend(spread("cells of an answer", self.grids().map(|(_, a)| n_cells(&a))));
        stats.extend(spread("cells that change", self.grids().map(|(q, a)| n_changed(&q, &a))));
        stats
    }

    fn distributions(&self) -> Vec<Distribution> {
        let mut sizes = [BTreeMap::new(), BTreeMap::new()];
        let mut symbols = [BTreeMap::new(), BTreeMap::new()];
        for (question, answer) in self.grids() {
            for (side, grid) in [question, answer].iter().enumerate() {
                *sizes[side].entry((grid.n_rows(), grid.n_columns())).or_insert(0) += 1;
                for (_, symbol) in grid.cells() {
                    *symbols[side].entry(symbol).or_insert(0) += 1;
                }
            }
        }
        let sizes = sizes.map(|counts| {
            let name = |(n_rows, n_columns)| format!("{n_rows} by {n_columns}");
            counts.into_iter().map(|(size, n)| (name(size), n)).collect::<Vec<_>>()
        });
        let symbols = symbols.map(|counts| {
            counts.into_iter().map(|(symbol, n): (char, u64)| (symbol.into(), n)).collect()
        });
        let names = ["question size", "answer size", "question character", "answer character"];
        let bins = sizes.into_iter().chain(symbols);
        let named = names.into_iter().zip(bins);
        named.map(|(name, bins)| Distribution { name: name.to_owned(), bins }).collect()
    }

    fn leaks(&self) -> Vec<Leak> {
        let learnt: HashMap<&[u32], &str> =
            self.train.0.iter().map(|pair| (&pair.inputs[..], &pair.place[..])).collect();
        let leak = |pair: &Pair| {
            let train = (*learnt.get(&pair.inputs[..])?).to_owned();
            Some(Leak { eval: pair.place.clone(), train, why: "the same question" })
        };
        self.eval.0.iter().filter_map(leak).collect()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.kind.rules.is_none() {
            // What was found out about the data: a wrong separator shows here.
            let Canvas { n_rows, n_columns, .. } = self.kind.canvas;
            let n_symbols = self.vocab_size() - 2;
            notes.push(format!(
                "grids of up to {n_rows} rows of {n_columns} cells, {n_symbols} characters"
            ));
        }
        let n_leaks = self.leaks().len();
        if n_leaks > 0 {
            let n_eval = self.eval.0.len();
            notes.push(format!("{n_leaks} of {n_eval} evaluation questions are trained on too"));
        }
        if !self.train.0.is_empty() {
            let ids = |pairs: &Pairs| -> HashSet<u32> {
                pairs
                    .0
                    .iter()
                    .flat_map(|pair| pair.inputs.iter().chain(&pair.labels))
                    .copied()
                    .collect()
            };
            let n_unseen = ids(&self.eval).difference(&ids(&self.train)).count();
            if n_unseen > 0 {
                notes.push(format!(
                    "{n_unseen} characters of evaluation puzzles are in no training puzzle"
                ));
            }
        }
        notes
    }
}

/// Share of answers that obey the rules, whatever the label; nothing without
/// rules.
struct Validity<'a> {
    kind: &'a Kind,
    n_rows: u64,
    n_valid: u64,
}

impl Scorer for Validity<'_> {
    fn add(&mut self, predicted: Prediction<'_>) -> Result<(), ScoreError> {
        let question = self.kind.canvas.grid(predicted.inputs);
        let answer = self.kind.canvas.grid(predicted.tokens);
        self.n_rows += 1;
        self.n_valid += u64::from(self.kind.broken_rule(&question, &answer).is_none());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Report, ScoreError> {
        let scores = match self.kind.rules {
            Some(_) => vec![("valid", self.n_valid as f64 / self.n_rows.max(1) as f64)],
            None => Vec::new(),
        };
        Ok(Report { scores, ..Report::default() })
    }
}
