//! The result as one HTML page: no network, light and dark.

use std::path::PathBuf;

use mora_backtest::{AtMargin, MethodReport, Options, Report, SeriesMethod, SetReport};

use super::table::{SERIES, SUMMARY, headline, percent, series_cells, summary_cells};
use crate::report::{STYLE, escape};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 20.0;
const ROW: f64 = 22.0;
const TOP: f64 = 26.0;
const TICKS: [f64; 12] = [0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0, 50.0, 100.0, 1000.0];

const OWN_STYLE: &str = "td:nth-child(7) { text-align: right; } .series td:nth-child(2), .series th:nth-child(2) { text-align: left; }
.each { fill: var(--history); opacity: 0.45; } .hindsight { fill: none; stroke: var(--median); stroke-width: 2; }
.calibrated { fill: var(--request); } dt { font-weight: 600; float: left; clear: left; width: 8rem; } dd { margin: 0 0 0.2rem 9rem; }";

/// The whole page, about the files at `data`.
pub(super) fn page(report: &Report, data: &[PathBuf]) -> String {
    let files: Vec<String> = data.iter().map(|path| path.display().to_string()).collect();
    let mut page =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    page +=
        &format!("<title>Back-test</title>\n<style>{STYLE}{OWN_STYLE}</style>\n</head>\n<body>\n");
    page += &format!("<h1>Back-test</h1>\n<p>{}</p>\n", escape(&files.join(", ")));
    page += &format!("<p>{}</p>\n", escape(&setting(&report.options)));
    for set in &report.sets {
        page += &section(set, &report.options);
    }
    page += &glossary(report);
    page += "</body>\n</html>\n";
    page
}

fn setting(options: &Options) -> String {
    format!(
        "Requests for the next 24 h, made every midnight (UTC) from at least {} and at most {} days of history. A request holds for {} min, \
         a sample is the largest value in {} min. O is requested divided by used; U is the share of samples above the request.",
        options.history_days,
        options.lookback_days,
        options.slot.seconds() / 60,
        options.sample.seconds() / 60
    )
}

fn section(set: &SetReport, options: &Options) -> String {
    let mut text = format!("<h2>{}</h2>\n<p>{}.</p>\n", escape(&set.set), escape(&headline(set)));
    text += &format!(
        "<p>O at U ≤ {}: a filled dot with the margin found on earlier days, a ring with the margin found in hindsight, \
         small dots each series in hindsight. Further left is cheaper.</p>\n",
        percent(options.risk)
    );
    text += &plot(set);
    let head = SUMMARY.map(|(name, _)| name);
    let rows = set.methods.iter().map(|method| row(&summary_cells(method))).collect::<String>();
    text += &html_table("", &head, &rows);
    let of_series = |series| move |method| row(&series_cells(series, method));
    let rows: String =
        set.series.iter().flat_map(|series| series.methods.iter().map(of_series(series))).collect();
    text += &format!(
        "<details><summary>Every series</summary>\n{}</details>\n",
        html_table("series", &SERIES, &rows)
    );
    text
}

fn html_table(class: &str, head: &[&str], rows: &str) -> String {
    let head: String = head.iter().map(|name| format!("<th>{}</th>", escape(name))).collect();
    format!(
        "<table class=\"{class}\">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn row(cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
    format!("<tr>{cells}</tr>\n")
}

fn glossary(report: &Report) -> String {
    let entry =
        |name: &str, text: &str| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(text));
    let columns: String = SUMMARY.iter().map(|(name, text)| entry(name, text)).collect();
    let methods = report.sets.first().map_or(&[][..], |set| &set.methods);
    let methods: String = methods.iter().map(|m| entry(m.method.as_str(), m.about)).collect();
    format!("<h2>Columns</h2>\n<dl>\n{columns}</dl>\n<h2>Methods</h2>\n<dl>\n{methods}</dl>\n")
}

/// A logarithmic axis of O.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// An axis that holds every one of `values`, and 1.
    fn over(values: &[f64]) -> Self {
        let positive = || values.iter().copied().filter(|value| *value > 0.0);
        let (low, high) = (positive().fold(1.0, f64::min), positive().fold(2.0, f64::max));
        Self { low: low / 1.05, high: high * 1.05 }
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value.max(self.low) / self.low).ln() / (self.high / self.low).ln();
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn grid(&self, bottom: f64) -> String {
        let seen = TICKS.iter().filter(|tick| (self.low..=self.high).contains(tick));
        seen.map(|tick| {
            let x = self.x(*tick);
            format!("<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom:.0}\"/><text x=\"{x:.1}\" y=\"16\" text-anchor=\"middle\">{tick}</text>")
        })
        .collect()
    }
}

fn plot(set: &SetReport) -> String {
    let each = |method: &MethodReport| -> Vec<f64> {
        let of_series = set.series.iter().flat_map(|series| &series.methods);
        let same = of_series.filter(|other: &&SeriesMethod| other.method == method.method);
        same.filter_map(|scores| over(scores.hindsight)).collect()
    };
    let mut all: Vec<f64> = set.methods.iter().flat_map(each).collect();
    all.extend(set.methods.iter().filter_map(|method| over(method.calibrated)));
    let axis = Axis::over(&all);
    let bottom = TOP + ROW * set.methods.len() as f64;
    let dot = |class: &str, radius: f64, y: f64, value: f64| {
        format!(
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>",
            axis.x(value)
        )
    };
    let rows: String = set
        .methods
        .iter()
        .enumerate()
        .map(|(index, method)| {
            let y = TOP + ROW * (index as f64 + 0.5);
            let mut row = format!(
                "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 10.0,
                y + 4.0,
                method.method
            );
            row.extend(each(method).iter().map(|value| dot("each", 3.0, y, *value)));
            row.extend(over(method.hindsight).map(|value| dot("hindsight", 6.0, y, value)));
            row.extend(over(method.calibrated).map(|value| dot("calibrated", 4.0, y, value)));
            row
        })
        .collect();
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"O of every method\">{}{rows}</svg>\n",
        bottom + 4.0,
        axis.grid(bottom)
    )
}

fn over(at: Option<AtMargin>) -> Option<f64> {
    at.map(|at| at.over)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_holds_what_is_drawn() {
        let axis = Axis::over(&[1.2, 4.0, 0.0]);
        assert!(axis.x(1.0) > LEFT && axis.x(4.0) < WIDTH - RIGHT);
        assert!((axis.x(0.0) - LEFT).abs() < 1e-9);
        assert_eq!(axis.grid(100.0).matches("<line").count(), 4, "1, 1.5, 2 and 3");
    }
}
