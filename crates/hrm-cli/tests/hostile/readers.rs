//! All readers of files from outside, and a check of their rules: a typed error that
//! names the file, no panic, and no more memory than the length of the file plus a
//! constant.
//!
//! The test in the folder above and the fuzzer both include this file.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, OnceLock};

use hrm_core::{foreign, weight_file};
use hrm_puzzles::records;
use hrm_tasks::{RunConfig, TaskConfig, Vocabulary};
use peak_alloc::PeakAlloc;

/// Counts the memory of the process.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory that a reader may use in addition to the length of its file.
const N_EXTRA_BYTES: usize = 16 << 20;

/// Success, or the reason for a refusal.
pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// The reader of one kind of file.
pub(crate) struct Reader {
    /// Name of the kind, of its fuzz target and of its folder of seeds.
    pub(crate) name: &'static str,
    /// Path of its file below a temporary folder, which may contain other files of
    /// the same data set.
    pub(crate) file: &'static str,
    pub(crate) read: fn(&Path) -> Outcome,
}

/// All kinds of files from outside.
pub(crate) const READERS: &[Reader] = &[
    Reader { name: "records", file: "train.csv", read: records_csv },
    Reader { name: "text", file: "text.csv", read: packed_text },
    Reader { name: "boards", file: "boards.txt", read: boards },
    Reader { name: "mazes", file: "mazes.txt", read: mazes },
    Reader { name: "grids", file: "grids.txt", read: grids },
    Reader { name: "grid_csv", file: "grids.csv", read: grid_csv },
    Reader { name: "npy", file: "npy/test/all__inputs.npy", read: prepared },
    Reader { name: "dataset_json", file: "metadata/test/dataset.json", read: prepared },
    Reader { name: "arc_json", file: "tasks.json", read: arc_json },
    Reader { name: "arc_folder", file: "arc/a_solutions.json", read: arc_folder },
    Reader { name: "tokenizer", file: "tokenizer.json", read: tokenizer },
    Reader { name: "safetensors", file: "model.safetensors", read: weights },
    Reader { name: "pickle", file: "model.pth", read: weights },
    Reader { name: "state_dict", file: "data.pkl", read: state_dict },
    Reader { name: "foreign", file: "last.ckpt", read: imported },
    Reader { name: "shards", file: "shards/model.safetensors.index.json", read: imported },
];

impl Reader {
    /// The reader with this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn named(name: &str) -> &'static Self {
        READERS.iter().find(|reader| reader.name == name).expect("the name is listed")
    }

    /// Reads `bytes` as a file of this kind. Returns whether they are valid.
    ///
    /// # Panics
    ///
    /// If the reader breaks a rule.
    pub(crate) fn check(&self, bytes: &[u8]) -> bool {
        static MAKE_FOLDERS: Once = Once::new();
        MAKE_FOLDERS.call_once(make_folders);
        let path = folder().join(self.file);
        fs::write(&path, bytes).expect("the folder is writable");
        let n_before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let outcome = (self.read)(&path);
        let n_used = MEMORY.peak_usage().saturating_sub(n_before);
        assert!(
            n_used <= bytes.len() + N_EXTRA_BYTES,
            "{}: {n_used} bytes for a file of {}",
            self.name,
            bytes.len()
        );
        let Err(err) = outcome else { return true };
        let text = err.to_string();
        // The file itself, or one of its data set that contradicts it.
        let of_set = Path::new(self.file).components().next().expect("files have names");
        let place = folder().join(of_set).display().to_string();
        assert!(text.contains(&place), "{}: no file in {text:?}", self.name);
        assert!(text.len() < 2000, "{}: a message of {} bytes", self.name, text.len());
        false
    }
}

/// A temporary folder of this process, in memory if the system supports that.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let shared = Path::new("/dev/shm");
        let base = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let folder = base.join(format!("hrm-hostile-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("temporary folders can be made");
        folder
    })
}

/// Reads all records, as Sudokus or as mazes.
fn records_csv(path: &Path) -> Outcome {
    let kinds =
        ["sudoku", "maze"].map(|kind| rows(&task(kind).fitted_to(&[path.to_owned()])?, path));
    // No file is valid as both.
    let [sudoku, maze] = kinds;
    sudoku.or(maze)
}

/// The front end of all text, with what it unpacks.
fn packed_text(path: &Path) -> Outcome {
    hrm_puzzles::text::read(path, hrm_puzzles::text::TABLE_ENDINGS, 1 << 20)?;
    Ok(())
}

/// Sudokus to solve, in any form. One that cannot be read does not stop the others.
fn boards(path: &Path) -> Outcome {
    let text = hrm_puzzles::text::Text::open(path, &["txt"])?;
    let shape = hrm_puzzles::sudoku::Shape::new(4)?;
    let boards = hrm_puzzles::sudoku::Boards::new(shape, text, &records::Columns::default())?;
    let mut first = None;
    for board in boards {
        match board {
            Ok(given) => assert!(given.board.clash(shape).is_none()),
            Err(err) => first = first.or(Some(err)),
        }
    }
    first.map_or(Ok(()), |err| Err(err.into()))
}

/// Grids to solve, in any form. One that cannot be read does not stop the others.
fn grids(path: &Path) -> Outcome {
    let text = hrm_puzzles::text::Text::open(path, &["txt"])?;
    let mut first = None;
    for grid in hrm_puzzles::grid::Grids::new(text, &records::Columns::default())? {
        match grid {
            Ok(found) => assert!(found.question.cells().next().is_some()),
            Err(err) => first = first.or(Some(err)),
        }
    }
    first.map_or(Ok(()), |err| Err(err.into()))
}

/// The settings of a kind of puzzle. Parsed once: the fuzzer asks often.
fn task(kind: &'static str) -> TaskConfig {
    static TASKS: Mutex<BTreeMap<&str, TaskConfig>> = Mutex::new(BTreeMap::new());
    let preset = || RunConfig::preset(kind, "tiny").expect("the name is listed").task;
    TASKS.lock().expect("no thread panics here").entry(kind).or_insert_with(preset).clone()
}

/// Mazes to solve, in any form, with characters of their own.
fn mazes(path: &Path) -> Outcome {
    let text = hrm_puzzles::text::Text::open(path, &["txt"])?;
    let size = hrm_puzzles::maze::Size::new(3, 4)?;
    let symbols = "wall=#1,free=space,free=0,start=S2,goal=G3".parse()?;
    let columns = records::Columns::default();
    let mut first = None;
    for maze in hrm_puzzles::maze::mazes(size, &symbols, text, &columns)? {
        match maze {
            Ok(given) => assert_eq!(given.maze.size(), size),
            Err(err) => first = first.or(Some(err)),
        }
    }
    first.map_or(Ok(()), |err| Err(err.into()))
}

fn grid_csv(path: &Path) -> Outcome {
    rows(&task("grid").fitted_to(&[path.to_owned()])?, path)
}

/// Reads the folder of a file of prepared data, as Sudokus.
fn prepared(path: &Path) -> Outcome {
    let folder = path.ancestors().nth(2).unwrap_or(path);
    rows(&task("sudoku").with_cells(N_CELLS)?, folder)
}

/// Cells of the puzzles of prepared data.
const N_CELLS: usize = 16;

/// Fills the temporary folder with prepared data: for each reader of such a file, a
/// valid data set in which that file is then replaced.
fn make_folders() {
    make_contest_folder();
    let metadata = r#"{"pad_id": 0, "ignore_label_id": 0, "blank_identifier_id": 0,
        "vocab_size": 6, "seq_len": 16, "num_puzzle_identifiers": 1, "total_groups": 2,
        "mean_puzzle_examples": 1.0, "sets": ["all"]}"#;
    let [question, answer] = [1, 5].map(|id| {
        let board = [id, 2, 3, 4, 3, 4, id, 2, 2, id, 4, 3, 4, 3, 2, id];
        npy("|u1", "(2, 16)", &[board; 2].concat())
    });
    let indices = npy("<i4", "(3,)", &[0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
    let identifiers = npy("<i4", "(2,)", &[0; 8]);
    for name in ["npy", "metadata"] {
        let split = folder().join(name).join("test");
        fs::create_dir_all(&split).expect("the folder is writable");
        let write = |name: &str, bytes: &[u8]| {
            fs::write(split.join(name), bytes).expect("the folder is writable");
        };
        write("dataset.json", metadata.as_bytes());
        write("all__inputs.npy", &question);
        write("all__labels.npy", &answer);
        write("all__puzzle_identifiers.npy", &identifiers);
        write("all__puzzle_indices.npy", &indices);
        write("all__group_indices.npy", &indices);
        write("../identifiers.json", br#"["<blank>"]"#);
    }
    // The shard that an index names: a tensor of a model, two by three.
    let header = r#"{"inner.embed_tokens.embedding_weight":
        {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}"#;
    let len = (header.len() as u64).to_le_bytes();
    let shard = [&len, header.as_bytes(), &[0; 24]].concat();
    let shards = folder().join("shards");
    fs::create_dir_all(&shards).expect("the folder is writable");
    fs::write(shards.join("one.safetensors"), shard).expect("the folder is writable");
}

/// A folder of a contest, without its solutions.
fn make_contest_folder() {
    let folder = folder().join("arc");
    fs::create_dir_all(&folder).expect("the folder is writable");
    let tasks = br#"{"x": {"train": [], "test": [{"input": [[1]]}]},
                     "y": {"train": [], "test": [{"input": [[1]], "output": [[2]]}]}}"#;
    fs::write(folder.join("a_challenges.json"), tasks).expect("the folder is writable");
}

/// A NumPy array file.
fn npy(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:117}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend(data);
    file
}

fn arc_json(path: &Path) -> Outcome {
    open("arc", 900, path)
}

/// Reads the folder of a file, which holds tasks without outputs beside it.
fn arc_folder(path: &Path) -> Outcome {
    open("arc", 900, path.parent().unwrap_or(path))
}

/// Reads all puzzles of one task.
fn open(kind: &'static str, n_cells: usize, path: &Path) -> Outcome {
    match task(kind).with_cells(n_cells) {
        Ok(task) => rows(&task, path),
        // The task has no puzzles of this size, which is not a fault of the file.
        Err(_) => Err(format!("{}: no size of {kind}", path.display()).into()),
    }
}

/// Opens puzzles and reads all rows.
fn rows(config: &TaskConfig, path: &Path) -> Outcome {
    let task = config.open_for_eval(&[path.to_owned()], &[])?;
    let (n_cells, vocab_size) = (task.n_cells(), task.vocab_size());
    let (mut inputs, mut labels, mut puzzle_id) = (vec![0; n_cells], vec![0; n_cells], 0);
    for at in task.eval().row_ids() {
        let row = hrm_train::task::RowMut {
            inputs: &mut inputs,
            labels: &mut labels,
            puzzle_id: &mut puzzle_id,
        };
        task.eval().write(at, row);
        assert!(inputs.iter().chain(&labels).all(|id| (*id as usize) < vocab_size));
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

/// A checkpoint of another tool, of any format, or the index of its shards.
fn imported(path: &Path) -> Outcome {
    let read = foreign::read(path, None)?;
    assert!(!read.tensors.is_empty() && !read.files.is_empty());
    Ok(())
}

/// The pickle inside a checkpoint, which the checksums of the archive protect from
/// damage.
fn state_dict(path: &Path) -> Outcome {
    let named = |err: &dyn Error| format!("{}: {err}", path.display());
    let bytes = fs::read(path).map_err(|err| named(&err))?;
    foreign::check_state_dict(&bytes).map_err(|err| named(&err))?;
    Ok(())
}
