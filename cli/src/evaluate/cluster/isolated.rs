//! The application of an evaluation: as it was before and after every run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use mora_cluster_simulator::Application;
use mora_core::WorkloadRef;
use mora_evaluation::ContainerOf;
use mora_experiments::{
    Aspect, Bed, Change, Journal, KubernetesBed, Restored, Value, WorkloadState, restore,
};
use mora_kubernetes::{AutoscalerBounds, Cluster};

use crate::progress::say;

/// Longest wait for all pods to be replaced and ready.
const READY: Duration = Duration::from_mins(5);
/// Between two looks at them.
const PAUSE: Duration = Duration::from_secs(1);

/// The namespace that runs happen in.
pub(super) struct Isolated {
    pub(super) cluster: Cluster,
    bed: KubernetesBed,
    pub(super) namespace: String,
    journal: Journal,
}

impl Isolated {
    /// The namespace of the application in the cluster of `context`; what is changed is written down in `folder`.
    ///
    /// Fails when the cluster cannot be used or the journal not be kept.
    pub(super) async fn open(
        context: Option<&str>,
        namespace: &str,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self {
            cluster: Cluster::connect(context).await?,
            bed: KubernetesBed::connect(context).await?,
            namespace: namespace.to_owned(),
            journal: Journal::open(&folder.join("journal.jsonl"))?,
        })
    }

    /// Puts back what an earlier run left changed.
    pub(super) async fn restore_earlier(&mut self) -> anyhow::Result<()> {
        if !self.journal.outstanding().is_empty() {
            say("putting back what an interrupted run left");
            self.restore().await?;
        }
        Ok(())
    }

    /// Writes down how the application is, and gives it new pods.
    ///
    /// Fails when it is not the one that is evaluated, has autoscalers of its own, or does not get ready.
    pub(super) async fn begin(
        &mut self,
        application: &Application,
    ) -> anyhow::Result<BTreeMap<WorkloadRef, ContainerOf>> {
        let states = self.bed.workloads(&self.namespace).await?;
        let containers = containers(application, &states)?;
        self.journal.begin(self.bed.name())?;
        for state in states.iter().filter(|state| containers.contains_key(&state.workload)) {
            let claims = state.containers.keys().cloned().map(Aspect::Claim);
            for aspect in claims.chain([Aspect::Replicas]) {
                let Some(value) = state.value(&aspect) else { continue };
                self.note(&state.workload, aspect, value)?;
            }
        }
        self.renew().await?;
        Ok(containers)
    }

    /// Notes what a part is; it may be changed from now on.
    fn note(&mut self, workload: &WorkloadRef, aspect: Aspect, value: Value) -> anyhow::Result<()> {
        let workload = workload.clone();
        let change = Change { workload, aspect, before: value, after: value };
        Ok(self.journal.note(change)?)
    }

    /// Makes an autoscaler for each of `workloads`, up to `most` times the replicas of its manifest.
    pub(super) async fn autoscale(
        &self,
        workloads: &BTreeMap<WorkloadRef, u32>,
        most: u32,
        percent: u32,
    ) -> anyhow::Result<()> {
        for (workload, replicas) in workloads {
            let name = format!("mora-evaluation-{}", workload.name());
            let bounds = AutoscalerBounds { name, min: 1, max: replicas * most };
            self.cluster.create_autoscaler(workload, &bounds, percent).await?;
        }
        Ok(())
    }

    /// Puts everything back: autoscalers of a run go, replicas and templates are as they were, and all pods are new ones.
    ///
    /// Fails when something cannot be put back; the journal keeps it.
    pub(super) async fn restore(&mut self) -> anyhow::Result<()> {
        self.cluster.delete_created_autoscalers(&self.namespace).await?;
        // An autoscaler has moved replicas, which are then neither what they were nor what was noted.
        let Restored { left, .. } = restore(&self.bed, &mut self.journal, true).await?;
        for part in &left {
            say(&format!("  {part}"));
        }
        ensure!(
            left.is_empty(),
            "{} parts are not as they were; mend what keeps them, and let `mora evaluate resume` try again",
            left.len()
        );
        self.renew().await
    }

    /// Replaces all pods, whose claims and memory are then those of their templates again.
    async fn renew(&self) -> anyhow::Result<()> {
        let pods = self.cluster.pods_in(&self.namespace).await?;
        let mut old = BTreeSet::new();
        for pod in pods.into_values().flatten() {
            self.cluster.delete_pod(&self.namespace, &pod.name).await?;
            old.insert(pod.uid);
        }
        let deadline = Instant::now() + READY;
        loop {
            let waits_for = self.waits_for(&old).await?;
            if waits_for.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!(
                    "the pods of {} were not replaced and ready within {READY:?}; `kubectl -n {} describe pods` says why",
                    waits_for.join(", "),
                    self.namespace
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Workloads that still have an old pod, or not all new ones.
    async fn waits_for(&self, old: &BTreeSet<String>) -> anyhow::Result<Vec<String>> {
        let states = self.bed.workloads(&self.namespace).await?;
        let pods = self.cluster.pods_in(&self.namespace).await?;
        let has_old = |workload: &WorkloadRef| {
            pods.get(workload).is_some_and(|pods| pods.iter().any(|pod| old.contains(&pod.uid)))
        };
        let waiting = states.iter().filter(|state| !state.settled || has_old(&state.workload));
        Ok(waiting.map(|state| state.workload.name().to_owned()).collect())
    }
}

/// The container of each workload of `application` as the cluster has it.
fn containers(
    application: &Application,
    states: &[WorkloadState],
) -> anyhow::Result<BTreeMap<WorkloadRef, ContainerOf>> {
    let mut containers = BTreeMap::new();
    for microservice in &application.microservices {
        let workload = &microservice.workload;
        let state = states.iter().find(|state| state.workload == *workload);
        let state = state.with_context(|| {
            format!("the cluster has no {workload}; start the application, or name what `mora evaluate calibrate` wrote with --application")
        })?;
        ensure!(
            state.autoscaler.is_none(),
            "{workload} has a HorizontalPodAutoscaler already; remove it for the time of the evaluation"
        );
        let name = &microservice.container;
        let claim = *state.containers.get(name).with_context(|| {
            format!("{workload} has no container {name} in the cluster; use the application that was calibrated there")
        })?;
        let container = ContainerOf { name: name.clone(), claim, scales: microservice.scales };
        containers.insert(workload.clone(), container);
    }
    Ok(containers)
}
