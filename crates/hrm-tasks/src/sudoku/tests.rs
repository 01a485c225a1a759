//! Settings, data, versions and statistics of Sudoku.

use super::*;
use crate::traits::tests::generated;
use crate::{DataSource, ModelOutput, PuzzleTask, Queries};
use hrm_puzzles::stats::Distribution;
use hrm_train::task::{Examples, RowId, RowMut};

fn config() -> SudokuConfig {
    SudokuConfig {
        board: 6,
        augmentations: 0,
        seed: 1,
        n_train: 20,
        n_eval: 5,
        reveal: 2,
        min_rating: 0,
        easier_share: 0.0,
        easier_max: 0,
        eval_givens: 0,
        held_out: 0.0,
        table_columns: String::new(),
    }
}

fn on_threads<T: Send>(n: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(run)
}

#[test]
fn puzzles_depend_on_the_seed_and_not_on_the_threads() {
    for config in [config(), SudokuConfig { min_rating: 2, ..config() }] {
        let generate = |seed| generated(&config, 9, seed).unwrap();
        let one = on_threads(1, || generate(4));
        assert_eq!(on_threads(5, || generate(4)), one);
        assert_ne!(generate(5), one);
        assert_eq!(one.lines().count(), 10);
    }
}

#[test]
fn a_minimum_rating_is_met_or_rejected() {
    let hard = SudokuConfig { min_rating: 3, reveal: 20, ..config() };
    for located in records::parse(generated(&hard, 5, 1).unwrap().as_bytes(), "test").unwrap() {
        assert!(located.record.rating.parse::<u64>().unwrap() >= 3);
    }
    let message = generated(&SudokuConfig { board: 4, min_rating: 900, ..config() }, 2, 1);
    assert_eq!(
        message.unwrap_err().to_string(),
        "task.min_rating must be a rating that one of 20000 puzzles of side 4 reaches, found 900"
    );
    // Settings without this field, as in old checkpoints, are still read.
    let mut json = serde_json::to_value(config()).unwrap();
    json.as_object_mut().unwrap().remove("min_rating");
    assert_eq!(serde_json::from_value::<SudokuConfig>(json).unwrap(), config());
}

#[test]
fn what_a_file_states_is_prepared_with_its_puzzles() {
    let folder = tempfile::tempdir().unwrap();
    let config = SudokuConfig { board: 4, ..config() };
    let path = folder.path().join("p.csv");
    let row = "123434122143432.,1234341221434321";
    let text =
        format!("source,question,answer,rating\nnews,{row},3.5\n,{row},hard\nnews,{row},7\n");
    std::fs::write(&path, text).unwrap();
    let task = config.open(std::slice::from_ref(&path)).unwrap();
    let want = format!(
        "2 puzzles have something else than a whole number in the column `rating`, which is not \
         used there, e.g. in {}:2",
        path.display()
    );
    assert_eq!(task.notes(), [want]);
    let files = task.base_puzzles().unwrap();
    let want =
        format!("source,question,answer,rating\nnews,{row},3.5\n,{row},hard\nnews,{row},7\n");
    assert_eq!(files, [("train.csv", want)]);
    let one = format!("source,question,answer,rating\nnews,{row},3.5\n");
    std::fs::write(&path, one).unwrap();
    let notes = config.open(&[path]).unwrap().notes();
    assert!(notes[0].starts_with("1 puzzle has something else"), "{notes:?}");
}

#[test]
fn puzzles_of_other_data_are_compared_up_to_symmetry() {
    let folder = tempfile::tempdir().unwrap();
    let config = SudokuConfig { board: 4, ..config() };
    let write = |name: &str, rows: &[&str]| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("question,answer\n{}\n", rows.join("\n"))).unwrap();
        [path]
    };
    let known = "123434122143432.,1234341221434321";
    let trained = config.open(&write("a.csv", &[known])).unwrap();
    // 1 and 2 change places.
    let relabelled = "213434211243431.,2134342112434312";
    let other = "12343412..4343..,1234341221434321";
    let eval = config.open_for_eval(&write("b.csv", &[other, relabelled]), &[]).unwrap();
    let leaks = eval.leaks_from(trained.as_ref()).unwrap();
    assert_eq!(leaks.len(), 1, "{leaks:?}");
    assert!(leaks[0].eval.ends_with("b.csv:3") && leaks[0].train.ends_with("a.csv:2"));
    // Only rows of puzzles of another kind can be compared.
    let arc = crate::RunConfig::preset("arc", "tiny").unwrap().task.open(&[]).unwrap();
    assert!(eval.leaks_from(arc.as_ref()).is_none());
}

/// Number of givens of each row.
fn givens(examples: &dyn Examples) -> Vec<(RowId, usize)> {
    let n_givens = |at: RowId| {
        let (mut inputs, mut labels, mut puzzle_id) = ([0; 36], [0; 36], 1);
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        examples.write(at, row);
        let is_given = |(input, label): (&u32, &u32)| {
            assert!(*input == BLANK_ID || input == label, "no given is wrong");
            *input != BLANK_ID
        };
        (at, inputs.iter().zip(&labels).filter(|cell| is_given(*cell)).count())
    };
    examples.row_ids().map(n_givens).collect()
}

#[test]
fn some_versions_are_easier() {
    let config = SudokuConfig { augmentations: 20, easier_share: 0.5, reveal: 0, ..config() };
    for (easier_max, n_max) in [(3, 3), (0, 35)] {
        let task = SudokuConfig { easier_max, ..config.clone() }.open(&[]).unwrap();
        let givens = givens(task.train());
        let of_puzzle = |group: usize| givens[group * 21].1;
        let more: Vec<usize> = givens.iter().map(|(at, n)| n - of_puzzle(at.group)).collect();
        assert!(givens.iter().all(|(at, n)| at.version > 0 || *n == of_puzzle(at.group)));
        let n_easier = more.iter().filter(|more| **more > 0).count();
        assert!((140..260).contains(&n_easier), "{n_easier} of 400");
        assert!(more.iter().all(|more| *more <= n_max), "{more:?}");
        assert!((1..=3).all(|n| more.contains(&n)), "{more:?}");
        assert_eq!(more.iter().any(|more| *more > 15), easier_max == 0);
    }
}

#[test]
fn evaluation_puzzles_have_the_requested_givens() {
    let config = SudokuConfig { reveal: 0, ..config() };
    let as_sampled = givens(config.open(&[]).unwrap().eval());
    let given = SudokuConfig { eval_givens: 14, ..config.clone() }.open(&[]).unwrap();
    for ((at, n), (_, n_sampled)) in givens(given.eval()).into_iter().zip(as_sampled) {
        assert_eq!(n, n_sampled.max(14), "{at:?}");
    }
    let all_but_one = SudokuConfig { eval_givens: 35, ..config.clone() };
    assert!(givens(all_but_one.open(&[]).unwrap().eval()).iter().all(|(_, n)| *n == 35));
    // Training puzzles do not change. More givens than cells are an error.
    assert_eq!(givens(given.train()), givens(config.open(&[]).unwrap().train()));
    assert!(SudokuConfig { eval_givens: 37, ..config }.open(&[]).is_err());
}

/// A task with these lines in its training and test file.
fn opened(train: &str, test: &str) -> Box<dyn PuzzleTask> {
    let folder = tempfile::tempdir().unwrap();
    let header = "source,question,answer,rating\n";
    for (name, rows) in [("train.csv", train), ("test.csv", test)] {
        std::fs::write(folder.path().join(name), format!("{header}{rows}")).unwrap();
    }
    SudokuConfig { board: 4, ..config() }.open(&[folder.path().to_owned()]).unwrap()
}

const TRAIN: &str = "x,1..........3....,1234341221434321,7\nx,1...............,1234341221434321,\n";

#[test]
fn statistics_include_our_ratings_and_those_of_the_file() {
    let task = opened(TRAIN, "x,1234341221434321,1234341221434321,3\n");
    let stats: std::collections::HashMap<String, f64> = task.stats().into_iter().collect();
    assert_eq!((stats["givens min"], stats["givens max"]), (1.0, 16.0));
    assert_eq!((stats["rating in file min"], stats["rating in file max"]), (3.0, 7.0));
    assert!(stats["guesses max"] > 0.0);
    let distributions = task.distributions();
    let names: Vec<&str> = distributions.iter().map(|d| d.name.as_str()).collect();
    let want = ["givens", "guesses", "rating in file"];
    let want = ["training", "evaluation"].map(|side| want.map(|name| format!("{side} {name}")));
    assert_eq!(names, want.concat());
    for Distribution { name, bins } in distributions {
        let n: u64 = bins.iter().map(|(_, n)| n).sum();
        let want = if name == "training givens" || name == "training guesses" { 2 } else { 1 };
        assert_eq!(n, want, "{name}");
    }
}

#[test]
fn symmetric_puzzles_on_both_sides_are_leaks() {
    // The first is symmetric to the second training puzzle: another digit in another cell.
    let other = "x,12..............,1234341221434321,1\n";
    let test = format!("x,.............3..,1234341221434321,1\n{other}");
    let leaks = opened(TRAIN, &test).leaks();
    assert_eq!(leaks.len(), 1);
    assert!(leaks[0].eval.ends_with("test.csv:2"), "{leaks:?}");
    assert!(leaks[0].train.ends_with("train.csv:3"), "{leaks:?}");
    assert!(opened(TRAIN, other).leaks().is_empty());
}

#[test]
fn an_answer_has_the_form_of_its_query() {
    let config = SudokuConfig { board: 4, ..config() };
    let queries = config.parse_queries("1..........4....", "test", &[]).unwrap();
    let inputs = queries[0].inputs();
    assert_eq!((inputs.len(), inputs[0].puzzle_id), (1, 0));
    assert_eq!(inputs[0].tokens[..3], [2, 1, 1]);
    let answer = |text: &str| {
        let tokens = config.vocabulary().encode(text, "test").unwrap();
        queries[0].answer(&[ModelOutput { tokens, q_halt: 0.0, n_segments: 1 }], Style::Plain)
    };
    let found = answer("1234341221434321");
    let why = "row 3, column 4 was given 4 and became 3".to_owned();
    assert_eq!(answer("1234341224134321").verdict, Verdict::Invalid(why));
    assert_eq!(
        (found.puzzle.as_str(), found.text.as_str()),
        ("1..........4....", "1234341221434321")
    );
    assert_eq!(found.n_segments, 1);
}

#[test]
fn the_quick_check_of_an_answer_agrees_with_the_rules() {
    let mut rng = stream(3, "answers");
    for board in [4, 6, 9, 12] {
        let config = SudokuConfig { board, ..config() };
        let generator = config.sampler().unwrap();
        let n_cells = config.n_cells();
        for _ in 0..4 {
            let puzzle = config.sample(&generator, &mut rng).unwrap();
            let (mut inputs, mut answer) = (vec![0; n_cells], vec![0; n_cells]);
            config.encode(&puzzle, &mut inputs, &mut answer);
            assert!(config.is_answer(&inputs, &answer));
            for _ in 0..200 {
                let mut changed = answer.clone();
                // Another digit, padding, a blank, no token, or two cells exchanged.
                let [one, other] = [0, 1].map(|_| rng.random_range(0..n_cells));
                match rng.random_range(0..3u32) {
                    0 => changed[one] = rng.random_range(0..40),
                    1 => changed.swap(one, other),
                    _ => {}
                }
                let want = config.scores(&inputs, &changed) == [true];
                assert_eq!(config.is_answer(&inputs, &changed), want, "{changed:?}");
            }
        }
    }
}
