//! A Prometheus in a cluster is found and asked through the API server, with nothing but a kubeconfig.

use std::process::{Command, Output};
use std::sync::Arc;

use mora_collector::{Lookback, MetricsSource, PrometheusConfig, PrometheusSource, Secret};
use mora_core::Step;
use mora_discovery::{PrometheusDiscoveryError, PrometheusTunnel};
use mora_kubernetes::Cluster;
use mora_tests::{ApiObjects, ApiServer, Complete, tools};
use serde_json::{Value, json};

fn services() -> Value {
    let labels = json!({"app.kubernetes.io/name": "prometheus"});
    let of = |name: &str| {
        json!({"metadata": {"namespace": "monitoring", "name": name, "labels": labels},
            "spec": {"ports": [{"name": "web", "port": 9090}]}})
    };
    json!([of("absent"), of("prometheus")])
}

/// A cluster whose Service `monitoring/prometheus` stands before `complete`, and another before nothing.
async fn cluster_of(complete: &Complete, forbidden: &[&'static str]) -> ApiServer {
    let objects = ApiObjects {
        objects: [("services", services())].into(),
        forbidden: forbidden.to_vec(),
        behind: [("monitoring/prometheus", complete.url())].into(),
    };
    ApiServer::start(objects).await.unwrap()
}

async fn tunnel(api: &ApiServer) -> Result<PrometheusTunnel, PrometheusDiscoveryError> {
    let cluster = Cluster::of_kubeconfig(&api.kubeconfig(), None).await.unwrap();
    PrometheusTunnel::through(cluster).await
}

#[tokio::test]
async fn the_same_is_collected_through_the_api_server_as_from_prometheus_itself() {
    let complete = Complete::shared().unwrap_or_else(|error| panic!("{error}"));
    let api = cluster_of(&complete, &[]).await;
    let tunnel = Arc::new(tunnel(&api).await.unwrap());
    assert_eq!(tunnel.shown(), "Prometheus monitoring/prometheus (through the API server)");
    let direct = PrometheusConfig {
        url: complete.url(),
        namespaces: vec!["shop".to_owned()],
        retries: 0,
        ..PrometheusConfig::default()
    };
    let through = PrometheusConfig {
        url: tunnel.url().to_owned(),
        tunnel: Some(Arc::clone(&tunnel)),
        // It is not Prometheus' to know: the fake API server refuses all tokens but that of the kubeconfig.
        bearer_token: Some(Secret::new("of-prometheus".to_owned())),
        ..direct.clone()
    };
    let lookback =
        Lookback { from: complete.minute(10), to: complete.minute(59), step: Step::MINUTE };
    let through = PrometheusSource::new(through).unwrap();
    assert_eq!(through.describe(), tunnel.shown(), "and not its secret address");
    let datasets = through.collect(&lookback).await.unwrap();
    assert_eq!(datasets, PrometheusSource::new(direct).unwrap().collect(&lookback).await.unwrap());
    let diagnosis = through.diagnose(&lookback, jiff::Timestamp::now).await;
    assert!(!format!("{diagnosis:?}").contains("127.0.0.1"), "{diagnosis:#?}");
}

#[tokio::test]
async fn a_missing_right_to_the_proxy_is_told_with_the_rule_to_add() {
    let complete = Complete::shared().unwrap_or_else(|error| panic!("{error}"));
    let api = cluster_of(&complete, &["services/proxy"]).await;
    let error = tunnel(&api).await.unwrap_err().to_string();
    assert!(error.contains("resources: [\"services/proxy\"], verbs: [\"get\"]"), "{error}");
}

/// Runs the collector once, with nothing but a kubeconfig.
async fn collected(api: &ApiServer) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("collector.yaml");
    let text =
        "lookback_hours: 6\nsource:\n  prometheus: {url: auto, namespaces: [shop], retries: 0}\n";
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(tools::binary("mora-collector").unwrap());
    command.args(["--once", "--no-training", "--listen", "127.0.0.1:0", "--config"]).arg(&config);
    command.env("KUBECONFIG", api.kubeconfig()).env_remove("KUBERNETES_SERVICE_HOST");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_process_outside_of_the_cluster_finds_its_prometheus_by_itself() {
    let complete = Complete::shared().unwrap_or_else(|error| panic!("{error}"));
    let api = cluster_of(&complete, &[]).await;
    let output = collected(&api).await;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let shown = "collecting from Prometheus monitoring/prometheus (through the API server)";
    assert!(log.contains(shown), "{log}");
    let through = "/api/v1/namespaces/monitoring/services/http:prometheus:9090/proxy/api/v1/query";
    assert!(api.asked().iter().any(|asked| asked.starts_with(through)), "{:?}", api.asked());
    assert!(!log.contains("http://127.0.0.1"), "the address is a secret: {log}");
}
