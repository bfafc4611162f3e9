//! The page `/metrics` of the whole application, as a cluster's exporters would tell of it: the kubelet's cAdvisor of
//! containers, kube-state-metrics of pods and Deployments, Istio of calls.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use futures::future::join_all;

use crate::process_usage::ProcessUsage;

use super::claim::Claim;
use super::cluster::{Cluster, Told};
use super::exposition::{Exposition, Kind};
use super::node::node;
use super::pod::PodState;
use super::traffic::Traffic;

/// How long a process may take to tell its counters.
const SCRAPE: Duration = Duration::from_secs(2);
/// The one container of every pod, as the Online Boutique calls it.
const CONTAINER: &str = "server";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

const ISTIO: [(&str, Kind, &str); 2] = [
    ("istio_requests_total", Kind::Counter, "Requests received, by caller"),
    ("istio_request_duration_milliseconds", Kind::Histogram, "Time to answer, by caller"),
];

/// What is measured of one pod's container.
struct Measured<'a> {
    told: &'a Told,
    pod: &'a PodState,
    usage: Option<ProcessUsage>,
    /// Its own page of metrics.
    page: Option<String>,
}

/// Makes the page.
#[derive(Debug, Clone)]
pub(super) struct MetricsPage {
    cluster: Arc<Cluster>,
    client: reqwest::Client,
}

impl MetricsPage {
    /// Fails when the HTTP client cannot be made.
    pub(super) fn new(cluster: Arc<Cluster>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().no_proxy().timeout(SCRAPE).build()?;
        Ok(Self { cluster, client })
    }

    pub(super) fn router(self) -> Router {
        Router::new().route("/metrics", get(page)).with_state(self)
    }

    async fn text(&self) -> String {
        let told = self.cluster.told();
        let pods = told.iter().flat_map(|told| told.pods.iter().map(move |pod| (told, pod)));
        let measured = join_all(pods.map(|(told, pod)| self.measured(told, pod))).await;
        let mut page = Exposition::default();
        containers(&mut page, &measured);
        network(&mut page, &told);
        owners(&mut page, &told);
        replicas(&mut page, &told);
        claims(&mut page, &told);
        pod_states(&mut page, &measured);
        calls(&mut page, &measured);
        node(&mut page);
        page.into_text()
    }

    async fn measured<'a>(&self, told: &'a Told, pod: &'a PodState) -> Measured<'a> {
        let usage = pod.process.and_then(|(number, _)| ProcessUsage::of(&number.to_string()).ok());
        let page = match pod.ready {
            Some((_, metrics)) => {
                self.page_of(&pod.name, &format!("http://{metrics}/metrics")).await
            }
            None => None,
        };
        Measured { told, pod, usage, page }
    }

    /// Without one the pod has no calls this time, as when Prometheus cannot scrape a proxy.
    async fn page_of(&self, pod: &str, url: &str) -> Option<String> {
        let asked = async { self.client.get(url).send().await?.error_for_status()?.text().await };
        match asked.await {
            Ok(page) => Some(page),
            Err(error) => {
                tracing::warn!(pod, %error, "a process does not tell its counters");
                None
            }
        }
    }
}

async fn page(State(page): State<MetricsPage>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT)], page.text().await)
}

fn labels<'a>(told: &'a Told, pod: &'a PodState) -> [(&'a str, &'a str); 3] {
    [("namespace", &told.workload.namespace), ("pod", &pod.name), ("container", CONTAINER)]
}

fn containers(page: &mut Exposition, measured: &[Measured<'_>]) {
    type Value = fn(&ProcessUsage) -> f64;
    let metrics: [(&str, Kind, &str, Value); 2] = [
        ("container_cpu_usage_seconds_total", Kind::Counter, "CPU time used", |u| u.cpu_seconds),
        ("container_memory_working_set_bytes", Kind::Gauge, "Resident set of the process", |u| {
            u.resident_bytes as f64
        }),
    ];
    for (name, kind, help, value) in metrics {
        page.metric(name, kind, help);
        for one in measured {
            if let Some(usage) = &one.usage {
                page.sample(name, &labels(one.told, one.pod), value(usage));
            }
        }
    }
}

/// Of pods, not of containers, as cAdvisor tells it.
fn network(page: &mut Exposition, told: &[Told]) {
    type Value = fn(&Traffic) -> u64;
    let metrics: [(&str, &str, Value); 2] = [
        ("container_network_receive_bytes_total", "Bytes received by a pod", Traffic::received),
        ("container_network_transmit_bytes_total", "Bytes sent by a pod", Traffic::transmitted),
    ];
    for (name, help, value) in metrics {
        page.metric(name, Kind::Counter, help);
        for one in told {
            for pod in &one.pods {
                let [namespace, name_of_pod, _] = labels(one, pod);
                let labels = [namespace, name_of_pod, ("interface", "eth0")];
                page.sample(name, &labels, value(&pod.traffic) as f64);
            }
        }
    }
}

fn owners(page: &mut Exposition, told: &[Told]) {
    const POD: &str = "kube_pod_owner";
    const REPLICA_SET: &str = "kube_replicaset_owner";
    page.metric(POD, Kind::Gauge, "The replica set of a pod");
    for one in told {
        for pod in &one.pods {
            let labels = owner(one, ("pod", &pod.name), ("ReplicaSet", &one.replica_set));
            page.sample(POD, &labels, 1.0);
        }
    }
    page.metric(REPLICA_SET, Kind::Gauge, "The Deployment of a replica set");
    for one in told {
        let owned = ("replicaset", one.replica_set.as_str());
        page.sample(REPLICA_SET, &owner(one, owned, ("Deployment", one.workload.name)), 1.0);
    }
}

fn owner<'a>(
    told: &'a Told,
    owned: (&'a str, &'a str),
    (kind, name): (&'a str, &'a str),
) -> [(&'a str, &'a str); 5] {
    [
        ("namespace", &told.workload.namespace),
        owned,
        ("owner_kind", kind),
        ("owner_name", name),
        ("owner_is_controller", "true"),
    ]
}

fn replicas(page: &mut Exposition, told: &[Told]) {
    type Value = fn(&Told) -> usize;
    let metrics: [(&str, &str, Value); 2] = [
        ("kube_deployment_spec_replicas", "Replicas asked for", |one| one.workload.replicas),
        ("kube_deployment_status_replicas_ready", "Replicas ready", |one| one.workload.ready),
    ];
    for (name, help, value) in metrics {
        page.metric(name, Kind::Gauge, help);
        for one in told {
            let workload = &one.workload;
            let labels =
                [("namespace", workload.namespace.as_str()), ("deployment", workload.name)];
            page.sample(name, &labels, value(one) as f64);
        }
    }
}

fn claims(page: &mut Exposition, told: &[Told]) {
    type Bounds = fn(&Claim) -> (Option<u64>, Option<u64>);
    let metrics: [(&str, &str, Bounds); 2] = [
        ("kube_pod_container_resource_requests", "Requests of a container", |claim| {
            (claim.cpu_request_millicores, claim.memory_request_bytes)
        }),
        ("kube_pod_container_resource_limits", "Limits of a container", |claim| {
            (claim.cpu_limit_millicores, claim.memory_limit_bytes)
        }),
    ];
    for (name, help, bounds) in metrics {
        page.metric(name, Kind::Gauge, help);
        for one in told {
            let (cpu, memory) = bounds(&one.workload.claim);
            let cpu = cpu.map(|millicores| ("cpu", "core", millicores as f64 / 1000.0));
            let memory = memory.map(|bytes| ("memory", "byte", bytes as f64));
            for (resource, unit, value) in cpu.into_iter().chain(memory) {
                let bound = [("resource", resource), ("unit", unit)];
                for pod in &one.pods {
                    page.sample(name, &[&labels(one, pod)[..], &bound].concat(), value);
                }
            }
        }
    }
}

fn pod_states(page: &mut Exposition, measured: &[Measured<'_>]) {
    const RESTARTS: &str = "kube_pod_container_status_restarts_total";
    const READY: &str = "kube_pod_container_status_ready";
    const STARTED: &str = "container_start_time_seconds";
    page.metric(RESTARTS, Kind::Counter, "How often a container was started again");
    for one in measured {
        page.sample(RESTARTS, &labels(one.told, one.pod), f64::from(one.pod.restarts));
    }
    page.metric(READY, Kind::Gauge, "Whether a container accepts connections");
    for one in measured {
        let ready = f64::from(u8::from(one.pod.ready.is_some()));
        page.sample(READY, &labels(one.told, one.pod), ready);
    }
    page.metric(STARTED, Kind::Gauge, "When a container was started, in seconds since 1970");
    for one in measured {
        if let Some((_, started)) = one.pod.process {
            page.sample(STARTED, &labels(one.told, one.pod), started);
        }
    }
}

/// The counters of every process as it tells them, each with the pod they are of: to add them up here would make a
/// counter fall when a pod goes.
fn calls(page: &mut Exposition, measured: &[Measured<'_>]) {
    for (name, kind, help) in ISTIO {
        page.metric(name, kind, help);
        for one in measured {
            let namespace = &one.told.workload.namespace;
            let lines = one.page.iter().flat_map(|page| page.lines());
            for line in lines.filter_map(|line| of_pod(line, name, namespace, &one.pod.name)) {
                page.line(&line);
            }
        }
    }
}

/// A sample of metric `name` with the pod's labels; `None` for every other line.
fn of_pod(line: &str, name: &str, namespace: &str, pod: &str) -> Option<String> {
    let (sample, labels) = line.split_once('{')?;
    let suffix = sample.strip_prefix(name)?;
    let known = ["", "_bucket", "_sum", "_count"].contains(&suffix);
    known.then(|| format!("{sample}{{namespace=\"{namespace}\",pod=\"{pod}\",{labels}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_process_get_their_pod_and_other_lines_are_left_out() {
        let told = |line| of_pod(line, "istio_requests_total", "shop", "cart-1");
        assert_eq!(
            told(r#"istio_requests_total{reporter="destination"} 3"#).as_deref(),
            Some(r#"istio_requests_total{namespace="shop",pod="cart-1",reporter="destination"} 3"#)
        );
        assert_eq!(told("# TYPE istio_requests counter"), None);
        assert_eq!(told(r#"istio_requests_total_created{a="b"} 3"#), None);
        assert_eq!(told("process_cpu_seconds_total 3"), None);
    }
}
