//! What is changed so that nothing but the target decides what is measured.

use mora_core::{Bytes, Millicores, ResourceClaim, WorkloadKind, WorkloadRef};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Aspect, Bounds, Change, Value, WorkloadState};

/// How workloads other than the target are over-provisioned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IsolationConfig {
    /// Replicas of the other Deployments are multiplied by this, at least 1, and rounded up. StatefulSets keep theirs: what
    /// holds state is not divided among more.
    pub replica_factor: f64,
    /// Limits of all other containers are multiplied by this, at least 1.
    pub limit_factor: f64,
    /// Most replicas that a Deployment is raised to.
    pub most_replicas: u32,
    /// Largest CPU limit that a container is raised to.
    pub most_cpu: Millicores,
    /// Largest memory limit that a container is raised to.
    pub most_memory: Bytes,
    /// Names of workloads of which there may be only one replica, because each holds state of its own.
    pub single: Vec<String>,
    /// Names of workloads that are scaled to nothing meanwhile, because they make load of their own.
    pub stopped: Vec<String>,
    /// Names of workloads that are left as they are.
    pub untouched: Vec<String>,
    /// Whether autoscalers of workloads whose replicas are changed are held at what is set; without it they keep the
    /// replicas of their workloads, and one on the target is an error.
    pub pause_autoscalers: bool,
}

impl Default for IsolationConfig {
    fn default() -> Self {
        Self {
            replica_factor: 2.0,
            limit_factor: 2.0,
            most_replicas: 4,
            most_cpu: Millicores::new(4000),
            most_memory: Bytes::from_mebibytes(4096),
            // A Deployment in the Online Boutique's manifests, but two of it would share out the carts.
            single: vec!["redis-cart".to_owned()],
            stopped: vec!["loadgenerator".to_owned()],
            untouched: Vec::new(),
            pause_autoscalers: false,
        }
    }
}

/// Why the target cannot be isolated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IsolationError {
    /// There is no such workload.
    #[error("{target} does not run there; its namespace has {}", if found.is_empty() { "no workload" } else { found })]
    NoTarget {
        /// The target.
        target: WorkloadRef,
        /// What is there instead.
        found: String,
    },
    /// The target has no replicas to set.
    #[error(
        "{0} has one pod per node, so that its replicas cannot be set; choose a Deployment or StatefulSet"
    )]
    DaemonSet(WorkloadRef),
    /// An autoscaler would undo every change of the target's replicas.
    #[error(
        "the HorizontalPodAutoscaler {autoscaler} sets the replicas of {target}; remove it for the time, or let it be held with --pause-autoscalers (key isolation.pause_autoscalers)"
    )]
    Autoscaled {
        /// The target.
        target: WorkloadRef,
        /// Its autoscaler.
        autoscaler: String,
    },
}

/// What is changed before the first cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Isolation {
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// What was left out and why, each a sentence.
    pub notes: Vec<String>,
}

/// What isolates `target` among `states`, the workloads of its namespace.
///
/// Fails when the target is not there or its replicas cannot be set.
pub fn isolate(
    states: &[WorkloadState],
    target: &WorkloadRef,
    config: &IsolationConfig,
) -> Result<Isolation, IsolationError> {
    let found = states.iter().find(|state| state.workload == *target).ok_or_else(|| {
        let names: Vec<String> = states.iter().map(|s| s.workload.to_string()).collect();
        IsolationError::NoTarget { target: target.clone(), found: names.join(", ") }
    })?;
    if target.kind() == WorkloadKind::DaemonSet {
        return Err(IsolationError::DaemonSet(target.clone()));
    }
    if let (Some((name, _)), false) = (&found.autoscaler, config.pause_autoscalers) {
        let (target, autoscaler) = (target.clone(), name.clone());
        return Err(IsolationError::Autoscaled { target, autoscaler });
    }
    let mut isolation = Isolation::default();
    for state in states.iter().filter(|state| state.workload != *target) {
        isolation.add(state, config);
    }
    Ok(isolation)
}

/// The changes that give the workload of `state` exactly `replicas`; none where it has them.
#[must_use]
pub(crate) fn scaling(state: &WorkloadState, replicas: u32) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |aspect, before, after| {
        if before != after {
            changes.push(Change { workload: state.workload.clone(), aspect, before, after });
        }
    };
    // An autoscaler cannot be held at zero; with none to start from it rests.
    if let (Some((name, bounds)), 1..) = (&state.autoscaler, replicas) {
        let held = Bounds { min: replicas, max: replicas };
        add(Aspect::Autoscaler(name.clone()), Value::Autoscaler(*bounds), Value::Autoscaler(held));
    }
    add(Aspect::Replicas, Value::Replicas(state.replicas), Value::Replicas(replicas));
    changes
}

impl Isolation {
    fn add(&mut self, state: &WorkloadState, config: &IsolationConfig) {
        let named = |list: &[String]| list.iter().any(|name| name == state.workload.name());
        if named(&config.untouched) || state.replicas == 0 {
            return;
        }
        if named(&config.stopped) {
            self.changes.extend(scaling(state, 0));
            return;
        }
        self.add_limits(state, config);
        if state.workload.kind() == WorkloadKind::Deployment && !named(&config.single) {
            self.add_replicas(state, config);
        }
    }

    fn add_limits(&mut self, state: &WorkloadState, config: &IsolationConfig) {
        for (container, claim) in &state.containers {
            let raised = raised(claim, config);
            if raised != *claim {
                self.changes.push(Change {
                    workload: state.workload.clone(),
                    aspect: Aspect::Claim(container.clone()),
                    before: Value::Claim(*claim),
                    after: Value::Claim(raised),
                });
            }
        }
    }

    fn add_replicas(&mut self, state: &WorkloadState, config: &IsolationConfig) {
        let wanted = (f64::from(state.replicas) * config.replica_factor.max(1.0)).ceil() as u32;
        let wanted = wanted.min(config.most_replicas).max(state.replicas);
        if wanted == state.replicas {
            return;
        }
        match &state.autoscaler {
            Some((name, _)) if !config.pause_autoscalers => self.notes.push(format!(
                "{} keeps its replicas: its autoscaler {name} is not held",
                state.workload
            )),
            _ => self.changes.extend(scaling(state, wanted)),
        }
    }
}

/// `claim` with higher limits; requests stay, so that everything still fits where it was scheduled.
fn raised(claim: &ResourceClaim, config: &IsolationConfig) -> ResourceClaim {
    let factor = config.limit_factor.max(1.0);
    ResourceClaim {
        cpu_limit: claim.cpu_limit.map(|now| now.scaled(factor).min(config.most_cpu).max(now)),
        memory_limit: claim
            .memory_limit
            .map(|now| now.scaled(factor).min(config.most_memory).max(now)),
        ..*claim
    }
}

#[cfg(test)]
mod tests;
