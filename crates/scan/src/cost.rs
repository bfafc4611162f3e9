//! What requests cost.

use mora_core::{Bytes, Millicores};
use serde::{Deserialize, Serialize};

use crate::{Cost, ResourceRow, Totals};

/// Hours of a month, as clouds bill it: a twelfth of 8,760.
const MONTH_HOURS: f64 = 730.0;
const CENTS: f64 = 100.0;
const GIBIBYTE: f64 = 1_073_741_824.0;

/// What resources cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// A core for an hour, at least 0.
    pub cpu_core_hour: f64,
    /// A GiB of memory for an hour, at least 0.
    pub memory_gib_hour: f64,
    /// Their currency.
    pub currency: String,
}

impl Default for Prices {
    /// Round figures of general-purpose machines on demand; those of one's own provider tell more.
    fn default() -> Self {
        Self { cpu_core_hour: 0.03, memory_gib_hour: 0.004, currency: "USD".to_owned() }
    }
}

impl Prices {
    /// `cpu` and `memory` for a month, to a cent.
    #[must_use]
    pub fn month(&self, cpu: Millicores, memory: Bytes) -> f64 {
        let hour = cpu.cores() * self.cpu_core_hour
            + memory.get() as f64 / GIBIBYTE * self.memory_gib_hour;
        (hour * MONTH_HOURS * CENTS).round() / CENTS
    }

    /// What the requests of `replicas` cost in a month, as they are and as recommended.
    #[must_use]
    pub fn cost(
        &self,
        cpu: &ResourceRow<Millicores>,
        memory: &ResourceRow<Bytes>,
        replicas: u32,
    ) -> Cost {
        let month = |cpu: Option<Millicores>, memory: Option<Bytes>| {
            let (cpu, memory) = (cpu?.scaled(f64::from(replicas)), memory?.get());
            Some(self.month(cpu, Bytes::new(memory.saturating_mul(u64::from(replicas)))))
        };
        Cost {
            current: month(cpu.request.current, memory.request.current),
            recommended: month(cpu.request.then(), memory.request.then()),
        }
    }

    /// The totals of requests of `replicas` each; what is not set is nothing.
    pub(crate) fn totals(
        &self,
        requests: impl Iterator<Item = (Option<Millicores>, Option<Bytes>, u32)>,
    ) -> Totals {
        let mut totals = Totals::default();
        for (cpu, memory, replicas) in requests {
            let times = u64::from(replicas);
            let cpu = cpu.map_or(0, |cpu| cpu.get().saturating_mul(times));
            let memory = memory.map_or(0, |memory| memory.get().saturating_mul(times));
            totals.cpu = totals.cpu + Millicores::new(cpu);
            totals.memory = totals.memory + Bytes::new(memory);
        }
        totals.cost = self.month(totals.cpu, totals.memory);
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, Proposed, Severity};

    fn row<Q>(current: Option<Q>, recommended: Proposed<Q>) -> ResourceRow<Q> {
        let change = |current, recommended| Change {
            current,
            recommended,
            change_percent: None,
            severity: Severity::Good,
        };
        ResourceRow { request: change(current, recommended), limit: change(None, Proposed::Unset) }
    }

    #[test]
    fn a_month_has_730_hours() {
        let prices = Prices { cpu_core_hour: 0.04, memory_gib_hour: 0.01, ..Prices::default() };
        let month = prices.month(Millicores::new(500), Bytes::from_mebibytes(2048));
        assert!((month - 730.0 * 0.04).abs() < 1e-9, "{month}");
    }

    #[test]
    fn what_nothing_can_be_said_of_costs_what_it_does_now() {
        let prices = Prices { cpu_core_hour: 1.0, memory_gib_hour: 1.0, ..Prices::default() };
        let cpu = row(Some(Millicores::new(2000)), Proposed::Unknown);
        let memory = row(None, Proposed::Value(Bytes::from_mebibytes(1024)));
        let cost = prices.cost(&cpu, &memory, 3);
        assert_eq!(cost.current, None, "without a memory request there is no telling");
        assert!((cost.recommended.unwrap() - 3.0 * 730.0 * 3.0).abs() < 1e-6, "{cost:?}");
    }
}
