//! Time of each part of a training step.
//!
//! While profiling is off, a section costs one load. While it is on, each section
//! adds its duration to its [`Part`], summed over all threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A kind of work within a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Products with weights, including the activation between them.
    Matmul,
    /// Gradients of weights.
    WeightGradient,
    /// Attention scores, softmax and the weighted sum of values.
    Attention,
    /// Norms and their gradients.
    Norm,
    /// Packing operands into the order in which products read them.
    Pack,
    /// The optimiser's pass over weights.
    Optimiser,
    /// Losses and their gradients.
    Loss,
}

impl Part {
    /// Every part, in the order of declaration.
    pub const ALL: [Self; 7] = [
        Self::Matmul,
        Self::WeightGradient,
        Self::Attention,
        Self::Norm,
        Self::Pack,
        Self::Optimiser,
        Self::Loss,
    ];

    /// The name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matmul => "matmul",
            Self::WeightGradient => "weight gradient",
            Self::Attention => "attention",
            Self::Norm => "norm",
            Self::Pack => "pack",
            Self::Optimiser => "optimiser",
            Self::Loss => "loss",
        }
    }
}

static IS_ON: AtomicBool = AtomicBool::new(false);
static SPENT_NS: [AtomicU64; Part::ALL.len()] = [const { AtomicU64::new(0) }; Part::ALL.len()];

/// Resets all times to zero and starts profiling.
pub fn start() {
    SPENT_NS.iter().for_each(|part| part.store(0, Ordering::Relaxed));
    IS_ON.store(true, Ordering::Relaxed);
}

/// Stops profiling and returns the time of each part, summed over threads.
pub fn stop() -> Vec<(Part, Duration)> {
    IS_ON.store(false, Ordering::Relaxed);
    let spent = |part: Part| Duration::from_nanos(SPENT_NS[part as usize].load(Ordering::Relaxed));
    Part::ALL.into_iter().map(|part| (part, spent(part))).collect()
}

/// Times `part` until the returned guard is dropped.
pub(crate) fn section(part: Part) -> Section {
    Section { part, start: IS_ON.load(Ordering::Relaxed).then(Instant::now) }
}

/// A running measurement of one part, which ends when it is dropped.
pub(crate) struct Section {
    part: Part,
    start: Option<Instant>,
}

impl Drop for Section {
    fn drop(&mut self) {
        if let Some(start) = self.start {
            let spent_ns = start.elapsed().as_nanos() as u64;
            SPENT_NS[self.part as usize].fetch_add(spent_ns, Ordering::Relaxed);
        }
    }
}
