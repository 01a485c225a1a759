//! A curve in one line of text.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A curve of `values` from 0 to `highest`, in at most `n_columns` characters. Each shows
/// the mean of its share of the values.
pub(crate) fn sparkline(values: &[f64], highest: f64, n_columns: usize) -> String {
    let n_columns = n_columns.min(values.len());
    let level = |column: usize| {
        let start = column * values.len() / n_columns;
        let end = (column + 1) * values.len() / n_columns;
        let mean = values[start..end].iter().sum::<f64>() / (end - start) as f64;
        // Not a number becomes 0.
        let level = (mean / highest * LEVELS.len() as f64) as usize;
        LEVELS[level.min(LEVELS.len() - 1)]
    };
    (0..n_columns).map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_shows_the_mean_of_its_values() {
        assert_eq!(sparkline(&[0.0, 0.125, 0.5, 0.99, 1.0], 1.0, 9), "▁▂▅██");
        assert_eq!(sparkline(&[0.0, 1.0, 1.0, 1.0], 1.0, 2), "▅█");
        assert_eq!(sparkline(&[0.0, 0.0], 0.0, 2), "▁▁", "0 / 0");
        assert_eq!(sparkline(&[], 1.0, 5), "");
    }
}
