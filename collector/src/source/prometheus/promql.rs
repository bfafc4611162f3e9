//! The questions, in the query language of Prometheus.

use mora_core::{Step, WorkloadKind};

use crate::Lookback;

/// The namespaces with container metrics within the last hour.
pub(super) const NAMESPACES: &str =
    "group by (namespace) (last_over_time(container_cpu_usage_seconds_total[1h]))";

/// Scrapes a rate is taken over: it needs two, and one or two may fail.
pub(super) const SCRAPES_PER_RATE: u32 = 5;
/// Scrapes within which a container that runs was seen.
const SCRAPES_PER_SIGHT: u32 = 2;
/// Width of a window in which an owner is looked for, in seconds: short enough to hold few samples,
/// long enough to take few windows.
const OWNER_WINDOW: u32 = 6 * 3600;

/// Requests or limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Request,
    Limit,
}

/// The questions about containers that ran out of memory, both by pod and container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OomQuery {
    /// When the container was last killed, in seconds since the Unix epoch.
    pub(super) times: String,
    /// Its memory limit in bytes.
    pub(super) limits: String,
}

/// The time that holds `scrapes` scrapes, and at least a step.
pub(super) fn window(step: Step, scrape_seconds: u32, scrapes: u32) -> String {
    format!("{}s", scrape_seconds.saturating_mul(scrapes).max(step.seconds()))
}

fn containers(namespace: &str) -> String {
    format!(r#"namespace="{namespace}",pod!="",container!="",container!="POD""#)
}

/// CPU usage by pod and container, in cores.
///
/// A restarted container starts its counter again from zero. `rate` takes every fall for that and counts on from it, pod
/// by pod before anything is summed, so that a restart is neither a negative usage nor a spike.
pub(super) fn cpu(namespace: &str, step: Step, scrape_seconds: u32) -> String {
    let (of, window) = (containers(namespace), window(step, scrape_seconds, SCRAPES_PER_RATE));
    format!("sum by (pod,container) (rate(container_cpu_usage_seconds_total{{{of}}}[{window}]))")
}

/// The largest memory working set of a step by pod and container, in bytes.
///
/// An explicit window, because the implied one of 5 minutes would bridge gaps and outlive pods.
pub(super) fn memory(namespace: &str, step: Step, scrape_seconds: u32) -> String {
    let (of, window) = (containers(namespace), window(step, scrape_seconds, SCRAPES_PER_SIGHT));
    format!(
        "max by (pod,container) (max_over_time(container_memory_working_set_bytes{{{of}}}[{window}]))"
    )
}

/// Ready replicas of each kind of workload; the label with the workload's name is the kind in lower case.
pub(super) fn replicas(namespace: &str) -> [(WorkloadKind, String); 3] {
    let query = |label: &str, metric: &str| {
        format!(r#"max by ({label}) ({metric}{{namespace="{namespace}"}})"#)
    };
    [
        (WorkloadKind::Deployment, query("deployment", "kube_deployment_status_replicas_ready")),
        (WorkloadKind::StatefulSet, query("statefulset", "kube_statefulset_status_replicas_ready")),
        (WorkloadKind::DaemonSet, query("daemonset", "kube_daemonset_status_number_ready")),
    ]
}

/// Requests and limits by pod, container and resource.
pub(super) fn claims(namespace: &str, scrape_seconds: u32) -> [(Bound, String); 2] {
    let window = scrape_seconds.saturating_mul(SCRAPES_PER_RATE);
    let query = |metric: &str| {
        let of = format!(r#"namespace="{namespace}",resource=~"cpu|memory""#);
        format!("max by (pod,container,resource) (last_over_time({metric}{{{of}}}[{window}s]))")
    };
    [
        (Bound::Request, query("kube_pod_container_resource_requests")),
        (Bound::Limit, query("kube_pod_container_resource_limits")),
    ]
}

/// The scheduler's periods by pod and container, and those in which the container was held back, per second; both are
/// counted only where a container has a CPU limit. Restarts are bridged as in [`cpu`].
pub(super) fn throttling(namespace: &str, step: Step, scrape_seconds: u32) -> [String; 2] {
    let (of, window) = (containers(namespace), window(step, scrape_seconds, SCRAPES_PER_RATE));
    ["container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total"]
        .map(|metric| format!("sum by (pod,container) (rate({metric}{{{of}}}[{window}]))"))
}

/// The containers whose last end was an out-of-memory kill.
pub(super) fn oom_kills(namespace: &str, step: Step, scrape_seconds: u32) -> OomQuery {
    let (of, window) = (containers(namespace), window(step, scrape_seconds, SCRAPES_PER_RATE));
    let killed = format!(
        r#"(last_over_time(kube_pod_container_status_last_terminated_reason{{{of},reason="OOMKilled"}}[{window}]) == 1)"#
    );
    let query = |metric: &str, of: &str| {
        format!(
            "max by (pod,container) (last_over_time({metric}{{{of}}}[{window}]) and on (pod,container,uid) {killed})"
        )
    };
    OomQuery {
        times: query("kube_pod_container_status_last_terminated_timestamp", &of),
        limits: query("kube_pod_container_resource_limits", &format!(r#"{of},resource="memory""#)),
    }
}

/// The owner of every pod that existed within a window.
pub(super) fn pod_owners(namespace: &str) -> String {
    owners("kube_pod_owner", "pod", namespace)
}

/// The owner of every ReplicaSet that existed within a window.
pub(super) fn replica_set_owners(namespace: &str) -> String {
    owners("kube_replicaset_owner", "replicaset", namespace)
}

fn owners(metric: &str, label: &str, namespace: &str) -> String {
    format!(
        r#"group by ({label},owner_kind,owner_name) (last_over_time({metric}{{namespace="{namespace}"}}[{OWNER_WINDOW}s]))"#
    )
}

/// The ends of the windows that cover `lookback` without a hole, as a lookback of their own.
pub(super) fn owner_windows(lookback: &Lookback) -> Lookback {
    let width = jiff::SignedDuration::from_secs(i64::from(OWNER_WINDOW));
    // A window that ends inside the lookback looks back by its width; the last must not end before it.
    let to = lookback.to.saturating_add(width).unwrap_or(lookback.to);
    Lookback { to, step: Step::from_seconds(OWNER_WINDOW).unwrap_or(Step::HOUR), ..*lookback }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn rates_span_five_scrapes_and_never_less_than_a_step() {
        assert!(cpu("shop", Step::MINUTE, 60).ends_with("[300s]))"));
        assert!(cpu("shop", Step::HOUR, 60).ends_with("[3600s]))"));
        assert!(memory("shop", Step::MINUTE, 60).ends_with("[120s]))"));
    }

    #[test]
    fn every_counter_is_read_by_a_rate_before_it_is_summed() {
        let [periods, throttled] = throttling("shop", Step::MINUTE, 60);
        for query in [cpu("shop", Step::MINUTE, 60), periods, throttled] {
            let counters = query.matches("_total").count();
            assert_eq!((counters, query.matches("(rate(").count()), (1, 1), "{query}");
            assert!(query.starts_with("sum by ("), "a sum of counters hides resets: {query}");
        }
    }

    #[test]
    fn owner_windows_cover_every_instant_of_the_lookback() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (from, to) in [(1, 60), (21_600, 43_200), (100_000, 190_001)] {
            let windows =
                owner_windows(&Lookback { from: at(from), to: at(to), step: Step::MINUTE });
            let first = windows.first_second();
            let last = first + 21_600 * (windows.steps() as i64 - 1);
            assert!(first - 21_600 < from && to <= last, "{from} to {to}: {first} to {last}");
        }
    }
}
