//! `run.json`: everything needed to repeat a run.
//!
//! Paths of data are relative to the run folder if both lie in the working folder, so that
//! a project can be moved as a whole; else they are absolute. In memory they are always
//! absolute.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use hrm_base::durable;
use hrm_core::Hrm;
use hrm_kernels::Isa;
use hrm_puzzles::PuzzleError;
use hrm_tasks::{PuzzleTask, RunConfig, TaskError, TaskRecord};
use hrm_train::TrainConfig;
use hrm_train::run::{files, read_json, verify_files};
use serde::{Deserialize, Serialize};

use crate::compute::Compute;
use crate::error::usage;
use crate::paths;
use crate::term::note;
use crate::warm_start::InitRecord;

/// The content of `run.json`, written before the first step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// Version of this program.
    pub(crate) version: String,
    /// Commit that this program was built from, with `-dirty` appended if the
    /// source had changes.
    pub(crate) revision: String,
    /// All settings, in full.
    pub(crate) config: RunConfig,
    /// Training data; empty for built-in puzzles.
    pub(crate) data: Vec<PathBuf>,
    /// SHA-256 of each data file, by path.
    pub(crate) data_sha256: BTreeMap<PathBuf, String>,
    /// Seed for weight initialisation, data order and halting exploration.
    pub(crate) seed: u64,
    /// Training time in minutes after which the run ends. `None`: it ends after a
    /// number of steps.
    #[serde(default)]
    pub(crate) minutes: Option<f64>,
    /// The checkpoint with the weights that the run starts from. `None`: fresh weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) init: Option<InitRecord>,
    /// Changes of its length since it was started, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) extensions: Vec<Extension>,
    /// Device that computes.
    pub(crate) device: String,
    /// Data type of activations.
    pub(crate) dtype: String,
    /// Cargo features of the build.
    pub(crate) cargo_features: Vec<String>,
    /// The machine.
    pub(crate) host: Host,
}

/// Whether some data are those of a run.
pub(crate) enum Compared {
    /// They are, in these places.
    Same(Vec<PathBuf>),
    /// They are, under names that would make other puzzles of them.
    Renamed(String),
    /// They are others; the text says how they differ.
    Other(String),
}

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Length {
    /// After this many steps.
    Steps(u64),
    /// After this many minutes of training.
    Minutes(f64),
}

impl std::fmt::Display for Length {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Steps(1) => out.write_str("1 step"),
            Self::Steps(n) => write!(out, "{n} steps"),
            Self::Minutes(minutes) => write!(out, "{minutes} minutes"),
        }
    }
}

/// A change of the length of a run that has started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extension {
    /// Steps done at the change.
    pub(crate) step: u64,
    /// The length before.
    pub(crate) before: Length,
    /// The length after.
    pub(crate) after: Length,
}

impl RunRecord {
    /// Reads the record of a run. `path` is its file.
    ///
    /// # Errors
    ///
    /// If the file is not a record.
    pub(crate) fn load(path: &Path) -> Result<Self, hrm_train::TrainError> {
        let mut record: Self = read_json(path)?;
        let folder = durable::parent(path);
        record.map_paths(|path| paths::resolved(path, folder));
        Ok(record)
    }

    /// The record as it is written into the run folder `run`.
    pub(crate) fn for_folder(&self, run: &Path) -> Self {
        // A path that the record in the folder states already stays as it is stated.
        let mut stated = BTreeMap::new();
        if let Ok(mut before) = read_json::<Self>(&run.join(files::RECORD)) {
            before.map_paths(|path| {
                stated.insert(paths::resolved(path, run), path.to_owned());
                path.to_owned()
            });
        }
        let mut record = self.clone();
        record.map_paths(|path| {
            stated.get(path).cloned().unwrap_or_else(|| paths::recorded(path, run))
        });
        record
    }

    /// Checks that files of a run can name all paths in the record.
    ///
    /// # Errors
    ///
    /// If one of them is not Unicode.
    pub(crate) fn check_paths(&self) -> anyhow::Result<()> {
        let mut unnamed = None;
        self.clone().map_paths(|path| {
            unnamed = unnamed.take().or(path.to_str().is_none().then(|| path.to_owned()));
            path.to_owned()
        });
        let Some(path) = unnamed else { return Ok(()) };
        Err(usage(format!(
            "{} is not a name in Unicode, so {} cannot hold it: rename the file or folder",
            path.display(),
            files::RECORD
        )))
    }

    /// The record with paths as text, which need not lead to files.
    pub(crate) fn for_display(mut self) -> Self {
        self.map_paths(|path| path.to_string_lossy().into_owned().into());
        self
    }

    /// Changes all paths in the record.
    fn map_paths(&mut self, mut change: impl FnMut(&Path) -> PathBuf) {
        for path in &mut self.data {
            *path = change(path);
        }
        let hashes = std::mem::take(&mut self.data_sha256);
        self.data_sha256 = hashes.into_iter().map(|(path, hash)| (change(&path), hash)).collect();
        if let Some(init) = &mut self.init {
            init.checkpoint = change(&init.checkpoint);
        }
    }

    /// The first path of the data that does not exist.
    pub(crate) fn missing_data(&self) -> Option<&Path> {
        self.data.iter().map(PathBuf::as_path).find(|path| !path.exists())
    }

    /// Checks that the data files have not changed since the record was written to
    /// `path`.
    ///
    /// # Errors
    ///
    /// If one has, or is missing.
    pub(crate) fn check_data(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(missing) = self.missing_data() {
            return Err(data_not_found(missing, path));
        }
        let found = hashes(&self.data)?;
        for place in &self.data {
            let (wanted, found) = (below(place, &self.data_sha256), below(place, &found));
            let mut names = wanted.keys().chain(found.keys());
            let Some(name) = names.find(|name| wanted.get(*name) != found.get(*name)) else {
                continue;
            };
            let what = match (wanted.contains_key(name), found.contains_key(name)) {
                (true, true) => "has changed",
                (true, false) => "has been removed",
                (false, _) => "has been added",
            };
            let (name, run) = (file_in(place, name), path.display());
            return Err(usage(format!(
                "{name} {what} since {run} was written: the run needs the same data. If they are \
                 elsewhere, name them with --data"
            )));
        }
        Ok(())
    }

    /// This record with its data at `data`: the same files, by their hashes, in any place and
    /// order. The record was written to `path`.
    ///
    /// # Errors
    ///
    /// If they are others, naming both.
    pub(crate) fn with_data_at(mut self, path: &Path, data: &[PathBuf]) -> anyhow::Result<Self> {
        let run = path.display();
        if self.data.is_empty() {
            return Err(usage(format!("{run} uses built-in puzzles: leave out --data")));
        }
        match self.compare(data)? {
            Compared::Same(places) => {
                self.data_sha256 = hashes(&places)?;
                self.data = places;
                Ok(self)
            }
            Compared::Renamed(why) => Err(usage(why)),
            Compared::Other(why) => Err(usage(format!(
                "--data is not the data of {run}: {why}. To train on other data, start a run with \
                 --from or --init"
            ))),
        }
    }

    /// Whether `data` are those of the run. Of a folder, the files with the names of those of
    /// the run are meant, if the run has only files.
    ///
    /// # Errors
    ///
    /// If a path cannot be read.
    pub(crate) fn compare(&self, data: &[PathBuf]) -> anyhow::Result<Compared> {
        let wanted: Vec<_> =
            self.data.iter().map(|place| (place, below(place, &self.data_sha256))).collect();
        let are_files = wanted.iter().all(|(_, files)| files.contains_key(Path::new("")));
        let mut offered = Vec::new();
        for place in data {
            let place = paths::absolute(place)?;
            let files = match are_files && place.is_dir() {
                true => {
                    let names = self.data.iter().filter_map(|file| file.file_name());
                    let mut files: Vec<_> = names.map(|name| place.join(name)).collect();
                    files.retain(|file| file.is_file());
                    files.dedup();
                    files
                }
                false => vec![place.clone()],
            };
            if files.is_empty() {
                let (place, file) = (place.display(), self.data[0].display());
                return Ok(Compared::Other(format!(
                    "{place} is a folder without a file of the name of {file}"
                )));
            }
            for file in files {
                offered.push((below(&file, &hashes(std::slice::from_ref(&file))?), file));
            }
        }
        let kind = self.config.task.puzzle_kind();
        let mut places = Vec::new();
        for (place, wanted) in wanted {
            let same = (0..offered.len()).filter(|idx| offered[*idx].0 == wanted);
            let mut same = same.peekable();
            let first = same.peek().copied();
            let Some(first) = first else {
                let closest = offered.get(places.len()).or(offered.first());
                return Ok(Compared::Other(closest.map_or_else(
                    || format!("{} is missing", place.display()),
                    |(found, at)| difference((place, &wanted), (at, found)),
                )));
            };
            let Some(idx) = same.find(|idx| kind.are_named_alike(place, &offered[*idx].1)) else {
                return Ok(Compared::Renamed(format!(
                    "{} is {} under another name, or in a folder of another kind. Tasks may be \
                     named after their files, and `evaluation` in a name says what they are for: \
                     give it the same name",
                    offered[first].1.display(),
                    place.display()
                )));
            };
            places.push(offered.remove(idx).1);
        }
        Ok(match offered.first() {
            Some((_, place)) => Compared::Other(format!("{} is not among them", place.display())),
            None => Compared::Same(places),
        })
    }

    /// Whether the length of the run was changed after `step` steps.
    pub(crate) fn is_extended_at(&self, step: u64) -> bool {
        self.extensions.iter().any(|extension| extension.step == step)
    }

    /// When the run ends.
    pub(crate) fn length(&self) -> Length {
        self.minutes.map_or(Length::Steps(self.config.train.steps), Length::Minutes)
    }

    /// Sets when the run ends.
    ///
    /// # Errors
    ///
    /// If a setting needs a number of steps and there is none.
    pub(crate) fn set_length(&mut self, length: Length) -> anyhow::Result<()> {
        let train = &mut self.config.train;
        match length {
            Length::Steps(steps) => {
                train.steps = steps;
                self.minutes = None;
                Ok(())
            }
            Length::Minutes(minutes) => {
                if !train.schedule.curriculum.is_empty() {
                    let reason = "train.schedule.curriculum needs a number of steps: use --steps, \
                                  not --minutes";
                    return Err(usage(reason));
                }
                train.steps = TrainConfig::OPEN_ENDED;
                self.minutes = Some(minutes);
                Ok(())
            }
        }
    }

    /// Changes the length of a run that has made `n_done` steps in `seconds`. Returns what the
    /// user has to know, or `None` if the run has this length already.
    ///
    /// # Errors
    ///
    /// If the run is as long as that already, or [`set_length`](Self::set_length) fails.
    pub(crate) fn extend(
        &mut self,
        after: Length,
        n_done: u64,
        seconds: f64,
    ) -> anyhow::Result<Option<String>> {
        let before = self.length();
        match after {
            Length::Steps(steps) if steps <= n_done => {
                return Err(usage(format!(
                    "the run has made {}: --steps must be more than that to extend it, found \
                     {steps}",
                    Length::Steps(n_done)
                )));
            }
            Length::Minutes(minutes) if minutes * 60.0 <= seconds => {
                return Err(usage(format!(
                    "the run has trained for {:.2} minutes: --minutes must be more than that to \
                     extend it, found {minutes}",
                    seconds / 60.0
                )));
            }
            _ if after == before => return Ok(None),
            _ => {}
        }
        let rate = |record: &Self, step: u64| {
            let TrainConfig { steps, schedule, optimiser, .. } = &record.config.train;
            optimiser.learning_rate * schedule.lr_factor_at(step, *steps)
        };
        let rate_before = match n_done {
            0 => String::new(),
            _ => format!("; in step {n_done} it was {:.3e}", rate(self, n_done)),
        };
        self.set_length(after)?;
        self.config.train.check()?;
        if self.minutes.is_none() {
            self.config.train.check_fixed_steps()?;
        }
        let rate_after = rate(self, n_done + 1);
        self.extensions.push(Extension { step: n_done, before, after });

        let of = match after {
            Length::Steps(_) => format!("for a run of {after}"),
            Length::Minutes(_) => "for a run without a number of steps".to_owned(),
        };
        let curriculum = match self.config.train.schedule.curriculum.is_empty() {
            true => "",
            false => " The stages of the curriculum are shares of the new number of steps.",
        };
        Ok(Some(format!(
            "The run ends after {after} instead of {before}. From step {} on, the schedule is that \
             {of}: the learning rate there is {rate_after:.3e}{rate_before}.{curriculum}",
            n_done + 1
        )))
    }

    /// The puzzles of the run, for its checkpoints.
    pub(crate) fn task_record(&self) -> TaskRecord {
        TaskRecord { task: self.config.task.clone(), data: self.data.clone() }
    }

    /// Opens the puzzles at `data`, and sets the sizes of the model that depend on
    /// them. Messages name these paths.
    ///
    /// # Errors
    ///
    /// As [`TaskConfig::open`](hrm_tasks::TaskConfig::open).
    pub(crate) fn open_task(&mut self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        let task = self.config.task.open(data)?;
        let model = &mut self.config.model;
        model.input.vocab_size = task.vocab_size();
        model.input.n_cells = task.n_cells();
        model.input.n_puzzle_ids = task.n_puzzle_ids();
        Ok(task)
    }

    /// Device and precision of the run.
    ///
    /// # Errors
    ///
    /// If this program does not know a name.
    pub(crate) fn compute(&self) -> anyhow::Result<Compute> {
        Compute::named(&self.device, &self.dtype)
    }

    /// The model before the first step of the run in the folder `run`.
    ///
    /// # Errors
    ///
    /// If sizes do not fit together, the device is not available, or the weights that the
    /// run starts from cannot be read.
    pub(crate) fn first_model(&self, run: &Path) -> anyhow::Result<Hrm> {
        if self.init.is_none() {
            return self.fresh_model();
        }
        let (folder, compute) = (run.join(files::INIT), self.compute()?);
        verify_files(&folder, &[files::CONFIG, files::WEIGHTS])?;
        let model = Hrm::load(&folder, &compute.device()?)?;
        if *model.config() != self.config.model {
            let folder = folder.display();
            return Err(usage(format!("{folder} holds another model than that of the run")));
        }
        Ok(model.with_dtype(compute.dtype()?))
    }

    /// A model of the run with fresh weights.
    ///
    /// # Errors
    ///
    /// If sizes do not fit together, or the device is not available.
    pub(crate) fn fresh_model(&self) -> anyhow::Result<Hrm> {
        let compute = self.compute()?;
        let model = Hrm::seeded(self.config.model.clone(), self.seed, &compute.device()?)?;
        Ok(model.with_dtype(compute.dtype()?))
    }

    /// Warns of differences that make a resumed run differ in its last bits.
    pub(crate) fn warn_if_host_differs(&self) {
        self.host.difference(&Host::here()).into_iter().for_each(note);
        if self.version != env!("CARGO_PKG_VERSION") {
            note(format!("The run started with version {} of this program.", self.version));
        } else if self.revision != revision() {
            note(format!(
                "The run started with this program at revision {}; this is revision {}.",
                self.revision,
                revision()
            ));
        }
    }
}

/// The machine of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    /// Operating system and architecture.
    pub(crate) platform: String,
    /// Number of compute threads.
    pub(crate) n_threads: usize,
    /// Instruction set of its kernels; empty in records that do not name it.
    #[serde(default)]
    pub(crate) isa: String,
}

impl Host {
    pub(crate) fn here() -> Self {
        Self {
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            n_threads: candle_core::utils::get_num_threads(),
            // An error of this names the variable that is wrong, where kernels are used.
            isa: Isa::current().map_or_else(|_| String::new(), |isa| isa.name().to_owned()),
        }
    }

    /// What a user has to know about a run that started here and is resumed on `other`.
    fn difference(&self, other: &Self) -> Option<String> {
        let isa = if self.isa.is_empty() { &other.isa } else { &self.isa };
        if *self == (Self { isa: self.isa.clone(), ..other.clone() }) && *isa == other.isa {
            return None;
        }
        let machine = |host: &Self, isa: &str| {
            let Self { platform, n_threads, .. } = host;
            format!("{platform} with {n_threads} threads and {isa} kernels")
        };
        Some(format!(
            "The run started on {}; on {}, results are rounded differently.",
            machine(self, isa),
            machine(other, &other.isa)
        ))
    }
}

/// Cargo features that change what a build can do.
pub(crate) fn cargo_features() -> Vec<String> {
    let features = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];
    features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name.to_owned()).collect()
}

/// The commit that this program was built from, with `-dirty` appended if its
/// source had changes; `unknown` if it was built outside a git repository.
pub(crate) fn revision() -> String {
    env!("HRM_REVISION").to_owned()
}

/// The error that data of the run whose record is `run` do not exist at `path`.
pub(crate) fn data_not_found(path: &Path, run: &Path) -> anyhow::Error {
    usage(format!(
        "{} does not exist, and {} needs it: if the data are elsewhere, name them with --data \
         (the same files, by their hashes)",
        path.display(),
        run.display()
    ))
}

/// The hash of each file in `place` by its path there; empty for `place` itself. Hidden files
/// are left out: programs that show or copy folders make them.
fn below(place: &Path, hashes: &BTreeMap<PathBuf, String>) -> BTreeMap<PathBuf, String> {
    let inside = hashes.iter().filter_map(|(path, hash)| {
        let path = path.strip_prefix(place).ok()?;
        let is_hidden = path.components().any(|part| is_hidden(part.as_os_str()));
        (!is_hidden).then(|| (path.to_owned(), hash.clone()))
    });
    inside.collect()
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// The file `name` in `place`; an empty name is `place` itself.
fn file_in(place: &Path, name: &Path) -> String {
    match name.as_os_str().is_empty() {
        true => place.display().to_string(),
        false => place.join(name).display().to_string(),
    }
}

/// How two places of data differ, in words.
fn difference(
    (place, wanted): (&Path, &BTreeMap<PathBuf, String>),
    (at, found): (&Path, &BTreeMap<PathBuf, String>),
) -> String {
    let names = wanted.keys().chain(found.keys());
    let first = names.into_iter().find(|name| wanted.get(*name) != found.get(*name));
    let Some(name) = first else { return format!("{} differs", at.display()) };
    let file = |place: &Path| file_in(place, name);
    match (wanted.get(name), found.get(name)) {
        (Some(wanted), Some(found)) => format!(
            "expected {} with SHA-256 {wanted}, found {} with {found}",
            file(place),
            file(at)
        ),
        (Some(_), None) if name.as_os_str().is_empty() => {
            format!("expected the file {}, found the folder {}", file(place), file(at))
        }
        (Some(_), None) => format!("expected {}, and {} does not exist", file(place), file(at)),
        _ => format!("{} is not in {}", file(at), place.display()),
    }
}

/// SHA-256 of each file in `data`, and of the files in its folders that readers may read.
///
/// # Errors
///
/// [`PuzzleError::Read`] if a path cannot be read.
pub(crate) fn hashes(data: &[PathBuf]) -> Result<BTreeMap<PathBuf, String>, TaskError> {
    let mut files = Vec::new();
    for place in data {
        match place.is_dir() {
            true => add_files(place, &mut HashSet::new(), &mut files)?,
            false => files.push(place.clone()),
        }
    }
    let mut hashes = BTreeMap::new();
    for path in files {
        let hash = sha256(&path)?;
        hashes.insert(path, hash);
    }
    Ok(hashes)
}

/// Adds the files of a folder and of its subfolders. What no reader reads is left out: hidden
/// files, links that lead nowhere or to a folder above, pipes, and the folders of runs.
fn add_files(
    folder: &Path,
    searched: &mut HashSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<(), TaskError> {
    let failed = TaskError::read(folder);
    if !searched.insert(folder.canonicalize().map_err(&failed)?) {
        return Ok(());
    }
    let entries = std::fs::read_dir(folder).map_err(&failed)?;
    let entries: std::io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    // In the order of readers, so that of two links to one folder the same one is followed.
    let mut entries = entries.map_err(&failed)?;
    entries.sort();
    for path in entries {
        if path.file_name().is_some_and(is_hidden) || path.join(files::RECORD).is_file() {
            continue;
        }
        if path.is_dir() {
            add_files(&path, searched, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// SHA-256 of a file, in lower-case hexadecimal.
///
/// # Errors
///
/// [`PuzzleError::Read`] if the file cannot be read.
pub(crate) fn sha256(path: &Path) -> Result<String, PuzzleError> {
    hrm_train::run::sha256(path).map_err(PuzzleError::read(path))
}

// Tested here, since cargo runs no tests of a build script.
#[cfg(test)]
#[allow(dead_code)] // Only cargo calls its `main`.
#[path = "../build.rs"]
mod build;

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs git in a repository of the test; whether git is installed.
    fn git(folder: &Path, arguments: &[&str]) -> bool {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"];
        let command = &mut std::process::Command::new("git");
        command.current_dir(folder).args(identity).args(arguments);
        command.output().is_ok_and(|output| output.status.success())
    }

    #[test]
    fn the_revision_is_that_of_the_source_and_says_whether_it_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let write = |name: &str, text: &str| std::fs::write(here.join(name), text).unwrap();
        let sources = ["Cargo.toml", "src.rs"].map(PathBuf::from);
        let revision = || build::revision(here, &sources);
        write("Cargo.toml", "one");
        write("notes.txt", "one");
        assert_eq!(revision(), "unknown", "outside a repository");
        if !git(here, &["init"]) {
            return;
        }
        assert_eq!(revision(), "unknown", "a package that the repository does not know");
        assert!(git(here, &["add", "Cargo.toml"]) && git(here, &["commit", "-m", "one"]));
        let first = revision();
        assert!(first.len() >= 40 && first.bytes().all(|c| c.is_ascii_hexdigit()), "{first}");
        write("notes.txt", "two");
        assert_eq!(revision(), first, "other files do not count");
        for (name, text) in [("Cargo.toml", "two"), ("src.rs", "new")] {
            write(name, text);
            assert_eq!(revision(), format!("{first}-dirty"), "{name}");
            assert!(git(here, &["add", name]) && git(here, &["commit", "-m", name]));
            assert!(revision() != first && !revision().ends_with("-dirty"));
            assert!(git(here, &["reset", "--hard", &first]));
        }
    }

    #[test]
    fn a_resumed_run_is_told_of_another_machine() {
        let host = |n_threads, isa: &str| Host {
            platform: "linux-x86_64".to_owned(),
            n_threads,
            isa: isa.to_owned(),
        };
        let avx2 = host(4, "avx2");
        assert_eq!(avx2.difference(&avx2), None);
        assert_eq!(host(4, "").difference(&avx2), None, "a record without the instruction set");
        let want = "The run started on linux-x86_64 with 4 threads and avx512 kernels; on \
                    linux-x86_64 with 4 threads and avx2 kernels, results are rounded differently.";
        assert_eq!(host(4, "avx512").difference(&avx2).as_deref(), Some(want));
        assert!(host(2, "").difference(&avx2).unwrap().contains("with 2 threads and avx2"));
    }

    #[test]
    fn files_and_folders_are_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "abc").unwrap();
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hashes = hashes(&[folder.path().to_owned()]).unwrap();
        assert_eq!(hashes.into_iter().collect::<Vec<_>>(), [(path, want.to_owned())]);
        assert!(super::hashes(&["/no/such/file".into()]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn what_no_reader_reads_is_not_hashed() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        for name in ["a.csv", "sub/b.csv", ".DS_Store", "sub/.hidden/c.csv", "runs/r/run.json"] {
            std::fs::create_dir_all(here.join(name).parent().unwrap()).unwrap();
            std::fs::write(here.join(name), name).unwrap();
        }
        symlink(here.join("a.csv"), here.join("sub/link.csv")).unwrap();
        symlink("nowhere", here.join("dangling.csv")).unwrap();
        symlink("..", here.join("sub/up")).unwrap();
        symlink(".", here.join("sub/loop")).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(here.join("pipe")).status();
        assert!(pipe.is_ok_and(|status| status.success()));
        let found = hashes(&[here.to_owned()]).unwrap();
        let names: Vec<_> = found.keys().map(|path| path.strip_prefix(here).unwrap()).collect();
        assert_eq!(names, ["a.csv", "sub/b.csv", "sub/link.csv"].map(Path::new));
    }
}
