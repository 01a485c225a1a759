use super::*;
use serde_json::json;

/// Every setting in the flat layout, each different from its default.
const FLAT: &str = r#"{
    "batch_size": 32,
    "n_carries": 3,
    "steps": 18446744073709551615,
    "optimiser": "muon",
    "learning_rate": 0.002,
    "weight_decay": 0.1,
    "puzzle_learning_rate": 0.02,
    "puzzle_weight_decay": 0.3,
    "warmup_steps": 50,
    "decay": "linear",
    "lr_min_ratio": 0.7,
    "beta1": 0.8,
    "beta2": 0.98,
    "clip_norm": 1.5,
    "ema": 0.9,
    "cell_loss": "softmax",
    "label_smoothing": 0.2,
    "state_noise": 0.01,
    "curriculum": [{"until": 0.5, "n_h_cycles": 1, "n_l_cycles": 2}],
    "n_validation": 3,
    "patience": 4,
    "n_skipped_max": 5,
    "n_rollbacks_max": 6,
    "rollback_rate": 0.25,
    "eval_interval": 25,
    "checkpoint_interval": 7,
    "n_checkpoints": 2
}"#;

/// The same settings in groups.
const GROUPED: &str = r#"
    steps = 100
    batch_size = 32
    n_carries = 3
    state_noise = 0.01

    [optimiser]
    kind = "muon"
    learning_rate = 0.002
    weight_decay = 0.1
    beta1 = 0.8
    beta2 = 0.98
    clip_norm = 1.5
    ema = 0.9

    [puzzle_embedding]
    learning_rate = 0.02
    weight_decay = 0.3

    [schedule]
    warmup_steps = 50
    decay = "linear"
    lr_min_ratio = 0.7
    curriculum = [{ until = 0.5, n_h_cycles = 1, n_l_cycles = 2 }]

    [loss]
    cells = "softmax"
    label_smoothing = 0.2

    [evaluation]
    interval = 25
    n_validation = 3
    patience = 4

    [checkpoints]
    interval = 7
    n_kept = 2

    [recovery]
    n_skipped_max = 5
    n_rollbacks_max = 6
    rollback_rate = 0.25
"#;

fn wanted() -> TrainConfig {
    TrainConfig {
        steps: TrainConfig::OPEN_ENDED,
        batch_size: 32,
        accumulate: 1,
        n_carries: 3,
        state_noise: 0.01,
        optimiser: OptimiserConfig {
            kind: OptimiserKind::Muon,
            learning_rate: 0.002,
            weight_decay: 0.1,
            beta1: 0.8,
            beta2: 0.98,
            clip_norm: 1.5,
            ema: 0.9,
        },
        puzzle_embedding: PuzzleEmbeddingOptimiserConfig { learning_rate: 0.02, weight_decay: 0.3 },
        schedule: ScheduleConfig {
            warmup_steps: 50,
            decay: Decay::Linear,
            lr_min_ratio: 0.7,
            curriculum: vec![CurriculumStage { until: 0.5, n_h_cycles: 1, n_l_cycles: 2 }],
        },
        loss: LossConfig { cells: CellLoss::Softmax, label_smoothing: 0.2 },
        evaluation: EvaluationConfig { interval: 25, n_validation: 3, patience: 4 },
        checkpoints: CheckpointConfig { interval: 7, n_kept: 2 },
        recovery: RecoveryConfig { n_skipped_max: 5, n_rollbacks_max: 6, rollback_rate: 0.25 },
    }
}

fn read(text: &str) -> Result<TrainConfig, String> {
    serde_json::from_str(text).map_err(|err| err.to_string())
}

#[test]
fn a_flat_file_loads_to_the_same_config() {
    assert_eq!(read(FLAT).unwrap(), wanted());
    wanted().check().unwrap();
    // The file has exactly the flat keys of the table and the four ungrouped settings.
    let flat: serde_json::Map<String, Value> = serde_json::from_str(FLAT).unwrap();
    for (old, _) in TrainConfig::RENAMED_KEYS {
        assert!(flat.contains_key(*old), "{old}");
    }
    assert_eq!(flat.len(), TrainConfig::RENAMED_KEYS.len() + 4);
}

#[test]
fn a_config_is_read_back_unchanged() {
    let configs = [TrainConfig::paper(), wanted()];
    for config in configs {
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(read(&text).unwrap(), config);
    }
}

#[test]
fn files_are_grouped() {
    let written = serde_json::to_value(TrainConfig::paper()).unwrap();
    assert_eq!(written["optimiser"]["kind"], "adam-atan2");
    for (old, new) in TrainConfig::RENAMED_KEYS {
        let pointer = format!("/{}", new.replace('.', "/"));
        assert!(written.pointer(&pointer).is_some(), "{new}");
        assert!(*old == "optimiser" || written.get(*old).is_none(), "{old}");
    }
}

#[test]
fn toml_loads_too() {
    let config: TrainConfig = toml::from_str(GROUPED).unwrap();
    assert_eq!(config, wanted().with(|train| train.steps = 100));
    let config: TrainConfig = toml::from_str("optimiser = \"adamw\"\nema = 0.5").unwrap();
    let want = TrainConfig::paper().with(|train| {
        train.optimiser.kind = OptimiserKind::Adamw;
        train.optimiser.ema = 0.5;
    });
    assert_eq!(config, want);
}

#[test]
fn omitted_settings_have_their_published_values() {
    let paper = TrainConfig::paper;
    assert_eq!(read("{}").unwrap(), paper());
    assert_eq!(read(r#"{"steps": 7}"#).unwrap(), TrainConfig { steps: 7, ..paper() });
    let slow = paper().with(|train| train.optimiser.learning_rate = 0.5);
    assert_eq!(read(r#"{"learning_rate": 0.5}"#).unwrap(), slow);
    assert_eq!(read(r#"{"optimiser": {"learning_rate": 0.5}}"#).unwrap(), slow);
    let muon = slow.with(|train| train.optimiser.kind = OptimiserKind::Muon);
    for both in [
        r#"{"optimiser": "muon", "learning_rate": 0.5}"#,
        r#"{"optimiser": {"kind": "muon"}, "learning_rate": 0.5}"#,
    ] {
        assert_eq!(read(both).unwrap(), muon);
    }
}

#[test]
fn unknown_and_duplicate_settings_are_rejected_by_name() {
    for (text, want) in [
        (json!({"speed": 1}), "unknown field `speed`"),
        (json!({"optimiser": {"speed": 1}}), "unknown field `speed`"),
        (json!({"optimiser": {"ema": 0.5, "optimiser": "muon"}}), "unknown field `optimiser`"),
        (
            json!({"ema": 0.5, "optimiser": {"ema": 0.5}}),
            "`ema` and `optimiser.ema` are the same setting: give only one",
        ),
        (
            json!({"ema": 0.5, "cell_loss": "softmax", "loss": 3}),
            "`loss` must be a group of settings",
        ),
        (json!({"optimiser": "sgd"}), "unknown variant `sgd`"),
        (json!({"decay": 3}), "invalid type"),
        (json!(3), "invalid type"),
    ] {
        let message = read(&text.to_string()).unwrap_err();
        assert!(message.contains(want), "{text}: {message}");
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let message = |change: fn(&mut TrainConfig)| {
        TrainConfig::paper().with(change).check().unwrap_err().to_string()
    };
    assert_eq!(
        message(|train| train.optimiser.learning_rate = f64::NAN),
        "train.optimiser.learning_rate must be in 0..=1, found NaN"
    );
    assert_eq!(
        message(|train| train.batch_size = 0),
        "train.batch_size must be in 1..=1048576, found 0"
    );
    assert_eq!(
        message(|train| train.evaluation.patience = 2),
        "train.evaluation.patience must be 0 unless `evaluation.n_validation` and \
         `evaluation.interval` are set, found 2"
    );
    assert_eq!(
        message(|train| train.checkpoints.n_kept = 0),
        "train.checkpoints.n_kept must be at least 1, found 0"
    );
}

#[test]
fn the_number_of_steps_is_bounded_unless_open_ended() {
    let steps = |steps| TrainConfig { steps, ..TrainConfig::paper() };
    for fixed in [1, TrainConfig::STEPS_MAX] {
        steps(fixed).check().unwrap();
        steps(fixed).check_fixed_steps().unwrap();
    }
    for wrong in [0, TrainConfig::STEPS_MAX + 1, u64::MAX - 1] {
        let message = steps(wrong).check().unwrap_err().to_string();
        let want = format!("train.steps must be in 1..={}, found {wrong}", TrainConfig::STEPS_MAX);
        assert_eq!(message, want);
    }
    let open = steps(TrainConfig::OPEN_ENDED);
    open.check().unwrap();
    assert!(open.check_fixed_steps().is_err());
    for decay in [Decay::Cosine, Decay::Linear, Decay::Constant] {
        // Exactly, whatever the share that learning rates would decay to.
        let schedule = ScheduleConfig { decay, lr_min_ratio: 0.07, ..ScheduleConfig::default() };
        assert_eq!(schedule.lr_factor_at(1 << 40, open.steps), 1.0, "{decay:?}");
        assert_eq!(schedule.lr_factor_at(500, open.steps), 0.25, "{decay:?}");
    }
}
