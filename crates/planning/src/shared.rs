//! One resource over all containers and slots: what was asked for, what was given, and why not more.

use mora_core::{Violation, ViolationKind};

use crate::ceilings::{Ceilings, Outcome, STEPS};

/// Amounts per replica, in the resource's smallest unit; one slot where a single request holds for the
/// whole horizon.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    ceilings: Ceilings<'a>,
    /// By slot and container.
    given: Vec<Vec<u64>>,
    /// The slot in which most is missing.
    tightest: Outcome,
}

impl<'a> Shared<'a> {
    /// Gives what is `wanted`, by container and slot, as far as it goes, slot by slot.
    pub(crate) fn new(ceilings: Ceilings<'a>, wanted: &[Vec<u64>]) -> Self {
        let slots = wanted.iter().map(Vec::len).min().unwrap_or(0);
        let mut shared = Self { ceilings, given: Vec::new(), tightest: Outcome::default() };
        let mut most = None;
        for slot in 0..slots {
            let wanted: Vec<u64> = wanted.iter().map(|slots| slots[slot]).collect();
            let outcome = shared.ceilings.share(&wanted);
            shared.given.push(outcome.given.clone());
            let missing = shared.missing(&outcome);
            if most.is_none_or(|most| missing > most) {
                most = Some(missing);
                shared.tightest = outcome;
            }
        }
        shared
    }

    /// What is missing over all replicas.
    fn missing(&self, outcome: &Outcome) -> u64 {
        let each = |index| self.withheld(index, outcome);
        (0..self.ceilings.seats.len()).map(each).fold(0, u64::saturating_add)
    }

    /// What a container misses over all replicas.
    fn withheld(&self, index: usize, outcome: &Outcome) -> u64 {
        let each = outcome.wanted[index] - outcome.given[index];
        each.saturating_mul(u64::from(self.ceilings.seats[index].replicas))
    }

    pub(crate) const fn slots(&self) -> usize {
        self.given.len()
    }

    /// What a container gets per replica in `slot`.
    pub(crate) fn given(&self, index: usize, slot: usize) -> u64 {
        self.given.get(slot).or(self.given.last()).map_or(0, |given| given[index])
    }

    /// The most that a container gets per replica in any slot.
    pub(crate) fn highest(&self, index: usize) -> u64 {
        self.given.iter().map(|given| given[index]).max().unwrap_or(0)
    }

    /// What a container misses over all replicas in the tightest slot.
    pub(crate) fn cut(&self, index: usize) -> u64 {
        if self.given.is_empty() { 0 } else { self.withheld(index, &self.tightest) }
    }

    /// Every rule that took something from a container in the tightest slot, or asks for more than it got.
    pub(crate) fn violations(&self, index: usize) -> Vec<Violation> {
        if self.given.is_empty() {
            return Vec::new();
        }
        let withheld = STEPS.into_iter().zip(&self.tightest.withheld);
        let taken = withheld.filter(|(_, amounts)| amounts[index] > 0).map(|(kind, amounts)| {
            let (place, reason) = self.ceilings.reason(kind, index, &self.tightest);
            self.violation(kind, (index, amounts[index]), place, reason)
        });
        taken.chain(self.below_minimum(index)).collect()
    }

    fn below_minimum(&self, index: usize) -> Option<Violation> {
        let (missing, rule) = self.ceilings.below_minimum(index, &self.tightest.given)?;
        let namespace = self.ceilings.seats[index].workload.namespace();
        let reason = format!("LimitRange {rule} asks for more, so its pods would be refused");
        let place = Some(format!("{namespace}/{rule}"));
        Some(self.violation(ViolationKind::BelowMinimum, (index, missing), place, reason))
    }

    /// The violation by what the container `index` misses of each replica.
    fn violation(
        &self,
        kind: ViolationKind,
        (index, each): (usize, u64),
        place: Option<String>,
        reason: String,
    ) -> Violation {
        let seat = &self.ceilings.seats[index];
        let shared_out = matches!(kind, ViolationKind::Quota | ViolationKind::Capacity);
        let amount = each.saturating_mul(u64::from(seat.replicas));
        Violation {
            kind,
            workload: Some(seat.workload.clone()),
            container: Some(seat.container.to_owned()),
            place,
            shortfall: self.ceilings.resource.missing_request(amount),
            reason: if shared_out {
                format!("{reason} at priority {}", seat.priority)
            } else {
                reason
            },
        }
    }
}
