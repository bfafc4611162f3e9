//! Our own strategy on a real Prometheus, where KRR is wrong and where it says nothing.

use mora_core::{Bytes, Millicores, OwnerAutoscaler};
use mora_scan::StatisticalSettings;

use super::*;

fn own() -> Strategy {
    Strategy::Statistical(StatisticalSettings::default())
}

/// CPU use by the minute over `hours` up to now, of `cores` at each minute (counted from 0).
fn minutes(hours: i64, cores: impl Fn(i64) -> f64, bytes: impl Fn(i64) -> f64) -> Scraped {
    let count = hours * 60;
    let mut used = 1000.0;
    let mut cpu = Vec::new();
    for minute in 0..count {
        used += 60.0 * cores(minute);
        cpu.push(Some(used));
    }
    let memory = (0..count).map(|minute| Some(bytes(minute))).collect();
    Scraped {
        job: "kubelet".to_owned(),
        id: "/1".to_owned(),
        first: -count * 60 + 30,
        step: 60,
        cpu,
        memory,
    }
}

fn one(namespace: &str, scraped: Vec<Scraped>) -> Workload {
    workload(namespace, vec![pod("p1", "rs-a", false, scraped)])
}

async fn row(scan: &Scan, settings: &QuerySettings, namespace: &str) -> Row {
    let rows = scan.rows(&own(), settings).await;
    rows.into_iter().find(|row| row.namespace == namespace).unwrap()
}

fn request(row: &Row) -> (Option<u64>, Option<u64>) {
    let cpu = row.cpu.request.recommended.value().map(Millicores::get);
    (cpu, row.memory.request.recommended.value().map(|bytes| bytes.get() >> 20))
}

#[tokio::test]
async fn percentiles_memory_and_restarts_are_what_was_observed() {
    // 2 of 300 steps of a ramp lie between the percentiles 99 and 99.5.
    let ramp = minutes(5, |minute| 0.001 * minute as f64, |_| 100.0 * MEBIBYTE);
    let spike = |minute| if minute == 137 { 400.0 } else { 100.0 };
    let spike = minutes(5, |_| 0.25, |minute| spike(minute) * MEBIBYTE);
    // A second run of the container, for six minutes, that uses much.
    let mut short = minutes(5, |_| 0.9, |_| 100.0 * MEBIBYTE);
    (short.id, short.first) = ("/2".to_owned(), -3600);
    short.cpu.truncate(7);
    short.memory.truncate(7);
    let long = minutes(5, |_| 0.1, |_| 100.0 * MEBIBYTE);
    let workloads =
        [one("ramp", vec![ramp]), one("spike", vec![spike]), one("restarted", vec![long, short])];
    let scan = Scan::start(&workloads);
    let base = QuerySettings { lookback: SignedDuration::from_hours(5), ..Scan::settings(&own()) };
    let at = |quantile| QuerySettings { cpu_quantile: quantile, ..base.clone() };
    let (cpu, _) = request(&row(&scan, &at(0.99), "ramp").await);
    let (higher, _) = request(&row(&scan, &at(0.995), "ramp").await);
    assert!(higher > cpu, "99.5 % is {higher:?}, 99 % is {cpu:?}");
    assert_eq!(request(&row(&scan, &base, "spike").await), (Some(250), Some(460)));
    assert_eq!(request(&row(&scan, &base, "restarted").await), (Some(100), Some(115)));
}

#[tokio::test]
async fn a_fraction_of_an_hour_counts_and_so_do_hours_of_the_week() {
    // 1760000000 is a Thursday, 08:53:20. Usage is high from 05:00 to 06:00, and for the last half hour before 02:53:20.
    let start = NOW - 8 * 3600;
    let hour = |minute: i64| (start + 60 * minute) % 86_400 / 3600;
    let busy = minutes(8, |minute| if hour(minute) == 5 { 0.8 } else { 0.1 }, |_| 64.0 * MEBIBYTE);
    let fraction = minutes(8, |minute| if minute < 135 { 0.7 } else { 0.1 }, |_| 64.0 * MEBIBYTE);
    let scan = Scan::start(&[one("busy", vec![busy]), one("fraction", vec![fraction])]);
    let base = QuerySettings { cpu_quantile: 1.0, ..Scan::settings(&own()) };
    let lookback =
        |minutes| QuerySettings { lookback: SignedDuration::from_mins(minutes), ..base.clone() };
    let cpu = |row: Row| request(&row).0;
    assert_eq!(cpu(row(&scan, &lookback(5 * 60), "fraction").await), Some(100));
    assert_eq!(cpu(row(&scan, &lookback(6 * 60), "fraction").await), Some(700));
    assert_eq!(cpu(row(&scan, &lookback(5 * 60 + 50), "fraction").await), Some(700));
    let hours =
        |text: &str| QuerySettings { hours: Some(text.parse().unwrap()), ..lookback(7 * 60) };
    assert_eq!(cpu(row(&scan, &hours("Thu 05-06"), "busy").await), Some(800));
    let quiet = row(&scan, &hours("Thu 06-08"), "busy").await;
    assert!(cpu(quiet.clone()).is_some_and(|cpu| cpu < 800), "{quiet:?}");
    assert!((quiet.confidence.observed_hours - 2.0).abs() < 1e-9, "{:?}", quiet.confidence);
    assert_eq!(cpu(row(&scan, &hours("Fri 05-06"), "busy").await), None);
}

#[tokio::test]
async fn kills_raise_memory_and_autoscalers_do_not_stop_a_recommendation() {
    let killed = |namespace: &str, ended| {
        let mut killed = one(namespace, vec![minutes(5, |_| 0.2, |_| 300.0 * MEBIBYTE)]);
        killed.kills.push(Kill {
            pod: "p1".to_owned(),
            limit: 512.0 * MEBIBYTE,
            first: -3000,
            step: 30,
            samples: 80,
            ended,
        });
        killed
    };
    let mut scaled = one("scaled", vec![minutes(5, |_| 0.2, |_| 64.0 * MEBIBYTE)]);
    scaled.autoscaler = Some(OwnerAutoscaler {
        min_replicas: 1,
        max_replicas: 5,
        current_replicas: 1,
        cpu_percent: Some(70),
        memory_percent: None,
        on_absolute: false,
    });
    let mut by_events = one("by-events", vec![minutes(5, |_| 0.2, |_| 64.0 * MEBIBYTE)]);
    by_events.autoscaler =
        scaled.autoscaler.map(|on| OwnerAutoscaler { cpu_percent: None, on_absolute: true, ..on });
    let workloads = [killed("told", Some(-3010)), killed("untold", None), scaled, by_events];
    let scan = Scan::start(&workloads);
    let settings =
        QuerySettings { lookback: SignedDuration::from_hours(5), ..Scan::settings(&own()) };
    for namespace in ["told", "untold"] {
        let row = row(&scan, &settings, namespace).await;
        // 512 MiB and a fifth more, the least of 100 MiB being less.
        assert_eq!(request(&row).1, Some(615), "{namespace}");
        assert!(row.notes.iter().any(|note| note.contains("ran out of memory")), "{:?}", row.notes);
        assert_eq!(row.memory.limit.recommended.value(), Some(Bytes::from_mebibytes(1230)));
    }
    let scaled = row(&scan, &settings, "scaled").await;
    assert_eq!(request(&scaled).0, Some(200));
    assert_eq!(scaled.autoscaler.unwrap().advised_cpu_percent, Some(35));
    let by_events = row(&scan, &settings, "by-events").await;
    assert_eq!(
        (request(&by_events).0, by_events.autoscaler.unwrap().advised_cpu_percent),
        (Some(200), None)
    );
}
