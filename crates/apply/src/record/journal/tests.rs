use jiff::Timestamp;
use mora_core::ApplyMode;
use serde_json::json;

use super::*;
use crate::record::{Change, ChangeState, Pair, Place};

fn change(workload: &str, before: &str, after: &str) -> Change {
    let quantity = |cpu: &str| json!({"requests": {"cpu": cpu}});
    let pair = Pair { before: Some(quantity(before)), after: quantity(after) };
    Change {
        workload: workload.parse().unwrap(),
        mode: ApplyMode::Patch,
        at: Timestamp::UNIX_EPOCH,
        state: ChangeState::Begun,
        place: Place::Template {
            uid: format!("uid-{workload}"),
            plan_before: None,
            containers: [("server".to_owned(), pair)].into(),
        },
    }
}

fn first(applied: &AppliedPlan) -> &Pair {
    let Place::Template { containers, .. } = &applied.changes[0].place else { panic!() };
    &containers["server"]
}

#[tokio::test]
async fn a_record_is_read_as_it_was_written_and_an_absent_one_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path());
    assert_eq!(journal.load("p1").await.unwrap(), None);
    let mut applied = AppliedPlan::new("p1");
    applied.begin(change("shop/cart", "0.5", "750m"));
    journal.save(&applied).await.unwrap();
    assert_eq!(journal.load("p1").await.unwrap(), Some(applied));
}

#[tokio::test]
async fn what_a_second_change_of_the_same_object_found_is_not_what_is_restored() {
    let mut applied = AppliedPlan::new("p1");
    applied.begin(change("shop/cart", "100m", "150m"));
    applied.begin(change("shop/cart", "0.15", "200m"));
    assert_eq!(applied.changes.len(), 1);
    assert_eq!(first(&applied).before, Some(json!({"requests": {"cpu": "100m"}})));
    assert_eq!(first(&applied).after, json!({"requests": {"cpu": "200m"}}));
    // Undone and made again: what is there then is what is restored.
    applied.changes[0].state = ChangeState::Undone;
    applied.begin(change("shop/cart", "120m", "200m"));
    assert_eq!(first(&applied).before, Some(json!({"requests": {"cpu": "120m"}})));
}

#[tokio::test]
async fn two_runs_cannot_change_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path());
    let held = journal.hold().unwrap();
    assert!(matches!(journal.hold(), Err(RecordError::Busy(_))));
    drop(held);
    journal.hold().unwrap();
}

#[tokio::test]
async fn an_identifier_does_not_lead_out_of_the_folder_and_old_records_are_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(&folder.path().join("state"));
    journal.save(&AppliedPlan::new("../../escape")).await.unwrap();
    let outside = folder.path().read_dir().unwrap().count();
    assert_eq!(outside, 1, "only the state folder");
    for index in 0..(KEPT + 5) {
        journal.save(&AppliedPlan::new(&format!("p{index:04}"))).await.unwrap();
    }
    let kept = journal.folder().read_dir().unwrap().count();
    assert_eq!(kept, KEPT);
    assert!(journal.load(&format!("p{:04}", KEPT + 4)).await.unwrap().is_some());
    assert!(journal.load("p0000").await.unwrap().is_none());
}

#[tokio::test]
async fn records_that_are_damaged_or_newer_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path());
    fs::create_dir_all(journal.folder()).unwrap();
    fs::write(journal.folder().join("p1.json"), "{\"schema\": 1,").unwrap();
    assert!(matches!(journal.load("p1").await, Err(RecordError::Damaged { .. })));
    fs::write(journal.folder().join("p2.json"), r#"{"schema": 9, "plan": "p2"}"#).unwrap();
    assert!(matches!(journal.load("p2").await, Err(RecordError::Newer { found: 9, .. })));
}
