//! Which metrics of the catalogue are there.

use super::super::catalogue::{
    About, EVERY_NAMESPACE, Filling, Metric, Provided, Provider, catalogue,
};
use super::super::error::PrometheusError;
use super::super::queries::{Own, Presence};
use super::super::traffic_metric::TrafficMetric;
use super::server::failed;
use super::{Finding, Patient, State, named};

/// A metric that was looked for.
pub(super) struct Seen {
    pub(super) finding: Finding,
    /// Who provides it here; `None` where it is missing or asked for with a query of the user's own.
    by: Option<Provider>,
}

impl Patient<'_> {
    /// The metrics about the workloads of `namespace`.
    pub(super) async fn metrics(&self, namespace: &str) -> Vec<Seen> {
        self.look_for(About::Workloads, namespace).await
    }

    /// The metrics about nodes.
    pub(super) async fn nodes(&self) -> Vec<Seen> {
        self.look_for(About::Nodes, EVERY_NAMESPACE).await
    }

    async fn look_for(&self, about: About, namespace: &str) -> Vec<Seen> {
        let metrics: Vec<Metric> = catalogue().into_iter().filter(|m| m.about == about).collect();
        let mut seen: Vec<Seen> = Vec::new();
        for metric in &metrics {
            let provider = metric.queries.first().map(|provided| provided.by);
            let provider_is_there =
                seen.iter().any(|seen| seen.by.is_some() && seen.by == provider);
            seen.push(self.metric(metric, namespace, provider_is_there).await);
        }
        seen
    }

    async fn metric(&self, metric: &Metric, namespace: &str, provider_is_there: bool) -> Seen {
        let place = (metric.name, named(namespace));
        let presence = Presence::default();
        let questions = self.questions(namespace, &presence);
        let own = questions.own(metric.name);
        if own == Own::Off {
            let finding = Finding::good(place.0, place.1, "turned off".to_owned());
            return Seen { finding, by: None };
        }
        match self.found(metric, own, questions.filling).await {
            Err(error) => Seen { finding: failed(state(metric), place, &error), by: None },
            Ok(Some((count, by))) => {
                let from = by.map_or("a query of your own", Provider::as_str);
                let detail = format!("{count} series from {from}");
                Seen { finding: Finding::good(place.0, place.1, detail), by }
            }
            Ok(None) => match metric.quiet.filter(|_| provider_is_there) {
                Some(quiet) => {
                    let detail = format!("nothing to tell: {quiet}");
                    Seen { finding: Finding::good(place.0, place.1, detail), by: None }
                }
                None => Seen { finding: missing(metric, place), by: None },
            },
        }
    }

    /// How many series there are and who provides them.
    async fn found(
        &self,
        metric: &Metric,
        own: Own,
        filling: Filling<'_>,
    ) -> Result<Option<(u64, Option<Provider>)>, PrometheusError> {
        if let Own::Query(promql) = own {
            return Ok(self.some(&promql).await?.map(|count| (count, None)));
        }
        for Provided { by, promql } in &metric.queries {
            if let Some(count) = self.some(&filling.fill(promql)).await? {
                return Ok(Some((count, Some(*by))));
            }
        }
        let custom = self.config.traffic.iter().filter_map(|traffic| match traffic {
            TrafficMetric::Custom(custom) => Some(custom),
            _ => None,
        });
        for custom in custom {
            let Some(promql) = custom.of(metric.name) else { continue };
            if let Some(count) = self.some(&filling.fill(promql)).await? {
                return Ok(Some((count, None)));
            }
        }
        Ok(None)
    }

    async fn some(&self, promql: &str) -> Result<Option<u64>, PrometheusError> {
        Ok(Some(self.count(promql).await?).filter(|count| *count > 0))
    }
}

const fn state(metric: &Metric) -> State {
    if metric.needed { State::Broken } else { State::Lacking }
}

fn missing(metric: &Metric, place: (&'static str, Option<String>)) -> Finding {
    let mut providers: Vec<Provider> = metric.queries.iter().map(|provided| provided.by).collect();
    providers.dedup();
    let names: Vec<&str> = providers.iter().map(|by| by.as_str()).collect();
    let detail = format!("missing; {} would provide it. {}", names.join(" or "), metric.without);
    let fix = providers.first().map_or("write a query for it", |by| by.remedy());
    Finding::bad(state(metric), place, detail, fix)
}

/// Whether kube-state-metrics tells of anything that was looked for.
pub(super) fn kube_state_metrics(seen: &[Seen]) -> Finding {
    const BY: Provider = Provider::KubeStateMetrics;
    let count = seen.iter().filter(|seen| seen.by == Some(BY)).count();
    if count > 0 {
        let detail = format!("{count} metrics are told by it");
        return Finding::good("kube_state_metrics", None, detail);
    }
    let detail = "nothing is told by it, so owners are read from names of pods, and restarts, kills, claims and replicas are unknown";
    let place = ("kube_state_metrics", None);
    Finding::bad(State::Lacking, place, detail.to_owned(), BY.remedy())
}
