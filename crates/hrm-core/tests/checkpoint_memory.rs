//! Hostile PyTorch checkpoints: reading takes no more memory than the file's length
//! plus 16 MB.

// A panic in a test is the report.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::error::Error;
use std::io::Write;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use hrm_core::{foreign, weight_file};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MB: usize = 1 << 20;

/// Writes a checkpoint with this pickle and one storage of zeros.
fn write(path: &Path, pickle: &[u8], n_storage_bytes: usize) {
    let mut writer = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("model/data.pkl", stored).unwrap();
    writer.write_all(pickle).unwrap();
    writer.start_file("model/data/0", stored).unwrap();
    writer.write_all(&vec![0; n_storage_bytes]).unwrap();
    writer.finish().unwrap();
}

/// Pickle opcodes of a text.
fn text(text: &str) -> Vec<u8> {
    [b"X", (text.len() as u32).to_le_bytes().as_slice(), text.as_bytes()].concat()
}

/// Pickle opcodes of a tensor of this shape and strides, as a view of the storage.
fn tensor(shape: [u32; 2], strides: [u32; 2]) -> Vec<u8> {
    let pair = |[a, b]: [u32; 2]| {
        [b"J", a.to_le_bytes().as_slice(), b"J", &b.to_le_bytes(), b"\x86"].concat()
    };
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text("0"),
        text("cpu"),
        b"K\x00tQK\x00".to_vec(),
        pair(shape),
        pair(strides),
        b"\x89ccollections\nOrderedDict\n)RtR".to_vec(),
    ]
    .concat()
}

/// What `read` returns. Prints the memory that it takes, and fails above the limit.
fn within_limit<T>(name: &str, path: &Path, read: impl FnOnce() -> T) -> T {
    let n_file_bytes = path.metadata().unwrap().len() as usize;
    let n_before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let result = read();
    let n_taken = MEMORY.peak_usage() - n_before;
    println!(
        "{name}: {:.1} MB for a file of {:.1}",
        n_taken as f64 / 1e6,
        n_file_bytes as f64 / 1e6
    );
    assert!(n_taken <= n_file_bytes + 16 * MB, "{name}: {n_taken} bytes for {n_file_bytes}");
    result
}

/// One test, since memory is counted for the whole process.
#[test]
fn memory_is_bounded_by_the_length_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pth");
    let check = |name: &str, pickle: &[u8], n_storage_bytes: usize| {
        write(&path, pickle, n_storage_bytes);
        let result = within_limit(name, &path, || weight_file::read(&path));
        let imported = within_limit(&format!("import {name}"), &path, || {
            foreign::read(&path, None).map(|read| read.tensors.len())
        });
        if name.starts_with("model") {
            assert_eq!(imported.unwrap(), 1, "{name}");
        }
        match result {
            Ok(tensors) => Ok(tensors.len()),
            Err(err) => Err(err.source().unwrap().to_string()),
        }
    };
    let expect_error = |name: &str, pickle: &[u8], n_storage_bytes: usize, expected: &str| {
        let err = check(name, pickle, n_storage_bytes).unwrap_err();
        assert!(err.contains(expected), "{name}: {err}");
    };

    // Entries that all view one storage.
    let entry = |n: usize, value: &[u8]| [&text(&format!("w{n}")), value, b"s"].concat();
    let shared = |n: usize, value: &[u8]| {
        let first = [&text("w"), value, b"q\x00s"].concat();
        let others: Vec<u8> = (1..n).flat_map(|n| entry(n, b"h\x00")).collect();
        [b"\x80\x02}", first.as_slice(), &others, b"."].concat()
    };
    let whole = tensor([512, 512], [512, 1]);
    assert_eq!(check("few views", &shared(4, &whole), MB), Ok(4));
    expect_error("many views", &shared(10_000, &whole), MB, "the tensors take more than");
    let empty = tensor([0, 0], [0, 1]);
    assert_eq!(check("empty views", &shared(2000, &empty), 0), Ok(2000));
    expect_error("many empty views", &shared(50_000, &empty), 0, "the tensors take more than");

    // One large tensor, stored row by row and column by column.
    let single = |value: &[u8]| [b"\x80\x02}", entry(0, value).as_slice(), b"."].concat();
    assert_eq!(check("large", &single(&tensor([4096, 3000], [3000, 1])), 48 * MB), Ok(1));
    assert_eq!(check("transposed", &single(&tensor([4096, 3000], [1, 4096])), 48 * MB), Ok(1));

    // The same under a name of a model, and safetensors.
    let tokens = "inner.embed_tokens.embedding_weight";
    let named = |value: &[u8]| [b"\x80\x02}", text(tokens).as_slice(), value, b"s."].concat();
    assert_eq!(check("model", &named(&tensor([4096, 3000], [3000, 1])), 48 * MB), Ok(1));
    {
        let path = folder.path().join("model.safetensors");
        let zeros = Tensor::zeros((4096, 3000), DType::F32, &Device::Cpu).unwrap();
        weight_file::write_tensors([(tokens, zeros)], &path).unwrap();
        let imported = within_limit("safetensors", &path, || foreign::read(&path, None));
        assert_eq!(imported.unwrap().tensors.len(), 1);
    }

    // A header with long notes, and headers that cannot be those of a model.
    {
        let path = folder.path().join("header.safetensors");
        let info = r#"{"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}"#;
        let notes = |n: usize| format!(r#""__metadata__": {{"a": "{}"}}"#, r#"\"x"#.repeat(n));
        let many = |n: usize| {
            let names = (0..n).map(|n| format!(r#""{}{n}": {info}"#, "x".repeat(200)));
            names.collect::<Vec<_>>().join(", ")
        };
        for (name, entries) in [
            ("long notes", format!(r#"{}, "{tokens}": {info}"#, notes(10 * MB))),
            ("long name", format!(r#""{}": {info}"#, r"\n".repeat(10 * MB))),
            ("long shape", format!(r#""a": {{"shape": [{}0]}}"#, "0,".repeat(10 * MB))),
            ("many names", many(16_000)),
            ("too many names", many(60_000)),
        ] {
            let header = format!("{{{entries}}}");
            let length = (header.len() as u64).to_le_bytes();
            std::fs::write(&path, [&length[..], header.as_bytes()].concat()).unwrap();
            let imported = within_limit(name, &path, || {
                foreign::read(&path, None).map(|read| read.tensors.len()).ok()
            });
            assert_eq!(imported, (name == "long notes").then_some(1), "{name}");
            let _ = within_limit(name, &path, || weight_file::read(&path));
        }
    }

    // Lists and tuples of one tensor, and keys that are numbers.
    let listed = |value: &[u8], item: &[u8], n: usize| {
        [b"\x80\x02", value, b"q\x00", &item.repeat(n), b"."].concat()
    };
    let tensor_in = [b"](".as_slice(), &tensor([0, 0], [0, 1]), b"q\x01"].concat();
    let list = [b"\x80\x02", tensor_in.as_slice(), &b"h\x01".repeat(120_000), b"e."].concat();
    expect_error("list", &list, 4, "no dictionary of tensors");
    let tuple = [b"\x80\x02(", &tensor_in[2..], &b"h\x01".repeat(120_000), b"t."].concat();
    expect_error("tuple", &tuple, 4, "no dictionary of tensors");
    expect_error("numbers", &listed(b"}", b"K\x05h\x00s", 100_000), 4, "no dictionary of tensors");

    // Dictionaries in dictionaries, one name in all of them, and long names.
    let inside = [text("a"), b"}q\x01".to_vec()].concat();
    let nested = [b"\x80\x02}".to_vec(), inside.repeat(20_000), b"s".repeat(20_000), b".".to_vec()];
    expect_error("nested dictionaries", &nested.concat(), 4, "no dictionary of tensors");
    let long = "n".repeat(250);
    let first =
        [text(&long), b"q\x01".to_vec(), tensor([0, 0], [0, 1]), b"q\x02s".to_vec()].concat();
    let again = b"h\x01h\x02s".repeat(30_000);
    let pickle = [b"\x80\x02}", first.as_slice(), &again, b"."].concat();
    expect_error("one long name", &pickle, 0, "the tensors take more than");

    // A length beyond the end of the file, tuples that double in size, nesting.
    let huge = [b"\x80\x02}X", u32::MAX.to_le_bytes().as_slice(), b"abc"].concat();
    expect_error("huge length", &huge, 4, "ends early");
    for (name, piece) in [("doubling", &b"q\x00h\x00\x86"[..]), ("nesting", b"\x85")] {
        let pickle = [b"\x80\x02)", piece.repeat(60_000).as_slice(), b"."].concat();
        expect_error(name, &pickle, 4, "no dictionary of tensors");
    }

    // More objects, references, tuple items, entries and memo entries than allowed.
    for (name, start, piece) in [
        ("objects", &b""[..], &b")"[..]),
        ("references", b"K\x01q\x00", b"h\x00"),
        ("items", b"K\x01q\x00", b"(h\x00h\x00h\x00h\x00t"),
        ("entries", b"K\x01q\x00}", b"h\x00h\x00s"),
    ] {
        let pickle = [b"\x80\x02", start, &piece.repeat(1_000_000)].concat();
        expect_error(name, &pickle, 4, "more objects");
    }
    let keys = (0..3_000_000u32).flat_map(|key| [b"r", key.to_le_bytes().as_slice()].concat());
    let memo = [b"\x80\x02K\x01".to_vec(), keys.collect()].concat();
    expect_error("memo", &memo, 4, "more objects");

    let name = [text(&"n".repeat(15 * MB)), tensor([1, 1], [1, 1])].concat();
    expect_error("long name", &[b"\x80\x02}", name.as_slice(), b"s."].concat(), 4, "a short name");
}
