//! The drafts after bounds, autoscalers and the cluster had their say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{
    Amount, AutoscalerAdvice, Bytes, Capacity, Cause, ClusterState, Cut, ForecastPoint,
    Justification, Limit, Limits, Millicores, Recommendation, Source, Step, Target, Violation,
    ViolationKind, WorkloadKind, WorkloadRef,
};

use crate::autoscale::Scaling;
use crate::ceilings::{Ceilings, Seat};
use crate::draft::{Draft, Need};
use crate::limits::{Followed, Limited, limits};
use crate::packing::{Pods, unplaced};
use crate::parts::complete;
use crate::resource::Resource;
use crate::shared::Shared;
use crate::{Allowed, Policy, RequestShape};

/// What the cluster can give, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance<'a> {
    pub(crate) capacity: Option<&'a Capacity>,
    pub(crate) cluster: Option<&'a ClusterState>,
}

/// The drafts after policy and cluster had their say.
pub(crate) struct Fitted<'a> {
    policy: &'a Policy,
    drafts: &'a [Draft],
    seats: &'a [Seat<'a>],
    allowed: Vec<(Allowed<Millicores>, Allowed<Bytes>)>,
    cpu: Shared<'a>,
    memory: Shared<'a>,
    cpu_limits: Limited,
    memory_limits: Limited,
    autoscalers: BTreeMap<&'a WorkloadRef, AutoscalerAdvice>,
}

/// One seat for each draft.
pub(crate) fn seats(drafts: &[Draft]) -> Vec<Seat<'_>> {
    drafts
        .iter()
        .map(|draft| Seat {
            workload: &draft.workload,
            container: &draft.container,
            replicas: draft.replicas,
            priority: draft.justification.priority,
        })
        .collect()
}

impl<'a> Fitted<'a> {
    /// Fits `drafts`, whose seats are `seats`, into what `allowance` has.
    pub(crate) fn new(
        drafts: &'a [Draft],
        seats: &'a [Seat<'a>],
        scalings: &'a BTreeMap<WorkloadRef, Scaling>,
        allowance: Allowance<'a>,
        policy: &'a Policy,
    ) -> Self {
        let shape = policy.requests;
        let allowed: Vec<_> =
            drafts.iter().map(|d| policy.allowed(&d.workload, &d.container)).collect();
        let both = || drafts.iter().zip(&allowed);
        let cpu_wanted: Vec<_> =
            both().map(|(d, (cpu, _))| wanted(&d.cpu, cpu, shape, Millicores::get)).collect();
        let memory_wanted: Vec<_> =
            both().map(|(d, (_, memory))| wanted(&d.memory, memory, shape, Bytes::get)).collect();
        let Allowance { capacity, cluster } = allowance;
        let cpu_room = capacity.map(|c| c.cpu().get());
        let memory_room = capacity.map(|c| c.memory().get());
        let (cpu_floor, memory_floor) = (policy.cpu_floor.get(), policy.memory_floor.get());
        let cpu = Ceilings::new(Resource::Cpu, seats, cpu_floor, cluster, cpu_room);
        let memory = Ceilings::new(Resource::Memory, seats, memory_floor, cluster, memory_room);
        let mut fitted = Self {
            policy,
            drafts,
            seats,
            cpu: Shared::new(cpu, &cpu_wanted),
            memory: Shared::new(memory, &memory_wanted),
            allowed,
            cpu_limits: Limited::default(),
            memory_limits: Limited::default(),
            autoscalers: BTreeMap::new(),
        };
        fitted.set_limits(cluster);
        fitted.advise(scalings);
        fitted
    }

    /// Limits beside the targets, which are those of the first slot: what later slots ask for keeps its proportion to them. One that
    /// keeps its ratio would, beside the highest slot, be taken for many times the request by the next plan, and grow with each; one
    /// that is never lowered goes with the highest slot, and so with all.
    fn set_limits(&mut self, cluster: Option<&ClusterState>) {
        let each = || self.drafts.iter().zip(&self.allowed).enumerate();
        let cpu = each().map(|(index, (draft, (allowed, _)))| {
            let now = (draft.claim.cpu_request, draft.claim.cpu_limit);
            let now = (now.0.map(Millicores::get), now.1.map(Millicores::get));
            followed(&self.cpu, index, now, allowed.clamp(draft.cpu.upper).get())
        });
        let memory = each().map(|(index, (draft, (_, allowed)))| {
            let now = (draft.claim.memory_request, draft.claim.memory_limit);
            let now = (now.0.map(Bytes::get), now.1.map(Bytes::get));
            followed(&self.memory, index, now, allowed.clamp(draft.memory.upper).get())
        });
        let (cpu, memory): (Vec<_>, Vec<_>) = (cpu.collect(), memory.collect());
        let rules = self.policy.limits;
        self.cpu_limits = limits(Resource::Cpu, rules.cpu, self.seats, &cpu, cluster);
        self.memory_limits = limits(Resource::Memory, rules.memory, self.seats, &memory, cluster);
    }

    fn advise(&mut self, scalings: &'a BTreeMap<WorkloadRef, Scaling>) {
        for (workload, scaling) in scalings {
            let of = |(_, seat): &(usize, &Seat<'_>)| seat.workload == workload;
            let containers = self.seats.iter().enumerate().filter(of);
            let request = containers.map(|(index, _)| self.cpu.highest(index));
            let request = Millicores::new(request.fold(0, u64::saturating_add));
            self.autoscalers.insert(workload, scaling.advise(request));
        }
    }

    /// Everything the demand runs into, in order of container.
    pub(crate) fn violations(&self, cluster: Option<&ClusterState>) -> Vec<Violation> {
        let requests = (0..self.drafts.len())
            .flat_map(|index| [self.cpu.violations(index), self.memory.violations(index)]);
        let mut violations: Vec<Violation> = requests.flatten().collect();
        violations.extend(self.cpu_limits.violations.iter().cloned());
        violations.extend(self.memory_limits.violations.iter().cloned());
        violations.extend(cluster.map(|cluster| self.unpacked(cluster)).unwrap_or_default());
        violations
    }

    /// The pods that find no node in the slot with most to place.
    fn unpacked(&self, cluster: &ClusterState) -> Vec<Violation> {
        let Some(nodes) = &cluster.nodes else { return Vec::new() };
        let order: Vec<usize> = (0..self.seats.len()).collect();
        let same = |a: &usize, b: &usize| self.seats[*a].workload == self.seats[*b].workload;
        let groups: Vec<&[usize]> = order.chunk_by(same).collect();
        let slot = self.fullest_slot(nodes.iter().map(mora_core::NodeRoom::room));
        let pods: Vec<Pods> = groups
            .iter()
            .map(|group| Pods {
                each: group
                    .iter()
                    .map(|&i| self.amount(i, slot))
                    .fold(Amount::default(), Amount::plus),
                replicas: self.seats[group[0]].replicas,
                one_per_node: self.seats[group[0]].workload.kind() == WorkloadKind::DaemonSet,
            })
            .collect();
        let missing = unplaced(&pods, nodes);
        let found = groups.iter().zip(&pods).zip(missing).filter(|(_, missing)| *missing > 0);
        found
            .map(|((group, pods), missing)| unpacked(self.seats[group[0]].workload, pods, missing))
            .collect()
    }

    fn amount(&self, index: usize, slot: usize) -> Amount {
        Amount {
            cpu: Millicores::new(self.cpu.given(index, slot)),
            memory: Bytes::new(self.memory.given(index, slot)),
        }
    }

    /// The slot that takes the largest part of either resource of the nodes.
    fn fullest_slot(&self, rooms: impl Iterator<Item = Amount>) -> usize {
        let whole = rooms.fold(Amount::default(), Amount::plus);
        let part = |slot: usize| {
            let each = self.seats.iter().enumerate();
            let all = each.map(|(index, seat)| self.amount(index, slot).times(seat.replicas));
            let all = all.fold(Amount::default(), Amount::plus);
            let of = |amount: u64, whole: u64| amount as f64 / whole.max(1) as f64;
            of(all.cpu.get(), whole.cpu.get()).max(of(all.memory.get(), whole.memory.get()))
        };
        let slots = (0..self.cpu.slots()).map(|slot| (slot, part(slot)));
        slots.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map_or(0, |(slot, _)| slot)
    }

    /// What the containers do not get, with the reasons in `violations`.
    pub(crate) fn cuts(&self, violations: &[Violation]) -> Vec<Cut> {
        let mut reasons: BTreeMap<(&WorkloadRef, &str), Vec<&str>> = BTreeMap::new();
        for violation in violations.iter().filter(|violation| violation.kind.withholds()) {
            if let (Some(workload), Some(container)) = (&violation.workload, &violation.container) {
                reasons.entry((workload, container)).or_default().push(&violation.reason);
            }
        }
        let cut = |(index, draft): (usize, &Draft)| {
            let reasons = reasons.get(&(&draft.workload, draft.container.as_str()));
            self.cut(index, reasons.map_or(&[], Vec::as_slice))
        };
        self.drafts.iter().enumerate().filter_map(cut).collect()
    }

    /// What the container `index` does not get, if anything.
    fn cut(&self, index: usize, reasons: &[&str]) -> Option<Cut> {
        let cpu = Millicores::new(self.cpu.cut(index));
        let memory = Bytes::new(self.memory.cut(index));
        if cpu == Millicores::ZERO && memory == Bytes::ZERO {
            return None;
        }
        let draft = &self.drafts[index];
        Some(Cut {
            workload: draft.workload.clone(),
            container: draft.container.clone(),
            cpu,
            memory,
            reason: reasons.join(", and "),
        })
    }

    /// The recommendation for the container `index`, whose first slot of width `slot` begins at `start`.
    pub(crate) fn recommend(&self, index: usize, start: Timestamp, slot: Step) -> Recommendation {
        let (draft, shape) = (&self.drafts[index], self.policy.requests);
        let (cpu_allowed, memory_allowed) = &self.allowed[index];
        let cpu = target(&draft.cpu, cpu_allowed, shape);
        let memory = target(&draft.memory, memory_allowed, shape);
        let justification = self.explained(index, (cpu.target, memory.target));
        Recommendation {
            workload: draft.workload.clone(),
            container: draft.container.clone(),
            replicas: draft.replicas,
            cpu: Target {
                current: draft.claim.cpu_request,
                target: Millicores::new(self.cpu.given(index, 0)),
                ..cpu
            },
            memory: Target {
                current: draft.claim.memory_request,
                target: Bytes::new(self.memory.given(index, 0)),
                ..memory
            },
            limits: self.limits(index),
            autoscaler: self.autoscalers.get(&draft.workload).copied(),
            schedule: self.schedule(index, start, slot),
            source: draft.source.clone(),
            justification,
            decision: None,
        }
    }

    /// The reasoning of the draft, with what bounds and cluster made of the needs.
    fn explained(&self, index: usize, (cpu, memory): (Millicores, Bytes)) -> Justification {
        let (cpu_allowed, memory_allowed) = &self.allowed[index];
        let mut justification = self.drafts[index].justification.clone();
        let parts = &mut justification.cpu_parts;
        complete(parts, Cause::Bounds, cpu_allowed.clamp(cpu).get());
        complete(parts, Cause::Cluster, self.cpu.given(index, 0));
        let parts = &mut justification.memory_parts;
        complete(parts, Cause::Bounds, memory_allowed.clamp(memory).get());
        complete(parts, Cause::Cluster, self.memory.given(index, 0));
        justification.notes.extend(self.notes(index));
        justification
    }

    fn limits(&self, index: usize) -> Limits {
        let claim = &self.drafts[index].claim;
        Limits {
            cpu: Limit {
                current: claim.cpu_limit,
                target: self.cpu_limits.limits[index].map(Millicores::new),
                fixed: self.cpu_limits.fixed[index],
            },
            memory: Limit {
                current: claim.memory_limit,
                target: self.memory_limits.limits[index].map(Bytes::new),
                fixed: self.memory_limits.fixed[index],
            },
        }
    }

    /// What bounds and limit ranges changed about the container `index`, each a sentence.
    fn notes(&self, index: usize) -> Vec<String> {
        let (draft, (cpu, memory)) = (&self.drafts[index], &self.allowed[index]);
        let held = [
            held("CPU", draft.cpu.slots.iter().max(), cpu.max_allowed),
            held("memory", draft.memory.slots.iter().max(), memory.max_allowed),
        ];
        let limits =
            [&self.cpu_limits, &self.memory_limits].map(|limits| limits.notes[index].clone());
        held.into_iter().chain(limits).flatten().collect()
    }

    /// The request of every slot, never above what the slot was given.
    fn schedule(&self, index: usize, start: Timestamp, slot: Step) -> Vec<ForecastPoint> {
        let draft = &self.drafts[index];
        if !matches!(draft.source, Source::Forecast { .. }) {
            return Vec::new();
        }
        let (cpu_allowed, memory_allowed) = &self.allowed[index];
        let point = |(at, (cpu, memory)): (usize, (&Millicores, &Bytes))| {
            let given = self.amount(index, at);
            ForecastPoint {
                start: start.saturating_add(slot.times(at)).unwrap_or(start),
                cpu: cpu_allowed.clamp(*cpu).min(given.cpu),
                memory: memory_allowed.clamp(*memory).min(given.memory),
            }
        };
        draft.cpu.slots.iter().zip(&draft.memory.slots).enumerate().map(point).collect()
    }
}

/// The sentence about a need that `max_allowed` holds down.
fn held<Q: Ord + Copy + std::fmt::Display>(
    resource: &str,
    need: Option<&Q>,
    most: Option<Q>,
) -> Option<String> {
    let (need, most) = (need?, most?);
    (*need > most).then(|| {
        format!(
            "its {resource} is held to the configured max_allowed of {most} where {need} is needed"
        )
    })
}

fn unpacked(workload: &WorkloadRef, pods: &Pods, missing: u32) -> Violation {
    let Amount { cpu, memory } = pods.each;
    let shortfall = Resource::Cpu.missing_request(pods.each.times(missing).cpu.get());
    Violation {
        kind: ViolationKind::Packing,
        workload: Some(workload.clone()),
        container: None,
        place: None,
        shortfall,
        reason: format!(
            "{missing} of {} pods of {cpu} CPU and {memory} memory find no node with room beside the others",
            pods.replicas
        ),
    }
}

/// What is asked for within the bounds: per slot, or once for the highest slot.
fn wanted<Q: Ord + Copy>(
    need: &Need<Q>,
    allowed: &Allowed<Q>,
    shape: RequestShape,
    amount: fn(Q) -> u64,
) -> Vec<u64> {
    let bounded = need.slots.iter().map(|slot| amount(allowed.clamp(*slot)));
    match shape {
        RequestShape::Schedule => bounded.collect(),
        RequestShape::Peak => vec![bounded.max().unwrap_or(0)],
    }
}

/// What the limit of the container `index` follows, with the request and limit it has `now` and the upper bound of its highest
/// slot, which is brought down to the first slot in proportion.
fn followed(
    shared: &Shared<'_>,
    index: usize,
    now: (Option<u64>, Option<u64>),
    upper_bound: u64,
) -> Followed {
    let (request, highest) = (shared.given(index, 0), shared.highest(index));
    let upper = u128::from(upper_bound) * u128::from(request);
    let upper = upper.div_ceil(u128::from(highest.max(1)));
    Followed {
        request_now: now.0,
        limit_now: now.1,
        request,
        upper_bound: u64::try_from(upper).unwrap_or(u64::MAX),
        highest: (highest, upper_bound),
    }
}

/// The bounds of a recommendation, and its target as if there were no policy.
fn target<Q: Ord + Copy + Default>(
    need: &Need<Q>,
    allowed: &Allowed<Q>,
    shape: RequestShape,
) -> Target<Q> {
    let needed = match shape {
        RequestShape::Peak => need.slots.iter().copied().max(),
        RequestShape::Schedule => need.slots.first().copied(),
    };
    let needed = needed.unwrap_or_default();
    Target {
        current: None,
        target: needed,
        lower_bound: allowed.clamp(need.lower),
        upper_bound: allowed.clamp(need.upper),
        uncapped_target: needed,
    }
}

#[cfg(test)]
mod tests;
