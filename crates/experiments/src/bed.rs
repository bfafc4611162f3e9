//! Where the application runs that is experimented with.

use std::collections::BTreeMap;
use std::fmt;

use futures::future::BoxFuture;
use mora_core::{ResourceClaim, WorkloadRef};
use mora_kubernetes::ClusterError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Aspect, Bounds, Value};

/// Which bed, as the journal keeps it, so that restoring finds it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BedName {
    /// A cluster, by the context of the kubeconfig; `None` for the current one.
    Kubernetes {
        /// The context.
        context: Option<String>,
    },
    /// Processes, by the URL of their control API.
    Control(String),
}

impl fmt::Display for BedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubernetes { context: None } => f.write_str("the cluster of the current context"),
            Self::Kubernetes { context: Some(name) } => {
                write!(f, "the cluster of the context {name}")
            }
            Self::Control(url) => write!(f, "the processes controlled at {url}"),
        }
    }
}

/// How a workload is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadState {
    /// The workload.
    pub workload: WorkloadRef,
    /// Replicas it is to have.
    pub replicas: u32,
    /// Replicas that are ready.
    pub ready: u32,
    /// Whether exactly what it asks for runs and is ready.
    pub settled: bool,
    /// What its containers claim, by name.
    pub containers: BTreeMap<String, ResourceClaim>,
    /// The name and bounds of the autoscaler that sets its replicas.
    pub autoscaler: Option<(String, Bounds)>,
}

impl WorkloadState {
    /// What `aspect` is now; `None` where the workload has no such part.
    #[must_use]
    pub fn value(&self, aspect: &Aspect) -> Option<Value> {
        match aspect {
            Aspect::Replicas => Some(Value::Replicas(self.replicas)),
            Aspect::Claim(container) => self.containers.get(container).copied().map(Value::Claim),
            Aspect::Autoscaler(name) => {
                let (found, bounds) = self.autoscaler.as_ref()?;
                (found == name).then_some(Value::Autoscaler(*bounds))
            }
        }
    }
}

/// Why the bed did not do what it was asked.
#[derive(Debug, Error)]
pub enum BedError {
    /// The cluster did not.
    #[error("the cluster did not answer for {subject}")]
    Cluster {
        /// What it was about.
        subject: String,
        /// Why.
        #[source]
        source: Box<ClusterError>,
    },
    /// The control API cannot be reached or answers something else.
    #[error("the control API at {url} did not answer for {subject}; check that it runs")]
    Control {
        /// Its URL.
        url: String,
        /// What it was about.
        subject: String,
        /// Why.
        #[source]
        source: Box<reqwest::Error>,
    },
    /// The control API refuses.
    #[error("the control API at {url} refused {subject} (status {status}): {said}")]
    Refused {
        /// Its URL.
        url: String,
        /// What it was about.
        subject: String,
        /// HTTP status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// There is no such part.
    #[error("{workload} has no {aspect} that could be set")]
    NoSuchPart {
        /// The workload.
        workload: WorkloadRef,
        /// The part.
        aspect: Aspect,
    },
    /// An address is none.
    #[error("`{url}` is not the URL of a control API; use for example http://127.0.0.1:9000")]
    Url {
        /// The text.
        url: String,
    },
}

/// A place where workloads run and can be changed.
///
/// A change is asked for, not awaited: whether it is done shows in [`WorkloadState::settled`].
pub trait Bed: Send + Sync {
    /// Which bed this is.
    fn name(&self) -> BedName;

    /// Every workload of `namespace`, ordered.
    fn workloads<'a>(
        &'a self,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<WorkloadState>, BedError>>;

    /// How one workload is now; fails when it does not exist.
    fn workload<'a>(
        &'a self,
        workload: &'a WorkloadRef,
    ) -> BoxFuture<'a, Result<WorkloadState, BedError>>;

    /// Asks for `value` of `aspect`, which must be of the same sort.
    fn set<'a>(
        &'a self,
        workload: &'a WorkloadRef,
        aspect: &'a Aspect,
        value: &'a Value,
    ) -> BoxFuture<'a, Result<(), BedError>>;
}
