//! The ballots of many test inputs, moved to disk when they take too much memory.
//!
//! Hundreds of tasks with a thousand versions each give hundreds of thousands of predicted
//! grids. When the ballots reach the memory limit, they are appended to an unnamed
//! temporary file and emptied. Taking a ballot merges its parts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};

use hrm_puzzles::arc::Grid;

use super::Ballot;

/// Ballots by key.
pub(crate) struct SpilledVotes<K> {
    in_memory: BTreeMap<K, Ballot>,
    /// Approximate bytes in memory, and the limit at which they move to disk.
    n_bytes: usize,
    n_bytes_max: usize,
    file: Option<File>,
    /// Offsets in the file of the parts of each ballot.
    parts: BTreeMap<K, Vec<u64>>,
}

impl<K: Copy + Ord> SpilledVotes<K> {
    /// No ballots yet; at most about `n_bytes_max` bytes stay in memory.
    pub(crate) fn new(n_bytes_max: usize) -> Self {
        Self {
            in_memory: BTreeMap::new(),
            n_bytes: 0,
            n_bytes_max,
            file: None,
            parts: BTreeMap::new(),
        }
    }

    /// Counts one prediction.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be created or written.
    pub(crate) fn add(&mut self, key: K, grid: Grid, q_halt: f32) -> io::Result<()> {
        /// Approximate bytes of a grid in a map, without its cells.
        const N_BYTES_PER_VOTE: usize = 96;

        self.n_bytes += N_BYTES_PER_VOTE + grid.cells().len();
        self.in_memory.entry(key).or_default().add(grid, q_halt);
        if self.n_bytes > self.n_bytes_max { self.spill() } else { Ok(()) }
    }

    /// Takes the ballot of a key; empty if there is no vote.
    ///
    /// # Errors
    ///
    /// If the temporary file cannot be read.
    pub(crate) fn take(&mut self, key: K) -> io::Result<Ballot> {
        let mut ballot = self.in_memory.remove(&key).unwrap_or_default();
        if let (Some(file), Some(parts)) = (&self.file, self.parts.remove(&key)) {
            let mut file = BufReader::new(file);
            for start in parts {
                file.seek(SeekFrom::Start(start))?;
                ballot.append(Ballot::read(&mut file)?);
            }
        }
        Ok(ballot)
    }

    /// Appends all ballots in memory to the file and empties them.
    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let mut file = BufWriter::new(file);
        let mut at = file.seek(SeekFrom::End(0))?;
        for (key, ballot) in std::mem::take(&mut self.in_memory) {
            self.parts.entry(key).or_default().push(at);
            ballot.write(&mut file)?;
            at = file.stream_position()?;
        }
        self.n_bytes = 0;
        file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spilling_does_not_change_a_ballot(
            votes in prop::collection::vec((0u8..5, 0u8..4, 1usize..4, -5f32..5.0), 0..60),
            n_bytes_max in 0usize..3000,
        ) {
            let mut tight = SpilledVotes::new(n_bytes_max);
            let mut roomy = SpilledVotes::new(usize::MAX);
            for (key, colour, n_cols, q_halt) in &votes {
                let grid = Grid::filled(2, *n_cols, *colour);
                tight.add(*key, grid.clone(), *q_halt).unwrap();
                roomy.add(*key, grid, *q_halt).unwrap();
            }
            prop_assert!(roomy.file.is_none());
            for key in 0..6 {
                let (tight, roomy) = (tight.take(key).unwrap(), roomy.take(key).unwrap());
                prop_assert_eq!(tight.n_votes(), roomy.n_votes());
                prop_assert_eq!(tight.ranking(), roomy.ranking());
            }
        }
    }

    #[test]
    fn memory_stays_within_its_bound() {
        let mut ballots = SpilledVotes::new(10_000);
        for vote in 0..1000u32 {
            let grid = Grid::filled(30, 30, (vote % 10) as u8);
            ballots.add(vote % 7, grid, 0.0).unwrap();
            assert!(ballots.n_bytes <= 10_000);
        }
        let n_parts: usize = ballots.parts.values().map(Vec::len).sum();
        assert!(n_parts > 100, "{n_parts}");
        let n_votes: usize = (0..7).map(|key| ballots.take(key).unwrap().n_votes()).sum();
        assert_eq!(n_votes, 1000);
        assert_eq!(ballots.take(0).unwrap().n_votes(), 0);
    }
}
