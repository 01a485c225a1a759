//! What time goes into.
//!
//! Off, a measured section costs one load. On, every section adds its time to
//! the part it belongs to, summed over threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use candle_core::{DType, Result};

use super::matmul::{Left, Panels, matmul};
use super::{Arith, Path, Scheme, with_arith};

/// Parts of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Products with weights, with the activation between them.
    Matmul,
    /// Gradients of weights.
    WeightGradient,
    /// Scores, softmax and mixing of values.
    Attention,
    /// Norms and their gradients.
    Norm,
    /// Bringing operands into the order that products read.
    Pack,
    /// The optimiser's pass over weights.
    Optimiser,
    /// Losses and their gradients.
    Loss,
}

impl Part {
    /// Every part, in order of declaration.
    pub const ALL: [Self; 7] = [
        Self::Matmul,
        Self::WeightGradient,
        Self::Attention,
        Self::Norm,
        Self::Pack,
        Self::Optimiser,
        Self::Loss,
    ];

    /// Its name.
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

/// Starts to measure, from zero.
pub fn start() {
    SPENT_NS.iter().for_each(|part| part.store(0, Ordering::Relaxed));
    IS_ON.store(true, Ordering::Relaxed);
}

/// Stops, and tells the time each part took, summed over threads.
pub fn stop() -> Vec<(Part, Duration)> {
    IS_ON.store(false, Ordering::Relaxed);
    let spent = |part: Part| Duration::from_nanos(SPENT_NS[part as usize].load(Ordering::Relaxed));
    Part::ALL.into_iter().map(|part| (part, spent(part))).collect()
}

/// What products of `dtype` reach on all threads at once while nothing has to
/// be fetched, in GFLOP/s.
///
/// # Errors
///
/// If `HRM_CPU` names no path of this machine.
pub fn peak_gflops(dtype: DType) -> Result<f64> {
    let Some(scheme) = Scheme::of(dtype, Path::current()?) else {
        candle_core::bail!("{dtype:?} has no fused products");
    };
    Ok(with_arith!(scheme, A => peak::<A>()))
}

fn peak<A: Arith>() -> f64 {
    const DEPTH: usize = 256;
    const N_ROUNDS: usize = 4000;
    let per_thread = || {
        let a = vec![A::Elem::default(); A::MR * DEPTH];
        let w = vec![A::Elem::default(); A::NR * DEPTH];
        let panels = Panels::from_rows::<A>(&w, DEPTH, A::NR, DEPTH);
        let product = || {
            matmul::<A>(A::MR, Left::rows::<A>(&a, DEPTH, DEPTH), &panels, |at| {
                std::hint::black_box(&at);
            });
        };
        // Once to wake up, then for the clock; the best of a few, as a machine
        // is never slower than it is.
        let timed = |_| {
            let start = Instant::now();
            (0..N_ROUNDS).for_each(|_| product());
            start.elapsed().as_secs_f64()
        };
        let seconds = (0..5).map(timed).fold(f64::INFINITY, f64::min);
        (2 * A::MR * A::NR * DEPTH * N_ROUNDS) as f64 / seconds / 1e9
    };
    rayon::broadcast(|_| per_thread()).into_iter().sum()
}

/// Measures until it is dropped.
pub(crate) fn section(part: Part) -> Section {
    Section { part, start: IS_ON.load(Ordering::Relaxed).then(Instant::now) }
}

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
