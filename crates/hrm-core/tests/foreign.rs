//! Checkpoints as trainers write them: prefixes, nested dictionaries, objects, buffers,
//! quantised weights, shards and other names of files.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use hrm_core::foreign::{self, Foreign};
use hrm_core::weight_file;
use hrm_testkit::{Tol, assert_close};
use zip::CompressionMethod;

const TOKENS: &str = "inner.embed_tokens.embedding_weight";

/// Pickle opcodes.
type Ops = Vec<u8>;

fn text(text: &str) -> Ops {
    [b"X", (text.len() as u32).to_le_bytes().as_slice(), text.as_bytes()].concat()
}

fn dictionary(entries: &[(&str, Ops)]) -> Ops {
    let entries: Ops =
        entries.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"}(", entries.as_slice(), b"u"].concat()
}

/// A tensor of shape [2, 3] in storage `0`, made by `function` from a storage of `class`.
fn tensor_by(function: &str, class: &str) -> Ops {
    [
        format!("ctorch._utils\n{function}\n((").into_bytes(),
        text("storage"),
        format!("ctorch\n{class}\n").into_bytes(),
        text("0"),
        text("cuda:0"),
        b"K\x06tQK\x00K\x02K\x03\x86K\x03K\x01\x86\x89}tR".to_vec(),
    ]
    .concat()
}

fn tensor() -> Ops {
    tensor_by("_rebuild_tensor_v2", "FloatStorage")
}

/// An object of a class, with a state.
fn object(class: &str) -> Ops {
    [
        format!("c__main__\n{class}\n)").into_bytes(),
        b"\x81".to_vec(),
        dictionary(&[("w", tensor())]),
        b"b".to_vec(),
    ]
    .concat()
}

/// A dictionary with the tensors of a model under a prefix, and others.
fn model(prefix: &str, others: &[(&str, Ops)]) -> Ops {
    let tokens = format!("{prefix}{TOKENS}");
    let mut entries = vec![(tokens.as_str(), tensor())];
    entries.extend(others.iter().cloned());
    dictionary(&entries)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a checkpoint with this pickle and a storage of six numbers.
    fn checkpoint(&self, name: &str, pickle: &[u8]) -> PathBuf {
        let numbers: Vec<u8> = (0..6).flat_map(|n| (n as f32).to_le_bytes()).collect();
        let pickle = [b"\x80\x02", pickle, b"."].concat();
        self.archive(name, &[("m/data.pkl", &pickle), ("m/data/0", &numbers)])
    }

    fn archive(&self, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        self.packed(name, files, CompressionMethod::Stored)
    }

    fn packed(&self, name: &str, files: &[(&str, &[u8])], method: CompressionMethod) -> PathBuf {
        let path = self.0.path().join(name);
        let mut writer = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        for (name, bytes) in files {
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn read(&self, pickle: &[u8]) -> Result<Foreign, String> {
        read(&self.checkpoint("last.ckpt", pickle), None)
    }
}

/// The model in a file, or the message with its causes.
fn read(path: &Path, part: Option<&str>) -> Result<Foreign, String> {
    foreign::read(path, part).map_err(|err| chain(&err))
}

/// An error and its causes.
fn chain(err: &dyn Error) -> String {
    let cause = err.source().map(|cause| format!(": {}", chain(cause)));
    format!("{err}{}", cause.unwrap_or_default())
}

fn six() -> Tensor {
    Tensor::from_vec((0..6).map(|n| n as f32).collect(), (2, 3), &Device::Cpu).unwrap()
}

#[test]
fn the_model_is_found_beside_other_things() {
    let folder = Folder::new();
    let optimiser = dictionary(&[("state", dictionary(&[("inner.H_init", tensor())]))]);
    for (pickle, part, others) in [
        (model("_orig_mod.model.", &[]), "model", &[][..]),
        (model("module.net.", &[("version", b"K\x03".to_vec())]), "net", &["version"]),
        (
            dictionary(&[
                ("epoch", b"K\x03".to_vec()),
                ("optimizer_states", optimiser.clone()),
                ("args", object("Namespace")),
                ("state_dict", model("model.", &[])),
                ("rng", b"\x8a\x09123456789".to_vec()),
            ]),
            "state_dict.model",
            &["epoch", "optimizer_states", "args (an object of the class Namespace)", "rng"],
        ),
        (
            dictionary(&[("a", dictionary(&[("ema", model("", &[]))])), ("optim", optimiser)]),
            "a.ema",
            &["optim"],
        ),
    ] {
        let read = folder.read(&pickle).unwrap();
        assert_eq!(
            (read.part.as_str(), read.others),
            (part, others.iter().map(|s| (*s).to_owned()).collect())
        );
        assert_eq!(read.tensors.len(), 1);
        assert_close(part, &read.tensors[TOKENS], &six(), Tol::EXACT);
    }
}

#[test]
fn one_of_several_models_has_to_be_named() {
    let folder = Folder::new();
    let both = dictionary(&[("model", model("", &[])), ("ema", model("module.", &[]))]);
    let path = folder.checkpoint("last.ckpt", &both);
    let message = read(&path, None).unwrap_err();
    assert!(
        message.ends_with("--part: model, ema") || message.ends_with("--part: ema, model"),
        "{message}"
    );
    assert_eq!(read(&path, Some("ema")).unwrap().part, "ema");
    assert!(read(&path, Some("teacher")).unwrap_err().contains("`teacher`"));
}

#[test]
fn tensors_that_no_model_needs_are_passed_over_whatever_their_type() {
    let folder = Folder::new();
    let others = [
        ("inner.mask", tensor_by("_rebuild_tensor_v2", "BoolStorage")),
        ("inner.freqs_cis", tensor_by("_rebuild_tensor_v2", "ComplexFloatStorage")),
        ("inner.puzzle_emb.local_ids", tensor_by("_rebuild_tensor_v2", "IntStorage")),
        ("inner.puzzle_emb.local_weights", tensor()),
    ];
    let read = folder.read(&model("", &others)).unwrap();
    assert_eq!((read.tensors.len(), read.passed_over.len()), (1, 4));

    let message = |others: &[(&str, Ops)]| folder.read(&model("", others)).unwrap_err();
    let unknown = message(&[("inner.L_level.layers.0.norm.weight", tensor())]);
    assert!(
        unknown.contains("the model has 1 tensor that is no parameter of HRM or TRM"),
        "{unknown}"
    );
    assert!(unknown.contains("`inner.L_level.layers.0.norm.weight`"), "{unknown}");
    let long = message(&[("inner.lm_head.weight", tensor_by("_rebuild_tensor_v2", "LongStorage"))]);
    assert!(long.contains("`inner.lm_head.weight`: expected floating-point numbers"), "{long}");
    let quantised =
        message(&[("inner.lm_head.weight", tensor_by("_rebuild_qtensor", "QInt8Storage"))]);
    assert!(
        quantised.contains("`inner.lm_head.weight`: expected floating-point numbers"),
        "{quantised}"
    );
}

#[test]
fn tensors_that_are_no_plain_numbers_are_named() {
    let folder = Folder::new();
    let message =
        |tensor: Ops| folder.read(&model("", &[("inner.lm_head.weight", tensor)])).unwrap_err();
    let subclass = |class: &str, function: &str, args: &[u8]| {
        let start = format!(
            "ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n{function}\nctorch\n{class}\n"
        );
        [start.as_bytes(), args, b"}tR"].concat()
    };
    for (tensor, expected) in [
        (
            subclass("DTensor", "_rebuild_wrapper_subclass", b")"),
            "found a part of a distributed tensor (`DTensor`): save the full state dict",
        ),
        (tensor_by("_rebuild_sparse_tensor", "FloatStorage"), "a sparse tensor: save `tensor.to_dense()`"),
        (tensor_by("_rebuild_qtensor", "QInt8Storage"), "a quantised tensor: save the model before"),
        (
            b"ctorch._utils\n_rebuild_tensor_v3\n(K\x00K\x00K\x00K\x00K\x00K\x00ctorch\nfloat8_e4m3fn\ntR".to_vec(),
            "numbers of the type `float8_e4m3fn`: save them as another, `tensor.float()`",
        ),
        (tensor_by("_rebuild_tensor_v2", "IntStorage"), "found integers, as quantised models have: save the model before it is quantised"),
        (tensor_by("_rebuild_tensor_v2", "BoolStorage"), "found `BoolStorage`"),
    ] {
        let message = message(tensor);
        let start = "`inner.lm_head.weight`: expected floating-point numbers";
        assert!(message.contains(start) && message.contains(expected), "{message}");
    }
    // A class of tensors with plain numbers.
    let plain =
        [&tensor()[b"ctorch._utils\n_rebuild_tensor_v2\n".len()..tensor().len() - 1], b""].concat();
    let plain = subclass("Buffer", "_rebuild_tensor_v2", &plain);
    let read = folder.read(&model("", &[("inner.lm_head.weight", plain)])).unwrap();
    assert_close("head", &read.tensors["inner.lm_head.weight"], &six(), Tol::EXACT);
}

#[test]
fn lists_are_looked_into() {
    let folder = Folder::new();
    let list = |items: &[Ops]| [b"](".to_vec(), items.concat(), b"e".to_vec()].concat();
    assert_eq!(folder.read(&list(&[model("", &[])])).unwrap().part, "0");
    let tuple = [b"(K\x03".to_vec(), model("", &[]), b"t".to_vec()].concat();
    assert_eq!(folder.read(&tuple).unwrap().part, "1");
    let numbered = [b"}(K\x07".to_vec(), model("", &[]), b"u".to_vec()].concat();
    assert_eq!(folder.read(&numbered).unwrap().part, "7");
    let save = ": save the state dict of the model, `torch.save(model.state_dict(), FILE)`";
    let bare = folder.read(&list(&[tensor(), tensor()])).unwrap_err();
    assert!(bare.ends_with(&format!("found a list of 2 tensors without names{save}")), "{bare}");
    let shadow = dictionary(&[("shadow_params", list(&[tensor()]))]);
    let shadow = folder.read(&shadow).unwrap_err();
    let expected = format!("found a list of 1 tensor without names (`shadow_params`){save}");
    assert!(shadow.ends_with(&expected), "{shadow}");
    let inside = dictionary(&[("models", list(&[model("", &[])])), ("step", b"K\x03".to_vec())]);
    assert_eq!(folder.read(&inside).unwrap().others, ["step"]);
    let array = b"cnumpy.core.multiarray\n_reconstruct\n)R".to_vec();
    let arrays = folder.read(&dictionary(&[("w", array)])).unwrap_err();
    assert!(arrays.ends_with(&format!("under the keys w (a NumPy array){save}")), "{arrays}");
}

#[test]
fn an_average_lacks_no_buffers() {
    let folder = Folder::new();
    let whole = model("", &[("inner.lm_head.weight", tensor()), ("inner.H_init", tensor())]);
    let average = model("module.", &[("inner.lm_head.weight", tensor())]);
    let shadow = [b"](".to_vec(), tensor(), tensor(), b"e".to_vec()].concat();
    let file = dictionary(&[
        ("model", whole),
        ("ema_helper", dictionary(&[("model", average)])),
        ("ema", dictionary(&[("decay", b"K\x01".to_vec()), ("shadow_params", shadow)])),
    ]);
    let path = folder.checkpoint("last.ckpt", &file);
    for part in ["ema_helper", "shadow_params"] {
        let read = read(&path, Some(part)).unwrap();
        assert!(read.part.contains(part), "{}", read.part);
        assert_eq!(read.tensors.len(), 3);
        assert_eq!(read.completed, Some((vec!["inner.H_init".to_owned()], "model".to_owned())));
    }
    assert!(read(&path, Some("model")).unwrap().completed.is_none());
}

#[test]
fn two_copies_of_a_parameter_are_refused() {
    let folder = Folder::new();
    let both = model("", &[("module.inner.embed_tokens.embedding_weight", tensor())]);
    let message = folder.read(&both).unwrap_err();
    let expected = format!(
        "last.ckpt: `{TOKENS}` and `module.{TOKENS}` are both the parameter `{TOKENS}`: save one of \
         the two models alone"
    );
    assert!(message.ends_with(&expected), "{message}");
}

#[test]
fn archives_are_read_as_they_are_stored() {
    let folder = Folder::new();
    let pickle = [b"\x80\x02", model("", &[]).as_slice(), b"."].concat();
    let numbers: Vec<u8> = (0..6).flat_map(|n| (n as f32).to_be_bytes()).collect();
    let files =
        [("m/data.pkl", pickle.as_slice()), ("m/data/0", &numbers), ("m/byteorder", b"big")];
    let big = read(&folder.archive("big.pt", &files), None).unwrap();
    assert_close("high byte first", &big.tensors[TOKENS], &six(), Tol::EXACT);

    let path = folder.archive("small.pt", &files[..2]);
    let mut bytes = std::fs::read(&path).unwrap();
    // The method of compression in the headers of the first file.
    for (header, at) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        let start = bytes.windows(4).position(|window| window == header).unwrap();
        bytes[start + at] = 12;
    }
    std::fs::write(&path, bytes).unwrap();
    let message = read(&path, None).unwrap_err();
    let expected = "`m/data.pkl` in the archive is compressed: pack it again without compression, \
                    `zip -0`, or save it again, \
                    `torch.save(torch.load(OLD, map_location=\"cpu\"), NEW)`";
    assert!(message.ends_with(expected), "{message}");
}

#[test]
fn objects_and_other_models_are_named() {
    let folder = Folder::new();
    let module = folder.read(&object("Net")).unwrap_err();
    assert!(module.contains("the class `Net`") && module.contains("state_dict()"), "{module}");
    let inside = folder.read(&dictionary(&[("net", object("Net"))])).unwrap_err();
    assert!(
        inside.contains("found no tensors under the keys net (an object of the class Net)"),
        "{inside}"
    );
    let nano = dictionary(&[
        ("lenet.layers.0.mlp.up.weight", tensor()),
        ("Q_head.weight", tensor()),
        ("z_init", tensor()),
    ]);
    let nano = folder.read(&dictionary(&[("state_dict", nano)])).unwrap_err();
    assert!(nano.contains("`Q_head.weight`") && nano.contains("nano-trm"), "{nano}");
    assert!(nano.contains("expected names such as `inner."), "{nano}");
}

#[test]
fn content_decides_and_not_the_name_of_the_file() {
    let folder = Folder::new();
    let path = folder.checkpoint("model.safetensors", &model("", &[]));
    assert_eq!(read(&path, None).unwrap().tensors.len(), 1);
    let path = folder.0.path().join("model.pt");
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16, DType::F8E4M3] {
        let tokens = six().to_dtype(dtype).unwrap();
        weight_file::write_tensors([(format!("module.{TOKENS}"), tokens)], &path).unwrap();
        let found = read(&path, None).unwrap().tensors[TOKENS].to_dtype(DType::F32).unwrap();
        assert_close("tokens", &found, &six(), Tol::EXACT);
    }
    let whole = std::fs::read(&path).unwrap();
    for len in [9, 60, whole.len() - 1] {
        std::fs::write(&path, &whole[..len]).unwrap();
        let message = read(&path, None).unwrap_err();
        assert!(
            message.contains("model.pt is not a complete safetensors file"),
            "{len}: {message}"
        );
    }
    for (bytes, what) in [
        (&b"<html>404"[..], "a web page (HTML)"),
        (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", "before PyTorch 1.6"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let message = read(&path, None).unwrap_err();
        assert!(message.contains("model.pt") && message.contains(what), "{message}");
    }
}

#[test]
fn shards_are_one_model() {
    let folder = Folder::new();
    let write = |name: &str, tensor: &str| {
        weight_file::write_tensors([(tensor.to_owned(), six())], &folder.0.path().join(name))
            .unwrap();
    };
    write("m-00001-of-00002.safetensors", &format!("model.{TOKENS}"));
    write("m-00002-of-00002.safetensors", "model.inner.lm_head.weight");
    let index = format!(
        "{{\"metadata\": {{}}, \"weight_map\": {{\"model.{TOKENS}\": \"m-00001-of-00002.safetensors\", \
         \"model.inner.lm_head.weight\": \"m-00002-of-00002.safetensors\"}}}}"
    );
    std::fs::write(folder.0.path().join("model.safetensors.index.json"), index).unwrap();
    let message = || read(folder.0.path(), None).unwrap_err();
    let both = read(folder.0.path(), None).unwrap();
    assert_eq!((both.tensors.len(), both.files.len()), (2, 2));
    write("m-00002-of-00002.safetensors", &format!("model.{TOKENS}"));
    let lacking = "index.json: expected `model.inner.lm_head.weight` in m-00002-of-00002.safetensors, \
                   which does not hold it: download that shard again";
    assert!(message().ends_with(lacking), "{}", message());
    let index = format!(
        "\u{feff}{{\"weight_map\": {{\"a\": \"m-00001-of-00002.safetensors\", \
         \"model.{TOKENS}\": \"m-00002-of-00002.safetensors\"}}}}"
    );
    write("m-00001-of-00002.safetensors", "a");
    std::fs::write(folder.0.path().join("model.safetensors.index.json"), &index).unwrap();
    assert_eq!(read(folder.0.path(), None).unwrap().tensors.len(), 1);
    let tensors = [("a".to_owned(), six()), (format!("model.{TOKENS}"), six())];
    let shard = folder.0.path().join("m-00001-of-00002.safetensors");
    weight_file::write_tensors(tensors, &shard).unwrap();
    assert!(message().contains(&format!("`model.{TOKENS}` is in two shards, ")), "{}", message());
}

#[test]
fn archives_that_were_packed_again_are_read_within_bounds() {
    let folder = Folder::new();
    let pickle = [b"\x80\x02", model("", &[]).as_slice(), b"."].concat();
    let numbers: Vec<u8> = (0..6).flat_map(|n| (n as f32).to_le_bytes()).collect();
    let files = [("m/data.pkl", pickle.as_slice()), ("m/data/0", &numbers)];
    let path = folder.packed("packed.pt", &files, CompressionMethod::Deflated);
    let packed = read(&path, None).unwrap();
    assert_close("deflated", &packed.tensors[TOKENS], &six(), Tol::EXACT);

    // A flipped bit of the packed numbers.
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(8).rposition(|window| window == b"m/data/0").unwrap();
    let start = bytes[..at].windows(8).position(|window| window == b"m/data/0").unwrap() + 8;
    bytes[start + 4] ^= 0x10;
    std::fs::write(&path, bytes).unwrap();
    let message = read(&path, None).unwrap_err();
    assert!(message.contains("`m/data/0` in the archive is damaged"), "{message}");

    // Far longer than the archive.
    let zeros = vec![0; 40 << 20];
    let files = [("m/data.pkl", pickle.as_slice()), ("m/data/0", &zeros)];
    let bomb = read(&folder.packed("bomb.pt", &files, CompressionMethod::Deflated), None);
    let bomb = bomb.unwrap_err();
    let expected = "`m/data/0` in the archive unpacks to 41943040 bytes, expected at most ";
    assert!(bomb.contains(expected) && bomb.ends_with("compression, `zip -0`"), "{bomb}");
    let spaces = vec![b'('; 5 << 20];
    let files = [("m/data.pkl", spaces.as_slice())];
    let bomb = read(&folder.packed("bomb.pt", &files, CompressionMethod::Deflated), None);
    let bomb = bomb.unwrap_err();
    assert!(bomb.ends_with("is damaged: longer than 4194304 bytes"), "{bomb}");
}

#[test]
fn files_of_an_archive_are_counted_before_they_are_read() {
    let folder = Folder::new();
    let names: Vec<String> = (0..40_000).map(|n| format!("m/data/{n}")).collect();
    let mut files: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    files.push(("m/data.pkl", b"\x80\x02}."));
    let path = folder.archive("many.pt", &files);
    let message = read(&path, None).unwrap_err();
    let expected = "many.pt is not a safetensors file or a PyTorch checkpoint, but a zip archive of \
                    40001 files, more than any checkpoint has";
    assert!(message.ends_with(expected), "{message}");
    let message = chain(&weight_file::read(&path).unwrap_err());
    assert!(message.ends_with("the archive has 40001 files, expected at most 32768"), "{message}");
}

#[test]
fn a_single_tensor_is_named_as_such() {
    let message = Folder::new().read(&tensor()).unwrap_err();
    assert!(message.contains("it holds a single tensor, not a dictionary of tensors"), "{message}");
}

#[test]
fn a_saved_table_of_rotary_embeddings_is_kept_for_the_caller() {
    let table = "inner.rotary_emb.cos_cached";
    let read = Folder::new().read(&model("", &[(table, tensor())])).unwrap();
    assert_close("table", &read.rotary.unwrap(), &six(), Tol::EXACT);
    assert_eq!(read.passed_over, [table]);
    assert!(!read.tensors.contains_key(table));
    assert!(Folder::new().read(&model("", &[])).unwrap().rotary.is_none());
    let others =
        [("inner.rotary_emb.inv_freq", tensor()), ("inner.rotary_emb.sin_cached", tensor())];
    assert!(Folder::new().read(&model("", &others)).unwrap().rotary.is_some());
    assert!(Folder::new().read(&model("", &others[1..])).unwrap().rotary.is_none());
}
