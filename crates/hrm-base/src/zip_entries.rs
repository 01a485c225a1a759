//! How many entries a zip archive has, before a reader holds them all in memory.

use std::io::{self, Read, Seek, SeekFrom};

/// Longest end of an archive: its last record with a comment.
const N_END_BYTES: u64 = 22 + 0xffff;

/// The largest number of entries that the end of a zip archive gives; `None` if it has no end.
/// Afterwards, the input is at its start.
///
/// # Errors
///
/// If the input cannot be read.
pub fn count(input: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let len = input.seek(SeekFrom::End(0))?;
    let start = len.saturating_sub(N_END_BYTES + 20);
    input.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    input.by_ref().take(len - start).read_to_end(&mut end)?;
    let mut n_most = None;
    for at in 0..end.len().saturating_sub(21) {
        let record = &end[at..];
        if !record.starts_with(b"PK\x05\x06") {
            continue;
        }
        // Records of large archives are before it: the number itself, and its place.
        let n_entries = u64::from(u16::from_le_bytes([record[10], record[11]]));
        let locator = at.checked_sub(20).map(|at| &end[at..at + 20]);
        let place = locator.filter(|record| record.starts_with(b"PK\x06\x07"));
        let n_large = match place.and_then(|record| record[8..16].try_into().ok()) {
            Some(place) => count_at(input, u64::from_le_bytes(place))?,
            None => None,
        };
        n_most = n_most.max(Some(n_entries.max(n_large.unwrap_or(0))));
    }
    input.rewind()?;
    Ok(n_most)
}

/// The number in the record of a large archive at `place`, if there is one.
fn count_at(input: &mut (impl Read + Seek), place: u64) -> io::Result<Option<u64>> {
    input.seek(SeekFrom::Start(place))?;
    let mut record = Vec::new();
    input.by_ref().take(40).read_to_end(&mut record)?;
    let number = record.get(32..40).filter(|_| record.starts_with(b"PK\x06\x06"));
    Ok(number.and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(bytes: &[u8]) -> Option<u64> {
        let mut input = io::Cursor::new(bytes);
        let n = count(&mut input).unwrap();
        assert_eq!(input.position(), 0);
        n
    }

    /// The last record of an archive of `n` entries.
    fn end(n: u16) -> Vec<u8> {
        [b"PK\x05\x06\0\0\0\0".as_slice(), &n.to_le_bytes(), &n.to_le_bytes(), &[0; 10]].concat()
    }

    #[test]
    fn entries_are_counted_without_reading_them() {
        assert_eq!(counted(b""), None);
        assert_eq!(counted(b"no archive of any kind, but longer than its end"), None);
        assert_eq!(counted(&end(3)), Some(3));
        assert_eq!(counted(&[vec![7; 100_000], end(500), vec![0; 1000]].concat()), Some(500));
        // Of several ends, a reader may take any.
        assert_eq!(counted(&[end(500), end(3)].concat()), Some(500));
        let large =
            [b"PK\x06\x06".as_slice(), &[0; 28], &(1u64 << 40).to_le_bytes(), &[0; 16]].concat();
        let place = [b"PK\x06\x07\0\0\0\0".as_slice(), &5u64.to_le_bytes(), &[0; 4]].concat();
        let archive = [vec![0; 5], large, place, end(u16::MAX)].concat();
        assert_eq!(counted(&archive), Some(1 << 40));
        // A record that is not where it should be.
        assert_eq!(counted(&archive[1..]), Some(u16::MAX.into()));
    }
}
