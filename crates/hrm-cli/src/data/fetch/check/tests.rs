//! Data sets that match their manifest, and data sets that do not.

use super::*;

/// A puzzle file.
const PUZZLES: &str = r#"
name = "example"
task = "maze"
source = "owner/name"
hosted_on = "GitHub"
revision = "main"
licence = "MIT"
files = [
    { name = "train.csv", format = "puzzle-csv", size = 44 },
]
counts = { train_puzzles = 1 }
"#;

/// Two folders of tasks, one of them from two places.
const TASKS: &str = r#"
name = "example"
task = "arc"
source = "owner/name"
hosted_on = "GitHub"
revision = "main"
licence = "MIT"
files = [
    { name = "data/training/a.json", format = "arc-json", into = "training" },
    { name = "data/more/*.json", format = "arc-json", into = "training" },
    { name = "data/c.json", format = "arc-json", into = "evaluation" },
]
counts = { training_tasks = 2, training_test_pairs = 3, evaluation_train_pairs = 1 }
"#;

const CSV: &str = "source,question,answer,rating\nx,12..,1234,0\n";

/// A task with one train pair and `n_tests` test pairs.
fn task(n_tests: usize) -> String {
    let pair = r#"{"input": [[1]], "output": [[2]]}"#;
    format!(r#"{{"train": [{pair}], "test": [{}]}}"#, vec![pair; n_tests].join(", "))
}

fn checked(
    manifest: &str,
    csv: &str,
    promised: Option<&str>,
) -> Result<BTreeMap<String, u64>, FetchError> {
    let folder = tempfile::tempdir().unwrap();
    for side in ["training", "evaluation"] {
        std::fs::create_dir(folder.path().join(side)).unwrap();
    }
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("train.csv", csv);
    put("training/a.json", &task(1));
    put("training/b.json", &task(2));
    put("evaluation/c.json", &task(1));
    let manifest = Manifest::parse(manifest, "x.toml").unwrap();
    let arrival = |idx| Arrival {
        place: format!("place {idx}"),
        size: None,
        sha256: promised.map(str::to_owned),
    };
    let arrivals: Vec<_> = (0..manifest.files.len()).map(arrival).collect();
    check(&manifest, &arrivals, folder.path())
}

#[track_caller]
fn refused(manifest: &str, from: &str, to: &str, want: &str) {
    assert!(manifest.contains(from), "nothing to replace: {from}");
    let err = checked(&manifest.replace(from, to), CSV, None).unwrap_err();
    assert_eq!(err.to_string(), want);
}

#[test]
fn everything_countable_is_counted() {
    let counts = checked(PUZZLES, CSV, None).unwrap();
    assert_eq!(counts, [("train_puzzles".to_owned(), 1)].into());
    let want = [
        ("evaluation_tasks", 1),
        ("evaluation_test_pairs", 1),
        ("evaluation_train_pairs", 1),
        ("training_tasks", 2),
        ("training_test_pairs", 3),
        ("training_train_pairs", 2),
    ];
    let want = want.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(checked(TASKS, CSV, None).unwrap(), want.into());
}

#[test]
fn differences_are_named_with_the_expected_value() {
    refused(PUZZLES, "size = 44", "size = 42", "place 0: expected 42 bytes, found 44");
    refused(PUZZLES, "puzzles = 1", "puzzles = 2", "place 0: expected 2 train puzzles, found 1");
    let want = "place 0: expected 4 training test pairs, found 3";
    refused(TASKS, "training_test_pairs = 3", "training_test_pairs = 4", want);
    let want = "place 2: expected 2 evaluation train pairs, found 1";
    refused(TASKS, "train_pairs = 1", "train_pairs = 2", want);
}

#[test]
fn hashes_of_manifest_and_server_are_both_checked() {
    use sha2::{Digest, Sha256};
    let found: String = Sha256::digest(CSV).iter().map(|byte| format!("{byte:02x}")).collect();
    checked(PUZZLES, CSV, Some(&found)).unwrap();
    let other = "0f".repeat(32);
    let want = format!("place 0: expected SHA-256 {other}, found {found}");
    let err = checked(PUZZLES, CSV, Some(&other)).unwrap_err();
    assert_eq!(err.to_string(), want);
    let hashed = PUZZLES.replace("licence", &format!("sha256 = [\"{other}\"]\nlicence"));
    let err = checked(&hashed, CSV, Some(&found)).unwrap_err();
    assert_eq!(err.to_string(), want);
}

#[test]
fn a_malformed_file_is_refused() {
    let manifest = PUZZLES.replace(", size = 44", "");
    let err = checked(&manifest, "<html>not found</html>", None).unwrap_err();
    assert!(err.to_string().contains("train.csv is a web page (HTML)"), "{err}");
    assert!(err.is_wrong_content());
}
