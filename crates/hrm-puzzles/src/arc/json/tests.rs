//! Every dialect, and what is refused in them.

use proptest::prelude::*;

use super::*;
use crate::PuzzleError;
use crate::arc::grid::tests::{any_grid, grid};

#[track_caller]
fn rejected(text: &str, want: &str) {
    let err = parse(text.as_bytes(), "a.json", "a").unwrap_err();
    assert_eq!(err.to_string(), want, "{text}");
}

/// A task whose first input is `grid`.
fn with_input(grid: &str) -> String {
    format!(r#"{{"x": {{"train": [{{"input": {grid}, "output": [[1]]}}], "test": []}}}}"#)
}

#[test]
fn bare_and_combined_tasks_are_distinguished() {
    let bare = r#"{"name": "any", "train": [{"input": [[1, 2]], "output": [[3]]}],
                   "test": [{"input": [[4]]}, {"input": [[5]], "output": [[6]]}]}"#;
    let task = ArcTask {
        train: vec![Pair { input: grid("12"), output: grid("3") }],
        test: vec![
            TestPair { input: grid("4"), output: None },
            TestPair { input: grid("5"), output: Some(grid("6")) },
        ],
    };
    assert_eq!(parse(bare.as_bytes(), "a.json", "a").unwrap(), [("a".into(), task.clone())]);
    let text = combined([("x", &task), ("train", &task)]);
    let want = [("x".to_owned(), task.clone()), ("train".to_owned(), task)];
    assert_eq!(parse(text.as_bytes(), "a.json", "a").unwrap(), want);
}

/// `id train/test` for each task of a text, with an `l` for lists of pairs.
fn listed(text: &str) -> Vec<String> {
    let content = read(text.as_bytes(), "a.json", "a").unwrap();
    let listed = |Listed { id, task, is_list_of_pairs, is_evaluation }: Listed| {
        let mark = if is_list_of_pairs { "l" } else { "" };
        let id = if is_evaluation { format!("eval {id}") } else { id };
        match task {
            Found::Task(ArcTask { train, test }) => {
                format!("{id} {}/{}{mark}", train.len(), test.len())
            }
            Found::Refused(Refused { tests, .. }) => {
                let n_tests = tests.map_or_else(|n| n, |tests| tests.len());
                format!("{id} too large, {n_tests}")
            }
        }
    };
    tasks(content, "a.json").unwrap().into_iter().map(listed).collect()
}

#[test]
fn every_dialect_is_read() {
    let pair = r#"{"input": [[1]], "output": [[2]]}"#;
    let array = "[[[1]], [[2]]]";
    let task = format!(r#"{{"train": [{pair}], "test": [{pair}]}}"#);
    let named = |key: &str, id: &str| {
        format!(r#"{{"{key}": {id}, "train": [{pair}, {array}], "test": [{array}]}}"#)
    };
    assert_eq!(listed(&format!("[{pair}, {pair}, {array}]")), ["a 2/1l"]);
    assert_eq!(
        listed(&format!(r#"{{"x": [{pair}], "y": [{array}, {array}]}}"#)),
        ["x 0/1l", "y 1/1l"]
    );
    let list = format!("[{}, {}, {task}]", named("id", "\"x\""), named("task_id", "7"));
    assert_eq!(listed(&list), ["x 2/1", "7 2/1", "a-3 1/1"]);
    let examples = format!(r#"{{"source": "def f(): {{}}", "examples": [{array}, {array}]}}"#);
    assert_eq!(listed(&examples), ["a 1/1l"]);
    assert_eq!(listed(&format!("{examples}\n{examples}\n")), ["a-1 1/1l", "a-2 1/1l"]);
    assert_eq!(listed(&format!("[{examples}]")), ["a 1/1l"]);
    // The only task of a file is named after the file, whatever it says itself.
    assert_eq!(listed(&named("name", "\"x\"")), ["a 2/1"]);
    let lines = [named("id", "\"x\""), named("id", "\"y\"")].join("\n");
    assert_eq!(listed(&lines), ["x 2/1", "y 2/1"]);
    assert_eq!(listed(&format!("{{\"x\": {task}}} {{\"y\": {task}}}")), ["x 1/1", "y 1/1"]);
    for set in [format!("{{\"x\": {task}}}"), format!("[{}]", named("id", "\"x\""))] {
        let text = format!(r#"{{"version": 1, "tasks": {set}, "about": {{}}}}"#);
        assert!(listed(&text)[0].starts_with("x "), "{text}");
    }
    let split = format!(r#"{{"train": {{"x": {task}}}, "eval": {{"y": {task}}}}}"#);
    assert_eq!(listed(&split), ["x 1/1", "eval y 1/1"]);
}

#[test]
fn every_set_of_tasks_is_read() {
    let pair = r#"{"input": [[1]], "output": [[2]]}"#;
    let task = format!(r#"{{"train": [{pair}], "test": [{pair}]}}"#);
    for key in ["test", "validation", "val", "Evaluation", "arc_eval", "held_out", "dev"] {
        let text = format!(r#"{{"train": {{"x": {task}}}, "{key}": {{"y": {task}}}}}"#);
        assert_eq!(listed(&text), ["x 1/1", "eval y 1/1"], "{key}");
        // As lists, and in another order.
        let text = format!(r#"{{"{key}": [{task}], "training": [{task}, {task}]}}"#);
        assert_eq!(listed(&text), ["eval a-1 1/1", "a-2 1/1", "a-3 1/1"], "{key}");
    }
    // What is within a set for evaluation is for evaluation.
    let nested = format!(
        r#"{{"evaluation": {{"tasks": {{"x": {task}}}, "train": {{"y": {task}}}, "z": {task}}},
            "training": {{"w": {task}}}}}"#
    );
    assert_eq!(listed(&nested), ["eval x 1/1", "eval y 1/1", "eval z 1/1", "w 1/1"]);
    // A remark before the tasks hides none of them.
    let text = format!(r#"{{"tasks": {{"about": "n", "x": {task}}}}}"#);
    let want = "a.json: task `about`: expected an object with train and test, found the text \"n\"";
    rejected(&text, want);
    rejected(
        &format!(r#"{{"train": {{"x": {task}}}, "easy": {{"y": {task}, "z": {task}}}}}"#),
        "a.json: `easy`: expected a set of tasks under a key that says what they are for, such as \
         tasks, training, evaluation or test, found an object with `y`, `z`",
    );
    rejected(
        &format!(r#"{{"train": [{pair}], "test": [{pair}], "validation": {{"y": {task}}}}}"#),
        "a.json: `validation`: expected no set of tasks beside a task, found an object with `y`",
    );
}

#[test]
fn pairs_are_read_however_they_are_kept() {
    let want = listed(
        r#"{"x": {"train": [{"input": [[1]], "output": [[2]]}, {"input": [[3]], "output": [[4]]}],
                  "test": [{"input": [[5, 6]]}]}}"#,
    );
    assert_eq!(want, ["x 2/1"]);
    let parsed = |text: &str| parse(text.as_bytes(), "a.json", "a").unwrap();
    let plain = parsed(
        r#"{"x": {"train": [[[[1]], [[2]]], [[[3]], [[4]]]], "test": [{"input": [[5, 6]]}]}}"#,
    );
    let apart = r#"{"input": [[[1]], [[3]]], "output": [[[2]], [[4]]]}"#;
    let pairs = r#"[[[[1.0]], [[2]]], [[[3]], [[4.00]]]]"#;
    let in_text = serde_json::to_string(pairs).unwrap();
    for train in [apart, pairs, &in_text, &serde_json::to_string(apart).unwrap()] {
        for test in [r#"{"input": [[5, 6]]}"#, r#"{"input": [[[5, 6]]]}"#, r#"[[[[5, 6]]]]"#] {
            let task = format!(r#"{{"train": {train}, "test": {test}}}"#);
            assert_eq!(parsed(&format!(r#"{{"x": {task}}}"#)), plain, "{task}");
            let bare = [("a".to_owned(), plain[0].1.clone())];
            assert_eq!(parsed(&task), bare, "{task}");
        }
        assert_eq!(listed(&format!(r#"{{"examples": {train}}}"#)), ["a 1/1l"]);
    }
    let spelled = r#"{"train": T, "test": {"in": [[[5]], [[7]]], "out": [[[6]], [[8]]]}}"#;
    for train in [
        r#"{"inputs": [[[1]], [[3]]], "outputs": [[[2]], [[4]]]}"#,
        r#"[{"inputs": [[1]], "outputs": [[2]]}, {"in": [[3]], "out": [[4]]}]"#,
    ] {
        let task = parsed(&spelled.replace('T', train)).remove(0).1;
        assert_eq!(task.train, plain[0].1.train, "{train}");
        let outputs = task.test.iter().map(|test| test.output.as_ref().unwrap().cells()[0]);
        assert_eq!(outputs.collect::<Vec<_>>(), [6, 8]);
    }
    for key in ["examples", "pairs"] {
        let tests = r#"[{"input": [[5]]}, {"input": [[6]]}]"#;
        let row = format!(r#"{{"id": "x", "{key}": {pairs}, "test": {tests}}}"#);
        assert_eq!(
            listed(&format!("{row}\n{}", row.replace(r#""x""#, r#""y""#))),
            ["x 2/2", "y 2/2"]
        );
        assert_eq!(listed(&format!("[{}]", row.replace(tests, "[]"))), ["x 1/1l"]);
    }
    // As Hugging Face shows a set.
    let row = |n: u8, id: &str| {
        let task = format!(r#"{{"id": "{id}", "train": {pairs}, "test": [[[[5]], [[6]]]]}}"#);
        format!(r#"{{"row_idx": {n}, "row": {task}, "truncated_cells": []}}"#)
    };
    let rows = [row(0, "x"), row(1, "y")].join(", ");
    for features in ["[]", r#"[{"feature_idx": 0, "name": "id"}]"#] {
        let text = format!(r#"{{"features": {features}, "rows": [{rows}], "num_rows_total": 2}}"#);
        assert_eq!(listed(&text), ["x 2/1", "y 2/1"]);
    }
    assert_eq!(listed(&format!("{}\n{}", row(0, "x"), row(1, "y"))), ["x 2/1", "y 2/1"]);
    let row_is_an_id = format!(r#"{{"row": {{"train": {pairs}, "test": []}}}}"#);
    assert_eq!(listed(&row_is_an_id), ["row 2/0"]);
    rejected(
        r#"{"train": {"input": [[[1]], [[3]]], "output": [[[2]]]}, "test": []}"#,
        "a.json: task `a`, train: expected as many outputs as inputs (2), found 1",
    );
    rejected(
        r#"{"train": {"input": [[[1]], [[3]]]}, "test": []}"#,
        "a.json: task `a`, train[0].output: expected an array of rows, found nothing",
    );
    rejected(
        r#"{"train": "[[[[1]], [[x]]]]", "test": []}"#,
        "a.json: task `a`, train: expected an array of pairs, found the text \"[[[[1]], [[x]]]]\"",
    );
}

#[test]
fn rows_may_name_their_task_and_their_set() {
    let row = |keys: &str| format!(r#"{{{keys}, "train": [], "test": [[[[5]], [[6]]]]}}"#);
    for key in ["taskId", "task_name", "PuzzleID", "problem_id", "key", "task", "Task-Id"] {
        let rows = ["x", "y"].map(|id| row(&format!(r#""{key}": "{id}""#))).join("\n");
        assert_eq!(listed(&rows), ["x 0/1", "y 0/1"], "{key}");
    }
    let rows = [row(r#""filename": "x.json", "n": 1"#), row(r#""key": "k", "id": "y""#)].join("\n");
    assert_eq!(listed(&rows), ["x 0/1", "y 0/1"]);
    for key in ["split", "subset"] {
        let rows = [("x", "training"), ("y", "evaluation"), ("z", "new")]
            .map(|(id, set)| row(&format!(r#""id": "{id}", "{key}": "{set}""#)));
        let content = read(rows.join("\n").as_bytes(), "a.json", "a").unwrap();
        let sides = tasks(content, "a.json").unwrap().into_iter().map(|task| task.is_evaluation);
        assert_eq!(sides.collect::<Vec<_>>(), [false, true, false], "{key}");
    }
}

#[test]
fn of_lines_the_first_that_is_no_task_is_named() {
    let good = r#"{"id": "x", "train": [], "test": [[[[5]], [[6]]]]}"#;
    let lines = |bad: &str| [good, "", bad, good, good].join("\n");
    let cut = &good[..30];
    rejected(&lines(cut), "a.json:3:30: expected a JSON object, found the end of the line");
    let word = good.replace("[]", "nan");
    let want = "a.json:3:23: expected a JSON object, found nan, which JSON does not have; write \
                null for what is unknown";
    rejected(&lines(&word), want);
}

#[test]
fn ids_of_a_split_are_no_tasks() {
    for text in [
        r#"{"train": ["x", "y"], "test": ["z"]}"#,
        r#"{"train": [], "test": [1, 2]}"#,
        r#"{"training": ["x"], "evaluation": ["y"]}"#,
        " \n",
    ] {
        let content = read(text.as_bytes(), "a.json", "a");
        assert!(matches!(content, Ok(Content::Other(_))), "{text}: {content:?}");
    }
    rejected(
        r#"{"train": ["x"], "test": ["y"]}"#,
        "a.json: task `a`, train[0]: expected an object with input and output, \
         found the text \"x\"",
    );
}

#[test]
fn what_is_no_json_is_said_in_words() {
    for (text, place, found) in [
        ("id,train\nx,\"[]\"", "", "a table; ARC tasks are read from JSON"),
        ("{'train': []}", ":1:2", "the notation of Python; write the file with json.dumps"),
        ("{\"x\": None}", ":1:7", "the notation of Python; write the file with json.dumps"),
        ("# tasks\n{}", ":1:1", "a comment, which JSON does not have; remove it"),
        ("{\n  // x\n}", ":2:3", "a comment, which JSON does not have; remove it"),
        ("[[NaN]]", ":1:3", "NaN, which JSON does not have; write null for what is unknown"),
        ("{},", ":1:3", "','"),
        ("{\"x\": [1, 2", ":1:11", "the end of the text"),
        ("{\"é\": é}", ":1:8", "'é'"),
    ] {
        rejected(text, &format!("a.json{place}: expected a JSON object, found {found}"));
    }
    let err = parse(b"[nan]", "a.json", "a").unwrap_err().to_string();
    assert!(err.contains("found nan, which JSON does not have"), "{err}");
}

#[test]
fn the_first_fault_of_a_file_is_reported() {
    let want = "a.json: task `z`, train: expected an array of pairs, found nothing";
    let later = r#""b": {"train": 3, "test": []}"#;
    rejected(&format!(r#"{{"tasks": {{"z": {{"test": []}}, {later}}}}}"#), want);
    rejected(&format!(r#"{{"z": {{"test": []}}, "a": 1, {later}}}"#), want);
    let want = "a.json: task `a`: expected an object with train and test, found the number 1";
    rejected(&format!(r#"{{"a": 1, {later}}}"#), want);
}

#[test]
fn a_fault_among_train_pairs_leaves_the_test_pairs() {
    let text = r#"{"train": [{"input": [[1], []], "output": [[1]]}], "test": [{"input": [[7]]}]}"#;
    let Ok(Content::Tasks(tasks)) = read(text.as_bytes(), "a.json", "a") else { panic!("tasks") };
    let Found::Refused(Refused { error, is_too_large, tests }) = &tasks[0].task else {
        panic!("{tasks:?}")
    };
    let want = "a.json: task `a`, train[0].input, row 2: expected 1 to 30 colours, found 0";
    assert_eq!((error.to_string().as_str(), *is_too_large), (want, false));
    assert_eq!(tests.as_ref().unwrap(), &[TestPair { input: grid("7"), output: None }]);
}

#[test]
fn unknown_outputs_are_read() {
    for output in ["", r#", "output": null"#, r#", "output": []"#, r#", "output": [[]]"#] {
        let text = format!(r#"{{"train": [], "test": [{{"input": [[4]]{output}}}]}}"#);
        let tasks = parse(text.as_bytes(), "a.json", "a").unwrap();
        assert_eq!(tasks[0].1.test, [TestPair { input: grid("4"), output: None }], "{text}");
    }
    rejected(
        r#"{"train": [], "test": [{"input": [[4]], "output": [[], [1]]}]}"#,
        "a.json: task `a`, test[0].output, row 1: expected 1 to 30 colours, found 0",
    );
}

#[test]
fn one_task_that_is_too_large_leaves_the_others() {
    let row = format!("[[{}1]]", "1,".repeat(30));
    let text = format!(
        r#"{{"x": {{"train": [], "test": [{{"input": {row}}}, {{"input": [[1]]}}]}},
            "y": {{"train": [], "test": []}}}}"#
    );
    assert_eq!(listed(&text), ["x too large, 2", "y 0/0"]);
    // What is malformed beside it is an error nevertheless.
    let text = format!(r#"{{"train": [{{"input": {row}}}], "test": [3]}}"#);
    assert!(parse(text.as_bytes(), "a.json", "a").is_err());
}

#[test]
fn other_files_are_told_apart() {
    let read = |text: &str| read(text.as_bytes(), "a.json", "a");
    let submission = r#"{"x": [{"attempt_1": [[1]], "attempt_2": [[1]]}]}"#;
    assert!(matches!(read(submission), Ok(Content::Submission)));
    let other = [
        "3",
        "null",
        "\"text\"",
        "[1, 2]",
        r#"{"name": "x", "version": 2}"#,
        r#"{"a": {}}"#,
        r#"{"pad_id": 0, "sets": ["all"]}"#,
        r#"{"scripts": {"test": "run"}}"#,
    ];
    for text in other {
        assert!(matches!(read(text), Ok(Content::Other(_))), "{text}: {:?}", read(text));
    }
    assert!(read(r#"{"x": {"train": [], "test": []}, "y": 3}"#).is_err());
    let mixed = r#"{"x": {"train": [], "test": []}, "y": [[[1]]]}"#;
    let want = "a.json: expected tasks, solutions or attempts, \
                found some tasks, and some outputs without their inputs";
    assert_eq!(read(mixed).unwrap_err().to_string(), want);
    rejected(
        submission,
        "a.json: expected ARC tasks, found a submission, which holds attempts only",
    );
}

#[test]
fn solutions_are_grids_by_task() {
    let read = |text: &str| match read(text.as_bytes(), "s.json", "s")? {
        Content::Solutions(solutions) => Ok(solutions),
        other => panic!("{other:?}"),
    };
    let want = [("x".to_owned(), vec![grid("1"), grid("23")])];
    assert_eq!(read(r#"{"x": [[[1]], [[2, 3]]]}"#).unwrap(), want);
    assert_eq!(read(r#"{"x": [[2, 3]]}"#).unwrap(), [("x".to_owned(), vec![grid("23")])]);
    let err: PuzzleError = read(r#"{"x": [[[1]], [2]]}"#).unwrap_err();
    let err = err.to_string();
    let want = "s.json: task `x`, [1], row 1: expected an array of colours, found the number 2";
    assert_eq!(err, want);
}

#[test]
fn wrong_structure_is_rejected_with_its_place() {
    rejected("{}", "a.json holds no tasks");
    rejected("", "a.json: expected ARC tasks, found an empty file");
    rejected("[1]", "a.json: [0]: expected a task or a pair, found the number 1");
    rejected(
        r#"{"x": 1}"#,
        "a.json: task `x`: expected an object with train and test, found the number 1",
    );
    rejected(
        r#"{"x": {}}"#,
        "a.json: task `x`: expected an object with train and test, \
         found an object without entries",
    );
    rejected(
        r#"{"x": {"test": []}}"#,
        "a.json: task `x`, train: expected an array of pairs, found nothing",
    );
    rejected(
        r#"{"train": 3}"#,
        "a.json: task `a`, train: expected an array of pairs, found the number 3",
    );
    rejected(
        r#"{"train": [], "other": 1}"#,
        "a.json: task `a`, test: expected an array of pairs, found nothing",
    );
    rejected(
        r#"{"train": [7], "test": []}"#,
        "a.json: task `a`, train[0]: expected an object with input and output, \
         found the number 7",
    );
    rejected(
        r#"{"train": [{"input": [[1]]}], "test": []}"#,
        "a.json: task `a`, train[0].output: expected an array of rows, found nothing",
    );
    rejected(
        r#"{"train": [], "test": [{"output": [[1]]}]}"#,
        "a.json: task `a`, test[0].input: expected an array of rows, found nothing",
    );
}

#[test]
fn wrong_grids_are_rejected_with_their_place() {
    let place = "a.json: task `x`, train[0].input";
    let rejected = |grid: &str, want: &str| rejected(&with_input(grid), &format!("{place}{want}"));
    rejected("[]", ": expected 1 to 30 rows, found 0");
    rejected("[[]]", ", row 1: expected 1 to 30 colours, found 0");
    rejected("[[1, 2], [3]]", ", row 2: expected as many colours as in row 1 (2), found 1");
    rejected("[[1], 2]", ", row 2: expected an array of colours, found the number 2");
    rejected("[[0, 10]]", ", row 1, column 2: expected a colour, 0 to 9, found the number 10");
    rejected("[[-1]]", ", row 1, column 1: expected a colour, 0 to 9, found the number -1");
    rejected("[[1.5]]", ", row 1, column 1: expected a colour, 0 to 9, found the number 1.5");
    rejected("[[null]]", ", row 1, column 1: expected a colour, 0 to 9, found nothing");
    rejected(&format!("[{}[1]]", "[1],".repeat(30)), ": expected 1 to 30 rows, found 31");
    rejected(&format!("[[{}1]]", "1,".repeat(30)), ", row 1: expected 1 to 30 colours, found 31");
    rejected(
        "[[99999999999999999999999999]]",
        ", row 1, column 1: expected a colour, 0 to 9, found the number 99999999999999999999999999",
    );
}

#[test]
fn hostile_text_is_an_error() {
    let deep = format!("{{\"x\": {}", "[".repeat(1_000_000));
    for text in [deep.as_str(), &with_input("[[1e999]]"), "{\"x\"", "{} {", "\u{0}"] {
        let err = parse(text.as_bytes(), "a.json", "a").unwrap_err().to_string();
        assert!(err.starts_with("a.json:1:"), "{err}");
        assert!(err.contains(": expected a JSON object, found "), "{err}");
        assert!(err.len() < 120, "{err}");
    }
    assert!(parse(b"{\"\xff\": 1}", "a.json", "a").is_err());
}

proptest! {
    #[test]
    fn tasks_survive_a_round_trip(input in any_grid(6), output in any_grid(6), id: String) {
        let task = ArcTask {
            train: vec![Pair { input: input.clone(), output: output.clone() }],
            test: vec![TestPair { input, output: Some(output) }],
        };
        let text = combined([(id.as_str(), &task)]);
        prop_assert_eq!(parse(text.as_bytes(), "a.json", "a").unwrap(), [(id, task)]);
    }
}
