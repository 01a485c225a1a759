//! Reading and writing `.npy` files, intact and damaged.

use super::*;
use proptest::prelude::*;

/// A file as NumPy writes it, with any header.
pub(crate) fn file(header: &str, values: &[u8]) -> Vec<u8> {
    let n_bytes = header.len() as u16 + 1;
    let header = [header.as_bytes(), b"\n"].concat();
    [b"\x93NUMPY\x01\x00".as_slice(), &n_bytes.to_le_bytes(), &header, values].concat()
}

/// Opens an array from bytes; error messages call its file `FILE`.
fn open(bytes: &[u8], n_dims: usize) -> Result<Array, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    std::fs::write(&path, bytes).unwrap();
    Array::open(&path, n_dims)
        .map_err(|err| err.to_string().replace(path.to_str().unwrap(), "FILE"))
}

fn rows(array: &Array) -> Vec<Vec<i64>> {
    let row = |row| {
        let mut values = Vec::new();
        array.row(row, |value| values.push(value));
        values
    };
    (0..array.n_rows()).map(row).collect()
}

#[test]
fn every_dtype_is_read() {
    let cases: [(&str, &[u8], [i64; 2]); 10] = [
        ("|u1", &[1, 255], [1, 255]),
        ("<u1", &[1, 255], [1, 255]),
        ("|i1", &[1, 255], [1, -1]),
        ("<u2", &[1, 2, 255, 255], [0x201, 0xffff]),
        ("<i2", &[1, 2, 255, 255], [0x201, -1]),
        ("<u4", &[1, 2, 0, 0, 0, 0, 0, 128], [0x201, 1 << 31]),
        ("<i4", &[1, 2, 0, 0, 0, 0, 0, 128], [0x201, -(1 << 31)]),
        ("<i8", &[1, 2, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255], [0x201, -1]),
        ("<u8", &[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], [0x201, 1 << 32]),
        // Too large for an `i64`.
        ("<u8", &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255], [0, i64::MAX]),
    ];
    for (descr, values, want) in cases {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2,), }}");
        let array = open(&file(&header, values), 1).unwrap();
        assert_eq!(rows(&array).concat(), want, "{descr}");
        assert_eq!([array.get(0), array.get(1), array.get(2)], [want[0], want[1], -1]);
    }
}

#[test]
fn equivalent_headers_are_accepted() {
    let values: Vec<u8> = (1..=6).collect();
    for header in [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }         ",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)}",
        "{\"shape\":(2,3,),\"fortran_order\":False,\"descr\":\"|u1\"}",
        "  { 'shape' : ( 2 , 3 ) , 'descr' : '|u1' , 'fortran_order' : False , } ",
    ] {
        let array = open(&file(header, &values), 2).unwrap();
        assert_eq!(rows(&array), [[1, 2, 3], [4, 5, 6]], "{header}");
        // Later versions of the format store the header length in four bytes.
        let mut newer = file(header, &values);
        newer[6] = 2;
        newer.splice(10..10, [0, 0]);
        assert_eq!(rows(&open(&newer, 2).unwrap()), [[1, 2, 3], [4, 5, 6]]);
    }
}

#[test]
fn unsupported_and_malformed_arrays_are_rejected() {
    let refused = |header: &str, want: &str| {
        assert_eq!(open(&file(header, &[0; 6]), 2).err().unwrap(), want, "{header}");
    };
    let sound = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";
    let with = |from: &str, to: &str| sound.replace(from, to);
    assert!(open(&file(sound, &[0; 6]), 2).is_ok());
    refused(
        &with("|u1", "<f4"),
        "FILE: expected values of type |u1, |i1, <u2, <i2, <u4, <i4, <u8, <i8, found <f4",
    );
    refused(
        &with("|u1", ">i4"),
        "FILE: expected values of type |u1, |i1, <u2, <i2, <u4, <i4, <u8, <i8, found >i4",
    );
    refused(&with("False", "True"), "FILE: expected C order (row by row), found Fortran order");
    refused(
        &with("(2, 3)", "(6,)"),
        "FILE: expected a 2-dimensional array, found a 1-dimensional array",
    );
    refused(
        &with("(2, 3)", "()"),
        "FILE: expected a 2-dimensional array, found a 0-dimensional array",
    );
    refused(
        &with("(2, 3)", "(3, 3)"),
        "FILE: expected 9 bytes of values for shape [3, 3], found 6",
    );
    refused(
        &with("(2, 3)", "(1, 3)"),
        "FILE: expected 3 bytes of values for shape [1, 3], found 6",
    );
    refused(
        &with("(2, 3)", "(9223372036854775807, 9)"),
        "FILE: expected a shape that fits in memory, found [9223372036854775807, 9]",
    );
    for header in [
        "",
        "{}",
        &with("2", "-2"),
        &with("2", "99999999999999999999"),
        &with("'|u1'", "[('a', '<i4')]"),
        &with("'descr'", "'descry'"),
        &with("}", "} x"),
        &"(".repeat(60_000),
    ] {
        let message = open(&file(header, &[0; 6]), 2).err().unwrap();
        assert!(message.starts_with("FILE: expected a NumPy array, found "), "{message}");
    }
    let message = open(b"hello", 2).err().unwrap();
    assert_eq!(message, "FILE: expected a NumPy array, found 5 bytes that start with \"hello\"");
    assert!(open(b"", 1).is_err());
    // Version 2 with a header of four gigabytes.
    assert!(open(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", 1).is_err());
}

#[test]
fn written_arrays_are_read_back_and_aligned() {
    let folder = tempfile::tempdir().unwrap();
    for (name, dtype, n_cols) in [("a", Dtype::U8, Some(3)), ("b", Dtype::I32, None)] {
        let path = folder.path().join(name);
        let mut writer = ArrayWriter::create(&path, dtype, 4, n_cols).unwrap();
        let values: Vec<u32> = (0..4 * n_cols.unwrap_or(1) as u32).collect();
        values.chunks(2).for_each(|chunk| writer.push(chunk).unwrap());
        writer.finish().unwrap();
        let array = Array::open(&path, 1 + n_cols.iter().count()).unwrap();
        assert_eq!(rows(&array).concat(), values.iter().map(|v| *v as i64).collect::<Vec<_>>());
        assert_eq!(array.start % ALIGNMENT, 0);
        assert!(
            ArrayWriter::create(&path, dtype, 4, n_cols).is_err(),
            "existing files are not overwritten"
        );
    }
}

proptest! {
    /// A damaged file is rejected, or every value of it can be read.
    #[test]
    fn a_damaged_file_is_rejected_or_fully_readable(
        n_rows in 0usize..5,
        n_cols in 0usize..5,
        length in prop::option::of(0usize..160),
        flips in prop::collection::vec((0usize..160, any::<u8>()), 0..4),
    ) {
        let shape = format!("({n_rows}, {n_cols})");
        let mut bytes = header(Dtype::I16, &shape);
        bytes.extend(vec![7; n_rows * n_cols * 2]);
        let untouched = bytes.clone();
        bytes.truncate(length.unwrap_or(usize::MAX));
        for (place, flip) in flips {
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= flip;
            }
        }
        match open(&bytes, 2) {
            Ok(array) => {
                let n_values = rows(&array).concat().len();
                prop_assert_eq!(n_values, array.n_rows() * array.n_cols());
            }
            Err(message) => {
                prop_assert!(bytes != untouched, "{message}");
                prop_assert!(message.starts_with("FILE: expected "), "{message}");
            }
        }
    }
}
