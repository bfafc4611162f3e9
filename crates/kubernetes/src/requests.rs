//! Quantities of containers, pods and nodes; one that cannot be read is a warning, not a failure.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use mora_core::{Amount, Millicores, ResourceClaim, Stated};

type Quantities = BTreeMap<String, Quantity>;

/// Either what containers request or what they are limited to.
type Side = fn(&ResourceRequirements) -> Option<&Quantities>;

/// Reads quantities of one object and remembers those it could not.
#[derive(Debug)]
pub(crate) struct Reader {
    object: String,
    pub(crate) warnings: Vec<String>,
}

impl Reader {
    /// A reader of `object`, which names it in warnings.
    pub(crate) fn new(object: String) -> Self {
        Self { object, warnings: Vec::new() }
    }

    /// CPU and memory of `quantities`; 0 where one is not stated or not readable.
    pub(crate) fn amount(&mut self, quantities: Option<&Quantities>) -> Amount {
        Amount {
            cpu: self.quantity(quantities, "cpu").unwrap_or_default(),
            memory: self.quantity(quantities, "memory").unwrap_or_default(),
        }
    }

    /// What a container requests and is limited to; `None` where not stated or not readable.
    pub(crate) fn claim(&mut self, resources: Option<&ResourceRequirements>) -> ResourceClaim {
        let requests = resources.and_then(|r| r.requests.as_ref());
        let limits = resources.and_then(|r| r.limits.as_ref());
        ResourceClaim {
            cpu_request: self.quantity(requests, "cpu"),
            cpu_limit: self.quantity(limits, "cpu"),
            memory_request: self.quantity(requests, "memory"),
            memory_limit: self.quantity(limits, "memory"),
        }
    }

    /// CPU and memory of `quantities` under the keys that begin with `prefix`, where stated and readable.
    pub(crate) fn stated(&mut self, quantities: Option<&Quantities>, prefix: &str) -> Stated {
        Stated {
            cpu: self.quantity(quantities, &format!("{prefix}cpu")),
            memory: self.quantity(quantities, &format!("{prefix}memory")),
        }
    }

    /// The number of `quantities` under `key`, rounded up to thousandths; `None` where not stated or not readable.
    pub(crate) fn number(&mut self, quantities: Option<&Quantities>, key: &str) -> Option<f64> {
        self.quantity(quantities, key).map(Millicores::cores)
    }

    /// What the scheduler reserves for a pod: what it requests as a whole, and where it states none,
    /// its containers and sidecars together, or an init container with the sidecars before it where
    /// that is more; and the overhead of its runtime.
    pub(crate) fn pod(&mut self, spec: &PodSpec) -> Amount {
        let reserved = self.all_of(spec, |resources| resources.requests.as_ref());
        reserved.plus(self.amount(spec.overhead.as_ref()))
    }

    /// What a pod is limited to, put together in the same way; 0 for what has no limit.
    pub(crate) fn pod_limits(&mut self, spec: &PodSpec) -> Amount {
        self.all_of(spec, |resources| resources.limits.as_ref())
    }

    fn all_of(&mut self, spec: &PodSpec, side: Side) -> Amount {
        let mut sidecars = Amount::default();
        let mut starting = Amount::default();
        for container in spec.init_containers.iter().flatten() {
            let amount = self.container(container, side);
            if container.restart_policy.as_deref() == Some("Always") {
                sidecars = sidecars.plus(amount);
                starting = starting.max(sidecars);
            } else {
                starting = starting.max(sidecars.plus(amount));
            }
        }
        let running =
            spec.containers.iter().fold(sidecars, |sum, c| sum.plus(self.container(c, side)));
        let parts = running.max(starting);
        let whole = spec.resources.as_ref().and_then(side);
        Amount {
            cpu: self.quantity(whole, "cpu").unwrap_or(parts.cpu),
            memory: self.quantity(whole, "memory").unwrap_or(parts.memory),
        }
    }

    fn container(&mut self, container: &Container, side: Side) -> Amount {
        self.amount(container.resources.as_ref().and_then(side))
    }

    fn quantity<Q: FromStr<Err: Display>>(
        &mut self,
        quantities: Option<&Quantities>,
        resource: &str,
    ) -> Option<Q> {
        let text = &quantities?.get(resource)?.0;
        text.parse()
            .inspect_err(|error: &Q::Err| {
                self.warnings.push(format!("{} of {} is ignored: {error}", resource, self.object));
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::Bytes;
    use serde_json::json;

    fn spec(value: &serde_json::Value) -> PodSpec {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn container(name: &str, cpu: &str, memory: &str) -> serde_json::Value {
        json!({"name": name, "resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    fn sidecar(name: &str, cpu: &str, memory: &str) -> serde_json::Value {
        let mut value = container(name, cpu, memory);
        value["restartPolicy"] = json!("Always");
        value
    }

    #[test]
    fn a_pod_reserves_its_containers_and_sidecars_or_its_largest_start() {
        let mut reader = Reader::new("pod shop/cart".to_owned());
        let amount = reader.pod(&spec(&json!({
            "containers": [container("a", "100m", "64Mi"), container("b", "0.2", "64Mi")],
            "initContainers": [
                sidecar("proxy", "50m", "32Mi"),
                container("migrate", "1", "16Mi"),
            ],
            "overhead": {"cpu": "10m"},
        })));
        assert_eq!(amount.cpu, Millicores::new(1060), "migrate beside the proxy, and overhead");
        assert_eq!(amount.memory, Bytes::from_mebibytes(160), "all that runs");
    }

    #[test]
    fn a_request_of_the_whole_pod_stands_before_those_of_its_containers() {
        let mut reader = Reader::new("pod shop/cart".to_owned());
        let amount = reader.pod(&spec(&json!({
            "resources": {"requests": {"cpu": "1"}},
            "containers": [container("a", "100m", "64Mi"), {"name": "b"}],
            "overhead": {"cpu": "10m"},
        })));
        assert_eq!(amount.cpu, Millicores::new(1010));
        assert_eq!(amount.memory, Bytes::from_mebibytes(64), "stated by containers alone");
    }

    #[test]
    fn micro_units_are_valid_and_nonsense_is_a_warning_that_names_its_object() {
        let mut reader = Reader::new("pod shop/cart".to_owned());
        let amount = reader.pod(&spec(&json!({
            "containers": [container("a", "100u", "64Mi"), container("b", "lots", "64Mi")],
        })));
        assert_eq!((amount.cpu, amount.memory), (Millicores::new(1), Bytes::from_mebibytes(128)));
        assert_eq!(reader.warnings.len(), 1);
        assert!(reader.warnings[0].starts_with("cpu of pod shop/cart is ignored: `lots`"));
    }

    #[test]
    fn what_a_container_does_not_state_stays_absent() {
        let resources = serde_json::from_value(json!({"limits": {"memory": "1Gi"}})).unwrap();
        let claim = Reader::new(String::new()).claim(Some(&resources));
        assert_eq!(claim.memory_limit, Some(Bytes::from_mebibytes(1024)));
        assert_eq!((claim.cpu_request, claim.memory_request), (None, None));
    }
}
