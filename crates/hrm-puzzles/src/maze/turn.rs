//! Mazes rotated and reflected.

use super::Maze;
use crate::Dihedral;

impl Maze {
    /// Applies a symmetry of the square; height and width may change places.
    #[must_use]
    pub fn turned(&self, transform: Dihedral) -> Self {
        let (from, size) = (self.size(), self.size().turned(transform));
        self.rearranged(size, |to| {
            let (row, col) = (to / size.width(), to % size.width());
            let (row, col) = transform.source(from.height(), from.width(), row, col);
            row * from.width() + col
        })
    }

    /// A canonical form: equal for all rotations and reflections of a maze.
    pub fn canonical(&self) -> Self {
        let versions = Dihedral::ALL.into_iter().map(|transform| self.turned(transform));
        versions.min().expect("there are eight transforms")
    }
}

#[cfg(test)]
mod tests {
    use crate::Dihedral;
    use crate::maze::grid::tests::{any_maze, maze};
    use crate::maze::{Maze, shortest_path};
    use proptest::prelude::*;

    #[test]
    fn transforms_are_numbered_as_in_the_published_data() {
        let original = maze(&["S# ", "  #", "  G"]);
        let want = [
            "S#   #  G",
            " #G#  S  ",
            "G  #   #S",
            "  S  #G# ",
            " #S#  G  ",
            "  G  #S# ",
            "S  #   #G",
            "G#   #  S",
        ];
        for (number, (transform, want)) in Dihedral::ALL.into_iter().zip(want).enumerate() {
            assert_eq!(transform.number(), number);
            assert_eq!(original.turned(transform).to_text(&[]), want, "{transform:?}");
        }
        let wide = maze(&["S# ", " G#"]);
        assert_eq!(wide.turned(Dihedral::QuarterTurn), maze(&[" #", "#G", "S "]));
        assert_eq!(wide.turned(Dihedral::Transpose), maze(&["S ", "#G", " #"]));
        let inverses = Dihedral::ALL.map(|transform| transform.inverse().number());
        assert_eq!(inverses, [0, 3, 2, 1, 4, 5, 6, 7]);
    }

    proptest! {
        #[test]
        fn undoing_a_transform_restores_the_maze(maze in any_maze(8), number in 0usize..8) {
            let transform = Dihedral::ALL[number];
            prop_assert_eq!(maze.turned(transform).turned(transform.inverse()), maze);
        }

        #[test]
        fn turns_and_flips_compose(maze in any_maze(8)) {
            let turn = Dihedral::QuarterTurn;
            let half = maze.turned(turn).turned(turn);
            prop_assert_eq!(&half, &maze.turned(Dihedral::HalfTurn));
            prop_assert_eq!(half.turned(turn), maze.turned(Dihedral::ThreeQuarterTurn));
            let flipped = maze.turned(turn).turned(Dihedral::FlipLeftRight);
            prop_assert_eq!(flipped, maze.turned(Dihedral::AntiTranspose));
        }

        #[test]
        fn a_turned_maze_has_an_equally_long_path_and_the_same_canonical_form(
            maze in any_maze(8),
            number in 0usize..8,
        ) {
            let turned = maze.turned(Dihedral::ALL[number]);
            let n_cells = |maze: &Maze| shortest_path(maze).map(|path| path.len());
            prop_assert_eq!(n_cells(&turned), n_cells(&maze));
            prop_assert_eq!(turned.n_walls(), maze.n_walls());
            prop_assert_eq!(turned.canonical(), maze.canonical());
        }
    }
}
