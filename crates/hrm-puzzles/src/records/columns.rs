//! The columns of a table of puzzles: by the names that people give them, or as chosen.

use std::fmt;
use std::str::FromStr;

use super::rows;
use crate::text::quoted;

/// What puzzles without answers are for, for messages.
pub(super) const CHALLENGE: &str = "puzzles without answers are for `eval --challenge`";

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Source,
    Question,
    Answer,
    Rating,
}

const ROLES: [Role; 4] = [Role::Source, Role::Question, Role::Answer, Role::Rating];

impl Role {
    /// The name that this program writes, then others that it knows.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Source => &["source"],
            Self::Question => &[
                "question",
                "questions",
                "quiz",
                "quizzes",
                "puzzle",
                "puzzles",
                "input",
                "inputs",
                "problem",
                "problems",
                "unsolved",
                "sudoku",
                "maze",
                "board",
                "grid",
                "start",
                "clues_grid",
                "prompt",
            ],
            Self::Answer => &[
                "answer",
                "answers",
                "solution",
                "solutions",
                "solved",
                "output",
                "outputs",
                "target",
                "targets",
                "label",
                "labels",
                "sudoku_solution",
                "solved_sudoku",
                "solved_puzzle",
                "response",
            ],
            Self::Rating => &["rating", "difficulty"],
        }
    }

    fn name(self) -> &'static str {
        self.names()[0]
    }
}

/// Which columns are meant: by default those with known names, otherwise as chosen.
///
/// Written as `question=quizzes,answer=solutions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(Vec<(Role, String)>);

impl FromStr for Columns {
    type Err = String;

    /// # Errors
    ///
    /// What was found instead of [`EXPECTED`](Columns::EXPECTED).
    fn from_str(text: &str) -> Result<Self, String> {
        let mut chosen: Vec<(Role, String)> = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let Some((role, column)) = pair.split_once('=') else {
                return Err(format!("{} without =", quoted(pair)));
            };
            let (name, column) = (role.trim(), column.trim());
            let is_it = |role: &Role| role.name().eq_ignore_ascii_case(name);
            let Some(role) = ROLES.into_iter().find(is_it) else {
                let names = "question, answer, rating or source";
                return Err(format!("{}, which is not {names}", quoted(name)));
            };
            if column.is_empty() || chosen.iter().any(|(known, _)| *known == role) {
                let n = if column.is_empty() { "no column" } else { "two columns" };
                return Err(format!("{n} for {}", role.name()));
            }
            chosen.push((role, column.to_owned()));
        }
        Ok(Self(chosen))
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> =
            self.0.iter().map(|(role, column)| format!("{}={column}", role.name())).collect();
        f.write_str(&pairs.join(","))
    }
}

/// The indices of the columns of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) source: Option<usize>,
    pub(super) question: Option<usize>,
    pub(super) answer: Option<usize>,
    pub(super) rating: Option<usize>,
}

impl Columns {
    /// What the text of columns must be, for messages.
    pub const EXPECTED: &str = "names of columns, e.g. question=quizzes,answer=solutions";

    /// Whether any column was chosen.
    pub(crate) fn are_chosen(&self) -> bool {
        !self.0.is_empty()
    }

    /// The columns of a table with this header.
    ///
    /// # Errors
    ///
    /// What was expected of the header.
    pub(super) fn find(&self, header: &[&str], needs_answer: bool) -> Result<Places, String> {
        let mut places = Places::default();
        for role in ROLES {
            let is_needed = needs_answer || role == Role::Question;
            let place = match is_needed || !self.is_missing(role, header) {
                true => self.find_one(role, header)?,
                false => None,
            };
            *match role {
                Role::Source => &mut places.source,
                Role::Question => &mut places.question,
                Role::Answer => &mut places.answer,
                Role::Rating => &mut places.rating,
            } = place;
        }
        let needed = if needs_answer { "question and answer" } else { "question" };
        let lacks = places.question.is_none() || needs_answer && places.answer.is_none();
        let is_one_twice = places.question.is_some() && places.question == places.answer;
        if lacks || is_one_twice {
            return Err(format!("a header that names {needed} once"));
        }
        Ok(places)
    }

    /// Whether a header lacks the column that was chosen for a role.
    fn is_missing(&self, role: Role, header: &[&str]) -> bool {
        let chosen = self.0.iter().find(|(chosen, _)| *chosen == role);
        chosen.is_some_and(|(_, column)| !header.iter().any(|it| it.eq_ignore_ascii_case(column)))
    }

    /// Whether a header names a question, or several of them.
    fn name_question(&self, header: &[&str]) -> bool {
        self.find_one(Role::Question, header).is_ok_and(|place| place.is_some())
            || names_question(header)
    }

    /// What to do about a header that is not as `expected`, to be appended to what was found.
    pub(super) fn advice(&self, header: &[&str], expected: &str) -> String {
        let first_line = "add a first line such as question,answer";
        let columns = "; say which columns are meant: --columns question=NAME,answer=NAME";
        if is_without_names(header) {
            let is_question =
                if header.len() == 1 { format!("; {CHALLENGE}") } else { String::new() };
            return format!(", which names nothing: {first_line}{is_question}");
        }
        let columns = if expected.contains("--columns") { "" } else { columns };
        match self.find(header, false) {
            Ok(_) => format!("{columns}; {CHALLENGE}"),
            Err(_) => columns.to_owned(),
        }
    }

    fn find_one(&self, role: Role, header: &[&str]) -> Result<Option<usize>, String> {
        let equal = |name: &str| -> Vec<usize> {
            let is_it = |idx: &usize| header[*idx].eq_ignore_ascii_case(name);
            (0..header.len()).filter(is_it).collect()
        };
        if let Some((_, column)) = self.0.iter().find(|(chosen, _)| *chosen == role) {
            return match equal(column)[..] {
                [at] => Ok(Some(at)),
                _ => Err(format!("a header that names {} once, as --columns says", quoted(column))),
            };
        }
        // What another role was chosen for is not taken for this one.
        let is_chosen =
            |at: &usize| self.0.iter().any(|(_, column)| header[*at].eq_ignore_ascii_case(column));
        match equal(role.name())[..] {
            [] => {}
            [at] => return Ok(Some(at).filter(|at| !is_chosen(at))),
            _ if matches!(role, Role::Question | Role::Answer) => {
                return Err("a header that names question and answer once".to_owned());
            }
            [at, ..] => return Ok(Some(at)),
        }
        let known = role.names().iter().flat_map(|name| equal(name));
        let known: Vec<usize> = known.filter(|at| !is_chosen(at)).collect();
        match (&known[..], role) {
            ([], _) => Ok(None),
            ([at], _) => Ok(Some(*at)),
            // A grid of that name beside a puzzle is something else.
            (several, Role::Question | Role::Answer) => {
                let names: Vec<&str> = several.iter().map(|at| header[*at]).collect();
                let (role, names) = (role.name(), names.join(", "));
                Err(format!(
                    "one column for the {role} (say which with --columns {role}=NAME: \
                     {names})"
                ))
            }
            ([at, ..], _) => Ok(Some(*at)),
        }
    }
}

/// How a table is read, in one line, unless its columns have the names of this program.
pub(super) fn note(name: &str, header: &[&str], places: Places) -> Option<String> {
    let Places { source, question, answer, rating } = places;
    let roles = [
        (Role::Question, question),
        (Role::Answer, answer),
        (Role::Rating, rating),
        (Role::Source, source),
    ];
    let read: Vec<(Role, usize)> =
        roles.into_iter().filter_map(|(role, at)| Some((role, at?))).collect();
    let is_unread = |at: &usize| read.iter().all(|(_, read)| read != at);
    let unread: Vec<&str> = (0..header.len()).filter(is_unread).map(|at| header[at]).collect();
    let is_own = read.iter().all(|(role, at)| header[*at] == role.name());
    if is_own && unread.is_empty() {
        return None;
    }
    let shown: Vec<String> =
        read.iter().map(|(role, at)| format!("{} = {}", role.name(), header[*at])).collect();
    let unread = match &unread[..] {
        [] => String::new(),
        unread => format!("; not read: {}", crate::clipped(&unread.join(", "))),
    };
    Some(format!("{name}: {}{unread}", crate::clipped(&shown.join(", "))))
}

/// What may separate the fields of a table.
pub(super) const SEPARATORS: &[u8] = b",;\t|";

/// The separator of a table, by its header: the first with which it names a question, else a
/// comma.
pub(super) fn separator(line: &[u8], columns: &Columns) -> u8 {
    find_separator(line, columns).unwrap_or(b',')
}

/// Whether a line is the header of a table.
pub(super) fn is_header(line: &[u8], columns: &Columns) -> bool {
    find_separator(line, columns).is_some() || names_question_with(line, b',', columns)
}

fn find_separator(line: &[u8], columns: &Columns) -> Option<u8> {
    let mut in_line = SEPARATORS.iter().copied().filter(|separator| line.contains(separator));
    in_line.find(|separator| names_question_with(line, *separator, columns))
}

fn names_question_with(line: &[u8], separator: u8, columns: &Columns) -> bool {
    let names = rows::names(line, separator);
    columns.name_question(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Whether a header has a column, or several, of a name that questions have.
pub(super) fn names_question(header: &[&str]) -> bool {
    let known = Role::Question.names();
    header.iter().any(|name| known.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// Whether a first line holds puzzles instead of names.
fn is_without_names(header: &[&str]) -> bool {
    let is_puzzle = |field: &&str| {
        let n_letters = field.chars().filter(|symbol| symbol.is_alphabetic()).count();
        field.chars().count() >= 16 && n_letters * 2 < field.chars().count()
    };
    header.iter().any(is_puzzle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(columns: &str, header: &[&str]) -> Result<Places, String> {
        columns.parse::<Columns>().unwrap().find(header, true)
    }

    #[test]
    fn columns_are_found_by_known_names_or_as_chosen() {
        let pair = |question, answer| {
            Ok(Places { question: Some(question), answer: Some(answer), ..Places::default() })
        };
        assert_eq!(found("", &["quizzes", "solutions"]), pair(0, 1));
        assert_eq!(found("", &["Solution", "PUZZLE"]), pair(1, 0));
        let rated = Places { rating: Some(3), ..pair(1, 2).unwrap() };
        assert_eq!(found("", &["id", "puzzle", "solution", "difficulty"]), Ok(rated));
        assert_eq!(found("answer=b,question=a", &["a", "b"]), pair(0, 1));
        // Another column for one role leaves the others as they are.
        assert_eq!(found("question=clues", &["puzzle", "clues", "solution"]), pair(1, 2));
        // Where answers are not needed, they may be missing.
        let columns: Columns = "question=a,answer=b".parse().unwrap();
        assert!(columns.find(&["a"], false).is_ok() && columns.find(&["a"], true).is_err());
        let message = |columns, header| found(columns, header).unwrap_err();
        assert!(message("", &["puzzle", "input", "answer"]).contains("--columns question=NAME"));
        assert!(message("question=x", &["question", "answer"]).contains("\"x\" once"));
        assert_eq!(message("", &["a", "b"]), "a header that names question and answer once");
        for (wrong, want) in [
            ("a", "\"a\" without ="),
            ("puzzle=a", "\"puzzle\", which is not question, answer, rating or source"),
            ("question=", "no column for question"),
            ("question=a,question=b", "two columns for question"),
        ] {
            assert_eq!(wrong.parse::<Columns>().unwrap_err(), want);
        }
        assert_eq!("Question=a".parse::<Columns>().unwrap().to_string(), "question=a");
        let text = "question=a,answer=b";
        assert_eq!(text.parse::<Columns>().unwrap().to_string(), text);
    }

    #[test]
    fn separators_are_found_by_the_header() {
        let found = |line: &str| separator(line.as_bytes(), &Columns::default()) as char;
        assert_eq!(found("question,answer"), ',');
        assert_eq!(found("\"question\";answer"), ';');
        assert_eq!(found("puzzle\tsolution"), '\t');
        assert_eq!(found("a;b"), ',');
    }
}
