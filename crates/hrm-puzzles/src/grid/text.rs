//! Grids as users type them.

use std::io::Cursor;

use super::Grid;
use super::grid::N_BYTES_MAX;
use crate::PuzzleError;
use crate::questions::Questions;
use crate::records::{self, Columns};
use crate::text::Text;

/// A question parsed from text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedGrid {
    /// The question.
    pub question: Grid,
    /// The answer, if the text contains it.
    pub label: Option<Grid>,
    /// Whether the question was written on several lines.
    pub in_lines: bool,
    /// Where the question was found, for messages.
    pub place: String,
}

/// Parses grids from text, as [`Grids`] does.
///
/// # Errors
///
/// The first grid that cannot be read: [`PuzzleError::Malformed`] with the line and the
/// unexpected character, [`PuzzleError::Empty`] without grids.
pub fn parse_grids(text: &str, place: &str) -> Result<Vec<ParsedGrid>, PuzzleError> {
    let text = Text::new(Cursor::new(text.to_owned().into_bytes()), place, &[])?;
    Grids::new(text, &Columns::default())?.collect()
}

/// The grids of a text, one after another: a table with a column of questions, JSON, or grids
/// separated by empty lines. A grid on a single line is split into rows at `/`. Each error
/// concerns one grid, except for [`PuzzleError::Read`], which is the last.
pub struct Grids {
    source: Questions,
}

impl Grids {
    /// The grids of a text.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Read`], [`PuzzleError::Empty`] without grids, and
    /// [`PuzzleError::Malformed`] for a table without a column of questions.
    pub fn new(text: Text, columns: &Columns) -> Result<Self, PuzzleError> {
        let is_whole = |text: &str| text.contains(['/', '\n']);
        let source = Questions::of(text, columns, "puzzles", |_| false, Box::new(is_whole))?;
        Ok(Self { source })
    }
}

impl Iterator for Grids {
    type Item = Result<ParsedGrid, PuzzleError>;

    fn next(&mut self) -> Option<Self::Item> {
        /// Lines of a grid beyond which it is no grid.
        const N_LINES_MAX: usize = 1 << 16;

        let lines = match &mut self.source {
            Questions::Records(records) => {
                return Some(records.next()?.and_then(|located| of_record(&located)));
            }
            Questions::Lines(lines) => lines,
        };
        let name = lines.name().to_owned();
        let mut block = Vec::new();
        let mut n_bytes = 0;
        let mut fault = None;
        for line in lines.by_ref() {
            let (at, line) = match line {
                Ok(line) => line,
                Err(err) => {
                    fault = fault.or(Some(err));
                    continue;
                }
            };
            match line.is_empty() {
                true if block.is_empty() && fault.is_none() => continue,
                true => break,
                false => n_bytes += line.len() + 1,
            }
            if block.len() < N_LINES_MAX && n_bytes <= N_BYTES_MAX {
                block.push((at, line));
            } else {
                let expected =
                    format!("grids of at most {N_LINES_MAX} lines and {N_BYTES_MAX} bytes");
                let place = format!("{name}:{at}");
                fault = fault.or(Some(PuzzleError::malformed(place, expected, "more")));
            }
        }
        if let Some(fault) = fault {
            return Some(Err(fault));
        }
        if block.is_empty() {
            // A text of empty lines alone was refused before.
            return None;
        }
        Some(drawn(&block, &name))
    }
}

fn of_record(located: &records::Located) -> Result<ParsedGrid, PuzzleError> {
    let record = &located.record;
    let question = Grid::parse(&record.question, &located.field("question"))?;
    // Without a label, the answer is only not compared with it.
    let label = Grid::parse(&record.answer, &located.field("answer")).ok();
    Ok(ParsedGrid {
        question,
        label,
        in_lines: record.question.contains('\n'),
        place: located.field("question"),
    })
}

/// Parses a grid from consecutive lines.
fn drawn(block: &[(usize, String)], place: &str) -> Result<ParsedGrid, PuzzleError> {
    let place = format!("{place}:{}", block.first().map_or(1, |(at, _)| *at));
    let lines: Vec<&str> = block.iter().map(|(_, line)| line.as_str()).collect();
    let question = Grid::parse(&lines.join("\n"), &place)?;
    Ok(ParsedGrid { question, label: None, in_lines: lines.len() > 1, place })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::grid::tests::grid;

    fn questions(text: &str) -> Vec<Grid> {
        parse_grids(text, "f").unwrap().into_iter().map(|found| found.question).collect()
    }

    #[test]
    fn every_text_form_of_grids_is_parsed() {
        let (one, other) = (grid("ab/b"), grid("b"));
        assert_eq!(questions("ab/b"), std::slice::from_ref(&one));
        assert_eq!(questions("ab\r\nb\r\n"), std::slice::from_ref(&one));
        assert_eq!(questions("\nab\nb\n\n\nb\n"), [one.clone(), other.clone()]);
        assert_eq!(questions("question\nab/b\nb\n"), [one.clone(), other.clone()]);
        assert_eq!(questions("x,question\n,\"ab\nb\"\n,b\n"), [one, other]);
        assert!(parse_grids("\n\n", "f").is_err());
    }

    #[test]
    fn json_is_parsed_unless_it_may_be_a_grid() {
        let (one, other) = (grid("ab/b"), grid("12/30"));
        for text in [
            "[\"ab\", \"b\"]\n[[1, 2], [3, 0]]",
            "[{\"puzzle\": [\"ab\", \"b\"]}, {\"puzzle\": \"12/30\"}]",
            "[\"ab/b\", \"12/30\"]",
            "[[\"ab\", \"b\"], [\"12\", \"30\"]]",
        ] {
            assert_eq!(questions(text), [one.clone(), other.clone()], "{text}");
        }
        let found = parse_grids("{\"puzzle\": [\"ab\", \"b\"], \"answer\": [\"ba\", \"a\"]}", "f");
        let found = &found.unwrap()[0];
        assert_eq!((found.label.clone(), found.in_lines), (Some(grid("ba/a")), true));
        assert_eq!(questions("[1,2]"), [grid("[1,2]")]);
        assert_eq!(questions("[[a"), [grid("[[a")]);
    }

    fn read(text: &str, columns: &str) -> Vec<Result<Grid, String>> {
        let text = Text::new(Cursor::new(text.to_owned().into_bytes()), "f", &[]).unwrap();
        let grids = Grids::new(text, &columns.parse().unwrap()).unwrap();
        grids
            .map(|found| found.map(|found| found.question).map_err(|err| err.to_string()))
            .collect()
    }

    #[test]
    fn tables_are_read_with_any_separator_and_chosen_columns() {
        assert_eq!(read("clues\nab\nbb\n", "question=clues"), [Ok(grid("ab")), Ok(grid("bb"))]);
        assert_eq!(read("puzzle|solution\nab|ba\n", ""), [Ok(grid("ab"))]);
        assert_eq!(read("ab|\n|ba\n", ""), [Ok(grid("ab|/|ba"))]);
    }

    #[test]
    fn an_answer_that_cannot_be_read_does_not_block_its_question() {
        let grids = parse_grids("question,answer\nab,b\u{7}\nab,ba\n", "f").unwrap();
        assert_eq!(grids.iter().map(|found| &found.question).collect::<Vec<_>>(), [&grid("ab"); 2]);
        assert_eq!(grids[0].label, None);
        assert_eq!(grids[1].label, Some(grid("ba")));
        let want = "f:2: field `question`: expected printable characters, found U+0007 (control \
                    character) at row 1, column 1";
        assert_eq!(read("question,answer\n\u{7},b\u{7}\n", ""), [Err(want.to_owned())]);
    }

    #[test]
    fn a_grid_that_is_too_large_does_not_block_the_others() {
        let text = format!("ab\n\n{}\nba\n", "a\n".repeat((1 << 16) + 2));
        let want = "f:65539: expected grids of at most 65536 lines and 1048576 bytes, found more";
        assert_eq!(read(&text, ""), [Ok(grid("ab")), Err(want.to_owned()), Ok(grid("ba"))]);
        let row = "a".repeat(1 << 19) + "\n";
        let text = format!("{row}{row}\nba\n");
        let want = "f:2: expected grids of at most 65536 lines and 1048576 bytes, found more";
        assert_eq!(read(&text, ""), [Err(want.to_owned()), Ok(grid("ba"))]);
        let text = format!("question\n{}\nba\n", "a".repeat((1 << 20) + 1));
        let want = "f:2: field `question`: expected a grid of at most 1048576 bytes, found 1048577";
        assert_eq!(read(&text, ""), [Err(want.to_owned()), Ok(grid("ba"))]);
    }
}
