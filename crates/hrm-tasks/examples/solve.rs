//! Solves a puzzle with a trained model:
//!
//! ```text
//! cargo run --release --example solve -- runs/sudoku-tiny-1 1..........3....
//! ```

// A program may write to its terminal; the libraries may not.
#![allow(clippy::print_stdout)]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(puzzle)) = (arguments.next(), arguments.next()) else {
        return Err("usage: solve RUN_OR_CHECKPOINT_FOLDER PUZZLE".into());
    };
    for answer in hrm_tasks::Solver::open(folder)?.solve(&puzzle)? {
        println!("{}{:?}", answer.drawing, answer.verdict);
    }
    Ok(())
}
