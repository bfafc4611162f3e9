//! What the configured cluster allows, and telling it of plans.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mora_core::{Bytes, Capacity, ClusterState, Millicores, Plan, PlanStatus, WorkloadRef};
use mora_kubernetes::{AskedFor, Cluster, ClusterError};
use mora_planning::CpuPath;
use mora_runtime::with_causes;
use tokio::time::timeout;

use crate::{CoordinatorConfig, Outcome, PlansConfig, RunError};

/// Longest wait until all Events, or a plan, are written.
const DEADLINE: Duration = Duration::from_mins(1);

/// What the configured cluster allows; all `None` where no cluster is configured.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// What it can give.
    pub capacity: Option<Capacity>,
    /// What else it allows, where the Kubernetes API was asked.
    pub state: Option<ClusterState>,
}

/// What the configured cluster allows the workloads in `managed`.
///
/// Fails when the Kubernetes API is to be asked and cannot be reached; a part of it that is closed is a warning
/// in the state.
pub async fn look(
    config: &CoordinatorConfig,
    managed: &BTreeSet<WorkloadRef>,
) -> Result<Allowed, RunError> {
    let connected = connect(config).await?;
    look_at(config, connected.as_ref().ok(), managed).await
}

/// The connection to the configured cluster, or why there is none.
pub(crate) type Connected = Result<Cluster, NotConnected>;

/// Why there is no connection to a cluster.
#[derive(Debug)]
pub(crate) enum NotConnected {
    /// No key asks for one.
    NotAsked,
    /// It is asked for, but a plan can be made without it.
    Failed(ClusterError),
}

/// Connects to the configured cluster, where any key asks for that.
///
/// Fails when a plan cannot be made without the cluster, and there is no usable configuration of it.
pub(crate) async fn connect(config: &CoordinatorConfig) -> Result<Connected, RunError> {
    let cluster = &config.cluster;
    if !cluster.kubernetes && cluster.plans.is_none() && cluster.policy.is_none() {
        return Ok(Err(NotConnected::NotAsked));
    }
    match Cluster::connect(cluster.context.as_deref()).await {
        Ok(connected) => Ok(Ok(connected)),
        Err(error) if cluster.kubernetes => Err(error.into()),
        Err(error) => Ok(Err(NotConnected::Failed(error))),
    }
}

/// What the `connected` cluster, or the configuration, allows the workloads in `managed`; fails as [`look`] does.
pub(crate) async fn look_at(
    config: &CoordinatorConfig,
    connected: Option<&Cluster>,
    managed: &BTreeSet<WorkloadRef>,
) -> Result<Allowed, RunError> {
    let (cluster, cap) = (&config.cluster, config.policy.cap.get());
    if let Some(connected) = connected.filter(|_| cluster.kubernetes) {
        let state = connected.state(managed).await?;
        return Ok(Allowed { capacity: state.capacity(cap), state: Some(state) });
    }
    let stated = cluster.cpu_allocatable.zip(cluster.memory_allocatable);
    let capacity = stated.map(|(cpu_allocatable, memory_allocatable)| Capacity {
        cpu_allocatable,
        memory_allocatable,
        cpu_unmanaged: Millicores::ZERO,
        memory_unmanaged: Bytes::ZERO,
        cap,
    });
    Ok(Allowed { capacity, state: None })
}

/// Writes the plan's violations as Events where that is configured; returns what went wrong, each a sentence.
pub(crate) async fn tell(
    config: &CoordinatorConfig,
    cluster: Option<&Cluster>,
    plan: &Plan,
    now: Timestamp,
) -> Vec<String> {
    let Some(cluster) = cluster.filter(|_| config.cluster.events) else { return Vec::new() };
    let telling = cluster.publish_events(&plan.violations, now);
    in_time(telling).await
}

/// Writes an Event for each workload that changes where that is configured, and the plan as an object where that is; what went
/// wrong becomes a warning of the plan, and a plan that is not written a degraded one.
pub(crate) async fn publish(config: &CoordinatorConfig, outcome: &mut Outcome) {
    let untold = match outcome.cluster.as_ref().filter(|_| config.cluster.events) {
        Some(cluster) => {
            let recommendations = &outcome.plan.recommendations;
            in_time(cluster.publish_changes(recommendations, outcome.evidence.now)).await
        }
        None => Vec::new(),
    };
    outcome.plan.warnings.extend(untold);
    let Some(plans) = &config.cluster.plans else { return };
    match write_plan(config, plans, outcome).await {
        Ok(warnings) => outcome.plan.warnings.extend(warnings),
        Err(reason) => {
            outcome.plan.warnings.push(format!("the plan is not in the cluster: {reason}"));
            outcome.plan.status = outcome.plan.status.max(PlanStatus::Degraded);
        }
    }
}

/// Writes the plan; returns what else the reader should know, or why it is not written.
async fn write_plan(
    config: &CoordinatorConfig,
    plans: &PlansConfig,
    outcome: &Outcome,
) -> Result<Vec<String>, String> {
    let cluster = outcome.cluster.as_ref().ok_or("there is no connection to it")?;
    let policy = &outcome.rules.policy;
    let asked = AskedFor {
        horizon_hours: config.horizon_hours,
        cpu_by_quantile: policy.cpu_path == CpuPath::Quantile,
        quantile: policy.quantile.get(),
        workloads: outcome.evidence.forecasts.keys().cloned().collect(),
    };
    let writing = cluster.publish_plan(&plans.namespace, &outcome.plan, &asked, plans.keep);
    let written = timeout(DEADLINE, writing)
        .await
        .map_err(|_| format!("writing it took longer than {DEADLINE:?}"))?
        .map_err(|error| with_causes(&error))?;
    tracing::info!("plan {} is in namespace {}", written.name, plans.namespace);
    Ok(written.warnings)
}

async fn in_time(telling: impl Future<Output = Vec<String>>) -> Vec<String> {
    timeout(DEADLINE, telling).await.unwrap_or_else(|_| {
        vec![format!("not all Events were written: it took longer than {DEADLINE:?}")]
    })
}
