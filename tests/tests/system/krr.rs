//! What a scan makes of usage that a real Prometheus holds: the numbers of Robusta KRR, and our own where KRR is wrong.

#[path = "krr/cases.rs"]
mod cases;
#[path = "krr/own.rs"]
mod own;

use std::io::Write as _;

use jiff::{SignedDuration, Timestamp};
use mora_collector::{PrometheusApi, PrometheusConfig};
use mora_core::{Inventory, OwnerKind, ResourceClaim, Step};
use mora_scan::{
    Answers, KrrSettings, KrrStrategy, Observed, Owners, Prices, Proposed, Query, QuerySettings,
    Row, Severity, Span, Strategy, krr, rows, shards,
};
use mora_tests::{PrometheusServer, shared_data};
use serde_json::Value;

use cases::{Kill, NOW, Pod, Scraped, Workload, inventory};

/// A scan of the workloads that a Prometheus was filled with.
struct Scan {
    prometheus: PrometheusServer,
    inventory: Inventory,
}

impl Scan {
    fn start(workloads: &[Workload]) -> Self {
        let server = PrometheusServer::start(|out| cases::write(workloads, out));
        let prometheus = server.unwrap_or_else(|error| panic!("{error}"));
        Self { prometheus, inventory: inventory(workloads) }
    }

    /// What is asked for `strategy` over three hours, unless a test changes it.
    fn settings(strategy: &Strategy) -> QuerySettings {
        QuerySettings {
            dialect: strategy.dialect(),
            at: Timestamp::from_second(NOW).unwrap(),
            lookback: SignedDuration::from_hours(3),
            step: Step::MINUTE,
            scrape_interval: Step::MINUTE,
            cpu_quantile: strategy.cpu_quantile(),
            hours: None,
            cluster: None,
            oom_kills: true,
        }
    }

    async fn observe(&self, settings: &QuerySettings) -> Observed {
        let config = PrometheusConfig { url: self.prometheus.url(), ..PrometheusConfig::default() };
        let api = PrometheusApi::connect(&config).unwrap();
        let shards = shards(&self.inventory, settings);
        let mut owners = Owners::new(&self.inventory);
        let selectors = settings.owner_selectors(&shards);
        for labels in api.series(&selectors, settings.start(), settings.end()).await.unwrap() {
            owners.add_seen(&labels);
        }
        let mut answers = Answers::new(settings.clone());
        for query in shards.iter().flat_map(|shard| settings.queries(shard)) {
            ask(&api, &query, &mut answers).await;
        }
        for query in answers.follow_up(&shards, &owners) {
            ask(&api, &query, &mut answers).await;
        }
        answers.observed(&self.inventory, &owners)
    }

    /// The rows by `strategy`, whose queries are `settings`.
    async fn rows(&self, strategy: &Strategy, settings: &QuerySettings) -> Vec<Row> {
        let observed = self.observe(settings).await;
        rows(&self.inventory, &observed, settings, strategy, &Prices::default())
    }
}

async fn ask(api: &PrometheusApi, query: &Query, answers: &mut Answers) {
    let answer = match query.span {
        Span::Instant(time) => api.instant(&query.promql, time).await,
        Span::Range { start, end, step } => api.range(&query.promql, start, end, step).await,
    };
    for series in answer.unwrap_or_else(|error| panic!("{error}")) {
        let samples = series.samples.iter().map(|sample| (sample.second, sample.value));
        answers.add(query, &series.labels, samples);
    }
}

/// A number, `?` for unknown, and nothing for unset.
fn proposed(value: &Value) -> Proposed<f64> {
    match value {
        Value::Null => Proposed::Unset,
        Value::String(_) => Proposed::Unknown,
        number => Proposed::Value(number.as_f64().unwrap()),
    }
}

fn severity(name: &Value) -> Severity {
    let name = name.as_str().unwrap().to_lowercase();
    Severity::ALL.into_iter().find(|severity| severity.as_str() == name).unwrap()
}

/// Asserts that two amounts are no further apart than `by`.
#[track_caller]
fn assert_near(found: Option<f64>, expected: Proposed<f64>, by: f64, what: &str) {
    match (found, expected) {
        (Some(found), Proposed::Value(expected)) => {
            assert!((found - expected).abs() <= by, "{what}: {found} instead of {expected}");
        }
        (found, expected) => assert_eq!(found, expected.value(), "{what}"),
    }
}

/// KRR's settings and its query settings for a case of the file.
fn of_case(case: &Value) -> (Strategy, QuerySettings) {
    let given = &case["input"]["settings"];
    let of = |name: &str| given[name].as_f64();
    let default = KrrSettings::default();
    let strategy: KrrStrategy = serde_json::from_value(case["strategy"].clone()).unwrap();
    let krr = KrrSettings {
        strategy,
        cpu_percentile: of("cpu_percentile").unwrap_or(default.cpu_percentile),
        cpu_request: of("cpu_request").unwrap_or(default.cpu_request),
        cpu_limit: of("cpu_limit").unwrap_or(default.cpu_limit),
        memory_buffer_percentage: of("memory_buffer_percentage").unwrap(),
        points_required: of("points_required").unwrap() as u32,
        allow_hpa: given["allow_hpa"].as_bool().unwrap(),
        use_oomkill_data: given["use_oomkill_data"].as_bool().unwrap(),
        oom_memory_buffer_percentage: of("oom_memory_buffer_percentage").unwrap(),
        cpu_min: case["input"]["cpu_min_millicores"].as_u64().unwrap() as u32,
        mem_min: case["input"]["mem_min_mib"].as_u64().unwrap() as u32,
    };
    let step = of("timeframe_duration").unwrap() * 60.0;
    let strategy = Strategy::Krr(krr);
    let settings = QuerySettings {
        lookback: SignedDuration::from_secs_f64(of("history_duration").unwrap() * 3600.0),
        step: Step::from_seconds(step as u32).unwrap(),
        oom_kills: krr.use_oomkill_data,
        ..Scan::settings(&strategy)
    };
    (strategy, settings)
}

fn assert_as_krr(row: &Row, case: &Value) {
    let expected = &case["expected"];
    for bound in ["request", "limit"] {
        let (cpu, memory) = match bound {
            "request" => (&row.cpu.request, &row.memory.request),
            _ => (&row.cpu.limit, &row.memory.limit),
        };
        let what = format!("{} {bound}", case["id"]);
        let wanted = |resource: &str| proposed(&expected["recommended"][resource][bound]);
        let cores = cpu.recommended.value().map(mora_core::Millicores::cores);
        assert_near(cores, wanted("cpu"), 0.001_000_1, &what);
        let bytes = memory.recommended.value().map(|amount| amount.get() as f64);
        assert_near(bytes, wanted("memory"), 0.0, &what);
        for (resource, found) in [("cpu", cpu.severity), ("memory", memory.severity)] {
            let wanted = severity(&expected["severity"][format!("{resource}_{bound}")]);
            assert_eq!(found, wanted, "{what} {resource}");
        }
    }
    assert_eq!(row.severity, severity(&expected["severity"]["workload"]), "{}", case["id"]);
    for (resource, name) in [("cpu", "CPU"), ("memory", "Memory")] {
        let info = expected["recommended"][resource]["info"].as_str();
        let said = row.notes.iter().find(|note| note.starts_with(&format!("{name}:")));
        let wanted = info.map(|info| format!("{name}: {info}."));
        assert_eq!(said.cloned(), wanted, "{}", case["id"]);
    }
    if let Proposed::Value(cores) = row.cpu.request.recommended {
        let shown = &expected["shown"]["cpu"]["request"];
        let apart =
            cores.cores() - proposed(&expected["recommended"]["cpu"]["request"]).value().unwrap();
        if apart.abs() < 1e-9 {
            assert_eq!(*shown, krr::format(cores.cores(), false), "{}", case["id"]);
        }
    }
}

#[tokio::test]
async fn every_case_of_the_file_is_answered_as_krr_answers_it() {
    let file = shared_data().map(|folder| folder.join("krr_golden.json"));
    let Some(file) = file.filter(|file| file.is_file()) else {
        let note = "krr_golden.json is not on this machine (MORA_SHARED_DATA); the cases in the tests stand for all";
        writeln!(std::io::stdout(), "{note}").unwrap();
        return;
    };
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let golden = golden["raw_cases"].as_array().unwrap();
    let workloads: Vec<Workload> = golden.iter().map(cases::from_file).collect();
    let scan = Scan::start(&workloads);
    for case in golden {
        let (strategy, settings) = of_case(case);
        // All are in one Prometheus; each is asked for as all are, with its own settings.
        let rows = scan.rows(&strategy, &settings).await;
        let row = rows.iter().find(|row| case["input"]["namespace"] == *row.namespace).unwrap();
        assert_as_krr(row, case);
    }
}

/// Usage of `cores` and `bytes` from `first` seconds after [`NOW`] for `count` samples of job `job`.
fn steady(job: &str, first: i64, step: i64, count: usize, (cores, bytes): (f64, f64)) -> Scraped {
    Scraped {
        job: job.to_owned(),
        id: "/1".to_owned(),
        first,
        step,
        cpu: (0..count).map(|index| Some(1000.0 + cores * (step * index as i64) as f64)).collect(),
        memory: vec![Some(bytes); count],
    }
}

fn pod(name: &str, replica_set: &str, is_gone: bool, scraped: Vec<Scraped>) -> Pod {
    let (name, replica_set) = (name.to_owned(), replica_set.to_owned());
    Pod { name, replica_set, is_gone, scraped }
}

fn workload(namespace: &str, pods: Vec<Pod>) -> Workload {
    let claim = ResourceClaim {
        cpu_request: Some("100m".parse().unwrap()),
        memory_request: Some("256Mi".parse().unwrap()),
        memory_limit: Some("512Mi".parse().unwrap()),
        ..ResourceClaim::default()
    };
    let namespace = namespace.to_owned();
    Workload {
        namespace,
        kind: OwnerKind::Deployment,
        claim,
        autoscaler: None,
        pods,
        kills: Vec::new(),
    }
}

const MEBIBYTE: f64 = 1_048_576.0;

/// The CPU request in millicores and the memory request in MiB that KRR's strategy gives `workloads`, by namespace.
async fn krr_requests(
    workloads: &[Workload],
    krr: KrrSettings,
    step: u32,
) -> Vec<(String, Option<u64>, Option<u64>)> {
    let scan = Scan::start(workloads);
    let strategy = Strategy::Krr(krr);
    let step = Step::from_seconds(step).unwrap();
    let settings =
        QuerySettings { step, oom_kills: krr.use_oomkill_data, ..Scan::settings(&strategy) };
    let rows = scan.rows(&strategy, &settings).await;
    let requests = rows.into_iter().map(|row| {
        let cpu = row.cpu.request.recommended.value().map(mora_core::Millicores::get);
        let memory = row.memory.request.recommended.value().map(|amount| amount.get() >> 20);
        (row.namespace, cpu, memory)
    });
    requests.collect()
}

#[tokio::test]
async fn krrs_choice_of_jobs_pods_and_series_is_ours() {
    let ran = |job: &str, cores, mebibytes: f64| {
        steady(job, -11_500, 30, 384, (cores, mebibytes * MEBIBYTE))
    };
    let one = |scraped| vec![pod("p1", "rs-a", false, scraped)];
    let mut restarted =
        vec![ran("kubelet", 0.1, 200.0), steady("kubelet", -4000, 30, 30, (0.8, 300.0 * MEBIBYTE))];
    restarted[1].id = "/2".to_owned();
    let gone = pod(
        "old1",
        "rs-old",
        true,
        vec![steady("kubelet", -11_400, 30, 210, (0.9, 800.0 * MEBIBYTE))],
    );
    let young = steady("kubelet", -600, 30, 20, (0.5, 200.0 * MEBIBYTE));
    let workloads = [
        workload(
            "kubelet-wins",
            one(vec![ran("kubelet", 0.2, 200.0), ran("a-cadvisor", 1.0, 1000.0)]),
        ),
        workload("first-of-the-alphabet", one(vec![ran("z", 0.2, 200.0), ran("aa", 0.6, 600.0)])),
        workload("restarted", one(restarted)),
        workload(
            "with-a-pod-that-is-gone",
            vec![pod("p1", "rs-a", false, vec![ran("kubelet", 0.1, 200.0)]), gone],
        ),
        workload("too-young", one(vec![young])),
    ];
    let found = krr_requests(&workloads, KrrSettings::default(), 75).await;
    let expected = [
        ("first-of-the-alphabet", Some(600), Some(690)),
        ("kubelet-wins", Some(200), Some(230)),
        // Twelve or thirteen of 144 steps are the short run's: within the upper twentieth.
        ("restarted", Some(800), Some(345)),
        ("too-young", None, None),
        ("with-a-pod-that-is-gone", Some(900), Some(920)),
    ];
    assert_eq!(found, expected.map(|(name, cpu, memory)| (name.to_owned(), cpu, memory)));
}

#[tokio::test]
async fn a_rate_over_a_single_scrape_is_nothing_to_krr_and_a_kill_raises_memory() {
    let every_minute = steady("kubelet", -11_513, 60, 193, (0.25, 200.0 * MEBIBYTE));
    let mut killed = workload(
        "killed",
        vec![pod(
            "p1",
            "rs-a",
            false,
            vec![steady("kubelet", -11_513, 30, 385, (0.25, 300.0 * MEBIBYTE))],
        )],
    );
    killed.kills.push(Kill {
        pod: "p1".to_owned(),
        limit: 512.0 * MEBIBYTE,
        first: -3000,
        step: 30,
        samples: 80,
        ended: None,
    });
    let workloads =
        [workload("every-minute", vec![pod("p1", "rs-a", false, vec![every_minute])]), killed];
    let krr = KrrSettings { use_oomkill_data: true, ..KrrSettings::default() };
    let found = krr_requests(&workloads, krr, 60).await;
    let expected = [("every-minute", None, Some(230)), ("killed", Some(250), Some(640))];
    assert_eq!(found, expected.map(|(name, cpu, memory)| (name.to_owned(), cpu, memory)));
}

#[tokio::test]
async fn simple_limit_takes_percentiles_over_all_pods_together() {
    let ran = |name: &str, cores| {
        pod(
            name,
            "rs-a",
            false,
            vec![steady("kubelet", -11_513, 30, 385, (cores, 200.0 * MEBIBYTE))],
        )
    };
    let workloads = [workload("shop", vec![ran("p0", 0.2), ran("p1", 0.3), ran("p2", 0.4)])];
    let krr = KrrSettings { strategy: KrrStrategy::SimpleLimit, ..KrrSettings::default() };
    let scan = Scan::start(&workloads);
    let strategy = Strategy::Krr(krr);
    let settings = QuerySettings {
        step: Step::from_seconds(75).unwrap(),
        oom_kills: false,
        ..Scan::settings(&strategy)
    };
    let row = scan.rows(&strategy, &settings).await.remove(0);
    // Two thirds of all samples are at most 0.3: the 66th percentile is within the middle pod.
    assert_eq!(row.cpu.request.recommended.to_string(), "300m");
    assert_eq!(row.cpu.limit.recommended.to_string(), "400m");
}
