//! Questions and answers of characters in rows, as a kind of cell puzzle.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

use hrm_base::rng::ChaCha8Rng;
use hrm_puzzles::grid::{self, Grid, ParsedGrid, Rules};
use hrm_puzzles::picture::{Panel, PuzzleView, characters_in_rows};
use hrm_puzzles::records::{Located, Record};
use hrm_puzzles::stats::Distribution;
use hrm_puzzles::text::Text;
use hrm_puzzles::{Leak, Style, Verdict};

use super::canvas::{self, Canvas};
use crate::cells::{
    CellEncoding, CellFigures, CellFiles, CellGenerator, CellKind, CellQueries, CellVersions,
    DataSettings, Figure, Placed, Questions, Sides, name_of,
};
use crate::{Encoding, TaskError, Vocabulary};

/// A question and its answer, `[n_cells]` token ids each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    inputs: Vec<u32>,
    labels: Vec<u32>,
}

/// A kind of puzzle of characters in rows.
pub(super) trait CharacterGrid: Clone + Send + Sync + 'static {
    /// Short lower-case name.
    fn name(&self) -> &'static str;

    /// The settings of its data.
    fn data(&self) -> DataSettings;

    /// Which columns of data files hold what.
    fn table_columns(&self) -> &str;

    /// Makes sure that its own settings are in range.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] naming the first setting out of range.
    fn check(&self) -> Result<(), TaskError>;

    /// Rows and columns of the canvas.
    fn size(&self) -> (usize, usize);

    /// The characters, each once.
    fn alphabet(&self) -> String;

    /// The rules that check answers; `None` if answers can only be compared with labels.
    fn rules(&self) -> Option<&dyn Rules>;

    /// The canvas of this kind.
    fn canvas(&self) -> Canvas {
        let (n_rows, n_columns) = self.size();
        Canvas::new(n_rows, n_columns, &self.alphabet())
    }

    /// Token ids of a question, `[n_cells]`.
    ///
    /// # Errors
    ///
    /// [`TaskError`] at `place` for a grid that does not fit on the canvas, or does not fill
    /// it although the rules have puzzles of one size.
    fn question_ids(&self, question: &Grid, place: &str) -> Result<Vec<u32>, TaskError> {
        let (n_rows, n_columns) = self.size();
        if self.rules().is_some() {
            question.fits(&Grid::filled(n_rows, n_columns, ' ')).map_err(|fault| {
                let expected = format!("a grid of {n_rows} by {n_columns}");
                TaskError::malformed(place, expected, fault)
            })?;
        }
        self.canvas().inputs(question, place)
    }

    /// The rule that an answer breaks, if any.
    fn broken_rule(&self, question: &Grid, answer: &Grid) -> Option<String> {
        let rules = self.rules()?;
        answer.fits(question).and_then(|()| rules.check_answer(question, answer)).err()
    }

    /// The question and answer of a pair.
    fn grids(&self, pair: &Pair) -> (Grid, Grid) {
        let canvas = self.canvas();
        (canvas.grid(&pair.inputs), canvas.grid(&pair.labels))
    }
}

impl<K: CharacterGrid> Encoding for K {
    fn vocabulary(&self) -> Vocabulary {
        canvas::vocabulary(&self.alphabet())
    }

    fn n_cells(&self) -> usize {
        let (n_rows, n_columns) = self.size();
        n_rows.saturating_mul(n_columns)
    }

    fn draw_panels(&self, view: &PuzzleView<'_>) -> Vec<Panel> {
        characters_in_rows(self.size().1, view)
    }
}

impl<K: CharacterGrid> CellKind for K {
    type Puzzle = Pair;
    type Question = ParsedGrid;

    fn name(&self) -> &'static str {
        CharacterGrid::name(self)
    }

    fn data(&self) -> DataSettings {
        CharacterGrid::data(self)
    }

    fn table_columns(&self) -> &str {
        CharacterGrid::table_columns(self)
    }

    fn check(&self) -> Result<(), TaskError> {
        CharacterGrid::check(self)
    }
}

impl<K: CharacterGrid> CellEncoding for K {
    fn encode(&self, pair: &Pair, inputs: &mut [u32], labels: &mut [u32]) {
        inputs.copy_from_slice(&pair.inputs);
        labels.copy_from_slice(&pair.labels);
    }

    fn draw(&self, inputs: &[u32], labels: &[u32], style: Style) -> String {
        let canvas = self.canvas();
        let (question, answer) = (canvas.grid(inputs), canvas.grid(labels));
        match self.rules() {
            // A prediction may have any shape, but rules apply to the shape of the question.
            Some(rules) if answer.fits(&question).is_ok() => rules.draw(&question, &answer, style),
            _ => grid::draw(&question, &answer, style),
        }
    }
}

impl<K: CharacterGrid> CellFiles for K {
    fn read(&self, located: &Located) -> Result<Pair, TaskError> {
        let [question_place, answer_place] = ["question", "answer"].map(|name| located.field(name));
        let question = Grid::parse(&located.record.question, &question_place)?;
        let answer = Grid::parse(&located.record.answer, &answer_place)?;
        self.pair(&question, &question_place, &answer, &answer_place)
    }

    fn to_record(&self, pair: &Pair) -> Record {
        let (question, answer) = self.grids(pair);
        Record {
            source: String::new(),
            question: question.to_text(),
            answer: answer.to_text(),
            rating: String::new(),
        }
    }
}

/// Encoding of a question with its answer.
trait Encode: CharacterGrid {
    /// The token ids of a question and its answer.
    ///
    /// # Errors
    ///
    /// [`TaskError`] naming the place of a grid that does not fit on the canvas, or of an
    /// answer that breaks a rule.
    fn pair(
        &self,
        question: &Grid,
        question_place: &str,
        answer: &Grid,
        answer_place: &str,
    ) -> Result<Pair, TaskError> {
        let inputs = self.question_ids(question, question_place)?;
        let labels = self.canvas().labels(answer, answer_place)?;
        match self.broken_rule(question, answer) {
            None => Ok(Pair { inputs, labels }),
            Some(fault) => {
                let expected = "an answer that obeys the rules";
                Err(TaskError::malformed(answer_place, expected, fault))
            }
        }
    }
}

impl<K: CharacterGrid> Encode for K {}

impl<K: CharacterGrid> CellGenerator for K {
    type Sampler<'a> = &'a dyn Rules;

    fn check_generator(&self) -> Result<(), TaskError> {
        self.sampler().map(drop)
    }

    fn sampler(&self) -> Result<&dyn Rules, TaskError> {
        self.rules().ok_or(TaskError::NoGenerator { kind: CharacterGrid::name(self) })
    }

    fn sample(&self, rules: &&dyn Rules, rng: &mut ChaCha8Rng) -> Result<Pair, TaskError> {
        let (question, answer) = rules.puzzle(rng);
        // A generator that breaks its own rules is reported like a bad file.
        let place = |part: &str| format!("{part} of a generated puzzle");
        self.pair(&question, &place("question"), &answer, &place("answer"))
    }

    fn identity(&self, pair: &Pair) -> impl Hash + use<K> {
        pair.inputs.clone()
    }

    fn question_text(&self, pair: &Pair) -> String {
        self.canvas().grid(&pair.inputs).in_lines() + "\n"
    }
}

impl<K: CharacterGrid> CellVersions for K {}

impl<K: CharacterGrid> CellQueries for K {
    fn parse(&self, text: Text) -> Result<Questions<ParsedGrid>, TaskError> {
        let grids = grid::Grids::new(text, &self.checked_columns()?)?;
        Ok(Box::new(grids.map(|grid| Ok(grid?))))
    }

    fn inputs(&self, parsed: &ParsedGrid) -> Result<Vec<u32>, TaskError> {
        self.question_ids(&parsed.question, &parsed.place)
    }

    /// Known only for puzzles with rules that name the blank.
    fn is_given(&self, input: u32) -> bool {
        let blank = self.rules().and_then(Rules::blank);
        blank.is_some_and(|blank| input > canvas::END && self.vocabulary().id(blank) != Some(input))
    }

    fn to_text(&self, parsed: &ParsedGrid, ids: &[u32]) -> String {
        let grid = self.canvas().grid(ids);
        if parsed.in_lines { grid.in_lines() } else { grid.to_text() }
    }

    /// Checked by the rules, or by the label if there are none.
    fn verdict(&self, parsed: &ParsedGrid, tokens: &[u32]) -> Verdict {
        let answer = self.canvas().grid(tokens);
        if self.rules().is_some() {
            let broken = self.broken_rule(&parsed.question, &answer);
            return broken.map_or(Verdict::Valid, Verdict::Invalid);
        }
        let Some(label) = &parsed.label else {
            return Verdict::Unchecked(
                "without rules, answers can only be checked against a label".to_owned(),
            );
        };
        let same = answer.fits(label).and_then(|()| {
            let n_wrong = answer.cells().filter(|(at, symbol)| label[*at] != *symbol).count();
            let n_cells = label.cells().count();
            let message = format!("{n_wrong} of {n_cells} cells differ from the label");
            if n_wrong == 0 { Ok(()) } else { Err(message) }
        });
        same.map_or_else(Verdict::Invalid, |()| Verdict::Expected)
    }

    fn score_names(&self) -> &'static [&'static str] {
        if self.rules().is_some() { &["valid"] } else { &[] }
    }

    fn scores(&self, inputs: &[u32], tokens: &[u32]) -> Vec<bool> {
        if self.rules().is_none() {
            return Vec::new();
        }
        let canvas = self.canvas();
        vec![self.broken_rule(&canvas.grid(inputs), &canvas.grid(tokens)).is_none()]
    }
}

impl<K: CharacterGrid> CellFigures for K {
    fn figures(&self) -> Vec<Figure<Self>> {
        vec![
            Figure {
                name: "cells of a question",
                bins: None,
                of: |kind, pair| Some(kind.grids(pair).0.cells().count() as u64),
            },
            Figure {
                name: "cells of an answer",
                bins: None,
                of: |kind, pair| Some(kind.grids(pair).1.cells().count() as u64),
            },
            Figure {
                name: "cells that change",
                bins: None,
                of: |kind, pair| {
                    let (question, answer) = kind.grids(pair);
                    let is_new =
                        |(at, symbol): &((usize, usize), char)| question.get(*at) != Some(*symbol);
                    Some(answer.cells().filter(is_new).count() as u64)
                },
            },
        ]
    }

    fn sizes(&self) -> Vec<(String, f64)> {
        let (n_rows, n_columns) = self.size();
        let figures = [
            ("rows of the canvas", n_rows),
            ("columns of the canvas", n_columns),
            ("characters", self.vocabulary().len() - 2),
        ];
        figures.map(|(name, figure)| (name.to_owned(), figure as f64)).into()
    }

    fn distributions(&self, sides: &Sides<Pair>) -> Vec<Distribution> {
        let mut sizes = [BTreeMap::new(), BTreeMap::new()];
        let mut symbols = [BTreeMap::new(), BTreeMap::new()];
        for pair in sides.all() {
            let (question, answer) = self.grids(pair);
            for (part, grid) in [question, answer].iter().enumerate() {
                *sizes[part].entry((grid.n_rows(), grid.n_columns())).or_insert(0) += 1;
                for (_, symbol) in grid.cells() {
                    *symbols[part].entry(symbol).or_insert(0) += 1;
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

    fn leaks(&self, sides: &Sides<Pair>) -> Vec<Leak> {
        let train = sides.train.iter().enumerate();
        let known: HashMap<&[u32], (usize, &Placed<Pair>)> =
            train.map(|(idx, placed)| (&placed.puzzle.inputs[..], (idx, placed))).collect();
        let leak = |(idx, placed): (usize, &Placed<Pair>)| {
            let (train_idx, train) = *known.get(&placed.puzzle.inputs[..])?;
            let (eval, train) = (name_of(placed, idx), name_of(train, train_idx));
            Some(Leak { eval, train, why: "the same question" })
        };
        sides.eval.iter().enumerate().filter_map(leak).collect()
    }

    fn notes(&self, sides: &Sides<Pair>) -> Vec<String> {
        let mut notes = Vec::new();
        if self.rules().is_none() {
            // Shown to the user, because it reveals a wrong separator.
            let (n_rows, n_columns) = self.size();
            let n_symbols = self.vocabulary().len() - 2;
            notes.push(format!(
                "grids of up to {n_rows} by {n_columns}, number of characters: {n_symbols}"
            ));
        }
        if !sides.train.is_empty() {
            let ids = |side: &[Placed<Pair>]| -> HashSet<u32> {
                let pairs = side.iter().map(|placed| &placed.puzzle);
                pairs.flat_map(|pair| pair.inputs.iter().chain(&pair.labels)).copied().collect()
            };
            let n_unseen = ids(&sides.eval).difference(&ids(&sides.train)).count();
            if n_unseen > 0 {
                notes.push(format!(
                    "characters in evaluation puzzles but in no training puzzle: {n_unseen}"
                ));
            }
        }
        notes
    }
}
