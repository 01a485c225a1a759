//! The differences from a reference, by group of tensors, and their tolerances.

use std::io::Write;
use std::path::Path;

use candle_core::{DType, Tensor};
use hrm_testkit::{Difference, Tol, difference};
use serde_json::json;

/// The kind of a compared tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Logits,
    States,
    Halting,
    Decisions,
    Targets,
    Losses,
    Gradients,
    Weights,
}

impl Group {
    const ALL: [Self; 8] = [
        Self::Logits,
        Self::States,
        Self::Halting,
        Self::Decisions,
        Self::Targets,
        Self::Losses,
        Self::Gradients,
        Self::Weights,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Logits => "logits",
            Self::States => "states",
            Self::Halting => "q",
            Self::Decisions => "decisions",
            Self::Targets => "targets",
            Self::Losses => "losses",
            Self::Gradients => "gradients",
            Self::Weights => "weights",
        }
    }

    /// Tolerance of this group in `dtype`, for a reference in f32. `is_amplified`
    /// tells whether earlier steps have amplified rounding errors.
    fn tolerance(self, dtype: DType, is_amplified: bool) -> Tol {
        match self {
            Self::Decisions => Tol::EXACT,
            _ if dtype != DType::F32 => self.bf16_tolerance(),
            Self::Logits | Self::States | Self::Halting | Self::Gradients if is_amplified => {
                AMPLIFIED
            }
            Self::Logits | Self::States | Self::Halting | Self::Targets => Tol::F32_SEGMENT,
            Self::Losses => Tol::F32_LOSS,
            Self::Gradients => Tol::F32_GRADIENT,
            Self::Weights => FINAL_WEIGHT,
        }
    }

    /// The rounding error of bf16 is up to 2^-8, 65 000 times that of f32. The
    /// recurrence amplifies both alike. So single elements of a state after a
    /// segment may differ by more than one percent; sums over many elements do not.
    fn bf16_tolerance(self) -> Tol {
        let relative = match self {
            Self::Losses => 2e-3,
            Self::Gradients => 0.35,
            _ => 0.1,
        };
        Tol { absolute: 0.0, relative }
    }

    /// Share of the elements of the group that may be outside the tolerance.
    ///
    /// A gradient that is exactly zero in one implementation and 1e-12 in
    /// another becomes a full-size step of Adam-atan2, so a few final weights
    /// may differ by whole steps.
    fn share_outside_max(self) -> f64 {
        if self == Self::Weights { 1e-3 } else { 0.0 }
    }
}

/// A step whose gradient spans a whole cycle amplifies rounding errors by a factor
/// of three to ten. The error of the reference itself, measured against f64, is
/// 6e-6 of the largest state after one step and 4e-4 after four, and the same for
/// gradients.
const AMPLIFIED: Tol = Tol { absolute: 0.0, relative: 2e-3 };

/// Tolerance of final weights, absolute.
const FINAL_WEIGHT: Tol = Tol { absolute: 1e-5, relative: 0.0 };

/// One compared tensor.
struct Row {
    group: Group,
    name: String,
    n_elements: usize,
    difference: Difference,
}

/// All compared tensors of one golden file.
pub(crate) struct Table {
    dtype: DType,
    is_amplified: bool,
    rows: Vec<Row>,
}

/// The summary of one group.
struct Summary<'a> {
    group: Group,
    n_tensors: usize,
    worst_absolute: f64,
    worst_relative: f64,
    worst: &'a Row,
    share_outside: f64,
    passes: bool,
}

impl Table {
    /// An empty table for results in `dtype`.
    pub(crate) fn new(dtype: DType) -> Self {
        Self { dtype, is_amplified: false, rows: Vec::new() }
    }

    /// Widens the tolerance of later comparisons: their steps have amplified
    /// rounding errors.
    pub(crate) fn expect_amplified(&mut self) {
        self.is_amplified = true;
    }

    /// Compares `found` with `wanted`, the tensor `name` of the golden file.
    pub(crate) fn compare(
        &mut self,
        group: Group,
        name: impl Into<String>,
        found: &Tensor,
        wanted: &Tensor,
    ) -> candle_core::Result<()> {
        let name = name.into();
        let difference = difference(found, wanted, group.tolerance(self.dtype, self.is_amplified))
            .map_err(|err| err.context(format!("cannot compare `{name}`")))?;
        self.rows.push(Row { group, name, n_elements: found.elem_count(), difference });
        Ok(())
    }

    /// Whether all groups are within their tolerances, and there are any.
    pub(crate) fn passes(&self) -> bool {
        Group::ALL.iter().all(|group| self.summary(*group).is_none_or(|s| s.passes))
            && !self.rows.is_empty()
    }

    pub(crate) fn print(&self, path: &Path, json: bool, all: bool) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if json { self.print_json(path, &mut out) } else { self.print_table(path, all, &mut out) }
    }

    fn print_json(&self, path: &Path, out: &mut impl Write) -> std::io::Result<()> {
        let groups: serde_json::Map<_, _> = self
            .summaries()
            .map(|s| {
                let figures = json!({
                    "tensors": s.n_tensors,
                    "worst_absolute": s.worst_absolute,
                    "worst_relative": s.worst_relative,
                    "share_outside": s.share_outside,
                    "passes": s.passes,
                });
                (s.group.name().to_owned(), figures)
            })
            .collect();
        let line = json!({"file": path, "passes": self.passes(), "groups": groups});
        writeln!(out, "{line}")
    }

    fn print_table(&self, path: &Path, all: bool, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "{}", path.display())?;
        let head = ["group", "tensors", "absolute", "relative", "result"];
        let [group, tensors, absolute, relative, result] = head;
        writeln!(out, "  {group:<10} {tensors:>7} {absolute:>9} {relative:>9}  {result:<6} worst")?;
        for s in self.summaries() {
            let (group, result) = (s.group.name(), if s.passes { "ok" } else { "DIFFER" });
            let (n, absolute, relative) = (s.n_tensors, s.worst_absolute, s.worst_relative);
            let worst = &s.worst.name;
            writeln!(
                out,
                "  {group:<10} {n:>7} {absolute:>9.1e} {relative:>9.1e}  {result:<6} {worst}"
            )?;
        }
        for row in self.rows.iter().filter(|row| all || !row.difference.is_within()) {
            writeln!(out, "    {} `{}`: {}", row.group.name(), row.name, row.difference)?;
        }
        Ok(())
    }

    fn summaries(&self) -> impl Iterator<Item = Summary<'_>> {
        Group::ALL.into_iter().filter_map(|group| self.summary(group))
    }

    fn summary(&self, group: Group) -> Option<Summary<'_>> {
        let rows = || self.rows.iter().filter(move |row| row.group == group);
        let worst = rows()
            .max_by(|a, b| a.difference.worst_relative.total_cmp(&b.difference.worst_relative))?;
        let n_elements: usize = rows().map(|row| row.n_elements).sum();
        let n_outside: f64 =
            rows().map(|row| row.difference.share_outside * row.n_elements as f64).sum();
        let share_outside = n_outside / n_elements.max(1) as f64;
        Some(Summary {
            group,
            n_tensors: rows().count(),
            worst_absolute: rows().fold(0.0, |max, row| row.difference.worst.max(max)),
            worst_relative: worst.difference.worst_relative,
            worst,
            share_outside,
            passes: share_outside <= group.share_outside_max(),
        })
    }
}
