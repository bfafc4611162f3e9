//! The catalogue of metrics against a real Prometheus: what goes in comes out, whole or in chunks, and the documents say
//! what is asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mora_collector::{
    Lookback, Metric, MetricsSource, PrometheusConfig, PrometheusSource, QueryFilling, catalogue,
    settle_callers,
};
use mora_core::{Bytes, Dataset, Indicator, Millicores, Series, Step};
use mora_tests::{Complete, Told};

fn start() -> Arc<Complete> {
    Complete::shared().unwrap_or_else(|error| panic!("{error}"))
}

fn source(complete: &Complete) -> PrometheusSource {
    PrometheusSource::new(PrometheusConfig {
        url: complete.url(),
        namespaces: vec!["shop".to_owned()],
        ..PrometheusConfig::default()
    })
    .unwrap()
}

/// Minutes 10 to 59, the last left out.
fn lookback(complete: &Complete) -> Lookback {
    Lookback { from: complete.minute(10), to: complete.minute(59), step: Step::MINUTE }
}

fn by_name(datasets: Vec<Dataset>) -> BTreeMap<String, Dataset> {
    datasets.into_iter().map(|d| (d.workload.name().to_owned(), d)).collect()
}

/// The value at `minute`.
fn at(complete: &Complete, series: &Series, minute: i64) -> Option<f64> {
    let steps = complete.minute(minute).as_second() - series.start().as_second();
    series.values().get(usize::try_from(steps / 60).unwrap()).copied().flatten()
}

fn assert_close(found: Option<f64>, expected: f64, what: &str) {
    let is_close = found.is_some_and(|found| (found - expected).abs() <= 1e-6 * expected.max(1.0));
    assert!(is_close, "{what}: {found:?} instead of {expected}");
}

#[tokio::test]
async fn network_is_that_of_all_interfaces_and_pods_also_of_those_that_are_gone() {
    let complete = start();
    let datasets = by_name(source(&complete).collect(&lookback(&complete)).await.unwrap());
    for (indicator, scale) in [(Indicator::NetworkReceive, 1.0), (Indicator::NetworkTransmit, 2.0)]
    {
        let of = |name: &str, minute| at(&complete, &datasets[name].indicators[&indicator], minute);
        for minute in 10..59 {
            let what = format!("{indicator} at {minute}");
            assert_close(of("frontend", minute), 1200.0 * scale, &what);
            assert_close(of("redis", minute), 40.0 * scale, &what);
            // The rate of a pod that ends fades over the window of five minutes.
            if minute < 40 {
                assert_close(of("cart", minute), 800.0 * scale, &what);
            } else if minute > 45 {
                assert_close(of("cart", minute), 300.0 * scale, &what);
            }
        }
        assert!(!datasets["catalog"].indicators.contains_key(&indicator), "nothing tells of it");
    }
}

#[tokio::test]
async fn restarts_are_counted_in_their_step_and_neither_first_sights_nor_resets_are_restarts() {
    let complete = start();
    let datasets = by_name(source(&complete).collect(&lookback(&complete)).await.unwrap());
    let expected = [
        ("cart", vec![(20, 1.0), (25, 2.0), (45, 1.0)]),
        ("redis", vec![(50, 1.0)]),
        ("frontend", vec![]),
    ];
    for (name, restarts) in expected {
        let restarts: BTreeMap<i64, f64> = restarts.into_iter().collect();
        let series = &datasets[name].indicators[&Indicator::Restarts];
        for minute in 10..59 {
            let count = restarts.get(&minute).copied().unwrap_or(0.0);
            assert_close(at(&complete, series, minute), count, &format!("{name} at {minute}"));
        }
    }
}

#[tokio::test]
async fn latencies_kills_throttling_and_replicas_are_those_put_in() {
    let complete = start();
    let datasets = by_name(source(&complete).collect(&lookback(&complete)).await.unwrap());
    let cart = &datasets["cart"];
    let latency = |indicator| at(&complete, &cart.indicators[&indicator], 30);
    // Buckets of 5, 10, 25, 50 and 100 ms hold 50, 80, 90, 97 and 100 % of the requests.
    assert_close(latency(Indicator::LatencyP50), 0.005, "half are within the first bucket");
    assert_close(latency(Indicator::LatencyP95), 0.025 + 0.025 * 5.0 / 7.0, "0.95");
    assert_close(latency(Indicator::LatencyP99), 0.05 + 0.05 * 2.0 / 3.0, "0.99");
    assert_close(latency(Indicator::ErrorRatio), 0.05, "errors");
    let kills: Vec<_> = cart.containers["server"].oom_kills.iter().collect();
    let [kill] = kills[..] else { panic!("{kills:?}") };
    assert_eq!(kill.killed, complete.minute(20) - SignedDuration::from_secs(10));
    assert_eq!(kill.peak, Bytes::from_mebibytes(256), "its limit, which is above what was seen");
    let replicas =
        |name: &str, minute| at(&complete, datasets[name].replicas.as_ref().unwrap(), minute);
    assert_eq!((replicas("cart", 39), replicas("cart", 40)), (Some(2.0), Some(1.0)));
    assert_eq!((replicas("redis", 39), replicas("frontend", 39)), (Some(3.0), Some(1.0)));
    // 0.3 and 0.2 of as many periods.
    assert_close(
        at(&complete, &cart.indicators[&Indicator::ThrottledRatio], 30),
        0.25,
        "throttled",
    );
}

#[tokio::test]
async fn chunks_hold_together_what_the_whole_does() {
    let complete = start();
    let whole = lookback(&complete);
    let source = source(&complete);
    let expected = source.collect(&whole).await.unwrap();
    source.begin(&whole).await.unwrap();
    let middle = complete.minute(33);
    let chunks = [Lookback { to: middle, ..whole }, Lookback { from: middle, ..whole }];
    let mut values: Vec<BTreeMap<(String, String, Timestamp), f64>> = Vec::new();
    for chunk in chunks {
        let mut datasets = source.collect_scope("shop", &chunk).await.unwrap();
        settle_callers(&mut datasets);
        values.push(flat(&datasets));
    }
    let [first, second] = &values[..] else { panic!("two chunks") };
    assert!(first.keys().all(|key| !second.contains_key(key)), "no observation is in both");
    let together: BTreeMap<_, _> =
        first.iter().chain(second).map(|(k, v)| (k.clone(), *v)).collect();
    assert_eq!(together, flat(&expected));
    let later = complete.newest() + SignedDuration::from_hours(1);
    let empty = Lookback { from: later, to: later + SignedDuration::from_mins(9), ..whole };
    assert!(source.collect_scope("shop", &empty).await.unwrap().is_empty());
}

/// Every observation by workload, series and time.
fn flat(datasets: &[Dataset]) -> BTreeMap<(String, String, Timestamp), f64> {
    let mut flat = BTreeMap::new();
    for dataset in datasets {
        let mut add = |name: String, series: &Series| {
            for (index, value) in series.values().iter().enumerate() {
                let key = (dataset.workload.to_string(), name.clone(), series.time(index));
                flat.extend(value.map(|value| (key, value)));
            }
        };
        for (container, usage) in &dataset.containers {
            usage.cpu.iter().for_each(|(pod, s)| add(format!("cpu/{container}/{pod}"), s));
            usage.memory.iter().for_each(|(pod, s)| add(format!("memory/{container}/{pod}"), s));
        }
        dataset.request_rate.iter().for_each(|s| add("requests".to_owned(), s));
        dataset.replicas.iter().for_each(|s| add("replicas".to_owned(), s));
        dataset.calls.iter().for_each(|(caller, s)| add(format!("calls/{caller}"), s));
        dataset.indicators.iter().for_each(|(indicator, s)| add(indicator.to_string(), s));
    }
    flat
}

#[tokio::test]
async fn nodes_have_what_is_used_and_what_may_be_requested() {
    let exporter = start();
    let cadvisor = Complete::start(Told { node_exporter: false, meshes: false, ..Told::ALL });
    let cadvisor = cadvisor.unwrap_or_else(|error| panic!("{error}"));
    for (complete, cores, bytes) in [(&*exporter, 1.0, 4e9), (&cadvisor, 1.2, 5e9)] {
        let nodes = source(complete).nodes(&lookback(complete)).await.unwrap();
        let [node] = &nodes[..] else { panic!("{nodes:?}") };
        assert_eq!(node.name, "node-1");
        assert_eq!(node.allocatable.cpu, Some(Millicores::new(3920)));
        assert_eq!(node.allocatable.memory, Some(Bytes::new(7_500_000_000)));
        let (cpu, memory) = (node.cpu.as_ref().unwrap(), node.memory.as_ref().unwrap());
        assert_eq!((cpu.len(), memory.len()), (49, 49));
        assert_close(at(complete, cpu, 30), cores, "cores of the node");
        assert_close(at(complete, memory, 30), bytes, "bytes of the node");
    }
}

#[tokio::test]
async fn a_query_of_ones_own_takes_the_place_of_that_of_the_catalogue() {
    let complete = start();
    let queries = r#"{"network_receive": "sum by (pod) (rate(container_network_receive_bytes_total{namespace=\"$namespace\",interface=\"lo\"}[$window]))",
        "network_transmit": "off",
        "latency_p99": "label_replace(vector(0.25), \"workload\", \"cart\", \"\", \"\") unless on () absent(kube_pod_owner{namespace=\"$namespace\"})"}"#;
    let config = PrometheusConfig {
        url: complete.url(),
        namespaces: vec!["shop".to_owned()],
        queries: serde_json::from_str(queries).unwrap(),
        ..PrometheusConfig::default()
    };
    let source = PrometheusSource::new(config).unwrap();
    let datasets = by_name(source.collect(&lookback(&complete)).await.unwrap());
    let frontend = &datasets["frontend"].indicators;
    assert_close(at(&complete, &frontend[&Indicator::NetworkReceive], 30), 5000.0, "loopback");
    assert!(!frontend.contains_key(&Indicator::NetworkTransmit));
    let slowest = &datasets["cart"].indicators[&Indicator::LatencyP99];
    assert_close(at(&complete, slowest, 30), 0.25, "latency of one's own");
    assert!(!frontend.contains_key(&Indicator::LatencyP99));
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The fenced blocks of PromQL in a document.
fn promql_blocks(text: &str) -> Vec<&str> {
    let blocks = text.split("```promql\n").skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap_or(rest)).collect()
}

#[tokio::test]
async fn every_query_of_the_documents_has_an_answer_without_warnings() {
    let complete = start();
    let mut asked = 0;
    for entry in std::fs::read_dir(docs()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for promql in promql_blocks(&text) {
            let answer = complete.server().ask(promql, complete.newest()).await;
            let answer =
                answer.unwrap_or_else(|error| panic!("{}: {promql}: {error}", path.display()));
            assert!(!answer.measured.is_empty(), "{}: `{promql}` has no answer", path.display());
            assert_eq!(answer.warnings, Vec::<String>::new(), "{promql}");
            asked += 1;
        }
    }
    assert!(asked >= 40, "only {asked} queries were found in the documents");
}

/// What `docs/metrics.md` says of a metric.
fn documented(metric: &Metric) -> String {
    let filling = QueryFilling { namespace: "shop", step: Step::MINUTE, scrape_seconds: 60 };
    let need = if metric.needed { " Needed." } else { "" };
    let mut text =
        format!("### `{}`\n\nIn {}.{need} {}\n\n", metric.name, metric.unit, metric.meaning);
    for provided in &metric.queries {
        let promql = filling.fill(&provided.promql);
        text += &format!("From {}:\n\n```promql\n{promql}\n```\n\n", provided.by);
    }
    text + &format!("Without it: {}\n", metric.without)
}

#[test]
fn the_documents_list_exactly_the_metrics_of_the_catalogue() {
    const BETWEEN: [&str; 2] = ["<!-- catalogue -->\n", "<!-- end of the catalogue -->"];
    let path = docs().join("metrics.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let listed = text.split(BETWEEN[0]).nth(1).and_then(|rest| rest.split(BETWEEN[1]).next());
    let listed = listed.unwrap_or_else(|| panic!("{} has no catalogue", path.display()));
    let expected: Vec<String> = catalogue().iter().map(documented).collect();
    let expected = format!("\n{}\n", expected.join("\n"));
    if listed != expected {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("catalogue.md");
        std::fs::write(&made, &expected).unwrap();
        panic!("docs/metrics.md lists other metrics than the code; put {} into it", made.display());
    }
}
