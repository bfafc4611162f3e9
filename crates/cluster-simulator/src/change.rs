//! What a controller can ask of a cluster.

use mora_core::{ResourceClaim, WorkloadRef};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One change, as a controller asks the Kubernetes API for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// The claim of every running pod, in place; pods that start later get it too.
    Resize {
        /// The workload.
        workload: WorkloadRef,
        /// What each pod is to claim.
        claim: ResourceClaim,
    },
    /// The claim in the pod template: pods are replaced, one more at a time.
    RollOut {
        /// The workload.
        workload: WorkloadRef,
        /// What each pod is to claim.
        claim: ResourceClaim,
    },
    /// The number of replicas.
    Scale {
        /// The workload.
        workload: WorkloadRef,
        /// Replicas, at least 1.
        replicas: u32,
    },
}

/// Why a change is refused, as the API would refuse it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// No such workload.
    #[error("there is no workload `{0}`")]
    Unknown(WorkloadRef),
    /// A request above its limit.
    #[error("the {resource} request of `{workload}` is above its limit")]
    AboveLimit {
        /// The workload.
        workload: WorkloadRef,
        /// `CPU` or `memory`.
        resource: &'static str,
    },
    /// More than one replica of something that cannot be scaled, or none.
    #[error("`{workload}` cannot have {replicas} replicas")]
    Replicas {
        /// The workload.
        workload: WorkloadRef,
        /// As many were asked for.
        replicas: u32,
    },
}
