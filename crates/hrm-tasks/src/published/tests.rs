//! Reading, writing and importing prepared data sets, intact and damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use hrm_puzzles::arc::Dialect;
use hrm_train::task::{Examples, Prediction, RowId, RowMut};

use super::names::IDENTIFIERS;
use super::npy::tests::file;
use super::split::METADATA;
use super::*;
use crate::{PuzzleTask, TaskConfig};

/// The settings of the tiny preset of a kind, with `changes`.
fn config(kind: &str, changes: &[(&str, u64)]) -> TaskConfig {
    let preset = crate::RunConfig::preset(kind, "tiny").unwrap();
    let mut tree = serde_json::to_value(preset.task).unwrap();
    for (key, value) in changes {
        tree[*key] = (*value).into();
    }
    serde_json::from_value(tree).unwrap()
}

/// Small tasks with augmented versions, one of each kind that has prepared data sets.
fn kinds() -> [TaskConfig; 3] {
    let sizes = [("n_train", 6), ("n_eval", 4)];
    let mut maze = config("maze", &[&sizes[..], &[("side", 6), ("min_path", 6)]].concat());
    if let TaskConfig::Maze(maze) = &mut maze {
        maze.augment = crate::maze::MazeAugment::Dihedral;
    }
    let arc = [&sizes[..], &[("augmentations", 3)]].concat();
    let sudoku = [&sizes[..], &[("augmentations", 2)]].concat();
    [config("arc", &arc), maze, config("sudoku", &sudoku)]
}

/// Position, inputs, labels and identifier name of a row.
type Row = (RowId, Vec<u32>, Vec<u32>, String);

fn rows(task: &dyn PuzzleTask, examples: &dyn Examples) -> Vec<Row> {
    let row = |at| {
        let (mut inputs, mut labels) = (vec![99; task.n_cells()], vec![99; task.n_cells()]);
        let mut puzzle_id = 99;
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        examples.write(at, row);
        (at, inputs, labels, task.identifiers()[puzzle_id as usize].clone())
    };
    examples.row_ids().map(row).collect()
}

fn exported(task: &dyn PuzzleTask) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("data");
    export(task, Dialect::Hrm, &out, |_| ()).unwrap();
    (folder, out)
}

/// A `.npy` file with the given type, shape and values.
fn array<const N: usize>(
    descr: &str,
    shape: &str,
    values: impl Iterator<Item = [u8; N]>,
) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    file(&header, &values.flatten().collect::<Vec<_>>())
}

fn ints(values: &[i32]) -> Vec<u8> {
    let shape = format!("({},)", values.len());
    array("<i4", &shape, values.iter().map(|value| value.to_le_bytes()))
}

/// Boards of 4 by 4 as the published builder writes them: one group of two versions, and one
/// of a single version.
const METADATA_TEXT: &str = r#"{"pad_id": 0, "ignore_label_id": 0, "blank_identifier_id": 0,
    "vocab_size": 6, "seq_len": 16, "num_puzzle_identifiers": 1, "total_groups": 2,
    "mean_puzzle_examples": 1.0, "sets": ["all"]}"#;
const ANSWER: &str = "1234341221434321";
const QUESTION: &str = "1234341221430000";
const OTHER_QUESTION: &str = "0034341221434321";

fn board_ids(text: &str) -> Vec<u8> {
    text.bytes().map(|digit| digit - b'0' + 1).collect()
}

/// Writes a split without the code under test.
fn write_split(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("dataset.json", METADATA_TEXT.as_bytes());
    let relabelled = QUESTION.replace('1', "x").replace('2', "1").replace('x', "2");
    let relabelled_answer = ANSWER.replace('1', "x").replace('2', "1").replace('x', "2");
    let inputs = [QUESTION, &relabelled, OTHER_QUESTION].map(board_ids).concat();
    let labels = [ANSWER, &relabelled_answer, ANSWER].map(board_ids).concat();
    write("all__inputs.npy", &array("|u1", "(3, 16)", inputs.into_iter().map(|id| [id])));
    let labels = labels.into_iter().map(|id| i64::from(id).to_le_bytes());
    write("all__labels.npy", &array("<i8", "(3, 16)", labels));
    write("all__puzzle_identifiers.npy", &ints(&[0, 0, 0]));
    write("all__puzzle_indices.npy", &ints(&[0, 1, 2, 3]));
    write("all__group_indices.npy", &ints(&[0, 2, 3]));
}

/// A data set of two such splits.
fn by_hand() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    write_split(&path.join("train"));
    write_split(&path.join("test"));
    fs::write(path.join(IDENTIFIERS), r#"["<blank>"]"#).unwrap();
    (folder, path)
}

#[test]
fn a_data_set_written_by_hand_is_read() {
    let (_guard, data) = by_hand();
    let sudoku = config("sudoku", &[("board", 4)]);
    let other = config("sudoku", &[("board", 9)]).fitted_to(from_ref(&data)).unwrap();
    assert_eq!(other.puzzle_kind().n_cells(), 16);
    let ids = |text: &str| board_ids(text).into_iter().map(u32::from).collect::<Vec<_>>();
    let task = sudoku.open(from_ref(&data)).unwrap();
    assert_eq!((task.name(), task.n_cells(), task.n_puzzle_ids()), ("sudoku", 16, 1));
    for examples in [task.train(), task.eval()] {
        let rows = rows(task.as_ref(), examples);
        let places: Vec<_> = rows.iter().map(|row| (row.0.group, row.0.version)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (1, 0)]);
        assert_eq!((&rows[0].1, &rows[0].2), (&ids(QUESTION), &ids(ANSWER)));
        assert_eq!((&rows[2].1, &rows[2].2), (&ids(OTHER_QUESTION), &ids(ANSWER)));
    }
    let stats = task.stats();
    assert_eq!(stats[..2], [("training puzzles".into(), 2.0), ("training versions".into(), 3.0)]);
    assert!(task.draw(&ids(QUESTION), &ids(ANSWER), hrm_puzzles::Style::Plain).contains('4'));

    // A single split opens as either side.
    let split = [data.join("test")];
    assert_eq!(sudoku.open_for_eval(&split, &[]).unwrap().eval().n_groups(), 2);
    let alone = sudoku.open(&split).unwrap();
    assert_eq!((alone.train().n_groups(), alone.eval().n_groups()), (2, 0));
    assert_eq!(alone.notes().len(), 1);
    // Data of another size, or beside other data, are rejected.
    let message = |config: &TaskConfig, data: &[PathBuf]| {
        config.open(data).err().unwrap().to_string().replace(data[0].to_str().unwrap(), "DATA")
    };
    assert_eq!(
        message(&config("sudoku", &[("board", 9)]), from_ref(&data)),
        "DATA: `vocab_size`: expected 11 as in `sudoku` with these settings, found 6"
    );
    assert_eq!(
        message(&sudoku, &[data.clone(), "b.csv".into()]),
        "DATA: expected only other prepared data sets beside this one, found b.csv"
    );
}

#[test]
fn sets_are_concatenated_and_ignored_labels_become_padding() {
    let (_guard, data) = by_hand();
    let train = data.join("train");
    for end in ["inputs", "labels", "puzzle_identifiers", "puzzle_indices", "group_indices"] {
        let [from, to] = ["all", "more"].map(|set| train.join(format!("{set}__{end}.npy")));
        fs::copy(from, to).unwrap();
    }
    let metadata = METADATA_TEXT
        .replace(r#"["all"]"#, r#"["all", "more"]"#)
        .replace(r#""total_groups": 2"#, r#""total_groups": 4"#)
        .replace(r#""ignore_label_id": 0"#, r#""ignore_label_id": 2"#);
    fs::write(train.join(METADATA), metadata).unwrap();
    let task = config("sudoku", &[("board", 4)]).open(&[data]).unwrap();
    let rows = rows(task.as_ref(), task.train());
    let groups: Vec<_> = rows.iter().map(|row| (row.0.group, row.0.version)).collect();
    assert_eq!(groups, [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (3, 0)]);
    assert_eq!(rows[0].1, rows[3].1);
    // Label 2, the digit 1, is ignored.
    let label = |id: u8| if id == 2 { 0 } else { u32::from(id) };
    let want: Vec<u32> = board_ids(ANSWER).into_iter().map(label).collect();
    assert_eq!(rows[5].2, want);
}

#[test]
fn an_export_opens_with_equal_rows() {
    for config in kinds() {
        let ours = config.open(&[]).unwrap();
        let (_guard, data) = exported(ours.as_ref());
        let mut steps = Vec::new();
        let again = data.with_file_name("again");
        export(ours.as_ref(), Dialect::Hrm, &again, |n_done| steps.push(n_done)).unwrap();
        let n_rows = ours.train().row_ids().count() + ours.eval().row_ids().count();
        assert_eq!(steps, (1..=n_rows as u64).collect::<Vec<_>>());
        assert!(
            export(ours.as_ref(), Dialect::Hrm, &again, |_| ()).is_err(),
            "existing folders are not overwritten"
        );

        let paths = [data];
        let fitted = config.clone().fitted_to(&paths).unwrap();
        assert_eq!(fitted.puzzle_kind().n_cells(), ours.n_cells());
        let theirs = config.open(&paths).unwrap();
        assert_eq!(theirs.identifiers(), ours.identifiers());
        assert_eq!(rows(theirs.as_ref(), theirs.train()), rows(ours.as_ref(), ours.train()));
        assert_eq!(rows(theirs.as_ref(), theirs.eval()), rows(ours.as_ref(), ours.eval()));
    }
}

/// Questions and answers of version 0, sorted.
fn base(task: &dyn PuzzleTask, examples: &dyn Examples) -> Vec<(Vec<u32>, Vec<u32>)> {
    let rows = rows(task, examples).into_iter().filter(|row| row.0.version == 0);
    let mut base: Vec<_> = rows.map(|(_, inputs, labels, _)| (inputs, labels)).collect();
    base.sort();
    base
}

#[test]
fn an_import_recovers_the_base_puzzles() {
    for mut config in kinds() {
        if let TaskConfig::Arc(arc) = &mut config {
            // The import undoes the translation, which is not part of a task.
            arc.translate = true;
        }
        let (_guard, data) = exported(config.open(&[]).unwrap().as_ref());
        let imported = import(&data, Some(config.name())).unwrap();
        assert_eq!(imported.refused, Vec::<String>::new(), "{}", config.name());
        let out = data.with_file_name("ours");
        imported.write(&out).unwrap();
        assert!(imported.write(&out).is_err(), "existing folders are not overwritten");

        if let TaskConfig::Arc(arc) = &mut config {
            arc.translate = false;
        }
        let ours = config.open(&[]).unwrap();
        let back = config.open(&[out]).unwrap();
        assert_eq!(base(back.as_ref(), back.train()), base(ours.as_ref(), ours.train()));
        assert_eq!(base(back.as_ref(), back.eval()), base(ours.as_ref(), ours.eval()));
    }
}

#[test]
fn an_import_lists_the_puzzles_it_skips() {
    let (_guard, data) = by_hand();
    let inputs = fs::read(data.join("train/all__labels.npy")).unwrap();
    // The last answer gets a wrong digit.
    let mut broken = inputs.clone();
    let last = broken.len() - 8;
    broken[last] = 3;
    fs::write(data.join("train/all__labels.npy"), broken).unwrap();
    let message = import(&data, None).err().unwrap().to_string();
    assert!(message.ends_with("found data that fit several kinds; name the kind"), "{message}");
    let imported = import(&data, Some("sudoku")).unwrap();
    assert_eq!((imported.n_puzzles, imported.n_versions), (3, 2));
    assert_eq!(imported.files[0].0, "train.csv");
    assert!(imported.files[0].1.contains(&QUESTION.replace('0', ".")), "{:?}", imported.files);
    let [refused] = imported.refused.as_slice() else { panic!("{:?}", imported.refused) };
    assert!(
        refused.contains("data: train, group 1, version 0, row 0: field `answer`"),
        "{refused}"
    );

    // A single split becomes a single file.
    let imported = import(&data.join("test"), Some("sudoku")).unwrap();
    let file = data.with_file_name("only.csv");
    imported.write(&file).unwrap();
    assert_eq!(hrm_puzzles::records::read(&file).unwrap().len(), 2);
    // A dot alone does not make a file.
    let folder = data.with_file_name("data.v2");
    imported.write(&folder).unwrap();
    assert_eq!(hrm_puzzles::records::read(&folder.join("test.csv")).unwrap().len(), 2);
    assert!(import(&data, Some("arc")).is_err());
}

#[test]
fn different_puzzles_in_one_group_are_not_treated_as_versions() {
    let (_guard, data) = by_hand();
    let test = data.join("test");
    let board = |texts: [&str; 3]| {
        array("|u1", "(3, 16)", texts.map(board_ids).concat().into_iter().map(|id| [id]))
    };
    let fewer = "0004341221434321";
    fs::write(test.join("all__inputs.npy"), board([QUESTION, fewer, fewer])).unwrap();
    fs::write(test.join("all__labels.npy"), board([ANSWER, ANSWER, ANSWER])).unwrap();
    let imported = import(&test, Some("sudoku")).unwrap();
    assert_eq!((imported.n_puzzles, imported.n_versions), (3, 0));
    let [note] = &imported.notes[..] else { panic!("{:?}", imported.notes) };
    assert!(note.contains(": 1 of the puzzles are versions that give more or fewer"), "{note}");
}

#[test]
fn rows_of_another_kind_with_as_many_ids_and_cells_are_refused() {
    let (_guard, data) = by_hand();
    let maze = config("maze", &[("side", 4), ("min_path", 3)]);
    let message = maze.open(from_ref(&data)).err().unwrap().to_string();
    let want = "expected prepared puzzles of kind maze, found ";
    assert!(message.contains(want) && message.contains("which is none: "), "{message}");
    assert!(config("sudoku", &[("board", 4)]).open(&[data]).is_ok());
}

#[test]
fn labels_that_do_not_answer_their_questions_are_refused() {
    let board = config("sudoku", &[("board", 4)]);
    let mut maze = config("maze", &[("side", 4), ("min_path", 3)]);
    if let TaskConfig::Maze(maze) = &mut maze {
        maze.augment = crate::maze::MazeAugment::None;
    }
    // Rows 0, 1 and 2 of the training split, of which the second has other labels.
    let message = |config: &TaskConfig, inputs: [&[u8]; 3], labels: [&[u8]; 3]| {
        let (_guard, data) = by_hand();
        for split in ["train", "test"] {
            let labels = if split == "train" { labels } else { [labels[0]; 3] };
            let inputs = if split == "train" { inputs } else { [inputs[0]; 3] };
            for (name, rows) in [("all__inputs.npy", inputs), ("all__labels.npy", labels)] {
                let ids = rows.concat().into_iter().map(|id| [id]);
                fs::write(data.join(split).join(name), array("|u1", "(3, 16)", ids)).unwrap();
            }
        }
        let text = |err: crate::TaskError| err.to_string();
        let opened = config.open(from_ref(&data)).map(drop).map_err(text);
        opened.map_err(|text| text.replace(data.to_str().unwrap(), "DATA"))
    };
    let (question, answer) = (board_ids(QUESTION), board_ids(ANSWER));
    let refused = |labels: &[u8], what: &str| {
        let labels = [&answer[..], labels, &answer];
        let err = message(&board, [&question; 3], labels).unwrap_err();
        let place = "DATA: train, group 0, version 1, row 0: ";
        assert!(err.starts_with(place) && err.contains(what), "{err}");
    };
    assert_eq!(message(&board, [&question; 3], [&answer; 3]), Ok(()));
    let relabelled = board_ids(&ANSWER.replace('1', "x").replace('2', "1").replace('x', "2"));
    let given = "expected the label \"1\" of cell 1, as its question gives it, found \"2\"";
    refused(&relabelled, given);
    refused(
        &board_ids("1234341221434322"),
        "field `answer`: expected a board that obeys the rules",
    );
    let swapped = message(&board, [&answer; 3], [&answer, &question, &answer]).unwrap_err();
    assert!(swapped.contains("expected a puzzle with blanks, found a full board"), "{swapped}");

    let id = |symbol: char| 1 + "# SGo".find(symbol).unwrap() as u8;
    let ids = |text: &str| text.chars().map(id).collect::<Vec<_>>();
    let (question, answer) = (ids("S   ### #   #G##"), ids("Sooo###o#ooo#G##"));
    assert_eq!(message(&maze, [&question; 3], [&answer; 3]), Ok(()));
    let wrong = ids("Soo ###o#ooo#G##");
    let err = message(&maze, [&question; 3], [&answer, &wrong, &answer]).unwrap_err();
    assert!(err.contains("train, group 0, version 1, row 0: field `answer`"), "{err}");
}

#[test]
fn ignored_labels_need_not_answer_but_must_not_contradict() {
    let (_guard, data) = by_hand();
    let metadata = METADATA_TEXT.replace(r#""ignore_label_id": 0"#, r#""ignore_label_id": -100"#);
    let config = config("sudoku", &[("board", 4)]);
    let opened = |first: i64, second: i64| {
        for split in ["train", "test"] {
            fs::write(data.join(split).join(METADATA), &metadata).unwrap();
            let ids = [ANSWER; 3].map(board_ids).concat();
            let mut labels: Vec<i64> = ids.into_iter().map(i64::from).collect();
            // A cell that is given.
            (labels[0], labels[1]) = (first, second);
            let relabelled =
                board_ids(&ANSWER.replace('1', "x").replace('2', "1").replace('x', "2"));
            labels[16..32].iter_mut().zip(relabelled).for_each(|(to, id)| *to = id.into());
            let labels = labels.into_iter().map(i64::to_le_bytes);
            fs::write(data.join(split).join("all__labels.npy"), array("<i8", "(3, 16)", labels))
                .unwrap();
        }
        config.open(from_ref(&data)).map(drop).map_err(|err| err.to_string())
    };
    assert_eq!(opened(-100, 3), Ok(()));
    let err = opened(-100, 4).unwrap_err();
    let want = "train, group 0, version 0, row 0: expected the label \"2\" of cell 2, as its \
                question gives it, found \"3\"";
    assert!(err.ends_with(want), "{err}");
}

#[test]
fn names_of_puzzles_are_there_and_distinct() {
    let arc = &kinds()[0];
    let (_guard, data) = exported(arc.open(&[]).unwrap().as_ref());
    let path = data.join(IDENTIFIERS);
    let mut names: Vec<String> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let message = || arc.open(from_ref(&data)).err().unwrap().to_string();
    fs::remove_file(&path).unwrap();
    let want = format!(
        "{}: expected the names of the {} puzzle identifiers (`num_puzzle_identifiers`), which are \
         part of the data set, found no such file: copy it from where the data set is from",
        path.display(),
        names.len()
    );
    assert_eq!(message(), want);
    names[2] = names[1].clone();
    fs::write(&path, serde_json::to_string(&names).unwrap()).unwrap();
    assert!(message().contains("expected another name for each puzzle, found "), "{}", message());
    names[2] = "x|||t8|||0123456789".to_owned();
    fs::write(&path, serde_json::to_string(&names).unwrap()).unwrap();
    assert!(message().contains("expected names of versions that end in"), "{}", message());
}

#[test]
fn rows_carry_the_identifiers_of_the_model() {
    let arc = &kinds()[0];
    let (_guard, data) = exported(arc.open(&[]).unwrap().as_ref());
    let names = arc.open(&[]).unwrap().identifiers().to_vec();
    let mut known = names.clone();
    known[1..].reverse();
    let lost = known.pop().unwrap();
    let task = arc.open_for_eval(from_ref(&data), &known).unwrap();
    assert_eq!(task.n_puzzle_ids(), known.len());
    assert_eq!(task.train().n_groups(), 0);
    let same = arc.open_for_eval(&[data], &names).unwrap();
    assert!(same.notes().is_empty() && task.notes().len() == 1);
    for (ours, theirs) in
        rows(same.as_ref(), same.eval()).into_iter().zip(rows(task.as_ref(), task.eval()))
    {
        assert_eq!(theirs.3, if ours.3 == lost { BLANK_NAME.to_owned() } else { ours.3 });
    }
}

/// Scores of a model whose output is `answer` of the labels and the position of a row.
fn scores(
    task: &dyn PuzzleTask,
    answer: impl Fn(&[u32], RowId) -> (Vec<u32>, f32),
) -> Vec<(&'static str, f64)> {
    let mut scorer = task.scorer();
    for (at, inputs, labels, _) in rows(task, task.eval()) {
        let (tokens, q_halt) = answer(&labels, at);
        let (inputs, labels) = (&inputs[..], &labels[..]);
        let (tokens, sampled) = (&tokens, None);
        scorer.add(Prediction { at, inputs, labels, tokens, sampled, q_halt }).unwrap();
    }
    scorer.finish().unwrap().scores
}

#[test]
fn an_export_is_scored_like_the_original_data() {
    type Model = fn(&[u32], RowId) -> (Vec<u32>, f32);
    let perfect: Model = |labels, _| (labels.to_vec(), 1.0);
    // Right for some versions and tasks, with varying confidence.
    let mixed: Model = |labels, at| {
        let mut tokens = labels.to_vec();
        let confidence = (at.group * 7 + at.version * 3) % 5;
        match (at.group + at.version * 2 + at.row) % 3 {
            0 => (tokens, confidence as f32 - 2.0),
            1 => {
                tokens[0] = 2 + (tokens[0] + 1) % 3;
                (tokens, confidence as f32 - 1.0)
            }
            _ => (vec![0; labels.len()], 0.0),
        }
    };
    for config in kinds() {
        let ours = config.open(&[]).unwrap();
        let (_guard, data) = exported(ours.as_ref());
        let theirs = config.open(&[data]).unwrap();
        for model in [perfect, mixed] {
            let want = scores(ours.as_ref(), model);
            assert_eq!(scores(theirs.as_ref(), model), want, "{}", config.name());
        }
        assert!(scores(theirs.as_ref(), perfect).iter().all(|(_, share)| *share == 1.0));
    }
}

/// The error of opening a data set after `damage` to its training split.
fn message_after(damage: impl Fn(&Path)) -> String {
    let (_guard, data) = by_hand();
    damage(&data.join("train"));
    let opened = config("sudoku", &[("board", 4)]).open(from_ref(&data));
    opened
        .err()
        .expect("the damage is detected")
        .to_string()
        .replace(data.to_str().unwrap(), "DATA")
}

#[test]
fn damaged_arrays_are_reported_with_their_file() {
    let array_message = |name: &str, bytes: &[u8]| {
        let file = format!("all__{name}.npy");
        let message = message_after(|train| fs::write(train.join(&file), bytes).unwrap());
        let place = format!("DATA/train/{file}: expected ");
        message.strip_prefix(&place).unwrap_or_else(|| panic!("{message}")).to_owned()
    };
    let cells = |id: u8, n_rows: usize| {
        array("|u1", &format!("({n_rows}, 16)"), std::iter::repeat_n([id], n_rows * 16))
    };
    let cases: [(&str, Vec<u8>, &str); 14] = [
        ("inputs", cells(6, 3), "token ids below 6, found 6 in row 0"),
        ("inputs", cells(1, 2), "shape of the labels"),
        ("labels", cells(6, 3), "token ids 1 to 5, or 0, found 6 in row 0"),
        ("labels", cells(1, 4), "shape [3, 16], found [4, 16]"),
        ("labels", array("|u1", "(3, 2)", [[1u8]; 6].into_iter()), "shape [3, 16], found [3, 2]"),
        ("puzzle_identifiers", ints(&[0, 1, 0]), "identifiers below 1, found 1 in row 1"),
        ("puzzle_identifiers", ints(&[0, -1, 0]), "identifiers below 1, found -1 in row 1"),
        (
            "puzzle_indices",
            ints(&[0, 1, 3]),
            "4 as the number of offsets, one more than puzzles, found 3",
        ),
        ("puzzle_indices", ints(&[1, 1, 2, 3]), "0 as the first offset, found 1"),
        ("puzzle_indices", ints(&[0, 2, 1, 3]), "an offset of at least 2 at index 2, found 1"),
        ("puzzle_indices", ints(&[0, 1, 2, 4]), "3 as the last offset, found 4"),
        ("group_indices", ints(&[0, 2, 2, 3]), "an offset of at least 3 at index 2, found 2"),
        ("group_indices", ints(&[0, 3]), "`total_groups`"),
        ("group_indices", ints(&[]), "at least one offset, found none"),
    ];
    for (name, bytes, want) in cases {
        match want {
            // Reported for another file.
            "shape of the labels" => {
                let message = message_after(|train| {
                    fs::write(train.join("all__inputs.npy"), &bytes).unwrap();
                });
                let want = "DATA/train/all__labels.npy: expected shape [2, 16], found [3, 16]";
                assert_eq!(message, want);
            }
            "`total_groups`" => {
                let message = message_after(|train| {
                    fs::write(train.join("all__group_indices.npy"), &bytes).unwrap();
                });
                let want = "DATA/train/dataset.json: `total_groups`: expected 1, the number of \
                            groups in the arrays, found 2";
                assert_eq!(message, want);
            }
            want => assert_eq!(array_message(name, &bytes), want),
        }
    }
}

#[test]
fn damaged_metadata_is_reported_with_its_field() {
    let metadata_message = |from: &str, to: &str| {
        let text = METADATA_TEXT.replace(from, to);
        assert_ne!(text, METADATA_TEXT);
        message_after(|train| fs::write(train.join(METADATA), &text).unwrap())
    };
    let place = "DATA/train/dataset.json: ";
    for (from, to, want) in [
        (r#""pad_id": 0"#, r#""pad_id": 1"#, "`pad_id`: expected 0, found 1"),
        (
            r#""blank_identifier_id": 0"#,
            r#""blank_identifier_id": 7"#,
            "`blank_identifier_id`: expected 0, found 7",
        ),
        (r#"["all"]"#, "[]", "`sets`: expected at least one set, found none"),
        (
            r#"["all"]"#,
            r#"["../all"]"#,
            "`sets`: expected plain file names of at most 200 bytes, found \"../all\"",
        ),
        (
            r#""num_puzzle_identifiers": 1"#,
            r#""num_puzzle_identifiers": 0"#,
            "`num_puzzle_identifiers`: expected 1 to 4294967295, found 0",
        ),
        (r#""seq_len": 16"#, r#""seq_len": 0"#, "`seq_len`: expected a positive number, found 0"),
        (
            r#""vocab_size": 6"#,
            r#""vocab_size": 0"#,
            "`vocab_size`: expected at least 2: padding and a token, found 0",
        ),
    ] {
        assert_eq!(metadata_message(from, to), format!("{place}{want}"));
    }
    let message = metadata_message(r#""pad_id": 0,"#, "");
    let want = format!("{place}expected the metadata of a data set, found missing field `pad_id`");
    assert!(message.starts_with(&want), "{message}");
    let message = message_after(|train| fs::write(train.join(METADATA), b"\xff\xfe").unwrap());
    assert!(message.starts_with(place), "{message}");
    // The test split alone is not enough to train on.
    let message = message_after(|train| fs::remove_file(train.join(METADATA)).unwrap());
    assert_eq!(message, "cannot read DATA/train/dataset.json");
    let message = message_after(|train| fs::remove_file(train.join("all__labels.npy")).unwrap());
    assert_eq!(message, "cannot read DATA/train/all__labels.npy");
    let message =
        message_after(|train| fs::write(train.join("../identifiers.json"), "[]").unwrap());
    let want = "DATA/identifiers.json: expected one name per puzzle identifier \
                (`num_puzzle_identifiers` is 1), found 0";
    assert_eq!(message, want);
    let message = message_after(|train| fs::write(train.join("../identifiers.json"), "{").unwrap());
    assert!(message.starts_with("DATA/identifiers.json: expected a list of names, found "));
    let message = message_after(|train| {
        let text = METADATA_TEXT.replace(r#""vocab_size": 6"#, r#""vocab_size": 7"#);
        fs::write(train.join(METADATA), text).unwrap();
    });
    let want = "DATA/test/dataset.json: expected seq_len 16, vocab_size 7, \
                num_puzzle_identifiers 1, as in the training split, found seq_len 16, \
                vocab_size 6, num_puzzle_identifiers 1";
    assert_eq!(message, want);
}

#[cfg(unix)]
#[test]
fn unreadable_files_are_reported_with_their_path() {
    use std::os::unix::fs::symlink;
    for name in ["all__inputs.npy", "all__group_indices.npy"] {
        let message = message_after(|train| {
            fs::remove_file(train.join(name)).unwrap();
            symlink(train.join(name), train.join(name)).unwrap();
        });
        assert_eq!(message, format!("cannot read DATA/train/{name}"));
    }
    let message = message_after(|train| {
        fs::remove_file(train.join("all__inputs.npy")).unwrap();
        fs::create_dir(train.join("all__inputs.npy")).unwrap();
    });
    assert_eq!(message, "cannot read DATA/train/all__inputs.npy");
}

proptest::proptest! {
    /// Files with flipped bits are rejected, or give rows of valid token ids.
    #[test]
    fn flipped_bits_are_rejected_or_give_valid_rows(
        file in 0usize..6,
        flips in proptest::collection::vec((0usize..500, proptest::prelude::any::<u8>()), 1..4),
    ) {
        const NAMES: [&str; 6] = [
            "all__inputs.npy", "all__labels.npy", "all__puzzle_identifiers.npy",
            "all__puzzle_indices.npy", "all__group_indices.npy", "dataset.json",
        ];
        let (_guard, data) = by_hand();
        let path = data.join("train").join(NAMES[file]);
        let mut bytes = fs::read(&path).unwrap();
        for (place, flip) in flips {
            let place = place % bytes.len();
            bytes[place] ^= flip;
        }
        fs::write(&path, bytes).unwrap();
        if let Ok(task) = config("sudoku", &[("board", 4)]).open(&[data]) {
            for (_, inputs, labels, _) in rows(task.as_ref(), task.train()) {
                proptest::prop_assert!(inputs.iter().chain(&labels).all(|id| *id < 6));
            }
        }
    }

    /// A file that changes after it was checked gives valid rows and no panic.
    #[test]
    fn changes_after_opening_do_not_cause_a_panic(
        file in 0usize..5,
        value in proptest::prelude::any::<i32>(),
        place in 0usize..4,
    ) {
        const NAMES: [&str; 5] = [
            "all__inputs.npy", "all__labels.npy", "all__puzzle_identifiers.npy",
            "all__puzzle_indices.npy", "all__group_indices.npy",
        ];
        use std::io::{Seek, SeekFrom, Write};
        let (_guard, data) = by_hand();
        let path = data.join("train").join(NAMES[file]);
        let task = config("sudoku", &[("board", 4)]).open(&[data]).unwrap();
        let at: Vec<RowId> = task.train().row_ids().collect();
        let mut open = fs::File::options().write(true).open(path).unwrap();
        open.seek(SeekFrom::End(-4 * (place as i64 + 1))).unwrap();
        open.write_all(&value.to_le_bytes()).unwrap();
        let (mut inputs, mut labels, mut puzzle_id) = (vec![99; 16], vec![99; 16], 99);
        for at in at {
            let row =
                RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
            task.train().write(at, row);
            proptest::prop_assert!(inputs.iter().chain(&labels).all(|id| *id < 6));
            proptest::prop_assert!(puzzle_id < 1);
        }
    }
}

#[test]
fn data_for_trm_have_its_names_and_files() {
    let arc = &kinds()[0];
    let task = arc.open(&[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [hrm, trm] = [("hrm", Dialect::Hrm), ("trm", Dialect::Trm)].map(|(name, dialect)| {
        let out = folder.path().join(name);
        export(task.as_ref(), dialect, &out, |_| ()).unwrap();
        out
    });
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    let names: Vec<String> = serde_json::from_str(&text(&trm.join(IDENTIFIERS))).unwrap();
    assert!(names.iter().any(|name| name.contains("|||t")), "{names:?}");
    assert_eq!(text(&hrm.join(IDENTIFIERS)), text(&trm.join(IDENTIFIERS)).replace("|||", "_"));
    let metadata: serde_json::Value =
        serde_json::from_str(&text(&trm.join("test/dataset.json"))).unwrap();
    let n_puzzles: usize = (0..task.eval().n_groups()).map(|at| task.eval().n_versions(at)).sum();
    assert_eq!(metadata["total_puzzles"], n_puzzles);
    assert!(!text(&hrm.join("test/dataset.json")).contains("total_puzzles"));
    let scored: serde_json::Value =
        serde_json::from_str(&text(&trm.join("test_puzzles.json"))).unwrap();
    assert_eq!(scored.as_object().unwrap().len(), 4);
    assert!(!hrm.join("test_puzzles.json").exists());

    // Both are the same data: versions vote on their tasks, and a model trained on one knows
    // the names of the other.
    assert_eq!(import(&trm, None).unwrap(), import(&hrm, None).unwrap());
    let known = arc.open(from_ref(&hrm)).unwrap().identifiers().to_vec();
    let task = arc.open_for_eval(from_ref(&trm), &known).unwrap();
    assert_eq!(task.unknown_names().map(|names| names.n_unknown), Some(0));
    let documents = |task: &dyn PuzzleTask| {
        let mut scorer = task.scorer();
        for at in task.eval().row_ids() {
            let (mut inputs, mut labels) = (vec![0; task.n_cells()], vec![0; task.n_cells()]);
            let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut 0 };
            task.eval().write(at, row);
            let predicted = Prediction {
                at,
                inputs: &inputs,
                labels: &labels,
                tokens: &labels,
                sampled: None,
                q_halt: 1.0,
            };
            scorer.add(predicted).unwrap();
        }
        format!("{:?}", scorer.finish().unwrap())
    };
    let own = arc.open(from_ref(&hrm)).unwrap();
    assert_eq!(documents(task.as_ref()), documents(own.as_ref()));
    let foreign = ["<blank>", "x", "y"].map(str::to_owned);
    let unknown = arc.open_for_eval(from_ref(&trm), &foreign).unwrap().unknown_names().unwrap();
    assert_eq!((unknown.n_unknown, unknown.n_names), (known.len() - 1, known.len() - 1));

    let path = trm.join("test/dataset.json");
    let wrong =
        text(&path).replace(&format!("\"total_puzzles\":{n_puzzles}"), "\"total_puzzles\":3");
    fs::write(&path, wrong).unwrap();
    let err = arc.open(from_ref(&trm)).err().unwrap().to_string();
    let want = format!(
        "`total_puzzles`: expected {n_puzzles}, the number of puzzles in the arrays, found 3"
    );
    assert!(err.ends_with(&want), "{err}");
}

#[test]
fn several_prepared_folders_are_one_data_set() {
    let task = |config: &TaskConfig| config.open(&[]).unwrap();
    let arc = |seed| {
        config("arc", &[("n_train", 3), ("n_eval", 2), ("augmentations", 2), ("seed", seed)])
    };
    let sources = [arc(1), arc(2)];
    let folders = [exported(task(&sources[0]).as_ref()), exported(task(&sources[1]).as_ref())];
    let paths = folders.each_ref().map(|(_, path)| path.clone());
    let both = sources[0].open(&paths).unwrap();
    let each = paths.each_ref().map(|path| sources[0].open(from_ref(path)).unwrap());
    for side in [
        |task: &dyn PuzzleTask| rows(task, task.train()),
        |task: &dyn PuzzleTask| rows(task, task.eval()),
    ] {
        let without_place = |task: &dyn PuzzleTask| -> Vec<_> {
            side(task).into_iter().map(|(_, inputs, labels, name)| (inputs, labels, name)).collect()
        };
        let want = [without_place(each[0].as_ref()), without_place(each[1].as_ref())].concat();
        assert!(!want.is_empty());
        assert_eq!(without_place(both.as_ref()), want);
    }
    // A name that both have is one identifier.
    let mut names = both.identifiers().to_vec();
    names.sort();
    let n_names = names.len();
    names.dedup();
    assert_eq!(names.len(), n_names);

    let (_guard, boards) = by_hand();
    let err = sources[0].open(&[paths[0].clone(), boards.clone()]).err().unwrap().to_string();
    let want = format!(
        "{}: expected seq_len 9, vocab_size 12, as in {}, found seq_len 16, vocab_size 6",
        boards.display(),
        paths[0].display()
    );
    assert_eq!(err, want);
}

#[test]
fn a_split_among_several_folders_is_the_side_that_its_name_says() {
    let sudoku = |seed| config("sudoku", &[("n_train", 3), ("n_eval", 2), ("seed", seed)]);
    let [(_a, a), (_b, b)] = [1, 2].map(|seed| exported(sudoku(seed).open(&[]).unwrap().as_ref()));
    let kind = sudoku(1);
    let n = |data: &[PathBuf]| {
        let task = kind.open(data).unwrap();
        (task.train().n_groups(), task.eval().n_groups())
    };
    let [a_train, a_test] = ["train", "test"].map(|side| a.join(side));
    let [b_train, b_test] = ["train", "test"].map(|side| b.join(side));
    assert_eq!(n(&[a.clone(), b_train.clone()]), (6, 2));
    assert_eq!(n(&[a.clone(), b_test.clone()]), (3, 4));
    assert_eq!(n(&[a_train.clone(), b_train.clone()]), (6, 0));
    assert_eq!(n(&[a_train, b_test.join("."), a_test]), (3, 4));
    assert_eq!(n(&[b_test.join("../train"), b_test.clone()]), (3, 2));
    // Data that are named for evaluation are evaluated.
    assert_eq!(kind.open_for_eval(&[a.clone(), b_train], &[]).unwrap().eval().n_groups(), 5);
    assert_eq!(import(&b_test.join("."), Some("sudoku")).unwrap().files[0].0, "test.csv");

    // A damaged side is an error, as it is alone.
    fs::remove_file(b_test.join(METADATA)).unwrap();
    let want = format!("cannot read {}", b_test.join(METADATA).display());
    for data in [&[b.clone()][..], &[a, b]] {
        assert_eq!(kind.open(data).err().unwrap().to_string(), want);
    }
}

#[test]
fn rows_on_both_sides_are_leaks() {
    let (_guard, data) = by_hand();
    let task = config("sudoku", &[("board", 4)]).open(&[data]).unwrap();
    let leaks = task.leaks();
    let found: Vec<_> = leaks.iter().map(|leak| (&*leak.eval, &*leak.train, leak.why)).collect();
    let why = "the same question and answer";
    let want = [0, 1].map(|group| {
        ["test", "train"].map(|side| format!("{side} group {group}, version 0, row 0"))
    });
    assert_eq!(found, want.each_ref().map(|[eval, train]| (&**eval, &**train, why)));
    // Only rows of the other side count.
    let (_guard, other) = exported(config("sudoku", &[("seed", 5)]).open(&[]).unwrap().as_ref());
    assert_eq!(config("sudoku", &[]).open(&[other]).unwrap().leaks(), []);
}

#[test]
fn arrays_of_nano_trm_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write_split = |name: &str, metadata: &str| {
        let split = folder.path().join(name);
        fs::create_dir_all(&split).unwrap();
        fs::write(split.join(METADATA), metadata).unwrap();
        let ids = |text: &str| text.bytes().map(|digit| [digit - b'0' + 2]).collect::<Vec<_>>();
        let inputs = [ids(QUESTION), ids(OTHER_QUESTION)].concat();
        let labels = [ids(ANSWER), ids(ANSWER)].concat();
        let write = |name: &str, bytes: Vec<u8>| fs::write(split.join(name), bytes).unwrap();
        write("all__inputs.npy", array("|u1", "(2, 16)", inputs.into_iter()));
        write("all__labels.npy", array("|u1", "(2, 16)", labels.into_iter()));
        write("all__puzzle_identifiers.npy", ints(&[0, 0]));
    };
    let metadata = r#"{"num_puzzles": 2, "grid_size": 4, "max_grid_size": 4, "min_givens": 4,
        "max_givens": 14, "seq_len": 16, "vocab_size": 7}"#;
    ["train", "val", "test"].iter().for_each(|name| write_split(name, metadata));
    let data = [folder.path().to_owned()];
    let config = config("sudoku", &[]).fitted_to(&data).unwrap();
    let task = config.open(&data).unwrap();
    let ids = |text: &str| board_ids(text).into_iter().map(u32::from).collect::<Vec<_>>();
    for examples in [task.train(), task.eval()] {
        let rows = rows(task.as_ref(), examples);
        assert_eq!((&rows[0].1, &rows[0].2), (&ids(QUESTION), &ids(ANSWER)));
        assert_eq!((&rows[1].1, &rows[1].2), (&ids(OTHER_QUESTION), &ids(ANSWER)));
    }
    assert!(task.notes()[0].contains("`val` is passed over"), "{:?}", task.notes());
    assert_eq!(import(&data[0], Some("sudoku")).unwrap().notes, task.notes());

    let message = |metadata: &str| {
        write_split("train", metadata);
        config.open(&data).err().unwrap().to_string()
    };
    let padded = metadata.replace("\"max_grid_size\": 4", "\"max_grid_size\": 9");
    let err = message(&padded);
    assert!(err.ends_with("`grid_size`: expected 9, as `max_grid_size`, found 4"), "{err}");
    let err = message(&metadata.replace("\"num_puzzles\": 2", "\"num_puzzles\": 5"));
    assert!(err.ends_with("expected 2, the number of puzzles in the arrays, found 5"), "{err}");
    let err = message("{}");
    assert!(err.contains("missing field"), "{err}");
}
