use jiff::Timestamp;
use mora_core::{
    Bytes, CallGraph, CallRatio, Cause, Confidence, ContainerUsage, Dataset, Forecast,
    ForecastPoint, Indicator, Millicores, OomKill, Quantile, RequestRecord, ResourceClaim, Rung,
    Series, Signal, SignalForecast, Skill, Step,
};
use proptest::prelude::*;

use super::*;
use crate::{
    CpuPath, Pattern, PriorityRule, RequestShape, Share, WhatIfError, learn_call_graph, observe,
};

const SLOTS: usize = 24;
const MIB: f64 = 1_048_576.0;

fn workload(name: &str) -> WorkloadRef {
    WorkloadRef::deployment("shop", name).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_006_400).unwrap()
}

/// A path per quantile: the median is `median`, the others lie 10, 20 and 30 % above it, and so does the request
/// path.
fn signal(median: &[f64]) -> SignalForecast {
    let path = |(quantile, factor)| {
        (Quantile::new(quantile).unwrap(), median.iter().map(|value| value * factor).collect())
    };
    SignalForecast {
        paths: [(0.5, 1.0), (0.9, 1.1), (0.95, 1.2), (0.99, 1.3)].into_iter().map(path).collect(),
        requests: median.iter().map(|value| value * 1.3).collect(),
        request_records: vec![RequestRecord { price: 80.0, overhead: 1.3, above: 0.01, days: 7 }],
        rung: Rung::Ensemble,
        members: Vec::new(),
        skill: Skill { pinball_ratio: Some(0.8), origins: 5 },
        confidence: Some(Confidence {
            stated: Quantile::new(0.99).unwrap(),
            observed: 0.985,
            slots: 120,
        }),
    }
}

fn forecast(name: &str, cpu: &[f64], rate: &[f64]) -> Forecast {
    let signals = [
        (Signal::Cpu, cpu.to_vec()),
        (Signal::Memory, vec![100.0 * MIB; SLOTS]),
        (Signal::RequestRate, rate.to_vec()),
    ];
    Forecast {
        workload: workload(name),
        model_version: "v1".to_owned(),
        start: now(),
        slot: Step::HOUR,
        data_until: now(),
        replicas: 2,
        signals: signals.into_iter().map(|(s, median)| (s, signal(&median))).collect(),
        warnings: Vec::new(),
    }
}

/// Days of two pods with even usage and a request rate that is 30 % higher once an hour.
fn history(name: &str, cpu: f64, rate: f64, days: usize) -> Dataset {
    let steps = days * 288;
    let step = Step::from_seconds(300).unwrap();
    let start = now() - step.times(steps);
    let even = |value| Series::new(start, step, vec![Some(value); steps]).unwrap();
    let pods = |value| ["a", "b"].map(|pod| (pod.to_owned(), even(value))).into();
    let mut dataset = Dataset::new(workload(name));
    let usage = ContainerUsage {
        claim: ResourceClaim {
            cpu_request: Some(Millicores::new(300)),
            ..ResourceClaim::default()
        },
        cpu: pods(cpu / 2.0),
        memory: pods(80.0 * MIB),
        ..ContainerUsage::default()
    };
    dataset.containers.insert("server".to_owned(), usage);
    let rates = (0..steps).map(|i| Some(if i % 12 == 0 { 1.3 * rate } else { rate }));
    dataset.request_rate = Some(Series::new(start, step, rates.collect()).unwrap());
    dataset
}

/// What a plan is made of, before histories are reduced to what a plan needs of them.
#[derive(Debug, Clone)]
struct Scene {
    datasets: BTreeMap<WorkloadRef, Dataset>,
    forecasts: BTreeMap<WorkloadRef, Result<Forecast, String>>,
    graph: CallGraph,
    capacity: Option<Capacity>,
    slots: usize,
}

impl Scene {
    fn evidence(&self, policy: &Policy) -> Evidence {
        Evidence {
            observed: observe(&self.datasets, &self.graph, policy, (now(), Step::HOUR)),
            forecasts: self.forecasts.clone(),
            graph: self.graph.clone(),
            capacity: self.capacity,
            cluster: None,
            now: now(),
            start: now(),
            slot: Step::HOUR,
            slots: self.slots,
        }
    }
}

fn plan(id: &str, scene: &Scene, policy: &Policy) -> Plan {
    super::plan(id, &scene.evidence(policy), policy)
}

fn statistical_plan(id: &str, scene: &Scene, policy: &Policy) -> Plan {
    super::statistical_plan(id, &scene.evidence(policy), policy)
}

fn what_if(
    scene: &Scene,
    policy: &Policy,
    factors: &[(WorkloadRef, f64)],
) -> Result<Plan, WhatIfError> {
    crate::what_if(&scene.evidence(policy), policy, factors)
}

fn evidence(datasets: Vec<Dataset>, forecasts: Vec<Forecast>) -> Scene {
    Scene {
        datasets: datasets.into_iter().map(|d| (d.workload.clone(), d)).collect(),
        forecasts: forecasts.into_iter().map(|f| (f.workload.clone(), Ok(f))).collect(),
        graph: CallGraph::default(),
        capacity: None,
        slots: SLOTS,
    }
}

fn capacity(cpu: u64, mebibytes: u64) -> Capacity {
    Capacity {
        cpu_allocatable: Millicores::new(cpu),
        memory_allocatable: Bytes::from_mebibytes(mebibytes),
        cpu_unmanaged: Millicores::ZERO,
        memory_unmanaged: Bytes::ZERO,
        cap: 1.0,
    }
}

fn calls(graph: &mut CallGraph, caller: &str, callee: &str, ratio: f64) {
    let call = CallRatio::stated(ratio, 0.0);
    graph.insert(workload(caller), workload(callee), call);
}

fn of<'a>(plan: &'a Plan, name: &str) -> &'a Recommendation {
    plan.recommendations.iter().find(|r| r.workload == workload(name)).unwrap()
}

/// One busy hour at `slot`, a tenth of it in all others.
fn peak_at(slot: usize, height: f64) -> Vec<f64> {
    (0..SLOTS).map(|i| if i == slot { height } else { 0.1 * height }).collect()
}

/// The frontend and a cart it calls once per request, both forecast at `rate` times what they had.
fn shop(rate: f64) -> Scene {
    let flat = |value: f64| vec![value; SLOTS];
    let mut evidence = evidence(
        vec![history("frontend", 1.0, 20.0, 10), history("cart", 1.0, 20.0, 10)],
        vec![
            forecast("frontend", &flat(rate), &flat(20.0 * rate)),
            forecast("cart", &flat(1.0), &flat(20.0)),
        ],
    );
    calls(&mut evidence.graph, "frontend", "cart", 1.0);
    evidence
}

#[test]
fn the_peak_of_the_chosen_path_becomes_the_request_of_each_replica() {
    let evidence = evidence(
        vec![history("cart", 1.0, 20.0, 10)],
        vec![forecast("cart", &peak_at(9, 2.0), &[20.0; SLOTS])],
    );
    let plan = plan("p1", &evidence, &Policy::default());
    let cart = of(&plan, "cart");
    assert_eq!(plan.status, PlanStatus::Complete);
    assert_eq!((cart.container.as_str(), cart.replicas), ("server", 2));
    assert_eq!(cart.cpu.target, Millicores::new(1300), "2.0 cores * 1.3 over 2 replicas");
    assert_eq!(cart.cpu.current, Some(Millicores::new(300)));
    assert_eq!(
        (cart.cpu.lower_bound, cart.cpu.upper_bound),
        (Millicores::new(1000), Millicores::new(1300))
    );
    assert_eq!(cart.memory.target, Bytes::from_mebibytes(150), "100 MiB * 1.3 * 1.15, rounded up");
    assert_eq!(cart.schedule[9].cpu, Millicores::new(1300));
    assert_eq!(cart.schedule[10].cpu, Millicores::new(130));
    assert_eq!(cart.justification.pinball_ratio, Some(0.8));
    assert_eq!(cart.justification.own_cpu_peak, Some(2.6));
}

/// The evidence of one cart whose request path is `requests`.
fn with_requests(requests: &[f64]) -> Scene {
    let mut evidence = evidence(
        vec![history("cart", 1.0, 20.0, 10)],
        vec![forecast("cart", &peak_at(9, 2.0), &[20.0; SLOTS])],
    );
    let cart = evidence.forecasts.get_mut(&workload("cart")).unwrap().as_mut().unwrap();
    cart.signals.get_mut(&Signal::Cpu).unwrap().requests = requests.to_vec();
    evidence
}

#[test]
fn the_request_path_decides_about_cpu_and_a_quantile_only_where_it_is_asked_for() {
    let evidence = with_requests(&peak_at(12, 3.0));
    let least_cost = plan("p1", &evidence, &Policy::default());
    let cart = of(&least_cost, "cart");
    assert_eq!(cart.cpu.target, Millicores::new(1500), "3.0 cores over 2 replicas");
    assert_eq!(cart.schedule[12].cpu, Millicores::new(1500));
    assert_eq!(cart.schedule[9].cpu, Millicores::new(150));
    assert!(cart.cpu.upper_bound >= cart.cpu.target && cart.cpu.lower_bound <= cart.cpu.target);
    assert_eq!(cart.justification.request_record.unwrap().days, 7);
    assert!(cart.justification.notes.iter().any(|note| note.contains("risk price of 80")));
    assert_eq!(cart.justification.own_cpu_peak, Some(2.6), "of the quantile");
    let scheduled = Policy { requests: RequestShape::Schedule, ..Policy::default() };
    let scheduled = plan("p2", &evidence, &scheduled);
    assert_eq!(of(&scheduled, "cart").cpu.target, Millicores::new(150), "of the first slot");
    let quantile = Policy { cpu_path: CpuPath::Quantile, ..Policy::default() };
    let quantile = plan("p3", &evidence, &quantile);
    assert_eq!(of(&quantile, "cart").cpu.target, Millicores::new(1300));
    assert_eq!(of(&quantile, "cart").justification.request_record, None);
}

#[test]
fn a_worker_that_answers_no_request_path_is_planned_by_the_quantile_with_a_note() {
    let plan = plan("p1", &with_requests(&[]), &Policy::default());
    let cart = of(&plan, "cart");
    assert_eq!((plan.status, cart.cpu.target), (PlanStatus::Complete, Millicores::new(1300)));
    let notes = &cart.justification.notes;
    assert!(notes.iter().any(|note| note.contains("answers no request path")), "{notes:?}");
}

#[test]
fn a_supposed_load_multiplies_the_request_path_as_it_does_the_quantiles() {
    let evidence = with_requests(&peak_at(12, 3.0));
    let factors = [(workload("cart"), 2.0)];
    let plan = what_if(&evidence, &Policy::default(), &factors).unwrap();
    assert_eq!(of(&plan, "cart").cpu.target, Millicores::new(3000));
}

#[test]
fn the_callers_load_changes_the_request_path_by_the_factor_it_changes_the_quantile() {
    let mut evidence = shop(1.8);
    let request = |evidence: &Scene, cpu_path| {
        let plan = plan("p", evidence, &Policy { cpu_path, ..Policy::default() });
        of(&plan, "cart").cpu.target.cores()
    };
    let cart = evidence.forecasts.get_mut(&workload("cart")).unwrap().as_mut().unwrap();
    cart.signals.get_mut(&Signal::Cpu).unwrap().requests = vec![0.65; SLOTS];
    let (least_cost, quantile) =
        (request(&evidence, CpuPath::LeastCost), request(&evidence, CpuPath::Quantile));
    assert!(
        quantile > 0.9 && (2.0 * least_cost - quantile).abs() < 0.003,
        "{least_cost} {quantile}"
    );
}

/// One out-of-memory kill at 300 MiB an hour ago.
fn kill() -> OomKill {
    let (killed, peak) = (now() - Step::HOUR.times(1), Bytes::from_mebibytes(300));
    OomKill { killed, pod: "a".to_owned(), peak }
}

#[test]
fn an_out_of_memory_kill_raises_the_request_by_forecast_and_by_baseline_alike() {
    let mut evidence = shop(1.0);
    for dataset in evidence.datasets.values_mut() {
        dataset.containers.get_mut("server").unwrap().oom_kills.insert(kill());
    }
    evidence.forecasts.insert(workload("cart"), Err("its worker is down".to_owned()));
    let plans = [
        plan("p1", &evidence, &Policy::default()),
        statistical_plan("p2", &evidence, &Policy::default()),
    ];
    for recommendation in plans.iter().flat_map(|plan| &plan.recommendations) {
        assert_eq!(recommendation.memory.target, Bytes::from_mebibytes(400));
        assert_eq!(recommendation.memory.lower_bound, Bytes::from_mebibytes(400));
        let notes = &recommendation.justification.notes;
        assert!(notes.iter().any(|note| note.contains("killed for lack of memory")), "{notes:?}");
    }
}

#[test]
fn memory_that_was_used_on_the_last_days_is_let_go_slowly() {
    let mut evidence = shop(1.0);
    let dataset = evidence.datasets.get_mut(&workload("cart")).unwrap();
    let memory = &mut dataset.containers.get_mut("server").unwrap().memory;
    let old = memory["a"].between(now() - Step::HOUR.times(240), now() - Step::HOUR.times(24));
    let high = vec![Some(350.0 * MIB); old.len()];
    memory.insert("old".to_owned(), Series::new(old.start(), old.step(), high).unwrap());
    let plan = plan("p1", &evidence, &Policy::default());
    let cart = of(&plan, "cart");
    assert_eq!(cart.memory.target, Bytes::from_mebibytes(250), "half of 350 MiB above 150 MiB");
    assert!(cart.justification.notes.iter().any(|note| note.contains("falls slowly")));
    assert_eq!(of(&plan, "frontend").memory.target, Bytes::from_mebibytes(150));
}

#[test]
fn a_surge_at_the_entry_raises_what_it_calls_and_a_usual_day_does_not() {
    let usual = plan("p1", &shop(1.0), &Policy::default());
    let surge = plan("p2", &shop(1.8), &Policy::default());
    let (before, after) = (of(&usual, "cart"), of(&surge, "cart"));
    let factor = after.cpu.target.cores() / before.cpu.target.cores();
    assert!((1.5..=2.0).contains(&factor), "{factor}");
    assert_eq!(after.justification.callers, BTreeMap::from([(workload("frontend"), 36.0)]));
    assert!(after.justification.notes.iter().any(|note| note.contains("load it never had")));
    assert!(after.justification.propagated_cpu_peak > after.justification.own_cpu_peak);
}

/// The shop whose frontend alone received `factor` times its usual load in the last ten minutes.
fn surged(factor: f64) -> Scene {
    let mut scene = shop(1.0);
    let rate = &mut scene.datasets.get_mut(&workload("frontend")).unwrap().request_rate;
    let usual = rate.as_ref().unwrap();
    let first = usual.len() - 2;
    let value = |(i, rate): (usize, &Option<f64>)| {
        rate.map(|rate| if i >= first { 26.0 * factor } else { rate })
    };
    let values = usual.values().iter().enumerate().map(value).collect();
    *rate = Some(Series::new(usual.start(), usual.step(), values).unwrap());
    scene
}

#[test]
fn a_surge_of_the_last_minutes_raises_what_it_is_about_to_call_for_some_hours() {
    let policy = Policy { requests: RequestShape::Schedule, ..Policy::default() };
    let cpu = |scene: &Scene, policy: &Policy, slot: usize| {
        let plan = plan("p", scene, policy);
        ["frontend", "cart"].map(|name| of(&plan, name).schedule[slot].cpu.cores())
    };
    let (usual, surge) = (surged(1.0), surged(2.0));
    for slot in [0, 1] {
        let (before, after) = (cpu(&usual, &policy, slot), cpu(&surge, &policy, slot));
        assert!(after.iter().zip(&before).all(|(a, b)| (1.8..2.8).contains(&(a / b))), "{after:?}");
    }
    let later =
        cpu(&surge, &policy, 12).iter().zip(cpu(&usual, &policy, 12)).all(|(a, b)| *a <= 1.01 * b);
    assert!(later, "a surge is not for ever");
    let notes = &of(&plan("p", &surge, &policy), "frontend").justification.notes.clone();
    assert!(notes.iter().any(|note| note.contains("2.00 times the most")), "{notes:?}");
    let alone = Policy { follow_recent_load: false, ..policy };
    let apart = cpu(&surge, &alone, 0)[1] - cpu(&surge, &alone, 12)[1];
    assert!(apart.abs() < 1e-9, "the forecasts alone: {apart}");
}

#[test]
fn a_quiet_day_lowers_the_slots_just_ahead_and_only_those() {
    let policy = Policy { requests: RequestShape::Schedule, ..Policy::default() };
    let scene = Scene { graph: CallGraph::default(), ..shop(1.0) };
    let quiet = plan("p", &scene, &policy);
    let cores = |plan: &Plan, slot: usize| of(plan, "cart").schedule[slot].cpu;
    // The forecast covers 30 % more than the core that two pods have used on every day.
    assert_eq!([0, 1, 2].map(|slot| cores(&quiet, slot).get()), [500, 500, 650]);
    let why = &of(&quiet, "cart").justification;
    assert!(why.notes.iter().any(|note| note.contains("expect 1.000 cores")), "{:?}", why.notes);
    let part = |cause| why.cpu_parts.iter().find(|part| part.cause == cause).map(|p| p.amount);
    assert_eq!((part(Cause::Margin), part(Cause::LastHour)), (Some(150), Some(-150)));
    // Were there twice the load, a quiet half hour would have had twice the load too.
    let supposed = what_if(&scene, &policy, &[(workload("cart"), 2.0)]).unwrap();
    assert_eq!([0, 1, 2].map(|slot| cores(&supposed, slot).get()), [1000, 1000, 1300]);
    let alone = plan("p", &scene, &Policy { follow_recent_load: false, ..policy });
    assert_eq!(cores(&alone, 0).get(), 650);
}

#[test]
fn what_a_throttled_caller_would_have_sent_is_a_minimum() {
    let mut scene = shop(1.0);
    let flat = |value: f64| vec![value; SLOTS];
    // The cart's own forecast says half of what the frontend is going to send.
    scene.forecasts.insert(workload("cart"), Ok(forecast("cart", &flat(0.5), &flat(10.0))));
    let free = plan("p1", &scene, &Policy::default());
    let rate = scene.datasets[&workload("frontend")].request_rate.clone().unwrap();
    let ratios = (0..rate.len()).map(|i| Some(if i % 10 == 0 { 0.4 } else { 0.0 })).collect();
    let ratios = Series::new(rate.start(), rate.step(), ratios).unwrap();
    let frontend = scene.datasets.get_mut(&workload("frontend")).unwrap();
    frontend.indicators.insert(Indicator::ThrottledRatio, ratios);
    let hidden = plan("p2", &scene, &Policy::default());
    assert!(of(&hidden, "cart").cpu.target > of(&free, "cart").cpu.target);
    let notes = &of(&hidden, "cart").justification.notes;
    assert!(notes.iter().any(|note| note.contains("frontend was throttled")), "{notes:?}");
}

#[test]
fn the_callers_decide_about_a_workload_younger_than_three_days() {
    let mut evidence = shop(1.0);
    let young = history("cart", 1.0, 10.0, 2);
    evidence.datasets.insert(workload("cart"), young);
    evidence
        .forecasts
        .insert(workload("cart"), Ok(forecast("cart", &[0.5; SLOTS], &[10.0; SLOTS])));
    let with_forecast = plan("p1", &evidence, &Policy::default());
    assert_eq!(of(&with_forecast, "cart").justification.own_weight, Some(0.0));
    assert!(of(&with_forecast, "cart").cpu.target > Millicores::new(600), "twice its own 325m");

    evidence.forecasts.insert(workload("cart"), Err("its worker is down".to_owned()));
    let on_baseline = plan("p2", &evidence, &Policy::default());
    assert_eq!(of(&on_baseline, "cart").cpu.target, Millicores::new(1000), "twice its p95 of 500m");
}

#[test]
fn a_missing_forecast_degrades_one_workload_to_its_baseline_with_the_reason() {
    let mut evidence = shop(1.0);
    evidence.forecasts.insert(workload("cart"), Err("its worker is down".to_owned()));
    let plan = plan("p1", &evidence, &Policy::default());
    let cart = of(&plan, "cart");
    assert_eq!(plan.status, PlanStatus::Degraded);
    assert_eq!(cart.source, Source::Baseline { reason: "its worker is down".to_owned() });
    assert_eq!(
        (cart.cpu.target, cart.memory.target),
        (Millicores::new(500), Bytes::from_mebibytes(92))
    );
    assert!(cart.schedule.is_empty());
    assert!(
        plan.warnings
            .iter()
            .any(|w| w.contains("cart is sized by its baseline: its worker is down"))
    );
    assert!(matches!(of(&plan, "frontend").source, Source::Forecast { .. }));
}

#[test]
fn a_workload_with_neither_forecast_nor_history_is_named_and_left_out() {
    let mut evidence = shop(1.0);
    evidence.forecasts.insert(workload("new"), Err("its worker is down".to_owned()));
    calls(&mut evidence.graph, "cart", "redis", 1.0);
    let plan = plan("p1", &evidence, &Policy::default());
    assert_eq!(plan.recommendations.len(), 2);
    assert_eq!(plan.status, PlanStatus::Degraded);
    assert!(plan.warnings.iter().any(|w| w.starts_with("shop/Deployment/new is not in the plan")));
    assert!(
        plan.warnings.iter().any(|w| w.starts_with("shop/Deployment/redis is in the call graph"))
    );
}

#[test]
fn a_forecast_for_other_slots_is_not_used() {
    let mut evidence = shop(1.0);
    evidence.slots = 12;
    let plan = plan("p1", &evidence, &Policy::default());
    assert!(plan.recommendations.iter().all(|r| matches!(r.source, Source::Baseline { .. })));
}

#[test]
fn peaks_of_different_hours_fit_as_a_schedule_where_they_do_not_as_fixed_requests() {
    let mut evidence = evidence(
        vec![history("day", 1.0, 20.0, 10), history("night", 1.0, 20.0, 10)],
        vec![
            forecast("day", &peak_at(12, 2.0), &[20.0; SLOTS]),
            forecast("night", &peak_at(2, 2.0), &[20.0; SLOTS]),
        ],
    );
    evidence.capacity = Some(capacity(3000, 8192));
    let policy = |requests| Policy { requests, cap: Share::new(1.0).unwrap(), ..Policy::default() };
    let fixed = plan("p1", &evidence, &policy(RequestShape::Peak));
    let scheduled = plan("p2", &evidence, &policy(RequestShape::Schedule));
    assert_eq!(fixed.status, PlanStatus::Violation);
    assert!(fixed.total_cpu() <= Millicores::new(3000));
    assert_eq!(scheduled.status, PlanStatus::Complete);
    assert_eq!(of(&scheduled, "day").schedule[12].cpu, Millicores::new(1300));
}

#[test]
fn what_a_critical_frontend_calls_is_served_before_a_batch_job() {
    let mut evidence = shop(1.0);
    let batch = forecast("batch", &[1.0; SLOTS], &[1.0; SLOTS]);
    evidence.datasets.insert(workload("batch"), history("batch", 1.0, 1.0, 10));
    evidence.forecasts.insert(workload("batch"), Ok(batch));
    calls(&mut evidence.graph, "frontend", "batch", 0.0);
    evidence.capacity = Some(capacity(4000, 8192));
    let rule = PriorityRule { workload: Pattern("shop/frontend".to_owned()), priority: 100 };
    let policy = Policy { priorities: vec![rule], ..Policy::default() };
    let plan = plan("p1", &evidence, &policy);
    let share =
        |name| of(&plan, name).cpu.target.cores() / of(&plan, name).cpu.uncapped_target.cores();
    assert_eq!(of(&plan, "cart").justification.priority, 100);
    assert_eq!(of(&plan, "batch").justification.priority, 0);
    assert!(
        share("cart") > share("batch") && share("batch") >= 0.49,
        "{} {}",
        share("cart"),
        share("batch")
    );
    assert_eq!(plan.status, PlanStatus::Violation);
    assert!(plan.cuts.iter().all(|cut| cut.reason.contains("3200m can be requested")));
}

#[test]
fn containers_split_their_workload_by_what_they_used() {
    let mut dataset = history("cart", 0.9, 20.0, 10);
    let sidecar = history("cart", 0.1, 20.0, 10).containers.remove("server").unwrap();
    dataset.containers.insert("sidecar".to_owned(), sidecar);
    let evidence = evidence(vec![dataset], vec![forecast("cart", &[1.0; SLOTS], &[20.0; SLOTS])]);
    let plan = plan("p1", &evidence, &Policy::default());
    let cpu: Vec<u64> = plan.recommendations.iter().map(|r| r.cpu.target.get()).collect();
    assert_eq!(cpu, [585, 65]);
}

#[test]
fn the_statistical_plan_uses_nothing_but_the_rule_and_still_fits() {
    let mut evidence = shop(5.0);
    evidence.capacity = Some(capacity(2000, 8192));
    let plan = statistical_plan("p1", &evidence, &Policy::default());
    assert!(plan.recommendations.iter().all(|r| r.source == Source::Statistical));
    assert_eq!(plan.total_cpu(), Millicores::new(1600));
    assert_eq!(plan.status, PlanStatus::Violation);
}

#[test]
fn the_same_evidence_gives_the_same_plan() {
    let evidence = shop(1.3);
    let policy = Policy::default();
    assert_eq!(plan("p1", &evidence, &policy), plan("p1", &evidence, &policy));
}

#[test]
fn saved_evidence_gives_the_same_plan() {
    let policy = Policy::default();
    let mut scene = shop(1.3);
    scene.forecasts.insert(workload("new"), Err("its worker is down".to_owned()));
    let evidence = scene.evidence(&policy);
    let text = serde_json::to_string(&evidence).unwrap();
    let read: Evidence = serde_json::from_str(&text).unwrap();
    assert_eq!(read, evidence);
    assert_eq!(super::plan("p", &read, &policy), super::plan("p", &evidence, &policy));
}

#[test]
fn a_graph_learned_from_calls_drives_the_plan() {
    let mut evidence = shop(1.8);
    // Each request makes exactly one call, so counting adds nothing.
    let call = CallRatio { dispersion: 0.0, ..CallRatio::stated(1.0, 0.0) };
    evidence.graph.insert(workload("frontend"), workload("cart"), call);
    let rate = evidence.datasets[&workload("frontend")].request_rate.clone().unwrap();
    let cart = evidence.datasets.get_mut(&workload("cart")).unwrap();
    cart.calls.insert(workload("frontend"), rate);
    let declared = plan("p1", &evidence, &Policy::default());
    evidence.graph = learn_call_graph(&evidence.datasets);
    assert_eq!(plan("p1", &evidence, &Policy::default()), declared);
}

prop_compose! {
    fn application()(
        needs in prop::collection::vec((0.01..4.0f64, 0.0..50.0f64, 0..24usize), 1..6),
        edges in prop::collection::vec((0..6usize, 0..6usize, 0.0..2.0f64), 0..8),
        down in 0..8usize, cpu in 0..12_000u64, memory in 0..3000u64,
        (old, killed) in (0..8usize, 0..8usize),
    ) -> Scene {
        let name = |index: usize| format!("w{index}");
        let datasets = needs.iter().enumerate().map(|(i, (cpu, rate, _))| history(&name(i), *cpu, *rate, 4));
        let forecasts = needs.iter().enumerate().map(|(i, (cpu, rate, slot))| {
            forecast(&name(i), &peak_at(*slot, *cpu), &peak_at(*slot, *rate))
        });
        let mut evidence = evidence(datasets.collect(), forecasts.collect());
        for (caller, callee, ratio) in edges {
            calls(&mut evidence.graph, &name(caller), &name(callee), ratio);
        }
        if let Some(Ok(forecast)) = evidence.forecasts.get_mut(&workload(&name(old))) {
            forecast.signals.values_mut().for_each(|signal| signal.requests.clear());
        }
        if let Some(dataset) = evidence.datasets.get_mut(&workload(&name(killed))) {
            dataset.containers.values_mut().for_each(|c| c.oom_kills.extend([kill()]));
        }
        if let Some(forecast) = evidence.forecasts.get_mut(&workload(&name(down))) {
            *forecast = Err("its worker is down".to_owned());
        }
        evidence.capacity = Some(capacity(cpu, memory));
        evidence
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_plan_never_exceeds_the_cap_and_accounts_for_every_cut(
        evidence in application(), scheduled in any::<bool>(),
    ) {
        let requests = if scheduled { RequestShape::Schedule } else { RequestShape::Peak };
        let policy = Policy { requests, ..Policy::default() };
        let plan = plan("p", &evidence, &policy);
        let capacity = plan.capacity.unwrap();
        prop_assert!(plan.total_cpu() <= capacity.cpu());
        prop_assert!(plan.total_memory() <= capacity.memory());
        let free = self::plan("free", &Scene { capacity: None, ..evidence.clone() }, &policy);
        for slot in 0..SLOTS {
            let used = |of: &dyn Fn(&ForecastPoint) -> u64| -> u64 {
                plan.recommendations.iter().filter_map(|r| Some(of(r.schedule.get(slot)?) * u64::from(r.replicas))).sum()
            };
            prop_assert!(used(&|point| point.cpu.get()) <= capacity.cpu().get());
            prop_assert!(used(&|point| point.memory.get()) <= capacity.memory().get());
        }
        if !scheduled {
            let cut: Millicores = plan.cuts.iter().map(|cut| cut.cpu).sum();
            let memory: Bytes = plan.cuts.iter().map(|cut| cut.memory).sum();
            prop_assert_eq!(plan.total_cpu() + cut, free.total_cpu());
            prop_assert_eq!(plan.total_memory() + memory, free.total_memory());
        }
        prop_assert_eq!(plan.cuts.is_empty(), plan.status != PlanStatus::Violation);
        for recommendation in &plan.recommendations {
            let why = &recommendation.justification;
            prop_assert_eq!(crate::parts::total(&why.cpu_parts), recommendation.cpu.target.get());
            prop_assert_eq!(crate::parts::total(&why.memory_parts), recommendation.memory.target.get());
        }
    }
}
