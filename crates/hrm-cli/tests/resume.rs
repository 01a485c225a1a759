//! Runs that are killed, interrupted or damaged, and continue as if nothing had
//! happened.

// A panic in a test is the report. The number of kills is printed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::hrm;

const STEPS: &str = "--steps=60";

/// A small run with everything that matters: puzzle embeddings, evaluations,
/// checkpoints between them, and lines of metrics that span both.
const TRAIN: &[&str] = &[
    "train",
    "arc",
    "--preset=tiny",
    "--seed=3",
    "--set=task.n_train=12",
    "--set=task.n_eval=4",
    "--set=model.hidden_dim=16",
    "--set=model.puzzle_dim=16",
    "--set=model.n_segments_max=3",
    "--set=train.batch_size=8",
    "--set=train.eval_interval=25",
    "--set=train.checkpoint_interval=7",
];

/// Variants with more state between steps than the published model.
const VARIANTS: &[&str] = &[
    "--set=model.starts=random",
    "--set=model.damping=0.05",
    "--set=train.optimiser=muon",
    "--set=train.clip_norm=1",
    "--set=train.ema=0.9",
    "--set=train.state_noise=0.01",
    "--set=train.n_carries=3",
    "--set=train.n_validation=3",
    "--set=train.curriculum=[{\"until\":0.5,\"n_h_cycles\":1,\"n_l_cycles\":1}]",
];

fn start(here: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hrm"));
    command.current_dir(here).args(args).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// All files of a run that depend only on its arguments.
fn outcome(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::from([(
        "metrics.jsonl".to_owned(),
        fs::read(run.join("metrics.jsonl")).unwrap(),
    )]);
    let checkpoints = run.join("checkpoints");
    for step in fs::read_dir(&checkpoints).unwrap().map(|entry| entry.unwrap().path()) {
        let name = step.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "latest" || name == "best" {
            files.insert(name, fs::read(&step).unwrap());
            continue;
        }
        for file in fs::read_dir(&step).unwrap().map(|entry| entry.unwrap().path()) {
            let file_name = file.file_name().unwrap().to_str().unwrap();
            // They depend on how long the run took.
            if !["position.json", "sha256.json"].contains(&file_name) {
                files.insert(format!("{name}/{file_name}"), fs::read(&file).unwrap());
            }
        }
    }
    files
}

/// Whether a checkpoint is being written.
fn is_saving(run: &Path) -> bool {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten();
    let mut names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    names.any(|name| name.to_string_lossy().ends_with(".tmp"))
}

fn assert_same(found: &Path, wanted: &Path) {
    let (found, wanted) = (outcome(found), outcome(wanted));
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (name, bytes) in &found {
        assert!(bytes == &wanted[name], "{name} differs");
    }
}

#[test]
fn a_run_killed_at_random_ends_like_one_that_was_not() {
    kill_at_random(&[]);
}

#[test]
fn a_run_with_variants_killed_at_random_ends_like_one_that_was_not() {
    kill_at_random(VARIANTS);
}

fn kill_at_random(variants: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let started = Instant::now();
    let straight = hrm(here, &[TRAIN, variants, &[STEPS, "--out=straight"]].concat());
    assert_eq!(straight.code, 0, "{}", straight.stderr);
    assert!(straight.stdout.starts_with("60 steps in "), "{}", straight.stdout);
    let whole = started.elapsed();

    let killed = here.join("killed");
    let (mut n_killed, mut n_killed_while_saving, mut is_done) = (0, 0, false);
    for attempt in 0..200u32 {
        let mut child = match killed.exists() {
            true => start(here, &["train", "--resume=killed"]),
            false => start(here, &[TRAIN, variants, &[STEPS, "--out=killed"]].concat()),
        };
        // At any time, even before the first file. Every other time, as soon as a
        // checkpoint is being written after that.
        let share = f64::from(attempt * 7919 % 100) / 100.0;
        std::thread::sleep(whole.mul_f64(0.3 * share));
        let deadline = Instant::now() + whole.mul_f64(0.2);
        while attempt % 2 == 1 && !is_saving(&killed) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(100));
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            is_done = true;
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        n_killed += 1;
        n_killed_while_saving += u32::from(is_saving(&killed));
    }
    assert!(is_done, "killed {n_killed} times and still not finished");
    println!("killed {n_killed} times, {n_killed_while_saving} of them while saving");
    assert!(n_killed >= 5, "only killed {n_killed} times");
    assert!(n_killed_while_saving >= 2, "only {n_killed_while_saving} times while saving");
    assert_same(&killed, &here.join("straight"));
}

#[test]
fn an_interrupted_run_is_saved_first() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        if signal == "HUP" && ignores_hangup() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let steps = ["--steps=1000000", "--set=train.eval_interval=0", "--out=run"];
        let mut child = start(here, &[TRAIN, &steps].concat());
        let metrics = here.join("run/metrics.jsonl");
        let deadline = Instant::now() + Duration::from_secs(60);
        while fs::metadata(&metrics).map_or(0, |metadata| metadata.len()) == 0 {
            assert!(Instant::now() < deadline, "no step in a minute");
            std::thread::sleep(Duration::from_millis(20));
        }
        // Meanwhile no other process may use the run.
        let second = hrm(here, &["train", "--resume=run"]);
        assert_eq!(second.code, 2);
        assert_eq!(second.stderr.trim(), "error: another process is using run");

        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        let latest = fs::read_to_string(here.join("run/checkpoints/latest")).unwrap();
        let n_lines = fs::read_to_string(&metrics).unwrap().lines().count() as u64;
        let step: u64 = latest.strip_prefix("step-").unwrap().parse().unwrap();
        // The checkpoint is that of the last step.
        assert_eq!(step / 10, n_lines, "{latest}");
    }
}

/// Whether the end of a terminal ends neither this process nor those that it starts: because
/// of `nohup`, or because the system does not tell.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.is_none_or(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1)
}

#[test]
fn a_run_outlives_its_terminal_if_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let hrm_binary = env!("CARGO_BIN_EXE_hrm");
    let train = [TRAIN, &["--steps=1000000", "--out=run"]].concat().join(" ");
    let script = format!("trap '' HUP; exec {hrm_binary} {train}");
    let mut command = Command::new("sh");
    command.current_dir(here).args(["-c", &script]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let n_lines = || {
        let text = fs::read_to_string(here.join("run/metrics.jsonl")).unwrap_or_default();
        text.lines().count()
    };
    let wait_for = |n: usize| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while n_lines() < n {
            assert!(Instant::now() < deadline, "no line of metrics in a minute");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for(1);
    let send = |signal: &str| {
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    };
    send("HUP");
    wait_for(n_lines() + 3);
    send("TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_start_that_is_interrupted_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Long before the first step.
    let mut child = start(here, &["train", "maze", "--set=task.n_train=1000000", "--out=run"]);
    std::thread::sleep(Duration::from_secs(3));
    let kill = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143), "it ends by itself, not by the signal");
    assert_eq!(fs::read_dir(here).unwrap().count(), 0);
}

#[test]
fn a_run_interrupted_in_an_evaluation_has_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Evaluations take nearly all of the time, since they are those of the test set.
    let args = ["train", "sudoku", "--preset=tiny", "--set=task.n_eval=5000", "--steps=1000"];
    let intervals = [
        "--set=train.eval_interval=3",
        "--set=train.n_validation=0",
        "--set=task.n_train=100",
        "--out=run",
    ];
    for attempt in 0..5 {
        let mut child = start(here, &[&args[..], &intervals].concat());
        let latest = here.join("run/checkpoints/latest");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_saving(&here.join("run")) && !latest.exists() {
            assert!(Instant::now() < deadline, "no checkpoint in a minute");
            std::thread::sleep(Duration::from_micros(100));
        }
        std::thread::sleep(Duration::from_millis(attempt));
        let kill = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(!is_saving(&here.join("run")), "the checkpoint is complete");
        assert_eq!(fs::read_to_string(&latest).unwrap(), "step-000003");
        fs::remove_dir_all(here.join("run")).unwrap();
    }
}

#[test]
fn a_run_is_resumed_from_the_checkpoint_before_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(hrm(here, &[TRAIN, &[STEPS, "--out=run"]].concat()).code, 0);
    let wanted = outcome(&here.join("run"));

    let checkpoints = here.join("run/checkpoints");
    let newest = checkpoints.join(fs::read_to_string(checkpoints.join("latest")).unwrap());
    assert!(newest.ends_with("step-000060"));
    fs::write(newest.join("trainer.safetensors"), "half").unwrap();
    let resumed = hrm(here, &["train", "--resume=run"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let warning = "trainer.safetensors is damaged; kept as run/checkpoints/step-000060.damaged";
    assert!(resumed.stderr.contains(warning), "{}", resumed.stderr);
    fs::remove_dir_all(checkpoints.join("step-000060.damaged")).unwrap();
    assert!(outcome(&here.join("run")) == wanted);
}

#[test]
fn a_full_disk_ends_a_run_and_loses_no_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let first = hrm(here, &[TRAIN, &["--steps=14", "--out=run"]].concat());
    assert_eq!(first.code, 0, "{}", first.stderr);
    let before = outcome(&here.join("run"));

    // Files above 8 kB cannot be written, as if the disk were full.
    let hrm_binary = env!("CARGO_BIN_EXE_hrm");
    let script = format!("ulimit -f 16; exec {hrm_binary} train --from=run/run.json --out=full");
    let full = Command::new("sh").current_dir(here).args(["-c", &script]).output().unwrap();
    let stderr = String::from_utf8(full.stderr).unwrap();
    assert_eq!(full.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cannot write full/checkpoints/step-"), "{stderr}");
    assert!(!here.join("full/checkpoints/latest").exists());
    // Without the limit, it ends like the run that it repeats.
    let again = hrm(here, &["train", "--resume=full"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(outcome(&here.join("full")) == before);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn the_device_of_a_run_is_not_taken_for_an_argument() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    assert_eq!(hrm(here, &[TRAIN, &["--steps=2", "--out=run"]].concat()).code, 0);
    let record = here.join("run/run.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace("\"device\": \"cpu\"", "\"device\": \"cuda\"")).unwrap();
    let want = "error: the run computes on cuda, which is not available on this machine or in this \
                build";
    let advice =
        "give --device cpu with `hrm train --from RUN`, or with --init RUN to keep its weights";
    for args in [["train", "--resume=run", "--steps=3"], ["train", "--from=run", "--out=new"]] {
        let ran = hrm(here, &args);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(want) && ran.stderr.contains(advice), "{}", ran.stderr);
    }
    let ran = hrm(here, &["train", "--from=run", "--device=cpu", "--out=new"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// Starts a run with `args` in the folder `run` and waits until `is_ready` holds for the
/// bytes of its metrics, once they exist.
fn start_run(here: &Path, args: &[&str], is_ready: impl Fn(&[u8]) -> bool) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hrm"));
    command.current_dir(here).args([TRAIN, args, &["--out=run"]].concat()).stdin(Stdio::null());
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !fs::read(here.join("run/metrics.jsonl")).is_ok_and(|metrics| is_ready(&metrics)) {
        assert!(Instant::now() < deadline, "the run does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// Sends SIGTERM `n` times in quick succession.
fn terminate(child: &Child, n: usize) {
    let kill = format!("kill -TERM {};", child.id()).repeat(n);
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Waits for the end of a process. Returns its exit code and its standard error.
fn end_of(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn signals_in_quick_succession_are_one_request_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let child = start_run(folder.path(), &["--steps=1000000"], |metrics| !metrics.is_empty());
    terminate(&child, 3);
    let (code, stderr) = end_of(child);
    assert_eq!(code, Some(143), "{stderr}");
    assert!(stderr.contains("stopped and saved; resume with: hrm train --resume run"), "{stderr}");
    assert!(folder.path().join("run/checkpoints/latest").exists());
}

#[test]
fn a_stop_during_a_long_step_says_what_it_waits_for_and_can_be_enforced() {
    let folder = tempfile::tempdir().unwrap();
    // The time of a step grows with the number of cycles, its memory does not.
    let cycles = ["--steps=20", "--set=model.n_h_cycles=128", "--set=model.n_l_cycles=1024"];
    let child = start_run(folder.path(), &cycles, |_| true);
    // The folder exists a moment before the signals are handled.
    std::thread::sleep(Duration::from_millis(500));
    terminate(&child, 2);
    std::thread::sleep(Duration::from_millis(1200));
    let second = Instant::now();
    terminate(&child, 1);
    let (code, stderr) = end_of(child);
    assert!(second.elapsed() < Duration::from_secs(1), "{:?}", second.elapsed());
    assert_eq!(code, Some(143), "{stderr}");
    assert!(stderr.contains("Stopping after this step"), "{stderr}");
}
