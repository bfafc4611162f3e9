//! What runs, taken from a Prometheus where no cluster is asked.

use std::collections::BTreeSet;

use mora_collector::{Labels, PrometheusApi};
use mora_core::{Glob, Inventory};
use mora_scan::{QuerySettings, SeenPods};

use crate::gather::RecommendConfig;

const USAGE: &str = "container_memory_working_set_bytes";

/// What runs in the namespaces of the selection.
///
/// Fails when Prometheus cannot be asked.
pub(super) async fn inventory_seen(
    api: &PrometheusApi,
    settings: &QuerySettings,
    config: &RecommendConfig,
) -> anyhow::Result<Inventory> {
    let namespaces = matcher(&config.selection.namespaces, settings.cluster.as_ref());
    let selector = |metric: &str, more: &str| format!("{metric}{{{namespaces}{more}}}");
    let usage = selector(USAGE, r#",container!="",container!="POD""#);
    let owners: Vec<String> = ["kube_pod_owner", "kube_replicaset_owner", "kube_job_owner"]
        .map(|metric| selector(metric, ""))
        .into();
    let requests = selector("kube_pod_container_resource_requests", "");
    let limits = selector("kube_pod_container_resource_limits", "");
    let (from, to) = (settings.start(), settings.end());
    let used = [usage.clone()];
    let (used, active, owners, requests, limits) = tokio::try_join!(
        api.series(&used, from, to),
        api.instant(&usage, to),
        api.series(&owners, from, to),
        api.instant(&requests, to),
        api.instant(&limits, to),
    )?;
    let mut seen = SeenPods::default();
    let active: BTreeSet<(String, String)> =
        active.iter().map(|series| pod(&series.labels)).collect();
    for labels in &used {
        seen.add_usage(labels, active.contains(&pod(labels)));
    }
    for labels in &owners {
        seen.add_owner(labels);
    }
    for (claims, is_limit) in [(requests, false), (limits, true)] {
        for claim in claims {
            if let Some(sample) = claim.samples.last() {
                seen.add_claim(&claim.labels, sample.value, is_limit);
            }
        }
    }
    Ok(seen.inventory())
}

fn pod(labels: &Labels) -> (String, String) {
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    (label("namespace"), label("pod"))
}

/// Matchers of the namespaces that `patterns` stand for, of all where there are none, and of the cluster.
fn matcher(patterns: &[Glob], cluster: Option<&(String, String)>) -> String {
    let one = |pattern: &Glob| {
        let letters = pattern.to_string();
        letters
            .chars()
            .map(|c| match c {
                '*' => ".*".to_owned(),
                '?' => ".".to_owned(),
                '.' => r"\\.".to_owned(),
                c => c.to_string(),
            })
            .collect::<String>()
    };
    let namespaces = match patterns {
        [] => ".+".to_owned(),
        some => some.iter().map(one).collect::<Vec<_>>().join("|"),
    };
    let cluster = cluster.map(|(name, value)| format!(r#",{name}="{value}""#));
    format!(r#"namespace=~"{namespaces}"{}"#, cluster.unwrap_or_default())
}
