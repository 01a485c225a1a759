//! Properties of every kind of puzzle.

use hrm_puzzles::picture::{Panel, Picture, PuzzlePicture};
use hrm_puzzles::{Style, Verdict};
use hrm_train::task::RowMut;
use proptest::prelude::*;

use crate::{ModelOutput, PuzzleKind, RunConfig, TaskConfig, TokenView, answer_with_givens};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any ids, any number of them, and any size of puzzle.
    #[test]
    fn no_input_makes_a_kind_panic(
        slices in prop::collection::vec(prop::collection::vec(any_id(), 0..120), 3),
        has_prediction in any::<bool>(),
        side in prop_oneof![0usize..40, Just(usize::MAX)],
    ) {
        for name in TaskConfig::NAMES {
            let mut task = RunConfig::preset(name, "tiny").unwrap().task;
            match &mut task {
                TaskConfig::Arc(config) => config.canvas = side,
                TaskConfig::Maze(config) => config.side = side,
                TaskConfig::Sudoku(config) => config.board = side,
                TaskConfig::Grid(_) | TaskConfig::Binairo(_) => {}
            }
            let prediction = has_prediction.then_some(slices[1].as_slice());
            let view = TokenView { inputs: &slices[0], prediction, labels: &slices[2] };
            let panels = task.puzzle_kind().panels(&view);
            prop_assert_eq!(panels.len(), 2 + usize::from(has_prediction));
            let n_marked = panels.iter().flat_map(Panel::cells).filter(|cell| cell.is_wrong);
            prop_assert!(n_marked.count() <= view.n_wrong());
            let puzzles = vec![PuzzlePicture { caption: String::new(), panels }];
            let svg = Picture { puzzles, ..Picture::default() }.to_svg();
            prop_assert!(roxmltree::Document::parse(&svg).is_ok());
        }
    }
}

fn any_id() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0u32..14, 1 => any::<u32>()]
}

#[test]
fn every_kind_marks_exactly_the_wrong_cells() {
    for name in TaskConfig::NAMES {
        let mut task = RunConfig::preset(name, "tiny").unwrap().task;
        if let TaskConfig::Arc(config) = &mut task {
            (config.n_train, config.n_eval) = (3, 3);
        }
        let kind: &dyn PuzzleKind = task.puzzle_kind();
        // The kind `grid` has no generator.
        let Ok(data) = kind.open(&[]) else { continue };
        let at = data.eval().row_ids().next().unwrap();
        let (mut inputs, mut labels) = (vec![0; data.n_cells()], vec![0; data.n_cells()]);
        let mut puzzle_id = 0;
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        data.eval().write(at, row);
        // The question as an answer is wrong in every cell that has to be solved.
        let view = TokenView { inputs: &inputs, prediction: Some(&inputs), labels: &labels };
        let marked = |view: &TokenView<'_>| {
            let panels = kind.panels(view);
            let marks = panels.iter().map(|p| p.cells().iter().filter(|c| c.is_wrong).count());
            marks.collect::<Vec<_>>()
        };
        assert!(view.n_wrong() > 0, "{name}");
        assert_eq!(marked(&view), [0, view.n_wrong(), 0], "{name}");
        let right = TokenView { prediction: Some(&labels), ..view };
        assert_eq!(marked(&right), [0, 0, 0], "{name}");
    }
}

#[test]
fn rows_are_counted_without_a_walk_over_them() {
    for name in ["arc", "binairo", "maze", "sudoku"] {
        let mut task = RunConfig::preset(name, "tiny").unwrap().task;
        match &mut task {
            TaskConfig::Arc(config) => config.augmentations = 3,
            TaskConfig::Sudoku(config) => config.augmentations = 3,
            _ => {}
        }
        let data = task.open(&[]).unwrap();
        for examples in [data.train(), data.eval()] {
            assert_eq!(examples.n_rows_total(), examples.row_ids().count() as u64, "{name}");
        }
    }
}

#[test]
fn an_answer_keeps_exactly_what_the_question_gives() {
    // The ids that stand for a cell to be filled.
    for (name, blank) in [("binairo", 2), ("maze", 2), ("sudoku", 1)] {
        let task = RunConfig::preset(name, "tiny").unwrap().task;
        let kind = task.puzzle_kind();
        let data = kind.open(&[]).unwrap();
        let at = data.eval().row_ids().next().unwrap();
        let (mut inputs, mut labels) = (vec![0; data.n_cells()], vec![0; data.n_cells()]);
        let mut puzzle_id = 0;
        let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
        data.eval().write(at, row);
        let text = kind.vocabulary().decode(&inputs);
        let text = if name == "binairo" { in_rows(&text) } else { text };
        let query = &kind.parse_queries(&text, "test", &[]).unwrap()[0];
        let output =
            |tokens: &[u32]| ModelOutput { tokens: tokens.to_vec(), q_halt: 0.0, n_segments: 1 };

        // Right where the question is blank, and wrong everywhere else.
        let is_given = |cell: usize| inputs[cell] != blank;
        let changed: Vec<u32> = (0..inputs.len())
            .map(|cell| if is_given(cell) { blank } else { labels[cell] })
            .collect();
        let outputs = [output(&changed)];
        assert!(matches!(query.answer(&outputs, Style::Plain).verdict, Verdict::Invalid(_)));
        let (answer, n_changed) = answer_with_givens(query.as_ref(), &outputs, Style::Plain);
        assert_eq!(answer.verdict, Verdict::Valid, "{name}");
        assert_eq!(n_changed, (0..inputs.len()).filter(|cell| is_given(*cell)).count(), "{name}");

        // Blank cells stay as the model fills them.
        let outputs = [output(&inputs)];
        let (answer, n_changed) = answer_with_givens(query.as_ref(), &outputs, Style::Plain);
        assert_eq!((answer.text, n_changed), (answer.puzzle, 0), "{name}");
    }
}

/// A square of characters, one line per row.
fn in_rows(text: &str) -> String {
    let symbols: Vec<char> = text.chars().collect();
    let rows = symbols.chunks(symbols.len().isqrt());
    rows.map(|row| row.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
}
