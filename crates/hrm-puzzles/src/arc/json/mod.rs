//! Reads and writes ARC tasks as JSON, with the exact place of every error.
//!
//! ```text
//! bare           {"train": [{"input": [[0, 1]], "output": [[1, 0]]}, ..], "test": [..]}
//! combined       {"007bbfb7": {"train": .., "test": ..}, ..}
//! list           [{"id": "007bbfb7", "train": .., "test": ..}, ..]
//! sets           {"training": combined or list, "evaluation": combined or list, ..}
//! list of pairs  [{"input": .., "output": ..}, ..]    as RE-ARC has it
//! examples       {"examples": [[input, output], ..]}  as BARC has it
//! solutions      {"007bbfb7": [[[1, 0]], ..], ..}     one grid per test pair
//! submission     {"007bbfb7": [{"attempt_1": .., "attempt_2": ..}, ..], ..}
//! ```
//!
//! A pair is an object or an array `[input, output]`. The pairs of a task may also be a single
//! one, `{"input": [grid, ..], "output": [grid, ..]}`, or JSON in a text; `inputs` and `in` are
//! read as `input`, `outputs` and `out` as `output`. Tasks may be in rows as Hugging Face shows
//! them: `{"rows": [{"row_idx": 0, "row": task}, ..]}`, or the rows alone. A test output that is
//! absent, `null` or `[]` is unknown. The last pair of a list of pairs is the test pair, unless
//! there is `test` beside `examples` or `pairs`. A file
//! may hold several such values one after the other, e.g. one a line.
//!
//! Places look like ``a.json: task `007bbfb7`, train[0].input, row 2``. Indices in
//! brackets count from 0; rows and columns count from 1. Keys not listed above are
//! ignored. A file takes no more memory than its text and the grids in it.

mod dialects;
mod grids;
mod task;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub use dialects::{Content, Listed, parse, read, tasks};
pub use grids::parse_grid;
pub use task::{ArcTask, Found, Pair, Refused, TestPair};
pub use write::combined;
