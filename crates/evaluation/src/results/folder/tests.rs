use std::collections::BTreeMap;

use super::*;
use crate::made::setup;
use crate::{Matrix, Metrics, Provenance, TracePoint};

fn configuration() -> Configuration {
    Configuration {
        version: "1.0.0".to_owned(),
        setup: setup(),
        arms: BTreeMap::new(),
        matrix: Matrix {
            scenarios: vec!["realistic".to_owned()],
            arms: vec![ArmName::Stock],
            seeds: vec![1],
            margins: vec![1000],
        },
    }
}

fn key(arm: ArmName, seed: u64) -> RunKey {
    RunKey { scenario: "file:/a b.csv#x".to_owned(), arm, margin_thousandths: 1000, seed }
}

fn row(results: &Results, arm: ArmName, seed: u64) -> ResultRow {
    let metrics = Metrics {
        hours: 24.0,
        latency_p95: Some(0.1 + 0.2),
        violations: 1.0 / 3.0,
        ..Metrics::default()
    };
    let provenance = Provenance {
        version: "1.0.0".to_owned(),
        configuration: results.digest().to_owned(),
        facts: [("refused_changes".to_owned(), "2".to_owned())].into(),
        ..Provenance::default()
    };
    ResultRow { key: key(arm, seed), metrics, provenance }
}

fn trace(seed: u64) -> Trace {
    let point = |second| TracePoint {
        at: jiff::Timestamp::from_second(second).unwrap(),
        requests: 0.1,
        cpu_requested: 2.0,
        cpu_used: 1.0,
        latency_p95: (second == 0).then_some(0.2),
        replicas: 3.0,
    };
    Trace { key: key(ArmName::Hpa70, seed), points: vec![point(0), point(900)] }
}

#[test]
fn what_is_kept_is_loaded_in_order_also_from_the_merged_tables_alone() {
    let folder = tempfile::tempdir().unwrap();
    let results = Results::create(folder.path(), configuration()).unwrap();
    let (first, second) = (row(&results, ArmName::Stock, 2), row(&results, ArmName::Hpa70, 1));
    assert!(matches!(load(folder.path()), Err(ResultsError::Nothing(_))));
    results.keep(&second, Some(&trace(1))).unwrap();
    results.keep(&first, None).unwrap();
    assert!(results.has(&first.key) && !results.has(&key(ArmName::Stock, 1)));
    let expected = vec![first, second];
    assert_eq!(load(folder.path()).unwrap(), expected);
    results.merge().unwrap();
    for part in [RUNS, TRACES] {
        fs::remove_dir_all(folder.path().join(part)).unwrap();
    }
    assert_eq!(load(folder.path()).unwrap(), expected);
    assert_eq!(load_table(&folder.path().join(MERGED_RUNS)).unwrap(), expected);
    assert_eq!(load_traces(folder.path()).unwrap(), [trace(1)]);
}

#[test]
fn merged_tables_alone_are_gone_on_with_and_those_of_another_configuration_refused() {
    let folder = tempfile::tempdir().unwrap();
    let results = Results::create(folder.path(), configuration()).unwrap();
    let first = row(&results, ArmName::Hpa70, 1);
    results.keep(&first, Some(&trace(1))).unwrap();
    results.merge().unwrap();
    drop(results);
    let merged =
        || [MERGED_RUNS, MERGED_TRACES].map(|name| fs::read(folder.path().join(name)).unwrap());
    let before = merged();
    for part in [RUNS, TRACES] {
        fs::remove_dir_all(folder.path().join(part)).unwrap();
    }
    // What a taking that was interrupted leaves is no run.
    let unfinished = folder.path().join(UNFINISHED_RUNS);
    fs::create_dir(&unfinished).unwrap();
    fs::write(unfinished.join("old.parquet"), b"PAR1").unwrap();
    let results = Results::open(folder.path()).unwrap();
    assert!(results.has(&first.key) && !unfinished.exists());
    results.merge().unwrap();
    assert_eq!(merged(), before);
    let second = row(&results, ArmName::Stock, 2);
    results.keep(&second, None).unwrap();
    assert_eq!(load(folder.path()).unwrap(), [second, first]);
    drop(results);
    fs::remove_dir_all(folder.path().join(RUNS)).unwrap();
    fs::remove_file(folder.path().join(CONFIGURATION)).unwrap();
    let mut other = configuration();
    other.setup.rate += 1.0;
    let error = Results::create(folder.path(), other).unwrap_err().to_string();
    assert!(error.contains("results.parquet was made with another configuration"), "{error}");
    assert_eq!(configuration_in(folder.path()).unwrap(), None);
}

#[test]
fn another_configuration_is_refused_with_what_differs_but_another_matrix_is_not() {
    let folder = tempfile::tempdir().unwrap();
    drop(Results::create(folder.path(), configuration()).unwrap());
    let mut other = configuration();
    other.setup.rate += 1.0;
    other.arms.insert("mora".to_owned(), 1.into());
    let error = Results::create(folder.path(), other).unwrap_err().to_string();
    assert!(
        error.contains("another arms.mora, setup.rate; use the same, or another --results"),
        "{error}"
    );
    let mut more = configuration();
    more.matrix.seeds.push(2);
    drop(Results::create(folder.path(), more.clone()).unwrap());
    assert_eq!(*Results::open(folder.path()).unwrap().configuration(), more);
}

#[test]
fn a_row_of_another_configuration_and_a_damaged_one_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let results = Results::create(folder.path(), configuration()).unwrap();
    let mut foreign = row(&results, ArmName::Stock, 1);
    foreign.provenance.configuration = "other".to_owned();
    results.keep(&foreign, None).unwrap();
    let error = load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("another configuration"), "{error}");
    let path = results.part(RUNS, &foreign.key);
    fs::write(&path, b"PAR1").unwrap();
    let error = load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("is damaged"), "{error}");
}

#[test]
fn a_folder_in_use_or_without_results_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Results::open(folder.path()).unwrap_err();
    assert!(matches!(error, ResultsError::Nothing(_)), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let results = Results::create(folder.path(), configuration()).unwrap();
    let busy = Results::create(folder.path(), configuration()).unwrap_err();
    assert!(matches!(busy, ResultsError::Busy(_)), "{busy}");
    drop(results);
    assert!(Results::create(folder.path(), configuration()).is_ok());
}
