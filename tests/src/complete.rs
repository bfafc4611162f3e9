//! A small application of which every metric of the catalogue is told, with values that are known.

use std::io::{self, Write};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mora_core::Step;

use crate::meshed::{self, Mesh, MeshedShop};
use crate::open_metrics::{MetricKind, OpenMetricsWriter};
use crate::prometheus::Shared;
use crate::{PrometheusError, PrometheusServer, Recording};

/// What is told beside the kubelet's metrics of containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Whether kube-state-metrics is scraped.
    pub kube_state_metrics: bool,
    /// Whether `node_exporter` is scraped.
    pub node_exporter: bool,
    /// Whether all meshes are.
    pub meshes: bool,
    /// The path below which Prometheus answers, as in `/prometheus`; empty for none.
    pub prefix: &'static str,
}

impl Told {
    /// Everything, below no path.
    pub const ALL: Self =
        Self { kube_state_metrics: true, node_exporter: true, meshes: true, prefix: "" };
}

/// A running Prometheus that holds an hour of the application of [`MeshedShop`] in the namespace `shop`.
///
/// Beside the constant rates, in minutes since the start: the second pod of `cart` ends at 40; network counters of the
/// first begin again at 30, its restarts are 1 at 20 and 2 at 25, and after the counter began again at 35 there is 1 at
/// 45; it was killed for lack of memory shortly before 20.
#[derive(Debug)]
pub struct Complete {
    server: PrometheusServer,
    newest: Timestamp,
}

/// How long it holds, in minutes.
const MINUTES: i64 = 60;
const NAMESPACE: &str = "shop";
const MESHES: [(Mesh, f64); 4] =
    [(Mesh::Istio, 1.0), (Mesh::Linkerd, 1.0), (Mesh::Hubble, 1.0), (Mesh::ServiceGraph, 1.0)];

const FRONTEND: &str = "frontend-6b7c9d5f8-4xk2z";
const CART: &str = "cart-5d7f6b8c9-24xkz";
const CART_ENDED: &str = "cart-5d7f6b8c9-7bq5m";
const CATALOG: &str = "catalog-7c9d8b5f6-x2v8k";
const REDIS: &str = "redis-0";
/// Pods with the container that serves, what owns them, and what owns that.
const PODS: [(&str, &str, (&str, &str)); 5] = [
    (FRONTEND, "server", ("ReplicaSet", "frontend-6b7c9d5f8")),
    (CART, "server", ("ReplicaSet", "cart-5d7f6b8c9")),
    (CART_ENDED, "server", ("ReplicaSet", "cart-5d7f6b8c9")),
    (CATALOG, "server", ("ReplicaSet", "catalog-7c9d8b5f6")),
    (REDIS, "redis", ("StatefulSet", "redis")),
];
/// The minute after which the second pod of `cart` is no more.
const ENDED: i64 = 40;

impl Complete {
    /// The one with everything that all running tests of this process share.
    ///
    /// Fails when a tool is missing or Prometheus does not get ready.
    pub fn shared() -> Result<Arc<Self>, PrometheusError> {
        static SHARED: Shared<Complete> = Shared::new();
        SHARED.get_or_start(|| Self::start(Told::ALL))
    }

    /// Starts one with what is `told`; fails as [`Complete::shared`] does.
    pub fn start(told: Told) -> Result<Self, PrometheusError> {
        let now = Timestamp::now();
        let newest = Step::MINUTE.floor(now.saturating_sub(Recording::AGE).unwrap_or(now));
        let server = PrometheusServer::start_below(told.prefix, |out| write(newest, told, out))?;
        Ok(Self { server, newest })
    }

    /// The Prometheus.
    #[must_use]
    pub const fn server(&self) -> &PrometheusServer {
        &self.server
    }

    /// Its base URL, with the path below which it answers.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The instant of the newest sample, that of the last minute.
    #[must_use]
    pub const fn newest(&self) -> Timestamp {
        self.newest
    }

    /// The instant of `minute`, from 0 to 59.
    #[must_use]
    pub fn minute(&self, minute: i64) -> Timestamp {
        minute_of(self.newest, minute)
    }
}

fn minute_of(newest: Timestamp, minute: i64) -> Timestamp {
    let age = SignedDuration::from_mins(MINUTES - 1 - minute);
    newest.saturating_sub(age).unwrap_or(newest)
}

fn write<W: Write>(newest: Timestamp, told: Told, out: W) -> io::Result<W> {
    let meshes = if told.meshes { &MESHES[..] } else { &[] };
    let shop = MeshedShop { namespace: NAMESPACE, meshes };
    let mut text = Text { out: OpenMetricsWriter::new(out), newest };
    meshed::write_families(&mut text.out, &[shop], newest)?;
    text.cadvisor()?;
    if told.kube_state_metrics {
        text.owners()?;
        text.replicas()?;
        text.claims()?;
        text.ends()?;
        text.allocatable()?;
    }
    if told.node_exporter {
        text.node_exporter()?;
    }
    text.out.finish()
}

struct Text<W: Write> {
    out: OpenMetricsWriter<W>,
    newest: Timestamp,
}

type Labels<'a> = &'a [(&'a str, &'a str)];

impl<W: Write> Text<W> {
    /// A series with what `value` gives at each minute before `end`.
    fn series(
        &mut self,
        name: &str,
        labels: Labels<'_>,
        end: i64,
        value: impl Fn(i64) -> f64,
    ) -> io::Result<()> {
        let newest = self.newest;
        let samples = (0..end).map(|minute| (minute_of(newest, minute), value(minute)));
        self.out.series(name, labels, samples)
    }

    /// A family of series that do not change.
    fn constant(&mut self, name: &str, all: &[(Vec<(&str, &str)>, f64)]) -> io::Result<()> {
        self.out.family(name, MetricKind::Gauge)?;
        for (labels, value) in all {
            let end = end_of(labels);
            self.series(name, labels, end, |_| *value)?;
        }
        Ok(())
    }

    fn cadvisor(&mut self) -> io::Result<()> {
        let memory: Vec<_> = PODS
            .iter()
            .map(|(pod, container, _)| (of_container(pod, container), 104_857_600.0))
            .chain([(vec![("id", "/"), ("node", "node-1"), ("instance", "10.0.0.1:10250")], 5e9)])
            .collect();
        self.constant("container_memory_working_set_bytes", &memory)?;
        let root = [("id", "/"), ("node", "node-1"), ("instance", "10.0.0.1:10250")];
        self.series("container_cpu_usage_seconds_total", &root, MINUTES, |m| 72.0 * m as f64)?;
        self.network("container_network_receive_bytes_total", 1.0)?;
        self.network("container_network_transmit_bytes_total", 2.0)
    }

    /// Bytes per second of each pod and interface, `scale` times.
    fn network(&mut self, name: &str, scale: f64) -> io::Result<()> {
        let pods = [
            (FRONTEND, "eth0", 1000.0),
            (FRONTEND, "tunl0", 200.0),
            (FRONTEND, "lo", 5000.0),
            (CART, "eth0", 300.0),
            (CART_ENDED, "eth0", 500.0),
            (REDIS, "eth0", 40.0),
        ];
        self.out.family(name, MetricKind::Counter)?;
        for (pod, interface, rate) in pods {
            let labels = [("namespace", NAMESPACE), ("pod", pod), ("interface", interface)];
            let began = |minute| if pod == CART && minute >= 30 { 29 } else { 0 };
            self.series(name, &labels, end_of(&labels), |minute| {
                scale * rate * 60.0 * (minute - began(minute)) as f64
            })?;
        }
        Ok(())
    }

    fn owners(&mut self) -> io::Result<()> {
        let owned = |pod, (kind, name): (&'static str, &'static str)| {
            let labels = [("pod", pod), ("owner_kind", kind), ("owner_name", name)];
            ([vec![("namespace", NAMESPACE)], labels.to_vec()].concat(), 1.0)
        };
        self.constant("kube_pod_owner", &PODS.map(|(pod, _, owner)| owned(pod, owner)))?;
        let set = |set, deployment| {
            let owner = [("owner_kind", "Deployment"), ("owner_name", deployment)];
            ([vec![("namespace", NAMESPACE), ("replicaset", set)], owner.to_vec()].concat(), 1.0)
        };
        let sets = [
            set("frontend-6b7c9d5f8", "frontend"),
            set("cart-5d7f6b8c9", "cart"),
            set("catalog-7c9d8b5f6", "catalog"),
        ];
        self.constant("kube_replicaset_owner", &sets)
    }

    fn replicas(&mut self) -> io::Result<()> {
        const DEPLOYMENTS: &str = "kube_deployment_status_replicas_ready";
        self.out.family(DEPLOYMENTS, MetricKind::Gauge)?;
        for name in ["frontend", "cart", "catalog"] {
            let labels = [("namespace", NAMESPACE), ("deployment", name)];
            let ready = |minute| if name == "cart" && minute < ENDED { 2.0 } else { 1.0 };
            self.series(DEPLOYMENTS, &labels, MINUTES, ready)?;
        }
        let of = |kind, name| (vec![("namespace", NAMESPACE), (kind, name)], 3.0);
        self.constant("kube_statefulset_status_replicas_ready", &[of("statefulset", "redis")])?;
        self.constant("kube_daemonset_status_number_ready", &[of("daemonset", "agent")])
    }

    fn claims(&mut self) -> io::Result<()> {
        let claimed = |(cores, bytes): (f64, f64)| {
            let resources = [("cpu", "core", cores), ("memory", "byte", bytes)];
            let of = move |(pod, container, _): &(&'static str, &'static str, _)| {
                let labels = of_container(pod, container);
                resources.map(|(resource, unit, value)| {
                    let more = vec![("resource", resource), ("unit", unit)];
                    ([labels.clone(), more].concat(), value)
                })
            };
            PODS.iter().flat_map(of).collect::<Vec<_>>()
        };
        self.constant("kube_pod_container_resource_requests", &claimed((0.25, 134_217_728.0)))?;
        self.constant("kube_pod_container_resource_limits", &claimed((0.5, 268_435_456.0)))
    }

    /// Restarts, and the end of the container that was killed.
    fn ends(&mut self) -> io::Result<()> {
        const RESTARTS: &str = "kube_pod_container_status_restarts_total";
        self.out.family(RESTARTS, MetricKind::Counter)?;
        for (pod, container, _) in PODS {
            self.series(RESTARTS, &of_container(pod, container), end_of(&[("pod", pod)]), |m| {
                restarts(pod, m)
            })?;
        }
        let killed = minute_of(self.newest, 20).as_second() - 10;
        let reason = [of_container(CART, "server"), vec![("reason", "OOMKilled")]].concat();
        let ends = [
            ("kube_pod_container_status_last_terminated_reason", reason, 1.0),
            (
                "kube_pod_container_status_last_terminated_timestamp",
                of_container(CART, "server"),
                killed as f64,
            ),
        ];
        for (name, labels, value) in ends {
            self.out.family(name, MetricKind::Gauge)?;
            let newest = self.newest;
            let samples = (20..MINUTES).map(|minute| (minute_of(newest, minute), value));
            self.out.series(name, &labels, samples)?;
        }
        Ok(())
    }

    fn allocatable(&mut self) -> io::Result<()> {
        let of = |resource, value| (vec![("node", "node-1"), ("resource", resource)], value);
        let all = [of("cpu", 3.92), of("memory", 7.5e9), of("pods", 110.0)];
        self.constant("kube_node_status_allocatable", &all)
    }

    fn node_exporter(&mut self) -> io::Result<()> {
        const CPU: &str = "node_cpu_seconds_total";
        const INSTANCE: (&str, &str) = ("instance", "10.0.0.1:9100");
        self.out.family(CPU, MetricKind::Counter)?;
        let modes = [("user", 0.3), ("system", 0.2), ("idle", 0.4), ("iowait", 0.1)];
        for (cpu, (mode, cores)) in ["0", "1"].iter().flat_map(|cpu| modes.map(|m| (cpu, m))) {
            let labels = [INSTANCE, ("cpu", cpu), ("mode", mode)];
            self.series(CPU, &labels, MINUTES, |minute| cores * 60.0 * minute as f64)?;
        }
        self.constant("node_uname_info", &[(vec![INSTANCE, ("nodename", "node-1")], 1.0)])?;
        for (name, bytes) in [("MemTotal", 8e9), ("MemFree", 3e9), ("Inactive_file", 1e9)] {
            self.constant(&format!("node_memory_{name}_bytes"), &[(vec![INSTANCE], bytes)])?;
        }
        Ok(())
    }
}

fn of_container<'a>(pod: &'a str, container: &'a str) -> Vec<(&'static str, &'a str)> {
    let uid = if pod == CART_ENDED { "8a1e" } else { "7c0d" };
    vec![("namespace", NAMESPACE), ("pod", pod), ("container", container), ("uid", uid)]
}

/// The minute after the last in which what `labels` are about is there.
fn end_of(labels: Labels<'_>) -> i64 {
    if labels.contains(&("pod", CART_ENDED)) { ENDED } else { MINUTES }
}

/// The counter of restarts of `pod`.
fn restarts(pod: &str, minute: i64) -> f64 {
    let since: &[(i64, f64)] = match pod {
        CART => &[(0, 0.0), (20, 1.0), (25, 3.0), (35, 0.0), (45, 1.0)],
        // Begins again together with a restart.
        REDIS => &[(0, 4.0), (50, 1.0)],
        CART_ENDED => &[(0, 5.0)],
        _ => &[(0, 0.0)],
    };
    since.iter().rev().find(|(from, _)| *from <= minute).map_or(0.0, |(_, count)| *count)
}
