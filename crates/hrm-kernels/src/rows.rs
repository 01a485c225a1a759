//! Hidden states of some puzzles, passed from sublayer to sublayer.
//!
//! [`Rows`] are either a tensor, on any device and recorded if it is tracked,
//! or part of one on the CPU, changed in place without a record. Code that
//! updates states is written once, for both. [`by_chunks`] cuts a batch into
//! parts that stay in a core's cache through all their updates.

use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;

use crate::attn_block::Attn;
use crate::cpu::{Arith, Path, Scheme, Threads, rows, scratch, with_arith};
use crate::element::{Operand, Values, load_tensor, store_tensor};
use crate::mlp_block::Mlp;
use crate::sublayer::Sublayer;
use crate::{Rotary, Weight, attn_block, inject, mlp_block};

/// Rows of a chunk: enough to read weights seldom, few enough for a cache.
const ROWS_PER_CHUNK: usize = 384;

/// Hidden states `[B, S, D]` of some puzzles.
#[derive(Debug)]
pub struct Rows<'a>(State<'a>);

#[derive(Debug)]
enum State<'a> {
    Tensor(Tensor),
    Chunk(Chunk<'a>),
}

/// Rows that are changed in place.
#[derive(Debug)]
struct Chunk<'a> {
    values: Values<'a>,
    /// `S` and `D`.
    shape: [usize; 2],
    scheme: Scheme,
    threads: Threads,
}

impl From<Tensor> for Rows<'_> {
    fn from(tensor: Tensor) -> Self {
        Self(State::Tensor(tensor))
    }
}

impl Rows<'_> {
    /// The tensor they were made from, with all that was done to it since.
    ///
    /// # Errors
    ///
    /// If they are a chunk.
    pub fn into_tensor(self) -> Result<Tensor> {
        match self.0 {
            State::Tensor(tensor) => Ok(tensor),
            State::Chunk(_) => candle_core::bail!("rows of a chunk belong to a batch"),
        }
    }

    /// Positions and channels of a puzzle.
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
    /// If shapes or dtypes differ, or a chunk meets a tensor.
    pub fn inject(&mut self, terms: &[&Rows<'_>]) -> Result<()> {
        match &mut self.0 {
            State::Tensor(z) => {
                let tensor = |rows: &Rows<'_>| match &rows.0 {
                    State::Tensor(tensor) => Ok(tensor.clone()),
                    State::Chunk(_) => mixed(),
                };
                *z = match terms {
                    [one, other] => inject(z, &tensor(one)?, &tensor(other)?)?,
                    _ => terms.iter().try_fold(z.clone(), |z, term| z + tensor(term)?)?,
                };
                Ok(())
            }
            State::Chunk(chunk) => with_arith!(chunk.scheme, A => chunk.inject::<A>(terms)),
        }
    }

    /// Applies [`attn_block`].
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
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
                with_arith!(chunk.scheme, A => chunk.apply::<A, _>(&sublayer)?);
            }
        }
        Ok(())
    }

    /// [`attn_block`](Self::attn_block) for the first position of each puzzle alone,
    /// which attends to all of them: `[B, S, D]` becomes `[B, 1, D]`.
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
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
            with_arith!(chunk.scheme, A => chunk.apply_first::<A>(&sublayer)?);
            return Ok(());
        }
        self.attn_block(w_qkv, w_o, n_heads, rotary, eps)?;
        self.keep_first()
    }

    /// Drops all but the first position of each puzzle: `[B, S, D]` becomes
    /// `[B, 1, D]`.
    ///
    /// # Errors
    ///
    /// If there is no position, or the backend fails.
    pub fn keep_first(&mut self) -> Result<()> {
        match &mut self.0 {
            State::Tensor(x) => *x = x.narrow(1, 0, 1)?.contiguous()?,
            State::Chunk(chunk) => with_arith!(chunk.scheme, A => chunk.keep_first::<A>()?),
        }
        Ok(())
    }

    /// Applies [`mlp_block`].
    ///
    /// # Errors
    ///
    /// If the shapes do not fit.
    pub fn mlp_block(&mut self, w_gate_up: &Weight, w_down: &Weight, eps: f64) -> Result<()> {
        match &mut self.0 {
            State::Tensor(x) => *x = mlp_block(x, w_gate_up, w_down, eps)?,
            State::Chunk(chunk) => {
                let sublayer = Mlp::new(chunk.shape[1], w_gate_up, w_down, eps)?;
                with_arith!(chunk.scheme, A => chunk.apply::<A, _>(&sublayer)?);
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
            State::Chunk(chunk) => with_arith!(chunk.scheme, A => chunk.transpose::<A>()),
        }
        Ok(())
    }
}

impl Chunk<'_> {
    fn values<A: Arith<Elem: Operand>>(&mut self) -> &mut [A::Elem] {
        A::Elem::slice_mut(&mut self.values).expect("a chunk holds operands of its scheme")
    }

    fn apply<A: Arith<Elem: Operand>, S: Sublayer<A>>(&mut self, sublayer: &S) -> Result<()> {
        self.check_packing::<A, S>(sublayer)?;
        let threads = self.threads;
        sublayer.forward_only(self.values::<A>(), threads);
        Ok(())
    }

    fn apply_first<A: Arith<Elem: Operand>>(&mut self, sublayer: &Attn) -> Result<()> {
        self.check_packing::<A, Attn>(sublayer)?;
        let threads = self.threads;
        let first = sublayer.forward_first::<A>(self.values::<A>(), threads);
        self.values::<A>()[..first.len()].copy_from_slice(&first);
        self.shorten::<A>(first.len());
        Ok(())
    }

    fn keep_first<A: Arith<Elem: Operand>>(&mut self) -> Result<()> {
        let [n_positions, width] = self.shape;
        if n_positions == 0 {
            candle_core::bail!("a puzzle without positions has no first one");
        }
        let values = self.values::<A>();
        let n_puzzles = values.len() / (n_positions * width);
        for puzzle in 0..n_puzzles {
            let from = puzzle * n_positions * width;
            values.copy_within(from..from + width, puzzle * width);
        }
        self.shorten::<A>(n_puzzles * width);
        Ok(())
    }

    /// Keeps the first `len` values, one position of each puzzle.
    fn shorten<A: Arith<Elem: Operand>>(&mut self, len: usize) {
        self.values.truncate(len);
        self.shape[0] = 1;
    }

    fn check_packing<A: Arith<Elem: Operand>, S: Sublayer<A>>(&self, sublayer: &S) -> Result<()> {
        let scheme = Some(self.scheme);
        if sublayer.w_in().scheme() != scheme || sublayer.w_out().scheme() != scheme {
            candle_core::bail!("{}: weights are packed for another dtype than the rows", S::NAME);
        }
        Ok(())
    }

    fn inject<A: Arith<Elem: Operand>>(&mut self, terms: &[&Rows<'_>]) -> Result<()> {
        let values = self.values::<A>();
        let mut slices = Vec::with_capacity(terms.len());
        for term in terms {
            let State::Chunk(chunk) = &term.0 else { return mixed() };
            match A::Elem::slice(&chunk.values) {
                Some(slice) if slice.len() == values.len() => slices.push(slice),
                _ => candle_core::bail!("rows of another shape or dtype cannot be added"),
            }
        }
        A::vectorized(
            #[inline(always)]
            || rows::inject::<A>(values, &slices),
        );
        Ok(())
    }

    fn transpose<A: Arith<Elem: Operand>>(&mut self) {
        let [n_positions, width] = self.shape;
        for puzzle in self.values::<A>().chunks_exact_mut((n_positions * width).max(1)) {
            let mut before = scratch::<A::Elem>(puzzle.len());
            before.copy_from_slice(puzzle);
            for (channel, row) in puzzle.chunks_exact_mut(n_positions).enumerate() {
                for (position, value) in row.iter_mut().enumerate() {
                    *value = before[position * width + channel];
                }
            }
        }
        self.shape = [width, n_positions];
    }
}

fn mixed<R>() -> Result<R> {
    candle_core::bail!("rows of a chunk and of a tensor cannot be added")
}

/// Applies `update` to batches `[B, S, D]` of one shape and dtype, without a
/// record, computing in `dtype`: the one that weights are bound for. What becomes
/// of their positions must be the same for all puzzles.
///
/// On the CPU a few puzzles at a time go through the whole of it, on all cores;
/// elsewhere the whole batch does at once.
///
/// # Errors
///
/// If the shapes differ, or `update` fails.
pub fn by_chunks<const N: usize>(
    tensors: [&Tensor; N],
    dtype: DType,
    update: impl Fn(&mut [Rows<'_>; N]) -> Result<()> + Sync,
) -> Result<[Tensor; N]> {
    let Some(first) = tensors.first() else { return Ok(tensors.map(Tensor::clone)) };
    let shape = first.dims3()?;
    if let Some(other) = tensors.iter().find(|t| t.dims() != first.dims()) {
        candle_core::bail!("batches of shapes {:?} and {:?}", first.dims(), other.dims());
    }
    match Scheme::of(dtype, Path::current()?) {
        Some(scheme) if first.device().is_cpu() => {
            with_arith!(scheme, A => chunk_by_chunk::<A, N>(tensors, shape, scheme, update))
        }
        _ => {
            let mut rows = tensors.map(|t| Rows::from(t.detach()));
            update(&mut rows)?;
            try_map(rows, Rows::into_tensor)
        }
    }
}

fn chunk_by_chunk<A: Arith<Elem: Operand>, const N: usize>(
    tensors: [&Tensor; N],
    (n_puzzles, n_positions, width): (usize, usize, usize),
    scheme: Scheme,
    update: impl Fn(&mut [Rows<'_>; N]) -> Result<()> + Sync,
) -> Result<[Tensor; N]> {
    let mut batches =
        try_map(tensors, |t| load_tensor::<A>("by_chunks", &t.detach().contiguous()?))?;
    let (per_chunk, threads) = split(n_puzzles, n_positions);
    let chunk_len = (per_chunk * n_positions * width).max(1);
    let mut cuts = batches.each_mut().map(|batch| batch.chunks_mut(chunk_len));
    let chunks: Vec<_> = std::iter::from_fn(|| {
        let chunk = cuts.each_mut().map(Iterator::next);
        chunk.iter().all(Option::is_some).then(|| chunk.map(|c| c.expect("all have one more")))
    })
    .collect();
    let results = chunks.into_par_iter().with_max_len(1).map(|chunk| {
        let shape = [n_positions, width];
        let mut rows = chunk.map(|values| {
            let values = A::Elem::values(values);
            Rows(State::Chunk(Chunk { values, shape, scheme, threads }))
        });
        update(&mut rows)?;
        Ok(rows.map(|rows| rows.shape()))
    });
    let shapes = results.collect::<Result<Vec<_>>>()?;
    let mut idx = 0..N;
    try_map(batches, |mut batch| {
        let idx = idx.next().expect("there are as many tensors as batches");
        let [n_positions, width] = shapes.first().map_or([n_positions, width], |s| s[idx]);
        let result_len = per_chunk * n_positions * width;
        if result_len < chunk_len {
            // What is left of a chunk is at its front.
            for chunk in 1..shapes.len() {
                let from = chunk * chunk_len;
                let end = (from + result_len).min(batch.len());
                batch.copy_within(from..end, chunk * result_len);
            }
        }
        let shape = (n_puzzles, n_positions, width);
        let values = &batch[..n_puzzles * n_positions * width];
        store_tensor::<A>(values, shape, tensors[idx])
    })
}

/// Puzzles of a chunk, and who works on one.
fn split(n_puzzles: usize, n_positions: usize) -> (usize, Threads) {
    let n_threads = rayon::current_num_threads();
    // With few puzzles some threads would wait for the last chunk.
    let is_even = n_puzzles.is_multiple_of(n_threads) || n_puzzles >= 8 * n_threads;
    if !is_even || n_puzzles == 0 {
        return (n_puzzles.max(1), Threads::All);
    }
    let per_chunk_max = (ROWS_PER_CHUNK / n_positions.max(1)).max(1);
    let n_chunks = n_puzzles.div_ceil(per_chunk_max).next_multiple_of(n_threads);
    (n_puzzles.div_ceil(n_chunks), Threads::One)
}

fn try_map<T, U, const N: usize>(
    from: [T; N],
    mut f: impl FnMut(T) -> Result<U>,
) -> Result<[U; N]> {
    let all = from.into_iter().map(&mut f).collect::<Result<Vec<U>>>()?;
    Ok(all.try_into().ok().expect("an array keeps its length"))
}
