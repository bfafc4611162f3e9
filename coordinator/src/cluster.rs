//! What the configured cluster allows, and telling it of violations.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mora_core::{Bytes, Capacity, ClusterState, Millicores, Plan, WorkloadRef};
use mora_kubernetes::Cluster;
use tokio::time::timeout;

use crate::{CoordinatorConfig, RunError};

/// Longest wait until all Events are written.
const EVENTS_DEADLINE: Duration = Duration::from_mins(1);

/// What the configured cluster allows; all `None` where no cluster is configured.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// What it can give.
    pub capacity: Option<Capacity>,
    /// What else it allows, where the Kubernetes API was asked.
    pub state: Option<ClusterState>,
    /// The connection, where there is one.
    pub cluster: Option<Cluster>,
}

/// What the configured cluster allows the workloads in `managed`.
///
/// Fails when the Kubernetes API is to be asked and cannot be reached; a part of it that is closed is a warning
/// in the state.
pub async fn look(
    config: &CoordinatorConfig,
    managed: &BTreeSet<WorkloadRef>,
) -> Result<Allowed, RunError> {
    let (cluster, cap) = (&config.cluster, config.policy.cap.get());
    if cluster.kubernetes {
        let connected = Cluster::connect(cluster.context.as_deref()).await?;
        let state = connected.state(managed).await?;
        let capacity = state.capacity(cap);
        return Ok(Allowed { capacity, state: Some(state), cluster: Some(connected) });
    }
    let stated = cluster.cpu_allocatable.zip(cluster.memory_allocatable);
    let capacity = stated.map(|(cpu_allocatable, memory_allocatable)| Capacity {
        cpu_allocatable,
        memory_allocatable,
        cpu_unmanaged: Millicores::ZERO,
        memory_unmanaged: Bytes::ZERO,
        cap,
    });
    Ok(Allowed { capacity, ..Allowed::default() })
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
    timeout(EVENTS_DEADLINE, telling).await.unwrap_or_else(|_| {
        vec![format!("not all Events were written: it took longer than {EVENTS_DEADLINE:?}")]
    })
}
