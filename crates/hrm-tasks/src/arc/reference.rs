//! Tests that rows computed on the fly have the same distribution as those of the
//! published data builder, which writes every version of every task to disk.
//!
//! The builder is reimplemented here on nested lists. Of this crate it uses only the
//! random streams.

use std::collections::{BTreeMap, HashSet};

use rand::Rng;
use rand::seq::SliceRandom;

use hrm_base::rng::stream;
use hrm_train::task::{Examples, RowId, RowMut};

use crate::arc::ArcConfig;
use crate::{DataSource, PuzzleTask};

/// Cells per side.
const SIDE: usize = 5;

type Rows = Vec<Vec<u8>>;
type RowPair = (Vec<u32>, Vec<u32>);

/// A puzzle in the sense of the published data: an identifier with its rows.
struct Puzzle {
    name: String,
    rows: Vec<RowPair>,
    /// Top left corner of each row's grids.
    offsets: Vec<(usize, usize)>,
}

/// Names of the versions of one task: the task itself, then up to `n` distinct others.
fn versions(id: &str, pairs: &[(Rows, Rows)], n: usize, rng: &mut impl Rng) -> Vec<String> {
    let mut seen = HashSet::from([changed(pairs, 0, &(0..10).collect::<Vec<_>>())]);
    let mut names = vec![id.to_owned()];
    for _ in 0..5 * n {
        let transform = rng.random_range(0..8u32) as usize;
        let mut image: Vec<u8> = (0..10).collect();
        image[1..].shuffle(rng);
        if names.len() <= n && seen.insert(changed(pairs, transform, &image)) {
            let image: String = image.iter().map(u8::to_string).collect();
            names.push(format!("{id}_t{transform}_{image}"));
        }
    }
    names
}

/// The puzzle of an identifier. With `translate`, all rows but one are moved.
fn puzzle(name: &str, pairs: &[(Rows, Rows)], translate: bool, rng: &mut impl Rng) -> Puzzle {
    let (transform, image) = match name.rsplit_once("_t") {
        Some((_, ending)) => (
            ending[..1].parse().unwrap(),
            ending[2..].bytes().map(|digit| digit - b'0').collect::<Vec<_>>(),
        ),
        None => (0, (0..10).collect()),
    };
    let unmoved = rng.random_range(0..pairs.len() as u32) as usize;
    let (mut rows, mut offsets) = (Vec::new(), Vec::new());
    for (idx, (input, output)) in changed(pairs, transform, &image).iter().enumerate() {
        let mut offset = (0, 0);
        if translate && idx != unmoved {
            let mut pad =
                |a: usize, b: usize| rng.random_range(0..(SIDE - a.max(b) + 1) as u32) as usize;
            offset.0 = pad(input.len(), output.len());
            offset.1 = pad(input[0].len(), output[0].len());
        }
        rows.push((placed(input, offset), placed(output, offset)));
        offsets.push(offset);
    }
    Puzzle { name: name.to_owned(), rows, offsets }
}

/// The pairs with every grid transformed and its colours permuted.
fn changed(pairs: &[(Rows, Rows)], transform: usize, image: &[u8]) -> Vec<(Rows, Rows)> {
    let change = |grid: &Rows| -> Rows {
        let grid = match transform {
            0 => grid.clone(),
            1 => upside_down(&transposed(grid)),
            2 => upside_down(&left_right(grid)),
            3 => left_right(&transposed(grid)),
            4 => left_right(grid),
            5 => upside_down(grid),
            6 => transposed(grid),
            _ => left_right(&upside_down(&transposed(grid))),
        };
        grid.iter()
            .map(|row| row.iter().map(|colour| image[usize::from(*colour)]).collect())
            .collect()
    };
    pairs.iter().map(|(input, output)| (change(input), change(output))).collect()
}

fn transposed(grid: &Rows) -> Rows {
    (0..grid[0].len()).map(|col| grid.iter().map(|row| row[col]).collect()).collect()
}

fn upside_down(grid: &Rows) -> Rows {
    grid.iter().rev().cloned().collect()
}

fn left_right(grid: &Rows) -> Rows {
    grid.iter().map(|row| row.iter().rev().copied().collect()).collect()
}

/// A canvas with a grid at `(top, left)`.
fn placed(grid: &Rows, (top, left): (usize, usize)) -> Vec<u32> {
    let mut canvas = vec![vec![0; SIDE]; SIDE];
    for (row, line) in grid.iter().enumerate() {
        for (col, colour) in line.iter().enumerate() {
            canvas[top + row][left + col] = u32::from(*colour) + 2;
        }
    }
    let (bottom, right) = (top + grid.len(), left + grid[0].len());
    if bottom < SIDE {
        canvas[bottom][left..right].fill(1);
    }
    if right < SIDE {
        canvas[top..bottom].iter_mut().for_each(|line| line[right] = 1);
    }
    canvas.concat()
}

/// A training task with all ten colours and no symmetry, so that versions hardly ever
/// coincide. Every pair takes three rows and three columns, in any orientation.
const TRAINING: &str = r#"{"a": {"train": [
    {"input": [[0, 1, 2], [3, 4, 5]], "output": [[6, 7], [8, 9], [1, 1]]},
    {"input": [[1, 2, 0], [0, 0, 3]], "output": [[4, 0], [0, 0], [5, 5]]}],
    "test": [{"input": [[9, 8, 7]], "output": [[6], [5], [4]]}]}}"#;
/// An evaluation task with two colours, which has few versions.
const EVALUATION: &str = r#"{"b": {"train": [{"input": [[0, 5]], "output": [[5, 0]]}],
    "test": [{"input": [[5, 5]], "output": [[0, 0]]}]}}"#;

/// A task's id, its pairs, and the number of training pairs among them.
type WrittenTask = (&'static str, Vec<(Rows, Rows)>, usize);

fn tasks() -> [WrittenTask; 2] {
    [("a", TRAINING, 3), ("b", EVALUATION, 1)].map(|(id, text, n_trained)| {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        let grid = |value: &serde_json::Value| serde_json::from_value(value.clone()).unwrap();
        let both = [&json[id]["train"], &json[id]["test"]];
        let pairs = both.into_iter().flat_map(|pairs| pairs.as_array().unwrap());
        (id, pairs.map(|pair| (grid(&pair["input"]), grid(&pair["output"]))).collect(), n_trained)
    })
}

/// Both tasks, opened by this crate.
fn on_the_fly(augmentations: usize, seed: u64) -> Box<dyn PuzzleTask> {
    let folder = tempfile::tempdir().unwrap();
    let paths = [("a.json", TRAINING), ("b_evaluation.json", EVALUATION)].map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    });
    let config = ArcConfig {
        canvas: SIDE,
        augmentations,
        translate: true,
        seed,
        n_train: 0,
        n_eval: 0,
        held_out: 0.0,
        compose: 0.0,
        on_conflict: Default::default(),
    };
    config.open(&paths).unwrap()
}

/// The puzzles of one group, as this crate computes them.
fn puzzles(data: &dyn PuzzleTask, examples: &dyn Examples, group: usize) -> Vec<Puzzle> {
    let puzzle = |version| {
        let mut puzzle_id = 0;
        let rows = (0..examples.n_rows(group, version)).map(|row| {
            let (mut inputs, mut labels) = (vec![99; SIDE * SIDE], vec![99; SIDE * SIDE]);
            let to = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
            examples.write(RowId { group, version, row }, to);
            (inputs, labels)
        });
        let rows: Vec<_> = rows.collect();
        let offsets = rows.iter().map(|(inputs, _)| corner(inputs)).collect();
        Puzzle { name: data.identifiers()[puzzle_id as usize].clone(), rows, offsets }
    };
    (0..examples.n_versions(group)).map(puzzle).collect()
}

/// The first row and the first column with a colour.
fn corner(cells: &[u32]) -> (usize, usize) {
    let used = || (0..cells.len()).filter(|idx| cells[*idx] > 1);
    let first = |place: fn(usize) -> usize| used().map(place).min().unwrap();
    (first(|idx| idx / SIDE), first(|idx| idx % SIDE))
}

/// Pearson's chi-squared statistic of two samples, and its degrees of freedom.
fn chi_square<K: Ord + Copy>(
    one: impl Iterator<Item = K>,
    other: impl Iterator<Item = K>,
) -> (f64, usize) {
    let mut counts: BTreeMap<K, [f64; 2]> = BTreeMap::new();
    one.for_each(|key| counts.entry(key).or_default()[0] += 1.0);
    other.for_each(|key| counts.entry(key).or_default()[1] += 1.0);
    let total = |idx: usize| counts.values().map(|counts| counts[idx]).sum::<f64>();
    let scale = (total(1) / total(0)).sqrt();
    let terms = counts.values().map(|[a, b]| (a * scale - b / scale).powi(2) / (a + b));
    (terms.sum(), counts.len() - 1)
}

/// Fails if two samples of the same distribution would differ this much with a probability
/// of less than one in ten thousand.
#[track_caller]
fn alike<K: Ord + Copy>(one: impl Iterator<Item = K>, other: impl Iterator<Item = K>) {
    let (found, freedom) = chi_square(one, other);
    let freedom = freedom as f64;
    // Wilson and Hilferty's approximation; 3.72 standard deviations.
    let ninth = 2.0 / (9.0 * freedom);
    let limit = freedom * (1.0 - ninth + 3.72 * ninth.sqrt()).powi(3);
    assert!(found < limit, "chi-square of {found}, at most {limit} with {freedom} degrees");
}

#[test]
fn every_row_is_one_that_the_builder_writes() {
    let data = on_the_fly(50, 1);
    let mut rng = stream(1, "written out");
    let mut n_puzzles = 1;
    for (group, (id, pairs, n_trained)) in tasks().iter().enumerate() {
        let training = puzzles(data.as_ref(), data.train(), group);
        assert_eq!(training[0].name, *id);
        let names: HashSet<_> = training.iter().map(|puzzle| &puzzle.name).collect();
        assert_eq!(names.len(), versions(id, pairs, 50, &mut rng).len());
        n_puzzles += names.len();
        for found in &training {
            let want = puzzle(&found.name, &pairs[..*n_trained], false, &mut rng);
            assert_eq!(found.rows.len(), want.rows.len());
            // With the translation undone, rows equal those of the builder without it.
            let back = |cells: &[u32], (top, left): (usize, usize)| {
                let mut moved = cells.to_vec();
                moved.rotate_left(top * SIDE + left);
                moved
            };
            for (idx, (inputs, labels)) in found.rows.iter().enumerate() {
                let offset = found.offsets[idx];
                for (found, want) in [(inputs, &want.rows[idx].0), (labels, &want.rows[idx].1)] {
                    let colours = |cells: &[u32]| -> Vec<u32> {
                        cells.iter().map(|id| if *id == 1 { 0 } else { *id }).collect()
                    };
                    assert_eq!(colours(&back(found, offset)), colours(want));
                }
            }
            assert!(found.offsets.contains(&(0, 0)), "one row stays in place");
        }
    }
    assert_eq!(data.n_puzzle_ids(), n_puzzles);

    // Evaluation uses every version and no translation.
    let (id, pairs, n_trained) = &tasks()[1];
    let evaluation = puzzles(data.as_ref(), data.eval(), 0);
    assert_eq!(data.eval().n_groups(), 1);
    assert_eq!(evaluation[0].name, *id);
    for found in evaluation {
        let want = puzzle(&found.name, &pairs[*n_trained..], false, &mut rng);
        assert_eq!(found.rows, want.rows);
    }
}

#[test]
fn a_task_with_few_versions_has_all_of_them() {
    // Nine images of its only colour besides 0, which is never permuted, and four orientations.
    let data = on_the_fly(100, 3);
    let (id, pairs, _) = &tasks()[1];
    let want = versions(id, pairs, 100, &mut stream(3, "written out"));
    assert_eq!(data.train().n_versions(1), want.len());
    assert_eq!(want.len(), 9 * 4);
}

#[test]
fn versions_and_offsets_have_the_distribution_of_the_builder() {
    const N: usize = 1500;
    let data = on_the_fly(N, 5);
    let found = puzzles(data.as_ref(), data.train(), 0);
    let (id, pairs, _) = &tasks()[0];
    let mut rng = stream(5, "written out");
    let names = versions(id, pairs, N, &mut rng);
    let want: Vec<_> = names.iter().map(|name| puzzle(name, pairs, true, &mut rng)).collect();
    assert_eq!((found.len(), want.len()), (N + 1, N + 1));

    // The transforms and the image of each colour.
    fn endings(puzzles: &[Puzzle]) -> impl Iterator<Item = &[u8]> {
        puzzles[1..].iter().map(|puzzle| &puzzle.name.as_bytes()[3..])
    }
    alike(endings(&found).map(|ending| ending[0]), endings(&want).map(|ending| ending[0]));
    for colour in 1..10 {
        let image = |ending: &[u8]| ending[2 + colour];
        alike(endings(&found).map(image), endings(&want).map(image));
        assert!(endings(&found).all(|ending| ending[2] == b'0'));
    }

    // The offsets of each row, and which rows of a puzzle are unmoved together.
    fn offsets(puzzles: &[Puzzle]) -> impl Iterator<Item = (usize, (usize, usize))> {
        puzzles.iter().flat_map(|puzzle| puzzle.offsets.iter().copied().enumerate())
    }
    alike(offsets(&found), offsets(&want));
    let in_place =
        |puzzle: &Puzzle| -> [bool; 3] { std::array::from_fn(|row| puzzle.offsets[row] == (0, 0)) };
    alike(found.iter().map(in_place), want.iter().map(in_place));
    assert!(found.iter().all(|puzzle| in_place(puzzle).contains(&true)));
    // Offsets do not depend on the transform of a version.
    let by_transform = |puzzle: &Puzzle| {
        let transform = puzzle.name.as_bytes().get(3).copied();
        (transform, puzzle.offsets[0] == (0, 0))
    };
    alike(found[1..].iter().map(by_transform), want[1..].iter().map(by_transform));
}
