//! Many predictions of one output, and the two that are handed in.

use std::collections::BTreeMap;

use crate::arc::Grid;

/// Predictions of one test output, in the task's own frame.
///
/// What comes out does not depend on the order in which votes came in.
#[derive(Clone, Debug, Default)]
pub struct Ballot {
    /// Confidence of each vote, by grid.
    votes: BTreeMap<Grid, Vec<f64>>,
}

impl Ballot {
    /// Counts one prediction and how sure the model is of it, as the halting
    /// logit. A logit that is not a number counts as no confidence at all.
    pub fn add(&mut self, grid: Grid, q_halt: f32) {
        let confidence = 1.0 / (1.0 + f64::from(-q_halt).exp());
        let confidence = if confidence.is_nan() { 0.0 } else { confidence };
        self.votes.entry(grid).or_default().push(confidence);
    }

    /// The predicted grids, most votes first, then the surest on average.
    pub fn ranking(&self) -> Vec<&Grid> {
        let rank = |(grid, votes)| (grid, Vec::len(votes), mean(votes));
        let mut ranked: Vec<(&Grid, usize, f64)> = self.votes.iter().map(rank).collect();
        // Equals stay in the order of the map.
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(b.2.total_cmp(&a.2)));
        ranked.into_iter().map(|(grid, ..)| grid).collect()
    }

    /// Place of a grid among the predictions, 0 for the winner.
    pub fn place(&self, grid: &Grid) -> Option<usize> {
        self.ranking().into_iter().position(|ranked| ranked == grid)
    }
}

fn mean(confidences: &[f64]) -> f64 {
    // Sorted, so that rounding is the same whatever the order of arrival.
    let mut sorted = confidences.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.iter().sum::<f64>() / sorted.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arc::grid::tests::grid;
    use proptest::prelude::*;

    fn ranking(votes: &[(&str, f32)]) -> Vec<Grid> {
        let mut ballot = Ballot::default();
        votes.iter().for_each(|(text, q_halt)| ballot.add(grid(text), *q_halt));
        ballot.ranking().into_iter().cloned().collect()
    }

    #[test]
    fn count_goes_before_confidence() {
        assert_eq!(ranking(&[]), []);
        let votes = [("1", -4.0), ("2", 9.0), ("3", 1.0), ("1", -5.0)];
        assert_eq!(ranking(&votes), [grid("1"), grid("2"), grid("3")]);
        // The mean is taken of probabilities: 0.5 and 0.5 beat 0 and almost 1.
        let votes = [("1", -90.0), ("1", 3.0), ("2", 0.0), ("2", 0.0)];
        assert_eq!(ranking(&votes), [grid("2"), grid("1")]);
    }

    #[test]
    fn a_logit_that_is_no_number_is_no_confidence() {
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
