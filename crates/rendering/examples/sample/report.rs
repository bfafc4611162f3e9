//! Reports to render: one with every case there is, and one of a shop as it could be.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Bytes, ContainerRole, Millicores, OwnerKind};
use mora_scan::{
    AutoscalerRow, Change, Confidence, ConfidenceLevel, Cost, History, Proposed, ResourceRow, Row,
    SCHEMA, ScanReport, ScannedCluster, Severity, StrategyUsed, Summary,
};

/// What is set and what is proposed; 0 stands for nothing set, and for `unset`.
type Pair = (u64, u64);

/// One container, in the units of a manifest: millicores and MiB.
struct Made {
    kind: OwnerKind,
    name: &'static str,
    container: &'static str,
    replicas: u32,
    cpu: Pair,
    memory: Pair,
    limits: (Pair, Pair),
}

const MONTH: f64 = 730.0;
const CORE_HOUR: f64 = 0.031_611;
const GIB_HOUR: f64 = 0.004_237;

fn proposed<Q>(amount: u64, unit: fn(u64) -> Q) -> Proposed<Q> {
    if amount == 0 { Proposed::Unset } else { Proposed::Value(unit(amount)) }
}

fn severity(current: u64, recommended: u64) -> Severity {
    match current.abs_diff(recommended) as f64 / recommended.max(1) as f64 {
        _ if current == 0 => Severity::Warning,
        apart if recommended > current && apart > 0.25 || apart > 2.0 => Severity::Critical,
        apart if apart > 0.5 => Severity::Warning,
        apart if apart > 0.1 => Severity::Ok,
        _ => Severity::Good,
    }
}

fn change<Q>((current, recommended): Pair, unit: fn(u64) -> Q) -> Change<Q> {
    let both = current > 0 && recommended > 0;
    Change {
        current: (current > 0).then(|| unit(current)),
        recommended: proposed(recommended, unit),
        change_percent: both.then(|| (recommended as f64 / current as f64 - 1.0) * 100.0),
        severity: if both || current == 0 && recommended > 0 {
            severity(current, recommended)
        } else if current > 0 {
            Severity::Ok
        } else {
            Severity::Good
        },
    }
}

fn cost(cpu: u64, memory: u64, replicas: u32) -> f64 {
    let hour = cpu as f64 / 1000.0 * CORE_HOUR + memory as f64 / 1024.0 * GIB_HOUR;
    hour * MONTH * f64::from(replicas)
}

fn row(made: &Made) -> Row {
    let cpu = ResourceRow {
        request: change(made.cpu, Millicores::new),
        limit: change(made.limits.0, Millicores::new),
    };
    let memory = ResourceRow {
        request: change(made.memory, Bytes::from_mebibytes),
        limit: change(made.limits.1, Bytes::from_mebibytes),
    };
    let severities =
        [cpu.request.severity, cpu.limit.severity, memory.request.severity, memory.limit.severity];
    Row {
        cluster: None,
        namespace: "shop".to_owned(),
        kind: made.kind.clone(),
        name: made.name.to_owned(),
        container: made.container.to_owned(),
        role: ContainerRole::Main,
        replicas: made.replicas,
        autoscaler: None,
        strategy: "statistical".to_owned(),
        cpu,
        memory,
        severity: severities.into_iter().max().unwrap_or(Severity::Good),
        confidence: Confidence {
            level: ConfidenceLevel::High,
            observed_hours: 336.0,
            lookback_hours: 336.0,
            pods: made.replicas * 2,
            coverage: None,
            origins: None,
        },
        cost: Cost {
            current: (made.cpu.0 > 0 && made.memory.0 > 0)
                .then(|| cost(made.cpu.0, made.memory.0, made.replicas)),
            recommended: Some(cost(made.cpu.1, made.memory.1, made.replicas)),
        },
        notes: Vec::new(),
    }
}

/// A report of `rows`, with the sums that they have.
fn report(clusters: Vec<ScannedCluster>, rows: Vec<Row>) -> ScanReport {
    let to: Timestamp = "2026-11-24T06:00:00Z".parse().unwrap_or_default();
    let strategy = StrategyUsed {
        name: "predictive".to_owned(),
        parameters: BTreeMap::from([
            ("cpu_percentile".to_owned(), "99".to_owned()),
            ("memory_buffer_percent".to_owned(), "15".to_owned()),
        ]),
    };
    ScanReport {
        schema: SCHEMA.to_owned(),
        created_at: to + SignedDuration::from_secs(42),
        strategy,
        from: to - SignedDuration::from_hours(336),
        to,
        clusters,
        summary: summary(&rows),
        rows,
        warnings: Vec::new(),
        histories: BTreeMap::new(),
    }
}

fn summary(rows: &[Row]) -> Summary {
    let mut summary = Summary { currency: "USD".to_owned(), ..Summary::default() };
    let mut owners: Vec<_> = rows.iter().map(|row| (&row.cluster, row.owner())).collect();
    owners.sort();
    owners.dedup();
    summary.workloads = owners.len();
    summary.containers = rows.len();
    for row in rows {
        *summary.severities.entry(row.severity).or_default() += 1;
        let replicas = f64::from(row.replicas);
        let cpu = |quantity: Option<Millicores>| quantity.unwrap_or_default().scaled(replicas);
        let memory = |quantity: Option<Bytes>| quantity.unwrap_or_default().scaled(replicas);
        let (now, next) = (&mut summary.current, &mut summary.recommended);
        now.cpu = now.cpu + cpu(row.cpu.request.current);
        now.memory = now.memory + memory(row.memory.request.current);
        now.cost += row.cost.current.unwrap_or_default();
        next.cpu = next.cpu + cpu(kept(row.cpu.request));
        next.memory = next.memory + memory(kept(row.memory.request));
        next.cost += row.cost.recommended.unwrap_or_default();
    }
    summary
}

fn kept<Q: Copy>(change: Change<Q>) -> Option<Q> {
    match change.recommended {
        Proposed::Unknown => change.current,
        proposed => proposed.value(),
    }
}

const fn made(
    name: &'static str,
    replicas: u32,
    (cpu, memory): (Pair, Pair),
    limits: (Pair, Pair),
) -> Made {
    let kind = OwnerKind::Deployment;
    Made { kind, name, container: "server", replicas, cpu, memory, limits }
}

/// A shop of twelve microservices with usage to draw, as a first scan would find it.
pub(crate) fn shop() -> ScanReport {
    let mut rows: Vec<Row> = [
        made("frontend", 4, ((1000, 310), (512, 148)), ((2000, 0), (1024, 192))),
        made("cartservice", 3, ((300, 462), (128, 171)), ((400, 0), (160, 224))),
        made("recommendationservice", 3, ((600, 94), (900, 245)), ((1000, 0), (1800, 320))),
        made("checkoutservice", 2, ((250, 141), (128, 64)), ((500, 0), (96, 84))),
        made("productcatalogservice", 3, ((200, 188), (96, 88)), ((400, 0), (128, 116))),
        made("currencyservice", 2, ((500, 356), (128, 119)), ((800, 0), (160, 156))),
        made("shippingservice", 2, ((200, 42), (128, 52)), ((300, 0), (96, 68))),
        made("paymentservice", 2, ((100, 58), (128, 116)), ((200, 0), (160, 152))),
        made("emailservice", 1, ((0, 36), (0, 87)), ((0, 0), (0, 116))),
        made("adservice", 2, ((400, 211), (384, 372)), ((800, 0), (512, 484))),
        made("redis-cart", 1, ((100, 104), (256, 238)), ((125, 0), (320, 310))),
        made("loadgenerator", 1, ((300, 0), (256, 0)), ((500, 0), (512, 0))),
    ]
    .iter()
    .map(row)
    .collect();
    finish_shop(&mut rows);
    rows.sort_by_key(|row| std::cmp::Reverse(row.severity));
    let prometheus = "Prometheus monitoring/prometheus-server".to_owned();
    let cluster =
        ScannedCluster { context: Some("production".to_owned()), prometheus, workloads: 12 };
    let mut report = report(vec![cluster], rows);
    report.histories = report.rows.iter().map(|row| (row.key(), history(row))).collect();
    report
}

fn finish_shop(rows: &mut [Row]) {
    for row in rows.iter_mut() {
        if row.name == "redis-cart" {
            row.kind = OwnerKind::StatefulSet;
            "redis".clone_into(&mut row.container);
        }
        if row.cpu.request.recommended == Proposed::Unset {
            unknown(row);
        } else if row.replicas > 1 {
            "ensemble".clone_into(&mut row.strategy);
            row.confidence.coverage = Some(0.971);
            row.confidence.origins = Some(14);
        }
    }
    rows[0].autoscaler = Some(AutoscalerRow {
        min_replicas: 3,
        max_replicas: 12,
        cpu_percent: Some(60),
        advised_cpu_percent: Some(74),
    });
    rows[1].notes =
        vec!["Killed for want of memory twice in the lookback; 20 % were added.".to_owned()];
}

/// Makes it a row of which nothing can be said.
fn unknown(row: &mut Row) {
    for change in [&mut row.cpu.request, &mut row.cpu.limit] {
        *change = Change {
            recommended: Proposed::Unknown,
            change_percent: None,
            severity: Severity::Unknown,
            ..*change
        };
    }
    for change in [&mut row.memory.request, &mut row.memory.limit] {
        *change = Change {
            recommended: Proposed::Unknown,
            change_percent: None,
            severity: Severity::Unknown,
            ..*change
        };
    }
    row.severity = Severity::Unknown;
    row.cost.recommended = row.cost.current;
    row.confidence = Confidence {
        level: ConfidenceLevel::None,
        observed_hours: 0.5,
        pods: 1,
        ..row.confidence.clone()
    };
    row.notes = vec!["Observed for half an hour only; leave it as it is for now.".to_owned()];
}

/// Fourteen days of usage below what is recommended, and a day ahead where it was forecast.
fn history(row: &Row) -> History {
    let to: Timestamp = "2026-11-24T06:00:00Z".parse().unwrap_or_default();
    let seed = row.name.bytes().fold(7, |seed: u32, byte| seed.wrapping_mul(31) + u32::from(byte));
    let cpu = kept(row.cpu.request).unwrap_or(Millicores::new(50)).cores();
    let memory = kept(row.memory.request).unwrap_or(Bytes::from_mebibytes(64)).get() as f64;
    let ahead = if row.strategy == "ensemble" { 24 } else { 0 };
    let quarters = if row.severity == Severity::Unknown { 2 } else { 14 * 96 };
    let at = |minutes: i64| to + SignedDuration::from_mins(minutes);
    let past = |level: f64, day: f64, noise: f64| {
        (0..quarters)
            .map(|i| at((i - quarters) * 15))
            .map(|time| (time, level * busy(time, seed, day, noise)))
            .collect::<Vec<_>>()
    };
    let next = |level: f64, day: f64| {
        (0..ahead)
            .map(|hour| at(hour * 60))
            .map(|time| (time, level * (busy(time, seed, day, 0.0) + 0.08)))
            .collect()
    };
    History {
        cpu: past(cpu, 0.62, 0.16),
        memory: past(memory, 0.12, 0.02),
        cpu_forecast: next(cpu, 0.62),
        memory_forecast: next(memory, 0.12),
    }
}

/// A share of the level, in [0, 1]: `day` of it follows the hours, `noise` of it nothing.
fn busy(time: Timestamp, seed: u32, day: f64, noise: f64) -> f64 {
    let hours = time.as_second() as f64 / 3600.0;
    let weekend = if (hours / 24.0 + 3.0).rem_euclid(7.0) >= 5.0 { 0.7 } else { 1.0 };
    let wave =
        0.5 - 0.5 * ((hours - 3.0 + f64::from(seed % 3)) / 24.0 * std::f64::consts::TAU).cos();
    let mixed = (time.as_second() as u32 / 60).wrapping_mul(2_654_435_761).wrapping_add(seed);
    let random = f64::from(mixed.wrapping_mul(2_246_822_519) >> 16) / 65_536.0;
    (1.0 - day - noise - 0.08) + day * wave * weekend + noise * random
}

/// Every case a row can be, from two clusters, with texts that mean harm.
pub(crate) fn every_case() -> ScanReport {
    let mut rows = vec![
        row(&made("cart", 3, ((1000, 138), (512, 256)), ((2000, 0), (1024, 333)))),
        row(&made("db", 1, ((500, 750), (2048, 2100)), ((600, 0), (2048, 2730)))),
        row(&made("assistant", 0, ((250, 240), (128, 128)), ((0, 0), (256, 256)))),
        row(&made("new", 2, ((0, 25), (0, 100)), ((0, 0), (0, 130)))),
        row(&made("silent", 1, ((100, 100), (1000, 1)), ((0, 0), (0, 0)))),
        row(&made("cart", 3, ((100, 80), (64, 70)), ((200, 0), (64, 90)))),
        row(&made("cart", 3, ((50, 50), (32, 32)), ((0, 0), (0, 0)))),
        row(&made(
            "a-workload-with-the-longest-name-that-kubernetes-allows-to-have1",
            2,
            ((100, 60), (64, 60)),
            ((0, 0), (0, 90)),
        )),
        row(&made("nightly", 1, ((1000, 1500), (512, 640)), ((1000, 0), (512, 832)))),
        row(&made("import", 1, ((100, 50), (64, 32)), ((0, 0), (0, 0)))),
        row(&made("debug", 1, ((100, 10), (64, 16)), ((0, 0), (0, 0)))),
        row(&made("events", 3, ((2000, 900), (4096, 3000)), ((0, 0), (4096, 3900)))),
        row(&made("canary", 2, ((300, 120), (128, 96)), ((0, 0), (256, 128)))),
        row(&made("node-agent", 9, ((100, 100), (200, 210)), ((0, 0), (300, 0)))),
    ];
    shape(&mut rows);
    let mut report = report(two_clusters(), rows);
    report.warnings = vec![
        "Namespace `secret` cannot be listed; grant `list pods` there.".to_owned(),
        "<script>alert(1)</script> | \"quoted\"\nsecond line".to_owned(),
    ];
    let first = report.rows[0].key();
    report.histories.insert(first, history(&report.rows[0]));
    report
}

fn two_clusters() -> Vec<ScannedCluster> {
    let cluster = |context: &str, prometheus: &str, workloads| ScannedCluster {
        context: Some(context.to_owned()),
        prometheus: prometheus.to_owned(),
        workloads,
    };
    vec![
        cluster("prod-eu", "Prometheus monitoring/prometheus-server", 10),
        cluster("it's \"prod\" $(id)", "Thanos monitoring/thanos-query", 2),
    ]
}

fn shape(rows: &mut [Row]) {
    for (index, row) in rows.iter_mut().enumerate() {
        let of_second = index > 11;
        let cluster = if of_second { "it's \"prod\" $(id)" } else { "prod-eu" };
        row.cluster = Some(cluster.to_owned());
    }
    "ensemble".clone_into(&mut rows[0].strategy);
    rows[0].autoscaler = Some(AutoscalerRow {
        min_replicas: 2,
        max_replicas: 10,
        cpu_percent: Some(60),
        advised_cpu_percent: Some(81),
    });
    rows[0].confidence.coverage = Some(0.9512);
    rows[0].confidence.origins = Some(14);
    rows[0].notes = vec![
        "<script>alert('x')</script> | `a` \"b\"\nnext line".to_owned(),
        "=HYPERLINK(\"x\")".to_owned(),
    ];
    rows[1].kind = OwnerKind::StatefulSet;
    rows[1].autoscaler = Some(AutoscalerRow {
        min_replicas: 1,
        max_replicas: 4,
        cpu_percent: None,
        advised_cpu_percent: None,
    });
    rows[3].confidence = Confidence {
        level: ConfidenceLevel::Low,
        observed_hours: 6.25,
        ..rows[3].confidence.clone()
    };
    unknown(&mut rows[4]);
    "migrate".clone_into(&mut rows[5].container);
    rows[5].role = ContainerRole::Init;
    "istio-proxy".clone_into(&mut rows[6].container);
    rows[6].role = ContainerRole::Sidecar;
    rows[8].kind = OwnerKind::CronJob;
    // Less than is requested: no such limit may leave as a manifest.
    rows[8].cpu.limit.recommended = Proposed::Unknown;
    rows[9].kind = OwnerKind::Job;
    rows[10].kind = OwnerKind::Pod;
    rows[11].kind = OwnerKind::Other("Kafka".into());
    rows[12].kind = OwnerKind::Rollout;
    rows[13].kind = OwnerKind::DaemonSet;
}

/// The rows of one cluster of [`every_case`], as a scan of that one would have them.
pub(crate) fn one_cluster() -> ScanReport {
    let mut rows = every_case().rows;
    rows.retain(|row| row.cluster.as_deref() == Some("prod-eu"));
    for row in &mut rows {
        row.cluster = None;
    }
    report(two_clusters().into_iter().take(1).collect(), rows)
}

/// A report of `count` containers with the shop's usage.
pub(crate) fn many(count: usize) -> ScanReport {
    let shop = shop();
    let rows: Vec<Row> = (0..count)
        .map(|index| {
            let mut row = shop.rows[index % shop.rows.len()].clone();
            row.name = format!("{}-{index}", row.name);
            row
        })
        .collect();
    let mut report = report(shop.clusters.clone(), rows);
    report.histories = report.rows.iter().map(|row| (row.key(), history(row))).collect();
    report
}
