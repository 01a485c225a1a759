//! Everything that reads a file from outside, and what it must keep to: a typed
//! error that names the file, no panic, and no more memory than the file is
//! long plus a little.
//!
//! The test beside this file and the fuzzer both include it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use hrm_core::weight_file;
use hrm_tasks::{Preset, RunConfig, Vocabulary, records};
use peak_alloc::PeakAlloc;

/// Counts every byte of the process.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a reader may take beyond the length of its file.
const N_BYTES_BEYOND: usize = 16 << 20;

/// Read, or refused with a reason.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// One kind of file.
pub(crate) struct Reader {
    /// Name of the kind, of its fuzz target and of its folder of seeds.
    pub(crate) name: &'static str,
    /// What its files are called.
    file: &'static str,
    read: fn(&Path) -> Outcome,
}

/// Every kind of file that comes from outside.
pub(crate) const READERS: &[Reader] = &[
    Reader { name: "records", file: "train.csv", read: records_csv },
    Reader { name: "arc_json", file: "tasks.json", read: arc_json },
    Reader { name: "tokenizer", file: "tokenizer.json", read: tokenizer },
    Reader { name: "safetensors", file: "model.safetensors", read: weights },
    Reader { name: "pickle", file: "model.pth", read: weights },
];

impl Reader {
    /// The reader of a kind.
    ///
    /// # Panics
    ///
    /// If there is no such kind.
    pub(crate) fn named(name: &str) -> &'static Self {
        READERS.iter().find(|reader| reader.name == name).expect("a kind that is listed")
    }

    /// Reads whatever is at a path.
    ///
    /// # Errors
    ///
    /// Whatever the reader says of it.
    pub(crate) fn read_at(&self, path: &Path) -> Outcome {
        (self.read)(path)
    }

    /// Reads `bytes` as a file of this kind; true if they are one.
    ///
    /// # Panics
    ///
    /// If the reader does not keep to the rules.
    pub(crate) fn check(&self, bytes: &[u8]) -> bool {
        let path = folder().join(self.file);
        fs::write(&path, bytes).expect("the folder is writable");
        let n_before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let outcome = (self.read)(&path);
        let n_taken = MEMORY.peak_usage().saturating_sub(n_before);
        assert!(
            n_taken <= bytes.len() + N_BYTES_BEYOND,
            "{}: {n_taken} bytes for a file of {}",
            self.name,
            bytes.len()
        );
        let Err(err) = outcome else { return true };
        let text = err.to_string();
        assert!(text.contains(self.file), "{}: no file in {text:?}", self.name);
        assert!(text.len() < 2000, "{}: a message of {} bytes", self.name, text.len());
        false
    }
}

/// A folder of this process, in memory where the system offers that.
fn folder() -> PathBuf {
    let shared = Path::new("/dev/shm");
    let base = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    let folder = base.join(format!("hrm-hostile-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("temporary folders can be made");
    folder
}

/// Both grids of every record, as Sudoku and as mazes.
fn records_csv(path: &Path) -> Outcome {
    let n_cells = records::n_cells(&[path.to_owned()])?.unwrap_or_default();
    let kinds = ["sudoku", "maze"].map(|kind| open(kind, n_cells, path));
    // A file of one kind is none of the other.
    let [sudoku, maze] = kinds;
    sudoku.or(maze)
}

fn arc_json(path: &Path) -> Outcome {
    open("arc", 900, path)
}

/// The data of a kind of puzzle, down to the last row.
fn open(kind: &str, n_cells: usize, path: &Path) -> Outcome {
    let config = RunConfig::preset(kind, Preset::Tiny).expect("a kind that is listed");
    let task = match config.task.with_cells(n_cells) {
        Ok(task) => task.family().open_for_eval(&[path.to_owned()], &[])?,
        // There are no puzzles of this size: a fact about settings, not files.
        Err(_) => return Err(format!("{}: no size of {kind}", path.display()).into()),
    };
    let n_cells = task.n_cells();
    let (mut inputs, mut labels, mut puzzle_id) = (vec![0; n_cells], vec![0; n_cells], 0);
    for at in task.eval().row_ids() {
        let row = hrm_train::task::RowMut {
            inputs: &mut inputs,
            labels: &mut labels,
            puzzle_id: &mut puzzle_id,
        };
        task.eval().write(at, row);
        assert!(inputs.iter().chain(&labels).all(|id| (*id as usize) < task.vocab_size()));
    }
    Ok(())
}

fn tokenizer(path: &Path) -> Outcome {
    let vocabulary = Vocabulary::load(path)?;
    assert_eq!(vocabulary.symbols().chars().count() + 1, vocabulary.len());
    Ok(())
}

fn weights(path: &Path) -> Outcome {
    let tensors = weight_file::read(path)?;
    for tensor in tensors.values() {
        assert!(tensor.elem_count() < 1 << 32);
    }
    Ok(())
}
