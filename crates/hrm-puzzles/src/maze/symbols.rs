//! The characters with which mazes are written.

use std::str::FromStr;

use super::cell::{Cell, PATH};
use super::size::Spot;
use crate::PuzzleError;
use crate::text::{quoted, shown};

/// What characters stand for: the name that users write, and the character of this program.
const CELLS: [(&str, char); 5] =
    [("wall", '#'), ("free", ' '), ("start", 'S'), ("goal", 'G'), ("path", PATH)];

/// Characters that are written as a word, because they separate others or are overlooked.
const WORDS: [(&str, char); 2] = [("space", ' '), ("comma", ',')];

/// What the text of [`Symbols`] must be, for messages.
const EXPECTED: &str =
    "the names wall, free, start, goal and path with their characters, e.g. wall=#,free=._";

/// The characters of mazes and answers: those of this program, `# SGo`, or others.
///
/// Written as `wall=#,free=._,start=A,goal=B,path=*`, in any order. Each name may be left
/// out, and keeps its character then; or be repeated. Of several characters for a cell, all
/// are read, and the first is written. A space is `space`, a comma is `comma`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbols {
    /// A character, and what it is in this program; in the order of [`CELLS`].
    pairs: Vec<(char, char)>,
}

impl Default for Symbols {
    fn default() -> Self {
        Self { pairs: CELLS.map(|(_, own)| (own, own)).into() }
    }
}

impl FromStr for Symbols {
    type Err = PuzzleError;

    fn from_str(text: &str) -> Result<Self, PuzzleError> {
        let wrong = |found: String| PuzzleError::setting("symbols", EXPECTED, found);
        let mut pairs: Vec<(char, char)> = Vec::new();
        let mut add = |symbol: char, own: char| match pairs.iter().find(|pair| pair.0 == symbol) {
            Some((_, other)) if *other == own => Ok(()),
            Some((_, other)) => {
                let [other, name] = [*other, own].map(name_of);
                Err(wrong(format!("{} for both {other} and {name}", shown(symbol))))
            }
            None => {
                pairs.push((symbol, own));
                Ok(())
            }
        };
        let mut named = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let Some((name, value)) = pair.split_once('=') else { return Err(wrong(quoted(pair))) };
            let (name, value) = (name.trim(), value.trim());
            let Some((_, own)) = CELLS.into_iter().find(|(known, _)| *known == name) else {
                return Err(wrong(format!("the name {}", quoted(name))));
            };
            named.push(own);
            if let Some((_, symbol)) = WORDS.into_iter().find(|(word, _)| *word == value) {
                add(symbol, own)?;
                continue;
            }
            if value.is_empty() {
                let advice = "write space and comma for those";
                return Err(wrong(format!("no character for {name}; {advice}")));
            }
            if value.chars().count() > 2 && value.chars().all(char::is_alphabetic) {
                return Err(wrong(format!("{} for {name}, which is no character", quoted(value))));
            }
            for symbol in value.chars() {
                if !is_visible(symbol) {
                    let symbol = shown(symbol);
                    return Err(wrong(format!("{symbol} for {name}, which is not visible")));
                }
                add(symbol, own)?;
            }
        }
        // Those that are not named keep their characters.
        for (_, own) in CELLS.into_iter().filter(|(_, own)| !named.contains(own)) {
            add(own, own)?;
        }
        pairs.sort_by_key(|(_, own)| CELLS.iter().position(|(_, known)| known == own));
        Ok(Self { pairs })
    }
}

/// The name of a cell by its character in this program.
fn name_of(own: char) -> &'static str {
    CELLS.into_iter().find(|(_, known)| *known == own).map_or("", |(name, _)| name)
}

impl Symbols {
    /// A character of a file in the characters of this program; `None` if it stands for
    /// nothing.
    pub fn read(&self, symbol: char) -> Option<char> {
        self.pairs.iter().find(|(known, _)| *known == symbol).map(|(_, own)| *own)
    }

    /// A character of this program as it is written; others are unchanged.
    pub fn written(&self, own: char) -> char {
        self.pairs.iter().find(|(_, known)| *known == own).map_or(own, |(symbol, _)| *symbol)
    }

    /// The cell of a question that is written like this at `spot` of the maze at `place`.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] for a character that no question has.
    pub(super) fn cell(&self, symbol: char, spot: Spot, place: &str) -> Result<Cell, PuzzleError> {
        let cell = self.read(symbol).and_then(Cell::from_symbol);
        cell.ok_or_else(|| self.unknown(symbol, spot, place, "free", |own| own != PATH))
    }

    /// [`read`](Self::read), at `spot` of the answer at `place`.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Malformed`] for a character that stands for nothing.
    pub(super) fn cell_of_answer(
        &self,
        symbol: char,
        spot: Spot,
        place: &str,
    ) -> Result<char, PuzzleError> {
        self.read(symbol).ok_or_else(|| self.unknown(symbol, spot, place, "path", |_| true))
    }

    /// The error that only the characters of cells with `is_known` were expected. Another may
    /// stand for `likely`.
    fn unknown(
        &self,
        symbol: char,
        spot: Spot,
        place: &str,
        likely: &str,
        is_known: impl Fn(char) -> bool,
    ) -> PuzzleError {
        let known = self.pairs.iter().filter(|(_, own)| is_known(*own));
        let known: Vec<String> = known.map(|(symbol, _)| format!("{symbol:?}")).collect();
        let expected = match known.split_last() {
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        };
        let mut found = format!("{} at {spot}", shown(symbol));
        let word = WORDS.into_iter().find(|(_, known)| *known == symbol);
        if self.read(symbol).is_some() {
            found += ", which marks a path; leave the answer out of the question";
        } else if is_visible(symbol) {
            let name = word.map_or(symbol.to_string(), |(word, _)| word.to_owned());
            found += &format!("; say what it stands for, e.g. --symbols {likely}={name}");
        }
        PuzzleError::malformed(place, expected, found)
    }
}

/// Whether users can tell a character from others.
fn is_visible(symbol: char) -> bool {
    symbol == ' ' || shown(symbol).starts_with('\'')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symbols(text: &str) -> Symbols {
        text.parse().unwrap()
    }

    #[test]
    fn characters_are_read_and_the_first_is_written() {
        let found = symbols("wall=#%,free=._,start=A,goal=B,path=*");
        let read = |text: &str| text.chars().map(|symbol| found.read(symbol)).collect::<Vec<_>>();
        assert_eq!(read("#%._AB*"), "##  SGo".chars().map(Some).collect::<Vec<_>>());
        assert_eq!(read(" SGo"), [None; 4]);
        let written: String = "# SGo?".chars().map(|own| found.written(own)).collect();
        assert_eq!(written, "#.AB*?");
        assert_eq!(symbols(""), Symbols::default());
        assert_eq!(symbols("wall=1"), symbols(" goal=G , wall=1,path=o"));
        let digits = symbols("wall=1,free=0,start=2,goal=3,path=4");
        assert_eq!(digits.written('#'), '1');
        // What separates others has a name, and a name may be repeated.
        let found = symbols("wall=comma,free=space,free=.,path==");
        let read: String = ", .=".chars().filter_map(|symbol| found.read(symbol)).collect();
        assert_eq!(read, "#  o");
    }

    #[test]
    fn text_that_is_no_symbols_is_refused() {
        let message = |text: &str| text.parse::<Symbols>().unwrap_err().to_string();
        let refused = |text: &str, found: &str| {
            assert_eq!(message(text), format!("symbols must be {EXPECTED}, found {found}"));
        };
        refused("wall", "\"wall\"");
        refused("door=#", "the name \"door\"");
        refused("wall=", "no character for wall; write space and comma for those");
        refused("wall=brick", "\"brick\" for wall, which is no character");
        refused("free=.,wall=.", "'.' for both free and wall");
        refused("wall=S", "'S' for both wall and start");
        refused("wall=\u{200b}", "U+200B (zero-width character) for wall, which is not visible");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z=,.# ]{0,30}") {
            let _ = text.parse::<Symbols>();
        }

        #[test]
        fn what_is_written_is_read_back(
            characters in prop::sample::subsequence("#.SGo01234ABxé象".chars().collect::<Vec<_>>(), 5),
        ) {
            let [wall, free, start, goal, path] = characters[..] else { panic!("five of them") };
            let found =
                symbols(&format!("wall={wall},free={free},start={start},goal={goal},path={path}"));
            for (_, own) in CELLS {
                prop_assert_eq!(found.read(found.written(own)), Some(own));
            }
        }
    }
}
