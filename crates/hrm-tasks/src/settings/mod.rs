//! The settings of a run by dotted key (`train.optimiser.learning_rate`): explained, changed
//! one by one, and read from files that hold only some of them.
//!
//! The texts are the comments of the preset files.

mod editor;
mod error;
mod explain;
mod file;
mod keys;
mod search;

pub use editor::SettingsEditor;
pub use error::SettingsError;
pub use explain::{PresetValue, Setting, SettingGroup, explain};
pub use file::SettingsFile;
pub use keys::{SET_BY_TASK, grouped_key, leaves};
pub use search::{find_keys, nearest_keys};
