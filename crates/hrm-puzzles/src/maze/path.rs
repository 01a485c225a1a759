//! Paths through a maze: the shortest one, and the one that an answer marks.

use super::grid::neighbours;
use super::{Cell, Maze, PATH, Size, Spot};
use crate::Verdict;

/// The path used as label, from start to goal, both included; `None` if the goal is
/// unreachable.
///
/// Ties between shortest paths are broken by a breadth-first search from `S` that
/// visits neighbours in the order down, left, right, up and keeps the first predecessor
/// of each cell. The published answers use the same tie-break.
pub fn shortest_path(maze: &Maze) -> Option<Vec<usize>> {
    let is_open = |cell: usize| maze.cells()[cell] != Cell::Wall;
    let search = Search::new(maze.size(), is_open, maze.start());
    search.moves_to(maze.goal())?;

    let parent = |cell: &usize| (*cell != maze.start()).then(|| search.parents[*cell]);
    let mut path: Vec<usize> = std::iter::successors(Some(maze.goal()), parent).collect();
    path.reverse();
    Some(path)
}

/// Number of moves along the path marked in `answer`, one character per cell.
///
/// A path leads from start to goal and never touches itself: start and goal have one
/// marked neighbour each, every marked cell has two. A path that touches itself would
/// be ambiguous, and is never a shortest path.
///
/// # Errors
///
/// The first [`Fault`] along the path from the start.
///
/// # Panics
///
/// If the number of characters differs from the number of cells.
pub fn walk(maze: &Maze, answer: &[char]) -> Result<usize, Fault> {
    assert_eq!(answer.len(), maze.cells().len(), "one character per cell");
    let is_mark = |cell: usize| answer[cell] == PATH && maze.cells()[cell] == Cell::Free;
    let is_kept = |cell: &usize| is_mark(*cell) || answer[*cell] == maze.cells()[*cell].symbol();
    if let Some(changed) = (0..answer.len()).find(|cell| !is_kept(cell)) {
        return Err(Fault::Changed(maze.spot(changed)));
    }

    let mut on_path = vec![false; answer.len()];
    let mut at = maze.start();
    let mut n_moves = 0;
    while at != maze.goal() {
        on_path[at] = true;
        let can_enter = |cell: &usize| (is_mark(*cell) || *cell == maze.goal()) && !on_path[*cell];
        let mut next_cells = neighbours(maze.size(), at).filter(can_enter);
        at = match (next_cells.next(), next_cells.next()) {
            (Some(next), None) => next,
            (None, _) => return Err(Fault::BreaksOff(maze.spot(at))),
            (Some(_), Some(_)) => return Err(Fault::Branches(maze.spot(at))),
        };
        n_moves += 1;
    }
    match (0..answer.len()).find(|cell| is_mark(*cell) && !on_path[*cell]) {
        Some(stray) => Err(Fault::Stray(maze.spot(stray))),
        None => Ok(n_moves),
    }
}

/// Checks an answer by the rules: the maze is unchanged and the path is a shortest one.
///
/// # Panics
///
/// If the number of characters differs from the number of cells.
pub fn check_answer(maze: &Maze, answer: &[char]) -> Verdict {
    let walked = walk(maze, answer);
    let n_moves_min = shortest_path(maze).map(|path| path.len() - 1);
    match (walked, n_moves_min) {
        (Err(fault @ Fault::Changed(_)), _) => Verdict::Invalid(fault.to_string()),
        (_, None) => Verdict::Unchecked("no path leads from the start to the goal".to_owned()),
        (Err(fault), _) => Verdict::Invalid(fault.to_string()),
        (Ok(n_moves), Some(shortest)) if n_moves > shortest => {
            Verdict::Invalid(format!("the path has {n_moves} moves, the shortest {shortest}"))
        }
        (Ok(_), Some(_)) => Verdict::Valid,
    }
}

/// Why an answer does not mark a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A cell is neither unchanged nor a path mark on a free cell.
    #[error("the answer changes the maze at {0}")]
    Changed(Spot),
    /// No marked cell follows, and this is not the goal.
    #[error("the path breaks off at {0}")]
    BreaksOff(Spot),
    /// More than one marked cell follows.
    #[error("the path branches at {0}")]
    Branches(Spot),
    /// The path is complete without this mark.
    #[error("the mark at {0} is not on the path")]
    Stray(Spot),
}

/// A breadth-first search over the open cells of a maze.
pub(super) struct Search {
    /// Reached cells in order of discovery, starting with the first cell.
    pub(super) reached: Vec<usize>,
    /// Predecessor of each reached cell; the first cell is its own predecessor.
    parents: Vec<usize>,
    /// Number of moves to each reached cell.
    moves: Vec<Option<usize>>,
}

impl Search {
    /// Searches a maze of `size` from `start`.
    pub(super) fn new(size: Size, is_open: impl Fn(usize) -> bool, start: usize) -> Self {
        let n_cells = size.n_cells();
        let mut parents = vec![start; n_cells];
        let mut moves = vec![None; n_cells];
        let mut reached = Vec::with_capacity(n_cells);
        moves[start] = Some(0);
        reached.push(start);

        let mut n_expanded = 0;
        while let Some(&cell) = reached.get(n_expanded) {
            n_expanded += 1;
            for next in neighbours(size, cell) {
                if moves[next].is_none() && is_open(next) {
                    moves[next] = moves[cell].map(|n_moves| n_moves + 1);
                    parents[next] = cell;
                    reached.push(next);
                }
            }
        }
        Self { reached, parents, moves }
    }

    /// Number of moves to a cell, if it is reachable.
    pub(super) fn moves_to(&self, cell: usize) -> Option<usize> {
        self.moves[cell]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maze::grid::tests::{any_maze, maze};
    use proptest::prelude::*;

    /// The number of moves by relaxation until convergence: slow, but shares no code.
    fn moves_by_relaxation(maze: &Maze) -> Option<usize> {
        let (width, n_cells) = (maze.size().width(), maze.cells().len());
        let mut moves = vec![usize::MAX; n_cells];
        moves[maze.start()] = 0;
        for _ in 0..n_cells {
            for (from, to) in (0..n_cells).flat_map(|a| (0..n_cells).map(move |b| (a, b))) {
                let distance =
                    (from / width).abs_diff(to / width) + (from % width).abs_diff(to % width);
                let open = maze.cells()[to] != Cell::Wall && moves[from] != usize::MAX;
                if distance == 1 && open {
                    moves[to] = moves[to].min(moves[from] + 1);
                }
            }
        }
        Some(moves[maze.goal()]).filter(|n_moves| *n_moves != usize::MAX)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_shortest_path_is_valid_and_has_the_fewest_moves(maze in any_maze(6)) {
            let path = shortest_path(&maze);
            prop_assert_eq!(path.as_ref().map(|path| path.len() - 1), moves_by_relaxation(&maze));
            if let Some(path) = path {
                prop_assert_eq!(walk(&maze, &maze.symbols(&path)), Ok(path.len() - 1));
            }
        }

        #[test]
        fn a_path_with_a_missing_or_additional_mark_is_rejected(
            maze in any_maze(6),
            cell in 0usize..36,
        ) {
            let cell = cell % maze.cells().len();
            if let Some(path) = shortest_path(&maze) {
                let mut answer = maze.symbols(&path);
                answer[cell] = if answer[cell] == PATH { Cell::Free.symbol() } else { PATH };
                prop_assert!(walk(&maze, &answer).is_err());
            }
        }

        #[test]
        fn no_answer_makes_walk_panic(maze in any_maze(5), answer in "[# SGo_?]{25}") {
            let answer: Vec<char> = answer.chars().collect();
            let _ = walk(&maze, &answer[..maze.cells().len()]);
        }
    }

    #[test]
    fn ties_are_broken_in_the_order_down_left_right_up() {
        #[track_caller]
        fn check(rows: &[&str], want: &str) {
            let maze = maze(rows);
            assert_eq!(maze.to_text(&shortest_path(&maze).unwrap()), want);
        }
        check(&["S  ", "   ", "  G"], "S  o  ooG");
        check(&["G  ", "   ", "  S"], "G  o  ooS");
        check(&["  S", "   ", "G  "], "  S  oGoo");
        check(&["  G", "   ", "S  "], "  G  oSoo");
    }

    #[test]
    fn faults_name_the_first_wrong_cell() {
        let maze = maze(&["S  ", " # ", "  G"]);
        let walked = |text: &str| {
            let answer: Vec<char> = text.chars().collect();
            walk(&maze, &answer).map_err(|fault| fault.to_string())
        };
        let fault = |text: &str| walked(text).unwrap_err();
        assert_eq!(walked("Soo #o  G"), Ok(4));
        assert_eq!(walked("S  o# ooG"), Ok(4));
        assert_eq!(fault("S   #   G"), "the path breaks off at row 1, column 1");
        assert_eq!(fault("So  #o  G"), "the path breaks off at row 1, column 2");
        assert_eq!(fault("Soo #   G"), "the path breaks off at row 1, column 3");
        assert_eq!(fault("Soo #oo G"), "the mark at row 3, column 1 is not on the path");
        assert_eq!(fault("Soo #o oG"), "the mark at row 3, column 2 is not on the path");
        assert_eq!(fault("Sooo#oooG"), "the path branches at row 1, column 1");
        assert_eq!(fault("Soo oo  G"), "the answer changes the maze at row 2, column 2");
        assert_eq!(fault("ooo #o  G"), "the answer changes the maze at row 1, column 1");
        assert_eq!(fault("Soo_#o  G"), "the answer changes the maze at row 2, column 1");
    }

    #[test]
    fn adjacent_start_and_goal_need_no_marks_and_walls_block() {
        let walked = |rows: &[&str]| {
            let maze = maze(rows);
            walk(&maze, &maze.symbols(&[]))
        };
        assert_eq!(walked(&["SG", "  "]), Ok(1));
        assert!(walked(&["S#", "#G"]).is_err());
        assert_eq!(shortest_path(&maze(&["S#", "#G"])), None);
    }

    fn verdict(rows: &[&str], answer: &str) -> Verdict {
        check_answer(&maze(rows), &answer.chars().collect::<Vec<_>>())
    }

    #[test]
    fn answers_are_checked_by_the_rules() {
        let rows = ["S  ", " # ", "  G"];
        assert_eq!(verdict(&rows, "Soo #o  G"), Verdict::Valid);
        let why = "the path breaks off at row 1, column 2";
        assert_eq!(verdict(&rows, "So  #   G"), Verdict::Invalid(why.to_owned()));
        let why = "the path has 6 moves, the shortest 2";
        let detour = verdict(&["S  ", " # ", "G  "], "Soo #oGoo");
        assert_eq!(detour, Verdict::Invalid(why.to_owned()));
    }

    #[test]
    fn a_goal_that_cannot_be_reached_has_no_valid_answer() {
        let why = "no path leads from the start to the goal";
        assert_eq!(verdict(&["S#", "#G"], "S##G"), Verdict::Unchecked(why.to_owned()));
        let why = "the answer changes the maze at row 1, column 2";
        assert_eq!(verdict(&["S#", "#G"], "So#G"), Verdict::Invalid(why.to_owned()));
    }

    proptest! {
        #[test]
        fn the_shortest_path_is_a_valid_answer(maze in any_maze(6)) {
            if let Some(path) = shortest_path(&maze) {
                prop_assert_eq!(check_answer(&maze, &maze.symbols(&path)), Verdict::Valid);
            }
        }
    }
}
