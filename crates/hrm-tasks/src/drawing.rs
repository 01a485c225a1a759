//! Drawing many different puzzles on all threads.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use rayon::prelude::*;

use crate::TaskError;

/// Attempts that are made before their outcomes are looked at, at most. Bounds
/// how much is drawn in vain, and held at once.
const N_AT_ONCE_MAX: u64 = 1024;

/// Puzzles that were met, by hashes of 128 bits: two different ones share one
/// about never, and millions fit in memory however large they are.
#[derive(Default)]
pub(crate) struct Taken(HashSet<u128>);

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

/// Shows `each` of `n` puzzles, as the setting `field` asks for, whose `key` is
/// not in `taken`, which it then is.
///
/// Attempt number `i` is `draw(i)`, whatever the other attempts are, and the
/// first of two equal puzzles counts. So the result does not depend on threads.
///
/// # Errors
///
/// Those of `draw` and `each`, and [`TaskError::Setting`] if hardly any new
/// puzzle comes: small boards have few.
pub(crate) fn distinct<T: Send, K: Hash>(
    (field, n): (&'static str, usize),
    draw: impl Fn(u64) -> Result<T, TaskError> + Sync,
    key: impl Fn(&T) -> K + Sync,
    taken: &mut Taken,
    mut each: impl FnMut(T) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    let n_attempts_max = (n as u64).saturating_mul(20).saturating_add(100);
    let (mut n_found, mut n_attempts) = (0, 0);
    while n_found < n {
        if n_attempts == n_attempts_max {
            let found = format!("{n} (only {n_found} came)");
            return Err(TaskError::setting(
                field,
                "at most the number of different puzzles",
                found,
            ));
        }
        let n_missing = (n - n_found) as u64;
        let end = n_attempts + n_missing.min(N_AT_ONCE_MAX).min(n_attempts_max - n_attempts);
        let attempts = (n_attempts..end).into_par_iter().map(|attempt| {
            let puzzle = draw(attempt)?;
            Ok((Taken::hash_of(&key(&puzzle)), puzzle))
        });
        for (hash, puzzle) in attempts.collect::<Result<Vec<_>, TaskError>>()? {
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

    /// Draws that repeat: the square of the attempt, modulo 7.
    fn drawn(n: usize, taken: &mut Taken) -> Result<Vec<u64>, TaskError> {
        let mut puzzles = Vec::new();
        let each = |puzzle| {
            puzzles.push(puzzle);
            Ok(())
        };
        let draw = |attempt| Ok(attempt * attempt % 7);
        distinct(("n", n), draw, |puzzle| *puzzle, taken, each)?;
        Ok(puzzles)
    }

    #[test]
    fn the_first_of_equal_puzzles_counts_and_taken_ones_do_not() {
        let mut taken = Taken::default();
        assert_eq!(drawn(2, &mut taken).unwrap(), [0, 1]);
        assert_eq!(drawn(2, &mut taken).unwrap(), [4, 2]);
        assert!(drawn(0, &mut taken).unwrap().is_empty());
        let err = drawn(9, &mut Taken::default()).unwrap_err().to_string();
        let want = "task.n must be at most the number of different puzzles, found 9 (only 4 came)";
        assert_eq!(err, want);
    }

    #[test]
    fn a_draw_or_a_listener_that_fails_ends_it() {
        let failed = |n| TaskError::setting("n", "good", n);
        let draw = |attempt| if attempt < 5 { Ok(attempt) } else { Err(failed(attempt)) };
        let run = |n, n_heard| {
            let each = |puzzle| if puzzle < n_heard { Ok(()) } else { Err(failed(puzzle)) };
            let ran = distinct(("n", n), draw, |puzzle| *puzzle, &mut Taken::default(), each);
            ran.map_err(|err| err.to_string())
        };
        assert_eq!(run(5, 9), Ok(()));
        assert_eq!(run(6, 9).unwrap_err(), "task.n must be good, found 5");
        assert_eq!(run(5, 3).unwrap_err(), "task.n must be good, found 3");
    }
}
