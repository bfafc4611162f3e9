//! Where each workload's model-worker listens.

use std::collections::BTreeMap;

use mora_core::WorkloadRef;
use serde::{Deserialize, Serialize};

/// The addresses of model-workers: a list, and a pattern for every workload that is not on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerEndpoints {
    /// Addresses (`http://host:port`) by workload (`namespace/name` or `namespace/Kind/name`).
    pub endpoints: BTreeMap<WorkloadRef, String>,
    /// Address of every other workload, where `{namespace}`, `{name}` and `{kind}` (lower case) are
    /// replaced, as in `http://mora-worker-{name}.mora:50061`; absent for none.
    pub endpoint_pattern: Option<String>,
}

impl WorkerEndpoints {
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
        };
        assert_eq!(workers.resolve(&cart).as_deref(), Some("http://10.0.0.1:1"));
        assert_eq!(workers.resolve(&redis).as_deref(), Some("http://statefulset-redis.shop:2"));
        assert_eq!(WorkerEndpoints::default().resolve(&cart), None);
    }
}
