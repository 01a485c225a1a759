//! Downloads a file over HTTP, with resumption and retries.
//!
//! An incomplete download is kept ([`Partial`]), and the rest is requested with
//! `Range` and `If-Range`. Unless the response says that it continues the same
//! file, the download starts again.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use hrm_base::durable;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::error::FetchError;
use super::partial::{Partial, Record};
use crate::progress::Transfer;

/// Maximum number of attempts in a row without progress.
const N_TRIES: u32 = 5;

/// Longest wait in seconds that a server may request.
const RETRY_AFTER_S_MAX: u64 = 60;

/// A file on a server.
pub(super) struct Remote<'a> {
    pub(super) url: &'a str,
    /// Sent only to the host of `url`.
    pub(super) token: Option<&'a str>,
    /// Size in bytes, if known in advance.
    pub(super) size: Option<u64>,
}

/// The properties of a file, as its server announces them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) size: Option<u64>,
    pub(super) sha256: Option<String>,
}

/// Downloads files.
pub(super) struct Client {
    agent: Agent,
    /// Wait before the second attempt. It doubles before each further one.
    wait: Duration,
    /// Maximum size of a file in bytes.
    limit: u64,
}

impl Client {
    /// A client for files of up to `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        let config = Agent::config_builder()
            // Statuses are handled here, together with their headers.
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            // Ranges refer to the encoded response, so it must not be compressed.
            .accept_encoding("identity")
            .user_agent(concat!("hrm/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .build();
        Self { agent: config.into(), wait: Duration::from_millis(500), limit }
    }

    /// Asks the Hugging Face hub for the properties of a file. For a large file, its
    /// response is a redirect with size and SHA-256; for others they are unknown.
    ///
    /// # Errors
    ///
    /// [`FetchError::Status`] or [`FetchError::Unreachable`].
    pub(super) fn announced(
        &self,
        url: &str,
        token: Option<&str>,
    ) -> Result<Announced, FetchError> {
        self.retrying(
            &mut Transfer::new(url),
            || 0,
            |_| {
                let mut request = self.agent.head(url);
                if let Some(token) = token {
                    request = request.header("Authorization", format!("Bearer {token}"));
                }
                let request =
                    request.config().max_redirects(0).max_redirects_will_error(false).build();
                let response = request.call().map_err(unreachable(url))?;
                let headers = response.headers();
                match response.status().as_u16() {
                    // Some mirrors only serve files.
                    405 | 501 => Ok(Announced::default()),
                    200..400 => {
                        let etag =
                            text(headers, "x-linked-etag").map(|etag| etag.trim_matches('"'));
                        let is_hash = |etag: &&str| {
                            etag.len() == 64 && etag.bytes().all(|digit| digit.is_ascii_hexdigit())
                        };
                        Ok(Announced {
                            size: text(headers, "x-linked-size").and_then(|size| size.parse().ok()),
                            sha256: etag.filter(is_hash).map(str::to_ascii_lowercase),
                        })
                    }
                    _ => Err(wrong_status(url, &response)),
                }
            },
        )
    }

    /// Downloads a file to `target`. `part` holds it until it is complete, and may
    /// hold the start of it from an earlier attempt.
    ///
    /// # Errors
    ///
    /// [`FetchError`] naming the address. A partial download is kept, unless it is
    /// not of this file.
    pub(super) fn download(
        &self,
        remote: &Remote<'_>,
        part: &Path,
        target: &Path,
    ) -> Result<(), FetchError> {
        let partial = Partial::at(part);
        // A partial file beside it would belong to a newer file.
        let is_of_record = !partial.path.exists() && partial.record(remote.url).is_some();
        if target.exists() && is_of_record {
            return Ok(());
        }
        let mut transfer = Transfer::new(&target.file_name().unwrap_or_default().to_string_lossy());
        let held = || partial.len();
        let fetched =
            self.retrying(&mut transfer, held, |transfer| self.attempt(remote, &partial, transfer));
        transfer.finish();
        fetched?;
        partial.finish(target)?;
        let folder = durable::parent(target);
        durable::sync_folder(folder).map_err(FetchError::write(folder))
    }

    /// Requests the missing part once.
    fn attempt(
        &self,
        remote: &Remote<'_>,
        partial: &Partial,
        transfer: &mut Transfer,
    ) -> Result<(), FetchError> {
        let record = partial.record(remote.url);
        let held = record.as_ref().map_or(0, |_| partial.len());
        if held > 0 && record.as_ref().is_some_and(|record| record.size == Some(held)) {
            return Ok(());
        }
        let mut request = self.agent.get(remote.url);
        if let Some(token) = remote.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if held > 0 {
            request = request.header("Range", format!("bytes={held}-"));
            if let Some(etag) = record.as_ref().and_then(|record| record.etag.as_deref()) {
                request = request.header("If-Range", etag);
            }
        }
        let response = request.call().map_err(unreachable(remote.url))?;

        let headers = response.headers();
        let refused = |expected: &str, found: String| FetchError::Answer {
            url: remote.url.to_owned(),
            expected: expected.to_owned(),
            found,
        };
        if let Some(encoding) = text(headers, "content-encoding").filter(|e| *e != "identity") {
            return Err(refused("the file without encoding", format!("encoding {encoding}")));
        }
        // Weak tags do not guarantee identical bytes.
        let etag = text(headers, "etag").filter(|etag| etag.starts_with('"'));
        let (record, start) = match (response.status().as_u16(), record) {
            (200, _) => {
                let size = text(headers, "content-length").and_then(|size| size.parse().ok());
                self.check_size(remote, size)?;
                let record =
                    Record { url: remote.url.to_owned(), size, etag: etag.map(str::to_owned) };
                partial.start(&record)?;
                (record, 0)
            }
            (206, Some(record)) if held > 0 => {
                let range = text(headers, "content-range").unwrap_or_default();
                if !record.continues(held, range, etag) {
                    partial.forget()?;
                    return Err(refused("the rest of the same file", format!("`{range}`")));
                }
                (record, held)
            }
            (416, _) if held > 0 => {
                partial.forget()?;
                return Err(refused("the rest of the same file", "a shorter file".to_owned()));
            }
            _ => return Err(wrong_status(remote.url, &response)),
        };
        transfer.start(start, record.size.or(remote.size));
        self.append(remote, record.size, response, partial, transfer)
    }

    /// Appends a response to the partial download, up to `size` bytes in total.
    fn append(
        &self,
        remote: &Remote<'_>,
        size: Option<u64>,
        mut response: Response<Body>,
        partial: &Partial,
        transfer: &mut Transfer,
    ) -> Result<(), FetchError> {
        let path = &partial.path;
        let mut file = File::options().append(true).open(path).map_err(FetchError::write(path))?;
        let mut body = response.body_mut().as_reader();
        let (mut n_bytes, mut buffer) = (partial.len(), vec![0; 1 << 16]);
        let truncated = |n_bytes, source| FetchError::Truncated {
            url: remote.url.to_owned(),
            expected: size.map_or("more".to_owned(), |size| size.to_string()),
            found: n_bytes,
            source,
        };
        loop {
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(err) => return Err(truncated(n_bytes, Some(err))),
            };
            file.write_all(&buffer[..n]).map_err(FetchError::write(path))?;
            n_bytes += n as u64;
            transfer.show(n_bytes);
            let limit = remote.size.unwrap_or(self.limit);
            if n_bytes > limit {
                partial.forget()?;
                let (place, found) = (remote.url.to_owned(), "more".to_owned());
                return Err(FetchError::TooLarge { place, expected: limit, found });
            }
        }
        if size.is_some_and(|size| n_bytes < size) { Err(truncated(n_bytes, None)) } else { Ok(()) }
    }

    /// Refuses a file of the wrong size before it is downloaded.
    fn check_size(&self, remote: &Remote<'_>, found: Option<u64>) -> Result<(), FetchError> {
        match (remote.size, found) {
            (Some(expected), Some(found)) if expected != found => {
                Err(FetchError::Size { place: remote.url.to_owned(), expected, found })
            }
            (_, Some(found)) if found > self.limit => Err(FetchError::TooLarge {
                place: remote.url.to_owned(),
                expected: self.limit,
                found: found.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Repeats `attempt` until it succeeds, fails permanently, or has failed
    /// [`N_TRIES`] times in a row without more bytes in `held`.
    fn retrying<T>(
        &self,
        transfer: &mut Transfer,
        held: impl Fn() -> u64,
        mut attempt: impl FnMut(&mut Transfer) -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let (mut most_held, mut n_tries) = (held(), 0);
        loop {
            let err = match attempt(transfer) {
                Ok(value) => return Ok(value),
                Err(err) => err,
            };
            n_tries = if held() > most_held { 1 } else { n_tries + 1 };
            most_held = most_held.max(held());
            if !err.is_transient() || n_tries >= N_TRIES {
                return Err(err);
            }
            let requested = match &err {
                FetchError::Status { retry_after_s: Some(seconds), .. } => {
                    Duration::from_secs((*seconds).min(RETRY_AFTER_S_MAX))
                }
                _ => Duration::ZERO,
            };
            let wait = requested.max(self.wait * 2u32.pow(n_tries - 1));
            transfer.note(format!("{err}; retrying in {:.1} s", wait.as_secs_f64()));
            std::thread::sleep(wait);
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn unreachable(url: &str) -> impl FnOnce(ureq::Error) -> FetchError {
    move |source| FetchError::Unreachable { url: url.to_owned(), source }
}

fn wrong_status(url: &str, response: &Response<Body>) -> FetchError {
    FetchError::Status {
        url: url.to_owned(),
        found: response.status().as_u16(),
        retry_after_s: text(response.headers(), "retry-after").and_then(|s| s.parse().ok()),
    }
}

#[cfg(test)]
mod tests;
