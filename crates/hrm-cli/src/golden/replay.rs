//! Replays the training steps of a golden file.

use std::collections::HashMap;

use anyhow::Context;
use candle_core::{DType, Device, Tensor};
use hrm_base::progress::Stage;
use hrm_core::halting::Exploration;
use hrm_core::{Hrm, HrmConfig, Mixer, Positions, Weights, names};
use hrm_testkit::{Golden, GoldenError, Size, Tol};
use hrm_train::{Batch, Gradients, SegmentForward, StepRandomness, TrainConfig, Trainer};

use super::reference::{self, Reference};
use super::report::Report;
use super::table::{Group, MULTIPLE_MAX, Table};

/// Builds the model that the metadata describes, replays the steps with the stored
/// random numbers, and compares all tensors of the file.
pub(crate) fn replay(golden: &Golden, device: &Device, dtype: DType) -> anyhow::Result<Report> {
    let config = model_config(golden)?;
    let configuration = described(golden, &config);
    let train = train_config(golden)?;
    let n_steps = train.steps;
    let extent = match dtype {
        DType::F32 => reference::extent(golden, n_steps)?,
        _ => reference::extent_in_bf16(golden)?,
    };
    let weights = tensors_under(golden, "w.");
    let weights = Weights::from_tensors(&config.params()?, weights, device).with_context(|| {
        format!("the weights of {} do not fit its config", golden.path().display())
    })?;
    let model = Hrm::with_weights(config, weights)?.with_dtype(dtype);
    let mut trainer = Trainer::new(model, train)?;
    let fresh = batch(golden)?;

    let mut table = Table::new(dtype);
    let stage = Stage::start("replaying steps", extent.n_steps);
    for step in 0..extent.n_steps {
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
        table.compare(Group::Decisions, &name, &n_done, &Reference::of(golden, &name)?)?;
        table.expect_amplified(trainer.model().config().recurrence.gradient_span);
        stage.advance(1);
    }
    if extent.n_steps == n_steps && dtype == DType::F32 {
        for (name, found) in trainer.model().weights().tensors() {
            let name = format!("final.{name}");
            table.compare(Group::Weights, &name, &found, &Reference::of(golden, &name)?)?;
        }
    }
    let path = golden.path().to_owned();
    Ok(Report { path, configuration, n_steps: Some(n_steps), extent, table })
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
        let wanted = match Reference::find(golden, &name)? {
            None if !is_required => return anyhow::Ok(()),
            Some(wanted) => wanted,
            None => Reference::value(golden.tensor(&name)?),
        };
        Ok(table.compare(group, name, found, &wanted)?)
    };
    // Complete tensors are stored for the first and the last step only.
    compare(Group::Logits, "logits", &out.logits, step == 0)?;
    compare(Group::States, "z_h", &out.states.z_h, step == 0)?;
    compare(Group::States, "z_l", &out.states.z_l, step == 0)?;
    compare(Group::Halting, "q", &out.q, true)?;
    let bits = |flags: &[bool]| {
        let bits: Vec<u8> = flags.iter().map(|flag| u8::from(*flag)).collect();
        Tensor::new(bits, &Device::Cpu)
    };
    compare(Group::Decisions, "halted", &bits(halted)?, true)?;
    compare(Group::Decisions, "exact", &bits(&loss.exact)?, false)?;
    if let Some(targets) = continue_targets {
        let targets = Tensor::new(targets.as_slice(), &Device::Cpu)?;
        compare(Group::Targets, "target_q_continue", &targets, true)?;
    }
    compare(Group::Losses, "loss", &loss.total, true)?;
    compare(Group::Losses, "lm_loss", &loss.cells, true)
}

/// Replaces elements of gradients whose sign is lost in rounding by the values of
/// the reference (those in f64, if it has them), if the file holds them.
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
    let corrected = |found: &Tensor, wanted: &Reference<'_>| -> candle_core::Result<Tensor> {
        let largest_error = match wanted.yardstick {
            Some(yardstick) => MULTIPLE_MAX * yardstick.unit.largest,
            None => {
                let tol = Tol::F32_GRADIENT;
                tol.absolute + tol.relative * Size::of(wanted.value)?.largest
            }
        };
        let wanted = &wanted.value.to_dtype(found.dtype())?.to_device(found.device())?;
        let is_close = (found - wanted)?.abs()?.le(largest_error)?;
        let is_flipped = (found * wanted)?.le(0.0)?;
        (is_close * is_flipped)?.where_cond(wanted, found)
    };
    for (name, var) in model.weights().trained() {
        let wanted = Reference::find(golden, &format!("{step}.grad.{name}"))?;
        if let (Some(wanted), Some(found)) = (wanted, gradients.dense.get(var)) {
            let corrected = corrected(found, &wanted)?;
            gradients.dense.insert(var, corrected);
        }
    }
    let wanted = Reference::find(golden, &format!("{step}.grad.puzzle_rows"))?;
    if let (Some(wanted), Some(found)) = (wanted, &mut gradients.puzzle_embeddings) {
        *found = corrected(found, &wanted)?;
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
    for (name, _) in golden.tensors_under(&prefix) {
        let found = match name {
            "puzzle_rows" => gradients.puzzle_embeddings.as_ref(),
            _ => vars.get(name).and_then(|var| gradients.dense.get(var)),
        };
        let found = found.with_context(|| format!("no gradient reaches `{name}`"))?;
        let name = format!("{prefix}{name}");
        table.compare(Group::Gradients, &name, found, &Reference::of(golden, &name)?)?;
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

/// A configuration in a few words: `hrm attention rope 2x2, D 8/2, 1+1 layers, 1+6 cells,
/// 5 symbols, batch 3` for 8 channels in 2 heads and 1 prefix position.
fn described(golden: &Golden, config: &HrmConfig) -> String {
    let text = |key| golden.text(key).unwrap_or("attention");
    let HrmConfig { input, block, recurrence, puzzle_embedding, .. } = config;
    let layers = match text("family") {
        "hrm" => format!("{}+{}", recurrence.n_h_layers, recurrence.n_l_layers),
        _ => recurrence.n_l_layers.to_string(),
    };
    format!(
        "{} {} {} {}x{}, D {}/{}, {layers} layers, {}+{} cells, {} symbols, batch {}",
        text("family"),
        text("mixer"),
        text("pos"),
        recurrence.n_h_cycles,
        recurrence.n_l_cycles,
        block.hidden_dim,
        block.n_heads,
        puzzle_embedding.n_positions,
        input.n_cells,
        input.vocab_size,
        text("batch"),
    )
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
