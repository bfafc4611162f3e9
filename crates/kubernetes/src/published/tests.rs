use jiff::Timestamp;
use mora_core::{
    Capacity, Cause, Decision, Justification, Limit, Limits, Part, PolicyRevision, Rung, Shortfall,
    Source, Step, Target, Violation, ViolationKind,
};

use super::*;
use crate::custom_resources::ConditionStatus;

/// A recommendation for the container `server` of shop/`name`, which has `cpu` millicores and needs twice as much.
pub(crate) fn recommendation(name: &str, cpu: u64) -> Recommendation {
    let target = Millicores::new(2 * cpu);
    let memory = Bytes::from_mebibytes(64);
    Recommendation {
        workload: format!("shop/{name}").parse().unwrap(),
        container: "server".to_owned(),
        replicas: 2,
        cpu: Target {
            current: Some(Millicores::new(cpu)),
            target,
            lower_bound: Millicores::new(cpu),
            upper_bound: target,
            uncapped_target: target,
        },
        memory: Target {
            current: None,
            target: memory,
            lower_bound: memory,
            upper_bound: memory,
            uncapped_target: memory,
        },
        limits: Limits {
            cpu: Limit { current: None, target: Some(Millicores::new(1000)), fixed: true },
            memory: Limit::default(),
        },
        autoscaler: None,
        schedule: Vec::new(),
        source: Source::Forecast { rung: Rung::Ensemble, model_version: "v1".to_owned() },
        justification: Justification {
            cpu_parts: vec![
                Part { cause: Cause::OwnForecast, amount: 150 },
                Part { cause: Cause::Margin, amount: 50 },
                Part { cause: Cause::Bounds, amount: 0 },
                Part { cause: Cause::Cluster, amount: -10 },
            ],
            memory_parts: vec![Part { cause: Cause::Baseline, amount: 64 << 20 }],
            ..Justification::default()
        },
        decision: Some(Decision {
            verdict: Verdict::Raise,
            cpu: Some(target),
            memory: Some(memory),
            wave: Some(1),
            reason: "CPU is raised".to_owned(),
        }),
    }
}

/// A plan for the workloads `names`, of 100m each.
pub(crate) fn plan<'a>(names: impl IntoIterator<Item = &'a str>) -> Plan {
    Plan {
        schema: Plan::SCHEMA,
        id: "20260302T000000000Z".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        status: PlanStatus::Complete,
        start: Timestamp::UNIX_EPOCH,
        slot: Step::HOUR,
        policy: Some(PolicyRevision {
            namespace: "mora".to_owned(),
            name: "default".to_owned(),
            generation: 3,
        }),
        capacity: Some(Capacity {
            cpu_allocatable: Millicores::new(1000),
            memory_allocatable: Bytes::from_mebibytes(1024),
            cpu_unmanaged: Millicores::ZERO,
            memory_unmanaged: Bytes::ZERO,
            cap: 0.8,
        }),
        recommendations: names.into_iter().map(|name| recommendation(name, 100)).collect(),
        cuts: Vec::new(),
        violations: Vec::new(),
        warnings: vec!["mind the gap".to_owned()],
    }
}

pub(crate) fn asked(plan: &Plan) -> AskedFor {
    AskedFor {
        horizon_hours: 24,
        cpu_by_quantile: false,
        quantile: 0.99,
        workloads: plan.recommendations.iter().map(|r| r.workload.clone()).collect(),
    }
}

fn status_of(plan: &Plan) -> RightsizingPlanStatus {
    object(plan, &asked(plan)).status.unwrap()
}

fn condition(plan: &Plan, type_: &str) -> (ConditionStatus, String) {
    let status = status_of(plan);
    let found = status.conditions.into_iter().find(|condition| condition.type_ == type_).unwrap();
    (found.status, found.reason)
}

#[test]
fn a_plan_is_recovered_from_its_object_but_for_what_the_object_does_not_hold() {
    let plan = plan(["cart", "frontend"]);
    let found = recovered(&object(&plan, &asked(&plan))).unwrap();
    let bare = |recommendation: &Recommendation, note: &str| Recommendation {
        justification: Justification { notes: vec![note.to_owned()], ..Justification::default() },
        ..recommendation.clone()
    };
    let why = "CPU: own forecast, median 150m, safety margin +50m, cluster and policy -10m; memory: statistical baseline 64Mi.";
    let expected = Plan {
        recommendations: plan.recommendations.iter().map(|r| bare(r, why)).collect(),
        capacity: None,
        ..plan
    };
    assert_eq!(found, expected);
}

#[test]
fn totals_and_the_summary_say_what_changes_and_how_much_of_the_cap_is_used() {
    let plan = plan(["cart", "frontend"]);
    let status = status_of(&plan);
    let totals = status.totals.unwrap();
    assert_eq!((totals.workloads, totals.containers, totals.changes), (2, 2, 2));
    let text = |amount: &Amount| amount.0.clone();
    assert_eq!(
        (text(&totals.cpu_current), text(&totals.cpu_requested)),
        ("400m".to_owned(), "800m".to_owned())
    );
    assert_eq!(totals.cap_use.as_deref(), Some("100%/31%"));
    assert_eq!(
        status.summary.as_deref(),
        Some(
            "Of 2 containers 2 raised. 800m CPU and 256Mi memory requested of 800m and 819Mi under the cap."
        )
    );
}

#[test]
fn conditions_say_what_is_wrong_with_a_plan() {
    let good = plan(["cart"]);
    assert_eq!(condition(&good, "Complete"), (ConditionStatus::True, "AllForecast".to_owned()));
    assert_eq!(condition(&good, "WithinCapacity"), (ConditionStatus::True, "Fits".to_owned()));
    assert_eq!(condition(&good, "Applied"), (ConditionStatus::False, "NotApplied".to_owned()));
    let mut worse = Plan { status: PlanStatus::Degraded, capacity: None, ..good.clone() };
    assert_eq!(condition(&worse, "Degraded"), (ConditionStatus::True, "Incomplete".to_owned()));
    let unknown = (ConditionStatus::Unknown, "CapacityUnknown".to_owned());
    assert_eq!(condition(&worse, "WithinCapacity"), unknown);
    worse.recommendations[0].source = Source::Baseline { reason: "no model".to_owned() };
    assert_eq!(condition(&worse, "Degraded"), (ConditionStatus::True, "Baselines".to_owned()));
    let violation = Violation {
        kind: ViolationKind::Capacity,
        workload: None,
        container: None,
        place: None,
        shortfall: Shortfall::CpuRequest(Millicores::new(250)),
        reason: "too much is wanted".to_owned(),
    };
    let full = Plan { status: PlanStatus::Violation, violations: vec![violation], ..good };
    assert_eq!(condition(&full, "Complete"), (ConditionStatus::False, "DoesNotFit".to_owned()));
    let broken = (ConditionStatus::False, "RulesNotKept".to_owned());
    assert_eq!(condition(&full, "WithinCapacity"), broken);
    assert_eq!(status_of(&full).violations[0].missing, "250m of CPU requests");
}

#[test]
fn of_a_large_plan_the_largest_changes_are_listed_in_order_and_the_rest_is_counted() {
    let names: Vec<String> = (0..700).map(|i| format!("w{i:03}")).collect();
    let mut large = plan(names.iter().map(String::as_str));
    for (index, recommendation) in large.recommendations.iter_mut().enumerate() {
        recommendation.decision = None;
        if index % 2 == 1 {
            recommendation.cpu.current = Some(recommendation.cpu.target);
        }
    }
    large.recommendations[699].decision = recommendation("x", 1).decision;
    let object = object(&large, &asked(&large));
    let status = object.status.as_ref().unwrap();
    assert_eq!(status.recommendations.len() + status.recommendations_left_out as usize, 700);
    let listed: Vec<&str> = status.recommendations.iter().map(|r| r.workload.as_str()).collect();
    assert!(listed.is_sorted());
    assert!(listed.contains(&"shop/Deployment/w699"), "what changes now is listed first");
    let unchanged = listed.iter().filter(|name| name.ends_with(['1', '3', '5', '7', '9'])).count();
    assert_eq!(listed.len() - unchanged, 350, "what differs comes before what does not");
    assert_eq!(status.totals.as_ref().unwrap().workloads, 700);
    let told = format!("{} of 700 recommendations are not listed", status.recommendations_left_out);
    assert!(status.summary.as_ref().unwrap().contains(&told));
    assert_eq!((object.spec.workloads.len(), object.spec.workloads_left_out), (500, 200));
}

#[test]
fn an_object_of_the_longest_texts_is_small_enough_for_etcd() {
    let names: Vec<String> = (0..2000).map(|i| format!("{}{i:04}", "a".repeat(240))).collect();
    let mut large = plan(names.iter().map(String::as_str));
    large.warnings = vec!["w".repeat(5000); 300];
    for recommendation in &mut large.recommendations {
        recommendation.source = Source::Baseline { reason: "r".repeat(5000) };
        recommendation.decision.as_mut().unwrap().reason = "é".repeat(2000);
    }
    let object = object(&large, &asked(&large));
    let bytes = serde_json::to_vec(&object).unwrap().len();
    assert!(bytes < 1 << 20, "{bytes} bytes, of 1.5 MiB that etcd takes");
    let status = object.status.unwrap();
    assert!(status.recommendations.iter().all(|r| r.summary.len() <= 512));
    assert_eq!((status.warnings.len(), status.warnings_left_out), (100, 200));
}

#[test]
fn names_of_objects_are_those_kubernetes_takes() {
    assert_eq!(object_name("20260302T000000000Z"), "20260302t000000000z");
    assert_eq!(object_name("-What/if?-"), "what-if");
}

#[test]
fn an_object_that_was_not_written_to_its_end_is_told_apart() {
    let plan = plan(["cart"]);
    let mut object = object(&plan, &asked(&plan));
    object.status.as_mut().unwrap().recommendations[0].cpu.target = Amount("a lot".to_owned());
    let reason = recovered(&object).unwrap_err();
    assert!(reason.starts_with("status.recommendations[0].cpu.target: "), "{reason}");
    object.status = None;
    assert!(recovered(&object).unwrap_err().contains("has no status"));
}
