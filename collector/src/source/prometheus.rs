//! A Prometheus, or anything that answers its HTTP API, with the metrics of kubelet (cAdvisor) and
//! kube-state-metrics.

mod answer;
mod api;
mod assemble;
mod config;
mod context;
mod error;
mod oom;
mod owners;
mod points;
mod promql;
mod traffic;
mod traffic_metric;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use mora_core::{Dataset, WorkloadRef};

use super::{Lookback, MetricsSource, SourceError};
use api::Api;
use assemble::Assembly;
use context::Context;
use traffic::{Asking, Scope};

pub use assemble::settle_callers;
pub use config::{BasicAuth, PrometheusConfig, Secret};
pub use error::PrometheusError;
pub use traffic_metric::{CustomTraffic, TrafficMetric};

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
        for namespace in &config.namespaces {
            WorkloadRef::deployment(namespace, "any").map_err(PrometheusError::Namespace)?;
        }
        Api::connect(&config)?;
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
        let mut assembly = Assembly::new(namespace, lookback, &context.owners);
        let scrape = self.config.scrape_interval_seconds;
        let cpu = api.range(&promql::cpu(namespace, lookback.step, scrape), lookback).await?;
        assembly.add_cpu(cpu);
        let memory = api.range(&promql::memory(namespace, lookback.step, scrape), lookback).await?;
        assembly.add_memory(memory);
        if assembly.is_empty() {
            return Ok(Vec::new());
        }
        for (kind, query) in promql::replicas(namespace) {
            assembly.add_replicas(kind, api.range(&query, lookback).await?);
        }
        for (bound, claims) in &context.claims {
            assembly.add_claims(*bound, claims);
        }
        self.add_oom_kills(api, namespace, lookback, &mut assembly).await?;
        self.add_throttling(api, namespace, lookback, &mut assembly).await?;
        let scope = Scope { namespace, step: lookback.step, scrape_seconds: scrape };
        let asking = Asking { api, lookback, scope };
        asking.add_traffic(&self.config.traffic, &context.traffic, &mut assembly).await?;
        Ok(assembly.into_datasets())
    }

    /// Adds the out-of-memory kills; without kube-state-metrics there are none.
    async fn add_oom_kills(
        &self,
        api: &Api,
        namespace: &str,
        lookback: &Lookback,
        assembly: &mut Assembly<'_>,
    ) -> Result<(), PrometheusError> {
        let query =
            promql::oom_kills(namespace, lookback.step, self.config.scrape_interval_seconds);
        let times = api.range(&query.times, lookback).await?;
        if !times.is_empty() {
            assembly.add_oom_kills(&times, &api.range(&query.limits, lookback).await?);
        }
        Ok(())
    }

    /// Adds how far CPU limits held containers back; where none has one there is nothing to ask further.
    async fn add_throttling(
        &self,
        api: &Api,
        namespace: &str,
        lookback: &Lookback,
        assembly: &mut Assembly<'_>,
    ) -> Result<(), PrometheusError> {
        let scrape = self.config.scrape_interval_seconds;
        let [periods, throttled] = promql::throttling(namespace, lookback.step, scrape);
        let periods = api.range(&periods, lookback).await?;
        if !periods.is_empty() {
            assembly.add_throttling(periods, api.range(&throttled, lookback).await?);
        }
        Ok(())
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

    fn describe(&self) -> String {
        format!("Prometheus at {}", api::without_credentials(&self.config.url))
    }
}

#[cfg(test)]
mod tests;
