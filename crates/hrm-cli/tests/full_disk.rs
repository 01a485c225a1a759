//! Files that there is no room for: messages name what would have been written, never the
//! temporary names under which it is, and nothing is left.

// A panic in a test is the report.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::path::Path;
use std::process::Command;

/// Runs `hrm` in a folder where no file can be longer than `n_kb`. Returns its exit code and
/// messages.
fn hrm(here: &Path, n_kb: usize, args: &[&str]) -> (i32, String) {
    // Blocks of 512 bytes. The signal of a longer file is ignored, so that writing fails.
    let limit = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", 2 * n_kb);
    let mut command = Command::new("sh");
    command.current_dir(here).args(["-c", &limit, env!("CARGO_BIN_EXE_hrm")]).args(args);
    let output = command.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn messages_name_the_files_that_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let small = ["--set=task.n_train=4", "--set=task.n_eval=2"];
    let train = [&["train", "sudoku", "--preset=tiny", "--steps=1"][..], &small].concat();
    let (code, text) = hrm(here, 10_000, &[&train[..], &["--out=run"]].concat());
    assert_eq!(code, 0, "{text}");
    let n_bytes = |file: &str| {
        here.join("run/checkpoints/step-000001").join(file).metadata().unwrap().len() as usize
    };
    let (model, trainer) =
        (n_bytes("model.safetensors") >> 10, n_bytes("trainer.safetensors") >> 10);
    assert!(trainer > model + 20, "{trainer} and {model} KB");

    let init = [&train[..], &["--init=run"]].concat();
    for (n_kb, args, file) in [
        (model / 2, &train[..], "checkpoints/step-000001/model.safetensors"),
        (trainer - 10, &train, "checkpoints/step-000001/trainer.safetensors"),
        (model / 2, &init, "init/model.safetensors"),
        (model / 2, &["export", "run"], "."),
        (model / 2, &["export", "run", "--format=onnx"], "."),
        (
            10,
            &["data", "export", "sudoku", "--preset=tiny", "--set=task.n_train=1000"],
            "train/all__inputs.npy",
        ),
    ] {
        let out = here.join("out");
        let named = match file {
            "." => "cannot write out: ".to_owned(),
            file => format!("cannot write out/{file}: "),
        };
        let (code, text) = hrm(here, n_kb, &[args, &["--out=out"]].concat());
        assert_eq!(code, 1, "{args:?}: {text}");
        let message = text.lines().find(|line| line.starts_with("error: ")).unwrap_or(&text);
        assert!(message.contains(&named), "{args:?}: expected {named:?} in {message}");
        assert!(!text.contains(".tmp"), "{args:?}: {text}");
        if out.is_dir() {
            std::fs::remove_dir_all(&out).unwrap();
        }
        let left: Vec<_> =
            here.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["run"], "{args:?}");
    }
}
