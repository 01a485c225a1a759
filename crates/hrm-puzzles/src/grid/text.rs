//! Grids as users type them.

use super::Grid;
use crate::{PuzzleError, records};

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

/// Parses grids from text: CSV with a column `question`, or grids separated by empty
/// lines. A grid on a single line is split into rows at `/`.
///
/// # Errors
///
/// [`PuzzleError::Malformed`] with the line and the unexpected character,
/// [`PuzzleError::Empty`] without grids.
pub fn parse_grids(text: &str, place: &str) -> Result<Vec<ParsedGrid>, PuzzleError> {
    let lines: Vec<(usize, &str)> = (1..).zip(text.lines()).collect();
    let blocks = || lines.split(|(_, line)| line.is_empty()).filter(|block| !block.is_empty());
    match blocks().next() {
        None => Err(PuzzleError::Empty { place: place.to_owned(), what: "puzzles" }),
        Some([(_, first), ..]) if records::is_header(first) => {
            records::parse_questions(text.as_bytes(), place)?.iter().map(in_csv).collect()
        }
        Some(_) => blocks().map(|block| drawn(block, place)).collect(),
    }
}

fn in_csv(located: &records::Located) -> Result<ParsedGrid, PuzzleError> {
    let record = &located.record;
    let label = match record.answer.as_str() {
        "" => None,
        answer => Some(Grid::parse(answer, &located.field("answer"))?),
    };
    let question = Grid::parse(&record.question, &located.field("question"))?;
    Ok(ParsedGrid {
        question,
        label,
        in_lines: record.question.contains('\n'),
        place: located.field("question"),
    })
}

/// Parses a grid from consecutive lines.
fn drawn(block: &[(usize, &str)], place: &str) -> Result<ParsedGrid, PuzzleError> {
    let place = format!("{place}:{}", block.first().map_or(1, |(at, _)| *at));
    let lines: Vec<&str> = block.iter().map(|(_, line)| *line).collect();
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
}
