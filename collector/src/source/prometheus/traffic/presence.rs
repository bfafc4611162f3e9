//! Which metrics of requests are there.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::answer::Labelled;
use super::super::api::{Api, Metadata};
use super::super::assemble::Assembly;
use super::super::config::PrometheusConfig;
use super::super::error::PrometheusError;
use super::super::queries::QuerySetting;
use super::super::traffic_metric::TrafficMetric;
use super::queries;
use crate::Lookback;

/// Which metrics of requests are there.
#[derive(Debug)]
pub(in super::super) struct TrafficPresence {
    /// Those that had a sample of any namespace within the lookback; `None` where that cannot be told.
    names: Option<BTreeSet<String>>,
    /// Series shortly before the end of the lookback, by metric and callee; `None` where that was not asked because
    /// there is nothing to choose from.
    seen: Option<Vec<Labelled>>,
    /// Whether the log has what was found: one line for a collection, not for each of its chunks.
    told: AtomicBool,
}

impl TrafficPresence {
    /// Writes `found` to the log, the first time.
    pub(super) fn tell(&self, namespace: &str, found: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::info!(namespace, "{found}");
        }
    }

    /// Asks which of the configured metrics there were over `lookback`, and which had series about `namespace` within the
    /// hour before its end.
    pub(in super::super) async fn look_for(
        api: &Api,
        config: &PrometheusConfig,
        namespace: &str,
        lookback: &Lookback,
    ) -> Result<Self, PrometheusError> {
        if config.queries.get("request_rate") == Some(&QuerySetting::Off) {
            return Ok(Self { names: None, seen: None, told: AtomicBool::new(false) });
        }
        let names = names(config, lookback).await;
        let known = Self { names, seen: None, told: AtomicBool::new(false) };
        let there: Vec<TrafficMetric> =
            config.traffic.iter().filter(|metric| known.may_have(metric)).cloned().collect();
        let presence = queries::presence(&there, namespace).filter(|_| there.len() > 1);
        let Some(presence) = presence else { return Ok(known) };
        Ok(Self { seen: Some(api.instant(&presence, lookback.to).await?), ..known })
    }

    /// Those of `metrics` that had series about known workloads shortly before the end, and queries of one's own, in
    /// their order. Where none had, all that are there: a metric may have ended earlier in the lookback.
    pub(super) fn candidates<'m>(
        &self,
        metrics: &'m [TrafficMetric],
        namespace: &str,
        assembly: &Assembly<'_>,
    ) -> Vec<&'m TrafficMetric> {
        let all = || metrics.iter().filter(|metric| self.may_have(metric)).collect();
        let Some(seen) = &self.seen else { return all() };
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
        tracing::debug!(namespace, "found {}", names.join(", "));
        let is_own = |metric: &&TrafficMetric| matches!(metric, TrafficMetric::Custom(_));
        metrics.iter().filter(|metric| is_own(metric) || there.contains(metric)).collect()
    }

    fn may_have(&self, metric: &TrafficMetric) -> bool {
        let (Some(names), Some(counter)) = (&self.names, metric.counter()) else { return true };
        names.contains(counter)
    }
}

async fn names(config: &PrometheusConfig, lookback: &Lookback) -> Option<BTreeSet<String>> {
    let counters: Vec<&str> = config.traffic.iter().filter_map(TrafficMetric::counter).collect();
    if counters.is_empty() {
        return None;
    }
    let selector = format!(r#"{{__name__=~"{}"}}"#, counters.join("|"));
    let metadata = Metadata::connect(config).ok()?;
    match metadata.names(&selector, lookback.from, lookback.to).await {
        Ok(names) => Some(names.into_iter().collect()),
        Err(error) => {
            tracing::debug!("asking for every metric of requests: {error}");
            None
        }
    }
}
