//! Tests of the front end of text.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

const TEXT: &str = "question,answer\n1.é象🙂,1\n";

fn decoded(bytes: impl Into<Vec<u8>>) -> Result<String, String> {
    decode(bytes.into(), "f", TABLE_ENDINGS, 1 << 20).map_err(|err| {
        let cause = std::error::Error::source(&err).map(|cause| format!(": {cause}"));
        format!("{err}{}", cause.unwrap_or_default())
    })
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// An archive of stored files.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        writer.start_file(*name, stored).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn every_encoding_of_text_is_read() {
    let marked = format!("\u{feff}{TEXT}");
    for bytes in [
        TEXT.as_bytes().to_vec(),
        marked.clone().into_bytes(),
        utf16(&marked, u16::to_le_bytes),
        utf16(&marked, u16::to_be_bytes),
    ] {
        assert_eq!(decoded(bytes).as_deref(), Ok(TEXT));
    }
    let ascii = "question\n12..\n";
    assert_eq!(decoded(utf16(ascii, u16::to_le_bytes)).as_deref(), Ok(ascii));
    assert_eq!(decoded(utf16(ascii, u16::to_be_bytes)).as_deref(), Ok(ascii));
    assert_eq!(decoded("").as_deref(), Ok(""));
    for breaks in ["\r\n", "\r"] {
        let bytes = ["question", "12..", ""].join(breaks);
        assert_eq!(decoded(bytes.clone()).as_deref(), Ok(ascii), "{breaks:?}");
        assert_eq!(decoded(utf16(&bytes, u16::to_le_bytes)).as_deref(), Ok(ascii), "{breaks:?}");
    }
    let want = "f:2: expected text in UTF-8, found the byte 0xE9; save it in UTF-8";
    assert_eq!(decoded(b"a\nb\xe9\n").unwrap_err(), want);
    // Half a pair, and half a unit.
    for damage in [&b"\x00\xd8a\0"[..], b"a"] {
        let bytes = [&utf16("\u{feff}ab\n", u16::to_le_bytes)[..], damage].concat();
        assert!(decoded(bytes).unwrap_err().starts_with("f:2: expected text in UTF-8"));
    }
    assert!(decoded(b"\xff\xfe\0\0a\0\0\0").unwrap_err().contains("f is UTF-32"));
}

#[test]
fn packed_files_are_unpacked() {
    let packed = gzip(TEXT.as_bytes());
    assert_eq!(decoded(packed.clone()).as_deref(), Ok(TEXT));
    assert_eq!(decoded([&packed[..], &gzip(b"x")].concat()), Ok(format!("{TEXT}x")));
    let padded = [&packed[..], &[0; 70_000]].concat();
    assert_eq!(decoded(padded.clone()).as_deref(), Ok(TEXT));
    assert_eq!(decoded([&padded[..], &gzip(b"x")].concat()), Ok(format!("{TEXT}x")));
    assert!(decoded([&padded[..], b"no gzip header"].concat()).is_err());
    let utf16 = utf16(&format!("\u{feff}{TEXT}"), u16::to_le_bytes);
    let zipped = archive(&[("__MACOSX/._a.csv", b"x"), ("a.dat", &utf16), ("b/.hidden", b"y")]);
    assert_eq!(decoded(zipped).as_deref(), Ok(TEXT));
    let zipped = archive(&[("README.md", b"x"), ("a.CSV", TEXT.as_bytes())]);
    assert_eq!(decoded(gzip(&zipped)).as_deref(), Ok(TEXT));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zip");
    std::fs::write(&path, archive(&[("a.csv", &packed)])).unwrap();
    assert_eq!(read(&path, &[], 1 << 20).unwrap(), TEXT);
    let mut text = Text::open(&path, &[]).unwrap();
    assert!(text.name().ends_with("a.zip/a.csv"), "{text:?}");
    let mut found = String::new();
    text.read_to_string(&mut found).unwrap();
    assert_eq!(found, TEXT);
}

#[test]
fn archives_that_cannot_be_read_say_why() {
    let two = archive(&[("a.csv", b"x"), ("b.csv", b"y")]);
    let want = "f: expected an archive of one file, found 2 (a.csv, b.csv); unpack it, and name \
                the files";
    assert_eq!(decoded(two).unwrap_err(), want);
    assert!(decoded(archive(&[])).unwrap_err().contains("found none"));
    let packed = gzip(TEXT.as_bytes());
    let damaged = "damage, or an archive that was cut short; fetch it again";
    assert!(decoded(&packed[..packed.len() - 9]).unwrap_err().ends_with(damaged));
    let whole = archive(&[("a.csv", TEXT.as_bytes())]);
    let want = format!("f: expected an undamaged archive, found {damaged}");
    assert_eq!(decoded(&whole[..whole.len() - 30]).unwrap_err(), want);
    // As if an entry had a method that is not built in.
    let mut other = whole.clone();
    for mark in [&b"PK\x03\x04"[..], b"PK\x01\x02"] {
        let at = other.windows(4).position(|bytes| bytes == mark).unwrap();
        other[at + if mark[2] == 3 { 8 } else { 10 }] = 14;
    }
    let want = "f/a.csv: expected the method deflate, or none, found lzma; unpack it first";
    assert_eq!(decoded(other).unwrap_err(), want);
    let mut wrong = archive(&[("a.csv", TEXT.as_bytes())]);
    let at = wrong.windows(8).position(|bytes| bytes == b"question").unwrap();
    wrong[at] = b'Q';
    assert!(decoded(wrong).unwrap_err().ends_with("the checksum differs"));
    let mut nested = TEXT.as_bytes().to_vec();
    (0..4).for_each(|_| nested = gzip(&nested));
    let want = "f is a file in the format gzip (GZ), not text: unpack it first";
    assert_eq!(decoded(nested).unwrap_err(), want);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    std::fs::write(&path, utf16("\u{feff}[]\r\n", u16::to_be_bytes)).unwrap();
    assert_eq!(read_unpacked(&path, 9).unwrap(), "[]\n");
    for archive in [archive(&[("a.json", b"[]")]), gzip(b"[]")] {
        std::fs::write(&path, archive).unwrap();
        let message = read_unpacked(&path, 9).unwrap_err().to_string();
        assert!(message.ends_with(", not text: unpack it first"), "{message}");
    }
    let large = archive(&[("a.csv", &vec![b' '; 5 << 20])]);
    assert_eq!(
        decoded(large.clone()).unwrap_err(),
        "f/a.csv: expected at most 1048576 bytes of text, found more"
    );
    let want =
        "f: expected a zip archive of at most 4194304 bytes here, found more; unpack it first";
    assert_eq!(decoded(gzip(&large)).unwrap_err(), want);
    let zeros = gzip(&vec![b' '; 2 << 20]);
    let want = "f: expected at most 1048576 bytes of text, found more";
    assert_eq!(decoded(zeros).unwrap_err(), want);
}

#[test]
fn what_is_no_text_is_named() {
    let tar = [&[b'a'; 257][..], b"ustar\x0000"].concat();
    let npz = archive(&[("inputs.npy", b""), ("labels.npy", b"")]);
    let xlsx = archive(&[("[Content_Types].xml", b""), ("xl/workbook.xml", b"")]);
    let torch = archive(&[("archive/data.pkl", b""), ("archive/data/0", b"")]);
    let tensors = [&10u64.to_le_bytes()[..], b"{\"a\":{}}"].concat();
    let pointer = b"version https://git-lfs.example/spec/v1\noid sha256:00\nsize 9\n";
    let cases: &[(&[u8], &str)] = &[
        (b"PAR1\x15\0", "a Parquet table"),
        (b"\x93NUMPY\x01\0", "a NumPy array"),
        (&npz, "a NumPy archive (npz)"),
        (&xlsx, "an Excel workbook (xlsx)"),
        (&torch, "a PyTorch checkpoint"),
        (&tensors, "a safetensors file"),
        (&tar, "a file in the format Tape Archive (TAR)"),
        (&gzip(&tar), "a file in the format Tape Archive (TAR)"),
        (pointer, "a pointer of Git LFS to a file that is not here"),
        (b"\n <!DOCTYPE html><html>", "a web page (HTML), as failed downloads leave behind"),
        (b"<?xml version='1.0'?><Error/>", "an XML document"),
        (b"\x89PNG\r\n\x1a\n", "a file in the format Portable Network Graphics (PNG)"),
        (b"%PDF-1.7", "a PDF document"),
        (b"SQLite format 3\0", "a file in the format SQLite 3"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"Entry not found", "the error message of a failed download"),
        (b"a\0b\x01\x02\0\0\0", "binary data"),
    ];
    for (bytes, what) in cases {
        let message = decoded(*bytes).unwrap_err();
        let start = format!("f is {what}, not text: ");
        assert!(message.starts_with(&start) && message.len() > start.len() + 8, "{message}");
    }
}

#[test]
fn short_files_never_fill_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    std::fs::write(&path, gzip(&vec![b' '; 65 << 20])).unwrap();
    let message = read(&path, &[], 2 << 30).unwrap_err().to_string();
    assert!(message.ends_with("expected at most 67108864 bytes of text, found more"), "{message}");
    std::fs::write(&path, gzip(b"[]")).unwrap();
    assert_eq!(read(&path, &[], 2 << 30).unwrap(), "[]");
    // An archive is not read before its entries are counted.
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &[0xff; 4], &[0; 10]].concat();
    std::fs::write(&path, [b"PK\x03\x04".as_slice(), &end].concat()).unwrap();
    let message = read(&path, &[], 2 << 30).unwrap_err().to_string();
    let expected =
        "expected an archive of one file, found 65535 entries; unpack it, and name the files";
    assert!(message.ends_with(expected), "{message}");
}
