//! Settings, data, versions and scores of mazes.

use super::*;
use crate::traits::tests::generated;
use crate::{DataSource, Generate, ModelOutput, PuzzleTask, Queries};
use hrm_puzzles::maze::shortest_path;
use hrm_train::task::{BLANK_PUZZLE, Examples, Prediction, RowId, RowMut};
use proptest::prelude::*;
use std::collections::HashSet;
use std::path::Path;

fn config() -> MazeConfig {
    MazeConfig {
        side: 6,
        width: 0,
        min_path: 8,
        augment: MazeAugment::Dihedral,
        seed: 1,
        n_train: 20,
        n_eval: 10,
        held_out: 0.0,
        table_columns: String::new(),
        symbols: String::new(),
    }
}

/// Input and label of one row.
fn row(examples: &dyn Examples, n_cells: usize, at: RowId) -> (Vec<u32>, Vec<u32>) {
    let (mut inputs, mut labels, mut puzzle_id) = (vec![99; n_cells], vec![99; n_cells], 99);
    let row = RowMut { inputs: &mut inputs, labels: &mut labels, puzzle_id: &mut puzzle_id };
    examples.write(at, row);
    assert_eq!(puzzle_id, BLANK_PUZZLE);
    (inputs, labels)
}

fn rows(examples: &dyn Examples) -> Vec<(Vec<u32>, Vec<u32>)> {
    examples.row_ids().map(|at| row(examples, 36, at)).collect()
}

/// A file of `n` generated mazes of side 6.
fn file(folder: &Path, name: &str, n: usize, seed: u64) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, generated(&config(), n, seed).unwrap()).unwrap();
    path
}

fn sizes(task: &dyn PuzzleTask) -> (usize, usize) {
    (task.train().n_groups(), task.eval().n_groups())
}

#[test]
fn settings_out_of_range_are_rejected() {
    let refused = |change: fn(&mut MazeConfig), want: &str| {
        let mut config = config();
        change(&mut config);
        assert_eq!(config.open(&[]).err().unwrap().to_string(), want);
    };
    refused(|c| c.side = 1, "task.side must be 2 to 100, found 1");
    refused(|c| c.side = 101, "task.side must be 2 to 100, found 101");
    refused(|c| c.width = 1, "task.width must be 2 to 100, found 1");
    refused(|c| c.width = 101, "task.width must be 2 to 100, found 101");
    refused(
        |c| c.symbols = "wall".to_owned(),
        "task.symbols must be the names wall, free, start, goal and path with their characters, \
         e.g. wall=#,free=._, found \"wall\"",
    );
    refused(|c| c.min_path = 1, "task.min_path must be 2 to 26 for side 6, found 1");
    refused(|c| c.n_train = 1_000_001, "task.n_train must be at most 1000000, found 1000001");
    refused(|c| c.n_eval = 1_000_001, "task.n_eval must be at most 1000000, found 1000001");
    let range = "task.held_out must be at least 0 and less than 1, found";
    refused(|c| c.held_out = 1.0, &format!("{range} 1"));
    refused(|c| c.held_out = f64::NAN, &format!("{range} NaN"));

    let text = serde_json::to_string(&config()).unwrap();
    assert!(text.contains(r#""augment":"dihedral""#), "{text}");
    assert_eq!(serde_json::from_str::<MazeConfig>(&text).unwrap(), config());
    // Settings on disk that are older than these two.
    let older = text.replace(r#""width":0,"#, "").replace(r#","symbols":"""#, "");
    assert!(older.len() < text.len() - 20, "{older}");
    assert_eq!(serde_json::from_str::<MazeConfig>(&older).unwrap(), config());
    let misspelt = text.replace("held_out", "heldout");
    assert!(serde_json::from_str::<MazeConfig>(&misspelt).is_err());
}

#[test]
fn too_few_distinct_mazes_are_reported() {
    let config = MazeConfig { side: 2, min_path: 2, n_eval: 50, ..config() };
    let message = config.open(&[]).err().unwrap().to_string();
    let want = "task.n_eval must be at most the number of distinct puzzles, found 50";
    assert!(message.starts_with(want), "{message}");
}

#[test]
fn built_in_sides_are_disjoint_and_reproducible() {
    let task = config().open(&[]).unwrap();
    assert_eq!((task.name(), task.vocab_size(), task.n_cells()), ("maze", 6, 36));
    assert_eq!((task.n_puzzle_ids(), task.identifiers()), (1, &["<blank>".to_owned()][..]));
    assert_eq!(sizes(task.as_ref()), (20, 10));
    assert_eq!((task.train().n_versions(0), task.eval().n_versions(0)), (8, 1));

    let train: HashSet<_> = rows(task.train()).into_iter().collect();
    assert!(rows(task.eval()).iter().all(|row| !train.contains(row)));
    assert!(task.notes().is_empty());

    assert_eq!(rows(config().open(&[]).unwrap().train()), rows(task.train()));
    let for_eval = config().open_for_eval(&[], &[]).unwrap();
    assert_eq!(sizes(for_eval.as_ref()), (0, 10));
    assert_eq!(rows(for_eval.eval()), rows(task.eval()));
    let other = MazeConfig { seed: 2, ..config() }.open(&[]).unwrap();
    assert_ne!(rows(other.train()), rows(task.train()));
}

/// A maze of side 6.
fn parsed(text: &str) -> Result<Maze, hrm_puzzles::PuzzleError> {
    Maze::parse(text, Size::new(6, 6).unwrap(), &Symbols::default(), "test")
}

#[test]
fn every_version_is_labelled_with_its_own_shortest_path() {
    let task = config().open(&[]).unwrap();
    for at in task.train().row_ids() {
        let (inputs, labels) = row(task.train(), 36, at);
        let maze = parsed(&vocabulary().decode(&inputs)).unwrap();
        let mut want = vec![0; 36];
        encode(&maze, &shortest_path(&maze).unwrap(), &mut want);
        assert_eq!(labels, want);
        let original = row(task.train(), 36, RowId { version: 0, ..at }).0;
        let original = parsed(&vocabulary().decode(&original)).unwrap();
        assert_eq!(maze, original.turned(Dihedral::ALL[at.version]));
    }
}

#[test]
fn test_files_are_kept_out_of_training() {
    let folder = tempfile::tempdir().unwrap();
    let train = file(folder.path(), "train.csv", 12, 1);
    let more = file(folder.path(), "more.csv", 5, 2);
    let config = MazeConfig { held_out: 0.25, augment: MazeAugment::None, ..config() };
    let opened = |paths: &[&Path]| {
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
        let task = config.open(&paths).unwrap();
        let (train, eval) = (rows(task.train()), rows(task.eval()));
        assert!(eval.iter().all(|row| !train.contains(row)));
        (train.len(), eval.len())
    };
    let for_eval =
        |path: &Path| sizes(config.open_for_eval(&[path.to_path_buf()], &[]).unwrap().as_ref());
    assert_eq!(opened(&[&train]), (9, 3));
    assert_eq!(opened(&[folder.path(), &more]), (13, 4));
    assert_eq!(for_eval(folder.path()), (0, 12));
    file(folder.path(), "test.csv", 3, 3);
    assert_eq!(opened(&[folder.path(), &more]), (17, 3));
    assert_eq!(for_eval(folder.path()), (0, 3));
    assert_eq!(for_eval(&more), (0, 5));
    let other = MazeConfig { side: 9, width: 2, ..config.clone() };
    assert_eq!(other.clone().fitted_to(&[more]).unwrap().side, 6);
    assert_eq!(other.clone().fitted_to(&[]).unwrap(), other);
}

#[test]
fn mazes_on_both_sides_are_leaks() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "train.csv", 3, 1);
    file(folder.path(), "test.csv", 2, 1);
    let task = config().open(&[folder.path().to_path_buf()]).unwrap();
    assert_eq!(task.leaks().iter().map(|leak| leak.why).collect::<Vec<_>>(), ["the same"; 2]);
    assert_eq!(task.notes(), [""; 0], "whoever opens the data says so");
}

/// The error of opening a file with one record of side 3; empty if there is none.
fn message(question: &str, answer: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let text = format!("source,question,answer,rating\nx,{question},{answer},1\n");
    std::fs::write(&path, text).unwrap();
    let opened = MazeConfig { side: 3, ..config() }.open(std::slice::from_ref(&path));
    let message = opened.err().map_or_else(String::new, |err| err.to_string());
    message.replace(&path.display().to_string(), "a.csv")
}

#[test]
fn any_shortest_path_is_an_answer() {
    assert_eq!(message("S   #   G", "Soo #o  G"), "");
    assert_eq!(message("S   #   G", "S  o# ooG"), "");
    // Spaces at the ends of a field are cells.
    assert_eq!(message("   SG    ", "   SG    "), "");
}

#[test]
fn records_that_are_not_mazes_are_rejected() {
    let question = |text: &str| message(text, "");
    let field = "a.csv:2: field `question`: expected";
    assert_eq!(
        question("SG  "),
        format!("{field} 9 characters for side 3, found 4, as for side 2")
    );
    assert_eq!(question("SG#######S"), format!("{field} 9 characters for side 3, found 10"));
    assert_eq!(
        question("S   o   G"),
        format!(
            "{field} '#', ' ', 'S' or 'G', found 'o' at row 2, column 2, which marks a path; leave \
             the answer out of the question"
        )
    );
    assert_eq!(
        question("S   x   G"),
        format!(
            "{field} '#', ' ', 'S' or 'G', found 'x' at row 2, column 2; say what it stands for, \
             e.g. --symbols free=x"
        )
    );
    assert_eq!(question("    G    "), format!("{field} one 'S', found none"));

    let answer = |text: &str| message("S   #   G", text);
    let field = "a.csv:2: field `answer`: expected";
    assert_eq!(answer("Soo"), format!("{field} 9 characters, found 3"));
    assert_eq!(
        answer("Soo #x  G"),
        format!(
            "{field} '#', ' ', 'S', 'G' or 'o', found 'x' at row 2, column 3; say what it stands \
             for, e.g. --symbols path=x"
        )
    );
    let path = format!("{field} the maze with a path, found");
    assert_eq!(
        answer("Soo oo  G"),
        format!("{path} the answer changes the maze at row 2, column 2")
    );
    assert_eq!(answer("S   #   G"), format!("{path} the path breaks off at row 1, column 1"));
    assert_eq!(
        message("S   # G  ", "Soo #oGoo"),
        format!("{field} a path with the fewest moves (2), found 6 moves")
    );
    assert_eq!(
        message("S# ## ##G", "S# ##o##G"),
        format!("{field} a path, found a goal that cannot be reached")
    );
}

#[test]
fn scores_follow_the_rules_and_not_the_label() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let rows = "x,S   # G  ,S  o# G  ,2\nx,S   #   G,Soo #o  G,4\n";
    std::fs::write(&path, format!("source,question,answer,rating\n{rows}")).unwrap();
    let task = MazeConfig { side: 3, ..config() }.open_for_eval(&[path], &[]).unwrap();
    let scores = |answers: &[(usize, &str)]| {
        let mut scorer = task.scorer();
        for (group, answer) in answers {
            let tokens = vocabulary().encode(answer, "test").unwrap();
            let at = RowId { group: *group, version: 0, row: 0 };
            let (inputs, labels) = row(task.eval(), 9, at);
            let predicted = Prediction {
                at,
                inputs: &inputs,
                labels: &labels,
                tokens: &tokens,
                sampled: None,
                q_halt: 0.0,
            };
            scorer.add(predicted).unwrap();
        }
        scorer.finish().unwrap().scores
    };
    assert_eq!(scores(&[]), [("valid", 0.0), ("shortest", 0.0)]);
    // A detour, and a shortest path that differs from the label.
    let both = [(0, "Soo #oGoo"), (1, "S  o# ooG")];
    assert_eq!(scores(&both), [("valid", 1.0), ("shortest", 0.5)]);
    let broken = [(0, "S   # G  "), (1, "S__o# ooG")];
    assert_eq!(scores(&broken), [("valid", 0.0), ("shortest", 0.0)]);
}

#[test]
fn settings_adapt_to_the_number_of_cells() {
    let paper = MazeConfig { side: 30, min_path: 110, ..config() };
    let adapted = |n_cells| {
        let config = paper.clone().with_cells(n_cells).unwrap();
        (config.side, config.min_path)
    };
    assert_eq!(adapted(900), (30, 110));
    assert_eq!(adapted(1600), (40, 110));
    assert_eq!(adapted(100), (10, 12));
    assert_eq!(adapted(4), (2, 2));
    let ambitious = MazeConfig { min_path: 140, ..paper.clone() };
    assert_eq!(ambitious.with_cells(900).unwrap().min_path, 140);
    for n_cells in [0, 1, 5, 899, 101 * 101, usize::MAX] {
        let message = paper.clone().with_cells(n_cells).unwrap_err().to_string();
        assert_eq!(message, format!("task.side must be 2 to 100 ({SHAPE}), found {n_cells} cells"));
    }
    // A number of cells does not change a stated shape that has it.
    let wide = MazeConfig { side: 4, width: 9, ..paper };
    let shape = |n_cells| {
        let config = wide.clone().with_cells(n_cells).unwrap();
        (config.side, config.width, config.n_cells())
    };
    assert_eq!(shape(36), (4, 9, 36));
    assert_eq!(shape(49), (7, 0, 49));
}

/// The settings of mazes of 4 by 9.
fn wide() -> MazeConfig {
    MazeConfig { side: 4, width: 9, min_path: 6, ..config() }
}

#[test]
fn rectangles_have_four_versions_and_no_training_maze_is_evaluated() {
    let task = wide().open(&[]).unwrap();
    assert_eq!((task.n_cells(), sizes(task.as_ref())), (36, (20, 10)));
    assert_eq!(task.train().n_versions(0), 4);
    let maze = |at| {
        let text = vocabulary().decode(&row(task.train(), 36, at).0);
        Maze::parse(&text, Size::new(4, 9).unwrap(), &Symbols::default(), "test").unwrap()
    };
    for at in task.train().row_ids() {
        let transform = Dihedral::ALL[[0, 2, 4, 5][at.version]];
        assert_eq!(maze(at), maze(RowId { version: 0, ..at }).turned(transform));
    }
    let train: HashSet<_> = rows(task.train()).into_iter().collect();
    assert!(rows(task.eval()).iter().all(|row| !train.contains(row)));
    let text = wide().example(1).unwrap();
    assert_eq!(text.lines().map(|line| line.chars().count()).collect::<Vec<_>>(), [9; 4]);
    let drawn = task.draw(&[1; 36], &[2; 36], Style::Plain);
    assert_eq!(drawn.lines().next().unwrap(), "+---------+   +---------+");
    assert_eq!(drawn.lines().count(), 6);
}

#[test]
fn the_answers_of_prepared_rows_tell_their_shape() {
    let fitted = |config: MazeConfig, n_cells, rows: &[(Vec<u32>, Vec<u32>)]| {
        let sample = Sample { place: "set".to_owned(), n_cells, rows: rows.to_vec() };
        let config = config.with_rows(&sample).map_err(|err| err.to_string())?;
        Ok::<_, String>((config.side, config.width))
    };
    let mut wide_rows = rows(wide().open(&[]).unwrap().train());
    let square_rows = rows(config().open(&[]).unwrap().train());
    assert_eq!(fitted(config(), 36, &wide_rows), Ok((4, 9)));
    assert_eq!(fitted(wide(), 36, &square_rows), Ok((6, 0)));
    let tall = MazeConfig { side: 9, width: 4, ..wide() };
    let tall_rows = rows(tall.clone().open(&[]).unwrap().train());
    assert_eq!(fitted(config(), 36, &tall_rows), Ok((9, 4)));
    assert_eq!(fitted(tall, 36, &wide_rows), Ok((4, 9)), "rows say more than settings");

    // Rows without a path say nothing, and neither do token ids that mazes do not have.
    for (_, labels) in wide_rows.iter_mut().step_by(3) {
        labels[..].fill(0);
    }
    wide_rows.push((vec![9; 36], vec![7; 36]));
    assert_eq!(fitted(config(), 36, &wide_rows), Ok((4, 9)));
    assert_eq!(fitted(wide(), 36, &[(vec![1; 36], vec![0; 36])]), Ok((4, 9)));
    assert_eq!(fitted(config(), 36, &[]), Ok((6, 0)));

    // A path within the first row of several shapes.
    let short =
        [(vec![3, 2, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1], vec![3, 5, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1])];
    let want = "task.side must be the one that --set task.side=ROWS --set task.width=CELLS gives: \
                the answers of the prepared mazes are paths in several shapes, found 2 by 6, 3 by \
                4, 4 by 3";
    assert_eq!(fitted(config(), 12, &short), Err(want.to_owned()));
    let stated = MazeConfig { side: 3, width: 4, ..config() };
    assert_eq!(fitted(stated, 12, &short), Ok((3, 4)));
}

/// A file of one column each for questions and answers.
fn table(folder: &Path, name: &str, rows: &[(&str, &str)]) -> PathBuf {
    let path = folder.join(name);
    let rows: String = rows.iter().map(|(q, a)| format!("\"{q}\",\"{a}\"\n")).collect();
    std::fs::write(&path, format!("question,answer\n{rows}")).unwrap();
    path
}

#[test]
fn settings_follow_the_shape_of_drawn_mazes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let named = |err: TaskError| err.to_string().replace(&path.display().to_string(), "a.csv");
    let fitted = |config: MazeConfig, rows: &[(&str, &str)]| {
        let data = [table(folder.path(), "a.csv", rows)];
        let config = config.fitted_to(&data).map_err(named)?;
        let task = config.open(&data).map_err(named)?;
        assert_eq!(task.train().n_groups() + task.eval().n_groups(), rows.len());
        Ok::<_, String>((config.side, config.width))
    };
    let line = ("S #  G", "S #ooG");
    let rows = ("S #\n  G", "S #\nooG");
    assert_eq!(fitted(config(), &[rows, ("S  \n#G", "So \n#G\n"), line]), Ok((2, 3)));
    assert_eq!(fitted(config(), &[("S #/  G", "S #/ooG"), ("S #\\n  G", line.1)]), Ok((2, 3)));
    assert_eq!(fitted(config(), &[("S G  #  #", "SoG  #  #")]), Ok((3, 0)));
    assert_eq!(fitted(MazeConfig { side: 2, width: 3, ..config() }, &[line]), Ok((2, 3)));
    assert_eq!(fitted(MazeConfig { side: 3, width: 2, ..config() }, &[rows]), Ok((2, 3)));
    let message = fitted(config(), &[line, line]).unwrap_err();
    assert_eq!(
        message,
        "a.csv:2: field `question`: expected a square maze, row by row, of 2 to 100 cells per side \
         (for mazes that are not square, say --set task.side=ROWS --set task.width=CELLS), found 6 \
         cells: \"S #  G\""
    );
    // The first maze of another shape is named.
    let tall = ("S \n  \n G", "So\n o\n G");
    assert_eq!(
        fitted(config(), &[rows, rows, tall]).unwrap_err(),
        "a.csv:8: field `question`: expected 2 lines of 3 characters for 2 by 3 cells, found 3 \
         lines of up to 2"
    );
    assert_eq!(
        fitted(config(), &[rows, ("S  G", "SooG")]).unwrap_err(),
        "a.csv:5: field `question`: expected 6 characters for 2 by 3 cells, found 4, as for side 2"
    );
}

#[test]
fn mazes_that_are_turned_are_found_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    table(folder.path(), "train.csv", &[("S #\n  G", "S #\nooG")]);
    table(folder.path(), "test.csv", &[("G  \n# S", "Goo\n# S"), ("SG#\n###", "SG#\n###")]);
    let data = [folder.path().to_owned()];
    let task = config().fitted_to(&data).unwrap().open(&data).unwrap();
    let leaks = task.leaks();
    assert_eq!((leaks.len(), leaks[0].why), (1, "turned or flipped"));
}

#[test]
fn mazes_are_read_and_written_with_other_characters() {
    let symbols = "wall=1,free=0,start=2,goal=3,path=4";
    let config = MazeConfig { symbols: symbols.to_owned(), ..config() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, generated(&config, 5, 1).unwrap()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        !text.contains('#') && text.lines().nth(1).unwrap().starts_with("generated,"),
        "{text}"
    );
    let task = config.open(std::slice::from_ref(&path)).unwrap();
    let same = self::config().generate_task(5, 1, folder.path());
    assert_eq!(rows(task.train()), rows(same.train()));
    let message = self::config().open(&[path]).err().unwrap().to_string();
    assert!(message.contains("expected '#', ' ', 'S' or 'G', found '"), "{message}");
    assert!(message.contains("e.g. --symbols free="), "{message}");
    // Answers have the characters and the form of their questions.
    let example = config.example(7).unwrap();
    let query = &config.parse_queries(&example, "example", &[]).unwrap()[0];
    let tokens = query.inputs()[0].tokens.clone();
    let answer = query.answer(&[ModelOutput { tokens, q_halt: 0.0, n_segments: 1 }], Style::Plain);
    assert_eq!((answer.text.clone() + "\n", answer.puzzle + "\n"), (example.clone(), example));
    assert!(answer.drawing.contains('1') && !answer.drawing.contains('#'), "{}", answer.drawing);
}

impl MazeConfig {
    /// The training data of a file of generated mazes.
    fn generate_task(&self, n: usize, seed: u64, folder: &Path) -> Box<dyn PuzzleTask> {
        let path = folder.join("generated.csv");
        std::fs::write(&path, generated(self, n, seed).unwrap()).unwrap();
        self.open(&[path]).unwrap()
    }
}

#[test]
fn examples_can_be_queried_and_statistics_are_counted() {
    let config = config();
    let text = config.example(7).unwrap();
    assert_eq!(config.example(7).unwrap(), text);
    assert_eq!(text.lines().map(|line| line.chars().count()).collect::<Vec<_>>(), [6; 6]);
    let queries = config.parse_queries(&text, "example", &[]).unwrap();
    assert_eq!(queries.len(), 1);
    let inputs = &queries[0].inputs()[0].tokens;
    assert!(inputs.contains(&id(Cell::Start)) && !inputs.contains(&PATH_ID));

    let task = config.open(&[]).unwrap();
    let stats = task.stats();
    let names: Vec<_> = stats.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names[..3],
        ["training puzzles", "evaluation puzzles", "versions per training puzzle"]
    );
    assert_eq!(names[3..7], ["walls min", "walls mean", "walls median", "walls max"]);
    assert_eq!(names[7..], ["moves min", "moves mean", "moves median", "moves max"]);
    assert!(stats[7].1 >= 7.0 && stats[7].1 <= stats[8].1 && stats[8].1 <= stats[10].1);

    let (inputs, labels) = row(task.eval(), 36, RowId { group: 0, version: 0, row: 0 });
    assert_eq!(task.draw(&inputs, &labels, Style::Plain).lines().count(), 8);
}

fn answer(side: usize, question: &str, answer: &str) -> crate::Answer {
    let config = MazeConfig { side, ..config() };
    let queries = config.parse_queries(question, "test", &[]).unwrap();
    let tokens = vocabulary().encode(answer, "test").unwrap();
    queries[0].answer(&[ModelOutput { tokens, q_halt: 0.0, n_segments: 1 }], Style::Plain)
}

#[test]
fn an_answer_is_drawn_written_and_checked() {
    let right = answer(3, "S  \n # \n  G", "Soo #o  G");
    let want = "+---+   +---+\n|S  |   |Soo|\n| # |   | #o|\n|  G|   |  G|\n+---+   +---+\n";
    assert_eq!(right.drawing, want);
    assert_eq!(right.text, "Soo\n #o\n  G");
    assert_eq!((right.verdict, right.n_segments), (Verdict::Valid, 1));

    let broken = answer(3, "S   #   G", "So  #   G");
    assert_eq!(broken.text, "So  #   G");
    let why = "the path breaks off at row 1, column 2";
    assert_eq!(broken.verdict, Verdict::Invalid(why.to_owned()));
}

/// A solvable maze.
fn any_solved() -> impl Strategy<Value = SolvedMaze> {
    (3usize..7, 3usize..7, any::<u64>()).prop_map(|(height, width, seed)| {
        let rng = &mut hrm_base::rng::stream(seed, "test");
        let size = Size::new(height, width).unwrap();
        SolvedMaze::new(Generator::new(size, 2).unwrap().maze(rng).unwrap())
    })
}

proptest! {
    #[test]
    fn a_written_record_is_read_back(solved in any_solved()) {
        for symbols in ["", "wall=1,free=0,start=2,goal=3,path=4", "free=comma,path=space"] {
            let symbols = symbols.parse::<Symbols>().unwrap();
            let text = records::to_text([&solved.to_record(&symbols)]);
            let located = records::parse(text.as_bytes(), "test").unwrap();
            let back = SolvedMaze::from_record(&located[0], solved.maze().size(), &symbols).unwrap();
            prop_assert_eq!(back.to_record(&symbols), solved.to_record(&symbols));
        }
    }

    #[test]
    fn any_output_is_answered(
        solved in any_solved(), ids in prop::collection::vec(0u32..8, 36), ansi: bool,
    ) {
        let size = solved.maze().size();
        let config = MazeConfig { side: size.height(), width: size.width(), ..config() };
        let query = config.parse_queries(&solved.maze().to_text(&[]), "test", &[]).unwrap();
        let tokens = ids[..size.n_cells()].to_vec();
        let style = if ansi { Style::Ansi } else { Style::Plain };
        let output = ModelOutput { tokens, q_halt: 0.0, n_segments: 1 };
        let answer = query[0].answer(&[output], style);
        prop_assert!(answer.drawing.ends_with('\n'));
    }

    #[test]
    fn encoded_cells_are_the_characters(solved in any_solved()) {
        let (maze, path) = (solved.maze(), solved.path());
        let mut ids = vec![0; maze.cells().len()];
        encode(maze, path, &mut ids);
        prop_assert_eq!(vocabulary().encode(&maze.to_text(path), "test").unwrap(), ids);
    }
}
