//! One segment of inference. Run: `cargo bench -p hrm-benches --bench segment`.

// The macros of criterion declare functions without documentation.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hrm_benches::CASES;

fn segment(c: &mut Criterion) {
    for case in CASES {
        let (model, batch) = (case.model(), case.batch());
        let network = model.frozen().expect("a fresh model is complete");
        let embeddings =
            model.puzzle_embeddings(batch.puzzle_ids()).expect("identifier 0 is known");
        let tokens = batch.input_tensor(model.device()).expect("the CPU holds a batch");
        let input =
            network.encode(&tokens, embeddings.as_ref()).expect("tokens are in the vocabulary");
        let states = network.initial_states(case.batch_size).expect("the CPU holds the states");

        let mut group = c.benchmark_group("segment");
        group.throughput(Throughput::Elements(case.batch_size as u64)).sample_size(10);
        group.bench_function(case.name, |bencher| {
            bencher.iter(|| black_box(network.segment(&states, &input).expect("shapes fit")));
        });
        group.finish();
    }
}

criterion_group!(benches, segment);
criterion_main!(benches);
