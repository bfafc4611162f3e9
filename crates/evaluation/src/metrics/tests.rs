use jiff::Timestamp;
use mora_cluster_simulator::{Latencies, ScalingEvent};
use mora_core::WorkloadRef;

use super::*;

const GIB: f64 = 1_073_741_824.0;
const OBJECTIVE: Objective = Objective { latency_p95: 0.2, error_ratio: 0.01 };

fn minute(requested: f64, used: f64) -> WorkloadMinute {
    WorkloadMinute {
        cpu_requested: requested,
        cpu_used: used,
        memory_requested: 2.0 * GIB,
        memory_used: GIB,
        received: 10.0,
        latency_p95: Some(0.1),
        ..WorkloadMinute::default()
    }
}

/// The entry first, another workload second.
fn recording(entry: Vec<WorkloadMinute>, other: Vec<WorkloadMinute>) -> Recording {
    let workload = |name| WorkloadRef::deployment("shop", name).unwrap();
    let at = Timestamp::from_second(0).unwrap();
    let event = |kind| ScalingEvent { at, workload: workload("frontend"), kind };
    let mut latencies = Latencies::default();
    latencies.add(0.1, 9.0);
    latencies.add(0.5, 1.0);
    Recording {
        start: at,
        workloads: vec![workload("frontend"), workload("zcart")],
        entry: 0,
        minutes: vec![entry, other],
        latencies,
        events: [
            ScalingKind::InPlace,
            ScalingKind::Replicas,
            ScalingKind::RollOut,
            ScalingKind::InPlace,
        ]
        .map(event)
        .to_vec(),
    }
}

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

#[test]
fn hours_and_ratios_are_sums_over_workloads_and_minutes() {
    // An hour: the entry asks for 1.2 and uses 0.6, the other asks for 0.3 and uses 0.4.
    let judged =
        metrics(&recording(vec![minute(1.2, 0.6); 60], vec![minute(0.3, 0.4); 60]), OBJECTIVE);
    near(judged.hours, 1.0);
    near(judged.cpu_hours_requested, 1.5);
    near(judged.cpu_hours_used, 1.0);
    near(judged.cpu_over, 1.5);
    near(judged.cpu_under, 0.5);
    near(judged.memory_hours_requested, 4.0);
    near(judged.memory_hours_used, 2.0);
    near(judged.memory_over, 2.0);
    near(judged.latency_mean.unwrap(), 0.14);
    assert!(judged.latency_p95.unwrap() > 0.45);
    near(judged.scaling_events, 2.0);
    near(judged.resizes, 2.0);
    near(judged.volatility, 0.0);
}

#[test]
fn a_minute_misses_the_objective_by_latency_or_errors_of_the_entry_alone() {
    let good = minute(1.0, 0.5);
    let slow = WorkloadMinute { latency_p95: Some(0.21), ..good };
    let failing = WorkloadMinute { failed: 0.2, ..good };
    let rarely = WorkloadMinute { failed: 0.1, ..good };
    let silent = WorkloadMinute { received: 0.0, latency_p95: None, ..good };
    let judged =
        metrics(&recording(vec![good, slow, failing, rarely, silent], vec![slow; 5]), OBJECTIVE);
    near(judged.violations, 0.4);
    near(judged.error_ratio, 0.3 / 40.0);
}

#[test]
fn a_minute_in_which_all_fail_has_no_latency_and_is_missed() {
    let down = WorkloadMinute { failed: 10.0, latency_p95: None, ..minute(1.0, 0.0) };
    let judged =
        metrics(&recording(vec![down, minute(1.0, 0.5)], vec![minute(1.0, 0.5); 2]), OBJECTIVE);
    near(judged.violations, 0.5);
    near(judged.error_ratio, 0.5);
}

#[test]
fn volatility_is_what_requests_move_by_their_mean() {
    // 1, 3, 2, 2: moved 3, mean 2; the other workload is still.
    let entry = [1.0, 3.0, 2.0, 2.0].map(|requested| minute(requested, 0.5)).to_vec();
    near(metrics(&recording(entry, vec![minute(1.0, 0.5); 4]), OBJECTIVE).volatility, 1.5);
}

#[test]
fn throttling_and_kills_are_counted() {
    let held = WorkloadMinute { throttled: 0.4, oom_kills: 2, ..minute(1.0, 0.5) };
    let judged =
        metrics(&recording(vec![held, minute(1.0, 0.5)], vec![minute(1.0, 0.5); 2]), OBJECTIVE);
    near(judged.throttled, 0.1);
    near(judged.oom_kills, 2.0);
}

#[test]
fn nothing_recorded_gives_no_number_that_is_none() {
    let nothing =
        Recording { latencies: Latencies::default(), ..recording(Vec::new(), Vec::new()) };
    let judged = metrics(&nothing, OBJECTIVE);
    assert_eq!((judged.latency_mean, judged.latency_p95), (None, None));
    let value = serde_json::to_value(judged).unwrap();
    let numbers =
        value.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with("latency"));
    for (name, number) in numbers {
        assert!(number.as_f64().is_some_and(f64::is_finite), "{name}");
    }
}
