use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mora_core::{
    Bytes, CallGraph, Justification, Limits, Millicores, PlanStatus, Recommendation, Source, Step,
    Target, Verdict,
};
use mora_planning::{Evidence, GateRules, Policy, Surroundings, gate};
use tempfile::TempDir;

use super::*;
use crate::Rules;

/// A plan for one workload that has 100m in force and needs 50m.
pub(crate) fn plan(name: &str, minutes: i64) -> Plan {
    let created_at = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
    let memory = Bytes::from_mebibytes(64);
    let target = Millicores::new(50);
    let cpu = Target {
        current: Some(Millicores::new(100)),
        target,
        lower_bound: target,
        upper_bound: target,
        uncapped_target: target,
    };
    let memory = Target {
        current: Some(memory),
        target: memory,
        lower_bound: memory,
        upper_bound: memory,
        uncapped_target: memory,
    };
    Plan {
        schema: Plan::SCHEMA,
        id: format!("at-{minutes}"),
        created_at,
        status: PlanStatus::Complete,
        start: created_at,
        slot: Step::HOUR,
        policy: None,
        capacity: None,
        recommendations: vec![Recommendation {
            workload: format!("shop/{name}").parse().unwrap(),
            container: "server".to_owned(),
            replicas: 1,
            cpu,
            memory,
            schedule: Vec::new(),
            source: Source::Statistical,
            justification: Justification::default(),
            limits: Limits::default(),
            autoscaler: None,
            decision: None,
        }],
        cuts: Vec::new(),
        violations: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The outcome of a run that knew nothing but its plan.
pub(crate) fn outcome(plan: Plan) -> Outcome {
    let evidence = Evidence {
        observed: BTreeMap::new(),
        forecasts: BTreeMap::new(),
        graph: CallGraph::default(),
        capacity: None,
        cluster: None,
        now: plan.created_at,
        start: plan.start,
        slot: plan.slot,
        slots: 24,
    };
    Outcome { plan, evidence, datasets: BTreeMap::new(), rules: Rules::default(), cluster: None }
}

/// A run of a process that starts, remembers and ends.
fn run(folder: &Path, name: &str, minutes: i64) -> (Verdict, Vec<String>) {
    let mut plan = plan(name, minutes);
    let store = Store::open(folder, 3).unwrap().lock().unwrap();
    let remembered = store.load().unwrap();
    let (graph, datasets) = (CallGraph::default(), BTreeMap::new());
    let surroundings = Surroundings { graph: &graph, datasets: &datasets, now: plan.created_at };
    let state = gate(&mut plan, surroundings, &GateRules::default(), Some(&remembered.gate));
    store.save(&outcome(plan.clone()), &state).unwrap();
    (plan.recommendations[0].decision.as_ref().unwrap().verdict, remembered.warnings)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join(PLANS)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_restart_forgets_nothing_and_the_oldest_plans_are_let_go() {
    let folder = TempDir::new().unwrap();
    let verdicts = [0, 30, 60].map(|minutes| run(folder.path(), "cart", minutes).0);
    assert_eq!(verdicts, [Verdict::Hold, Verdict::Lower, Verdict::Lower]);
    run(folder.path(), "cart", 90);
    let expected = ["00000002-at-30.json", "00000003-at-60.json", "00000004-at-90.json"];
    assert_eq!(names(folder.path()), expected);
}

#[test]
fn the_newest_plan_is_given_back_with_what_it_was_made_of() {
    let folder = TempDir::new().unwrap();
    let none = Store::newest(folder.path()).unwrap_err().to_string();
    assert!(none.contains("`state`"), "{none}");
    run(folder.path(), "cart", 0);
    let nothing = Store::newest(&folder.path().join("elsewhere")).unwrap_err();
    assert!(matches!(nothing, StoreError::Io { .. }));
    run(folder.path(), "cart", 30);
    let record = Store::newest(folder.path()).unwrap();
    assert_eq!((record.plan.id.as_str(), record.evidence.slots), ("at-30", 24));
    assert_eq!(record.policy, Policy::default());
}

#[test]
fn a_clock_that_is_set_back_does_not_bring_back_an_older_state() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), "cart", 600);
    run(folder.path(), "mail", 0);
    let newest = Store::open(folder.path(), 3).unwrap().lock().unwrap().load().unwrap();
    let text = serde_json::to_string(&newest.gate).unwrap();
    assert!(text.contains("cart") && text.contains("mail"), "{text}");
}

#[test]
fn a_run_that_was_ended_while_it_wrote_leaves_what_was_there_and_no_rubbish() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), "cart", 0);
    let whole = fs::read(folder.path().join("plans/00000001-at-0.json")).unwrap();
    fs::write(folder.path().join("plans/.tmpAbCdEf"), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(run(folder.path(), "cart", 30), (Verdict::Lower, Vec::new()));
    assert_eq!(names(folder.path()), ["00000001-at-0.json", "00000002-at-30.json"]);
}

#[test]
fn a_damaged_newest_file_is_named_and_the_one_before_it_counts() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), "cart", 0);
    run(folder.path(), "cart", 20);
    let newest = folder.path().join("plans/00000002-at-20.json");
    let whole = fs::read(&newest).unwrap();
    for part in [&whole[..0], &whole[..whole.len() / 2], b"{\"schema\":1}"] {
        fs::write(&newest, part).unwrap();
        let found = Store::open(folder.path(), 3).unwrap().lock().unwrap().load().unwrap();
        assert_eq!(found.warnings.len(), 1);
        assert!(found.warnings[0].contains("00000002-at-20.json is damaged"));
    }
    assert_eq!(run(folder.path(), "cart", 40).0, Verdict::Lower, "one agreeing run is left");
    assert!(run(folder.path(), "cart", 60).1.is_empty(), "the newest is whole again");
}

#[test]
fn files_of_a_newer_version_are_refused_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), "cart", 0);
    let path = folder.path().join("plans/00000001-at-0.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"schema\":1", "\"schema\":9", 1)).unwrap();
    let error = Store::open(folder.path(), 3).unwrap().lock().unwrap().load().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("schema 9") && text.contains("update this coordinator"), "{text}");
}

#[test]
fn a_plan_that_no_longer_reads_does_not_cost_the_state() {
    let folder = TempDir::new().unwrap();
    run(folder.path(), "cart", 0);
    let path = folder.path().join("plans/00000001-at-0.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"recommendations\"", "\"advice\"", 1)).unwrap();
    assert_eq!(run(folder.path(), "cart", 30), (Verdict::Lower, Vec::new()));
}

#[test]
fn runs_at_the_same_time_wait_for_one_another() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                (0..10).for_each(|turn| drop(run(path, &format!("w{thread}-{turn}"), turn)));
            });
        }
    });
    let store = Store::open(path, 3).unwrap().lock().unwrap();
    let text = serde_json::to_string(&store.load().unwrap().gate).unwrap();
    assert_eq!(text.matches("shop/Deployment/w").count(), 40, "{text}");
    assert!(names(path).last().unwrap().starts_with("00000040-"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_the_key() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file, 3).unwrap_err().to_string();
    assert!(error.contains("file/plans") && error.contains("`state`"), "{error}");
}
