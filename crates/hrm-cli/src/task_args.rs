//! The arguments that several commands share: task, data, preset, settings.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PathBufValueParser, PossibleValuesParser, TypedValueParser};
use hrm_puzzles::text;
use hrm_tasks::settings::{SET_BY_TASK, SettingsFile, grouped_key, leaves};
use hrm_tasks::{Fit, PRESETS, PresetFile, RunConfig, TaskConfig, TaskError, preset_text};

use crate::settings::{self, is_fit};
use crate::warm_start::WarmStart;

/// A task, its data and its configuration.
#[derive(Args)]
pub(crate) struct TaskArgs {
    /// Kind of puzzle.
    #[arg(value_parser = task_names())]
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) data_args: DataArgs,
}

/// The data and the configuration of a task.
#[derive(Args, Clone)]
pub(crate) struct DataArgs {
    /// Puzzle file or folder; may be repeated. Or one folder made by `hrm data prepare`, or
    /// folders prepared by the published code. Default: built-in puzzles, if the task has a
    /// generator.
    #[arg(long, value_name = "PATH", value_parser = data_path())]
    pub(crate) data: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) written: WrittenArgs,
    /// Preset for the sizes of puzzles, model and training run. Default: the one that
    /// --config names, else tiny, or small with --data and for `data generate`.
    #[arg(long, value_parser = PRESETS)]
    preset: Option<String>,
    /// Read settings from a TOML or JSON file. Those that it omits are as in the preset.
    /// `hrm train TASK --print-config` prints a complete one.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Change one setting, e.g. model.block.hidden_dim=256 or task.board=6; may
    /// be repeated. `hrm settings` explains them.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Which of different ARC tasks with the same id is used: that of the path given last
    /// (newest), that of the path given first, or none (error, the default). Short for
    /// --set task.on_conflict=RULE.
    #[arg(long, value_name = "RULE", value_parser = ON_CONFLICT)]
    on_conflict: Option<String>,
    /// The preset if nothing names one, for commands with a default of their own.
    #[arg(skip)]
    default_preset: Option<&'static str>,
}

/// The parser of a path to data. They are read more than once: to fit the settings to them, to
/// hash them and to compare them with others.
pub(crate) fn data_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        let is_input = path.as_os_str() == "-";
        let is_kept = std::fs::metadata(&path).map_or(true, |at| at.is_file() || at.is_dir());
        match is_kept && !is_input {
            true => Ok(path),
            false => {
                Err("data are read more than once, so they must be in files or folders: write \
                          them into a file, and name that")
            }
        }
    })
}

/// How puzzles are written in files.
#[derive(Args, Clone)]
pub(crate) struct WrittenArgs {
    /// Which columns of tables hold what, e.g. question=quizzes,answer=solutions. Default:
    /// those with known names. The setting task.table_columns.
    #[arg(long, value_name = "ROLE=COLUMN,...")]
    columns: Option<String>,
    /// Maze: which characters are cells, e.g. wall=#,free=._,start=A,goal=B,path=*; for others,
    /// space and comma. Default: those of the run, or '#', space, S, G and o. The setting
    /// task.symbols.
    #[arg(long, value_name = "CELL=CHARACTERS,...")]
    symbols: Option<String>,
}

impl WrittenArgs {
    /// The settings of a task, with those that are given.
    ///
    /// # Errors
    ///
    /// If the task does not have one, or its text cannot be read.
    pub(crate) fn given(&self, mut task: TaskConfig) -> Result<TaskConfig, TaskError> {
        if let Some(columns) = &self.columns {
            task = task.with_table_columns(columns)?;
        }
        if let Some(symbols) = &self.symbols {
            task = task.with_symbols(symbols)?;
        }
        Ok(task)
    }

    /// As [`given`](Self::given), for other files than those of the run, which have columns of
    /// their own.
    ///
    /// # Errors
    ///
    /// As [`given`](Self::given).
    pub(crate) fn of_others(&self, task: TaskConfig) -> Result<TaskConfig, TaskError> {
        self.given(task.with_table_columns("")?)
    }

    /// What is given, as `key=value`.
    pub(crate) fn settings(&self) -> impl Iterator<Item = String> {
        let columns = self.columns.iter().map(|text| format!("task.table_columns={text}"));
        columns.chain(self.symbols.iter().map(|text| format!("task.symbols={text}")))
    }

    /// Whether columns are given.
    pub(crate) fn has_columns(&self) -> bool {
        self.columns.is_some()
    }

    /// Whether nothing is given.
    fn is_empty(&self) -> bool {
        self.columns.is_none() && self.symbols.is_none()
    }
}

/// The settings of a command, and how they were adapted to the data.
pub(crate) struct Chosen {
    pub(crate) config: RunConfig,
    /// How the settings follow the data.
    pub(crate) fit: Fit,
    /// What was adapted.
    pub(crate) notes: Vec<String>,
}

/// The rules of --on-conflict.
pub(crate) const ON_CONFLICT: [&str; 3] = ["newest", "first", "error"];

/// The setting that --on-conflict is short for.
pub(crate) fn on_conflict_setting(rule: &str) -> String {
    format!("task.on_conflict={rule}")
}

impl DataArgs {
    /// The settings that the user has changed, as `key=value`.
    pub(crate) fn settings(&self) -> Vec<String> {
        let rule = self.on_conflict.as_deref().map(on_conflict_setting);
        rule.into_iter().chain(self.set.iter().cloned()).collect()
    }

    /// A note about each setting of `task` that the user has changed and that has no effect on
    /// `data`.
    ///
    /// # Errors
    ///
    /// As [`ignored`].
    pub(crate) fn ignored(
        &self,
        task: &TaskConfig,
        data: &[PathBuf],
    ) -> Result<Vec<String>, TaskError> {
        ignored(task, data, self.settings().into_iter().chain(self.written.settings()))
    }

    /// The settings without which the data cannot be read: how puzzles are written, and the
    /// shape of mazes on one line.
    fn of_reading(&self) -> Vec<String> {
        let has_width = self.sets("task.width");
        let is_shape =
            |pair: &str| pair.starts_with("task.side=") || pair.starts_with("task.width=");
        let is_one = |pair: &&String| is_written(pair) || has_width && is_shape(pair);
        self.set.iter().filter(is_one).cloned().collect()
    }

    /// The settings of a task with those without which the data cannot be read.
    ///
    /// # Errors
    ///
    /// If the task does not have one, or its value cannot be read.
    pub(crate) fn for_reading(&self, task: TaskConfig) -> anyhow::Result<TaskConfig> {
        Ok(self.written.given(settings::apply_to_task(task, &self.of_reading())?)?)
    }

    /// The settings with what decides how they follow the data, and the other settings that the
    /// user has changed, which follow after that.
    ///
    /// # Errors
    ///
    /// If a setting does not exist, or the kind of puzzle does not have it.
    fn prepare_fit(&self, file: PresetFile) -> anyhow::Result<(PresetFile, Vec<String>)> {
        let (first, others) =
            self.settings().into_iter().partition::<Vec<_>, _>(|pair| is_fit(pair));
        let mut file = settings::apply(file, &first)?;
        file.task = self.for_reading(file.task)?;
        Ok((file, others.into_iter().filter(|pair| !is_written(pair)).collect()))
    }

    /// The settings with a batch size for the puzzles of the data, and a note if it was adapted.
    /// The user's settings `others`, which follow, decide with the data.
    ///
    /// # Errors
    ///
    /// If one of them cannot be read.
    fn with_batch(
        &self,
        file: PresetFile,
        others: &[String],
    ) -> anyhow::Result<(PresetFile, Vec<String>)> {
        if self.sets("train.batch_size") {
            return Ok((file, Vec::new()));
        }
        // The sizes of built-in puzzles that the user changes say nothing about the batch.
        let counts = |pair: &&String| !self.data.is_empty() && pair.starts_with("task.");
        let of_task: Vec<_> = others.iter().filter(counts).cloned().collect();
        let task = settings::apply_to_task(file.task.clone(), &of_task)?;
        Ok(file.with_batch_for(task.puzzle_kind().n_cells()))
    }

    /// Whether the user has changed the setting `key`.
    pub(crate) fn sets(&self, key: &str) -> bool {
        self.settings()
            .iter()
            .any(|pair| pair.split_once('=').is_some_and(|(set, _)| grouped_key(set) == key))
    }
}

/// The names of all tasks, for the command line.
pub(crate) fn task_names() -> PossibleValuesParser {
    TaskConfig::NAMES.to_vec().into()
}

impl TaskArgs {
    /// Adds a setting, for flags that are shorthand for one.
    pub(crate) fn with_setting(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.data_args.set.push(format!("{key}={value}"));
        self
    }

    /// Sets the preset for commands with another default.
    pub(crate) fn with_default_preset(mut self, preset: &'static str) -> Self {
        self.data_args.default_preset = Some(preset);
        self
    }

    /// The name of the file of settings, or of the preset.
    pub(crate) fn preset(&self) -> &str {
        let args = &self.data_args;
        let file = args.config.as_ref().and_then(|path| path.file_stem()?.to_str());
        file.or(args.preset.as_deref()).unwrap_or(self.default_preset())
    }

    /// The preset if nothing names one.
    fn default_preset(&self) -> &'static str {
        let args = &self.data_args;
        args.default_preset.unwrap_or(default_preset(!args.data.is_empty()))
    }

    /// The settings, adapted to the data, with the user's changes.
    ///
    /// # Errors
    ///
    /// If the data or the file of settings cannot be read, or a setting does not exist.
    pub(crate) fn config(&self) -> anyhow::Result<RunConfig> {
        Ok(self.chosen()?.config)
    }

    /// [`config`](Self::config), with how it was adapted to the data.
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config).
    pub(crate) fn chosen(&self) -> anyhow::Result<Chosen> {
        let args = &self.data_args;
        let file = match &args.config {
            None => PresetFile::embedded(&self.task, self.preset())?,
            Some(path) => {
                let file = read_settings(path)?;
                file.over_preset(&self.task, args.preset.as_deref(), self.default_preset())?
            }
        };
        let (file, others) = args.prepare_fit(file)?;
        // Adapted first, so that the user's settings win, and are checked.
        let (file, notes) = args.with_batch(file.with_task_of(&args.data)?, &others)?;
        let fit = file.fit;
        let config = settings::apply(file, &others)?.into_config();
        Ok(Chosen { config, fit, notes })
    }

    /// [`chosen`](Self::chosen), for a run that starts from a checkpoint. The model has the
    /// settings of the checkpoint, and so have the puzzles unless a preset is named; both
    /// except for what the file of settings and --set give.
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config), and if a setting of the model contradicts the checkpoint.
    pub(crate) fn chosen_from(&self, start: &WarmStart) -> anyhow::Result<Chosen> {
        let args = &self.data_args;
        let (mut file, mut given) = match &args.config {
            None => (PresetFile::embedded(&self.task, self.preset())?, Vec::new()),
            Some(path) => {
                let read = read_settings(path)?;
                let stated = read_settings(path)?;
                let preset = args.preset.as_deref();
                let file = read.over_preset(&self.task, preset, self.default_preset())?;
                let tree = serde_json::to_value(&file)?;
                let follows = |key: &str| key == "task.kind" || SET_BY_TASK.contains(&key);
                let given: Vec<(String, String)> = leaves("", &tree)
                    .into_iter()
                    .filter(|(key, _)| key.starts_with("task.") || key.starts_with("model."))
                    .filter(|(key, _)| !follows(key) && stated.states(key))
                    .map(|(key, value)| {
                        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        (key, text)
                    })
                    .collect();
                (file, given)
            }
        };
        let of_preset = file.model.clone();
        if args.preset.is_none() {
            // Other files have columns of their own.
            file.task = start.task().clone().with_table_columns("")?;
            let of_task = given.iter().filter(|(key, _)| key.starts_with("task."));
            let pairs: Vec<String> = of_task.map(|(key, value)| format!("{key}={value}")).collect();
            file = settings::apply(file, &pairs)?;
        }
        let (file, others) = args.prepare_fit(file)?;
        let mut file = file.with_task_of(&args.data)?;
        file.task = start.widened(file.task);
        let (mut file, mut notes) = args.with_batch(file, &others)?;
        let fit = file.fit;
        file.model = start.model_config().clone();
        given.retain(|(key, _)| key.starts_with("model."));
        let pairs: Vec<String> =
            given.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let config = settings::apply(file, pairs.iter().chain(&others))?.into_config();

        let (of_checkpoint, others) = match args.preset {
            Some(_) => ("the model are", "puzzles and training"),
            None => ("the model and the puzzles are", "training"),
        };
        notes.push(format!(
            "Settings of {of_checkpoint} those of the checkpoint, settings of {others} those of \
             `{}`, except where others are given.",
            self.preset()
        ));
        if let Some(preset) = &args.preset {
            let origin = |_: &str| format!("the preset {preset}");
            let differing = start.differences(&of_preset, origin)?;
            let is_changed = |key: &String| args.sets(key) || given.iter().any(|(k, _)| k == key);
            for (key, value, kept) in differing.into_iter().filter(|(key, ..)| !is_changed(key)) {
                notes.push(format!(
                    "{key} is {kept} as in the checkpoint, not {value} as in {preset}"
                ));
            }
        }
        let origin = |key: &str| match &args.config {
            Some(path) if !args.sets(key) => path.display().to_string(),
            _ => "--set".to_owned(),
        };
        for (key, value, found) in start.differences(&config.model, origin)? {
            notes.push(format!("{key} is {value}; it is {found} in the checkpoint"));
        }
        Ok(Chosen { config, fit, notes })
    }

    /// The settings as a TOML file: that of the preset with its comments, unless something
    /// was changed.
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config).
    pub(crate) fn to_toml(&self) -> anyhow::Result<String> {
        let args = &self.data_args;
        let named = match &args.config {
            Some(path) => read_settings(path)?.preset().map(str::to_owned),
            None => None,
        };
        let preset = args.preset.clone().or(named);
        let preset = preset.as_deref().unwrap_or(self.default_preset());
        let base = format!(
            "# Settings that this file omits are as in this preset.\npreset = \"{preset}\"\n"
        );
        if args.config.is_none()
            && args.settings().is_empty()
            && args.data.is_empty()
            && args.written.is_empty()
        {
            let text = preset_text(&self.task, preset)?;
            let (header, settings) = text.split_once("\n\n").unwrap_or_default();
            return Ok(format!("{header}\n\n{base}\n{settings}"));
        }
        let Chosen { config: RunConfig { task, model, train }, fit, .. } = self.chosen()?;
        let settings = toml::to_string_pretty(&PresetFile { fit, task, model, train })?;
        Ok(format!("{base}\n{settings}"))
    }
}

/// A note about each setting of `task` that the user has changed and that has no effect on
/// `data`. `pairs` are these settings, as `key=value`.
///
/// # Errors
///
/// If the paths cannot be data together.
pub(crate) fn ignored(
    task: &TaskConfig,
    data: &[PathBuf],
    pairs: impl IntoIterator<Item = String>,
) -> Result<Vec<String>, TaskError> {
    let mut notes = Vec::new();
    for pair in pairs {
        let Some((field, value)) = pair.strip_prefix("task.").and_then(|pair| pair.split_once('='))
        else {
            continue;
        };
        if let Some(why) = task.ignored(field, data)? {
            notes.push(format!("task.{field}={value} has no effect: {why}"));
        }
    }
    Ok(notes)
}

/// Whether a setting says how puzzles are written. Prepared data have settings of their own.
fn is_written(pair: &str) -> bool {
    ["task.table_columns=", "task.symbols="].iter().any(|key| pair.starts_with(key))
}

/// The preset if nothing names one.
pub(crate) fn default_preset(has_data: bool) -> &'static str {
    if has_data { "small" } else { "tiny" }
}

/// Reads a file of settings.
///
/// # Errors
///
/// If it cannot be read, is malformed, or names an unknown task or preset.
pub(crate) fn read_settings(path: &Path) -> anyhow::Result<SettingsFile> {
    /// An alphabet of all characters fits.
    const N_BYTES_MAX: u64 = 16 << 20;
    let text = text::read_unpacked(path, N_BYTES_MAX)?;
    Ok(SettingsFile::parse(&text, &path.display().to_string())?)
}
