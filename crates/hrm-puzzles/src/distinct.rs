//! Sampling many distinct puzzles on all threads.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use hrm_base::progress::Stage;
use rayon::prelude::*;

use crate::PuzzleError;

/// Largest number of attempts before their results are compared. Limits wasted work and
/// memory.
const N_AT_ONCE_MAX: u64 = 1024;

/// The puzzles seen so far, as 128-bit hashes: collisions are negligible, and millions
/// fit in memory whatever the size of a puzzle.
#[derive(Default)]
pub struct Taken(HashSet<u128>);

impl Taken {
    fn hash_of(key: &impl Hash) -> u128 {
        let half = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            key.hash(&mut hasher);
            u128::from(hasher.finish())
        };
        half(0) << 64 | half(1)
    }
}

/// Samples `n` puzzles whose `key` is not in `taken`, passes each to `each` and adds
/// its key to `taken`. Errors name the setting `field` that `n` comes from.
///
/// Attempt number `i` is `sample(i)`, independent of the other attempts, and of equal
/// puzzles the first is kept. So the result does not depend on the number of threads.
///
/// # Errors
///
/// Any error of `sample` and `each`, and [`PuzzleError::Setting`] if too few distinct
/// puzzles are found: small boards have few.
pub fn distinct<T: Send, K: Hash, E: From<PuzzleError> + Send>(
    (field, n): (&'static str, usize),
    sample: impl Fn(u64) -> Result<T, E> + Sync,
    key: impl Fn(&T) -> K + Sync,
    taken: &mut Taken,
    mut each: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let stage = Stage::start("generating puzzles", n as u64);
    let n_attempts_max = (n as u64).saturating_mul(20).saturating_add(100);
    let (mut n_found, mut n_attempts) = (0, 0);
    while n_found < n {
        if n_attempts == n_attempts_max {
            let found = format!("{n} (distinct puzzles found: {n_found})");
            let expected = "at most the number of distinct puzzles";
            return Err(PuzzleError::setting(field, expected, found).into());
        }
        let n_missing = (n - n_found) as u64;
        let end = n_attempts + n_missing.min(N_AT_ONCE_MAX).min(n_attempts_max - n_attempts);
        let attempts = (n_attempts..end).into_par_iter().map(|attempt| {
            let puzzle = sample(attempt)?;
            stage.advance(1);
            Ok((Taken::hash_of(&key(&puzzle)), puzzle))
        });
        for (hash, puzzle) in attempts.collect::<Result<Vec<_>, E>>()? {
            if taken.0.insert(hash) {
                each(puzzle)?;
                n_found += 1;
            }
        }
        n_attempts = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples with repeats: the square of the attempt number, modulo 7.
    fn sampled(n: usize, taken: &mut Taken) -> Result<Vec<u64>, PuzzleError> {
        let mut puzzles = Vec::new();
        let each = |puzzle| {
            puzzles.push(puzzle);
            Ok(())
        };
        let sample = |attempt| Ok(attempt * attempt % 7);
        distinct(("n", n), sample, |puzzle| *puzzle, taken, each)?;
        Ok(puzzles)
    }

    #[test]
    fn of_equal_puzzles_the_first_is_kept_and_taken_puzzles_are_skipped() {
        let mut taken = Taken::default();
        assert_eq!(sampled(2, &mut taken).unwrap(), [0, 1]);
        assert_eq!(sampled(2, &mut taken).unwrap(), [4, 2]);
        assert!(sampled(0, &mut taken).unwrap().is_empty());
        let err = sampled(9, &mut Taken::default()).unwrap_err().to_string();
        let want =
            "n must be at most the number of distinct puzzles, found 9 (distinct puzzles found: 4)";
        assert_eq!(err, want);
    }

    #[test]
    fn errors_of_the_sampler_and_of_the_callback_are_returned() {
        let failed = |n| PuzzleError::setting("n", "good", n);
        let sample = |attempt| if attempt < 5 { Ok(attempt) } else { Err(failed(attempt)) };
        let run = |n, n_heard| {
            let each = |puzzle| if puzzle < n_heard { Ok(()) } else { Err(failed(puzzle)) };
            let ran = distinct(("n", n), sample, |puzzle| *puzzle, &mut Taken::default(), each);
            ran.map_err(|err| err.to_string())
        };
        assert_eq!(run(5, 9), Ok(()));
        assert_eq!(run(6, 9).unwrap_err(), "n must be good, found 5");
        assert_eq!(run(5, 3).unwrap_err(), "n must be good, found 3");
    }
}
