//! Bounds that differ from container to container.

use mora_core::{Bytes, Millicores, WorkloadRef};
use serde::{Deserialize, Serialize};

use crate::{Allowed, Pattern, Policy};

/// Bounds of the containers that two patterns match; what is left out stays as it is for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundsRule {
    /// Which workloads.
    #[serde(default = "anything")]
    pub workload: Pattern,
    /// Which of their containers, by name.
    #[serde(default = "anything")]
    pub container: Pattern,
    /// Bounds of the CPU request, per replica.
    #[serde(default)]
    pub cpu: OwnBounds<Millicores>,
    /// Bounds of the memory request, per replica.
    #[serde(default)]
    pub memory: OwnBounds<Bytes>,
}

/// The bounds of one resource where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnBounds<Q> {
    /// Smallest request.
    pub min_allowed: Option<Q>,
    /// Largest request.
    pub max_allowed: Option<Q>,
}

fn anything() -> Pattern {
    Pattern("*".to_owned())
}

impl<Q: Copy> OwnBounds<Q> {
    fn over(self, general: Allowed<Q>) -> Allowed<Q> {
        Allowed {
            min_allowed: self.min_allowed.unwrap_or(general.min_allowed),
            max_allowed: self.max_allowed.or(general.max_allowed),
        }
    }
}

impl Policy {
    /// The bounds of a container's CPU and memory requests: of the first rule that matches, else those of all.
    #[must_use]
    pub fn allowed(
        &self,
        workload: &WorkloadRef,
        container: &str,
    ) -> (Allowed<Millicores>, Allowed<Bytes>) {
        let matching = |rule: &&BoundsRule| {
            rule.workload.matches(workload) && rule.container.matches_text(container)
        };
        match self.bounds.iter().find(matching) {
            Some(rule) => (rule.cpu.over(self.cpu), rule.memory.over(self.memory)),
            None => (self.cpu, self.memory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_workload_and_container_counts_and_leaves_the_rest_alone() {
        let text = "bounds:\n- {workload: shop/*, container: istio-proxy, cpu: {max_allowed: 200m}}\n- {workload: shop/cart, memory: {min_allowed: 64Mi}}\n- {cpu: {min_allowed: 1m}}\n";
        let policy: Policy = serde_saphyr::from_str(text).unwrap();
        let allowed =
            |workload: &str, container| policy.allowed(&workload.parse().unwrap(), container);
        let (cpu, memory) = allowed("shop/cart", "istio-proxy");
        assert_eq!(cpu.max_allowed, Some(Millicores::new(200)));
        assert_eq!((cpu.min_allowed, memory), (policy.cpu.min_allowed, policy.memory));
        assert_eq!(allowed("shop/cart", "server").1.min_allowed, Bytes::from_mebibytes(64));
        assert_eq!(allowed("pay/cart", "server").0.min_allowed, Millicores::new(1));
    }

    #[test]
    fn an_unknown_key_in_a_rule_is_refused() {
        for text in ["bounds: [{pod: a}]", "bounds: [{cpu: {min: 1m}}]"] {
            assert!(serde_saphyr::from_str::<Policy>(text).is_err(), "{text}");
        }
    }
}
