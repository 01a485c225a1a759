//! Valid archives and malicious ones.

use std::io::Write;

use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::super::manifest::{File as Listed, Format, Side};
use super::*;

const LIMIT: u64 = 10_000;

fn listed(name: &str, into: Option<Side>) -> Listed {
    Listed { name: name.to_owned(), format: Format::ArcJson, into, size: None }
}

/// Packs entries, applies `change` to the bytes, and unpacks `data/*.json`.
fn unpacked(
    entries: &[(&str, &[u8])],
    change: impl FnOnce(&mut Vec<u8>),
) -> (tempfile::TempDir, Result<(), FetchError>) {
    let mut writer = ZipWriter::new(io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        match name.strip_suffix("@") {
            Some(link) => {
                let to = std::str::from_utf8(content).unwrap();
                writer.add_symlink(link, to, options).unwrap();
            }
            None => {
                writer.start_file(*name, options).unwrap();
                writer.write_all(content).unwrap();
            }
        }
    }
    let mut bytes = writer.finish().unwrap().into_inner();
    change(&mut bytes);
    let here = tempfile::tempdir().unwrap();
    let archive = here.path().join("a.zip");
    fs::write(&archive, bytes).unwrap();
    let folder = here.path().join("deep/set");
    fs::create_dir_all(&folder).unwrap();
    let files = [listed("data/*.json", Some(Side::Training))];
    let result = unpack(&archive, "http://host/a.zip", &files, &folder, LIMIT);
    (here, result)
}

/// Files of the data set, sorted.
fn names(here: &tempfile::TempDir) -> Vec<String> {
    let Ok(entries) = fs::read_dir(here.path().join("deep/set/training")) else { return vec![] };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[track_caller]
fn refused(entries: &[(&str, &[u8])], change: impl FnOnce(&mut Vec<u8>), want: &str) {
    let (here, result) = unpacked(entries, change);
    let err = result.unwrap_err();
    assert_eq!(err.to_string(), format!("http://host/a.zip{want}"));
    // Nothing was written outside of the folder.
    let count = |path: &str| fs::read_dir(here.path().join(path)).unwrap().count();
    assert_eq!((count(""), count("deep")), (2, 1));
}

/// Replaces all occurrences of some bytes.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let places: Vec<_> =
        (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty(), "nothing to replace");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

#[test]
fn only_files_of_the_manifest_are_unpacked() {
    let entries: &[(&str, &[u8])] = &[
        ("repo-main/README.md", b"x"),
        ("repo-main/link.json@", b"/etc/passwd"),
        ("repo-main/data/a.json", b"1"),
        ("repo-main/data/b.json", b"2"),
        ("repo-main/data/.hidden.json", b"x"),
        ("repo-main/data/deeper/c.json", b"x"),
        ("repo-main/other/data/d.json", b"x"),
    ];
    let (here, result) = unpacked(entries, |_| ());
    result.unwrap();
    assert_eq!(names(&here), ["a.json", "b.json"]);
    assert_eq!(fs::read(here.path().join("deep/set/training/b.json")).unwrap(), b"2");
    // Without a folder around it.
    let (here, result) = unpacked(&[("data/a.json", b"1")], |_| ());
    result.unwrap();
    assert_eq!(names(&here), ["a.json"]);
}

#[test]
fn paths_that_lead_out_of_the_archive_are_refused() {
    for name in ["../x.json", "data/../../x.json", "/data/a.json"] {
        let want = format!(
            ": entry `{name}`: expected a path inside the archive, found one that leads out of it"
        );
        // Packed under another name, since the library refuses this one.
        let innocent = "i".repeat(name.len());
        let change = |bytes: &mut Vec<u8>| replace(bytes, innocent.as_bytes(), name.as_bytes());
        refused(&[("data/b.json", b"1"), (&innocent, b"2")], change, &want);
    }
}

#[test]
fn links_and_foreign_names_are_refused() {
    refused(
        &[("data/a.json@", b"../../../x")],
        |_| (),
        ": entry `data/a.json`: expected a file, found a link",
    );
    refused(
        &[("data/aaa.json", b"1")],
        |bytes| replace(bytes, b"aaa", b"a\xffa"),
        ": entry `data/a\u{fffd}a.json`: expected a name in UTF-8, found other bytes",
    );
}

#[test]
fn archives_above_the_limit_are_not_unpacked() {
    let bomb = vec![0; LIMIT as usize + 1];
    let want = ": expected at most 10000 bytes, found more after unpacking";
    refused(&[("data/a.json", &bomb)], |_| (), want);
    let half = vec![0; LIMIT as usize / 2 + 1];
    refused(&[("data/a.json", &half), ("data/b.json", &half)], |_| (), want);
    // One that claims to be small, and one that claims to be large.
    let size = (LIMIT as u32 + 1).to_le_bytes();
    let claim = |size: [u8; 4], claimed: u32| {
        move |bytes: &mut Vec<u8>| replace(bytes, &size, &claimed.to_le_bytes())
    };
    refused(&[("data/a.json", &bomb)], claim(size, 100), " is not an intact zip archive");
    let size = (half.len() as u32).to_le_bytes();
    let want = ": entry `data/a.json`: expected as many bytes as it declares, found fewer";
    refused(&[("data/a.json", &half)], claim(size, LIMIT as u32), want);
}

#[test]
fn incomplete_and_broken_archives_are_refused() {
    let want = ": expected files named `data/*.json`, found none";
    refused(&[("repo/README.md", b"x")], |_| (), want);
    refused(
        &[("a/data/a.json", b"1"), ("b/data/a.json", b"2")],
        |_| (),
        ": expected one file named `training/a.json`, found two",
    );
    let broken = " is not an intact zip archive";
    refused(&[("data/a.json", b"1")], |bytes| bytes.truncate(20), broken);
    refused(&[("data/a.json", b"1")], |bytes| *bytes = b"<html>".to_vec(), broken);
    let noise: Vec<u8> = (0..2000u32).map(|n| (n * n % 251) as u8).collect();
    // The content does not match its checksum.
    refused(&[("data/a.json", &noise)], |bytes| bytes[100] ^= 1, broken);
}

#[test]
fn a_folder_is_read_like_an_archive() {
    let here = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = here.path().join("odd [name]").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("repo-main/data/a.json", "1");
    put("repo-main/data/aMinimal.json", "x");
    put("repo-main/data/b2.json", "2");
    put("repo-main/.git/data/c.json", "x");
    let files = [listed("data/a.json", Some(Side::Training)), listed("data/*[0-9].json", None)];
    let folder = here.path().join("set");
    for from in ["odd [name]", "odd [name]/repo-main"] {
        copy(&here.path().join(from), &files, &folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("training/a.json")).unwrap(), "1");
        assert_eq!(fs::read_to_string(folder.join("b2.json")).unwrap(), "2");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }
    let missing = [listed("data/z*.json", None)];
    let err = copy(&here.path().join("odd [name]"), &missing, &folder).unwrap_err();
    assert!(err.to_string().ends_with("expected files named `data/z*.json`, found none"), "{err}");
}

#[cfg(unix)]
#[test]
fn a_folder_whose_name_is_not_text_is_named() {
    use std::os::unix::ffi::OsStrExt as _;
    let from = Path::new(std::ffi::OsStr::from_bytes(b"a\xff"));
    let err = copy(from, &[], Path::new("b")).unwrap_err().to_string();
    assert!(
        err.ends_with("expected a path in UTF-8: rename the folder, or copy its files"),
        "{err}"
    );
}
