use super::*;
use mora_core::{Bytes, Indicator, Millicores, OomKill, ResourceClaim, Series, Step};
use proptest::prelude::*;
use tempfile::TempDir;

const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn workload(name: &str) -> WorkloadRef {
    WorkloadRef::deployment("shop", name).unwrap()
}

fn store(folder: &TempDir) -> Store {
    Store::open(folder.path()).unwrap()
}

fn series(start: i64, values: &[Option<f64>]) -> Series {
    Series::new(at(start), Step::MINUTE, values.to_vec()).unwrap()
}

/// One pod's usage from `start` on.
fn dataset(name: &str, start: i64, values: &[Option<f64>]) -> Dataset {
    let mut dataset = Dataset::new(workload(name));
    let usage = dataset.containers.entry("server".to_owned()).or_default();
    usage.cpu.insert(format!("{name}-0"), series(start, values));
    dataset
}

fn minutes(from: i64, until: i64) -> Vec<Option<f64>> {
    (from / 60..until / 60).map(|minute| Some(minute as f64)).collect()
}

fn commit(store: &Store, from: i64, until: i64, datasets: &[Dataset]) {
    let chunk = Chunk { scope: "shop", from: at(from), until: at(until) };
    store.commit(chunk, datasets).unwrap();
}

fn all(from: i64, to: i64) -> Lookback {
    Lookback { from: at(from), to: at(to), step: Step::MINUTE }
}

/// Hourly chunks of the workload `cart` from second 0 on.
fn hours(store: &Store, from: i64, until: i64) {
    for hour in from..until {
        let (start, end) = (hour * 3600, (hour + 1) * 3600);
        commit(store, start, end, &[dataset("cart", start, &minutes(start, end))]);
    }
}

#[test]
fn everything_of_a_dataset_is_kept() {
    let folder = TempDir::new().unwrap();
    let mut dataset = dataset("cart", 0, &[Some(0.5), None, Some(1.0 / 3.0)]);
    let usage = dataset.containers.get_mut("server").unwrap();
    usage.memory.insert("cart-0".to_owned(), series(60, &[Some(1e9)]));
    usage.claim = ResourceClaim {
        cpu_request: Some(Millicores::new(250)),
        memory_limit: Some(Bytes::new(123_456_789_012)),
        ..ResourceClaim::default()
    };
    let kill = OomKill { killed: at(61), pod: "cart-0".to_owned(), peak: Bytes::new(77) };
    usage.oom_kills.insert(kill);
    dataset.request_rate = Some(series(0, &[Some(0.0), Some(2.5)]));
    dataset.replicas = Some(series(0, &[Some(2.0)]));
    dataset.calls.insert(workload("front"), series(120, &[Some(7.0)]));
    for indicator in Indicator::ALL {
        dataset.indicators.insert(indicator, series(0, &[Some(0.25)]));
    }
    commit(&store(&folder), 0, 180, &[dataset.clone()]);
    let store = store(&folder);
    assert_eq!(store.workloads(), [workload("cart")]);
    assert_eq!(store.collected("shop"), Some(at(180)));
    assert_eq!(store.dataset(&workload("cart"), &all(0, 180)).unwrap(), Some(dataset.clone()));
    assert_eq!(store.dataset(&workload("other"), &all(0, 180)).unwrap(), None);
    // At a coarser step the last observation of each step counts.
    let coarse = Lookback { step: Step::from_seconds(120).unwrap(), ..all(0, 240) };
    let coarse = store.dataset(&workload("cart"), &coarse).unwrap().unwrap();
    assert_eq!(coarse.containers["server"].cpu["cart-0"].values(), [Some(0.5), Some(1.0 / 3.0)]);
}

#[test]
fn the_newest_claim_counts_also_where_it_is_none() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    for (start, cpu_limit) in [(0, Some(Millicores::new(100))), (60, None)] {
        let mut dataset = dataset("cart", start, &[Some(1.0)]);
        dataset.containers.get_mut("server").unwrap().claim.cpu_limit = cpu_limit;
        commit(&store, start, start + 60, &[dataset]);
    }
    let read = store.dataset(&workload("cart"), &all(0, 120)).unwrap().unwrap();
    assert_eq!(read.containers["server"].claim, ResourceClaim::default());
    assert_eq!(read.containers["server"].cpu["cart-0"].len(), 2);
}

#[test]
fn what_no_manifest_names_does_not_count_and_is_removed() {
    let folder = TempDir::new().unwrap();
    hours(&store(&folder), 0, 2);
    let round = |number: u64| {
        folder.path().join("days/1970-01-01/rounds").join(format!("{number}.parquet"))
    };
    std::fs::copy(round(2), round(3)).unwrap();
    std::fs::write(round(4).with_extension("parquet.unfinished"), "PAR1").unwrap();
    std::fs::create_dir_all(folder.path().join("days/1970-01-02/rounds")).unwrap();
    std::fs::create_dir_all(folder.path().join("days/1970-01-01/9/shop")).unwrap();
    let store = store(&folder);
    assert!(!round(3).exists() && round(2).exists());
    let left: Vec<_> = std::fs::read_dir(folder.path().join("days")).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(std::fs::read_dir(folder.path().join("days/1970-01-01")).unwrap().count(), 1);
    let samples = store.runs(&workload("cart")).unwrap();
    assert_eq!(samples.iter().flat_map(Run::samples).count(), 120);
    hours(&store, 2, 3);
    assert_eq!(store.size().unwrap().rounds, 3);
}

#[test]
fn one_process_at_a_time_has_a_store_open() {
    let folder = TempDir::new().unwrap();
    let first = store(&folder);
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    drop(first);
    assert!(Store::open(folder.path()).is_ok());
}

#[test]
fn a_chunk_that_was_collected_or_spans_days_is_refused_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    hours(&store, 0, 2);
    let refused = |from, until| {
        let chunk = Chunk { scope: "shop", from: at(from), until: at(until) };
        let error = store.commit(chunk, &[dataset("cart", from, &[Some(9.0)])]).unwrap_err();
        error.to_string()
    };
    assert!(refused(3600, 7260).contains("it was collected until 1970-01-01T02:00:00Z"));
    assert!(refused(7200, 7200).contains("it ends before it begins"));
    assert!(refused(82_800, DAY + 60).contains("it is not of one day"));
    assert_eq!(store.collected("shop"), Some(at(7200)));
    assert_eq!(store.size().unwrap().rounds, 2);
    let chunk = Chunk { scope: "other", from: at(0), until: at(60) };
    store.commit(chunk, &[]).unwrap();
    assert_eq!(store.collected("other"), Some(at(60)));
}

#[test]
fn a_day_that_every_scope_has_left_is_kept_by_workload_and_an_old_one_is_forgotten() {
    let folder = TempDir::new().unwrap();
    {
        let store = store(&folder);
        hours(&store, 0, 26);
        assert_eq!(store.compact().unwrap(), 1);
        assert_eq!(store.compact().unwrap(), 0);
        assert!(folder.path().join("days/1970-01-01/27/shop/Deployment.cart.parquet").is_file());
        let size = store.size().unwrap();
        assert_eq!((size.days, size.sealed_days, size.rounds, size.files), (2, 1, 2, 3));
    }
    let store = store(&folder);
    let runs = store.runs(&workload("cart")).unwrap();
    let sealed: Vec<&Run> = runs.iter().filter(|run| run.what.metric() == "cpu").collect();
    assert_eq!(sealed.len(), 3, "a day in one run and two hours");
    let samples: Vec<_> = sealed.iter().flat_map(|run| run.samples()).collect();
    let expected: Vec<_> = (0..26 * 60).map(|minute| (minute * 60, minute as f64)).collect();
    assert_eq!(samples, expected);
    assert_eq!(store.forget_before(at(DAY - 1)).unwrap(), 0);
    assert_eq!(store.forget_before(at(DAY)).unwrap(), 1);
    let size = store.size().unwrap();
    assert_eq!((size.days, size.files), (1, 2));
    let read = store.dataset(&workload("cart"), &all(0, 2 * DAY)).unwrap().unwrap();
    assert_eq!(read.containers["server"].cpu["cart-0"].start(), at(DAY));
}

#[test]
fn a_scope_that_lags_holds_its_day_open_and_what_comes_late_joins_it() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let late = |from, until| Chunk { scope: "late", from: at(from), until: at(until) };
    store.commit(late(0, 60), &[dataset("slow", 0, &[Some(1.0)])]).unwrap();
    hours(&store, 0, 25);
    assert_eq!(store.compact().unwrap(), 0);
    store.commit(late(60, DAY), &[dataset("slow", 60, &[Some(2.0)])]).unwrap();
    assert_eq!(store.compact().unwrap(), 1);
    // A scope that is new collects days that are over already.
    let new = Chunk { scope: "new", from: at(0), until: at(DAY) };
    store.commit(new, &[dataset("fresh", 0, &[Some(3.0)])]).unwrap();
    assert_eq!(store.compact().unwrap(), 1);
    for (name, count) in [("slow", 2), ("fresh", 1), ("cart", 25 * 60)] {
        let runs = store.runs(&workload(name)).unwrap();
        assert_eq!(runs.iter().flat_map(Run::samples).count(), count, "{name}");
    }
}

#[test]
fn many_rounds_of_a_day_that_goes_on_become_one() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    for minute in 0..40 {
        let start = minute * 60;
        commit(&store, start, start + 60, &[dataset("cart", start, &[Some(minute as f64)])]);
    }
    assert_eq!(store.compact().unwrap(), 1);
    assert_eq!(store.size().unwrap().files, 1);
    let read = store.dataset(&workload("cart"), &all(0, 3600)).unwrap().unwrap();
    let expected: Vec<Option<f64>> = (0..40).map(|minute| Some(f64::from(minute))).collect();
    assert_eq!(read.containers["server"].cpu["cart-0"].values(), expected);
}

#[test]
fn a_manifest_that_is_none_is_named_and_left() {
    let folder = TempDir::new().unwrap();
    hours(&store(&folder), 0, 1);
    let path = folder.path().join("MANIFEST.json");
    for text in ["{}", r#"{"format": 9, "next": 1, "collected": {}, "days": {}}"#] {
        std::fs::write(&path, text).unwrap();
        let error = Store::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("MANIFEST.json is no manifest"), "{error}");
        assert!(folder.path().join("days/1970-01-01/rounds/1.parquet").exists());
    }
}

/// What was collected in one chunk of up to three hours: which workloads, and how complete.
fn chunks() -> impl Strategy<Value = Vec<(i64, Vec<u8>, bool)>> {
    let chunk = (1i64..180, proptest::collection::vec(0u8..4, 0..4), proptest::bool::weighted(0.2));
    proptest::collection::vec(chunk, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn however_it_was_collected_and_compacted_every_sample_is_there_once(
        chunks in chunks(), first in 0i64..3000, forget in 0i64..3000,
    ) {
        let folder = TempDir::new().unwrap();
        let mut expected: BTreeMap<WorkloadRef, Vec<(i64, f64)>> = BTreeMap::new();
        let mut now = first * 60;
        {
            let mut store = store(&folder);
            for (index, (minutes, workloads, compact)) in chunks.into_iter().enumerate() {
                let end = (now + minutes * 60).min((now / DAY + 1) * DAY);
                let values: Vec<Option<f64>> = (now / 60..end / 60)
                    .map(|minute| (minute % 7 != 3).then_some(minute as f64))
                    .collect();
                let names: BTreeSet<u8> = workloads.into_iter().collect();
                let datasets: Vec<Dataset> =
                    names.iter().map(|name| dataset(&format!("w{name}"), now, &values)).collect();
                commit(&store, now, end, &datasets);
                for dataset in &datasets {
                    let samples = expected.entry(dataset.workload.clone()).or_default();
                    samples.extend((now / 60..end / 60).filter(|m| m % 7 != 3).map(|m| (m * 60, m as f64)));
                }
                if compact {
                    store.compact().unwrap();
                }
                if index % 5 == 4 {
                    drop(store);
                    store = self::store(&folder);
                }
                now = end;
            }
            store.forget_before(at(forget * 60)).unwrap();
            store.compact().unwrap();
        }
        let oldest = forget * 60 / DAY * DAY;
        let store = store(&folder);
        for (workload, samples) in expected {
            let mut samples = samples;
            samples.retain(|(second, _)| *second >= oldest);
            let runs = store.runs(&workload).unwrap();
            let cpu = runs.iter().filter(|run| run.what.metric() == "cpu");
            let found: Vec<(i64, f64)> = cpu.flat_map(Run::samples).collect();
            prop_assert_eq!(found, samples);
        }
        let days = store.size().unwrap().days;
        prop_assert_eq!(store.forget_before(at(now + 2 * DAY)).unwrap(), days);
        prop_assert!(store.workloads().is_empty() && store.size().unwrap().bytes == 0);
    }
}
