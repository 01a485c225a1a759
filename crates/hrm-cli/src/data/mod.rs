//! `hrm data`: fetch puzzles, generate them, look at them, or write them in
//! another form.

mod export;
mod fetch;
mod generate;
mod import;
mod open;
mod prepare;
mod show;
mod stats;

use clap::{Args, Subcommand};

pub(crate) use self::fetch::FetchError;

#[derive(Args)]
pub(crate) struct Data {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Fetch a published set of puzzles, and check it.
    Fetch(fetch::Fetch),
    /// Write every version of every puzzle as the published code prepares them.
    Export(export::Export),
    /// Write generated puzzles in the format that training reads.
    Generate(generate::Generate),
    /// Turn data that the published code prepared into puzzle files.
    Import(import::Import),
    /// Put base puzzles and the settings of their versions into one folder.
    Prepare(prepare::Prepare),
    /// Draw puzzles with their answers.
    Show(show::Show),
    /// Print figures about a set of puzzles.
    Stats(stats::Stats),
}

impl Data {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Fetch(action) => action.run(),
            Action::Export(action) => action.run(),
            Action::Generate(action) => action.run(),
            Action::Import(action) => action.run(),
            Action::Prepare(action) => action.run(),
            Action::Show(action) => action.run(),
            Action::Stats(action) => action.run(),
        }
    }
}
