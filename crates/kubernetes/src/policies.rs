//! The policy that an object in the cluster states.

use std::str::FromStr;

use mora_core::{ApplyMode, Bytes, Millicores, PolicyRevision};

use crate::custom_resources::{Amount, LimitName, RightsizingPolicy};
use crate::{Cluster, CustomResourceError};

/// What a RightsizingPolicy states; what is `None` is left to the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct StatedPolicy {
    /// Which state of which object it is.
    pub revision: PolicyRevision,
    /// Share of what the nodes can allocate that may be requested, in (0, 1].
    pub cap: Option<f64>,
    /// The priority of a workload that no pattern matches.
    pub default_priority: Option<i32>,
    /// Patterns over `namespace/name` and their priorities.
    pub priorities: Option<Vec<(String, i32)>>,
    /// Bounds of the containers that patterns match.
    pub bounds: Option<Vec<StatedBounds>>,
    /// How the CPU limit follows its request.
    pub cpu_limit: Option<StatedLimit>,
    /// How the memory limit follows its request.
    pub memory_limit: Option<StatedLimit>,
    /// The mode of a workload that no pattern matches.
    pub default_mode: Option<ApplyMode>,
    /// Patterns over `namespace/name` and their modes.
    pub modes: Option<Vec<(String, ApplyMode)>>,
}

/// Bounds of the requests of the containers that two patterns match, per replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedBounds {
    /// Pattern over `namespace/name`.
    pub workload: String,
    /// Pattern over the container's name.
    pub container: String,
    /// Smallest and largest CPU request; the first is never above the second.
    pub cpu: (Option<Millicores>, Option<Millicores>),
    /// Smallest and largest memory request; the first is never above the second.
    pub memory: (Option<Bytes>, Option<Bytes>),
}

/// How a limit follows its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedLimit {
    /// It stays as many times the request as it is.
    KeepRatio,
    /// It stays what it is, and is raised where that is less than twice the request or than what is likely to be used.
    NeverLower,
    /// It equals the request.
    EqualToRequest,
    /// There is none.
    None,
}

impl Cluster {
    /// What the RightsizingPolicy `name` in `namespace` states.
    ///
    /// Fails when there is none, when it states something that cannot be, which definitions of another version may let
    /// through, or when the API refuses.
    pub async fn policy_of(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<StatedPolicy, CustomResourceError> {
        let object: RightsizingPolicy = self.custom_resource(namespace, name).await?;
        let revision = PolicyRevision {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            generation: object.metadata.generation.unwrap_or_default(),
        };
        stated(object, revision).map_err(|reason| {
            CustomResourceError::invalid::<RightsizingPolicy>((namespace, name), reason)
        })
    }
}

/// What `object` states; fails with a sentence that begins with the field that is wrong.
fn stated(object: RightsizingPolicy, revision: PolicyRevision) -> Result<StatedPolicy, String> {
    let spec = object.spec;
    if spec.cap.is_some_and(|cap| !(cap > 0.0 && cap <= 1.0)) {
        return Err("spec.cap must be above 0 and at most 1".to_owned());
    }
    let bounds = spec.bounds.map(|entries| {
        let numbered = entries.into_iter().enumerate();
        numbered
            .map(|(i, entry)| {
                let of = |resource: &str| format!("spec.bounds[{i}].{resource}");
                let least_and_most = (&entry.cpu.min_allowed, &entry.cpu.max_allowed);
                let cpu = pair(least_and_most).map_err(|e| format!("{}{e}", of("cpu")))?;
                let least_and_most = (&entry.memory.min_allowed, &entry.memory.max_allowed);
                let memory = pair(least_and_most).map_err(|e| format!("{}{e}", of("memory")))?;
                let (workload, container) = (entry.workload, entry.container);
                Ok(StatedBounds { workload, container, cpu, memory })
            })
            .collect::<Result<Vec<_>, String>>()
    });
    Ok(StatedPolicy {
        revision,
        cap: spec.cap,
        default_priority: spec.default_priority,
        priorities: spec
            .priorities
            .map(|entries| entries.into_iter().map(|e| (e.workload, e.priority)).collect()),
        bounds: bounds.transpose()?,
        cpu_limit: spec.limits.cpu.map(limit),
        memory_limit: spec.limits.memory.map(limit),
        default_mode: spec.apply.default_mode.map(Into::into),
        modes: spec
            .apply
            .modes
            .map(|entries| entries.into_iter().map(|e| (e.workload, e.mode.into())).collect()),
    })
}

/// The least and the most of a resource; fails with what follows the name of the resource in a sentence.
fn pair<Q>(
    (least, most): (&Option<Amount>, &Option<Amount>),
) -> Result<(Option<Q>, Option<Q>), String>
where
    Q: FromStr<Err: ToString> + Ord + Copy,
{
    let read = |name: &str, amount: &Option<Amount>| {
        let read = |amount: &Amount| amount.0.parse::<Q>();
        let read = amount.as_ref().map(read).transpose();
        read.map_err(|error| format!(".{name}: {}", error.to_string()))
    };
    let (least, most) = (read("minAllowed", least)?, read("maxAllowed", most)?);
    match (least, most) {
        (Some(least), Some(most)) if least > most => {
            Err(": minAllowed must not be above maxAllowed".to_owned())
        }
        pair => Ok(pair),
    }
}

const fn limit(name: LimitName) -> StatedLimit {
    match name {
        LimitName::KeepRatio => StatedLimit::KeepRatio,
        LimitName::NeverLower => StatedLimit::NeverLower,
        LimitName::EqualToRequest => StatedLimit::EqualToRequest,
        LimitName::None => StatedLimit::None,
    }
}

#[cfg(test)]
mod tests;
