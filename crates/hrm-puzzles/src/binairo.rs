//! Binairo: a square grid of `0` and `1`, with equally many of each in every row and
//! column and never three equal symbols in a row. `.` is blank.

use hrm_base::rng::ChaCha8Rng;
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::grid::{Grid, Rules};
use crate::{PuzzleError, Style};

/// Settings of Binairo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binairo {
    /// Cells per side: even, 4 to 12.
    pub side: usize,
}

impl Rules for Binairo {
    fn name(&self) -> &'static str {
        "binairo"
    }

    fn size(&self) -> (usize, usize) {
        (self.side, self.side)
    }

    fn alphabet(&self) -> String {
        ".01".to_owned()
    }

    fn blank(&self) -> Option<char> {
        Some('.')
    }

    fn puzzle(&self, rng: &mut ChaCha8Rng) -> (Grid, Grid) {
        let mut answer = Grid::filled(self.side, self.side, '.');
        fill(&mut answer, 0, rng);
        let mut question = answer.clone();
        let mut cells: Vec<_> = answer.cells().collect();
        cells.shuffle(rng);
        for (at, symbol) in cells {
            // Blanks a cell if the other symbol would break a rule immediately. So each blank
            // can be deduced in turn, and the answer is unique.
            question[at] = other(symbol);
            let follows = fault(&question, at).is_some();
            question[at] = if follows { '.' } else { symbol };
        }
        (question, answer)
    }

    fn check_answer(&self, question: &Grid, answer: &Grid) -> Result<(), String> {
        answer.keeps(question, '.')?;
        if answer.cells().any(|(_, symbol)| symbol == '.') {
            return Err("a cell is blank".to_owned());
        }
        // The cells on the diagonal cover every row and column.
        (0..self.side).find_map(|idx| fault(answer, (idx, idx))).map_or(Ok(()), Err)
    }

    fn draw(&self, question: &Grid, answer: &Grid, style: Style) -> String {
        let stone = |(symbol, given): (&char, &char)| {
            let stone = ['·', '○', '●'][".01".find(*symbol).unwrap_or(0)];
            let is_new = style == Style::Ansi && symbol != given;
            if is_new { format!(" \x1b[1;32m{stone}\x1b[0m") } else { format!(" {stone}") }
        };
        let row =
            |row: &[char], given: &[char]| row.iter().zip(given).map(stone).collect::<String>();
        let rows = question.rows().iter().zip(answer.rows());
        rows.map(|(q, a)| format!("{}   {}\n", row(q, q), row(a, q))).collect()
    }

    fn check_settings(&self) -> Result<(), PuzzleError> {
        if (4..=12).contains(&self.side) && self.side.is_multiple_of(2) {
            return Ok(());
        }
        Err(PuzzleError::setting("rules.side", "even and 4 to 12", self.side))
    }
}

fn other(symbol: char) -> char {
    if symbol == '0' { '1' } else { '0' }
}

/// Randomly fills the cells from index `cell` on; returns whether that was possible.
fn fill(grid: &mut Grid, cell: usize, rng: &mut ChaCha8Rng) -> bool {
    let Some((at, _)) = grid.cells().nth(cell) else { return true };
    let first = if rng.random() { '0' } else { '1' };
    for symbol in [first, other(first)] {
        grid[at] = symbol;
        if fault(grid, at).is_none() && fill(grid, cell + 1, rng) {
            return true;
        }
    }
    grid[at] = '.';
    false
}

/// Describes a rule that the row or column of a cell breaks, if any; blanks are
/// allowed.
fn fault(grid: &Grid, (row, column): (usize, usize)) -> Option<String> {
    let across = grid.rows()[row].clone();
    let down: Vec<char> = grid.rows().iter().map(|row| row[column]).collect();
    let lines = [(format!("row {}", row + 1), across), (format!("column {}", column + 1), down)];
    for ((name, line), symbol) in lines.iter().flat_map(|line| [(line, '0'), (line, '1')]) {
        if line.windows(3).any(|cells| cells == [symbol; 3]) {
            return Some(format!("{name} has three {symbol} side by side"));
        }
        if line.iter().filter(|cell| **cell == symbol).count() > line.len() / 2 {
            return Some(format!("{name} has too many {symbol}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_base::rng::stream;

    fn grid(text: &str) -> Grid {
        Grid::parse(text, "test").unwrap()
    }

    /// Counts the ways to fill the blanks, up to `limit`.
    fn n_answers(grid: &mut Grid, limit: usize) -> usize {
        let Some((at, _)) = grid.cells().find(|(_, symbol)| *symbol == '.') else { return 1 };
        let mut n = 0;
        for symbol in ['0', '1'] {
            grid[at] = symbol;
            if n < limit && fault(grid, at).is_none() {
                n += n_answers(grid, limit - n);
            }
        }
        grid[at] = '.';
        n
    }

    #[test]
    fn generated_puzzles_have_one_answer() {
        for (side, seed) in [(4, 1), (6, 2), (8, 3), (10, 4), (12, 5)] {
            let rules = Binairo { side };
            let (mut question, answer) = rules.puzzle(&mut stream(seed, "test"));
            assert_eq!(rules.check_answer(&question, &answer), Ok(()));
            let n_blank = question.cells().filter(|(_, symbol)| *symbol == '.').count();
            assert!(n_blank > side * side / 4, "{n_blank} blanks of side {side}");
            assert_eq!(n_answers(&mut question, 2), 1);
        }
    }

    #[test]
    fn every_rule_is_checked() {
        let check = |answer: &str| {
            Binairo { side: 4 }.check_answer(&grid("1.../..../..../...."), &grid(answer)).err()
        };
        assert_eq!(check("1100/0011/0101/1010"), None);
        let cases = [
            ("0011/1100/0101/1010", "row 1, column 1 was given 1 and became 0"),
            ("1100/0011/0101/101.", "a cell is blank"),
            ("1100/0011/0001/1110", "row 3 has three 0 side by side"),
            ("1100/1100/0011/1010", "column 1 has too many 1"),
        ];
        for (answer, why) in cases {
            assert_eq!(check(answer).as_deref(), Some(why));
        }
    }

    #[test]
    fn filled_cells_are_coloured() {
        let (question, answer) = (grid("1./.."), grid("10/01"));
        let draw = |style| Binairo { side: 2 }.draw(&question, &answer, style);
        assert_eq!(draw(Style::Plain), " ● ·    ● ○\n · ·    ○ ●\n");
        assert!(draw(Style::Ansi).starts_with(" ● ·    ● \x1b[1;32m○\x1b[0m\n"));
    }
}
