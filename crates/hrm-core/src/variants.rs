//! Model variants. The first variant of each enum is that of the published HRM
//! (arXiv 2506.21734).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which networks update the states.
///
/// HRM calls its slow network the H module and its fast network the L module; its
/// states are `z_h` and `z_l`. In TRM, `z_h` is the answer `y` and `z_l` the
/// latent `z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Modules {
    /// A slow and a fast network: the
    /// [Hierarchical Reasoning Model](https://arxiv.org/abs/2506.21734).
    #[default]
    Two,
    /// One network in both roles: the
    /// [Tiny Recursive Model](https://arxiv.org/abs/2510.04871).
    Shared,
    /// One network and one state, `z <- f(z + x)`, with the blocks of both modules
    /// and as many block applications per segment: the
    /// [baseline without hierarchy](https://arxiv.org/abs/2510.00355).
    Flat,
}

/// Which updates of a segment carry gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum GradientSpan {
    /// The last update of each state (arXiv 2506.21734).
    #[default]
    LastUpdate,
    /// The last slow cycle: its fast updates and its slow update
    /// (arXiv 2510.04871).
    LastCycle,
    /// The last `n` updates, at least 1. All updates if there are fewer.
    Updates(usize),
}

/// The states that a puzzle starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitialStates {
    /// One vector per state, the same at every position of every puzzle
    /// (arXiv 2506.21734).
    #[default]
    Fixed,
    /// Normal samples for every channel of every position. Training samples new
    /// ones for each puzzle, so that the model does not memorise a trajectory from
    /// one start (arXiv 2605.21488). Inference always uses the same sample.
    Random,
}

/// How the halting logits decide when the model stops working on a puzzle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltRule {
    /// Halts if the Q-value of halting exceeds that of continuing. The target of
    /// the latter takes another segment to compute (arXiv 2506.21734).
    #[default]
    QLearning,
    /// Halts if the model considers its answer correct: a single logit, and no
    /// additional segment (arXiv 2510.04871).
    HaltOnly,
    /// Always runs all segments. The halting logit is trained nevertheless.
    Fixed,
}

impl HaltRule {
    /// Whether the logits `[halt, continue]` say to halt.
    pub fn wants_to_halt(self, [halt, cont]: [f32; 2]) -> bool {
        match self {
            Self::QLearning => halt > cont,
            Self::HaltOnly => halt > 0.0,
            Self::Fixed => false,
        }
    }
}

const LAST_UPDATE: &str = "last-update";
const LAST_CYCLE: &str = "last-cycle";
const UPDATES: &str = "-updates";

impl fmt::Display for GradientSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastUpdate => f.write_str(LAST_UPDATE),
            Self::LastCycle => f.write_str(LAST_CYCLE),
            Self::Updates(n) => write!(f, "{n}{UPDATES}"),
        }
    }
}

/// A text is not a gradient span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `{LAST_UPDATE}`, `{LAST_CYCLE}` or a count such as `4{UPDATES}`, found `{0}`")]
pub struct UnknownSpan(String);

impl FromStr for GradientSpan {
    type Err = UnknownSpan;

    fn from_str(text: &str) -> Result<Self, UnknownSpan> {
        let n_updates = || text.strip_suffix(UPDATES)?.parse().ok().filter(|n| *n > 0);
        match text {
            LAST_UPDATE => Ok(Self::LastUpdate),
            LAST_CYCLE => Ok(Self::LastCycle),
            _ => n_updates().map(Self::Updates).ok_or_else(|| UnknownSpan(text.to_owned())),
        }
    }
}

impl TryFrom<String> for GradientSpan {
    type Error = UnknownSpan;

    fn try_from(text: String) -> Result<Self, UnknownSpan> {
        text.parse()
    }
}

impl From<GradientSpan> for String {
    fn from(span: GradientSpan) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_have_stable_names_in_files() {
        for (span, text) in [
            (GradientSpan::LastUpdate, "last-update"),
            (GradientSpan::LastCycle, "last-cycle"),
            (GradientSpan::Updates(4), "4-updates"),
        ] {
            let json = serde_json::to_string(&span).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<GradientSpan>(&json).unwrap(), span);
        }
        for wrong in ["0-updates", "updates", "-updates", "last", ""] {
            let err = wrong.parse::<GradientSpan>().unwrap_err().to_string();
            assert!(err.ends_with(&format!("found `{wrong}`")), "{err}");
        }
        assert_eq!(serde_json::to_string(&HaltRule::QLearning).unwrap(), "\"q-learning\"");
        assert_eq!(serde_json::to_string(&Modules::Shared).unwrap(), "\"shared\"");
    }

    #[test]
    fn each_rule_reads_the_logits_differently() {
        let wants = |rule: HaltRule| {
            [[1.0, 2.0], [2.0, 1.0], [-1.0, -2.0]].map(|logits| rule.wants_to_halt(logits))
        };
        assert_eq!(wants(HaltRule::QLearning), [false, true, true]);
        assert_eq!(wants(HaltRule::HaltOnly), [true, true, false]);
        assert_eq!(wants(HaltRule::Fixed), [false; 3]);
    }
}
