//! Datasets under the names a real cluster gives them: cAdvisor, Istio and kube-state-metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use jiff::Timestamp;
use mora_core::{
    ContainerUsage, Dataset, Millicores, ResourceClaim, Series, WorkloadKind, WorkloadRef,
};

use crate::open_metrics::{MetricKind, OpenMetricsWriter};

/// A quantity of a claim, with kube-state-metrics' labels `resource` and `unit`.
type ClaimedQuantity = (&'static str, &'static str, Option<f64>);

/// Writes what Prometheus would have scraped of `datasets`, as `OpenMetrics` text, and gives `out` back.
///
/// Usage and request rates become counters. A workload with one container also has the series of its
/// pods' cgroups, with an empty container, as cAdvisor reports them. Requests of a workload without
/// known callers come from the source `unknown`. Fails when `out` does.
pub fn write_cluster_metrics<W: Write>(datasets: &[Dataset], out: W) -> io::Result<W> {
    let mut text = OpenMetricsWriter::new(out);
    let out = &mut text;
    write_usage(out, datasets, "container_cpu_usage_seconds_total", MetricKind::Counter)?;
    write_usage(out, datasets, "container_memory_working_set_bytes", MetricKind::Gauge)?;
    write_requests(out, datasets)?;
    for kind in WorkloadKind::ALL {
        write_replicas(out, datasets, kind)?;
    }
    write_pod_owners(out, datasets)?;
    write_replica_set_owners(out, datasets)?;
    write_claims(out, datasets, "kube_pod_container_resource_requests", requested)?;
    write_claims(out, datasets, "kube_pod_container_resource_limits", limited)?;
    write_oom_kills(out, datasets, "kube_pod_container_status_last_terminated_reason")?;
    write_oom_kills(out, datasets, "kube_pod_container_status_last_terminated_timestamp")?;
    text.finish()
}

fn write_usage<W: Write>(
    out: &mut OpenMetricsWriter<W>,
    datasets: &[Dataset],
    name: &str,
    kind: MetricKind,
) -> io::Result<()> {
    out.family(name, kind)?;
    for dataset in datasets {
        for (container, usage) in cgroups(dataset) {
            let pods = if kind == MetricKind::Counter { &usage.cpu } else { &usage.memory };
            for (pod, series) in pods {
                out.series(name, &pod_labels(dataset, pod, container), samples(series, kind))?;
            }
        }
    }
    Ok(())
}

fn write_requests<W: Write>(
    out: &mut OpenMetricsWriter<W>,
    datasets: &[Dataset],
) -> io::Result<()> {
    const NAME: &str = "istio_requests_total";
    out.family(NAME, MetricKind::Counter)?;
    for dataset in datasets {
        for (caller, series) in &dataset.calls {
            let labels = call_labels(caller.name(), caller.namespace(), &dataset.workload);
            out.series(NAME, &labels, samples(series, MetricKind::Counter))?;
        }
        if let Some(series) = dataset.request_rate.as_ref().filter(|_| dataset.calls.is_empty()) {
            let labels = call_labels("unknown", "unknown", &dataset.workload);
            out.series(NAME, &labels, samples(series, MetricKind::Counter))?;
        }
    }
    Ok(())
}

fn write_replicas<W: Write>(
    out: &mut OpenMetricsWriter<W>,
    datasets: &[Dataset],
    kind: WorkloadKind,
) -> io::Result<()> {
    let (name, label) = match kind {
        WorkloadKind::Deployment => ("kube_deployment_status_replicas_ready", "deployment"),
        WorkloadKind::StatefulSet => ("kube_statefulset_status_replicas_ready", "statefulset"),
        WorkloadKind::DaemonSet => ("kube_daemonset_status_number_ready", "daemonset"),
    };
    out.family(name, MetricKind::Gauge)?;
    for dataset in datasets.iter().filter(|d| d.workload.kind() == kind) {
        let labels =
            [("namespace", dataset.workload.namespace()), (label, dataset.workload.name())];
        if let Some(series) = &dataset.replicas {
            out.series(name, &labels, samples(series, MetricKind::Gauge))?;
        }
    }
    Ok(())
}

fn write_pod_owners<W: Write>(
    out: &mut OpenMetricsWriter<W>,
    datasets: &[Dataset],
) -> io::Result<()> {
    const NAME: &str = "kube_pod_owner";
    out.family(NAME, MetricKind::Gauge)?;
    for dataset in datasets {
        for (pod, series) in pods(dataset) {
            let workload = &dataset.workload;
            let (kind, owner) = match workload.kind() {
                WorkloadKind::Deployment => ("ReplicaSet", replica_set(pod)),
                kind => (kind.as_str(), workload.name()),
            };
            let labels = [
                ("namespace", workload.namespace()),
                ("pod", pod),
                ("owner_kind", kind),
                ("owner_name", owner),
                ("owner_is_controller", "true"),
            ];
            out.series(NAME, &labels, present(series, 1.0))?;
        }
    }
    Ok(())
}

fn write_replica_set_owners<W: Write>(
    out: &mut OpenMetricsWriter<W>,
    datasets: &[Dataset],
) -> io::Result<()> {
    const NAME: &str = "kube_replicaset_owner";
    out.family(NAME, MetricKind::Gauge)?;
    for dataset in datasets.iter().filter(|d| d.workload.kind() == WorkloadKind::Deployment) {
        for (replica_set, times) in replica_sets(dataset) {
            let labels = [
                ("namespace", dataset.workload.namespace()),
                ("replicaset", replica_set),
                ("owner_kind", "Deployment"),
                ("owner_name", dataset.workload.name()),
                ("owner_is_controller", "true"),
            ];
            out.series(NAME, &labels, times.into_iter().map(|time| (time, 1.0)))?;
        }
    }
    Ok(())
}

fn write_claims<W: Write>(
    out: &mut OpenMetricsWriter<W>,
    datasets: &[Dataset],
    name: &str,
    quantities: fn(&ResourceClaim) -> [ClaimedQuantity; 2],
) -> io::Result<()> {
    out.family(name, MetricKind::Gauge)?;
    for dataset in datasets {
        for (container, usage) in &dataset.containers {
            for (pod, series) in &usage.cpu {
                for (resource, unit, quantity) in quantities(&usage.claim) {
                    let mut labels = pod_labels(dataset, pod, container).to_vec();
                    labels.extend([("resource", resource), ("unit", unit)]);
                    let samples = quantity.into_iter().flat_map(|q| present(series, q));
                    out.series(name, &labels, samples)?;
                }
            }
        }
    }
    Ok(())
}

/// What is said of the last end of a container from the first out-of-memory kill on: 1 for the reason, else its time.
fn write_oom_kills<W: Write>(
    out: &mut OpenMetricsWriter<W>,
    datasets: &[Dataset],
    name: &str,
) -> io::Result<()> {
    let is_reason = name.ends_with("_reason");
    out.family(name, MetricKind::Gauge)?;
    for dataset in datasets {
        for (container, usage) in &dataset.containers {
            for (pod, series) in &usage.memory {
                let mut labels = pod_labels(dataset, pod, container).to_vec();
                labels.extend(is_reason.then_some(("reason", "OOMKilled")));
                let ends = ends(usage, pod, series);
                let value = |end: Timestamp| if is_reason { 1.0 } else { end.as_second() as f64 };
                out.series(name, &labels, ends.map(|(time, end)| (time, value(end))))?;
            }
        }
    }
    Ok(())
}

/// Whenever `series` of `pod` was observed after a kill: the time, and that of the last kill.
fn ends<'a>(
    usage: &'a ContainerUsage,
    pod: &'a str,
    series: &'a Series,
) -> impl Iterator<Item = (Timestamp, Timestamp)> + 'a {
    let last = move |time| {
        let before = usage.oom_kills.iter().filter(|kill| kill.pod == pod && kill.killed <= time);
        before.map(|kill| kill.killed).max()
    };
    present(series, 1.0).filter_map(move |(time, _)| Some((time, last(time)?)))
}

fn requested(claim: &ResourceClaim) -> [ClaimedQuantity; 2] {
    [
        ("cpu", "core", claim.cpu_request.map(Millicores::cores)),
        ("memory", "byte", claim.memory_request.map(|bytes| bytes.get() as f64)),
    ]
}

fn limited(claim: &ResourceClaim) -> [ClaimedQuantity; 2] {
    [
        ("cpu", "core", claim.cpu_limit.map(Millicores::cores)),
        ("memory", "byte", claim.memory_limit.map(|bytes| bytes.get() as f64)),
    ]
}

fn pod_labels<'a>(
    dataset: &'a Dataset,
    pod: &'a str,
    container: &'a str,
) -> [(&'static str, &'a str); 3] {
    [("namespace", dataset.workload.namespace()), ("pod", pod), ("container", container)]
}

fn call_labels<'a>(
    source: &'a str,
    source_namespace: &'a str,
    destination: &'a WorkloadRef,
) -> [(&'static str, &'a str); 6] {
    [
        ("reporter", "destination"),
        ("source_workload", source),
        ("source_workload_namespace", source_namespace),
        ("destination_workload", destination.name()),
        ("destination_workload_namespace", destination.namespace()),
        ("response_code", "200"),
    ]
}

/// The containers by name, and a lone container once more as its pod's cgroup, which has no container name.
fn cgroups(dataset: &Dataset) -> impl Iterator<Item = (&str, &ContainerUsage)> {
    let named = dataset.containers.iter().map(|(name, usage)| (name.as_str(), usage));
    let lone = dataset.containers.values().filter(|_| dataset.containers.len() == 1);
    lone.map(|usage| ("", usage)).chain(named)
}

/// Every pod once, with the CPU usage of its first container.
fn pods(dataset: &Dataset) -> BTreeMap<&str, &Series> {
    let usages = dataset.containers.values().rev().flat_map(|usage| &usage.cpu);
    usages.map(|(pod, series)| (pod.as_str(), series)).collect()
}

/// Every ReplicaSet of a Deployment with the times at which any of its pods was observed.
fn replica_sets(dataset: &Dataset) -> BTreeMap<&str, BTreeSet<Timestamp>> {
    let mut replica_sets: BTreeMap<&str, BTreeSet<Timestamp>> = BTreeMap::new();
    for (pod, series) in pods(dataset) {
        let times = present(series, 1.0).map(|(time, _)| time);
        replica_sets.entry(replica_set(pod)).or_default().extend(times);
    }
    replica_sets
}

/// A Deployment's pod is named after its ReplicaSet, with a suffix of its own.
fn replica_set(pod: &str) -> &str {
    pod.rsplit_once('-').map_or(pod, |(replica_set, _)| replica_set)
}

/// The observations as scraped: as they are, or summed over time for a counter. A gap has no sample, and
/// a counter goes on across it at the rate last seen.
fn samples(series: &Series, kind: MetricKind) -> impl Iterator<Item = (Timestamp, f64)> + '_ {
    let step_seconds = f64::from(series.step().seconds());
    let (mut total, mut rate) = (0.0, 0.0);
    let scraped = series.values().iter().map(move |value| {
        rate = value.unwrap_or(rate);
        total += rate * step_seconds;
        value.map(|value| if kind == MetricKind::Counter { total } else { value })
    });
    scraped.enumerate().filter_map(|(index, value)| Some((series.time(index), value?)))
}

/// `value` whenever `series` was observed.
fn present(series: &Series, value: f64) -> impl Iterator<Item = (Timestamp, f64)> + '_ {
    samples(series, MetricKind::Gauge).map(move |(time, _)| (time, value))
}

#[cfg(test)]
mod tests {
    use mora_core::{OomKill, Step};

    use super::*;

    fn series(values: &[Option<f64>]) -> Series {
        Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values.to_vec()).unwrap()
    }

    fn text() -> String {
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        let claim = ResourceClaim {
            cpu_request: Some(Millicores::new(250)),
            memory_limit: Some(mora_core::Bytes::MEBIBYTE),
            ..ResourceClaim::default()
        };
        let pod = "cart-6d5c8b7f9d-x7k2p".to_owned();
        let cpu = [(pod.clone(), series(&[Some(0.5), None, Some(1.0)]))].into();
        let memory = [(pod.clone(), series(&[Some(9.0), Some(9.0)]))].into();
        let killed = Timestamp::from_second(30).unwrap();
        let oom_kills = [OomKill { killed, pod, peak: mora_core::Bytes::MEBIBYTE }].into();
        let usage = ContainerUsage { claim, cpu, memory, oom_kills };
        dataset.containers.insert("server".to_owned(), usage);
        dataset.calls.insert("shop/frontend".parse().unwrap(), series(&[Some(2.0)]));
        dataset.request_rate = Some(series(&[Some(2.0)]));
        String::from_utf8(write_cluster_metrics(&[dataset], Vec::new()).unwrap()).unwrap()
    }

    #[test]
    fn usage_is_a_growing_counter_without_a_sample_in_a_gap() {
        let of = |line: &&str| line.starts_with("container_cpu") && line.contains("\"server\"");
        let labels = "namespace=\"shop\",pod=\"cart-6d5c8b7f9d-x7k2p\",container=\"server\"";
        let expected = [
            format!("container_cpu_usage_seconds_total{{{labels}}} 30 0"),
            format!("container_cpu_usage_seconds_total{{{labels}}} 120 120"),
        ];
        assert_eq!(text().lines().filter(of).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_pod_is_owned_by_its_replica_set_and_that_by_the_deployment() {
        let text = text();
        assert!(
            text.contains("owner_kind=\"ReplicaSet\",owner_name=\"cart-6d5c8b7f9d\""),
            "{text}"
        );
        let owner = "replicaset=\"cart-6d5c8b7f9d\",owner_kind=\"Deployment\",owner_name=\"cart\"";
        assert!(text.contains(owner), "{text}");
    }

    #[test]
    fn a_replica_set_is_owned_as_long_as_any_of_its_pods_runs() {
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        let long = ("cart-6d5c8b7f9d-aaaaa".to_owned(), series(&[Some(1.0), Some(1.0)]));
        let late = ("cart-6d5c8b7f9d-bbbbb".to_owned(), series(&[None, None, Some(1.0)]));
        let usage = ContainerUsage { cpu: [long, late].into(), ..ContainerUsage::default() };
        dataset.containers.insert("server".to_owned(), usage);
        let times: Vec<i64> =
            replica_sets(&dataset)["cart-6d5c8b7f9d"].iter().map(|time| time.as_second()).collect();
        assert_eq!(times, [0, 60, 120]);
    }

    #[test]
    fn calls_name_their_caller_and_leave_nothing_to_an_unknown_source() {
        let text = text();
        let call = "source_workload=\"frontend\",source_workload_namespace=\"shop\",\
            destination_workload=\"cart\"";
        assert!(text.contains(call), "{text}");
        assert!(!text.contains("unknown"), "{text}");
    }

    #[test]
    fn a_kill_is_the_last_end_of_its_container_from_then_on() {
        let text = text();
        let of = |line: &&str| line.starts_with("kube_pod_container_status");
        let ends: Vec<_> = text.lines().filter(of).collect();
        assert_eq!(ends.len(), 2, "{ends:?}");
        assert!(ends[0].ends_with("reason=\"OOMKilled\"} 1 60"), "{ends:?}");
        assert!(ends[1].ends_with("container=\"server\"} 30 60"), "{ends:?}");
    }

    #[test]
    fn a_claim_states_only_what_the_container_claims() {
        let text = text();
        let of = |line: &&str| line.starts_with("kube_pod_container_resource");
        let claims: Vec<_> = text.lines().filter(of).collect();
        assert_eq!(claims.len(), 4, "{claims:?}");
        assert!(claims[0].ends_with("resource=\"cpu\",unit=\"core\"} 0.25 0"), "{claims:?}");
        assert!(
            claims[3].ends_with("resource=\"memory\",unit=\"byte\"} 1048576 120"),
            "{claims:?}"
        );
    }
}
