use serde_json::Value;

use super::*;
use crate::plans::tests::{Api, published};

fn change_of(name: &str, outcome: AppliedOutcome) -> AppliedChange {
    AppliedChange {
        workload: format!("shop/{name}").parse().unwrap(),
        place: ChangedPlace::Template,
        uid: "u-1".to_owned(),
        extra: "{\"plan_before\":null}".to_owned(),
        container: "server".to_owned(),
        mode: ApplyMode::Patch,
        before: "{\"limits\":{\"cpu\":\"0.5\"},  \"requests\":{\"memory\":\"128974848\"}}"
            .to_owned(),
        after: "{\"requests\":{\"cpu\":\"200m\"}}".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        outcome,
        message: String::new(),
    }
}

fn applied_condition_of(object: &Value) -> (Value, Value) {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let applied = conditions.iter().find(|condition| condition["type"] == "Applied").unwrap();
    assert_eq!(conditions.len(), 4, "the others stay");
    (applied["status"].clone(), applied["reason"].clone())
}

#[tokio::test]
async fn what_was_noted_is_read_back_to_the_byte_and_a_later_note_takes_its_place() {
    let api = Api::default();
    let (name, cluster) = (published(&api, 0, 9).await.name, api.cluster());
    let started =
        [change_of("cart", AppliedOutcome::Started), change_of("ads", AppliedOutcome::Started)];
    cluster.record_applied("mora", &name, &started).await.unwrap();
    assert_eq!(cluster.plan_of("mora", &name).await.unwrap().applied, started);
    let in_progress = ("Unknown".into(), "InProgress".into());
    assert_eq!(applied_condition_of(&api.object(&name).unwrap()), in_progress);
    let done = [change_of("cart", AppliedOutcome::Applied)];
    cluster.record_applied("mora", &name, &done).await.unwrap();
    let found = cluster.plan_of("mora", &name).await.unwrap().applied;
    assert_eq!(found, [done[0].clone(), started[1].clone()]);
    let failed = [change_of("ads", AppliedOutcome::Failed)];
    cluster.record_applied("mora", &name, &failed).await.unwrap();
    let partly = ("False".into(), "PartlyApplied".into());
    assert_eq!(applied_condition_of(&api.object(&name).unwrap()), partly);
}

#[tokio::test]
async fn pods_of_a_workload_are_noted_apart() {
    let api = Api::default();
    let (name, cluster) = (published(&api, 0, 9).await.name, api.cluster());
    let of_pod = |pod: &str| AppliedChange {
        place: ChangedPlace::Pod(pod.to_owned()),
        mode: ApplyMode::InPlace,
        ..change_of("cart", AppliedOutcome::Applied)
    };
    let changes = [of_pod("cart-1"), of_pod("cart-2")];
    cluster.record_applied("mora", &name, &changes).await.unwrap();
    cluster.record_applied("mora", &name, &changes).await.unwrap();
    assert_eq!(cluster.plan_of("mora", &name).await.unwrap().applied, changes);
    let applied = ("True".into(), "Applied".into());
    assert_eq!(applied_condition_of(&api.object(&name).unwrap()), applied);
}

#[tokio::test]
async fn nothing_that_somebody_else_noted_in_between_is_lost() {
    let api = Api::default();
    let (name, cluster) = (published(&api, 0, 9).await.name, api.cluster());
    let other = entry(&change_of("ads", AppliedOutcome::Applied));
    *api.meanwhile.lock().unwrap() = Some(serde_json::to_value(&other).unwrap());
    let mine = change_of("cart", AppliedOutcome::Applied);
    cluster.record_applied("mora", &name, std::slice::from_ref(&mine)).await.unwrap();
    let found = cluster.plan_of("mora", &name).await.unwrap().applied;
    assert_eq!(found, [change(&other).unwrap(), mine]);
}

#[tokio::test]
async fn a_conflict_that_lasts_ends_the_tries() {
    let api = Api::default();
    let (name, cluster) = (published(&api, 0, 9).await.name, api.cluster());
    *api.codes.lock().unwrap() = vec![409; 20];
    let mine = [change_of("cart", AppliedOutcome::Applied)];
    let error = cluster.record_applied("mora", &name, &mine).await.unwrap_err();
    assert!(error.to_string().contains("status 409"), "{error}");
    assert_eq!(api.codes.lock().unwrap().len(), 20 - TRIES as usize);
}

#[test]
fn the_condition_changes_its_time_only_when_its_status_changes() {
    let at = |seconds: i64| Timestamp::from_second(seconds).unwrap();
    let entry =
        |outcome, seconds| AppliedEntry { at: at(seconds), ..entry(&change_of("cart", outcome)) };
    let mut status = RightsizingPlanStatus::default();
    let mut time = |outcome, seconds| {
        status.conditions = with_applied(&status, &[entry(outcome, seconds)]);
        status.conditions[0].last_transition_time
    };
    assert_eq!(time(AppliedOutcome::Failed, 10), at(10));
    assert_eq!(time(AppliedOutcome::RolledBack, 20), at(10), "both are no");
    assert_eq!(time(AppliedOutcome::Applied, 30), at(30));
}
