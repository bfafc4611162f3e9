//! What is asked about a namespace once, however many chunks it is collected in.

use std::collections::BTreeSet;

use mora_core::Step;

use super::answer::Labelled;
use super::api::{Api, Metadata};
use super::catalogue::Filling;
use super::config::PrometheusConfig;
use super::error::PrometheusError;
use super::owners::Owners;
use super::promql::{self, Bound};
use super::queries::{Presence, Questions};
use super::traffic::TrafficPresence;
use crate::Lookback;

/// What is asked about a namespace once, however many chunks it is collected in.
#[derive(Debug)]
pub(super) struct Context {
    whole: Lookback,
    /// Which metrics there are.
    pub(super) presence: Presence,
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
        let presence = look_for(config, namespace, whole).await?;
        let scrape_seconds = config.scrape_interval_seconds;
        // What holds at the end is looked for within a few scrapes of it, however wide a step is.
        let filling = Filling {
            namespace,
            step: Step::from_seconds(scrape_seconds).unwrap_or(Step::MINUTE),
            scrape_seconds,
        };
        let questions = Questions { settings: &config.queries, presence: &presence, filling };
        let owners = owners(api, questions, whole).await?;
        let mut claims = Vec::new();
        let bounds = [(Bound::Request, "resource_requests"), (Bound::Limit, "resource_limits")];
        for (bound, metric) in bounds {
            if let Some(promql) = questions.of(metric) {
                claims.push((bound, api.instant(&promql, whole.to).await?));
            }
        }
        let traffic = TrafficPresence::look_for(api, config, namespace, whole).await?;
        Ok(Self { whole: *whole, presence, owners, claims, traffic })
    }

    /// Whether it says what holds for `chunk` too.
    pub(super) fn covers(&self, chunk: &Lookback) -> bool {
        self.whole.from <= chunk.from && chunk.to <= self.whole.to
    }
}

/// Which metrics there are; unknown where that is not told, so that everything is asked for.
///
/// Fails where credentials are wanted: no query would be answered either.
async fn look_for(
    config: &PrometheusConfig,
    namespace: &str,
    whole: &Lookback,
) -> Result<Presence, PrometheusError> {
    let names = match Metadata::connect(config) {
        Ok(metadata) => {
            let selector = Presence::selector(namespace);
            metadata.names(&selector, whole.from, whole.to).await
        }
        Err(error) => Err(error),
    };
    match names {
        Ok(names) => Ok(Presence(Some(BTreeSet::from_iter(names)))),
        Err(error @ PrometheusError::Unauthorized { .. }) => Err(error),
        Err(error) => {
            tracing::debug!(namespace, "asking for every metric: {error}");
            Ok(Presence::default())
        }
    }
}

async fn owners(
    api: &Api,
    questions: Questions<'_>,
    lookback: &Lookback,
) -> Result<Owners, PrometheusError> {
    let windows = promql::owner_windows(lookback);
    let mut found = [Vec::new(), Vec::new()];
    for (answer, metric) in found.iter_mut().zip(["pod_owners", "replica_set_owners"]) {
        if let Some(promql) = questions.of(metric) {
            *answer = api.range(&promql, &windows).await?;
        }
    }
    let [pods, replica_sets] = found;
    Ok(Owners::new(&pods, &replica_sets))
}
