//! Checkpoints as commands open and write them.

use std::path::Path;

use hrm_base::durable;
use hrm_core::Hrm;
use hrm_tasks::{Checkpoint, TaskRecord};
use hrm_train::run::{files, lost_checkpoint};

use crate::compute::Compute;
use crate::error::usage;
use crate::output;
use crate::term::note;

/// Loads a checkpoint folder, or the best or newest checkpoint of a run folder.
///
/// # Errors
///
/// If the folder is neither, its files do not fit together, or the device is not available.
pub(crate) fn open(run: &Path, compute: &Compute) -> anyhow::Result<Checkpoint> {
    let checkpoint = Checkpoint::open(run, &compute.device()?);
    let checkpoint = checkpoint.map_err(|err| explained(run, err.into()))?;
    say_lost(run, &checkpoint.path)?;
    let model = checkpoint.model.with_dtype(compute.dtype()?);
    Ok(Checkpoint { model, ..checkpoint })
}

/// Says that the checkpoint `found` stands for another of `run` that is gone.
///
/// # Errors
///
/// If the names of its checkpoints cannot be read.
pub(crate) fn say_lost(run: &Path, found: &Path) -> anyhow::Result<()> {
    if found != run
        && let Some(lost) = lost_checkpoint(run)?
    {
        let (lost, found) = (lost.display(), found.display());
        note(format!("{lost} is gone, which the run names as the one to use: {found} is used."));
    }
    Ok(())
}

/// Writes a checkpoint folder that belongs to no run.
///
/// # Errors
///
/// If the folder exists or cannot be written.
pub(crate) fn save_new(
    folder: &Path,
    model: &Hrm,
    record: &TaskRecord,
    identifiers: &[String],
) -> anyhow::Result<()> {
    output::new_folder(folder, |folder| {
        model.save(folder)?;
        Ok(record.write(folder, identifiers)?)
    })
}

/// `err`, which opening the run or checkpoint at `path` has given, or what to do instead if
/// something else is there.
pub(crate) fn explained(path: &Path, err: anyhow::Error) -> anyhow::Error {
    instead(path).map_or(err, usage)
}

/// What to do if `path` is neither a run nor a checkpoint of this program; `None` if it is one
/// of them.
fn instead(path: &Path) -> Option<String> {
    let (shown, folder) = (path.display(), durable::parent(path));
    let has = |folder: &Path, file: &str| folder.join(file).is_file();
    let import = || format!("To use weights of another tool: hrm import {shown} --out DIR");
    if path.symlink_metadata().is_err() {
        return Some(format!("{shown} does not exist"));
    }
    if path.is_file() {
        for (mark, kind) in [(files::RECORD, "run"), (TaskRecord::FILE, "checkpoint")] {
            if has(folder, mark) {
                let folder = folder.display();
                return Some(format!("{shown} is a file of a {kind}: name its folder, {folder}"));
            }
        }
        return Some(format!("{shown} is a file; a run or a checkpoint is a folder. {}", import()));
    }
    if path.ends_with(files::CHECKPOINTS) && has(folder, files::RECORD) {
        let folder = folder.display();
        return Some(format!("{shown} is a folder of a run: name that, {folder}"));
    }
    if has(path, files::RECORD) || has(path, TaskRecord::FILE) {
        return None;
    }
    if has(&path.join(files::CHECKPOINTS), files::LATEST) {
        return Some(format!(
            "{shown} is not a run: it has checkpoints, but no {}. To train on from their weights: \
             hrm train --init {shown}",
            files::RECORD
        ));
    }
    Some(format!(
        "{shown} is neither a run nor a checkpoint: it has no {} and no {}. {}",
        files::RECORD,
        TaskRecord::FILE,
        import()
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_run_is_named_with_what_to_do() {
        let here = tempfile::tempdir().unwrap();
        let at = |path: &str| here.path().join(path);
        for folder in ["run/checkpoints", "model", "step_5", "old/checkpoints"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for file in ["run/run.json", "model/task.json", "model/model.safetensors", "x.pt"] {
            fs::write(at(file), "").unwrap();
        }
        fs::write(at("step_5/model.safetensors"), "").unwrap();
        fs::write(at("old/checkpoints/latest"), "step-000001").unwrap();
        let said = |path: &str| {
            let said = explained(&at(path), anyhow::anyhow!("as it was")).to_string();
            said.replace(&format!("{}/", here.path().display()), "")
        };
        assert_eq!(said("run"), "as it was");
        assert_eq!(said("model"), "as it was");
        assert_eq!(said("nosuch"), "nosuch does not exist");
        assert_eq!(said("run/run.json"), "run/run.json is a file of a run: name its folder, run");
        assert_eq!(
            said("model/model.safetensors"),
            "model/model.safetensors is a file of a checkpoint: name its folder, model"
        );
        assert_eq!(said("run/checkpoints"), "run/checkpoints is a folder of a run: name that, run");
        assert_eq!(
            said("x.pt"),
            "x.pt is a file; a run or a checkpoint is a folder. To use weights of another tool: hrm \
             import x.pt --out DIR"
        );
        assert_eq!(
            said("old"),
            "old is not a run: it has checkpoints, but no run.json. To train on from their \
             weights: hrm train --init old"
        );
        assert_eq!(
            said("step_5"),
            "step_5 is neither a run nor a checkpoint: it has no run.json and no task.json. To use \
             weights of another tool: hrm import step_5 --out DIR"
        );
    }
}
