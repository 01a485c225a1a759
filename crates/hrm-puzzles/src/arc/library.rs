//! Files and folders of ARC tasks, merged into one set.
//!
//! A path is a file, or a folder that is searched with its subfolders; of a folder with
//! subfolders for training and for evaluation, only these are searched. Files are in any of the
//! dialects of [`json`](crate::arc::json). The outputs that a task lacks are read from a
//! file of solutions in the same folder: for `*challenges*.json` the file with `solutions`
//! in its name instead, or else any that has the task. Of a folder, tasks without outputs,
//! submissions and other files are passed over, and counted in a note.
//!
//! If the name of a file or folder contains `evaluation` or has the word `test`, `eval`, `val`,
//! `validation` or the like, in small letters or capitals, its tasks are evaluation tasks. A note
//! says so of all words but the first. Of a path, the name of the folder that it is in counts
//! too, except for what is called `training`: so all of `data`, `data/evaluation` and
//! `data/evaluation/1.json` give a task the same role. (Words other than `evaluation` count there
//! only beside something for training: a project may be called `test`.)

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rand::Rng;
use serde::{Deserialize, Serialize};

use hrm_base::rng::stream;

use crate::PuzzleError;
use crate::arc::files::solved_tasks;
use crate::clipped;
use hrm_base::words::counted;

pub use crate::arc::files::{are_named_alike, stem, unsolved_tasks};
pub use crate::arc::solved_task::{Role, SolvedTask};

/// Tasks by id.
pub type Library = BTreeMap<String, SolvedTask>;

/// Which of several different tasks with the same id is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// That of the path given last.
    Newest,
    /// That of the path given first.
    First,
    /// None: it is an error, because releases correct tasks, and which of them a result
    /// refers to should be known.
    #[default]
    Error,
}

/// Tasks that were read, and notes about what was passed over.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The tasks.
    pub library: Library,
    /// One line each.
    pub notes: Vec<String>,
}

/// Reads all paths. Tasks with the same id and the same pairs, in any order, count once,
/// and are evaluation tasks if any of their files is for evaluation; `on_conflict` decides
/// between different tasks with the same id.
///
/// # Errors
///
/// [`PuzzleError::Read`] for an unreadable path, [`PuzzleError::Malformed`] for a
/// malformed file, a file in which no task has its outputs, or an id with two different
/// tasks and no rule for it, [`PuzzleError::Empty`] for a path without tasks.
pub fn read(paths: &[PathBuf], on_conflict: OnConflict) -> Result<Loaded, PuzzleError> {
    let mut library = Library::new();
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut conflicts = BTreeSet::new();
    let (tasks, mut notes) = solved_tasks(paths)?;
    for (path, task) in tasks {
        let id = task.id.clone();
        match library.entry(id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(task);
                places.insert(id, path);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let role = known.role.max(task.role);
                if !known.has_pairs_of(&task) {
                    let place = &places[&id];
                    if on_conflict == OnConflict::Error || path == *place {
                        return Err(conflict(&path, &id, place, paths));
                    }
                    conflicts.insert(id.clone());
                    if on_conflict == OnConflict::Newest {
                        *known = task;
                        places.insert(id, path);
                    }
                }
                known.role = role;
            }
        }
    }
    if let Some(first) = conflicts.first() {
        let used = if on_conflict == OnConflict::Newest { "last" } else { "first" };
        notes.push(format!(
            "{}, `{}` for one: those of the path given {used} are used",
            in_several_files(conflicts.len()),
            clipped(first)
        ));
    }
    Ok(Loaded { library, notes })
}

/// The error of an id with two different tasks, in files of `paths`.
fn conflict(path: &Path, id: &str, known: &Path, paths: &[PathBuf]) -> PuzzleError {
    let place = format!("{}: task `{}`", path.display(), clipped(id));
    if path == known {
        let found = "different ones; give each an id of its own";
        return PuzzleError::malformed(place, "one task with this id", found);
    }
    let expected = format!("the task of this id in {}", known.display());
    let source = |file: &Path| paths.iter().find(|path| file.starts_with(path));
    let found = if source(path) == source(known) {
        "a different one; name only the files or folders to use, each with its own --data, or give \
         each task an id of its own"
    } else {
        "a different one; to use one of them, add --on-conflict newest (that of the path given \
         last) or --on-conflict first"
    };
    PuzzleError::malformed(place, expected, found)
}

/// Reads all paths for inspection: if an id occurs more than once, later tasks are kept
/// as `{id} in {path}`, unless task and role are the same. A note counts the ids of different
/// tasks, which [`read`] refuses.
///
/// # Errors
///
/// See [`read`]; an id that has different tasks in several files is not an error.
pub fn read_apart(paths: &[PathBuf]) -> Result<Loaded, PuzzleError> {
    let mut library = Library::new();
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut conflicts = BTreeSet::new();
    let (tasks, mut notes) = solved_tasks(paths)?;
    for (path, task) in tasks {
        let Some(known) = library.get(&task.id) else {
            places.insert(task.id.clone(), path);
            library.insert(task.id.clone(), task);
            continue;
        };
        let is_same = known.has_pairs_of(&task);
        if is_same && known.role == task.role {
            continue;
        }
        let again = format!("{} in {}", task.id, path.display());
        if !is_same {
            let is_again = library.get(&again).is_some_and(|other| !other.has_pairs_of(&task));
            if is_again || places[&task.id] == path {
                return Err(conflict(&path, &task.id, &path, paths));
            }
            conflicts.insert(task.id.clone());
        }
        library.insert(again, task);
    }
    if let Some(first) = conflicts.first() {
        notes.push(format!(
            "{}, `{}` for one: all are shown, and training needs --on-conflict newest or \
             --on-conflict first to choose",
            in_several_files(conflicts.len()),
            clipped(first)
        ));
    }
    Ok(Loaded { library, notes })
}

/// How many ids have different tasks.
fn in_several_files(n: usize) -> String {
    format!("{} different tasks in several files", counted(n, "id has", "ids have"))
}

/// Turns a `share` of the tasks (at least one if the share is positive) into evaluation
/// tasks, unless there are evaluation tasks already. Returns their number.
pub fn hold_out(library: &mut Library, share: f64, seed: u64) -> usize {
    let has_evaluation = library.values().any(|task| task.role == Role::Evaluation);
    if has_evaluation || share == 0.0 || library.is_empty() {
        return 0;
    }
    let n_tasks = library.len();
    let n_held_out = ((share * n_tasks as f64).round() as usize).clamp(1, n_tasks);
    let mut rng = stream(seed, "arc held out");
    let mut tasks: Vec<_> = library.values_mut().collect();
    for done in 0..n_held_out {
        let other = rng.random_range(done as u32..n_tasks as u32) as usize;
        tasks.swap(done, other);
        tasks[done].role = Role::Evaluation;
    }
    n_held_out
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = r#"{"train": [{"input": [[1]], "output": [[2]]}],
                           "test": [{"input": [[3]], "output": [[4]]}]}"#;
    const OTHER: &str = r#"{"train": [], "test": [{"input": [[3]], "output": [[5]]}]}"#;
    const OPEN: &str = r#"{"x": {"train": [], "test": [{"input": [[3]]}, {"input": [[4]]}]}}"#;

    /// Writes files into a new folder and reads `paths` in it. In error messages, the folder
    /// is replaced by `DIR`.
    fn read_from(files: &[(&str, &str)], paths: &[&str]) -> Result<Vec<(String, Role)>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let paths: Vec<_> = paths.iter().map(|path| folder.path().join(path)).collect();
        match read(&paths, OnConflict::Error) {
            Ok(Loaded { library, .. }) => {
                Ok(library.into_iter().map(|(id, task)| (id, task.role)).collect())
            }
            Err(err) => Err(err.to_string().replace(&*folder.path().to_string_lossy(), "DIR")),
        }
    }

    fn is(id: &str, role: Role) -> (String, Role) {
        (id.to_owned(), role)
    }

    #[test]
    fn roles_depend_on_names_of_files_and_folders() {
        let files = [("d/a.json", BARE), ("d/b_evaluation.json", BARE), ("d/notes.txt", "?")];
        let want = vec![is("a", Role::Training), is("b_evaluation", Role::Evaluation)];
        assert_eq!(read_from(&files, &["d"]), Ok(want.clone()));
        assert_eq!(read_from(&files, &["d/b_evaluation.json", "d/a.json"]), Ok(want));

        let files = [("data/training/a.json", BARE), ("data/evaluation/b.json", BARE)];
        let want = vec![is("a", Role::Training), is("b", Role::Evaluation)];
        assert_eq!(read_from(&files, &["data"]), Ok(want));
        let want = vec![is("b", Role::Evaluation)];
        assert_eq!(read_from(&files, &["data/evaluation"]), Ok(want));
    }

    #[test]
    fn the_sides_of_a_split_have_many_names() {
        let want = vec![is("a", Role::Training), is("b", Role::Evaluation)];
        for [training, evaluation] in [
            ["train/a.json", "test/b.json"],
            ["training/a.json", "test/b.json"],
            ["Train/a.json", "Val/b.json"],
            ["data/train/a.json", "data/public_eval/b.json"],
            ["Training/a.json", "Evaluation/b.json"],
            ["a.json", "eval/deep/b.json"],
            // A project may be called so.
            ["test/train/a.json", "test/validation/b.json"],
        ] {
            let files = [(&*format!("d/{training}"), BARE), (&*format!("d/{evaluation}"), OTHER)];
            assert_eq!(read_from(&files, &["d"]), Ok(want.clone()), "{evaluation}");
            let paths = files.map(|(file, _)| file);
            assert_eq!(read_from(&files, &paths[..1]), Ok(want[..1].to_vec()), "{training}");
        }
        let files = [("d/train/a.json", BARE), ("d/test/b.json", OTHER), ("d/more.json", OTHER)];
        assert_eq!(read_from(&files, &["d/train", "d/test/b.json"]), Ok(want.clone()));
        let sides = want;
        let (_, notes) = loaded(&files, &["d"], OnConflict::Error).unwrap();
        let want = [
            "DIR/d: passed over 1 other file or folder (more.json)",
            "DIR/d: by their names, tasks of test are for evaluation, those of train for training",
        ];
        assert_eq!(notes, want);
        let files = [("d/Training/a.json", BARE), ("d/Evaluation/b.json", OTHER)];
        assert_eq!(loaded(&files, &["d"], OnConflict::Error).unwrap().1, [""; 0]);
        let both = format!(r#"{{"train": {{"a": {BARE}}}, "validation": {{"b": {OTHER}}}}}"#);
        assert_eq!(read_from(&[("my_val.json", &both)], &["my_val.json"]), Ok(sides));
        let files = [("test/a.json", BARE)];
        let (_, notes) = loaded(&files, &["test"], OnConflict::Error).unwrap();
        assert_eq!(notes, ["DIR/test: by their names, tasks of test are for evaluation"]);
    }

    #[test]
    fn the_keys_of_a_task_are_no_folders() {
        // Beside nothing for training, `test` says nothing about what is in it.
        let files = [("test/d/a.json", BARE), ("test/x.json", OTHER)];
        assert_eq!(read_from(&files, &["test/d"]), Ok(vec![is("a", Role::Training)]));
        // Files of a contest, whose placeholders are copies of tasks for training.
        let open = |id: &str| OPEN.replace("\"x\"", &format!("\"{id}\""));
        let solutions = r#"{"x": [[[1]], [[2]]]}"#;
        let files = [
            ("d/a_training_challenges.json", &*open("x")),
            ("d/a_training_solutions.json", solutions),
            ("d/a_test_challenges.json", &*open("x")),
            // Downloaded twice.
            ("d/a_training_solutions (1).json", solutions),
        ];
        for files in [&files[..3], &files] {
            assert_eq!(read_from(files, &["d"]), Ok(vec![is("x", Role::Training)]));
        }
    }

    #[test]
    fn an_id_that_a_file_gives_twice_is_rejected() {
        let line =
            |test: u8| format!(r#"{{"id": "x", "train": [], "test": [[[[{test}]], [[1]]]]}}"#);
        let text = [line(1), line(2), line(3)].join("\n");
        let want = "DIR/t.jsonl: task `x`: expected one task with this id, found different ones; \
                    give each an id of its own";
        for rule in [OnConflict::Error, OnConflict::Newest, OnConflict::First] {
            let err = loaded(&[("t.jsonl", &text)], &["t.jsonl"], rule);
            assert_eq!(err, Err(want.to_owned()), "{rule:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        std::fs::write(&path, text).unwrap();
        let err = read_apart(&[path]).unwrap_err().to_string();
        assert!(err.ends_with("give each an id of its own"), "{err}");
        // In several files of one path, it is not the order of paths that helps.
        let files = [("d/evaluation/x.json", BARE), ("d/training/x.json", OTHER)];
        let err = read_from(&files, &["d"]).unwrap_err();
        assert!(err.contains("name only the files or folders to use"), "{err}");
        for (name, text) in files {
            std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let apart = read_apart(&[folder.path().join("d")]).unwrap();
        assert_eq!(apart.library.len(), 2);
        let want = "1 id has different tasks in several files, `x` for one: all are shown, and \
                    training needs --on-conflict newest or --on-conflict first to choose";
        assert_eq!(apart.notes, [want]);
    }

    #[test]
    fn foreign_files_beside_tasks_are_passed_over() {
        let files = [
            ("d/a.json", BARE),
            ("d/empty.json", ""),
            ("d/splits.json", r#"{"train": ["a"], "test": ["b"]}"#),
        ];
        let (tasks, notes) = loaded(&files, &["d"], OnConflict::Error).unwrap();
        assert_eq!(tasks, ["a 1+1"]);
        assert_eq!(
            notes,
            ["DIR/d: passed over 2 other files and folders (empty.json, splits.json)"]
        );
        let want = "DIR/d/empty.json: expected ARC tasks, found an empty file";
        assert_eq!(read_from(&files, &["d/empty.json"]), Err(want.to_owned()));
        assert!(read_from(&[("d/cut.json", "{"), files[0]], &["d"]).is_err());
    }

    #[test]
    fn solutions_that_lack_a_task_leave_the_others() {
        let challenges = r#"{"x": {"train": [], "test": [{"input": [[3]]}]},
                             "y": {"train": [], "test": [{"input": [[4]]}]}}"#;
        let files =
            [("d/a_challenges.json", challenges), ("d/a_solutions.json", r#"{"y": [[[5]]]}"#)];
        for path in ["d", "d/a_challenges.json"] {
            let (tasks, notes) = loaded(&files, &[path], OnConflict::Error).unwrap();
            assert_eq!(tasks, ["y 0+1"]);
            let want =
                format!("DIR/{path}: passed over 1 task without outputs (a_challenges.json)");
            assert_eq!(notes, [want]);
        }
    }

    #[test]
    fn a_role_does_not_depend_on_how_a_path_is_spelled() {
        let files = [
            ("d/training/a.json", BARE),
            ("d/evaluation/b.json", OTHER),
            ("d/evaluation/more/c.json", OTHER),
        ];
        let [b, c] = ["b", "c"].map(|id| is(id, Role::Evaluation));
        for paths in [
            &["d/evaluation"][..],
            &["d/evaluation/."],
            &["d/evaluation/more/.."],
            &["d/training/../evaluation"],
            &["d/evaluation/b.json", "d/evaluation/more"],
        ] {
            assert_eq!(read_from(&files, paths), Ok(vec![b.clone(), c.clone()]), "{paths:?}");
        }
        // A project that is called so may have training tasks.
        let files = [("evaluation/d/training/a.json", BARE), ("evaluation/d/e.json", OTHER)];
        let want = vec![is("a", Role::Training)];
        assert_eq!(read_from(&files, &["evaluation/d"]), Ok(want));
        let (tasks, notes) = loaded(&files[1..], &["evaluation/d"], OnConflict::Error).unwrap();
        let want = "DIR/evaluation/d: its tasks are evaluation tasks, since the folder that it is \
                    in is called `evaluation`";
        assert_eq!((&*tasks, &*notes), (&["e 0+1".to_owned()][..], &[want.to_owned()][..]));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_has_the_role_of_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("store/v1")).unwrap();
        std::fs::create_dir_all(path("arc")).unwrap();
        std::fs::write(path("store/v1/x.json"), BARE).unwrap();
        std::os::unix::fs::symlink(path("store/v1"), path("arc/evaluation")).unwrap();
        for (name, role) in [
            ("arc/evaluation", Role::Evaluation),
            ("arc/../arc/evaluation", Role::Evaluation),
            ("store/v1", Role::Training),
        ] {
            let library = read(&[path(name)], OnConflict::Error).unwrap().library;
            assert_eq!(library["x"].role, role, "{name}");
        }
        let alike = |one: &str, other: &str| are_named_alike(&path(one), &path(other));
        assert!(alike("arc/evaluation", "else/evaluation") && alike("a/x.json", "b/x.json"));
        assert!(!alike("arc/evaluation", "store/v1") && !alike("x.json", "evaluation/x.json"));
    }

    #[test]
    fn how_a_file_is_packed_is_no_part_of_its_id() {
        use std::io::Write;
        for (place, want) in [
            ("d/00576224.json", "00576224"),
            ("d/00576224.json.gz", "00576224"),
            ("d/00576224.JSON.GZ", "00576224"),
            ("d/all.zip/inner.json", "inner"),
            ("d/a.b.json", "a.b"),
            ("puzzle", "puzzle"),
        ] {
            assert_eq!(stem(place), want, "{place}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("00576224.json.gz");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(BARE.as_bytes()).unwrap();
        std::fs::write(&path, packed.finish().unwrap()).unwrap();
        let loaded = read(&[path], OnConflict::Error).unwrap();
        assert_eq!(loaded.library.into_keys().collect::<Vec<_>>(), ["00576224"]);
    }

    #[test]
    fn an_id_may_repeat_with_the_same_task_only() {
        let files = [("a.json", BARE), ("evaluation/a.json", BARE), ("other/a.json", OTHER)];
        for paths in [["a.json", "evaluation"], ["evaluation", "a.json"]] {
            assert_eq!(read_from(&files, &paths), Ok(vec![is("a", Role::Evaluation)]));
        }
        let want = "DIR/other/a.json: task `a`: expected the task of this id in DIR/a.json, \
                    found a different one; to use one of them, add --on-conflict newest (that of \
                    the path given last) or --on-conflict first";
        assert_eq!(read_from(&files, &["a.json", "other"]), Err(want.to_owned()));
    }

    #[test]
    fn reading_apart_keeps_different_tasks_with_the_same_id() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, text) in [("t.json", BARE), ("same/t.json", BARE), ("evaluation/t.json", OTHER)]
        {
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), text).unwrap();
        }
        let library =
            read_apart(&[path("t.json"), path("same"), path("evaluation")]).unwrap().library;
        let again = format!("t in {}", path("evaluation/t.json").display());
        let found: Vec<_> =
            library.iter().map(|(name, task)| (name.as_str(), task.id.as_str())).collect();
        assert_eq!(found, [("t", "t"), (again.as_str(), "t")]);
        assert!(read(&[path("t.json"), path("evaluation")], OnConflict::Error).is_err());
    }

    #[test]
    fn outputs_of_challenges_are_read_from_the_solutions_file() {
        let solutions = r#"{"x": [[[1]], [[2]]], "unused": []}"#;
        let files =
            [("evaluation_challenges.json", OPEN), ("evaluation_solutions.json", solutions)];
        let want = Ok(vec![is("x", Role::Evaluation)]);
        assert_eq!(read_from(&files, &["evaluation_challenges.json"]), want);
        assert_eq!(read_from(&files, &["."]), want);

        let want = "DIR/c_challenges.json: task `x`, test[0]: \
                    expected its output in DIR/c_solutions.json, found no such file";
        assert_eq!(
            read_from(&[("c_challenges.json", OPEN)], &["c_challenges.json"]),
            Err(want.into())
        );
        let want = "DIR/c.json: task `x`, test[0]: expected an output, found none";
        assert_eq!(read_from(&[("c.json", OPEN)], &["c.json"]), Err(want.into()));

        for (solutions, n_found) in [("{}", 0), (r#"{"x": [[[1]]]}"#, 1)] {
            let files = [("challenges.json", OPEN), ("solutions.json", solutions)];
            let want = format!(
                "DIR/solutions.json: task `x`: expected one grid per test pair (2), found {n_found}"
            );
            assert_eq!(read_from(&files, &["challenges.json"]), Err(want));
        }
    }

    /// Writes files, and reads `paths` with a rule for conflicts: `id pairs` for each task, and
    /// the notes, without the folder.
    fn loaded(
        files: &[(&str, &str)],
        paths: &[&str],
        on_conflict: OnConflict,
    ) -> Result<(Vec<String>, Vec<String>), String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let paths: Vec<_> = paths.iter().map(|path| folder.path().join(path)).collect();
        let without_folder = |text: &str| text.replace(&*folder.path().to_string_lossy(), "DIR");
        let Loaded { library, notes } =
            read(&paths, on_conflict).map_err(|err| without_folder(&err.to_string()))?;
        let task = |(id, task): (String, SolvedTask)| {
            format!("{id} {}+{}", task.n_train, task.pairs.len() - task.n_train)
        };
        let notes = notes.iter().map(|note| without_folder(note)).collect();
        Ok((library.into_iter().map(task).collect(), notes))
    }

    #[test]
    fn the_order_of_pairs_makes_no_other_task() {
        let pair = |colour: u8| format!(r#"{{"input": [[{colour}]], "output": [[0]]}}"#);
        let task = |train: [u8; 2]| {
            let [one, two] = train.map(pair);
            format!(r#"{{"train": [{one}, {two}], "test": [{}]}}"#, pair(7))
        };
        let files = [("a/x.json", &*task([1, 2])), ("b/x.json", &*task([2, 1]))];
        let want = (vec!["x 2+1".to_owned()], vec![]);
        assert_eq!(loaded(&files, &["a", "b"], OnConflict::Error), Ok(want));
        let files = [files[0], ("b/x.json", &*task([2, 3]))];
        assert!(loaded(&files, &["a", "b"], OnConflict::Error).is_err());
    }

    #[test]
    fn a_rule_decides_between_tasks_with_the_same_id() {
        let files = [("a/x.json", BARE), ("b/x.json", OTHER)];
        let note = |used: &str| {
            vec![format!(
                "1 id has different tasks in several files, `x` for one: those of the path given \
                 {used} are used"
            )]
        };
        for (rule, paths, task, used) in [
            (OnConflict::First, ["a", "b"], "x 1+1", "first"),
            (OnConflict::First, ["b", "a"], "x 0+1", "first"),
            (OnConflict::Newest, ["a", "b"], "x 0+1", "last"),
            (OnConflict::Newest, ["b", "a"], "x 1+1", "last"),
        ] {
            let want = (vec![task.to_owned()], note(used));
            assert_eq!(loaded(&files, &paths, rule), Ok(want), "{rule:?} {paths:?}");
        }
        // Each id counts once, in whatever order they come.
        let files: Vec<_> =
            ["a/x.json", "a/y.json", "b/x.json", "b/y.json", "c/x.json", "c/y.json"]
                .into_iter()
                .zip([BARE, BARE, OTHER, OTHER, BARE, BARE])
                .collect();
        let (_, notes) = loaded(&files, &["a", "b", "c"], OnConflict::First).unwrap();
        assert!(notes[0].starts_with("2 ids have different tasks in several files"), "{notes:?}");
        // A task that is evaluated anywhere is not trained on.
        let files = [("evaluation/x.json", BARE), ("b/x.json", OTHER)];
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let paths = ["evaluation", "b"].map(|name| folder.path().join(name));
        let loaded = read(&paths, OnConflict::Newest).unwrap();
        assert_eq!(loaded.library["x"].role, Role::Evaluation);
        assert_eq!(loaded.library["x"].n_train, 0);
    }

    #[test]
    fn a_contest_folder_is_read_as_downloaded() {
        let solutions = r#"{"x": [[[1]], [[2]]]}"#;
        let files = [
            ("d/a_training_challenges.json", OPEN),
            ("d/a_training_solutions.json", solutions),
            ("d/a_test_challenges.json", &*OPEN.replace("\"x\"", "\"y\"")),
            ("d/sample_submission.json", r#"{"y": [{"attempt_1": [[0]], "attempt_2": [[0]]}]}"#),
            ("d/README.md", "#"),
            ("d/about.json", r#"{"version": 2}"#),
            ("d/.DS_Store", ""),
        ];
        let note = "DIR/d: passed over 1 task without outputs (a_test_challenges.json), \
                    1 submission (sample_submission.json), 2 other files and folders (README.md, \
                    about.json) and 1 hidden file or folder";
        let want = (vec!["x 0+2".to_owned()], vec![note.to_owned()]);
        assert_eq!(loaded(&files, &["d"], OnConflict::Error), Ok(want));
        let want = "DIR/d/sample_submission.json: expected ARC tasks, found a submission, which \
                    holds attempts only";
        let err = loaded(&files, &["d/sample_submission.json"], OnConflict::Error);
        assert_eq!(err, Err(want.to_owned()));
        let want = "DIR/d: expected ARC tasks with outputs, found 1 task without outputs (t.json)";
        let err = loaded(&[("d/t.json", OPEN)], &["d"], OnConflict::Error);
        assert_eq!(err, Err(want.to_owned()));
    }

    #[test]
    fn solutions_with_other_names_are_found_by_the_ids_in_them() {
        let solutions = r#"{"x": [[[1]], [[2]]]}"#;
        let files = [
            ("d/tasks.json", OPEN),
            ("d/my_solutions.json", solutions),
            ("d/b_solutions.json", r#"{"z": [[[1]]]}"#),
        ];
        let want = (vec!["x 0+2".to_owned()], vec![]);
        assert_eq!(loaded(&files, &["d"], OnConflict::Error), Ok(want.clone()));
        assert_eq!(loaded(&files, &["d/tasks.json"], OnConflict::Error), Ok(want.clone()));
        // In a folder, the content tells what a file is.
        let files = [files[0], ("d/answers.json", solutions)];
        assert_eq!(loaded(&files, &["d"], OnConflict::Error), Ok(want));
        let files = [files[0], ("d/solutions.json", r#"{"x": [[[1]]]}"#)];
        let want = "DIR/d/solutions.json: task `x`: expected one grid per test pair (2), found 1";
        assert_eq!(loaded(&files, &["d"], OnConflict::Error), Err(want.to_owned()));
    }

    #[test]
    fn nested_folders_are_searched() {
        let files = [
            ("d/A/A1.json", BARE),
            ("d/B/deep/B1.json", BARE),
            ("d/C/1.json", BARE),
            ("d/E/1.json", OTHER),
            ("d/notes/.hidden/x.json", "?"),
        ];
        let (tasks, notes) = loaded(&files, &["d"], OnConflict::Error).unwrap();
        assert_eq!(tasks, ["A1 1+1", "B1 1+1", "C-1 1+1", "E-1 0+1"]);
        assert_eq!(notes, ["DIR/d: passed over 1 hidden file or folder"]);
        let files = [
            ("d/data/training/x.json", BARE),
            ("d/data/evaluation/y.json", OTHER),
            ("d/data/more.json", OTHER),
            ("d/data/recipe.json", "{}"),
        ];
        let (tasks, notes) = loaded(&files, &["d"], OnConflict::Error).unwrap();
        assert_eq!(tasks, ["x 1+1", "y 0+1"]);
        assert_eq!(notes, ["DIR/d: passed over 1 other file or folder (more.json)"]);
    }

    #[test]
    fn some_tasks_without_outputs_leave_the_others() {
        let row = format!("[[{}1]]", "1,".repeat(30));
        let text = format!(
            r#"{{"x": {{"train": [], "test": [{{"input": [[3]], "output": []}}]}},
                "y": {BARE}, "z": {{"train": [], "test": [{{"input": {row}}}]}}}}"#
        );
        let (tasks, notes) = loaded(&[("t.json", &text)], &["t.json"], OnConflict::Error).unwrap();
        assert_eq!(tasks, ["y 1+1"]);
        let want = "DIR/t.json: passed over 1 task without outputs (t.json) and 1 task with a grid \
                    above 30 by 30 (z)";
        assert_eq!(notes, [want]);
        let list = r#"[{"input": [[1]], "output": [[2]]}, {"input": [[3]], "output": [[4]]}]"#;
        let (tasks, notes) = loaded(&[("t.json", list)], &["t.json"], OnConflict::Error).unwrap();
        assert_eq!(tasks, ["t 1+1"]);
        let want = "DIR/t.json: 1 of its tasks are lists of pairs; the last pair of each is taken \
                    as its test pair";
        assert_eq!(notes, [want]);
    }

    #[test]
    fn paths_without_tasks_are_rejected() {
        for (file, advice) in [
            ("notes.txt", ""),
            ("tasks.zip", "; unpack archives first"),
            ("train-0.parquet", "; ARC tasks are read from JSON"),
        ] {
            let want =
                format!("DIR/d: expected ARC tasks, found 1 other file or folder ({file}){advice}");
            assert_eq!(read_from(&[(&format!("d/{file}"), "")], &["d"]), Err(want));
        }
        assert_eq!(read_from(&[], &["none.json"]), Err("cannot read DIR/none.json".into()));
    }
}
