//! The metrics, with the labels each mesh gives them.

use mora_core::WorkloadKind;

use super::{Call, Failed, Mesh, MeshedShop, Side, calls};
use crate::open_metrics::MetricKind;

/// The bounds of all histograms, in milliseconds.
const BOUNDS: [f64; 5] = [5.0, 10.0, 25.0, 50.0, 100.0];

/// A counter and what it grows by per second.
pub(super) struct Counter {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) rate: f64,
}

/// A metric and its counters in one application.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: MetricKind,
    pub(super) counters: fn(&MeshedShop) -> Vec<Counter>,
}

const fn counter(name: &'static str, counters: fn(&MeshedShop) -> Vec<Counter>) -> Family {
    Family { name, kind: MetricKind::Counter, counters }
}

const fn histogram(name: &'static str, counters: fn(&MeshedShop) -> Vec<Counter>) -> Family {
    Family { name, kind: MetricKind::Histogram, counters }
}

/// Every metric that is told.
pub(super) const ALL: [Family; 12] = [
    counter("container_cpu_usage_seconds_total", |shop| containers(shop, |c| Some(c.cpu))),
    counter("container_cpu_cfs_periods_total", |shop| {
        containers(shop, |c| c.throttled.map(|_| PERIODS))
    }),
    counter("container_cpu_cfs_throttled_periods_total", |shop| {
        containers(shop, |c| c.throttled.map(|share| PERIODS * share))
    }),
    counter("istio_requests_total", |shop| by_outcome(&requests(shop, Mesh::Istio), istio_outcome)),
    histogram("istio_request_duration_milliseconds_bucket", |shop| {
        buckets(&requests(shop, Mesh::Istio), 1.0)
    }),
    counter("response_total", |shop| by_outcome(&requests(shop, Mesh::Linkerd), linkerd_outcome)),
    histogram("response_latency_ms_bucket", |shop| buckets(&requests(shop, Mesh::Linkerd), 1.0)),
    counter("hubble_http_requests_total", |shop| {
        by_outcome(&requests(shop, Mesh::Hubble), hubble_outcome)
    }),
    histogram("hubble_http_request_duration_seconds_bucket", |shop| {
        buckets(&requests(shop, Mesh::Hubble), 1e-3)
    }),
    counter("traces_service_graph_request_total", |shop| {
        let all = requests(shop, Mesh::ServiceGraph).into_iter();
        all.map(|request| request.counter(request.call.rate)).collect()
    }),
    counter("traces_service_graph_request_failed_total", |shop| {
        let all = requests(shop, Mesh::ServiceGraph).into_iter();
        let failing = all.filter(|request| request.call.failed.share() > 0.0);
        failing.map(|r| r.counter(r.call.rate * r.call.failed.share())).collect()
    }),
    histogram("traces_service_graph_request_server_seconds_bucket", |shop| {
        buckets(&requests(shop, Mesh::ServiceGraph), 1e-3)
    }),
];

/// Periods of the scheduler per second.
const PERIODS: f64 = 10.0;

struct Container {
    pod: &'static str,
    name: &'static str,
    /// Cores.
    cpu: f64,
    /// The share of periods it is held back in; `None` without a limit.
    throttled: Option<f64>,
}

const fn container(pod: &'static str, name: &'static str, throttled: Option<f64>) -> Container {
    Container { pod, name, cpu: 0.1, throttled }
}

const CONTAINERS: [Container; 6] = [
    container("frontend-6b7c9d5f8-4xk2z", "server", None),
    container("cart-5d7f6b8c9-24xkz", "server", Some(0.3)),
    container("cart-5d7f6b8c9-24xkz", "sidecar", Some(0.05)),
    container("cart-5d7f6b8c9-7bq5m", "server", Some(0.2)),
    container("catalog-7c9d8b5f6-x2v8k", "server", Some(0.0)),
    container("redis-0", "redis", None),
];

/// The containers of one application that have what `of` gives; those of `office` come with the first.
fn containers(shop: &MeshedShop, of: fn(&Container) -> Option<f64>) -> Vec<Counter> {
    let office = [container("reports-0", "reports", None)];
    let is_first = shop.namespace == MeshedShop::ALL[0].namespace;
    let office = office.iter().filter(|_| is_first).map(|c| ("office", c));
    let all = CONTAINERS.iter().map(|c| (shop.namespace, c)).chain(office);
    let counter = |(namespace, c): (&str, &Container)| {
        let labels = [("namespace", namespace), ("pod", c.pod), ("container", c.name)];
        Some(Counter { labels: owned(&labels), rate: of(c)? })
    };
    all.filter_map(counter).collect()
}

/// The requests of a call, as one reporter labels them before their outcome is known.
struct Request {
    labels: Vec<(&'static str, String)>,
    call: Call,
}

impl Request {
    fn new(labels: &[(&'static str, &str)], call: Call) -> Self {
        Self { labels: owned(labels), call }
    }

    fn with(&self, more: &[(&'static str, &str)], rate: f64) -> Counter {
        Counter { labels: [self.labels.clone(), owned(more)].concat(), rate }
    }

    fn counter(&self, rate: f64) -> Counter {
        self.with(&[], rate)
    }
}

/// Without empty labels, which Prometheus does not store.
fn owned(labels: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let filled = labels.iter().filter(|(_, value)| !value.is_empty());
    filled.map(|(label, value)| (*label, (*value).to_owned())).collect()
}

/// What `mesh` tells of `shop`, each request as often as there are reporters of it.
fn requests(shop: &MeshedShop, mesh: Mesh) -> Vec<Request> {
    let Some((_, scale)) = shop.meshes.iter().find(|(told, _)| *told == mesh) else {
        return Vec::new();
    };
    let calls = calls(shop.namespace, *scale);
    match mesh {
        Mesh::Istio => calls.iter().flat_map(istio).collect(),
        Mesh::Linkerd => linkerd(&calls),
        Mesh::Hubble => calls.iter().flat_map(hubble).collect(),
        Mesh::ServiceGraph => service_graph(&calls),
    }
}

/// As both proxies report it.
fn istio(call: &Call) -> Vec<Request> {
    let caller = call.caller.map_or(("unknown", "unknown"), |side| (side.name, side.namespace));
    let reporters =
        if call.caller.is_some() { &["destination", "source"][..] } else { &["destination"] };
    let request = |reporter: &&str| {
        let labels = [
            ("reporter", *reporter),
            ("source_workload", caller.0),
            ("source_workload_namespace", caller.1),
            ("destination_workload", call.callee.name),
            ("destination_workload_namespace", call.callee.namespace),
        ];
        Request::new(&labels, *call)
    };
    reporters.iter().map(request).collect()
}

fn hubble(call: &Call) -> Vec<Request> {
    let caller = call.caller.map_or(("", ""), |side| (side.name, side.namespace));
    let request = |reporter: &str| {
        let labels = [
            ("reporter", reporter),
            ("source_workload", caller.0),
            ("source_namespace", caller.1),
            ("destination_workload", call.callee.name),
            ("destination_namespace", call.callee.namespace),
            ("method", "GET"),
            ("protocol", "HTTP/1.1"),
        ];
        Request::new(&labels, *call)
    };
    ["server", "client"].map(request).into()
}

const fn linkerd_label(kind: WorkloadKind, dst: bool) -> &'static str {
    match (kind, dst) {
        (WorkloadKind::Deployment, false) => "deployment",
        (WorkloadKind::StatefulSet, false) => "statefulset",
        (WorkloadKind::DaemonSet, false) => "daemonset",
        (WorkloadKind::Deployment, true) => "dst_deployment",
        (WorkloadKind::StatefulSet, true) => "dst_statefulset",
        (WorkloadKind::DaemonSet, true) => "dst_daemonset",
    }
}

/// Every call as its callee receives it and, where the caller is meshed, as that sends it; and what is no load: the
/// kubelet's probes, and scrapes of the proxy.
fn linkerd(calls: &[Call]) -> Vec<Request> {
    let outbound = |call: &Call, from: Side| {
        let to = call.callee;
        let labels = [
            ("direction", "outbound"),
            ("namespace", from.namespace),
            (linkerd_label(from.kind, false), from.name),
            ("dst_namespace", to.namespace),
            (linkerd_label(to.kind, true), to.name),
        ];
        Request::new(&labels, *call)
    };
    let sent = calls.iter().filter_map(|call| Some(outbound(call, call.caller?)));
    let received = calls.iter().enumerate().map(|(index, call)| {
        // A proxy does not tell who sent a request, but its pods and routes keep series apart.
        inbound(call, "8080", &format!("route-{index}"))
    });
    let noise = calls
        .iter()
        .take(1)
        .flat_map(|c| [inbound(c, "8080", "probe"), inbound(c, "4191", "default")]);
    sent.chain(received).chain(noise).collect()
}

fn inbound(call: &Call, port: &str, route: &str) -> Request {
    let labels = [
        ("direction", "inbound"),
        ("namespace", call.callee.namespace),
        (linkerd_label(call.callee.kind, false), call.callee.name),
        ("srv_port", port),
        ("target_port", port),
        ("route_name", route),
    ];
    Request::new(&labels, *call)
}

/// Every call, those from outside with the virtual client, and what is no load: a query of `cart` to a database of
/// that name.
fn service_graph(calls: &[Call]) -> Vec<Request> {
    let request = |call: &Call, client: &str, client_namespace: &str, connection: &str| {
        let labels = [
            ("client", client),
            ("client_k8s_namespace_name", client_namespace),
            ("server", call.callee.name),
            ("server_k8s_namespace_name", call.callee.namespace),
            ("connection_type", connection),
        ];
        Request::new(&labels, *call)
    };
    let all = calls.iter().map(|call| match call.caller {
        Some(caller) => request(call, caller.name, caller.namespace, ""),
        None => request(call, "user", "", "virtual_node"),
    });
    let cart = calls.iter().filter(|call| call.callee.name == "cart").take(1);
    all.chain(cart.map(|call| request(call, "cart", call.callee.namespace, "database"))).collect()
}

/// Every request once for those that succeeded and once for those that failed, if any, with the labels `outcome` gives
/// either.
fn by_outcome(
    requests: &[Request],
    outcome: fn(Option<Failed>) -> Vec<(&'static str, &'static str)>,
) -> Vec<Counter> {
    let counters = |request: &Request| {
        let (rate, failed) = (request.call.rate, request.call.failed);
        let succeeded = request.with(&outcome(None), rate * (1.0 - failed.share()));
        let failed = (failed.share() > 0.0)
            .then(|| request.with(&outcome(Some(failed)), rate * failed.share()));
        std::iter::once(succeeded).chain(failed).collect::<Vec<_>>()
    };
    requests.iter().flat_map(counters).collect()
}

fn istio_outcome(failed: Option<Failed>) -> Vec<(&'static str, &'static str)> {
    match failed {
        Some(Failed::Grpc(_)) => vec![("response_code", "200"), ("grpc_response_status", "14")],
        Some(_) => vec![("response_code", "503"), ("grpc_response_status", "")],
        None => vec![("response_code", "200"), ("grpc_response_status", "")],
    }
}

fn linkerd_outcome(failed: Option<Failed>) -> Vec<(&'static str, &'static str)> {
    vec![("classification", if failed.is_some() { "failure" } else { "success" })]
}

fn hubble_outcome(failed: Option<Failed>) -> Vec<(&'static str, &'static str)> {
    vec![("status", if failed.is_some() { "503" } else { "200" })]
}

/// The buckets of every request's latency, with bounds in milliseconds times `unit`.
fn buckets(requests: &[Request], unit: f64) -> Vec<Counter> {
    let buckets = |request: &Request| {
        let bounds =
            BOUNDS.iter().map(|bound| (bound * unit).to_string()).chain(["+Inf".to_owned()]);
        let shares = request.call.latency.into_iter().chain([1.0]);
        bounds
            .zip(shares)
            .map(|(bound, share)| request.with(&[("le", &bound)], request.call.rate * share))
            .collect::<Vec<_>>()
    };
    requests.iter().flat_map(buckets).collect()
}
