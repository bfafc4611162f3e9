use jiff::SignedDuration;
use mora_core::{CallRatio, Indicator, Millicores, OomKill, Series, Step, Trust, Verdict};

use super::bench::{Bench, capacity, mebibytes, wants, workload};
use super::{GateRules, GateState, Surroundings, gate};
use crate::Share;

/// A number in [-1, 1] that looks random and is the same for the same `index`.
fn noise(index: u64) -> f64 {
    let mixed = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

#[test]
fn small_differences_are_left_alone() {
    let mut bench = Bench::new(vec![wants("cart", 109, 85), wants("mail", 91, 115)]);
    for _ in 0..4 {
        assert_eq!(bench.turn(), [Verdict::Hold; 2]);
    }
    let reason = &bench.decisions()[0].reason;
    assert!(reason.starts_with("CPU stays at 100m: it is near enough to its target of 109m"));
    assert_eq!(bench.decisions()[0].wave, None);
}

#[test]
fn an_increase_is_made_at_once_and_in_full() {
    let mut bench = Bench::new(vec![wants("cart", 400, 300)]);
    let decision = &bench.run()[0];
    assert_eq!((decision.verdict, decision.wave), (Verdict::Raise, Some(1)));
    assert_eq!(decision.cpu, Some(Millicores::new(400)));
    assert_eq!(decision.memory, Some(mebibytes(300)));
    assert_eq!(
        decision.reason,
        "CPU is raised from 100m to 400m; memory is raised from 100Mi to 300Mi"
    );
}

#[test]
fn a_decrease_is_made_in_steps_that_two_runs_agree_on() {
    let mut bench = Bench::new(vec![wants("cart", 50, 100)]);
    let waiting = &bench.run()[0];
    assert_eq!(waiting.verdict, Verdict::Hold);
    assert!(waiting.reason.contains("1 of 2 runs in a row want a decrease to 50m"));
    bench.wait(30);
    assert_eq!(bench.turn(), [Verdict::Lower]);
    assert_eq!(bench.cpu(), 80);
    assert_eq!((bench.turn(), bench.turn()), (vec![Verdict::Hold], vec![Verdict::Lower]));
    assert_eq!(bench.cpu(), 64);
}

#[test]
fn a_run_that_disagrees_starts_the_count_anew() {
    let mut bench = Bench::new(vec![wants("cart", 50, 100)]);
    bench.turn();
    bench.plan.recommendations[0].cpu.target = Millicores::new(100);
    bench.turn();
    bench.plan.recommendations[0].cpu.target = Millicores::new(50);
    assert_eq!((bench.turn(), bench.turn()), (vec![Verdict::Hold], vec![Verdict::Lower]));
}

#[test]
fn a_decrease_goes_no_further_than_each_of_the_agreeing_runs_wanted() {
    let mut bench = Bench::new(vec![wants("cart", 87, 100)]);
    bench.turn();
    bench.plan.recommendations[0].cpu.target = Millicores::new(50);
    bench.turn();
    assert_eq!(bench.cpu(), 87);
}

#[test]
fn runs_within_minutes_are_one_opinion() {
    let mut bench = Bench::new(vec![wants("cart", 50, 100)]);
    bench.run();
    bench.wait(4);
    assert_eq!(bench.run()[0].verdict, Verdict::Hold);
    bench.wait(1);
    assert_eq!(bench.run()[0].verdict, Verdict::Lower);
}

#[test]
fn a_container_without_a_request_gets_one_at_once_unless_it_is_only_not_known() {
    let mut bench = Bench::new(vec![wants("cart", 50, 40), wants("mail", 50, 40)]);
    for recommendation in &mut bench.plan.recommendations {
        recommendation.cpu.current = None;
        recommendation.memory.current = None;
    }
    bench.datasets.remove(&workload("mail"));
    let decisions = bench.run();
    assert_eq!((decisions[0].verdict, decisions[1].verdict), (Verdict::Raise, Verdict::Hold));
    assert_eq!(decisions[0].cpu, Some(Millicores::new(50)));
    assert!(decisions[0].reason.starts_with("CPU is set to 50m, because none is in force"));
    assert_eq!(decisions[1].cpu, None);
    assert!(decisions[1].reason.starts_with("CPU is not set: what is in force is not known"));
}

#[test]
fn memory_is_not_lowered_below_what_is_used() {
    let mut bench = Bench::new(vec![wants("cart", 100, 20)]);
    let usage = Series::new(bench.now, Step::HOUR, vec![Some(75.5 * 1_048_576.0); 100]).unwrap();
    let dataset = bench.datasets.get_mut(&workload("cart")).unwrap();
    dataset.containers.get_mut("server").unwrap().memory.insert("pod".to_owned(), usage);
    for _ in 0..8 {
        bench.turn();
    }
    assert_eq!(bench.memory(), 80);
    assert!(bench.decisions()[0].reason.contains("near enough to the 76Mi in use"));
    bench.plan.recommendations[0].memory.lower_bound = mebibytes(90);
    bench.plan.recommendations[0].memory.current = Some(mebibytes(100));
    for _ in 0..4 {
        assert_eq!(bench.turn(), [Verdict::Hold], "nothing below the lower bound of 90Mi");
    }
}

#[test]
fn a_change_by_anyone_starts_the_cool_down_of_the_whole_workload() {
    let mut sidecar = wants("cart", 400, 100);
    sidecar.container = "sidecar".to_owned();
    let mut bench = Bench::new(vec![wants("cart", 100, 100), sidecar, wants("mail", 400, 100)]);
    bench.plan.recommendations[1].cpu.target = Millicores::new(100);
    bench.plan.recommendations[2].cpu.target = Millicores::new(100);
    bench.turn();
    bench.plan.recommendations[0].cpu.current = Some(Millicores::new(95));
    for recommendation in &mut bench.plan.recommendations[1..] {
        recommendation.cpu.target = Millicores::new(400);
    }
    let decisions = bench.run();
    assert_eq!((decisions[1].verdict, decisions[2].verdict), (Verdict::Hold, Verdict::Raise));
    assert!(decisions[1].reason.contains("may change again at 2023-11-15 01:00 UTC"));
    bench.wait(29);
    assert_eq!(bench.run()[1].verdict, Verdict::Hold);
    bench.wait(1);
    assert_eq!(bench.run()[1].verdict, Verdict::Raise);
}

#[test]
fn what_was_decided_is_repeated_until_it_is_seen_and_no_other_change_comes_in_between() {
    let mut bench = Bench::new(vec![wants("cart", 400, 100)]);
    bench.run();
    bench.wait(10);
    bench.plan.recommendations[0].cpu.target = Millicores::new(600);
    let repeated = &bench.run()[0];
    assert_eq!(repeated.cpu, Some(Millicores::new(400)));
    assert!(repeated.reason.contains("as an earlier run decided"));
    bench.wait(10);
    bench.plan.recommendations[0].cpu.target = Millicores::new(300);
    assert_eq!(bench.run()[0].verdict, Verdict::Hold, "400m is more than is wanted now");
    bench.wait(10);
    assert_eq!(bench.run()[0].cpu, Some(Millicores::new(300)));
}

/// A workload whose CPU was lowered from 100m to 80m half an hour ago.
fn lowered() -> Bench {
    let mut bench = Bench::new(vec![wants("cart", 50, 100)]);
    assert_eq!((bench.turn(), bench.turn()), (vec![Verdict::Hold], vec![Verdict::Lower]));
    bench.turn();
    bench
}

#[test]
fn a_decrease_that_made_latency_worse_is_taken_back_and_nothing_is_lowered_for_a_day() {
    let mut bench = lowered();
    bench.measure("cart", Indicator::LatencyP95, |hours| if hours <= 1.0 { 0.05 } else { 0.02 });
    let decision = &bench.run()[0];
    assert_eq!((decision.verdict, decision.cpu), (Verdict::RollBack, Some(Millicores::new(100))));
    assert!(decision.reason.starts_with("CPU goes back from 80m to 100m, because latency p95 rose from 20 ms to 50 ms after a decrease"));
    assert_eq!(bench.run()[0].verdict, Verdict::RollBack, "until it is seen in force");
    bench.apply();
    for _ in 0..47 {
        bench.wait(30);
        let decision = &bench.run()[0];
        assert_eq!(decision.verdict, Verdict::Hold);
        assert!(
            decision.reason.contains("may change again")
                || decision.reason.contains("because latency p95 rose")
        );
    }
    bench.wait(30);
    assert_eq!(bench.run()[0].verdict, Verdict::Lower);
}

/// What an indicator was, by hours before now.
type Course = fn(f64) -> f64;

#[test]
fn errors_count_as_harm_and_what_is_no_worse_than_usual_does_not() {
    let verdict = |indicator, value: fn(f64) -> f64| {
        let mut bench = lowered();
        bench.measure("cart", indicator, value);
        bench.run()[0].verdict
    };
    assert_eq!(
        verdict(Indicator::ErrorRatio, |hours| if hours <= 1.0 { 0.02 } else { 0.0 }),
        Verdict::RollBack
    );
    let harmless: [(Indicator, Course); 5] = [
        (Indicator::ErrorRatio, |hours| if hours <= 1.0 { 0.009 } else { 0.0 }),
        (Indicator::LatencyP95, |hours| if hours <= 1.0 { 0.0119 } else { 0.008 }),
        (Indicator::LatencyP95, |hours| if hours <= 1.0 { 0.12 } else { 0.1 }),
        (Indicator::LatencyP95, |hours| if hours % 24.0 <= 1.0 { 0.05 } else { 0.02 }),
        (Indicator::ThrottledRatio, |hours| if hours <= 1.0 { 0.9 } else { 0.0 }),
    ];
    for (index, (indicator, value)) in harmless.into_iter().enumerate() {
        assert_eq!(verdict(indicator, value), Verdict::Lower, "case {index}");
    }
}

#[test]
fn too_few_observations_are_no_evidence_of_harm() {
    let mut bench = lowered();
    bench.rules.regression.min_samples = 31;
    bench.measure("cart", Indicator::LatencyP95, |hours| if hours <= 1.0 { 0.05 } else { 0.02 });
    assert_eq!(bench.run()[0].verdict, Verdict::Lower);
}

#[test]
fn a_decrease_by_someone_else_is_watched_too() {
    let mut bench = Bench::new(vec![wants("cart", 100, 100)]);
    bench.turn();
    bench.plan.recommendations[0].cpu.current = Some(Millicores::new(93));
    bench.turn();
    bench.measure("cart", Indicator::ErrorRatio, |hours| if hours <= 1.0 { 0.1 } else { 0.0 });
    let decision = &bench.run()[0];
    assert_eq!((decision.verdict, decision.cpu), (Verdict::RollBack, Some(Millicores::new(100))));
}

#[test]
fn a_kill_after_a_decrease_of_memory_takes_it_back_even_in_the_cool_down() {
    let mut bench = Bench::new(vec![wants("cart", 100, 60)]);
    bench.turn();
    bench.turn();
    let kill = OomKill {
        killed: bench.now - SignedDuration::from_mins(5),
        pod: "pod".to_owned(),
        peak: mebibytes(80),
    };
    let dataset = bench.datasets.get_mut(&workload("cart")).unwrap();
    dataset.containers.get_mut("server").unwrap().oom_kills.insert(kill);
    let decision = &bench.run()[0];
    assert_eq!((decision.verdict, decision.memory), (Verdict::RollBack, Some(mebibytes(100))));
    assert!(decision.reason.contains("because it ran out of memory at 2023-11-15 00:55 UTC"));
}

#[test]
fn a_raise_waits_for_room_that_is_free_once_a_decrease_is_seen() {
    let mut bench = Bench::new(vec![wants("cart", 50, 100), wants("mail", 140, 100)]);
    bench.plan.capacity = Some(capacity(200, 1000));
    let waiting = &bench.run()[1];
    assert_eq!(waiting.verdict, Verdict::Hold);
    assert!(
        waiting.reason.contains("the 40m more that 1 replicas need do not fit into the 0 of CPU")
    );
    bench.wait(30);
    assert_eq!(bench.turn(), [Verdict::Lower, Verdict::Hold]);
    assert_eq!(bench.turn(), [Verdict::Hold, Verdict::Raise]);
    let decision = &bench.decisions()[1];
    assert_eq!(decision.cpu, Some(Millicores::new(120)));
    assert!(decision.reason.contains("which is all there is room for of 140m"));
}

#[test]
fn when_room_is_short_the_higher_priority_is_raised_first() {
    let mut bench = Bench::new(vec![wants("a", 200, 100), wants("b", 200, 100)]);
    bench.plan.capacity = Some(capacity(305, 1000));
    bench.plan.recommendations[1].justification.priority = 5;
    assert_eq!(bench.turn(), [Verdict::Hold, Verdict::Raise]);
}

#[test]
fn the_budget_goes_to_what_starves_first_and_to_decreases_last() {
    let names = ["a", "b", "c", "d"];
    let mut bench = Bench::new(names.map(|name| wants(name, 200, 100)).into());
    bench.plan.recommendations[0].cpu.target = Millicores::new(50);
    bench.rules.changes_per_run_share = Share::new(0.49).unwrap();
    let usage = Series::new(bench.now, Step::MINUTE, vec![Some(0.15); 600]).unwrap();
    let dataset = bench.datasets.get_mut(&workload("d")).unwrap();
    dataset.containers.get_mut("server").unwrap().cpu.insert("pod".to_owned(), usage);
    bench.wait(30);
    let hold = Verdict::Hold;
    assert_eq!(bench.turn(), [hold, hold, hold, Verdict::Raise]);
    assert!(
        bench.decisions()[1].reason.contains("this run changes 1 workloads, as many as it may")
    );
    assert_eq!(bench.turn(), [hold, Verdict::Raise, hold, hold]);
    assert_eq!(bench.turn(), [hold, hold, Verdict::Raise, hold]);
    assert_eq!(bench.turn(), [Verdict::Lower, hold, hold, hold]);
}

#[test]
fn callees_go_up_before_their_callers_and_callers_down_before_their_callees() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut bench = Bench::new(names.map(|name| wants(name, 200, 100)).into());
    for (caller, callee) in [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("a", "e"), ("e", "f")]
    {
        bench.call(caller, callee);
    }
    let waves = |bench: &mut Bench| bench.run().into_iter().map(|d| d.wave).collect::<Vec<_>>();
    assert_eq!(waves(&mut bench), [3, 2, 2, 1, 2, 1].map(Some));
    for recommendation in &mut bench.plan.recommendations {
        let cpu = if recommendation.workload == workload("e") { 200 } else { 50 };
        recommendation.cpu.target = Millicores::new(cpu);
    }
    bench.wait(30);
    bench.run();
    bench.wait(30);
    assert_eq!(waves(&mut bench), [2, 3, 3, 4, 1, 4].map(Some), "raises come first");
}

#[test]
fn calls_that_are_only_declared_order_changes_and_calls_that_are_never_made_do_not() {
    let mut bench = Bench::new(["a", "b", "c"].map(|name| wants(name, 200, 100)).into());
    let declared = CallRatio { trust: Trust::Declared, ..CallRatio::stated(0.0, 0.0) };
    bench.graph.insert(workload("a"), workload("b"), declared);
    bench.graph.insert(workload("a"), workload("c"), CallRatio::stated(0.0, 0.0));
    bench.graph.insert(workload("c"), workload("a"), CallRatio::stated(0.1, 0.0));
    let waves: Vec<_> = bench.run().into_iter().map(|d| d.wave).collect();
    assert_eq!(waves, [2, 1, 3].map(Some));
}

#[test]
fn without_a_memory_requests_are_only_raised() {
    let bench = Bench::new(vec![wants("cart", 50, 300)]);
    let mut plan = bench.plan.clone();
    let surroundings =
        Surroundings { graph: &bench.graph, datasets: &bench.datasets, now: bench.now };
    gate(&mut plan, surroundings, &bench.rules, None);
    let decision = plan.recommendations[0].decision.clone().unwrap();
    assert_eq!((decision.cpu, decision.memory), (Some(Millicores::new(100)), Some(mebibytes(300))));
    assert!(decision.reason.contains("nothing remembers them; set `state` to a folder"));
}

#[test]
fn a_restart_between_runs_changes_nothing() {
    let (mut through, mut restarted) = (lowered(), lowered());
    for bench in [&mut through, &mut restarted] {
        bench.measure("cart", Indicator::ErrorRatio, |h| if h <= 1.0 { 0.1 } else { 0.0 });
    }
    for _ in 0..60 {
        let written = serde_saphyr::to_string(&restarted.state).unwrap();
        restarted.state = serde_saphyr::from_str(&written).unwrap();
        assert_eq!(restarted.turn(), through.turn());
        assert_eq!(restarted.state, through.state);
    }
}

#[test]
fn a_workload_that_a_plan_leaves_out_is_remembered_for_two_weeks() {
    let mut bench = lowered();
    let recommendations = std::mem::take(&mut bench.plan.recommendations);
    let before = bench.state.clone();
    bench.run();
    assert_eq!(bench.state, before);
    bench.wait(14 * 24 * 60);
    bench.run();
    assert_eq!(bench.state, GateState::default());
    bench.plan.recommendations = recommendations;
    assert_eq!(bench.run()[0].verdict, Verdict::Hold);
}

#[test]
fn rules_state_only_what_differs_and_unknown_keys_are_refused() {
    let rules: GateRules =
        serde_saphyr::from_str("dead_band: 0.2\nregression: {latency_least_ms: 20}\n").unwrap();
    assert_eq!(rules.regression.latency_least_ms.to_string(), "20");
    assert_eq!(rules.agreeing_runs, GateRules::default().agreeing_runs);
    for text in [
        "dead_bnd: 0.2",
        "decrease_step: 1.5",
        "agreeing_runs: -1",
        "regression: {p95: 1}",
        "regression: {latency_ratio: -1}",
    ] {
        assert!(serde_saphyr::from_str::<GateRules>(text).is_err(), "{text}");
    }
}

/// Changes of CPU over a week of runs every half an hour; the target lies within `spread` of 60m.
fn changes_in_a_week(spread: f64) -> (usize, Bench) {
    let mut bench = Bench::new(vec![wants("cart", 60, 100)]);
    let (mut changes, mut last, mut wanted_before) = (0, None, false);
    for run in 0..7 * 48 {
        let target = (60.0 * (1.0 + spread * noise(run))) as u64;
        bench.plan.recommendations[0].cpu.target = Millicores::new(target);
        let (before, now) = (bench.cpu(), bench.now);
        let verdict = bench.turn()[0];
        let after = bench.cpu();
        assert_eq!(verdict == Verdict::Hold, before == after);
        if after < before {
            assert!(wanted_before && after >= (before * 4).div_ceil(5), "{before} to {after}");
        }
        if after != before {
            let rested =
                last.is_none_or(|last| now.duration_since(last) >= SignedDuration::from_mins(30));
            assert!(rested && before.abs_diff(target) > 10);
            (changes, last) = (changes + 1, Some(now));
        }
        wanted_before = target < before;
    }
    (changes, bench)
}

#[test]
fn a_noisy_target_settles_within_hours_and_a_wild_one_is_not_followed() {
    let (changes, bench) = changes_in_a_week(0.1);
    assert_eq!(changes, 2, "100m, 80m, and 64m is within reach of every target");
    assert_eq!(bench.cpu(), 64);
    let (wild, _) = changes_in_a_week(0.4);
    assert!(wild < 7 * 48 / 3, "{wild} changes");
}
