//! Finds and reads the files of ARC tasks below some paths, and says what it passes over.
//!
//! Folders are searched with their subfolders; of a folder whose subfolders are the sides of a
//! split, only these are searched. Names say which side tasks are of; which files hold tasks,
//! solutions or something else depends on their content.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use hrm_base::paths::absolute;
use hrm_base::progress::Stage;

use crate::PuzzleError;
use crate::arc::Grid;
use crate::arc::json::{self, ArcTask, Content, Found, Listed, Pair, Refused, TestPair};
use crate::arc::solved_task::{Role, SolvedTask};
use crate::clipped;
use crate::records::SETTINGS;
use crate::text::{JSON_ENDINGS, Text, n_unpacked_max, named};

/// Subfolders that are searched instead of their folder, even where there is only one of them.
const SPLIT: [&str; 2] = ["training", "evaluation"];

/// The side of the split that tasks are of.
#[derive(Clone)]
struct Side {
    role: Role,
    /// The name of the file or folder that says so.
    name: Option<String>,
}

impl Side {
    /// What no name says otherwise.
    const TRAINING: Self = Self { role: Role::Training, name: None };

    /// The side of what is called `name`, within a folder of this side. A name within a folder
    /// for evaluation makes nothing training data.
    fn of(&self, name: &str) -> Self {
        match Role::named(name) {
            Some(role) if self.role == Role::Training => Self { role, name: Some(name.to_owned()) },
            _ => self.clone(),
        }
    }

    /// Whether the name may mean something else.
    fn is_doubtful(&self) -> bool {
        let is_doubtful = |name: &String| !Role::is_spelled_out(name);
        self.role == Role::Evaluation && self.name.as_ref().is_some_and(is_doubtful)
    }
}

/// A file of tasks.
struct TaskFile {
    path: PathBuf,
    side: Side,
    /// The id of its only task.
    stem: String,
    /// Whether other folders have a file of this name with another task, so that the name of
    /// its folder is a part of its id.
    is_named_again: bool,
    tasks: Vec<Listed>,
}

/// The id of a task of a file, with the name of its folder or without.
fn full_id(path: &Path, is_named_again: bool, id: String) -> String {
    if is_named_again { format!("{}-{id}", parent_name(path)) } else { id }
}

/// A task, and its file.
pub(super) type Filed = (PathBuf, SolvedTask);

/// The solutions of a file, by task.
type Solutions = BTreeMap<String, Vec<Grid>>;

/// Solutions, and their file.
type SolutionsFile = (PathBuf, Solutions);

/// All tasks with outputs of all paths, each with its file; and notes about what was passed
/// over.
///
/// # Errors
///
/// See [`library::read`](crate::arc::library::read).
pub(super) fn solved_tasks(paths: &[PathBuf]) -> Result<(Vec<Filed>, Vec<String>), PuzzleError> {
    let (mut tasks, mut notes) = (Vec::new(), Vec::new());
    for path in paths {
        let mut source = Source::find(path)?;
        let found = source.read()?;
        if found.is_empty() {
            return Err(source.nothing_left(path));
        }
        tasks.extend(found);
        notes.extend(source.passed.notes(path));
    }
    Ok((tasks, notes))
}

/// The id of a bare task: the file name without folder and extension, and without what says
/// how the file is packed. `place` is what messages call the file.
pub fn stem(place: &str) -> String {
    let name = unpacked(place);
    let stem = Path::new(name).file_stem();
    stem.map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// Whether the tasks of a path keep their roles and their ids where the same files are at
/// another one: both may depend on its name, and roles on that of the folder it is in.
pub fn are_named_alike(path: &Path, other: &Path) -> bool {
    let names = |path: &Path| {
        let name = file_name(path);
        (Role::named(&name) == Some(Role::Evaluation) || evaluation_around(path).is_some(), name)
    };
    names(path) == names(other)
}

/// One path that the user names.
struct Source {
    is_folder: bool,
    /// Its files, each with the side of its tasks.
    files: Vec<(PathBuf, Side)>,
    passed: PassedOver,
}

impl Source {
    fn find(path: &Path) -> Result<Self, PuzzleError> {
        // The name of `.` is that of the working folder.
        let named = absolute(path).map_err(PuzzleError::read(path))?;
        let side = Side::TRAINING.of(&file_name(&named));
        let is_folder = path.is_dir();
        let mut source = Self { is_folder, files: Vec::new(), passed: PassedOver::default() };
        if is_folder {
            source.search(path, &side, &mut HashSet::new())?;
        } else {
            source.files.push((path.to_owned(), side));
        }
        if let Some(around) = evaluation_around(&named) {
            for (file, side) in &mut source.files {
                let below =
                    file.strip_prefix(path).ok().filter(|below| below.file_name().is_some());
                let below = below.unwrap_or(Path::new(named.file_name().unwrap_or_default()));
                let mut names = below.iter().map(|name| Role::named(&name.to_string_lossy()));
                let says_training = names.any(|role| role == Some(Role::Training));
                if side.role == Role::Training && !says_training {
                    side.role = Role::Evaluation;
                    source.passed.around = Some(around.clone());
                }
            }
        }
        Ok(source)
    }

    /// Adds the files of a folder and of its subfolders, sorted by name.
    fn search(
        &mut self,
        folder: &Path,
        side: &Side,
        searched: &mut HashSet<PathBuf>,
    ) -> Result<(), PuzzleError> {
        // A link may lead back to a folder above it.
        if !searched.insert(folder.canonicalize().map_err(PuzzleError::read(folder))?) {
            return Ok(());
        }
        let entries = std::fs::read_dir(folder).map_err(PuzzleError::read(folder))?;
        let entries = entries.map(|entry| Ok(entry.map_err(PuzzleError::read(folder))?.path()));
        let mut entries: Vec<PathBuf> = entries.collect::<Result<_, PuzzleError>>()?;
        entries.sort();
        let is_side = |path: &PathBuf| {
            let name = file_name(path);
            let role = Role::named(&name).filter(|_| !name.starts_with('.'));
            role.filter(|_| path.is_dir())
        };
        let sides: BTreeSet<Role> = entries.iter().filter_map(is_side).collect();
        let is_published =
            |path: &PathBuf| SPLIT.contains(&&*file_name(path).to_lowercase()) && path.is_dir();
        let is_whole = sides.len() == 2;
        let is_split = is_whole || entries.iter().any(is_published);
        // The name of a folder with both sides says nothing about either.
        let side = if is_whole && side.is_doubtful() { &Side::TRAINING } else { side };
        for path in entries {
            let name = file_name(&path);
            if name.starts_with('.') || name == "__MACOSX" {
                self.passed.n_hidden += 1;
            } else if is_split && is_side(&path).is_none() {
                if name != SETTINGS {
                    self.passed.others.push(name);
                }
            } else if path.is_dir() {
                self.search(&path, &side.of(&name), searched)?;
            } else if has_extension_of_tasks(&path) && path.is_file() {
                self.files.push((path, side.of(&name)));
            } else {
                self.passed.others.push(name);
            }
        }
        Ok(())
    }

    /// Reads the files: those of tasks, and the solutions beside them. `checked` checks the
    /// tasks of a file.
    fn lists(
        &mut self,
        checked: impl Fn(Vec<Listed>) -> Result<Vec<Listed>, PuzzleError>,
    ) -> Result<(Vec<TaskFile>, Vec<SolutionsFile>), PuzzleError> {
        let (mut lists, mut solutions) = (Vec::new(), Vec::new());
        let stage = Stage::start("reading tasks", self.files.len() as u64);
        for (path, side) in &self.files {
            stage.advance(1);
            let file = path.display().to_string();
            let (text, name) = read_text(path)?;
            let stem = stem(&name);
            let content = json::read(&text, &file, &stem)?;
            let tasks = match content {
                Content::Solutions(found) if self.is_folder => {
                    solutions.push((path.clone(), found.into_iter().collect()));
                    continue;
                }
                Content::Submission if self.is_folder => {
                    self.passed.submissions.push(file_name(path));
                    continue;
                }
                Content::Other(_) if self.is_folder => {
                    self.passed.others.push(file_name(path));
                    continue;
                }
                Content::Tasks(tasks) if self.is_folder => tasks,
                content => json::tasks(content, &file)?,
            };
            let (path, side, tasks) = (path.clone(), side.clone(), checked(tasks)?);
            lists.push(TaskFile { path, side, stem, is_named_again: false, tasks });
        }
        let repeated = repeated_stems(lists.iter().map(|list| (&*list.path, &list.stem)));
        for list in &mut lists {
            let [only] = &list.tasks[..] else { continue };
            list.is_named_again = repeated.contains(&only.id);
        }
        Ok((lists, solutions))
    }

    /// Reads the files, pairs solutions with their tasks, and sets aside what has no outputs.
    fn read(&mut self) -> Result<Vec<Filed>, PuzzleError> {
        let (lists, mut solutions) = self.lists(well_formed)?;
        let of_lists: HashSet<PathBuf> =
            lists.iter().filter_map(|list| solutions_of(&list.path)).collect();
        // Copies of a file of solutions have other names.
        solutions.sort_by_key(|(file, _)| !of_lists.contains(file));
        let mut found = Vec::new();
        for TaskFile { path, side, is_named_again, tasks, .. } in lists {
            if !self.is_folder && tasks.iter().any(lacks_outputs) {
                solutions.extend(solutions_beside(&path)?);
            }
            let n_tasks = tasks.len();
            // The name of a file with both sides says nothing about either.
            let n_evaluation = tasks.iter().filter(|listed| listed.is_evaluation).count();
            let is_whole = (1..n_tasks).contains(&n_evaluation);
            let side = if is_whole && side.is_doubtful() { Side::TRAINING } else { side };
            let mut first_unknown = None;
            let mut n_unknown = 0;
            for Listed { id, task, is_list_of_pairs, is_evaluation } in tasks {
                let mut role = if is_evaluation { Role::Evaluation } else { side.role };
                let mut task = match task {
                    Found::Task(task) => task,
                    Found::Refused(Refused { error, .. }) => {
                        self.passed.too_large.push(id);
                        self.passed.first_too_large.get_or_insert(error);
                        continue;
                    }
                };
                self.passed.n_lists_of_pairs += usize::from(is_list_of_pairs);
                let filled = fill(&mut task, &id, &path, &solutions);
                let filled = filled.and_then(|from| {
                    let task = solved(id, task, role, &path).map_err(Unfilled::Lacking)?;
                    Ok((from, task))
                });
                match filled {
                    Ok((from, mut task)) => {
                        // A contest has questions as placeholders that are copies of other tasks.
                        let is_other = |from: &&Path| {
                            of_lists.contains(*from)
                                && solutions_of(&path).as_deref() != Some(*from)
                        };
                        if side.is_doubtful() && !is_evaluation && from.filter(is_other).is_some() {
                            role = Role::Training;
                        }
                        task.role = role;
                        task.id = full_id(&path, is_named_again, task.id);
                        if let (Some(name), true) = (&side.name, role == side.role) {
                            self.passed.sides.entry(role).or_default().insert(name.clone());
                        }
                        found.push((path.clone(), task));
                    }
                    Err(Unfilled::Lacking(error)) => {
                        n_unknown += 1;
                        first_unknown = first_unknown.or(Some(error));
                    }
                    Err(Unfilled::Other(error)) => return Err(error),
                }
            }
            match first_unknown {
                Some(error) if !self.is_folder && n_unknown == n_tasks => return Err(error),
                Some(_) => self.passed.unknown.push((file_name(&path), n_unknown)),
                None => {}
            }
        }
        Ok(found)
    }
}

/// Tasks of a folder that need no outputs, and notes about what was passed over.
///
/// # Errors
///
/// As [`library::read`](crate::arc::library::read), except that tasks may be malformed.
pub fn unsolved_tasks(folder: &Path) -> Result<(Vec<Listed>, Vec<String>), PuzzleError> {
    let mut source = Source::find(folder)?;
    let (lists, _) = source.lists(Ok)?;
    let several = lists.iter().filter(|list| list.tasks.len() > 1);
    let several: Vec<String> = several.map(|list| file_name(&list.path)).collect();
    let several = (several.len() > 1).then(|| {
        format!(
            "{}: the tasks of {} files are answered ({}); name one of them for its tasks alone",
            folder.display(),
            several.len(),
            named(&several)
        )
    });
    let tasks = lists.into_iter().flat_map(|TaskFile { path, is_named_again, tasks, .. }| {
        let named = move |listed: Listed| Listed {
            id: full_id(&path, is_named_again, listed.id),
            ..listed
        };
        tasks.into_iter().map(named)
    });
    let tasks: Vec<Listed> = tasks.collect();
    if tasks.is_empty() {
        return Err(source.nothing_left(folder));
    }
    let passed = source.passed.describe();
    let notes = passed.map(|what| format!("{}: passed over {what}", folder.display()));
    Ok((tasks, notes.into_iter().chain(several).collect()))
}

/// Why a task has no outputs.
enum Unfilled {
    /// Nothing has them.
    Lacking(PuzzleError),
    Other(PuzzleError),
}

/// File stems that occur in several folders of other names: such files are not versions of one
/// task, so the name of the folder becomes a part of their ids.
fn repeated_stems<'a>(files: impl Iterator<Item = (&'a Path, &'a String)>) -> HashSet<String> {
    let mut parents = BTreeMap::<&String, BTreeSet<String>>::new();
    for (path, stem) in files {
        parents.entry(stem).or_default().insert(parent_name(path));
    }
    let is_split = |name: &String| Role::named(name).is_some();
    let repeated = parents.into_iter();
    let repeated =
        repeated.filter(|(_, parents)| parents.len() > 1 && !parents.iter().any(is_split));
    repeated.map(|(stem, _)| stem.clone()).collect()
}

/// The tasks of a file, unless one of them is malformed.
fn well_formed(mut tasks: Vec<Listed>) -> Result<Vec<Listed>, PuzzleError> {
    let is_malformed = |listed: &Listed| {
        matches!(listed.task, Found::Refused(Refused { is_too_large: false, .. }))
    };
    match tasks.iter().position(is_malformed).map(|idx| tasks.swap_remove(idx).task) {
        Some(Found::Refused(Refused { error, .. })) => Err(error),
        _ => Ok(tasks),
    }
}

impl Source {
    /// The error of a path without usable tasks.
    fn nothing_left(self, path: &Path) -> PuzzleError {
        let (place, what) = (path.display().to_string(), self.passed.describe());
        let PassedOver { first_too_large, unknown, others, .. } = self.passed;
        let ends = |endings: &[&str]| {
            let is_one =
                |name: &String| endings.iter().any(|ending| name.to_lowercase().ends_with(ending));
            others.iter().any(is_one)
        };
        match (first_too_large, what) {
            (Some(error), _) if !self.is_folder => error,
            (None, Some(what)) if unknown.is_empty() => {
                let advice = if ends(&[".zip", ".gz", ".tar", ".tgz", ".7z", ".xz"]) {
                    "; unpack archives first"
                } else if ends(&[".parquet", ".arrow", ".csv", ".npy"]) {
                    "; ARC tasks are read from JSON"
                } else {
                    ""
                };
                PuzzleError::malformed(place, "ARC tasks", format!("{what}{advice}"))
            }
            (_, Some(what)) => PuzzleError::malformed(place, "ARC tasks with outputs", what),
            (_, None) => PuzzleError::Empty { place, what: "tasks" },
        }
    }
}

/// What was passed over below one path.
#[derive(Default)]
struct PassedOver {
    submissions: Vec<String>,
    others: Vec<String>,
    n_hidden: usize,
    /// Ids of tasks.
    too_large: Vec<String>,
    /// The grid of the first of them.
    first_too_large: Option<PuzzleError>,
    /// Files, each with its number of tasks that lack outputs.
    unknown: Vec<(String, usize)>,
    /// Not passed over, but worth a note.
    n_lists_of_pairs: usize,
    /// The folder that the path is in, if only its name says what the tasks are for.
    around: Option<String>,
    /// The names that say what tasks are for.
    sides: BTreeMap<Role, BTreeSet<String>>,
}

impl PassedOver {
    /// What was passed over, counted; `None` if nothing was.
    fn describe(&self) -> Option<String> {
        let mut parts = Vec::new();
        let mut add = |n: usize, one: &str, many: &str, names: &[String]| {
            if n > 0 {
                parts.push(format!("{n} {}{}", if n == 1 { one } else { many }, listed(names)));
            }
        };
        let n_unknown = self.unknown.iter().map(|(_, n)| n).sum();
        let files: Vec<_> = self.unknown.iter().map(|(file, _)| file.clone()).collect();
        add(n_unknown, "task without outputs", "tasks without outputs", &files);
        let (one, many) = ("task with a grid above 30 by 30", "tasks with a grid above 30 by 30");
        add(self.too_large.len(), one, many, &self.too_large);
        add(self.submissions.len(), "submission", "submissions", &self.submissions);
        add(self.others.len(), "other file or folder", "other files and folders", &self.others);
        add(self.n_hidden, "hidden file or folder", "hidden files and folders", &[]);
        let last = parts.pop()?;
        Some(if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) })
    }

    fn notes(&self, path: &Path) -> Vec<String> {
        let path = path.display();
        let passed = self.describe().map(|what| format!("{path}: passed over {what}"));
        let lists = match self.n_lists_of_pairs {
            0 => None,
            n => Some(format!(
                "{path}: {n} of its tasks are lists of pairs; the last pair of each is taken as \
                 its test pair"
            )),
        };
        let around = self.around.as_ref().map(|name| {
            format!(
                "{path}: its tasks are evaluation tasks, since the folder that it is in is called \
                 `{}`",
                clipped(name)
            )
        });
        let of_side = |role: Role| {
            let names = self.sides.get(&role).into_iter().flatten().collect::<Vec<_>>();
            (!names.is_empty()).then(|| named(&names))
        };
        let is_doubtful = |names: &BTreeSet<String>| !names.iter().all(|n| Role::is_spelled_out(n));
        let evaluation = of_side(Role::Evaluation)
            .filter(|_| self.sides.get(&Role::Evaluation).is_some_and(is_doubtful));
        let sides = evaluation.map(|evaluation| {
            let training = of_side(Role::Training);
            let training = training.map(|names| format!(", those of {names} for training"));
            let training = training.unwrap_or_default();
            format!("{path}: by their names, tasks of {evaluation} are for evaluation{training}")
        });
        passed.into_iter().chain(lists).chain(around).chain(sides).collect()
    }
}

/// Some names in parentheses; nothing for none.
fn listed(names: &[String]) -> String {
    const N_NAMES_MAX: usize = 4;
    if names.is_empty() {
        return String::new();
    }
    let shown: Vec<_> = names.iter().take(N_NAMES_MAX).map(|name| clipped(name)).collect();
    let more = if names.len() > N_NAMES_MAX { ", .." } else { "" };
    format!(" ({}{more})", shown.join(", "))
}

/// Merges the pairs of a task into one list; fails if an output is missing.
fn solved(id: String, task: ArcTask, role: Role, path: &Path) -> Result<SolvedTask, PuzzleError> {
    let n_train = task.train.len();
    let mut pairs = task.train;
    for (idx, TestPair { input, output }) in task.test.into_iter().enumerate() {
        let Some(output) = output else {
            let place = format!("{}: task `{}`, test[{idx}]", path.display(), clipped(&id));
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

fn lacks_outputs(listed: &Listed) -> bool {
    match &listed.task {
        Found::Task(task) => task.test.iter().any(|test| test.output.is_none()),
        Found::Refused(_) => false,
    }
}

/// Sets the outputs that a task lacks: from the solutions file named after its own, or else
/// from any in its folder that has the task. Returns the file, if any was needed.
fn fill<'a>(
    task: &mut ArcTask,
    id: &str,
    path: &Path,
    solutions: &'a [SolutionsFile],
) -> Result<Option<&'a Path>, Unfilled> {
    if task.test.iter().all(|test| test.output.is_some()) {
        return Ok(None);
    }
    let named = solutions_of(path);
    let named = solutions.iter().find(|(file, _)| named.as_ref() == Some(file));
    let beside = solutions
        .iter()
        .filter(|(file, solutions)| file.parent() == path.parent() && solutions.contains_key(id));
    let candidates: Vec<_> = match named {
        Some(named) => vec![named],
        None => beside.collect(),
    };
    let outputs = |solutions: &Solutions| solutions.get(id).map_or(0, Vec::len);
    let n_tests = task.test.len();
    let fitting = candidates.iter().find(|(_, solutions)| outputs(solutions) == n_tests);
    match (fitting, candidates.first()) {
        (Some((file, solutions)), _) => {
            for (test, output) in task.test.iter_mut().zip(&solutions[id]) {
                test.output.get_or_insert_with(|| output.clone());
            }
            Ok(Some(file))
        }
        (None, Some((file, solutions))) => {
            let place = format!("{}: task `{}`", file.display(), clipped(id));
            let expected = format!("one grid per test pair ({n_tests})");
            let error = PuzzleError::malformed(place, expected, outputs(solutions).to_string());
            match solutions.contains_key(id) {
                true => Err(Unfilled::Other(error)),
                false => Err(Unfilled::Lacking(error)),
            }
        }
        (None, None) => Ok(None),
    }
}

/// The solutions for a file that was named alone: the file named after it, or else all
/// files of its folder that have `solution` in their names.
fn solutions_beside(path: &Path) -> Result<Vec<SolutionsFile>, PuzzleError> {
    let named = solutions_of(path).filter(|named| named.is_file());
    let files = match named {
        Some(named) => vec![named],
        None => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten();
            let names = entries.flatten().map(|entry| path.with_file_name(entry.file_name()));
            let is_solutions = |file: &PathBuf| {
                let name = file_name(file).to_lowercase();
                file != path && name.contains("solution") && has_extension_of_tasks(file)
            };
            let mut files: Vec<_> = names.filter(is_solutions).collect();
            files.sort();
            files
        }
    };
    let mut solutions = Vec::new();
    for file in files {
        let place = file.display().to_string();
        match json::read(&read_text(&file)?.0, &place, "")? {
            Content::Solutions(found) => solutions.push((file, found.into_iter().collect())),
            Content::Tasks(tasks) if tasks.is_empty() => solutions.push((file, Solutions::new())),
            _ => {}
        }
    }
    Ok(solutions)
}

/// Reads a file of limited size. Returns its text and its name, which within an archive is
/// another one.
fn read_text(path: &Path) -> Result<(Vec<u8>, String), PuzzleError> {
    // Above any public set of tasks, synthetic ones included. Device files never end.
    const N_BYTES_MAX: u64 = 2 << 30;

    let text = Text::open(path, JSON_ENDINGS)?;
    let name = text.name().to_owned();
    Ok((text.whole(n_unpacked_max(path, N_BYTES_MAX))?.into_bytes(), name))
}

/// The name of the folder that a path is in, if it says that its tasks are for evaluation. A
/// name that may mean something else does so beside a side for training only.
fn evaluation_around(path: &Path) -> Option<String> {
    let folder = path.parent()?;
    let name = file_name(folder);
    let is_training = |entry: std::fs::DirEntry| {
        Role::named(&entry.file_name().to_string_lossy()) == Some(Role::Training)
    };
    let is_beside_training = || {
        let beside = folder.parent().map(std::fs::read_dir);
        beside.is_some_and(|beside| beside.into_iter().flatten().flatten().any(is_training))
    };
    let is_meant = Role::is_spelled_out(&name)
        || Role::named(&name) == Some(Role::Evaluation) && is_beside_training();
    is_meant.then_some(name)
}

/// The solutions file of a challenges file.
fn solutions_of(path: &Path) -> Option<PathBuf> {
    let name = file_name(path);
    name.contains("challenges")
        .then(|| path.with_file_name(name.replace("challenges", "solutions")))
}

/// Whether a file of a folder is named like tasks, packed or not. A bare archive is not:
/// it may hold the folder itself.
fn has_extension_of_tasks(path: &Path) -> bool {
    let name = file_name(path).to_lowercase();
    let name = unpacked(&name);
    JSON_ENDINGS.iter().any(|ending| name.ends_with(&format!(".{ending}")))
}

/// A name without the endings that say how a file is packed.
fn unpacked(name: &str) -> &str {
    let without = |ending: &str| {
        let (start, end) = name.split_at_checked(name.len().checked_sub(ending.len())?)?;
        end.eq_ignore_ascii_case(ending).then_some(start)
    };
    [".gz", ".zip"].into_iter().find_map(without).unwrap_or(name)
}

fn parent_name(path: &Path) -> String {
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    path.parent().map(file_name).unwrap_or_default()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
