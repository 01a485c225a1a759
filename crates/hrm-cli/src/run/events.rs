//! Metrics as TensorBoard reads them.
//!
//! A file of events is a sequence of records, each framed by its length and by
//! checksums of both:
//!
//! ```text
//! length u64 | crc(length) u32 | message | crc(message) u32
//! ```
//!
//! The message is an `Event` of TensorFlow's `event.proto`, of which the part
//! that carries scalars is stated here.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use crc::{CRC_32_ISCSI, Crc};
use prost::Message;
use serde_json::Value;

/// A file of events that grows with the run. A process that goes on with a run
/// begins another one.
#[derive(Debug)]
pub(super) struct Events {
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
    /// In the first event of a file.
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
    /// One of several kinds of value, so it is stated even if it is 0.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

const FILE_VERSION: &str = "brain.Event:2";

/// A session begins: events of its step and later ones, from before, are void.
const START: i32 = 1;

impl Events {
    /// A new file in a run folder, for a run that has made `n_steps` steps.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn begin(run: &Path, n_steps: u64) -> anyhow::Result<Self> {
        let seconds = wall_time() as u64;
        let name = |n: u32| run.join(format!("events.out.tfevents.{seconds}.{n}"));
        let path = (0..).map(name).find(|path| !path.exists()).expect("names do not run out");
        let file = File::create_new(&path).with_context(|| writing(&path))?;
        let mut events = Self { path, file };
        let start = Event { wall_time: wall_time(), ..Event::default() };
        events.write(&Event { file_version: Some(FILE_VERSION.to_owned()), ..start })?;
        events.restart(n_steps)?;
        Ok(events)
    }

    /// Voids what is said of steps after the first `n_steps`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(super) fn restart(&mut self, n_steps: u64) -> anyhow::Result<()> {
        let session_log = Some(SessionLog { status: START });
        let step = n_steps as i64 + 1;
        self.write(&Event { wall_time: wall_time(), step, session_log, ..Event::default() })
    }

    /// Adds every number of a line of metrics, named after the kind of line.
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

    /// Makes the events so far durable.
    ///
    /// # Errors
    ///
    /// If they cannot be.
    pub(super) fn sync(&self) -> anyhow::Result<()> {
        self.file.sync_all().with_context(|| writing(&self.path))
    }

    fn write(&mut self, event: &Event) -> anyhow::Result<()> {
        self.file.write_all(&framed(&event.encode_to_vec())).with_context(|| writing(&self.path))
    }
}

/// A record with its length and checksums.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let parts: [&[u8]; 4] =
        [&length, &masked_crc(&length).to_le_bytes(), message, &masked_crc(message).to_le_bytes()];
    parts.concat()
}

/// CRC-32C, turned and shifted: a checksum of data that holds its own checksum
/// would tell nothing.
fn masked_crc(bytes: &[u8]) -> u32 {
    const TURN: u32 = 15;
    const SHIFT: u32 = 0xa282_ead8;
    Crc::<u32>::new(&CRC_32_ISCSI).checksum(bytes).rotate_right(TURN).wrapping_add(SHIFT)
}

fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn writing(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
