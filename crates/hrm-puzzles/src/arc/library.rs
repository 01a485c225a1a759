//! Files and folders of ARC tasks, merged into one set.
//!
//! A path is one of:
//!
//! - a file with one task or many tasks;
//! - a `*challenges*.json`, whose answers are in the same folder, in the file with
//!   `solutions` in its name instead;
//! - a folder of such files, or a folder with the subfolders `training` and
//!   `evaluation`.
//!
//! If the name of a file or folder contains `evaluation`, its tasks are evaluation
//! tasks.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read;
use std::path::{Path, PathBuf};

use rand::Rng;

use hrm_base::progress::Stage;
use hrm_base::rng::stream;

use crate::PuzzleError;
use crate::arc::Grid;
use crate::arc::json::{self, ArcTask, Pair, TestPair};
use crate::clipped;

/// The side of the train/test split that a task belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// All its pairs are used for training.
    Training,
    /// Its test pairs are used for evaluation only.
    Evaluation,
}

/// A task with all its outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolvedTask {
    /// The task's id in its file; its key in the library may differ.
    pub id: String,
    /// Train pairs, then test pairs.
    pub pairs: Vec<Pair>,
    /// Number of train pairs.
    pub n_train: usize,
    /// The side of the split that the task belongs to.
    pub role: Role,
}

impl SolvedTask {
    /// Converts the task to the form stored in files.
    pub fn to_task(&self) -> ArcTask {
        let (train, test) = self.pairs.split_at(self.n_train);
        let test = test.iter().cloned();
        let test = test.map(|Pair { input, output }| TestPair { input, output: Some(output) });
        ArcTask { train: train.to_vec(), test: test.collect() }
    }

    /// Number of distinct colours in all grids, background included.
    pub fn n_colours(&self) -> usize {
        let seen = self.grids().flat_map(Grid::cells).fold(0u16, |seen, colour| seen | 1 << colour);
        seen.count_ones() as usize
    }

    /// The longest side of all grids, in cells.
    pub fn side(&self) -> usize {
        self.grids().map(Grid::side).max().unwrap_or(0)
    }

    fn grids(&self) -> impl Iterator<Item = &Grid> {
        self.pairs.iter().flat_map(|pair| [&pair.input, &pair.output])
    }

    fn has_pairs_of(&self, other: &Self) -> bool {
        self.n_train == other.n_train && self.pairs == other.pairs
    }
}

/// Tasks by id.
pub type Library = BTreeMap<String, SolvedTask>;

/// Reads all paths. Identical tasks in several files count once, as an evaluation task
/// if any of these files is for evaluation.
///
/// # Errors
///
/// [`PuzzleError::Read`] for an unreadable path, [`PuzzleError::Malformed`] for a
/// malformed file, a test pair without an output or an id with two different tasks,
/// [`PuzzleError::Empty`] for a path without tasks.
pub fn read(paths: &[PathBuf]) -> Result<Library, PuzzleError> {
    let mut library = Library::new();
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (path, task) in solved_tasks(paths)? {
        let id = task.id.clone();
        match library.entry(id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(task);
                places.insert(id, path);
            }
            Entry::Occupied(mut entry) if entry.get().has_pairs_of(&task) => {
                let known = entry.get_mut();
                known.role = known.role.max(task.role);
            }
            Entry::Occupied(_) => {
                let expected = format!("the task of this id in {}", places[&id].display());
                return Err(PuzzleError::malformed(place(&path, &id), expected, "a different one"));
            }
        }
    }
    Ok(library)
}

/// Reads all paths for inspection: if an id occurs more than once, later tasks are kept
/// as `{id} in {path}`, unless task and role are the same.
///
/// # Errors
///
/// See [`read`]; ids with different tasks are not an error.
pub fn read_apart(paths: &[PathBuf]) -> Result<Library, PuzzleError> {
    let mut library = Library::new();
    for (path, task) in solved_tasks(paths)? {
        let again = format!("{} in {}", task.id, path.display());
        match library.entry(task.id.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(task)),
            Entry::Occupied(entry) if *entry.get() == task => {}
            Entry::Occupied(_) => drop(library.insert(again, task)),
        }
    }
    Ok(library)
}

/// All tasks of all paths, each with its file.
fn solved_tasks(paths: &[PathBuf]) -> Result<Vec<(PathBuf, SolvedTask)>, PuzzleError> {
    let mut tasks = Vec::new();
    let files = task_files(paths)?;
    let stage = Stage::start("reading tasks", files.len() as u64);
    for (path, role) in files {
        stage.advance(1);
        for (id, task) in read_file(&path)? {
            tasks.push((path.clone(), solve(id, task, role, &path)?));
        }
    }
    Ok(tasks)
}

/// The place of a task in messages.
fn place(path: &Path, id: &str) -> String {
    format!("{}: task `{}`", path.display(), clipped(id))
}

/// Merges the pairs of a task into one list; fails if an output is missing.
fn solve(id: String, task: ArcTask, role: Role, path: &Path) -> Result<SolvedTask, PuzzleError> {
    let n_train = task.train.len();
    let mut pairs = task.train;
    for (idx, TestPair { input, output }) in task.test.into_iter().enumerate() {
        let Some(output) = output else {
            let place = format!("{}, test[{idx}]", place(path, &id));
            let (expected, found) = match solutions_of(path) {
                Some(solutions) => {
                    (format!("its output in {}", solutions.display()), "no such file")
                }
                None => ("an output".to_owned(), "none"),
            };
            return Err(PuzzleError::malformed(place, expected, found));
        };
        pairs.push(Pair { input, output });
    }
    Ok(SolvedTask { id, pairs, n_train, role })
}

/// Turns a `share` of the tasks (at least one if the share is positive) into evaluation
/// tasks, unless there are evaluation tasks already.
pub fn hold_out(library: &mut Library, share: f64, seed: u64) {
    let has_evaluation = library.values().any(|task| task.role == Role::Evaluation);
    if has_evaluation || share == 0.0 || library.is_empty() {
        return;
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
}

/// The files that `paths` refer to, each with the role of its tasks.
fn task_files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, Role)>, PuzzleError> {
    let mut files = Vec::new();
    for path in paths {
        let role = role_of(path, Role::Training);
        if !path.is_dir() {
            files.push((path.clone(), role));
            continue;
        }
        let n_before = files.len();
        let split = ["training", "evaluation"].map(|name| path.join(name));
        if split.iter().any(|folder| folder.is_dir()) {
            for folder in split.into_iter().filter(|folder| folder.is_dir()) {
                files.extend(files_in(&folder, role_of(&folder, Role::Training))?);
            }
        } else {
            files.extend(files_in(path, role)?);
        }
        if files.len() == n_before {
            return Err(PuzzleError::Empty { place: path.display().to_string(), what: "tasks" });
        }
    }
    Ok(files)
}

/// The task files of one folder, sorted by name.
fn files_in(folder: &Path, role: Role) -> Result<Vec<(PathBuf, Role)>, PuzzleError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(PuzzleError::read(folder))? {
        let path = entry.map_err(PuzzleError::read(folder))?.path();
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        // Solutions files are read together with their challenges.
        let is_solutions = file_name(&path).contains("solutions");
        if is_json && !is_solutions && path.is_file() {
            let role = role_of(&path, role);
            files.push((path, role));
        }
    }
    files.sort();
    Ok(files)
}

/// Reads the tasks of one file, with the outputs of its solutions file if it has one.
fn read_file(path: &Path) -> Result<Vec<(String, ArcTask)>, PuzzleError> {
    let file = path.display().to_string();
    let mut tasks = json::parse(&read_text(path)?, &file, &stem(&file))?;
    let Some(solutions_path) = solutions_of(path).filter(|path| path.is_file()) else {
        return Ok(tasks);
    };
    let file = solutions_path.display().to_string();
    let solutions = json::parse_solutions(&read_text(&solutions_path)?, &file)?;
    let solutions: BTreeMap<_, _> = solutions.into_iter().collect();
    for (id, task) in &mut tasks {
        let outputs = solutions.get(id).map_or(&[][..], Vec::as_slice);
        if outputs.len() != task.test.len() {
            let place = format!("{file}: task `{}`", clipped(id));
            let expected = format!("one grid per test pair ({})", task.test.len());
            return Err(PuzzleError::malformed(place, expected, outputs.len().to_string()));
        }
        for (test, output) in task.test.iter_mut().zip(outputs) {
            test.output.get_or_insert_with(|| output.clone());
        }
    }
    Ok(tasks)
}

/// Reads a file of limited size.
fn read_text(path: &Path) -> Result<Vec<u8>, PuzzleError> {
    // Ten times the size of all public ARC tasks. Device files never end.
    const N_BYTES_MAX: u64 = 64 << 20;

    let file = std::fs::File::open(path).map_err(PuzzleError::read(path))?;
    let mut text = Vec::new();
    file.take(N_BYTES_MAX + 1).read_to_end(&mut text).map_err(PuzzleError::read(path))?;
    if text.len() as u64 > N_BYTES_MAX {
        let place = path.display().to_string();
        return Err(PuzzleError::malformed(place, format!("at most {N_BYTES_MAX} bytes"), "more"));
    }
    Ok(text)
}

/// The id of a bare task: the file name without folder and extension.
pub fn stem(place: &str) -> String {
    let stem = Path::new(place).file_stem();
    stem.map_or_else(|| place.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn role_of(path: &Path, otherwise: Role) -> Role {
    if file_name(path).contains("evaluation") { Role::Evaluation } else { otherwise }
}

/// The solutions file of a challenges file.
fn solutions_of(path: &Path) -> Option<PathBuf> {
    let name = file_name(path);
    name.contains("challenges")
        .then(|| path.with_file_name(name.replace("challenges", "solutions")))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
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
        match read(&paths) {
            Ok(library) => Ok(library.into_iter().map(|(id, task)| (id, task.role)).collect()),
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
    fn an_id_may_repeat_with_the_same_task_only() {
        let files = [("a.json", BARE), ("evaluation/a.json", BARE), ("other/a.json", OTHER)];
        for paths in [["a.json", "evaluation"], ["evaluation", "a.json"]] {
            assert_eq!(read_from(&files, &paths), Ok(vec![is("a", Role::Evaluation)]));
        }
        let want = "DIR/other/a.json: task `a`: expected the task of this id in DIR/a.json, \
                    found a different one";
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
        let library = read_apart(&[path("t.json"), path("same"), path("evaluation")]).unwrap();
        let again = format!("t in {}", path("evaluation/t.json").display());
        let found: Vec<_> =
            library.iter().map(|(name, task)| (name.as_str(), task.id.as_str())).collect();
        assert_eq!(found, [("t", "t"), (again.as_str(), "t")]);
        assert!(read(&[path("t.json"), path("evaluation")]).is_err());
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

    #[test]
    fn paths_without_tasks_are_rejected() {
        assert_eq!(read_from(&[("d/notes.txt", "")], &["d"]), Err("DIR/d holds no tasks".into()));
        assert_eq!(read_from(&[], &["none.json"]), Err("cannot read DIR/none.json".into()));
    }
}
