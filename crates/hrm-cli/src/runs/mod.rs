//! `hrm runs`: lists and compares runs.

mod plot;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use console::Term;
use hrm_tasks::settings::leaves;
use hrm_train::run::files;
use serde_json::{Value, json};

use self::plot::Curves;
use crate::error::usage;
use crate::exit::message;
use crate::history::History;
use crate::output;
use crate::paths;
use crate::record::RunRecord;
use crate::term::{note, result};
use crate::width::n_columns;

#[derive(Args)]
pub(crate) struct Runs {
    /// Run folders, or folders that contain them. If several are given, their
    /// settings are also compared.
    #[arg(default_value = "runs", value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Also list the settings that differ between the runs.
    #[arg(long, conflicts_with = "json")]
    compare: bool,
    /// Plot loss and exact accuracy over steps to this new SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print one line of JSON per run.
    #[arg(long)]
    json: bool,
}

/// A run, read from its files.
struct Summary {
    path: PathBuf,
    record: RunRecord,
    history: History,
}

impl Runs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if let Some(path) = &self.plot {
            output::must_be_free(path)?;
        }
        let mut found = Vec::new();
        for folder in &self.folders {
            found.extend(runs_in(folder)?);
        }
        let mut runs = Vec::new();
        for path in found {
            match Summary::read(&path) {
                Ok(run) => runs.push(run),
                // An unreadable run must not hide the others.
                Err(err) => note(format!("Warning: {}: {}", path.display(), message(&err))),
            }
        }
        if let Some(path) = &self.plot {
            let curves: Vec<_> = runs.iter().map(Summary::curves).collect();
            output::write_new(path, plot::render(&curves)?.as_bytes())?;
        }
        if self.json {
            for run in &runs {
                result(format!("{}\n", run.to_json()))?;
            }
            return Ok(());
        }
        if runs.is_empty() {
            note("No runs yet. Start one with: hrm train sudoku");
            return Ok(());
        }
        let n_columns = n_columns(&Term::stdout()).unwrap_or(usize::MAX);
        result(format!("{}\n{}", table(&runs, n_columns), origins(&runs)))?;
        let are_named = self.folders.len() > 1;
        if runs.len() > 1 && (self.compare || are_named) {
            result(format!("\n{}\n", differences(&runs, n_columns)))?;
        }
        Ok(())
    }
}

/// The folder itself if it is a run, else the runs directly in it, by name.
fn runs_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_run = |path: &Path| path.join(files::RECORD).is_file();
    // A run that is just being created, or whose creation was cut short.
    let is_hidden = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(b".")
    };
    if is_run(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    if !folder.exists() && folder == Path::new("runs") {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)
        .map_err(|err| usage(format!("cannot read {}: {err}", folder.display())))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut runs: Vec<PathBuf> = paths.filter(|path| is_run(path) && !is_hidden(path)).collect();
    runs.sort();
    Ok(runs)
}

impl Summary {
    /// Reads a run folder, even while the run trains.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let record = RunRecord::load(&path.join(files::RECORD))?;
        let history = History::read(path);
        if history.n_unreadable > 0 {
            let lines = if history.n_unreadable == 1 { "line" } else { "lines" };
            note(format!(
                "Warning: {} {lines} of {} left out: no metrics.",
                history.n_unreadable,
                path.join(files::METRICS).display()
            ));
        }
        Ok(Self { path: path.to_owned(), record, history })
    }

    /// The last logged step.
    fn step(&self) -> Option<u64> {
        Some(self.history.losses.last()?.0)
    }

    fn loss(&self) -> Option<f64> {
        Some(self.history.losses.last()?.1)
    }

    /// The best validation accuracy.
    fn validation(&self) -> Option<f64> {
        self.history.validations.iter().map(|point| point.1).reduce(f64::max)
    }

    /// The last accuracy on the test set.
    fn exact(&self) -> Option<f64> {
        Some(self.history.evaluations.last()?.1)
    }

    fn curves(&self) -> Curves {
        let points = |points: &[(u64, f64)]| points.iter().map(|p| (p.0 as f64, p.1)).collect();
        let History { losses, validations, evaluations, .. } = &self.history;
        Curves {
            name: self.name(),
            loss: points(losses),
            validation: points(validations),
            test: points(evaluations),
        }
    }

    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn to_json(&self) -> Value {
        json!({
            "run": paths::to_json(&self.path),
            "task": self.record.config.task.name(),
            "parameters": self.record.config.model.n_parameters().ok(),
            "seed": self.record.seed,
            "init": self.record.init.as_ref().map(|init| paths::to_json(&init.checkpoint)),
            "step": self.step(),
            "loss": self.loss(),
            "validation": self.validation(),
            "exact": self.exact(),
        })
    }

    /// Every setting by its dotted path.
    fn settings(&self) -> BTreeMap<String, String> {
        let record = serde_json::to_value(self.record.clone().for_display()).unwrap_or_default();
        let others = ["data", "init", "seed", "minutes", "device", "dtype", "revision", "host"];
        let sections = [("", "config")].into_iter().chain(others.map(|name| (name, name)));
        sections
            .filter(|(_, section)| *section != "init" || !record["init"].is_null())
            .flat_map(|(path, section)| leaves(path, &record[section]))
            .map(|(path, value)| (path, value.to_string()))
            .collect()
    }
}

/// One row per run, in at most `n_columns` columns: in a narrow terminal, figures are
/// shorter, and those that say least about the result are left out.
fn table(runs: &[Summary], n_columns: usize) -> String {
    const ALL: &[Column] = &[
        Column::Run,
        Column::Task,
        Column::Parameters,
        Column::Seed,
        Column::Step,
        Column::Loss,
        Column::Validation,
        Column::Exact,
    ];
    const FEWER: &[Column] =
        &[Column::Run, Column::Seed, Column::Step, Column::Loss, Column::Validation, Column::Exact];
    const FEW: &[Column] = &[Column::Run, Column::Step, Column::Validation, Column::Exact];
    let forms = [(ALL, false), (ALL, true), (FEWER, true), (FEW, true)];
    let mut table = Table::new();
    for (columns, is_short) in forms {
        let header = columns.iter().map(|column| column.heading(is_short));
        let rows = runs.iter().map(|run| columns.iter().map(|column| column.of(run, is_short)));
        table = plain(header, rows);
        for (idx, column) in columns.iter().enumerate() {
            if !matches!(column, Column::Run | Column::Task) {
                let figures = table.column_mut(idx).expect("every row has all columns");
                figures.set_cell_alignment(CellAlignment::Right);
                figures.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        if width_of(&table.to_string()) <= n_columns {
            return table.to_string();
        }
    }
    // Names may be broken, figures are not.
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(n_columns.try_into().unwrap_or(u16::MAX));
    table.to_string()
}

/// A line for each run that starts from a checkpoint.
fn origins(runs: &[Summary]) -> String {
    let line = |run: &Summary| {
        let checkpoint = run.record.init.as_ref()?.checkpoint.display();
        Some(format!("{} starts from {checkpoint}\n", run.name()))
    };
    runs.iter().filter_map(line).collect()
}

/// A column of the table of runs.
#[derive(Clone, Copy, Debug)]
enum Column {
    Run,
    Task,
    Parameters,
    Seed,
    Step,
    Loss,
    Validation,
    Exact,
}

impl Column {
    fn heading(self, is_short: bool) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Task => "task",
            Self::Parameters if is_short => "size",
            Self::Parameters => "parameters",
            Self::Seed => "seed",
            Self::Step => "step",
            Self::Loss => "loss",
            Self::Validation if is_short => "valid.",
            Self::Validation => "validation",
            Self::Exact => "exact",
        }
    }

    fn of(self, run: &Summary, is_short: bool) -> String {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let percent = |share: Option<f64>| {
            let digits = if is_short { 1 } else { 2 };
            or_dash(share.map(|share| format!("{:.digits$} %", share * 100.0)))
        };
        let RunRecord { config, seed, minutes, .. } = &run.record;
        match self {
            Self::Run => run.name(),
            Self::Task => config.task.name().to_owned(),
            Self::Parameters => {
                let n_parameters = config.model.n_parameters().ok();
                or_dash(n_parameters.map(|n| if is_short { rounded(n) } else { n.to_string() }))
            }
            Self::Seed => seed.to_string(),
            Self::Step => {
                let step = or_dash(run.step().map(|step| step.to_string()));
                match minutes {
                    Some(_) => step,
                    None if is_short => format!("{step}/{}", config.train.steps),
                    None => format!("{step} of {}", config.train.steps),
                }
            }
            Self::Loss => {
                let digits = if is_short { 2 } else { 4 };
                or_dash(run.loss().map(|loss| format!("{loss:.digits$}")))
            }
            Self::Validation => percent(run.validation()),
            Self::Exact => percent(run.exact()),
        }
    }
}

/// A count in three digits: `27.3M`.
fn rounded(n: usize) -> String {
    let (scaled, unit) = match n {
        0..1_000 => return n.to_string(),
        1_000..1_000_000 => (n as f64 / 1e3, "k"),
        1_000_000..1_000_000_000 => (n as f64 / 1e6, "M"),
        _ => (n as f64 / 1e9, "G"),
    };
    let digits = if scaled < 100.0 { 1 } else { 0 };
    format!("{scaled:.digits$}{unit}")
}

/// The number of characters of the longest line.
fn width_of(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// The settings that differ between runs: a row each, or a paragraph each where a row is
/// too long for `n_columns` columns.
fn differences(runs: &[Summary], n_columns: usize) -> String {
    let settings: Vec<_> = runs.iter().map(Summary::settings).collect();
    let names: BTreeSet<&String> = settings.iter().flat_map(BTreeMap::keys).collect();
    let rows = names.into_iter().filter_map(|name| {
        let values: Vec<_> = settings.iter().map(|settings| settings.get(name)).collect();
        let differs = values.iter().any(|value| value != &values[0]);
        let shown = values.iter().map(|value| value.map_or("-", String::as_str).to_owned());
        differs.then(|| std::iter::once(name.clone()).chain(shown).collect::<Vec<_>>())
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let header = std::iter::once("setting".to_owned()).chain(runs.iter().map(Summary::name));
    let table = plain(header.collect::<Vec<_>>(), rows.clone()).to_string();
    if width_of(&table) <= n_columns {
        return table;
    }
    let paragraph = |row: &Vec<String>| {
        let values = runs.iter().zip(&row[1..]);
        let lines: String =
            values.map(|(run, value)| format!("\n  {}: {value}", run.name())).collect();
        format!("{}{lines}", row[0])
    };
    rows.iter().map(paragraph).collect::<Vec<_>>().join("\n")
}

fn plain<R: Into<comfy_table::Row>>(
    header: impl Into<comfy_table::Row>,
    rows: impl IntoIterator<Item = R>,
) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header).add_rows(rows);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Host;
    use hrm_tasks::RunConfig;

    fn run(name: &str, loss: f64) -> Summary {
        let mut config = RunConfig::preset("sudoku", "paper").unwrap();
        config.train.optimiser.learning_rate = loss;
        Summary {
            path: name.into(),
            record: RunRecord {
                version: String::new(),
                revision: String::new(),
                config,
                data: Vec::new(),
                data_sha256: BTreeMap::new(),
                seed: 12,
                minutes: None,
                init: None,
                extensions: Vec::new(),
                device: "cpu".to_owned(),
                dtype: "bf16".to_owned(),
                cargo_features: Vec::new(),
                host: Host { platform: String::new(), n_threads: 2, isa: String::new() },
            },
            history: History {
                losses: vec![(123_456, loss)],
                training: Vec::new(),
                validations: vec![(1000, 0.123_456)],
                evaluations: vec![(1000, 1.0)],
                n_unreadable: 0,
            },
        }
    }

    #[test]
    fn rows_fit_into_the_terminal_and_figures_stay_whole() {
        let runs = [run("sudoku-paper-1", 0.654_321), run("b", 1.5)];
        let (wide, narrow) = (table(&runs, 120), table(&runs, 60));
        assert!(wide.contains("27275266") && wide.contains("0.6543"), "{wide}");
        assert_eq!(narrow.lines().count(), 3, "{narrow}");
        for n_columns in 40..120 {
            let shown = table(&runs, n_columns);
            assert!(width_of(&shown) <= n_columns, "{n_columns}:\n{shown}");
            assert!(shown.contains("12.3") && shown.contains("100.0"), "{n_columns}:\n{shown}");
            assert!(shown.contains("123456"), "{n_columns}:\n{shown}");
        }
        let long = [run(&"long-".repeat(9), 0.5)];
        let shown = table(&long, 60);
        assert!(width_of(&shown) <= 60 && shown.contains("100.0 %"), "{shown}");
    }

    #[test]
    fn settings_that_differ_are_listed_one_below_the_other_in_a_narrow_terminal() {
        let runs = [run("sudoku-paper-1", 0.001), run("sudoku-paper-2", 0.002)];
        assert_eq!(differences(&runs, 80).lines().count(), 2);
        let want = "train.optimiser.learning_rate\n  sudoku-paper-1: 0.001\n  \
                    sudoku-paper-2: 0.002";
        assert_eq!(differences(&runs, 50), want);
    }

    #[test]
    fn counts_have_three_digits() {
        let found = [7, 999, 1_000, 132_738, 27_275_266, 1_000_000_000].map(rounded);
        assert_eq!(found, ["7", "999", "1.0k", "133k", "27.3M", "1.0G"]);
    }

    #[test]
    fn validation_and_test_are_told_apart_and_a_single_value_is_visible() {
        let plotted = |validation: &[(f64, f64)], test: &[(f64, f64)]| {
            let (validation, test) = (validation.to_vec(), test.to_vec());
            let (name, loss) = ("a".to_owned(), vec![(10.0, 1.0), (20.0, 0.5)]);
            let svg = plot::render(&[Curves { name, loss, validation, test }]).unwrap();
            let n_of = |what: &str| svg.matches(what).count();
            (n_of("r=\"3\""), n_of("r=\"6\""), n_of("line: validation, circle: test"))
        };
        let (one, two) = ([(20.0, 0.5)], [(10.0, 0.4), (20.0, 0.5)]);
        assert_eq!(plotted(&one, &[]), (1, 0, 0));
        assert_eq!(plotted(&[], &one), (0, 1, 0));
        assert_eq!(plotted(&two, &one), (2, 1, 1));
    }
}
