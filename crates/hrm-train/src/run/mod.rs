//! The folder of a training run.
//!
//! ```text
//! runs/<name>/
//!   run.json            settings, seed and data; written before the first step
//!   metrics.jsonl       one line per logged step and per evaluation
//!   lock                locked by the process that trains
//!   init/               the model before the first step, if it is that of a checkpoint
//!   checkpoints/
//!     step-000123/      config.json  model.safetensors  ...  self-contained
//!                       sha256.json  checksums of the other files
//!     latest            the name of the newest checkpoint
//!     best              the name of the best checkpoint by validation, if any
//! ```
//!
//! A checkpoint is written under a temporary name, synced, and renamed, and only then
//! named in `latest`: a run that is killed at any time has an intact last checkpoint.

mod checkpoints;
mod checksums;
pub mod files;
mod folder;
mod json;
mod lock;

use std::path::{Path, PathBuf};

use crate::error::TrainError;
pub use checkpoints::Checkpoints;
pub use checksums::{sha256, verify_files, write_checksums};
pub use folder::{Resumed, RunFolder};
pub use json::{read_json, write_json};

/// The checkpoint that `path` refers to: `path` itself if it holds a model; for a run
/// folder, its best checkpoint by validation, or the newest if there is no best.
///
/// # Errors
///
/// [`TrainError::NotARun`] if it is neither, [`TrainError::WithoutCheckpoint`] for a run that
/// has none.
pub fn find_checkpoint(path: &Path) -> Result<PathBuf, TrainError> {
    if path.join(files::WEIGHTS).is_file() {
        return Ok(path.to_owned());
    }
    let checkpoints = Checkpoints::of(path);
    let found = match checkpoints.best()? {
        Some(best) => Some(best),
        None => match checkpoints.named(files::LATEST)? {
            Some(latest) => Some(latest),
            None => checkpoints.all()?.pop(),
        },
    };
    let path = path.to_owned();
    found.ok_or_else(|| match path.join(files::RECORD).is_file() {
        true => TrainError::WithoutCheckpoint { path },
        false => TrainError::NotARun { path, missing: "checkpoint" },
    })
}

/// The checkpoint that a run folder names as its best, or if it names none as its newest, if
/// that is gone: [`find_checkpoint`] then gives another.
///
/// # Errors
///
/// [`TrainError::Read`].
pub fn lost_checkpoint(run: &Path) -> Result<Option<PathBuf>, TrainError> {
    let checkpoints = Checkpoints::of(run);
    for file in [files::BEST, files::LATEST] {
        if let Some(name) = checkpoints.name_in(file)? {
            let is_lost = checkpoints.named(file)?.is_none();
            return Ok(is_lost.then(|| run.join(files::CHECKPOINTS).join(name)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_core::{Hrm, HrmConfig};
    use serde_json::json;
    use std::fs;

    fn model(seed: u64) -> Hrm {
        let config = HrmConfig::tiny().with(|config| {
            config.block.hidden_dim = 8;
            config.puzzle_embedding.dim = 8;
        });
        Hrm::seeded(config, seed, &Device::Cpu).unwrap()
    }

    fn save(run: &RunFolder, model: &Hrm, step: u64) -> Result<PathBuf, TrainError> {
        run.checkpoints().write(step, |folder| Ok(model.save(folder)?))
    }

    #[test]
    fn the_latest_checkpoint_is_found_and_loads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut run = RunFolder::create(&path, &json!({"seed": 1}), false).unwrap();
        run.log(&json!({"step": 1, "loss": 2.5})).unwrap();
        save(&run, &model(1), 1).unwrap();
        let newest = save(&run, &model(2), 20).unwrap();
        assert_eq!(find_checkpoint(&path).unwrap(), newest);
        assert_eq!(find_checkpoint(&newest).unwrap(), newest);

        let back = Hrm::load(&newest, &Device::Cpu).unwrap();
        let wanted = model(2);
        for ((name, found), (_, wanted)) in back.weights().tensors().zip(wanted.weights().tensors())
        {
            hrm_testkit::assert_close(name, &found, &wanted, hrm_testkit::Tol::EXACT);
        }
        let metrics = fs::read_to_string(path.join(files::METRICS)).unwrap();
        assert_eq!(metrics, "{\"loss\":2.5,\"step\":1}\n");
    }

    #[test]
    fn a_checkpoint_that_is_named_and_gone_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, &json!({}), false).unwrap();
        let message = find_checkpoint(&path).unwrap_err().to_string();
        let expected = format!(
            "{0} is a run without a checkpoint: expected one in {0}/checkpoints, found none. It has \
             not written its first one, or they were removed: name a checkpoint that is left, or \
             train it again",
            path.display()
        );
        assert_eq!(message, expected);
        assert!(matches!(find_checkpoint(folder.path()), Err(TrainError::NotARun { .. })));

        let [first, second, third] = [1, 2, 3].map(|step| save(&run, &model(step), step).unwrap());
        let found = || (lost_checkpoint(&path).unwrap(), find_checkpoint(&path).unwrap());
        assert_eq!(found(), (None, third.clone()));
        run.checkpoints().set_best(Some(1)).unwrap();
        assert_eq!(found(), (None, first.clone()));
        fs::remove_dir_all(&first).unwrap();
        assert_eq!(found(), (Some(first), third.clone()));
        fs::write(path.join("checkpoints/best"), "no checkpoint\n").unwrap();
        assert_eq!(found().0, Some(path.join("checkpoints/no checkpoint")));
        // Without validation, the newest.
        run.checkpoints().set_best(None).unwrap();
        assert_eq!(found(), (None, third.clone()));
        fs::remove_dir_all(&third).unwrap();
        assert_eq!(found(), (Some(third), second));
        assert_eq!(lost_checkpoint(folder.path()).unwrap(), None);
    }

    #[test]
    fn an_existing_folder_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let create = |force| RunFolder::create(&path, &json!({}), force).map(drop);
        create(false).unwrap();
        assert!(matches!(create(false), Err(TrainError::RunExists { .. })));
        create(true).unwrap();

        // A folder that is not a run is not deleted, even with `force`.
        fs::remove_file(path.join(files::RECORD)).unwrap();
        assert!(matches!(create(true), Err(TrainError::NotARun { .. })));
        assert!(path.join(files::METRICS).exists());
    }

    #[test]
    fn a_failed_checkpoint_keeps_the_previous_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, &json!({}), false).unwrap();
        let first = save(&run, &model(1), 1).unwrap();
        let fails = |_: &Path| Err(TrainError::NoExamples { what: "no" });
        run.checkpoints().write(2, fails).unwrap_err();
        assert_eq!(find_checkpoint(&path).unwrap(), first);
        // The checkpoint that `latest` names is never replaced.
        save(&run, &model(2), 1).unwrap_err();
        let kept = Hrm::load(&first, &Device::Cpu).unwrap();
        let wanted = model(1);
        for ((name, kept), (_, wanted)) in kept.weights().tensors().zip(wanted.weights().tensors())
        {
            hrm_testkit::assert_close(name, &kept, &wanted, hrm_testkit::Tol::EXACT);
        }
    }

    #[test]
    fn a_damaged_checkpoint_falls_back_to_the_previous_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, &json!({}), false).unwrap();
        assert!(matches!(RunFolder::resume(&path), Err(TrainError::Busy { .. })));
        drop(run);
        assert_eq!(RunFolder::resume(&path).unwrap().checkpoint, None);

        let run = RunFolder::resume(&path).unwrap().folder;
        let saved = [1, 2, 3].map(|step| save(&run, &model(step), step).unwrap());
        drop(run);
        // Left by a process that was killed while writing.
        let (half, part) =
            (path.join("checkpoints/step-000004.tmp"), path.join("checkpoints/x.tmp"));
        fs::create_dir(&half).unwrap();
        fs::write(&part, "").unwrap();
        let newest = RunFolder::resume(&path).unwrap().checkpoint;
        assert_eq!(newest.as_deref(), Some(saved[2].as_path()));
        assert!(!half.exists() && !part.exists());

        let weights = saved[2].join(files::WEIGHTS);
        let mut bytes = fs::read(&weights).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&weights, bytes).unwrap();
        let resumed = RunFolder::resume(&path).unwrap();
        assert_eq!(resumed.checkpoint.as_deref(), Some(saved[1].as_path()));
        let [(kept, err)] = &resumed.damaged[..] else { panic!("{:?}", resumed.damaged) };
        assert_eq!(err.to_string(), format!("{} is damaged", weights.display()));
        assert!(kept.join(files::WEIGHTS).is_file());
        assert_eq!(find_checkpoint(&path).unwrap(), saved[1]);
        // Its step can be saved again.
        save(&resumed.folder, &model(3), 3).unwrap();
        drop(resumed);

        for step in &saved {
            fs::remove_file(step.join(files::CONFIG)).unwrap();
        }
        assert!(matches!(RunFolder::resume(&path), Err(TrainError::NoCheckpoint { .. })));
    }

    #[test]
    fn a_run_without_intact_checkpoints_is_refused_as_often_as_it_is_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut run = RunFolder::create(&path, &json!({}), false).unwrap();
        run.log(&1).unwrap();
        let saved = [5, 6].map(|step| save(&run, &model(step), step).unwrap());
        drop(run);
        let refused = |want: Option<&Path>| {
            for _ in 0..2 {
                let err = RunFolder::resume(&path).unwrap_err();
                let TrainError::NoCheckpoint { damage, .. } = err else { panic!("{err:?}") };
                let damage = damage.map(|damage| damage.to_string());
                assert_eq!(damage, want.map(|path| format!("{} is damaged", path.display())));
                assert_eq!(fs::read_to_string(path.join(files::METRICS)).unwrap(), "1\n");
            }
        };
        for step in &saved {
            fs::write(step.join(files::WEIGHTS), "").unwrap();
        }
        refused(Some(&saved[1].join(files::WEIGHTS)));
        assert!(saved.iter().all(|step| step.is_dir()), "they keep their names");
        // What names the latest one is left, then not even that.
        saved.iter().for_each(|step| fs::remove_dir_all(step).unwrap());
        refused(None);
        fs::remove_dir_all(path.join(files::CHECKPOINTS)).unwrap();
        refused(None);
    }

    #[test]
    fn a_damaged_best_checkpoint_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, &json!({}), false).unwrap();
        let saved = [1, 2, 3].map(|step| save(&run, &model(step), step).unwrap());
        run.checkpoints().set_best(Some(1)).unwrap();
        drop(run);
        for step in [0, 1] {
            fs::write(saved[step].join(files::WEIGHTS), "").unwrap();
        }
        let resumed = RunFolder::resume(&path).unwrap();
        assert_eq!(resumed.checkpoint.as_ref(), Some(&saved[2]));
        let renamed: Vec<&PathBuf> = resumed.damaged.iter().map(|damaged| &damaged.0).collect();
        assert_eq!(renamed, [&path.join("checkpoints/step-000001.damaged")]);
        assert_eq!(find_checkpoint(&path).unwrap(), saved[2]);
    }

    #[test]
    fn the_newest_checkpoint_is_found_if_nothing_that_exists_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, &json!({}), false).unwrap();
        let saved = [8, 9, 10].map(|step| save(&run, &model(1), step).unwrap());
        run.checkpoints().set_best(Some(8)).unwrap();
        fs::remove_dir_all(&saved[0]).unwrap();
        assert_eq!(find_checkpoint(&path).unwrap(), saved[2]);
        fs::remove_dir_all(&saved[2]).unwrap();
        assert_eq!(find_checkpoint(&path).unwrap(), saved[1]);
        for text in ["", "..", "step-000010", "\u{fffd}"] {
            fs::write(path.join("checkpoints/best"), text).unwrap();
            fs::write(path.join("checkpoints/latest"), text).unwrap();
            assert_eq!(find_checkpoint(&path).unwrap(), saved[1], "{text}");
        }
        for name in ["best", "latest"] {
            fs::remove_file(path.join("checkpoints").join(name)).unwrap();
        }
        assert_eq!(find_checkpoint(&path).unwrap(), saved[1]);
        // A rollback does not leave a name for a checkpoint that is written later.
        fs::write(path.join("checkpoints/best"), "step-000010").unwrap();
        run.checkpoints().roll_back(0).unwrap();
        save(&run, &model(1), 10).unwrap();
        assert_eq!(run.checkpoints().best().unwrap(), None);
    }

    #[test]
    fn old_checkpoints_are_removed_but_never_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, &json!({}), false).unwrap();
        let saved = [9, 10, 100].map(|step| save(&run, &model(1), step).unwrap());
        let left = || saved.each_ref().map(|checkpoint| checkpoint.exists());
        run.checkpoints().keep_newest(2).unwrap();
        assert_eq!(left(), [false, true, true]);
        run.checkpoints().keep_newest(0).unwrap();
        assert_eq!(left(), [false, false, true]);
        assert_eq!(find_checkpoint(&path).unwrap(), saved[2]);
    }

    #[test]
    fn the_best_checkpoint_is_kept_and_found_for_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, &json!({}), false).unwrap();
        let saved = [1, 2, 3].map(|step| save(&run, &model(1), step).unwrap());
        run.checkpoints().set_best(Some(1)).unwrap();
        assert_eq!(find_checkpoint(&path).unwrap(), saved[0]);
        run.checkpoints().keep_newest(1).unwrap();
        assert_eq!(saved.each_ref().map(|checkpoint| checkpoint.exists()), [true, false, true]);
        run.checkpoints().set_best(Some(3)).unwrap();
        run.checkpoints().keep_newest(1).unwrap();
        assert!(!saved[0].exists());
        // A checkpoint that does not exist is not named.
        for none in [Some(1), None] {
            run.checkpoints().set_best(Some(3)).unwrap();
            run.checkpoints().set_best(none).unwrap();
            assert!(!path.join("checkpoints/best").exists());
        }
        run.checkpoints().set_best(None).unwrap();
        assert_eq!(find_checkpoint(&path).unwrap(), saved[2]);
    }

    #[test]
    fn rolling_back_removes_newer_checkpoints() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let run = RunFolder::create(&path, &json!({}), false).unwrap();
        let checkpoints = run.checkpoints();
        assert_eq!(checkpoints.roll_back(0).unwrap(), None);
        let saved = [1, 2, 3, 4].map(|step| save(&run, &model(1), step).unwrap());
        let left = || saved.each_ref().map(|checkpoint| checkpoint.exists());
        checkpoints.set_best(Some(3)).unwrap();
        assert_eq!(checkpoints.roll_back(0).unwrap().as_ref(), Some(&saved[3]));
        assert_eq!(left(), [true; 4]);
        // Damaged checkpoints do not count.
        fs::write(saved[3].join(files::WEIGHTS), "").unwrap();
        assert_eq!(checkpoints.roll_back(1).unwrap().as_ref(), Some(&saved[1]));
        assert_eq!(left(), [true, true, false, false]);
        assert_eq!(find_checkpoint(&path).unwrap(), saved[1]);
        assert_eq!(checkpoints.roll_back(9).unwrap().as_ref(), Some(&saved[0]));
        save(&run, &model(1), 2).unwrap();

        // Seven digits sort after six.
        let saved = [999_999, 1_000_000].map(|step| save(&run, &model(1), step).unwrap());
        assert_eq!(checkpoints.roll_back(1).unwrap().as_ref(), Some(&saved[0]));
        assert_eq!(saved.each_ref().map(|checkpoint| checkpoint.exists()), [true, false]);
    }

    #[test]
    fn metrics_are_truncated_to_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let mut run = RunFolder::create(&path, &json!({}), false).unwrap();
        run.log(&1).unwrap();
        let n_bytes = run.metrics_len();
        run.log(&2).unwrap();
        drop(run);
        let mut run = RunFolder::resume(&path).unwrap().folder;
        assert!(run.truncate_metrics(100).is_err());
        run.truncate_metrics(n_bytes).unwrap();
        run.log(&3).unwrap();
        assert_eq!(fs::read_to_string(path.join(files::METRICS)).unwrap(), "1\n3\n");
    }

    #[test]
    fn weights_that_do_not_fit_their_config_are_rejected() {
        let folder = tempfile::tempdir().unwrap();
        model(1).save(folder.path()).unwrap();
        let config = model(1).config().clone().with(|config| config.block.hidden_dim = 16);
        write_json(&folder.path().join(files::CONFIG), &config).unwrap();
        let err = Hrm::load(folder.path(), &Device::Cpu).unwrap_err();
        assert!(err.to_string().ends_with("does not fit the config beside it"), "{err}");
        assert!(find_checkpoint(&folder.path().join("none")).is_err());
    }
}
