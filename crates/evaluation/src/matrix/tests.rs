use std::collections::BTreeMap;
use std::path::Path;

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::Change;
use tokio::runtime::Runtime;

use super::*;
use crate::made::setup;
use crate::{Arm, ArmError, ArmName, BuiltInArms, Configuration, Matrix, View, load, load_traces};

fn configuration(arms: &[ArmName], seeds: &[u64]) -> Configuration {
    Configuration {
        version: "1.0.0".to_owned(),
        setup: setup(),
        arms: BTreeMap::new(),
        matrix: Matrix {
            scenarios: ["realistic", "bursty"].map(str::to_owned).to_vec(),
            arms: arms.to_vec(),
            seeds: seeds.to_vec(),
            margins: vec![1000],
        },
    }
}

const ARMS: [ArmName; 3] = [ArmName::Stock, ArmName::Baseline, ArmName::Hpa70];

/// Runs what is due in `folder` and stops after `most` runs.
fn run(
    folder: &Path,
    configuration: Configuration,
    arms: &dyn ArmFactory,
    parallel: usize,
    most: usize,
) -> Result<MatrixSummary, MatrixError> {
    let runtime = Runtime::new().unwrap();
    let results = Results::create(folder, configuration)?;
    let provenance = Provenance { environment: "simulated".to_owned(), ..Provenance::default() };
    let evaluation = Evaluation {
        results: &results,
        arms,
        provenance: &provenance,
        runtime: runtime.handle(),
        parallel,
    };
    let (stop, made) = (AtomicBool::new(false), Mutex::new(0));
    evaluation.run(&stop, &|progress| {
        if let Progress::Finished { .. } = progress {
            let mut made = made.lock().unwrap();
            *made += 1;
            stop.store(*made >= most, Ordering::Relaxed);
        }
    })
}

fn merged(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let read = |name| std::fs::read(folder.join(name)).unwrap();
    (read("results.parquet"), read("traces.parquet"))
}

#[test]
fn an_interrupted_matrix_that_goes_on_equals_one_that_was_not() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let asked = || configuration(&ARMS, &[1, 2]);
    let arms = BuiltInArms::default();
    let summary = run(whole.path(), asked(), &arms, 3, usize::MAX).unwrap();
    assert_eq!(summary, MatrixSummary { before: 0, made: 12, left: 0 });
    let first = run(parts.path(), asked(), &arms, 1, 5).unwrap();
    assert_eq!(first, MatrixSummary { before: 0, made: 5, left: 7 });
    let second = run(parts.path(), asked(), &BuiltInArms::default(), 2, usize::MAX).unwrap();
    assert_eq!(second, MatrixSummary { before: 5, made: 7, left: 0 });
    assert_eq!(merged(whole.path()), merged(parts.path()));
    let rows = load(whole.path()).unwrap();
    assert_eq!(rows.len(), 12);
    // The course is kept for the first seed.
    let traces = load_traces(whole.path()).unwrap();
    assert_eq!((traces.len(), traces[0].points.len()), (6, 4));
    // Arms and seeds make a difference.
    let cpu = |row: &ResultRow| row.metrics.cpu_hours_used.to_bits();
    let different: std::collections::BTreeSet<u64> = rows.iter().map(cpu).collect();
    assert!(different.len() >= 10, "{rows:?}");
}

/// Gives up at once with one seed, and changes nothing with others.
struct GivesUp(bool);

impl Arm for GivesUp {
    fn name(&self) -> ArmName {
        ArmName::Stock
    }

    fn every(&self) -> Option<SignedDuration> {
        None
    }

    fn decide<'a>(
        &'a mut self,
        _: &'a dyn View,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Change>, ArmError>> {
        let error = ArmError { arm: ArmName::Stock, at, source: "no answer".into() };
        future::ready(if self.0 { Err(error) } else { Ok(Vec::new()) }).boxed()
    }
}

struct SecondSeedFails;

impl ArmFactory for SecondSeedFails {
    fn make(&self, context: &RunContext<'_>) -> Result<Box<dyn Arm>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(GivesUp(context.key.seed == 2)))
    }
}

#[test]
fn a_run_that_fails_leaves_the_others_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let asked = || configuration(&[ArmName::Stock], &[2, 1]);
    let error = run(folder.path(), asked(), &SecondSeedFails, 2, usize::MAX).unwrap_err();
    let MatrixError::Failed { count, first, source } = &error else { panic!("{error}") };
    assert_eq!((*count, first.seed, first.scenario.as_str()), (2, 2, "bursty"));
    assert!(source.to_string().contains("the arm `stock` cannot decide at"), "{source}");
    assert!(error.to_string().contains("`mora evaluate resume` tries again"));
    assert_eq!(load(folder.path()).unwrap().len(), 2);
    let again = run(folder.path(), asked(), &BuiltInArms::default(), 2, usize::MAX).unwrap();
    assert_eq!(again, MatrixSummary { before: 2, made: 2, left: 0 });
}

#[test]
fn an_arm_that_is_made_elsewhere_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let asked = configuration(&[ArmName::MoraNoGraph], &[1]);
    let error = run(folder.path(), asked, &BuiltInArms::default(), 1, usize::MAX).unwrap_err();
    assert!(error.source().unwrap().to_string().contains("`mora-no-graph`"), "{error}");
}
