//! `hrm data fetch` from a local server, with generated data sets.

mod common;
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Ran, hrm, hrm_in};
use serde_json::Value;
use server::{Reply, Request, Server};
use sha2::{Digest, Sha256};
use zip::write::{SimpleFileOptions, ZipWriter};

/// A published data set of generated mazes.
struct Mazes {
    here: tempfile::TempDir,
    train: Vec<u8>,
    test: Vec<u8>,
}

impl Mazes {
    fn new() -> Self {
        let here = tempfile::tempdir().expect("there is room for a folder");
        let made = |n: &str, seed: &str| {
            let made = hrm(here.path(), &["data", "generate", "maze", "-n", n, "--seed", seed]);
            assert_eq!(made.code, 0, "{}", made.stderr);
            made.stdout.into_bytes()
        };
        let (train, test) = (made("600", "1"), made("20", "2"));
        let mazes = Self { here, train, test };
        mazes.describe(600, "");
        mazes
    }

    /// Writes the manifest; `extra` lines go in front of the licence.
    fn describe(&self, n_train: usize, extra: &str) {
        let text = format!(
            r#"
name = "mazes"
task = "maze"
source = "somebody/mazes"
hosted_on = "Hugging Face"
revision = "main"
{extra}
licence = "not stated"
files = [
    {{ name = "train.csv", format = "puzzle-csv" }},
    {{ name = "test.csv", format = "puzzle-csv" }},
]
counts = {{ train_puzzles = {n_train}, test_puzzles = 20 }}
"#
        );
        fs::write(self.path("mazes.toml"), text).expect("the folder is ours");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    /// The hub. It redirects to a store, as it does for large files.
    fn hub(&self, store: impl Fn(&Request, &[u8]) -> Reply + Send + Sync + 'static) -> Server {
        let (train, test) = (self.train.clone(), self.test.clone());
        Server::start(move |request| {
            let (name, body) = match request.path.rsplit('/').next() {
                Some("train.csv") => ("train.csv", &train),
                Some("test.csv") => ("test.csv", &test),
                _ => return Reply::status(404),
            };
            if request.path == format!("/datasets/somebody/mazes/resolve/main/{name}") {
                return Reply::status(302)
                    .header("Location", &format!("/store/{name}"))
                    .header("X-Linked-Size", &body.len().to_string())
                    .header("X-Linked-Etag", &format!("\"{}\"", hex(body)));
            }
            store(request, body)
        })
    }

    fn fetch(&self, server: &Server, args: &[&str]) -> Ran {
        let args = [&["data", "fetch", "--manifest=mazes.toml"], args].concat();
        fetch(self.here.path(), &args, &[("HF_ENDPOINT", &server.url), ("HF_TOKEN", "secret")])
    }

    /// Asserts that a fetch failed and left nothing at the final path.
    #[track_caller]
    fn refused(&self, ran: &Ran, code: i32, why: &str) {
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "expected {why:?} in {}", ran.stderr);
        assert!(!self.path("data/mazes").exists());
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs `hrm` with its own home folder.
fn fetch(here: &Path, args: &[&str], vars: &[(&str, &str)]) -> Ran {
    let home = here.join("home").display().to_string();
    let vars = [&[("HF_HOME", home.as_str()), ("NO_PROXY", "127.0.0.1")], vars].concat();
    hrm_in(here, args, "", &vars)
}

fn ranged(request: &Request, body: &[u8]) -> Reply {
    Reply::ranged(request, body, "\"tag\"")
}

#[test]
fn a_set_from_the_hub_is_verified_and_can_be_used_for_training() {
    let mazes = Mazes::new();
    let hub = mazes.hub(ranged);
    let ran = mazes.fetch(&hub, &["--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("somebody/mazes on Hugging Face, revision main"));
    assert!(
        ran.stderr.contains("Licence: not stated: the source grants no licence"),
        "{}",
        ran.stderr
    );
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["counts"]["train_puzzles"], 600);
    assert_eq!(report["next"], "hrm train maze --data data/mazes");
    assert!(fs::read(mazes.path("data/mazes/train.csv")).unwrap() == mazes.train);
    assert!(fs::read(mazes.path("data/mazes/test.csv")).unwrap() == mazes.test);
    assert!(!mazes.path("data/mazes.part").exists());
    for request in hub.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer secret"), "{}", request.path);
    }

    let next = report["next"].as_str().unwrap().split(' ').skip(1);
    let mut args: Vec<_> = next.chain(["--preset=tiny", "--steps=1", "--json"]).collect();
    args.push("--set=train.batch_size=2");
    let trained = hrm(mazes.here.path(), &args);
    assert_eq!(trained.code, 0, "{}", trained.stderr);

    // An existing set is not replaced.
    let again = mazes.fetch(&hub, &[]);
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("already exists"), "{}", again.stderr);
}

#[test]
fn a_killed_fetch_is_resumed() {
    let mazes = Mazes::new();
    let hub = mazes.hub(|request, body| ranged(request, body).paced(2000));
    let mut child = Command::new(env!("CARGO_BIN_EXE_hrm"))
        .current_dir(mazes.here.path())
        .args(["data", "fetch", "--manifest=mazes.toml"])
        .env("HF_ENDPOINT", &hub.url)
        .env("HF_HOME", mazes.path("home"))
        .env("NO_PROXY", "127.0.0.1")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = mazes.path("data/mazes.part/download/0.part");
    let held = || fs::metadata(&part).map_or(0, |metadata| metadata.len());
    let since = Instant::now();
    while held() < 10_000 && since.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let held = held();
    assert!(10_000 <= held && held < mazes.train.len() as u64, "{held} bytes when killed");
    assert!(!mazes.path("data/mazes").exists());

    let n_before = hub.requests().len();
    let ran = mazes.fetch(&hub, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let requests = hub.requests();
    let resumed = requests[n_before..].iter().find(|r| r.path == "/store/train.csv").unwrap();
    assert_eq!(resumed.header("range"), Some(format!("bytes={held}-").as_str()));
    assert_eq!(resumed.header("if-range"), Some("\"tag\""));
    assert!(fs::read(mazes.path("data/mazes/train.csv")).unwrap() == mazes.train);
}

#[test]
fn wrong_content_is_removed() {
    let mazes = Mazes::new();
    let spoilt = mazes.hub(|_, body| {
        let mut body = body.to_vec();
        body[100] ^= 1;
        Reply::ok(body)
    });
    mazes.refused(&mazes.fetch(&spoilt, &[]), 2, "train.csv: expected SHA-256");
    assert!(!mazes.path("data/mazes.part").exists(), "there is nothing to resume from");

    let hub = mazes.hub(ranged);
    mazes.describe(601, "");
    let ran = mazes.fetch(&hub, &[]);
    mazes.refused(&ran, 2, "train.csv: expected 601 train puzzles, found 600");
    let hashes = ["0f", "0e"].map(|digits| format!("\"{}\"", digits.repeat(32))).join(", ");
    mazes.describe(600, &format!("sha256 = [{hashes}]"));
    let n_before = hub.requests().len();
    mazes.refused(&mazes.fetch(&hub, &[]), 2, "train.csv: expected SHA-256 0f0f");
    assert_eq!(hub.requests().len(), n_before + 1, "refused before the download");

    mazes.describe(600, "");
    let missing = Server::start(|_| Reply::status(404));
    let ran = mazes.fetch(&missing, &[]);
    mazes.refused(&ran, 1, "resolve/main/train.csv: expected the file, found status 404");
    assert!(ran.stderr.contains("--from"), "{}", ran.stderr);
    assert!(!mazes.path("data/mazes.part").exists(), "nothing was downloaded");
}

#[test]
fn a_complete_file_is_not_downloaded_again() {
    let mazes = Mazes::new();
    let n_requests = AtomicUsize::new(0);
    let hub = mazes.hub(move |request, body| match request.path.as_str() {
        "/store/test.csv" if n_requests.fetch_add(1, Ordering::SeqCst) == 0 => Reply::status(403),
        _ => ranged(request, body),
    });
    let ran = mazes.fetch(&hub, &[]);
    mazes.refused(&ran, 1, "test.csv: expected the file, found status 403");
    assert!(ran.stderr.contains("is kept in data/mazes.part"), "{}", ran.stderr);
    assert_eq!(mazes.fetch(&hub, &[]).code, 0);
    let is_train = |request: &&Request| request.path == "/store/train.csv";
    assert_eq!(hub.requests().iter().filter(is_train).count(), 1);
}

#[test]
fn local_files_are_verified_too() {
    let mazes = Mazes::new();
    let nowhere = Server::start(|_| Reply::status(500));
    fs::create_dir(mazes.path("got")).unwrap();
    fs::write(mazes.path("got/train.csv"), &mazes.train).unwrap();
    let ran = mazes.fetch(&nowhere, &["--from=got"]);
    mazes.refused(&ran, 2, "got: expected files named `test.csv`, found none");
    fs::write(mazes.path("got/test.csv"), &mazes.train).unwrap();
    let ran = mazes.fetch(&nowhere, &["--from=got"]);
    mazes.refused(&ran, 2, "expected 20 test puzzles, found 600");
    mazes.refused(&mazes.fetch(&nowhere, &["--from=none"]), 2, "cannot read none");
    mazes.refused(&mazes.fetch(&nowhere, &["--from=got/train.csv"]), 2, "intact zip archive");
    fs::write(mazes.path("got/test.csv"), &mazes.test).unwrap();
    let ran = mazes.fetch(&nowhere, &["--from=got", "--out=a/b c"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.ends_with("Next: hrm train maze --data \"a/b c\"\n"), "{}", ran.stdout);
    assert!(fs::read(mazes.path("a/b c/test.csv")).unwrap() == mazes.test);
    assert!(nowhere.requests().is_empty());

    // Files in the cache of the hub are used.
    let cache = mazes.path("home/hub/datasets--somebody--mazes");
    fs::create_dir_all(cache.join("refs")).unwrap();
    fs::create_dir_all(cache.join("snapshots/abc")).unwrap();
    fs::write(cache.join("refs/main"), "abc").unwrap();
    fs::write(cache.join("snapshots/abc/train.csv"), &mazes.train).unwrap();
    fs::write(cache.join("snapshots/abc/test.csv"), &mazes.test).unwrap();
    let ran = mazes.fetch(&nowhere, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(nowhere.requests().is_empty());
}

/// Generated tasks, in an archive as GitHub packs a repository.
fn tasks_archive(here: &Path) -> Vec<u8> {
    const IN_MEMORY: &str = "the archive is written to memory";
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for (folder, n, seed) in [("training", "5", "1"), ("evaluation", "3", "2")] {
        let made = hrm(here, &["data", "generate", "arc", "-n", n, "--seed", seed]);
        let tasks: serde_json::Map<String, Value> =
            serde_json::from_str(&made.stdout).expect("generated tasks are JSON");
        for (id, task) in tasks {
            writer
                .start_file(format!("tasks-1.0/data/{folder}/{id}.json"), options)
                .expect(IN_MEMORY);
            writer.write_all(task.to_string().as_bytes()).expect(IN_MEMORY);
        }
    }
    writer.finish().expect(IN_MEMORY).into_inner()
}

#[test]
fn a_set_from_github_is_unpacked_into_training_and_evaluation() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let archive = tasks_archive(here);
    let manifest = r#"
name = "tasks"
task = "arc"
source = "somebody/tasks"
hosted_on = "GitHub"
revision = "v1.0"
licence = "MIT"
files = [
    { name = "data/training/*.json", format = "arc-json", into = "training" },
    { name = "data/evaluation/*.json", format = "arc-json", into = "evaluation" },
]
counts = { training_tasks = 5, evaluation_tasks = 3 }
"#;
    fs::write(here.join("tasks.toml"), manifest).unwrap();
    fs::write(here.join("got.zip"), &archive).unwrap();
    let github = Server::start(move |request| match request.path.as_str() {
        // Packed on request: no length, no entity tag, no ranges.
        "/somebody/tasks/archive/v1.0.zip" => Reply::ok(archive.clone()).claiming(None),
        _ => Reply::status(404),
    });
    let endpoint = [("HRM_GITHUB_ENDPOINT", format!("{}/", github.url))];
    let endpoint = endpoint.each_ref().map(|(name, url)| (*name, url.as_str()));
    let fetch_set = |args: &[&str]| {
        fetch(
            here,
            &[&["data", "fetch", "--manifest=tasks.toml", "--json"], args].concat(),
            &endpoint,
        )
    };
    let ran = fetch_set(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(github.requests()[0].header("authorization"), None);
    let stats = hrm(here, &["data", "stats", "arc", "--data=data/tasks", "--json"]);
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    assert_eq!((&stats["training tasks"], &stats["evaluation tasks"]), (&5.0.into(), &3.0.into()));

    let from_archive = fetch_set(&["--from=got.zip", "--out=other"]);
    assert_eq!(from_archive.code, 0, "{}", from_archive.stderr);
    let counts = |ran: &Ran| serde_json::from_str::<Value>(&ran.stdout).unwrap()["counts"].clone();
    assert_eq!(counts(&ran), counts(&from_archive));

    fs::write(
        here.join("tasks.toml"),
        manifest.replace("evaluation_tasks = 3", "evaluation_tasks = 4"),
    )
    .unwrap();
    let ran = fetch_set(&["--from=got.zip", "--out=third"]);
    assert_eq!(ran.code, 2);
    let why = "got.zip: data/evaluation/*.json: expected 4 evaluation tasks, found 3";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    assert!(!here.join("third").exists() && !here.join("third.part").exists());
}

#[test]
fn bad_usage_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let here = here.path();
    let refused = |args: &[&str], why: &str| {
        let ran = fetch(here, &[&["data", "fetch"], args].concat(), &[]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "expected {why:?} in {}", ran.stderr);
    };
    refused(&[], "required");
    refused(&["chess"], "possible values: arc-1, arc-2, conceptarc, maze-hard, sudoku-extreme");
    refused(&["arc-1", "--manifest=x.toml"], "cannot be used with");
    refused(&["--manifest=x.toml"], "cannot read x.toml");
    fs::write(here.join("x.toml"), "name = 3").unwrap();
    refused(&["--manifest=x.toml"], "x.toml is not a manifest");
    assert!(!here.join("data").exists());
}
