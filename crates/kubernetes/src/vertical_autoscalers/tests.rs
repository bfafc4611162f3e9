use http::Method;

use super::*;
use crate::cluster::tests::list;
use crate::pod_template::tests::answering;

fn autoscaler(name: &str, recommenders: &Value, target: &str) -> Value {
    json!({
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"namespace": "shop", "name": name, "resourceVersion": "9"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "recommenders": recommenders,
            "updatePolicy": {"updateMode": "Off"},
            "resourcePolicy": {"containerPolicies": [{"containerName": "*", "minAllowed": {"cpu": "50m"}}]},
        },
        "status": {"conditions": []},
    })
}

fn items() -> Value {
    let mut items = json!([
        autoscaler("ours", &json!([{"name": "mora"}]), "cart"),
        autoscaler("default", &json!([]), "cart"),
        autoscaler("theirs", &json!([{"name": "other"}]), "cart"),
        autoscaler("elsewhere", &json!([{"name": "mora"}]), "front"),
    ]);
    items[1]["spec"].as_object_mut().unwrap().remove("recommenders");
    items
}

#[tokio::test]
async fn only_autoscalers_of_the_workload_that_name_the_recommender_are_found() {
    let (cluster, _) = answering(|_, _| (200, list(&items())));
    let workload = "shop/cart".parse().unwrap();
    let found = cluster.recommended_autoscalers(&workload, "mora").await.unwrap();
    let [ours] = &found[..] else { panic!("{found:?}") };
    assert_eq!((ours.name.as_str(), ours.resource_version.as_str()), ("ours", "9"));
    assert_eq!(ours.policies[0].min_allowed, json!({"cpu": "50m"}));
    assert_eq!(ours.status, json!({"conditions": []}));
}

#[tokio::test]
async fn a_recommendation_goes_to_the_status_and_to_the_object_where_that_has_none() {
    for has_status in [true, false] {
        let (cluster, written) = answering(move |method, path| {
            if *method == Method::PATCH && path.ends_with("/status") && !has_status {
                return (
                    404,
                    json!({"kind": "Status", "status": "Failure", "code": 404, "message": "none", "reason": "NotFound"}),
                );
            }
            (200, list(&items()))
        });
        let workload = "shop/cart".parse().unwrap();
        let found = cluster.recommended_autoscalers(&workload, "mora").await.unwrap().remove(0);
        let recommendation = json!({"containerRecommendations": []});
        cluster.recommend("shop", &found, &recommendation, &json!([])).await.unwrap();
        let written = written.lock().unwrap();
        let (_, uri, kind, body) = written.last().unwrap();
        let path = "/apis/autoscaling.k8s.io/v1/namespaces/shop/verticalpodautoscalers/ours";
        let end = if has_status { "/status?" } else { "?" };
        assert!(uri.starts_with(&format!("{path}{end}")), "{uri}");
        assert_eq!(kind, "application/merge-patch+json");
        assert_eq!(
            body,
            &json!({
                "metadata": {"resourceVersion": "9"},
                "status": {"recommendation": recommendation, "conditions": []},
            })
        );
    }
}
