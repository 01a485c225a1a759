//! Majority vote over predictions of one output. The two highest-ranked grids are submitted.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use hrm_puzzles::arc::Grid;

/// Predictions of one test output, with their augmentations undone.
///
/// The result does not depend on the order of the votes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ballot {
    /// Halting logit of each vote, by grid.
    votes: BTreeMap<Grid, Vec<f32>>,
}

impl Ballot {
    /// Adds one prediction with the model's confidence, its halting logit. NaN counts
    /// as zero confidence.
    pub fn add(&mut self, grid: Grid, q_halt: f32) {
        self.votes.entry(grid).or_default().push(q_halt);
    }

    /// Number of votes for all grids.
    pub fn n_votes(&self) -> usize {
        self.votes.values().map(Vec::len).sum()
    }

    /// The predicted grids by number of votes, ties by mean confidence; highest first.
    pub fn ranking(&self) -> Vec<&Grid> {
        let rank = |(grid, votes)| (grid, Vec::len(votes), mean_confidence(votes));
        let mut ranked: Vec<(&Grid, usize, f64)> = self.votes.iter().map(rank).collect();
        // The sort is stable: full ties stay in the order of the map.
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(b.2.total_cmp(&a.2)));
        ranked.into_iter().map(|(grid, ..)| grid).collect()
    }

    /// Adds the votes of another ballot.
    pub(crate) fn append(&mut self, other: Self) {
        for (grid, votes) in other.votes {
            self.votes.entry(grid).or_default().extend(votes);
        }
    }

    /// Writes the votes in the form that [`read`](Self::read) understands.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&(self.votes.len() as u32).to_le_bytes())?;
        for (grid, votes) in &self.votes {
            out.write_all(&[grid.n_rows() as u8, grid.n_cols() as u8])?;
            out.write_all(grid.cells())?;
            out.write_all(&(votes.len() as u32).to_le_bytes())?;
            for q_halt in votes {
                out.write_all(&q_halt.to_le_bytes())?;
            }
        }
        Ok(())
    }

    /// Reads a ballot that [`write`](Self::write) wrote.
    pub(crate) fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut word = [0; 4];
        let mut count = |input: &mut dyn Read| -> io::Result<u32> {
            input.read_exact(&mut word)?;
            Ok(u32::from_le_bytes(word))
        };
        let mut ballot = Self::default();
        for _ in 0..count(input)? {
            let mut size = [0; 2];
            input.read_exact(&mut size)?;
            let [n_rows, n_cols] = size.map(usize::from);
            let mut cells = vec![0; n_rows * n_cols];
            input.read_exact(&mut cells)?;
            let grid = Grid::from_fn(n_rows, n_cols, |row, col| cells[row * n_cols + col]);
            let votes = ballot.votes.entry(grid).or_default();
            for _ in 0..count(input)? {
                votes.push(f32::from_bits(count(input)?));
            }
        }
        Ok(ballot)
    }
}

/// Mean probability of halting; a NaN logit counts as probability 0.
fn mean_confidence(votes: &[f32]) -> f64 {
    let confidence = |q_halt: &f32| {
        let confidence = 1.0 / (1.0 + f64::from(-q_halt).exp());
        if confidence.is_nan() { 0.0 } else { confidence }
    };
    // Sorted, so that rounding does not depend on the order of the votes.
    let mut sorted: Vec<f64> = votes.iter().map(confidence).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.iter().sum::<f64>() / sorted.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::tests::grid;
    use proptest::prelude::*;

    fn ranking(votes: &[(&str, f32)]) -> Vec<Grid> {
        let mut ballot = Ballot::default();
        votes.iter().for_each(|(text, q_halt)| ballot.add(grid(text), *q_halt));
        ballot.ranking().into_iter().cloned().collect()
    }

    #[test]
    fn votes_rank_before_confidence() {
        assert_eq!(ranking(&[]), []);
        let votes = [("1", -4.0), ("2", 9.0), ("3", 1.0), ("1", -5.0)];
        assert_eq!(ranking(&votes), [grid("1"), grid("2"), grid("3")]);
        // The mean is over probabilities, not logits: 0.5 and 0.5 beat 0 and almost 1.
        let votes = [("1", -90.0), ("1", 3.0), ("2", 0.0), ("2", 0.0)];
        assert_eq!(ranking(&votes), [grid("2"), grid("1")]);
    }

    #[test]
    fn a_nan_logit_counts_as_zero_confidence() {
        let votes = [("1", f32::NAN), ("2", f32::NEG_INFINITY), ("3", f32::INFINITY)];
        assert_eq!(ranking(&votes)[0], grid("3"));
    }

    proptest! {
        #[test]
        fn the_order_of_votes_does_not_matter(
            votes in prop::collection::vec((0u8..4, -5f32..5.0), 0..12),
            turn in 0usize..12,
        ) {
            let ranking = |votes: &[(u8, f32)]| {
                let mut ballot = Ballot::default();
                for (colour, q_halt) in votes {
                    ballot.add(Grid::filled(1, 1, *colour), *q_halt);
                }
                ballot.ranking().into_iter().cloned().collect::<Vec<_>>()
            };
            let mut turned = votes.clone();
            turned.rotate_left(turn.min(votes.len()));
            prop_assert_eq!(ranking(&votes), ranking(&turned));
            turned.reverse();
            prop_assert_eq!(ranking(&votes), ranking(&turned));
        }
    }
}
