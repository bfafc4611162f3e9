//! What is asked about a namespace once, however many chunks it is collected in.

use super::answer::Labelled;
use super::api::Api;
use super::config::PrometheusConfig;
use super::error::PrometheusError;
use super::owners::Owners;
use super::promql::{self, Bound};
use super::traffic::{self, TrafficPresence};
use crate::Lookback;

/// What is asked about a namespace once, however many chunks it is collected in.
#[derive(Debug)]
pub(super) struct Context {
    whole: Lookback,
    /// Of every pod of the whole.
    pub(super) owners: Owners,
    /// What containers claimed at the end of the whole.
    pub(super) claims: Vec<(Bound, Vec<Labelled>)>,
    /// Which metrics of requests were there shortly before the end of the whole.
    pub(super) traffic: TrafficPresence,
}

impl Context {
    /// Asks about `namespace` over `whole`.
    pub(super) async fn ask(
        api: &Api,
        config: &PrometheusConfig,
        namespace: &str,
        whole: &Lookback,
    ) -> Result<Self, PrometheusError> {
        let owners = owners(api, namespace, whole).await?;
        let mut claims = Vec::new();
        for (bound, query) in promql::claims(namespace, config.scrape_interval_seconds) {
            claims.push((bound, api.instant(&query, whole.to).await?));
        }
        let traffic = traffic::look_for(api, &config.traffic, namespace, whole.to).await?;
        Ok(Self { whole: *whole, owners, claims, traffic })
    }

    /// Whether it says what holds for `chunk` too.
    pub(super) fn covers(&self, chunk: &Lookback) -> bool {
        self.whole.from <= chunk.from && chunk.to <= self.whole.to
    }
}

async fn owners(
    api: &Api,
    namespace: &str,
    lookback: &Lookback,
) -> Result<Owners, PrometheusError> {
    let windows = promql::owner_windows(lookback);
    let pods = api.range(&promql::pod_owners(namespace), &windows).await?;
    let replica_sets = api.range(&promql::replica_set_owners(namespace), &windows).await?;
    Ok(Owners::new(&pods, &replica_sets))
}
