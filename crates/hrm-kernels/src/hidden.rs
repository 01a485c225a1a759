//! Hidden states of one or more puzzles, passed from sublayer to sublayer.
//!
//! [`Hidden`] is either a tensor, on any device and tracked or not, or a chunk of a
//! batch on the CPU that is updated in place and untracked. Code that updates hidden
//! states is written once, for both. [`in_chunks`] cuts a batch into chunks that
//! stay in a core's cache through all their updates.

use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;

use crate::attn_block::{Attn, attn_block};
use crate::cpu::{Isa, KernelImpl, Simd, Threads, scratch, vector_ops, with_simd};
use crate::inject::inject;
use crate::mlp_block::{Mlp, mlp_block};
use crate::operand::{Operand, Values};
use crate::rotary::Rotary;
use crate::storage::{load_tensor, store_tensor};
use crate::sublayer::Sublayer;
use crate::weight::Weight;

/// Positions per chunk, over all its puzzles: enough to reuse each weight many times,
/// few enough to fit into a cache.
const POSITIONS_PER_CHUNK: usize = 384;

/// Hidden states `[B, S, D]` of one or more puzzles.
#[derive(Debug)]
pub struct Hidden<'a>(State<'a>);

#[derive(Debug)]
enum State<'a> {
    Tensor(Tensor),
    Chunk(Chunk<'a>),
}

/// A chunk of a batch, updated in place.
#[derive(Debug)]
struct Chunk<'a> {
    values: Values<'a>,
    /// Positions and channels, `S` and `D`.
    shape: [usize; 2],
    kernel: KernelImpl,
    threads: Threads,
}

impl From<Tensor> for Hidden<'_> {
    fn from(tensor: Tensor) -> Self {
        Self(State::Tensor(tensor))
    }
}

impl Hidden<'_> {
    /// The hidden states as a tensor.
    ///
    /// # Errors
    ///
    /// If they are a chunk, which belongs to [`in_chunks`].
    pub fn into_tensor(self) -> Result<Tensor> {
        match self.0 {
            State::Tensor(tensor) => Ok(tensor),
            State::Chunk(_) => candle_core::bail!("a chunk of a batch cannot become a tensor"),
        }
    }

    /// Positions and channels, `S` and `D`.
    fn shape(&self) -> [usize; 2] {
        match &self.0 {
            State::Tensor(x) => [x.dim(1).unwrap_or(0), x.dim(2).unwrap_or(0)],
            State::Chunk(chunk) => chunk.shape,
        }
    }

    /// Adds the sum of `terms`.
    ///
    /// # Errors
    ///
    /// If shapes or dtypes differ, or chunks and tensors are mixed.
    pub fn inject(&mut self, terms: &[&Hidden<'_>]) -> Result<()> {
        match &mut self.0 {
            State::Tensor(z) => {
                let tensor = |hidden: &Hidden<'_>| match &hidden.0 {
                    State::Tensor(tensor) => Ok(tensor.clone()),
                    State::Chunk(_) => mixed(),
                };
                *z = match terms {
                    [one, other] => inject(z, &tensor(one)?, &tensor(other)?)?,
                    _ => terms.iter().try_fold(z.clone(), |z, term| z + tensor(term)?)?,
                };
                Ok(())
            }
            State::Chunk(chunk) => with_simd!(chunk.kernel, V => chunk.inject::<V>(terms)),
        }
    }

    /// Applies [`attn_block`].
    ///
    /// # Errors
    ///
    /// As for [`attn_block`].
    pub fn attn_block(
        &mut self,
        w_qkv: &Weight,
        w_o: &Weight,
        n_heads: usize,
        rotary: Option<&Rotary>,
        eps: f64,
    ) -> Result<()> {
        match &mut self.0 {
            State::Tensor(x) => *x = attn_block(x, w_qkv, w_o, n_heads, rotary, eps)?,
            State::Chunk(chunk) => {
                let sublayer = Attn::new(chunk.shape, w_qkv, w_o, n_heads, rotary, eps)?;
                with_simd!(chunk.kernel, V => chunk.apply::<V, _>(&sublayer)?);
            }
        }
        Ok(())
    }

    /// [`attn_block`](Self::attn_block) for the first position of each puzzle only,
    /// which attends to all positions: `[B, S, D]` becomes `[B, 1, D]`.
    ///
    /// # Errors
    ///
    /// As for [`attn_block`].
    pub fn attn_block_first(
        &mut self,
        w_qkv: &Weight,
        w_o: &Weight,
        n_heads: usize,
        rotary: Option<&Rotary>,
        eps: f64,
    ) -> Result<()> {
        if let State::Chunk(chunk) = &mut self.0 {
            let sublayer = Attn::new(chunk.shape, w_qkv, w_o, n_heads, rotary, eps)?;
            with_simd!(chunk.kernel, V => chunk.apply_first::<V>(&sublayer)?);
            return Ok(());
        }
        self.attn_block(w_qkv, w_o, n_heads, rotary, eps)?;
        self.keep_first()
    }

    /// Keeps only the first position of each puzzle: `[B, S, D]` becomes `[B, 1, D]`.
    ///
    /// # Errors
    ///
    /// If there is no position, or the backend fails.
    pub fn keep_first(&mut self) -> Result<()> {
        match &mut self.0 {
            State::Tensor(x) => *x = x.narrow(1, 0, 1)?.contiguous()?,
            State::Chunk(chunk) => with_simd!(chunk.kernel, V => chunk.keep_first::<V>()?),
        }
        Ok(())
    }

    /// Applies [`mlp_block`].
    ///
    /// # Errors
    ///
    /// As for [`mlp_block`].
    pub fn mlp_block(&mut self, w_gate_up: &Weight, w_down: &Weight, eps: f64) -> Result<()> {
        match &mut self.0 {
            State::Tensor(x) => *x = mlp_block(x, w_gate_up, w_down, eps)?,
            State::Chunk(chunk) => {
                let sublayer = Mlp::new(chunk.shape[1], w_gate_up, w_down, eps)?;
                with_simd!(chunk.kernel, V => chunk.apply::<V, _>(&sublayer)?);
            }
        }
        Ok(())
    }

    /// Swaps positions and channels: `[B, S, D]` becomes `[B, D, S]`.
    ///
    /// # Errors
    ///
    /// If the backend fails.
    pub fn transpose(&mut self) -> Result<()> {
        match &mut self.0 {
            State::Tensor(x) => *x = x.transpose(1, 2)?.contiguous()?,
            State::Chunk(chunk) => with_simd!(chunk.kernel, V => chunk.transpose::<V>()),
        }
        Ok(())
    }
}

impl Chunk<'_> {
    fn values<V: Simd<Elem: Operand>>(&mut self) -> &mut [V::Elem] {
        V::Elem::slice_mut(&mut self.values).expect("a chunk holds the operands of its kernel")
    }

    fn apply<V: Simd<Elem: Operand>, S: Sublayer<V>>(&mut self, sublayer: &S) -> Result<()> {
        self.check_packing::<V, S>(sublayer)?;
        let threads = self.threads;
        sublayer.forward_only(self.values::<V>(), threads);
        Ok(())
    }

    fn apply_first<V: Simd<Elem: Operand>>(&mut self, sublayer: &Attn) -> Result<()> {
        self.check_packing::<V, Attn>(sublayer)?;
        let threads = self.threads;
        let first = sublayer.forward_first::<V>(self.values::<V>(), threads);
        self.values::<V>()[..first.len()].copy_from_slice(&first);
        self.shorten::<V>(first.len());
        Ok(())
    }

    fn keep_first<V: Simd<Elem: Operand>>(&mut self) -> Result<()> {
        let [n_positions, width] = self.shape;
        if n_positions == 0 {
            candle_core::bail!("cannot keep the first of 0 positions");
        }
        let values = self.values::<V>();
        let n_puzzles = values.len() / (n_positions * width).max(1);
        for puzzle in 0..n_puzzles {
            let from = puzzle * n_positions * width;
            values.copy_within(from..from + width, puzzle * width);
        }
        self.shorten::<V>(n_puzzles * width);
        Ok(())
    }

    /// Keeps the first `len` values: one position per puzzle.
    fn shorten<V: Simd<Elem: Operand>>(&mut self, len: usize) {
        self.values.truncate(len);
        self.shape[0] = 1;
    }

    fn check_packing<V: Simd<Elem: Operand>, S: Sublayer<V>>(&self, sublayer: &S) -> Result<()> {
        let kernel = Some(self.kernel);
        if sublayer.w_in().kernel() != kernel || sublayer.w_out().kernel() != kernel {
            candle_core::bail!(
                "{}: the weights are not bound for the dtype of the hidden states",
                S::NAME
            );
        }
        Ok(())
    }

    fn inject<V: Simd<Elem: Operand>>(&mut self, terms: &[&Hidden<'_>]) -> Result<()> {
        let values = self.values::<V>();
        let mut slices = Vec::with_capacity(terms.len());
        for term in terms {
            let State::Chunk(chunk) = &term.0 else { return mixed() };
            match V::Elem::slice(&chunk.values) {
                Some(slice) if slice.len() == values.len() => slices.push(slice),
                _ => candle_core::bail!(
                    "hidden states of different shapes or dtypes cannot be added"
                ),
            }
        }
        V::vectorized(
            #[inline(always)]
            || vector_ops::inject::<V>(values, &slices),
        );
        Ok(())
    }

    fn transpose<V: Simd<Elem: Operand>>(&mut self) {
        let [n_positions, width] = self.shape;
        for puzzle in self.values::<V>().chunks_exact_mut((n_positions * width).max(1)) {
            let mut original = scratch::<V::Elem>(puzzle.len());
            original.copy_from_slice(puzzle);
            for (channel, values) in puzzle.chunks_exact_mut(n_positions).enumerate() {
                for (position, value) in values.iter_mut().enumerate() {
                    *value = original[position * width + channel];
                }
            }
        }
        self.shape = [width, n_positions];
    }
}

fn mixed<R>() -> Result<R> {
    candle_core::bail!("a chunk of a batch and a tensor cannot be added")
}

/// Applies `update` to batches `[B, S, D]` of the same shape, untracked, and returns
/// the results.
///
/// `dtype` is the dtype to compute in, for which the weights are bound. The shapes
/// that `update` produces must not depend on the puzzle.
///
/// On the CPU, chunks of a few puzzles go through the whole update, in parallel on
/// all cores; on other devices the batch is updated as a whole.
///
/// # Errors
///
/// If the shapes differ, or `update` fails.
pub fn in_chunks<const N: usize>(
    tensors: [&Tensor; N],
    dtype: DType,
    update: impl Fn(&mut [Hidden<'_>; N]) -> Result<()> + Sync,
) -> Result<[Tensor; N]> {
    let Some(first) = tensors.first() else { return Ok(tensors.map(Tensor::clone)) };
    let shape = first.dims3()?;
    if let Some(other) = tensors.iter().find(|t| t.dims() != first.dims()) {
        candle_core::bail!(
            "in_chunks needs batches of the same shape, found {:?} and {:?}",
            first.dims(),
            other.dims()
        );
    }
    match KernelImpl::select(dtype, Isa::current()?) {
        Some(kernel) if first.device().is_cpu() => {
            with_simd!(kernel, V => chunk_by_chunk::<V, N>(tensors, shape, kernel, update))
        }
        _ => {
            let mut hidden = tensors.map(|t| Hidden::from(t.detach()));
            update(&mut hidden)?;
            try_map(hidden, Hidden::into_tensor)
        }
    }
}

fn chunk_by_chunk<V: Simd<Elem: Operand>, const N: usize>(
    tensors: [&Tensor; N],
    (n_puzzles, n_positions, width): (usize, usize, usize),
    kernel: KernelImpl,
    update: impl Fn(&mut [Hidden<'_>; N]) -> Result<()> + Sync,
) -> Result<[Tensor; N]> {
    let mut batches =
        try_map(tensors, |t| load_tensor::<V>("in_chunks", &t.detach().contiguous()?))?;
    let (per_chunk, threads) = split(n_puzzles, n_positions);
    let chunk_len = (per_chunk * n_positions * width).max(1);
    let mut remaining = batches.each_mut().map(|batch| batch.chunks_mut(chunk_len));
    let mut chunks: Vec<_> = std::iter::from_fn(|| {
        let chunk = remaining.each_mut().map(Iterator::next);
        chunk
            .iter()
            .all(Option::is_some)
            .then(|| chunk.map(|c| c.expect("every batch has another chunk")))
    })
    .collect();
    if chunks.is_empty() {
        // The update determines the shape of the result, even of an empty batch.
        chunks.push([(); N].map(|()| &mut [][..]));
    }
    let results = chunks.into_par_iter().with_max_len(1).map(|chunk| {
        let shape = [n_positions, width];
        let mut hidden = chunk.map(|values| {
            let values = V::Elem::values(values);
            Hidden(State::Chunk(Chunk { values, shape, kernel, threads }))
        });
        update(&mut hidden)?;
        Ok(hidden.map(|hidden| hidden.shape()))
    });
    let shapes = results.collect::<Result<Vec<_>>>()?;
    let mut idx = 0..N;
    try_map(batches, |mut batch| {
        let idx = idx.next().expect("one batch per tensor");
        let [n_positions, width] = shapes.first().map_or([n_positions, width], |s| s[idx]);
        let result_len = per_chunk * n_positions * width;
        if result_len < chunk_len {
            // The result of each chunk is at its front.
            for chunk in 1..shapes.len() {
                let from = chunk * chunk_len;
                let end = (from + result_len).min(batch.len());
                batch.copy_within(from..end, chunk * result_len);
            }
        }
        let shape = (n_puzzles, n_positions, width);
        let values = &batch[..n_puzzles * n_positions * width];
        store_tensor::<V>(values, shape, tensors[idx])
    })
}

/// Puzzles per chunk, and the threads that work on a chunk.
fn split(n_puzzles: usize, n_positions: usize) -> (usize, Threads) {
    let n_threads = rayon::current_num_threads();
    // With few puzzles, some threads would wait for the last chunk.
    let is_even = n_puzzles.is_multiple_of(n_threads) || n_puzzles >= 8 * n_threads;
    if !is_even || n_puzzles == 0 {
        return (n_puzzles.max(1), Threads::All);
    }
    let per_chunk_max = (POSITIONS_PER_CHUNK / n_positions.max(1)).max(1);
    let n_chunks = n_puzzles.div_ceil(per_chunk_max).next_multiple_of(n_threads);
    (n_puzzles.div_ceil(n_chunks), Threads::One)
}

fn try_map<T, U, const N: usize>(
    from: [T; N],
    mut f: impl FnMut(T) -> Result<U>,
) -> Result<[U; N]> {
    let all = from.into_iter().map(&mut f).collect::<Result<Vec<U>>>()?;
    Ok(all.try_into().ok().expect("the length is unchanged"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_testkit::{Tol, assert_close, ramp};

    #[test]
    fn chunks_agree_with_whole_tensors() -> Result<()> {
        let weight = |n: usize, k: usize| Weight::new(ramp((n, k))?, DType::F32);
        let (w_qkv, w_o) = (weight(12, 4)?, weight(4, 4)?);
        let (w_gate_up, w_down) = (Weight::gated(ramp((12, 4))?, DType::F32)?, weight(4, 6)?);
        let (mix_gate_up, mix_down) = (Weight::gated(ramp((10, 3))?, DType::F32)?, weight(3, 5)?);
        let rotary = Rotary::new(3, 2, 10_000.0, &Device::Cpu)?;
        let update = |[z, x]: &mut [Hidden<'_>; 2]| {
            z.inject(&[x])?;
            z.attn_block(&w_qkv, &w_o, 2, Some(&rotary), 1e-5)?;
            z.mlp_block(&w_gate_up, &w_down, 1e-5)?;
            z.transpose()?;
            z.mlp_block(&mix_gate_up, &mix_down, 1e-5)?;
            z.transpose()?;
            z.attn_block_first(&w_qkv, &w_o, 2, None, 1e-5)?;
            x.keep_first()
        };
        for n_puzzles in [1, 7, 600] {
            let (z, x) = (ramp((n_puzzles, 3, 4))?, ramp((n_puzzles, 3, 4))?.cos()?);
            let found = in_chunks([&z, &x], DType::F32, update)?;
            let mut whole = [z, x].map(Hidden::from);
            update(&mut whole)?;
            for (found, whole) in found.iter().zip(whole) {
                assert_close("hidden states", found, &whole.into_tensor()?, Tol::F32_SUBLAYER);
            }
        }
        Ok(())
    }

    #[test]
    fn the_update_determines_the_shape_of_an_empty_batch() -> Result<()> {
        let [first] = in_chunks([&ramp((0, 3, 4))?], DType::F32, |[z]| z.keep_first())?;
        assert_eq!(first.dims3()?, (0, 1, 4));
        let [swapped] = in_chunks([&ramp((0, 3, 4))?], DType::F32, |[z]| z.transpose())?;
        assert_eq!(swapped.dims3()?, (0, 4, 3));
        Ok(())
    }

    #[test]
    fn sizes_of_zero_are_rejected_where_a_position_or_channel_is_needed() -> Result<()> {
        let (w_qkv, w_o) = (Weight::new(ramp((12, 4))?, DType::F32)?, ramp((4, 4))?);
        let w_o = Weight::new(w_o, DType::F32)?;
        let no_position = ramp((2, 0, 4))?;
        let refused = in_chunks([&no_position], DType::F32, |[z]| z.keep_first());
        assert!(refused.unwrap_err().to_string().contains("first of 0 positions"));
        let attend = |[z]: &mut [Hidden<'_>; 1]| z.attn_block_first(&w_qkv, &w_o, 2, None, 1e-5);
        let refused = in_chunks([&no_position], DType::F32, attend);
        assert!(refused.unwrap_err().to_string().contains("at least 1 position"));
        let [first] = in_chunks([&ramp((2, 3, 0))?], DType::F32, |[z]| z.keep_first())?;
        assert_eq!(first.dims3()?, (2, 1, 0));
        Ok(())
    }
}
