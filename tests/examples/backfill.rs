//! Fills a running Prometheus with the metrics of many workloads, for `scripts/bench-collect`.
//!
//! Usage: `backfill URL WORKLOADS DAYS`. Every workload of namespace `shop` has three pods now and three that were replaced half way,
//! each with one container: its CPU counter, its working set, its requests, and its owner, once a minute over the DAYS that
//! end two hours ago. Sent by remote write in order of time, as a scrape would come in.

use std::f64::consts::TAU;

use jiff::Timestamp;
use prost::Message;
use reqwest::Client;

const PODS: usize = 3;
const STEP_SECONDS: i64 = 60;
/// Steps in one request: a Prometheus takes samples of a series in order of time.
const STEPS_AT_ONCE: i64 = 30;
const SERIES_AT_ONCE: usize = 2_000;
const ENDED_SECONDS_AGO: i64 = 7200;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// One series: its labels and its value at a step.
struct Made {
    labels: Vec<Label>,
    /// Steps in which it is there.
    from: i64,
    to: i64,
    value: Box<dyn Fn(i64) -> f64 + Send + Sync>,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, workloads, days] = &arguments[..] else {
        eprintln!("usage: backfill URL WORKLOADS DAYS");
        std::process::exit(2);
    };
    let (workloads, days): (usize, i64) = match (workloads.parse(), days.parse()) {
        (Ok(workloads), Ok(days)) => (workloads, days),
        _ => panic!("WORKLOADS and DAYS are whole numbers"),
    };
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let steps = days * 86_400 / STEP_SECONDS;
    let end = (Timestamp::now().as_second() - ENDED_SECONDS_AGO) / STEP_SECONDS * STEP_SECONDS;
    let start = end - steps * STEP_SECONDS;
    let series: Vec<Made> = (0..workloads).flat_map(|workload| made(workload, steps)).collect();
    let client = Client::builder().no_proxy().build().expect("an HTTP client");
    let mut sent = 0;
    for first in (0..steps).step_by(STEPS_AT_ONCE as usize) {
        let last = (first + STEPS_AT_ONCE).min(steps);
        for some in series.chunks(SERIES_AT_ONCE) {
            sent += send(&client, url, some, (start, first, last)).await;
        }
    }
    println!("{} series, {sent} samples, until {end}", series.len());
}

/// The series of one workload.
fn made(workload: usize, steps: i64) -> Vec<Made> {
    let half = steps / 2;
    let mut all = Vec::new();
    for (generation, (from, to)) in [(0, half), (half, steps)].into_iter().enumerate() {
        let set = format!("w{workload}-6b7c9d5f{}", ["b", "c"][generation]);
        for pod in 0..PODS {
            let name = format!("{set}-{}x{}", suffix(pod), suffix(workload % 7));
            let place = [("namespace", "shop"), ("pod", &*name), ("container", "server")];
            let with =
                |metric: &str, more: &[(&str, &str)]| labels(metric, &[&place[..], more].concat());
            let phase = (workload * 7 + pod) as f64;
            let cores = 0.05 + 0.4 * ((workload % 10) as f64 / 10.0);
            // The integral of a daily wave, so that its rate is the wave.
            let counter = move |step: i64| {
                let seconds = (step - from) as f64 * 60.0;
                let day = 86_400.0;
                cores
                    * (seconds
                        + 0.5 * day / TAU * ((seconds / day * TAU + phase).sin() - phase.sin()))
            };
            let memory = move |step: i64| {
                (5e7 * (1.0 + (workload % 5) as f64))
                    + 1e6 * ((step * 31 + workload as i64) % 97) as f64
            };
            let usage: Box<dyn Fn(i64) -> f64 + Send + Sync> = Box::new(counter);
            all.push(Made {
                labels: with("container_cpu_usage_seconds_total", &[]),
                from,
                to,
                value: usage,
            });
            let value = Box::new(memory);
            all.push(Made {
                labels: with("container_memory_working_set_bytes", &[]),
                from,
                to,
                value,
            });
            let owner = labels(
                "kube_pod_owner",
                &[
                    ("namespace", "shop"),
                    ("pod", &name),
                    ("owner_kind", "ReplicaSet"),
                    ("owner_name", &set),
                ],
            );
            all.push(Made { labels: owner, from, to, value: Box::new(|_| 1.0) });
        }
    }
    all
}

fn suffix(index: usize) -> &'static str {
    ["bb", "cc", "dd", "ff", "gg", "hh", "jj"][index % 7]
}

/// Labels in order of name, as remote write wants them.
fn labels(metric: &str, pairs: &[(&str, &str)]) -> Vec<Label> {
    let label =
        |(name, value): (&str, &str)| Label { name: name.to_owned(), value: value.to_owned() };
    let mut labels: Vec<Label> = pairs.iter().copied().map(label).collect();
    labels.push(label(("__name__", metric)));
    labels.sort_by(|a, b| a.name.cmp(&b.name));
    labels
}

/// Sends the samples of `series` from one step up to another; gives their number.
async fn send(
    client: &Client,
    url: &str,
    series: &[Made],
    (start, first, last): (i64, i64, i64),
) -> usize {
    let of = |made: &Made| {
        let sample = |step| Sample {
            value: (made.value)(step),
            timestamp: (start + step * STEP_SECONDS) * 1000,
        };
        let samples = (first.max(made.from)..last.min(made.to)).map(sample).collect();
        TimeSeries { labels: made.labels.clone(), samples }
    };
    let timeseries: Vec<TimeSeries> =
        series.iter().map(of).filter(|series| !series.samples.is_empty()).collect();
    let count = timeseries.iter().map(|series| series.samples.len()).sum();
    if count == 0 {
        return 0;
    }
    let body = WriteRequest { timeseries }.encode_to_vec();
    let body = snap::raw::Encoder::new().compress_vec(&body).expect("a body below 4 GiB");
    let request = client
        .post(format!("{url}/api/v1/write"))
        .header("Content-Encoding", "snappy")
        .header("Content-Type", "application/x-protobuf")
        .header("X-Prometheus-Remote-Write-Version", "0.1.0")
        .body(body);
    let response = request.send().await.expect("Prometheus answers");
    let status = response.status();
    assert!(status.is_success(), "{status}: {}", response.text().await.unwrap_or_default());
    count
}
