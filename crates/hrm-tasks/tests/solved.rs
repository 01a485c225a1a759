//! The picture at the top of the readme: test puzzles that models of the tiny presets
//! (seed 0) solved, the first of each kind.
//! `HRM_UPDATE=1 cargo test -p hrm-tasks --test solved` renders it again.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use hrm_puzzles::picture::{Picture, PuzzlePicture};
use hrm_tasks::{RunConfig, TokenView};

/// Kind, caption, question, and the answer of the model.
const SOLVED: [(&str, &str, &str, &str); 3] = [
    ("sudoku", "Sudoku, after 4 segments", "12..34.1.1344312", "1243342121344312"),
    (
        "maze",
        "Maze, after 2 segments",
        "#   # S # G#### #  ## # #### ##    #",
        "#ooo# So#oG#### #  ## # #### ##    #",
    ),
    ("arc", "ARC, after 2 segments", "090909000", "888808888"),
];

#[test]
fn the_picture_of_the_readme_is_drawn_by_this_code() {
    let puzzles = SOLVED.map(|(kind, caption, question, answer)| {
        let task = RunConfig::preset(kind, "tiny").unwrap().task;
        let task = task.with_cells(question.len()).unwrap();
        let ids = |text| task.puzzle_kind().vocabulary().encode(text, kind).unwrap();
        let (inputs, labels) = (ids(question), ids(answer));
        assert_eq!(inputs.len(), labels.len(), "{kind}");
        let panels = task.puzzle_kind().panels(&TokenView {
            inputs: &inputs,
            prediction: None,
            labels: &labels,
        });
        PuzzlePicture { caption: caption.to_owned(), panels }
    });
    let picture = Picture { puzzles: puzzles.into(), n_columns: Some(1), ..Picture::default() };
    let drawn = picture.to_svg();

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/solved.svg");
    if std::env::var_os("HRM_UPDATE").is_some() {
        std::fs::write(&path, &drawn).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(stored == drawn, "docs/solved.svg is not up to date: see the top of this file");
}
