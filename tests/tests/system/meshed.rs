//! What the collector learns of calls and of how workloads do, from a real Prometheus in which each kind of mesh tells of
//! the same application.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use mora_collector::{Lookback, MetricsSource, PrometheusConfig, PrometheusSource, TrafficMetric};
use mora_core::{Dataset, Indicator, Series, Step, WorkloadRef};
use mora_tests::{Meshed, MeshedShop};

fn start() -> Arc<Meshed> {
    Meshed::shared().unwrap_or_else(|error| panic!("{error}"))
}

/// The datasets of `namespace` and of `office` by workload, over the last 40 minutes but for the newest sample.
async fn collected(namespace: &str, traffic: Vec<TrafficMetric>) -> BTreeMap<WorkloadRef, Dataset> {
    let meshed = start();
    let namespaces = vec![namespace.to_owned(), "office".to_owned()];
    let config =
        PrometheusConfig { url: meshed.url(), namespaces, traffic, ..PrometheusConfig::default() };
    let to = meshed.newest();
    let from = to.saturating_sub(SignedDuration::from_mins(40)).unwrap();
    let lookback = Lookback { from, to, step: Step::MINUTE };
    let datasets = PrometheusSource::new(config).unwrap().collect(&lookback).await.unwrap();
    datasets.into_iter().map(|dataset| (dataset.workload.clone(), dataset)).collect()
}

fn in_shop(namespace: &str, name: &str) -> WorkloadRef {
    format!("{namespace}/{name}").parse().unwrap()
}

fn dataset<'a>(
    datasets: &'a BTreeMap<WorkloadRef, Dataset>,
    namespace: &str,
    name: &str,
) -> &'a Dataset {
    &datasets[&in_shop(namespace, name)]
}

/// Asserts that `series` has no gap over the lookback and is `expected` throughout.
fn assert_constant(series: Option<&Series>, expected: f64, what: &str) {
    let series = series.unwrap_or_else(|| panic!("{what} is not known"));
    assert_eq!((series.len(), series.coverage()), (40, 1.0), "{what}");
    for value in series.observed() {
        assert!(
            (value - expected).abs() <= 1e-6 * expected.max(1.0),
            "{what}: {value}, not {expected}"
        );
    }
}

/// Asserts that exactly `expected` callers call, as often as stated.
fn assert_called(dataset: &Dataset, expected: &[(&str, f64)]) {
    let callers: Vec<String> = dataset.calls.keys().map(ToString::to_string).collect();
    let names: Vec<&str> = expected.iter().map(|(caller, _)| *caller).collect();
    assert_eq!(callers, names, "{}", dataset.workload);
    for (series, (caller, rate)) in dataset.calls.values().zip(expected) {
        assert_constant(Some(series), *rate, &format!("{caller} to {}", dataset.workload));
    }
}

/// Asserts the requests every workload receives, `scale` times those of the application.
fn assert_requests(datasets: &BTreeMap<WorkloadRef, Dataset>, namespace: &str, scale: f64) {
    let of = |name| dataset(datasets, namespace, name);
    let rates = [("frontend", 10.0), ("cart", 9.0), ("catalog", 20.5), ("StatefulSet/redis", 12.0)];
    for (name, rate) in rates {
        assert_constant(
            of(name).request_rate.as_ref(),
            rate * scale,
            &format!("requests of {name}"),
        );
    }
    let (frontend, cart) =
        (in_shop(namespace, "frontend").to_string(), in_shop(namespace, "cart").to_string());
    assert_called(of("frontend"), &[]);
    let mut of_cart = [(frontend.as_str(), 8.0 * scale), ("office/StatefulSet/reports", scale)];
    of_cart.sort_by_key(|(caller, _)| *caller);
    assert_called(of("cart"), &of_cart);
    assert_called(of("catalog"), &[(&frontend, 20.0 * scale)]);
    assert_called(of("StatefulSet/redis"), &[(&cart, 12.0 * scale)]);
}

/// Asserts that the latency 95 % stay below is in the bucket from `above` to `most` seconds throughout.
fn assert_latency(dataset: &Dataset, above: f64, most: f64) {
    let series = &dataset.indicators[&Indicator::LatencyP95];
    assert_eq!((series.len(), series.coverage()), (40, 1.0), "{}", dataset.workload);
    let is_in = |value: f64| value > above && value <= most;
    assert!(series.observed().all(is_in), "{}: {:?}", dataset.workload, series.values());
}

fn assert_indicators(datasets: &BTreeMap<WorkloadRef, Dataset>, namespace: &str) {
    let of = |name| dataset(datasets, namespace, name);
    let errors = [("frontend", 0.0), ("cart", 0.05), ("catalog", 0.02), ("StatefulSet/redis", 0.0)];
    for (name, share) in errors {
        let found = of(name).indicators.get(&Indicator::ErrorRatio);
        assert_constant(found, share, &format!("errors of {name}"));
    }
    assert_latency(of("frontend"), 0.025, 0.05);
    assert_latency(of("cart"), 0.025, 0.05);
    assert_latency(of("catalog"), 0.005, 0.01);
    assert_latency(of("StatefulSet/redis"), 0.005, 0.01);
    let throttled = |name| of(name).indicators.get(&Indicator::ThrottledRatio);
    assert_constant(throttled("cart"), 0.25, "throttling of cart");
    assert_constant(throttled("catalog"), 0.0, "throttling of catalog");
    assert_eq!(throttled("frontend"), None, "without a limit there is nothing to measure");
    assert_eq!(throttled("StatefulSet/redis"), None);
}

#[tokio::test]
async fn every_mesh_gives_the_requests_calls_and_indicators_of_the_application() {
    for shop in MeshedShop::ALL.iter().filter(|shop| shop.meshes.len() == 1) {
        let datasets = collected(shop.namespace, TrafficMetric::BUILT_IN.to_vec()).await;
        assert_requests(&datasets, shop.namespace, 1.0);
        assert_indicators(&datasets, shop.namespace);
        let reports = dataset(&datasets, "office", "StatefulSet/reports");
        assert_eq!(reports.request_rate, None, "nothing calls it");
        assert!(reports.indicators.is_empty(), "{:?}", reports.indicators);
    }
}

#[tokio::test]
async fn where_several_meshes_tell_the_configured_order_decides() {
    let namespace = "every-shop";
    let scales = TrafficMetric::BUILT_IN.into_iter().zip([1.0, 2.0, 3.0, 4.0]);
    for (first, scale) in scales {
        let others = TrafficMetric::BUILT_IN.into_iter().filter(|metric| *metric != first);
        let traffic = std::iter::once(first.clone()).chain(others).collect();
        assert_requests(&collected(namespace, traffic).await, namespace, scale);
    }
}

#[tokio::test]
async fn queries_and_labels_of_ones_own_give_the_same() {
    let traffic = r#"[{"custom": {
        "query": "sum by (destination_workload,source_workload,source_namespace) (rate(hubble_http_requests_total{reporter=\"server\",destination_namespace=\"$namespace\"}[$window]))",
        "callee": "destination_workload", "caller": "source_workload", "caller_namespace": "source_namespace",
        "error_ratio": "sum by (destination_workload) (rate(hubble_http_requests_total{reporter=\"server\",destination_namespace=\"$namespace\",status=~\"5..\"}[$window])) / sum by (destination_workload) (rate(hubble_http_requests_total{reporter=\"server\",destination_namespace=\"$namespace\"}[$window]))"
    }}]"#;
    let namespace = "hubble-shop";
    let datasets = collected(namespace, serde_json::from_str(traffic).unwrap()).await;
    assert_requests(&datasets, namespace, 1.0);
    let indicators = &dataset(&datasets, namespace, "cart").indicators;
    assert_constant(indicators.get(&Indicator::ErrorRatio), 0.05, "errors of cart");
    assert_eq!(indicators.get(&Indicator::LatencyP95), None, "no query was given for it");
}
