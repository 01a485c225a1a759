//! What a file holds, judged by its content.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use hrm_base::file_kind::{FileKind, Group};
use hrm_base::zip_entries;
use zip::ZipArchive;

use crate::pickle::N_FILES_MAX;

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

impl Kind {
    /// What the file at `path` holds.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        (&mut file).take(512).read_to_end(&mut head)?;
        let is_zip = head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06");
        Ok(match FileKind::of(&head) {
            Some(kind) if is_zip && kind.group != Group::Safetensors => of_zip(file),
            Some(kind) if kind.group == Group::Pickle && is_unpacked(path) => {
                let advice = "pack its folder again without compression, `zip -0 -r FILE FOLDER`";
                Self::Other(format!("a part of an unpacked PyTorch checkpoint: {advice}"))
            }
            Some(kind) => with_advice(kind),
            None => Self::Other(of_nothing_known(&head).to_owned()),
        })
    }
}

/// Whether a file is the pickle of an archive that was unpacked.
fn is_unpacked(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "data.pkl") && path.with_file_name("data").is_dir()
}

/// What to do about a file that is not read.
fn with_advice(kind: FileKind) -> Kind {
    if let Some(found) = kind.instead() {
        return Kind::Other(found);
    }
    let advice = match kind.group {
        Group::Safetensors => return Kind::Safetensors,
        Group::Torch => return Kind::Torch,
        Group::OldTorch => {
            "save it again, `torch.save(torch.load(OLD, map_location=\"cpu\"), NEW)`"
        }
        Group::Pickle => {
            "save the state dict with `torch.save(model.state_dict(), FILE)`, which makes an archive"
        }
        Group::Packed => "unpack it",
        Group::Weights => "convert it to safetensors",
        Group::Network => "import the checkpoint that it was made from",
        Group::Array => "save the tensors as safetensors",
        _ => return Kind::Other(kind.name.into_owned()),
    };
    Kind::Other(format!("{}: {advice}", kind.name))
}

fn of_zip(mut file: File) -> Kind {
    if let Ok(Some(n)) = zip_entries::count(&mut file)
        && n > N_FILES_MAX
    {
        return Kind::Other(format!("a zip archive of {n} files, more than any checkpoint has"));
    }
    let Ok(archive) = ZipArchive::new(io::BufReader::new(file)) else {
        return Kind::Other("a zip archive that is cut short or damaged: download it again".into());
    };
    let names: Vec<Cow<'_, str>> = archive.file_names().flatten().take(1000).collect();
    let has = |part: &str| names.iter().any(|name| name.contains(part));
    if has("archive_format") && has("model.json") {
        let advice = "save the weights alone, `torch.save(model.state_dict(), FILE)`";
        return Kind::Other(format!("a program of `torch.export`: {advice}"));
    }
    if has("code/__torch__") && has("constants.pkl") {
        let advice = "`torch.save(torch.jit.load(OLD).state_dict(), NEW)`";
        return Kind::Other(format!("a TorchScript program: save its weights alone, {advice}"));
    }
    let kind = FileKind::of_zip(names.iter().map(Cow::as_ref));
    match names.first() {
        None => Kind::Other("an empty zip archive".to_owned()),
        Some(name) if kind.group == Group::Packed => {
            let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
            Kind::Other(format!("a zip archive of other files (`{name}`): unpack it"))
        }
        Some(_) => with_advice(kind),
    }
}

fn of_nothing_known(head: &[u8]) -> &'static str {
    let is_text = head.iter().all(|byte| *byte >= b' ' || b"\t\r\n\x0c".contains(byte));
    match () {
        () if head.is_empty() => "nothing: the file is empty",
        () if is_text && head.trim_ascii_start().starts_with(b"{") => "a JSON text",
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

    fn zip(names: &[&str]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        for name in names {
            writer.start_file(*name, stored).unwrap();
            writer.write_all(b"x").unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn files_are_recognised_by_content() {
        assert_eq!(kind(b"\x02\0\0\0\0\0\0\0{}"), Kind::Safetensors);
        assert_eq!(kind(b"PK\x03\x04\0\0\0\0{"), Kind::Safetensors);
        assert_eq!(kind(&zip(&["model/data.pkl"])), Kind::Torch);
        for (bytes, what) in [
            (&b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."[..], "torch.save("),
            (b"\x80\x04\x95", "a Python pickle"),
            (b"", "empty"),
            (b"  <!DOCTYPE html><p>404", "(HTML)"),
            (b"<?xml version='1.0'?><Error>", "XML"),
            (b"{\"error\": \"not found\"}", "JSON"),
            (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"GGUF\x03", "GGUF"),
            (b"\x08\x08\x12\x07pytorch", "ONNX"),
            (b"hello", "text"),
            (b"\x01\x02\x03", "unknown data"),
            (&zip(&["inputs.npy"]), "npz"),
            (&zip(&["m/archive_format", "m/models/model.json"]), "torch.export"),
            (&zip(&["m/data.pkl", "m/code/__torch__/a.py", "m/constants.pkl"]), "TorchScript"),
            (&zip(&["step_1"]), "`step_1`"),
            (&zip(&["step_1"])[..20], "cut short"),
        ] {
            match kind(bytes) {
                Kind::Other(found) => assert!(found.contains(what), "{what}: {found}"),
                kind => panic!("{what}: {kind:?}"),
            }
        }
    }
}
