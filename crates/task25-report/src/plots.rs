//! The plots of the page, as SVG.
//!
//! The library writes colours as numbers. Each number below stands for a variable of `page.css`, which has a
//! value for light, for dark and for print.

use std::time::Duration;

use plotters::chart::MeshStyle;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::{Run, show};

const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
const SERIES: RGBColor = RGBColor(3, 3, 3);
const SECOND: RGBColor = RGBColor(4, 4, 4);

/// Narrow, because a phone shows it at 350 pixels: the letters stay readable.
const SIZE: (u32, u32) = (480, 270);
/// The library divides by 1.24: in the SVG this is 16, and on a phone 12.
const LETTERS: f64 = 20.0;

/// A plot, and what it shows in words.
pub(crate) struct Plot {
    /// The content of an `<svg>` element.
    pub(crate) svg: String,
    /// For somebody who does not see it.
    pub(crate) alt: String,
}

/// The attribute `viewBox` of all plots.
pub(crate) fn view_box() -> String {
    format!("0 0 {} {}", SIZE.0, SIZE.1)
}

/// How many tests took how long. The times are sorted.
pub(crate) fn histogram(times: &[Duration]) -> Option<Plot> {
    let (first, last) = (times.first()?, times.last()?);
    let bins = bins(times);
    let most = bins.iter().max_by_key(|bin| bin.tests)?;
    let svg = drawn(|area| {
        let (from, to) = (bins.first()?.from, bins.last()?.to);
        // A single bin would be all of the plot.
        let x = (from / 2.0..to * 2.0).log_scale();
        let top = u32::try_from(most.tests).ok()?;
        let mut chart = frame(area, x, 0..top + top / 10 + 1)?;
        let mut mesh = chart.configure_mesh();
        mesh.x_label_formatter(&|millis| tick(*millis)).x_desc("time of a test");
        mesh.y_desc("tests").disable_x_mesh();
        grid(&mut mesh, 6);
        mesh.draw().ok()?;
        let bars = bins.iter().map(|bin| {
            let height = u32::try_from(bin.tests).unwrap_or(u32::MAX);
            let corners = [(bin.from * 1.04, 0), (bin.to / 1.04, height)];
            Rectangle::new(corners, SERIES.filled())
        });
        chart.draw_series(bars).ok().map(drop)
    })?;
    let alt = format!(
        "Histogram of {} test times, from {} to {}. Most of them, {}, took between {} and {}.",
        times.len(),
        show::time(*first),
        show::time(*last),
        most.tests,
        tick(most.from),
        tick(most.to),
    );
    Some(Plot { svg, alt })
}

/// The wall time and the sum of times of runs, the oldest first.
pub(crate) fn trend(runs: &[&Run]) -> Option<Plot> {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let summaries: Vec<_> = runs.iter().map(|run| run.summary()).collect();
    let line = |value: &dyn Fn(usize) -> Option<f64>| -> Vec<(i32, f64)> {
        let points =
            (0..runs.len()).filter_map(|at| Some((i32::try_from(at).ok()? + 1, value(at)?)));
        points.collect()
    };
    let sum = line(&|at| Some(summaries[at].busy.as_secs_f64()));
    let wall = line(&|at| seconds(summaries[at].wall));
    let top = sum.iter().chain(&wall).map(|point| point.1).fold(0.001, f64::max);
    let svg = drawn(|area| {
        let runs = i32::try_from(runs.len()).ok()?;
        let mut chart = frame(area, 1..runs.max(2), 0.0..top * 1.1)?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc("runs, the latest at the right").disable_x_mesh();
        mesh.y_label_formatter(&|seconds| show::time(Duration::from_secs_f64(seconds.max(0.0))));
        mesh.x_labels(usize::try_from(runs.min(10)).ok()?);
        grid(&mut mesh, 5);
        mesh.draw().ok()?;
        chart.draw_series(LineSeries::new(sum.iter().copied(), SERIES.stroke_width(3))).ok()?;
        chart.draw_series(sum.iter().map(|at| Circle::new(*at, 4, SERIES.filled()))).ok()?;
        let dashes = DashedLineSeries::new(wall.iter().copied(), 8, 5, SECOND.stroke_width(3));
        chart.draw_series(dashes).ok()?;
        let squares = wall.iter().map(|at| TriangleMarker::new(*at, 5, SECOND.filled()));
        chart.draw_series(squares).ok().map(drop)
    })?;
    let (first, last) = (summaries.first()?, summaries.last()?);
    let alt = format!(
        "Trend of {} runs. The sum of times went from {} to {}, the wall time from {} to {}.",
        runs.len(),
        show::time(first.busy),
        show::time(last.busy),
        show::time_if_known(first.wall),
        show::time_if_known(last.wall),
    );
    Some(Plot { svg, alt })
}

struct Bin {
    from: f64,
    to: f64,
    tests: usize,
}

/// Bins that end at 1, 2, 5, 10, … milliseconds.
fn bins(times: &[Duration]) -> Vec<Bin> {
    let decades = (0..8).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
    let edges: Vec<f64> = [0.5].into_iter().chain(decades).collect(); // a logarithm has no zero
    let mut bins: Vec<Bin> =
        edges.windows(2).map(|pair| Bin { from: pair[0], to: pair[1], tests: 0 }).collect();
    for time in times {
        let millis = time.as_secs_f64() * 1000.0;
        let at = bins.iter().position(|bin| millis < bin.to).unwrap_or(bins.len() - 1);
        bins[at].tests += 1;
    }
    let used = |bin: &Bin| bin.tests > 0;
    let first = bins.iter().position(used).unwrap_or(0);
    let last = bins.iter().rposition(used).map_or(0, |last| last + 1);
    bins.drain(first..last).collect()
}

/// The label of an edge: `5 ms`, `20 s`.
fn tick(millis: f64) -> String {
    match millis {
        ..1.0 => "0 ms".into(),
        ..1000.0 => format!("{} ms", millis.round()),
        ..60_000.0 => format!("{} s", (millis / 1000.0).round()),
        _ => format!("{} min", (millis / 60_000.0).round()),
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Chart<'a, 'b, X, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, Y>>;

/// Draws and returns what is inside the library's `<svg>` element: the page has an element of its own.
fn drawn(draw: impl FnOnce(&Area<'_>) -> Option<()>) -> Option<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area)?;
        area.present().ok()?;
    }
    let inside = svg.split_once("<svg ")?.1.split_once('>')?.1;
    Some(inside.rsplit_once("</svg>")?.0.to_owned())
}

fn frame<'a, 'b, X: AsRangedCoord, Y: AsRangedCoord>(
    area: &'a Area<'b>,
    x: X,
    y: Y,
) -> Option<Chart<'a, 'b, X::CoordDescType, Y::CoordDescType>> {
    let mut chart = ChartBuilder::on(area);
    chart.margin(8).margin_right(18).x_label_area_size(46).y_label_area_size(68);
    chart.build_cartesian_2d(x, y).ok()
}

fn grid<X, Y>(mesh: &mut MeshStyle<'_, '_, X, Y, SVGBackend<'_>>, y_labels: usize)
where
    X: Ranged + ValueFormatter<X::ValueType>,
    Y: Ranged + ValueFormatter<Y::ValueType>,
{
    let letters = ("sans-serif", LETTERS).into_font().color(&INK);
    mesh.label_style(letters.clone()).axis_desc_style(letters).y_labels(y_labels);
    mesh.axis_style(INK).bold_line_style(GRID).light_line_style(TRANSPARENT);
}
