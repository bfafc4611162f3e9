//! A Prometheus as what knows the usage in an experiment.

use futures::FutureExt;
use futures::future::BoxFuture;
use mora_collector::{MetricsSource, PrometheusConfig, PrometheusError, PrometheusSource};
use mora_core::{Dataset, Lookback};
use mora_experiments::{Foreign, Measure};

/// A Prometheus that is asked for a namespace.
#[derive(Debug)]
pub(super) struct Measured {
    config: PrometheusConfig,
    described: String,
}

impl Measured {
    /// Fails when the configuration cannot be used; nothing is asked yet.
    pub(super) fn new(config: &PrometheusConfig) -> Result<Self, PrometheusError> {
        let described = PrometheusSource::new(config.clone())?.describe();
        Ok(Self { config: config.clone(), described })
    }
}

impl Measure for Measured {
    fn datasets<'a>(
        &'a self,
        namespace: &'a str,
        expected: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, Foreign>> {
        async move {
            let namespaces = vec![namespace.to_owned()];
            let source =
                PrometheusSource::new(PrometheusConfig { namespaces, ..self.config.clone() })?;
            Ok(source.collect(expected).await?)
        }
        .boxed()
    }

    fn describe(&self) -> String {
        self.described.clone()
    }
}
