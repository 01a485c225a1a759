//! Sign-SGD on puzzle embeddings.
//!
//! ```text
//! p <- p (1 - lr wd) - lr sign(sum of the gradients of this identifier)
//! ```
//!
//! Only the embeddings of identifiers in the batch move. Each moves once, however often
//! its identifier occurs.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor};

/// Moves the embeddings of `puzzle_ids` in `table: [ids, E]` in place, given the
/// gradient of each occurrence, `grad: [B, E]`.
///
/// # Errors
///
/// If the shapes do not fit.
pub fn sign_sgd(
    table: &Tensor,
    puzzle_ids: &[u32],
    grad: &Tensor,
    learning_rate: f64,
    weight_decay: f64,
) -> Result<()> {
    let (n_examples, puzzle_dim) = grad.dims2()?;
    if n_examples != puzzle_ids.len() {
        candle_core::bail!(
            "expected one gradient per puzzle identifier, found {n_examples} for {}",
            puzzle_ids.len()
        );
    }
    let mut sums: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
    for (id, grad) in puzzle_ids.iter().zip(grad.to_vec2::<f32>()?) {
        let sum = sums.entry(*id).or_insert_with(|| vec![0.0; puzzle_dim]);
        sum.iter_mut().zip(grad).for_each(|(sum, grad)| *sum += grad);
    }
    // Unlike with `signum`, the sign of zero is zero: an embedding without gradient
    // only decays.
    let sign = |g: f32| if g == 0.0 { 0.0 } else { g.signum() };
    let signs: Vec<f32> = sums.values().flatten().map(|g| sign(*g)).collect();
    let ids: Vec<u32> = sums.into_keys().collect();

    let device = table.device();
    let signs = Tensor::from_vec(signs, (ids.len(), puzzle_dim), device)?;
    let ids = Tensor::new(ids.as_slice(), device)?;
    let decayed = (table.index_select(&ids, 0)? * (1.0 - learning_rate * weight_decay))?;
    let moved = (decayed - (signs * learning_rate)?)?;
    let ids = ids.unsqueeze(1)?.broadcast_as(moved.shape())?.contiguous()?;
    table.scatter_set(&ids, &moved, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn each_identifier_moves_once_by_the_sign_of_its_sum() -> Result<()> {
        let table = Tensor::new(&[[1f32, 1.], [2., 2.], [3., 3.]], &Device::Cpu)?;
        let grad = Tensor::new(&[[1f32, -5.], [2., 0.], [-4., 0.5]], &Device::Cpu)?;
        // Identifier 2 occurs twice: its sums are -3 and -4.5. 1 does not occur.
        sign_sgd(&table, &[2, 0, 2], &grad, 0.1, 0.5)?;
        let want = [[1.0 * 0.95 - 0.1, 0.95], [2.0, 2.0], [3.0 * 0.95 + 0.1, 3.0 * 0.95 + 0.1]];
        for (found, want) in table.to_vec2::<f32>()?.iter().flatten().zip(want.iter().flatten()) {
            assert!((found - want).abs() < 1e-6, "{table}");
        }
        Ok(())
    }
}
