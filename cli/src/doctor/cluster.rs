//! What a cluster lets MOrA read, and the way to its Prometheus.

use mora_collector::{Finding, PrometheusConfig, State};
use mora_kubernetes::{Cluster, Permission, Right};
use mora_runtime::with_causes;

use crate::gather::{AUTO, NO_PROMETHEUS, RecommendConfig};

/// Groups of kinds that most clusters do not have, so that nothing is lost where they may not be read.
const RARE: [&str; 2] = ["argoproj.io", "apps.openshift.io"];
/// How the fix for a right begins.
const ADD: &str = "add the rule to a role that is bound to whoever asks";

/// What is found in the cluster of `config`; nothing where none is asked.
pub(super) async fn findings(config: &RecommendConfig) -> Vec<Finding> {
    let named = config.cluster.context.as_deref();
    let in_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let found = match (config.no_cluster, Cluster::contexts()) {
        (true, _) => return Vec::new(),
        (_, Err(error)) => return vec![failed("kubeconfig", &error)],
        (_, Ok(contexts)) if contexts.is_empty() && !in_pod => return vec![without(config)],
        (_, Ok(contexts)) if contexts.is_empty() => {
            "the service account of this pod is used".to_owned()
        }
        (_, Ok(contexts)) => {
            let context = contexts.iter().find(|context| match named {
                Some(name) => context.name == name,
                None => context.is_current,
            });
            match context {
                Some(context) => format!("context {}, cluster {}", context.name, context.cluster),
                None => "no context is current".to_owned(),
            }
        }
    };
    match Cluster::connect(named).await {
        Err(error) => vec![failed("kubeconfig", &error)],
        Ok(cluster) => {
            let mut findings = vec![Finding::good("kubeconfig", None, found)];
            findings.extend(of_api(&cluster, config).await);
            findings
        }
    }
}

/// That there is no cluster to ask.
fn without(config: &RecommendConfig) -> Finding {
    if config.prometheus.url.is_empty() {
        let (detail, fix) = NO_PROMETHEUS.split_once("; ").unwrap_or((NO_PROMETHEUS, ""));
        return Finding::bad(State::Broken, ("kubeconfig", None), detail.to_owned(), fix);
    }
    let detail = "there is none; what runs, and its requests, are then read from Prometheus";
    Finding::good("kubeconfig", None, detail.to_owned())
}

async fn of_api(cluster: &Cluster, config: &RecommendConfig) -> Vec<Finding> {
    match cluster.version().await {
        Err(error) => vec![failed("api_server", &error)],
        Ok(version) => {
            let detail = format!("it answers as Kubernetes {}", version.trim_start_matches('v'));
            let mut findings = vec![Finding::good("api_server", None, detail)];
            let granted = cluster.may(&Right::SCAN).await;
            let finds = config.prometheus.url.is_empty() || config.prometheus.url == AUTO;
            findings.extend(of_rights(&Right::SCAN, &granted, finds));
            findings
        }
    }
}

/// What is found about `rights`; `finds` says whether Prometheus has to be found through the API server.
fn of_rights(rights: &[Right], granted: &[Permission], finds: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut count = 0;
    for (right, permission) in rights.iter().zip(granted) {
        match permission {
            Permission::Granted => count += 1,
            Permission::Denied { .. } if RARE.contains(&right.group) => {}
            Permission::Denied { rule, reason } => {
                findings.push(denied(right, (rule, reason), finds));
            }
            Permission::Unknown(error) => {
                let detail = format!(
                    "whether {} is allowed is unknown: {}",
                    asked(right),
                    with_causes(error)
                );
                let fix = "try `kubectl auth can-i --list`";
                findings.push(Finding::bad(State::Lacking, ("permissions", None), detail, fix));
            }
        }
    }
    if findings.is_empty() {
        let detail = format!("everything a scan reads may be read ({count} rights)");
        findings.push(Finding::good("permissions", None, detail));
    }
    findings
}

fn denied(right: &Right, (rule, reason): (&str, &str), finds: bool) -> Finding {
    let (state, cost) = costs(right, finds);
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let detail = format!("{} is not allowed{reason}: {cost}", asked(right));
    Finding::bad(state, ("permissions", None), detail, format!("{ADD}: {rule}"))
}

fn asked(right: &Right) -> String {
    format!("{} {}", right.verb, right.resource)
}

/// What is lost without a right.
fn costs(right: &Right, finds: bool) -> (State, &'static str) {
    match (right.resource, finds) {
        ("pods", _) => (State::Broken, "nothing can be scanned"),
        ("services" | "services/proxy", true) => (
            State::Broken,
            "Prometheus cannot be found and asked through the API server; its URL can be given instead",
        ),
        ("services" | "services/proxy", false) => {
            (State::Lacking, "only needed where the URL of Prometheus is not given")
        }
        ("replicasets", _) => {
            (State::Lacking, "pods of Deployments are told apart by their names only")
        }
        ("horizontalpodautoscalers", _) => {
            (State::Lacking, "what is scaled on usage is taken for what is not")
        }
        _ => (State::Lacking, "workloads of this kind are left out"),
    }
}

/// Finds the Prometheus where no address is given; what is found is part of the answer.
pub(super) async fn located(
    config: &RecommendConfig,
) -> Result<(PrometheusConfig, Option<Finding>), Finding> {
    let mut prometheus = config.prometheus.clone();
    if prometheus.url.is_empty() {
        AUTO.clone_into(&mut prometheus.url);
    }
    if prometheus.url != AUTO {
        return Ok((prometheus, None));
    }
    match prometheus.located(config.cluster.context.as_deref()).await {
        Err(error) => Err(failed("prometheus", &error)),
        Ok(found) => {
            let finding = Finding::good("prometheus", None, format!("found {}", found.shown()));
            Ok((found, Some(finding)))
        }
    }
}

/// That something cannot be asked at all; the message says what to do.
fn failed(check: &'static str, error: &(dyn std::error::Error + 'static)) -> Finding {
    let text = error.to_string();
    let (said, fix) =
        text.split_once("; ").unwrap_or((&text, "mend what is named, and look again"));
    let causes = error.source().map(|cause| format!(": {}", with_causes(cause)));
    let detail = format!("{said}{}", causes.unwrap_or_default());
    Finding::bad(State::Broken, (check, None), detail, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(denied: &[&str], finds: bool) -> Vec<(State, String)> {
        let permission = |right: &Right| {
            if denied.contains(&right.resource) {
                Permission::Denied { rule: right.rule(), reason: "no".to_owned() }
            } else {
                Permission::Granted
            }
        };
        let granted: Vec<Permission> = Right::SCAN.iter().map(permission).collect();
        let findings = of_rights(&Right::SCAN, &granted, finds);
        findings.into_iter().map(|finding| (finding.state, finding.detail)).collect()
    }

    #[test]
    fn a_missing_right_says_what_it_costs_and_which_rule_grants_it() {
        assert_eq!(states(&["pods"], false)[0].0, State::Broken);
        assert_eq!(states(&["services/proxy"], true)[0].0, State::Broken);
        assert_eq!(states(&["services/proxy"], false)[0].0, State::Lacking);
        let (state, detail) = states(&["cronjobs"], true).remove(0);
        assert_eq!(state, State::Lacking);
        assert!(detail.contains("list cronjobs is not allowed (no)"), "{detail}");
    }

    #[test]
    fn what_most_clusters_do_not_have_is_not_missed() {
        let found = states(&["rollouts", "deploymentconfigs"], true);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, State::Good);
    }
}
