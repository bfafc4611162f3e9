//! What was observed of every container, put together from answers.

mod answers;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub use answers::Answers;

/// What a scan observed, by owner and container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// By index of the owner in the inventory and name of the container.
    containers: BTreeMap<(usize, Arc<str>), ContainerObserved>,
    /// Pods that are of nobody in the inventory.
    pub strays: usize,
}

impl Observed {
    /// What was observed of `container` of item `owner` of the inventory; `None` for nothing.
    #[must_use]
    pub fn container(&self, owner: usize, container: &str) -> Option<&ContainerObserved> {
        self.containers.get(&(owner, Arc::from(container)))
    }

    /// Containers that were observed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.containers.len()
    }

    /// Whether nothing was observed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty()
    }
}

/// What was observed of one container in all its pods.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContainerObserved {
    /// By pod.
    pub pods: BTreeMap<Arc<str>, PodObserved>,
}

/// What was observed of one container in one pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodObserved {
    /// The quantile of CPU usage, in cores.
    pub cpu: Option<f64>,
    /// CPU usage at every step, in cores; only where the strategy needs them.
    pub cpu_samples: Vec<f64>,
    /// Steps at which CPU was known, or as many of them as are enough; only where the strategy needs them.
    pub cpu_points: Option<f64>,
    /// The largest memory working set, in bytes.
    pub memory: Option<f64>,
    /// Steps at which memory was known, or as many of them as are enough; only where the strategy needs them.
    pub memory_points: Option<f64>,
    /// Hours in which memory was known, where they are told by its steps and not by slots.
    pub hours_known: Option<f64>,
    /// The largest memory working set of each slot, in bytes, by the slot's end; ascending.
    pub memory_slots: Vec<(Timestamp, f64)>,
    /// The largest CPU usage of each slot, in cores, by the slot's end; ascending; only for plots.
    pub cpu_slots: Vec<(Timestamp, f64)>,
    /// When it was last killed for lack of memory.
    pub oom_killed: Option<Timestamp>,
    /// The memory limit it had then, in bytes.
    pub oom_limit: Option<f64>,
}

impl ContainerObserved {
    /// Ends of the slots in which it was observed in some pod.
    pub(crate) fn slots(&self) -> std::collections::BTreeSet<Timestamp> {
        self.pods.values().flat_map(|pod| pod.memory_slots.iter().map(|(end, _)| *end)).collect()
    }

    /// The largest memory working set of any pod, in bytes.
    #[must_use]
    pub fn memory_peak(&self) -> Option<f64> {
        self.pods.values().filter_map(|pod| pod.memory).reduce(f64::max)
    }

    /// The largest values of any pod by slot, to be drawn: CPU in cores and memory in bytes.
    #[must_use]
    pub fn history(&self) -> crate::History {
        let largest = |slots: &dyn Fn(&PodObserved) -> &[(Timestamp, f64)]| {
            largest_by_slot(self.pods.values().flat_map(|pod| slots(pod).iter().copied()))
        };
        crate::History {
            cpu: largest(&|pod| &pod.cpu_slots),
            memory: largest(&|pod| &pod.memory_slots),
            ..crate::History::default()
        }
    }
}

/// The largest value of each slot by the slot's end, ascending.
fn largest_by_slot(slots: impl Iterator<Item = (Timestamp, f64)>) -> Vec<(Timestamp, f64)> {
    let mut largest: BTreeMap<Timestamp, f64> = BTreeMap::new();
    for (end, value) in slots {
        largest.entry(end).and_modify(|most| *most = most.max(value)).or_insert(value);
    }
    largest.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_container_are_one_with_the_largest_value_of_each_slot() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let before_restart = [(at(3600), 5.0), (at(7200), 2.0)];
        let after = [(at(7200), 3.0), (at(10_800), 1.0)];
        let merged = largest_by_slot(after.into_iter().chain(before_restart));
        assert_eq!(merged, [(at(3600), 5.0), (at(7200), 3.0), (at(10_800), 1.0)]);
    }
}
