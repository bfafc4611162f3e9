//! Many runs at a time, each kept as soon as it is finished.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::runtime::Handle;

use crate::closed_loop::{self, Outcome, RunError};
use crate::scenario::HistoryKind;
use crate::shared::{Shared, locked};
use crate::{
    ArmFactory, History, Metrics, Provenance, ResultRow, Results, ResultsError, RunContext, RunKey,
    Scenario, ScenarioError, Setup, Trace, metrics,
};

/// Makes the runs of an evaluation that are not there yet.
#[derive(Clone, Copy)]
pub struct Evaluation<'a> {
    /// Where they are kept.
    pub results: &'a Results,
    /// Where arms come from.
    pub arms: &'a dyn ArmFactory,
    /// What is noted with each run; its configuration is that of the results.
    pub provenance: &'a Provenance,
    /// What arms that wait for something run in.
    pub runtime: &'a Handle,
    /// Runs at a time, at least 1.
    pub parallel: usize,
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The runs that are due, and those that were finished before.
    Begun {
        /// Number due.
        due: usize,
        /// Number finished before.
        finished: usize,
    },
    /// A run begins.
    Started(&'a RunKey),
    /// A run is kept.
    Finished {
        /// Which.
        key: &'a RunKey,
        /// What came of it.
        metrics: &'a Metrics,
        /// How long it took.
        took: Duration,
    },
    /// A run came to no end; the others go on.
    Failed {
        /// Which.
        key: &'a RunKey,
    },
}

/// How an evaluation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixSummary {
    /// Runs that were there before.
    pub before: usize,
    /// Runs made now.
    pub made: usize,
    /// Runs that are due still, since it was stopped.
    pub left: usize,
}

/// Why an evaluation is not complete.
#[derive(Debug, Error)]
pub enum MatrixError {
    /// A scenario cannot be had.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// Results cannot be kept.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// Runs came to no end; the others are kept.
    #[error(
        "{count} of the runs failed, the first is {scenario} with {arm} and seed {seed}; the others are kept, and `mora evaluate resume` tries again",
        scenario = first.scenario, arm = first.arm, seed = first.seed
    )]
    Failed {
        /// How many.
        count: usize,
        /// The first in order.
        first: RunKey,
        /// Why that one.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

type Failure = Box<dyn Error + Send + Sync>;

impl Evaluation<'_> {
    /// Makes what is missing, each run with a cluster and an arm of its own, and then the merged tables. Once `stop` is set, no
    /// further run begins; what is finished is kept, and a later call goes on.
    ///
    /// Blocks until all is done, so it is not for a thread of the runtime. Fails when a scenario cannot be had, results cannot be
    /// kept, or runs failed.
    pub fn run(
        &self,
        stop: &AtomicBool,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<MatrixSummary, MatrixError> {
        let all = self.results.configuration().matrix.runs()?;
        let total = all.len();
        let due: VecDeque<_> = all.into_iter().filter(|(key, _)| !self.results.has(key)).collect();
        let (before, due_count) = (total - due.len(), due.len());
        progress(Progress::Begun { due: due_count, finished: before });
        let work = Work::new(*self, due, stop, progress);
        thread::scope(|scope| {
            for _ in 0..self.parallel.clamp(1, due_count.max(1)) {
                scope.spawn(|| work.go_on());
            }
        });
        let (made, failures, broken) = work.end();
        if let Some(error) = broken {
            return Err(error.into());
        }
        if before + made > 0 {
            self.results.merge()?;
        }
        let count = failures.len();
        match failures.into_iter().next() {
            Some((first, source)) => Err(MatrixError::Failed { count, first, source }),
            None => Ok(MatrixSummary { before, made, left: due_count - made }),
        }
    }
}

/// What the threads of an evaluation share.
struct Work<'a> {
    evaluation: Evaluation<'a>,
    queue: Mutex<VecDeque<(RunKey, Scenario)>>,
    histories: Histories,
    stop: &'a AtomicBool,
    progress: &'a (dyn Fn(Progress<'_>) + Sync),
    made: Mutex<usize>,
    failures: Mutex<BTreeMap<RunKey, Failure>>,
    broken: Mutex<Option<ResultsError>>,
}

impl<'a> Work<'a> {
    fn new(
        evaluation: Evaluation<'a>,
        due: VecDeque<(RunKey, Scenario)>,
        stop: &'a AtomicBool,
        progress: &'a (dyn Fn(Progress<'_>) + Sync),
    ) -> Self {
        Self {
            evaluation,
            histories: Histories::of(&due),
            queue: Mutex::new(due),
            stop,
            progress,
            made: Mutex::default(),
            failures: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    fn end(self) -> (usize, BTreeMap<RunKey, Failure>, Option<ResultsError>) {
        (
            *locked(&self.made),
            std::mem::take(&mut locked(&self.failures)),
            locked(&self.broken).take(),
        )
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || locked(&self.broken).is_some()
    }

    fn go_on(&self) {
        while !self.is_over() {
            let Some((key, scenario)) = locked(&self.queue).pop_front() else { return };
            (self.progress)(Progress::Started(&key));
            let began = Instant::now();
            let made = self.make(&key, &scenario);
            self.histories.used(&key, &scenario);
            match made {
                Ok((row, trace)) => self.keep(&row, trace.as_ref(), began.elapsed()),
                Err(failure) => {
                    (self.progress)(Progress::Failed { key: &key });
                    locked(&self.failures).insert(key, failure);
                }
            }
        }
    }

    fn keep(&self, row: &ResultRow, trace: Option<&Trace>, took: Duration) {
        if let Err(error) = self.evaluation.results.keep(row, trace) {
            locked(&self.broken).get_or_insert(error);
            return;
        }
        *locked(&self.made) += 1;
        (self.progress)(Progress::Finished { key: &row.key, metrics: &row.metrics, took });
    }

    fn make(
        &self,
        key: &RunKey,
        scenario: &Scenario,
    ) -> Result<(ResultRow, Option<Trace>), Failure> {
        let Evaluation { results, arms, provenance, runtime, .. } = self.evaluation;
        let setup = &results.configuration().setup;
        let history = self.histories.of_run(setup, key, scenario)?;
        let context = RunContext { key, setup, scenario, history: &history };
        let entered = runtime.enter();
        let mut arm = arms.make(&context)?;
        drop(entered);
        let outcome = runtime.block_on(closed_loop::run(&context, arm.as_mut()))?;
        let first = results.configuration().matrix.seeds.first() == Some(&key.seed);
        let trace = first.then(|| Trace::of(key.clone(), &outcome.recording));
        let mut provenance = provenance.clone();
        results.digest().clone_into(&mut provenance.configuration);
        provenance.facts.extend(facts(scenario, &outcome));
        let metrics = metrics(&outcome.recording, setup.objective);
        Ok((ResultRow { key: key.clone(), metrics, provenance }, trace))
    }
}

fn facts(scenario: &Scenario, outcome: &Outcome) -> Vec<(String, String)> {
    let refused = ("refused_changes".to_owned(), outcome.refused.to_string());
    let shape =
        scenario.shape_digest().map(|digest| ("shape_sha256".to_owned(), digest.to_owned()));
    std::iter::once(refused).chain(shape).collect()
}

type HistoryKey = (HistoryKind, u64);

/// Histories that runs share, each made once and dropped after the last run that needs it.
#[derive(Default)]
struct Histories {
    made: Shared<HistoryKey, History>,
    needed: Mutex<BTreeMap<HistoryKey, usize>>,
}

impl Histories {
    fn of(due: &VecDeque<(RunKey, Scenario)>) -> Self {
        let mut needed = BTreeMap::new();
        for (key, scenario) in due {
            *needed.entry(Self::key(key, scenario)).or_default() += 1;
        }
        Self { made: Shared::default(), needed: Mutex::new(needed) }
    }

    fn key(key: &RunKey, scenario: &Scenario) -> HistoryKey {
        (scenario.history().clone(), key.seed)
    }

    fn of_run(
        &self,
        setup: &Setup,
        key: &RunKey,
        scenario: &Scenario,
    ) -> Result<Arc<History>, RunError> {
        let make = || History::simulate(setup, scenario, key.seed);
        self.made.get(&Self::key(key, scenario), make)
    }

    fn used(&self, key: &RunKey, scenario: &Scenario) {
        let key = Self::key(key, scenario);
        let mut needed = locked(&self.needed);
        let left = needed.entry(key.clone()).or_default();
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.made.forget(&key);
        }
    }
}

#[cfg(test)]
mod tests;
