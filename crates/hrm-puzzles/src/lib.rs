//! Puzzles without tensors.
