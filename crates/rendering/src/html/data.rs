//! What the script makes the details of a row from.

use mora_core::{Bytes, Millicores};
use mora_scan::{Change, Row, ScanReport};
use serde::Serialize;

use super::series::{Compact, compact};
use crate::RenderError;
use crate::text::{self, Amount, is_unchanged, percent};

const MEBIBYTE: f64 = 1_048_576.0;

#[derive(Serialize)]
struct Details {
    /// Names and values of what the table does not show.
    facts: Vec<(&'static str, String)>,
    notes: Vec<String>,
    /// In cores.
    cpu: Plot,
    /// In MiB.
    memory: Plot,
}

#[derive(Serialize)]
struct Plot {
    now: Option<f64>,
    next: Option<f64>,
    history: Option<Compact>,
    forecast: Option<Compact>,
}

/// The details of each row in order, as JSON that can stand in a script element: nothing in it can end that, or begin a comment.
pub(super) fn data(report: &ScanReport) -> Result<String, RenderError> {
    let details: Vec<Details> = report.rows.iter().map(|row| details(report, row)).collect();
    let json = serde_json::to_string(&details)?;
    Ok(json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
}

fn details(report: &ScanReport, row: &Row) -> Details {
    let history = report.histories.get(&row.key()).cloned().unwrap_or_default();
    let cpu = |quantity: Option<Millicores>| quantity.map(Millicores::cores);
    let memory = |quantity: Option<Bytes>| quantity.map(|bytes| bytes.get() as f64 / MEBIBYTE);
    Details {
        facts: facts(row),
        notes: row.notes.clone(),
        cpu: Plot {
            now: cpu(row.cpu.request.current),
            next: cpu(row.cpu.request.recommended.value()),
            history: compact(&history.cpu, 1.0),
            forecast: compact(&history.cpu_forecast, 1.0),
        },
        memory: Plot {
            now: memory(row.memory.request.current),
            next: memory(row.memory.request.recommended.value()),
            history: compact(&history.memory, MEBIBYTE),
            forecast: compact(&history.memory_forecast, MEBIBYTE),
        },
    }
}

fn facts(row: &Row) -> Vec<(&'static str, String)> {
    let confidence = &row.confidence;
    let pods = text::counted(confidence.pods as usize, "pod", "pods");
    let observed = (confidence.observed_hours * 10.0).round() / 10.0;
    let mut facts = vec![
        ("CPU limit", changed(row.cpu.limit)),
        ("Memory limit", changed(row.memory.limit)),
        ("Strategy", row.strategy.clone()),
        ("Confidence", confidence.level.as_str().to_owned()),
        ("Observed", format!("{observed} of {} h, {pods}", confidence.lookback_hours)),
    ];
    if let Some(coverage) = confidence.coverage {
        let origins = confidence.origins.map(|n| format!(" of {n} back-tests")).unwrap_or_default();
        facts.push(("Coverage", format!("{coverage:.3}{origins}")));
    }
    if row.autoscaler.is_some() {
        facts.push(("Autoscaler", text::autoscaler(row)));
    }
    facts
}

fn changed<Q: Amount>(change: Change<Q>) -> String {
    let [now, next] = text::pair(change);
    match percent(change.change_percent) {
        _ if is_unchanged(change) => now,
        percent if percent.is_empty() => format!("{now} → {next}"),
        percent => format!("{now} → {next} ({percent})"),
    }
}
