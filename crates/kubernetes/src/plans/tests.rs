use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Method, Response};
use kube::Client;
use kube::client::Body;
use tower::service_fn;

use super::*;
use crate::cluster::tests::failure;
use crate::published::tests::{asked, plan};

/// An API that keeps the plans of namespace `mora`, each with a version that every write raises.
#[derive(Clone, Default)]
pub(crate) struct Api {
    pub(crate) objects: Arc<Mutex<BTreeMap<String, Value>>>,
    /// What the next writes are answered with; taken once they are used up.
    pub(crate) codes: Arc<Mutex<Vec<u16>>>,
    /// What somebody else notes right before the next write to a status.
    pub(crate) meanwhile: Arc<Mutex<Option<Value>>>,
    /// Whether nothing may be removed.
    pub(crate) unremovable: Arc<Mutex<bool>>,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl Api {
    pub(crate) fn cluster(&self) -> Cluster {
        let api = self.clone();
        let service = service_fn(move |request: http::Request<Body>| {
            let api = api.clone();
            async move {
                let (parts, body) = request.into_parts();
                let sent = body.collect_bytes().await.unwrap();
                let sent = serde_json::from_slice(&sent).unwrap_or_default();
                let (code, answer) = api.answer(&parts.method, parts.uri.path(), &sent);
                let body = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
            }
        });
        Cluster { client: Client::new(service, "default") }
    }

    fn answer(&self, method: &Method, path: &str, sent: &Value) -> (u16, Value) {
        let of_plans = "/apis/mora.dev/v1alpha1/namespaces/mora/rightsizingplans";
        let rest = path.strip_prefix(of_plans).unwrap_or_else(|| panic!("asked for {path}"));
        let (name, status) = match rest.strip_suffix("/status") {
            Some(name) => (name.trim_start_matches('/'), true),
            None => (rest.trim_start_matches('/'), false),
        };
        self.seen
            .lock()
            .unwrap()
            .push(format!("{method} {name}{}", if status { " status" } else { "" }));
        if *method != Method::GET
            && let Some(code) = self.codes.lock().unwrap().pop()
        {
            return failure(code);
        }
        match (method.as_str(), status) {
            ("GET", _) if name.is_empty() => (200, self.list()),
            ("GET", _) => self.object(name).map_or_else(|| failure(404), |object| (200, object)),
            ("POST", false) => self.create(sent),
            ("PATCH", true) => self.merge(name, sent),
            ("DELETE", false) if *self.unremovable.lock().unwrap() => failure(403),
            ("DELETE", false) => match self.objects.lock().unwrap().remove(name) {
                Some(object) => (200, object),
                None => failure(404),
            },
            other => panic!("asked for {other:?}"),
        }
    }

    pub(crate) fn object(&self, name: &str) -> Option<Value> {
        self.objects.lock().unwrap().get(name).cloned()
    }

    fn list(&self) -> Value {
        let objects = self.objects.lock().unwrap();
        let items: Vec<Value> = objects
            .values()
            .filter(|object| object["metadata"]["labels"][MANAGED_BY] == MANAGER)
            .map(|object| {
                json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]})
            })
            .collect();
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": items})
    }

    fn create(&self, sent: &Value) -> (u16, Value) {
        let mut objects = self.objects.lock().unwrap();
        let mut object = sent.clone();
        object["metadata"]["resourceVersion"] = json!("1");
        object["status"] = Value::Null;
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        if objects.contains_key(&name) {
            return failure(409);
        }
        objects.insert(name, object.clone());
        (201, object)
    }

    fn merge(&self, name: &str, sent: &Value) -> (u16, Value) {
        let mut objects = self.objects.lock().unwrap();
        let Some(object) = objects.get_mut(name) else { return failure(404) };
        if let Some(other) = self.meanwhile.lock().unwrap().take() {
            let applied = object["status"]["applied"].as_array().cloned().unwrap_or_default();
            object["status"]["applied"] = [applied, vec![other]].concat().into();
            raise(object);
        }
        let version = &sent["metadata"]["resourceVersion"];
        if version.is_string() && *version != object["metadata"]["resourceVersion"] {
            return failure(409);
        }
        for (field, value) in sent["status"].as_object().unwrap() {
            object["status"][field] = value.clone();
        }
        raise(object);
        (200, object.clone())
    }
}

fn raise(object: &mut Value) {
    let version: u64 = object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
    object["metadata"]["resourceVersion"] = json!((version + 1).to_string());
}

fn plan_at(minute: u32) -> Plan {
    Plan { id: format!("20260302T00{minute:02}00000Z"), ..plan(["cart"]) }
}

pub(crate) async fn published(api: &Api, minute: u32, keep: usize) -> Published {
    let plan = plan_at(minute);
    api.cluster().publish_plan("mora", &plan, &asked(&plan), keep).await.unwrap()
}

#[tokio::test]
async fn a_published_plan_can_be_read_back() {
    let api = Api::default();
    let name = published(&api, 0, 24).await.name;
    let found = api.cluster().plan_of("mora", &name).await.unwrap();
    assert_eq!((found.plan.id, found.left_out), (plan_at(0).id, 0));
    assert_eq!(found.plan.recommendations[0].decision, plan_at(0).recommendations[0].decision);
    let object = api.object(&name).unwrap();
    assert_eq!(object["spec"]["policy"]["generation"], 3);
    assert_eq!(object["status"]["conditions"].as_array().unwrap().len(), 4);
    assert_eq!(
        *api.seen.lock().unwrap(),
        ["POST ", "PATCH 20260302t000000000z status", "GET ", "GET 20260302t000000000z"]
    );
}

#[tokio::test]
async fn the_oldest_plans_beyond_those_to_keep_are_removed_but_none_that_others_made() {
    let api = Api::default();
    let foreign = json!({"metadata": {"name": "a-plan-of-mine"}});
    api.objects.lock().unwrap().insert("a-plan-of-mine".to_owned(), foreign);
    for minute in 0..5 {
        assert_eq!(published(&api, minute, 2).await.warnings, Vec::<String>::new());
    }
    let left: Vec<String> = api.objects.lock().unwrap().keys().cloned().collect();
    assert_eq!(left, ["20260302t000300000z", "20260302t000400000z", "a-plan-of-mine"]);
}

#[tokio::test]
async fn a_plan_whose_creation_was_answered_too_late_still_gets_its_status() {
    let api = Api::default();
    published(&api, 0, 24).await;
    let again = published(&api, 0, 24).await;
    assert!(api.object(&again.name).unwrap()["status"]["outcome"].is_string());
}

#[tokio::test]
async fn a_missing_permission_is_told_with_the_rule_to_add_and_one_for_old_plans_costs_no_more() {
    let api = Api::default();
    *api.codes.lock().unwrap() = vec![403];
    let plan = plan_at(1);
    let refused = api.cluster().publish_plan("mora", &plan, &asked(&plan), 1).await;
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("resources: [\"rightsizingplans\"], verbs: [\"create\"]"), "{error}");
    *api.unremovable.lock().unwrap() = true;
    published(&api, 0, 1).await;
    let written = published(&api, 1, 1).await;
    assert!(written.warnings[0].contains("verbs: [\"delete\"]"), "{written:?}");
    assert!(api.object(&written.name).unwrap()["status"]["outcome"].is_string());
}

#[tokio::test]
async fn a_cluster_without_the_definitions_says_how_to_install_them() {
    let api = Api::default();
    *api.codes.lock().unwrap() = vec![404];
    let plan = plan_at(0);
    let error = api.cluster().publish_plan("mora", &plan, &asked(&plan), 1).await.unwrap_err();
    assert!(error.to_string().contains("mora crds | kubectl apply -f -"), "{error}");
    let error = api.cluster().plan_of("mora", "gone").await.unwrap_err();
    assert!(error.to_string().contains("there is no RightsizingPlan gone"), "{error}");
}

#[tokio::test]
async fn a_plan_that_was_not_written_to_its_end_is_refused() {
    let api = Api::default();
    let name = published(&api, 0, 1).await.name;
    api.objects.lock().unwrap().get_mut(&name).unwrap()["status"] = Value::Null;
    let error = api.cluster().plan_of("mora", &name).await.unwrap_err();
    assert!(error.to_string().contains("was not written to its end"), "{error}");
}
