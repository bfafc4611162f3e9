//! The field `resources` of a container as the API has it, compared and changed without touching what is not MOrA's.

use mora_core::{Bytes, Millicores, QuantityError, ResourceClaim};
use mora_kubernetes::Side;
use serde_json::{Map, Value, json};

/// One quantity of a container: request or limit, and of what.
pub(crate) type Key = (Side, &'static str);

/// All quantities that plans are about.
pub(crate) const KEYS: [Key; 4] = [
    (Side::Requests, "cpu"),
    (Side::Requests, "memory"),
    (Side::Limits, "cpu"),
    (Side::Limits, "memory"),
];

/// The quantity of `claim` under `key` as the API spells it; `None` where it is not stated.
pub(crate) fn stated(claim: &ResourceClaim, key: Key) -> Option<String> {
    match key {
        (Side::Requests, "cpu") => claim.cpu_request.map(|q| q.to_string()),
        (Side::Limits, "cpu") => claim.cpu_limit.map(|q| q.to_string()),
        (Side::Requests, _) => claim.memory_request.map(|q| q.to_string()),
        (Side::Limits, _) => claim.memory_limit.map(|q| q.to_string()),
    }
}

/// The keys under which `from` and `to` differ.
pub(crate) fn changed(from: &ResourceClaim, to: &ResourceClaim) -> Vec<Key> {
    KEYS.into_iter().filter(|key| stated(from, *key) != stated(to, *key)).collect()
}

/// What `resources` state.
///
/// Fails when a quantity cannot be read.
pub(crate) fn claim(resources: Option<&Value>) -> Result<ResourceClaim, QuantityError> {
    let text = |side: Side, resource: &str| {
        resources?.get(side.as_str())?.get(resource).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    let cpu = |side| text(side, "cpu").map(|t| t.parse::<Millicores>()).transpose();
    let memory = |side| text(side, "memory").map(|t| t.parse::<Bytes>()).transpose();
    Ok(ResourceClaim {
        cpu_request: cpu(Side::Requests)?,
        cpu_limit: cpu(Side::Limits)?,
        memory_request: memory(Side::Requests)?,
        memory_limit: memory(Side::Limits)?,
    })
}

/// `claim` as Kubernetes takes it: a limit is also the request where none is stated.
pub(crate) fn effective(claim: ResourceClaim) -> ResourceClaim {
    ResourceClaim {
        cpu_request: claim.cpu_request.or(claim.cpu_limit),
        memory_request: claim.memory_request.or(claim.memory_limit),
        ..claim
    }
}

/// `resources` with the quantities under `keys` as `to` states them, and everything else as it was.
pub(crate) fn with(resources: Option<&Value>, to: &ResourceClaim, keys: &[Key]) -> Value {
    let mut changed = resources.filter(|value| value.is_object()).cloned().unwrap_or(json!({}));
    for key in keys {
        let (side, resource) = (key.0.as_str(), key.1);
        match stated(to, *key) {
            Some(quantity) => {
                if !changed[side].is_object() {
                    changed[side] = json!({});
                }
                changed[side][resource] = json!(quantity);
            }
            None => {
                if let Some(quantities) = changed.get_mut(side).and_then(Value::as_object_mut) {
                    quantities.remove(resource);
                }
            }
        }
    }
    changed
}

/// Whether two `resources` mean the same, however their quantities are spelt.
pub(crate) fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    meaning(a) == meaning(b)
}

/// `resources` without what is empty, and with quantities of CPU and memory in their canonical form.
fn meaning(resources: Option<&Value>) -> Map<String, Value> {
    let fields = resources.and_then(Value::as_object).cloned().unwrap_or_default();
    let fields = fields.into_iter().map(|(name, value)| match value {
        Value::Object(quantities) if name == "requests" || name == "limits" => {
            let canonical = quantities.into_iter().map(|(resource, quantity)| {
                let meant = canonical(&resource, &quantity);
                (resource, meant)
            });
            (name, Value::Object(canonical.collect()))
        }
        other => (name, other),
    });
    let is_empty = |value: &Value| {
        value.is_null()
            || value.as_object().is_some_and(Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
    };
    fields.filter(|(_, value)| !is_empty(value)).collect()
}

fn canonical(resource: &str, quantity: &Value) -> Value {
    let text = quantity.as_str().map_or_else(|| quantity.to_string(), str::to_owned);
    let read = match resource {
        "cpu" => text.parse::<Millicores>().map(|q| q.to_string()),
        _ => text.parse::<Bytes>().map(|q| q.to_string()),
    };
    Value::String(read.unwrap_or(text))
}

/// The class of service of a pod, which decides who is evicted first; it cannot change while the pod runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Guaranteed,
    Burstable,
    BestEffort,
}

impl Class {
    /// The class of a pod whose containers, init containers included, have these `resources`.
    pub(crate) fn of<'a>(resources: impl Iterator<Item = &'a Value>) -> Self {
        let (mut none, mut all) = (true, true);
        for resources in resources {
            let claim = effective(claim(Some(resources)).unwrap_or_default());
            none &= claim == ResourceClaim::default();
            all &= claim.cpu_limit.is_some() && claim.cpu_request == claim.cpu_limit;
            all &= claim.memory_limit.is_some() && claim.memory_request == claim.memory_limit;
        }
        match (none, all) {
            (true, _) => Self::BestEffort,
            (false, true) => Self::Guaranteed,
            (false, false) => Self::Burstable,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_and_emptiness_make_no_difference_of_meaning() {
        let a = json!({"requests": {"cpu": "0.5", "memory": "128974848"}, "limits": {}});
        let b = json!({"requests": {"cpu": "500m", "memory": "123Mi"}});
        assert!(same(Some(&a), Some(&b)));
        assert!(same(Some(&json!({})), None) && same(Some(&Value::Null), None));
        let other =
            json!({"requests": {"cpu": "500m", "memory": "123Mi", "ephemeral-storage": "1Gi"}});
        assert!(!same(Some(&b), Some(&other)));
    }

    #[test]
    fn only_the_named_quantities_change() {
        let raw = json!({"claims": [{"name": "gpu"}], "requests": {"cpu": "1e3", "ephemeral-storage": "1Gi"}, "limits": {"cpu": "2e3"}});
        let to =
            ResourceClaim { cpu_request: Some(Millicores::new(250)), ..claim(Some(&raw)).unwrap() };
        let to = ResourceClaim { cpu_limit: None, ..to };
        let keys = changed(&claim(Some(&raw)).unwrap(), &to);
        assert_eq!(
            with(Some(&raw), &to, &keys),
            json!({"claims": [{"name": "gpu"}], "requests": {"cpu": "250m", "ephemeral-storage": "1Gi"}, "limits": {}})
        );
    }

    #[test]
    fn a_pod_is_guaranteed_when_every_container_is_limited_to_what_it_requests() {
        let equal = json!({"requests": {"cpu": "0.1", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}});
        let limits = json!({"limits": {"cpu": "100m", "memory": "64Mi"}});
        let none = json!({});
        assert_eq!(Class::of([&equal, &limits].into_iter()), Class::Guaranteed);
        assert_eq!(Class::of([&equal, &none].into_iter()), Class::Burstable);
        assert_eq!(Class::of([&none].into_iter()), Class::BestEffort);
    }
}
