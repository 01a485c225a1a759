//! Mazes that somebody wants solved.

use hrm_train::task::BLANK_PUZZLE;

use super::grid::{check_side, vocabulary};
use super::{Fault, Maze, draw, shortest_path, walk};
use crate::{Answer, Posed, Question, Reply, Style, TaskError, Verdict, records};

/// Reads mazes of `side` from text: our CSV form, one maze per line, or mazes
/// drawn on as many lines as they have rows, with an empty line between two.
pub(super) fn pose(side: usize, text: &str, place: &str) -> Result<Vec<Box<dyn Posed>>, TaskError> {
    check_side(side)?;
    let (form, mazes) = read(side, text, place)?;
    let pose = |maze| Box::new(PosedMaze { maze, form }) as Box<dyn Posed>;
    Ok(mazes.into_iter().map(pose).collect())
}

/// How a maze was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// All cells on one line, or in one field.
    OneLine,
    /// A line for each row.
    Drawn,
}

/// One maze to solve.
struct PosedMaze {
    maze: Maze,
    form: Form,
}

impl Posed for PosedMaze {
    fn questions(&self) -> Vec<Question> {
        vec![Question { inputs: self.maze.ids(&[]), puzzle_id: BLANK_PUZZLE }]
    }

    fn answer(&self, replies: &[Reply], style: Style) -> Answer {
        let [reply] = replies else {
            panic!("one question has one reply, found {}", replies.len())
        };
        Answer {
            puzzle: self.text(&self.maze.ids(&[])),
            second: None,
            drawing: draw::pair(self.maze.side(), &self.maze.ids(&[]), &reply.tokens, style),
            text: self.text(&reply.tokens),
            verdict: verdict(&self.maze, &reply.tokens),
            reply_idx: 0,
        }
    }
}

impl PosedMaze {
    /// The answer in the form of the question.
    fn text(&self, ids: &[u32]) -> String {
        let text = vocabulary().decode(ids);
        match self.form {
            Form::OneLine => text,
            Form::Drawn => in_lines(&text, self.maze.side()),
        }
    }
}

/// A line for each row, without a newline after the last.
pub(super) fn in_lines(text: &str, side: usize) -> String {
    let symbols: Vec<char> = text.chars().collect();
    let lines: Vec<String> = symbols.chunks(side).map(|row| row.iter().collect()).collect();
    lines.join("\n")
}

fn verdict(maze: &Maze, ids: &[u32]) -> Verdict {
    let walked = walk(maze, ids);
    let n_moves_min = shortest_path(maze).map(|path| path.len() - 1);
    match (walked, n_moves_min) {
        (Err(fault @ Fault::Changed(_)), _) => Verdict::Invalid(fault.to_string()),
        (_, None) => Verdict::Unchecked("no way leads from the start to the goal".to_owned()),
        (Err(fault), _) => Verdict::Invalid(fault.to_string()),
        (Ok(n_moves), Some(shortest)) if n_moves > shortest => {
            Verdict::Invalid(format!("the path has {n_moves} moves, the shortest {shortest}"))
        }
        (Ok(_), Some(_)) => Verdict::Valid,
    }
}

fn read(side: usize, text: &str, place: &str) -> Result<(Form, Vec<Maze>), TaskError> {
    let lines: Vec<&str> = text.lines().collect();
    let Some(first) = lines.iter().find(|line| !line.trim().is_empty()) else {
        return Err(TaskError::Empty { place: place.to_owned(), what: "mazes" });
    };
    if records::is_header(first) {
        let located = records::parse(text.as_bytes(), place)?;
        let read = |located: &records::Located| {
            Maze::parse(&located.record.question, side, &question_of(&located.place))
        };
        return Ok((Form::OneLine, located.iter().map(read).collect::<Result<_, _>>()?));
    }

    let numbered: Vec<(usize, &str)> = (1..).zip(lines).collect();
    let written = || numbered.iter().filter(|(_, line)| !line.is_empty());
    let n_chars = |line: &str| line.chars().count();
    if written().all(|(_, line)| n_chars(line) == side * side) {
        let read = |(at, line): &(usize, &str)| Maze::parse(line, side, &format!("{place}:{at}"));
        return Ok((Form::OneLine, written().map(read).collect::<Result<_, _>>()?));
    }
    let read = |rows| drawn(side, rows, place);
    Ok((Form::Drawn, blocks(side, &numbered).into_iter().map(read).collect::<Result<_, _>>()?))
}

/// What messages call the question of a record.
pub(super) fn question_of(place: &str) -> String {
    format!("{place}: field `question`")
}

/// The lines of each maze.
fn blocks<'a, 'b>(side: usize, lines: &'a [(usize, &'b str)]) -> Vec<&'a [(usize, &'b str)]> {
    let is_empty = |line: &(usize, &str)| line.1.is_empty();
    // An editor may have stripped a row of spaces to nothing. Where every
    // separator is at its place, an empty line at another one is such a row.
    let exact = || lines.chunks(side + 1);
    let ends_well = |block: &[(usize, &str)]| block.get(side).is_none_or(is_empty);
    if exact().all(|block| block.len() >= side && ends_well(block)) {
        return exact().map(|block| &block[..side]).collect();
    }
    lines.split(is_empty).filter(|block| !block.is_empty()).collect()
}

/// The maze of some rows, which may have lost spaces at their ends.
fn drawn(side: usize, rows: &[(usize, &str)], place: &str) -> Result<Maze, TaskError> {
    let place = format!("{place}:{}", rows.first().map_or(1, |(at, _)| *at));
    if let [(_, line)] = rows {
        return Maze::parse(line, side, &place);
    }
    let n_chars_max = rows.iter().map(|(_, row)| row.chars().count()).max().unwrap_or(0);
    if rows.len() != side || n_chars_max > side {
        let expected = format!("{side} lines of {side} characters for task.side {side}");
        let found = format!("{} lines of up to {n_chars_max}", rows.len());
        return Err(TaskError::malformed(place, expected, found));
    }
    let padded: String = rows.iter().map(|(_, row)| format!("{row:side$}")).collect();
    Maze::parse(&padded, side, &place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maze::grid::tests::{any_maze, maze};
    use proptest::prelude::*;

    fn reply(tokens: Vec<u32>) -> Reply {
        Reply { tokens, q_halt: 0.0, n_segments: 1 }
    }

    fn answer(question: &str, side: usize, answer: &str) -> Answer {
        let posed = pose(side, question, "test").unwrap();
        let tokens = vocabulary().encode(answer, "test").unwrap();
        posed[0].answer(&[reply(tokens)], Style::Plain)
    }

    fn texts(side: usize, text: &str) -> Vec<String> {
        let (_, mazes) = read(side, text, "test").unwrap();
        mazes.iter().map(|maze| maze.to_text(&[])).collect()
    }

    #[test]
    fn every_form_of_a_maze_is_read() {
        let csv = "source,question,answer,rating\nx,S #   # G,anything,\ny,\"S #   # G\",,\n";
        assert_eq!(texts(3, csv), ["S #   # G"; 2]);
        assert_eq!(texts(3, "S #   # G"), ["S #   # G"]);
        assert_eq!(texts(3, "\nS #   # G\r\n\r\nS #   # G\n\n"), ["S #   # G"; 2]);
        assert_eq!(texts(3, "S #\n   \n# G\n"), ["S #   # G"]);
        assert_eq!(texts(3, "S #\r\n   \r\n# G"), ["S #   # G"]);
        assert_eq!(texts(3, "S #\n   \n# G\n\nS #\n   \n# G\n\n"), ["S #   # G"; 2]);
        assert_eq!(texts(3, "\n\nS #\n   \n# G\n\n\n\nS #\n   \n# G\n"), ["S #   # G"; 2]);
    }

    #[test]
    fn stripped_spaces_are_restored() {
        assert_eq!(texts(3, "S #\n\n# G"), ["S #   # G"]);
        assert_eq!(texts(3, "\nS\n  G\n"), ["   S    G"]);
        assert_eq!(texts(3, "SG\n\n\n\nS\n\n  G\n"), ["SG       ", "S       G"]);
    }

    #[test]
    fn what_is_no_maze_is_refused_with_its_line() {
        let message = |side: usize, text: &str| read(side, text, "f").unwrap_err().to_string();
        assert_eq!(message(3, " \n\n"), "f holds no mazes");
        assert_eq!(message(3, "SG"), "f:1: expected 9 characters for task.side 3, found 2");
        assert_eq!(
            message(3, "S  G"),
            "f:1: expected 9 characters for task.side 3, found 4, a side of 2"
        );
        let want =
            "f:3: expected 3 lines of 3 characters for task.side 3, found 2 lines of up to 2";
        assert_eq!(message(3, "\n\nS#\n G\n"), want);
        let want =
            "f:1: expected 3 lines of 3 characters for task.side 3, found 3 lines of up to 4";
        assert_eq!(message(3, "S#\n   G\n#\n"), want);
        assert_eq!(
            message(2, "S#\n G\n\nS#\n x\n"),
            "f:4: expected '#', ' ', 'S' or 'G', found 'x' at row 2, column 2"
        );
        assert_eq!(message(2, "S#\n #\n"), "f:1: expected one 'G', found none");
        let want = "f:2: field `question`: expected 9 characters for task.side 3, found 2";
        assert_eq!(message(3, "source,question,answer,rating\nx,SG,,\n"), want);
        assert!(message(3, "source,question\nx,SG\n").starts_with("f:1: expected a header"));
        assert!(pose(0, "SG", "f").is_err());
    }

    #[test]
    fn an_answer_is_drawn_written_and_judged() {
        let right = answer("S  \n # \n  G", 3, "Soo #o  G");
        let want = "+---+   +---+\n|S  |   |Soo|\n| # |   | #o|\n|  G|   |  G|\n+---+   +---+\n";
        assert_eq!(right.drawing, want);
        assert_eq!(right.text, "Soo\n #o\n  G");
        assert_eq!((right.verdict, right.reply_idx), (Verdict::Valid, 0));

        let broken = answer("S   #   G", 3, "So  #   G");
        assert_eq!(broken.text, "So  #   G");
        let why = "the path breaks off at row 1, column 2";
        assert_eq!(broken.verdict, Verdict::Invalid(why.to_owned()));
    }

    #[test]
    fn a_detour_is_not_shortest() {
        let detour = answer("S  \n # \nG  ", 3, "Soo #oGoo");
        let why = "the path has 6 moves, the shortest 2";
        assert_eq!(detour.verdict, Verdict::Invalid(why.to_owned()));
    }

    #[test]
    fn a_goal_out_of_reach_may_be_posed() {
        let why = "no way leads from the start to the goal";
        assert_eq!(answer("S##G", 2, "S##G").verdict, Verdict::Unchecked(why.to_owned()));
        let why = "the answer changes the maze at row 1, column 2";
        assert_eq!(answer("S##G", 2, "So#G").verdict, Verdict::Invalid(why.to_owned()));
    }

    proptest! {
        #[test]
        fn a_drawn_maze_is_read_back_whatever_was_stripped(
            mazes in proptest::collection::vec(any_maze(5), 1..4),
            stripped: bool,
        ) {
            let side = mazes[0].side();
            let mazes: Vec<_> = mazes.into_iter().filter(|maze| maze.side() == side).collect();
            let mut text = String::new();
            for maze in &mazes {
                for line in in_lines(&maze.to_text(&[]), side).lines() {
                    text += if stripped { line.trim_end() } else { line };
                    text += "\n";
                }
                text += "\n";
            }
            prop_assert_eq!(read(side, &text, "test").unwrap(), (Form::Drawn, mazes));
        }

        #[test]
        fn any_text_is_posed_or_refused(text in "[# SGo,\n]{0,40}", side in 0usize..6) {
            let _ = pose(side, &text, "test");
        }

        #[test]
        fn any_reply_is_answered(maze in any_maze(5), ids in proptest::collection::vec(0u32..8, 25)) {
            let posed = PosedMaze { maze: maze.clone(), form: Form::Drawn };
            let tokens = ids[..maze.cells().len()].to_vec();
            for style in [Style::Plain, Style::Ansi] {
                let answer = posed.answer(&[reply(tokens.clone())], style);
                prop_assert!(answer.drawing.ends_with('\n'));
            }
        }

        #[test]
        fn the_label_is_a_valid_answer(maze in any_maze(6)) {
            if let Some(path) = shortest_path(&maze) {
                prop_assert_eq!(verdict(&maze, &maze.ids(&path)), Verdict::Valid);
            }
        }
    }

    #[test]
    fn a_maze_whose_last_rows_are_free_is_told_by_its_lines() {
        let maze = maze(&["SG ", "   ", "   "]);
        assert_eq!(read(3, "SG \n   \n   \n", "test").unwrap(), (Form::Drawn, vec![maze]));
    }
}
