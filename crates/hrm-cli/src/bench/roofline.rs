//! `hrm bench roofline`: the time of a step by part of the model, compared with
//! the peak of the machine.
//!
//! The peak is measured in the same process: matrix products from registers and
//! the first-level cache, on all threads. Shares refer to the total time of all
//! threads.

use clap::Args;
use hrm_kernels::peak_gflops;

use super::step::Step;
use crate::term::result;

#[derive(Args)]
pub(crate) struct Roofline {
    #[command(flatten)]
    step: Step,
}

impl Roofline {
    /// Number of compute threads.
    pub(super) fn n_threads(&self) -> usize {
        self.step.n_threads()
    }

    pub(crate) fn run(self) -> anyhow::Result<()> {
        let (report, spent) = self.step.measure()?;
        let peak = peak_gflops(self.step.dtype()?)?;
        let flops = self.step.flops();
        let achieved = flops.total() / (report.ms_per_step * 1e6);
        let available_s = spent.wall.as_secs_f64() * f64::from(report.threads);

        let mut table = format!(
            "{} in {} on {}, {} threads: {:.1} ms per step, {:.2} examples/s\n\
             {:.1} GFLOP per step, {achieved:.0} GFLOP/s of {peak:.0} ({:.0} %)\n\n\
             {:<18}{:>8}{:>12}\n",
            report.mode,
            report.dtype,
            report.cpu,
            report.threads,
            report.ms_per_step,
            report.examples_per_s,
            flops.total() / 1e9,
            100.0 * achieved / peak,
            "part",
            "share",
            "GFLOP/s",
        );
        let n_steps = f64::from(self.step.n_timed());
        let mut rest_s = available_s;
        for (part, time) in spent.parts {
            let seconds = time.as_secs_f64();
            rest_s -= seconds;
            let share = 100.0 * seconds / available_s;
            // The rate of one busy thread, times the number of threads.
            let rate = flops.of(part) * n_steps / seconds / 1e9 * f64::from(report.threads);
            let rate = if flops.of(part) > 0.0 { format!("{rate:.0}") } else { String::new() };
            table += &format!("{:<18}{share:>6.1} %{rate:>12}\n", part.name());
        }
        table += &format!("{:<18}{:>6.1} %\n", "rest and idle", 100.0 * rest_s / available_s);
        Ok(result(table)?)
    }
}
