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
