//! Which of the wanted changes are made in this run: the urgent ones first, while budget and room last.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{Capacity, Recommendation, WorkloadRef};

use super::resource::Resource;
use super::rules::GateRules;
use super::wants::{Go, Way};

/// Changes of one workload that are made together or not at all.
#[derive(Debug, Clone)]
pub(super) struct Proposal<'a> {
    pub(super) workload: &'a WorkloadRef,
    pub(super) urgency: Urgency,
    /// Higher goes up first and down last.
    pub(super) priority: i32,
    pub(super) moves: Vec<Move<'a>>,
}

/// What goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Back from a decrease that did harm.
    RollBack,
    /// Let through by a recent run and not in force yet.
    Repeated,
    /// Usage is above the request.
    Starving,
    Raise,
    Lower,
}

/// A change of one resource of one container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) recommendation: &'a Recommendation,
    pub(super) resource: Resource,
    pub(super) go: Go,
}

/// What became of a wanted change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is made; of what was wanted, `to` is given.
    Made { to: u64 },
    /// It waits, and why, as the rest of a sentence.
    Waits(String),
}

/// The fate of every wanted change, by workload, container and resource.
pub(super) type Fates<'a> = BTreeMap<(&'a WorkloadRef, &'a str, Resource), Fate>;

/// What can still be given of each resource; `None` where there is no limit.
#[derive(Debug, Clone)]
pub(super) struct Room(BTreeMap<Resource, u128>);

impl Room {
    /// What `capacity` leaves above everything in force in `recommendations`.
    ///
    /// What this run lowers is no room yet: it is free once it has been seen lowered.
    pub(super) fn new(capacity: Option<&Capacity>, recommendations: &[Recommendation]) -> Self {
        let free = |capacity: &Capacity, resource: Resource| {
            let in_force = recommendations
                .iter()
                .map(|r| u128::from(resource.current(r).unwrap_or(0)) * u128::from(replicas(r)));
            u128::from(resource.capacity(capacity)).saturating_sub(in_force.sum())
        };
        let each = |c| Resource::ALL.into_iter().map(move |r| (r, free(c, r)));
        Self(capacity.into_iter().flat_map(each).collect())
    }

    /// The part of a raise that there is room for, if it is worth a change.
    fn take(&mut self, change: &Move<'_>, rules: &GateRules) -> Fate {
        let Move { recommendation, resource, go } = *change;
        let current = resource.current(recommendation).unwrap_or(0);
        let Some(free) = self.0.get_mut(&resource) else { return Fate::Made { to: go.to } };
        let each = u64::try_from(*free / u128::from(replicas(recommendation))).unwrap_or(u64::MAX);
        let most = current.saturating_add(each);
        let to = if go.to <= most { go.to } else { most / resource.grain() * resource.grain() };
        let given = to.saturating_sub(current);
        if to < go.to && given <= rules.dead_band(resource, current) {
            let (text, name) = (|amount| resource.text(amount), resource.name());
            return Fate::Waits(format!(
                "the {} more that {} replicas need do not fit into the {} of {name} that are free under the cap until decreases are in force",
                text(go.to.saturating_sub(current).saturating_mul(replicas(recommendation).into())),
                replicas(recommendation),
                text(u64::try_from(*free).unwrap_or(u64::MAX)),
            ));
        }
        *free -= u128::from(given) * u128::from(replicas(recommendation));
        Fate::Made { to }
    }
}

fn replicas(recommendation: &Recommendation) -> u32 {
    recommendation.replicas.max(1)
}

/// Decides about `proposals` for a plan of `workloads`.
pub(super) fn admit<'a>(
    mut proposals: Vec<Proposal<'a>>,
    mut room: Room,
    rules: &GateRules,
    workloads: usize,
) -> Fates<'a> {
    proposals.sort_by_key(|p| (p.urgency, p.order(), p.workload));
    let (mut fates, mut changed) = (Fates::new(), BTreeSet::new());
    for proposal in proposals {
        let refused = if changed.contains(proposal.workload) {
            Some("a workload is not raised and lowered in one run".to_owned())
        } else if changed.len() >= rules.budget(workloads) {
            Some(format!("this run changes {} workloads, as many as it may", changed.len()))
        } else {
            None
        };
        for change in &proposal.moves {
            let fate = match (&refused, change.go.way) {
                (Some(why), _) => Fate::Waits(why.clone()),
                (None, Way::Down) => Fate::Made { to: change.go.to },
                (None, Way::Up | Way::Back) => room.take(change, rules),
            };
            if matches!(fate, Fate::Made { .. }) {
                changed.insert(proposal.workload);
            }
            fates.insert(change.key(), fate);
        }
    }
    fates
}

impl Proposal<'_> {
    /// Among equally urgent ones, the most important goes up first and down last.
    fn order(&self) -> i64 {
        let priority = i64::from(self.priority);
        if self.urgency == Urgency::Lower { priority } else { -priority }
    }
}

impl<'a> Move<'a> {
    fn key(&self) -> (&'a WorkloadRef, &'a str, Resource) {
        (&self.recommendation.workload, &self.recommendation.container, self.resource)
    }
}
