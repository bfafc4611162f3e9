//! Asking a Prometheus about all pods of a cluster at once.

use futures::{StreamExt, TryStreamExt, stream};
use mora_collector::{Labelled, PrometheusApi, PrometheusError};
use mora_core::{Inventory, Step};
use mora_scan::{Answers, Observed, Owners, Query, QuerySettings, Shard, Span, shards};
use serde::{Deserialize, Serialize};

use crate::progress::bar;

/// How Prometheus is asked about many workloads at once; key `scan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ScanConfig {
    /// Spacing at which CPU usage is evaluated, in seconds.
    pub(crate) step_seconds: u32,
    /// The same for `krr`.
    pub(crate) krr_step_seconds: u32,
    /// Queries that run at a time, at least 1.
    pub(crate) concurrency: usize,
    /// Label by which a Prometheus for several clusters tells this one, as in `cluster=prod`.
    pub(crate) cluster_label: Option<String>,
}

impl Default for ScanConfig {
    fn default() -> Self {
        Self { step_seconds: 300, krr_step_seconds: 75, concurrency: 4, cluster_label: None }
    }
}

/// Whom to ask about what.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) api: &'a PrometheusApi,
    pub(super) settings: &'a QuerySettings,
    pub(super) inventory: &'a Inventory,
    pub(super) scan: &'a ScanConfig,
}

/// What was observed of every container of the inventory; with what is drawn, if there are `plots`.
pub(super) async fn ask_all(asked: Asked<'_>, plots: bool) -> Result<Observed, PrometheusError> {
    let shards = shards(asked.inventory, asked.settings);
    let mut queries: Vec<Query> =
        shards.iter().flat_map(|shard| asked.settings.queries(shard)).collect();
    if plots {
        queries.extend(shards.iter().flat_map(|shard| asked.settings.history_queries(shard)));
    }
    let mut answers = Answers::new(asked.settings.clone());
    let mut owners = Owners::new(asked.inventory);
    tokio::try_join!(asked.ask(queries, &mut answers), asked.owners(&shards, &mut owners))?;
    let follow_up = answers.follow_up(&shards, &owners);
    asked.ask(follow_up, &mut answers).await?;
    Ok(answers.observed(asked.inventory, &owners))
}

impl Asked<'_> {
    /// Asks all `queries`, some at a time, and takes in the answers as they come.
    async fn ask(self, queries: Vec<Query>, into: &mut Answers) -> Result<(), PrometheusError> {
        let bar = bar(queries.len() as u64);
        let asked = queries.into_iter().map(|query| async move {
            let answer = self.one(&query).await?;
            Ok::<_, PrometheusError>((query, answer))
        });
        let mut coming = stream::iter(asked).buffer_unordered(self.scan.concurrency.max(1));
        while let Some((query, answer)) = coming.try_next().await? {
            for Labelled { labels, samples } in answer {
                let samples = samples.into_iter().map(|sample| (sample.second, sample.value));
                into.add(&query, &labels, samples);
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn one(self, query: &Query) -> Result<Vec<Labelled>, PrometheusError> {
        match query.span {
            Span::Instant(time) => self.api.instant(&query.promql, time).await,
            Span::Range { start, end, step } => {
                self.api.range(&query.promql, start, end, step).await
            }
        }
    }

    /// Whose pods were that are gone, as kube-state-metrics saw it; nothing where it is not scraped.
    async fn owners(self, shards: &[Shard], into: &mut Owners) -> Result<(), PrometheusError> {
        let (from, to) = (self.settings.start(), self.settings.end());
        // One by one: what was seen of one is let go before the next comes, a megabyte for each thousand pods.
        for selector in self.settings.owner_selectors(shards) {
            let seen = self.api.series(&[selector], from, to).await?;
            for labels in &seen {
                into.add_seen(labels);
            }
        }
        Ok(())
    }
}

impl ScanConfig {
    /// The label and the value by which this cluster is told from others.
    pub(super) fn cluster_label(&self) -> Option<(String, String)> {
        let (label, value) = self.cluster_label.as_ref()?.split_once('=')?;
        Some((label.trim().to_owned(), value.trim().to_owned()))
    }

    /// The spacing of `seconds`.
    pub(super) fn step(seconds: u32) -> Step {
        Step::from_seconds(seconds).unwrap_or(Step::MINUTE)
    }
}
