//! What a file holds, judged by its content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zip::ZipArchive;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A safetensors file.
    Safetensors,
    /// A zip archive with a pickle, as PyTorch 1.6 and later write it.
    Torch,
    /// Something that is not read: what it is, and what to do.
    Other(String),
}

/// The first bytes of a file: offset, bytes, what the file is and what to do.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (
        0,
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
        "a checkpoint in the format before PyTorch 1.6: save it again, \
         `torch.save(torch.load(OLD, map_location=\"cpu\"), NEW)`",
    ),
    (0, b"\x80\x02", BARE_PICKLE),
    (0, b"\x80\x03", BARE_PICKLE),
    (0, b"\x80\x04", BARE_PICKLE),
    (0, b"\x80\x05", BARE_PICKLE),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the file itself: run `git lfs pull`"),
    (0, b"\x1f\x8b", "gzip data: unpack it"),
    (0, b"BZh", "bzip2 data: unpack it"),
    (0, b"\xfd7zXZ\0", "xz data: unpack it"),
    (0, b"\x28\xb5\x2f\xfd", "zstd data: unpack it"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (0, b"Rar!", "a RAR archive: unpack it"),
    (257, b"ustar", "a tar archive: unpack it"),
    (0, b"GGUF", "a GGUF file: convert it to safetensors"),
    (0, b"lmgg", "a GGML file: convert it to safetensors"),
    (0, b"tjgg", "a GGML file: convert it to safetensors"),
    (0, b"\x93NUMPY", "a NumPy array: save the tensors as safetensors"),
    (0, b"\x89HDF", "an HDF5 file: save the tensors as safetensors"),
    (4, b"TFL3", "a TensorFlow Lite model: save the tensors as safetensors"),
    (0, b"\x08\x03\x12", ONNX),
    (0, b"\x08\x04\x12", ONNX),
    (0, b"\x08\x05\x12", ONNX),
    (0, b"\x08\x06\x12", ONNX),
    (0, b"\x08\x07\x12", ONNX),
    (0, b"\x08\x08\x12", ONNX),
    (0, b"\x08\x09\x12", ONNX),
    (0, b"\x08\x0a\x12", ONNX),
    (0, b"PAR1", "a Parquet file"),
    (0, b"\x89PNG", "a picture"),
    (0, b"%PDF", "a PDF file"),
];

const BARE_PICKLE: &str =
    "a bare pickle: save the state dict with `torch.save(model.state_dict(), FILE)`";
const ONNX: &str = "an ONNX model: import the checkpoint that it was made from";

/// Longest header of a safetensors file, as its format allows.
const N_HEADER_BYTES_MAX: u64 = 100_000_000;

impl Kind {
    /// What the file at `path` holds.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut first = Vec::new();
        (&mut file).take(512).read_to_end(&mut first)?;
        if first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") {
            return Ok(of_zip(file));
        }
        if is_safetensors(&first) {
            return Ok(Self::Safetensors);
        }
        let known = SIGNATURES
            .iter()
            .find(|(at, bytes, _)| first.get(*at..).is_some_and(|rest| rest.starts_with(bytes)));
        let other = match known {
            Some((_, _, what)) => what,
            None => of_text(&first),
        };
        Ok(Self::Other(other.to_owned()))
    }
}

/// A length of a header, then the start of a JSON object. The file may be cut short.
fn is_safetensors(first: &[u8]) -> bool {
    let Some((n_header, header)) = first.split_first_chunk::<8>() else { return false };
    let n_header = u64::from_le_bytes(*n_header);
    header.first() == Some(&b'{') && n_header <= N_HEADER_BYTES_MAX
}

fn of_zip(file: File) -> Kind {
    let Ok(archive) = ZipArchive::new(io::BufReader::new(file)) else {
        return Kind::Other("a zip archive that is cut short or damaged: download it again".into());
    };
    let names: Vec<String> =
        archive.file_names().flatten().take(1000).map(|name| name.into_owned()).collect();
    if names.iter().any(|name| name == "data.pkl" || name.ends_with("/data.pkl")) {
        return Kind::Torch;
    }
    let what = match names.first() {
        Some(name) if name.ends_with(".npy") => {
            "a NumPy archive (npz): save the tensors as safetensors".to_owned()
        }
        Some(name) => {
            let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
            format!("a zip archive of other files (`{name}`): unpack it")
        }
        None => "an empty zip archive".to_owned(),
    };
    Kind::Other(what)
}

fn of_text(first: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(first).trim_start().to_lowercase();
    let is_text = first.iter().all(|byte| *byte >= b' ' || b"\t\r\n\x0c".contains(byte));
    match () {
        () if first.is_empty() => "nothing: the file is empty",
        () if text.starts_with("<!doctype html") || text.starts_with("<html") => {
            "an HTML page, perhaps of a failed download"
        }
        () if text.starts_with("<?xml") => "an XML text, perhaps of a failed download",
        () if is_text && text.starts_with('{') => "a JSON text",
        () if is_text => "text",
        () => "unknown data",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn kind(bytes: &[u8]) -> Kind {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        Kind::of(&path).unwrap()
    }

    fn zip(name: &str) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        writer.start_file(name, stored).unwrap();
        writer.write_all(b"x").unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn files_are_recognised_by_content() {
        assert_eq!(kind(b"\x02\0\0\0\0\0\0\0{}"), Kind::Safetensors);
        assert_eq!(kind(&zip("model/data.pkl")), Kind::Torch);
        for (bytes, what) in [
            (&b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."[..], "torch.save("),
            (b"\x80\x04\x95", "a bare pickle"),
            (b"", "empty"),
            (b"  <!DOCTYPE html><p>404", "an HTML page"),
            (b"<?xml version='1.0'?><Error>", "XML"),
            (b"{\"error\": \"not found\"}", "JSON"),
            (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"GGUF\x03", "GGUF"),
            (b"\x08\x08\x12\x07pytorch", "ONNX"),
            (b"hello", "text"),
            (b"\x01\x02\x03", "unknown data"),
            (&zip("inputs.npy"), "npz"),
            (&zip("step_1"), "`step_1`"),
            (&zip("step_1")[..20], "cut short"),
        ] {
            match kind(bytes) {
                Kind::Other(found) => assert!(found.contains(what), "{what}: {found}"),
                kind => panic!("{what}: {kind:?}"),
            }
        }
    }
}
