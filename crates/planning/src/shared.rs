//! One resource over all drafts and slots: what was asked for and what was given.

use crate::draft::Draft;
use crate::fit_to_capacity::{Claim, Supply, fit_to_capacity};

/// Amounts per replica, by draft and slot, in the resource's smallest unit; one slot where a single
/// request holds for the whole horizon.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shared {
    wanted: Vec<Vec<u64>>,
    given: Vec<Vec<u64>>,
    capacity: u64,
    /// What is wanted over all replicas in the tightest slot.
    needed: u64,
    /// The slot in which most is missing.
    tightest: usize,
}

impl Shared {
    /// Shares `supply` out slot by slot; without one, everyone gets what it wants.
    pub(crate) fn new(drafts: &[Draft], wanted: Vec<Vec<u64>>, supply: Option<Supply>) -> Self {
        let mut shared =
            Self { given: wanted.clone(), wanted, capacity: 0, needed: 0, tightest: 0 };
        let Some(supply) = supply else { return shared };
        shared.capacity = supply.capacity;
        let slots = shared.wanted.iter().map(Vec::len).min().unwrap_or(0);
        let mut most = 0;
        for slot in 0..slots {
            let missing = shared.share_slot(slot, drafts, supply);
            if missing > most {
                most = missing;
                shared.tightest = slot;
                shared.needed = shared.given_in(slot, drafts).saturating_add(missing);
            }
        }
        shared
    }

    /// Shares out one slot; returns what is missing over all replicas.
    fn share_slot(&mut self, slot: usize, drafts: &[Draft], supply: Supply) -> u64 {
        let claims: Vec<Claim> = drafts
            .iter()
            .zip(&self.wanted)
            .map(|(draft, wanted)| Claim {
                wanted: wanted[slot],
                replicas: draft.replicas,
                priority: draft.justification.priority,
            })
            .collect();
        let given = fit_to_capacity(&claims, supply);
        let mut missing: u64 = 0;
        for ((claim, amount), cells) in claims.iter().zip(given).zip(&mut self.given) {
            cells[slot] = amount;
            let short = (claim.wanted - amount).saturating_mul(u64::from(claim.replicas));
            missing = missing.saturating_add(short);
        }
        missing
    }

    fn given_in(&self, slot: usize, drafts: &[Draft]) -> u64 {
        let totals = self.given.iter().zip(drafts);
        totals.map(|(given, draft)| given[slot] * u64::from(draft.replicas)).sum()
    }

    /// What a draft gets per replica in `slot`.
    pub(crate) fn given(&self, index: usize, slot: usize) -> u64 {
        let slots = &self.given[index];
        slots.get(slot).or(slots.last()).copied().unwrap_or(0)
    }

    /// What a draft misses over all `replicas` in the tightest slot.
    pub(crate) fn cut(&self, index: usize, replicas: u32) -> u64 {
        let at = |amounts: &[Vec<u64>]| amounts[index].get(self.tightest).copied().unwrap_or(0);
        (at(&self.wanted) - at(&self.given)).saturating_mul(u64::from(replicas))
    }

    /// The sentence that explains a cut, without a full stop.
    pub(crate) fn shortage(&self, resource: &str, text: impl Fn(u64) -> String) -> String {
        let (needed, capacity) = (text(self.needed), text(self.capacity));
        format!("the workloads need {needed} of {resource} where {capacity} can be requested")
    }
}
