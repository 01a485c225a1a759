//! File names of a run.

use std::path::Path;

/// Record of the run: settings, seed and data.
pub const RECORD: &str = "run.json";
/// Metrics over time.
pub const METRICS: &str = "metrics.jsonl";
/// Locked by the process that trains.
pub const LOCK: &str = "lock";
/// Folder of checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// Checkpoint folder with the weights that the run starts from, if they are those of
/// another checkpoint.
pub const INIT: &str = "init";
/// File with the name of the newest checkpoint.
pub const LATEST: &str = "latest";
/// File with the name of the best checkpoint by validation.
pub const BEST: &str = "best";
/// Model config of a checkpoint.
pub const CONFIG: &str = "config.json";
/// Weights of a checkpoint.
pub const WEIGHTS: &str = "model.safetensors";

/// The name of the checkpoint after `step` steps.
pub(super) fn checkpoint_name(step: u64) -> String {
    format!("step-{step:06}")
}

/// The step of a complete checkpoint, from its name.
pub fn checkpoint_step(checkpoint: &Path) -> Option<u64> {
    checkpoint.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()
}
