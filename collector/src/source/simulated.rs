//! The simulated Online Boutique as a source.

use futures::FutureExt;
use futures::future::BoxFuture;
use mora_core::Dataset;
use mora_simulation::{Boutique, BoutiqueOptions};
use serde::{Deserialize, Serialize};

use super::{Lookback, MetricsSource, SourceError};

/// Which boutique to simulate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatedConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// Namespace of the workloads.
    pub namespace: String,
    /// Requests per second at the frontend, averaged over a week; above 0.
    pub frontend_rate: f64,
}

impl Default for SimulatedConfig {
    fn default() -> Self {
        Self { seed: 1, namespace: "hipster-shop".to_owned(), frontend_rate: 30.0 }
    }
}

/// A source whose truth is known.
#[derive(Debug, Clone)]
pub struct SimulatedSource {
    config: SimulatedConfig,
}

impl SimulatedSource {
    /// A source of the boutique of `config`.
    #[must_use]
    pub const fn new(config: SimulatedConfig) -> Self {
        Self { config }
    }

    /// The boutique as it is seen over `lookback`, rounded up to whole days of history.
    ///
    /// Fails when the configuration or the lookback is out of range.
    pub fn boutique(&self, lookback: &Lookback) -> Result<Boutique, SourceError> {
        let hours = lookback.to.duration_since(lookback.from).as_hours();
        let options = BoutiqueOptions {
            days: u32::try_from((hours + 23) / 24).unwrap_or(0),
            step: lookback.step,
            namespace: self.config.namespace.clone(),
            frontend_rate: self.config.frontend_rate,
            ..BoutiqueOptions::new(self.config.seed, lookback.to)
        };
        Ok(Boutique::new(options)?)
    }
}

impl MetricsSource for SimulatedSource {
    fn collect<'a>(
        &'a self,
        lookback: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
        async move {
            let boutique = self.boutique(lookback)?;
            let simulated = tokio::task::spawn_blocking(move || boutique.datasets()).await;
            // The task is never aborted, so the only way to lose it is a panic, which goes on here.
            Ok(simulated.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
        }
        .boxed()
    }

    fn describe(&self) -> String {
        format!("the simulated Online Boutique (seed {})", self.config.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::Step;

    #[tokio::test]
    async fn the_whole_boutique_is_collected_in_order_over_the_lookback() {
        let at = |hours: i64| Timestamp::from_second(1_760_000_400 + hours * 3600).unwrap();
        let step = Step::from_seconds(300).unwrap();
        let lookback = Lookback { from: at(-48), to: at(0), step };
        let source = SimulatedSource::new(SimulatedConfig::default());
        let datasets = source.collect(&lookback).await.unwrap();
        assert_eq!(datasets.len(), 11);
        assert!(datasets.is_sorted_by_key(|dataset| dataset.workload.clone()));
        assert_eq!(datasets[0].request_rate.as_ref().unwrap().len(), lookback.steps());
    }
}
