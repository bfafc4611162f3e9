//! What a process counts of its requests, and the layer that counts them.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::effort::Effort;
use crate::process_usage::ProcessUsage;
use crate::service_name::ServiceName;

pub(crate) mod layer;

/// The header, of HTTP and of gRPC, in which a caller names its workload.
pub(crate) const CALLER: &str = "x-boutique-caller";
/// What the caller of a request is called that names none; Istio's word.
const UNKNOWN: &str = "unknown";
/// A caller that is no service: whoever makes load may call itself so.
const LOAD: &str = "loadgenerator";

/// Bounds of the durations, in milliseconds.
const BOUNDS: [f64; 14] =
    [0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    method: String,
    code: String,
}

/// The labels of Istio's standard metrics that its readers use.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IstioLabels {
    reporter: &'static str,
    source_workload: &'static str,
    source_workload_namespace: String,
    destination_workload: &'static str,
    destination_workload_namespace: String,
    destination_service_name: &'static str,
    request_protocol: &'static str,
    response_code: u16,
    grpc_response_status: String,
}

type Durations = Family<IstioLabels, Histogram, fn() -> Histogram>;
type OwnDurations = Family<RequestLabels, Histogram, fn() -> Histogram>;

/// The counters of one process.
#[derive(Clone)]
pub(crate) struct Meter {
    service: ServiceName,
    namespace: Arc<str>,
    effort: Effort,
    requests: Family<RequestLabels, Counter>,
    durations: OwnDurations,
    calls: Family<IstioLabels, Counter>,
    call_durations: Durations,
    registry: Arc<Registry>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    http: u16,
    /// gRPC's status, only of gRPC.
    grpc: Option<u16>,
}

/// A request that is being answered.
#[derive(Debug, Clone)]
struct Begun {
    method: String,
    caller: &'static str,
    is_grpc: bool,
    since: Instant,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("service", &self.service).finish_non_exhaustive()
    }
}

impl Meter {
    /// Counters of a process of `service` in `namespace`, of which each request costs `effort`.
    pub(crate) fn new(service: ServiceName, namespace: &str, effort: Effort) -> Self {
        let (requests, calls) = (Family::default(), Family::default());
        let durations = OwnDurations::new_with_constructor(seconds);
        let call_durations = Durations::new_with_constructor(milliseconds);
        let mut registry = Registry::default();
        let told = requests.clone();
        registry.register("boutique_requests", "Requests by method and status", told);
        let (name, help) = ("boutique_request_duration", "Time to answer by method and status");
        registry.register_with_unit(name, help, Unit::Seconds, durations.clone());
        registry.register("istio_requests", "Requests received, by caller", calls.clone());
        let (name, help) = ("istio_request_duration_milliseconds", "Time to answer, by caller");
        registry.register(name, help, call_durations.clone());
        registry.register_collector(Box::new(ProcessCollector));
        let (namespace, registry) = (namespace.into(), Arc::new(registry));
        Self { service, namespace, effort, requests, durations, calls, call_durations, registry }
    }

    fn record(&self, begun: &Begun, outcome: Outcome) {
        let elapsed = begun.since.elapsed().as_secs_f64();
        let code = outcome.grpc.unwrap_or(outcome.http).to_string();
        let labels =
            RequestLabels { service: self.service.as_str(), method: begun.method.clone(), code };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(elapsed);
        let labels = self.istio(begun, outcome);
        self.calls.get_or_create(&labels).inc();
        self.call_durations.get_or_create(&labels).observe(elapsed * 1000.0);
    }

    fn istio(&self, begun: &Begun, outcome: Outcome) -> IstioLabels {
        let known = begun.caller != UNKNOWN;
        let name = self.service.as_str();
        IstioLabels {
            reporter: "destination",
            source_workload: begun.caller,
            source_workload_namespace: if known { &self.namespace } else { UNKNOWN }.to_owned(),
            destination_workload: name,
            destination_workload_namespace: self.namespace.to_string(),
            destination_service_name: name,
            request_protocol: if begun.is_grpc { "grpc" } else { "http" },
            response_code: outcome.http,
            grpc_response_status: outcome.grpc.map(|code| code.to_string()).unwrap_or_default(),
        }
    }

    /// Everything counted, as `OpenMetrics` text.
    fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// The page `/metrics`.
    pub(crate) fn router(self) -> axum::Router {
        axum::Router::new()
            .route(
                "/metrics",
                axum::routing::get(async |State(meter): State<Meter>| metrics(&meter)),
            )
            .with_state(self)
    }
}

fn metrics(meter: &Meter) -> axum::response::Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match meter.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            (axum::http::StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}

fn seconds() -> Histogram {
    Histogram::new(BOUNDS.map(|bound| bound / 1000.0))
}

fn milliseconds() -> Histogram {
    Histogram::new(BOUNDS)
}

/// The workload a request's header names; one that is not of the application would make a label of its own.
fn caller(headers: &HeaderMap) -> &'static str {
    let named = headers.get(CALLER).and_then(|value| value.to_str().ok());
    match named {
        Some(LOAD) => LOAD,
        Some(name) => name.parse().map_or(UNKNOWN, ServiceName::as_str),
        None => UNKNOWN,
    }
}

/// A unary gRPC call that failed has its status in the header; one without has succeeded and says so in the trailer.
fn outcome<B>(response: &Response<B>, is_grpc: bool) -> Outcome {
    let status = response.headers().get("grpc-status").and_then(|value| value.to_str().ok());
    let grpc = is_grpc.then(|| status.and_then(|code| code.parse().ok()).unwrap_or(0));
    Outcome { http: response.status().as_u16(), grpc }
}

/// CPU and memory of this process, read when asked.
#[derive(Debug)]
struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let usage = ProcessUsage::of("self").map_err(|_| fmt::Error)?;
        let cpu = ConstCounter::new(usage.cpu_seconds);
        let (name, help) = ("process_cpu", "CPU time since the start");
        let unit = Some(&Unit::Seconds);
        cpu.encode(encoder.encode_descriptor(name, help, unit, cpu.metric_type())?)?;
        let memory = ConstGauge::new(usage.resident_bytes as f64);
        let (name, help) = ("process_resident_memory", "Resident set");
        let unit = Some(&Unit::Bytes);
        memory.encode(encoder.encode_descriptor(name, help, unit, memory.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> Meter {
        Meter::new(ServiceName::Cart, "shop", Effort::of(ServiceName::Cart).unwrap())
    }

    fn begun(caller: &'static str, is_grpc: bool) -> Begun {
        Begun { method: "GetCart".to_owned(), caller, is_grpc, since: Instant::now() }
    }

    #[test]
    fn a_call_is_counted_under_the_labels_of_istio_and_its_own() {
        let meter = meter();
        meter.record(&begun("frontend", true), Outcome { http: 200, grpc: Some(14) });
        meter.record(&begun(UNKNOWN, false), Outcome { http: 404, grpc: None });
        let text = meter.text().unwrap();
        let grpc = "istio_requests_total{reporter=\"destination\",source_workload=\"frontend\",\
                    source_workload_namespace=\"shop\",destination_workload=\"cartservice\",\
                    destination_workload_namespace=\"shop\",destination_service_name=\"cartservice\",\
                    request_protocol=\"grpc\",response_code=\"200\",grpc_response_status=\"14\"} 1";
        assert!(text.contains(grpc), "{text}");
        let own = r#"boutique_requests_total{service="cartservice",method="GetCart",code="14"} 1"#;
        assert!(text.contains(own), "{text}");
        let outside = r#"source_workload="unknown",source_workload_namespace="unknown""#;
        assert!(text.contains(outside), "{text}");
    }

    #[test]
    fn the_names_are_those_prometheus_exporters_use() {
        let meter = meter();
        meter.record(&begun("frontend", true), Outcome { http: 200, grpc: Some(0) });
        let text = meter.text().unwrap();
        for name in [
            "\nprocess_cpu_seconds_total ",
            "\nprocess_resident_memory_bytes ",
            "\nboutique_request_duration_seconds_bucket{",
            "\nistio_request_duration_milliseconds_bucket{",
        ] {
            assert!(text.contains(name), "{name} in {text}");
        }
    }

    #[test]
    fn only_workloads_of_the_application_are_taken_for_callers() {
        let named = |name: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CALLER, name.parse().unwrap());
            caller(&headers)
        };
        assert_eq!(named("checkoutservice"), "checkoutservice");
        assert_eq!(named("loadgenerator"), "loadgenerator");
        assert_eq!(named("mallory"), "unknown");
        assert_eq!(caller(&HeaderMap::new()), "unknown");
    }

    #[test]
    fn the_status_of_grpc_is_that_of_the_header_or_success() {
        let response = Response::builder().header("grpc-status", "5").body(()).unwrap();
        assert_eq!(outcome(&response, true), Outcome { http: 200, grpc: Some(5) });
        assert_eq!(outcome(&Response::new(()), true), Outcome { http: 200, grpc: Some(0) });
        assert_eq!(outcome(&Response::new(()), false), Outcome { http: 200, grpc: None });
    }
}
