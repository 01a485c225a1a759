//! Golden files: see `golden/README.md`.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use common::hrm;
use hrm_testkit::Golden;
use serde_json::Value;

const FILES: &[&str] = &[
    "rope",
    "learned_wide_prefix",
    "no_prefix",
    "trm_attention",
    "trm_mlp",
    "random_hrm_3x3",
    "random_trm_1x1",
    "random_trm_3x3",
];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.safetensors"))
}

fn check(path: &Path) -> (i32, Value) {
    check_with(path, &[])
}

fn check_with(path: &Path, args: &[&str]) -> (i32, Value) {
    let folder = path.parent().unwrap();
    let command = ["golden", "check", path.to_str().unwrap(), "--json"];
    let ran = hrm(folder, &[&command, args].concat());
    let report = serde_json::from_str(ran.stdout.trim()).unwrap_or(Value::String(ran.stderr));
    (ran.code, report)
}

/// Writes a golden file like `name` with some tensors and metadata changed.
fn altered(
    folder: &Path,
    name: &str,
    change_tensor: impl Fn(&str, &Tensor) -> Option<Tensor>,
    metadata: &[(&str, &str)],
) -> PathBuf {
    let file = Golden::open(&golden(name)).unwrap();
    let tensors: BTreeMap<String, Tensor> = file
        .tensors_under("")
        .filter_map(|(name, tensor)| Some((name.to_owned(), change_tensor(name, tensor)?)))
        .collect();
    let mut texts: std::collections::HashMap<String, String> =
        file.metadata().map(|(key, text)| (key.to_owned(), text.to_owned())).collect();
    texts.extend(metadata.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
    let bytes = safetensors::serialize(&tensors, Some(texts)).unwrap();
    let path = folder.join("altered.safetensors");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// What is done to one tensor.
type Change<'a> = &'a dyn Fn(&Tensor) -> Tensor;

fn keep(_: &str, tensor: &Tensor) -> Option<Tensor> {
    Some(tensor.clone())
}

/// Every tensor but the f64 run and its distance from f32 runs: a file of the older kind.
fn in_f32_only(name: &str, tensor: &Tensor) -> Option<Tensor> {
    let is_exact = name.starts_with("f64.") || name.starts_with("noise.");
    (!is_exact).then(|| tensor.clone())
}

/// Adds a share of its largest element to all elements of tensor `target`.
fn nudged(target: &str, share: f64) -> impl Fn(&str, &Tensor) -> Option<Tensor> {
    move |name, tensor| {
        if name != target {
            return Some(tensor.clone());
        }
        let wide = tensor.to_dtype(DType::F64).unwrap();
        let largest = wide.abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        Some((wide + largest * share).unwrap().to_dtype(tensor.dtype()).unwrap())
    }
}

/// Asserts that a file fails in `group` and nowhere else.
fn fails_in(path: &Path, args: &[&str], group: &str) {
    let (code, report) = check_with(path, args);
    assert_eq!(code, 1, "{group}: {report}");
    for (name, figures) in report["groups"].as_object().unwrap() {
        assert_eq!(figures["passes"], name != group, "{group}: {name}");
    }
}

#[test]
fn every_tensor_of_the_reference_is_reproduced() {
    for name in FILES {
        let (code, report) = check(&golden(name));
        assert_eq!(code, 0, "{name}: {report}");
        assert_eq!(report["steps_compared"], report["steps"], "{name}");
        let groups = report["groups"].as_object().unwrap();
        // Without Q-learning there are no targets.
        let is_trm = report["configuration"].as_str().unwrap().starts_with("trm");
        let n_groups = if is_trm { 7 } else { 8 };
        assert_eq!(groups.len(), n_groups, "{name}: every group of tensors is compared");
        for (group, figures) in groups {
            assert_eq!(figures["passes"], true, "{name}: {group}");
            assert_eq!(figures["worst_multiple"].is_null(), group == "decisions", "{name}");
        }
    }
}

#[test]
fn a_small_error_in_any_group_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    // One tensor per group, changed by less than a tenth of what a fixed tolerance allows.
    for (group, target, share) in [
        ("logits", "f64.0.logits", 8e-6),
        ("states", "f64.2.z_l", 8e-6),
        ("q", "f64.1.q", 8e-6),
        ("targets", "f64.1.target_q_continue", 8e-6),
        ("losses", "f64.2.lm_loss", 2e-6),
        ("gradients", "f64.0.grad.inner.L_level.layers.0.mlp.down_proj.weight", 2e-5),
        ("gradients", "f64.2.grad.puzzle_rows", 2e-5),
        ("weights", "f64.final.inner.L_level.layers.0.mlp.down_proj.weight", 4e-6),
    ] {
        let path = altered(folder.path(), "rope", nudged(target, share), &[]);
        fails_in(&path, &[], group);
    }
}

#[test]
fn a_file_in_f32_only_has_fixed_tolerances() {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        let (code, report) = check(&altered(folder.path(), name, in_f32_only, &[]));
        assert_eq!(code, 0, "{name}: {report}");
        assert!(report["groups"]["logits"]["worst_multiple"].is_null());
    }
    // One tensor per group, changed by slightly more than its tolerance.
    for (group, target, share) in [
        ("logits", "0.logits", 4e-4),
        ("states", "2.z_l", 1e-3),
        ("q", "1.q", 1e-3),
        ("targets", "1.target_q_continue", 4e-4),
        ("losses", "2.lm_loss", 4e-5),
        ("gradients", "0.grad.inner.L_level.layers.0.mlp.down_proj.weight", 4e-3),
        ("gradients", "2.grad.puzzle_rows", 4e-3),
        ("weights", "final.inner.L_level.layers.0.mlp.down_proj.weight", 1e-4),
    ] {
        let nudge = nudged(target, share);
        let change = |name: &str, t: &Tensor| in_f32_only(name, t).and_then(|t| nudge(name, &t));
        fails_in(&altered(folder.path(), "rope", change, &[]), &[], group);
    }
}

#[test]
fn without_measured_noise_the_f32_run_is_the_yardstick() {
    let folder = tempfile::tempdir().unwrap();
    let no_noise = |name: &str, t: &Tensor| (!name.starts_with("noise.")).then(|| t.clone());
    let (code, report) = check(&altered(folder.path(), "rope", no_noise, &[]));
    assert_eq!(code, 0, "{report}");
    assert!(report["groups"]["logits"]["worst_multiple"].as_f64().unwrap() > 0.0);

    let two = |name: &str, t: &Tensor| match name {
        "noise.0.logits" => Some(Tensor::new(&[1f64, 1.0], &Device::Cpu).unwrap()),
        _ => Some(t.clone()),
    };
    let (code, report) = check(&altered(folder.path(), "rope", two, &[]));
    let why = "tensor `noise.0.logits` must be three numbers, found shape [2]";
    assert_eq!(code, 2);
    assert!(report.as_str().unwrap().contains(why), "{report}");
}

#[test]
fn steps_are_compared_until_the_runs_of_the_reference_part() {
    let folder = tempfile::tempdir().unwrap();
    let flipped = |t: &Tensor| t.eq(0u8).unwrap();
    let cases: [(&str, Change<'_>, u64, &str); 3] = [
        ("f64.1.halted", &flipped, 1, "step 1: the reference halts otherwise in f64"),
        ("f64.1.exact", &flipped, 1, "step 1: the reference predicts other cells in f64"),
        (
            "noise.2.z_h",
            &|t| t.ones_like().unwrap(),
            2,
            "step 2: rounding errors of a run of the reference reach",
        ),
    ];
    for (target, change, n_steps, note) in cases {
        let change =
            |name: &str, t: &Tensor| Some(if name == target { change(t) } else { t.clone() });
        let (code, report) = check(&altered(folder.path(), "rope", change, &[]));
        assert_eq!((code, &report["steps_compared"]), (0, &Value::from(n_steps)), "{report}");
        assert!(report["note"].as_str().unwrap().starts_with(note), "{report}");
        assert!(report["groups"].get("weights").is_none(), "later weights are not compared");
    }
}

#[test]
fn bf16_gradients_keep_direction_and_length() {
    let folder = tempfile::tempdir().unwrap();
    let bf16 = ["--dtype", "bf16"];
    for name in FILES {
        let (code, report) = check_with(&golden(name), &bf16);
        assert_eq!((code, &report["steps_compared"]), (0, &Value::from(1)), "{name}: {report}");
    }
    // A tensor that lacks a tenth, one head, or the cells with one symbol.
    let weight = "0.grad.inner.L_level.layers.0.self_attn.o_proj.weight";
    let without = |t: &Tensor, dim: usize, n: usize| {
        let kept = t.narrow(dim, n, t.dim(dim).unwrap() - n).unwrap();
        kept.pad_with_zeros(dim, n, 0).unwrap()
    };
    let cases: [(&str, Change<'_>); 4] = [
        (weight, &|t| (t * 0.9).unwrap()),
        (weight, &|t| (t / 0.9).unwrap()),
        (weight, &|t| without(t, 1, 4)),
        ("0.grad.inner.embed_tokens.embedding_weight", &|t| without(t, 0, 2)),
    ];
    for (target, change) in cases {
        for exact in ["", "f64."] {
            let target = format!("{exact}{target}");
            let change = |name: &str, t: &Tensor| match (name == target, exact) {
                (true, _) => Some(change(t)),
                (false, "") => in_f32_only(name, t),
                (false, _) => Some(t.clone()),
            };
            fails_in(&altered(folder.path(), "rope", change, &[]), &bf16, "gradients");
        }
    }
}

#[test]
fn a_folder_is_reported_with_a_line_per_file() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = hrm(here, &["golden", "check", "tests/golden"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2 + FILES.len(), "{}", ran.stdout);
    assert!(lines[0].ends_with("the limit is 8."), "{}", lines[0]);
    let rope = lines.iter().find(|line| line.starts_with("rope ")).unwrap();
    assert!(rope.contains("hrm attention rope 2x2, D 8/2, 1+1 layers, 1+6 cells"), "{rope}");
    assert!(rope.ends_with("3/3    ok"), "{rope}");

    let ran = hrm(here, &["golden", "check", "tests/golden", "--json"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, FILES.len()));

    let empty = tempfile::tempdir().unwrap();
    let ran = hrm(empty.path(), &["golden", "check", "."]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains(". holds no golden file (*.safetensors)"), "{}", ran.stderr);
}

#[test]
fn a_wrong_decision_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    for target in ["1.halted", "1.exact"] {
        let flip = |name: &str, tensor: &Tensor| {
            let is_target = name.strip_prefix("f64.").unwrap_or(name) == target;
            let flipped = || tensor.eq(0u8).unwrap();
            Some(if is_target { flipped() } else { tensor.clone() })
        };
        fails_in(&altered(folder.path(), "rope", flip, &[]), &[], "decisions");
    }
}

#[test]
fn invalid_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |metadata: &[(&str, &str)]| {
        let (code, report) = check(&altered(folder.path(), "rope", keep, metadata));
        assert_eq!(code, 2, "{report}");
        report.as_str().unwrap().to_owned()
    };
    assert!(refusal(&[("family", "rnn")]).contains("`hrm` or `trm`"));
    assert!(refusal(&[("mixer", "fourier")]).contains("metadata `mixer` must be `attention`"));
    assert!(refusal(&[("mixer", "mlp")]).contains("mlp_t"));
    assert!(refusal(&[("pos", "sine")]).contains("metadata `pos` must be `rope`"));
    assert!(refusal(&[("heads", "many")]).contains("metadata `heads` must be"));
    assert!(refusal(&[("heads", "3")]).contains("must be a multiple of `block.n_heads`"));
    assert!(refusal(&[("hidden", "16")]).contains("this model needs"));
    assert!(refusal(&[("steps", "9")]).contains("has no tensor `3."));
    assert!(refusal(&[("batch", "4")]).contains("batch"));

    let without = |gone: &'static str| {
        move |name: &str, tensor: &Tensor| (name != gone).then(|| tensor.clone())
    };
    let gone = "0.grad.inner.q_head.bias";
    let (code, _) = check(&altered(folder.path(), "rope", without(gone), &[]));
    assert_eq!(code, 2, "a missing gradient is not ignored");

    std::fs::write(folder.path().join("x.safetensors"), b"nothing").unwrap();
    let (code, _) = check(&folder.path().join("x.safetensors"));
    assert_eq!(code, 2);
}

#[test]
fn ignored_labels_are_replayed_too() {
    // The reference ignores labels of -100, and so must the replay. The losses
    // then differ, which proves that the labels are read.
    let folder = tempfile::tempdir().unwrap();
    let ignore = |name: &str, tensor: &Tensor| {
        let is_target = name == "batch.labels";
        let ignored = || Tensor::full(-100i64, tensor.shape(), &Device::Cpu).unwrap();
        Some(if is_target { ignored() } else { tensor.clone() })
    };
    let (code, report) = check(&altered(folder.path(), "rope", ignore, &[]));
    assert_eq!((code, &report["groups"]["losses"]["passes"]), (1, &Value::Bool(false)));
    // Without labels every example is right and no cell carries loss.
    assert_eq!(report["groups"]["losses"]["worst_relative"], 1.0, "{report}");
}

#[test]
fn a_file_of_another_kind_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    for (bytes, found) in [
        (&b"\x80\x04\x95\x05\0\0\0\0\0\0\0"[..], "found a Python pickle"),
        (b"GGUF\x03\0\0\0", "found a GGUF file"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let (code, report) = check(&path);
        let message = report.as_str().unwrap();
        let expected =
            "x.safetensors: expected a golden file, which is in the format safetensors, ";
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(expected) && message.contains(found), "{message}");
    }
}
