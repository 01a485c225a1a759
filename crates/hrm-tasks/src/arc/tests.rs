//! Settings, data, versions and votes of ARC.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use hrm_puzzles::arc::{Augmentation, Grid, OnConflict};
use hrm_puzzles::{Style, Verdict};
use hrm_train::task::{Examples, Prediction, RowId, RowMut};
use proptest::prelude::*;

use super::{ArcConfig, canvas};
use crate::traits::tests::generated;
use crate::{DataSource, FitToData, Generate, ModelOutput, PuzzleTask, Queries};

/// A grid from rows of digits, e.g. `12 34`.
pub(crate) fn grid(text: &str) -> Grid {
    let rows: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    Grid::from_fn(rows.len(), rows[0].len(), |row, col| rows[row][col] - b'0')
}

/// Grids of up to `side` cells a side.
pub(crate) fn any_grid(side: usize) -> impl Strategy<Value = Grid> {
    (1..=side, 1..=side).prop_flat_map(|(n_rows, n_cols)| {
        prop::collection::vec(0u8..10, n_rows * n_cols).prop_map(move |cells| {
            Grid::from_fn(n_rows, n_cols, |row, col| cells[row * n_cols + col])
        })
    })
}

fn config() -> ArcConfig {
    ArcConfig {
        canvas: 6,
        augmentations: 3,
        translate: true,
        seed: 1,
        n_train: 12,
        n_eval: 5,
        held_out: 0.0,
        compose: 0.0,
        on_conflict: OnConflict::Error,
    }
}

/// Two training tasks and two evaluation tasks: `c` with two test inputs, `d` with one.
const TRAINING: &str = r#"{
    "b": {"train": [{"input": [[1, 2]], "output": [[2, 1]]},
                    {"input": [[3, 4]], "output": [[4, 3]]}],
          "test": [{"input": [[5, 6]], "output": [[6, 5]]}]},
    "a": {"train": [{"input": [[1], [0]], "output": [[1, 2], [3, 4]]}], "test": []}}"#;
const EVALUATION: &str = r#"{
    "c": {"train": [{"input": [[1, 2, 3]], "output": [[1]]}],
          "test": [{"input": [[4, 5, 6]], "output": [[4]]},
                   {"input": [[7, 8, 9]], "output": [[7]]}]},
    "d": {"train": [], "test": [{"input": [[1, 2]], "output": [[2], [3]]}]}}"#;

#[test]
fn tasks_of_other_data_are_compared_with_those_of_a_run() {
    let (_guard, paths) = files(&[("training.json", TRAINING), ("evaluation.json", EVALUATION)]);
    let trained = config().open(&paths).unwrap();
    // A training task, an evaluation task, and two with other ids: the pair of `b` turned and
    // recoloured, and a train pair of `c` as a test pair.
    let new = r#"{
        "b": {"train": [], "test": [{"input": [[0, 9]], "output": [[9, 9]]}]},
        "c": {"train": [{"input": [[1, 2, 3]], "output": [[1]]}],
              "test": [{"input": [[4, 5, 0]], "output": [[4]]}]},
        "x": {"train": [{"input": [[1, 2]], "output": [[2, 1]]}],
              "test": [{"input": [[8], [7]], "output": [[7], [8]]}]},
        "y": {"train": [], "test": [{"input": [[2, 4, 6]], "output": [[2]]}]},
        "z": {"train": [], "test": [{"input": [[1, 0, 6]], "output": [[2]]}]}}"#;
    let (_other, new) = files(&[("new.json", new)]);
    let eval = config().open_for_eval(&new, &[]).unwrap();
    let leaks = eval.leaks_from(trained.as_ref()).unwrap();
    let found: Vec<_> = leaks.iter().map(|leak| (&*leak.eval, leak.why)).collect();
    let same = "the same pairs, perhaps turned, flipped or recoloured";
    let same_pair = "the same pair, perhaps turned, flipped or recoloured";
    assert_eq!(found, [("b", "the same id"), ("x, test[0]", same_pair), ("y", same)]);
}

/// Files in a folder that lives as long as the returned guard.
fn files(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

fn opened(config: &ArcConfig) -> Box<dyn PuzzleTask> {
    let (_folder, paths) = files(&[("a.json", TRAINING), ("a_evaluation.json", EVALUATION)]);
    config.open(&paths).unwrap()
}

/// Input, label and identifier of one row.
fn row(examples: &dyn Examples, n_cells: usize, at: RowId) -> (Vec<u32>, Vec<u32>, u32) {
    let (mut inputs, mut labels, mut puzzle_id) = (vec![99; n_cells], vec![99; n_cells], 99);
    let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
    examples.write(at, row);
    (inputs, labels, puzzle_id)
}

/// A canvas of `side` by `side` cells with its grid moved to the top left corner, and the
/// offset it had.
fn at_origin(cells: &[u32], side: usize) -> (Vec<u32>, (usize, usize)) {
    let used = (0..side * side).filter(|idx| canvas::colour(cells[*idx]).is_some());
    let used: Vec<_> = used.map(|idx| (idx / side, idx % side)).collect();
    let top = used.iter().map(|cell| cell.0).min().unwrap();
    let left = used.iter().map(|cell| cell.1).min().unwrap();
    let n_rows = used.iter().map(|cell| cell.0).max().unwrap() + 1 - top;
    let n_cols = used.iter().map(|cell| cell.1).max().unwrap() + 1 - left;
    let found = Grid::from_fn(n_rows, n_cols, |row, col| {
        canvas::colour(cells[(top + row) * side + left + col]).unwrap()
    });
    let mut there = vec![0; side * side];
    canvas::place(&found, (top, left), side, &mut there);
    assert_eq!(there, cells, "marks must follow the grid");
    let mut moved = vec![0; side * side];
    canvas::place(&found, (0, 0), side, &mut moved);
    (moved, (top, left))
}

#[test]
fn settings_out_of_range_are_rejected() {
    let refused = |change: fn(&mut ArcConfig), want: &str| {
        let mut config = config();
        change(&mut config);
        assert_eq!(config.open(&[]).err().unwrap().to_string(), want);
        assert!(config.parse_queries("", "x", &[]).is_err());
    };
    refused(|c| c.canvas = 0, "task.canvas must be 1 to 30, found 0");
    refused(|c| c.canvas = 31, "task.canvas must be 1 to 30, found 31");
    refused(|c| c.canvas = 2, "task.canvas must be at least 3 for built-in tasks, found 2");
    refused(|c| c.held_out = 1.0, "task.held_out must be at least 0 and less than 1, found 1");
    refused(|c| c.held_out = -0.1, "task.held_out must be at least 0 and less than 1, found -0.1");
    refused(
        |c| c.held_out = f64::NAN,
        "task.held_out must be at least 0 and less than 1, found NaN",
    );
    refused(|c| c.compose = 1.1, "task.compose must be 0 to 1, found 1.1");
    refused(
        |c| c.augmentations = usize::MAX,
        "task.augmentations must be 0 to 100000, found 18446744073709551615",
    );
    refused(|c| c.n_train = 100_001, "task.n_train must be 0 to 100000, found 100001");
    refused(|c| c.n_eval = 100_001, "task.n_eval must be 0 to 100000, found 100001");
    refused(
        |c| (c.n_train, c.n_eval) = (0, 0),
        "task.n_train must be positive if task.n_eval is 0, found 0",
    );
    refused(
        |c| (c.augmentations, c.n_train) = (100_000, 600),
        "task.augmentations must be at most 82643 for 605 tasks, found 100000",
    );
    assert!(serde_json::from_str::<ArcConfig>(r#"{"canvas": 30, "colours": 10}"#).is_err());
    let text = serde_json::to_string(&config()).unwrap();
    assert_eq!(serde_json::from_str::<ArcConfig>(&text).unwrap(), config());
}

#[test]
fn pairs_become_rows_by_role() {
    let data = opened(&config());
    assert_eq!((data.name(), data.vocab_size(), data.n_cells()), ("arc", 12, 36));
    let groups = |examples: &dyn Examples| -> Vec<_> {
        let groups = 0..examples.n_groups();
        groups.map(|group| (examples.n_versions(group), examples.n_rows(group, 0))).collect()
    };
    // Groups a, b, c; d has no training pairs.
    assert_eq!(groups(data.train()), [(4, 1), (4, 3), (4, 1)]);
    // Groups c, d.
    assert_eq!(groups(data.eval()), [(4, 2), (4, 1)]);

    let identifiers = data.identifiers();
    assert_eq!(identifiers.len(), data.n_puzzle_ids());
    assert_eq!(identifiers.iter().collect::<HashSet<_>>().len(), 17);
    assert_eq!(identifiers[0], "<blank>");
    for (puzzle_id, id) in [(1, "a"), (5, "b"), (9, "c"), (13, "d")] {
        assert_eq!(identifiers[puzzle_id], id);
        for version in 1..4 {
            let name = &identifiers[puzzle_id + version];
            assert_eq!(Augmentation::parse(name).unwrap().0, id);
        }
    }
}

#[test]
fn training_and_evaluation_share_identifiers_and_augmentations() {
    let data = opened(&config());
    let identifiers = data.identifiers();
    for version in 0..4 {
        let test = row(data.eval(), 36, RowId { group: 0, version, row: 1 });
        let train = row(data.train(), 36, RowId { group: 2, version, row: 0 });
        assert_eq!(test.2, train.2);
        let name = &identifiers[test.2 as usize];
        let augmentation = Augmentation::parse(name).map_or(Augmentation::IDENTITY, |v| v.1);
        for (cells, original) in [(&test.0, "789"), (&test.1, "7")] {
            assert_eq!(canvas::read(cells, 6), Some(augmentation.apply(&grid(original))));
        }
    }
}

#[test]
fn a_share_of_the_tasks_is_held_out() {
    let (_folder, paths) = files(&[("tasks.json", TRAINING), ("more.json", EVALUATION)]);
    let n_eval = |held_out: f64, seed: u64| {
        let data = ArcConfig { held_out, seed, ..config() }.open(&paths).unwrap();
        let found = data.stats().into_iter().find(|(name, _)| name == "evaluation tasks");
        found.unwrap().1
    };
    // At least one if the share is positive, otherwise rounded.
    for (held_out, want) in [(0.0, 0.0), (0.01, 1.0), (0.25, 1.0), (0.5, 2.0), (0.75, 3.0)] {
        assert_eq!(n_eval(held_out, 1), want);
    }
    let chosen = |seed: u64| {
        let mut config = ArcConfig { held_out: 0.3, seed, ..config() };
        config.augmentations = 0;
        let data = config.open(&paths).unwrap();
        let is_eval = |id| data.eval().row_ids().any(|at| row(data.eval(), 36, at).2 == id);
        (1..5).filter(|id| is_eval(*id)).collect::<Vec<_>>()
    };
    assert_eq!(chosen(1), chosen(1));
    let choices: HashSet<_> = (0..20).map(chosen).collect();
    assert!(choices.len() > 1);
    // Nothing is held out if a file holds evaluation tasks.
    let (_folder, paths) = files(&[("a.json", TRAINING), ("a_evaluation.json", EVALUATION)]);
    let data = ArcConfig { held_out: 0.9, ..config() }.open(&paths).unwrap();
    assert_eq!(data.eval().n_groups(), 2);
}

#[test]
fn a_canvas_grows_with_the_tasks_of_files() {
    let large = format!(
        r#"{{"e": {{"train": [{{"input": [[1{}]], "output": [[1]]}}], "test": []}}}}"#,
        ", 0".repeat(19)
    );
    let (_folder, paths) =
        files(&[("a.json", TRAINING), ("b.json", EVALUATION), ("c.json", &large)]);
    let canvas = |canvas, paths: &[PathBuf]| {
        ArcConfig { canvas, ..config() }.fitted_to(paths).unwrap().canvas
    };
    assert_eq!(canvas(2, &[]), 2);
    assert_eq!(canvas(2, &paths[..1]), 2);
    assert_eq!(canvas(2, &paths[..2]), 3);
    assert_eq!(canvas(2, &paths), 12);
    assert_eq!(canvas(30, &paths), 30);
    let missing = [PathBuf::from("no-such-file.json")];
    let err = config().fitted_to(&missing).unwrap_err().to_string();
    assert!(err.contains("no-such-file.json"), "{err}");
}

#[test]
fn tasks_that_do_not_fit_are_left_out_and_counted() {
    let data = opened(&ArcConfig { canvas: 2, ..config() });
    let want = "left out 1 of 4 tasks: a grid is larger than the canvas of 2 by 2; \
                task.canvas=3 holds them all";
    assert_eq!(data.notes(), [want]);
    assert_eq!(data.identifiers().iter().filter(|name| name.starts_with('c')).count(), 0);
    let stats = data.stats();
    assert!(stats.contains(&("tasks left out".to_owned(), 1.0)), "{stats:?}");
    assert!(stats.contains(&("training rows".to_owned(), 16.0)), "{stats:?}");
    assert!(stats.contains(&("largest grid side".to_owned(), 2.0)), "{stats:?}");

    let (_folder, paths) = files(&[("a.json", TRAINING)]);
    let err = ArcConfig { canvas: 1, ..config() }.open(&paths).err().unwrap();
    let want = "task.canvas must be as large as the grids of at least one task (2 holds one, and \
                2 holds them all: --set task.canvas=2), found 1";
    assert_eq!(err.to_string(), want);
    let only_tests = r#"{"x": {"train": [], "test": [{"input": [[1]], "output": [[2]]}]}}"#;
    let (_folder, paths) = files(&[("evaluation.json", only_tests)]);
    let err = config().open(&paths).err().unwrap().to_string();
    assert_eq!(err, "the data holds no training pairs");
}

#[test]
fn drawings_show_the_used_part_of_the_canvas() {
    let data = opened(&ArcConfig { translate: false, ..config() });
    let (inputs, labels, _) = row(data.train(), 36, RowId { group: 0, version: 0, row: 0 });
    assert_eq!(data.draw(&inputs, &labels, Style::Plain), "1|    12|\n0|    34|\n|     ||\n");
    let drawn = data.draw(&inputs, &labels, Style::Ansi);
    assert!(drawn.contains("\u{1b}[48;2;0;116;217m  \u{1b}[0m||"), "{drawn:?}");
    assert_eq!(data.draw(&[0; 36], &[0; 36], Style::Plain), "");
    assert_eq!(data.draw(&[], &[3], Style::Plain), "    1\n");
}

/// Scores of a model whose output, tokens and halting logit, is `answer` of the position
/// and the labels of an evaluation row; `None` skips the row.
fn scores(
    data: &dyn PuzzleTask,
    answer: impl Fn(RowId, &[u32]) -> Option<(Vec<u32>, f32)>,
) -> [f64; 4] {
    let mut scorer = data.scorer();
    for at in data.eval().row_ids() {
        let (inputs, labels, _) = row(data.eval(), 36, at);
        if let Some((tokens, q_halt)) = answer(at, &labels) {
            let predicted = Prediction {
                at,
                inputs: &inputs,
                labels: &labels,
                tokens: &tokens,
                sampled: None,
                q_halt,
            };
            scorer.add(predicted).unwrap();
        }
    }
    let scores: HashMap<_, _> = scorer.finish().unwrap().scores.into_iter().collect();
    ["pass@1", "pass@2", "pass@1 partial", "pass@2 partial"].map(|name| scores[name])
}

#[test]
fn versions_vote_on_every_test_input() {
    let data = opened(&config());
    let data = data.as_ref();
    let right = |labels: &[u32]| Some((labels.to_vec(), 0.0));
    let wrong = Some((vec![2; 36], 1.0));
    let unreadable = Some((vec![1; 36], 9.0));
    assert_eq!(scores(data, |_, labels| right(labels)), [1.0; 4]);
    assert_eq!(scores(data, |_, _| None), [0.0; 4]);
    assert_eq!(scores(data, |_, _| unreadable.clone()), [0.0; 4]);

    // One of the two test inputs of task c is right, and the one of task d.
    let half = |at: RowId, labels: &[u32]| {
        if (at.group, at.row) == (0, 1) { wrong.clone() } else { right(labels) }
    };
    assert_eq!(scores(data, half), [0.5, 0.5, 0.75, 0.75]);

    // One version of four is right: second by count, because all others agree.
    let outvoted = |at: RowId, labels: &[u32]| {
        if at.version == 2 { right(labels) } else { wrong.clone() }
    };
    assert_eq!(scores(data, outvoted), [0.0, 1.0, 0.0, 1.0]);
    // Unreadable answers do not vote.
    let alone = |at: RowId, labels: &[u32]| {
        if at.version == 2 { right(labels) } else { unreadable.clone() }
    };
    assert_eq!(scores(data, alone), [1.0; 4]);
    // Task d has no answer, and neither has one test input of task c.
    let some = |at: RowId, labels: &[u32]| {
        if (at.group, at.row) == (0, 0) { right(labels) } else { None }
    };
    assert_eq!(scores(data, some), [0.0, 0.0, 0.5, 0.5]);
}

#[test]
fn evaluation_uses_the_versions_that_the_model_knows() {
    let (_folder, paths) = files(&[("a.json", TRAINING), ("a_evaluation.json", EVALUATION)]);
    let names = ["<blank>", "c_t6_0213456789", "z", "b", "c", "b_t9_0123456789"];
    let names = names.map(str::to_owned);
    let data = config().open_for_eval(&paths, &names).unwrap();
    assert_eq!(data.identifiers(), names);
    assert_eq!((data.n_puzzle_ids(), data.train().n_groups()), (6, 0));
    let rows = data.eval().row_ids().map(|at| {
        let (inputs, _, puzzle_id) = row(data.eval(), 36, at);
        (puzzle_id, canvas::read(&inputs, 6).unwrap())
    });
    // Tasks c and d; the others are for training.
    let want = [(1, "4 5 6"), (1, "7 8 9"), (4, "456"), (4, "789"), (0, "12")];
    assert_eq!(rows.collect::<Vec<_>>(), want.map(|(id, text)| (id, grid(text))));
    let notes = [
        "2 of 4 tasks are for training and are not evaluated; to evaluate them, name only their files",
        "the model does not know 1 of 2 tasks: each is evaluated once, under the identifier <blank>",
    ];
    assert_eq!(data.notes(), notes);
    // Those of training alone; a has no test pairs.
    let data = config().open_for_eval(&paths[..1], &names).unwrap();
    let rows = data.eval().row_ids().map(|at| row(data.eval(), 36, at).2);
    assert_eq!(rows.collect::<Vec<_>>(), [3]);
    assert_eq!(scores(data.as_ref(), |_, labels| Some((labels.to_vec(), 0.0))), [1.0; 4]);

    let data = config().open_for_eval(&paths, &[]).unwrap();
    assert_eq!(data.identifiers(), ["<blank>"]);
}

#[test]
fn built_in_evaluation_data_opens_with_the_same_rows() {
    let config = config();
    let data = config.open(&[]).unwrap();
    assert!(data.notes().is_empty());
    assert_eq!(data.eval().n_groups(), 5);
    assert!(data.identifiers().contains(&"gravity-0000".to_owned()));

    let eval = config.open_for_eval(&[], data.identifiers()).unwrap();
    assert!(eval.notes().is_empty());
    assert!(eval.eval().row_ids().eq(data.eval().row_ids()));
    for at in data.eval().row_ids() {
        assert_eq!(row(data.eval(), 36, at), row(eval.eval(), 36, at));
    }
}

#[test]
fn an_example_is_a_task_known_to_models_of_the_built_in_data() {
    let config = config();
    let data = config.open(&[]).unwrap();
    let examples: HashSet<_> = (0..20).map(|seed| config.example(seed).unwrap()).collect();
    assert!(examples.len() > 1);
    for text in examples {
        let queries = config.parse_queries(&text, "example", data.identifiers()).unwrap();
        let inputs = queries[0].inputs();
        assert!(inputs.len() > 1);
        // The evaluation rows hold the same questions, so their labels are right answers.
        let output = |input: &hrm_core::PuzzleInput| {
            let mut rows = data.eval().row_ids().map(|at| row(data.eval(), 36, at));
            let row = rows.find(|row| (&row.0, row.2) == (&input.tokens, input.puzzle_id));
            ModelOutput { tokens: row.unwrap().1, q_halt: 0.0, n_segments: 1 }
        };
        let outputs: Vec<_> = inputs.iter().map(output).collect();
        assert_eq!(queries[0].answer(&outputs, Style::Plain).verdict, Verdict::Expected);
    }
    let training_only = ArcConfig { n_eval: 0, ..config };
    assert!(training_only.example(1).unwrap().contains("-0000"));
}

#[test]
fn generated_tasks_can_be_trained_on() {
    let config = config();
    let text = generated(&config, 40, 7).unwrap();
    assert_eq!(text, generated(&config, 40, 7).unwrap());
    assert_ne!(text, generated(&config, 40, 8).unwrap());
    let (_folder, paths) = files(&[("generated.json", &text)]);
    let data = ArcConfig { augmentations: 0, ..config.clone() }.open(&paths).unwrap();
    assert_eq!(data.n_puzzle_ids(), 41);
    assert!(data.identifiers().contains(&"gravity-7-0000".to_owned()));
    assert!(generated(&config, usize::MAX, 7).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn translation_moves_both_grids_alike(seed: u64) {
        let moved = opened(&ArcConfig { seed, ..config() });
        let still = opened(&ArcConfig { seed, translate: false, ..config() });
        prop_assert_eq!(moved.identifiers(), still.identifiers());
        for at in moved.train().row_ids() {
            let (inputs, labels, puzzle_id) = row(moved.train(), 36, at);
            let (inputs, input_offset) = at_origin(&inputs, 6);
            let (labels, label_offset) = at_origin(&labels, 6);
            prop_assert_eq!(input_offset, label_offset);
            prop_assert_eq!((inputs, labels, puzzle_id), row(still.train(), 36, at));
        }
        for at in moved.eval().row_ids() {
            prop_assert_eq!(row(moved.eval(), 36, at), row(still.eval(), 36, at));
        }
    }
}

#[test]
fn every_version_keeps_one_row_in_place_and_all_offsets_occur() {
    let mut kept = HashSet::new();
    let mut offsets = HashSet::new();
    for seed in 0..100 {
        let data = opened(&ArcConfig { seed, ..config() });
        for version in 0..4 {
            let offset = |row_idx| {
                let at = RowId { group: 1, version, row: row_idx };
                at_origin(&row(data.train(), 36, at).0, 6).1
            };
            let in_place: Vec<_> = (0..3).filter(|row| offset(*row) == (0, 0)).collect();
            assert!(!in_place.is_empty());
            if let [only] = in_place[..] {
                kept.insert(only);
            }
            if version == 0 {
                offsets.extend((0..3).map(offset));
            }
        }
    }
    assert_eq!(kept.len(), 3);
    // One row of two cells on a canvas of six.
    assert_eq!(offsets.len(), 6 * 5);
    assert!(offsets.iter().all(|(top, left)| *top < 6 && *left < 5));
}
