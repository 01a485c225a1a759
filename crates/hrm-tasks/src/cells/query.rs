//! Puzzles to solve, and the model's answers.

use std::io::Cursor;
use std::rc::Rc;

use hrm_core::PuzzleInput;
use hrm_puzzles::Style;
use hrm_puzzles::text::Text;
use hrm_train::task::BLANK_PUZZLE;

use super::kind::{CellEncoding, CellQueries};
use crate::error::TaskError;
use crate::query::{Answer, ModelOutput, Query};
use crate::traits::{Queries, QueryStream};

impl<K: CellQueries + CellEncoding> Queries for K {
    fn parse_queries(
        &self,
        text: &str,
        place: &str,
        identifiers: &[String],
    ) -> Result<Vec<Box<dyn Query>>, TaskError> {
        let text = Text::new(Cursor::new(text.to_owned().into_bytes()), place, &[])?;
        self.queries(text, identifiers)?.collect()
    }

    fn queries(&self, text: Text, _identifiers: &[String]) -> Result<QueryStream, TaskError> {
        self.check_all()?;
        let kind = Rc::new(self.clone());
        let query = move |question: Result<K::Question, TaskError>| {
            let question = question?;
            let inputs = kind.inputs(&question)?;
            Ok(Box::new(CellQuery { kind: kind.clone(), question, inputs }) as Box<dyn Query>)
        };
        Ok(Box::new(self.parse(text)?.map(query)))
    }

    fn answers_are_rows(&self) -> bool {
        true
    }
}

/// One puzzle to solve.
struct CellQuery<K: CellQueries> {
    kind: Rc<K>,
    question: K::Question,
    inputs: Vec<u32>,
}

impl<K: CellQueries + CellEncoding> Query for CellQuery<K> {
    fn inputs(&self) -> Vec<PuzzleInput> {
        vec![PuzzleInput { tokens: self.inputs.clone(), puzzle_id: BLANK_PUZZLE }]
    }

    fn n_inputs(&self) -> usize {
        1
    }

    fn keep_givens(&self, output: &mut ModelOutput) -> usize {
        let mut n_changed = 0;
        for (given, token) in self.inputs.iter().zip(&mut output.tokens) {
            if given != token && self.kind.is_given(*given) {
                *token = *given;
                n_changed += 1;
            }
        }
        n_changed
    }

    fn answer(&self, outputs: &[ModelOutput], style: Style) -> Answer {
        let [output] = outputs else {
            panic!("one question has one output, found {}", outputs.len())
        };
        let Self { kind, question, inputs } = self;
        Answer {
            puzzle: kind.to_text(question, inputs),
            drawing: kind.draw_answer(question, inputs, &output.tokens, style),
            text: kind.to_text(question, &output.tokens),
            second: None,
            verdict: kind.verdict(question, &output.tokens),
            n_segments: output.n_segments,
        }
    }
}
