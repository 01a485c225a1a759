//! `hrm bench`: how long the model takes on this machine.
//!
//! Each subcommand measures in its own process and prints one line of JSON, so
//! that a script can run it beside another program and compare. Data and
//! weights are random: time does not depend on them.

mod flops;
mod roofline;
mod step;

use clap::{Args, Subcommand};

#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Time training steps, or segments of inference, at sizes of your choice.
    Step(step::Step),
    /// Say what a step's time goes into, against what the machine could do.
    Roofline(roofline::Roofline),
}

impl Bench {
    /// Threads that compute.
    pub(crate) fn n_threads(&self) -> usize {
        match &self.action {
            Action::Step(step) => step.n_threads(),
            Action::Roofline(roofline) => roofline.n_threads(),
        }
    }

    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Step(step) => step.run(),
            Action::Roofline(roofline) => roofline.run(),
        }
    }
}
