//! `mora evaluate calibrate` and `validate`: the simulated application held against a measured one.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use comfy_table::Table;
use jiff::Timestamp;
use mora_cluster_simulator::{Application, NodeSize, boutique};
use mora_collector::{MetricsSource, PrometheusConfig, PrometheusSource};
use mora_core::{Bytes, Dataset, Lookback, Millicores, Step};
use mora_evaluation::{ServiceError, ServiceQuality, calibrate, validate};
use mora_runtime::Exit;

use super::settings::read;
use crate::progress::say;
use crate::stdout::print;

/// Load of the application whose parameters are replaced; it decides nothing that is measured.
const RATE: f64 = 30.0;

/// What was measured, and where.
#[derive(Debug, Args)]
pub(super) struct MeasuredArguments {
    /// URL of the Prometheus that measured it
    #[arg(long, env = "PROMETHEUS_URL")]
    prometheus: String,
    /// Namespace of the application
    #[arg(long, default_value = "hipster-shop")]
    namespace: String,
    /// When the measurement began
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// When it ended
    #[arg(long, value_name = "TIME")]
    until: Timestamp,
    /// Seconds between two values that are compared
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=3600))]
    step_seconds: u32,
    /// Seconds between two scrapes of that Prometheus
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60))]
    scrape_seconds: u32,
    /// Cores of its node
    #[arg(long, value_name = "CORES", default_value_t = 2.0)]
    node_cpu: f64,
    /// Memory of its node, in GiB
    #[arg(long, value_name = "GIB", default_value_t = 8)]
    node_memory: u64,
}

/// Options of `mora evaluate calibrate`.
#[derive(Debug, Args)]
pub(super) struct CalibrateArguments {
    #[command(flatten)]
    measured: MeasuredArguments,
    /// Application to begin with; the Online Boutique when absent
    #[arg(long, value_name = "FILE")]
    application: Option<PathBuf>,
    /// File for the calibrated application
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Options of `mora evaluate validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArguments {
    #[command(flatten)]
    measured: MeasuredArguments,
    /// Application that is held against what was measured
    #[arg(long, value_name = "FILE")]
    application: PathBuf,
    /// File for the errors, as JSON
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Fits the simulated application to a measured one; how well goes to standard output.
pub(super) async fn calibration(arguments: CalibrateArguments) -> anyhow::Result<Exit> {
    let CalibrateArguments { measured, application, to } = arguments;
    let application = match application {
        Some(path) => read::<Application>(&path)?,
        None => boutique(&measured.namespace, RATE)?,
    };
    let (datasets, nodes) = (measured.collect().await?, measured.nodes()?);
    let calibrating =
        tokio::task::spawn_blocking(move || calibrate(&datasets, &application, &nodes));
    let calibrated = calibrating.await.context("the calibration broke off")??;
    let text = serde_saphyr::to_string(&calibrated.application)
        .context("the application cannot be written as YAML")?;
    write(&to, &text)?;
    print(&qualities(&calibrated.quality))?;
    say(&format!("the calibrated application is {}", to.display()));
    Ok(Exit::Success)
}

/// Holds a simulated application against a measured one; the errors go to standard output.
pub(super) async fn validation(arguments: ValidateArguments) -> anyhow::Result<Exit> {
    let ValidateArguments { measured, application, to } = arguments;
    let application: Application = read(&application)?;
    let (datasets, nodes) = (measured.collect().await?, measured.nodes()?);
    let validating = tokio::task::spawn_blocking(move || validate(&application, &datasets, &nodes));
    let errors = validating.await.context("the comparison broke off")??;
    if let Some(path) = to {
        let text = serde_json::to_string_pretty(&errors).context("errors are plain data")?;
        write(&path, &(text + "\n"))?;
    }
    print(&differences(&errors))?;
    Ok(Exit::Success)
}

impl MeasuredArguments {
    /// What was measured of every workload.
    async fn collect(&self) -> anyhow::Result<Vec<Dataset>> {
        let config = PrometheusConfig {
            url: self.prometheus.clone(),
            namespaces: vec![self.namespace.clone()],
            scrape_interval_seconds: self.scrape_seconds,
            ..PrometheusConfig::default()
        };
        let step = Step::from_seconds(self.step_seconds).unwrap_or(Step::MINUTE);
        let lookback = Lookback { from: step.floor(self.from), to: step.floor(self.until), step };
        let source = PrometheusSource::new(config)?;
        source.collect(&lookback).await.map_err(anyhow::Error::from)
    }

    fn nodes(&self) -> anyhow::Result<Vec<NodeSize>> {
        let cpu = Millicores::from_cores(self.node_cpu).context("a node has some --node-cpu")?;
        Ok(vec![NodeSize { cpu, memory: Bytes::from_mebibytes(self.node_memory * 1024) }])
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text)
        .with_context(|| format!("{} cannot be written; check the folder", path.display()))
}

fn qualities(quality: &[ServiceQuality]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "workload",
        "values",
        "CPU explained",
        "CPU residual",
        "latency error",
        "call ratios",
    ]);
    for one in quality {
        table.add_row([
            one.workload.name().to_owned(),
            one.minutes.to_string(),
            percent(one.cpu_explained),
            percent(one.cpu_residual),
            percent(one.latency),
            one.ratios.to_string(),
        ]);
    }
    format!("{table}\n")
}

fn differences(errors: &[ServiceError]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["workload", "values", "CPU", "CPU in all", "rate", "memory", "p50", "p95"]);
    for one in errors {
        let figures =
            [one.cpu, one.cpu_total, one.rate, one.memory, one.latency_p50, one.latency_p95];
        let mut row = vec![one.workload.name().to_owned(), one.minutes.to_string()];
        row.extend(figures.map(percent));
        table.add_row(row);
    }
    format!("{table}\n")
}

/// A share in percent; a dash where there is none.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let error = ServiceError {
            workload: "shop/cart".parse().unwrap(),
            minutes: 12,
            cpu: Some(0.123),
            cpu_total: Some(-0.02),
            rate: None,
            memory: Some(0.0),
            latency_p50: None,
            latency_p95: Some(1.5),
            compared: Vec::new(),
        };
        let text = differences(&[error]);
        let cells: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            cells,
            ["cart", "12", "12.3", "%", "-2.0", "%", "-", "0.0", "%", "-", "150.0", "%"]
        );
    }
}
