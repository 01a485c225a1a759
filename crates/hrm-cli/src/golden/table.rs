//! The differences from a reference, by group of tensors, and their limits.

use std::io::Write;
use std::path::Path;

use candle_core::{DType, Tensor};
use hrm_core::GradientSpan;
use hrm_testkit::{Alignment, Difference, Size, Tol, difference};
use serde_json::json;

use super::reference::{BF16_ROUNDINGS, Reference, Yardstick};

/// Largest error in f32, as a multiple of that of the reference.
///
/// Of 4906 tensors of fifty random configurations, half are off by up to 1.0 times the
/// error of the reference, 99 % by up to 3.8 times, the worst by 6.8 times. A configuration that amplifies rounding errors moves a tensor along one
/// direction by one random amount. The unit is the median of such amounts, so eight units
/// are 5.4 standard deviations of the reference.
pub(crate) const MULTIPLE_MAX: f64 = 8.0;

/// Limits for the direction (as the sine of the angle) and the length of gradients in
/// bf16: six degrees and 7 %, or 2 and 1.5 times the relative error that the error of the
/// reference in f32 predicts.
///
/// Of 696 gradients of random configurations, those with up to 5 % predicted turn by 2.8
/// degrees and stretch by 5.2 % at most; with more, the sine is 1.1 times the prediction
/// at most, and the stretch 0.9 times.
const SINE_MAX: f64 = 0.1;
const STRETCH_MAX: f64 = 0.07;

/// Without a prediction, ten degrees: configurations of ten steps reach nine.
const UNPREDICTED_SINE_MAX: f64 = 0.174;

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
    pub(crate) const ALL: [Self; 8] = [
        Self::Logits,
        Self::States,
        Self::Halting,
        Self::Decisions,
        Self::Targets,
        Self::Losses,
        Self::Gradients,
        Self::Weights,
    ];

    pub(crate) fn name(self) -> &'static str {
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

    /// Tolerance of this group in `dtype`, for a reference in f32 only. Earlier steps have
    /// amplified rounding errors to `amplified`, relative to the tensor.
    fn tolerance(self, dtype: DType, amplified: f64) -> Tol {
        let relative = |tol: Tol| Tol { relative: tol.relative.max(amplified), ..tol };
        match self {
            Self::Decisions => Tol::EXACT,
            _ if dtype != DType::F32 => self.bf16_tolerance(),
            Self::Logits | Self::States | Self::Halting => relative(Tol::F32_SEGMENT),
            Self::Targets => Tol::F32_SEGMENT,
            Self::Losses => Tol::F32_LOSS,
            Self::Gradients => relative(Tol::F32_GRADIENT),
            Self::Weights => FINAL_WEIGHT,
        }
    }

    /// Single elements of a state after a segment may differ by more than one percent;
    /// sums over many elements do not. Gradients are compared by [`Alignment`].
    fn bf16_tolerance(self) -> Tol {
        let relative = if self == Self::Losses { 2e-3 } else { 0.1 };
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

/// Tolerance after the first step, where the error of the reference itself is not known.
///
/// After ten steps of a model of 81 cells, its error is 5e-5 of the largest state; the
/// tolerance is eight times as much. A step whose gradient spans a whole cycle amplifies
/// rounding errors by a factor of three to ten: to 4e-4 after four steps, and the same
/// for gradients.
fn amplified(span: GradientSpan) -> f64 {
    if span == GradientSpan::LastUpdate { 4e-4 } else { 2e-3 }
}

/// Tolerance of final weights, absolute.
const FINAL_WEIGHT: Tol = Tol { absolute: 1e-5, relative: 0.0 };

/// One compared tensor.
struct Row {
    group: Group,
    name: String,
    n_elements: usize,
    difference: Difference,
    /// The error in units of the reference's.
    multiple: Option<f64>,
    alignment: Option<Alignment>,
    /// Fraction of elements outside the limits.
    share_outside: f64,
}

/// All compared tensors of one golden file.
pub(crate) struct Table {
    dtype: DType,
    amplified: f64,
    rows: Vec<Row>,
}

/// The limits for one tensor.
enum Limits {
    Tolerance(Tol),
    Multiple(Yardstick),
    /// Largest sine of the angle, and largest relative difference of the lengths.
    Direction {
        sine_max: f64,
        stretch_max: f64,
    },
}

/// The summary of one group.
struct Summary<'a> {
    group: Group,
    n_tensors: usize,
    worst_absolute: f64,
    worst_relative: f64,
    /// The largest error in units of the reference's.
    worst_multiple: Option<f64>,
    worst: &'a Row,
    share_outside: f64,
    passes: bool,
}

impl Table {
    /// An empty table for results in `dtype`.
    pub(crate) fn new(dtype: DType) -> Self {
        Self { dtype, amplified: 0.0, rows: Vec::new() }
    }

    /// Widens the tolerance of later comparisons: their steps have amplified
    /// rounding errors.
    pub(crate) fn expect_amplified(&mut self, span: GradientSpan) {
        self.amplified = amplified(span);
    }

    /// Compares `found` with tensor `name` of the reference.
    pub(crate) fn compare(
        &mut self,
        group: Group,
        name: impl Into<String>,
        found: &Tensor,
        wanted: &Reference<'_>,
    ) -> candle_core::Result<()> {
        let name = name.into();
        let row = self
            .row(group, name.clone(), found, wanted)
            .map_err(|err| err.context(format!("cannot compare `{name}`")))?;
        self.rows.push(row);
        Ok(())
    }

    fn row(
        &self,
        group: Group,
        name: String,
        found: &Tensor,
        wanted: &Reference<'_>,
    ) -> candle_core::Result<Row> {
        let limits = self.limits(group, wanted.yardstick);
        let tol = if let Limits::Tolerance(tol) = limits { tol } else { Tol::EXACT };
        let value = if found.elem_count() == wanted.value.elem_count() {
            &wanted.value.reshape(found.shape())?
        } else {
            wanted.value
        };
        let difference = difference(found, value, tol)?;
        let (mut multiple, mut alignment) = (None, None);
        let share_outside = match limits {
            Limits::Tolerance(_) => difference.share_outside,
            Limits::Multiple(yardstick) => {
                let times = Size::of_difference(found, value)?.in_units_of(yardstick.unit);
                multiple = Some(times);
                all_or_none(times <= MULTIPLE_MAX)
            }
            Limits::Direction { sine_max, stretch_max } => {
                let found = Alignment::of(found, value)?;
                alignment = Some(found);
                let stretch = (found.length - 1.0).abs();
                all_or_none(found.sine <= sine_max && stretch <= stretch_max)
            }
        };
        let n_elements = found.elem_count();
        Ok(Row { group, name, n_elements, difference, multiple, alignment, share_outside })
    }

    fn limits(&self, group: Group, yardstick: Option<Yardstick>) -> Limits {
        if group == Group::Decisions {
            return Limits::Tolerance(Tol::EXACT);
        }
        let fixed = group.tolerance(self.dtype, self.amplified);
        let predicted = yardstick.map_or(0.0, |y| y.relative_in_bf16());
        match (yardstick, self.dtype == DType::F32) {
            (Some(yardstick), true) => Limits::Multiple(yardstick),
            (None, true) => Limits::Tolerance(fixed),
            _ if group == Group::Gradients => Limits::Direction {
                sine_max: yardstick.map_or(UNPREDICTED_SINE_MAX, |_| SINE_MAX.max(2.0 * predicted)),
                stretch_max: STRETCH_MAX.max(1.5 * predicted),
            },
            (Some(Yardstick { unit, .. }), false) => {
                let tol = Tol { absolute: 4.0 * BF16_ROUNDINGS * unit.largest, relative: 0.0 };
                Limits::Tolerance(if tol.absolute > fixed_at(fixed, yardstick) {
                    tol
                } else {
                    fixed
                })
            }
            (None, false) => Limits::Tolerance(fixed),
        }
    }

    /// Whether all groups are within their limits, and there are any.
    pub(crate) fn passes(&self) -> bool {
        self.summaries().all(|summary| summary.passes) && !self.rows.is_empty()
    }

    /// The largest error of a group in units of the reference's, if that is known, and
    /// whether the group passes. `None` if the group has no tensors.
    pub(crate) fn figure(&self, group: Group) -> Option<(Option<f64>, bool)> {
        self.summary(group).map(|summary| (summary.worst_multiple, summary.passes))
    }

    /// One line per tensor outside its limits, of the groups that do not pass.
    pub(crate) fn failures(&self) -> impl Iterator<Item = String> + '_ {
        let failed: Vec<Group> = self.summaries().filter(|s| !s.passes).map(|s| s.group).collect();
        let is_failure = move |row: &&Row| row.share_outside > 0.0 && failed.contains(&row.group);
        self.rows.iter().filter(is_failure).map(Row::line)
    }

    /// The groups as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let groups: serde_json::Map<_, _> = self
            .summaries()
            .map(|s| {
                let figures = json!({
                    "tensors": s.n_tensors,
                    "worst_absolute": s.worst_absolute,
                    "worst_relative": s.worst_relative,
                    "worst_multiple": s.worst_multiple,
                    "share_outside": s.share_outside,
                    "passes": s.passes,
                });
                (s.group.name().to_owned(), figures)
            })
            .collect();
        groups.into()
    }

    /// Prints one line per group, and one per tensor outside its limits or, with `all`,
    /// per tensor.
    pub(crate) fn print(
        &self,
        path: &Path,
        all: bool,
        out: &mut impl Write,
    ) -> std::io::Result<()> {
        writeln!(out, "{}", path.display())?;
        let head = ["group", "tensors", "absolute", "relative", "multiple", "result"];
        let [group, tensors, absolute, relative, multiple, result] = head;
        writeln!(
            out,
            "  {group:<10} {tensors:>7} {absolute:>9} {relative:>9} {multiple:>9}  {result:<6} worst"
        )?;
        for s in self.summaries() {
            let (group, result) = (s.group.name(), if s.passes { "ok" } else { "DIFFER" });
            let (n, absolute, relative) = (s.n_tensors, s.worst_absolute, s.worst_relative);
            let multiple = s.worst_multiple.map_or("-".to_owned(), |times| format!("{times:.1}"));
            let worst = &s.worst.name;
            writeln!(
                out,
                "  {group:<10} {n:>7} {absolute:>9.1e} {relative:>9.1e} {multiple:>9}  {result:<6} \
                 {worst}"
            )?;
        }
        for row in self.rows.iter().filter(|row| all || row.share_outside > 0.0) {
            writeln!(out, "    {}", row.line())?;
        }
        Ok(())
    }

    fn summaries(&self) -> impl Iterator<Item = Summary<'_>> {
        Group::ALL.into_iter().filter_map(|group| self.summary(group))
    }

    fn summary(&self, group: Group) -> Option<Summary<'_>> {
        let rows = || self.rows.iter().filter(move |row| row.group == group);
        let worst = rows().max_by(|a, b| a.badness().total_cmp(&b.badness()))?;
        let n_elements: usize = rows().map(|row| row.n_elements).sum();
        let n_outside: f64 = rows().map(|row| row.share_outside * row.n_elements as f64).sum();
        let share_outside = n_outside / n_elements.max(1) as f64;
        let is_fixed = rows().all(|row| row.multiple.is_none());
        let share_max = if is_fixed { group.share_outside_max() } else { 0.0 };
        Some(Summary {
            group,
            n_tensors: rows().count(),
            worst_absolute: rows().fold(0.0, |max, row| row.difference.worst.max(max)),
            worst_relative: rows().fold(0.0, |max, row| row.difference.worst_relative.max(max)),
            worst_multiple: rows().filter_map(|row| row.multiple).reduce(f64::max),
            worst,
            share_outside,
            passes: share_outside <= share_max,
        })
    }
}

impl Row {
    /// A number to find the worst tensor of a group by.
    fn badness(&self) -> f64 {
        let turned = self.alignment.map(|a| a.sine.max((a.length - 1.0).abs()));
        self.multiple.or(turned).unwrap_or(self.difference.worst_relative)
    }

    fn line(&self) -> String {
        let Self { name, difference, multiple, alignment, .. } = self;
        let group = self.group.name();
        if let Some(times) = multiple {
            let Difference { worst, index, .. } = difference;
            return format!(
                "{group} `{name}`: {times:.1} times the error of the reference; at most {worst:.1e}, \
                 at {index:?}"
            );
        }
        if let Some(Alignment { sine, length }) = alignment {
            let degrees = sine.asin().to_degrees();
            return format!(
                "{group} `{name}`: {degrees:.1} degrees from the reference, {length:.3} times as long"
            );
        }
        format!("{group} `{name}`: {difference}")
    }
}

/// The tolerance in units of the tensor that the yardstick belongs to.
fn fixed_at(tol: Tol, yardstick: Option<Yardstick>) -> f64 {
    tol.absolute + tol.relative * yardstick.map_or(0.0, |y| y.size.largest)
}

/// The share of elements outside, for limits that judge a tensor as a whole.
fn all_or_none(passes: bool) -> f64 {
    if passes { 0.0 } else { 1.0 }
}
