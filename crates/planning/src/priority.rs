//! The priority a workload ends up with: its own, or that of the callers it works for.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::WorkloadRef;

use crate::Policy;
use crate::propagate::Traffic;

/// The priority of every one of `workloads`: a callee rises towards the highest priority of its
/// callers by the share of its calls that come from there, and then counts as of the nearest
/// priority that was given to any workload.
///
/// So a frontend that is served first does not starve for its catalog, while one rare call does
/// not lift a background job.
pub(crate) fn inherited(
    workloads: &BTreeSet<&WorkloadRef>,
    traffic: &Traffic,
    policy: &Policy,
) -> BTreeMap<WorkloadRef, i32> {
    let every = || workloads.iter().copied().chain(traffic.loads.keys());
    let mut priorities: BTreeMap<&WorkloadRef, f64> =
        every().map(|w| (w, f64::from(policy.priority(w)))).collect();
    let levels: BTreeSet<i32> = every().map(|w| policy.priority(w)).collect();
    let shares = call_shares(traffic);
    // Each round passes priorities on by one call; no route without a repetition is longer.
    for _ in 0..priorities.len() {
        let raised = raise(&priorities, &shares);
        if raised.is_empty() {
            break;
        }
        priorities.extend(raised);
    }
    priorities.into_iter().map(|(w, p)| (w.clone(), nearest(&levels, p))).collect()
}

/// Who calls a workload, and the share of its calls, which sum to at most 1 over its callers.
type CallShares<'a> = BTreeMap<&'a WorkloadRef, Vec<(&'a WorkloadRef, f64)>>;

fn call_shares(traffic: &Traffic) -> CallShares<'_> {
    let total = |w: &WorkloadRef| traffic.loads.get(w).map_or(0.0, |l| l.mean.iter().sum::<f64>());
    let mut shares: CallShares<'_> = BTreeMap::new();
    for (caller, callee, call) in traffic.graph.edges() {
        let received = total(callee);
        if received > 0.0 {
            let share = (total(caller) * call.ratio / received).min(1.0);
            shares.entry(callee).or_default().push((caller, share));
        }
    }
    shares
}

fn raise<'a>(
    priorities: &BTreeMap<&'a WorkloadRef, f64>,
    shares: &CallShares<'a>,
) -> BTreeMap<&'a WorkloadRef, f64> {
    let mut raised = BTreeMap::new();
    for (callee, callers) in shares {
        let own = priorities.get(callee).copied().unwrap_or(0.0);
        let passed = |(caller, share): &(&WorkloadRef, f64)| {
            own + share * (priorities.get(caller).copied().unwrap_or(own) - own)
        };
        let highest = callers.iter().map(passed).fold(own, f64::max);
        // Smaller steps are rounding, and would keep a cycle rising for ever.
        if highest > own + 1e-6 {
            raised.insert(*callee, highest);
        }
    }
    raised
}

/// The level nearest to `priority`, the higher of two that are equally near.
fn nearest(levels: &BTreeSet<i32>, priority: f64) -> i32 {
    let distance = |level: &i32| (f64::from(*level) - priority).abs();
    let closer = |best: i32, level: i32| {
        if distance(&level) <= distance(&best) { level } else { best }
    };
    levels.iter().copied().reduce(closer).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::propagate::{Load, propagate};
    use crate::{Pattern, PriorityRule};
    use mora_core::{CallGraph, CallRatio, Step};

    fn workload(name: &str) -> WorkloadRef {
        WorkloadRef::deployment("shop", name).unwrap()
    }

    /// The priorities after `calls` (caller, callee, ratio), where `entries` receive their rate.
    fn priorities(
        calls: &[(&str, &str, f64)],
        entries: &[(&str, f64)],
        rules: &[(&str, i32)],
    ) -> BTreeMap<WorkloadRef, i32> {
        let mut graph = CallGraph::default();
        for (caller, callee, ratio) in calls {
            let call = CallRatio::stated(*ratio, 0.0);
            graph.insert(workload(caller), workload(callee), call);
        }
        let load = |rate| Load { mean: vec![rate], variance: vec![0.0], arrivals: vec![0.0] };
        let entries = entries.iter().map(|(name, rate)| (workload(name), load(*rate))).collect();
        let traffic = propagate(&graph, &entries, 1, Step::MINUTE);
        let rule = |(name, priority): &(&str, i32)| PriorityRule {
            workload: Pattern(format!("shop/{name}")),
            priority: *priority,
        };
        let policy = Policy { priorities: rules.iter().map(rule).collect(), ..Policy::default() };
        inherited(&graph.workloads(), &traffic, &policy)
    }

    #[test]
    fn a_callee_that_works_mostly_for_a_critical_caller_counts_as_critical() {
        let found = priorities(
            &[("frontend", "catalog", 1.0), ("batch", "catalog", 1.0), ("catalog", "db", 2.0)],
            &[("frontend", 90.0), ("batch", 10.0)],
            &[("frontend", 100)],
        );
        assert_eq!((found[&workload("catalog")], found[&workload("db")]), (100, 100));
        assert_eq!(found[&workload("batch")], 0);
    }

    #[test]
    fn a_rare_call_does_not_lift_a_background_job() {
        let found = priorities(
            &[("frontend", "report", 0.01), ("batch", "report", 1.0)],
            &[("frontend", 90.0), ("batch", 10.0)],
            &[("frontend", 100)],
        );
        assert_eq!(found[&workload("report")], 0);
    }

    #[test]
    fn nobody_loses_priority_by_being_called() {
        let found = priorities(
            &[("batch", "payment", 1.0), ("payment", "batch", 0.1)],
            &[("batch", 10.0)],
            &[("payment", 50), ("batch", -10)],
        );
        assert_eq!(found[&workload("payment")], 50);
    }
}
