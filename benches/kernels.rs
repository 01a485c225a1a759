//! Fused sublayers, losses and Adam updates compared with their references, at the
//! sizes of a training step.
//! Run: `cargo bench -p hrm-benches --bench kernels`.

// The macros of criterion declare functions without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use candle_core::{DType, Device, Result, Tensor, Var};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hrm_kernels::{
    AdamRatio, AdamStep, CellDistribution, Isa, Rotary, Weight, adam, attn_block, cross_entropy,
    mlp_block, reference,
};
use hrm_testkit::ramp;

const EPS: f64 = 1e-5;

/// Sizes of one transformer block, named after its model.
#[derive(Clone, Copy, Debug)]
struct Shape {
    name: &'static str,
    /// Puzzles, `B`: few, because the time per puzzle hardly depends on their number.
    n_puzzles: usize,
    /// Positions per puzzle, `P + S`.
    n_positions: usize,
    /// Channels per position, `D`.
    width: usize,
    n_heads: usize,
    /// Channels inside the feed-forward sublayer, `I`.
    inner: usize,
}

/// Every shape, cheapest first.
const SHAPES: &[Shape] = &[
    Shape { name: "1m", n_puzzles: 16, n_positions: 82, width: 128, n_heads: 4, inner: 512 },
    Shape { name: "27m", n_puzzles: 4, n_positions: 82, width: 512, n_heads: 8, inner: 1536 },
    // The same model on a 30 by 30 grid.
    Shape { name: "arc", n_puzzles: 1, n_positions: 901, width: 512, n_heads: 8, inner: 1536 },
];

/// A sublayer bound to its weights.
type Bound<'a> = Box<dyn Fn(&Tensor) -> Result<Tensor> + 'a>;

/// Binds a sublayer to two weights: the fused version in a dtype, or the reference.
type Bind<'a> = &'a dyn Fn([Tensor; 2], Option<DType>) -> Result<Bound<'a>>;

/// A trainable matrix with a gain of about 1.
fn weight(n_rows: usize, n_columns: usize) -> Result<Var> {
    Var::from_tensor(&(ramp((n_rows, n_columns))? * (3.0 / n_columns as f64).sqrt())?)
}

/// Times all versions of one sublayer in one group. Weights are bound beforehand, as
/// a training step does once for many uses.
fn compare(
    c: &mut Criterion,
    name: &str,
    shape: Shape,
    weights: [Var; 2],
    bind: Bind<'_>,
) -> Result<()> {
    let x = Var::from_tensor(&ramp((shape.n_puzzles, shape.n_positions, shape.width))?)?;
    let mut versions = vec![("reference", None), ("fused f32", Some(DType::F32))];
    if Isa::current()?.has_bf16() {
        versions.push(("fused bf16", Some(DType::BF16)));
    }

    let mut group = c.benchmark_group(format!("{name} {}", shape.name));
    group.throughput(Throughput::Elements(shape.n_puzzles as u64)).sample_size(10);
    for (version, dtype) in versions {
        let frozen = bind(weights.each_ref().map(Var::as_detached_tensor), dtype)?;
        let input = x.as_detached_tensor();
        group.bench_function(format!("{version} forward"), |bencher| {
            bencher.iter(|| black_box(frozen(&input).expect("shapes fit")));
        });
        let live = bind(weights.each_ref().map(|w| w.as_tensor().clone()), dtype)?;
        group.bench_function(format!("{version} both passes"), |bencher| {
            bencher.iter(|| {
                let y = live(x.as_tensor()).expect("shapes fit");
                black_box(y.backward().expect("every operation has a gradient"))
            });
        });
    }
    group.finish();
    Ok(())
}

fn attn(c: &mut Criterion, shape: Shape) -> Result<()> {
    let Shape { n_positions, width, n_heads, .. } = shape;
    let rotary = Rotary::new(n_positions, width / n_heads, 10_000.0, &Device::Cpu)?;
    let weights = [weight(3 * width, width)?, weight(width, width)?];
    compare(c, "attn_block", shape, weights, &|[qkv, o], dtype| {
        let rotary = Some(&rotary);
        Ok(match dtype {
            None => Box::new(move |x| reference::attn_block(x, &qkv, &o, n_heads, rotary, EPS)),
            Some(dtype) => {
                let (qkv, o) = (Weight::new(qkv, dtype)?, Weight::new(o, dtype)?);
                Box::new(move |x| attn_block(x, &qkv, &o, n_heads, rotary, EPS))
            }
        })
    })
}

fn mlp(c: &mut Criterion, shape: Shape) -> Result<()> {
    let Shape { width, inner, .. } = shape;
    let weights = [weight(2 * inner, width)?, weight(width, inner)?];
    compare(c, "mlp_block", shape, weights, &|[gate_up, down], dtype| {
        Ok(match dtype {
            None => Box::new(move |x| reference::mlp_block(x, &gate_up, &down, EPS)),
            Some(dtype) => {
                let (gate_up, down) = (Weight::gated(gate_up, dtype)?, Weight::new(down, dtype)?);
                Box::new(move |x| mlp_block(x, &gate_up, &down, EPS))
            }
        })
    })
}

/// Times an Adam update of the largest matrix of a block.
fn optimiser(c: &mut Criterion, shape: Shape) -> Result<()> {
    let step = AdamStep {
        beta1: 0.9,
        beta2: 0.95,
        gradient_scale: 1.0,
        ratio: AdamRatio::Atan2,
        step_size: 1e-4,
        param_scale: 1.0 - 1e-5,
        root_correction: 0.5,
    };
    let param = weight(2 * shape.inner, shape.width)?;
    let grad = (param.as_tensor() * 1e-3)?;
    let mut group = c.benchmark_group(format!("adam_atan2 {}", shape.name));
    group.throughput(Throughput::Elements(param.elem_count() as u64)).sample_size(10);
    for (version, pass) in [("reference", reference::adam as Pass), ("fused f32", adam)] {
        let [mut mean, mut mean_square] = [grad.copy()?, grad.sqr()?];
        group.bench_function(version, |bencher| {
            bencher.iter(|| {
                pass(&param, &mut mean, &mut mean_square, &grad, step).expect("shapes fit");
            });
        });
    }
    group.finish();
    Ok(())
}

/// Times both losses of a batch of 9 by 9 Sudoku, including the gradient.
fn losses(c: &mut Criterion) {
    let versions: [(&str, CellDistribution, Loss); 4] = [
        ("stablemax reference", CellDistribution::Stablemax, reference::cross_entropy),
        ("stablemax fused", CellDistribution::Stablemax, cross_entropy),
        ("softmax reference", CellDistribution::Softmax, reference::cross_entropy),
        ("softmax fused", CellDistribution::Softmax, cross_entropy),
    ];
    let (n_puzzles, n_cells, n_tokens) = (32, 81, 11);
    let logits = ramp((n_puzzles, n_cells, n_tokens)).and_then(|t| Var::from_tensor(&t));
    let labels: Vec<i64> = (0..n_puzzles * n_cells).map(|i| (i % n_tokens) as i64).collect();
    let labels = Tensor::from_vec(labels, (n_puzzles, n_cells), &Device::Cpu);
    let (logits, labels) = logits.and_then(|l| Ok((l, labels?))).expect("the CPU holds logits");

    let mut group = c.benchmark_group("cross_entropy");
    group.throughput(Throughput::Elements(n_puzzles as u64)).sample_size(10);
    for (version, distribution, loss) in versions {
        group.bench_function(version, |bencher| {
            bencher.iter(|| {
                let loss =
                    loss(distribution, 0.0, logits.as_tensor(), &labels).expect("shapes fit");
                black_box(loss.backward().expect("every operation has a gradient"))
            });
        });
    }
    group.finish();
}

/// A version of a loss.
type Loss = fn(CellDistribution, f64, &Tensor, &Tensor) -> Result<Tensor>;

/// A version of the Adam update.
type Pass = fn(&Var, &mut Tensor, &mut Tensor, &Tensor, AdamStep) -> Result<()>;

fn optimisers(c: &mut Criterion) {
    for shape in SHAPES.iter().take(2).copied() {
        optimiser(c, shape).expect("the CPU holds a matrix");
    }
}

fn sublayers(c: &mut Criterion) {
    for shape in SHAPES.iter().copied() {
        attn(c, shape).and_then(|()| mlp(c, shape)).expect("the CPU holds a block");
    }
}

criterion_group!(benches, sublayers, losses, optimisers);
criterion_main!(benches);
