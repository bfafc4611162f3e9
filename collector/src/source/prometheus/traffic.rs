//! What is known of the requests between workloads: which metric tells of them, and what it says.

mod peer;
mod queries;

use jiff::Timestamp;
use mora_core::Indicator;

use super::answer::Labelled;
use super::api::Api;
use super::assemble::Assembly;
use super::error::PrometheusError;
use super::traffic_metric::TrafficMetric;
use crate::Lookback;

pub(super) use peer::{Named, Peer};
#[cfg(test)]
pub(super) use queries::queries;
pub(super) use queries::{Question, Scope, TrafficQueries};

/// Which metrics had series shortly before the end of a lookback; `None` where that was not asked because there is
/// nothing to choose from.
#[derive(Debug)]
pub(super) struct TrafficPresence(Option<Vec<Labelled>>);

/// Asks which of `metrics` had series about `namespace` within the hour before `time`.
pub(super) async fn look_for(
    api: &Api,
    metrics: &[TrafficMetric],
    namespace: &str,
    time: Timestamp,
) -> Result<TrafficPresence, PrometheusError> {
    let presence = queries::presence(metrics, namespace).filter(|_| metrics.len() > 1);
    let Some(presence) = presence else { return Ok(TrafficPresence(None)) };
    Ok(TrafficPresence(Some(api.instant(&presence, time).await?)))
}

/// Whom to ask about what.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) api: &'a Api,
    pub(super) lookback: &'a Lookback,
    pub(super) scope: Scope<'a>,
}

impl Asking<'_> {
    /// Adds request rates, calls, latency and errors as the first of `metrics` says that knows any workload of the
    /// namespace.
    pub(super) async fn add_traffic(
        self,
        metrics: &[TrafficMetric],
        presence: &TrafficPresence,
        assembly: &mut Assembly<'_>,
    ) -> Result<(), PrometheusError> {
        let namespace = self.scope.namespace;
        for metric in self.candidates(metrics, presence, assembly) {
            let queries = queries::queries(metric, self.scope);
            if self.add_requests(&queries, assembly).await? {
                tracing::info!(namespace, "requests are read from {}", metric.as_str());
                return self.add_indicators(&queries, assembly).await;
            }
        }
        tracing::info!(
            namespace,
            "no metric of requests knows any workload; see source.prometheus.traffic"
        );
        Ok(())
    }

    /// Those of `metrics` that had series about known workloads shortly before the end, and queries of one's own, in
    /// their order. Where none had, all: a metric may have ended earlier in the lookback.
    fn candidates<'m>(
        self,
        metrics: &'m [TrafficMetric],
        presence: &TrafficPresence,
        assembly: &Assembly<'_>,
    ) -> Vec<&'m TrafficMetric> {
        let all = || metrics.iter().collect();
        let Some(seen) = &presence.0 else { return all() };
        let is_there = |metric: &&TrafficMetric| {
            let callees = queries::present_callees(metric);
            let of_it = seen.iter().filter(|s| s.label(queries::METRIC) == Some(metric.as_str()));
            of_it
                .flat_map(|s| callees.iter().map(move |c| (c, s)))
                .any(|(c, s)| assembly.knows(c, s))
        };
        let there: Vec<_> = metrics.iter().filter(is_there).collect();
        if there.is_empty() {
            return all();
        }
        let names: Vec<_> = there.iter().map(|metric| metric.as_str()).collect();
        tracing::debug!(namespace = self.scope.namespace, "found {}", names.join(", "));
        let is_own = |metric: &&TrafficMetric| matches!(metric, TrafficMetric::Custom(_));
        metrics.iter().filter(|metric| is_own(metric) || there.contains(metric)).collect()
    }

    /// Adds request rates and calls; whether any were about a workload of the namespace.
    async fn add_requests(
        self,
        queries: &TrafficQueries,
        assembly: &mut Assembly<'_>,
    ) -> Result<bool, PrometheusError> {
        let calls = self.api.range(&queries.calls.promql, self.lookback).await?;
        let called = assembly.add_calls(queries, calls);
        let Some(received) = &queries.received else { return Ok(called) };
        let answer = self.api.range(&received.promql, self.lookback).await?;
        Ok(assembly.add_received(received, answer) || called)
    }

    async fn add_indicators(
        self,
        queries: &TrafficQueries,
        assembly: &mut Assembly<'_>,
    ) -> Result<(), PrometheusError> {
        let asked =
            [(Indicator::LatencyP95, &queries.latency), (Indicator::ErrorRatio, &queries.errors)];
        for (indicator, question) in asked {
            let Some(question) = question else { continue };
            match self.api.range_in_small_parts(&question.promql, self.lookback).await {
                Ok(answer) => assembly.add_indicator(indicator, question, answer),
                // A histogram of many series may be more than Prometheus takes on; usage and calls are known without.
                Err(error @ PrometheusError::Refused { .. }) => {
                    tracing::warn!(namespace = self.scope.namespace, "no {indicator}: {error}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
