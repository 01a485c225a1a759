//! Compares the output of a checkpoint after each segment with stored vectors.
//!
//! A vector file holds `inputs: [B, S]` and `puzzle_identifiers: [B]`, and for
//! some segments `k`, counted from 1: `argmax_k: [B, S]`, `q_halt_k` and
//! `q_continue_k: [B]`, `logits_k: [B, S, vocab]`, and the leading positions of
//! `z_H_k` and `z_L_k: [B, .., D]`.

use candle_core::{D, DType, Tensor};
use hrm_base::progress::Stage;
use hrm_core::{Hrm, SegmentOutput};
use hrm_testkit::Golden;

use super::reference::Reference;
use super::table::{Group, Table};

/// Runs the segments of the file and compares all of its tensors.
pub(crate) fn compare(model: &Hrm, vectors: &Golden) -> anyhow::Result<Table> {
    let network = model.frozen()?;
    let tokens = vectors.tensor("inputs")?.to_dtype(DType::U32)?.to_device(model.device())?;
    let ids = vectors.tensor("puzzle_identifiers")?.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    let embeddings = model.puzzle_embeddings(&ids)?;
    let input = network.encode(&tokens, embeddings.as_ref())?;
    let mut states = network.initial_states(ids.len())?;

    let mut table = Table::new(model.dtype());
    let n_segments = n_segments(vectors);
    let stage = Stage::start("running segments", n_segments as u64);
    for segment in 1..=n_segments {
        let out = network.segment(&states, &input)?;
        compare_segment(vectors, segment, &out, &mut table)?;
        states = out.states;
        stage.advance(1);
    }
    Ok(table)
}

/// The number of segments, from the names of the tensors.
fn n_segments(vectors: &Golden) -> usize {
    let segment = |name: &str| name.rsplit_once('_')?.1.parse().ok();
    vectors.tensors_under("").filter_map(|(name, _)| segment(name)).max().unwrap_or(0)
}

fn compare_segment(
    vectors: &Golden,
    segment: usize,
    out: &SegmentOutput,
    table: &mut Table,
) -> candle_core::Result<()> {
    let mut compare = |group, name: &str, found: Tensor| {
        let name = format!("{name}_{segment}");
        match vectors.find(&name) {
            Some(wanted) => table.compare(group, &name, &found, &Reference::value(wanted)),
            None => Ok(()),
        }
    };
    let leading = |states: &Tensor, name: &str| match vectors.find(&format!("{name}_{segment}")) {
        Some(wanted) => states.narrow(1, 0, wanted.dim(1)?),
        None => Ok(states.clone()),
    };
    compare(Group::Decisions, "argmax", out.logits.argmax(D::Minus1)?)?;
    compare(Group::Halting, "q_halt", out.q.narrow(1, 0, 1)?.squeeze(1)?)?;
    compare(Group::Halting, "q_continue", out.q.narrow(1, 1, 1)?.squeeze(1)?)?;
    compare(Group::Logits, "logits", out.logits.clone())?;
    compare(Group::States, "z_H", leading(&out.states.z_h, "z_H")?)?;
    compare(Group::States, "z_L", leading(&out.states.z_l, "z_L")?)
}
