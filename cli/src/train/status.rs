//! `mora train status`: what a collector has, and where the training of each workload stands.

use std::fmt::Write;

use clap::Args;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use jiff::{SignedDuration, Timestamp};
use mora_collector::{CollectorClient, JobSummary, WorkloadSummary};
use mora_coordinator::Format;
use mora_runtime::Exit;
use serde_json::{Value, json};

use crate::connect::ConnectArguments;
use crate::stdout::print;

/// Options of `mora train status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Address of the collector
    #[arg(long, default_value = "http://127.0.0.1:50062", env = "MORA_COLLECTOR")]
    collector: String,
    #[command(flatten)]
    connect: ConnectArguments,
    /// Only this namespace
    #[arg(long, short, default_value = "")]
    namespace: String,
    /// Output format: table, json or yaml
    #[arg(long, short, default_value_t = Format::Table)]
    output: Format,
}

/// Runs the command.
pub(crate) async fn status(arguments: &StatusArguments) -> anyhow::Result<Exit> {
    let client = CollectorClient::new(&arguments.collector, &arguments.connect.security(None)?)?;
    let workloads = client.workloads(&arguments.namespace).await?;
    anyhow::ensure!(
        !workloads.is_empty(),
        "the collector has nothing of that yet; check --namespace and its log"
    );
    let now = Timestamp::now();
    let value: Vec<Value> = workloads.iter().map(structured).collect();
    print(&crate::models::structured(&value, arguments.output, |_| table(&workloads, now))?)?;
    let rejected = workloads.iter().any(|workload| !workload.faults.is_empty());
    Ok(if rejected { Exit::Degraded } else { Exit::Success })
}

fn structured(workload: &WorkloadSummary) -> Value {
    let signals = workload.signals.iter().map(|signal| {
        json!({
            "signal": signal.signal.as_str(),
            "completeness": signal.completeness,
            "gaps": signal.gaps,
        })
    });
    let job = workload.job.as_ref().map(|job| {
        json!({
            "state": job.state,
            "progress": job.progress,
            "message": job.message,
            "version": job.version,
        })
    });
    json!({
        "workload": workload.workload.to_string(),
        "data_from": workload.data_from.map(|time| time.to_string()),
        "data_until": workload.data_until.map(|time| time.to_string()),
        "signals": signals.collect::<Vec<_>>(),
        "faults": workload.faults,
        "marks": workload.marks,
        "trained_at": workload.trained_at.map(|time| time.to_string()),
        "due": workload.due,
        "job": job,
    })
}

fn table(workloads: &[WorkloadSummary], now: Timestamp) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["workload", "history", "age", "complete", "trained", "job", "next"]);
    for workload in workloads {
        table.add_row(row(workload, now));
    }
    let mut text = format!("{table}\n");
    for workload in workloads {
        for fault in &workload.faults {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{} is not trained: {fault}", workload.workload);
        }
    }
    text
}

fn row(workload: &WorkloadSummary, now: Timestamp) -> [String; 7] {
    let ago = |time: Option<Timestamp>| {
        time.map_or_else(|| "-".to_owned(), |time| length(now.duration_since(time)))
    };
    let history = workload.data_from.zip(workload.data_until);
    let history = history.map(|(from, until)| length(until.duration_since(from)));
    let complete: Vec<String> = workload
        .signals
        .iter()
        .map(|s| format!("{} {:.1} %", s.signal, s.completeness * 100.0))
        .collect();
    let next = if workload.faults.is_empty() { workload.due.as_deref() } else { Some("rejected") };
    [
        workload.workload.to_string(),
        history.unwrap_or_else(|| "-".to_owned()),
        ago(workload.data_until),
        complete.join("\n"),
        ago(workload.trained_at),
        workload.job.as_ref().map_or_else(|| "-".to_owned(), job),
        next.unwrap_or("not due").to_owned(),
    ]
}

fn job(job: &JobSummary) -> String {
    match job.state {
        "receiving" | "fitting" => format!("{} {:.0} %", job.state, job.progress * 100.0),
        state if job.version.is_empty() => state.to_owned(),
        state => format!("{state} {}", job.version),
    }
}

/// A length of time in the largest unit of which it has two or more.
fn length(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        172_800.. => format!("{} d", seconds / 86_400),
        7200.. => format!("{} h", seconds / 3600),
        120.. => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_collector::SignalSummary;
    use mora_core::Signal;

    fn summary(faults: &[&str]) -> WorkloadSummary {
        let at = |second| Timestamp::from_second(second).unwrap();
        WorkloadSummary {
            workload: "shop/cart".parse().unwrap(),
            data_from: Some(at(0)),
            data_until: Some(at(14 * 86_400)),
            signals: vec![SignalSummary { signal: Signal::Cpu, completeness: 0.987, gaps: 3 }],
            faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
            marks: 2,
            trained_at: Some(at(14 * 86_400 - 3 * 3600)),
            due: None,
            job: Some(JobSummary {
                state: "fitting",
                progress: 0.5,
                message: "back-test".to_owned(),
                version: String::new(),
            }),
        }
    }

    #[test]
    fn a_row_tells_history_age_completeness_and_what_comes_next() {
        let now = Timestamp::from_second(14 * 86_400 + 90).unwrap();
        let cells = row(&summary(&[]), now);
        let expected = [
            "shop/Deployment/cart",
            "14 d",
            "90 s",
            "cpu 98.7 %",
            "3 h",
            "fitting 50 %",
            "not due",
        ];
        assert_eq!(cells, expected);
        let text = table(&[summary(&["cpu: too few"])], now);
        assert!(text.contains("rejected"), "{text}");
        assert!(text.ends_with("shop/Deployment/cart is not trained: cpu: too few\n"), "{text}");
    }
}
