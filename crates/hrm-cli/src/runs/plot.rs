//! `hrm runs --plot`: the curves of some runs, as a picture.

use plotters::prelude::*;

/// The curves of one run.
pub(super) struct Curves {
    pub(super) name: String,
    /// Steps and losses.
    pub(super) loss: Vec<(f64, f64)>,
    /// Steps and exact accuracies in validation.
    pub(super) validation: Vec<(f64, f64)>,
    /// Steps and exact accuracies on the test set.
    pub(super) test: Vec<(f64, f64)>,
}

const SIZE: (u32, u32) = (760, 560);
const FONT: (&str, u32) = ("sans-serif", 15);

/// Colours of the runs, which people with any colour vision can tell apart.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(90, 90, 90),
    RGBColor(230, 159, 0),
];

/// Maximum number of points of a curve: more would not be visible.
const N_POINTS: usize = 300;

/// Curves with no more points than this have a mark at each.
const N_MARKS: usize = 40;

/// How the values of a panel are drawn.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    /// A line.
    Line,
    /// A line with a dot at each value.
    Dots,
    /// A circle for each value.
    Circles,
}

/// Values by step, and how they are drawn.
type Series<'a> = (Mark, &'a [(f64, f64)]);

/// Renders SVG: loss above, exact accuracy below, one colour per run.
///
/// # Errors
///
/// If the picture cannot be laid out.
pub(super) fn render(runs: &[Curves]) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let [above, below]: [_; 2] =
            area.split_evenly((2, 1)).try_into().ok().expect("two rows of one");
        let lines = |of: fn(&Curves) -> Vec<Series<'_>>| -> Vec<_> {
            runs.iter().map(|run| (run.name.as_str(), of(run))).collect()
        };
        let highest = runs.iter().flat_map(|run| &run.loss).map(|point| point.1);
        let highest = highest.fold(0.0, f64::max).max(1e-9);
        panel(&above, "training loss", highest, &lines(|run| vec![(Mark::Line, &run.loss)]))?;
        let accuracies: fn(&Curves) -> Vec<Series<'_>> =
            |run| vec![(Mark::Dots, &run.validation), (Mark::Circles, &run.test)];
        let has = |of: fn(&Curves) -> &[(f64, f64)]| runs.iter().any(|run| !of(run).is_empty());
        let what = match (has(|run| &run.validation), has(|run| &run.test)) {
            (true, true) => "exact (line: validation, circle: test)",
            (true, false) => "exact in validation",
            (false, _) => "exact on the test set",
        };
        panel(&below, what, 1.0, &lines(accuracies))?;
        area.present()?;
    }
    Ok(svg)
}

/// One panel: the values of each run, from 0 to `highest`.
fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    what: &str,
    highest: f64,
    runs: &[(&str, Vec<Series<'_>>)],
) -> anyhow::Result<()> {
    let all = runs.iter().flat_map(|(_, series)| series).flat_map(|(_, points)| points.iter());
    let n_steps = all.map(|point| point.0).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        // The label of the last step is centred on the end of the axis.
        .margin_right(36)
        .x_label_area_size(32)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..n_steps, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|step| format!("{step:.0}"))
        .x_desc("step")
        .y_desc(what)
        .label_style(FONT)
        .axis_desc_style(FONT)
        .draw()?;
    for (run_idx, (name, series)) in runs.iter().enumerate() {
        let colour = COLOURS[run_idx % COLOURS.len()];
        for (mark, points) in series {
            let every = points.len().div_ceil(N_POINTS).max(1);
            let shown = || points.iter().step_by(every).copied();
            if *mark != Mark::Circles {
                chart.draw_series(LineSeries::new(shown(), colour.stroke_width(2)))?;
            }
            let style =
                if *mark == Mark::Circles { colour.stroke_width(2) } else { colour.filled() };
            let radius = if *mark == Mark::Circles { 6 } else { 3 };
            // A line needs two points.
            if *mark != Mark::Line && points.len() <= N_MARKS || points.len() == 1 {
                chart.draw_series(shown().map(|point| Circle::new(point, radius, style)))?;
            }
        }
        chart
            .draw_series(LineSeries::new(std::iter::empty(), colour.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    let mut legend = chart.configure_series_labels();
    legend.label_font(FONT).background_style(WHITE.mix(0.8)).draw()?;
    Ok(())
}
