//! Every kind of puzzle, and what a run of each consists of.
//!
//! Adding a kind is one file or folder with a [`Family`], and one line in
//! `families!`. Rules alone make a family: see [`Rules`](crate::grid::Rules).

use std::path::PathBuf;

use hrm_core::HrmConfig;
use hrm_train::TrainConfig;
use serde::{Deserialize, Serialize};

use crate::arc::ArcConfig;
use crate::binairo::Binairo;
use crate::grid::{GridConfig, Ruled};
use crate::maze::MazeConfig;
use crate::published;
use crate::sudoku::SudokuConfig;
use crate::{Family, PuzzleTask, TaskError};

/// Declares [`TaskConfig`]: a variant, its name in files, and its settings.
macro_rules! families {
    ($($variant:ident, $name:literal, $config:ty;)+) => {
        /// The settings of one kind of puzzle, tagged with its name.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum TaskConfig {
            $(
                #[doc = concat!("Settings of `", $name, "`.")]
                $variant($config),
            )+
        }

        impl TaskConfig {
            /// Names of all kinds, as users write them.
            pub const KINDS: &[&str] = &[$($name),+];

            /// The name of this kind.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name),+ }
            }

            /// What this kind can do.
            pub fn family(&self) -> &dyn Family {
                match self { $(Self::$variant(config) => config),+ }
            }

            /// The same settings for the puzzles in `data`.
            ///
            /// # Errors
            ///
            /// As [`Family::fitted_to`].
            pub fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError> {
                if let Some(folder) = published::find(data)? {
                    return self.with_cells(published::n_cells(folder)?);
                }
                match self {
                    $(Self::$variant(config) => config.fitted_to(data).map(Self::$variant)),+
                }
            }

            /// The same settings for puzzles of `n_cells` cells.
            ///
            /// # Errors
            ///
            /// As [`Family::with_cells`].
            pub fn with_cells(self, n_cells: usize) -> Result<Self, TaskError> {
                match self {
                    $(Self::$variant(config) => config.with_cells(n_cells).map(Self::$variant)),+
                }
            }
        }

        $(
            impl From<$config> for TaskConfig {
                fn from(config: $config) -> Self {
                    Self::$variant(config)
                }
            }
        )+

        impl RunConfig {
            /// The settings of a kind, by its name; `None` if there is no such
            /// kind.
            pub fn preset(kind: &str, preset: Preset) -> Option<Self> {
                match kind {
                    $($name => Some(<$config>::preset(preset)),)+
                    _ => None,
                }
            }
        }
    };
}

families! {
    Arc, "arc", ArcConfig;
    Binairo, "binairo", Ruled<Binairo>;
    Grid, "grid", GridConfig;
    Maze, "maze", MazeConfig;
    Sudoku, "sudoku", SudokuConfig;
}

/// Opening data, prepared by the published code or of the kind's own form.
impl TaskConfig {
    /// Training and evaluation data. No paths: the built-in generator's.
    ///
    /// # Errors
    ///
    /// As [`Family::open`].
    pub fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        match published::find(data)? {
            Some(folder) => published::open(self, folder),
            None => self.family().open(data),
        }
    }

    /// All data, to be described and searched for leaks.
    ///
    /// # Errors
    ///
    /// As [`Family::survey`].
    pub fn survey(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        match published::find(data)? {
            Some(folder) => published::open(self, folder),
            None => self.family().survey(data),
        }
    }

    /// Evaluation data only, for a model that knows `identifiers`.
    ///
    /// # Errors
    ///
    /// As [`Family::open_for_eval`].
    pub fn open_for_eval(
        &self,
        data: &[PathBuf],
        identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        match published::find(data)? {
            Some(folder) => published::open_for_eval(self, folder, identifiers),
            None => self.family().open_for_eval(data, identifiers),
        }
    }
}

/// How much to ask of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Two minutes on two cores: enough to see learning.
    Tiny,
    /// An hour or two on a laptop.
    Small,
    /// The published configuration.
    Paper,
    /// The Tiny Recursive Model as published (arXiv 2510.04871).
    TinyRecursive,
}

impl Preset {
    /// Every preset with its name.
    pub const ALL: [(&str, Self); 4] = [
        ("tiny", Self::Tiny),
        ("small", Self::Small),
        ("paper", Self::Paper),
        ("tiny-recursive", Self::TinyRecursive),
    ];

    /// Whether it repeats what somebody has published, whatever that takes.
    pub fn is_published(self) -> bool {
        matches!(self, Self::Paper | Self::TinyRecursive)
    }
}

/// Everything that decides a run but its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// The puzzles.
    pub task: TaskConfig,
    /// Sizes and schedule of the model. `vocab_size`, `n_cells` and
    /// `n_puzzle_ids` are taken from the task.
    pub model: HrmConfig,
    /// How long and how fast to learn.
    pub train: TrainConfig,
}
