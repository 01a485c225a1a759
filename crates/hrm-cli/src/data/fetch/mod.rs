//! `hrm data fetch`: downloads a published data set and verifies it.
//!
//! ```text
//! manifest.rs   describes a data set         source.rs    its addresses
//! download.rs   downloads over HTTP          partial.rs   incomplete downloads
//! archive.rs    unpacks an archive           check.rs     verifies the files
//! staging.rs    the staging folder           error.rs     why a fetch fails
//! ```

mod archive;
mod check;
mod download;
mod error;
mod manifest;
mod partial;
mod source;
mod staging;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use self::check::Arrival;
use self::download::{Client, Remote};
pub(crate) use self::error::FetchError;
use self::manifest::{Host, Manifest};
use self::source::Hub;
use self::staging::Staging;
use crate::error::usage;
use crate::output;
use crate::term::{note, result};

/// Maximum size of a file, and of the content of an archive. Published sets are
/// much smaller.
const SIZE_MAX: u64 = 4 << 30;

#[derive(Args)]
pub(super) struct Fetch {
    /// Name of a known data set.
    #[arg(value_parser = PossibleValuesParser::new(manifest::names()))]
    #[arg(required_unless_present = "manifest", conflicts_with = "manifest")]
    name: Option<String>,
    /// Manifest of another data set, in the format of the files in datasets/.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Read the files from a folder or zip archive of the repository instead of
    /// downloading them.
    #[arg(long, value_name = "PATH")]
    from: Option<PathBuf>,
    /// New folder to write to. Default: data/NAME.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
}

impl Fetch {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let manifest = match (&self.manifest, &self.name) {
            (Some(path), _) => Manifest::read(path)?,
            (None, name) => {
                let name = name.as_deref().unwrap_or_default();
                Manifest::known(name).ok_or_else(|| usage(format!("no data set `{name}`")))??
            }
        };
        let out = self.out.unwrap_or_else(|| Path::new("data").join(&manifest.name));
        output::must_be_free(&out)?;
        for line in about(&manifest) {
            note(line);
        }
        let purpose = match &self.from {
            Some(from) => from.display().to_string(),
            None => format!("{:?} {} {}", manifest.hosted_on, manifest.source, manifest.revision),
        };
        let staging = Staging::open(&out, &purpose)?;
        let gathered = match &self.from {
            Some(from) => from_disk(&manifest, from, &staging),
            None => from_network(&manifest, &staging),
        };
        let checked = gathered.and_then(|arrivals| {
            note("Verifying the files.");
            Ok(check::check(&manifest, &arrivals, &staging.data())?)
        });
        match checked {
            Ok(counts) => {
                staging.place()?;
                report(&manifest, &out, &counts, self.json)
            }
            Err(err) => {
                let is_of = |kind: fn(&FetchError) -> bool| err.downcast_ref().is_some_and(kind);
                if is_of(FetchError::is_network_failure) {
                    note("Without a network, use --from with files downloaded elsewhere.");
                }
                if is_of(FetchError::is_wrong_content) || staging.is_empty() {
                    // There is nothing to resume from.
                    staging.discard();
                } else {
                    let out = out.display();
                    note(format!(
                        "The partial download is kept in {out}.part; the same command resumes it."
                    ));
                }
                Err(err)
            }
        }
    }
}

/// Copies or unpacks files of this machine.
fn from_disk(manifest: &Manifest, from: &Path, staging: &Staging) -> anyhow::Result<Vec<Arrival>> {
    staging.clear_data()?;
    let place = from.display().to_string();
    if from.is_dir() {
        archive::copy(from, &manifest.files, &staging.data())?;
    } else {
        archive::unpack(from, &place, &manifest.files, &staging.data(), SIZE_MAX)?;
    }
    let arrival = |file: &manifest::File| Arrival {
        place: format!("{place}: {}", file.name),
        ..Arrival::default()
    };
    Ok(manifest.files.iter().map(arrival).collect())
}

/// Downloads the files.
fn from_network(manifest: &Manifest, staging: &Staging) -> anyhow::Result<Vec<Arrival>> {
    let client = Client::new(SIZE_MAX);
    match manifest.hosted_on {
        Host::GitHub => {
            let url = source::github_archive(manifest);
            // GitHub packs archives on request, so size and hash are unknown.
            let remote = Remote { url: &url, token: None, size: None };
            let folder = staging.download();
            let (part, whole) = (folder.join("archive.part"), folder.join("archive.zip"));
            client.download(&remote, &part, &whole)?;
            staging.clear_data()?;
            archive::unpack(&whole, &url, &manifest.files, &staging.data(), SIZE_MAX)?;
            let arrival = |file: &manifest::File| Arrival {
                place: format!("{url}: {}", file.name),
                ..Arrival::default()
            };
            Ok(manifest.files.iter().map(arrival).collect())
        }
        Host::HuggingFace => {
            let hub = Hub::open(manifest)?;
            let files = 0..manifest.files.len();
            let fetch = |idx| Ok(from_hub(&client, &hub, manifest, idx, staging)?);
            files.map(fetch).collect()
        }
    }
}

/// Downloads one file from the Hugging Face hub, or copies it from the local cache
/// of the hub.
fn from_hub(
    client: &Client,
    hub: &Hub,
    manifest: &Manifest,
    idx: usize,
    staging: &Staging,
) -> Result<Arrival, FetchError> {
    let file = &manifest.files[idx];
    let target = staging.data().join(file.place(&file.name));
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).map_err(FetchError::write(parent))?;
    }
    if let Some(cached) = hub.cached(&file.name) {
        let place = cached.display().to_string();
        note(format!("Using the cached copy of {}: {place}.", file.name));
        std::fs::copy(&cached, &target).map_err(FetchError::write(&target))?;
        return Ok(Arrival { place, ..Arrival::default() });
    }

    let url = hub.url(&file.name);
    let announced = client.announced(&url, hub.token.as_deref())?;
    if let (Some(expected), Some(found)) = (manifest.sha256.get(idx), &announced.sha256) {
        // Checked before a download of possibly many megabytes.
        if expected != found {
            let (expected, found) = (expected.clone(), found.clone());
            return Err(FetchError::Hash { place: url, expected, found });
        }
    }
    let size = file.size.or(announced.size);
    let remote = Remote { url: &url, token: hub.token.as_deref(), size };
    let part = staging.download().join(format!("{idx}.part"));
    client.download(&remote, &part, &target)?;
    Ok(Arrival { place: url, size, sha256: announced.sha256 })
}

/// Source and licence, which users should know.
fn about(manifest: &Manifest) -> [String; 2] {
    let host = match manifest.hosted_on {
        Host::GitHub => "GitHub",
        Host::HuggingFace => "Hugging Face",
    };
    let Manifest { name, source, revision, licence, .. } = manifest;
    let advice = match licence.as_str() {
        "not stated" => {
            ": the source grants no licence in writing. Decide for yourself whether you may use \
             the data, and do not redistribute it"
        }
        _ => "",
    };
    [
        format!("{name}: {source} on {host}, revision {revision}."),
        format!("Licence: {licence}{advice}."),
    ]
}

fn report(
    manifest: &Manifest,
    out: &Path,
    counts: &BTreeMap<String, u64>,
    as_json: bool,
) -> anyhow::Result<()> {
    let folder = out.display().to_string();
    let quoted = if folder.contains(' ') { format!("\"{folder}\"") } else { folder.clone() };
    let next = format!("hrm train {} --data {quoted}", manifest.task);
    if as_json {
        let line = json!({
            "name": manifest.name,
            "folder": folder,
            "source": manifest.source,
            "revision": manifest.revision,
            "licence": manifest.licence,
            "counts": counts,
            "next": next,
        });
        return Ok(result(format!("{line}\n"))?);
    }
    let mut text = format!("{} is in {folder}:\n", manifest.name);
    for (name, count) in counts {
        text += &format!("  {:<24} {count:>9}\n", name.replace('_', " "));
    }
    Ok(result(format!("{text}Next: {next}\n"))?)
}
