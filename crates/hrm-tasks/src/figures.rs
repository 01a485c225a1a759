//! Figures about a set of puzzles.

/// Least, mean, median and largest of `values`; nothing if there are none.
pub(crate) fn spread(name: &str, values: impl Iterator<Item = u64>) -> Vec<(String, f64)> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    let (Some(min), Some(max)) = (values.first(), values.last()) else { return Vec::new() };
    let mean = values.iter().sum::<u64>() as f64 / values.len() as f64;
    let median = values[values.len() / 2];
    let figures =
        [("min", *min as f64), ("mean", mean), ("median", median as f64), ("max", *max as f64)];
    figures.map(|(figure, value)| (format!("{name} {figure}"), value)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_four_figures_or_none() {
        let figures = spread("moves", [9, 1, 2].into_iter());
        let want =
            [("moves min", 1.0), ("moves mean", 4.0), ("moves median", 2.0), ("moves max", 9.0)];
        assert_eq!(figures, want.map(|(name, figure)| (name.to_owned(), figure)));
        assert_eq!(spread("moves", std::iter::empty()), []);
    }
}
