//! `hrm bench`: measures the speed of the model on this machine.
//!
//! Each subcommand is one measurement in a separate process, so that a script
//! can compare it with another program. Data and weights are random: the time does
//! not depend on them.

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
    /// Time training steps or inference segments of a model of any size.
    Step(step::Step),
    /// Break down the time of a step, and compare its speed with the peak of the machine.
    Roofline(roofline::Roofline),
}

impl Bench {
    /// Number of compute threads.
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
