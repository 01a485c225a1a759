//! Checks whether two puzzles are equivalent under relabelling, permutation and
//! transposition.
//!
//! The method is colour refinement, as for graph isomorphism. Every row, column and
//! digit gets a colour: initially a hash of how a line maps its digits to those of
//! every other line, then, repeatedly, a hash of the colours that it meets. Equivalent
//! puzzles have the same colours, so a sum of the colours already distinguishes most
//! pairs. Pairs with equal colours are compared exactly: if several rows or columns
//! share a colour, one of them is picked and matched with each candidate in turn, until
//! the lines correspond one to one and the cells can be compared. Colours only save
//! work; a hash collision costs time, but never changes the result.

use std::collections::HashMap;

use hrm_base::progress::Stage;
use rayon::prelude::*;

use super::{Board, Shape};
use crate::Leak;

/// Rounds of refinement. The colours of a random board settle within four.
const N_ROUNDS: usize = 5;

/// Puzzles of `eval` that also occur in `train`, each with the first occurrence.
pub fn leaks(shape: Shape, train: &[(String, &Board)], eval: &[(String, &Board)]) -> Vec<Leak> {
    let n_parts = train.len() + 2 * eval.len();
    let stage = Stage::start("comparing puzzles", n_parts as u64);
    let signatures = |boards: &[(String, &Board)]| -> Vec<[u64; 2]> {
        let counted = boards.par_iter().inspect(|_| stage.advance(1));
        counted.map(|(_, board)| signature(shape, board)).collect()
    };
    let mut alike: HashMap<[u64; 2], Vec<usize>> = HashMap::new();
    for (at, signature) in signatures(train).into_iter().enumerate() {
        alike.entry(signature).or_default().push(at);
    }
    let leak = |((name, board), signature): (&(String, &Board), [u64; 2])| {
        let mut candidates = alike.get(&signature)?.iter().map(|at| &train[*at]);
        let (train, _) = candidates.find(|(_, other)| are_equivalent(shape, board, other))?;
        let why = "relabelled, permuted or transposed";
        Some(Leak { eval: name.clone(), train: train.clone(), why })
    };
    let signed = eval.par_iter().zip(signatures(eval));
    signed.inspect(|_| stage.advance(1)).filter_map(leak).collect()
}

/// A value that is equal for equivalent puzzles and almost always different for others.
fn signature(shape: Shape, board: &Board) -> [u64; 2] {
    let one = Coloured::new(shape, board.clone()).signature();
    if shape.box_rows != shape.box_columns {
        return [one, one];
    }
    let other = Coloured::new(shape, transposed(shape, board)).signature();
    [one.min(other), one.max(other)]
}

/// Whether a symmetry maps one board to the other.
pub fn are_equivalent(shape: Shape, one: &Board, other: &Board) -> bool {
    if one == other {
        return true;
    }
    let target = Coloured::new(shape, other.clone());
    matches(&Coloured::new(shape, one.clone()), &target)
        || shape.box_rows == shape.box_columns
            && matches(&Coloured::new(shape, transposed(shape, one)), &target)
}

fn transposed(shape: Shape, board: &Board) -> Board {
    let side = shape.side;
    let cell = |at: usize| board.cells()[at % side * side + at / side];
    Board::new(shape, (0..shape.n_cells()).map(cell).collect())
}

/// Rows or columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Row(usize),
    Column(usize),
}

/// A board with the colours of its lines.
#[derive(Clone)]
struct Coloured {
    shape: Shape,
    board: Board,
    rows: Vec<u64>,
    columns: Vec<u64>,
    digits: Vec<u64>,
}

impl Coloured {
    fn new(shape: Shape, board: Board) -> Self {
        let side = shape.side;
        let row = |row: usize, at: usize| board.cells()[row * side + at];
        let column = |column: usize, at: usize| board.cells()[at * side + column];
        let rows = first_colours(side, shape.box_rows, row);
        let columns = first_colours(side, shape.box_columns, column);
        let mut coloured = Self { shape, rows, columns, digits: vec![1; side + 1], board };
        coloured.refine();
        coloured
    }

    fn refine(&mut self) {
        let Shape { side, box_rows, box_columns } = self.shape;
        for _ in 0..N_ROUNDS {
            let mut boxes = vec![0u64; side];
            let mut met = [vec![0u64; side], vec![0u64; side], vec![0u64; side + 1]];
            let givens = || self.board.cells().iter().enumerate().filter(|(_, digit)| **digit != 0);
            for (cell, digit) in givens() {
                let [row, column, square] = self.shape.units_of(cell);
                let seen = [self.rows[row], self.columns[column], self.digits[usize::from(*digit)]];
                boxes[square] = boxes[square].wrapping_add(mixed(&seen));
            }
            for (cell, digit) in givens() {
                let [row, column, square] = self.shape.units_of(cell);
                let digit = usize::from(*digit);
                let (r, c, d) = (self.rows[row], self.columns[column], self.digits[digit]);
                let square = boxes[square];
                met[0][row] = met[0][row].wrapping_add(mixed(&[c, d, square]));
                met[1][column] = met[1][column].wrapping_add(mixed(&[r, d, square]));
                met[2][digit] = met[2][digit].wrapping_add(mixed(&[r, c, square]));
            }
            let recolour = |colours: &mut [u64], met: &[u64]| {
                for (colour, met) in colours.iter_mut().zip(met) {
                    *colour = mixed(&[*colour, *met]);
                }
            };
            let [of_rows, of_columns, of_digits] = met;
            recolour(&mut self.rows, &of_rows);
            recolour(&mut self.columns, &of_columns);
            recolour(&mut self.digits, &of_digits);
            // Lines of one band or stack stay together.
            for (colours, n) in [(&mut self.rows, box_rows), (&mut self.columns, box_columns)] {
                for group in colours.chunks_mut(n) {
                    let whole = sum(group);
                    group.iter_mut().for_each(|colour| *colour = mixed(&[*colour, whole]));
                }
            }
        }
    }

    fn signature(&self) -> u64 {
        mixed(&[sum(&self.rows), sum(&self.columns), sum(&self.digits[1..])])
    }

    /// Number of lines with each colour; rows and columns separately.
    fn counts(&self) -> [HashMap<u64, usize>; 2] {
        [&self.rows, &self.columns].map(|colours| {
            let mut counts = HashMap::new();
            for colour in colours {
                *counts.entry(*colour).or_default() += 1;
            }
            counts
        })
    }

    fn lines(&self) -> impl Iterator<Item = Line> + use<> {
        let side = self.shape.side;
        (0..side).map(Line::Row).chain((0..side).map(Line::Column))
    }

    fn colour(&self, line: Line) -> (bool, u64) {
        match line {
            Line::Row(row) => (true, self.rows[row]),
            Line::Column(column) => (false, self.columns[column]),
        }
    }

    /// The same board with a unique colour for one line.
    fn with_picked(&self, line: Line) -> Self {
        let mut picked = self.clone();
        match line {
            Line::Row(row) => picked.rows[row] = mixed(&[picked.rows[row]]),
            Line::Column(column) => picked.columns[column] = mixed(&[picked.columns[column]]),
        }
        picked.refine();
        picked
    }
}

/// Whether lines of equal colours can be matched so that the cells agree.
fn matches(one: &Coloured, other: &Coloured) -> bool {
    let counts = one.counts();
    if counts != other.counts() {
        return false;
    }
    let n_alike = |line: &Line| match one.colour(*line) {
        (true, colour) => counts[0][&colour],
        (false, colour) => counts[1][&colour],
    };
    let Some(line) = one.lines().filter(|line| n_alike(line) > 1).min_by_key(n_alike) else {
        return agree(one, other);
    };
    let picked = one.with_picked(line);
    let mut candidates = other.lines().filter(|c| other.colour(*c) == one.colour(line));
    candidates.any(|candidate| matches(&picked, &other.with_picked(candidate)))
}

/// Whether the cells agree when every line is matched with the line of the same colour.
fn agree(one: &Coloured, other: &Coloured) -> bool {
    let Shape { side, box_rows, box_columns } = one.shape;
    let image = |from: &[u64], to: &[u64]| -> Option<Vec<usize>> {
        from.iter().map(|colour| to.iter().position(|c| c == colour)).collect()
    };
    let rows = image(&one.rows, &other.rows);
    let (Some(rows), Some(columns)) = (rows, image(&one.columns, &other.columns)) else {
        return false;
    };
    let keeps_groups = |lines: &[usize], n: usize| {
        lines.chunks(n).all(|group| group.iter().all(|line| line / n == group[0] / n))
    };
    if !keeps_groups(&rows, box_rows) || !keeps_groups(&columns, box_columns) {
        return false;
    }
    // Blank counts as a digit that must map to blank.
    let (mut there, mut back) = (vec![None; side + 1], vec![None; side + 1]);
    (there[0], back[0]) = (Some(0), Some(0));
    one.board.cells().iter().enumerate().all(|(cell, digit)| {
        let image = other.board.cells()[rows[cell / side] * side + columns[cell % side]];
        *there[usize::from(*digit)].get_or_insert(image) == image
            && *back[usize::from(image)].get_or_insert(*digit) == *digit
    })
}

/// Initial colour of each line: the structure of the digit maps from this line to each
/// other line. These maps differ even on a full board, where every line has all digits.
fn first_colours(side: usize, n_group: usize, cell: impl Fn(usize, usize) -> u8) -> Vec<u64> {
    let ways = |from: usize, to: usize| {
        let mut next = [0u8; 17];
        let mut is_reached = [false; 17];
        for at in 0..side {
            let (digit, image) = (cell(from, at), cell(to, at));
            if digit != 0 && image != 0 {
                next[usize::from(digit)] = image;
                is_reached[usize::from(image)] = true;
            }
        }
        // Chains first, from their open ends; the rest are cycles.
        let mut total = 0u64;
        for is_ring in [false, true] {
            for (first, is_reached) in is_reached.iter().enumerate().take(side + 1).skip(1) {
                let mut at = first;
                let mut n_moves = 0;
                while (is_ring || !is_reached) && next[at] != 0 {
                    at = usize::from(std::mem::take(&mut next[at]));
                    n_moves += 1;
                }
                total = total.wrapping_add(mixed(&[n_moves, u64::from(is_ring)]));
            }
        }
        mixed(&[total, u64::from(from / n_group == to / n_group)])
    };
    let colour = |line| {
        let others = (0..side).filter(|other| *other != line);
        others.fold(1u64, |colour, other| colour.wrapping_add(ways(line, other)))
    };
    (0..side).map(colour).collect()
}

fn sum(colours: &[u64]) -> u64 {
    colours.iter().fold(0, |sum, colour| sum.wrapping_add(mixed(&[*colour])))
}

/// A hash of numbers in order.
fn mixed(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, number| {
        // The finaliser of SplitMix64.
        let mut z = (hash ^ number).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sudoku::{Symmetry, minimal_puzzle, solved_board};
    use hrm_base::rng::stream;
    use proptest::prelude::*;

    /// A puzzle with few, many or all givens.
    fn puzzle(shape: Shape, seed: u64) -> Board {
        let rng = &mut stream(seed, "test");
        match seed % 3 {
            0 if shape.side < 16 => minimal_puzzle(shape, 0, rng).0,
            1 => {
                let mut board = solved_board(shape, rng);
                (0..shape.n_cells())
                    .filter(|cell| cell % 3 > 0)
                    .for_each(|cell| board.set(cell, 0));
                board
            }
            _ => solved_board(shape, rng),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn images_under_a_symmetry_are_equivalent(
            seed in any::<u64>(),
            side in prop::sample::select(vec![4usize, 6, 9, 16]),
        ) {
            let shape = Shape::new(side).unwrap();
            let board = puzzle(shape, seed);
            let image = Symmetry::random(shape, &mut stream(seed, "symmetry")).apply(shape, &board);
            prop_assert!(are_equivalent(shape, &board, &image));
            prop_assert_eq!(signature(shape, &board), signature(shape, &image));
        }

        #[test]
        fn removing_or_changing_a_given_yields_another_puzzle(seed in any::<u64>(), at: usize) {
            for side in [9, 16] {
                let shape = Shape::new(side).unwrap();
                let board = puzzle(shape, seed - seed % 3 + 1);
                let other =
                    Symmetry::random(shape, &mut stream(seed, "symmetry")).apply(shape, &board);
                let given = |n: usize| {
                    let givens = (0..shape.n_cells()).filter(|cell| other.cells()[*cell] != 0);
                    givens.cycle().nth(n % shape.n_cells()).unwrap()
                };
                let (mut fewer, mut changed) = (other.clone(), other.clone());
                fewer.set(given(at), 0);
                prop_assert!(!are_equivalent(shape, &board, &fewer));
                // The same cells are given, but one holds another digit.
                let digit = changed.cells()[given(at)];
                changed.set(given(at), digit % side as u8 + 1);
                prop_assert!(!are_equivalent(shape, &board, &changed));
            }
        }
    }

    /// All images of a board of side 4: 2 x 2^2 row orders, 2 x 2^2 column orders, 4!
    /// relabellings, and transposition.
    fn all_images(board: &Board) -> std::collections::HashSet<Board> {
        let shape = Shape::new(4).unwrap();
        let mut images = std::collections::HashSet::from([board.clone()]);
        // Random symmetries reach every element of this group of 3072 many times.
        for seed in 0..40_000 {
            let symmetry = Symmetry::random(shape, &mut stream(seed, "test"));
            images.insert(symmetry.apply(shape, board));
        }
        images
    }

    #[test]
    fn small_boards_are_equivalent_exactly_if_one_is_an_image_of_the_other() {
        let shape = Shape::new(4).unwrap();
        let boards: Vec<Board> =
            (0..30).map(|seed| minimal_puzzle(shape, 0, &mut stream(seed, "test")).0).collect();
        let images = all_images(&boards[0]);
        let n_same = boards.iter().filter(|board| images.contains(*board)).count();
        assert!(n_same > 1 && n_same < boards.len(), "{n_same}");
        for board in &boards {
            assert_eq!(are_equivalent(shape, &boards[0], board), images.contains(board));
        }
    }

    #[test]
    fn rows_cannot_be_swapped_across_bands() {
        // The same rows, but two are swapped across bands.
        let shape = Shape::new(9).unwrap();
        let board = puzzle(shape, 1);
        let mut cells = board.cells().to_vec();
        (0..9).for_each(|column| cells.swap(column, 27 + column));
        assert!(!are_equivalent(shape, &board, &Board::new(shape, cells)));
        // Boards with boxes of 2 by 3 cannot be transposed.
        let six = Shape::new(6).unwrap();
        let board = puzzle(six, 1);
        assert!(!are_equivalent(six, &board, &transposed(six, &board)));
        assert!(are_equivalent(six, &Board::blank(six), &Board::blank(six)));
    }

    #[test]
    fn full_boards_of_different_classes_are_distinguished() {
        // One full board of side 4 from each equivalence class. In both, every row, column
        // and digit meets all others.
        let shape = Shape::new(4).unwrap();
        let board = |text| Board::parse(shape, text, "test").unwrap();
        let (cyclic, other) = (board("1234341223414123"), board("1234341221434321"));
        assert!(!are_equivalent(shape, &cyclic, &other));
        assert!(
            all_images(&cyclic).iter().take(50).all(|image| are_equivalent(shape, &cyclic, image))
        );
    }
}
