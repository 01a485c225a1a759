//! Embedding lookup.

use candle_core::{Result, Tensor};

/// Looks up `ids: [B, S]` u32 in `table: [V, D]`; returns `[B, S, D]`.
///
/// # Errors
///
/// If an id is not below `V`.
pub fn embed(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let (n_puzzles, n_cells) = ids.dims2()?;
    table.index_select(&ids.flatten_all()?, 0)?.reshape((n_puzzles, n_cells, table.dim(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrm_testkit::{check_gradient, ramp64};

    #[test]
    fn gradients_of_repeated_ids_add_up() -> Result<()> {
        let ids = Tensor::new(&[[2u32, 0, 2]], &candle_core::Device::Cpu)?;
        check_gradient("table", &ramp64((4, 3))?, |table| embed(table, &ids));
        Ok(())
    }

    #[test]
    fn an_id_outside_the_table_is_rejected() -> Result<()> {
        let ids = Tensor::new(&[[4u32]], &candle_core::Device::Cpu)?;
        assert!(embed(&ramp64((4, 3))?, &ids).is_err());
        Ok(())
    }
}
