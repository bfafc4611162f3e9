//! What the API says about one workload.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::api::ObjectMeta;
use mora_core::{ResourceClaim, WorkloadKind, WorkloadRef};

use crate::requests::Reader;

/// The end of an environment variable's name that says whom a container calls.
const ADDRESS: &str = "_ADDR";

/// A workload as the cluster has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedWorkload {
    /// The workload.
    pub workload: WorkloadRef,
    /// Replicas it is to have.
    pub replicas: u32,
    /// What its containers claim, by name; init containers are left out.
    pub containers: BTreeMap<String, ResourceClaim>,
    /// Hosts it calls, from environment variables that end in `_ADDR`, sorted; names of Services.
    pub callee_hosts: Vec<String>,
    /// The value of its PriorityClass; `None` where it has none or it may not be read.
    pub priority: Option<i32>,
    /// What could not be read, each a sentence.
    pub warnings: Vec<String>,
}

/// The part of a workload that all kinds have.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    kind: WorkloadKind,
    metadata: ObjectMeta,
    replicas: i32,
    spec: Option<PodSpec>,
}

impl From<Deployment> for Described {
    fn from(object: Deployment) -> Self {
        let replicas = object.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
        let spec = object.spec.and_then(|s| s.template.spec);
        Self { kind: WorkloadKind::Deployment, metadata: object.metadata, replicas, spec }
    }
}

impl From<StatefulSet> for Described {
    fn from(object: StatefulSet) -> Self {
        let replicas = object.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
        let spec = object.spec.and_then(|s| s.template.spec);
        Self { kind: WorkloadKind::StatefulSet, metadata: object.metadata, replicas, spec }
    }
}

impl From<DaemonSet> for Described {
    fn from(object: DaemonSet) -> Self {
        let replicas = object.status.map_or(0, |s| s.desired_number_scheduled);
        let spec = object.spec.and_then(|s| s.template.spec);
        Self { kind: WorkloadKind::DaemonSet, metadata: object.metadata, replicas, spec }
    }
}

impl Described {
    /// Whether it names a PriorityClass.
    pub(crate) fn has_priority_class(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.priority_class_name.is_some())
    }

    /// The workload, with its priority taken from `classes`; `None` without a valid name.
    pub(crate) fn observe(self, classes: &[PriorityClass]) -> Option<ObservedWorkload> {
        let namespace = self.metadata.namespace.as_deref()?;
        let workload =
            WorkloadRef::new(namespace, self.kind, self.metadata.name.as_deref()?).ok()?;
        let spec = self.spec.unwrap_or_default();
        let mut reader = Reader::new(workload.to_string());
        let containers = spec
            .containers
            .iter()
            .map(|c| (c.name.clone(), reader.claim(c.resources.as_ref())))
            .collect();
        Some(ObservedWorkload {
            replicas: u32::try_from(self.replicas).unwrap_or(0),
            containers,
            callee_hosts: callee_hosts(&spec),
            priority: priority(&spec, classes),
            warnings: reader.warnings,
            workload,
        })
    }
}

fn priority(spec: &PodSpec, classes: &[PriorityClass]) -> Option<i32> {
    let name = spec.priority_class_name.as_deref()?;
    classes.iter().find(|class| class.metadata.name.as_deref() == Some(name)).map(|c| c.value)
}

fn callee_hosts(spec: &PodSpec) -> Vec<String> {
    let variables = spec.containers.iter().flat_map(|container| container.env.iter().flatten());
    let mut hosts: Vec<String> = variables
        .filter(|variable| variable.name.ends_with(ADDRESS))
        .filter_map(|variable| host(variable.value.as_deref()?))
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The host of `scheme://host:port/path`, of which only the host must be there.
fn host(address: &str) -> Option<String> {
    let authority = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = authority.split(['/', ':']).next()?.trim();
    (!host.is_empty()).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::Millicores;
    use serde_json::json;

    fn frontend() -> Described {
        let deployment: Deployment = serde_json::from_value(json!({
            "metadata": {"namespace": "shop", "name": "frontend"},
            "spec": {
                "selector": {},
                "replicas": 3,
                "template": {"spec": {
                    "priorityClassName": "critical",
                    "containers": [{
                        "name": "server",
                        "resources": {"requests": {"cpu": "100m", "memory": "much"}},
                        "env": [
                            {"name": "CART_SERVICE_ADDR", "value": "cartservice:7070"},
                            {"name": "AD_ADDR", "value": "http://adservice.shop.svc:80/ads"},
                            {"name": "CACHE_ADDR", "value": ":6379"},
                            {"name": "SECRET_ADDR", "valueFrom": {}},
                            {"name": "PORT", "value": "8080"},
                        ],
                    }],
                }},
            },
        }))
        .unwrap();
        deployment.into()
    }

    #[test]
    fn a_workload_tells_what_it_claims_and_whom_it_calls() {
        let class: PriorityClass =
            serde_json::from_value(json!({"metadata": {"name": "critical"}, "value": 1000}))
                .unwrap();
        let observed = frontend().observe(&[class]).unwrap();
        assert_eq!(observed.workload, "shop/frontend".parse().unwrap());
        assert_eq!((observed.replicas, observed.priority), (3, Some(1000)));
        assert_eq!(observed.containers["server"].cpu_request, Some(Millicores::new(100)));
        assert_eq!(observed.callee_hosts, ["adservice.shop.svc", "cartservice"]);
    }

    #[test]
    fn an_unreadable_request_is_a_warning_and_the_rest_is_kept() {
        let observed = frontend().observe(&[]).unwrap();
        assert_eq!(observed.containers["server"].memory_request, None);
        assert_eq!(observed.priority, None);
        assert!(observed.warnings[0].contains("memory of shop/Deployment/frontend"));
    }

    #[test]
    fn a_daemon_set_has_as_many_replicas_as_nodes_want_it() {
        let set: DaemonSet = serde_json::from_value(json!({
            "metadata": {"namespace": "logs", "name": "agent"},
            "status": {"currentNumberScheduled": 3, "desiredNumberScheduled": 4, "numberMisscheduled": 0, "numberReady": 2},
        }))
        .unwrap();
        assert_eq!(Described::from(set).observe(&[]).unwrap().replicas, 4);
    }
}
