//! How work is split across threads.

/// Which threads work on an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// The calling thread only; the others are busy with other parts of the batch.
    One,
    /// The whole thread pool.
    All,
}

impl Threads {
    /// The argument for `with_min_len` that keeps all pieces on one thread, or lets
    /// every piece go to any thread.
    pub(crate) fn min_len(self) -> usize {
        match self {
            Self::One => usize::MAX,
            Self::All => 1,
        }
    }

    /// Length of the pieces into which to cut `len` items: at most `len_max`, all
    /// nearly equal, with the same number of pieces per thread.
    pub(crate) fn piece_len(self, len: usize, len_max: usize) -> usize {
        let n_threads = match self {
            Self::One => 1,
            Self::All => rayon::current_num_threads(),
        };
        let n_pieces = len.div_ceil(len_max.max(1)).next_multiple_of(n_threads);
        len.div_ceil(n_pieces.max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_respect_the_maximum_and_every_thread_gets_a_piece() {
        for (len, len_max) in [(1, 4), (7, 3), (82, 96), (2624, 96), (5, 0)] {
            for threads in [Threads::One, Threads::All] {
                let piece = threads.piece_len(len, len_max);
                assert!((1..=len_max.max(1)).contains(&piece), "{len} {len_max}: {piece}");
            }
            let n_threads = rayon::current_num_threads();
            let n_pieces = len.div_ceil(Threads::All.piece_len(len, len_max));
            assert!(n_pieces >= n_threads.min(len), "{len} {len_max}: {n_pieces}");
        }
        assert_eq!(Threads::All.piece_len(0, 4), 1);
    }
}
