//! The limits that go with the requests.

use mora_core::{
    ClusterState, LimitRangeRule, LimitRule, LimitScope, Shortfall, Violation, ViolationKind,
};

use crate::ceilings::Seat;
use crate::fit_to_capacity::{Claim, Supply, fit_to_capacity};
use crate::resource::Resource;

/// What the limit of one container follows, per replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Followed {
    /// The request in force.
    pub(crate) request_now: Option<u64>,
    /// The limit in force.
    pub(crate) limit_now: Option<u64>,
    /// The target.
    pub(crate) request: u64,
    /// Above this a request is likely wasted.
    pub(crate) upper_bound: u64,
    /// The highest request of the schedule and what is likely wasted above it.
    pub(crate) highest: (u64, u64),
}

/// The limits of one resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Limited {
    /// One per container; `None` for no limit.
    pub(crate) limits: Vec<Option<u64>>,
    /// For each container whether its limit goes with every request of the schedule.
    pub(crate) fixed: Vec<bool>,
    /// What quotas took away.
    pub(crate) violations: Vec<Violation>,
    /// A sentence for each container whose limit a rule of its namespace decides.
    pub(crate) notes: Vec<Option<String>>,
}

impl Followed {
    /// The limit by `rule`, as if the cluster had no rules of its own.
    fn limit(self, rule: LimitRule) -> Option<u64> {
        let (request, likely) =
            if self.is_fixed(rule) { self.highest } else { (self.request, self.upper_bound) };
        rule.limit(request, (self.request_now, self.limit_now), likely)
    }

    /// Whether one limit goes with all requests: it is never lowered, and does not equal its request.
    fn is_fixed(self, rule: LimitRule) -> bool {
        let apart = self.request_now.zip(self.limit_now).is_some_and(|(now, limit)| now != limit);
        rule == LimitRule::NeverLower && apart
    }
}

/// What limit ranges say about the limit of one container.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Frame {
    max: Option<u64>,
    default: Option<u64>,
    ratio: Option<f64>,
}

impl Frame {
    fn of(seat: &Seat<'_>, cluster: &ClusterState, resource: Resource) -> Self {
        let here = |rule: &&LimitRangeRule| {
            rule.scope == LimitScope::Container && rule.namespace == seat.workload.namespace()
        };
        cluster.limit_ranges.iter().filter(here).fold(Self::default(), |frame, rule| {
            let ratio = match resource {
                Resource::Cpu => rule.max_cpu_ratio,
                Resource::Memory => rule.max_memory_ratio,
            };
            let max = resource.stated(rule.max);
            Self {
                max: [frame.max, max].into_iter().flatten().min(),
                // Kubernetes gives a container without a limit the maximum where there is no default.
                default: frame.default.or(resource.stated(rule.default_limit)).or(max),
                ratio: [frame.ratio, ratio].into_iter().flatten().reduce(f64::min),
            }
        })
    }

    /// `limit` within the frame and at least `request`; a limit where one must be.
    fn apply(self, limit: Option<u64>, request: u64) -> Option<u64> {
        let within = |limit: u64| {
            let ratio = self.ratio.map(|ratio| (request as f64 * ratio).floor() as u64);
            [self.max, ratio].into_iter().flatten().fold(limit, u64::min).max(request)
        };
        match (limit, self.default) {
            (Some(limit), _) => Some(within(limit)),
            (None, Some(default)) => Some(within(default)).filter(|limit| *limit != default),
            (None, None) => self.ratio.map(|_| request),
        }
    }
}

/// The limits of the containers `seats` under `rule`, within the limit ranges and quotas of `cluster`.
pub(crate) fn limits(
    resource: Resource,
    rule: LimitRule,
    seats: &[Seat<'_>],
    followed: &[Followed],
    cluster: Option<&ClusterState>,
) -> Limited {
    let free: Vec<Option<u64>> = followed.iter().map(|f| f.limit(rule)).collect();
    let fixed = followed.iter().map(|f| f.is_fixed(rule)).collect();
    let Some(cluster) = cluster else {
        let notes = vec![None; seats.len()];
        return Limited { notes, fixed, limits: free, violations: Vec::new() };
    };
    let framed = seats.iter().zip(followed).zip(&free).map(|((seat, followed), limit)| {
        let frame = Frame::of(seat, cluster, resource);
        let limit = frame.apply(*limit, followed.request);
        let counted = has_limit_quota(seat, cluster, resource);
        limit.or_else(|| counted.then(|| frame.default.unwrap_or(followed.request)))
    });
    let framed: Vec<Option<u64>> = framed.collect();
    let notes = free.iter().zip(&framed).map(|(free, framed)| note(resource, *free, *framed));
    let mut limited =
        Limited { notes: notes.collect(), fixed, limits: framed, violations: Vec::new() };
    limited.fit_pods(resource, seats, followed, cluster);
    limited.fit_quotas(resource, seats, followed, cluster);
    limited
}

fn has_limit_quota(seat: &Seat<'_>, cluster: &ClusterState, resource: Resource) -> bool {
    cluster.quotas.iter().any(|quota| {
        quota.namespace == seat.workload.namespace() && resource.stated(quota.limits).is_some()
    })
}

fn note(resource: Resource, free: Option<u64>, framed: Option<u64>) -> Option<String> {
    let name = resource.name();
    match (free, framed) {
        (Some(free), Some(limit)) if limit < free => Some(format!(
            "a LimitRange holds its {name} limit to {} where {} were wanted",
            resource.text(limit),
            resource.text(free)
        )),
        (None, Some(limit)) => Some(format!(
            "its {name} limit is {}, because the namespace asks for one",
            resource.text(limit)
        )),
        _ => None,
    }
}

impl Limited {
    /// Lowers what the limits of a pod are above its requests where a limit range allows pods no more.
    fn fit_pods(
        &mut self,
        resource: Resource,
        seats: &[Seat<'_>],
        followed: &[Followed],
        cluster: &ClusterState,
    ) {
        for rule in cluster.limit_ranges.iter().filter(|rule| rule.scope == LimitScope::Pod) {
            let Some(most) = resource.stated(rule.max) else { continue };
            let here =
                (0..seats.len()).filter(|&i| seats[i].workload.namespace() == rule.namespace);
            let here: Vec<usize> = here.collect();
            for pod in here.chunk_by(|&a, &b| seats[a].workload == seats[b].workload) {
                let alike: Vec<Seat<'_>> =
                    seats.iter().map(|seat| Seat { replicas: 1, priority: 0, ..*seat }).collect();
                self.fit((resource, most), pod, &alike, followed);
            }
        }
    }

    /// Lowers what the limits of a namespace are above its requests where a quota allows no more, by priority.
    fn fit_quotas(
        &mut self,
        resource: Resource,
        seats: &[Seat<'_>],
        followed: &[Followed],
        cluster: &ClusterState,
    ) {
        for quota in &cluster.quotas {
            let Some(room) = resource.stated(quota.limits.less(quota.unmanaged_limits)) else {
                continue;
            };
            let here =
                (0..seats.len()).filter(|&i| seats[i].workload.namespace() == quota.namespace);
            let here: Vec<usize> = here.collect();
            for (index, taken) in self.fit((resource, room), &here, seats, followed) {
                let seat = seats[index];
                self.violations.push(Violation {
                    kind: ViolationKind::Quota,
                    workload: Some(seat.workload.clone()),
                    container: Some(seat.container.to_owned()),
                    place: Some(format!("{}/{}", quota.namespace, quota.name)),
                    shortfall: shortfall(resource, taken, seat.replicas),
                    reason: format!(
                        "ResourceQuota {} leaves {} of {} limits for the plan in namespace {}",
                        quota.name,
                        resource.text(room),
                        resource.name(),
                        quota.namespace
                    ),
                });
            }
        }
    }

    /// Shares `room` out to the limits of the containers `here`, which keep at least their requests; returns
    /// what was taken away per replica.
    fn fit(
        &mut self,
        (resource, room): (Resource, u64),
        here: &[usize],
        seats: &[Seat<'_>],
        followed: &[Followed],
    ) -> Vec<(usize, u64)> {
        let above = |i: usize| self.limits[i].unwrap_or(0).saturating_sub(followed[i].request);
        let claims: Vec<Claim> = here
            .iter()
            .map(|&i| Claim {
                wanted: above(i),
                basis: 0,
                replicas: seats[i].replicas,
                priority: seats[i].priority,
            })
            .collect();
        let requested = here.iter().map(|&i| {
            let request = self.limits[i].map_or(0, |_| followed[i].request);
            request.saturating_mul(u64::from(seats[i].replicas))
        });
        let capacity = room.saturating_sub(requested.fold(0, u64::saturating_add));
        let given =
            fit_to_capacity(&claims, Supply { capacity, floor: 0.0, grain: resource.grain() });
        let mut taken = Vec::new();
        for ((&i, claim), given) in here.iter().zip(&claims).zip(given) {
            if given < claim.wanted {
                self.limits[i] = Some(followed[i].request + given);
                taken.push((i, claim.wanted - given));
            }
        }
        taken
    }
}

fn shortfall(resource: Resource, amount: u64, replicas: u32) -> Shortfall {
    resource.missing_limit(amount.saturating_mul(u64::from(replicas)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::{Amount, Millicores, Quota, Stated, WorkloadRef};
    use proptest::prelude::*;

    fn followed(request_now: u64, limit_now: u64, request: u64, upper_bound: u64) -> Followed {
        let stated = |amount| (amount > 0).then_some(amount);
        Followed {
            request_now: stated(request_now),
            limit_now: stated(limit_now),
            request,
            upper_bound,
            highest: (request, upper_bound),
        }
    }

    #[test]
    fn a_limit_that_is_never_lowered_goes_with_the_highest_slot_unless_it_equals_its_request() {
        let highest = (400, 450);
        for (now, expected) in [
            (followed(100, 200, 300, 350), (Some(800), true)),
            (followed(100, 1000, 300, 350), (Some(1000), true)),
            (followed(100, 100, 300, 350), (Some(300), false)),
            (followed(0, 100, 300, 350), (Some(300), false)),
            (followed(100, 0, 300, 350), (None, false)),
        ] {
            let now = Followed { highest, ..now };
            let rule = LimitRule::NeverLower;
            assert_eq!((now.limit(rule), now.is_fixed(rule)), expected, "{now:?}");
        }
    }

    #[test]
    fn a_kept_limit_is_as_many_times_the_request_and_no_less_than_the_upper_bound() {
        for (now, expected) in [
            (followed(100, 200, 300, 350), Some(600)),
            (followed(100, 110, 300, 350), Some(350)),
            (followed(100, 100, 300, 350), Some(300)),
            (followed(0, 100, 300, 350), Some(300)),
            (followed(100, 0, 300, 350), None),
        ] {
            assert_eq!(now.limit(LimitRule::KeepRatio), expected, "{now:?}");
        }
        assert_eq!(followed(100, 0, 300, 350).limit(LimitRule::EqualToRequest), Some(300));
        assert_eq!(followed(100, 200, 300, 350).limit(LimitRule::None), None);
    }

    fn cpu(amount: u64) -> Stated {
        Stated { cpu: Some(Millicores::new(amount)), memory: None }
    }

    fn limited(rule: LimitRule, cluster: &ClusterState, followed: &[Followed]) -> Limited {
        let workloads: Vec<WorkloadRef> =
            (0..followed.len()).map(|i| format!("shop/w{i}").parse().unwrap()).collect();
        let seats: Vec<Seat<'_>> = workloads
            .iter()
            .zip([9, 0, 0])
            .map(|(workload, priority)| Seat { workload, container: "c", replicas: 2, priority })
            .collect();
        limits(Resource::Cpu, rule, &seats, followed, Some(cluster))
    }

    fn limit_range(rule: LimitRangeRule) -> ClusterState {
        let rule = LimitRangeRule { namespace: "shop".to_owned(), ..rule };
        ClusterState { limit_ranges: vec![rule], ..ClusterState::default() }
    }

    #[test]
    fn a_limit_range_holds_limits_to_its_maximum_and_ratio() {
        let cluster = limit_range(LimitRangeRule {
            max: cpu(500),
            max_cpu_ratio: Some(2.0),
            ..LimitRangeRule::default()
        });
        let found = limited(
            LimitRule::KeepRatio,
            &cluster,
            &[followed(100, 300, 200, 250), followed(100, 300, 400, 450)],
        );
        assert_eq!(found.limits, [Some(400), Some(500)]);
        assert!(found.notes[0].as_ref().unwrap().contains("holds its CPU limit to 400m"));
    }

    #[test]
    fn a_default_limit_below_the_request_is_replaced_and_one_above_is_left_to_kubernetes() {
        let cluster =
            limit_range(LimitRangeRule { default_limit: cpu(250), ..LimitRangeRule::default() });
        let asked = [followed(100, 0, 300, 350), followed(100, 0, 200, 350)];
        assert_eq!(limited(LimitRule::None, &cluster, &asked).limits, [Some(300), None]);
    }

    #[test]
    fn a_quota_of_limits_is_shared_out_by_priority_above_the_requests() {
        let quota = Quota {
            namespace: "shop".to_owned(),
            name: "team".to_owned(),
            limits: cpu(1000),
            unmanaged_limits: Amount { cpu: Millicores::new(100), ..Amount::default() },
            ..Quota::default()
        };
        let cluster = ClusterState { quotas: vec![quota], ..ClusterState::default() };
        let asked = [followed(1, 2, 100, 0), followed(1, 2, 100, 0), followed(1, 2, 100, 0)];
        let found = limited(LimitRule::KeepRatio, &cluster, &asked);
        assert_eq!(found.limits, [Some(200), Some(125), Some(125)]);
        let missing: Vec<Shortfall> = found.violations.iter().map(|v| v.shortfall).collect();
        assert_eq!(missing, [Shortfall::CpuLimit(Millicores::new(150)); 2]);
        let without = limited(LimitRule::None, &cluster, &asked);
        assert_eq!(without.limits, [Some(100); 3], "the quota refuses pods without a limit");
    }

    proptest! {
        #[test]
        fn no_limit_is_below_its_request(
            request_now in 0u64..500, limit_now in 0u64..900, request in 1u64..500, upper in 0u64..900,
            max in 0u64..900, ratio in 1.0..4.0f64,
        ) {
            let cluster = limit_range(LimitRangeRule {
                max: cpu(max), max_cpu_ratio: Some(ratio), ..LimitRangeRule::default()
            });
            let asked = followed(request_now, limit_now, request, upper);
            for rule in [
                LimitRule::KeepRatio,
                LimitRule::NeverLower,
                LimitRule::EqualToRequest,
                LimitRule::None,
            ] {
                let found = limited(rule, &cluster, &[asked]);
                prop_assert!(found.limits[0].is_none_or(|limit| limit >= request));
            }
        }
    }
}
