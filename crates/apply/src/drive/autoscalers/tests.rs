use mora_core::ApplyMode;

use super::*;
use crate::fake::{Ask, plan};
use crate::{ApplyConfig, intents};

fn intent() -> Intent {
    let config = ApplyConfig { default_mode: ApplyMode::Vpa, ..ApplyConfig::default() };
    let mut plan = plan(&[Ask::raise("shop/cart", 1)]);
    plan.recommendations[0].cpu.lower_bound = Millicores::new(120);
    plan.recommendations[0].cpu.upper_bound = Millicores::new(400);
    plan.recommendations[0].cpu.uncapped_target = Millicores::new(500);
    intents(&plan, &config, Timestamp::UNIX_EPOCH).changes.remove(0)
}

fn policy(value: Value) -> Vec<ContainerPolicy> {
    vec![serde_json::from_value(value).unwrap()]
}

#[test]
fn a_recommendation_has_target_bounds_and_what_the_target_would_be_without_them() {
    let recommended = recommendation(&intent(), &[]);
    assert_eq!(
        recommended["containerRecommendations"],
        json!([{
            "containerName": "server",
            "target": {"cpu": "150m", "memory": "64Mi"},
            "lowerBound": {"cpu": "120m", "memory": "64Mi"},
            "upperBound": {"cpu": "400m", "memory": "64Mi"},
            "uncappedTarget": {"cpu": "500m", "memory": "64Mi"},
        }])
    );
}

#[test]
fn a_recommendation_respects_what_the_autoscaler_allows() {
    let allowed = policy(
        json!({"containerName": "*", "minAllowed": {"cpu": "130m"}, "maxAllowed": {"cpu": "200m"}, "controlledResources": ["cpu"]}),
    );
    let recommended = recommendation(&intent(), &allowed);
    let one = &recommended["containerRecommendations"][0];
    assert_eq!(one["lowerBound"], json!({"cpu": "130m"}));
    assert_eq!(one["upperBound"], json!({"cpu": "200m"}));
    assert_eq!(one["uncappedTarget"], json!({"cpu": "500m"}));
    let off = policy(json!({"containerName": "server", "mode": "Off"}));
    assert_eq!(recommendation(&intent(), &off)["containerRecommendations"], json!([]));
}

#[test]
fn the_condition_keeps_its_time_and_the_other_conditions() {
    let low = json!({"type": "LowConfidence", "status": "True"});
    let first = provided(&json!([low]), Timestamp::UNIX_EPOCH);
    assert_eq!(first[0], low);
    assert_eq!(first[1]["lastTransitionTime"], "1970-01-01T00:00:00Z");
    let later = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1);
    assert_eq!(provided(&first, later), first);
}
