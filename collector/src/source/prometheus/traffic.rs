//! What is known of the requests between workloads: which metric tells of them, and what it says.

mod peer;
mod presence;
mod queries;

use mora_core::Indicator;

use super::asking::Asking;
use super::assemble::Assembly;
use super::error::PrometheusError;
use super::queries::Own;
use super::traffic_metric::TrafficMetric;

pub(super) use peer::{Named, Peer};
pub(super) use presence::TrafficPresence;
pub(super) use queries::{Question, Scope, TrafficQueries, queries};

/// What indicators are read from requests.
const INDICATORS: [Indicator; 4] =
    [Indicator::LatencyP50, Indicator::LatencyP95, Indicator::LatencyP99, Indicator::ErrorRatio];

/// What `metric` is asked for about `namespace`, with rates over `window`.
pub(super) fn mesh_queries(
    metric: &TrafficMetric,
    namespace: &str,
    window: &str,
) -> TrafficQueries {
    queries(metric, Scope { namespace, window })
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
        let (namespace, window) = (self.namespace(), self.questions.filling.window());
        if self.questions.own("request_rate") == Own::Off {
            return Ok(());
        }
        for metric in presence.candidates(metrics, namespace, assembly) {
            let queries = mesh_queries(metric, namespace, &window);
            if self.add_requests(&queries, assembly).await? {
                presence.tell(namespace, &format!("requests are read from {}", metric.as_str()));
                return self.add_indicators(&queries, assembly).await;
            }
        }
        let none = "no metric of requests knows any workload; see source.prometheus.traffic";
        presence.tell(namespace, none);
        Ok(())
    }

    const fn namespace(&self) -> &str {
        self.questions.filling.namespace
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
        for indicator in INDICATORS {
            let question = match self.questions.own(indicator.as_str()) {
                Own::Off => continue,
                Own::Query(promql) => Some(Question::of_ones_own(promql)),
                Own::None => queries.of(indicator).cloned(),
            };
            let Some(question) = question else { continue };
            match self.api.range_in_small_parts(&question.promql, self.lookback).await {
                Ok(answer) => assembly.add_indicator(indicator, &question, answer),
                // A histogram of many series may be more than Prometheus takes on; usage and calls are known without.
                Err(error @ PrometheusError::Refused { .. }) => {
                    tracing::warn!(namespace = self.namespace(), "no {indicator}: {error}");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
