//! New files and folders, which appear complete or not at all and never replace
//! others.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hrm_base::durable;
use hrm_core::SaveError;
use hrm_core::weight_file::WeightFileError;
use hrm_puzzles::PuzzleError;
use hrm_tasks::{CheckpointError, TaskError};
use hrm_train::TrainError;
use tempfile::TempPath;

use crate::error::usage;

/// Refuses a path that exists.
///
/// # Errors
///
/// If there is anything at `path`, even a dangling link.
pub(crate) fn must_be_free(path: &Path) -> anyhow::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(exists(path)),
        Err(_) => Ok(()),
    }
}

fn exists(path: &Path) -> anyhow::Error {
    usage(format!("{} already exists", path.display()))
}

/// Writes a new file, and makes the folders that it lies in.
///
/// # Errors
///
/// [`PuzzleError::Write`] if it exists or cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), TaskError> {
    let made = fs::create_dir_all(durable::parent(path));
    made.and_then(|()| durable::write_new(path, bytes)).map_err(TaskError::write(path))
}

/// The file `name` that belongs to the weights in `weights`: beside them, and named after them.
pub(crate) fn beside(weights: &Path, name: &str) -> PathBuf {
    // Not every point begins an ending: `v1.5`.
    let has_ending = weights.extension().is_some_and(|ending| ending == "safetensors");
    let stem = if has_ending { weights.file_stem() } else { weights.file_name() };
    let mut file = stem.unwrap_or_default().to_owned();
    file.push(".");
    file.push(name);
    weights.with_file_name(file)
}

/// Writes the file at a path.
type Write<'a> = &'a dyn Fn(&Path) -> anyhow::Result<()>;

/// Writes new files, each with its own function: all of them or none.
///
/// # Errors
///
/// The first error; files that were written before it are removed again.
pub(crate) fn all_or_none(files: &[(&Path, Write<'_>)]) -> anyhow::Result<()> {
    for (idx, (path, write)) in files.iter().enumerate() {
        if let Err(err) = write(path) {
            for (written, _) in &files[..idx] {
                // An error of this must not hide the first one.
                let _ = fs::remove_file(written);
            }
            return Err(err);
        }
    }
    Ok(())
}

/// Writes a new file, and makes the folders that it lies in. `write` gets the path of a
/// temporary file beside it, and makes its content durable.
///
/// # Errors
///
/// If the file exists, cannot be written, or `write` fails. An existing file is
/// unchanged.
pub(crate) fn new_file(
    path: &Path,
    write: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let failed = |err: io::Error| match err.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => TaskError::write(path)(err).into(),
    };
    let parent = durable::parent(path);
    fs::create_dir_all(parent).map_err(failed)?;
    let folder = durable::TemporaryFolder::in_folder(parent).map_err(failed)?;
    let temporary = folder.path().join("file");
    write(&temporary).map_err(|err| with_final_name(err, &temporary, path))?;
    let temporary = TempPath::try_from_path(temporary).map_err(failed)?;
    temporary.persist_noclobber(path).map_err(|err| failed(err.error))?;
    durable::sync_folder(parent).map_err(failed)
}

/// Creates a new folder with the content that `fill` writes.
///
/// # Errors
///
/// If the folder exists, cannot be created, or `fill` fails. Then no folder is
/// created.
pub(crate) fn new_folder(
    path: &Path,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    must_be_free(path)?;
    let failed = |source| TaskError::write(path)(source).into();
    durable::new_folder(path, failed, |folder| {
        fill(folder).map_err(|err| with_final_name(err, folder, path))
    })
}

/// `err`, with the name that a file in `temporary`, or that itself, would have had in `path`:
/// the user knows no other.
pub(crate) fn with_final_name(
    mut err: anyhow::Error,
    temporary: &Path,
    path: &Path,
) -> anyhow::Error {
    if let Some(file) = file_of(&mut err) {
        *file = durable::final_name(file, temporary, path);
    }
    err
}

/// The file that could not be written.
fn file_of(err: &mut anyhow::Error) -> Option<&mut PathBuf> {
    type Weights = WeightFileError;
    if err.is::<TaskError>() {
        return match err.downcast_mut()? {
            TaskError::Puzzle(PuzzleError::Write { path, .. })
            | TaskError::Tokenizer { path, .. } => Some(path),
            _ => None,
        };
    }
    if err.is::<SaveError>() {
        return match err.downcast_mut()? {
            SaveError::Config { path, .. } | SaveError::Weights(Weights::Write { path, .. }) => {
                Some(path)
            }
            SaveError::Weights(_) => None,
        };
    }
    if err.is::<CheckpointError>() {
        return match err.downcast_mut()? {
            CheckpointError::Folder(err) => err.file_mut(),
            CheckpointError::Vocabulary(
                TaskError::Puzzle(PuzzleError::Write { path, .. })
                | TaskError::Tokenizer { path, .. },
            ) => Some(path),
            _ => None,
        };
    }
    if err.is::<TrainError>() {
        return err.downcast_mut::<TrainError>()?.file_mut();
    }
    match err.downcast_mut()? {
        Weights::Write { path, .. } => Some(path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_appears_meanwhile_is_kept() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("model.bin");
        let write = |text: &'static str| move |temporary: &Path| Ok(fs::write(temporary, text)?);
        new_file(&path, write("ours")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");

        let other = here.path().join("other.bin");
        let err = new_file(&other, |temporary| {
            fs::write(&other, "years of work")?;
            Ok(fs::write(temporary, "ours")?)
        });
        assert!(err.unwrap_err().to_string().ends_with("other.bin already exists"));
        assert_eq!(fs::read_to_string(&other).unwrap(), "years of work");
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("model.bin");
        let err = new_file(&path, |_| anyhow::bail!("the disk is full")).unwrap_err();
        assert_eq!(err.to_string(), "the disk is full");
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0);
    }

    #[test]
    fn files_beside_weights_are_named_after_them() {
        for (weights, want) in [
            ("a/x.safetensors", "a/x.config.yaml"),
            ("v1.5", "v1.5.config.yaml"),
            ("v1.6", "v1.6.config.yaml"),
            ("v1.5.safetensors", "v1.5.config.yaml"),
            ("x", "x.config.yaml"),
        ] {
            assert_eq!(beside(Path::new(weights), "config.yaml"), Path::new(want));
        }
    }

    #[test]
    fn an_error_names_the_file_that_was_asked_for() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("new/folder/x.safetensors");
        let full = |temporary: &Path| {
            let (path, source) = (temporary.to_owned(), io::ErrorKind::StorageFull.into());
            Err(WeightFileError::Write { path, source }.into())
        };
        let err = new_file(&path, full).unwrap_err();
        assert_eq!(err.to_string(), format!("cannot write {}", path.display()));

        let out = here.path().join("out");
        let io = || io::Error::from(io::ErrorKind::StorageFull);
        let errors: [fn(PathBuf, io::Error) -> anyhow::Error; 7] = [
            |path, source| TrainError::Write { path, source }.into(),
            |path, source| TrainError::Weights(WeightFileError::Write { path, source }).into(),
            |path, source| TaskError::write(&path)(source).into(),
            |path, source| SaveError::Config { path, source }.into(),
            |path, source| SaveError::Weights(WeightFileError::Write { path, source }).into(),
            |path, source| CheckpointError::Folder(TrainError::Write { path, source }).into(),
            |path, source| CheckpointError::Vocabulary(TaskError::write(&path)(source)).into(),
        ];
        for error in errors {
            let fill = |folder: &Path| Err(error(folder.join("a.json"), io()));
            let text = format!("{:#}", new_folder(&out, fill).unwrap_err());
            assert!(
                text.contains(&format!("cannot write {}", out.join("a.json").display())),
                "{text}"
            );
        }
        assert!(!out.exists());
    }

    #[test]
    fn of_files_that_belong_together_none_is_left_alone() {
        let here = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| here.path().join(name));
        fs::write(&b, "not ours").unwrap();
        let write = |path: &Path| Ok(write_new(path, b"ours")?);
        let err = all_or_none(&[(&a, &write), (&b, &write), (&c, &write)]).unwrap_err();
        assert_eq!(err.to_string(), format!("cannot write {}", b.display()));
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(&b).unwrap(), "not ours");
        fs::remove_file(&b).unwrap();
        all_or_none(&[(&a, &write), (&b, &write), (&c, &write)]).unwrap();
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 3);
    }
}
