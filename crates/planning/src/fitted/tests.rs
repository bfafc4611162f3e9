use std::collections::BTreeSet;

use mora_core::{
    Autoscaler, CallGraph, CallRatio, Justification, LimitPolicy, LimitRangeRule, LimitRule,
    LimitScope, NodeRoom, Quota, ResourceClaim, Stated,
};
use proptest::prelude::*;

use super::*;
use crate::autoscale::Autoscaled;
use crate::priority::inherited;
use crate::propagate::{Load, Traffic, propagate};
use crate::scaled_drafts::divide_over_peak_replicas;
use crate::{BoundsRule, OwnBounds, Pattern, PriorityRule, Share};

const CAP: f64 = 0.8;

fn draft(name: &str, replicas: u32, cpu: u64, mebibytes: u64) -> Draft {
    let (cpu, memory) = (Millicores::new(cpu), Bytes::from_mebibytes(mebibytes));
    Draft {
        workload: name.parse().unwrap(),
        container: "server".to_owned(),
        replicas,
        claim: ResourceClaim {
            cpu_request: Some(Millicores::new(100)),
            cpu_limit: Some(Millicores::new(200)),
            ..ResourceClaim::default()
        },
        cpu: Need { slots: vec![cpu], lower: cpu, upper: cpu },
        memory: Need { slots: vec![memory], lower: memory, upper: memory },
        source: Source::Statistical,
        justification: Justification::default(),
    }
}

fn amount(cpu: u64, mebibytes: u64) -> Amount {
    Amount { cpu: Millicores::new(cpu), memory: Bytes::from_mebibytes(mebibytes) }
}

fn node(name: &str, cpu: u64, mebibytes: u64) -> NodeRoom {
    NodeRoom { name: name.to_owned(), allocatable: amount(cpu, mebibytes), ..NodeRoom::default() }
}

/// What a plan says about `drafts`.
struct Said {
    recommendations: Vec<Recommendation>,
    violations: Vec<Violation>,
    cuts: Vec<Cut>,
}

fn fit(drafts: &mut [Draft], cluster: &ClusterState, policy: &Policy) -> Said {
    let scalings = divide_over_peak_replicas(drafts, cluster, policy.autoscaled);
    let capacity = cluster.capacity(policy.cap.get());
    let seats = seats(drafts);
    let allowance = Allowance { capacity: capacity.as_ref(), cluster: Some(cluster) };
    let fitted = Fitted::new(drafts, &seats, &scalings, allowance, policy);
    let violations = fitted.violations(Some(cluster));
    let start = Timestamp::UNIX_EPOCH;
    let all = 0..seats.len();
    Said {
        recommendations: all.map(|i| fitted.recommend(i, start, Step::HOUR)).collect(),
        cuts: fitted.cuts(&violations),
        violations,
    }
}

#[test]
fn pods_that_fit_together_but_on_no_node_are_listed_and_keep_their_requests() {
    let nodes = Some(vec![node("a", 1000, 4096), node("b", 1000, 4096)]);
    let cluster = ClusterState { nodes, ..ClusterState::default() };
    let policy = Policy { cap: Share::new(1.0).unwrap(), ..Policy::default() };
    let said = fit(&mut [draft("shop/cart", 3, 600, 64)], &cluster, &policy);
    assert_eq!(said.recommendations[0].cpu.target, Millicores::new(600));
    let [packing] = &said.violations[..] else { panic!("{:?}", said.violations) };
    assert_eq!(packing.kind, ViolationKind::Packing);
    assert_eq!(packing.shortfall.to_string(), "600m of CPU requests");
    assert!(packing.reason.starts_with("1 of 3 pods of 600m CPU and 64Mi memory find no node"));
    assert_eq!(said.cuts, []);
}

/// CPU target and limit hour by hour for three days: half a day at 50m, the other at 400m, and first of all a claim of 100m with a limit
/// of 200m that limits follow by `rule`.
fn cpu_limits_over_days(rule: LimitRule) -> Vec<(Millicores, Limit<Millicores>)> {
    let limits = LimitPolicy { cpu: rule, memory: rule };
    let policy = Policy { requests: RequestShape::Schedule, limits, ..Policy::default() };
    let by_hour = |hour: usize| Millicores::new(if hour % 24 < 12 { 50 } else { 400 });
    let mut claim = draft("shop/cart", 1, 1, 1).claim;
    let plans = (0..72).map(|hour| {
        let slots: Vec<Millicores> = (hour..hour + 24).map(by_hour).collect();
        let mut asked = draft("shop/cart", 1, 1, 64);
        (asked.cpu.slots, asked.cpu.upper) = (slots, Millicores::new(600));
        asked.memory.slots = vec![Bytes::from_mebibytes(64); 24];
        asked.claim = claim;
        let said = fit(&mut [asked], &ClusterState::default(), &policy);
        let Recommendation { cpu, limits, .. } = &said.recommendations[0];
        (claim.cpu_request, claim.cpu_limit) = (Some(cpu.target), limits.cpu.target);
        (cpu.target, limits.cpu)
    });
    plans.collect()
}

#[test]
fn limits_keep_their_ratio_to_requests_that_follow_a_schedule_for_days() {
    for (hour, (target, limit)) in cpu_limits_over_days(LimitRule::KeepRatio).iter().enumerate() {
        let expected = if *target == Millicores::new(50) { 100 } else { 800 };
        assert_eq!(limit.target, Some(Millicores::new(expected)), "after {hour} hours");
        assert!(!limit.fixed);
    }
}

#[test]
fn limits_that_are_never_lowered_go_with_the_highest_slot_of_a_schedule_and_do_not_grow() {
    for (hour, (_, limit)) in cpu_limits_over_days(LimitRule::NeverLower).iter().enumerate() {
        assert_eq!(limit.target, Some(Millicores::new(800)), "after {hour} hours");
        assert!(limit.fixed);
    }
}

#[test]
fn a_limit_range_that_asks_for_more_than_is_left_is_a_violation() {
    let rule = LimitRangeRule {
        namespace: "shop".to_owned(),
        name: "large".to_owned(),
        min: Stated { cpu: Some(Millicores::new(500)), memory: None },
        ..LimitRangeRule::default()
    };
    let nodes = Some(vec![node("a", 1000, 4096)]);
    let cluster = ClusterState { nodes, limit_ranges: vec![rule], ..ClusterState::default() };
    let said = fit(&mut [draft("shop/cart", 2, 300, 64)], &cluster, &Policy::default());
    assert_eq!(said.recommendations[0].cpu.target, Millicores::new(400));
    let kinds: Vec<ViolationKind> = said.violations.iter().map(|v| v.kind).collect();
    assert_eq!(kinds, [ViolationKind::Capacity, ViolationKind::BelowMinimum]);
    assert_eq!(said.cuts[0].cpu, Millicores::new(200), "500m were asked for, twice");
}

#[test]
fn what_the_operator_allows_no_more_of_is_a_note_and_no_violation() {
    let mut policy = Policy::default();
    policy.cpu.max_allowed = Some(Millicores::new(200));
    let said = fit(&mut [draft("shop/cart", 2, 300, 64)], &ClusterState::default(), &policy);
    let cart = &said.recommendations[0];
    assert_eq!(
        (cart.cpu.target, cart.cpu.uncapped_target),
        (Millicores::new(200), Millicores::new(300))
    );
    assert!(cart.justification.notes[0].contains("max_allowed of 200m where 300m is needed"));
    assert_eq!((said.violations, said.cuts), (Vec::new(), Vec::new()));
}

/// A cart that uses 1.9 cores in all at its peak and is scaled at 40 % of a request of 1 core.
fn scaled(rule: Autoscaled) -> Recommendation {
    let autoscaler = Autoscaler {
        min_replicas: 1,
        max_replicas: 10,
        current_replicas: 2,
        cpu_target_percent: Some(40),
        other_metrics: true,
    };
    let mut cart = draft("shop/cart", 2, 950, 64);
    cart.claim.cpu_request = Some(Millicores::new(1000));
    let autoscalers = [(cart.workload.clone(), autoscaler)].into();
    let cluster = ClusterState { autoscalers, ..ClusterState::default() };
    let policy = Policy { autoscaled: rule, ..Policy::default() };
    fit(&mut [cart], &cluster, &policy).recommendations.remove(0)
}

#[test]
fn a_scaled_workload_is_divided_over_the_replicas_of_its_peak_and_its_target_moves_with_the_request()
 {
    let cart = scaled(Autoscaled::KeepReplicas);
    assert_eq!((cart.replicas, cart.cpu.target), (5, Millicores::new(380)));
    let advice = cart.autoscaler.unwrap();
    assert_eq!((advice.current_target_percent, advice.target_percent), (40, 100));
    assert!(cart.justification.notes.iter().any(|note| note.contains("other metrics")));
    let cart = scaled(Autoscaled::KeepTarget);
    assert_eq!((cart.replicas, cart.cpu.target), (5, Millicores::new(950)));
    assert_eq!(cart.autoscaler.unwrap().target_percent, 42, "40 % of 1 core is 42 % of 950m");
    let cart = scaled(Autoscaled::Ignore);
    assert_eq!((cart.replicas, cart.autoscaler), (2, None));
}

/// One random application on one random cluster.
#[derive(Debug, Clone)]
struct World {
    drafts: Vec<Draft>,
    graph: CallGraph,
    rates: Vec<f64>,
    policy: Policy,
    cluster: ClusterState,
}

fn name(index: usize) -> WorkloadRef {
    let namespace = if index.is_multiple_of(2) { "shop" } else { "pay" };
    WorkloadRef::deployment(namespace, &format!("w{index}")).unwrap()
}

fn containers() -> impl Strategy<Value = Vec<Draft>> {
    let one = (1u32..5, 1u64..3000, 1u64..2000, any::<bool>());
    prop::collection::vec(one, 1..8).prop_map(|needs| {
        let each =
            needs.into_iter().enumerate().flat_map(|(i, (replicas, cpu, memory, sidecar))| {
                let main = draft(&name(i).to_string(), replicas, cpu, memory);
                let sidecar = sidecar.then(|| Draft {
                    container: "proxy".to_owned(),
                    ..draft(&name(i).to_string(), replicas, cpu / 3 + 1, memory / 5 + 1)
                });
                [Some(main), sidecar].into_iter().flatten()
            });
        each.collect()
    })
}

fn graphs() -> impl Strategy<Value = CallGraph> {
    prop::collection::vec((0..8usize, 0..8usize, 0.0..2.0f64), 0..12).prop_map(|edges| {
        let mut graph = CallGraph::default();
        for (caller, callee, ratio) in edges {
            graph.insert(name(caller), name(callee), CallRatio::stated(ratio, 0.0));
        }
        graph
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let rules = prop::collection::vec((0..8usize, prop::sample::select(vec![-5, 10, 100])), 0..5);
    let bound = prop::option::of((0..8usize, 10u64..2000));
    (rules, bound, 0.0..=1.0f64, 0.0..=1.0f64).prop_map(
        |(rules, bound, cpu_floor, memory_floor)| {
            let pattern =
                |index| Pattern(format!("{}/{}", name(index).namespace(), name(index).name()));
            let rule = |(index, priority)| PriorityRule { workload: pattern(index), priority };
            let bound = bound.map(|(index, most)| BoundsRule {
                workload: pattern(index),
                container: Pattern("*".to_owned()),
                cpu: OwnBounds { min_allowed: None, max_allowed: Some(Millicores::new(most)) },
                memory: OwnBounds::default(),
            });
            Policy {
                priorities: rules.into_iter().map(rule).collect(),
                bounds: bound.into_iter().collect(),
                cpu_floor: Share::new(cpu_floor).unwrap(),
                memory_floor: Share::new(memory_floor).unwrap(),
                ..Policy::default()
            }
        },
    )
}

/// What all pods want, in the namespace or everywhere.
fn demand(drafts: &[Draft], policy: &Policy, namespace: Option<&str>) -> Amount {
    let here = drafts.iter().filter(|d| namespace.is_none_or(|n| d.workload.namespace() == n));
    here.map(|d| {
        let (cpu, memory) = policy.allowed(&d.workload, &d.container);
        let each =
            Amount { cpu: cpu.clamp(d.cpu.slots[0]), memory: memory.clamp(d.memory.slots[0]) };
        each.times(d.replicas)
    })
    .fold(Amount::default(), Amount::plus)
}

prop_compose! {
    fn worlds()(
        drafts in containers(), graph in graphs(), policy in policies(),
        rates in prop::collection::vec(0.0..50.0f64, 8),
        nodes in 1..5u64, unmanaged in 0..500u64,
        quota in prop::option::of(0.4..1.2f64), most in prop::option::of(50u64..3000),
    ) -> World {
        let all = demand(&drafts, &policy, None);
        let share = |amount: u64| (amount as f64 * 0.7 / CAP / nodes as f64).ceil() as u64;
        let room = Amount { cpu: Millicores::new(share(all.cpu.get())), memory: Bytes::new(share(all.memory.get())) };
        let held = amount(unmanaged, unmanaged);
        let node = |i: u64| NodeRoom {
            name: format!("n{i}"),
            allocatable: if i == 0 { room.plus(held).plus(held) } else { room },
            unmanaged: if i == 0 { held } else { Amount::default() },
            pods: None,
        };
        let shop = demand(&drafts, &policy, Some("shop"));
        let part = |amount: u64, of: f64| (amount as f64 * of) as u64;
        let quota = quota.map(|of| Quota {
            namespace: "shop".to_owned(),
            name: "team".to_owned(),
            requests: Stated {
                cpu: Some(Millicores::new(part(shop.cpu.get(), of))),
                memory: Some(Bytes::new(part(shop.memory.get(), of))),
            },
            ..Quota::default()
        });
        let range = most.map(|most| LimitRangeRule {
            namespace: "pay".to_owned(),
            name: "small".to_owned(),
            scope: if most % 2 == 0 { LimitScope::Container } else { LimitScope::Pod },
            max: Stated { cpu: Some(Millicores::new(most)), memory: None },
            ..LimitRangeRule::default()
        });
        let cluster = ClusterState {
            nodes: Some((0..nodes).map(node).collect()),
            quotas: quota.into_iter().collect(),
            limit_ranges: range.into_iter().collect(),
            ..ClusterState::default()
        };
        World { drafts, graph, rates, policy, cluster }
    }
}

impl World {
    fn traffic(&self) -> Traffic {
        let load =
            |rate: &f64| Load { mean: vec![*rate], variance: vec![0.0], arrivals: vec![0.0] };
        let entries = self.rates.iter().enumerate().filter(|(_, rate)| **rate > 25.0);
        let entries = entries.map(|(index, rate)| (name(index), load(rate))).collect();
        propagate(&self.graph, &entries, 1, Step::MINUTE)
    }

    /// The plan, with priorities inherited along the calls.
    fn plan(&mut self, priorities: &BTreeMap<WorkloadRef, i32>) -> Said {
        for draft in &mut self.drafts {
            draft.justification.priority = priorities[&draft.workload];
        }
        fit(&mut self.drafts, &self.cluster, &self.policy)
    }
}

/// One resource of one container, in its smallest unit.
#[derive(Debug, Clone)]
struct Row {
    workload: WorkloadRef,
    priority: i32,
    replicas: u64,
    wanted: u64,
    given: u64,
    /// What each kind of violation took away, over all replicas.
    withheld: BTreeMap<ViolationKind, u64>,
    /// What the cut says, over all replicas.
    cut: u64,
}

fn rows(world: &World, said: &Said, resource: Resource) -> Vec<Row> {
    let row = |(draft, r): (&Draft, &Recommendation)| {
        let (cpu, memory) = world.policy.allowed(&draft.workload, &draft.container);
        let wanted = Amount {
            cpu: cpu.clamp(draft.cpu.slots[0]),
            memory: memory.clamp(draft.memory.slots[0]),
        };
        let is_own = |workload: Option<&WorkloadRef>, container: Option<&String>| {
            workload == Some(&draft.workload) && container == Some(&draft.container)
        };
        let own =
            said.violations.iter().filter(|v| is_own(v.workload.as_ref(), v.container.as_ref()));
        let own = own.filter(|v| v.kind.withholds());
        let withheld = own.filter_map(|v| Some((v.kind, of_request(v.shortfall, resource)?)));
        let cuts = said.cuts.iter().filter(|c| is_own(Some(&c.workload), Some(&c.container)));
        Row {
            workload: draft.workload.clone(),
            priority: draft.justification.priority,
            replicas: u64::from(draft.replicas),
            wanted: resource.of(wanted),
            given: resource.of(Amount { cpu: r.cpu.target, memory: r.memory.target }),
            withheld: withheld.collect(),
            cut: cuts.map(|c| resource.of(Amount { cpu: c.cpu, memory: c.memory })).sum(),
        }
    };
    world.drafts.iter().zip(&said.recommendations).map(row).collect()
}

fn of_request(shortfall: mora_core::Shortfall, resource: Resource) -> Option<u64> {
    match (shortfall, resource) {
        (mora_core::Shortfall::CpuRequest(amount), Resource::Cpu) => Some(amount.get()),
        (mora_core::Shortfall::MemoryRequest(amount), Resource::Memory) => Some(amount.get()),
        _ => None,
    }
}

/// The cap is held and used up to the grain, for the containers it took something from.
fn check_cap(rows: &[Row], capacity: u64, grain: u64) -> Result<(), TestCaseError> {
    let total: u64 = rows.iter().map(|row| row.given * row.replicas).sum();
    prop_assert!(total <= capacity, "{total} of {capacity}");
    let short = rows.iter().filter(|row| row.withheld.contains_key(&ViolationKind::Capacity));
    let grains: u64 = short.map(|row| row.replicas * grain).sum();
    prop_assert!(
        grains == 0 || capacity - total < grains,
        "{} of {grains} unused",
        capacity - total
    );
    Ok(())
}

/// Every amount withheld is listed once, in violations and in cuts.
fn check_lists(rows: &[Row]) -> Result<(), TestCaseError> {
    for row in rows {
        let missing = (row.wanted - row.given) * row.replicas;
        prop_assert_eq!(row.withheld.values().sum::<u64>(), missing, "{:?}", row);
        prop_assert_eq!(row.cut, missing, "{:?}", row);
    }
    Ok(())
}

/// No lower priority has a larger share, unless a rule other than the cap held the higher one.
fn check_priorities(rows: &[Row], grain: u64) -> Result<(), TestCaseError> {
    let capped = |row: &&Row| row.withheld.keys().all(|kind| *kind == ViolationKind::Capacity);
    for high in rows.iter().filter(capped) {
        for low in rows.iter().filter(|low| low.priority < high.priority) {
            let share = low.given as f64 / low.wanted as f64;
            let due = share * high.wanted as f64;
            prop_assert!((high.given + grain) as f64 + 1e-6 >= due, "{high:?} {low:?}");
        }
    }
    Ok(())
}

/// Nobody is below its own priority, and who works for one caller alone counts as that caller does.
fn check_inheritance(
    world: &World,
    traffic: &Traffic,
    priorities: &BTreeMap<WorkloadRef, i32>,
) -> Result<(), TestCaseError> {
    for (workload, priority) in priorities {
        prop_assert!(*priority >= world.policy.priority(workload, None));
    }
    let load = |w: &WorkloadRef| traffic.loads.get(w).map_or(0.0, |load| load.mean[0]);
    for (caller, callee, call) in traffic.graph.edges() {
        let sent = load(caller) * call.ratio;
        if sent > 1e-9 && sent >= 0.999_999 * load(callee) {
            prop_assert!(priorities[callee] >= priorities[caller], "{caller} to {callee}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_cluster_too_small_by_30_percent_is_filled_to_the_cap_by_priority_and_every_cut_is_listed(
        mut world in worlds(),
    ) {
        let traffic = world.traffic();
        let workloads: BTreeSet<WorkloadRef> = world.drafts.iter().map(|d| d.workload.clone()).collect();
        let policy = world.policy.clone();
        let own = |workload: &WorkloadRef| policy.priority(workload, None);
        let priorities = inherited(&workloads.iter().collect(), &traffic, &own);
        check_inheritance(&world, &traffic, &priorities)?;
        let said = world.plan(&priorities);
        let capacity = world.cluster.capacity(policy.cap.get()).unwrap();
        let room = Amount { cpu: capacity.cpu(), memory: capacity.memory() };
        for resource in [Resource::Cpu, Resource::Memory] {
            let rows = rows(&world, &said, resource);
            check_cap(&rows, resource.of(room), resource.grain())?;
            check_lists(&rows)?;
            check_priorities(&rows, resource.grain())?;
            for quota in &world.cluster.quotas {
                let here = rows.iter().filter(|row| row.workload.namespace() == quota.namespace);
                let total: u64 = here.map(|row| row.given * row.replicas).sum();
                prop_assert!(total <= resource.stated(quota.requests).unwrap());
            }
        }
        for r in &said.recommendations {
            prop_assert!(r.limits.cpu.target.is_none_or(|limit| limit >= r.cpu.target));
            prop_assert!(r.limits.memory.target.is_none_or(|limit| limit >= r.memory.target));
        }
    }
}
