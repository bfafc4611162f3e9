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
