//! What became of the workloads, or would.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use mora_apply::{Preview, Report, Undone};

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

fn of_wave(wave: Option<u32>) -> String {
    wave.map_or_else(|| "-".to_owned(), |wave| wave.to_string())
}

/// A row for each workload, in the order of changes.
pub(super) fn of_report(report: &Report) -> String {
    let mut table = table(["wave", "workload", "mode", "outcome", "detail"]);
    for one in &report.workloads {
        let (mode, outcome) = (one.mode.to_string(), one.outcome.to_string());
        let row = [of_wave(one.wave), one.workload.to_string(), mode, outcome, one.detail.clone()];
        table.add_row(row);
    }
    format!("plan {}\n{table}\n", report.plan)
}

/// A row for each workload that has a mode and something to change.
pub(super) fn of_previews(previews: &[Preview]) -> String {
    let mut table = table(["wave", "workload", "mode", "would be", "detail"]);
    for one in previews {
        let (would, detail) = match &one.left {
            Some(reason) => ("left_alone", reason.as_str()),
            None if one.diff.is_empty() => ("unchanged", "it has that already"),
            None => ("applied", "as shown above"),
        };
        let (workload, mode) = (one.workload.to_string(), one.mode.to_string());
        table.add_row([of_wave(one.wave), workload, mode, would.to_owned(), detail.to_owned()]);
    }
    format!("{table}\n")
}

/// A row for each change that was to be undone.
pub(crate) fn of_undone(plan: &str, undone: &[Undone]) -> String {
    let mut table = table(["workload", "what", "outcome", "detail"]);
    for one in undone {
        let outcome = match one.outcome {
            mora_apply::Outcome::Applied => "undone".to_owned(),
            other => other.to_string(),
        };
        let row = [one.workload.to_string(), one.what.clone(), outcome, one.detail.clone()];
        table.add_row(row);
    }
    format!("plan {plan}\n{table}\n")
}
