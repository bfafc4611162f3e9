use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use mora_core::{Indicator, Step};
use tokio::net::TcpListener;

use super::*;

const EMPTY: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
const CPU: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"pod":"cart-6b7c9d5f8-4xk2z","container":"server"},"values":[[0,"0.5"],[60,"NaN"],[120,"1"]]}]}}"#;
const MEMORY: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"pod":"cart-6b7c9d5f8-4xk2z","container":"server"},"values":[[0,"100"],[60,"260"],[120,"90"]]}]}}"#;
const KILLED_AT: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"pod":"cart-6b7c9d5f8-4xk2z","container":"server"},"values":[[120,"95"],[180,"95"]]}]}}"#;
const LIMIT: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"pod":"cart-6b7c9d5f8-4xk2z","container":"server"},"values":[[120,"256"],[180,"256"]]}]}}"#;
const NAMESPACES: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"namespace":"kube-system"},"value":[0,"1"]}]}}"#;

/// An answer to the question which metrics are there: Hubble's knows the workload, the service graph's only others.
const PRESENT: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
    {"metric":{"mora_traffic":"service_graph","server":"elsewhere"},"value":[0,"1"]},
    {"metric":{"mora_traffic":"hubble","destination_workload":"cart"},"value":[0,"1"]}]}}"#;
const HUBBLE: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"destination_workload":"cart"},"values":[[0,"2"],[60,"4"]]}]}}"#;

/// A request the fake has seen.
#[derive(Debug, Clone)]
struct Seen {
    path: String,
    parameters: HashMap<String, String>,
    headers: HeaderMap,
}

type Script = Arc<dyn Fn(&Seen, usize) -> (StatusCode, &'static str) + Send + Sync>;

#[derive(Clone)]
struct Fake {
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
    address: String,
    /// The answer to the question which metrics there are.
    names: &'static str,
}

impl Fake {
    /// A server that answers each request, given how many came before, with a status and JSON.
    async fn start(
        script: impl Fn(&Seen, usize) -> (StatusCode, &'static str) + Send + Sync + 'static,
    ) -> Self {
        Self::start_with_names("", script).await
    }

    /// As [`Fake::start`], but it tells which metrics there are.
    async fn start_with_names(
        names: &'static str,
        script: impl Fn(&Seen, usize) -> (StatusCode, &'static str) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { script: Arc::new(script), seen: Arc::default(), address, names };
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn config(&self) -> PrometheusConfig {
        PrometheusConfig {
            url: self.address.clone(),
            namespaces: vec!["shop".to_owned()],
            retries: 2,
            retry_pause_milliseconds: 0,
            ..PrometheusConfig::default()
        }
    }
}

async fn answer(
    State(fake): State<Fake>,
    Query(parameters): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    // Which metrics there are is not told unless a test does.
    if request.uri().path().contains("/label/") {
        let status = if fake.names.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
        return (status, [(header::CONTENT_TYPE, "application/json")], fake.names).into_response();
    }
    let seen = Seen {
        path: request.uri().path().to_owned(),
        parameters,
        headers: request.headers().clone(),
    };
    let before = {
        let mut log = fake.seen.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    let (status, body) = (fake.script)(&seen, before);
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn about_cpu(seen: &Seen, _: usize) -> (StatusCode, &'static str) {
    let query = &seen.parameters["query"];
    let body = if query.contains("container_cpu_usage_seconds_total{") { CPU } else { EMPTY };
    (StatusCode::OK, body)
}

/// What a Prometheus with kube-state-metrics says of a container that was killed.
fn about_a_kill(seen: &Seen, before: usize) -> (StatusCode, &'static str) {
    let query = &seen.parameters["query"];
    let body = if query.contains("last_terminated_timestamp") {
        KILLED_AT
    } else if query.contains("resource_limits") && query.contains("OOMKilled") {
        LIMIT
    } else if query.contains("container_memory_working_set_bytes") {
        MEMORY
    } else {
        return about_cpu(seen, before);
    };
    (StatusCode::OK, body)
}

fn lookback() -> Lookback {
    let at = |second| Timestamp::from_second(second).unwrap();
    Lookback { from: at(0), to: at(300), step: Step::MINUTE }
}

async fn collect(config: PrometheusConfig) -> Result<Vec<Dataset>, SourceError> {
    PrometheusSource::new(config)?.collect(&lookback()).await
}

async fn failure(config: PrometheusConfig) -> PrometheusError {
    match collect(config).await.unwrap_err() {
        SourceError::Prometheus(error) => error,
        other => panic!("not an error of Prometheus: {other}"),
    }
}

#[tokio::test]
async fn usage_is_collected_with_gaps_where_samples_are_no_numbers() {
    let fake = Fake::start(about_cpu).await;
    let datasets = collect(fake.config()).await.unwrap();
    assert_eq!(datasets.len(), 1);
    assert_eq!(datasets[0].workload.to_string(), "shop/Deployment/cart");
    let cpu = &datasets[0].containers["server"].cpu["cart-6b7c9d5f8-4xk2z"];
    assert_eq!(cpu.values(), [Some(0.5), None, Some(1.0)]);
}

#[tokio::test]
async fn kills_for_lack_of_memory_are_collected_with_what_the_container_had() {
    let fake = Fake::start(about_a_kill).await;
    let datasets = collect(fake.config()).await.unwrap();
    let kills: Vec<_> = datasets[0].containers["server"].oom_kills.iter().collect();
    let [kill] = kills[..] else { panic!("{kills:?}") };
    assert_eq!((kill.killed.as_second(), kill.peak.get()), (95, 260));
    assert_eq!(kill.pod, "cart-6b7c9d5f8-4xk2z");
}

#[tokio::test]
async fn where_nothing_counts_kills_there_are_none_and_no_limits_are_asked_for() {
    let fake = Fake::start(about_cpu).await;
    let datasets = collect(fake.config()).await.unwrap();
    assert!(datasets[0].containers["server"].oom_kills.is_empty());
    let about_kills = |seen: &&Seen| seen.parameters["query"].contains("OOMKilled");
    assert_eq!(fake.seen().iter().filter(about_kills).count(), 1);
}

/// The metrics whose requests were asked for over the lookback, in order.
fn metrics_of_requests(fake: &Fake) -> Vec<&'static str> {
    let names = [
        "istio_requests_total",
        "response_total",
        "hubble_http_requests_total",
        "traces_service_graph_request_total",
    ];
    let ranges = fake.seen().into_iter().filter(|seen| seen.path.ends_with("/query_range"));
    let of = |seen: Seen| {
        let query = &seen.parameters["query"];
        names.into_iter().find(|name| query.contains(&format!("(rate({name}{{")))
    };
    let mut found: Vec<_> = ranges.filter_map(of).collect();
    found.dedup();
    found
}

#[tokio::test]
async fn only_a_metric_that_knows_the_workloads_is_asked_for_its_history() {
    let fake = Fake::start(|seen, before| {
        let query = &seen.parameters["query"];
        if query.contains("mora_traffic") {
            (StatusCode::OK, PRESENT)
        } else if query.contains("hubble_http") {
            (StatusCode::OK, HUBBLE)
        } else {
            about_cpu(seen, before)
        }
    })
    .await;
    let datasets = collect(fake.config()).await.unwrap();
    let rate = datasets[0].request_rate.as_ref().unwrap();
    assert_eq!(rate.values(), [Some(2.0), Some(4.0)]);
    assert_eq!(datasets[0].indicators[&Indicator::LatencyP95].values(), rate.values());
    assert_eq!(metrics_of_requests(&fake), ["hubble_http_requests_total"]);
    let about_presence = |seen: &&Seen| seen.parameters["query"].contains("mora_traffic");
    assert_eq!(fake.seen().iter().filter(about_presence).count(), 1);
}

#[tokio::test]
async fn where_none_was_seen_lately_every_metric_is_asked_in_the_configured_order() {
    let fake = Fake::start(about_cpu).await;
    let traffic = vec![TrafficMetric::ServiceGraph, TrafficMetric::Linkerd];
    let datasets = collect(PrometheusConfig { traffic, ..fake.config() }).await.unwrap();
    assert_eq!(datasets[0].request_rate, None);
    let asked = metrics_of_requests(&fake);
    assert_eq!(asked, ["traces_service_graph_request_total", "response_total"]);
}

#[tokio::test]
async fn the_path_prefix_the_token_and_the_tenant_reach_the_server() {
    let fake = Fake::start(about_cpu).await;
    let config = PrometheusConfig {
        url: format!("{}/prometheus/", fake.address),
        bearer_token: Some(Secret::new("open-sesame".to_owned())),
        headers: [("X-Scope-OrgID".to_owned(), Secret::new("tenant-1".to_owned()))].into(),
        ..fake.config()
    };
    collect(config).await.unwrap();
    for seen in fake.seen() {
        assert!(seen.path.starts_with("/prometheus/api/v1/query"), "{}", seen.path);
        assert_eq!(seen.headers[header::AUTHORIZATION], "Bearer open-sesame");
        assert_eq!(seen.headers["x-scope-orgid"], "tenant-1");
    }
}

#[tokio::test]
async fn user_and_password_are_sent_as_basic_authentication() {
    let folder = tempfile::tempdir().unwrap();
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, "sesame\n").unwrap();
    let fake = Fake::start(about_cpu).await;
    let basic_auth = Some(BasicAuth { username: "ali".to_owned(), password_file });
    collect(PrometheusConfig { basic_auth, ..fake.config() }).await.unwrap();
    assert_eq!(fake.seen()[0].headers[header::AUTHORIZATION], "Basic YWxpOnNlc2FtZQ==");
}

#[tokio::test]
async fn no_query_asks_for_more_points_than_allowed() {
    let fake = Fake::start(about_cpu).await;
    collect(PrometheusConfig { max_points_per_query: 2, ..fake.config() }).await.unwrap();
    let of_cpu = |seen: &Seen| seen.parameters["query"].contains("cpu_usage");
    let spans: Vec<(String, String)> = fake
        .seen()
        .iter()
        .filter(|s| of_cpu(s))
        .map(|s| (s.parameters["start"].clone(), s.parameters["end"].clone()))
        .collect();
    let expected = [("0", "60"), ("120", "180"), ("240", "240")];
    assert_eq!(spans, expected.map(|(start, end)| (start.to_owned(), end.to_owned())));
}

#[tokio::test]
async fn being_refused_is_told_apart_and_not_tried_again() {
    let fake = Fake::start(|_, _| (StatusCode::UNAUTHORIZED, "")).await;
    let error = failure(fake.config()).await;
    assert!(matches!(error, PrometheusError::Unauthorized { .. }));
    assert!(error.to_string().contains("source.prometheus.bearer_token_file"), "{error}");
    assert_eq!(fake.seen().len(), 1);
    let fake = Fake::start(|_, _| (StatusCode::FORBIDDEN, "")).await;
    assert!(matches!(failure(fake.config()).await, PrometheusError::Forbidden { .. }));
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let fake = Fake::start(|seen, before| match before {
        0 | 1 => (StatusCode::TOO_MANY_REQUESTS, ""),
        _ => about_cpu(seen, before),
    })
    .await;
    assert_eq!(collect(fake.config()).await.unwrap().len(), 1);
    let queries: Vec<String> =
        fake.seen().iter().take(3).map(|seen| seen.parameters["query"].clone()).collect();
    assert!(queries.iter().all(|query| *query == queries[0]));
}

#[tokio::test]
async fn a_broken_server_is_given_up_after_the_configured_attempts() {
    let body = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    let fake = Fake::start(move |_, _| (StatusCode::SERVICE_UNAVAILABLE, body)).await;
    let error = failure(fake.config()).await;
    assert!(matches!(error, PrometheusError::Unavailable { status: 503, attempts: 3, .. }));
    assert!(error.to_string().contains("query timed out"), "{error}");
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test]
async fn a_refused_query_shows_the_query_and_the_reason() {
    let body = r#"{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"}"#;
    let fake = Fake::start(move |_, _| (StatusCode::BAD_REQUEST, body)).await;
    let message = failure(fake.config()).await.to_string();
    assert!(
        message.contains("kube_pod_owner") && message.contains("maximum resolution"),
        "{message}"
    );
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn something_else_that_answers_is_not_taken_for_prometheus() {
    let fake = Fake::start(|_, _| (StatusCode::OK, "<html>please log in")).await;
    let error = failure(fake.config()).await;
    assert!(matches!(error, PrometheusError::NotPrometheus { .. }));
    assert!(error.to_string().contains("please log in"), "{error}");
    let fake = Fake::start(|_, _| (StatusCode::NOT_FOUND, "404 page not found")).await;
    assert!(matches!(failure(fake.config()).await, PrometheusError::NotPrometheus { .. }));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = PrometheusConfig {
        url,
        namespaces: vec!["shop".to_owned()],
        retries: 1,
        retry_pause_milliseconds: 0,
        ..PrometheusConfig::default()
    };
    let error = failure(config).await;
    assert!(matches!(error, PrometheusError::Unreachable { attempts: 2, .. }));
    assert!(error.to_string().contains("source.prometheus.url"), "{error}");
}

#[tokio::test]
async fn an_empty_namespace_is_an_error_that_lists_the_others() {
    let fake = Fake::start(|seen, _| {
        let body = if seen.path.ends_with("/query") { NAMESPACES } else { EMPTY };
        (StatusCode::OK, body)
    })
    .await;
    let error = collect(fake.config()).await.unwrap_err();
    assert!(matches!(&error, SourceError::NoData { namespace, .. } if namespace == "shop"));
    assert!(error.to_string().contains("kube-system"), "{error}");
}

#[test]
fn settings_that_cannot_work_are_refused_before_anything_is_asked() {
    let usable = PrometheusConfig {
        url: "http://localhost:9090".to_owned(),
        namespaces: vec!["shop".to_owned()],
        ..PrometheusConfig::default()
    };
    let refused = |config| PrometheusSource::new(config).unwrap_err();
    assert!(matches!(refused(PrometheusConfig::default()), PrometheusError::NoNamespaces));
    let config = PrometheusConfig { url: String::new(), ..usable.clone() };
    assert!(matches!(refused(config), PrometheusError::NoUrl));
    let quoted = vec!["shop\"} or up{".to_owned()];
    let config = PrometheusConfig { namespaces: quoted, ..usable.clone() };
    assert!(matches!(refused(config), PrometheusError::Namespace(_)));
    let config = PrometheusConfig { url: "localhost:9090".to_owned(), ..usable.clone() };
    assert!(matches!(refused(config), PrometheusError::Url { .. }));
    let config = PrometheusConfig {
        bearer_token: Some(Secret::new("a".to_owned())),
        bearer_token_file: Some("token".into()),
        ..usable.clone()
    };
    assert!(matches!(refused(config), PrometheusError::SeveralCredentials));
    let config = PrometheusConfig { ca_file: Some("absent.pem".into()), ..usable };
    assert!(matches!(
        refused(config),
        PrometheusError::File { key: "source.prometheus.ca_file", .. }
    ));
}

#[tokio::test]
async fn what_holds_for_the_whole_is_asked_once_for_all_of_its_chunks() {
    let fake = Fake::start(about_cpu).await;
    let source = PrometheusSource::new(fake.config()).unwrap();
    assert_eq!(source.scopes(), ["shop"]);
    source.begin(&lookback()).await.unwrap();
    let at = |second| Timestamp::from_second(second).unwrap();
    for (from, to) in [(0, 120), (120, 300)] {
        let chunk = Lookback { from: at(from), to: at(to), ..lookback() };
        let datasets = source.collect_scope("shop", &chunk).await.unwrap();
        assert_eq!(datasets.len(), 1, "{from} to {to}");
    }
    let asked = |what: &str| {
        let of = |seen: &&Seen| seen.parameters.get("query").is_some_and(|q| q.contains(what));
        fake.seen().iter().filter(of).count()
    };
    let once = ["kube_pod_owner", "resource_requests", "mora_traffic"].map(asked);
    assert_eq!(once, [1, 1, 1]);
    assert_eq!(asked("container_cpu_usage_seconds_total{"), 2);
    let before = Lookback { from: at(-120), to: at(0), ..lookback() };
    source.collect_scope("shop", &before).await.unwrap();
    assert_eq!(asked("kube_pod_owner"), 2, "what was begun says nothing of earlier chunks");
}

#[tokio::test]
async fn a_chunk_in_which_nothing_ran_is_empty_and_no_error() {
    let fake = Fake::start(|_, _| (StatusCode::OK, EMPTY)).await;
    let source = PrometheusSource::new(fake.config()).unwrap();
    assert!(source.collect_scope("shop", &lookback()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_absent_is_not_asked_for() {
    let names = r#"{"status":"success","data":["container_cpu_usage_seconds_total"]}"#;
    let fake = Fake::start_with_names(names, about_cpu).await;
    assert_eq!(collect(fake.config()).await.unwrap().len(), 1);
    let asked: Vec<String> =
        fake.seen().iter().map(|seen| seen.parameters["query"].clone()).collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("container_cpu_usage_seconds_total{"));
}

#[tokio::test]
async fn a_query_that_is_off_is_not_asked_and_one_of_ones_own_is() {
    let fake = Fake::start(about_cpu).await;
    let queries = r#"{"request_rate": "off", "restarts": "off", "memory": "own{n='$namespace'}"}"#;
    let queries = serde_json::from_str(queries).unwrap();
    collect(PrometheusConfig { queries, ..fake.config() }).await.unwrap();
    let asked: Vec<String> =
        fake.seen().iter().map(|seen| seen.parameters["query"].clone()).collect();
    assert!(asked.contains(&"own{n='shop'}".to_owned()), "{asked:?}");
    let of = |name: &str| asked.iter().filter(|query| query.contains(name)).count();
    assert_eq!((of("istio_requests_total{"), of("restarts_total"), of("working_set")), (0, 0, 0));
}

#[tokio::test]
async fn where_usage_owners_claims_and_replicas_are_all_there_is_a_chunk_takes_three_queries() {
    let names = r#"{"status":"success","data":["container_cpu_usage_seconds_total",
        "container_memory_working_set_bytes","kube_deployment_status_replicas_ready","kube_pod_owner",
        "kube_replicaset_owner","kube_pod_container_resource_requests","kube_pod_container_resource_limits"]}"#;
    let fake = Fake::start_with_names(names, about_cpu).await;
    let source = PrometheusSource::new(fake.config()).unwrap();
    source.begin(&lookback()).await.unwrap();
    assert_eq!(fake.seen().len(), 4, "owners of pods and of ReplicaSets, requests, limits");
    source.collect_scope("shop", &lookback()).await.unwrap();
    assert_eq!(fake.seen().len(), 4 + 3, "CPU, memory, replicas");
}
