//! Generated puzzles: for training and evaluation, for files, and as examples.

use std::io::Write;

use hrm_base::rng::stream;
use hrm_puzzles::distinct::{Taken, distinct};
use hrm_puzzles::records::{Record, Writer};

use super::kind::{CellFiles, CellGenerator};
use super::settings::DataSettings;
use super::sides::{Placed, Sides};
use crate::error::TaskError;
use crate::traits::Generate;

impl<K: CellGenerator + CellFiles> Generate for K {
    fn settings_of_generator(&self) -> &'static [&'static str] {
        K::OF_GENERATOR
    }

    fn example(&self, seed: u64) -> Result<String, TaskError> {
        check_generated(self)?;
        let rng = &mut stream(seed, &format!("{} example", self.name()));
        Ok(self.question_text(&self.sample(&self.sampler()?, rng)?))
    }

    fn generate(&self, n: usize, seed: u64, out: &mut dyn Write) -> Result<(), TaskError> {
        check_generated(self)?;
        let mut file = Writer::new(out);
        sample_distinct(self, ("n", n), seed, &mut Taken::default(), true, |puzzle| {
            let record = self.to_record(&puzzle);
            Ok(file.write(&Record { source: "generated".to_owned(), ..record })?)
        })?;
        Ok(file.finish()?)
    }
}

/// Both sides of the generated data. No evaluation puzzle is a training puzzle.
///
/// # Errors
///
/// [`TaskError`] if the settings are out of range or allow too few puzzles.
pub(super) fn sides<K: CellGenerator>(kind: &K) -> Result<Sides<K::Puzzle>, TaskError> {
    check_generated(kind)?;
    let mut taken = Taken::default();
    if K::EVAL_FIRST {
        let eval = eval(kind, &mut taken)?;
        Ok(Sides { train: train(kind, &mut taken)?, eval })
    } else {
        Ok(Sides { train: train(kind, &mut taken)?, eval: eval(kind, &mut taken)? })
    }
}

/// The evaluation side of the generated data.
///
/// # Errors
///
/// As [`sides`].
pub(super) fn eval_side<K: CellGenerator>(kind: &K) -> Result<Vec<Placed<K::Puzzle>>, TaskError> {
    check_generated(kind)?;
    if K::EVAL_FIRST { eval(kind, &mut Taken::default()) } else { Ok(sides(kind)?.eval) }
}

/// Makes sure that there is a generator, and that its settings are in range.
fn check_generated<K: CellGenerator>(kind: &K) -> Result<(), TaskError> {
    kind.check_generator()?;
    kind.check_all()
}

/// The training puzzles.
fn train<K: CellGenerator>(
    kind: &K,
    taken: &mut Taken,
) -> Result<Vec<Placed<K::Puzzle>>, TaskError> {
    side(kind, ("n_train", kind.data().n_train), taken)
}

/// The evaluation puzzles.
fn eval<K: CellGenerator>(
    kind: &K,
    taken: &mut Taken,
) -> Result<Vec<Placed<K::Puzzle>>, TaskError> {
    let mut eval = side(kind, ("n_eval", kind.data().n_eval), taken)?;
    for (idx, placed) in eval.iter_mut().enumerate() {
        kind.adapt_eval(idx, &mut placed.puzzle);
    }
    Ok(eval)
}

/// Generated puzzles that are not in `taken`; `wanted` is the name of a setting and the
/// number of puzzles it gives.
fn side<K: CellGenerator>(
    kind: &K,
    wanted: (&'static str, usize),
    taken: &mut Taken,
) -> Result<Vec<Placed<K::Puzzle>>, TaskError> {
    let DataSettings { seed, .. } = kind.data();
    let mut puzzles = Vec::new();
    sample_distinct(kind, wanted, seed, taken, false, |puzzle| {
        puzzles.push(Placed { puzzle, place: String::new(), stated: None });
        Ok(())
    })?;
    Ok(puzzles)
}

/// Passes `n` generated puzzles that are not in `taken` to `each` and adds them to
/// `taken`. Each attempt has a separate random stream.
fn sample_distinct<K: CellGenerator>(
    kind: &K,
    (field, n): (&'static str, usize),
    seed: u64,
    taken: &mut Taken,
    is_rated: bool,
    each: impl FnMut(K::Puzzle) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    let sampler = kind.sampler()?;
    let sample = |attempt: u64| {
        let rng = &mut stream(seed, &format!("{} {field} {attempt}", kind.name()));
        let puzzle = kind.sample(&sampler, rng)?;
        Ok(if is_rated { kind.rate(&sampler, puzzle) } else { puzzle })
    };
    distinct((field, n), sample, |puzzle| kind.identity(puzzle), taken, each)
}
