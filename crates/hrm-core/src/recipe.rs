//! What a model may do otherwise than published. The first of each is the
//! published way.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which networks rewrite the states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Modules {
    /// A slow and a fast one (arXiv 2506.21734).
    #[default]
    Two,
    /// One in both roles: the Tiny Recursive Model (arXiv 2510.04871).
    Shared,
    /// One network and one state, `z <- f(z + x)`, with the layers of both
    /// modules and as many block applications per segment: what a hierarchy is
    /// to be measured against (arXiv 2510.00355).
    Flat,
}

/// Which of a segment's updates carry gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum GradientSpan {
    /// The last of each state (arXiv 2506.21734).
    #[default]
    LastUpdate,
    /// The last slow cycle: every fast update in it, and the slow one
    /// (arXiv 2510.04871).
    LastCycle,
    /// The last so many, at least 1; all if there are fewer.
    Updates(usize),
}

/// What the states of a fresh puzzle hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Starts {
    /// One vector per state, the same at every position of every puzzle
    /// (arXiv 2506.21734).
    #[default]
    Fixed,
    /// A normal draw for every channel of every position, in training anew for
    /// each puzzle, so that no path from one start is learnt by heart
    /// (arXiv 2605.21488). Inference starts from one draw, always the same.
    Random,
}

/// When a puzzle is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Halting {
    /// When halting is worth more than going on, both learnt; the worth of
    /// going on takes another segment to learn (arXiv 2506.21734).
    #[default]
    QLearning,
    /// When the answer is held to be right: one logit, and no other segment
    /// (arXiv 2510.04871).
    HaltOnly,
    /// After all segments. The logit is learnt all the same.
    Fixed,
}

impl Halting {
    /// Whether logits `[halt, continue]` ask to stop.
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

/// A text that names no gradient span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `{LAST_UPDATE}`, `{LAST_CYCLE}` or a number as in `4{UPDATES}`, found `{0}`")]
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
    fn recipes_are_written_as_people_say_them() {
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
        assert_eq!(serde_json::to_string(&Halting::QLearning).unwrap(), "\"q-learning\"");
        assert_eq!(serde_json::to_string(&Modules::Shared).unwrap(), "\"shared\"");
    }

    #[test]
    fn each_rule_reads_the_logits_its_way() {
        let wants = |rule: Halting| {
            [[1.0, 2.0], [2.0, 1.0], [-1.0, -2.0]].map(|logits| rule.wants_to_halt(logits))
        };
        assert_eq!(wants(Halting::QLearning), [false, true, true]);
        assert_eq!(wants(Halting::HaltOnly), [true, true, false]);
        assert_eq!(wants(Halting::Fixed), [false; 3]);
    }
}
