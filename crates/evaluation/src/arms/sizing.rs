//! Claims from what an arm wants.

use mora_cluster_simulator::Change;
use mora_core::{Bytes, LimitRule, Millicores, ResourceClaim, StatisticalRule, WorkloadRef};

use crate::View;

/// Requests of each pod of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Requests {
    pub(super) cpu: Millicores,
    pub(super) memory: Bytes,
}

/// The change of a workload in place to these requests, with limits that follow them by `limits`; `None` where it claims just that.
pub(super) fn resize(
    view: &dyn View,
    workload: &WorkloadRef,
    requests: Requests,
    limits: LimitRule,
) -> Option<Change> {
    let now = view.claim(workload);
    let Requests { cpu, memory } = requests;
    let cpu_now = (now.cpu_request.map(Millicores::get), now.cpu_limit.map(Millicores::get));
    let memory_now = (now.memory_request.map(Bytes::get), now.memory_limit.map(Bytes::get));
    let claim = ResourceClaim {
        cpu_request: Some(cpu),
        cpu_limit: limits.limit(cpu.get(), cpu_now, 0).map(Millicores::new),
        memory_request: Some(memory),
        memory_limit: limits.limit(memory.get(), memory_now, 0).map(Bytes::new),
    };
    (now != claim).then(|| Change::Resize { workload: workload.clone(), claim })
}

/// Requests for `cpu` cores and `memory` bytes, at least what the statistical rule allows; numbers that are none give that.
pub(super) fn requests(cpu: f64, memory: f64) -> Requests {
    let rule = StatisticalRule::default();
    let cpu = Millicores::from_cores(cpu).unwrap_or_default().max(rule.cpu_min_allowed);
    let memory = Bytes::from_measured(memory).unwrap_or_default().max(rule.memory_min_allowed);
    Requests { cpu, memory }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_rounded_up_and_at_least_what_the_statistical_rule_allows() {
        let asked = requests(0.1234, 20_000_001.0);
        assert_eq!((asked.cpu, asked.memory), (Millicores::new(124), Bytes::from_mebibytes(20)));
        for (cpu, memory) in [(0.0, 0.0), (f64::NAN, f64::NAN), (-1.0, f64::INFINITY)] {
            let least = requests(cpu, memory);
            assert_eq!(least.cpu, Millicores::new(10));
            assert_eq!(least.memory, Bytes::from_mebibytes(16));
        }
    }
}
