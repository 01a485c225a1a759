//! Random building blocks of the families: numbers, colours, positions and shapes.

use hrm_base::rng::ChaCha8Rng;
use rand::Rng;

use crate::Dihedral;
use crate::arc::{Grid, N_COLOURS};

/// The background colour.
pub(super) const BLANK: u8 = 0;

/// The source of randomness of one task, with a limit on the size of grids.
pub(super) struct Sketch {
    rng: ChaCha8Rng,
    side_max: usize,
}

/// A rectangle of cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) n_rows: usize,
    pub(super) n_cols: usize,
}

impl Area {
    /// Number of cells.
    pub(super) fn n_cells(self) -> usize {
        self.n_rows * self.n_cols
    }

    /// Its cells as `(row, column)`, row by row.
    pub(super) fn cells(self) -> impl Iterator<Item = (usize, usize)> {
        let cols = self.left..self.left + self.n_cols;
        (self.top..self.top + self.n_rows)
            .flat_map(move |row| cols.clone().map(move |col| (row, col)))
    }

    /// Whether one of its cells lies on its rim.
    pub(super) fn is_rim(self, (row, col): (usize, usize)) -> bool {
        let is_end = |at, start, n| at == start || at + 1 == start + n;
        is_end(row, self.top, self.n_rows) || is_end(col, self.left, self.n_cols)
    }

    /// Whether two areas overlap or touch, corners included.
    fn touches(self, other: Self) -> bool {
        let apart = |start, n, other_start, other_n| {
            start + n < other_start || other_start + other_n < start
        };
        !apart(self.top, self.n_rows, other.top, other.n_rows)
            && !apart(self.left, self.n_cols, other.left, other.n_cols)
    }
}

impl Sketch {
    /// A sketch for grids of up to `side_max` cells per side, at least 3.
    pub(super) fn new(rng: ChaCha8Rng, side_max: usize) -> Self {
        Self { rng, side_max }
    }

    /// Longest side of a grid, in cells.
    pub(super) fn side_max(&self) -> usize {
        self.side_max
    }

    /// Calls `sample` with the longest side set to `side_max`, and returns its result.
    pub(super) fn within<T>(&mut self, side_max: usize, sample: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.side_max, side_max);
        let sampled = sample(self);
        self.side_max = before;
        sampled
    }

    /// A uniform number in `low..=high`; `low` if the range is empty.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        self.rng.random_range(low as u32..=high.max(low) as u32) as usize
    }

    /// True with the given probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_range(0.0..1.0) < probability
    }

    /// One of `items`, which are not empty.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.between(0, items.len() - 1)]
    }

    /// Distinct colours, none of them the background.
    pub(super) fn colours<const N: usize>(&mut self) -> [u8; N] {
        let sampled = self.sample(N, usize::from(N_COLOURS) - 1);
        std::array::from_fn(|idx| sampled[idx] as u8 + 1)
    }

    /// The length of a side: `low` to 14 cells, so that grids stay readable.
    pub(super) fn side(&mut self, low: usize) -> usize {
        const COMFORTABLE: usize = 14;
        self.between(low, self.side_max.min(COMFORTABLE))
    }

    /// A blank grid with sides of at least `low` cells.
    pub(super) fn blank(&mut self, low: usize) -> Grid {
        let (n_rows, n_cols) = (self.side(low), self.side(low));
        Grid::filled(n_rows, n_cols, BLANK)
    }

    /// A grid in which a share of about `density` of the cells has colours of `palette`, and
    /// the others are blank.
    pub(super) fn speckled(
        &mut self,
        n_rows: usize,
        n_cols: usize,
        palette: &[u8],
        density: f64,
    ) -> Grid {
        Grid::from_fn(
            n_rows,
            n_cols,
            |_, _| {
                if self.chance(density) { self.pick(palette) } else { BLANK }
            },
        )
    }

    /// A [`speckled`](Self::speckled) grid with at least one coloured cell on each edge.
    pub(super) fn shape(
        &mut self,
        n_rows: usize,
        n_cols: usize,
        palette: &[u8],
        density: f64,
    ) -> Grid {
        let mut shape = self.speckled(n_rows, n_cols, palette, density);
        for row in [0, n_rows - 1] {
            shape.set(row, self.between(0, n_cols - 1), self.pick(palette));
        }
        for col in [0, n_cols - 1] {
            shape.set(self.between(0, n_rows - 1), col, self.pick(palette));
        }
        shape
    }

    /// Up to `n` areas of the grid, with sides from `sides.0` to `sides.1` cells, that touch
    /// neither each other nor any of `taken`.
    pub(super) fn areas(
        &mut self,
        grid: &Grid,
        n: usize,
        sides: (usize, usize),
        taken: &[Area],
    ) -> Vec<Area> {
        const N_TRIES: usize = 20;

        let mut areas = taken.to_vec();
        for _ in 0..n * N_TRIES {
            if areas.len() == taken.len() + n {
                break;
            }
            let n_rows = self.between(sides.0, sides.1.min(grid.n_rows()));
            let n_cols = self.between(sides.0, sides.1.min(grid.n_cols()));
            let top = self.between(0, grid.n_rows() - n_rows);
            let left = self.between(0, grid.n_cols() - n_cols);
            let area = Area { top, left, n_rows, n_cols };
            if !areas.iter().any(|other| other.touches(area)) {
                areas.push(area);
            }
        }
        areas.split_off(taken.len())
    }

    /// `n` distinct numbers below `limit`, or all if there are fewer, in random order.
    pub(super) fn sample(&mut self, n: usize, limit: usize) -> Vec<usize> {
        let mut numbers: Vec<_> = (0..limit).collect();
        for done in 0..n.min(limit) {
            let other = self.between(done, limit - 1);
            numbers.swap(done, other);
        }
        numbers.truncate(n);
        numbers
    }
}

/// Copies the cells of `from` that are not blank to `onto`, at `(top, left)`.
pub(super) fn paste(onto: &mut Grid, from: &Grid, top: usize, left: usize) {
    for row in 0..from.n_rows() {
        for col in 0..from.n_cols() {
            if from.at(row, col) != BLANK {
                onto.set(top + row, left + col, from.at(row, col));
            }
        }
    }
}

/// Paints every cell of an area.
pub(super) fn paint(grid: &mut Grid, area: Area, colour: u8) {
    area.cells().for_each(|(row, col)| grid.set(row, col, colour));
}

/// Paints the cells on the rim of an area.
pub(super) fn paint_rim(grid: &mut Grid, area: Area, colour: u8) {
    let rim = area.cells().filter(|cell| area.is_rim(*cell));
    rim.for_each(|(row, col)| grid.set(row, col, colour));
}

/// Paints the cells inside the rim of an area.
pub(super) fn paint_inside(grid: &mut Grid, area: Area, colour: u8) {
    let inside = area.cells().filter(|cell| !area.is_rim(*cell));
    inside.for_each(|(row, col)| grid.set(row, col, colour));
}

/// Number of cells of one colour.
pub(super) fn count(grid: &Grid, colour: u8) -> usize {
    grid.cells().iter().filter(|found| **found == colour).count()
}

/// The pair with both grids transformed. Rules are written for one direction and then
/// turned.
pub(super) fn turned(transform: Dihedral, (input, output): (Grid, Grid)) -> (Grid, Grid) {
    (transform.apply(&input), transform.apply(&output))
}

/// The four rotations, which map "down" to every direction.
pub(super) const TURNS: [Dihedral; 4] =
    [Dihedral::Identity, Dihedral::QuarterTurn, Dihedral::HalfTurn, Dihedral::ThreeQuarterTurn];
