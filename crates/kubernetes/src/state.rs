//! Everything a plan has to know of a cluster, read at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{LimitRange, Node, Pod, ResourceQuota};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Resource;
use mora_core::{ClusterState, Deployed, WorkloadRef};
use serde::de::DeserializeOwned;

use crate::autoscalers::autoscalers;
use crate::list::{list_all, list_namespaced};
use crate::nodes::{Unmanaged, rooms};
use crate::observed::Described;
use crate::quotas::{limit_ranges, quotas};
use crate::{Cluster, ClusterError, ObservedWorkload};

/// Namespaces asked for one by one; more of them are read with a listing of all.
const FEW: usize = 16;

impl Cluster {
    /// What the cluster allows the workloads in `managed`, which a plan is about.
    ///
    /// What one missing permission, a failure that lasts or an answer that cannot be read closes is left out
    /// and named in the state's warnings, with what follows from that. Fails when the API cannot be reached or does
    /// not accept the credentials.
    pub async fn state(
        &self,
        managed: &BTreeSet<WorkloadRef>,
    ) -> Result<ClusterState, ClusterError> {
        let namespaces = namespaces(managed);
        let (nodes, pods, quota_objects, ranges, scalers, deployments, sets, daemons) = tokio::join!(
            // Eight listings in one future would take 16 KiB of every future around it.
            Box::pin(list_all::<Node>(&self.client)),
            Box::pin(list_all::<Pod>(&self.client)),
            Box::pin(self.of::<ResourceQuota>(&namespaces)),
            Box::pin(self.of::<LimitRange>(&namespaces)),
            Box::pin(self.of::<HorizontalPodAutoscaler>(&namespaces)),
            Box::pin(self.described::<Deployment>(&namespaces)),
            Box::pin(self.described::<StatefulSet>(&namespaces)),
            Box::pin(self.described::<DaemonSet>(&namespaces)),
        );
        let mut reading = Reading::default();
        let nodes = reading.part(nodes, "the plan knows no capacity")?;
        let consequence = "what pods outside the plan hold is not known, so it knows no capacity";
        let pods = reading.part(pods, consequence)?;
        let quota_objects = reading.part(quota_objects, "no ResourceQuota is looked at")?;
        let ranges = reading.part(ranges, "no LimitRange is looked at")?;
        let scalers = reading.part(scalers, "no HorizontalPodAutoscaler is looked at")?;
        let mut described = Vec::new();
        for (kind, answer) in
            [("Deployment", deployments), ("StatefulSet", sets), ("DaemonSet", daemons)]
        {
            let consequence = format!("the PriorityClass of no {kind} is looked at");
            described.extend(reading.part(answer, &consequence)?.unwrap_or_default());
        }
        let classes = self.priority_classes(&described).await;
        let classes = reading.part(classes, "no PriorityClass is looked at")?.unwrap_or_default();
        let unmanaged = Unmanaged::of(pods.as_deref().unwrap_or_default(), managed);
        let rooms = nodes.filter(|_| pods.is_some()).map(|nodes| rooms(&nodes, &unmanaged));
        let state = ClusterState {
            nodes: rooms.map(|rooms| reading.noted(rooms)),
            quotas: reading.noted(quotas(&quota_objects.unwrap_or_default(), &unmanaged)),
            limit_ranges: reading.noted(limit_ranges(&ranges.unwrap_or_default())),
            autoscalers: autoscalers(&scalers.unwrap_or_default()),
            workloads: reading.deployed(described, &classes),
            warnings: Vec::new(),
        };
        reading.warnings.extend(unmanaged.warnings);
        Ok(ClusterState { warnings: reading.warnings, ..state })
    }

    async fn of<K>(&self, namespaces: &[String]) -> Result<Vec<K>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug,
    {
        list_namespaced(&self.client, namespaces).await
    }
}

/// The namespaces of `managed`; none for all, where they are many.
fn namespaces(managed: &BTreeSet<WorkloadRef>) -> Vec<String> {
    let names: BTreeSet<&str> = managed.iter().map(WorkloadRef::namespace).collect();
    if names.len() > FEW { Vec::new() } else { names.into_iter().map(str::to_owned).collect() }
}

/// What could not be read so far, each a sentence.
#[derive(Default)]
struct Reading {
    warnings: Vec<String>,
}

impl Reading {
    /// One part; `None` where only that part is closed, which is noted with its `consequence`.
    fn part<T>(
        &mut self,
        answer: Result<T, ClusterError>,
        consequence: &str,
    ) -> Result<Option<T>, ClusterError> {
        match answer {
            Ok(part) => Ok(Some(part)),
            Err(error) if error.is_of_one_part() => {
                self.warnings.push(format!("{consequence}: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn noted<T>(&mut self, (part, warnings): (T, Vec<String>)) -> T {
        self.warnings.extend(warnings);
        part
    }

    fn deployed(
        &mut self,
        described: Vec<Described>,
        classes: &[PriorityClass],
    ) -> BTreeMap<WorkloadRef, Deployed> {
        let mut workloads = BTreeMap::new();
        for one in described.into_iter().filter_map(|one| one.observe(classes)) {
            let ObservedWorkload {
                workload,
                replicas,
                containers,
                callee_hosts,
                priority,
                warnings,
            } = one;
            self.warnings.extend(warnings);
            workloads.insert(workload, Deployed { replicas, containers, priority, callee_hosts });
        }
        workloads
    }
}

#[cfg(test)]
mod tests;
