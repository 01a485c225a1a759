//! What a file really is, when it is not the text that was expected.

/// A kind of file that is no text of puzzles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// What it is.
    pub(super) found: &'static str,
    /// What to do about it.
    pub(super) advice: &'static str,
}

const UNPACK: &str = "unpack it first";
const AS_CSV: &str = "save it as CSV first";
const WEIGHTS: &str = "`hrm import` reads checkpoints; puzzles are read from text";
const PICTURE: &str = "puzzles are read from text";
const AGAIN: &str = "download it again";

/// What files begin with.
const MAGIC: &[(&[u8], Foreign)] = &[
    (b"PAR1", parquet()),
    (b"ARROW1", table("an Arrow table")),
    (b"\xff\xff\xff\xff", table("an Arrow stream")),
    (b"FEA1", table("a Feather table")),
    (b"\x89HDF\r\n\x1a\n", table("an HDF5 file")),
    (b"MATLAB 5", table("a MATLAB file")),
    (b"Obj\x01", table("an Avro file")),
    (b"SQLite format 3\0", table("an SQLite database")),
    (b"\xd0\xcf\x11\xe0", table("an old Office document")),
    (b"\x93NUMPY", numpy()),
    (b"%PDF", picture("a PDF document")),
    (b"\x89PNG", picture("a PNG picture")),
    (b"GIF8", picture("a GIF picture")),
    (b"\xff\xd8\xff", picture("a JPEG picture")),
    (b"II*\0", picture("a TIFF picture")),
    (b"MM\0*", picture("a TIFF picture")),
    (b"{\\rtf", Foreign { found: "a rich-text document", advice: "save it as plain text first" }),
    (b"BZh", packed("packed by bzip2")),
    (b"\xfd7zXZ\0", packed("packed by xz")),
    (b"\x28\xb5\x2f\xfd", packed("packed by zstd")),
    (b"\x04\x22\x4d\x18", packed("packed by lz4")),
    (b"\x1f\x9d", packed("packed by compress")),
    (b"7z\xbc\xaf\x27\x1c", packed("a 7z archive")),
    (b"Rar!", packed("a RAR archive")),
    (b"\x7fELF", Foreign { found: "a program", advice: PICTURE }),
    (b"GGUF", Foreign { found: "a GGUF model", advice: PICTURE }),
    (
        b"/annex/objects/",
        Foreign {
            found: "a pointer of git-annex to a file that is not here",
            advice: "fetch the file with `git annex get`",
        },
    ),
];

/// The kind of the file that begins with `head`; `None` if it may be text. Compressed
/// files that can be read are not foreign.
pub(super) fn kind(head: &[u8]) -> Option<Foreign> {
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*kind);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(packed("a tar archive"));
    }
    if matches!(head, [0x80, 2..=5, ..]) {
        let found = "a Python pickle";
        return Some(Foreign { found, advice: "save it as CSV or JSON first" });
    }
    if is_safetensors(head) {
        return Some(Foreign { found: "a safetensors file of weights", advice: WEIGHTS });
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return Some(picture("a WebP picture"));
    }
    message(head)
}

/// Text that is not what was asked for.
fn message(head: &[u8]) -> Option<Foreign> {
    let text = String::from_utf8_lossy(head);
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let begins =
        |with: &str| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if begins("version ") && text.contains("git-lfs") && text.contains("oid sha256:") {
        return Some(Foreign {
            found: "a pointer of Git LFS to a file that is not here",
            advice: "fetch the file with `git lfs pull`",
        });
    }
    if begins("<!doctype html") || begins("<html") || begins("<head>") {
        return Some(Foreign {
            found: "a web page (HTML), as failed downloads leave behind",
            advice: "download the file itself again",
        });
    }
    if begins("<svg") || begins("<?xml") && text.contains("<svg") {
        return Some(picture("an SVG picture"));
    }
    if begins("<?xml") {
        return Some(Foreign { found: "an XML document", advice: "save it as CSV or JSON first" });
    }
    if ["404: not found", "entry not found", "access denied", "invalid username or password"]
        .into_iter()
        .any(begins)
    {
        return Some(Foreign { found: "the error message of a failed download", advice: AGAIN });
    }
    None
}

/// Whether the file begins with the length of a header and that header.
fn is_safetensors(head: &[u8]) -> bool {
    let Some((length, rest)) = head.split_first_chunk() else { return false };
    let length = u64::from_le_bytes(*length);
    (2..1 << 32).contains(&length) && rest.starts_with(b"{\"")
}

/// Data without the form of text: the last resort.
pub(super) const BINARY: Foreign = Foreign { found: "binary data", advice: PICTURE };

/// UTF-32, which nobody should have to read.
pub(super) const UTF_32: Foreign = Foreign { found: "UTF-32", advice: "save it in UTF-8 first" };

/// The kind of a zip archive by the names in it; `None` if it is just an archive.
pub(super) fn kind_of_zip(names: &[&str]) -> Option<Foreign> {
    let has = |part: &str| names.iter().any(|name| name.starts_with(part));
    if !names.is_empty() && names.iter().all(|name| name.ends_with(".npy")) {
        return Some(Foreign { found: "a NumPy archive (npz)", advice: numpy().advice });
    }
    if names.iter().any(|name| name.ends_with("data.pkl")) {
        return Some(Foreign { found: "a PyTorch checkpoint", advice: WEIGHTS });
    }
    if has("xl/") {
        return Some(table("an Excel workbook (xlsx)"));
    }
    if has("word/") || has("ppt/") {
        return Some(Foreign {
            found: "an Office document",
            advice: "save it as plain text first",
        });
    }
    (has("content.xml") && has("META-INF/")).then_some(table("an OpenDocument file"))
}

const fn parquet() -> Foreign {
    Foreign {
        found: "a Parquet table",
        advice: "save it as CSV first, e.g. in Python: \
                 pandas.read_parquet(FILE).to_csv(\"train.csv\", index=False)",
    }
}

const fn numpy() -> Foreign {
    Foreign {
        found: "a NumPy array",
        advice: "a data set that the published code prepared is read as its folder \
                 (the one with train/dataset.json); save other arrays as CSV first",
    }
}

const fn table(found: &'static str) -> Foreign {
    Foreign { found, advice: AS_CSV }
}

const fn picture(found: &'static str) -> Foreign {
    Foreign { found, advice: PICTURE }
}

const fn packed(found: &'static str) -> Foreign {
    Foreign { found, advice: UNPACK }
}
