//! `hrm data show`: shows puzzles with their answers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hrm_base::words::counted;
use hrm_puzzles::picture::{Picture, PuzzlePicture};
use hrm_tasks::TokenView;
use hrm_train::task::{Examples, RowId};
use serde_json::json;

use super::open::open;
use crate::output;
use crate::pictures::{Format, Row};
use crate::task_args::TaskArgs;
use crate::term::{note, result, style};

#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    task_args: TaskArgs,
    /// Number of puzzles; an ARC task with all its pairs is one.
    #[arg(long, short, default_value_t = 3)]
    n: usize,
    /// Puzzles to show: those for training or for evaluation.
    #[arg(long, value_enum, default_value_t = Split::Train)]
    split: Split,
    /// Render the puzzles to this new PNG file instead of the terminal.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    png: Option<PathBuf>,
    /// Render the puzzles to this new SVG file instead of the terminal.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    svg: Option<PathBuf>,
    /// Print one line of JSON per puzzle; for ARC, one per pair.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Split {
    Train,
    Eval,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let files = [(Format::Png, self.png), (Format::Svg, self.svg)];
        let files = files.into_iter().filter_map(|(format, file)| Some((format, file?)));
        let files: Vec<(Format, PathBuf)> = files.collect();
        for (_, file) in &files {
            output::must_be_free(file)?;
        }
        let (config, task) = open(&self.task_args)?;
        let examples = match self.split {
            Split::Train => task.train(),
            Split::Eval => task.eval(),
        };
        let puzzles = (0..examples.n_groups()).map(|group| rows_of(examples, group));
        let puzzles = puzzles.filter(|rows| !rows.is_empty()).take(self.n);
        let read = |at| Row::read(task.as_ref(), examples, at);
        if !files.is_empty() {
            let picture = |places: Vec<RowId>| {
                let panels = |row: &Row| {
                    let (inputs, labels) = (&row.inputs, &row.labels);
                    config.puzzle_kind().panels(&TokenView { inputs, prediction: None, labels })
                };
                let rows: Vec<Row> = places.iter().map(|at| read(*at)).collect();
                let caption = rows[0].name(task.as_ref(), places[0]);
                PuzzlePicture { caption, panels: rows.iter().flat_map(panels).collect() }
            };
            let puzzles = puzzles.map(picture).collect();
            let picture = Picture { puzzles, ..Picture::default() };
            for (format, file) in files {
                output::write_new(&file, &format.encode(&picture)?)?;
                let puzzles = counted(picture.puzzles.len(), "puzzle", "puzzles");
                note(format!("{puzzles} rendered to {}", file.display()));
            }
            return Ok(());
        }
        for places in puzzles {
            for (idx, at) in places.into_iter().enumerate() {
                let Row { inputs, labels, puzzle_id } = read(at);
                let name = &task.identifiers()[puzzle_id as usize];
                if self.json {
                    let line = json!({"puzzle": name, "inputs": inputs, "labels": labels});
                    result(format!("{line}\n"))?;
                } else {
                    // The title stands above the first pair.
                    let has_title = puzzle_id != 0 && idx == 0;
                    let title = if has_title { format!("{name}\n") } else { String::new() };
                    result(format!("{title}{}\n", task.draw(&inputs, &labels, style())))?;
                }
            }
        }
        Ok(())
    }
}

/// The rows of a puzzle without augmentation, or of its first version that has rows. An
/// ARC task has a row per pair.
fn rows_of(examples: &dyn Examples, group: usize) -> Vec<RowId> {
    let rows = |version| -> Vec<RowId> {
        let n_rows = examples.n_rows(group, version);
        (0..n_rows).map(|row| RowId { group, version, row }).collect()
    };
    let mut versions = (0..examples.n_versions(group)).map(rows);
    versions.find(|rows| !rows.is_empty()).unwrap_or_default()
}
