//! A Prometheus, or anything that answers its HTTP API, with the metrics of kubelet (cAdvisor) and
//! kube-state-metrics.

mod answer;
mod api;
mod ask;
mod asking;
mod assemble;
mod catalogue;
mod config;
mod context;
mod diagnosis;
mod error;
mod nodes;
mod oom;
mod owners;
mod points;
mod promql;
mod queries;
mod traffic;
mod traffic_metric;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use mora_core::{Dataset, Indicator, NodeSeries, WorkloadRef};

use super::{Lookback, MetricsSource, SourceError};
use api::Api;
use asking::Asking;
use assemble::Assembly;
use catalogue::Filling;
use context::Context;
use queries::Questions;

pub use answer::{Labelled, Labels};
pub use ask::PrometheusApi;
pub use assemble::settle_callers;
pub use catalogue::{About, Filling as QueryFilling, Metric, Provided, Provider, catalogue};
pub use config::{BasicAuth, PrometheusConfig, Secret};
pub use diagnosis::{Diagnosis, Finding, State};
pub use error::PrometheusError;
pub use queries::QuerySetting;
pub use traffic_metric::{CustomTraffic, TrafficMetric};

impl PrometheusConfig {
    /// Fails when something in it cannot be used; nothing is asked over the network. Namespaces need not be named.
    pub fn check(&self) -> Result<(), PrometheusError> {
        for namespace in &self.namespaces {
            WorkloadRef::deployment(namespace, "any").map_err(PrometheusError::Namespace)?;
        }
        queries::check(&self.queries)?;
        Api::connect(self).map(drop)
    }
}

/// A source that asks Prometheus, a namespace at a time.
#[derive(Debug)]
pub struct PrometheusSource {
    config: PrometheusConfig,
    /// By namespace, since [`MetricsSource::begin`].
    contexts: Mutex<BTreeMap<String, Arc<Context>>>,
}

impl PrometheusSource {
    /// The source of `config`.
    ///
    /// Fails when the configuration cannot be used; nothing is asked over the network yet.
    pub fn new(config: PrometheusConfig) -> Result<Self, PrometheusError> {
        if config.namespaces.is_empty() {
            return Err(PrometheusError::NoNamespaces);
        }
        config.check()?;
        Ok(Self { config, contexts: Mutex::default() })
    }

    async fn collect_all(&self, lookback: &Lookback) -> Result<Vec<Dataset>, SourceError> {
        let api = Api::connect(&self.config)?;
        let mut datasets = Vec::new();
        for namespace in &self.config.namespaces {
            let context = Context::ask(&api, &self.config, namespace, lookback).await?;
            let found = self.collect_namespace(&api, namespace, lookback, &context).await?;
            if found.is_empty() {
                let hint = self.what_is_missing(&api, lookback).await?;
                return Err(SourceError::NoData { namespace: namespace.to_owned(), hint });
            }
            datasets.extend(found);
        }
        datasets.sort_by(|a, b| a.workload.cmp(&b.workload));
        settle_callers(&mut datasets);
        Ok(datasets)
    }

    async fn begin_all(&self, whole: &Lookback) -> Result<(), SourceError> {
        let api = Api::connect(&self.config)?;
        let mut contexts = BTreeMap::new();
        for namespace in &self.config.namespaces {
            let context = Context::ask(&api, &self.config, namespace, whole).await?;
            contexts.insert(namespace.clone(), Arc::new(context));
        }
        *self.contexts() = contexts;
        Ok(())
    }

    async fn collect_chunk(
        &self,
        namespace: &str,
        chunk: &Lookback,
    ) -> Result<Vec<Dataset>, SourceError> {
        let api = Api::connect(&self.config)?;
        let begun = self.contexts().get(namespace).filter(|begun| begun.covers(chunk)).cloned();
        let context = match begun {
            Some(context) => context,
            None => Arc::new(Context::ask(&api, &self.config, namespace, chunk).await?),
        };
        Ok(self.collect_namespace(&api, namespace, chunk, &context).await?)
    }

    /// The guard, also after a panic elsewhere: what it guards is replaced whole.
    fn contexts(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Context>>> {
        self.contexts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was observed in one namespace; nothing where no container ran.
    async fn collect_namespace(
        &self,
        api: &Api,
        namespace: &str,
        lookback: &Lookback,
        context: &Context,
    ) -> Result<Vec<Dataset>, PrometheusError> {
        let filling = Filling {
            namespace,
            step: lookback.step,
            scrape_seconds: self.config.scrape_interval_seconds,
        };
        let settings = &self.config.queries;
        let questions = Questions { settings, presence: &context.presence, filling };
        let asking = Asking { api, lookback, questions };
        let mut assembly = Assembly::new(namespace, lookback, &context.owners);
        assembly.add_cpu(asking.range("cpu").await?);
        assembly.add_memory(asking.range("memory").await?);
        if assembly.is_empty() {
            return Ok(Vec::new());
        }
        assembly.add_replicas(asking.range("replicas").await?);
        for (bound, claims) in &context.claims {
            assembly.add_claims(*bound, claims);
        }
        asking.add_oom_kills(&mut assembly).await?;
        asking.add_throttling(&mut assembly).await?;
        for indicator in
            [Indicator::NetworkReceive, Indicator::NetworkTransmit, Indicator::Restarts]
        {
            assembly.add_summed(indicator, asking.range(indicator.as_str()).await?);
        }
        asking.add_traffic(&self.config.traffic, &context.traffic, &mut assembly).await?;
        Ok(assembly.into_datasets())
    }

    async fn what_is_missing(
        &self,
        api: &Api,
        lookback: &Lookback,
    ) -> Result<String, PrometheusError> {
        let answer = api.instant(promql::NAMESPACES, lookback.to).await?;
        let known: Vec<&str> =
            answer.iter().filter_map(|series| series.label("namespace")).collect();
        Ok(if known.is_empty() {
            "this Prometheus has no container_cpu_usage_seconds_total at all; let it scrape kubelet's /metrics/cadvisor".to_owned()
        } else {
            format!(
                "there are container metrics of {}, none of its own pods over the lookback; check source.prometheus.namespaces and lookback_hours",
                known.join(", ")
            )
        })
    }
}

impl MetricsSource for PrometheusSource {
    fn collect<'a>(
        &'a self,
        lookback: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
        self.collect_all(lookback).boxed()
    }

    fn scopes(&self) -> Vec<String> {
        self.config.namespaces.clone()
    }

    fn begin<'a>(&'a self, whole: &'a Lookback) -> BoxFuture<'a, Result<(), SourceError>> {
        self.begin_all(whole).boxed()
    }

    fn collect_scope<'a>(
        &'a self,
        scope: &'a str,
        lookback: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
        self.collect_chunk(scope, lookback).boxed()
    }

    fn nodes<'a>(
        &'a self,
        lookback: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<NodeSeries>, SourceError>> {
        async {
            let api = Api::connect(&self.config)?;
            Ok(nodes::nodes(&api, &self.config, lookback).await?)
        }
        .boxed()
    }

    fn describe(&self) -> String {
        match &self.config.tunnel {
            Some(tunnel) => tunnel.shown().to_owned(),
            None => format!("Prometheus at {}", self.config.shown()),
        }
    }
}

#[cfg(test)]
mod tests;
