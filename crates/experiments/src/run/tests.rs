use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use mora_core::WorkloadRef;
use serde_json::json;

use super::*;
use crate::gates::tests::{dataset, load, state};
use crate::results::Setup;
use crate::{BedName, ExperimentGates, IsolationConfig, LoadConfig, Matrix, Timing, isolate};

/// What happens at one of the calls to the world outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The call fails.
    Error,
    /// The process is killed before the call has an effect.
    KillBefore,
    /// The process is killed after it.
    KillAfter,
    /// Somebody presses Ctrl-C during it.
    Stop,
}

/// An application, a load and a Prometheus of which one call goes wrong.
struct World {
    workloads: Mutex<BTreeMap<WorkloadRef, WorkloadState>>,
    calls: Mutex<usize>,
    fault: Option<(usize, Fault)>,
    stop: CancellationToken,
    samples: u64,
    errors: Mutex<Vec<u64>>,
}

impl World {
    fn new(fault: Option<(usize, Fault)>) -> Self {
        let states = [
            state("shop/cart", 1, 300),
            state("shop/frontend", 3, 500),
            state("shop/loadgenerator", 1, 500),
        ];
        Self {
            workloads: Mutex::new(states.into_iter().map(|s| (s.workload.clone(), s)).collect()),
            calls: Mutex::new(0),
            fault,
            stop: CancellationToken::new(),
            samples: 1000,
            errors: Mutex::new(Vec::new()),
        }
    }

    fn states(&self) -> Vec<WorkloadState> {
        self.workloads.lock().unwrap().values().cloned().collect()
    }

    /// Does `effect`, unless this call is the one that goes wrong.
    async fn call<T>(&self, effect: impl FnOnce() -> T) -> Result<T, BedError> {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        match self.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault) {
            Some(Fault::KillBefore) => std::future::pending().await,
            Some(Fault::KillAfter) => {
                effect();
                std::future::pending().await
            }
            Some(Fault::Error) => Err(BedError::Refused {
                url: "http://script".to_owned(),
                subject: "a call".to_owned(),
                status: 500,
                said: "no".to_owned(),
            }),
            Some(Fault::Stop) => {
                self.stop.cancel();
                Ok(effect())
            }
            None => Ok(effect()),
        }
    }
}

impl Bed for World {
    fn name(&self) -> BedName {
        BedName::Control("http://script".to_owned())
    }

    fn workloads<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<WorkloadState>, BedError>> {
        self.call(|| self.states()).boxed()
    }

    fn workload<'a>(
        &'a self,
        workload: &'a WorkloadRef,
    ) -> BoxFuture<'a, Result<WorkloadState, BedError>> {
        self.call(|| self.workloads.lock().unwrap()[workload].clone()).boxed()
    }

    fn set<'a>(
        &'a self,
        workload: &'a WorkloadRef,
        aspect: &'a Aspect,
        value: &'a Value,
    ) -> BoxFuture<'a, Result<(), BedError>> {
        self.call(move || {
            let mut workloads = self.workloads.lock().unwrap();
            let state = workloads.get_mut(workload).unwrap();
            match (aspect, value) {
                (Aspect::Replicas, Value::Replicas(count)) => state.replicas = *count,
                (Aspect::Claim(name), Value::Claim(claim)) => {
                    state.containers.insert(name.clone(), *claim);
                }
                other => panic!("{other:?}"),
            }
        })
        .boxed()
    }
}

impl Load for World {
    fn run<'a>(
        &'a self,
        request: &'a LoadRequest,
        _: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<LoadReport, LoadError>> {
        async move {
            let load = self.call(|| {
                let errors = self.errors.lock().unwrap().pop().unwrap_or(0);
                let load = load(self.samples, errors);
                let length = SignedDuration::try_from(request.duration).unwrap();
                LoadReport { ended: load.started + length, ..load }
            });
            load.await.map_err(|_| LoadError::NoLoad("the script says so"))
        }
        .boxed()
    }
}

impl Measure for World {
    fn datasets<'a>(
        &'a self,
        _: &'a str,
        expected: &'a Lookback,
    ) -> BoxFuture<'a, Result<Vec<Dataset>, Foreign>> {
        async move {
            let measured = self.call(|| {
                let replicas = self.workloads.lock().unwrap()[&target()].replicas;
                vec![dataset("shop/frontend", replicas, 0.2, expected)]
            });
            Ok(measured.await?)
        }
        .boxed()
    }

    fn describe(&self) -> String {
        "a script".to_owned()
    }
}

fn target() -> WorkloadRef {
    "shop/frontend".parse().unwrap()
}

fn plan(world: &World, finished: &Results) -> Plan {
    let isolation = IsolationConfig::default();
    let matrix = Matrix::new(&["browsing".to_owned()], &[1, 2], &[10, 50]).unwrap();
    let left = |cell: &Cell| finished.outcome(cell).is_none();
    Plan {
        remaining: matrix.cells().into_iter().filter(left).collect(),
        isolation: isolate(&world.states(), &target(), &isolation).unwrap(),
        setup: Setup {
            target: target(),
            bed: world.name(),
            timing: Timing { collect_seconds: 10, ..Timing::default() },
            gates: ExperimentGates::default(),
            isolation,
            load: LoadConfig::default(),
        },
        matrix,
        retries: 1,
    }
}

/// Runs what is left in `folder`; `None` if the process was killed.
async fn run(world: &World, folder: &Path, resume: bool) -> Option<(Ended, Results)> {
    let mut results = Results::open(folder).unwrap();
    let plan = plan(world, &results);
    results.begin(&plan.setup, resume).unwrap();
    let experiment =
        Experiment { plan: &plan, bed: world, load: world, measure: world, say: &|_| {} };
    // Longer than every deadline together, so that only what never ends is cut off.
    let killed = Duration::from_secs(1_000_000);
    let ended = tokio::time::timeout(killed, experiment.run(&mut results, &world.stop)).await;
    Some((ended.ok()?, results))
}

/// Calls of a run in which nothing goes wrong.
async fn calls() -> usize {
    let (world, folder) = (World::new(None), tempfile::tempdir().unwrap());
    run(&world, folder.path(), false).await.unwrap();
    *world.calls.lock().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_cell_runs_once_and_everything_is_as_it_was_afterwards() {
    let (world, folder) = (World::new(None), tempfile::tempdir().unwrap());
    let before = world.states();
    let (ended, results) = run(&world, folder.path(), false).await.unwrap();
    assert!(ended.failure.is_none(), "{:?}", ended.failure);
    let restored = ended.restored.unwrap();
    assert_eq!((restored.set_back, restored.left.len()), (4, 0));
    assert_eq!(world.states(), before);
    let cells = plan(&world, &results).matrix.cells();
    assert_eq!(cells.iter().filter(|cell| results.outcome(cell).unwrap().accepted).count(), 4);
    let manifest = std::fs::read(folder.path().join("manifest.json")).unwrap();
    let manifest: crate::Manifest = serde_json::from_slice(&manifest).unwrap();
    assert_eq!((manifest.cells.len(), manifest.remaining), (4, 0));
    for outcome in &manifest.cells {
        let folder = folder.path().join("cells").join(outcome.cell.slug());
        for (name, record) in &outcome.files {
            let size = std::fs::metadata(folder.join(name)).unwrap().len();
            assert_eq!(size, record.bytes, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_at_any_call_leaves_nothing_changed() {
    let most = calls().await;
    for fault in [Fault::Error, Fault::Stop] {
        for at in 1..=most {
            let (world, folder) = (World::new(Some((at, fault))), tempfile::tempdir().unwrap());
            let before = world.states();
            let (ended, results) = run(&world, folder.path(), false).await.unwrap();
            assert!(ended.restored.unwrap().is_complete(), "{fault:?} at {at}");
            assert_eq!(world.states(), before, "{fault:?} at {at}");
            assert!(results.journal.outstanding().is_empty(), "{fault:?} at {at}");
            if fault == Fault::Stop && at <= 4 {
                assert!(matches!(ended.failure, Some(ExperimentError::Stopped)), "at {at}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_any_call_is_undone_by_restoring_and_finished_cells_are_not_run_again() {
    let most = calls().await;
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        for at in 1..=most {
            let (world, folder) = (World::new(Some((at, fault))), tempfile::tempdir().unwrap());
            let before = world.states();
            assert!(run(&world, folder.path(), false).await.is_none(), "{fault:?} at {at}");
            let mut results = Results::open(folder.path()).unwrap();
            let setup = plan(&world, &results).setup;
            if !results.journal.outstanding().is_empty() {
                let refused = results.begin(&setup, true).unwrap_err();
                assert!(matches!(refused, ResultsError::Unrestored { .. }), "{refused}");
            }
            for again in 0..2 {
                let restored = restore(&world, &mut results.journal, false).await.unwrap();
                assert!(restored.is_complete(), "{fault:?} at {at}: {restored:?}");
                assert_eq!(world.states(), before, "{fault:?} at {at}, restored {again}");
            }
            let done = plan(&world, &results).matrix.cells().len()
                - plan(&world, &results).remaining.len();
            drop(results);
            let loads = World::new(None);
            let (ended, results) = run(&loads, folder.path(), true).await.unwrap();
            assert!(ended.failure.is_none());
            assert!(plan(&loads, &results).remaining.is_empty());
            // A cell is at most: workload, two changes, workloads, settling, load, collection.
            assert!(done == 0 || *loads.calls.lock().unwrap() < most, "{fault:?} at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_without_requests_ends_the_experiment_and_restores() {
    let (mut world, folder) = (World::new(None), tempfile::tempdir().unwrap());
    world.samples = 0;
    let before = world.states();
    let (ended, results) = run(&world, folder.path(), false).await.unwrap();
    assert!(matches!(ended.failure, Some(ExperimentError::EmptyLoad(_))));
    assert_eq!(world.states(), before);
    assert_eq!(plan(&world, &results).remaining.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_cell_is_tried_again_and_kept_apart_if_that_does_not_help() {
    let (world, folder) = (World::new(None), tempfile::tempdir().unwrap());
    // Popped from the end: the first cell fails twice, the second once.
    *world.errors.lock().unwrap() = vec![0, 0, 0, 500, 500, 500];
    let (ended, results) = run(&world, folder.path(), false).await.unwrap();
    assert!(ended.failure.is_none());
    let cells = plan(&world, &results).matrix.cells();
    let outcomes: Vec<(bool, usize)> = cells
        .iter()
        .map(|cell| results.outcome(cell).unwrap())
        .map(|outcome| (outcome.accepted, outcome.attempts.len()))
        .collect();
    assert_eq!(outcomes, [(false, 2), (true, 2), (true, 1), (true, 1)]);
    let rejected = folder.path().join("rejected").join(cells[0].slug()).join("cell.json");
    let text = std::fs::read_to_string(rejected).unwrap();
    assert!(text.contains("500 of 1000 requests failed"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_changed_meanwhile_is_left_unless_forced() {
    let (world, folder) = (World::new(None), tempfile::tempdir().unwrap());
    let mut results = Results::open(folder.path()).unwrap();
    let change = |before: u32, after: u32| Change {
        workload: target(),
        aspect: Aspect::Replicas,
        before: Value::Replicas(before),
        after: Value::Replicas(after),
    };
    results.journal.note(change(3, 1)).unwrap();
    world.workloads.lock().unwrap().get_mut(&target()).unwrap().replicas = 7;
    let restored = restore(&world, &mut results.journal, false).await.unwrap();
    let text = restored.left[0].to_string();
    assert!(text.contains("it is 7 and not the 1 that the experiment set"), "{text}");
    assert_eq!(world.workloads.lock().unwrap()[&target()].replicas, 7);
    let forced = restore(&world, &mut results.journal, true).await.unwrap();
    assert_eq!((forced.set_back, forced.left.len()), (1, 0));
    assert_eq!(world.workloads.lock().unwrap()[&target()].replicas, 3);
    assert!(results.journal.outstanding().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_folder_is_not_begun_twice_nor_gone_on_with_in_another_way_nor_shared() {
    let (world, folder) = (World::new(None), tempfile::tempdir().unwrap());
    let (_, results) = run(&world, folder.path(), false).await.unwrap();
    let setup = plan(&world, &results).setup;
    assert!(matches!(results.begin(&setup, false), Err(ResultsError::Taken(_))));
    assert!(results.begin(&setup, true).is_ok());
    let timing = Timing { steady_seconds: 30, ..setup.timing };
    let other = Setup { timing, ..setup };
    let error = results.begin(&other, true).unwrap_err().to_string();
    assert!(error.contains("another timing"), "{error}");
    assert!(matches!(Results::open(folder.path()), Err(ResultsError::Busy(_))));
    let kept = std::fs::read(folder.path().join("experiment.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!(kept["timing"]["steady_seconds"], json!(300));
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_an_application_that_has_changed_since_is_not_begun() {
    let (world, folder) = (World::new(None), tempfile::tempdir().unwrap());
    let mut results = Results::open(folder.path()).unwrap();
    let plan = plan(&world, &results);
    let cart = "shop/cart".parse().unwrap();
    world.workloads.lock().unwrap().get_mut(&cart).unwrap().replicas = 3;
    let before = world.states();
    let experiment =
        Experiment { plan: &plan, bed: &world, load: &world, measure: &world, say: &|_| {} };
    let ended = experiment.run(&mut results, &world.stop).await;
    assert!(matches!(ended.failure, Some(ExperimentError::Outdated)));
    assert_eq!(world.states(), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_ready_before_or_during_an_experiment_is_named_and_everything_restored() {
    let (world, folder) = (World::new(None), tempfile::tempdir().unwrap());
    let mut unready = world.states()[0].clone();
    (unready.settled, unready.ready) = (false, 0);
    world.workloads.lock().unwrap().insert(unready.workload.clone(), unready);
    let before = world.states();
    let (ended, _) = run(&world, folder.path(), false).await.unwrap();
    let text = ended.failure.unwrap().to_string();
    assert!(text.contains("shop/Deployment/cart (0 of 1 ready)"), "{text}");
    assert_eq!(world.states(), before);
}
