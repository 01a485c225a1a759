//! `hrm data`: downloads, generates, inspects and converts puzzles.

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
    /// Download and verify a published data set.
    Fetch(fetch::Fetch),
    /// Export all versions of all puzzles in the format of the published code.
    Export(export::Export),
    /// Generate puzzles in the format that training reads. Default preset: small.
    Generate(generate::Generate),
    /// Convert data prepared by the published code into puzzle files.
    Import(import::Import),
    /// Write base puzzles, and the settings of their augmentation, into one folder.
    Prepare(prepare::Prepare),
    /// Show puzzles with their answers.
    Show(show::Show),
    /// Print statistics of a data set.
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
