//! The candidate digits of every cell, and deductions on many cells at once.
//!
//! For each digit, the cells where it can still go form a bitboard. A bitboard is
//! stored in bands, one word each: a band has as many rows as a box, and bit `row * N +
//! column` of its word is a cell. The cells of a unit are then a fixed distance apart,
//! so [`fold`] determines for all units of a kind at once which of them have exactly
//! one place left for the digit, or none.
//!
//! Three deductions are repeated until none applies:
//!
//! - a cell with one candidate holds it (naked single);
//! - a digit with one place left in a unit goes there (hidden single);
//! - a digit whose places in a box share a line can be excluded from the rest of that
//!   line, and vice versa (locked candidates).

/// Largest number of cells in a band.
const N_BITS: usize = u64::BITS as usize;

/// A board of `N` by `N` cells in `B` bands; a box has `N / B` rows and `B` columns.
#[derive(Clone, Copy)]
pub(super) struct Options<const N: usize, const B: usize> {
    /// The places left for each digit.
    places: [[u64; B]; N],
    /// Cells whose digit is known and already excluded from their peers.
    settled: [u64; B],
    /// Digits, as bits, that lost a place since their units were last examined.
    stale: u32,
}

/// A digit, counted from 0, in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) cell: usize,
    pub(super) digit: usize,
}

/// Bits at `0, step, 2 * step, ..`.
const fn comb(n: usize, step: usize) -> u64 {
    let (mut bits, mut k) = (0, 0);
    while k < n {
        bits |= 1 << (k * step);
        k += 1;
    }
    bits
}

/// Which groups of `n` bits, `step` apart, have at least one bit set, and which at
/// least two. A group is identified by its lowest bit; other bits of the results are
/// meaningless.
#[inline(always)]
fn fold(bits: u64, n: usize, step: usize) -> (u64, u64) {
    let (mut some, mut several) = (bits, 0);
    for k in 1..n {
        let more = bits >> (k * step);
        several |= some & more;
        some |= more;
    }
    (some, several)
}

/// Positions of the bits that are set.
fn each_bit(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(lowest)
    })
}

impl<const N: usize, const B: usize> Options<N, B> {
    /// Rows of a box, which is also the number of boxes per band.
    const R: usize = N / B;
    /// Cells of a band.
    const N_BAND: usize = N * Self::R;

    // Bit sets. Multiplying one by the lowest bits of groups fills these groups.
    /// One row; also the top cells of all columns of a band.
    const ROW: u64 = comb(N, 1);
    /// The first cell of every row of a band; also one column.
    const COLUMN: u64 = comb(Self::R, N);
    /// The cells that a row and a box share: a mini-row.
    const MINIROW: u64 = comb(B, 1);
    /// The first cell of every mini-row of one row.
    const BOXES: u64 = comb(Self::R, B);
    /// The first cell of every mini-row of a band.
    const MINIROWS: u64 = Self::BOXES * Self::COLUMN;
    /// A whole band.
    const BAND: u64 = Self::ROW * Self::COLUMN;

    /// Indexed by band and bit of a cell: the cells that share a unit with it.
    const PEERS: [[[u64; B]; N_BITS]; B] = {
        let mut peers = [[[0; B]; N_BITS]; B];
        let mut band = 0;
        while band < B {
            let mut bit = 0;
            while bit < Self::N_BAND {
                let (row, column) = (bit / N, bit % N);
                let of_cell = &mut peers[band][bit];
                let mut other = 0;
                while other < B {
                    of_cell[other] = Self::COLUMN << column;
                    other += 1;
                }
                let in_row = Self::ROW << (row * N);
                let in_box = (Self::COLUMN * Self::MINIROW) << (column / B * B);
                of_cell[band] |= in_row | in_box;
                of_cell[band] &= !(1 << bit);
                bit += 1;
            }
            band += 1;
        }
        peers
    };

    /// The candidates left by `givens` (0 for blank), before any deduction.
    pub(super) fn new(givens: &[u8]) -> Self {
        let places = [[Self::BAND; B]; N];
        let mut options = Self { places, settled: [0; B], stale: 0 };
        for (cell, digit) in givens.iter().enumerate().filter(|(_, digit)| **digit != 0) {
            options.place(Placement { cell, digit: usize::from(*digit) - 1 });
        }
        options.stale = u32::MAX >> (u32::BITS as usize - N);
        options
    }

    /// Band and bit of a cell.
    fn at(cell: usize) -> (usize, usize) {
        (cell / Self::N_BAND, cell % Self::N_BAND)
    }

    /// Restricts a cell to one digit; to none if it was not a candidate.
    pub(super) fn place(&mut self, Placement { cell, digit }: Placement) {
        let (band, bit) = Self::at(cell);
        for (other, places) in self.places.iter_mut().enumerate() {
            if other != digit && places[band] >> bit & 1 != 0 {
                places[band] &= !(1 << bit);
                self.stale |= 1 << other;
            }
        }
    }

    /// Removes one digit from a cell's candidates.
    pub(super) fn exclude(&mut self, Placement { cell, digit }: Placement) {
        let (band, bit) = Self::at(cell);
        self.places[digit][band] &= !(1 << bit);
        self.stale |= 1 << digit;
    }

    /// Applies deductions until none applies; false on a contradiction.
    ///
    /// If this returns true and all cells are settled, the board obeys the rules: every
    /// cell has one candidate, and every unit has a place for every digit.
    pub(super) fn deduce(&mut self) -> bool {
        loop {
            let [some, several] = self.at_least();
            let mut naked = [0; B];
            for band in 0..B {
                if some[band] != Self::BAND {
                    return false;
                }
                naked[band] = some[band] & !several[band] & !self.settled[band];
            }
            if naked != [0; B] {
                for digit in 0..N {
                    self.settle(digit, naked);
                }
            } else if self.stale == 0 {
                return true;
            } else {
                for digit in each_bit(u64::from(self.stale)) {
                    self.stale &= !(1 << digit);
                    if !self.look_at_units(digit) {
                        return false;
                    }
                }
            }
        }
    }

    /// Cells with at least 1, 2, .. candidates.
    fn at_least<const K: usize>(&self) -> [[u64; B]; K] {
        let mut at_least = [[0; B]; K];
        for places in &self.places {
            for band in 0..B {
                for k in (1..K).rev() {
                    at_least[k][band] |= at_least[k - 1][band] & places[band];
                }
                at_least[0][band] |= places[band];
            }
        }
        at_least
    }

    /// Excludes a digit from the peers of the `cells` that hold it. If two such cells
    /// share a unit, both lose their last candidate, which the next step detects.
    fn settle(&mut self, digit: usize, cells: [u64; B]) {
        let places = &mut self.places[digit];
        for band in 0..B {
            let held = places[band] & cells[band];
            if held == 0 {
                continue;
            }
            self.settled[band] |= held;
            self.stale |= 1 << digit;
            for bit in each_bit(held) {
                for (places, peers) in places.iter_mut().zip(&Self::PEERS[band][bit]) {
                    *places &= !peers;
                }
            }
        }
    }

    /// Finds hidden singles and locked candidates of one digit; false if a unit has no
    /// place for it.
    fn look_at_units(&mut self, digit: usize) -> bool {
        let before = self.places[digit];
        // The remaining places, and those that are the only place in a unit.
        let (mut kept, mut single) = ([0; B], [0; B]);

        // Rows lie within a band: which mini-rows have a place?
        for band in 0..B {
            let (some, several) = fold(before[band], B, 1);
            let minirows = some & Self::MINIROWS;
            let (in_row, in_row_twice) = fold(minirows, Self::R, B);
            let (in_box, in_box_twice) = fold(minirows, Self::R, N);
            if !in_row & Self::COLUMN != 0 || !in_box & Self::BOXES != 0 {
                return false;
            }
            let row_alone = minirows & ((in_row & !in_row_twice & Self::COLUMN) * Self::BOXES);
            let box_alone = minirows & ((in_box & !in_box_twice & Self::BOXES) * Self::COLUMN);
            let (box_taken, _) = fold(row_alone, Self::R, N);
            let (row_taken, _) = fold(box_alone, Self::R, B);
            let lost = (((box_taken & Self::BOXES) * Self::COLUMN) & !row_alone)
                | (((row_taken & Self::COLUMN) * Self::BOXES) & !box_alone);
            kept[band] = before[band] & !(lost * Self::MINIROW);
            single[band] = ((row_alone | box_alone) & !several) * Self::MINIROW;
        }

        // Columns span bands: which of their parts within a band have a place? Such a
        // part is identified by its top cell.
        let parts = before.map(|places| fold(places, Self::R, N));
        let (mut in_column, mut in_column_twice) = (0, 0);
        for (some, _) in parts {
            in_column_twice |= in_column & some;
            in_column |= some;
        }
        if !in_column & Self::ROW != 0 {
            return false;
        }
        let box_alone = parts.map(|(some, _)| {
            let (in_box, in_box_twice) = fold(some & Self::ROW, B, 1);
            some & ((in_box & !in_box_twice & Self::BOXES) * Self::MINIROW)
        });
        let column_taken = box_alone.iter().fold(0, |taken, part| taken | part);
        for band in 0..B {
            let (some, several) = parts[band];
            let column_alone = some & Self::ROW & !in_column_twice;
            let (box_taken, _) = fold(column_alone, B, 1);
            let lost = (((box_taken & Self::BOXES) * Self::MINIROW) & !column_alone)
                | (column_taken & !box_alone[band]);
            kept[band] &= !(lost * Self::COLUMN);
            single[band] |= ((column_alone | box_alone[band]) & !several) * Self::COLUMN;
        }

        self.places[digit] = kept;
        if kept != before {
            self.stale |= 1 << digit;
        }
        for band in 0..B {
            single[band] &= kept[band] & !self.settled[band];
        }
        if single != [0; B] {
            self.clear(single, digit);
            self.settle(digit, single);
        }
        true
    }

    /// Removes every digit except one from `cells`.
    fn clear(&mut self, cells: [u64; B], digit: usize) {
        for (other, places) in self.places.iter_mut().enumerate() {
            let mut lost = 0;
            for band in 0..B {
                lost |= places[band] & cells[band];
            }
            if lost != 0 && other != digit {
                for band in 0..B {
                    places[band] &= !cells[band];
                }
                self.stale |= 1 << other;
            }
        }
    }

    /// The next guess; `None` if every cell is settled.
    ///
    /// Chooses a cell with the fewest candidates (more than four count as four). Ties
    /// between cells and between their digits go to the guess that excludes the most
    /// from its peers, where a peer with two candidates counts four times, since it
    /// would be settled.
    pub(super) fn guess(&self) -> Option<Placement> {
        let [_, two, three, four] = self.at_least::<4>();
        let but = |more: [u64; B], fewer: [u64; B]| {
            std::array::from_fn::<u64, B, _>(|band| more[band] & !fewer[band])
        };
        let with_two = but(two, three);
        let cells =
            [with_two, but(three, four), four].into_iter().find(|cells| *cells != [0; B])?;

        let mut best = None;
        for band in 0..B {
            for bit in each_bit(cells[band]) {
                let peers = &Self::PEERS[band][bit];
                let (mut of_cell, mut likeliest) = (0, None);
                for (digit, places) in self.places.iter().enumerate() {
                    if places[band] >> bit & 1 == 0 {
                        continue;
                    }
                    let excluded = (0..B).map(|band| {
                        let lost = places[band] & peers[band];
                        lost.count_ones() + 3 * (lost & with_two[band]).count_ones()
                    });
                    let excluded: u32 = excluded.sum();
                    of_cell += excluded;
                    if likeliest.is_none_or(|(most, _)| excluded > most) {
                        likeliest = Some((excluded, digit));
                    }
                }
                let Some((_, digit)) = likeliest else { continue };
                if best.is_none_or(|(most, _)| of_cell > most) {
                    let cell = band * Self::N_BAND + bit;
                    best = Some((of_cell, Placement { cell, digit }));
                }
            }
        }
        best.map(|(_, guess)| guess)
    }

    /// The candidate digits of a cell, counted from 0, as bits.
    pub(super) fn digits_of(&self, cell: usize) -> u32 {
        let (band, bit) = Self::at(cell);
        let has = |digit: usize| (self.places[digit][band] >> bit & 1) as u32;
        (0..N).fold(0, |digits, digit| digits | has(digit) << digit)
    }

    /// The first candidate of every cell, counted from 1.
    ///
    /// # Panics
    ///
    /// If a cell has no candidate.
    pub(super) fn to_cells(self) -> Vec<u8> {
        let first = |cell| self.digits_of(cell).trailing_zeros() as u8 + 1;
        (0..N * N).map(first).collect()
    }
}
