//! Where metrics come from.

mod prometheus;
mod recorded;
mod simulated;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use mora_core::{Dataset, NodeSeries};
use mora_simulation::BoutiqueError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use mora_core::Lookback;
pub use prometheus::{
    About, BasicAuth, CustomTraffic, Diagnosis, Finding, Labelled, Labels, Metric, PrometheusApi,
    PrometheusConfig, PrometheusError, PrometheusSource, Provided, Provider, QueryFilling,
    QuerySetting, Secret, State, TrafficMetric, catalogue, settle_callers,
};
pub use recorded::{
    Column, RecordedColumns, RecordedConfig, RecordedError, RecordedSource, Row, TidyFile,
};
pub use simulated::{SimulatedConfig, SimulatedSource};

/// A place metrics can be collected from.
pub trait MetricsSource: Send + Sync {
    /// Everything observed over `lookback`, ordered by workload; never an empty list.
    ///
    /// Fails when the source cannot be read or holds nothing for what it was configured to collect.
    fn collect<'a>(
        &'a self,
        lookback: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>>;

    /// The parts that can be collected by themselves, such as namespaces; one without a name where there is but one.
    fn scopes(&self) -> Vec<String> {
        vec![String::new()]
    }

    /// Makes known that chunks of a whole will be collected scope by scope, so that what holds for all of them is asked
    /// once.
    ///
    /// Fails when the source cannot be read. [`MetricsSource::collect_scope`] gives the same without it, at the cost of
    /// asking anew for every chunk.
    fn begin<'a>(&'a self, _whole: &'a Lookback) -> BoxFuture<'a, Result<(), SourceError>> {
        async { Ok(()) }.boxed()
    }

    /// Everything observed of one of [`MetricsSource::scopes`] over `lookback`, ordered by workload; an empty list where
    /// nothing was. What is known of callers in other scopes is theirs to say: apply [`settle_callers`] to the datasets of
    /// all scopes of a chunk.
    ///
    /// Fails when the source cannot be read.
    fn collect_scope<'a>(
        &'a self,
        _scope: &'a str,
        lookback: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
        async move {
            match self.collect(lookback).await {
                Err(SourceError::NoData { .. }) => Ok(Vec::new()),
                collected => collected,
            }
        }
        .boxed()
    }

    /// The nodes over a lookback, ordered by name; an empty list where the source knows of none.
    ///
    /// Fails when the source cannot be read.
    fn nodes<'a>(
        &'a self,
        _lookback: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<NodeSeries>, SourceError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// Where the metrics come from, for people; no secrets.
    fn describe(&self) -> String;

    /// The instant at which a lookback wanted at `now` should end: `now`, except for recordings that
    /// ended before it.
    fn newest(&self, now: Timestamp) -> Timestamp {
        now
    }
}

/// Why nothing was collected.
#[derive(Debug, Error)]
pub enum SourceError {
    /// No source, or more than one, is configured.
    #[error(
        "{found} metrics sources are configured; set exactly one of source.prometheus, source.recorded and source.simulated"
    )]
    Ambiguous {
        /// How many.
        found: usize,
    },
    /// A namespace has no data.
    #[error("no metrics of namespace `{namespace}` were found: {hint}")]
    NoData {
        /// The namespace.
        namespace: String,
        /// What is missing and what to do about it.
        hint: String,
    },
    /// Prometheus cannot be used.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    /// A recording cannot be used.
    #[error(transparent)]
    Recorded(#[from] RecordedError),
    /// The simulation was configured out of its range.
    #[error("the simulation cannot start; mend source.simulated")]
    Simulated(#[from] BoutiqueError),
}

/// Which source to collect from; exactly one is set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceConfig {
    /// A Prometheus, or anything that answers its HTTP API.
    pub prometheus: Option<PrometheusConfig>,
    /// A CSV or Parquet file.
    pub recorded: Option<RecordedConfig>,
    /// The simulated Online Boutique.
    pub simulated: Option<SimulatedConfig>,
}

impl SourceConfig {
    /// The same with the way to a Prometheus found in the cluster, where its address is `auto`.
    ///
    /// Fails when none is found that answers.
    pub async fn located(mut self) -> Result<Self, SourceError> {
        if let Some(prometheus) = self.prometheus.take() {
            self.prometheus = Some(prometheus.located(None).await?);
        }
        Ok(self)
    }

    /// The configured source.
    ///
    /// Fails unless exactly one is set, and when its settings cannot be used; nothing is asked over
    /// the network yet.
    pub fn open(&self) -> Result<Box<dyn MetricsSource>, SourceError> {
        match (&self.prometheus, &self.recorded, &self.simulated) {
            (Some(config), None, None) => Ok(Box::new(PrometheusSource::new(config.clone())?)),
            (None, Some(config), None) => Ok(Box::new(RecordedSource::open(config.clone())?)),
            (None, None, Some(config)) => Ok(Box::new(SimulatedSource::new(config.clone()))),
            (prometheus, recorded, simulated) => {
                let set = [prometheus.is_some(), recorded.is_some(), simulated.is_some()];
                Err(SourceError::Ambiguous { found: set.into_iter().filter(|set| *set).count() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_source_must_be_configured() {
        let simulated = Some(SimulatedConfig::default());
        let one = SourceConfig { simulated, ..SourceConfig::default() };
        assert!(one.open().is_ok());
        let none = SourceConfig::default().open().err().unwrap();
        assert!(matches!(none, SourceError::Ambiguous { found: 0 }));
        let two = SourceConfig { prometheus: Some(PrometheusConfig::default()), ..one };
        assert!(matches!(two.open().err().unwrap(), SourceError::Ambiguous { found: 2 }));
    }

    #[test]
    fn a_source_is_configured_by_its_keys_and_an_unknown_key_is_refused() {
        let parse = serde_json::from_str::<SourceConfig>;
        let traffic =
            r#"{"prometheus": {"url": "http://p", "traffic": ["istio", {"custom": "sum(x)"}]}}"#;
        let prometheus = parse(traffic).unwrap().prometheus.unwrap();
        let expected =
            [TrafficMetric::Istio, TrafficMetric::Custom(CustomTraffic::new("sum(x)".to_owned()))];
        assert_eq!(prometheus.traffic, expected);
        assert_eq!(prometheus.max_points_per_query, 11_000);
        let columns = r#"{"recorded": {"path": "a.csv", "columns": {"cpu": {"name": "mcores", "scale": 0.001}}}}"#;
        let cpu = parse(columns).unwrap().recorded.unwrap().columns.cpu.unwrap();
        assert_eq!(cpu, Column { name: "mcores".to_owned(), scale: 0.001 });
        let message = parse(r#"{"simulated": {"sede": 1}}"#).unwrap_err().to_string();
        assert!(message.contains("sede") && message.contains("seed"), "{message}");
    }
}
