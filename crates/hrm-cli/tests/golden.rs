//! Golden files: see `golden/README.md`.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use common::hrm;
use hrm_testkit::Golden;
use serde_json::Value;

const FILES: &[&str] = &["rope", "learned_wide_prefix", "no_prefix", "trm_attention", "trm_mlp"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.safetensors"))
}

fn check(path: &Path) -> (i32, Value) {
    let folder = path.parent().unwrap();
    let ran = hrm(folder, &["golden", "check", path.to_str().unwrap(), "--json"]);
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

fn keep(_: &str, tensor: &Tensor) -> Option<Tensor> {
    Some(tensor.clone())
}

#[test]
fn every_tensor_of_the_reference_is_reproduced() {
    for name in FILES {
        let (code, report) = check(&golden(name));
        assert_eq!(code, 0, "{name}: {report}");
        let groups = report["groups"].as_object().unwrap();
        // Without Q-learning there are no targets.
        let n_groups = if name.starts_with("trm") { 7 } else { 8 };
        assert_eq!(groups.len(), n_groups, "{name}: every group of tensors is compared");
        assert!(groups.values().all(|group| group["passes"] == true));
    }
}

#[test]
fn a_small_error_in_any_group_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    // One tensor per group, changed by slightly more than its tolerance.
    let nudges = [
        ("logits", "0.logits", 4e-4),
        ("states", "2.z_l", 4e-4),
        ("q", "1.q", 4e-4),
        ("targets", "1.target_q_continue", 4e-4),
        ("losses", "2.lm_loss", 4e-5),
        ("gradients", "0.grad.inner.L_level.layers.0.mlp.down_proj.weight", 4e-3),
        ("gradients", "2.grad.puzzle_rows", 4e-3),
        ("weights", "final.inner.L_level.layers.0.mlp.down_proj.weight", 1e-4),
    ];
    for (group, target, share) in nudges {
        let nudge = |name: &str, tensor: &Tensor| {
            let largest = tensor.abs().ok()?.max_all().ok()?.to_scalar::<f32>();
            match largest {
                Ok(largest) if name == target => {
                    let moved = (tensor + f64::from(largest) * share).unwrap();
                    Some(moved)
                }
                _ => Some(tensor.clone()),
            }
        };
        let (code, report) = check(&altered(folder.path(), "rope", nudge, &[]));
        assert_eq!(code, 1, "{target}: {report}");
        for (name, figures) in report["groups"].as_object().unwrap() {
            assert_eq!(figures["passes"], name != group, "{target}: {name}");
        }
    }
}

#[test]
fn a_wrong_decision_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let flip = |name: &str, tensor: &Tensor| {
        let is_target = name == "1.halted";
        let flipped = || tensor.eq(0u8).unwrap();
        Some(if is_target { flipped() } else { tensor.clone() })
    };
    let (code, report) = check(&altered(folder.path(), "rope", flip, &[]));
    assert_eq!((code, &report["groups"]["decisions"]["passes"]), (1, &Value::Bool(false)));
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
