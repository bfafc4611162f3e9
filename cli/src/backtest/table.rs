//! The result as a table for people, and as CSV.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use mora_backtest::{
    AtMargin, MethodReport, Quantiles, Relative, Report, Requests, SeriesMethod, SeriesReport,
    SetReport,
};

/// The columns of a summary, and what they mean.
pub(super) const SUMMARY: [(&str, &str); 10] = [
    ("method", "what sets the requests"),
    ("O", "requested per used, with one safety margin for the set that was found on earlier days"),
    ("U", "share of samples above the request, with that margin"),
    ("margin", "that margin"),
    (
        "O hindsight",
        "O with the margin that keeps to the risk on the judged days: cost at equal risk",
    ),
    ("O default", "O without a margin"),
    ("U default", "U without a margin"),
    ("pinball", "loss of the 0.9, 0.95 and 0.99 quantiles, relative to seasonal-naive"),
    ("MASE", "error of the median, relative to seasonal-naive"),
    ("coverage", "share of slots that stay at or below the 0.95 quantile"),
];

/// The tables of all sets; with `per_series`, those of their series too.
pub(super) fn table(report: &Report, per_series: bool) -> String {
    let mut text = String::new();
    for set in &report.sets {
        text += &format!("{}\n{}\n", headline(set), summary(set, report));
        if per_series {
            text += &format!("{}\n", series_table(set));
        }
    }
    text
}

/// A set in a sentence.
pub(super) fn headline(set: &SetReport) -> String {
    let days = |of: fn(&SeriesReport) -> usize| set.series.iter().map(of).sum::<usize>();
    format!(
        "{}: {} series, {} judged days after {} days on which the margins were found",
        set.set,
        set.series.len(),
        days(|s| s.judged_days),
        days(|s| s.validation_days)
    )
}

fn framed(header: &[String]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

fn add(table: &mut Table, cells: &[String], texts: usize) {
    let cell = |(index, text): (usize, &String)| {
        let alignment = if index < texts { CellAlignment::Left } else { CellAlignment::Right };
        Cell::new(text).set_alignment(alignment)
    };
    table.add_row(cells.iter().enumerate().map(cell));
}

fn summary(set: &SetReport, report: &Report) -> String {
    let risk = format!("O at U ≤ {}", percent(report.options.risk));
    let name = |(name, _): (&str, &str)| if name == "O" { risk.clone() } else { name.to_owned() };
    let mut table = framed(&SUMMARY.map(name));
    for method in &set.methods {
        add(&mut table, &summary_cells(method), 1);
    }
    table.to_string()
}

/// The cells of a summary row, as [`SUMMARY`] names them.
pub(super) fn summary_cells(method: &MethodReport) -> [String; SUMMARY.len()] {
    let relative =
        |of: fn(&Relative) -> Option<f64>| number(method.relative.as_ref().and_then(of), 3);
    let coverage = method.quantiles.as_ref().map(|q| q.coverage_95);
    let calibrated = |of: fn(&AtMargin) -> f64| method.calibrated.as_ref().map(of);
    [
        method.method.to_string(),
        number(calibrated(|at| at.over), 2),
        share(calibrated(|at| at.under)),
        number(calibrated(|at| at.margin), 2),
        number(method.hindsight.map(|at| at.over), 2),
        number(Some(method.defaults.over), 2),
        share(Some(method.defaults.under)),
        relative(|r| r.pinball),
        relative(|r| r.mase),
        number(coverage, 3),
    ]
}

/// The columns of a table of series.
pub(super) const SERIES: [&str; 10] = [
    "series",
    "method",
    "O",
    "U",
    "O hindsight",
    "O default",
    "U default",
    "peak error",
    "pinball",
    "coverage",
];

fn series_table(set: &SetReport) -> String {
    let mut table = framed(&SERIES.map(str::to_owned));
    for series in &set.series {
        for method in &series.methods {
            add(&mut table, &series_cells(series, method), 2);
        }
    }
    table.to_string()
}

/// The cells of a series' row, as [`SERIES`] names them.
pub(super) fn series_cells(series: &SeriesReport, method: &SeriesMethod) -> [String; SERIES.len()] {
    let quantile = |of: fn(&Quantiles) -> f64| number(method.quantiles.as_ref().map(of), 3);
    [
        series.series.clone(),
        method.method.to_string(),
        number(method.calibrated.map(|at| at.over), 2),
        share(method.calibrated.map(|at| at.under)),
        number(method.hindsight.map(|at| at.over), 2),
        number(Some(method.defaults.over), 2),
        share(Some(method.defaults.under)),
        number(Some(method.defaults.peak_error), 2),
        quantile(|q| q.pinball),
        quantile(|q| q.coverage_95),
    ]
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

fn share(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{:.2} %", 100.0 * value))
}

/// A share as a short text.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}

const CSV_HEADER: [&str; 36] = [
    "set",
    "series",
    "method",
    "validation_days",
    "judged_days",
    "sample_seconds",
    "mean_usage",
    "over",
    "under",
    "under_days",
    "short",
    "peak_error",
    "changes_per_day",
    "moved_per_day",
    "margin",
    "over_at_margin",
    "under_at_margin",
    "hindsight_margin",
    "over_in_hindsight",
    "under_in_hindsight",
    "own_margin",
    "over_at_own_margin",
    "under_at_own_margin",
    "own_hindsight_margin",
    "over_in_own_hindsight",
    "pinball",
    "pinball_90",
    "pinball_95",
    "pinball_99",
    "coverage_50",
    "coverage_90",
    "coverage_95",
    "coverage_99",
    "mase",
    "fit_seconds",
    "forecast_seconds",
];

/// One line per series and method; a score that does not exist is empty.
pub(super) fn csv(report: &Report) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(CSV_HEADER)?;
    for set in &report.sets {
        for series in &set.series {
            for method in &series.methods {
                writer.write_record(csv_cells(set, series, method))?;
            }
        }
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn csv_cells(set: &SetReport, series: &SeriesReport, method: &SeriesMethod) -> Vec<String> {
    let mut cells = vec![set.set.clone(), series.series.clone(), method.method.to_string()];
    cells.extend([series.validation_days, series.judged_days].map(|days| days.to_string()));
    cells.push(series.sample_seconds.to_string());
    let mut numbers = vec![Some(series.mean_usage)];
    numbers.extend(of_requests(&method.defaults).map(Some));
    numbers.extend(of_margin(method.calibrated));
    numbers.extend(of_margin(method.hindsight));
    numbers.extend(of_margin(method.own_calibrated));
    numbers.extend(&of_margin(method.own_hindsight)[..2]);
    numbers.extend(of_quantiles(method.quantiles.as_ref()));
    numbers.extend([method.fit_seconds, method.forecast_seconds].map(Some));
    cells.extend(numbers.iter().map(|n| n.map_or_else(String::new, |n| n.to_string())));
    cells
}

fn of_requests(scores: &Requests) -> [f64; 7] {
    [
        scores.over,
        scores.under,
        scores.under_days,
        scores.short,
        scores.peak_error,
        scores.changes_per_day,
        scores.moved_per_day,
    ]
}

fn of_margin(at: Option<AtMargin>) -> [Option<f64>; 3] {
    [at.map(|at| at.margin), at.map(|at| at.over), at.map(|at| at.under)]
}

fn of_quantiles(scores: Option<&Quantiles>) -> [Option<f64>; 9] {
    let of = |field: fn(&Quantiles) -> f64| scores.map(field);
    [
        of(|q| q.pinball),
        of(|q| q.pinball_90),
        of(|q| q.pinball_95),
        of(|q| q.pinball_99),
        of(|q| q.coverage_50),
        of(|q| q.coverage_90),
        of(|q| q.coverage_95),
        of(|q| q.coverage_99),
        scores.and_then(|q| q.mase),
    ]
}
