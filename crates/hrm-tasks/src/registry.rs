//! The kinds of puzzles by name.
//!
//! Adding a kind is one file or folder, one line in `kinds!`, and its presets. Rules alone
//! make a kind: see [`Rules`](hrm_puzzles::grid::Rules).

use std::collections::HashSet;
use std::path::PathBuf;

use hrm_puzzles::binairo::Binairo;
use hrm_puzzles::maze::Symbols;
use hrm_puzzles::records::Columns;
use serde::{Deserialize, Serialize};

use crate::arc::ArcConfig;
use crate::error::TaskError;
use crate::grid::{GridConfig, Ruled};
use crate::maze::MazeConfig;
use crate::published;
use crate::sudoku::SudokuConfig;
use crate::traits::{FitToData, PuzzleKind, PuzzleTask};

/// Declares [`TaskConfig`]: a variant, its name in files, and its settings.
macro_rules! kinds {
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
            pub const NAMES: &[&str] = &[$($name),+];

            /// The name of this kind.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name),+ }
            }

            /// The interface of this kind.
            pub fn puzzle_kind(&self) -> &dyn PuzzleKind {
                match self { $(Self::$variant(config) => config),+ }
            }

            /// The same settings for the puzzles in `data`.
            ///
            /// # Errors
            ///
            /// As [`FitToData::fitted_to`].
            pub fn fitted_to(self, data: &[PathBuf]) -> Result<Self, TaskError> {
                if let Some([folder, ..]) = prepared_sets(data)? {
                    return self.with_rows(&published::Sample::of(folder)?);
                }
                match self {
                    $(Self::$variant(config) => config.fitted_to(data).map(Self::$variant)),+
                }
            }

            /// The same settings for the rows of a prepared data set.
            ///
            /// # Errors
            ///
            /// As [`FitToData::with_rows`], and if prepared rows of this kind are not read.
            pub fn with_rows(self, sample: &published::Sample) -> Result<Self, TaskError> {
                if self.puzzle_kind().settings_of_rows().is_none() {
                    let name = self.name();
                    let expected = format!("files of puzzles: prepared rows of {name} are not read");
                    return Err(TaskError::malformed(&sample.place, expected, "a prepared data set"));
                }
                match self {
                    $(Self::$variant(config) => config.with_rows(sample).map(Self::$variant)),+
                }
            }

            /// The same settings for puzzles of `n_cells` cells.
            ///
            /// # Errors
            ///
            /// As [`FitToData::with_cells`].
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
    };
}

kinds! {
    Arc, "arc", ArcConfig;
    Binairo, "binairo", Ruled<Binairo>;
    Grid, "grid", GridConfig;
    Maze, "maze", MazeConfig;
    Sudoku, "sudoku", SudokuConfig;
}

/// How puzzles are written in files.
impl TaskConfig {
    /// The same settings for tables whose columns are `columns`, e.g.
    /// `question=quizzes,answer=solutions`; empty for columns with known names.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if this kind is not read from tables, or for other text.
    pub fn with_table_columns(self, columns: &str) -> Result<Self, TaskError> {
        const FIELD: &str = "table_columns";
        if let Err(found) = columns.parse::<Columns>() {
            return Err(TaskError::setting(FIELD, Columns::EXPECTED, found));
        }
        let otherwise = format!("left out: {} is not read from tables", self.name());
        self.with_text(FIELD, columns, otherwise)
    }

    /// The same settings for mazes that are written with these characters, e.g.
    /// `wall=1,free=0`; empty for those of this program.
    ///
    /// # Errors
    ///
    /// [`TaskError::Setting`] if this kind is not `maze`, or for other text.
    pub fn with_symbols(self, symbols: &str) -> Result<Self, TaskError> {
        let otherwise = format!("left out: it is for mazes, not for {}", self.name());
        let changed = self.with_text("symbols", symbols, otherwise)?;
        symbols.parse::<Symbols>()?;
        Ok(changed)
    }

    /// The same settings with another text in the setting `field`; `otherwise` is what to do
    /// if this kind does not have it.
    fn with_text(
        self,
        field: &'static str,
        text: &str,
        otherwise: String,
    ) -> Result<Self, TaskError> {
        let mut tree = serde_json::to_value(&self).expect("settings are always JSON");
        match tree.get_mut(field) {
            None if text.is_empty() => Ok(self),
            None => Err(TaskError::setting(field, otherwise, text)),
            Some(value) => {
                *value = text.into();
                Ok(serde_json::from_value(tree).expect("only a text has changed"))
            }
        }
    }
}

/// Opening data: data sets that the published code prepared, or files of the kind itself.
impl TaskConfig {
    /// Why the setting `field` has no effect on `data`; `None` if it has one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), for paths that cannot be data together.
    pub fn ignored(&self, field: &str, data: &[PathBuf]) -> Result<Option<String>, TaskError> {
        let kind = self.puzzle_kind();
        let of_rows = match prepared_sets(data)? {
            Some(_) => kind.settings_of_rows(),
            None => None,
        };
        Ok(match of_rows {
            Some(of_rows) if !of_rows.contains(&field) => Some(format!(
                "prepared rows are used as they are, and obey only {}",
                of_rows.join(", ")
            )),
            None if !data.is_empty() && kind.settings_of_generator().contains(&field) => {
                Some("it is for built-in puzzles, and these are read from files".to_owned())
            }
            _ => None,
        })
    }

    /// Opens training and evaluation data; without paths, those of the built-in generator.
    ///
    /// # Errors
    ///
    /// As [`DataSource::open`](crate::DataSource::open).
    pub fn open(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        match prepared_sets(data)? {
            Some(folder) => published::open((self.name(), self.puzzle_kind()), folder),
            None => self.puzzle_kind().open(data),
        }
    }

    /// Opens all data for inspection: statistics and leaks.
    ///
    /// # Errors
    ///
    /// As [`DataSource::open_for_inspection`](crate::DataSource::open_for_inspection).
    pub fn open_for_inspection(&self, data: &[PathBuf]) -> Result<Box<dyn PuzzleTask>, TaskError> {
        match prepared_sets(data)? {
            Some(folder) => published::open((self.name(), self.puzzle_kind()), folder),
            None => self.puzzle_kind().open_for_inspection(data),
        }
    }

    /// Opens evaluation data only, for a model that knows `identifiers`.
    ///
    /// # Errors
    ///
    /// As [`DataSource::open_for_eval`](crate::DataSource::open_for_eval).
    pub fn open_for_eval(
        &self,
        data: &[PathBuf],
        identifiers: &[String],
    ) -> Result<Box<dyn PuzzleTask>, TaskError> {
        match prepared_sets(data)? {
            Some(folder) => {
                published::open_for_eval((self.name(), self.puzzle_kind()), folder, identifiers)
            }
            None => self.puzzle_kind().open_for_eval(data, identifiers),
        }
    }
}

/// The folders of a prepared data set in `data`; `None` if no path is one.
///
/// # Errors
///
/// [`PuzzleError::Malformed`](hrm_puzzles::PuzzleError::Malformed) if there are other paths beside
/// them, or a path is there twice, whose puzzles would count twice.
fn prepared_sets(data: &[PathBuf]) -> Result<Option<&[PathBuf]>, TaskError> {
    let mut known = HashSet::new();
    for path in data {
        if let Ok(canonical) = path.canonicalize()
            && !known.insert(canonical)
        {
            let place = path.display().to_string();
            return Err(TaskError::malformed(place, "each path of the data once", "it twice"));
        }
    }
    published::find(data)
}
