use serde_json::{Value, json};

use super::*;
use crate::cluster::tests::{failure, scripted};

async fn read(spec: Value) -> Result<StatedPolicy, CustomResourceError> {
    let object = json!({
        "apiVersion": "mora.dev/v1alpha1", "kind": "RightsizingPolicy",
        "metadata": {"namespace": "mora", "name": "default", "generation": 3}, "spec": spec,
    });
    let (cluster, seen) = scripted(move |_, _| (200, object.clone()));
    let stated = cluster.policy_of("mora", "default").await;
    let asked = seen.lock().unwrap().pop().unwrap();
    assert_eq!(asked, "/apis/mora.dev/v1alpha1/namespaces/mora/rightsizingpolicies/default");
    stated
}

#[tokio::test]
async fn an_empty_policy_leaves_everything_to_the_configuration() {
    let stated = read(json!({})).await.unwrap();
    assert_eq!(stated.revision.to_string(), "mora/default, generation 3");
    let nothing = StatedPolicy {
        revision: stated.revision.clone(),
        cap: None,
        default_priority: None,
        priorities: None,
        bounds: None,
        cpu_limit: None,
        memory_limit: None,
        default_mode: None,
        modes: None,
    };
    assert_eq!(stated, nothing);
}

#[tokio::test]
async fn what_a_policy_states_is_read() {
    let stated = read(json!({
        "cap": 0.7, "defaultPriority": -5,
        "priorities": [{"workload": "shop/frontend", "priority": 100}],
        "bounds": [{"workload": "shop/*", "container": "*", "cpu": {"minAllowed": "20m", "maxAllowed": 2}}],
        "limits": {"cpu": "None", "memory": "EqualToRequest"},
        "apply": {"defaultMode": "GitOps", "modes": [{"workload": "shop/cart", "mode": "VPA"}]},
    }))
    .await
    .unwrap();
    assert_eq!((stated.cap, stated.default_priority), (Some(0.7), Some(-5)));
    assert_eq!(stated.priorities, Some(vec![("shop/frontend".to_owned(), 100)]));
    let bounds = StatedBounds {
        workload: "shop/*".to_owned(),
        container: "*".to_owned(),
        cpu: (Some(Millicores::new(20)), Some(Millicores::new(2000))),
        memory: (None, None),
    };
    assert_eq!(stated.bounds, Some(vec![bounds]));
    assert_eq!(stated.cpu_limit, Some(StatedLimit::None));
    assert_eq!(stated.memory_limit, Some(StatedLimit::EqualToRequest));
    assert_eq!(stated.default_mode, Some(ApplyMode::GitOps));
    assert_eq!(stated.modes, Some(vec![("shop/cart".to_owned(), ApplyMode::Vpa)]));
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_field() {
    for (spec, field) in [
        (json!({"cap": 0}), "spec.cap must be above 0"),
        (json!({"cap": 1.01}), "spec.cap must be above 0"),
        (
            json!({"bounds": [{}, {"cpu": {"minAllowed": "2x"}}]}),
            "spec.bounds[1].cpu.minAllowed: `2x`",
        ),
        (
            json!({"bounds": [{"memory": {"minAllowed": "2Gi", "maxAllowed": "1Gi"}}]}),
            "spec.bounds[0].memory: minAllowed must not be above maxAllowed",
        ),
        (json!({"apply": {"defaultMode": "Always"}}), "unknown variant `Always`"),
    ] {
        let error = read(spec).await.unwrap_err();
        assert!(matches!(error, CustomResourceError::Invalid { .. }), "{error:?}");
        assert!(error.to_string().contains(field), "no `{field}` in: {error}");
    }
}

#[tokio::test]
async fn a_policy_that_is_not_there_is_told_apart_from_one_that_may_not_be_read() {
    let (cluster, _) = scripted(|_, _| failure(404));
    let error = cluster.policy_of("mora", "default").await.unwrap_err();
    assert!(
        error.to_string().starts_with("there is no RightsizingPolicy default in namespace mora")
    );
    let (cluster, _) = scripted(|_, _| failure(403));
    let error = cluster.policy_of("mora", "default").await.unwrap_err();
    assert!(
        error.to_string().contains("resources: [\"rightsizingpolicies\"], verbs: [\"get\"]"),
        "{error}"
    );
}
