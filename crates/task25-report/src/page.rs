//! The report as one page of HTML.
//!
//! Invariant: the page needs nothing but itself. It has no script, and its policy forbids the browser to load
//! or run anything.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::plots::{self, Plot};
use crate::summary::{Summary, times};
use crate::text::{NO_TREND, SHOWN, figures, headline, mark, trend};
use crate::trend::{LAST, slower};
use crate::{Outcome, Report, Test, faults, show};

const STYLE: &str = include_str!("page.css");

/// Returns the report as one page of HTML that needs no other file.
pub fn page(report: &Report) -> String {
    let summary = report.run.summary();
    let sections = [
        ("figures", "Figures", Some(figures_of(&summary))),
        ("failed", "Failed and flaky tests", unhappy(report)),
        ("slowest", "The slowest tests", slowest(report, &summary)),
        ("times", "How long the tests take", distribution(report)),
        ("trend", "Trend", Some(trend_of(report))),
    ];
    let sections: Vec<_> =
        sections.into_iter().filter_map(|(id, title, body)| Some((id, title, body?))).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Test report: " (headline(&summary)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the figures" }
                header {
                    h1 { "Test report" }
                    p.headline { (headline(&summary)) }
                    @if let Some(started) = &report.run.started {
                        p.quiet { "Run of " (show::started(Some(started))) }
                    }
                    nav aria-label="Sections" {
                        @for (id, title, _) in &sections { a href={ "#" (id) } { (title) } }
                    }
                }
                main id="content" tabindex="-1" {
                    @for (id, title, body) in &sections {
                        section id=(id) aria-labelledby={ (id) "-title" } {
                            h2 id={ (id) "-title" } { (title) }
                            (body)
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn figures_of(summary: &Summary) -> Markup {
    html! {
        dl.figures {
            @for (name, value, note) in figures(summary) {
                div {
                    dt { (name) }
                    dd { (value) }
                    @if !note.is_empty() { dd.quiet { (note) } }
                }
            }
        }
    }
}

fn unhappy(report: &Report) -> Option<Markup> {
    let is_unhappy = |test: &&Test| matches!(test.outcome, Outcome::Failed | Outcome::Flaky);
    let tests: Vec<&Test> = report.run.tests.iter().filter(is_unhappy).collect();
    (!tests.is_empty()).then(|| {
        html! { ul.tests { @for test in tests { li { (name(test)) (flag(report, test)) } } } }
    })
}

fn slowest(report: &Report, summary: &Summary) -> Option<Markup> {
    let longest = summary.slowest.first()?.time?.as_secs_f64();
    let percent = |test: &Test| {
        let time = test.time.unwrap_or_default().as_secs_f64();
        if longest > 0.0 { format!("{:.1}%", 100.0 * time / longest) } else { "0%".into() }
    };
    Some(html! {
        ol.slowest {
            @for test in &summary.slowest {
                li {
                    span.time { (show::time_if_known(test.time)) }
                    span.test { (name(test)) (flag(report, test)) }
                    // The time beside it says the same.
                    svg.bar aria-hidden="true" { rect width=(percent(test)) height="100%" {} }
                }
            }
        }
    })
}

fn distribution(report: &Report) -> Option<Markup> {
    let plot = plots::histogram(&times(&report.run.tests))?;
    Some(html! {
        figure {
            (image("times-plot", &plot))
            figcaption { "The scale is logarithmic: the bars end at 1, 2, 5, 10, 20, 50 ms and so on. Tests of less than 1 ms are in the first bar." }
        }
    })
}

fn trend_of(report: &Report) -> Markup {
    let runs = trend(report);
    if runs.len() < 2 {
        return html! { p { (NO_TREND) } };
    }
    let slower = slower(&report.kept, &report.run);
    html! {
        @if let Some(plot) = plots::trend(&runs) {
            figure {
                (image("trend-plot", &plot))
                figcaption {
                    span.key.sum {} "sum of times (solid, dots) "
                    span.key.wall {} "wall time (dashed, triangles). Compare only runs of the same tests: the table has their number."
                }
            }
        }
        div.scroll tabindex="0" role="region" aria-label="Figures of the last runs" {
            table {
                caption { "The last " (runs.len()) " runs, the latest at the top" }
                thead {
                    tr {
                        @for column in ["run", "tests", "failed", "wall", "sum", "median", "P95"] { th scope="col" { (column) } }
                    }
                }
                tbody {
                    @for (run, it) in runs.iter().rev().map(|run| (run, run.summary())) {
                        tr {
                            th scope="row" { (show::started(run.started.as_deref())) }
                            td { (it.tests) }
                            td { (it.failed) }
                            td { (show::time_if_known(it.wall)) }
                            td { (show::time(it.busy)) }
                            td { (show::time_if_known(it.median)) }
                            td { (show::time_if_known(it.p95)) }
                        }
                    }
                }
            }
        }
        h3 { "Tests that became slower" }
        p {
            (slower.len()) " of " (report.run.tests.len()) ", against the median of their times in the last " (LAST) " kept runs."
            @if slower.len() > SHOWN { " The " (SHOWN) " that lost most:" }
        }
        ul.tests {
            @for test in slower.iter().take(SHOWN) {
                li {
                    span.time { (show::time(test.before)) " → " (show::time(test.now)) }
                    " " (escaped(&show::label(&test.suite, &test.name)))
                }
            }
        }
    }
}

fn name(test: &Test) -> Markup {
    escaped(&show::label_of(test))
}

fn flag(report: &Report, test: &Test) -> Markup {
    html! { strong { (mark(report, test)) } }
}

/// Maud escapes every text. Only a fault goes round it.
fn escaped(text: &str) -> Markup {
    match faults::written(text) {
        Some(written) => PreEscaped(written),
        None => html! { (faults::given(text)) },
    }
}

/// The plot as an image with a description, for a reader who does not see it.
fn image(id: &str, plot: &Plot) -> Markup {
    html! {
        svg.plot viewBox=(plots::view_box()) role="img" aria-labelledby={ (id) "-alt" } {
            title id={ (id) "-alt" } { (plot.alt) }
            (PreEscaped(&plot.svg))
        }
    }
}
