//! Whether one Prometheus tells of several clusters, which must not be added up.

use super::super::answer::Labelled;
use super::{Finding, Patient, State};

/// The labels by which collectors and long-term stores tell clusters apart.
const LABELS: [&str; 3] = ["cluster", "k8s_cluster", "cluster_name"];
/// What has a few series a node.
const NODES: &str = "(kube_node_info or machine_cpu_cores or kube_node_status_allocatable)";
/// Names that are listed.
const SHOWN: usize = 5;

impl Patient<'_> {
    /// What is found; nothing where no node is known, which another finding tells.
    pub(super) async fn clusters(&self) -> Option<Finding> {
        for label in LABELS {
            let promql = format!("group by ({label}) {NODES}");
            let answer = self.api.instant(&promql, self.lookback.to).await.ok()?;
            let names = names(&answer, label);
            if names.len() > 1 {
                return Some(several(label, &names));
            }
            if answer.is_empty() {
                return None;
            }
        }
        Some(Finding::good("clusters", None, "its metrics are those of one cluster".to_owned()))
    }
}

fn names<'a>(answer: &'a [Labelled], label: &str) -> Vec<&'a str> {
    answer.iter().filter_map(|series| series.label(label)).filter(|name| !name.is_empty()).collect()
}

fn several(label: &str, names: &[&str]) -> Finding {
    let more = if names.len() > SHOWN { " and more" } else { "" };
    let listed = names[..names.len().min(SHOWN)].join(", ");
    let detail = format!(
        "it tells of {} clusters by the label {label}: {listed}{more}; equal names in several of them would be added up",
        names.len()
    );
    let fix =
        format!("set scan.cluster_label to the one that is meant, as in {label}={}", names[0]);
    Finding::bad(State::Lacking, ("clusters", None), detail, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_clusters_are_named_with_the_key_that_chooses_one() {
        let finding = several("cluster", &["a", "b", "c", "d", "e", "f"]);
        assert!(finding.detail.contains("6 clusters"), "{finding:?}");
        assert!(finding.detail.contains("a, b, c, d, e and more"), "{finding:?}");
        assert!(finding.fix.unwrap().ends_with("cluster=a"));
    }
}
