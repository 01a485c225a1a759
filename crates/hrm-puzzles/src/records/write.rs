//! Writes puzzle files.

use std::io::Write;

use super::record::Record;
use crate::PuzzleError;

/// Writes a puzzle file record by record, with its header first.
pub struct Writer<W: Write>(csv::Writer<W>);

impl<W: Write> Writer<W> {
    /// Creates a writer of a puzzle file to `out`.
    pub fn new(out: W) -> Self {
        Self(csv::Writer::from_writer(out))
    }

    /// Appends a puzzle.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Output`].
    pub fn write(&mut self, record: &Record) -> Result<(), PuzzleError> {
        self.0.serialize(record).map_err(|err| {
            PuzzleError::Output(match err.into_kind() {
                csv::ErrorKind::Io(err) => err,
                kind => std::io::Error::other(format!("{kind:?}")),
            })
        })
    }

    /// Flushes buffered records.
    ///
    /// # Errors
    ///
    /// [`PuzzleError::Output`].
    pub fn finish(mut self) -> Result<(), PuzzleError> {
        self.0.flush().map_err(PuzzleError::Output)
    }
}

/// Formats a puzzle file with its header.
pub fn to_text<'a>(records: impl IntoIterator<Item = &'a Record>) -> String {
    const IN_MEMORY: &str = "records are text, written to memory";
    let mut text = Vec::new();
    let mut writer = Writer::new(&mut text);
    for record in records {
        writer.write(record).expect(IN_MEMORY);
    }
    writer.finish().expect(IN_MEMORY);
    String::from_utf8(text).expect(IN_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::parse;

    #[test]
    fn records_survive_a_round_trip() {
        let record = Record {
            source: "a, \"b\"".into(),
            question: "12..".into(),
            answer: "1234".into(),
            rating: "7".into(),
        };
        let text = to_text([&record]);
        let back = parse(text.as_bytes(), "x.csv").unwrap();
        assert_eq!(back[0].record, record);
        assert_eq!(back[0].place, "x.csv:2");
    }
}
