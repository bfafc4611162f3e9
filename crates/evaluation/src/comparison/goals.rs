//! What MOrA is meant to reach, and whether it does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ScenarioComparison;
use crate::ArmName;
use crate::statistics::Interval;

/// A goal and how far it is met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The goal as a sentence.
    pub statement: String,
    /// What was found, in the terms of [`Goal::at_most`]; `None` where it cannot be said.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub lower: Option<f64>,
    /// Upper end.
    pub upper: Option<f64>,
    /// What the value must not exceed.
    pub at_most: f64,
    /// Whether it does not; `None` where it cannot be said.
    pub met: Option<bool>,
    /// Whether the whole interval is on that side.
    pub certain: bool,
}

impl Goal {
    fn new(statement: &str, found: Option<Interval>, at_most: f64) -> Self {
        let value = found.map(|interval| interval.mean).filter(|value| value.is_finite());
        let (lower, upper) = found.map_or((None, None), |found| (found.lower, found.upper));
        let met = value.map(|value| value <= at_most);
        let certain = match met {
            Some(true) => upper.is_some_and(|upper| upper <= at_most),
            Some(false) => lower.is_some_and(|lower| lower > at_most),
            None => false,
        };
        Self { statement: statement.to_owned(), value, lower, upper, at_most, met, certain }
    }
}

/// The goals in `scenario`, by name.
pub(super) fn goals(scenario: &ScenarioComparison) -> BTreeMap<String, Goal> {
    let versus = |indicator: &str, reference: ArmName| {
        let summary = scenario.arms.get(&ArmName::Mora)?.get(indicator)?;
        summary.versus.get(&reference).copied()
    };
    let equal_risk = scenario.equal_risk.get(&ArmName::Mora);
    let all = [
        (
            "cpu_hours_at_equal_risk",
            "CPU hours at the share of missed minutes that the baseline has: at most 0.75 of its own",
            equal_risk.and_then(|cost| cost.violations.ratio),
            0.75,
        ),
        (
            "violations_versus_hpa_70",
            "Share of missed minutes less that of HPA at 70 %: at most 0",
            versus("violations", ArmName::Hpa70).map(|versus| versus.difference),
            0.0,
        ),
        (
            "scaling_events_versus_hpa_70",
            "Scaling events: at most 0.5 of those of HPA at 70 %",
            versus("scaling_events", ArmName::Hpa70).and_then(|versus| versus.ratio),
            0.5,
        ),
        (
            "cpu_hours_versus_oracle",
            "CPU hours: at most 1.2 of those of the oracle",
            versus("cpu_hours_requested", ArmName::Oracle).and_then(|versus| versus.ratio),
            1.2,
        ),
    ];
    all.into_iter()
        .map(|(name, statement, found, at_most)| {
            (name.to_owned(), Goal::new(statement, found, at_most))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_by_its_value_and_certain_by_its_interval() {
        let of = |mean, lower, upper| {
            let goal = Goal::new("", Some(Interval { mean, lower, upper }), 1.2);
            (goal.met, goal.certain)
        };
        assert_eq!(of(1.1, Some(1.0), Some(1.15)), (Some(true), true));
        assert_eq!(of(1.1, Some(1.0), Some(1.3)), (Some(true), false));
        assert_eq!(of(1.3, Some(1.25), Some(1.4)), (Some(false), true));
        assert_eq!(of(1.1, None, None), (Some(true), false));
        assert_eq!(Goal::new("", None, 1.0).met, None);
    }
}
