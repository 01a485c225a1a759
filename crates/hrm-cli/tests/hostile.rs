//! Damaged files from outside: seeds and findings of the fuzzer, also with random
//! cuts, changes and repetitions.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

#[path = "hostile/readers.rs"]
mod readers;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use readers::READERS;

/// Seeds and findings of one kind of file, by name.
fn seeds(kind: &str) -> Vec<(String, Vec<u8>)> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(kind);
    let entries = fs::read_dir(&folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display()));
    let mut seeds: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

/// One change to a file.
#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Flip(usize, u8),
    /// Eight bytes, like the sizes in headers.
    Number(usize, u64),
    Repeat(usize, usize),
    Insert(usize, &'static str),
}

fn damage() -> impl Strategy<Value = Damage> {
    let number = prop_oneof![Just(u64::MAX), Just(1 << 40), Just(i64::MAX as u64), any::<u64>()];
    const TEXTS: &[&str] =
        &["[", "[[", "{\"a\":", "\u{0}", "NaN", "-1", "1e999", "\"", "\n", "é", ",,,"];
    prop_oneof![
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), any::<u8>()).prop_map(|(at, mask)| Damage::Flip(at, mask)),
        (any::<usize>(), number).prop_map(|(at, number)| Damage::Number(at, number)),
        (any::<usize>(), 1usize..200).prop_map(|(at, times)| Damage::Repeat(at, times)),
        (any::<usize>(), prop::sample::select(TEXTS)).prop_map(|(at, t)| Damage::Insert(at, t)),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        let n = bytes.len();
        match damage {
            Damage::Cut(at) => bytes.truncate(at % (n + 1)),
            Damage::Flip(at, mask) if n > 0 => bytes[at % n] ^= mask,
            Damage::Number(at, number) if n >= 8 => {
                let at = at % (n - 7);
                bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
            }
            Damage::Repeat(at, times) if n > 0 => {
                let piece = bytes[at % n..(at % n + 16).min(n)].repeat(*times);
                bytes.splice(at % n..at % n, piece);
            }
            Damage::Insert(at, text) => {
                let at = at % (n + 1);
                bytes.splice(at..at, text.bytes());
            }
            _ => {}
        }
    }
    bytes
}

/// A single test, since memory is counted for the whole process.
#[test]
fn hostile_files_are_refused_with_their_location() {
    for reader in READERS {
        let seeds = seeds(reader.name);
        for (name, bytes) in &seeds {
            let is_read = reader.check(bytes);
            // A valid seed that is refused would be of no use to the fuzzer.
            assert_eq!(is_read, name.starts_with("valid"), "{}: {name}", reader.name);
        }
        let strategy = (prop::sample::select(seeds), prop::collection::vec(damage(), 1..4));
        // Always the same damage. The fuzzer looks for more.
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config::with_cases(1000), rng);
        let checked = runner.run(&strategy, |((_, bytes), damages)| {
            reader.check(&damaged(bytes, &damages));
            Ok(())
        });
        checked.unwrap_or_else(|err| panic!("{}: {err}", reader.name));
    }
    deep_nesting();
    small_archives_of_much_text();
    many_small_values();
    odd_files();
}

/// Archives of some kilobytes that unpack to much more than a reader may hold.
fn small_archives_of_much_text() {
    const N_BYTES: usize = 24 << 20;
    let pieces = [
        ("", format!("{}\n", " ".repeat(4095))),
        ("question,answer\n", format!("\"{}\n", "a".repeat(4094))),
        ("", format!("{}\n", ",".repeat(3 << 20))),
        ("question,answer\n", format!("{}\n", ",".repeat(3 << 20))),
        ("question,answer\n", format!("\"1\",{}\n", "a".repeat(3 << 20))),
        ("\n", format!("{}\n", "1,".repeat(2047))),
        ("1\n\n", "12\n".repeat(1000)),
        ("\n", format!("{}\n", ".".repeat(3 << 20))),
        ("PK\x03\x04", "\0".repeat(4096)),
    ];
    for (start, piece) in pieces {
        let archive = gzip(start, &piece, N_BYTES / piece.len());
        assert!(archive.len() < 1 << 20, "{} bytes", archive.len());
        for name in ["records", "text", "boards", "grids", "grid_csv"] {
            readers::Reader::named(name).check(&archive);
        }
    }
}

/// A text of many equal pieces, compressed.
fn gzip(start: &str, piece: &str, n_pieces: usize) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(start.as_bytes()).unwrap();
    (0..n_pieces).for_each(|_| packed.write_all(piece.as_bytes()).unwrap());
    packed.finish().unwrap()
}

/// Nesting that would overflow a stack.
fn deep_nesting() {
    for open in ["[", "{\"a\":", "{\"x\":{\"train\":["] {
        let text = open.repeat(200_000);
        for kind in ["arc_json", "tokenizer", "records", "boards", "mazes"] {
            assert!(!readers::Reader::named(kind).check(text.as_bytes()), "{kind}");
        }
    }
}

/// Values of which each takes much more memory than its text.
fn many_small_values() {
    let reader = readers::Reader::named("arc_json");
    for (start, piece, end) in [
        ("{\"x\": [", "0,", "0]}"),
        ("{\"x\": [", "[],", "0]}"),
        ("{\"tasks\": {\"x\": [", "0,", "0]}}"),
        ("{", "\"x\":0,", "\"y\":0}"),
        ("", "1 ", ""),
        ("{\"x\": {\"train\": 3, \"test\": [], \"more\": [", "{},", "0]}}"),
    ] {
        let text = format!("{start}{}{end}", piece.repeat(4_000_000 / piece.len()));
        assert!(!reader.check(text.as_bytes()), "{start}");
    }
}

/// Paths that are not files, or endless links.
fn odd_files() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let directory = here.join("directory.csv");
    fs::create_dir(&directory).unwrap();
    let mut odd = vec![directory, here.join("missing.json")];
    #[cfg(unix)]
    {
        let (loop_a, loop_b) = (here.join("a.json"), here.join("b.json"));
        std::os::unix::fs::symlink(&loop_a, &loop_b).unwrap();
        std::os::unix::fs::symlink(&loop_b, &loop_a).unwrap();
        odd.push(loop_a);
    }
    for path in odd {
        for reader in READERS.iter().filter(|reader| !reader.file.contains('/')) {
            let err = (reader.read)(&path).unwrap_err().to_string();
            assert!(err.contains(path.file_name().unwrap().to_str().unwrap()), "{err}");
        }
    }
}
