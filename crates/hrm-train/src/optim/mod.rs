//! Optimisers: [`Optimiser`] for dense weights, [`sign_sgd`] for the puzzle embeddings
//! of a batch.
//!
//! [`Optimiser`] is a [`candle_nn::Optimizer`], so it trains any candle model:
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use candle_nn::Optimizer;
//! use hrm_train::optim::{Optimiser, OptimiserConfig, OptimiserKind};
//!
//! # fn main() -> candle_core::Result<()> {
//! let input = Tensor::new(&[[1f32, 0., 2.], [0., 1., 1.]], &Device::Cpu)?;
//! let target = Tensor::new(&[[3f32], [-1.]], &Device::Cpu)?;
//! let weight = Var::zeros((3, 1), input.dtype(), input.device())?;
//!
//! let mut opt = Optimiser::new(
//!     vec![weight.clone()],
//!     OptimiserConfig {
//!         kind: OptimiserKind::AdamAtan2,
//!         learning_rate: 0.05,
//!         weight_decay: 0.0,
//!         ..OptimiserConfig::default()
//!     },
//! )?;
//! for _ in 0..200 {
//!     let loss = candle_nn::loss::mse(&input.matmul(&weight)?, &target)?;
//!     opt.backward_step(&loss)?;
//! }
//! let loss = candle_nn::loss::mse(&input.matmul(&weight)?, &target)?;
//! assert!(loss.to_scalar::<f32>()? < 1e-3);
//! # Ok(())
//! # }
//! ```

mod adam;
mod dense;
mod muon;
mod sign_sgd;
mod step_size;

pub use crate::config::{OptimiserConfig, OptimiserKind};
pub(crate) use dense::Moments;
pub use dense::Optimiser;
pub use sign_sgd::sign_sgd;
pub use step_size::StepSize;
