//! Prometheus below a path, and behind what wants a tenant and a token, is collected from as one that stands alone.

use mora_collector::{
    Lookback, MetricsSource, PrometheusConfig, PrometheusError, PrometheusSource, Secret,
    SourceError, State,
};
use mora_core::{Dataset, Step};
use mora_tests::{Complete, Gateway, Told};

fn config(url: String) -> PrometheusConfig {
    PrometheusConfig {
        url,
        namespaces: vec!["shop".to_owned()],
        retries: 0,
        ..PrometheusConfig::default()
    }
}

fn lookback(complete: &Complete) -> Lookback {
    Lookback { from: complete.minute(10), to: complete.minute(59), step: Step::MINUTE }
}

async fn collected(
    complete: &Complete,
    config: PrometheusConfig,
) -> Result<Vec<Dataset>, SourceError> {
    PrometheusSource::new(config)?.collect(&lookback(complete)).await
}

#[tokio::test]
async fn a_prometheus_below_a_path_is_asked_there_and_its_absence_elsewhere_is_explained() {
    let below = Complete::start(Told { prefix: "/prometheus", ..Told::ALL });
    let below = below.unwrap_or_else(|error| panic!("{error}"));
    assert!(below.url().ends_with("/prometheus"));
    let datasets = collected(&below, config(below.url())).await.unwrap();
    assert_eq!(datasets.len(), 4);
    let with_slash = collected(&below, config(format!("{}/", below.url()))).await.unwrap();
    assert_eq!(with_slash, datasets);
    let diagnosis = PrometheusSource::new(config(below.url())).unwrap();
    let diagnosis = diagnosis.diagnose(&lookback(&below), jiff::Timestamp::now).await;
    assert_eq!(diagnosis.worst(), State::Good, "{diagnosis:#?}");
    let root = below.url().replace("/prometheus", "");
    let error = collected(&below, config(root)).await.unwrap_err();
    assert!(error.to_string().contains("check the path in source.prometheus.url"), "{error}");
}

#[tokio::test]
async fn a_tenant_and_a_token_from_a_file_reach_what_stands_before_prometheus() {
    let complete = Complete::shared().unwrap_or_else(|error| panic!("{error}"));
    let gateway = Gateway::start(complete.url(), "team-a", "s3cret").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let tenant = [("X-Scope-OrgID".to_owned(), Secret::new("team-a".to_owned()))];
    let complete_config = PrometheusConfig {
        headers: tenant.clone().into(),
        bearer_token_file: Some(token.clone()),
        ..config(gateway.url())
    };
    let through = collected(&complete, complete_config.clone()).await.unwrap();
    assert_eq!(through, collected(&complete, config(complete.url())).await.unwrap());
    let source = PrometheusSource::new(complete_config).unwrap();
    let diagnosis = source.diagnose(&lookback(&complete), jiff::Timestamp::now).await;
    assert_eq!(diagnosis.worst(), State::Good, "{diagnosis:#?}");

    let without_tenant =
        PrometheusConfig { bearer_token_file: Some(token), ..config(gateway.url()) };
    let error = collected(&complete, without_tenant).await.unwrap_err();
    let forbidden = matches!(error, SourceError::Prometheus(PrometheusError::Forbidden { .. }));
    assert!(forbidden && error.to_string().contains("tenant header"), "{error}");
    let wrong = PrometheusConfig {
        headers: tenant.into(),
        bearer_token: Some(Secret::new("other".to_owned())),
        ..config(gateway.url())
    };
    let error = collected(&complete, wrong).await.unwrap_err();
    let refused = matches!(error, SourceError::Prometheus(PrometheusError::Unauthorized { .. }));
    assert!(refused, "{error}");
}
