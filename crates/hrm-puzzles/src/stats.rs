//! Statistics of a set of puzzles.

use std::collections::BTreeMap;

/// How often each value of a property occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// The property, e.g. `training path length`.
    pub name: String,
    /// Values or ranges of values, in order, with their counts.
    pub bins: Vec<(String, u64)>,
}

/// Approximate number of bins of [`by_value`].
const N_BINS: u64 = 20;

/// Minimum, mean, median and maximum of `values`; empty if there are none. The median of an
/// even number of values is the mean of the two in the middle.
pub fn spread(name: &str, values: impl Iterator<Item = u64>) -> Vec<(String, f64)> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    let (Some(min), Some(max)) = (values.first(), values.last()) else { return Vec::new() };
    let mean = values.iter().sum::<u64>() as f64 / values.len() as f64;
    let middle = |n_before: usize| values[n_before / 2] as f64;
    let median = f64::midpoint(middle(values.len() - 1), middle(values.len()));
    let figures = [("min", *min as f64), ("mean", mean), ("median", median), ("max", *max as f64)];
    figures.map(|(figure, value)| (format!("{name} {figure}"), value)).into()
}

/// Counts each value, or ranges of equal width if there are many values; `None` without
/// values. Empty ranges between the smallest and the largest value are included.
pub fn by_value(name: String, values: impl Iterator<Item = u64>) -> Option<Distribution> {
    let values: Vec<u64> = values.collect();
    let (min, max) = (values.iter().min()?, values.iter().max()?);
    // 1, 2 or 5 times a power of ten.
    let powers = (0..19).map(|power| 10u64.pow(power));
    let widths = powers.flat_map(|power| [1, 2, 5].map(|digit| digit * power));
    let width = { widths }.find(|width| max / width - min / width < N_BINS).unwrap_or(u64::MAX);
    let bin = |value: u64| value / width * width;
    let name_of = |low: u64| match width {
        1 => low.to_string(),
        width => format!("{low}..{}", low.saturating_add(width - 1)),
    };
    let lows = (min / width..=max / width).map(|bin| bin * width);
    Some(Distribution { name, bins: counted(&values, lows, bin, name_of) })
}

/// Counts values in ranges that double in width: 0, 1, 2..3, 4..7 and so on; `None`
/// without values.
pub fn by_doubling(name: String, values: impl Iterator<Item = u64>) -> Option<Distribution> {
    let values: Vec<u64> = values.collect();
    let max = *values.iter().max()?;
    let bin = |value: u64| if value == 0 { 0 } else { 1 << value.ilog2() };
    let name_of = |low: u64| match low {
        0 | 1 => low.to_string(),
        low => format!("{low}..{}", low - 1 + low),
    };
    let lows = std::iter::once(0).chain((0..64).map(|k| 1 << k).take_while(|low| *low <= max));
    Some(Distribution { name, bins: counted(&values, lows, bin, name_of) })
}

/// Counts `values` by the lower end of their range.
fn counted(
    values: &[u64],
    lows: impl Iterator<Item = u64>,
    bin: impl Fn(u64) -> u64,
    name_of: impl Fn(u64) -> String,
) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<u64, u64> = lows.map(|low| (low, 0)).collect();
    for value in values {
        *counts.entry(bin(*value)).or_default() += 1;
    }
    counts.into_iter().map(|(low, count)| (name_of(low), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_four_figures_or_is_empty() {
        let figures = spread("moves", [9, 1, 2].into_iter());
        let want =
            [("moves min", 1.0), ("moves mean", 4.0), ("moves median", 2.0), ("moves max", 9.0)];
        assert_eq!(figures, want.map(|(name, figure)| (name.to_owned(), figure)));
        assert_eq!(spread("moves", std::iter::empty()), []);
        let median = |values: &[u64]| spread("moves", values.iter().copied())[2].1;
        assert_eq!([median(&[4, 1, 9, 2]), median(&[7, 8]), median(&[5])], [3.0, 7.5, 5.0]);
    }

    fn bins(distribution: Option<Distribution>) -> Vec<(String, u64)> {
        distribution.map(|distribution| distribution.bins).unwrap_or_default()
    }

    fn named(bins: &[(&str, u64)]) -> Vec<(String, u64)> {
        bins.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
    }

    #[test]
    fn few_values_are_counted_individually_and_many_in_ranges() {
        let few = by_value("n".to_owned(), [17, 19, 17].into_iter());
        assert_eq!(bins(few), named(&[("17", 2), ("18", 0), ("19", 1)]));
        let many = by_value("n".to_owned(), [3, 4, 5, 62].into_iter());
        assert_eq!(bins(many)[..2], named(&[("0..4", 2), ("5..9", 1)]));
        let large = by_value("n".to_owned(), [0, u64::MAX].into_iter());
        assert_eq!(bins(large).iter().map(|(_, n)| n).sum::<u64>(), 2);
        assert_eq!(by_value("n".to_owned(), std::iter::empty()), None);
    }

    #[test]
    fn doubling_ranges_count_every_value_once() {
        let doubling = by_doubling("n".to_owned(), [0, 1, 2, 3, 4, 9].into_iter());
        let want = [("0", 1), ("1", 1), ("2..3", 2), ("4..7", 1), ("8..15", 1)];
        assert_eq!(bins(doubling), named(&want));
        let large = by_doubling("n".to_owned(), [u64::MAX].into_iter());
        assert_eq!(bins(large).last().map(|(_, n)| *n), Some(1));
        assert_eq!(by_doubling("n".to_owned(), std::iter::empty()), None);
    }
}
