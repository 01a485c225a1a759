//! Generating mazes: random walls, with a start and a goal far apart.
//!
//! The share of walls is uniform between 30 % and 50 %, and their positions are random.
//! The start is sampled from the free cells, the goal from the cells that are far
//! enough from the start. If there is no such cell, everything is sampled again. With a
//! side of 30 and a path of at least 110 cells, the result looks like the published
//! mazes: most have nearly as many walls as possible while the goal remains reachable.

use rand::Rng;
use rand::seq::SliceRandom;

use super::path::Search;
use super::{Maze, Size};
use crate::PuzzleError;

/// Limit of the work for one maze: the total number of cells over all attempts.
const N_CELLS_TRIED_MAX: usize = 200_000_000;

/// Samples mazes of one size and minimum path length.
#[derive(Clone, Debug)]
pub struct Generator {
    size: Size,
    min_path: usize,
    n_tries_max: usize,
}

impl Generator {
    /// Creates a generator of mazes of `size` whose shortest path has at least `min_path`
    /// cells, start and goal included.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] if the path cannot fit between the walls.
    pub fn new(size: Size, min_path: usize) -> Result<Self, PuzzleError> {
        let n_free_max = size.n_cells() - n_walls_min(size);
        if !(2..=n_free_max).contains(&min_path) {
            let expected = format!("2 to {n_free_max} for {size}");
            return Err(PuzzleError::setting("min_path", expected, min_path));
        }
        Ok(Self { size, min_path, n_tries_max: N_CELLS_TRIED_MAX / size.n_cells() })
    }

    /// Samples one maze.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Setting`] if mazes with such a long path are so rare that none
    /// was found in a few seconds.
    pub fn maze(&self, rng: &mut impl Rng) -> Result<Maze, PuzzleError> {
        let n_cells = self.size.n_cells();
        // Reshuffled for every attempt: shuffling any order is as random as shuffling
        // the initial one.
        let mut order: Vec<usize> = (0..n_cells).collect();
        let Self { size, min_path, n_tries_max } = *self;
        // A start with many far goals represents that many start/goal pairs. Accepting
        // it no more often than a start with a single far goal would bias paths towards
        // short ones.
        let n_goals_enough = (2 * n_cells / 15).max(1) as u32;
        let mut passed_over = None;
        for _ in 0..n_tries_max {
            let Some((maze, n_goals)) = self.attempt(&mut order, rng) else { continue };
            if rng.random_range(0..n_goals_enough) < n_goals as u32 {
                return Ok(maze);
            }
            passed_over.get_or_insert(maze);
        }
        passed_over.ok_or_else(|| {
            let expected =
                format!("short enough to occur among {n_tries_max} random mazes of {size}");
            PuzzleError::setting("min_path", expected, min_path)
        })
    }

    /// Samples walls, start and goal once, and counts the goals that are far enough;
    /// `None` if there is none.
    fn attempt(&self, order: &mut [usize], rng: &mut impl Rng) -> Option<(Maze, usize)> {
        let n_cells = order.len();
        let n_walls = rng.random_range(n_walls_min(self.size) as u32..=n_cells as u32 / 2);
        let (walled, free) = order.partial_shuffle(rng, n_walls as usize);
        let mut walls = vec![false; n_cells];
        walled.iter().for_each(|cell| walls[*cell] = true);

        let start = *pick(free, rng);
        let search = Search::new(self.size, |cell| !walls[cell], start);
        let is_far = |cell: &&usize| search.moves_to(**cell) >= Some(self.min_path - 1);
        // Cells are discovered in order of distance, so the far cells come last.
        let n_far = search.reached.iter().rev().take_while(is_far).count();
        let far = &search.reached[search.reached.len() - n_far..];
        (n_far > 0).then(|| {
            let maze = Maze::from_walls(self.size, &walls, start, *pick(far, rng));
            (maze, n_far)
        })
    }
}

/// The longest `min_path` up to `wanted` that is found quickly for this size.
///
/// The published length scales with the side; small mazes have even less room for
/// detours.
pub fn attainable_path(size: Size, wanted: usize) -> usize {
    let in_proportion = 11 * (size.height() + size.width()) / 6;
    let with_room = size.n_cells() / 8;
    wanted.min(in_proportion.min(with_room)).max(2)
}

fn n_walls_min(size: Size) -> usize {
    3 * size.n_cells() / 10
}

/// A uniform sample of `items`, which are not empty and fewer than 2^32.
fn pick<'a, T>(items: &'a [T], rng: &mut impl Rng) -> &'a T {
    &items[rng.random_range(0..items.len() as u32) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maze::{SIDE_MAX, SIDE_MIN, shortest_path};
    use hrm_base::rng::stream;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn paths_are_long_enough_and_the_number_of_walls_is_in_range(
            height in 2usize..=14,
            width in 2usize..=14,
            wanted in 0usize..40,
            seed: u64,
        ) {
            let size = Size { height, width };
            let min_path = attainable_path(size, wanted);
            let generator = Generator::new(size, min_path).unwrap();
            let maze = generator.maze(&mut stream(seed, "test")).unwrap();
            prop_assert!(shortest_path(&maze).unwrap().len() >= min_path);
            let n_cells = size.n_cells();
            prop_assert_eq!(maze.size(), size);
            prop_assert!((3 * n_cells / 10..=n_cells / 2).contains(&maze.n_walls()));
            prop_assert_eq!(generator.maze(&mut stream(seed, "test")).unwrap(), maze);
        }
    }

    #[test]
    fn mazes_of_the_published_size_are_found() {
        let generator = Generator::new(Size::square(30), 110).unwrap();
        let maze = generator.maze(&mut stream(1, "test")).unwrap();
        assert!(shortest_path(&maze).unwrap().len() >= 110);
        assert_eq!(attainable_path(Size::square(30), 110), 110);
    }

    #[test]
    fn attainable_paths_are_found_in_the_longest_mazes() {
        for (height, width) in [(SIDE_MAX, SIDE_MAX), (SIDE_MIN, SIDE_MAX), (SIDE_MAX, 3)] {
            let size = Size { height, width };
            let min_path = attainable_path(size, usize::MAX);
            Generator::new(size, min_path).unwrap().maze(&mut stream(1, "test")).unwrap();
        }
        assert_eq!(attainable_path(Size::square(SIDE_MAX), 5), 5);
        assert_eq!(attainable_path(Size::square(SIDE_MIN), 5), 2);
    }

    #[test]
    fn impossible_settings_are_rejected() {
        let message =
            |side, min_path| Generator::new(Size::square(side), min_path).unwrap_err().to_string();
        assert_eq!(message(2, 1), "min_path must be 2 to 3 for side 2, found 1");
        assert_eq!(message(30, 631), "min_path must be 2 to 630 for side 30, found 631");
        let wide = Generator::new(Size { height: 2, width: 5 }, 8).unwrap_err().to_string();
        assert_eq!(wide, "min_path must be 2 to 7 for 2 by 5 cells, found 8");
        let generator =
            Generator { n_tries_max: 10, ..Generator::new(Size::square(10), 70).unwrap() };
        assert_eq!(
            generator.maze(&mut stream(1, "test")).unwrap_err().to_string(),
            "min_path must be short enough to occur among 10 random mazes of side 10, found 70"
        );
    }
}
