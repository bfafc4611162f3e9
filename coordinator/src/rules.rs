//! The rules of one run: the policy of the configuration, overlaid by what the cluster states.

use mora_core::{ApplyMode, LimitRule, Plan, PlanStatus, PolicyRevision};
use mora_kubernetes::{StatedBounds, StatedLimit, StatedPolicy};
use mora_planning::{BoundsRule, OwnBounds, Pattern, Policy, PriorityRule, Share, ShareError};
use mora_runtime::with_causes;

use crate::CoordinatorConfig;
use crate::cluster::{Connected, NotConnected};

/// What a run has to respect.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rules {
    /// What the plan has to respect.
    pub policy: Policy,
    /// What the cluster says of putting it in force.
    pub modes: StatedModes,
}

/// What the policy of the cluster says of putting plans in force; what is `None` is left to the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatedModes {
    /// The mode of a workload that no pattern matches.
    pub default_mode: Option<ApplyMode>,
    /// Patterns and their modes; the first that matches counts.
    pub modes: Option<Vec<(Pattern, ApplyMode)>>,
}

impl StatedModes {
    /// That nothing is put in force.
    #[must_use]
    pub const fn off() -> Self {
        Self { default_mode: Some(ApplyMode::Off), modes: Some(Vec::new()) }
    }
}

/// The rules of a run, and what its plan has to say of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Ruled {
    pub(crate) rules: Rules,
    /// The policy of the cluster they come from.
    revision: Option<PolicyRevision>,
    warning: Option<String>,
    /// Whether the cluster may state other rules, which could not be read.
    unsure: bool,
}

impl Ruled {
    /// Notes in `plan` under which policy it was made.
    pub(crate) fn note(&self, plan: &mut Plan) {
        plan.policy.clone_from(&self.revision);
        plan.warnings.extend(self.warning.clone());
        if self.unsure {
            plan.status = plan.status.max(PlanStatus::Degraded);
        }
    }
}

/// The rules of a run under `config`, whose cluster is `connected`.
///
/// Where the policy of the cluster cannot be read, that of the configuration holds, nothing is put in force, and the plan says so.
pub(crate) async fn rules(config: &CoordinatorConfig, connected: &Connected) -> Ruled {
    let configured = Rules { policy: config.policy.clone(), modes: StatedModes::default() };
    let Some(source) = &config.cluster.policy else {
        return Ruled { rules: configured, ..Ruled::default() };
    };
    let stated = match connected {
        Ok(cluster) => cluster.policy_of(&source.namespace, &source.name).await,
        Err(NotConnected::Failed(error)) => return unread(configured, &with_causes(error)),
        Err(NotConnected::NotAsked) => return unread(configured, "there is no connection"),
    };
    match stated {
        Ok(stated) => overlaid(configured, stated),
        Err(error @ mora_kubernetes::CustomResourceError::Absent { .. }) => Ruled {
            rules: configured,
            warning: Some(format!("the policy of the configuration alone holds: {error}")),
            ..Ruled::default()
        },
        Err(error) => unread(configured, &with_causes(&error)),
    }
}

fn unread(configured: Rules, reason: &str) -> Ruled {
    Ruled {
        rules: Rules { modes: StatedModes::off(), ..configured },
        revision: None,
        warning: Some(format!(
            "the policy of the configuration holds and nothing is put in force, because that of the cluster cannot be used: {reason}"
        )),
        unsure: true,
    }
}

fn overlaid(configured: Rules, stated: StatedPolicy) -> Ruled {
    let revision = stated.revision.clone();
    match over(&configured.policy, stated) {
        Ok(rules) => Ruled { rules, revision: Some(revision), warning: None, unsure: false },
        Err(error) => unread(configured, &format!("{revision}: spec.cap: {error}")),
    }
}

/// `policy` where `stated` leaves it as it is.
fn over(policy: &Policy, stated: StatedPolicy) -> Result<Rules, ShareError> {
    let mut policy = policy.clone();
    if let Some(cap) = stated.cap {
        policy.cap = Share::new(cap)?;
    }
    if let Some(priority) = stated.default_priority {
        policy.default_priority = priority;
    }
    if let Some(priorities) = stated.priorities {
        let rule = |(workload, priority)| PriorityRule { workload: Pattern(workload), priority };
        policy.priorities = priorities.into_iter().map(rule).collect();
    }
    if let Some(bounds) = stated.bounds {
        policy.bounds = bounds.into_iter().map(bounds_rule).collect();
    }
    policy.limits.cpu = stated.cpu_limit.map_or(policy.limits.cpu, limit_rule);
    policy.limits.memory = stated.memory_limit.map_or(policy.limits.memory, limit_rule);
    let patterns = |modes: Vec<(String, ApplyMode)>| {
        modes.into_iter().map(|(workload, mode)| (Pattern(workload), mode)).collect()
    };
    let modes =
        StatedModes { default_mode: stated.default_mode, modes: stated.modes.map(patterns) };
    Ok(Rules { policy, modes })
}

fn bounds_rule(stated: StatedBounds) -> BoundsRule {
    let StatedBounds { workload, container, cpu, memory } = stated;
    BoundsRule {
        workload: Pattern(workload),
        container: Pattern(container),
        cpu: OwnBounds { min_allowed: cpu.0, max_allowed: cpu.1 },
        memory: OwnBounds { min_allowed: memory.0, max_allowed: memory.1 },
    }
}

const fn limit_rule(stated: StatedLimit) -> LimitRule {
    match stated {
        StatedLimit::KeepRatio => LimitRule::KeepRatio,
        StatedLimit::NeverLower => LimitRule::NeverLower,
        StatedLimit::EqualToRequest => LimitRule::EqualToRequest,
        StatedLimit::None => LimitRule::None,
    }
}

#[cfg(test)]
mod tests {
    use mora_core::{Bytes, Millicores};

    use super::*;

    fn stated() -> StatedPolicy {
        StatedPolicy {
            revision: PolicyRevision {
                namespace: "mora".to_owned(),
                name: "default".to_owned(),
                generation: 3,
            },
            cap: None,
            default_priority: None,
            priorities: None,
            bounds: None,
            cpu_limit: None,
            memory_limit: None,
            default_mode: None,
            modes: None,
        }
    }

    fn configured() -> Rules {
        let rule = PriorityRule { workload: Pattern("shop/*".to_owned()), priority: 7 };
        let policy = Policy { priorities: vec![rule], default_priority: 4, ..Policy::default() };
        Rules { policy, modes: StatedModes::default() }
    }

    #[test]
    fn what_is_not_stated_stays_as_configured() {
        let ruled = overlaid(configured(), stated());
        assert_eq!(ruled.rules, configured());
        assert_eq!(ruled.revision.unwrap().to_string(), "mora/default, generation 3");
    }

    #[test]
    fn what_is_stated_takes_the_place_of_the_key_and_a_list_as_a_whole() {
        let bounds = StatedBounds {
            workload: "shop/cart".to_owned(),
            container: "*".to_owned(),
            cpu: (Some(Millicores::new(20)), None),
            memory: (None, Some(Bytes::from_mebibytes(512))),
        };
        let ruled = overlaid(
            configured(),
            StatedPolicy {
                cap: Some(0.6),
                default_priority: Some(-1),
                priorities: Some(vec![("shop/frontend".to_owned(), 100)]),
                bounds: Some(vec![bounds]),
                cpu_limit: Some(StatedLimit::None),
                default_mode: Some(ApplyMode::Patch),
                modes: Some(vec![("shop/cart".to_owned(), ApplyMode::InPlace)]),
                ..stated()
            },
        );
        let Rules { policy, modes } = ruled.rules;
        assert_eq!((policy.cap.get(), policy.limits.cpu), (0.6, LimitRule::None));
        assert_eq!(policy.limits.memory, Policy::default().limits.memory);
        let cart = "shop/cart".parse().unwrap();
        assert_eq!(policy.priority(&cart, None), -1, "the configured pattern is gone");
        assert_eq!(policy.priority(&"shop/frontend".parse().unwrap(), None), 100);
        let (cpu, memory) = policy.allowed(&cart, "server");
        assert_eq!(cpu.min_allowed, Millicores::new(20));
        assert_eq!(memory.max_allowed, Some(Bytes::from_mebibytes(512)));
        assert_eq!(modes.default_mode, Some(ApplyMode::Patch));
        assert_eq!(modes.modes.unwrap()[0].1, ApplyMode::InPlace);
    }

    #[test]
    fn a_policy_that_cannot_be_used_puts_nothing_in_force_and_degrades_the_plan() {
        let ruled = overlaid(configured(), StatedPolicy { cap: Some(1.5), ..stated() });
        assert_eq!(ruled.rules.policy, configured().policy);
        assert_eq!(ruled.rules.modes, StatedModes::off());
        assert!(ruled.unsure);
        let warning = ruled.warning.unwrap();
        assert!(warning.contains("spec.cap: 1.5 is not a share"), "{warning}");
    }
}
