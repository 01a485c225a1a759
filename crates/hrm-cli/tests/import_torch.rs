//! `hrm import` of checkpoints that PyTorch wrote: the settings in them, and how they are
//! packed.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::{Ran, hrm};
use hrm_core::weight_file;
use serde_json::Value;
use zip::CompressionMethod;

/// Pickle opcodes.
type Ops = Vec<u8>;

fn text(text: &str) -> Ops {
    [b"X", (text.len() as u32).to_le_bytes().as_slice(), text.as_bytes()].concat()
}

fn int(n: usize) -> Ops {
    [b"J".as_slice(), &(n as u32).to_le_bytes()].concat()
}

fn dictionary(entries: &[(&str, Ops)]) -> Ops {
    let entries: Ops =
        entries.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"}(", entries.as_slice(), b"u"].concat()
}

/// An object of a class that keeps its attributes in a dictionary.
fn object(class: &str, attributes: Ops) -> Ops {
    [format!("cargparse\n{class}\n)").as_bytes(), b"\x81", &attributes, b"b"].concat()
}

/// A trained model of 4 by 4 Sudokus.
struct Trained(tempfile::TempDir);

impl Trained {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let args = [
            "train",
            "sudoku",
            "--preset=tiny",
            "--steps=1",
            "--out=run",
            "--set=task.n_train=4",
            "--set=task.n_eval=2",
            "--set=model.hidden_dim=16",
            "--set=model.n_heads=2",
            "--set=model.n_h_cycles=3",
            "--set=model.positions=rope",
            "--set=train.batch_size=2",
        ];
        let ran = hrm(folder.path(), &args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        Self(folder)
    }

    fn here(&self) -> &Path {
        self.0.path()
    }

    /// Writes the model as `hub/last.ckpt`, with other entries beside its state dict.
    fn save(&self, beside: &[(&str, Ops)], method: CompressionMethod) {
        let weights = self.here().join("run/checkpoints/step-000001/model.safetensors");
        fs::create_dir_all(self.here().join("hub")).unwrap();
        let file = fs::File::create(self.here().join("hub/last.ckpt")).unwrap();
        let mut writer = zip::ZipWriter::new(file);
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        let mut entries = Vec::new();
        let mut tensors: Vec<_> = weight_file::read(&weights).unwrap().into_iter().collect();
        tensors.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (idx, (name, tensor)) in tensors.iter().enumerate() {
            let numbers: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
            writer.start_file(format!("m/data/{idx}"), options).unwrap();
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            writer.write_all(&bytes).unwrap();
            let sizes = |sizes: &[usize]| {
                let sizes: Ops = sizes.iter().flat_map(|n| int(*n)).collect();
                [b"(", sizes.as_slice(), b"t"].concat()
            };
            let ops = [
                b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
                text("storage"),
                b"ctorch\nFloatStorage\n".to_vec(),
                text(&idx.to_string()),
                text("cpu"),
                int(numbers.len()),
                b"tQK\x00".to_vec(),
                sizes(tensor.dims()),
                sizes(tensor.stride()),
                b"\x89}tR".to_vec(),
            ];
            entries.push((name.as_str(), ops.concat()));
        }
        let whole = [&[("state_dict", dictionary(&entries))], beside].concat();
        writer.start_file("m/data.pkl", options).unwrap();
        writer.write_all(&[b"\x80\x02", dictionary(&whole).as_slice(), b"."].concat()).unwrap();
        writer.finish().unwrap();
    }

    fn import(&self, out: &str, more: &[&str]) -> Ran {
        let out = format!("--out={out}");
        hrm(self.here(), &[&["import", "hub", "--task=sudoku", "--cells=16", &out], more].concat())
    }

    fn config(&self, out: &str) -> Value {
        let text = fs::read_to_string(self.here().join(out).join("config.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// The settings of the model, and one that no checkpoint would have by default.
fn settings() -> Vec<(&'static str, Ops)> {
    vec![
        ("num_heads", int(2)),
        ("H_cycles", int(3)),
        ("L_cycles", int(2)),
        ("halt_max_steps", int(5)),
        ("rms_norm_eps", [b"G".as_slice(), &1e-6f64.to_be_bytes()].concat()),
        ("no_ACT_continue", b"\x88".to_vec()),
        ("pos_encodings", text("rope")),
        ("puzzle_emb_len", b"N".to_vec()),
        ("learning_rate", [b"G".as_slice(), &1e-4f64.to_be_bytes()].concat()),
        ("batch_size", int(8)),
    ]
}

#[test]
fn settings_in_a_checkpoint_are_its_config() {
    let trained = Trained::new();
    let plain = || dictionary(&settings());
    for (at, (place, beside)) in [
        ("hyper_parameters", vec![("epoch", int(3)), ("hyper_parameters", plain())]),
        ("hyper_parameters", vec![("hyper_parameters", dictionary(&[("model", plain())]))]),
        (
            "hyper_parameters",
            vec![(
                "hyper_parameters",
                dictionary(&[
                    (
                        "config",
                        dictionary(&[("arch", dictionary(&settings()[..8])), ("lr", int(1))]),
                    ),
                    ("seed", int(0)),
                ]),
            )],
        ),
        (
            "hyper_parameters",
            vec![("hyper_parameters", dictionary(&[("args", object("Namespace", plain()))]))],
        ),
        ("args", vec![("args", object("Namespace", plain()))]),
        ("config", vec![("config", plain()), ("step", int(3))]),
    ]
    .into_iter()
    .enumerate()
    {
        trained.save(&beside, CompressionMethod::Stored);
        let out = format!("out-{at}");
        let ran = trained.import(&out, &[]);
        assert_eq!(ran.code, 0, "{at}: {}", ran.stderr);
        let note = format!("Config: `{place}` in hub/last.ckpt.");
        assert!(ran.stderr.contains(&note), "{at}: {}", ran.stderr);
        let defaults = format!("as `{place}` in hub/last.ckpt does not set them: halt_exploration");
        assert!(ran.stderr.contains(&defaults), "{at}: {}", ran.stderr);
        let unread = ran.stderr.lines().find(|line| line.contains("Not read"));
        assert!(!unread.is_some_and(|line| line.contains(place)), "{at}: {}", ran.stderr);
        let config = trained.config(&out);
        assert_eq!(config["block"]["n_heads"], 2, "{at}");
        assert_eq!(config["block"]["norm_eps"], 1e-6, "{at}");
        assert_eq!(config["recurrence"]["n_h_cycles"], 3, "{at}");
        assert_eq!(config["halting"]["n_segments_max"], 5, "{at}");
        assert_eq!(config["halting"]["rule"], "halt-only", "{at}");
    }
}

#[test]
fn settings_in_a_checkpoint_must_agree_with_the_config_beside_it() {
    let trained = Trained::new();
    let save = |settings: &[(&str, Ops)]| {
        let group = dictionary(settings);
        trained.save(&[("hyper_parameters", group)], CompressionMethod::Stored);
    };
    let beside = trained.here().join("hub/all_config.yaml");
    fs::create_dir(trained.here().join("hub")).unwrap();
    fs::write(&beside, "arch: {num_heads: 2, H_cycles: 3, rope_theta: 100}\n").unwrap();
    let refused = |why: &str| {
        let ran = trained.import("refused", &[]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "expected {why:?} in {}", ran.stderr);
    };

    save(&[("num_heads", int(2)), ("L_cycles", int(4))]);
    let ran = trained.import("both", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let config = trained.config("both");
    assert_eq!(
        (&config["block"]["rope_base"], &config["recurrence"]["n_l_cycles"]),
        (&100.0.into(), &4.into())
    );

    save(&[("num_heads", int(4))]);
    refused(
        "hub/all_config.yaml and `hyper_parameters` in hub/last.ckpt contradict each other: \
         `num_heads` is 2 and 4. Give the right one with --config",
    );
    let ran = trained.import("given", &["--config=hub/all_config.yaml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("Not read, beside it: hyper_parameters."), "{}", ran.stderr);

    fs::remove_file(&beside).unwrap();
    save(&[("num_heads", int(2)), ("n_experts", int(4))]);
    refused(
        "`hyper_parameters` in hub/last.ckpt: settings of the model that are not supported: \
         n_experts. If they do not change what it computes, give a config without them",
    );
    save(&[("num_heads", int(2)), ("H_layers", int(7))]);
    refused("`hyper_parameters` in hub/last.ckpt: `H_layers` is 7, but 1 in the weights");
    save(&[("model", dictionary(&settings())), ("cfg", dictionary(&settings()))]);
    refused("several groups have settings of a model: cfg, model. Give one of them as a file");
}

#[test]
fn archives_that_were_packed_again_are_read() {
    let trained = Trained::new();
    let mut weights = Vec::new();
    for (out, method) in
        [("stored", CompressionMethod::Stored), ("deflated", CompressionMethod::Deflated)]
    {
        trained.save(&[("hyper_parameters", dictionary(&settings()))], method);
        let ran = trained.import(out, &[]);
        assert_eq!(ran.code, 0, "{out}: {}", ran.stderr);
        weights.push(fs::read(trained.here().join(out).join("model.safetensors")).unwrap());
    }
    assert!(weights[0] == weights[1], "bit for bit");
}

#[test]
fn settings_that_are_not_those_of_a_model_are_named() {
    let trained = Trained::new();
    let objects = [("config", object("DictConfig", dictionary(&settings()))), ("lr", int(1))];
    trained.save(&[("hyper_parameters", dictionary(&objects))], CompressionMethod::Stored);
    let ran = trained.import("defaults", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let note = "Not read: `hyper_parameters` in hub/last.ckpt: expected the config of a model (`arch`, \
                `H_cycles`, `hidden_size` ...), found config (an object of the class DictConfig), lr.";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("as nothing beside the weights is the config of a model"),
        "{}",
        ran.stderr
    );
}
