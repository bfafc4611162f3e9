//! A Kubernetes cluster as a bed.

use futures::FutureExt;
use futures::future::BoxFuture;
use mora_core::WorkloadRef;
use mora_kubernetes::{AutoscalerBounds, Cluster, ClusterError, RunningWorkload};

use crate::{Aspect, Bed, BedError, BedName, Bounds, Value, WorkloadState};

/// The workloads of a cluster.
#[derive(Debug, Clone)]
pub struct KubernetesBed {
    cluster: Cluster,
    context: Option<String>,
}

impl KubernetesBed {
    /// The cluster of the kubeconfig's `context`; without one, of its current context or, in a pod, of the service
    /// account.
    ///
    /// Fails when there is no such configuration or it cannot be used.
    pub async fn connect(context: Option<&str>) -> Result<Self, ClusterError> {
        let cluster = Cluster::connect(context).await?;
        Ok(Self { cluster, context: context.map(str::to_owned) })
    }
}

impl Bed for KubernetesBed {
    fn name(&self) -> BedName {
        BedName::Kubernetes { context: self.context.clone() }
    }

    fn workloads<'a>(
        &'a self,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<WorkloadState>, BedError>> {
        async move {
            let running = self.cluster.running_workloads(namespace).await;
            Ok(running.map_err(of(namespace))?.into_iter().map(state).collect())
        }
        .boxed()
    }

    fn workload<'a>(
        &'a self,
        workload: &'a WorkloadRef,
    ) -> BoxFuture<'a, Result<WorkloadState, BedError>> {
        async move {
            let running = self.cluster.running_workload(workload).await;
            running.map(state).map_err(of(&workload.to_string()))
        }
        .boxed()
    }

    fn set<'a>(
        &'a self,
        workload: &'a WorkloadRef,
        aspect: &'a Aspect,
        value: &'a Value,
    ) -> BoxFuture<'a, Result<(), BedError>> {
        async move {
            let done = match (aspect, value) {
                (Aspect::Replicas, Value::Replicas(count)) => {
                    self.cluster.scale(workload, *count).await
                }
                (Aspect::Claim(container), Value::Claim(claim)) => {
                    self.cluster.set_claim(workload, container, claim).await
                }
                (Aspect::Autoscaler(name), Value::Autoscaler(Bounds { min, max })) => {
                    let bounds = AutoscalerBounds { name: name.clone(), min: *min, max: *max };
                    self.cluster.set_autoscaler_bounds(workload.namespace(), &bounds).await
                }
                _ => return Err(no_such_part(workload, aspect)),
            };
            done.map_err(of(&workload.to_string()))
        }
        .boxed()
    }
}

/// The error of a bed that has no `aspect` of the sort that was asked for.
pub(crate) fn no_such_part(workload: &WorkloadRef, aspect: &Aspect) -> BedError {
    BedError::NoSuchPart { workload: workload.clone(), aspect: aspect.clone() }
}

fn of(subject: &str) -> impl Fn(ClusterError) -> BedError {
    move |source| BedError::Cluster { subject: subject.to_owned(), source: Box::new(source) }
}

fn state(running: RunningWorkload) -> WorkloadState {
    WorkloadState {
        workload: running.workload,
        replicas: running.replicas,
        ready: running.ready,
        settled: running.settled,
        containers: running.containers,
        autoscaler: running
            .autoscaler
            .map(|AutoscalerBounds { name, min, max }| (name, Bounds { min, max })),
    }
}
