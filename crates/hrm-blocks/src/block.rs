//! The post-norm transformer block: mix positions, then mix channels, no biases.
//!
//! ```text
//! x <- norm(x + mix(x));  x <- norm(x + swiglu(x))
//! ```
//!
//! Positions are mixed by attention, or by a SwiGLU over positions instead of
//! channels, with the same weights for every channel.

use candle_core::Result;
use hrm_kernels::{Hidden, Rotary, Weight};

use crate::{Init, ParamSpec, WeightsView};

/// Sizes of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlockDims {
    /// Channels per position, `D`.
    pub hidden_dim: usize,
    /// How positions are mixed.
    pub mixer: MixerDims,
    /// Channels inside the feed-forward sublayer, `I`.
    pub inner_dim: usize,
    /// Added to the mean square in the norm.
    pub norm_eps: f64,
}

/// Sizes of the sublayer that mixes positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixerDims {
    /// Attention. The number of heads divides the number of channels.
    Attention {
        /// Attention heads, `N`.
        n_heads: usize,
    },
    /// A SwiGLU over positions, followed by a norm over positions.
    Mlp {
        /// Positions, `S`.
        n_positions: usize,
        /// Positions inside the sublayer.
        inner_dim: usize,
    },
}

/// The inner size of a SwiGLU: two thirds of `expansion * width`, rounded up to a
/// multiple of 256, as in the published code.
pub fn inner_dim(width: usize, expansion: f64) -> usize {
    let exact = (expansion * width as f64 * 2.0 / 3.0).round_ties_even();
    (exact as usize).next_multiple_of(256)
}

/// A block bound to its weights.
#[derive(Clone, Debug)]
pub struct Block {
    mixer: Mixer,
    w_gate_up: Weight,
    w_down: Weight,
    norm_eps: f64,
}

#[derive(Clone, Debug)]
enum Mixer {
    Attention { w_qkv: Weight, w_o: Weight, n_heads: usize },
    Mlp { w_gate_up: Weight, w_down: Weight },
}

const QKV: &str = "self_attn.qkv_proj.weight";
const O: &str = "self_attn.o_proj.weight";
const MIX_GATE_UP: &str = "mlp_t.gate_up_proj.weight";
const MIX_DOWN: &str = "mlp_t.down_proj.weight";
const GATE_UP: &str = "mlp.gate_up_proj.weight";
const DOWN: &str = "mlp.down_proj.weight";

impl Block {
    /// Names of all parameters that a block can have, without a prefix.
    pub const PARAMS: [&str; 6] = [QKV, O, MIX_GATE_UP, MIX_DOWN, GATE_UP, DOWN];

    /// The parameters of a block whose names start with `prefix`.
    pub fn params(prefix: &str, dims: BlockDims) -> Vec<ParamSpec> {
        let BlockDims { hidden_dim: d, inner_dim: i, .. } = dims;
        let matrix = |name: &str, rows: usize, columns: usize| {
            ParamSpec::trained(format!("{prefix}.{name}"), [rows, columns], Init::lecun(columns))
        };
        let [one, other] = match dims.mixer {
            MixerDims::Attention { .. } => [matrix(QKV, 3 * d, d), matrix(O, d, d)],
            MixerDims::Mlp { n_positions: s, inner_dim: m } => {
                [matrix(MIX_GATE_UP, 2 * m, s), matrix(MIX_DOWN, s, m)]
            }
        };
        vec![one, other, matrix(GATE_UP, 2 * i, d), matrix(DOWN, d, i)]
    }

    /// Binds the block to the current values of the weights under `view`.
    ///
    /// # Errors
    ///
    /// If a parameter is missing.
    pub fn bind(view: &WeightsView<'_>, dims: BlockDims) -> Result<Self> {
        let plain = |name: &str| Weight::new(view.parameter(name)?, view.dtype());
        let gated = |name: &str| Weight::gated(view.parameter(name)?, view.dtype());
        let mixer = match dims.mixer {
            MixerDims::Attention { n_heads } => {
                Mixer::Attention { w_qkv: plain(QKV)?, w_o: plain(O)?, n_heads }
            }
            MixerDims::Mlp { .. } => {
                Mixer::Mlp { w_gate_up: gated(MIX_GATE_UP)?, w_down: plain(MIX_DOWN)? }
            }
        };
        let (w_gate_up, w_down) = (gated(GATE_UP)?, plain(DOWN)?);
        Ok(Self { mixer, w_gate_up, w_down, norm_eps: dims.norm_eps })
    }

    /// The same block, untracked. Storage is shared.
    #[must_use]
    pub fn detach(&self) -> Self {
        let mixer = match &self.mixer {
            Mixer::Attention { w_qkv, w_o, n_heads } => {
                Mixer::Attention { w_qkv: w_qkv.detach(), w_o: w_o.detach(), n_heads: *n_heads }
            }
            Mixer::Mlp { w_gate_up, w_down } => {
                Mixer::Mlp { w_gate_up: w_gate_up.detach(), w_down: w_down.detach() }
            }
        };
        Self {
            mixer,
            w_gate_up: self.w_gate_up.detach(),
            w_down: self.w_down.detach(),
            norm_eps: self.norm_eps,
        }
    }

    /// Applies the block to hidden states `[B, S, D]`.
    ///
    /// # Errors
    ///
    /// If the number of channels or the dtype does not fit.
    pub fn forward(&self, x: &mut Hidden<'_>, rotary: Option<&Rotary>) -> Result<()> {
        match &self.mixer {
            Mixer::Attention { w_qkv, w_o, n_heads } => {
                x.attn_block(w_qkv, w_o, *n_heads, rotary, self.norm_eps)?;
            }
            Mixer::Mlp { w_gate_up, w_down } => {
                x.transpose()?;
                x.mlp_block(w_gate_up, w_down, self.norm_eps)?;
                x.transpose()?;
            }
        }
        x.mlp_block(&self.w_gate_up, &self.w_down, self.norm_eps)
    }

    /// [`forward`](Self::forward) that keeps only the first position of the result:
    /// `[B, S, D]` becomes `[B, 1, D]`.
    ///
    /// # Errors
    ///
    /// As for [`forward`](Self::forward).
    pub fn forward_first(&self, x: &mut Hidden<'_>, rotary: Option<&Rotary>) -> Result<()> {
        let Mixer::Attention { w_qkv, w_o, n_heads } = &self.mixer else {
            self.forward(x, rotary)?;
            return x.keep_first();
        };
        x.attn_block_first(w_qkv, w_o, *n_heads, rotary, self.norm_eps)?;
        x.mlp_block(&self.w_gate_up, &self.w_down, self.norm_eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tracking, Weights};
    use candle_core::{DType, Device, Tensor};

    const ATTENTION: BlockDims = BlockDims {
        hidden_dim: 8,
        mixer: MixerDims::Attention { n_heads: 2 },
        inner_dim: 12,
        norm_eps: 1e-5,
    };
    const MLP: BlockDims =
        BlockDims { mixer: MixerDims::Mlp { n_positions: 3, inner_dim: 5 }, ..ATTENTION };

    fn bound(dims: BlockDims, tracking: Tracking) -> Result<(Weights, Block)> {
        let weights = Weights::seeded(&Block::params("b", dims), 1, &Device::Cpu).unwrap();
        let block = Block::bind(&weights.view(DType::F32, tracking).under("b"), dims)?;
        Ok((weights, block))
    }

    fn forward(block: &Block) -> Result<Tensor> {
        let mut x = Hidden::from(hrm_testkit::ramp((2, 3, 8))?);
        block.forward(&mut x, None)?;
        x.into_tensor()
    }

    #[test]
    fn inner_sizes_follow_the_published_rounding() {
        assert_eq!(inner_dim(512, 4.0), 1536);
        assert_eq!(inner_dim(64, 4.0), 256);
        assert_eq!(inner_dim(64, 2.0), 256);
        // 256.5 rounds to the even 256, not up to the next multiple.
        assert_eq!(inner_dim(513, 0.75), 256);
    }

    #[test]
    fn a_gradient_reaches_every_parameter() -> Result<()> {
        for dims in [ATTENTION, MLP] {
            let (weights, block) = bound(dims, Tracking::Live)?;
            let y = forward(&block)?;
            let grads = (y * hrm_testkit::ramp((2, 3, 8))?)?.sum_all()?.backward()?;
            assert_eq!(weights.trained().count(), 4);
            for (name, var) in weights.trained() {
                let grad = grads.get(var).unwrap_or_else(|| panic!("no gradient for {name}"));
                let norm = grad.sqr()?.sum_all()?.to_scalar::<f32>()?;
                assert!(norm.is_finite() && norm > 0.0, "{name}: {norm}");
            }
        }
        Ok(())
    }

    #[test]
    fn a_frozen_block_is_untracked() -> Result<()> {
        for dims in [ATTENTION, MLP] {
            let (_, block) = bound(dims, Tracking::Frozen)?;
            assert!(!forward(&block)?.track_op());
            let (_, block) = bound(dims, Tracking::Live)?;
            assert!(!forward(&block.detach())?.track_op());
        }
        Ok(())
    }
}
