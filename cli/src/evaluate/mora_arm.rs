//! The arms that are MOrA itself: its collector, its workers and its coordinator, asked over gRPC on loopback as they are in a cluster.
//!
//! Nothing of what they decide is made anew here. An arm shows them what it sees of its cluster, lets them plan, and turns what
//! the plan asks for into changes, as applying a plan does. Time is the simulated one throughout.

mod asked;
mod library;
mod source;
mod system;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use mora_apply::{ApplyConfig, intents};
use mora_cluster_simulator::Change;
use mora_collector::Lookback;
use mora_core::{ApplyMode, Bytes, Dataset, LimitRule, Millicores, Step, WorkloadRef};
use mora_evaluation::{Arm, ArmError, ArmName, View};
use mora_model_worker::Member;
use mora_planning::RequestShape;
use tokio::sync::Semaphore;

pub(crate) use asked::Asked;
pub(crate) use library::Libraries;
use system::{System, Trainers};

/// How MOrA is run.
#[derive(Debug, Clone)]
pub(crate) struct MoraOptions {
    /// Seed of every fit.
    pub(crate) seed: u64,
    /// Days of history that are looked at.
    pub(crate) history_days: u32,
    /// Members of the ensemble that workers fit.
    pub(crate) members: BTreeSet<Member>,
    /// Whether a request holds for a slot or for the whole horizon.
    pub(crate) requests: RequestShape,
    /// Whether the load of the last hour counts beside the forecast.
    pub(crate) follow_recent_load: bool,
    /// How limits follow requests.
    pub(crate) limits: LimitRule,
    /// Whether the calls among workloads are known.
    pub(crate) graph: bool,
    /// What all nodes can allocate.
    pub(crate) capacity: (Millicores, Bytes),
    /// How often is planned.
    pub(crate) every: SignedDuration,
    /// After which nothing is trained any more.
    pub(crate) fits_until: Timestamp,
    /// How many fits run at once in this process.
    pub(crate) processors: Arc<Semaphore>,
}

impl MoraOptions {
    /// `self` as the arm `arm` is to be run; `None` where that is not MOrA.
    pub(crate) fn of(self, arm: ArmName) -> Option<Self> {
        let without = |left_out: Member| {
            let members = self.members.iter().copied().filter(|member| *member != left_out);
            members.collect()
        };
        Some(match arm {
            ArmName::Mora => self,
            ArmName::MoraNoGraph => Self { graph: false, ..self },
            ArmName::MoraStatic => Self { requests: RequestShape::Peak, ..self },
            ArmName::MoraNoRecent => Self { follow_recent_load: false, ..self },
            ArmName::MoraEveryMinute => Self { every: SignedDuration::from_mins(1), ..self },
            ArmName::MoraNoLstm => Self { members: without(Member::Lstm), ..self },
            ArmName::MoraNoProphet => Self { members: without(Member::Prophet), ..self },
            _ => return None,
        })
    }
}

/// MOrA as one arm of a comparison.
pub(crate) struct MoraArm {
    name: ArmName,
    options: MoraOptions,
    libraries: Arc<Libraries>,
    apply: ApplyConfig,
    asked: Asked,
    /// Started when it decides for the first time: what it learns from is seen only then.
    system: Option<System>,
}

impl MoraArm {
    /// The arm `name` as `options` say, with models of `libraries`; what is set for what it asks for is up to `asked`.
    pub(crate) fn new(
        name: ArmName,
        options: MoraOptions,
        asked: Asked,
        libraries: Arc<Libraries>,
    ) -> Self {
        let default_mode = match options.requests {
            RequestShape::Schedule => ApplyMode::Scheduled,
            RequestShape::Peak => ApplyMode::InPlace,
        };
        let apply = ApplyConfig { default_mode, permitted: true, ..ApplyConfig::default() };
        Self { name, options, libraries, apply, asked, system: None }
    }

    async fn decided(&mut self, view: &dyn View, now: Timestamp) -> anyhow::Result<Vec<Change>> {
        let lookback = self.lookback(now);
        let system = match self.system.take() {
            Some(system) => system,
            None => self.start(view, lookback).await?,
        };
        // Looked at again rather than kept over the first training: those of a thousand workloads take gigabytes.
        let datasets = self.seen(view, &lookback);
        let outcome = self.system.insert(system).plan(lookback, datasets).await?;
        let current = view.workloads().into_iter();
        let current = current.map(|workload| (workload.clone(), view.claim(&workload)));
        Ok(self.asked.changes(intents(&outcome.plan, &self.apply, now), current)?)
    }

    fn lookback(&self, now: Timestamp) -> Lookback {
        let to = Step::MINUTE.floor(now);
        let days = i64::from(self.options.history_days);
        Lookback { from: to - SignedDuration::from_hours(24 * days), to, step: Step::MINUTE }
    }

    /// What is seen of the cluster, as far as this arm may know it.
    fn seen(&self, view: &dyn View, lookback: &Lookback) -> Vec<Dataset> {
        let mut datasets = self.asked.shown(view.datasets(lookback).collect());
        if !self.options.graph {
            for dataset in &mut datasets {
                dataset.calls.clear();
            }
        }
        datasets
    }

    async fn start(&self, view: &dyn View, lookback: Lookback) -> anyhow::Result<System> {
        let folder = tempfile::tempdir()?;
        let models = folder.path().join("models");
        let datasets = self.seen(view, &lookback);
        let workloads: Vec<WorkloadRef> = datasets.iter().map(|d| d.workload.clone()).collect();
        let key = library::key(&datasets, &self.options);
        let train = async |library: PathBuf| {
            let trainers =
                Trainers::start(&self.options, &library, workloads.iter().cloned()).await?;
            let trained = trainers.observe(lookback, datasets).await;
            trainers.stop().await?;
            trained
        };
        self.libraries.copy(&key, &models, train).await?;
        let trainers = Trainers::start(&self.options, &models, workloads.iter().cloned()).await?;
        System::start(&self.options, trainers, folder).await
    }
}

impl Arm for MoraArm {
    fn name(&self) -> ArmName {
        self.name
    }

    fn every(&self) -> Option<SignedDuration> {
        Some(self.options.every)
    }

    fn decide<'a>(
        &'a mut self,
        view: &'a dyn View,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Change>, ArmError>> {
        let arm = self.name;
        async move {
            let decided = self.decided(view, now).await;
            decided.map_err(|error| ArmError { arm, at: now, source: error.into() })
        }
        .boxed()
    }
}
