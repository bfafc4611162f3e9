use mora_core::ApplyMode;

use super::*;

fn change(place: Place, state: ChangeState) -> Change {
    let (workload, at) = ("shop/cart".parse().unwrap(), Timestamp::UNIX_EPOCH);
    Change { workload, mode: ApplyMode::Patch, at, state, place }
}

fn pair(before: Option<Value>) -> Pair {
    Pair { before, after: json!({"requests": {"cpu": "150m"}}) }
}

#[test]
fn a_record_comes_back_from_the_entries_it_was_written_as() {
    let containers = [
        ("a".to_owned(), pair(None)),
        ("b".to_owned(), pair(Some(json!({"requests": {"cpu": "1e3"}})))),
    ];
    let places = [
        (
            Place::Template {
                uid: "u".to_owned(),
                plan_before: Some("p0".to_owned()),
                containers: containers.clone().into(),
            },
            ChangeState::Made,
        ),
        (
            Place::Pod {
                name: "cart-1".to_owned(),
                uid: "v".to_owned(),
                containers: containers.into(),
            },
            ChangeState::Begun,
        ),
        (
            Place::Autoscaler {
                name: "cart".to_owned(),
                recommender: "mora".to_owned(),
                before: [Value::Null, json!([])],
                after: [
                    json!({"containerRecommendations": []}),
                    json!([{"type": "RecommendationProvided"}]),
                ],
            },
            ChangeState::Undone,
        ),
    ];
    let mut applied = AppliedPlan::new("p1");
    applied.changes = places.into_iter().map(|(place, state)| change(place, state)).collect();
    let written: Vec<AppliedChange> =
        applied.changes.iter().flat_map(|c| entries(&applied, c)).collect();
    assert_eq!(written.len(), 5, "a container each, and the autoscaler");
    assert_eq!(written[0].before, "", "an absent field");
    assert_eq!(record("p1", &written), applied);
}
