//! Puzzles that somebody wants solved.

use hrm_train::task::BLANK_PUZZLE;

use super::task::{decode, encode};
use super::{Board, Shape, draw};
use crate::{Answer, Posed, Question, Reply, Style, TaskError, Verdict, records};

/// One puzzle to solve.
struct PosedSudoku {
    shape: Shape,
    question: Board,
}

/// Reads puzzles from text: our CSV form, one puzzle per line, or one puzzle
/// drawn on as many lines as it has rows.
pub(super) fn pose(
    shape: Shape,
    text: &str,
    place: &str,
) -> Result<Vec<Box<dyn Posed>>, TaskError> {
    let boards = read(shape, text, place)?;
    let pose = |question| Box::new(PosedSudoku { shape, question }) as Box<dyn Posed>;
    Ok(boards.into_iter().map(pose).collect())
}

fn read(shape: Shape, text: &str, place: &str) -> Result<Vec<Board>, TaskError> {
    let lines: Vec<(usize, &str)> =
        (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty()).collect();
    let Some((first_at, first)) = lines.first() else {
        return Err(TaskError::Empty { place: place.to_owned(), what: "puzzles" });
    };
    if records::is_header(first) {
        let located = records::parse(text.as_bytes(), place)?;
        return located.iter().map(|l| board(shape, &l.record.question, &l.place)).collect();
    }
    let is_drawn = first.chars().count() == shape.side && lines.len() > 1;
    if !is_drawn {
        let read = |(at, line): &(usize, &str)| board(shape, line, &format!("{place}:{at}"));
        return lines.iter().map(read).collect();
    }
    if lines.len() != shape.side {
        let expected = format!("{} lines of {0} characters", shape.side);
        return Err(TaskError::malformed(place, expected, format!("{} lines", lines.len())));
    }
    for (at, line) in &lines {
        let n_chars = line.chars().count();
        if n_chars != shape.side {
            let expected = format!("{} characters", shape.side);
            return Err(TaskError::malformed(
                format!("{place}:{at}"),
                expected,
                n_chars.to_string(),
            ));
        }
    }
    let joined: String = lines.iter().map(|(_, line)| *line).collect();
    Ok(vec![board(shape, &joined, &format!("{place}:{first_at}"))?])
}

/// A board whose givens break no rule.
fn board(shape: Shape, text: &str, place: &str) -> Result<Board, TaskError> {
    let board = Board::parse(shape, text, place)?;
    match board.clash(shape) {
        None => Ok(board),
        Some(clash) => {
            let [one, other] = clash.cells.map(|cell| shape.name_of(cell));
            let found = format!("{clash} ({one} and {other})");
            Err(TaskError::malformed(place, "givens that obey the rules", found))
        }
    }
}

impl Posed for PosedSudoku {
    fn questions(&self) -> Vec<Question> {
        vec![Question { inputs: encode(&self.question), puzzle_id: BLANK_PUZZLE }]
    }

    fn answer(&self, replies: &[Reply], style: Style) -> Answer {
        let [reply] = replies else {
            panic!("one question has one reply, found {}", replies.len())
        };
        let answer = decode(self.shape, &reply.tokens);
        let verdict = match fault(self.shape, &self.question, &answer) {
            None => Verdict::Valid,
            Some(fault) => Verdict::Invalid(fault),
        };
        let drawing = draw::side_by_side(self.shape, &self.question, &answer, style);
        let puzzle = self.question.to_text();
        Answer { puzzle, drawing, text: answer.to_text(), second: None, verdict, reply_idx: 0 }
    }
}

/// The first rule that an answer breaks, if any.
fn fault(shape: Shape, question: &Board, answer: &Board) -> Option<String> {
    let cells = || question.cells().iter().zip(answer.cells()).enumerate();
    if let Some((cell, _)) = cells().find(|(_, (_, digit))| **digit == 0) {
        return Some(format!("{} is empty", shape.name_of(cell)));
    }
    let changed = cells().find(|(_, (given, digit))| **given != 0 && given != digit);
    if let Some((cell, (given, digit))) = changed {
        return Some(format!("{} was given {given} and became {digit}", shape.name_of(cell)));
    }
    answer.clash(shape).map(|clash| clash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUZZLE: &str = "1..........4....";
    const SOLVED: &str = "1234341221434321";

    fn four() -> Shape {
        Shape::new(4).unwrap()
    }

    fn verdict(question: &str, answer: &str) -> Verdict {
        let board = |text| Board::parse(four(), text, "test").unwrap();
        let posed = PosedSudoku { shape: four(), question: board(question) };
        let tokens = encode(&board(answer));
        posed.answer(&[Reply { tokens, q_halt: 0.0, n_segments: 1 }], Style::Plain).verdict
    }

    #[test]
    fn every_form_of_a_puzzle_is_read() {
        let want = Board::parse(four(), PUZZLE, "test").unwrap();
        let drawn = "1...\n....\n...4\n....\n";
        let csv = format!("source,question,answer,rating\nx,{PUZZLE},{SOLVED},0\n");
        for text in [PUZZLE, drawn, &csv, &format!("\n  {PUZZLE}  \n\n")] {
            assert_eq!(read(four(), text, "test").unwrap(), std::slice::from_ref(&want), "{text}");
        }
        assert_eq!(read(four(), &format!("{PUZZLE}\n{PUZZLE}\n"), "test").unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_puzzle_is_refused_with_its_line() {
        let message = |text: &str| read(four(), text, "f").unwrap_err().to_string();
        assert_eq!(message(" \n"), "f holds no puzzles");
        assert_eq!(message("12"), "f:1: expected 16 characters, found 2");
        assert_eq!(
            message("1...\n....\n....\n"),
            "f: expected 4 lines of 4 characters, found 3 lines"
        );
        assert_eq!(message("1...\n...\n....\n....\n"), "f:2: expected 4 characters, found 3");
        assert_eq!(
            message("11.............."),
            "f:1: expected givens that obey the rules, found row 1 holds 1 twice (row 1, \
             column 1 and row 1, column 2)"
        );
    }

    #[test]
    fn answers_are_judged_by_the_rules_alone() {
        assert_eq!(
            verdict(PUZZLE, "1234341224134321"),
            Verdict::Invalid("row 3, column 4 was given 4 and became 3".into())
        );
        assert_eq!(verdict("1...............", SOLVED), Verdict::Valid);
        assert_eq!(
            verdict("1...............", "1234341221434322"),
            Verdict::Invalid("row 4 holds 2 twice".into())
        );
        assert_eq!(
            verdict("1...............", "123434122143432."),
            Verdict::Invalid("row 4, column 4 is empty".into())
        );
    }
}
