//! Drawing many different puzzles on all threads.

use std::collections::HashSet;
use std::hash::Hash;

use rayon::prelude::*;

/// Attempts that are made before their outcomes are looked at, at most. Bounds
/// how much is drawn in vain.
const N_AT_ONCE_MAX: u64 = 4096;

/// `n` puzzles whose `key` is not in `taken`, which it then is; fewer if
/// `n_attempts_max` attempts do not bring as many.
///
/// Attempt number `i` is `draw(i)`, whatever the other attempts are, and the
/// first of two equal puzzles counts. So the result does not depend on threads.
///
/// # Errors
///
/// Those of `draw`.
pub(crate) fn distinct<T: Send, K: Eq + Hash + Send, E: Send>(
    n: usize,
    n_attempts_max: u64,
    draw: impl Fn(u64) -> Result<T, E> + Sync,
    key: impl Fn(&T) -> K + Sync,
    taken: &mut HashSet<K>,
) -> Result<Vec<T>, E> {
    let mut puzzles = Vec::with_capacity(n.min(1 << 20));
    let mut n_attempts = 0;
    while puzzles.len() < n && n_attempts < n_attempts_max {
        let n_missing = (n - puzzles.len()) as u64;
        let end = n_attempts + n_missing.min(N_AT_ONCE_MAX).min(n_attempts_max - n_attempts);
        let attempts = (n_attempts..end).into_par_iter().map(|attempt| {
            let puzzle = draw(attempt)?;
            Ok((key(&puzzle), puzzle))
        });
        for (key, puzzle) in attempts.collect::<Result<Vec<_>, E>>()? {
            if taken.insert(key) {
                puzzles.push(puzzle);
            }
        }
        n_attempts = end;
    }
    Ok(puzzles)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws that repeat: the square of the attempt, modulo 7.
    fn drawn(n: usize, n_attempts_max: u64, taken: &[u64]) -> Vec<u64> {
        let mut taken = taken.iter().copied().collect();
        let draw = |attempt| Ok::<_, ()>(attempt * attempt % 7);
        distinct(n, n_attempts_max, draw, |puzzle| *puzzle, &mut taken).unwrap()
    }

    #[test]
    fn the_first_of_equal_puzzles_counts_and_taken_ones_do_not() {
        assert_eq!(drawn(3, 100, &[]), [0, 1, 4]);
        assert_eq!(drawn(3, 100, &[1]), [0, 4, 2]);
        assert_eq!(drawn(9, 100, &[]), [0, 1, 4, 2]);
        assert_eq!(drawn(9, 2, &[]), [0, 1]);
        assert!(drawn(0, 100, &[]).is_empty());
    }

    #[test]
    fn a_draw_that_fails_ends_it() {
        let draw = |attempt| if attempt < 5 { Ok(attempt) } else { Err("five") };
        let draw = |n| distinct(n, 100, draw, |puzzle| *puzzle, &mut HashSet::new());
        assert_eq!(draw(5), Ok(vec![0, 1, 2, 3, 4]));
        assert_eq!(draw(6), Err("five"));
    }
}
