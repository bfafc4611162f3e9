//! What became of the cells, as a table.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use mora_experiments::{Attempt, CellOutcome};

const HEADER: [&str; 11] = [
    "scenario",
    "replicas",
    "users",
    "requests/s",
    "errors",
    "p95 ms",
    "CPU cores",
    "varies by",
    "memory MiB",
    "tries",
    "verdict",
];

/// A table of `outcomes` with a row for each, and below it why cells were rejected.
pub(super) fn table(outcomes: &[&CellOutcome]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(HEADER);
    for outcome in outcomes {
        let Some(last) = outcome.attempts.last() else { continue };
        table.add_row(row(outcome, last));
    }
    for index in 1..10 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let rejected = outcomes.iter().filter(|outcome| !outcome.accepted);
    let reasons: String = rejected.map(|outcome| reasons(outcome)).collect();
    format!("{table}\n{reasons}")
}

fn row(outcome: &CellOutcome, last: &Attempt) -> [String; 11] {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    let percent = |value: Option<f64>| {
        value.map_or_else(|| "-".to_owned(), |v| format!("{:.1} %", v * 100.0))
    };
    let (cell, figures, load) = (&outcome.cell, &last.figures, &last.load);
    [
        cell.scenario.clone(),
        cell.replicas.to_string(),
        cell.users.to_string(),
        format!("{:.1}", load.throughput),
        percent(Some(load.error_ratio)),
        format!("{:.0}", load.latency.p95_ms),
        number(figures.cpu_cores, 3),
        percent(figures.cpu_variation),
        number(figures.memory_bytes.map(|bytes| bytes / 1_048_576.0), 1),
        outcome.attempts.len().to_string(),
        if outcome.accepted { "accepted" } else { "rejected" }.to_owned(),
    ]
}

fn reasons(outcome: &CellOutcome) -> String {
    let last = outcome.attempts.last().map(|last| last.reasons.join("; "));
    format!("{} was rejected: {}\n", outcome.cell, last.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use mora_core::{Lookback, Step};
    use mora_experiments::{Cell, Figures, Latency, LoadReport};

    use super::*;

    fn outcome(users: u32, reasons: &[&str]) -> CellOutcome {
        let now = Timestamp::UNIX_EPOCH;
        let load = LoadReport {
            by: "a script".to_owned(),
            started: now,
            ended: now,
            seconds: 30.0,
            samples: 600,
            errors: 3,
            error_ratio: 0.005,
            throughput: 20.0,
            reached: 1.0,
            mean_seconds: 0.01,
            latency: Latency { p50_ms: 8.0, p95_ms: 12.4, p99_ms: 30.0 },
            labels: std::collections::BTreeMap::new(),
        };
        let figures = Figures {
            cpu_cores: Some(0.1234),
            cpu_variation: Some(0.05),
            memory_bytes: Some(3_145_728.0),
            request_rate: None,
        };
        let expected = Lookback { from: now, to: now, step: Step::MINUTE };
        let reasons: Vec<String> = reasons.iter().map(|text| (*text).to_owned()).collect();
        let accepted = reasons.is_empty();
        let notes = Vec::new();
        let attempt = Attempt { started: now, ended: now, expected, load, figures, reasons, notes };
        let cell = Cell { scenario: "browsing".to_owned(), replicas: 2, users };
        let files = std::collections::BTreeMap::new();
        CellOutcome { cell, accepted, attempts: vec![attempt], rows: 1, files }
    }

    #[test]
    fn every_cell_is_a_row_and_a_rejected_one_has_its_reasons_below() {
        let outcomes = [outcome(10, &[]), outcome(50, &["it was too hot", "and too wet"])];
        let text = table(&outcomes.iter().collect::<Vec<_>>());
        let row = text.lines().find(|line| line.contains("accepted")).unwrap();
        for part in ["browsing", "20.0", "0.5 %", "12", "0.123", "5.0 %", "3.0"] {
            assert!(row.contains(part), "no {part} in {row}");
        }
        let last =
            "browsing with 2 replicas and 50 users was rejected: it was too hot; and too wet\n";
        assert!(text.ends_with(last), "{text}");
    }
}
