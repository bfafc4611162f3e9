//! What the workloads of a namespace held at an instant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_cluster_simulator::{ScalingEvent, ScalingKind};
use mora_core::WorkloadRef;

use super::Clock;
use super::clock::seconds;

/// Pods of one workload and what they have a claim to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Holding {
    /// Replicas asked for.
    pub replicas: u32,
    /// Pods with a place on a node.
    pub pods: u32,
    /// Pods that take requests.
    pub ready: u32,
    /// CPU requests in force, in cores, over all of them.
    pub cpu: f64,
    /// Memory requests in force, in bytes, over all of them.
    pub memory: f64,
}

/// What all workloads held at a real instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// When.
    pub at: Timestamp,
    /// By workload.
    pub workloads: BTreeMap<WorkloadRef, Holding>,
}

/// The mean of what `workload` held in each of `minutes` minutes of the clock. One in which nobody looked is as the look before
/// it, those before the first look as the first.
pub(super) fn by_minute(
    held: &[Held],
    workload: &WorkloadRef,
    clock: &Clock,
    minutes: usize,
) -> Vec<[f64; 4]> {
    let mut sums = vec![([0.0; 4], 0.0); minutes];
    let mut last = None;
    for look in held {
        let Some(holding) = look.workloads.get(workload) else { continue };
        let seen = [f64::from(holding.pods), f64::from(holding.ready), holding.cpu, holding.memory];
        last.get_or_insert(seen);
        let Some(minute) = clock.minute_of(seconds(look.at)) else {
            last = Some(seen);
            continue;
        };
        if let Some((sum, count)) = sums.get_mut(minute) {
            sum.iter_mut().zip(seen).for_each(|(sum, part)| *sum += part);
            *count += 1.0;
        }
    }
    let mut carried = last.unwrap_or_default();
    let mean = |(sum, count): ([f64; 4], f64)| {
        if count > 0.0 {
            carried = sum.map(|part| part / count);
        }
        carried
    };
    sums.into_iter().map(mean).collect()
}

/// When another number of replicas was asked for, as far as somebody looked.
pub(super) fn scalings(held: &[Held], clock: &Clock) -> Vec<ScalingEvent> {
    let mut events = Vec::new();
    for pair in held.windows(2) {
        for (workload, now) in &pair[1].workloads {
            let before = pair[0].workloads.get(workload);
            if before.is_some_and(|before| before.replicas != now.replicas) {
                let (at, workload) = (clock.shows(pair[1].at), workload.clone());
                events.push(ScalingEvent { at, workload, kind: ScalingKind::Replicas });
            }
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_minute_is_the_mean_of_its_looks_or_the_look_before_it() {
        let begun: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        let clock = Clock::new(begun, begun, 60.0).unwrap();
        let workload: WorkloadRef = "shop/cart".parse().unwrap();
        let look = |millis: i64, replicas: u32| {
            let cpu = f64::from(replicas) * 0.1;
            let holding = Holding { replicas, pods: replicas, ready: 1, cpu, memory: 1e6 };
            let at = begun + SignedDuration::from_millis(millis);
            Held { at, workloads: [(workload.clone(), holding)].into() }
        };
        let held = [look(-500, 1), look(1100, 1), look(1600, 3), look(3200, 2)];
        let minutes = by_minute(&held, &workload, &clock, 5);
        let pods: Vec<f64> = minutes.iter().map(|minute| minute[0]).collect();
        assert_eq!(pods, [1.0, 2.0, 2.0, 2.0, 2.0]);
        assert!((minutes[1][2] - 0.2).abs() < 1e-9);
        let events = scalings(&held, &clock);
        let at: Vec<Timestamp> = events.iter().map(|event| event.at).collect();
        let shown = |seconds: i64| begun + SignedDuration::from_secs(seconds);
        assert_eq!(at, [shown(96), shown(192)]);
    }
}
