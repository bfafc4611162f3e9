//! One line for each container, as RFC 4180 has it.

use mora_core::{Bytes, Millicores};
use mora_scan::{Change, Proposed, Row, ScanReport};

use crate::RenderError;

const HEAD: [&str; 33] = [
    "cluster",
    "namespace",
    "kind",
    "workload",
    "container",
    "role",
    "replicas",
    "severity",
    "cpu_request_millicores",
    "cpu_request_recommended_millicores",
    "cpu_request_change_percent",
    "memory_request_bytes",
    "memory_request_recommended_bytes",
    "memory_request_change_percent",
    "cpu_limit_millicores",
    "cpu_limit_recommended_millicores",
    "cpu_limit_change_percent",
    "memory_limit_bytes",
    "memory_limit_recommended_bytes",
    "memory_limit_change_percent",
    "cost_month",
    "cost_month_recommended",
    "currency",
    "autoscaler_min_replicas",
    "autoscaler_max_replicas",
    "autoscaler_cpu_percent",
    "strategy",
    "confidence",
    "observed_hours",
    "lookback_hours",
    "observed_pods",
    "coverage",
    "notes",
];

/// The rows as CSV, lines ending as RFC 4180 says. Quantities are numbers in the unit of their heading, so that a sheet can
/// calculate; one that is not set is empty, one to be removed `unset`, one of which nothing can be said `unknown`.
pub(crate) fn csv(report: &ScanReport) -> Result<String, RenderError> {
    let mut writer =
        ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(HEAD)?;
    for row in &report.rows {
        writer.write_record(fields(row, &report.summary.currency))?;
    }
    let bytes = writer.into_inner().map_err(|error| ::csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn fields(row: &Row, currency: &str) -> Vec<String> {
    let money = |amount: Option<f64>| amount.map(|a| format!("{a:.2}")).unwrap_or_default();
    let whole = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
    let identity = [
        harmless(row.cluster.as_deref().unwrap_or_default()),
        harmless(&row.namespace),
        harmless(row.kind.as_str()),
        harmless(&row.name),
        harmless(&row.container),
        row.role.as_str().to_owned(),
        row.replicas.to_string(),
        row.severity.to_string(),
    ];
    let amounts = [
        change(row.cpu.request, Millicores::get),
        change(row.memory.request, Bytes::get),
        change(row.cpu.limit, Millicores::get),
        change(row.memory.limit, Bytes::get),
    ];
    let scaled = row.autoscaler;
    let confidence = &row.confidence;
    let rest = [
        money(row.cost.current),
        money(row.cost.recommended),
        harmless(currency),
        whole(scaled.map(|a| a.min_replicas)),
        whole(scaled.map(|a| a.max_replicas)),
        whole(scaled.and_then(|a| a.cpu_percent)),
        harmless(&row.strategy),
        confidence.level.as_str().to_owned(),
        confidence.observed_hours.to_string(),
        confidence.lookback_hours.to_string(),
        confidence.pods.to_string(),
        confidence.coverage.map(|c| c.to_string()).unwrap_or_default(),
        harmless(&row.notes.join(" ")),
    ];
    identity.into_iter().chain(amounts.into_iter().flatten()).chain(rest).collect()
}

/// What is set, what is proposed, and the change in percent.
fn change<Q: Copy>(change: Change<Q>, unit: fn(Q) -> u64) -> [String; 3] {
    let proposed = match change.recommended {
        Proposed::Value(quantity) => unit(quantity).to_string(),
        Proposed::Unset => "unset".to_owned(),
        Proposed::Unknown => "unknown".to_owned(),
    };
    [
        change.current.map(|quantity| unit(quantity).to_string()).unwrap_or_default(),
        proposed,
        change.change_percent.map(|percent| format!("{percent:.1}")).unwrap_or_default(),
    ]
}

/// The text so that no spreadsheet takes it for a formula: an apostrophe before what would start one makes it a text.
fn harmless(text: &str) -> String {
    let starts = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if starts { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_line_has_every_field_and_reads_back_as_it_was() {
        let report = sample::every_case();
        let text = csv(&report).unwrap();
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let records: Vec<_> = reader.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), report.rows.len());
        for (record, row) in records.iter().zip(&report.rows) {
            assert_eq!(record.len(), HEAD.len());
            assert_eq!(&record[3], row.name);
            assert_eq!(record[32], row.notes.join(" "));
        }
    }

    #[test]
    fn no_text_starts_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
        assert_eq!(harmless("cart-1"), "cart-1");
    }
}
