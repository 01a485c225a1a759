//! Each fused sublayer beside its reference, at the sizes of a training step.
//! Run: `cargo bench -p hrm-benches --bench kernels`.

// The macros of criterion declare functions without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use candle_core::{DType, Device, Result, Tensor, Var};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hrm_kernels::{Path, Rotary, Weight, attn_block, mlp_block, reference};
use hrm_testkit::ramp;

const EPS: f64 = 1e-5;

/// Sizes of one transformer block, named after the model that it belongs to.
#[derive(Clone, Copy, Debug)]
struct Shape {
    name: &'static str,
    /// Puzzles, `B`: few, because the time per puzzle is nearly the same.
    n_puzzles: usize,
    /// Positions of a puzzle, `P + S`.
    n_positions: usize,
    /// Channels, `D`.
    width: usize,
    n_heads: usize,
    /// Channels between the two products of the feed-forward half, `I`.
    inner: usize,
}

/// Every shape, cheapest first.
const SHAPES: &[Shape] = &[
    Shape { name: "1m", n_puzzles: 16, n_positions: 82, width: 128, n_heads: 4, inner: 512 },
    Shape { name: "27m", n_puzzles: 4, n_positions: 82, width: 512, n_heads: 8, inner: 1536 },
    // The same model on a grid of 30 by 30.
    Shape { name: "arc", n_puzzles: 1, n_positions: 901, width: 512, n_heads: 8, inner: 1536 },
];

/// A sublayer of `x` and two weights.
type Sublayer<'a> = &'a dyn Fn(&Tensor, [&Tensor; 2]) -> Result<Tensor>;

/// The same, computed in a dtype of choice.
type InDtype<'a> = &'a dyn Fn(&Tensor, [&Tensor; 2], DType) -> Result<Tensor>;

/// A trained matrix of about unit gain.
fn weight(n_rows: usize, n_columns: usize) -> Result<Var> {
    Var::from_tensor(&(ramp((n_rows, n_columns))? * (3.0 / n_columns as f64).sqrt())?)
}

/// Times one sublayer, all its versions in one group.
fn compare(
    c: &mut Criterion,
    name: &str,
    shape: Shape,
    weights: [Var; 2],
    fused: InDtype<'_>,
    reference: Sublayer<'_>,
) -> Result<()> {
    let x = Var::from_tensor(&ramp((shape.n_puzzles, shape.n_positions, shape.width))?)?;
    let has_bf16 = Path::current()?.has_bf16();
    let in_f32 = |x: &Tensor, w: [&Tensor; 2]| fused(x, w, DType::F32);
    let in_bf16 = |x: &Tensor, w: [&Tensor; 2]| fused(x, w, DType::BF16);
    let versions: [(&str, Sublayer<'_>, bool); 3] = [
        ("reference", reference, true),
        ("fused f32", &in_f32, true),
        ("fused bf16", &in_bf16, has_bf16),
    ];
    let live = [weights[0].as_tensor(), weights[1].as_tensor()];
    let still = weights.each_ref().map(Var::as_detached_tensor);

    let mut group = c.benchmark_group(format!("{name} {}", shape.name));
    group.throughput(Throughput::Elements(shape.n_puzzles as u64)).sample_size(10);
    for (version, sublayer, is_there) in versions {
        if !is_there {
            continue;
        }
        let input = x.as_detached_tensor();
        group.bench_function(format!("{version} forward"), |bencher| {
            bencher.iter(|| black_box(sublayer(&input, still.each_ref()).expect("shapes fit")));
        });
        group.bench_function(format!("{version} both passes"), |bencher| {
            bencher.iter(|| {
                let y = sublayer(x.as_tensor(), live).expect("shapes fit");
                black_box(y.backward().expect("every operation has a gradient"))
            });
        });
    }
    group.finish();
    Ok(())
}

fn sublayers(c: &mut Criterion) {
    for shape in SHAPES.iter().copied() {
        let Shape { n_positions, width, n_heads, inner, .. } = shape;
        let mut all = || -> Result<()> {
            let rotary = Rotary::new(n_positions, width / n_heads, 10_000.0, &Device::Cpu)?;
            compare(
                c,
                "attn_block",
                shape,
                [weight(3 * width, width)?, weight(width, width)?],
                &|x, [qkv, o], dtype| {
                    let (qkv, o) =
                        (Weight::new(qkv.clone(), dtype)?, Weight::new(o.clone(), dtype)?);
                    attn_block(x, &qkv, &o, n_heads, Some(&rotary), EPS)
                },
                &|x, [qkv, o]| reference::attn_block(x, qkv, o, n_heads, Some(&rotary), EPS),
            )?;
            compare(
                c,
                "mlp_block",
                shape,
                [weight(2 * inner, width)?, weight(width, inner)?],
                &|x, [gate_up, down], dtype| {
                    let gate_up = Weight::gated(gate_up.clone(), dtype)?;
                    mlp_block(x, &gate_up, &Weight::new(down.clone(), dtype)?, EPS)
                },
                &|x, [gate_up, down]| reference::mlp_block(x, gate_up, down, EPS),
            )
        };
        all().expect("the CPU holds a block");
    }
}

criterion_group!(benches, sublayers);
criterion_main!(benches);
