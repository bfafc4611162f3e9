use super::*;
use crate::cluster::tests::scripted;

fn scope(namespaces: &[&str], label_selector: Option<&str>) -> InventoryScope {
    InventoryScope {
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        label_selector: label_selector.map(str::to_owned),
    }
}

#[tokio::test]
async fn all_namespaces_are_asked_at_once_and_named_ones_one_by_one() {
    let (all, seen) = cluster(&json!({}));
    all.inventory(&scope(&[], None)).await.unwrap();
    let asked = seen.lock().unwrap().join(" ");
    assert!(asked.contains("/api/v1/pods?") && asked.contains("/apis/apps/v1/deployments?"));
    assert!(!asked.contains("/namespaces/"), "{asked}");
    let (two, seen) = cluster(&json!({}));
    two.inventory(&scope(&["shop", "kube-system"], None)).await.unwrap();
    let asked = seen.lock().unwrap().join(" ");
    for path in ["/api/v1/namespaces/shop/pods?", "/apis/batch/v1/namespaces/kube-system/jobs?"] {
        assert!(asked.contains(path), "{path}: {asked}");
    }
    assert!(!asked.contains("/api/v1/pods"), "{asked}");
}

#[tokio::test]
async fn the_selector_is_about_owners_not_about_their_pods() {
    let mut of_cart = pod(&owned("cart-0", "apps/v1", "StatefulSet", "cart"));
    of_cart["metadata"]["labels"] = json!({"tier": "db"});
    let objects = json!({
        "statefulsets": [workload("cart", 1), workload("ad", 1)],
        "pods": [of_cart, pod(&meta("debug"))],
    });
    let found = |selector: &'static str| {
        let (cluster, _) = cluster(&objects);
        async move { owners(&cluster.inventory(&scope(&[], Some(selector))).await.unwrap()) }
    };
    assert_eq!(found("app in (cart, debug)").await, ["shop/StatefulSet/cart", "shop/Pod/debug"]);
    assert_eq!(found("app=ad").await, ["shop/StatefulSet/ad"]);
    assert_eq!(found("tier=db").await, Vec::<String>::new());
    let (cluster, seen) = cluster(&objects);
    let error = cluster.inventory(&scope(&[], Some("app within (a)"))).await.unwrap_err();
    assert!(error.to_string().contains("`app within (a)`"), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 0, "it is found before anything is asked");
}

#[tokio::test]
async fn a_kind_that_may_not_be_listed_is_a_warning_with_the_rule_and_its_pods_still_tell_of_it() {
    let objects = json!({
        "deployments": 403, "horizontalpodautoscalers": 403,
        "replicasets": [{"metadata": owned("cart-1", "apps/v1", "Deployment", "cart")}],
        "pods": [pod(&owned("cart-1-a", "apps/v1", "ReplicaSet", "cart-1"))],
    });
    let found = inventory(&objects).await;
    assert_eq!(owners(&found), ["shop/Deployment/cart"]);
    let [deployments, autoscalers] = &found.warnings[..] else { panic!("{:?}", found.warnings) };
    assert!(
        deployments.contains("resources: [\"deployments\"], verbs: [\"list\"]"),
        "{deployments}"
    );
    assert!(autoscalers.contains("horizontalpodautoscalers"), "{autoscalers}");
}

#[tokio::test]
async fn without_pods_and_without_an_identity_there_is_no_inventory() {
    let (closed, _) = cluster(&json!({"pods": 403}));
    let error = closed.inventory(&scope(&[], None)).await.unwrap_err();
    assert!(matches!(error, ClusterError::Forbidden { ref resource, .. } if resource == "pods"));
    let (unknown, _) = cluster(&json!({"cronjobs": 401}));
    let error = unknown.inventory(&scope(&[], None)).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unauthorized(_)), "{error:?}");
}

#[tokio::test]
async fn a_missing_right_on_a_kind_that_is_installed_is_told_and_one_that_is_not_is_no_matter() {
    let of = |group_code: u16| async move {
        let (cluster, _) = scripted(move |path, _| match path {
            "/apis/argoproj.io/v1alpha1" if group_code == 200 => (200, json!({"resources": []})),
            path if is_foreign(path) && path.matches('/').count() == 3 => failure(404),
            path if is_foreign(path) => failure(403),
            _ => (200, list(&json!([]))),
        });
        cluster.inventory(&InventoryScope::default()).await.unwrap().warnings
    };
    assert_eq!(of(404).await, Vec::<String>::new());
    let [rollouts] = &of(200).await[..] else { panic!() };
    assert!(rollouts.contains("apiGroups: [\"argoproj.io\"], resources: [\"rollouts\"]"));
}

#[tokio::test]
async fn of_replica_sets_only_metadata_are_asked_for() {
    let (cluster, accepted) = accepting();
    cluster.inventory(&InventoryScope::default()).await.unwrap();
    let accepted = accepted.lock().unwrap();
    let of = |plural: &str| accepted.iter().find(|(path, _)| path.ends_with(plural)).unwrap();
    assert!(of("/replicasets").1.contains("as=PartialObjectMetadataList"));
    assert!(!of("/deployments").1.contains("PartialObjectMetadata"));
}

type Accepted = Arc<Mutex<Vec<(String, String)>>>;

/// An empty cluster, and which forms of which path it was asked for.
fn accepting() -> (Cluster, Accepted) {
    let accepted = Accepted::default();
    let log = Arc::clone(&accepted);
    let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
        let form = request.headers().get("accept").map(|form| form.to_str().unwrap().to_owned());
        log.lock().unwrap().push((request.uri().path().to_owned(), form.unwrap_or_default()));
        let body = kube::client::Body::from(list(&json!([])).to_string().into_bytes());
        async { Ok::<_, std::convert::Infallible>(http::Response::new(body)) }
    });
    (Cluster { client: kube::Client::new(service, "default") }, accepted)
}
