use jiff::Timestamp;
use mora_core::{ApplyMode, Bytes, Limit, Millicores};
use mora_kubernetes::TemplateContainer;

use super::*;
use crate::fake::{Ask, Fake, plan, requests};
use crate::{Actuator, ApplyConfig, intents};

fn intent(ask: Ask) -> Intent {
    let config = ApplyConfig { default_mode: ApplyMode::Patch, ..ApplyConfig::default() };
    intents(&plan(&[ask]), &config, Timestamp::UNIX_EPOCH).changes.remove(0)
}

/// From 100m with that limit to 150m with that limit.
fn guaranteed() -> Intent {
    let mut intent = intent(Ask::raise("shop/cart", 1));
    let asked = intent.containers.get_mut("server").unwrap();
    asked.from.cpu_limit = Some(Millicores::new(100));
    asked.from.memory_limit = Some(Bytes::from_mebibytes(64));
    asked.to.cpu_limit = Some(Millicores::new(150));
    asked.to.memory_limit = Some(Bytes::from_mebibytes(64));
    intent
}

async fn parts(resources: Value) -> (PodTemplate, Vec<PodState>) {
    let fake = Fake::new();
    let workload = fake.add("shop/cart", Some(resources), 2);
    (fake.template(&workload).await.unwrap(), fake.pods(&workload).await.unwrap())
}

fn left<T: std::fmt::Debug>(verdict: Verdict<T>) -> String {
    match verdict {
        Verdict::Leave(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn equal_limits(cpu: &str) -> Value {
    json!({"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"cpu": cpu, "memory": "64Mi"}})
}

#[tokio::test]
async fn a_template_that_is_what_the_plan_was_made_from_gets_only_what_changes() {
    let (template, pods) = parts(requests("0.1", "67108864")).await;
    let verdict = template_change("p1", &intent(Ask::raise("shop/cart", 1)), &template, &pods);
    let Verdict::Change(change) = verdict else { panic!("{verdict:?}") };
    let fields: Vec<String> = change
        .change
        .set
        .iter()
        .map(|(f, q)| format!("{}.{}={q}", f.side.as_str(), f.resource))
        .collect();
    assert_eq!(fields, ["requests.cpu=150m"]);
    let pair = &change.containers["server"];
    assert_eq!(pair.before, Some(requests("0.1", "67108864")), "exactly as it was spelt");
    assert_eq!(pair.after, requests("150m", "67108864"));
}

#[tokio::test]
async fn a_template_that_somebody_else_changed_is_a_conflict_and_one_that_is_right_is_unchanged() {
    let intent = intent(Ask::raise("shop/cart", 1));
    let (template, pods) = parts(requests("120m", "64Mi")).await;
    let reason = left(template_change("p1", &intent, &template, &pods));
    assert!(reason.contains("is 120m now, but the plan was made from 100m"), "{reason}");
    let (template, pods) = parts(requests("0.15", "64Mi")).await;
    assert_eq!(template_change("p1", &intent, &template, &pods), Verdict::Unchanged);
}

#[tokio::test]
async fn pods_tell_what_is_in_force_where_they_were_resized_or_the_template_is_silent() {
    let intent = intent(Ask::raise("shop/cart", 1));
    let (_, pods) = parts(requests("100m", "64Mi")).await;
    for resources in [requests("80m", "64Mi"), json!({"requests": {"memory": "64Mi"}})] {
        let (mut template, own) = parts(resources).await;
        let verdict = template_change("p1", &intent, &template, &pods);
        assert!(matches!(verdict, Verdict::Change(_)), "{verdict:?}");
        template.settled = false;
        left(template_change("p1", &intent, &template, &pods));
        template.settled = true;
        left(template_change("p1", &intent, &template, &own));
    }
}

#[tokio::test]
async fn a_template_takes_the_limit_that_only_the_pods_have_with_the_request_below_it() {
    let mut intent = guaranteed();
    let asked = intent.containers.get_mut("server").unwrap();
    asked.to = ResourceClaim { cpu_request: Some(Millicores::new(80)), ..asked.from };
    let (template, _) = parts(equal_limits("50m")).await;
    let (_, pods) = parts(equal_limits("100m")).await;
    let verdict = template_change("p1", &intent, &template, &pods);
    let Verdict::Change(change) = verdict else { panic!("{verdict:?}") };
    let after = &change.containers["server"].after;
    assert_eq!(
        (&after["requests"]["cpu"], &after["limits"]["cpu"]),
        (&json!("80m"), &json!("100m"))
    );
}

#[tokio::test]
async fn a_container_that_is_gone_leaves_the_workload_alone() {
    let (mut template, pods) = parts(requests("100m", "64Mi")).await;
    template.containers = vec![TemplateContainer { name: "other".to_owned(), resources: None }];
    let reason = left(template_change("p1", &intent(Ask::raise("shop/cart", 1)), &template, &pods));
    assert!(reason.contains("no container server"), "{reason}");
}

#[tokio::test]
async fn a_limit_that_is_to_go_is_removed_from_the_template() {
    let mut intent = guaranteed();
    let asked = intent.containers.get_mut("server").unwrap();
    asked.to.cpu_limit = None;
    let (template, pods) = parts(equal_limits("100m")).await;
    let verdict = template_change("p1", &intent, &template, &pods);
    let Verdict::Change(change) = verdict else { panic!("{verdict:?}") };
    let removed: Vec<_> =
        change.change.removed.iter().map(|f| (f.side, f.resource.as_str())).collect();
    assert_eq!(removed, [(Side::Limits, "cpu")]);
    assert_eq!(change.containers["server"].after["limits"], json!({"memory": "64Mi"}));
}

#[tokio::test]
async fn a_pod_is_resized_from_what_the_plan_was_made_from_or_from_its_template() {
    let intent = intent(Ask::raise("shop/cart", 1));
    let (template, pods) = parts(requests("100m", "64Mi")).await;
    let verdict = pod_change(&intent, &pods[0], &template);
    let Verdict::Change(pairs) = verdict else { panic!("{verdict:?}") };
    assert_eq!(pairs["server"].after, requests("150m", "64Mi"));
    // A pod that took another's place since has its template's.
    let (template, pods) = parts(requests("80m", "64Mi")).await;
    assert!(matches!(pod_change(&intent, &pods[0], &template), Verdict::Change(_)));
    let (template, _) = parts(requests("100m", "64Mi")).await;
    let reason = left(pod_change(&intent, &pods[0], &template));
    assert!(reason.starts_with("conflict"), "{reason}");
}

#[tokio::test]
async fn a_pod_that_would_change_its_class_of_service_is_refused_with_both_classes() {
    let only_requests = intent(Ask::raise("shop/cart", 1));
    let (template, pods) = parts(equal_limits("100m")).await;
    let mut with_limits = only_requests.clone();
    let asked = with_limits.containers.get_mut("server").unwrap();
    (asked.from.cpu_limit, asked.to.cpu_limit) =
        (Some(Millicores::new(100)), Some(Millicores::new(200)));
    let reason = left(pod_change(&with_limits, &pods[0], &template));
    assert!(reason.contains("from the class of service Guaranteed to Burstable"), "{reason}");
    assert!(matches!(pod_change(&guaranteed(), &pods[0], &template), Verdict::Change(_)));
}

#[tokio::test]
async fn what_a_running_pod_cannot_do_is_refused_before_it_is_tried() {
    let intent = intent(Ask::raise("shop/cart", 1));
    let (template, mut pods) = parts(requests("100m", "64Mi")).await;
    pods[0].containers[0].restarts_for = ["cpu".to_owned()].into();
    let reason = left(pod_change(&intent, &pods[0], &template));
    assert!(reason.contains("restarts it when its cpu changes"), "{reason}");
    pods[1].whole = true;
    left(pod_change(&intent, &pods[1], &template));
    // Memory is not what changes.
    pods[0].containers[0].restarts_for = ["memory".to_owned()].into();
    assert!(matches!(pod_change(&intent, &pods[0], &template), Verdict::Change(_)));
    let mut added = intent.clone();
    added.containers.get_mut("server").unwrap().to.cpu_limit = Some(Millicores::new(300));
    let reason = left(pod_change(&added, &pods[0], &template));
    assert!(reason.contains("states no limits of cpu"), "{reason}");
}

#[tokio::test]
async fn a_limit_that_is_to_go_stays_in_a_running_pod_and_makes_room_for_the_request() {
    let mut plan = plan(&[Ask { to: (300, 64), ..Ask::raise("shop/cart", 1) }]);
    plan.recommendations[0].limits.cpu =
        Limit { current: Some(Millicores::new(200)), ..Limit::default() };
    let config = ApplyConfig { default_mode: ApplyMode::InPlace, ..ApplyConfig::default() };
    let intent = intents(&plan, &config, Timestamp::UNIX_EPOCH).changes.remove(0);
    let now = json!({"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m"}});
    let (template, pods) = parts(now).await;
    let verdict = pod_change(&intent, &pods[0], &template);
    let Verdict::Change(pairs) = verdict else { panic!("{verdict:?}") };
    assert_eq!(pairs["server"].after["limits"]["cpu"], "300m");
}
