//! A small cluster with MOrA in it, as a Prometheus that scrapes all of it holds it: what dashboards are about.

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};
use mora_core::Step;

use crate::open_metrics::{MetricKind, OpenMetricsWriter};
use crate::{PrometheusError, PrometheusServer, Recording};

/// A running Prometheus that holds an hour of the microservice `cart` in `shop`, with an autoscaler, a StatefulSet `redis`
/// beside it, and of MOrA in `mora`.
#[derive(Debug)]
pub struct Watched {
    server: PrometheusServer,
    newest: Timestamp,
}

const MINUTES: i64 = 60;
/// Labels of the pods, of the container where there is one, and of what a plan is about.
const CART: &str = "namespace=shop,pod=cart-5d7f6b8c9-24xkz";
const REDIS: &str = "namespace=shop,pod=redis-0";
const WORKER: &str = "namespace=mora,pod=mora-worker-cart-7c9d8b5f6-x2v8k";
const PLANNED: &str = "namespace=shop,kind=Deployment,workload=cart,container=server";
const CALLED: &str =
    "reporter=destination,destination_workload_namespace=shop,destination_workload=cart";

/// How values go on, a minute at a time.
#[derive(Debug, Clone, Copy)]
enum Course {
    /// The same throughout.
    At(f64),
    /// More every minute.
    By(f64),
    /// Another value for ten minutes, from minute 30 on.
    Dip(f64, f64),
    /// The time itself.
    Now,
}

use Course::{At, By, Dip, Now};

type Family = (&'static str, MetricKind, Vec<(String, Course)>);

impl Watched {
    /// Starts one.
    ///
    /// Fails when a tool is missing or Prometheus does not get ready.
    pub fn start() -> Result<Self, PrometheusError> {
        let now = Timestamp::now();
        let newest = Step::MINUTE.floor(now.saturating_sub(Recording::AGE).unwrap_or(now));
        let server = PrometheusServer::start(|out| write(newest, out))?;
        Ok(Self { server, newest })
    }

    /// The Prometheus.
    #[must_use]
    pub const fn server(&self) -> &PrometheusServer {
        &self.server
    }

    /// The instant of the newest sample, that of the last minute.
    #[must_use]
    pub const fn newest(&self) -> Timestamp {
        self.newest
    }
}

fn write<W: Write>(newest: Timestamp, out: W) -> io::Result<W> {
    let mut text = OpenMetricsWriter::new(out);
    for (name, kind, series) in [cadvisor(), cluster_state(), requests(), own()].concat() {
        text.family(name, kind)?;
        for (labels, course) in &series {
            let labels: Vec<(&str, &str)> =
                labels.split(',').filter_map(|label| label.split_once('=')).collect();
            let samples = (0..MINUTES).map(|minute| {
                let age = SignedDuration::from_mins(MINUTES - 1 - minute);
                let time = newest.saturating_sub(age).unwrap_or(newest);
                (time, value(*course, minute, time))
            });
            text.series(name, &labels, samples)?;
        }
    }
    text.finish()
}

fn value(course: Course, minute: i64, time: Timestamp) -> f64 {
    match course {
        At(value) => value,
        By(growth) => growth * minute as f64,
        Dip(usual, other) => {
            if (30..40).contains(&minute) {
                other
            } else {
                usual
            }
        }
        Now => time.as_second() as f64,
    }
}

/// A family with what `value` gives for each of `all` labels.
fn family<'a>(
    name: &'static str,
    kind: MetricKind,
    all: impl IntoIterator<Item = (&'a str, &'a str, Course)>,
) -> Family {
    let series = all.into_iter().map(|(of, more, course)| (format!("{of},{more}"), course));
    (name, kind, series.collect())
}

fn cadvisor() -> Vec<Family> {
    let pods =
        [(CART, "container=server"), (REDIS, "container=redis"), (WORKER, "container=worker")];
    let of = |course: Course| pods.map(|(pod, container)| (pod, container, course));
    let sent =
        |course: Course| [(CART, "interface=eth0", course), (REDIS, "interface=eth0", course)];
    let counter = MetricKind::Counter;
    vec![
        family("container_cpu_usage_seconds_total", counter, of(By(12.0))),
        family("container_cpu_cfs_periods_total", counter, of(By(600.0))),
        family("container_cpu_cfs_throttled_periods_total", counter, of(By(60.0))),
        family("container_memory_working_set_bytes", MetricKind::Gauge, of(At(5e7))),
        family("container_network_receive_bytes_total", counter, sent(By(6e4))),
        family("container_network_transmit_bytes_total", counter, sent(By(6e4))),
    ]
}

fn cluster_state() -> Vec<Family> {
    let gauge = MetricKind::Gauge;
    let claims = |cpu, memory| {
        [CART, REDIS].into_iter().flat_map(move |pod| {
            [
                (pod, "container=server,resource=cpu", At(cpu)),
                (pod, "container=server,resource=memory", At(memory)),
            ]
        })
    };
    let deployments = |course| {
        [
            ("namespace=shop", "deployment=cart", course),
            ("namespace=mora", "deployment=mora-worker-cart", At(1.0)),
        ]
    };
    let set = [("namespace=shop", "statefulset=redis", At(1.0))];
    let scaler = |course| [("namespace=shop", "horizontalpodautoscaler=cart", course)];
    let phase = [(CART, "phase=Running", At(1.0)), (REDIS, "phase=Pending", At(0.0))];
    let restarts =
        [(CART, "container=server", Dip(2.0, 3.0)), (WORKER, "container=worker", At(0.0))];
    let killed = [(CART, "container=server,reason=OOMKilled", At(1.0))];
    vec![
        family("kube_pod_container_resource_requests", gauge, claims(0.25, 1e8)),
        family("kube_pod_container_resource_limits", gauge, claims(0.5, 2e8)),
        family("kube_pod_container_status_restarts_total", MetricKind::Counter, restarts),
        family("kube_pod_container_status_last_terminated_reason", gauge, killed),
        family("kube_pod_status_phase", gauge, phase),
        family("kube_deployment_spec_replicas", gauge, deployments(Dip(2.0, 3.0))),
        family("kube_deployment_status_replicas_ready", gauge, deployments(At(2.0))),
        family("kube_statefulset_replicas", gauge, set),
        family("kube_statefulset_status_replicas_ready", gauge, set),
        family(
            "kube_horizontalpodautoscaler_status_desired_replicas",
            gauge,
            scaler(Dip(2.0, 3.0)),
        ),
        family("kube_horizontalpodautoscaler_spec_max_replicas", gauge, scaler(At(5.0))),
    ]
}

fn requests() -> Vec<Family> {
    let buckets = [("le=25.0", 30.0), ("le=100.0", 58.0), ("le=+Inf", 60.0)];
    let buckets = buckets.map(|(le, growth)| (CALLED, le, By(growth)));
    let codes = [(CALLED, "response_code=200", By(57.0)), (CALLED, "response_code=503", By(3.0))];
    vec![
        family("istio_requests_total", MetricKind::Counter, codes),
        family("istio_request_duration_milliseconds_bucket", MetricKind::Histogram, buckets),
    ]
}

/// What MOrA tells of itself.
fn own() -> Vec<Family> {
    const POD: &str = "namespace=mora,pod=mora-collector-6b7c9d5f8-4xk2z";
    let (gauge, counter) = (MetricKind::Gauge, MetricKind::Counter);
    let one = |course| [(POD, "job=pods", course)];
    let by = |label, course| [(POD, label, course)];
    let plan = [("what=requested", 3.5), ("what=cap", 8.0), ("what=cut", 0.0)];
    let plan = |scale: f64| plan.map(|(what, value)| (POD, what, At(value * scale)));
    let requests =
        |now, target| [(PLANNED, "what=current", At(now)), (PLANNED, "what=target", At(target))];
    let forecast = |value| [(PLANNED, "job=pods", At(value))];
    vec![
        family("up", gauge, one(At(1.0))),
        family("mora_collections_total", counter, by("outcome=success", By(1.0))),
        family("mora_collected_samples_total", counter, one(By(1200.0))),
        family("mora_collection_duration_seconds", gauge, one(At(2.5))),
        family("mora_collection_timestamp_seconds", gauge, one(Now)),
        family("mora_store_bytes", gauge, one(At(1e6))),
        family("mora_store_files", gauge, one(At(40.0))),
        family("mora_store_days", gauge, one(At(3.0))),
        family("mora_trainings_total", counter, by("outcome=trained", By(1.0))),
        family("mora_runs_total", counter, by("outcome=complete", By(1.0))),
        family("mora_run_duration_seconds", gauge, one(At(0.4))),
        family("mora_plan_created_timestamp_seconds", gauge, one(Now)),
        family("mora_plan_status", gauge, by("status=complete", At(1.0))),
        family("mora_plan_violations", gauge, by("kind=quota", At(0.0))),
        family("mora_plan_cpu_cores", gauge, plan(1.0)),
        family("mora_plan_memory_bytes", gauge, plan(1e9)),
        family("mora_cpu_request_cores", gauge, requests(0.3, 0.25)),
        family("mora_memory_request_bytes", gauge, requests(1.2e8, 1e8)),
        family("mora_cpu_forecast_cores", gauge, forecast(0.22)),
        family("mora_memory_forecast_bytes", gauge, forecast(9e7)),
    ]
}
