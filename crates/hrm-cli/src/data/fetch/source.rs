//! Addresses of published files, as the environment has them.
//!
//! | variable | meaning |
//! |---|---|
//! | `HF_ENDPOINT` | address of the Hugging Face hub or a mirror of it |
//! | `HF_TOKEN` | token for the hub; default: the one in `HF_HOME/token` |
//! | `HF_HOME` | where the hub's own tools keep that token and their cache |
//! | `HRM_GITHUB_ENDPOINT` | address of GitHub or a mirror of it |

use std::path::PathBuf;

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::manifest::Manifest;
use crate::error::usage;

/// Address of the archive of a repository on GitHub.
pub(super) fn github_archive(manifest: &Manifest) -> String {
    let endpoint = endpoint("HRM_GITHUB_ENDPOINT");
    let endpoint = endpoint.as_deref().unwrap_or("https://github.com");
    format!("{endpoint}/{}/archive/{}.zip", manifest.source, manifest.revision)
}

/// A data set on the Hugging Face hub.
///
/// The hub's library knows its addresses, its token and its cache. Its
/// downloads are not used: they append whatever answer comes to what is there,
/// so that a server that ignores ranges spoils the file, and check neither
/// length nor hash.
pub(super) struct Hub {
    api: ApiRepo,
    cache: CacheRepo,
    /// Sent to the hub only.
    pub(super) token: Option<String>,
}

impl Hub {
    /// The repository that `manifest` names.
    ///
    /// # Errors
    ///
    /// If there is no home folder to look for the token in.
    pub(super) fn open(manifest: &Manifest) -> anyhow::Result<Self> {
        // The hub's library insists on one of them.
        if std::env::var("HF_HOME").is_err()
            && std::env::home_dir().is_none_or(|home| home.as_os_str().is_empty())
        {
            return Err(usage("no home folder: set HF_HOME to any folder"));
        }
        let cache = Cache::from_env();
        let token = variable("HF_TOKEN").or_else(|| cache.token());
        let mut builder = ApiBuilder::from_cache(cache.clone()).with_token(token.clone());
        if let Some(endpoint) = endpoint("HF_ENDPOINT") {
            builder = builder.with_endpoint(endpoint);
        }
        let repo = Repo::with_revision(
            manifest.source.clone(),
            RepoType::Dataset,
            manifest.revision.clone(),
        );
        let api = builder.build()?.repo(repo.clone());
        Ok(Self { api, cache: cache.repo(repo), token })
    }

    /// Address of a file.
    pub(super) fn url(&self, name: &str) -> String {
        self.api.url(name)
    }

    /// A file that the hub's own tools have fetched before.
    pub(super) fn cached(&self, name: &str) -> Option<PathBuf> {
        self.cache.get(name)
    }
}

fn endpoint(name: &str) -> Option<String> {
    variable(name).map(|endpoint| endpoint.trim_end_matches('/').to_owned())
}

/// A variable of the environment; one that is empty counts as absent.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
