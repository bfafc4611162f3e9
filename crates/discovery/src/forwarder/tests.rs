use axum::body::Bytes;
use futures::{StreamExt, stream};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::*;
use crate::fake_api::{Asked, FakeApi, TOKEN, json_of, status, vector};

fn behind() -> ServiceAddress {
    let (namespace, name) = ("monitoring".to_owned(), "prometheus".to_owned());
    ServiceAddress { namespace, name, port: 9090, is_tls: false }
}

/// A forwarder to what answers so, with its API below `path`.
async fn forwarder(
    path: &'static str,
    answer: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static,
) -> (FakeApi, Forwarder) {
    let api = FakeApi::start(json!([]), answer).await;
    let forwarder = Forwarder::open(api.cluster().await, behind(), path).await.unwrap();
    (api, forwarder)
}

fn client() -> Client {
    mora_runtime::install_crypto_provider();
    Client::builder().no_proxy().build().unwrap()
}

/// The status line and the rest of the answer to a request for exactly this path.
async fn raw(forwarder: &Forwarder, path: &str) -> String {
    let mut connection = TcpStream::connect(forwarder.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn only_the_api_below_the_secret_is_answered() {
    let (api, forwarder) = forwarder("", |_| vector(1)).await;
    let secret = forwarder.secret.clone();
    assert!(secret.len() == 32 && secret.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let other = super::secret().unwrap();
    assert_ne!(secret, other);
    for path in [
        "/api/v1/query?query=1".to_owned(),
        format!("/{other}/api/v1/query?query=1"),
        format!("/{}/api/v1/query", &secret[..31]),
        format!("//{secret}/api/v1/query"),
        format!("/{secret}"),
        format!("/{secret}/"),
        format!("/{secret}/-/reload"),
        format!("/{secret}/api/v1"),
        format!("/{secret}/api/v1/../../../../pods"),
        format!("/{secret}/api/v1/%2e%2e/%2e%2e/pods"),
    ] {
        let answer = raw(&forwarder, &path).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
    assert_eq!(api.asked.lock().unwrap().len(), 0, "nothing of it reaches the cluster");
    let answer = raw(&forwarder, &format!("/{secret}/api/v1/query?query=1")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(api.last().service, "monitoring/http:prometheus:9090");
}

#[tokio::test]
async fn what_changes_something_is_not_passed_on() {
    let (api, forwarder) = forwarder("", |_| vector(1)).await;
    let url = format!("{}/api/v1/admin/tsdb/delete_series", forwarder.url());
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = client().request(method, &url).send().await.unwrap();
        assert_eq!(answer.status(), 405);
    }
    assert_eq!(api.asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_long_form_that_is_posted_becomes_the_query_of_a_get() {
    let (api, forwarder) = forwarder("/prometheus", |_| vector(1)).await;
    let url = format!("{}/prometheus/api/v1/query?time=5", forwarder.url());
    let query = format!("query=sum%28{}%29", "a".repeat(20_000));
    let answer = client().post(&url).body(query.clone()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let asked = api.last();
    assert_eq!(asked.method, Method::GET);
    assert_eq!(asked.path, format!("/prometheus/api/v1/query?time=5&{query}"));
    let too_long = "a".repeat(LONGEST_QUERY + 1);
    let answer = client().post(&url).body(too_long).send().await.unwrap();
    assert_eq!(answer.status(), 414);
    let said = answer.text().await.unwrap();
    assert!(said.contains("at most 61440 bytes"), "{said}");
}

#[tokio::test]
async fn only_the_kubeconfig_says_to_the_api_server_who_asks() {
    let (api, forwarder) = forwarder("", |_| vector(1)).await;
    let request = client()
        .get(format!("{}/api/v1/query?query=1", forwarder.url()))
        .header("authorization", "Bearer of-prometheus")
        .header("cookie", "session=1")
        .header("impersonate-user", "admin")
        .header("x-remote-user", "admin")
        .header("x-scope-orgid", "team");
    assert_eq!(request.send().await.unwrap().status(), 200);
    let headers = api.last().headers;
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(headers["x-scope-orgid"], "team");
    for name in ["cookie", "impersonate-user", "x-remote-user"] {
        assert!(!headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn an_answer_is_passed_on_piece_by_piece_as_it_comes() {
    let seen = Arc::new(Notify::new());
    let until_seen = Arc::clone(&seen);
    let (_api, forwarder) = forwarder("", move |_| {
        let until_seen = Arc::clone(&until_seen);
        let first = stream::iter([Ok::<_, io::Error>(Bytes::from("first "))]);
        let rest = stream::once(async move {
            until_seen.notified().await;
            Ok(Bytes::from("x".repeat(3 << 20)))
        });
        Response::new(Body::from_stream(first.chain(rest)))
    })
    .await;
    let url = format!("{}/api/v1/query?query=1", forwarder.url());
    let mut answer = client().get(url).send().await.unwrap();
    let first = answer.chunk().await.unwrap().unwrap();
    assert_eq!(first, "first ", "before there is more");
    seen.notify_one();
    let mut length = 0;
    while let Some(piece) = answer.chunk().await.unwrap() {
        length += piece.len();
    }
    assert_eq!(length, 3 << 20);
}

/// The status of the answer to a query, and what it says in the form that Prometheus has for failures.
async fn refused(forwarder: &Forwarder) -> (u16, String) {
    let url = format!("{}/api/v1/query?query=1", forwarder.url());
    let answer = client().get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], "error");
    (status, body["error"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_missing_right_and_a_service_without_pods_are_told_with_what_to_do() {
    let (_api, closed) = forwarder("", |_| status(403, "services is forbidden")).await;
    let (code, said) = refused(&closed).await;
    assert_eq!(code, 502);
    let rule = "{apiGroups: [\"\"], resources: [\"services/proxy\"], verbs: [\"get\"]}";
    assert!(said.contains("in namespace monitoring is forbidden"), "{said}");
    assert!(said.contains(rule), "{said}");
    let missing = "no endpoints available for service \"http:prometheus:9090\"";
    let (_api, empty) = forwarder("", move |_| status(503, missing)).await;
    let (code, said) = refused(&empty).await;
    assert_eq!(code, 502);
    assert!(said.contains("monitoring/prometheus") && said.contains(missing), "{said}");
    assert!(said.contains("check that pods stand behind it and are ready"), "{said}");
}

#[tokio::test]
async fn a_failure_of_prometheus_itself_comes_as_it_is() {
    let body = json!({"status": "error", "errorType": "bad_data", "error": "unknown function"});
    let (_api, forwarder) = forwarder("", move |_| json_of(400, &body)).await;
    assert_eq!(refused(&forwarder).await, (400, "unknown function".to_owned()));
    let busy = json!({"status": "error", "errorType": "timeout", "error": "query timed out"});
    let (_api, forwarder) = super::tests::forwarder("", move |_| json_of(503, &busy)).await;
    assert_eq!(refused(&forwarder).await, (503, "query timed out".to_owned()));
}

#[tokio::test]
async fn connections_end_when_it_is_dropped_or_closed_also_one_that_waits_for_an_answer() {
    let (_api, forwarder) =
        forwarder("", |_| Response::new(Body::from_stream(stream::pending::<io::Result<Bytes>>())))
            .await;
    let address = forwarder.address;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut waiting = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /{}/api/v1/query HTTP/1.1\r\nHost: x\r\n\r\n", forwarder.secret);
    waiting.write_all(request.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    waiting.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    drop(forwarder);
    let mut rest = Vec::new();
    // Closed by us or reset: either way there is nothing more.
    let _ended = waiting.read_to_end(&mut rest).await;
    let _ended = idle.read_to_end(&mut rest).await;
    assert!(TcpStream::connect(address).await.is_err());

    let (_api, forwarder) = super::tests::forwarder("", |_| vector(1)).await;
    let address = forwarder.address;
    forwarder.close().await;
    assert!(TcpStream::connect(address).await.is_err());
}
