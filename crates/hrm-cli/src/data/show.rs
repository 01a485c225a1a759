//! `hrm data show`: puzzles with their answers, drawn.

use clap::{Args, ValueEnum};
use hrm_tasks::PuzzleTask;
use hrm_train::task::{Examples, RowMut};
use serde_json::json;

use super::open;
use crate::choice::Choice;
use crate::term::{result, style};

#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    choice: Choice,
    /// Puzzles to draw.
    #[arg(long, short, default_value_t = 3)]
    n: usize,
    /// Which side of the split.
    #[arg(long, value_enum, default_value_t = Split::Train)]
    split: Split,
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
        let task = open(&self.choice)?;
        let examples = match self.split {
            Split::Train => task.train(),
            Split::Eval => task.eval(),
        };
        for (inputs, labels, puzzle_id) in rows(task.as_ref(), examples).take(self.n) {
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

/// The first row of each puzzle as it is, without augmentation.
fn rows<'a>(
    task: &'a dyn PuzzleTask,
    examples: &'a dyn Examples,
) -> impl Iterator<Item = (Vec<u32>, Vec<u32>, u32)> + 'a {
    examples.row_ids().filter(|at| at.version == 0).map(move |at| {
        let (mut inputs, mut labels) = (vec![0; task.n_cells()], vec![0; task.n_cells()]);
        let mut puzzle_id = 0;
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        examples.write(at, row);
        (inputs, labels, puzzle_id)
    })
}
