//! Takes the files of a data set from an archive or a folder of its repository.
//!
//! Archives are not trusted. Only files that the manifest names are unpacked, at
//! paths chosen here, and no more bytes than the archive declares.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use zip::ZipArchive;
use zip::result::ZipError;

use super::error::FetchError;
use super::manifest;

/// Matches patterns like a shell: wildcards do not match `/`.
const LIKE_A_SHELL: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// Unpacks `files` into `folder`, up to `limit` bytes in total. Messages call the
/// archive `place`.
///
/// # Errors
///
/// [`FetchError::Archive`] if the file is not an archive, [`FetchError::Entry`] or
/// [`FetchError::TooLarge`] if it is not safe to unpack, [`FetchError::Missing`] or
/// [`FetchError::Twice`] if it does not hold each file once.
pub(super) fn unpack(
    archive: &Path,
    place: &str,
    files: &[manifest::File],
    folder: &Path,
    limit: u64,
) -> Result<(), FetchError> {
    let broken = |source| FetchError::Archive { place: place.to_owned(), source };
    let file = File::open(archive).map_err(FetchError::read(archive))?;
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(broken)?;
    let mut set = Set::new(place, files, folder);
    let mut left = limit;
    for idx in 0..archive.len() {
        let mut entry = archive.by_index(idx).map_err(broken)?;
        let shown = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let refused = |expected, found| FetchError::Entry {
            place: place.to_owned(),
            entry: shown.clone(),
            expected,
            found,
        };
        let path = PathBuf::from(&*entry.name().map_err(broken)?);
        let is_inner = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !path.components().all(is_inner) {
            return Err(refused("a path inside the archive", "one that leads out of it"));
        }
        if entry.is_dir() {
            continue;
        }
        let Some(file_idx) = set.named(&path) else { continue };
        if std::str::from_utf8(entry.name_raw()).is_err() {
            return Err(refused("a name in UTF-8", "other bytes"));
        }
        if !entry.is_file() {
            return Err(refused("a file", "a link"));
        }
        let size = entry.size();
        left = left.checked_sub(size).ok_or_else(|| FetchError::TooLarge {
            place: place.to_owned(),
            expected: limit,
            found: "more after unpacking".to_owned(),
        })?;
        // The library reports more bytes than declared as an error.
        let found =
            set.write(file_idx, &path, &mut entry, |source| broken(ZipError::Io(source)))?;
        if found != size {
            return Err(refused("as many bytes as it declares", "fewer"));
        }
    }
    set.check_complete()
}

/// Copies `files` into `folder`, from `from` or a folder directly in it, which
/// unpacked archives have.
///
/// # Errors
///
/// [`FetchError::Missing`] or [`FetchError::Twice`] if `from` does not hold each
/// file once, [`FetchError::NotUtf8`], and failed reads and writes.
pub(super) fn copy(from: &Path, files: &[manifest::File], folder: &Path) -> Result<(), FetchError> {
    let place = from.display().to_string();
    let mut set = Set::new(&place, files, folder);
    let root = from.to_str().ok_or_else(|| FetchError::NotUtf8 { path: from.to_owned() })?;
    let root = Pattern::escape(root);
    for (file_idx, file) in files.iter().enumerate() {
        for pattern in [format!("{root}/{}", file.name), format!("{root}/*/{}", file.name)] {
            let found = glob::glob_with(&pattern, LIKE_A_SHELL)
                .expect("the patterns of a manifest are valid");
            for path in found {
                let path = path.map_err(|err| {
                    let path = err.path().to_owned();
                    FetchError::read(&path)(err.into())
                })?;
                let source = File::open(&path).map_err(FetchError::read(&path))?;
                set.write(file_idx, &path, source, FetchError::read(&path))?;
            }
            if set.n_found[file_idx] > 0 {
                break;
            }
        }
    }
    set.check_complete()
}

/// The files of a data set that have been found so far.
struct Set<'a> {
    place: &'a str,
    files: &'a [manifest::File],
    patterns: Vec<Pattern>,
    n_found: Vec<usize>,
    folder: PathBuf,
}

impl<'a> Set<'a> {
    fn new(place: &'a str, files: &'a [manifest::File], folder: &Path) -> Self {
        let pattern = |file: &manifest::File| {
            Pattern::new(&file.name).expect("the patterns of a manifest are valid")
        };
        Self {
            place,
            files,
            patterns: files.iter().map(pattern).collect(),
            n_found: vec![0; files.len()],
            folder: folder.to_owned(),
        }
    }

    /// The index of the file with this path in the repository. An archive may hold
    /// the repository in a folder.
    fn named(&self, path: &Path) -> Option<usize> {
        let inner: PathBuf = path.components().skip(1).collect();
        [path, &inner].into_iter().find_map(|path| {
            self.patterns.iter().position(|name| name.matches_path_with(path, LIKE_A_SHELL))
        })
    }

    /// Writes a file to its place in the data set. `failed` converts a read error.
    /// Returns the size in bytes.
    fn write(
        &mut self,
        file_idx: usize,
        path: &Path,
        mut content: impl Read,
        failed: impl FnOnce(io::Error) -> FetchError,
    ) -> Result<u64, FetchError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = self.files[file_idx].place(&name);
        let target = self.folder.join(&name);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(FetchError::write(parent))?;
        }
        let mut file = match File::create_new(&target) {
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                return Err(FetchError::Twice { place: self.place.to_owned(), name });
            }
            created => created.map_err(FetchError::write(&target))?,
        };
        self.n_found[file_idx] += 1;
        let mut n_bytes = 0;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match content.read(&mut buffer) {
                Ok(0) => return Ok(n_bytes),
                Ok(n) => n,
                Err(err) => return Err(failed(err)),
            };
            io::Write::write_all(&mut file, &buffer[..n]).map_err(FetchError::write(&target))?;
            n_bytes += n as u64;
        }
    }

    fn check_complete(&self) -> Result<(), FetchError> {
        match self.files.iter().zip(&self.n_found).find(|(_, n_found)| **n_found == 0) {
            None => Ok(()),
            Some((file, _)) => Err(FetchError::Missing {
                place: self.place.to_owned(),
                pattern: file.name.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
