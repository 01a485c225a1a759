//! Adam with an arc tangent, and Adam with a quotient (AdamW).
//!
//! ```text
//! m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,   r = sqrt(v / (1 - b2^t))
//! p <- p (1 - lr wd) - lr / (1 - b1^t) atan2(m, r)          adam-atan2
//! p <- p (1 - lr wd) - lr / (1 - b1^t) m / (r + epsilon)    adamw
//! ```
//!
//! With the arc tangent there is no epsilon, and the step does not depend on the
//! scale of the gradient. As in the authors' optimiser, the bias correction of the
//! mean scales the step, outside the arc tangent.

use hrm_kernels::{AdamRatio, AdamStep};

use super::step_size::StepSize;
use crate::config::OptimiserKind;

/// Added to the root mean square, in units of the gradient.
const EPSILON: f64 = 1e-8;

/// The coefficients of optimiser step `t`, counted from 1.
pub(super) fn step(
    kind: OptimiserKind,
    [beta1, beta2]: [f64; 2],
    t: i32,
    size: StepSize,
) -> AdamStep {
    let StepSize { learning_rate, weight_decay, gradient_scale } = size;
    AdamStep {
        beta1,
        beta2,
        gradient_scale,
        ratio: match kind {
            OptimiserKind::AdamAtan2 => AdamRatio::Atan2,
            OptimiserKind::Adamw | OptimiserKind::Muon => AdamRatio::Quotient { epsilon: EPSILON },
        },
        step_size: learning_rate / (1.0 - beta1.powi(t)),
        param_scale: 1.0 - learning_rate * weight_decay,
        root_correction: (1.0 - beta2.powi(t)).sqrt(),
    }
}
