//! Looking at one cluster: what runs there, and how it was used.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_collector::{PrometheusApi, PrometheusConfig};
use mora_core::{Glob, Inventory};
use mora_kubernetes::{Cluster, InventoryScope};
use mora_scan::{
    ClusterRows, History, Observed, QuerySettings, Row, ScannedCluster, Strategy, StrategyUsed,
    rows,
};

use super::asking::{Asked, ScanConfig, ask_all};
use super::seen::inventory_seen;
use super::settings::StrategyName;
use crate::gather::{AUTO, NO_PROMETHEUS, RecommendConfig, is_cluster_known};
use crate::progress::say;

/// What was seen of one cluster.
pub(super) struct Scanned {
    pub(super) shown: ScannedCluster,
    /// Where the history comes from, with its address.
    pub(super) prometheus: PrometheusConfig,
    pub(super) has_cluster: bool,
    pub(super) inventory: Inventory,
    pub(super) observed: Observed,
    pub(super) settings: QuerySettings,
    pub(super) strategy: Strategy,
}

/// Looks at the cluster of `context`, or of the current one.
pub(super) async fn scan(
    config: &RecommendConfig,
    context: Option<String>,
    now: Timestamp,
) -> anyhow::Result<Scanned> {
    let settings = query_settings(config, now);
    let cluster = if asks_cluster(config)? {
        Some(Cluster::connect(context.as_deref()).await?)
    } else {
        None
    };
    let (inventory, prometheus) =
        tokio::try_join!(inventory(config, cluster.as_ref()), located(config, context.as_deref()))?;
    let shown_prometheus = prometheus.shown();
    let api = PrometheusApi::connect(&prometheus)?;
    let mut inventory = match inventory {
        Some(inventory) => inventory,
        None => inventory_seen(&api, &settings, config).await?,
    };
    config.selection.narrow(&mut inventory);
    say(&format!(
        "{} workloads; reading {} h of their history from {shown_prometheus}",
        inventory.items.len(),
        config.lookback_hours
    ));
    let asked = Asked { api: &api, settings: &settings, inventory: &inventory, scan: &config.scan };
    let observed = ask_all(asked, config.output.has_plots()).await?;
    let context = match (&cluster, context) {
        (None, _) => None,
        (Some(_), None) => Cluster::current_context()?,
        (Some(_), named) => named,
    };
    let workloads = inventory.items.len();
    Ok(Scanned {
        shown: ScannedCluster { context, prometheus: shown_prometheus, workloads },
        prometheus,
        has_cluster: cluster.is_some(),
        inventory,
        observed,
        settings,
        strategy: strategy(config),
    })
}

/// Whether the Kubernetes API is asked.
fn asks_cluster(config: &RecommendConfig) -> anyhow::Result<bool> {
    if config.no_cluster {
        anyhow::ensure!(!config.prometheus.url.is_empty(), NO_PROMETHEUS);
        return Ok(false);
    }
    if config.cluster.kubernetes {
        return Ok(true);
    }
    let is_known = is_cluster_known()?;
    anyhow::ensure!(is_known || !config.prometheus.url.is_empty(), NO_PROMETHEUS);
    Ok(is_known)
}

async fn inventory(
    config: &RecommendConfig,
    cluster: Option<&Cluster>,
) -> anyhow::Result<Option<Inventory>> {
    let Some(cluster) = cluster else { return Ok(None) };
    let scope = InventoryScope {
        namespaces: exact(&config.selection.namespaces),
        label_selector: config.label_selector.clone(),
    };
    Ok(Some(cluster.inventory(&scope).await?))
}

/// The namespaces, if all are named in full; none otherwise.
fn exact(patterns: &[Glob]) -> Vec<String> {
    let is_exact = |pattern: &Glob| !pattern.to_string().contains(['*', '?']);
    if patterns.iter().all(is_exact) {
        return patterns.iter().map(Glob::to_string).collect();
    }
    Vec::new()
}

async fn located(
    config: &RecommendConfig,
    context: Option<&str>,
) -> anyhow::Result<PrometheusConfig> {
    let mut prometheus = config.prometheus.clone();
    if prometheus.url.is_empty() {
        AUTO.clone_into(&mut prometheus.url);
    }
    Ok(prometheus.located(context).await?)
}

/// What history is asked for.
pub(super) fn query_settings(config: &RecommendConfig, now: Timestamp) -> QuerySettings {
    let strategy = strategy(config);
    let step = if config.strategy == StrategyName::Krr {
        config.scan.krr_step_seconds
    } else {
        config.scan.step_seconds
    };
    QuerySettings {
        dialect: strategy.dialect(),
        at: now,
        lookback: config.lookback(),
        step: ScanConfig::step(step),
        scrape_interval: ScanConfig::step(config.prometheus.scrape_interval_seconds),
        cpu_quantile: strategy.cpu_quantile(),
        hours: config.hours,
        cluster: config.scan.cluster_label(),
        oom_kills: strategy.asks_oom_kills(),
    }
}

fn strategy(config: &RecommendConfig) -> Strategy {
    match config.strategy {
        StrategyName::Krr => Strategy::Krr(config.krr),
        StrategyName::Statistical | StrategyName::Predictive => {
            Strategy::Statistical(config.statistical)
        }
    }
}

/// How the numbers were computed, with the parameters that decide about them.
pub(super) fn strategy_used(config: &RecommendConfig) -> StrategyUsed {
    let (name, values) = match config.strategy {
        StrategyName::Statistical => ("statistical", serde_json::to_value(config.statistical)),
        StrategyName::Predictive => ("predictive", serde_json::to_value(&config.policy)),
        StrategyName::Krr => ("krr", serde_json::to_value(config.krr)),
    };
    let mut parameters = BTreeMap::new();
    // What was read from a file can be written.
    flatten(&mut parameters, String::new(), &values.unwrap_or_default());
    parameters.insert("lookback_hours".to_owned(), config.lookback_hours.to_string());
    if let Some(hours) = config.hours {
        parameters.insert("hours".to_owned(), hours.to_string());
    }
    StrategyUsed { name: name.to_owned(), parameters }
}

fn flatten(into: &mut BTreeMap<String, String>, key: String, value: &serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(into, key, value);
            }
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => drop(into.insert(key, text.clone())),
        value => drop(into.insert(key, value.to_string())),
    }
}

impl Scanned {
    /// The rows by the strategy that looks back.
    pub(super) fn rows(&self, config: &RecommendConfig) -> ClusterRows {
        let rows =
            rows(&self.inventory, &self.observed, &self.settings, &self.strategy, &config.cost);
        let histories =
            if config.output.has_plots() { self.histories(&rows) } else { BTreeMap::new() };
        let mut warnings = self.inventory.warnings.clone();
        if self.observed.strays > 0 {
            warnings.push(format!(
                "{} pods in the history are of nothing that is there now; they are left out.",
                self.observed.strays
            ));
        }
        ClusterRows { cluster: self.shown.clone(), rows, histories, warnings }
    }

    /// What is drawn for `rows`, which are in the order of the inventory.
    fn histories(&self, rows: &[Row]) -> BTreeMap<String, History> {
        let items = self.inventory.items.iter().enumerate();
        let containers = items.flat_map(|(index, item)| {
            item.containers.iter().map(move |(name, _)| self.observed.container(index, name))
        });
        let drawn = rows.iter().zip(containers);
        drawn.filter_map(|(row, observed)| Some((row.key(), observed?.history()))).collect()
    }
}
