//! Replays the training steps of a golden file.

use std::collections::HashMap;

use anyhow::Context;
use candle_core::{DType, Device, Tensor};
use hrm_base::progress::Stage;
use hrm_core::halting::Exploration;
use hrm_core::{GradientSpan, Hrm, HrmConfig, Mixer, Positions, Weights, names};
use hrm_testkit::{Golden, GoldenError, Tol};
use hrm_train::{Batch, Gradients, SegmentForward, StepRandomness, TrainConfig, Trainer};

use super::table::{Group, Table};

/// Builds the model that the metadata describes, replays the steps with the stored
/// random numbers, and compares all tensors of the file.
pub(crate) fn replay(golden: &Golden, device: &Device, dtype: DType) -> anyhow::Result<Table> {
    let config = model_config(golden)?;
    let train = train_config(golden)?;
    // Rounding to bf16 flips the signs of small gradients, so after the first step
    // the weights differ, and later steps cannot be compared.
    let is_exact = dtype == DType::F32;
    let n_steps = if is_exact { train.steps } else { 1 };
    let weights = tensors_under(golden, "w.");
    let weights = Weights::from_tensors(&config.params()?, weights, device).with_context(|| {
        format!("the weights of {} do not fit its config", golden.path().display())
    })?;
    let model = Hrm::with_weights(config, weights)?.with_dtype(dtype);
    let mut trainer = Trainer::new(model, train)?;
    let fresh = batch(golden)?;

    let mut table = Table::new(dtype);
    let stage = Stage::start("replaying steps", n_steps);
    for step in 0..n_steps {
        let exploration = exploration(golden, step)?;
        let randomness = StepRandomness { exploration: &exploration, seed: 0 };
        let forward = trainer.forward(|row, batch| batch.copy_row(row, &fresh), randomness)?;
        let mut gradients = trainer.backward(&forward)?;
        compare_forward(golden, step, &forward, &mut table)?;
        compare_gradients(golden, step, trainer.model(), &gradients, &mut table)?;
        copy_lost_signs(golden, step, trainer.model(), &mut gradients)?;
        trainer.update(&gradients)?;
        trainer.advance(forward, gradients.norm)?;

        let n_done = Tensor::new(trainer.carries()[0].n_done.as_slice(), &Device::Cpu)?;
        let name = format!("{step}.steps");
        table.compare(Group::Decisions, &name, &n_done, golden.tensor(&name)?)?;
        if trainer.model().config().recurrence.gradient_span != GradientSpan::LastUpdate {
            table.expect_amplified();
        }
        stage.advance(1);
    }
    if !is_exact {
        return Ok(table);
    }
    for (name, found) in trainer.model().weights().tensors() {
        let wanted = golden.tensor(&format!("final.{name}"))?;
        table.compare(Group::Weights, format!("final.{name}"), &found, wanted)?;
    }
    Ok(table)
}

fn compare_forward(
    golden: &Golden,
    step: u64,
    forward: &SegmentForward,
    table: &mut Table,
) -> anyhow::Result<()> {
    let SegmentForward { out, loss, halted, continue_targets, .. } = forward;
    let mut compare = |group, name: &str, found: &Tensor, is_required: bool| {
        let name = format!("{step}.{name}");
        let wanted = match golden.find(&name) {
            None if !is_required => return anyhow::Ok(()),
            _ => golden.tensor(&name)?,
        };
        table.compare(group, name, found, &wanted.reshape(found.shape())?)?;
        anyhow::Ok(())
    };
    // Complete tensors are stored for the first and the last step only.
    compare(Group::Logits, "logits", &out.logits, step == 0)?;
    compare(Group::States, "z_h", &out.states.z_h, step == 0)?;
    compare(Group::States, "z_l", &out.states.z_l, step == 0)?;
    compare(Group::Halting, "q", &out.q, true)?;
    let halted: Vec<u8> = halted.iter().map(|h| u8::from(*h)).collect();
    compare(Group::Decisions, "halted", &Tensor::new(halted, &Device::Cpu)?, true)?;
    if let Some(targets) = continue_targets {
        let targets = Tensor::new(targets.as_slice(), &Device::Cpu)?;
        compare(Group::Targets, "target_q_continue", &targets, true)?;
    }
    compare(Group::Losses, "loss", &loss.total, true)?;
    compare(Group::Losses, "lm_loss", &loss.cells, true)
}

/// Replaces elements of gradients whose sign is lost in rounding by the values of
/// the reference, if the file holds them.
///
/// The first steps of Adam-atan2, and all steps of sign descent, depend only on
/// signs. If an element is so close to zero that its sign depends on the order of
/// summation, its weight moves by a full step in one direction or the other, and
/// all later numbers change with it.
fn copy_lost_signs(
    golden: &Golden,
    step: u64,
    model: &Hrm,
    gradients: &mut Gradients,
) -> anyhow::Result<()> {
    let corrected = |found: &Tensor, wanted: &Tensor| -> candle_core::Result<Tensor> {
        let tol = Tol::F32_GRADIENT;
        let wanted = &wanted.to_device(found.device())?;
        let largest = f64::from(wanted.abs()?.max_all()?.to_scalar::<f32>()?);
        let is_close = (found - wanted)?.abs()?.le(tol.absolute + tol.relative * largest)?;
        let is_flipped = (found * wanted)?.le(0.0)?;
        (is_close * is_flipped)?.where_cond(wanted, found)
    };
    for (name, var) in model.weights().trained() {
        let wanted = golden.find(&format!("{step}.grad.{name}"));
        if let (Some(wanted), Some(found)) = (wanted, gradients.dense.get(var)) {
            let corrected = corrected(found, wanted)?;
            gradients.dense.insert(var, corrected);
        }
    }
    let wanted = golden.find(&format!("{step}.grad.puzzle_rows"));
    if let (Some(wanted), Some(found)) = (wanted, &mut gradients.puzzle_embeddings) {
        *found = corrected(found, wanted)?;
    }
    Ok(())
}

fn compare_gradients(
    golden: &Golden,
    step: u64,
    model: &Hrm,
    gradients: &Gradients,
    table: &mut Table,
) -> anyhow::Result<()> {
    let prefix = format!("{step}.grad.");
    let vars: HashMap<_, _> = model.weights().trained().collect();
    let mut n_compared = 0;
    for (name, wanted) in golden.tensors_under(&prefix) {
        let found = match name {
            "puzzle_rows" => gradients.puzzle_embeddings.as_ref(),
            _ => vars.get(name).and_then(|var| gradients.dense.get(var)),
        };
        let found = found.with_context(|| format!("no gradient reaches `{name}`"))?;
        table.compare(Group::Gradients, format!("{prefix}{name}"), found, wanted)?;
        n_compared += 1;
    }
    // A file without gradients would not test learning.
    let n_wanted = vars.len() + usize::from(gradients.puzzle_embeddings.is_some());
    if step == 0 && n_compared != n_wanted {
        let what = format!("{n_wanted} gradients of the first step, one per parameter");
        anyhow::bail!(GoldenError::Metadata {
            path: golden.path().to_owned(),
            key: prefix,
            expected: what,
            found: n_compared.to_string(),
        });
    }
    Ok(())
}

/// The model config that the metadata describes.
fn model_config(golden: &Golden) -> Result<HrmConfig, GoldenError> {
    let mut config = match golden.text("family") {
        Some("hrm") => HrmConfig::paper(),
        Some("trm") => HrmConfig::tiny_recursive(),
        _ => return Err(golden.wrong("family", "`hrm` or `trm`")),
    };
    let mixer = match golden.text("mixer") {
        None | Some("attention") => Mixer::Attention,
        Some("mlp") => Mixer::Mlp,
        _ => return Err(golden.wrong("mixer", "`attention` or `mlp`")),
    };
    let hidden_dim: usize = golden.number("hidden")?;
    let puzzle_dim = match golden.text("emb_dim") {
        None | Some("None") => hidden_dim,
        Some(_) => golden.number("emb_dim")?,
    };
    let n_prefix = match golden.number("prefix")? {
        0 => puzzle_dim.div_ceil(hidden_dim.max(1)),
        n_prefix => n_prefix,
    };
    let n_l_layers = golden.number("layers")?;
    let n_h_layers = match golden.number("layers_h")? {
        0 => n_l_layers,
        n_h_layers => n_h_layers,
    };
    let positions = match golden.text("pos") {
        Some("rope") => Positions::Rope,
        Some("learned") => Positions::Learned,
        Some("none") => Positions::None,
        _ => return Err(golden.wrong("pos", "`rope`, `learned` or `none`")),
    };
    // Other values are constants of the reference, which the metadata leaves out.
    config.input.vocab_size = golden.number("vocab")?;
    config.input.n_cells = golden.number("seq")?;
    config.input.n_puzzle_ids = golden.number("ids")?;
    config.puzzle_embedding.dim = puzzle_dim;
    config.puzzle_embedding.n_positions = n_prefix;
    config.block.hidden_dim = hidden_dim;
    config.block.mixer = mixer;
    config.block.n_heads = golden.number("heads")?;
    config.block.positions = positions;
    config.recurrence.n_h_layers = n_h_layers;
    config.recurrence.n_l_layers = n_l_layers;
    config.recurrence.n_h_cycles = golden.number("h_cycles")?;
    config.recurrence.n_l_cycles = golden.number("l_cycles")?;
    config.halting.n_segments_max = golden.number("halt")?;
    Ok(config)
}

fn train_config(golden: &Golden) -> Result<TrainConfig, GoldenError> {
    let weight_decay = golden.number("wd")?;
    let mut train = TrainConfig::paper();
    train.batch_size = golden.number("batch")?;
    train.steps = golden.number("steps")?;
    train.optimiser.learning_rate = golden.number("lr")?;
    train.optimiser.weight_decay = weight_decay;
    train.puzzle_embedding.learning_rate = golden.number("emb_lr")?;
    train.puzzle_embedding.weight_decay = weight_decay;
    train.schedule.warmup_steps = 0;
    train.schedule.lr_min_ratio = 1.0;
    Ok(train)
}

/// The batch that supplies all puzzles.
fn batch(golden: &Golden) -> anyhow::Result<Batch> {
    let ints = |name: &str| -> anyhow::Result<Vec<i64>> {
        let tensor = golden.tensor(&format!("batch.{name}"))?;
        Ok(tensor.to_dtype(DType::I64)?.flatten_all()?.to_vec1()?)
    };
    let ids = |name: &str| -> anyhow::Result<Vec<u32>> {
        let id = |v| u32::try_from(v).with_context(|| format!("`batch.{name}` holds {v}"));
        ints(name)?.into_iter().map(id).collect()
    };
    let n_cells = golden.number("seq")?;
    let (inputs, labels, puzzles) = (ids("inputs")?, ints("labels")?, ids("puzzle_identifiers")?);
    if inputs.len() != puzzles.len() * n_cells || labels.len() != inputs.len() {
        return Err(golden.wrong("seq", "the number of cells of the batch").into());
    }
    if golden.number::<usize>("batch")? != puzzles.len() {
        return Err(golden
            .wrong("batch", format!("{}, the number of examples in the batch", puzzles.len()))
            .into());
    }
    Ok(Batch::new(n_cells, inputs, labels, puzzles))
}

/// The random numbers of halting exploration in one step.
fn exploration(golden: &Golden, step: u64) -> anyhow::Result<Vec<Exploration>> {
    let u = golden.tensor(&format!("{step}.explore_u"))?.to_vec1::<f32>()?;
    let min_segments = golden.tensor(&format!("{step}.explore_min_steps"))?;
    let min_segments = min_segments.to_dtype(DType::U32)?.to_vec1::<u32>()?;
    let n_rows: usize = golden.number("batch")?;
    if u.len() != n_rows || min_segments.len() != n_rows {
        return Err(golden
            .wrong("batch", format!("{}, the number of examples in step {step}", u.len()))
            .into());
    }
    let pairs = u.into_iter().zip(min_segments);
    Ok(pairs.map(|(u, min_segments)| Exploration { u, min_segments }).collect())
}

fn tensors_under(golden: &Golden, prefix: &str) -> HashMap<String, Tensor> {
    let tensors = golden.tensors_under(prefix);
    // A model without puzzle embeddings ignores the table in the file.
    let has_puzzles = golden.text("emb_dim") != Some("0");
    tensors
        .filter(|(name, _)| has_puzzles || *name != names::PUZZLES)
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect()
}
