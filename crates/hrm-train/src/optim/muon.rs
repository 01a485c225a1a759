//! Muon: a matrix moves along the orthogonal matrix nearest to its momentum.
//!
//! ```text
//! m <- 0.95 m + g,   o = orthogonal(g + 0.95 m)
//! p <- p (1 - lr wd) - lr 0.2 sqrt(max(rows, columns)) o
//! ```
//!
//! The factor gives steps the root mean square of Adam's steps, so that one learning
//! rate suits both (arXiv 2502.16982).

use candle_core::{Result, Tensor, Var};

use super::step_size::StepSize;

/// Decay rate of the momentum.
const MOMENTUM: f64 = 0.95;

/// Approximate root mean square of a step of Adam, in units of the learning rate.
const STEP_RMS: f64 = 0.2;

/// Iterations of [`orthogonal`].
const N_ITERATIONS: usize = 5;

/// Added to the norm of a matrix, so that a zero matrix is not divided by 0.
const NORM_EPS: f64 = 1e-7;

/// Coefficients of the quintic `a x + b x^3 + c x^5`, which quickly moves singular
/// values in `0..=1` close to 1, as published with the optimiser.
const QUINTIC: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// Moves a matrix and its momentum by one step along `grad`.
pub(super) fn step(
    param: &Var,
    momentum: &mut Tensor,
    grad: &Tensor,
    size: StepSize,
) -> Result<()> {
    let StepSize { learning_rate, weight_decay, gradient_scale } = size;
    let grad = (grad * gradient_scale)?;
    *momentum = ((&*momentum * MOMENTUM)? + &grad)?;
    let ahead = (grad + (&*momentum * MOMENTUM)?)?;
    let (n_rows, n_columns) = param.dims2()?;
    let scale = learning_rate * STEP_RMS * (n_rows.max(n_columns) as f64).sqrt();
    let decayed = (param.as_detached_tensor() * (1.0 - learning_rate * weight_decay))?;
    param.set(&(decayed - (orthogonal(&ahead)? * scale)?)?)
}

/// A matrix with the singular vectors of `matrix` and singular values near 1.
fn orthogonal(matrix: &Tensor) -> Result<Tensor> {
    let (n_rows, n_columns) = matrix.dims2()?;
    // The Gram matrix of the shorter side is the smaller of the two.
    let is_tall = n_rows > n_columns;
    let matrix = if is_tall { matrix.t()?.contiguous()? } else { matrix.clone() };
    let [a, b, c] = QUINTIC;
    let norm = matrix.sqr()?.sum_all()?.sqrt()?;
    let mut x = matrix.broadcast_div(&(norm + NORM_EPS)?)?;
    for _ in 0..N_ITERATIONS {
        let gram = x.matmul(&x.t()?)?;
        let polynomial = ((&gram * b)? + (gram.matmul(&gram)? * c)?)?;
        x = ((&x * a)? + polynomial.matmul(&x)?)?;
    }
    if is_tall { x.t()?.contiguous() } else { Ok(x) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use hrm_base::rng;
    use hrm_blocks::Init;

    fn random(n_rows: usize, n_columns: usize) -> Result<Tensor> {
        let init = Init::TruncatedNormal { std: 1.0 };
        let values = init.sample(n_rows * n_columns, &mut rng::stream(1, "muon"));
        Tensor::from_vec(values, (n_rows, n_columns), &Device::Cpu)
    }

    #[test]
    fn singular_values_end_near_one() -> Result<()> {
        for (n_rows, n_columns) in [(8, 24), (24, 8)] {
            let o = orthogonal(&random(n_rows, n_columns)?)?;
            assert_eq!(o.dims2()?, (n_rows, n_columns));
            let short = if n_rows > n_columns { o.t()?.contiguous()? } else { o };
            // The quintic ends between 0.7 and 1.2, not at 1.
            let gram = short.matmul(&short.t()?)?.to_vec2::<f32>()?;
            for (i, row) in gram.iter().enumerate() {
                for (j, value) in row.iter().enumerate() {
                    let range = if i == j { 0.5..1.5 } else { -0.4..0.4 };
                    assert!(range.contains(value), "{value} at {i}, {j}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn singular_vectors_are_kept() -> Result<()> {
        // The polar factor of a symmetric positive matrix is the identity.
        let matrix = Tensor::new(&[[2f32, 0.5], [0.5, 1.0]], &Device::Cpu)?;
        let o = orthogonal(&matrix)?.to_vec2::<f32>()?;
        assert!(o[0][0] > 0.6 && o[1][1] > 0.6, "{o:?}");
        assert!(o[0][1].abs() < 0.3 && (o[0][1] - o[1][0]).abs() < 1e-5, "{o:?}");
        Ok(())
    }

    #[test]
    fn steps_have_the_root_mean_square_of_adam() -> Result<()> {
        let grad = random(16, 64)?;
        let param = Var::zeros((16, 64), candle_core::DType::F32, &Device::Cpu)?;
        let mut momentum = grad.zeros_like()?;
        let size = StepSize { learning_rate: 0.5, weight_decay: 0.0, gradient_scale: 1e-3 };
        step(&param, &mut momentum, &grad, size)?;
        let rms = param.sqr()?.mean_all()?.sqrt()?.to_scalar::<f32>()?;
        assert!((0.07..0.13).contains(&rms), "{rms}");
        // Without a gradient nothing moves, and nothing is divided by zero.
        let before = param.to_vec2::<f32>()?;
        let zero = grad.zeros_like()?;
        step(&param, &mut zero.clone(), &zero, size)?;
        assert_eq!(param.to_vec2::<f32>()?, before);
        Ok(())
    }
}
