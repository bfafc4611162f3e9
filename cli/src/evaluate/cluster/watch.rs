//! What the workloads of a namespace hold, looked at again and again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use mora_core::{Bytes, Millicores, ResourceClaim, WorkloadRef};
use mora_evaluation::{ContainerOf, Held, Holding};
use mora_kubernetes::{Cluster, ClusterError, PodContainer, PodState};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::progress::say;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Replicas that are asked for are looked at every so many looks.
const REPLICAS: u32 = 3;

/// What was seen so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) held: Vec<Held>,
    /// Whose pods there were, by name.
    pub(super) owners: BTreeMap<String, WorkloadRef>,
    pub(super) containers: BTreeMap<WorkloadRef, ContainerOf>,
    replicas: BTreeMap<WorkloadRef, u32>,
}

/// Looks at the workloads of a namespace.
pub(super) struct Watch<'a> {
    cluster: &'a Cluster,
    namespace: &'a str,
    seen: Mutex<Seen>,
}

impl<'a> Watch<'a> {
    /// A watch over the workloads of `containers`, which also say what may be scaled.
    pub(super) fn new(
        cluster: &'a Cluster,
        namespace: &'a str,
        containers: BTreeMap<WorkloadRef, ContainerOf>,
    ) -> Self {
        let seen = Mutex::new(Seen { containers, ..Seen::default() });
        Self { cluster, namespace, seen }
    }

    /// Everything seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.locked().clone()
    }

    /// Looks until it is told to stop; a look that fails is told and left out.
    pub(super) async fn keep_looking(&self, stop: &CancellationToken) {
        let mut pace = tokio::time::interval(PAUSE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for count in 0.. {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = pace.tick() => {}
            }
            if let Err(error) = self.look(count % REPLICAS == 0).await {
                say(&format!("a look at the pods failed: {error}"));
            }
        }
    }

    /// Looks once, also at what is asked for if `replicas`.
    pub(super) async fn look(&self, replicas: bool) -> Result<(), ClusterError> {
        let asked = if replicas {
            Some(self.cluster.running_workloads(self.namespace).await?)
        } else {
            None
        };
        let pods = self.cluster.pods_in(self.namespace).await?;
        let at = Timestamp::now();
        let mut seen = self.locked();
        for one in asked.into_iter().flatten() {
            seen.replicas.insert(one.workload, one.replicas);
        }
        let workloads: Vec<WorkloadRef> = seen.containers.keys().cloned().collect();
        let mut held = Held { at, workloads: BTreeMap::new() };
        for workload in workloads {
            let pods = pods.get(&workload).map(Vec::as_slice).unwrap_or_default();
            let replicas = seen.replicas.get(&workload).copied().unwrap_or(0);
            for pod in pods {
                seen.owners.insert(pod.name.clone(), workload.clone());
            }
            let container = seen.containers.get_mut(&workload);
            held.workloads.insert(workload, holding(pods, replicas, container));
        }
        seen.held.push(held);
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `pods` hold; the claim of the newest look goes into `container`.
fn holding(pods: &[PodState], replicas: u32, container: Option<&mut ContainerOf>) -> Holding {
    let placed: Vec<&PodState> = pods.iter().filter(|pod| pod.placed).collect();
    let claims: Vec<ResourceClaim> =
        placed.iter().flat_map(|pod| &pod.containers).map(in_force).collect();
    let cpu = claims.iter().filter_map(|claim| claim.cpu_request).map(Millicores::cores).sum();
    let memory = claims.iter().filter_map(|claim| claim.memory_request);
    if let Some(container) = container {
        let runs = pods.iter().find(|pod| pod.runs);
        let claim = runs.and_then(|pod| pod.container(&container.name)).map(in_force);
        container.claim = claim.unwrap_or(container.claim);
    }
    Holding {
        replicas,
        pods: placed.len() as u32,
        ready: placed.iter().filter(|pod| pod.ready && pod.runs).count() as u32,
        cpu,
        memory: memory.map(|bytes| bytes.get() as f64).sum(),
    }
}

/// What a container claims, as the kubelet says; as its pod states where it says nothing.
fn in_force(container: &PodContainer) -> ResourceClaim {
    let stated = container.actual.as_ref().filter(|actual| actual["requests"].is_object());
    let resources = stated.unwrap_or(&container.resources);
    ResourceClaim {
        cpu_request: quantity::<Millicores>(&resources["requests"]["cpu"]),
        cpu_limit: quantity::<Millicores>(&resources["limits"]["cpu"]),
        memory_request: quantity::<Bytes>(&resources["requests"]["memory"]),
        memory_limit: quantity::<Bytes>(&resources["limits"]["memory"]),
    }
}

fn quantity<Q: std::str::FromStr>(value: &Value) -> Option<Q> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mora_kubernetes::Resizing;
    use serde_json::json;

    use super::*;

    fn pod(name: &str, cpu: &str, (placed, ready): (bool, bool)) -> PodState {
        let resources = json!({"requests": {"cpu": "1", "memory": "64Mi"}});
        PodState {
            name: name.to_owned(),
            uid: name.to_owned(),
            resource_version: String::new(),
            runs: placed,
            ready,
            placed,
            whole: false,
            containers: vec![PodContainer {
                name: "server".to_owned(),
                resources,
                actual: Some(json!({"requests": {"cpu": cpu, "memory": "32Mi"}})),
                allocated: None,
                restarts_for: BTreeSet::new(),
                restarts: 0,
            }],
            init_resources: Vec::new(),
            resizing: Resizing::None,
            observed: None,
        }
    }

    #[test]
    fn what_is_in_force_counts_and_pods_without_a_place_hold_nothing() {
        let pods = [
            pod("a", "100m", (true, true)),
            pod("b", "200m", (true, false)),
            pod("c", "1", (false, false)),
        ];
        let mut container = ContainerOf {
            name: "server".to_owned(),
            claim: ResourceClaim::default(),
            scales: true,
        };
        let held = holding(&pods, 3, Some(&mut container));
        assert_eq!((held.replicas, held.pods, held.ready), (3, 2, 1));
        assert!((held.cpu - 0.3).abs() < 1e-9);
        assert!((held.memory - 64.0 * 1_048_576.0).abs() < 1.0);
        assert_eq!(container.claim.cpu_request, Some(Millicores::new(100)));
    }
}
