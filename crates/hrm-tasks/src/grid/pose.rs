//! Grids that somebody wants solved.

use std::rc::Rc;

use hrm_train::task::BLANK_PUZZLE;

use super::Grid;
use super::task::Kind;
use crate::{Answer, Posed, Question, Reply, Style, TaskError, Verdict, records};

/// One grid to solve.
struct PosedGrid {
    kind: Rc<Kind>,
    question: Grid,
    inputs: Vec<u32>,
    /// The answer, where the text says it.
    label: Option<Grid>,
    /// Whether the question was written on several lines.
    in_lines: bool,
}

/// A question as it was found in a text.
struct Found {
    question: Grid,
    label: Option<Grid>,
    in_lines: bool,
    place: String,
}

/// Reads grids from text: a CSV file with a column `question`, or grids with an
/// empty line between two. A grid on a single line is split into rows at `/`.
pub(super) fn pose(kind: Kind, text: &str, place: &str) -> Result<Vec<Box<dyn Posed>>, TaskError> {
    let kind = Rc::new(kind);
    let pose = |found: Found| {
        let Found { question, label, in_lines, place } = found;
        let inputs = kind.inputs(&question, &place)?;
        let posed = PosedGrid { kind: kind.clone(), question, inputs, label, in_lines };
        Ok(Box::new(posed) as Box<dyn Posed>)
    };
    read(text, place)?.into_iter().map(pose).collect()
}

fn read(text: &str, place: &str) -> Result<Vec<Found>, TaskError> {
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).collect();
    let blocks = || lines.split(|(_, line)| line.is_empty()).filter(|block| !block.is_empty());
    match blocks().next() {
        None => Err(TaskError::Empty { place: place.to_owned(), what: "puzzles" }),
        Some([(_, first), ..]) if records::is_header(first) => {
            records::parse_questions(text.as_bytes(), place)?.iter().map(in_csv).collect()
        }
        Some(_) => blocks().map(|block| drawn(block, place)).collect(),
    }
}

fn in_csv(located: &records::Located) -> Result<Found, TaskError> {
    let records::Located { record, place } = located;
    let field = |name: &str| format!("{place}: field `{name}`");
    let label = match record.answer.as_str() {
        "" => None,
        answer => Some(Grid::parse(answer, &field("answer"))?),
    };
    let question = Grid::parse(&record.question, &field("question"))?;
    Ok(Found {
        question,
        label,
        in_lines: record.question.contains('\n'),
        place: field("question"),
    })
}

/// The grid of some lines that follow each other.
fn drawn(block: &[(usize, &str)], place: &str) -> Result<Found, TaskError> {
    let place = format!("{place}:{}", block.first().map_or(1, |(at, _)| *at));
    let lines: Vec<&str> = block.iter().map(|(_, line)| *line).collect();
    let question = Grid::parse(&lines.join("\n"), &place)?;
    Ok(Found { question, label: None, in_lines: lines.len() > 1, place })
}

impl Posed for PosedGrid {
    fn questions(&self) -> Vec<Question> {
        vec![Question { inputs: self.inputs.clone(), puzzle_id: BLANK_PUZZLE }]
    }

    fn answer(&self, replies: &[Reply], style: Style) -> Answer {
        let [reply] = replies else {
            panic!("one question has one reply, found {}", replies.len())
        };
        let answer = self.kind.canvas.grid(&reply.tokens);
        let verdict: Verdict = self.kind.verdict(&self.question, &answer, self.label.as_ref());
        let text = |grid: &Grid| if self.in_lines { grid.in_lines() } else { grid.to_text() };
        Answer {
            puzzle: text(&self.question),
            drawing: self.kind.draw(&self.question, &answer, style),
            text: text(&answer),
            second: None,
            verdict,
            reply_idx: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::canvas::Canvas;
    use crate::grid::text::tests::grid;

    fn kind() -> Kind {
        Kind { name: "grid", canvas: Canvas::new(2, 3, "ab/"), rules: None }
    }

    fn questions(text: &str) -> Vec<Grid> {
        read(text, "f").unwrap().into_iter().map(|found| found.question).collect()
    }

    fn answer(question: &str, answer: &str) -> Answer {
        let posed = pose(kind(), question, "f").unwrap();
        let tokens = kind().canvas.labels(&grid(answer), "test").unwrap();
        posed[0].answer(&[Reply { tokens, q_halt: 0.0, n_segments: 1 }], Style::Plain)
    }

    #[test]
    fn every_form_of_a_grid_is_read() {
        let (one, other) = (grid("ab/b"), grid("b"));
        assert_eq!(questions("ab/b"), std::slice::from_ref(&one));
        assert_eq!(questions("ab\r\nb\r\n"), std::slice::from_ref(&one));
        assert_eq!(questions("\nab\nb\n\n\nb\n"), [one.clone(), other.clone()]);
        assert_eq!(questions("question\nab/b\nb\n"), [one.clone(), other.clone()]);
        assert_eq!(questions("x,question\n,\"ab\nb\"\n,b\n"), [one, other]);
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_its_line() {
        let message = |text: &str| pose(kind(), text, "f").err().unwrap().to_string();
        assert_eq!(
            message("\n \n\n"),
            "f:2: expected characters among \"ab/\", found ' ' at row 1, column 1"
        );
        assert_eq!(message("\n\n"), "f holds no puzzles");
        assert_eq!(message("a\n\nabba"), "f:3: expected at most 2 rows of 3 cells, found 1 of 4");
        let want = "f:2: field `question`: expected characters among \"ab/\", found 'x' at row 1, \
                    column 1";
        assert_eq!(message("question\nx\n"), want);
    }

    #[test]
    fn answers_come_in_the_form_of_the_question() {
        assert_eq!(answer("a", "ab/b").text, "ab/b");
        assert_eq!(answer("a\nb", "ab/b").text, "ab\nb");
        assert_eq!(answer("a\nb", "ab/b").drawing, "|a|   |ab|\n|b|   |b|\n");
    }

    #[test]
    fn only_a_label_tells_what_is_right() {
        let verdict = |question: &str, found: &str| answer(question, found).verdict;
        let unchecked = "only a label could tell what is right".to_owned();
        assert_eq!(verdict("ab", "ba"), Verdict::Unchecked(unchecked));
        let labelled = "question,answer\nab/b,ba/a\n";
        assert_eq!(verdict(labelled, "ba/a"), Verdict::Expected);
        let wrong = "1 of 3 cells differ from the label".to_owned();
        assert_eq!(verdict(labelled, "ba/b"), Verdict::Invalid(wrong));
        let wrong = "row 2 has 0 cells and not 1".to_owned();
        assert_eq!(verdict(labelled, "ba"), Verdict::Invalid(wrong));
    }
}
