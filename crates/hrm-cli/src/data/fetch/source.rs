//! Addresses of published files, with mirrors from environment variables.
//!
//! | variable | meaning |
//! |---|---|
//! | `HF_ENDPOINT` | address of the Hugging Face hub or a mirror |
//! | `HF_TOKEN` | token for the hub; default: the one in `HF_HOME/token` |
//! | `HF_HOME` | folder of the hub's own tools, with token and cache |
//! | `HRM_GITHUB_ENDPOINT` | address of GitHub or a mirror |

use std::path::PathBuf;

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use super::manifest::Manifest;
use crate::error::usage;

/// The address of the archive of a repository on GitHub.
pub(super) fn github_archive(manifest: &Manifest) -> String {
    let endpoint = endpoint("HRM_GITHUB_ENDPOINT");
    let endpoint = endpoint.as_deref().unwrap_or("https://github.com");
    format!("{endpoint}/{}/archive/{}.zip", manifest.source, manifest.revision)
}

/// A data set on the Hugging Face hub.
///
/// The library of the hub provides addresses, token and cache. Its downloads are
/// not used: they append any response to the partial file, even one that ignores
/// the requested range, and check neither length nor hash.
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
    /// If there is no home folder that could hold the token.
    pub(super) fn open(manifest: &Manifest) -> anyhow::Result<Self> {
        // The library of the hub panics without either.
        if std::env::var("HF_HOME").is_err()
            && std::env::home_dir().is_none_or(|home| home.as_os_str().is_empty())
        {
            return Err(usage("no home folder found: set HF_HOME to any folder"));
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

    /// The address of a file.
    pub(super) fn url(&self, name: &str) -> String {
        self.api.url(name)
    }

    /// The copy of a file in the local cache of the hub's own tools.
    pub(super) fn cached(&self, name: &str) -> Option<PathBuf> {
        self.cache.get(name)
    }
}

fn endpoint(name: &str) -> Option<String> {
    variable(name).map(|endpoint| endpoint.trim_end_matches('/').to_owned())
}

/// An environment variable. An empty one counts as absent.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
