//! What a file is, judged by its content: for readers that were given something else than
//! they read.
//!
//! Each reader says itself what to do about a kind of file; here is only what it is.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use file_format::{FileFormat, Kind};

/// What a file is that is not plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileKind {
    /// With its article, e.g. `a safetensors file`.
    pub name: Cow<'static, str>,
    /// What one can do with it.
    pub group: Group,
}

/// Kinds of files that are treated alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Files packed into one, or one file compressed.
    Packed,
    /// Rows and columns.
    Table,
    /// Arrays of numbers.
    Array,
    /// Tensors in the format safetensors.
    Safetensors,
    /// A zip archive as PyTorch 1.6 and later write it.
    Torch,
    /// A checkpoint as PyTorch wrote it before 1.6.
    OldTorch,
    /// Weights in another format.
    Weights,
    /// A network without the checkpoint that it was made from.
    Network,
    /// Objects of Python.
    Pickle,
    /// A formatted document.
    Document,
    /// A picture.
    Picture,
    /// The name of a file that is elsewhere; to fetch it, run this.
    Pointer(&'static str),
    /// What a failed download leaves behind.
    FailedDownload,
    /// Anything else.
    Other,
}

/// Formats of machine learning: offset, bytes there, kind.
const SIGNATURES: &[(usize, &[u8], Group, &str)] = &[
    (
        0,
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
        Group::OldTorch,
        "a checkpoint in the format before PyTorch 1.6",
    ),
    (0, b"\x80\x02", Group::Pickle, PICKLE),
    (0, b"\x80\x03", Group::Pickle, PICKLE),
    (0, b"\x80\x04", Group::Pickle, PICKLE),
    (0, b"\x80\x05", Group::Pickle, PICKLE),
    (0, b"\x93NUMPY", Group::Array, "a NumPy array"),
    (0, b"\x89HDF\r\n\x1a\n", Group::Array, "an HDF5 file"),
    (0, b"MATLAB 5", Group::Array, "a MATLAB file"),
    (0, b"GGUF", Group::Weights, "a GGUF file"),
    (0, b"lmgg", Group::Weights, "a GGML file"),
    (0, b"tjgg", Group::Weights, "a GGML file"),
    (4, b"TFL3", Group::Network, "a TensorFlow Lite model"),
    (0, b"PAR1", Group::Table, "a Parquet table"),
    (0, b"FEA1", Group::Table, "a Feather table"),
    (0, b"\xff\xff\xff\xff", Group::Table, "an Arrow stream"),
];

const PICKLE: &str = "a Python pickle";

/// Bytes by which a file is recognised.
const N_HEAD_BYTES: u64 = 512;

/// Longest header of a safetensors file, as its format allows.
const N_HEADER_BYTES_MAX: u64 = 100_000_000;

impl FileKind {
    fn new(group: Group, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), group }
    }

    /// The kind of a file that begins with `head`, some hundred bytes or the whole file;
    /// `None` for text, for data of no known kind, and for nothing. Of zip archives, see
    /// [`of_zip`](Self::of_zip).
    pub fn of(head: &[u8]) -> Option<Self> {
        if let Some(kind) = of_message(head) {
            return Some(kind);
        }
        // What is text is never taken for a format with a short signature.
        if let Some(text) = as_text(head) {
            return of_marked_text(text);
        }
        // Any bytes may be the length of its header, so other signatures come after it.
        if is_safetensors(head) {
            return Some(Self::new(Group::Safetensors, "a safetensors file"));
        }
        let known = SIGNATURES
            .iter()
            .find(|(at, bytes, ..)| head.get(*at..).is_some_and(|rest| rest.starts_with(bytes)));
        if let Some((_, _, group, name)) = known {
            return Some(Self::new(*group, *name));
        }
        if is_onnx(head) {
            return Some(Self::new(Group::Network, "an ONNX model"));
        }
        of_format(FileFormat::from_bytes(head))
    }

    /// What the file at `path` is if it stands for the file that was meant, and what to do:
    /// see [`instead`](Self::instead). `None` also if it cannot be read.
    pub fn instead_of(path: &Path) -> Option<String> {
        let mut head = Vec::new();
        File::open(path).ok()?.take(N_HEAD_BYTES).read_to_end(&mut head).ok()?;
        Self::of(&head)?.instead()
    }

    /// What this is and what to do, if it is what a version control system or a failed
    /// download has left in place of a file, whatever that file was to be.
    pub fn instead(&self) -> Option<String> {
        match self.group {
            Group::Pointer(command) => Some(format!("{}: run `{command}`", self.name)),
            Group::FailedDownload => Some(format!("{}: download the file itself again", self.name)),
            _ => None,
        }
    }

    /// The kind of a zip archive by the names of its files; an archive like any other if
    /// they say nothing.
    pub fn of_zip<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let has = |folder: &str| names.clone().any(|name| name.starts_with(folder));
        if names.clone().any(|name| name == "data.pkl" || name.ends_with("/data.pkl")) {
            return Self::new(Group::Torch, "a PyTorch checkpoint");
        }
        if names.clone().next().is_some() && names.clone().all(|name| name.ends_with(".npy")) {
            return Self::new(Group::Array, "a NumPy archive (npz)");
        }
        if has("xl/") {
            return Self::new(Group::Table, "an Excel workbook (xlsx)");
        }
        if has("word/") || has("ppt/") {
            return Self::new(Group::Document, "an Office document");
        }
        if has("content.xml") && has("META-INF/") {
            return Self::new(Group::Table, "an OpenDocument file");
        }
        Self::new(Group::Packed, "a zip archive")
    }
}

/// Text that stands for a file.
fn of_message(head: &[u8]) -> Option<FileKind> {
    if head.starts_with(b"/annex/objects/") {
        let name = "a pointer of git-annex to a file that is not here";
        return Some(FileKind::new(Group::Pointer("git annex get"), name));
    }
    let head = String::from_utf8_lossy(&head[..head.len().min(512)]);
    let text = head.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    let begins = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
    if begins(&["version http"]) && text.contains("git-lfs") {
        let name = "a pointer of Git LFS to a file that is not here";
        return Some(FileKind::new(Group::Pointer("git lfs pull"), name));
    }
    if begins(&["<!doctype html", "<html", "<head>"]) {
        let name = "a web page (HTML), as failed downloads leave behind";
        return Some(FileKind::new(Group::FailedDownload, name));
    }
    let errors =
        ["404: not found", "entry not found", "access denied", "invalid username or password"];
    begins(&errors)
        .then(|| FileKind::new(Group::FailedDownload, "the error message of a failed download"))
}

/// The text of which `head` is the beginning, if it is text. The last character may be cut.
fn as_text(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(err) if err.error_len().is_none() => {
            std::str::from_utf8(&head[..err.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    let is_text = text.chars().all(|c| !c.is_control() || "\t\r\n\x0c".contains(c));
    is_text.then_some(text)
}

/// Text in a format of its own.
fn of_marked_text(text: &str) -> Option<FileKind> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let begins = |start: &str| text.starts_with(start);
    match () {
        () if begins("{\\rtf") => Some(FileKind::new(Group::Document, "a rich-text document")),
        () if begins("%PDF") => Some(FileKind::new(Group::Document, "a PDF document")),
        () if begins("<svg") || begins("<?xml") && text.contains("<svg") => {
            Some(FileKind::new(Group::Picture, "an SVG picture"))
        }
        () if begins("<?xml") => Some(FileKind::new(Group::Document, "an XML document")),
        () => None,
    }
}

/// A length of a header, then the start of a JSON object. The file may be cut short.
fn is_safetensors(head: &[u8]) -> bool {
    let Some((n_header, header)) = head.split_first_chunk::<8>() else { return false };
    let n_header = u64::from_le_bytes(*n_header);
    header.first() == Some(&b'{') && (2..=N_HEADER_BYTES_MAX).contains(&n_header)
}

/// A protocol buffer with a version from 3 to 15, then the name of the program that wrote it.
fn is_onnx(head: &[u8]) -> bool {
    matches!(head, [0x08, 3..=15, 0x12, ..])
}

/// The formats that everybody has.
fn of_format(format: FileFormat) -> Option<FileKind> {
    let group = match format.kind() {
        _ if format == FileFormat::ArbitraryBinaryData || format == FileFormat::Empty => {
            return None;
        }
        Kind::Archive | Kind::Compressed | Kind::Package => Group::Packed,
        Kind::Database | Kind::Spreadsheet => Group::Table,
        Kind::Document | Kind::Ebook | Kind::Presentation => Group::Document,
        Kind::Image => Group::Picture,
        _ => Group::Other,
    };
    let name = match format.short_name() {
        Some(short) => format!("a file in the format {} ({short})", format.name()),
        None => format!("a file in the format {}", format.name()),
    };
    Some(FileKind::new(group, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_recognised_by_their_content() {
        let old_torch = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
        let mut tar = [0; 300];
        tar[257..265].copy_from_slice(b"ustar\x0000");
        for (head, group, name) in [
            (&old_torch[..], Group::OldTorch, "before PyTorch 1.6"),
            (b"\x80\x04\x95", Group::Pickle, "pickle"),
            (b"\x02\0\0\0\0\0\0\0{}", Group::Safetensors, "safetensors"),
            (b"\x93NUMPY\x01\0", Group::Array, "NumPy"),
            (b"\x08\x08\x12\x07pytorch", Group::Network, "ONNX"),
            (b"GGUF\x03\0", Group::Weights, "GGUF"),
            (b"PAR1\x15\x04\x15", Group::Table, "Parquet"),
            (b"SQLite format 3\0", Group::Table, "SQLite"),
            (b"\x1f\x8b\x08\0", Group::Packed, "gzip"),
            (b"BZh91AY&SY\x01", Group::Packed, "bzip2"),
            (b"\xfd7zXZ\0\0", Group::Packed, "XZ"),
            (b"\x28\xb5\x2f\xfd\x04\0", Group::Packed, "zstd"),
            (b"7z\xbc\xaf\x27\x1c\0", Group::Packed, "7Z"),
            (&tar, Group::Packed, "TAR"),
            (b"\x89PNG\r\n\x1a\n\0", Group::Picture, "PNG"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Group::Picture, "JPEG"),
            (b"%PDF-1.7\n", Group::Document, "PDF"),
            (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\x01", Group::Document, "PDF"),
            (b"{\\rtf1", Group::Document, "rich-text"),
            (b"<?xml version='1.0'?><svg/>", Group::Picture, "SVG"),
            (b"<?xml version='1.0'?><a/>", Group::Document, "XML"),
            (b"\xef\xbb\xbf <!DOCTYPE html><p>404", Group::FailedDownload, "HTML"),
            (b"404: Not Found", Group::FailedDownload, "error message"),
            (b"version https://git-lfs.github.com/", Group::Pointer("git lfs pull"), "LFS"),
            (b"/annex/objects/SHA256E-s1", Group::Pointer("git annex get"), "git-annex"),
        ] {
            let kind = FileKind::of(head).unwrap_or_else(|| panic!("{name} is not recognised"));
            assert_eq!(kind.group, group, "{name}: {kind:?}");
            assert!(kind.name.contains(name), "{name}: {kind:?}");
        }
    }

    #[test]
    fn what_stands_for_a_file_says_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let found = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            FileKind::instead_of(&path)
        };
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 1\n";
        let expected = "a pointer of Git LFS to a file that is not here: run `git lfs pull`";
        assert_eq!(found(pointer).as_deref(), Some(expected));
        let page = found(b"<html>404").unwrap();
        assert!(page.ends_with(": download the file itself again"), "{page}");
        for other in [&b"{}"[..], b"", b"\x80\x04\x95"] {
            assert_eq!(found(other), None);
        }
        assert_eq!(FileKind::instead_of(&folder.path().join("none")), None);
    }

    #[test]
    fn the_length_of_a_header_is_no_signature() {
        // A pickle, gzip, a zip archive, a bitmap.
        for n_bytes in [0x280u64, 0x380, 0x480, 0x580, 0x0008_8b1f, 0x0403_4b50, 0x4d42] {
            let head = [&n_bytes.to_le_bytes()[..], b"{\"__metadata__\":{}"].concat();
            assert_eq!(FileKind::of(&head).unwrap().group, Group::Safetensors, "{n_bytes:#x}");
        }
        // A pickle in frames, whose length follows two bytes.
        let framed = b"\x80\x04\x95\x05\0\0\0\0\0\0\0";
        assert_eq!(FileKind::of(framed).unwrap().group, Group::Pickle);
    }

    #[test]
    fn text_has_no_kind_whatever_it_begins_with() {
        // Each begins with the signature of some format.
        for text in
            ["BM12", "MZ..", "GIF8..", "Rar!", "GGUF", "PAR1", "Obj1", "MATLAB 5", "BZh", "..."]
        {
            assert_eq!(FileKind::of(text.as_bytes()), None, "{text}");
        }
        assert_eq!(FileKind::of("S.#\n#ä#\n".as_bytes()), None);
        assert_eq!(FileKind::of(b""), None);
        assert_eq!(FileKind::of(b"\x01\x02\x03"), None);
    }

    #[test]
    fn zip_archives_are_told_by_their_names() {
        let group = |names: &[&str]| FileKind::of_zip(names.iter().copied()).group;
        assert_eq!(group(&["model/data.pkl", "model/data/0"]), Group::Torch);
        assert_eq!(group(&["a.npy", "b.npy"]), Group::Array);
        assert_eq!(group(&["xl/workbook.xml"]), Group::Table);
        assert_eq!(group(&["word/document.xml"]), Group::Document);
        assert_eq!(group(&["content.xml", "META-INF/manifest.xml"]), Group::Table);
        assert_eq!(group(&["train.csv"]), Group::Packed);
        assert_eq!(group(&[]), Group::Packed);
    }
}
