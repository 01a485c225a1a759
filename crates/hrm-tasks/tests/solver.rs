//! Opening a checkpoint folder, and solving puzzles given as text.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use hrm_core::candle_core::Device;
use hrm_core::{Hrm, HrmConfig};
use hrm_tasks::{Checkpoint, CheckpointError, RunConfig, SolveError, Solver, TaskRecord};

/// Saves an untrained model of the `tiny` preset of a task; `seed` decides its weights.
fn save(task: &str, seed: u64, folder: &Path, change: impl FnOnce(&mut HrmConfig)) {
    let RunConfig { task, model, .. } = RunConfig::preset(task, "tiny").unwrap();
    let model = Hrm::seeded(model.with(change), seed, &Device::Cpu).unwrap();
    model.save(folder).unwrap();
    let record = TaskRecord { task, data: Vec::new() };
    record.write(folder, &["<blank>".to_owned()]).unwrap();
}

#[test]
fn a_checkpoint_folder_solves_text() {
    let folder = tempfile::tempdir().unwrap();
    save("sudoku", 1, folder.path(), |_| ());
    let solver = Solver::open(folder.path()).unwrap();
    let (one, other) = ("1..........3....", ".2............4.");
    let answers = solver.solve(&format!("{one}\n{other}\n")).unwrap();
    assert_eq!(answers.len(), 2);
    for (answer, question) in answers.iter().zip([one, other]) {
        assert_eq!((answer.puzzle.as_str(), answer.text.chars().count()), (question, 16));
        assert!(answer.drawing.ends_with('\n'));
        let n_max = solver.checkpoint().model.n_segments_max().get();
        assert!((1..=n_max).contains(&answer.n_segments));
    }
    // The answer to a puzzle does not depend on the puzzles beside it.
    let alone = solver.solve(other).unwrap();
    assert_eq!(alone, answers[1..]);
    // Other weights give another answer.
    let again = tempfile::tempdir().unwrap();
    save("sudoku", 2, again.path(), |_| ());
    assert_ne!(Solver::open(again.path()).unwrap().solve(other).unwrap(), alone);
}

#[test]
fn text_that_is_not_a_puzzle_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    save("maze", 1, folder.path(), |_| ());
    let solver = Solver::open(folder.path()).unwrap();
    let err = solver.solve("S..G").unwrap_err();
    assert!(matches!(err, SolveError::Puzzle(_)), "{err:?}");
    assert_eq!(
        err.to_string(),
        "puzzle:1: expected 36 characters for side 6, found 4, as for side 2"
    );
}

#[test]
fn checkpoints_with_inconsistent_files_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Checkpoint::open(folder.path(), &Device::Cpu).unwrap_err();
    assert!(matches!(open(), CheckpointError::Folder(_)));
    save("sudoku", 1, folder.path(), |config| config.input.n_puzzle_ids = 3);
    let err = open();
    assert!(matches!(err, CheckpointError::Sizes { model: (6, 3), files: (6, 1), .. }), "{err:?}");
    let want = "vocabulary size and number of puzzle identifiers are 6 and 3 in the model, 6 and 1 \
                in the files beside it";
    assert!(err.to_string().ends_with(want), "{err}");
    let maze = RunConfig::preset("maze", "tiny").unwrap().task;
    let text = serde_json::to_string(&TaskRecord { task: maze, data: Vec::new() }).unwrap();
    std::fs::write(folder.path().join("task.json"), text).unwrap();
    assert!(matches!(open(), CheckpointError::OtherVocabulary { task: "maze", .. }));
}
