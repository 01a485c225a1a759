//! The flat layout of settings: files may have every setting at the top level.

use serde_json::{Map, Value};

/// The key in the flat layout, and the dotted key, of each setting in a group.
pub(super) const RENAMED_KEYS: &[(&str, &str)] = &[
    ("optimiser", "optimiser.kind"),
    ("learning_rate", "optimiser.learning_rate"),
    ("weight_decay", "optimiser.weight_decay"),
    ("beta1", "optimiser.beta1"),
    ("beta2", "optimiser.beta2"),
    ("clip_norm", "optimiser.clip_norm"),
    ("ema", "optimiser.ema"),
    ("puzzle_learning_rate", "puzzle_embedding.learning_rate"),
    ("puzzle_weight_decay", "puzzle_embedding.weight_decay"),
    ("warmup_steps", "schedule.warmup_steps"),
    ("decay", "schedule.decay"),
    ("lr_min_ratio", "schedule.lr_min_ratio"),
    ("curriculum", "schedule.curriculum"),
    ("cell_loss", "loss.cells"),
    ("label_smoothing", "loss.label_smoothing"),
    ("eval_interval", "evaluation.interval"),
    ("n_validation", "evaluation.n_validation"),
    ("patience", "evaluation.patience"),
    ("checkpoint_interval", "checkpoints.interval"),
    ("n_checkpoints", "checkpoints.n_kept"),
    ("n_skipped_max", "recovery.n_skipped_max"),
    ("n_rollbacks_max", "recovery.n_rollbacks_max"),
    ("rollback_rate", "recovery.rollback_rate"),
];

/// Moves each flat key of `settings` into its group.
///
/// # Errors
///
/// If a setting is given twice, or its group is not a table.
pub(super) fn move_renamed(settings: &mut Map<String, Value>) -> Result<(), String> {
    // All flat keys are removed before any is inserted: `optimiser` is also a group.
    let mut moved = Vec::new();
    for (old, new) in RENAMED_KEYS {
        let is_group = new.split('.').next() == Some(*old);
        if settings.get(*old).is_some_and(|value| !(is_group && value.is_object())) {
            moved.extend(settings.remove(*old).map(|value| (old, new, value)));
        }
    }
    for (old, new, value) in moved {
        let (group, field) = new.split_once('.').unwrap_or(("", new));
        let fields = settings.entry(group).or_insert_with(|| Map::new().into());
        let Some(fields) = fields.as_object_mut() else {
            return Err(format!("`{group}` must be a group of settings"));
        };
        if fields.insert(field.to_owned(), value).is_some() {
            return Err(format!("`{old}` and `{new}` are the same setting: give only one"));
        }
    }
    Ok(())
}
