//! Where each workload's model-worker listens.

use std::collections::BTreeMap;

use mora_core::WorkloadRef;
use serde::{Deserialize, Serialize};

/// The addresses of model-workers: a list, a pattern for every workload that is not on it, and where to look for others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerEndpoints {
    /// Addresses (`http://host:port`) by workload (`namespace/name` or `namespace/Kind/name`).
    pub endpoints: BTreeMap<WorkloadRef, String>,
    /// Address of every other workload, where `{namespace}`, `{name}` and `{kind}` (lower case) are
    /// replaced, as in `http://mora-worker-{name}.mora:50061`; absent for none.
    pub endpoint_pattern: Option<String>,
    /// Where to look for workers of workloads that neither the list nor the pattern gives an address.
    pub discovery: WorkerDiscovery,
}

/// Where workers are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerDiscovery {
    /// Services of the Kubernetes API; absent for none.
    pub services: Option<ServiceDiscovery>,
    /// Names with a port (`mora-workers.mora.svc:50061`), such as a headless Service's, of which every address is a worker
    /// that says which workload it serves.
    pub headless: Vec<String>,
}

/// Which Services stand before workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceDiscovery {
    /// The labels they have, as `kubectl get services --selector` takes them.
    pub selector: String,
    /// Their namespaces; empty means all.
    pub namespaces: Vec<String>,
    /// Context of the kubeconfig; absent means the current one, or the pod's own service account.
    pub context: Option<String>,
}

impl Default for ServiceDiscovery {
    fn default() -> Self {
        let selector = "app.kubernetes.io/name=mora-model-worker".to_owned();
        Self { selector, namespaces: Vec::new(), context: None }
    }
}

impl WorkerDiscovery {
    /// Whether workers are looked for anywhere.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.services.is_some() || !self.headless.is_empty()
    }
}

impl WorkerEndpoints {
    /// Whether it names workers by itself, where a pattern only answers for workloads known from elsewhere.
    #[must_use]
    pub fn names_workers(&self) -> bool {
        !self.endpoints.is_empty() || self.discovery.is_on()
    }

    /// The address of the worker of `workload`; `None` where neither the list nor the pattern gives one.
    #[must_use]
    pub fn resolve(&self, workload: &WorkloadRef) -> Option<String> {
        let listed = self.endpoints.get(workload).cloned();
        listed.or_else(|| {
            let pattern = self.endpoint_pattern.as_ref()?;
            let kind = workload.kind().as_str().to_lowercase();
            Some(
                pattern
                    .replace("{namespace}", workload.namespace())
                    .replace("{name}", workload.name())
                    .replace("{kind}", &kind),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_goes_before_the_pattern() {
        let cart: WorkloadRef = "shop/cart".parse().unwrap();
        let redis: WorkloadRef = "shop/StatefulSet/redis".parse().unwrap();
        let workers = WorkerEndpoints {
            endpoints: [(cart.clone(), "http://10.0.0.1:1".to_owned())].into(),
            endpoint_pattern: Some("http://{kind}-{name}.{namespace}:2".to_owned()),
            ..WorkerEndpoints::default()
        };
        assert_eq!(workers.resolve(&cart).as_deref(), Some("http://10.0.0.1:1"));
        assert_eq!(workers.resolve(&redis).as_deref(), Some("http://statefulset-redis.shop:2"));
        assert_eq!(WorkerEndpoints::default().resolve(&cart), None);
    }
}
