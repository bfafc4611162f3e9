//! Claims from what an arm wants.

use std::collections::BTreeMap;

use mora_cluster_simulator::Change;
use mora_core::{Bytes, LimitRule, Millicores, ResourceClaim, StatisticalRule, WorkloadRef};

use crate::{ArmLimits, View};

/// Requests of each pod of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Requests {
    pub(super) cpu: Millicores,
    pub(super) memory: Bytes,
}

/// The claims of the manifests, which tell how far limits lie above requests.
#[derive(Debug)]
pub(super) struct StockClaims {
    claims: BTreeMap<WorkloadRef, ResourceClaim>,
    limits: ArmLimits,
}

impl StockClaims {
    pub(super) const fn new(limits: ArmLimits) -> Self {
        Self { claims: BTreeMap::new(), limits }
    }

    /// The claim with these requests and limits as far above them as in the manifest, which is what the workload claims when it is
    /// asked about first.
    pub(super) fn claim(
        &mut self,
        view: &dyn View,
        workload: &WorkloadRef,
        requests: Requests,
    ) -> ResourceClaim {
        let stock = self.claims.entry(workload.clone()).or_insert_with(|| view.claim(workload));
        let keep = |request, now: (Option<u64>, Option<u64>)| {
            let least = match self.limits {
                ArmLimits::KeepRatio => 0,
                ArmLimits::NeverLower => now.1.unwrap_or(0),
            };
            LimitRule::KeepRatio.limit(request, now, least)
        };
        let cpu = (stock.cpu_request.map(Millicores::get), stock.cpu_limit.map(Millicores::get));
        let memory = (stock.memory_request.map(Bytes::get), stock.memory_limit.map(Bytes::get));
        ResourceClaim {
            cpu_request: Some(requests.cpu),
            cpu_limit: keep(requests.cpu.get(), cpu).map(Millicores::new),
            memory_request: Some(requests.memory),
            memory_limit: keep(requests.memory.get(), memory).map(Bytes::new),
        }
    }

    /// The change to these requests in place; `None` where the workload claims just that.
    pub(super) fn resize(
        &mut self,
        view: &dyn View,
        workload: &WorkloadRef,
        requests: Requests,
    ) -> Option<Change> {
        let claim = self.claim(view, workload, requests);
        let differs = view.claim(workload) != claim;
        differs.then(|| Change::Resize { workload: workload.clone(), claim })
    }
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
