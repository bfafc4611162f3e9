//! What the operator decides: the cap, the path of the forecast to request, priorities and bounds.

use mora_core::{
    Bytes, LimitPolicy, LimitRule, Millicores, OomRule, Quantile, Ratchet, RiskPrice,
    StatisticalRule, WorkloadRef,
};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::GateRules;
use crate::autoscale::Autoscaled;
use crate::bounds::BoundsRule;

/// A number that is no share.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{0} is not a share; use a number from 0 to 1, as in 0.8")]
pub struct ShareError(pub f64);

/// A share in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

impl Share {
    /// The share `value`; fails outside [0, 1].
    pub fn new(value: f64) -> Result<Self, ShareError> {
        (0.0..=1.0).contains(&value).then_some(Self(value)).ok_or(ShareError(value))
    }

    /// The share as a number in [0, 1].
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Share {
    type Error = ShareError;

    fn try_from(value: f64) -> Result<Self, ShareError> {
        Self::new(value)
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

/// What a plan has to respect. As a file, every key can be left out and an unknown one is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Share of what the nodes can allocate that all requests together may take, above 0; 0.8.
    #[serde(deserialize_with = "above_zero")]
    pub cap: Share,
    /// Which path of the forecast becomes the CPU request; `least_cost`.
    pub cpu_path: CpuPath,
    /// Whether CPU follows what the last minutes show beside the forecast: up where load is unusual, and down in the slots just ahead
    /// where a quiet day lets expect less; true.
    pub follow_recent_load: bool,
    /// What a share of samples above the CPU request costs, in mean usages, on the path of least cost; 80.
    pub risk_price: RiskPrice,
    /// The path of the forecast that load along the call graph, memory and, where `cpu_path` says so, CPU follow; 0.99.
    pub quantile: Quantile,
    /// Whether one request holds for the whole horizon or one per slot; `peak`.
    pub requests: RequestShape,
    /// Memory added to the forecast, as a share of it; 0.15, because too little memory kills.
    pub memory_margin: Share,
    /// How slowly memory falls after it was used; by half a day.
    pub memory_ratchet: Ratchet,
    /// What a container that ran out of memory gets; 100 MiB or a fifth more, up to 64 GiB, for a week.
    pub oom: OomRule,
    /// Which workloads are served first when capacity is short; the first pattern that matches counts.
    pub priorities: Vec<PriorityRule>,
    /// The priority of every other workload that has no PriorityClass; 0.
    pub default_priority: i32,
    /// Bounds of the CPU request of a container, per replica.
    pub cpu: Allowed<Millicores>,
    /// Bounds of the memory request of a container, per replica.
    pub memory: Allowed<Bytes>,
    /// Bounds of the containers that patterns match, over those two; the first rule that matches counts.
    pub bounds: Vec<BoundsRule>,
    /// How limits follow requests; neither is ever lowered.
    pub limits: LimitPolicy,
    /// What happens to a workload that is scaled on CPU utilisation; `keep_replicas`.
    pub autoscaled: Autoscaled,
    /// Share of its CPU target every container keeps before any gets more, in order of priority; 0.5.
    pub cpu_floor: Share,
    /// The same for memory; 0.9, because a container works slower with less CPU but not with less memory.
    pub memory_floor: Share,
    /// The rule for workloads without a usable forecast.
    pub statistical: StatisticalRule,
    /// How fast what is in force may follow the targets.
    pub gate: GateRules,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            cap: Share(0.8),
            cpu_path: CpuPath::LeastCost,
            follow_recent_load: true,
            risk_price: RiskPrice::DEFAULT,
            quantile: Quantile::new(0.99).expect("0.99 lies between 0 and 1"),
            requests: RequestShape::Peak,
            memory_margin: Share(0.15),
            memory_ratchet: Ratchet::default(),
            oom: OomRule::default(),
            priorities: Vec::new(),
            default_priority: 0,
            cpu: Allowed { min_allowed: Millicores::new(10), max_allowed: None },
            memory: Allowed { min_allowed: Bytes::from_mebibytes(16), max_allowed: None },
            bounds: Vec::new(),
            limits: LimitPolicy { cpu: LimitRule::NeverLower, memory: LimitRule::NeverLower },
            autoscaled: Autoscaled::default(),
            cpu_floor: Share(0.5),
            memory_floor: Share(0.9),
            statistical: StatisticalRule::default(),
            gate: GateRules::default(),
        }
    }
}

impl Policy {
    /// The priority of `workload`: of the first rule that matches, else `class`, which is that of its
    /// PriorityClass, else the default.
    #[must_use]
    pub fn priority(&self, workload: &WorkloadRef, class: Option<i32>) -> i32 {
        let rule = self.priorities.iter().find(|rule| rule.workload.matches(workload));
        rule.map(|rule| rule.priority).or(class).unwrap_or(self.default_priority)
    }
}

fn above_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    let share = Share::deserialize(deserializer)?;
    if share.0 > 0.0 { Ok(share) } else { Err(serde::de::Error::custom("must be above 0")) }
}

/// Which path of the forecast becomes the CPU request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CpuPath {
    /// The path of least cost at the policy's price of risk.
    LeastCost,
    /// The path of the policy's quantile.
    Quantile,
}

/// How requests follow the forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestShape {
    /// The target covers the highest slot of the horizon and stays; what all targets sum to must fit.
    Peak,
    /// The target covers the first slot and the schedule says what follows; every slot must fit.
    Schedule,
}

impl RequestShape {
    /// The slot that decides about the target: the first highest, or simply the first.
    pub(crate) fn deciding_slot<Q: Ord>(self, slots: &[Q]) -> usize {
        let higher = |best: usize, slot: usize| if slots[slot] > slots[best] { slot } else { best };
        match self {
            Self::Peak => (0..slots.len()).reduce(higher).unwrap_or(0),
            Self::Schedule => 0,
        }
    }
}

/// The priority of the workloads a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorityRule {
    /// Which workloads.
    pub workload: Pattern,
    /// Their priority; higher is served first.
    pub priority: i32,
}

/// A pattern over `namespace/name`, in which `*` stands for any text and `?` for one character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub String);

impl Pattern {
    /// Whether `workload`, of whatever kind, fits the pattern.
    #[must_use]
    pub fn matches(&self, workload: &WorkloadRef) -> bool {
        self.matches_text(&format!("{}/{}", workload.namespace(), workload.name()))
    }

    /// Whether `text` as a whole fits the pattern.
    pub(crate) fn matches_text(&self, text: &str) -> bool {
        mora_core::matches_glob(&self.0, text)
    }
}

/// The smallest and largest request of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed<Q> {
    /// Smallest request, unless the cluster has not even that.
    pub min_allowed: Q,
    /// Largest request; `None` for no limit. It wins over `min_allowed`.
    pub max_allowed: Option<Q>,
}

impl<Q: Ord + Copy> Allowed<Q> {
    /// `amount` brought within the bounds.
    #[must_use]
    pub fn clamp(&self, amount: Q) -> Q {
        let raised = amount.max(self.min_allowed);
        self.max_allowed.map_or(raised, |most| raised.min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_namespace_and_name() {
        let cart: WorkloadRef = "shop/StatefulSet/redis-cart".parse().unwrap();
        for pattern in ["*", "shop/*", "shop/redis-cart", "*/redis-*", "s?op/*-c*t", "**/**"] {
            assert!(Pattern(pattern.to_owned()).matches(&cart), "{pattern}");
        }
        for pattern in ["", "shop", "shop/redis", "shop/redis-cart?", "*/cart", "sho/*"] {
            assert!(!Pattern(pattern.to_owned()).matches(&cart), "{pattern}");
        }
    }

    #[test]
    fn a_policy_file_states_only_what_differs_from_the_default() {
        let text = "cap: 0.7\nrequests: schedule\npriorities: [{workload: shop/frontend, priority: 10}]\ncpu: {min_allowed: 20m, max_allowed: '2'}\n";
        let policy: Policy = serde_saphyr::from_str(text).unwrap();
        assert_eq!(policy.requests, RequestShape::Schedule);
        assert_eq!(policy.cpu.max_allowed, Some(Millicores::new(2000)));
        assert_eq!(policy.priority(&"shop/frontend".parse().unwrap(), Some(5)), 10);
        assert_eq!(policy.priority(&"shop/cart".parse().unwrap(), Some(5)), 5);
        assert_eq!(policy.priority(&"shop/cart".parse().unwrap(), None), 0);
        assert_eq!(policy.memory, Policy::default().memory);
        let text = "cpu_path: quantile\nrisk_price: 160\nmemory_ratchet: {half_life_hours: 6}\noom: {least_added: 1Gi, expiry_hours: 24}\n";
        let policy: Policy = serde_saphyr::from_str(text).unwrap();
        let risk_price = RiskPrice::new(160.0).unwrap();
        assert_eq!((policy.cpu_path, policy.risk_price), (CpuPath::Quantile, risk_price));
        assert_eq!(policy.memory_ratchet.half_life.as_hours(), 6);
        assert_eq!(policy.oom.least_added, Bytes::from_mebibytes(1024));
        assert_eq!(policy.oom.ceiling, OomRule::default().ceiling);
    }

    #[test]
    fn values_out_of_range_and_unknown_keys_are_refused() {
        let texts = [
            "cap: 0",
            "cap: 1.1",
            "quantile: 99",
            "cpu_floor: -0.1",
            "caps: 0.8",
            "risk_price: 0",
            "risk_price: .inf",
            "cpu_path: cheapest",
            "oom: {factor: 0.5}",
            "oom: {expiry: 24}",
            "oom: {expiry_hours: -1}",
            "memory_ratchet: {half_life: 24}",
        ];
        for text in texts {
            assert!(serde_saphyr::from_str::<Policy>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_largest_allowed_request_wins_over_the_smallest() {
        let allowed = Allowed { min_allowed: 10, max_allowed: Some(5) };
        assert_eq!(allowed.clamp(1), 5);
    }
}
