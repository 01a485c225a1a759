//! `hrm bench roofline`: the time of a step by part of the model, compared with
//! the peak of the machine.
//!
//! The peak is measured in the same process: matrix products from registers and
//! the first-level cache, on all threads. Shares refer to the total time of all
//! threads.

use clap::Args;
use hrm_kernels::peak_gflops;
use serde::Serialize;
use serde_json::json;

use super::step::Step;
use crate::term::result;

#[derive(Args)]
pub(crate) struct Roofline {
    #[command(flatten)]
    step: Step,
}

/// The time of one part of the model.
#[derive(Serialize)]
struct Row {
    part: &'static str,
    /// Share of the time of all threads.
    share: f64,
    /// Speed of the part, for those whose operations are counted.
    gflops: Option<f64>,
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

        let n_steps = f64::from(self.step.n_timed());
        let parts = spent.parts.into_iter().map(|(part, time)| {
            let seconds = time.as_secs_f64();
            // The rate of one busy thread, times the number of threads.
            let rate = flops.of(part) * n_steps / seconds / 1e9 * f64::from(report.threads);
            let gflops = (flops.of(part) > 0.0).then_some(rate);
            Row { part: part.name(), share: seconds / available_s, gflops }
        });
        let mut rows: Vec<Row> = parts.collect();
        let share = 1.0 - rows.iter().map(|row| row.share).sum::<f64>();
        rows.push(Row { part: "rest and idle", share, gflops: None });

        if self.step.json {
            let line = json!({
                "step": report,
                "gflop_per_step": flops.total() / 1e9,
                "gflops": achieved,
                "peak_gflops": peak,
                "parts": rows,
            });
            return Ok(result(format!("{line}\n"))?);
        }
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
        for Row { part, share, gflops } in rows {
            let gflops = gflops.map_or(String::new(), |gflops| format!("{gflops:>12.0}"));
            table += &format!("{part:<18}{:>6.1} %{gflops}\n", 100.0 * share);
        }
        Ok(result(table)?)
    }
}
