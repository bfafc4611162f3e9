//! What holds for every application, whatever its targets do.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Bytes, Decision, Millicores, Recommendation, Verdict, WorkloadRef};
use proptest::prelude::*;

use super::bench::{Bench, capacity, mebibytes, wants};
use super::resource::Resource;

/// An application, its calls as pairs of indices, and what happens run by run.
#[derive(Debug, Clone)]
struct Story {
    containers: Vec<Start>,
    calls: Vec<(usize, usize)>,
    capacity: Option<(u64, u64)>,
    budget: u32,
    runs: Vec<Turn>,
}

#[derive(Debug, Clone, Copy)]
struct Start {
    workload: usize,
    cpu: Option<u64>,
    memory: Option<u64>,
    replicas: u32,
    priority: i32,
}

/// The targets of one run, whether its decisions are carried out, and the minutes until the next.
#[derive(Debug, Clone)]
struct Turn {
    targets: Vec<(u64, u64)>,
    applied: bool,
    minutes: i64,
}

const CONTAINERS: usize = 7;

fn start() -> impl Strategy<Value = Start> {
    let amount = |most| prop::option::weighted(0.9, 1u64..most);
    (0usize..6, amount(900), amount(700), 1u32..4, 0i32..3).prop_map(
        |(workload, cpu, memory, replicas, priority)| Start {
            workload,
            cpu,
            memory,
            replicas,
            priority,
        },
    )
}

fn turn() -> impl Strategy<Value = Turn> {
    let targets = prop::collection::vec((1u64..900, 1u64..700), CONTAINERS);
    (targets, prop::bool::weighted(0.8), 1i64..70).prop_map(|(targets, applied, minutes)| Turn {
        targets,
        applied,
        minutes,
    })
}

fn story() -> impl Strategy<Value = Story> {
    let containers = prop::collection::vec(start(), 1..=CONTAINERS);
    let calls = prop::collection::vec((0usize..6, 0usize..6), 0..9);
    let capacity = prop::option::of((500u64..9000, 500u64..9000));
    let runs = prop::collection::vec(turn(), 1..12);
    (containers, calls, capacity, 1u32..5, runs).prop_map(
        |(containers, calls, capacity, budget, runs)| Story {
            containers,
            calls,
            capacity,
            budget,
            runs,
        },
    )
}

fn name(workload: usize) -> String {
    format!("w{workload}")
}

fn bench(story: &Story) -> Bench {
    let container = |(index, start): (usize, &Start)| {
        let mut recommendation = wants(&name(start.workload), 100, 100);
        recommendation.container = format!("c{index}");
        recommendation.replicas = start.replicas;
        recommendation.justification.priority = start.priority;
        recommendation.cpu.current = start.cpu.map(Millicores::new);
        recommendation.memory.current = start.memory.map(mebibytes);
        recommendation
    };
    let mut bench = Bench::new(story.containers.iter().enumerate().map(container).collect());
    for recommendation in &bench.plan.recommendations {
        let dataset = bench.datasets.get_mut(&recommendation.workload).unwrap();
        dataset.containers.entry(recommendation.container.clone()).or_default();
    }
    for (caller, callee) in &story.calls {
        bench.call(&name(*caller), &name(*callee));
    }
    bench.plan.capacity = story.capacity.map(|(cpu, memory)| capacity(cpu, memory));
    bench.rules.changes_per_run = story.budget;
    bench
}

fn aim(bench: &mut Bench, turn: &Turn) {
    for recommendation in &mut bench.plan.recommendations {
        let index: usize = recommendation.container[1..].parse().unwrap();
        let (cpu, memory) = turn.targets[index];
        recommendation.cpu.target = Millicores::new(cpu);
        recommendation.memory.target = mebibytes(memory);
    }
}

/// The request that `decision` leads to.
fn decided(decision: &Decision, resource: Resource) -> Option<u64> {
    match resource {
        Resource::Cpu => decision.cpu.map(Millicores::get),
        Resource::Memory => decision.memory.map(Bytes::get),
    }
}

fn total(amounts: impl Iterator<Item = (u64, u32)>) -> u64 {
    amounts.map(|(amount, replicas)| amount * u64::from(replicas)).sum()
}

fn each(bench: &Bench) -> impl Iterator<Item = (&Recommendation, &Decision, Resource)> {
    let recommendations = bench.plan.recommendations.iter();
    recommendations
        .flat_map(|r| Resource::ALL.map(|resource| (r, r.decision.as_ref().unwrap(), resource)))
}

fn changed(bench: &Bench) -> BTreeMap<WorkloadRef, (Verdict, u32)> {
    let changes = each(bench).filter(|(_, d, _)| d.verdict != Verdict::Hold);
    changes.map(|(r, d, _)| (r.workload.clone(), (d.verdict, d.wave.unwrap()))).collect()
}

/// Carries out `story` and shows the application to `check` after every run, before its decisions are in force.
fn follow(
    story: &Story,
    mut check: impl FnMut(&Bench) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut bench = bench(story);
    for turn in &story.runs {
        aim(&mut bench, turn);
        bench.run();
        check(&bench)?;
        if turn.applied {
            bench.apply();
        }
        bench.wait(turn.minutes);
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_change_leads_past_the_target_or_away_from_it(story in story()) {
        follow(&story, |bench| {
            for (recommendation, decision, resource) in each(bench) {
                let current = resource.current(recommendation).unwrap_or(0);
                let target = resource.target(recommendation);
                let after = decided(decision, resource).unwrap_or(0);
                prop_assert!((current.min(target)..=current.max(target)).contains(&after), "{decision:?}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_decrease_takes_no_more_than_its_step_and_not_in_the_first_run(story in story()) {
        let mut first = true;
        follow(&story, |bench| {
            for (recommendation, decision, resource) in each(bench) {
                let Some(current) = resource.current(recommendation) else { continue };
                let after = decided(decision, resource).unwrap_or(0);
                prop_assert!(after >= current - current / 5);
                prop_assert!(after >= current || !first);
            }
            first = false;
            Ok(())
        })?;
    }

    #[test]
    fn the_budget_holds_and_a_workload_goes_one_way(story in story()) {
        follow(&story, |bench| {
            prop_assert!(changed(bench).len() <= story.budget as usize);
            for (recommendation, decision, _) in each(bench) {
                if decision.verdict != Verdict::Hold {
                    prop_assert_eq!(changed(bench)[&recommendation.workload].0, decision.verdict);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_two_changes_of_a_workload_are_closer_than_the_cool_down(story in story()) {
        let mut in_force: BTreeMap<String, (Option<Millicores>, Option<Bytes>)> = BTreeMap::new();
        let mut last: BTreeMap<WorkloadRef, Timestamp> = BTreeMap::new();
        follow(&story, |bench| {
            for recommendation in &bench.plan.recommendations {
                let seen = (recommendation.cpu.current, recommendation.memory.current);
                if in_force.insert(recommendation.container.clone(), seen).is_some_and(|old| old != seen) {
                    last.insert(recommendation.workload.clone(), bench.now);
                }
            }
            for workload in changed(bench).keys() {
                let rest = last.get(workload).map(|last| bench.now.duration_since(*last));
                prop_assert!(rest.is_none_or(|rest| rest >= SignedDuration::from_mins(30)));
            }
            Ok(())
        })?;
    }

    #[test]
    fn waves_follow_the_calls(story in story()) {
        follow(&story, |bench| {
            let changed = changed(bench);
            for (caller, callee, _) in bench.graph.edges() {
                let Some(((up, first), (also, second))) = changed.get(caller).zip(changed.get(callee)) else {
                    continue;
                };
                let circle = reaches(bench, callee, caller);
                match (up, also) {
                    _ if circle && up == also => prop_assert_eq!(first, second),
                    (Verdict::Raise, Verdict::Raise) => prop_assert!(second < first),
                    (Verdict::Lower, Verdict::Lower) => prop_assert!(first < second),
                    (Verdict::Raise, _) => prop_assert!(first < second),
                    _ => prop_assert!(second < first),
                }
            }
            let mut waves: Vec<u32> = changed.values().map(|(_, wave)| *wave).collect();
            waves.sort_unstable();
            waves.dedup();
            prop_assert!(waves.iter().copied().eq(1..=waves.len() as u32));
            Ok(())
        })?;
    }

    #[test]
    fn what_is_in_force_fits_under_the_cap_if_it_did_before(story in story()) {
        follow(&story, |bench| {
            let Some(capacity) = bench.plan.capacity else { return Ok(()) };
            for resource in Resource::ALL {
                let of = each(bench).filter(|(_, _, r)| *r == resource);
                let before = of.map(|(r, ..)| (resource.current(r).unwrap_or(0), r.replicas));
                let of = each(bench).filter(|(_, _, r)| *r == resource);
                let highest = of.map(|(r, decision, _)| {
                    let after = decided(decision, resource).unwrap_or(0);
                    (after.max(resource.current(r).unwrap_or(0)), r.replicas)
                });
                // Not even before the decreases of the run are made.
                prop_assert!(total(highest) <= resource.capacity(&capacity).max(total(before)));
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_order_of_recommendations_does_not_matter(story in story()) {
        let mut reversed = bench(&story);
        reversed.plan.recommendations.reverse();
        follow(&story, |bench| {
            for (one, other) in reversed.plan.recommendations.iter_mut().zip(bench.plan.recommendations.iter().rev()) {
                (one.cpu, one.memory) = (other.cpu, other.memory);
            }
            reversed.now = bench.now;
            let mut decisions = reversed.run();
            decisions.reverse();
            prop_assert_eq!(decisions, bench.decisions());
            prop_assert_eq!(&reversed.state, &bench.state);
            Ok(())
        })?;
    }

    #[test]
    fn a_target_that_stays_is_reached_within_the_dead_band(mut story in story()) {
        story.capacity = None;
        let mut bench = bench(&story);
        aim(&mut bench, &story.runs[0]);
        for _ in 0..600 {
            bench.turn();
        }
        for (recommendation, decision, resource) in each(&bench) {
            let (current, target) = (resource.current(recommendation).unwrap(), resource.target(recommendation));
            prop_assert!(current.abs_diff(target) <= bench.rules.dead_band(resource, current), "{decision:?}");
        }
    }
}

/// Whether calls lead from one workload to another.
fn reaches(bench: &Bench, from: &WorkloadRef, to: &WorkloadRef) -> bool {
    let mut seen = vec![from];
    let mut next = 0;
    while next < seen.len() {
        for (callee, _) in bench.graph.callees(seen[next]) {
            if !seen.contains(&callee) {
                seen.push(callee);
            }
        }
        next += 1;
    }
    seen.contains(&to)
}
