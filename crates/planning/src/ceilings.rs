//! What stands in the way of the requests of one resource: limit ranges, nodes, quotas and the cap.

use std::collections::BTreeMap;

use mora_core::{ClusterState, LimitRangeRule, LimitScope, ViolationKind, WorkloadRef};

use crate::fit_to_capacity::{Claim, Supply, fit_to_capacity};
use crate::resource::Resource;

/// The rules that take something away, in the order in which they do.
pub(crate) const STEPS: [ViolationKind; 4] =
    [ViolationKind::LimitRange, ViolationKind::Node, ViolationKind::Quota, ViolationKind::Capacity];

/// One container that wants something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seat<'a> {
    pub(crate) workload: &'a WorkloadRef,
    pub(crate) container: &'a str,
    /// At least 1.
    pub(crate) replicas: u32,
    pub(crate) priority: i32,
}

/// An amount and the object that sets it.
type Set<'a> = (u64, &'a str);

/// Smallest and largest amount, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Range<'a> {
    min: Option<Set<'a>>,
    max: Option<Set<'a>>,
}

/// What the containers `seats` have in common and may take together.
#[derive(Debug, Clone, PartialEq)]
struct Together<'a> {
    seats: Vec<usize>,
    range: Range<'a>,
}

/// What stands in the way of one resource.
#[derive(Debug)]
pub(crate) struct Ceilings<'a> {
    pub(crate) resource: Resource,
    pub(crate) seats: &'a [Seat<'a>],
    floor: f64,
    containers: Vec<Range<'a>>,
    pods: Vec<Together<'a>>,
    /// The pod of each container, as an index into `pods`.
    pod_of: Vec<usize>,
    /// The node with most room.
    largest: Option<Set<'a>>,
    quotas: Vec<Together<'a>>,
    capacity: Option<u64>,
}

/// What became of one slot, per replica and container.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Outcome {
    /// What was asked for, with the least that limit ranges ask for.
    pub(crate) wanted: Vec<u64>,
    /// What each of [`STEPS`] took away.
    pub(crate) withheld: [Vec<u64>; STEPS.len()],
    pub(crate) given: Vec<u64>,
    /// What was still wanted over all replicas when the cap had its say.
    needed: u64,
}

impl<'a> Ceilings<'a> {
    /// What `cluster` and `capacity` (over all replicas) say about the containers `seats`; `floor` in [0, 1] is
    /// the share of its request that each keeps before any gets more.
    pub(crate) fn new(
        resource: Resource,
        seats: &'a [Seat<'a>],
        floor: f64,
        cluster: Option<&'a ClusterState>,
        capacity: Option<u64>,
    ) -> Self {
        let pods = groups(seats, |seat| seat.workload);
        let mut pod_of = vec![0; seats.len()];
        for (pod, group) in pods.iter().enumerate() {
            group.seats.iter().for_each(|&seat| pod_of[seat] = pod);
        }
        let mut ceilings = Self {
            resource,
            seats,
            floor,
            containers: vec![Range::default(); seats.len()],
            pods,
            pod_of,
            largest: None,
            quotas: Vec::new(),
            capacity,
        };
        if let Some(cluster) = cluster {
            ceilings.read(cluster);
        }
        ceilings
    }

    fn read(&mut self, cluster: &'a ClusterState) {
        let (resource, seats) = (self.resource, self.seats);
        let room = |node: &'a mora_core::NodeRoom| (resource.of(node.room()), node.name.as_str());
        self.largest = cluster.nodes.iter().flatten().map(room).max_by_key(|(room, _)| *room);
        for rule in &cluster.limit_ranges {
            let here = |i: usize| seats[i].workload.namespace() == rule.namespace;
            match rule.scope {
                LimitScope::Container => {
                    let ranges = self.containers.iter_mut().enumerate().filter(|(i, _)| here(*i));
                    ranges.for_each(|(_, range)| range.tighten(rule, resource));
                }
                LimitScope::Pod => {
                    let pods = self.pods.iter_mut().filter(|pod| here(pod.seats[0]));
                    pods.for_each(|pod| pod.range.tighten(rule, resource));
                }
            }
        }
        let namespaces = groups(seats, |seat| seat.workload.namespace());
        for quota in &cluster.quotas {
            let requests = resource.stated(quota.requests.less(quota.unmanaged_requests));
            // A limit is never below its request, so that a quota of limits bounds requests too.
            let limits = resource.stated(quota.limits.less(quota.unmanaged_limits));
            let Some(room) = [requests, limits].into_iter().flatten().min() else { continue };
            let here = |group: &&Together<'a>| {
                seats[group.seats[0]].workload.namespace() == quota.namespace
            };
            self.quotas.extend(namespaces.iter().find(here).map(|group| Together {
                seats: group.seats.clone(),
                range: Range { min: None, max: Some((room, &quota.name)) },
            }));
        }
    }

    /// Gives what is `wanted` per replica as far as it goes.
    pub(crate) fn share(&self, wanted: &[u64]) -> Outcome {
        let wanted = self.raised(wanted);
        let mut outcome = Outcome { given: wanted.clone(), wanted, ..Outcome::default() };
        for (step, kind) in STEPS.into_iter().enumerate() {
            let before = outcome.given.clone();
            self.lower(kind, &outcome.wanted, &mut outcome.given);
            let taken = before.iter().zip(&outcome.given).map(|(before, after)| before - after);
            outcome.withheld[step] = taken.collect();
        }
        outcome.needed = self.needed(&outcome);
        outcome
    }

    /// What is wanted with the least that limit ranges ask of containers and pods.
    fn raised(&self, wanted: &[u64]) -> Vec<u64> {
        let least = |(amount, range): (&u64, &Range<'_>)| {
            range.min.map_or(*amount, |(min, _)| min.max(*amount))
        };
        let mut raised: Vec<u64> = wanted.iter().zip(&self.containers).map(least).collect();
        for pod in &self.pods {
            let sum = pod.sum(&raised);
            let Some(missing) = pod.range.min.and_then(|(min, _)| min.checked_sub(sum)) else {
                continue;
            };
            // The first container of a pod is the one it is named for.
            raised[pod.seats[0]] = raised[pod.seats[0]].saturating_add(missing);
        }
        raised
    }

    fn lower(&self, kind: ViolationKind, wanted: &[u64], given: &mut [u64]) {
        match kind {
            ViolationKind::LimitRange => {
                for (amount, range) in given.iter_mut().zip(&self.containers) {
                    *amount = range.max.map_or(*amount, |(max, _)| max.min(*amount));
                }
                self.pods.iter().for_each(|pod| self.fit_pod(pod, pod.range.max, given));
            }
            ViolationKind::Node => {
                self.pods.iter().for_each(|pod| self.fit_pod(pod, self.largest, given));
            }
            ViolationKind::Quota => {
                for quota in &self.quotas {
                    let room = quota.range.max.map(|(room, _)| room);
                    self.fit(&quota.seats, room, wanted, given);
                }
            }
            _ => {
                let all: Vec<usize> = (0..self.seats.len()).collect();
                self.fit(&all, self.capacity, wanted, given);
            }
        }
    }

    /// Takes the same share from the containers of a pod that is larger than `most`.
    fn fit_pod(&self, pod: &Together<'a>, most: Option<Set<'a>>, given: &mut [u64]) {
        let Some((capacity, _)) = most.filter(|(most, _)| pod.sum(given) > *most) else { return };
        let claim = |&i: &usize| Claim { wanted: given[i], basis: 0, replicas: 1, priority: 0 };
        let claims: Vec<Claim> = pod.seats.iter().map(claim).collect();
        let supply = Supply { capacity, floor: 0.0, grain: self.resource.grain() };
        let fitted = fit_to_capacity(&claims, supply);
        pod.seats.iter().zip(fitted).for_each(|(&i, amount)| given[i] = amount);
    }

    /// Shares `capacity` out to the containers `seats`.
    fn fit(&self, seats: &[usize], capacity: Option<u64>, wanted: &[u64], given: &mut [u64]) {
        let Some(capacity) = capacity else { return };
        let claim = |&i: &usize| Claim {
            wanted: given[i],
            basis: wanted[i],
            replicas: self.seats[i].replicas,
            priority: self.seats[i].priority,
        };
        let claims: Vec<Claim> = seats.iter().map(claim).collect();
        let supply = Supply { capacity, floor: self.floor, grain: self.resource.grain() };
        let fitted = fit_to_capacity(&claims, supply);
        seats.iter().zip(fitted).for_each(|(&i, amount)| given[i] = amount);
    }

    /// Which object took something away from the container, and the sentence that says so.
    pub(crate) fn reason(
        &self,
        kind: ViolationKind,
        index: usize,
        outcome: &Outcome,
    ) -> (Option<String>, String) {
        let namespace = self.seats[index].workload.namespace();
        let (name, text) = (self.resource.name(), |amount| self.resource.text(amount));
        match kind {
            ViolationKind::LimitRange => {
                let container = self.containers[index].max;
                let max = container.or_else(|| self.pods[self.pod_of[index]].range.max);
                let (most, rule) = max.unwrap_or_default();
                let what = if container.is_some() { "a container" } else { "a pod" };
                let reason = format!("LimitRange {rule} allows {what} {} of {name}", text(most));
                (Some(format!("{namespace}/{rule}")), reason)
            }
            ViolationKind::Node => {
                let (most, node) = self.largest.unwrap_or_default();
                let reason = format!(
                    "the node with most room, {node}, has {} of {name} for a pod",
                    text(most)
                );
                (Some(node.to_owned()), reason)
            }
            ViolationKind::Quota => {
                let of =
                    self.quotas.iter().filter(|quota| quota.seats.binary_search(&index).is_ok());
                let (room, quota) = of.filter_map(|q| q.range.max).min().unwrap_or_default();
                let reason = format!(
                    "ResourceQuota {quota} leaves {} of {name} for the plan in namespace {namespace}",
                    text(room)
                );
                (Some(format!("{namespace}/{quota}")), reason)
            }
            _ => {
                let needed = text(outcome.needed);
                let capacity = text(self.capacity.unwrap_or(0));
                (
                    None,
                    format!(
                        "the workloads need {needed} of {name} where {capacity} can be requested"
                    ),
                )
            }
        }
    }

    fn needed(&self, outcome: &Outcome) -> u64 {
        let [.., capped] = &outcome.withheld;
        let amounts = outcome.given.iter().zip(capped).zip(self.seats);
        let total = |((given, withheld), seat): ((&u64, &u64), &Seat<'_>)| {
            (given + withheld).saturating_mul(u64::from(seat.replicas))
        };
        amounts.map(total).fold(0, u64::saturating_add)
    }

    /// What the container or its pod lacks to what a limit range asks for, per replica, and which one; the
    /// shortfall of a pod counts for its first container.
    pub(crate) fn below_minimum(&self, index: usize, given: &[u64]) -> Option<(u64, &'a str)> {
        let own =
            self.containers[index].min.map(|(min, rule)| (min.saturating_sub(given[index]), rule));
        let pod = Some(&self.pods[self.pod_of[index]]).filter(|pod| pod.seats[0] == index);
        let pod = pod.and_then(|pod| {
            let (min, rule) = pod.range.min?;
            Some((min.saturating_sub(pod.sum(given)), rule))
        });
        [own, pod].into_iter().flatten().max().filter(|(missing, _)| *missing > 0)
    }
}

impl<'a> Range<'a> {
    fn tighten(&mut self, rule: &'a LimitRangeRule, resource: Resource) {
        let stated = |stated| resource.stated(stated).map(|amount| (amount, rule.name.as_str()));
        self.min = self.min.max(stated(rule.min));
        let most = stated(rule.max);
        self.max = [self.max, most].into_iter().flatten().min();
    }
}

impl Together<'_> {
    fn sum(&self, amounts: &[u64]) -> u64 {
        self.seats.iter().map(|&i| amounts[i]).fold(0, u64::saturating_add)
    }
}

/// The seats that have `key` in common, in order of the key.
fn groups<'a, K: Ord>(seats: &'a [Seat<'a>], key: impl Fn(&Seat<'a>) -> K) -> Vec<Together<'a>> {
    let mut found: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (index, seat) in seats.iter().enumerate() {
        found.entry(key(seat)).or_default().push(index);
    }
    found.into_values().map(|seats| Together { seats, range: Range::default() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::{Amount, Bytes, Millicores, NodeRoom, Quota, Stated};

    fn seat<'a>(workload: &'a WorkloadRef, container: &'a str, replicas: u32) -> Seat<'a> {
        Seat { workload, container, replicas, priority: 0 }
    }

    fn cpu(amount: u64) -> Stated {
        Stated { cpu: Some(Millicores::new(amount)), memory: None }
    }

    fn limit_range(scope: LimitScope, min: u64, max: u64) -> LimitRangeRule {
        LimitRangeRule {
            namespace: "shop".to_owned(),
            name: "small".to_owned(),
            scope,
            min: cpu(min),
            max: cpu(max),
            ..LimitRangeRule::default()
        }
    }

    fn share(cluster: &ClusterState, wanted: &[u64], capacity: Option<u64>) -> Outcome {
        let (cart, shop, pay): (WorkloadRef, WorkloadRef, WorkloadRef) =
            ("shop/cart".parse().unwrap(), "shop/web".parse().unwrap(), "pay/api".parse().unwrap());
        let seats =
            [seat(&cart, "a", 2), seat(&cart, "b", 2), seat(&shop, "c", 1), seat(&pay, "d", 1)];
        let ceilings = Ceilings::new(Resource::Cpu, &seats, 0.5, Some(cluster), capacity);
        ceilings.share(wanted)
    }

    #[test]
    fn limit_ranges_bound_the_containers_and_pods_of_their_namespace() {
        let container = limit_range(LimitScope::Container, 50, 300);
        let cluster =
            ClusterState { limit_ranges: vec![container.clone()], ..ClusterState::default() };
        let outcome = share(&cluster, &[10, 400, 300, 400], None);
        assert_eq!(outcome.given, [50, 300, 300, 400]);
        assert_eq!((outcome.wanted[0], outcome.withheld[0][1]), (50, 100));
        let pod = limit_range(LimitScope::Pod, 100, 400);
        let cluster =
            ClusterState { limit_ranges: vec![container, pod], ..ClusterState::default() };
        assert_eq!(share(&cluster, &[100, 300, 60, 400], None).given, [100, 300, 100, 400]);
        assert_eq!(share(&cluster, &[300, 300, 60, 400], None).given, [200, 200, 100, 400]);
    }

    #[test]
    fn a_pod_is_no_larger_than_the_node_with_most_room() {
        let node = |name: &str, cpu, unmanaged| NodeRoom {
            name: name.to_owned(),
            allocatable: Amount { cpu: Millicores::new(cpu), memory: Bytes::ZERO },
            unmanaged: Amount { cpu: Millicores::new(unmanaged), memory: Bytes::ZERO },
            pods: None,
        };
        let nodes = Some(vec![node("a", 1000, 600), node("b", 500, 0)]);
        let cluster = ClusterState { nodes, ..ClusterState::default() };
        let outcome = share(&cluster, &[400, 600, 500, 501], None);
        assert_eq!(outcome.given, [200, 300, 500, 500]);
        assert_eq!(outcome.withheld[1], [200, 300, 0, 1]);
    }

    #[test]
    fn a_quota_is_shared_out_in_its_namespace_before_the_cap_is() {
        let quota = |requests, limits, used| Quota {
            namespace: "shop".to_owned(),
            name: "team".to_owned(),
            requests,
            limits,
            unmanaged_requests: Amount { cpu: Millicores::new(used), memory: Bytes::ZERO },
            unmanaged_limits: Amount { cpu: Millicores::new(used), memory: Bytes::ZERO },
        };
        let cluster = |quota| ClusterState { quotas: vec![quota], ..ClusterState::default() };
        let tight = cluster(quota(cpu(700), Stated::default(), 200));
        let outcome = share(&tight, &[100, 100, 600, 1000], None);
        assert_eq!(outcome.given, [50, 50, 300, 1000]);
        assert_eq!(
            share(&cluster(quota(Stated::default(), cpu(700), 200)), &[100, 100, 600, 1000], None),
            outcome
        );
        let outcome = share(&tight, &[100, 100, 600, 1000], Some(1400));
        assert_eq!(
            outcome.given,
            [50, 50, 300, 900],
            "floors of what was wanted, so the namespace keeps its half"
        );
    }
}
