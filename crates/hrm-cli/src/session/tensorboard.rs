//! Event files for TensorBoard.
//!
//! An event file is a sequence of records. Each consists of a message, its
//! length, and a checksum of both:
//!
//! ```text
//! length u64 | crc(length) u32 | message | crc(message) u32
//! ```
//!
//! The message is an `Event` of TensorFlow's `event.proto`. Only the fields for
//! scalars are declared here.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use crc::{CRC_32_ISCSI, Crc};
use prost::Message;
use serde_json::Value;

/// The event file of one process. A process that resumes a run creates another.
#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    /// Only in the first event of a file.
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    /// `optional`, because a member of a `oneof` is written even if it is 0.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

const FILE_VERSION: &str = "brain.Event:2";

/// Status of a session that starts. TensorBoard discards earlier events of its
/// step and of later steps.
const START: i32 = 1;

impl EventFile {
    /// Creates a file in the folder of a run that has made `n_steps` steps.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn create(run: &Path, n_steps: u64) -> anyhow::Result<Self> {
        let seconds = wall_time() as u64;
        let name = |n: u32| run.join(format!("events.out.tfevents.{seconds}.{n}"));
        let path = (0..).map(name).find(|path| !path.exists()).expect("names do not run out");
        let file = File::create_new(&path).with_context(|| writing(&path))?;
        let mut events = Self { path, file };
        let start = Event { wall_time: wall_time(), ..Event::default() };
        events.write(&Event { file_version: Some(FILE_VERSION.to_owned()), ..start })?;
        events.discard_after(n_steps)?;
        Ok(events)
    }

    /// Tells TensorBoard to discard events after the first `n_steps` steps.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(super) fn discard_after(&mut self, n_steps: u64) -> anyhow::Result<()> {
        let session_log = Some(SessionLog { status: START });
        let step = n_steps as i64 + 1;
        self.write(&Event { wall_time: wall_time(), step, session_log, ..Event::default() })
    }

    /// Adds every number of a line of metrics, under the name `kind/field`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(super) fn add(&mut self, step: u64, line: &Value) -> anyhow::Result<()> {
        let Some(fields) = line.as_object() else { return Ok(()) };
        let kind = fields.get("kind").and_then(Value::as_str).unwrap_or_default();
        let scalar = |(name, value): (&String, &Value)| {
            let simple_value = Some(value.as_f64()? as f32);
            (name != "step").then(|| Scalar { tag: format!("{kind}/{name}"), simple_value })
        };
        let summary = Some(Summary { values: fields.iter().filter_map(scalar).collect() });
        let (wall_time, step) = (wall_time(), step as i64);
        self.write(&Event { wall_time, step, summary, ..Event::default() })
    }

    /// Makes everything written so far durable.
    ///
    /// # Errors
    ///
    /// If syncing fails.
    pub(super) fn sync(&self) -> anyhow::Result<()> {
        self.file.sync_all().with_context(|| writing(&self.path))
    }

    fn write(&mut self, event: &Event) -> anyhow::Result<()> {
        self.file.write_all(&framed(&event.encode_to_vec())).with_context(|| writing(&self.path))
    }
}

/// A message with its length and checksums.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let parts: [&[u8]; 4] =
        [&length, &masked_crc(&length).to_le_bytes(), message, &masked_crc(message).to_le_bytes()];
    parts.concat()
}

/// CRC-32C, masked by a rotation and an offset, since the checksum of data that
/// contains its own checksum would be meaningless.
fn masked_crc(bytes: &[u8]) -> u32 {
    const ROTATION: u32 = 15;
    const OFFSET: u32 = 0xa282_ead8;
    Crc::<u32>::new(&CRC_32_ISCSI).checksum(bytes).rotate_right(ROTATION).wrapping_add(OFFSET)
}

fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn writing(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
