use std::sync::{Arc, Mutex};

use http::{Method, Response};
use kube::Client;
use kube::client::Body;
use mora_core::{Bytes, Decision, Millicores, Shortfall, Verdict, ViolationKind};
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

fn violation(kind: ViolationKind) -> Violation {
    Violation {
        kind,
        workload: Some("shop/cart".parse().unwrap()),
        container: Some("server".to_owned()),
        place: None,
        shortfall: Shortfall::CpuRequest(Millicores::new(250)),
        reason: "the workloads need 3 of CPU where 2 can be requested".to_owned(),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// An API that keeps one Event and answers each write with the next of `codes`, 200 once they are used up.
#[derive(Clone, Default)]
struct Api {
    event: Arc<Mutex<Option<Value>>>,
    codes: Arc<Mutex<Vec<u16>>>,
    writes: Arc<Mutex<u32>>,
}

impl Api {
    fn cluster(&self) -> Cluster {
        let api = self.clone();
        let service = service_fn(move |request: http::Request<Body>| {
            let api = api.clone();
            async move {
                let (parts, body) = request.into_parts();
                let sent = body.collect_bytes().await.unwrap();
                let (code, answer) = api.answer(&parts.method, parts.uri.path(), &sent);
                let body = Body::from(answer.to_string().into_bytes());
                Ok::<_, std::convert::Infallible>(
                    Response::builder().status(code).body(body).unwrap(),
                )
            }
        });
        Cluster { client: Client::new(service, "default") }
    }

    fn answer(&self, method: &Method, path: &str, sent: &[u8]) -> (u16, Value) {
        let status = |code: u16| (code, json!({"kind": "Status", "code": code, "message": "no"}));
        if path.contains("/deployments/") {
            let metadata = json!({"name": "cart", "uid": "u-1"});
            let kind = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"});
            return (
                200,
                json!({"apiVersion": kind["apiVersion"], "kind": kind["kind"], "metadata": metadata}),
            );
        }
        let mut event = self.event.lock().unwrap();
        if *method == Method::GET {
            return event.clone().map_or_else(|| status(404), |event| (200, event));
        }
        *self.writes.lock().unwrap() += 1;
        if let Some(code) = self.codes.lock().unwrap().pop() {
            return status(code);
        }
        *event = serde_json::from_slice(sent).ok();
        (200, event.clone().unwrap())
    }

    fn field(&self, name: &str) -> Value {
        self.event.lock().unwrap().as_ref().unwrap()[name].clone()
    }
}

#[tokio::test]
async fn the_same_violation_within_an_hour_is_counted_and_later_it_is_new() {
    let api = Api::default();
    let cluster = api.cluster();
    let found = [violation(ViolationKind::Capacity)];
    for (seconds, count) in [(0, 1), (1800, 2), (5300, 3), (10_000, 1)] {
        assert_eq!(cluster.publish_events(&found, at(seconds)).await, Vec::<String>::new());
        assert_eq!(api.field("count"), count, "{seconds}");
    }
    assert_eq!(api.field("involvedObject")["uid"], "u-1");
    assert_eq!(
        (api.field("reason"), api.field("type")),
        (json!("CapacityExceeded"), json!("Warning"))
    );
    let message = api.field("message");
    assert!(
        message
            .as_str()
            .unwrap()
            .starts_with("250m of CPU requests of container server are missing: ")
    );
}

#[tokio::test]
async fn a_conflict_is_resolved_by_reading_again_and_a_lasting_one_is_told() {
    let api = Api::default();
    *api.codes.lock().unwrap() = vec![409, 409];
    let found = [violation(ViolationKind::Quota)];
    assert_eq!(api.cluster().publish_events(&found, at(0)).await, Vec::<String>::new());
    assert_eq!((*api.writes.lock().unwrap(), api.field("count")), (3, json!(1)));
    *api.codes.lock().unwrap() = vec![409; 9];
    let failures = api.cluster().publish_events(&found, at(60)).await;
    assert!(failures[0].starts_with("no Event tells of shop/Deployment/cart: "));
}

#[tokio::test]
async fn a_missing_permission_names_the_rule_to_add() {
    let api = Api::default();
    *api.codes.lock().unwrap() = vec![403];
    let failures = api.cluster().publish_events(&[violation(ViolationKind::Node)], at(0)).await;
    assert!(failures[0].contains("resources: [\"events\"], verbs: [\"create\"]"), "{failures:?}");
}

/// Every container of a plan for shop/cart, deciding to go to `cpu`.
fn decided(container: &str, verdict: Verdict, cpu: u64) -> Recommendation {
    let reason = format!("CPU becomes {cpu}m");
    let (cpu, memory) = (Millicores::new(cpu), Bytes::from_mebibytes(64));
    Recommendation {
        container: container.to_owned(),
        decision: Some(Decision {
            verdict,
            cpu: Some(cpu),
            memory: Some(memory),
            wave: Some(1),
            reason,
        }),
        ..crate::published::tests::recommendation("cart", 100)
    }
}

#[tokio::test]
async fn a_workload_that_changes_gets_one_event_that_tells_of_its_containers() {
    let api = Api::default();
    let changes = [
        decided("proxy", Verdict::Hold, 100),
        decided("server", Verdict::Raise, 250),
        decided("side", Verdict::Lower, 80),
    ];
    for (seconds, count) in [(0, 1), (300, 2)] {
        assert_eq!(
            api.cluster().publish_changes(&changes, at(seconds)).await,
            Vec::<String>::new()
        );
        assert_eq!(api.field("count"), count, "{seconds}");
    }
    assert_eq!((api.field("reason"), api.field("type")), (json!("Rightsizing"), json!("Normal")));
    assert_eq!(
        api.field("message"),
        json!("container server: CPU becomes 250m; container side: CPU becomes 80m")
    );
    assert_eq!(*api.writes.lock().unwrap(), 2, "one Event in a run");
}

#[tokio::test]
async fn a_run_that_holds_everything_tells_nothing() {
    let api = Api::default();
    let held = [decided("server", Verdict::Hold, 100)];
    assert_eq!(api.cluster().publish_changes(&held, at(0)).await, Vec::<String>::new());
    assert_eq!(*api.writes.lock().unwrap(), 0);
}

#[test]
fn names_of_events_are_valid_and_differ_with_what_they_tell_of() {
    let name = |violation: &Violation| News::of_violation(violation).unwrap().name();
    let first = name(&violation(ViolationKind::Quota));
    assert_eq!(first, name(&violation(ViolationKind::Quota)));
    assert_ne!(first, name(&violation(ViolationKind::Capacity)));
    let long: WorkloadRef = format!("shop/{}", "a".repeat(253)).parse().unwrap();
    let long = Violation { workload: Some(long), ..violation(ViolationKind::Quota) };
    assert!(name(&long).len() <= 253);
}
