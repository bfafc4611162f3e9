//! Workloads whose usage is made up, written as a Prometheus has it and as a cluster has it.

use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;

use jiff::Timestamp;
use mora_core::{
    ContainerRole, Inventory, InventoryContainer, InventoryItem, InventoryPod, OwnerAutoscaler,
    OwnerKind, OwnerRef, ResourceClaim,
};
use mora_tests::{MetricKind, OpenMetricsWriter};
use serde_json::Value;

/// When all histories end, in seconds since the Unix epoch.
pub(super) const NOW: i64 = 1_760_000_000;
/// What the one container of every pod is called.
pub(super) const CONTAINER: &str = "app";
/// What the owner of all pods of a case is called.
const OWNER: &str = "web";

/// A workload in a namespace of its own, called after the case.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    pub(super) namespace: String,
    pub(super) kind: OwnerKind,
    pub(super) claim: ResourceClaim,
    pub(super) autoscaler: Option<OwnerAutoscaler>,
    pub(super) pods: Vec<Pod>,
    pub(super) kills: Vec<Kill>,
}

/// A pod, with its samples from `first` seconds after [`NOW`] (negative) on, every `step` seconds.
#[derive(Debug, Clone)]
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) replica_set: String,
    pub(super) is_gone: bool,
    /// Each way it is scraped; several runs of the container too.
    pub(super) scraped: Vec<Scraped>,
}

/// The series of one run of a container as one job has them.
#[derive(Debug, Clone)]
pub(super) struct Scraped {
    pub(super) job: String,
    /// Which run of the container.
    pub(super) id: String,
    pub(super) first: i64,
    pub(super) step: i64,
    /// Seconds of CPU used since its start.
    pub(super) cpu: Vec<Option<f64>>,
    /// Bytes.
    pub(super) memory: Vec<Option<f64>>,
}

/// What kube-state-metrics says of a kill for lack of memory.
#[derive(Debug, Clone)]
pub(super) struct Kill {
    pub(super) pod: String,
    pub(super) limit: f64,
    pub(super) first: i64,
    pub(super) step: i64,
    pub(super) samples: usize,
    /// When the container ended, in seconds after [`NOW`]; an old kube-state-metrics does not say.
    pub(super) ended: Option<i64>,
}

impl Workload {
    /// As the cluster has it.
    pub(super) fn item(&self) -> InventoryItem {
        let container = InventoryContainer { role: ContainerRole::Main, claim: self.claim };
        let running = self.pods.iter().filter(|pod| !pod.is_gone);
        let pods: Vec<InventoryPod> = running
            .map(|pod| InventoryPod { name: pod.name.as_str().into(), is_active: true })
            .collect();
        InventoryItem {
            owner: OwnerRef::new(&self.namespace, self.kind.clone(), OWNER),
            labels: [].into(),
            replicas: pods.len() as u32,
            containers: vec![(Arc::from(CONTAINER), container)],
            pods,
            generations: Vec::new(),
            autoscaler: self.autoscaler,
            warnings: Vec::new(),
        }
    }
}

/// All `workloads` as a cluster has them.
pub(super) fn inventory(workloads: &[Workload]) -> Inventory {
    let mut items: Vec<InventoryItem> = workloads.iter().map(Workload::item).collect();
    items.sort_by(|a, b| a.owner.cmp(&b.owner));
    Inventory { items, warnings: Vec::new() }
}

/// The workload of a case of the file of KRR's figures.
pub(super) fn from_file(case: &Value) -> Workload {
    let input = &case["input"];
    let allocation = |bound: &str, resource: &str| input["allocations"][bound][resource].as_str();
    let pods = input["pods"].as_array().unwrap().iter().map(pod_from_file).collect();
    let kills = input["oomkilled"].as_array().unwrap().iter().map(|kill| Kill {
        pod: kill["pod"].as_str().unwrap().to_owned(),
        limit: kill["limit_bytes"].as_f64().unwrap(),
        first: kill["seen_from"].as_i64().unwrap(),
        step: kill["dt"].as_i64().unwrap(),
        samples: kill["samples"].as_u64().unwrap() as usize,
        ended: None,
    });
    let percent = |name: &str| input["hpa"][name].as_u64().map(|percent| percent as u32);
    let autoscaler = input["hpa"].as_object().map(|_| OwnerAutoscaler {
        min_replicas: 2,
        max_replicas: 10,
        current_replicas: 3,
        cpu_percent: percent("target_cpu_utilization_percentage"),
        memory_percent: percent("target_memory_utilization_percentage"),
        on_absolute: false,
    });
    Workload {
        namespace: input["namespace"].as_str().unwrap().to_owned(),
        kind: input["kind"].as_str().unwrap().parse().unwrap(),
        claim: ResourceClaim {
            cpu_request: allocation("requests", "cpu").map(|text| text.parse().unwrap()),
            cpu_limit: allocation("limits", "cpu").map(|text| text.parse().unwrap()),
            memory_request: allocation("requests", "memory").map(|text| text.parse().unwrap()),
            memory_limit: allocation("limits", "memory").map(|text| text.parse().unwrap()),
        },
        autoscaler,
        pods,
        kills: kills.collect(),
    }
}

fn pod_from_file(pod: &Value) -> Pod {
    let text = |name: &str| pod[name].as_str().unwrap().to_owned();
    let samples = |name: &str, times: f64| -> Vec<Option<f64>> {
        let samples = pod[name].as_array().into_iter().flatten();
        samples.map(|sample| sample.as_f64().map(|value| value * times)).collect()
    };
    let extra = pod["extra_jobs"].as_array().unwrap().iter();
    let extra = extra.map(|job| (job[0].as_str().unwrap().to_owned(), job[1].as_f64().unwrap()));
    let scraped = [(text("job"), 1.0)].into_iter().chain(extra).map(|(job, times)| Scraped {
        job,
        id: "/1".to_owned(),
        first: pod["t0"].as_i64().unwrap(),
        step: pod["dt"].as_i64().unwrap(),
        cpu: samples("cpu_counter", times),
        memory: samples("memory", times),
    });
    Pod {
        name: text("name"),
        replica_set: text("rs"),
        is_gone: pod["deleted"].as_bool().unwrap(),
        scraped: scraped.collect(),
    }
}

/// Samples from `first` seconds after [`NOW`] on.
fn timed(
    first: i64,
    step: i64,
    values: impl IntoIterator<Item = Option<f64>>,
) -> impl Iterator<Item = (Timestamp, f64)> {
    values.into_iter().enumerate().filter_map(move |(index, value)| {
        let second = NOW + first + step * index as i64;
        Some((Timestamp::from_second(second).unwrap(), value?))
    })
}

type Out = OpenMetricsWriter<BufWriter<File>>;

/// Writes what a Prometheus has of `workloads`.
pub(super) fn write(workloads: &[Workload], out: BufWriter<File>) -> io::Result<BufWriter<File>> {
    const USAGE: [(&str, MetricKind); 2] = [
        ("container_cpu_usage_seconds_total", MetricKind::Counter),
        ("container_memory_working_set_bytes", MetricKind::Gauge),
    ];
    let mut out = OpenMetricsWriter::new(out);
    for (metric, kind) in USAGE {
        out.family(metric, kind)?;
        for workload in workloads {
            for (pod, scraped) in
                workload.pods.iter().flat_map(|pod| pod.scraped.iter().map(move |one| (pod, one)))
            {
                let values = match kind {
                    MetricKind::Counter => scraped.cpu.clone(),
                    _ => scraped.memory.clone(),
                };
                let labels = [
                    ("namespace", workload.namespace.as_str()),
                    ("pod", &pod.name),
                    ("container", CONTAINER),
                    ("job", &scraped.job),
                    ("id", &scraped.id),
                ];
                out.series(metric, &labels, timed(scraped.first, scraped.step, values))?;
            }
        }
    }
    write_owners(&mut out, workloads)?;
    write_kills(&mut out, workloads)?;
    out.finish()
}

fn write_owners(out: &mut Out, workloads: &[Workload]) -> io::Result<()> {
    // Hourly samples: only labels are read.
    let seen = || timed(-3 * 3600, 3600, [Some(1.0); 4]);
    out.family("kube_pod_owner", MetricKind::Gauge)?;
    for workload in workloads {
        for pod in &workload.pods {
            let (kind, name) = match workload.kind {
                OwnerKind::Deployment => ("ReplicaSet", pod.replica_set.as_str()),
                _ => (workload.kind.as_str(), OWNER),
            };
            let labels = [
                ("namespace", workload.namespace.as_str()),
                ("pod", &pod.name),
                ("owner_kind", kind),
                ("owner_name", name),
            ];
            out.series("kube_pod_owner", &labels, seen())?;
        }
    }
    out.family("kube_replicaset_owner", MetricKind::Gauge)?;
    for workload in workloads.iter().filter(|one| one.kind == OwnerKind::Deployment) {
        let mut sets: Vec<&str> = workload.pods.iter().map(|pod| &*pod.replica_set).collect();
        sets.sort_unstable();
        sets.dedup();
        for set in sets {
            let labels = [
                ("namespace", workload.namespace.as_str()),
                ("replicaset", set),
                ("owner_kind", "Deployment"),
                ("owner_name", OWNER),
            ];
            out.series("kube_replicaset_owner", &labels, seen())?;
        }
    }
    Ok(())
}

fn write_kills(out: &mut Out, workloads: &[Workload]) -> io::Result<()> {
    let kills = || {
        workloads.iter().flat_map(|one| one.kills.iter().map(move |kill| (&*one.namespace, kill)))
    };
    let values = [
        ("kube_pod_container_resource_limits", ("resource", "memory")),
        ("kube_pod_container_status_last_terminated_reason", ("reason", "OOMKilled")),
        ("kube_pod_container_status_last_terminated_timestamp", ("uid", "")),
    ];
    for (metric, label) in values {
        out.family(metric, MetricKind::Gauge)?;
        for (namespace, kill) in kills() {
            let value = match label.0 {
                "resource" => Some(kill.limit),
                "reason" => Some(1.0),
                _ => kill.ended.map(|ended| (NOW + ended) as f64),
            };
            let labels = [
                ("namespace", namespace),
                ("pod", &kill.pod),
                ("container", CONTAINER),
                ("job", "kube-state-metrics"),
                label,
            ];
            out.series(metric, &labels, timed(kill.first, kill.step, vec![value; kill.samples]))?;
        }
    }
    Ok(())
}
