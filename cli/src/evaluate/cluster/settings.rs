//! Where and how an evaluation runs on a real cluster.

use std::path::PathBuf;

use clap::Args;
use mora_collector::PrometheusConfig;
use mora_experiments::JMeterConfig;
use serde::{Deserialize, Serialize};

/// Options of `mora evaluate run --cluster`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterArguments {
    /// Run on a real cluster, one run after the other, with JMeter as the load
    #[arg(long)]
    pub(crate) cluster: bool,
    /// Context of the kubeconfig
    #[arg(long, requires = "cluster")]
    context: Option<String>,
    /// URL of the Prometheus that measures it
    #[arg(long, requires = "cluster", env = "PROMETHEUS_URL")]
    prometheus: Option<String>,
    /// Seconds between two of its scrapes; 1 when absent
    #[arg(long, requires = "cluster", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=60))]
    scrape_seconds: Option<u32>,
    /// Host of the application's entry
    #[arg(long, requires = "cluster")]
    host: Option<String>,
    /// Port of the application's entry; 80 when absent
    #[arg(long, requires = "cluster")]
    port: Option<u16>,
    /// The program `jmeter`, or the folder it is installed in
    #[arg(long, requires = "cluster", value_name = "FILE")]
    jmeter: Option<PathBuf>,
    /// Folder that holds the plan `day.jmx`; jmeter when absent
    #[arg(long, requires = "cluster", value_name = "DIR")]
    plans: Option<PathBuf>,
    /// How much faster than real time the judged time passes; 96 (a day in 15 minutes) when absent
    #[arg(long, requires = "cluster", value_name = "FACTOR")]
    compression: Option<f64>,
}

/// What of it decides the results, and what is needed to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterSettings {
    /// Context of the kubeconfig; the current one when absent.
    pub(crate) context: Option<String>,
    /// URL of the Prometheus.
    pub(crate) prometheus: String,
    /// Seconds between two of its scrapes.
    pub(crate) scrape_seconds: u32,
    /// Host of the application's entry.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// Where JMeter is.
    pub(crate) jmeter: Option<PathBuf>,
    /// Where its plans are.
    pub(crate) plans: PathBuf,
    /// How much faster than real time.
    pub(crate) compression: f64,
}

impl ClusterArguments {
    /// The settings; `None` where no cluster is asked for.
    ///
    /// Fails when something is missing that only the user knows.
    pub(crate) fn settings(&self) -> anyhow::Result<Option<ClusterSettings>> {
        if !self.cluster {
            return Ok(None);
        }
        let needed = |value: &Option<String>, what: &str| {
            value.clone().ok_or_else(|| anyhow::anyhow!("a run on a cluster needs {what}"))
        };
        Ok(Some(ClusterSettings {
            context: self.context.clone(),
            prometheus: needed(&self.prometheus, "the URL of its Prometheus; give --prometheus")?,
            scrape_seconds: self.scrape_seconds.unwrap_or(1),
            host: needed(&self.host, "the host of the application's entry; give --host")?,
            port: self.port.unwrap_or(80),
            jmeter: self.jmeter.clone(),
            plans: self.plans.clone().unwrap_or_else(|| PathBuf::from("jmeter")),
            compression: self.compression.unwrap_or(96.0),
        }))
    }
}

impl ClusterSettings {
    pub(super) fn prometheus(&self, namespace: &str) -> PrometheusConfig {
        PrometheusConfig {
            url: self.prometheus.clone(),
            namespaces: vec![namespace.to_owned()],
            scrape_interval_seconds: self.scrape_seconds,
            ..PrometheusConfig::default()
        }
    }

    /// Errors and missing pages are results here, not failures of the load.
    pub(super) fn jmeter(&self) -> JMeterConfig {
        JMeterConfig {
            program: self.jmeter.clone(),
            plans: self.plans.clone(),
            max_error_ratio: 1.0,
            min_reached: 0.0,
            ..JMeterConfig::default()
        }
    }
}
