//! `hrm runs --plot`: the curves of some runs, as a picture.

use plotters::prelude::*;

/// The curves of one run.
pub(super) struct Curves {
    pub(super) name: String,
    /// Steps and losses.
    pub(super) loss: Vec<(f64, f64)>,
    /// Steps and exact accuracies, of validation if there is one, else of the test
    /// set.
    pub(super) exact: Vec<(f64, f64)>,
}

const SIZE: (u32, u32) = (760, 560);
const FONT: (&str, u32) = ("sans-serif", 15);

/// Maximum number of points of a curve: more would not be visible.
const N_POINTS: usize = 300;

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
        let lines = |of: fn(&Curves) -> &[(f64, f64)]| -> Vec<_> {
            runs.iter().map(|run| (run.name.as_str(), of(run))).collect()
        };
        let highest = runs.iter().flat_map(|run| &run.loss).map(|point| point.1);
        let highest = highest.fold(0.0, f64::max).max(1e-9);
        panel(&above, "loss", highest, &lines(|run| &run.loss))?;
        panel(&below, "exact", 1.0, &lines(|run| &run.exact))?;
        area.present()?;
    }
    Ok(svg)
}

/// One panel: a curve of each run, from 0 to `highest`.
fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    what: &str,
    highest: f64,
    lines: &[(&str, &[(f64, f64)])],
) -> anyhow::Result<()> {
    let steps = lines.iter().flat_map(|(_, points)| points.iter()).map(|point| point.0);
    let n_steps = steps.fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..n_steps, 0.0..highest)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_desc("step")
        .y_desc(what)
        .label_style(FONT)
        .axis_desc_style(FONT)
        .draw()?;
    for (idx, (name, points)) in lines.iter().enumerate() {
        let colour = Palette99::pick(idx).to_rgba();
        let every = points.len().div_ceil(N_POINTS).max(1);
        let shown = points.iter().step_by(every).copied();
        if let [only] = points {
            // A line needs two points.
            chart.draw_series([Circle::new(*only, 4, colour.filled())])?;
        }
        chart
            .draw_series(LineSeries::new(shown, colour.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    let mut legend = chart.configure_series_labels();
    legend.label_font(FONT).background_style(WHITE.mix(0.8)).draw()?;
    Ok(())
}
