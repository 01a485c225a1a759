//! The metrics of a run over its steps, read from its folder.

use std::fs;
use std::path::Path;

use hrm_train::run::files;
use serde_json::Value;

use crate::sparkline::sparkline;

/// Columns of a curve in the terminal.
const N_COLUMNS: usize = 32;

/// Metrics over the steps of a run: pairs of step and value.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) losses: Vec<(u64, f64)>,
    /// Exact accuracies of the puzzles that were solved in training.
    pub(crate) training: Vec<(u64, f64)>,
    /// Exact accuracies on the validation puzzles.
    pub(crate) validations: Vec<(u64, f64)>,
    /// Exact accuracies on the test set.
    pub(crate) evaluations: Vec<(u64, f64)>,
    /// Number of complete lines that are no metrics.
    pub(crate) n_unreadable: usize,
}

impl History {
    /// Reads the metrics of the run folder `run`, even while the run trains. Missing or
    /// incomplete lines are left out, and so is what a return to a checkpoint has undone.
    pub(crate) fn read(run: &Path) -> Self {
        let metrics = fs::read(run.join(files::METRICS)).unwrap_or_default();
        let mut history = Self::default();
        for line in metrics.split_inclusive(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Value>(line) else {
                history.n_unreadable += usize::from(line.ends_with(b"\n"));
                continue;
            };
            let point = |name: &str| Some((line["step"].as_u64()?, line[name].as_f64()?));
            match line["kind"].as_str() {
                Some("train") => {
                    history.losses.extend(point("loss"));
                    history.training.extend(point("exact"));
                }
                Some("validation") => history.validations.extend(point("exact")),
                Some("eval") => history.evaluations.extend(point("exact")),
                Some("rollback") => {
                    let Some(step) = line["step"].as_u64() else { continue };
                    let Self { losses, training, validations, evaluations, .. } = &mut history;
                    for points in [losses, training, validations, evaluations] {
                        points.retain(|point| point.0 <= step);
                    }
                }
                _ => {}
            }
        }
        history
    }

    /// The loss, and the share of training puzzles that were solved, as two lines of text
    /// with a curve each. Empty if too little has been logged for a curve.
    pub(crate) fn curves(&self) -> String {
        let losses: Vec<_> = self.losses.iter().map(|point| point.1).collect();
        let solved: Vec<_> = self.training.iter().map(|point| point.1).collect();
        let line = |name, values: &[f64], highest, show: fn(f64) -> String| match values {
            [first, .., last] => {
                let curve = sparkline(values, highest, N_COLUMNS);
                format!("  {name:<22} {:>7} {curve} {}\n", show(*first), show(*last))
            }
            _ => String::new(),
        };
        let highest = losses.iter().copied().fold(0.0, f64::max);
        line("loss", &losses, highest, |loss| format!("{loss:.3}"))
            + &line("exact in training", &solved, 1.0, |share| format!("{:.0} %", share * 100.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_and_shown_as_curves() {
        let folder = tempfile::tempdir().unwrap();
        let train = |step, loss: f64, exact: &str| {
            format!("{{\"kind\":\"train\",\"step\":{step},\"loss\":{loss},\"exact\":{exact}}}\n")
        };
        let lines = [
            train(10, 2.0, "null"),
            train(20, 1.0, "0.0"),
            train(30, 0.5, "1.0"),
            "{\"kind\":\"validation\",\"step\":30,\"exact\":0.5}\n{\"kind\":\"tr".to_owned(),
        ];
        fs::write(folder.path().join(files::METRICS), lines.concat()).unwrap();
        let history = History::read(folder.path());
        assert_eq!(history.losses, [(10, 2.0), (20, 1.0), (30, 0.5)]);
        assert_eq!(history.validations, [(30, 0.5)]);
        let want = "  loss                     2.000 █▅▃ 0.500\n  \
                    exact in training          0 % ▁█ 100 %\n";
        assert_eq!(history.curves(), want);
        assert_eq!(history.n_unreadable, 0, "an incomplete last line is being written");
        assert_eq!(History::read(Path::new("nowhere")).curves(), "");
    }

    #[test]
    fn what_a_rollback_has_undone_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let line = |kind: &str, step: u64, exact: f64| {
            format!("{{\"kind\":\"{kind}\",\"step\":{step},\"loss\":1.5,\"exact\":{exact}}}\n")
        };
        let lines = [
            line("train", 10, 0.1),
            line("validation", 10, 0.2),
            line("train", 20, 0.3),
            line("validation", 20, 0.9),
            line("eval", 20, 0.8),
            line("rollback", 10, 0.0),
            line("train", 20, 0.4),
            line("validation", 20, 0.5),
        ];
        fs::write(folder.path().join(files::METRICS), lines.concat()).unwrap();
        let history = History::read(folder.path());
        assert_eq!(history.validations, [(10, 0.2), (20, 0.5)]);
        assert_eq!(history.training, [(10, 0.1), (20, 0.4)]);
        assert_eq!(history.losses, [(10, 1.5), (20, 1.5)]);
        assert_eq!(history.evaluations, []);
    }

    #[test]
    fn what_is_no_metrics_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let write = |bytes: &[u8]| fs::write(folder.path().join(files::METRICS), bytes).unwrap();
        write(b"{\"kind\":\"train\",\"step\":1,\"loss\":2}\nhello\n\xff\xfe\n{\"ki");
        let history = History::read(folder.path());
        assert_eq!((history.losses, history.n_unreadable), (vec![(1, 2.0)], 2));
    }
}
