//! Whole evaluations, small ones: MOrA's processes act on a simulated cluster.

use std::collections::BTreeMap;

use mora_cluster_simulator::{Application, Call, boutique};
use mora_evaluation::{ArmName, Configuration, Matrix, MatrixError, ResultRow, Setup, load};
use mora_model_worker::Member;

use super::settings::{MORA, MoraSettings};
use super::*;

/// The entry of the shop and one of what it calls.
fn application() -> Application {
    let whole = boutique("shop", 20.0).unwrap();
    let kept = ["frontend", "productcatalogservice"];
    let microservices = whole.microservices.iter().filter(|m| kept.contains(&m.workload.name()));
    let microservices = microservices.cloned().collect();
    let calls = vec![Call { caller: 0, callee: 1, ratio: 3.0 }];
    Application { microservices, calls, entry: 0 }.checked().unwrap()
}

/// Two hours after three days of history.
fn configuration(arms: &[ArmName]) -> Configuration {
    let setup = Setup {
        history_days: 3,
        judged_hours: Some(2),
        settling_minutes: 30,
        ..Setup::new(application(), 20.0)
    };
    let members = [Member::HourOfWeek, Member::HoltWinters].into();
    let mora = MoraSettings { members, ..MoraSettings::default() };
    Configuration {
        version: "0".to_owned(),
        setup,
        arms: BTreeMap::from([(MORA.to_owned(), serde_json::to_value(mora).unwrap())]),
        matrix: Matrix {
            scenarios: vec!["realistic".to_owned()],
            arms: arms.to_vec(),
            seeds: vec![1],
            margins: vec![1000],
        },
    }
}

/// Makes what the folder lacks, `parallel` runs at a time; stops after `stop_after` of them.
async fn go_on(
    folder: &Path,
    configuration: Configuration,
    (parallel, stop_after): (usize, usize),
) -> Result<MatrixSummary, MatrixError> {
    let results = Results::create(folder, configuration).unwrap();
    let arms = Arms::new(results.configuration(), folder).unwrap();
    let runtime = Handle::current();
    let running = tokio::task::spawn_blocking(move || {
        let (stop, made) = (AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
        let watch = |progress: Progress<'_>| {
            if matches!(progress, Progress::Finished { .. }) {
                let made = made.fetch_add(1, Ordering::Relaxed) + 1;
                stop.store(made >= stop_after, Ordering::Relaxed);
            }
        };
        let (results, arms, runtime, provenance) = (&results, &arms, &runtime, &provenance());
        Evaluation { results, arms, provenance, runtime, parallel }.run(&stop, &watch)
    });
    running.await.unwrap()
}

fn of(rows: &[ResultRow], arm: ArmName) -> &ResultRow {
    rows.iter().find(|row| row.key.arm == arm).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn mora_acts_and_an_evaluation_that_was_interrupted_equals_one_that_was_not() {
    let arms = [ArmName::Stock, ArmName::Mora, ArmName::MoraStatic, ArmName::MoraNoGraph];
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = go_on(one.path(), configuration(&arms), (2, usize::MAX)).await.unwrap();
    assert_eq!((whole.before, whole.made, whole.left), (0, 4, 0));
    let begun = go_on(other.path(), configuration(&arms), (1, 2)).await.unwrap();
    assert_eq!((begun.before, begun.made, begun.left), (0, 2, 2));
    let ended = go_on(other.path(), configuration(&arms), (1, usize::MAX)).await.unwrap();
    assert_eq!((ended.before, ended.made, ended.left), (2, 2, 0));
    for table in ["results.parquet", "traces.parquet"] {
        let bytes = |folder: &Path| std::fs::read(folder.join(table)).unwrap();
        assert!(bytes(one.path()) == bytes(other.path()), "{table} differs");
    }
    let rows = load(one.path()).unwrap();
    let (stock, mora) = (of(&rows, ArmName::Stock).metrics, of(&rows, ArmName::Mora).metrics);
    assert!(mora.resizes > 0.0 && mora.scaling_events < 0.5, "{mora:?}");
    assert!(mora.cpu_hours_requested < stock.cpu_hours_requested, "{mora:?} {stock:?}");
    let models = std::fs::read_dir(one.path().join("models")).unwrap().count();
    assert_eq!(models, 1, "all three arms fit the same members to the same history");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_margin_is_on_what_mora_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut configuration = configuration(&[ArmName::Mora]);
    configuration.matrix.margins = vec![1000, 1500];
    go_on(folder.path(), configuration, (2, usize::MAX)).await.unwrap();
    let rows = load(folder.path()).unwrap();
    let hours: Vec<f64> = rows.iter().map(|row| row.metrics.cpu_hours_requested).collect();
    let ratio = hours[1] / hours[0];
    assert!((1.4..1.6).contains(&ratio), "{hours:?}");
}
