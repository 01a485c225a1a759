//! `hrm data show`: shows puzzles with their answers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use hrm_puzzles::picture::{Picture, PuzzlePicture};
use hrm_tasks::TokenView;
use hrm_train::task::RowId;
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
    /// Number of puzzles.
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
    /// Print one line of JSON per puzzle.
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
        let config = self.task_args.config()?;
        let task = open(&self.task_args)?;
        let examples = match self.split {
            Split::Train => task.train(),
            Split::Eval => task.eval(),
        };
        // Version 0 is the puzzle without augmentation.
        let places = examples.row_ids().filter(|at| at.version == 0).take(self.n);
        let rows = places.map(|at| (at, Row::read(task.as_ref(), examples, at)));
        if !files.is_empty() {
            let picture = |(at, row): (RowId, Row)| {
                let view = TokenView { inputs: &row.inputs, prediction: None, labels: &row.labels };
                let panels = config.task.puzzle_kind().panels(&view);
                PuzzlePicture { caption: row.name(task.as_ref(), at), panels }
            };
            let puzzles = rows.map(picture).collect();
            let picture = Picture { puzzles, ..Picture::default() };
            for (format, file) in files {
                output::write_new(&file, &format.encode(&picture)?)?;
                note(format!("{} puzzles rendered to {}", picture.puzzles.len(), file.display()));
            }
            return Ok(());
        }
        for (_, Row { inputs, labels, puzzle_id }) in rows {
            let name = &task.identifiers()[puzzle_id as usize];
            if self.json {
                let line = json!({"puzzle": name, "inputs": inputs, "labels": labels});
                result(format!("{line}\n"))?;
            } else {
                let title = if puzzle_id == 0 { String::new() } else { format!("{name}\n") };
                result(format!("{title}{}\n", task.draw(&inputs, &labels, style())))?;
            }
        }
        Ok(())
    }
}
