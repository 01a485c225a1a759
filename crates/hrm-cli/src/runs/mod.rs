//! `hrm runs`: lists and compares runs.

mod plot;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use hrm_train::run::files;
use serde_json::{Value, json};

use self::plot::Curves;
use crate::error::usage;
use crate::history::History;
use crate::output;
use crate::record::RunRecord;
use crate::settings::leaves;
use crate::term::{note, result};

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
                Err(err) => note(format!("Warning: {}: {err:#}", path.display())),
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
        result(format!("{}\n", table(&runs)))?;
        let are_named = self.folders.len() > 1;
        if runs.len() > 1 && (self.compare || are_named) {
            result(format!("\n{}\n", differences(&runs)))?;
        }
        Ok(())
    }
}

/// The folder itself if it is a run, else the runs directly in it, by name.
fn runs_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_run = |path: &Path| path.join(files::RECORD).is_file();
    if is_run(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    if !folder.exists() && folder == Path::new("runs") {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)
        .map_err(|err| usage(format!("cannot read {}: {err}", folder.display())))?;
    let mut runs: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_run(path)).collect();
    runs.sort();
    Ok(runs)
}

impl Summary {
    /// Reads a run folder, even while the run trains.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let record: RunRecord = hrm_train::run::read_json(&path.join(files::RECORD))?;
        Ok(Self { path: path.to_owned(), record, history: History::read(path) })
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
        let exact = if validations.is_empty() { evaluations } else { validations };
        Curves { name: self.name(), loss: points(losses), exact: points(exact) }
    }

    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn to_json(&self) -> Value {
        json!({
            "run": self.path,
            "task": self.record.config.task.name(),
            "parameters": self.record.config.model.n_parameters().ok(),
            "seed": self.record.seed,
            "step": self.step(),
            "loss": self.loss(),
            "validation": self.validation(),
            "exact": self.exact(),
        })
    }

    /// Every setting by its dotted path.
    fn settings(&self) -> BTreeMap<String, String> {
        let record = serde_json::to_value(&self.record).unwrap_or_default();
        let others = ["data", "seed", "minutes", "device", "dtype", "revision", "host"];
        let sections = [("", "config")].into_iter().chain(others.map(|name| (name, name)));
        sections
            .flat_map(|(path, section)| leaves(path, &record[section]))
            .map(|(path, value)| (path, value.to_string()))
            .collect()
    }
}

/// One row per run.
fn table(runs: &[Summary]) -> Table {
    let header = ["run", "task", "parameters", "seed", "step", "loss", "validation", "exact"];
    let percent = |share: Option<f64>| {
        share.map_or("-".to_owned(), |share| format!("{:.2} %", share * 100.0))
    };
    let rows = runs.iter().map(|run| {
        let RunRecord { config, seed, minutes, .. } = &run.record;
        let step = run.step().map_or("-".to_owned(), |step| step.to_string());
        [
            run.name(),
            config.task.name().to_owned(),
            config.model.n_parameters().map_or("-".to_owned(), |n| n.to_string()),
            seed.to_string(),
            match minutes {
                Some(_) => step,
                None => format!("{step} of {}", config.train.steps),
            },
            run.loss().map_or("-".to_owned(), |loss| format!("{loss:.4}")),
            percent(run.validation()),
            percent(run.exact()),
        ]
    });
    let mut table = plain(header, rows);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// One row per setting that differs between runs.
fn differences(runs: &[Summary]) -> Table {
    let settings: Vec<_> = runs.iter().map(Summary::settings).collect();
    let names: BTreeSet<&String> = settings.iter().flat_map(BTreeMap::keys).collect();
    let rows = names.into_iter().filter_map(|name| {
        let values: Vec<_> = settings.iter().map(|settings| settings.get(name)).collect();
        let differs = values.iter().any(|value| value != &values[0]);
        let shown = values.iter().map(|value| value.map_or("-", String::as_str).to_owned());
        differs.then(|| std::iter::once(name.clone()).chain(shown).collect::<Vec<_>>())
    });
    let header = std::iter::once("setting".to_owned()).chain(runs.iter().map(Summary::name));
    plain(header.collect::<Vec<_>>(), rows)
}

fn plain<R: Into<comfy_table::Row>>(
    header: impl Into<comfy_table::Row>,
    rows: impl IntoIterator<Item = R>,
) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header).add_rows(rows);
    table
}
