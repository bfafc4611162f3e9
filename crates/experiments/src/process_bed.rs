//! An application of processes with a control API as a bed: MOrA's own test application, or anything that answers alike.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use mora_core::{Bytes, Millicores, ResourceClaim, WorkloadKind, WorkloadRef};
use reqwest::{Client, RequestBuilder, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::kubernetes_bed::no_such_part;
use crate::{Aspect, Bed, BedError, BedName, Value, WorkloadState};

/// Longest wait for one answer.
const DEADLINE: Duration = Duration::from_secs(30);
/// The container of a workload that names none.
const CONTAINER: &str = "server";

/// The workloads of an application of processes.
#[derive(Debug, Clone)]
pub struct ProcessBed {
    url: Url,
    http: Client,
}

#[derive(Debug, Deserialize)]
struct Listed {
    namespace: String,
    kind: WorkloadKindText,
    name: String,
    replicas: u32,
    ready: u32,
    claim: Claim,
    #[serde(default)]
    container: Option<String>,
}

/// A kind as the Kubernetes API spells it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct WorkloadKindText(WorkloadKind);

impl TryFrom<String> for WorkloadKindText {
    type Error = mora_core::WorkloadError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Claim {
    cpu_request_millicores: Option<u64>,
    cpu_limit_millicores: Option<u64>,
    memory_request_bytes: Option<u64>,
    memory_limit_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Wanted {
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
}

impl ProcessBed {
    /// The application whose control API is at `url`.
    ///
    /// Fails when that is no URL or no HTTP client can be made; nothing is asked yet.
    pub fn new(url: &str) -> Result<Self, BedError> {
        let refused = || BedError::Url { url: url.to_owned() };
        let mut parsed: Url = url.parse().map_err(|_| refused())?;
        if parsed.cannot_be_a_base() || !parsed.has_host() {
            return Err(refused());
        }
        // A path prefix is a folder.
        if !parsed.path().ends_with('/') {
            parsed.set_path(&format!("{}/", parsed.path()));
        }
        // Nothing but plain HTTP on a host of one's own is meant: no proxy, and no certificates, which a minimal system has not.
        let http = Client::builder().no_proxy().timeout(DEADLINE).tls_certs_only([]).build();
        let failed = |source| BedError::Control {
            url: url.to_owned(),
            subject: "anything".to_owned(),
            source: Box::new(source),
        };
        Ok(Self { url: parsed, http: http.map_err(failed)? })
    }

    fn at(&self, path: &str) -> Result<Url, BedError> {
        self.url.join(path).map_err(|_| BedError::Url { url: self.url.to_string() })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        subject: &str,
    ) -> Result<T, BedError> {
        let url = self.url.to_string();
        let failed = |source| BedError::Control {
            url: url.clone(),
            subject: subject.to_owned(),
            source: Box::new(source),
        };
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        if status.is_success() {
            return answer.json().await.map_err(failed);
        }
        let said = answer.text().await.unwrap_or_default().trim().chars().take(200).collect();
        Err(BedError::Refused { url, subject: subject.to_owned(), status: status.as_u16(), said })
    }

    async fn put(&self, workload: &WorkloadRef, wanted: &Wanted) -> Result<(), BedError> {
        let url = self.at(&format!("workloads/{}", workload.name()))?;
        let request = self.http.put(url).json(wanted);
        self.ask::<serde_json::Value>(request, &workload.to_string()).await.map(drop)
    }
}

impl Bed for ProcessBed {
    fn name(&self) -> BedName {
        BedName::Control(self.url.to_string())
    }

    fn workloads<'a>(
        &'a self,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<WorkloadState>, BedError>> {
        async move {
            let request = self.http.get(self.at("workloads")?);
            let listed: Vec<Listed> = self.ask(request, "its workloads").await?;
            let mut states: Vec<WorkloadState> = listed.into_iter().filter_map(state).collect();
            states.retain(|state| state.workload.namespace() == namespace);
            states.sort_by(|a, b| a.workload.cmp(&b.workload));
            Ok(states)
        }
        .boxed()
    }

    fn workload<'a>(
        &'a self,
        workload: &'a WorkloadRef,
    ) -> BoxFuture<'a, Result<WorkloadState, BedError>> {
        async move {
            let request = self.http.get(self.at(&format!("workloads/{}", workload.name()))?);
            let listed: Listed = self.ask(request, &workload.to_string()).await?;
            let other = || no_such_part(workload, &Aspect::Replicas);
            state(listed).filter(|state| state.workload == *workload).ok_or_else(other)
        }
        .boxed()
    }

    fn set<'a>(
        &'a self,
        workload: &'a WorkloadRef,
        aspect: &'a Aspect,
        value: &'a Value,
    ) -> BoxFuture<'a, Result<(), BedError>> {
        async move {
            let wanted = match (aspect, value) {
                (Aspect::Replicas, Value::Replicas(count)) => {
                    Wanted { replicas: Some(*count), claim: None }
                }
                (Aspect::Claim(_), Value::Claim(claim)) => {
                    Wanted { replicas: None, claim: Some(Claim::from(claim)) }
                }
                _ => return Err(no_such_part(workload, aspect)),
            };
            self.put(workload, &wanted).await
        }
        .boxed()
    }
}

/// `None` for what has no valid name.
fn state(listed: Listed) -> Option<WorkloadState> {
    let Listed { namespace, kind, name, replicas, ready, claim, container } = listed;
    Some(WorkloadState {
        workload: WorkloadRef::new(&namespace, kind.0, &name).ok()?,
        replicas,
        ready,
        settled: ready == replicas,
        containers: [(container.unwrap_or_else(|| CONTAINER.to_owned()), claim.into())].into(),
        autoscaler: None,
    })
}

impl From<Claim> for ResourceClaim {
    fn from(claim: Claim) -> Self {
        Self {
            cpu_request: claim.cpu_request_millicores.map(Millicores::new),
            cpu_limit: claim.cpu_limit_millicores.map(Millicores::new),
            memory_request: claim.memory_request_bytes.map(Bytes::new),
            memory_limit: claim.memory_limit_bytes.map(Bytes::new),
        }
    }
}

impl From<&ResourceClaim> for Claim {
    fn from(claim: &ResourceClaim) -> Self {
        Self {
            cpu_request_millicores: claim.cpu_request.map(Millicores::get),
            cpu_limit_millicores: claim.cpu_limit.map(Millicores::get),
            memory_request_bytes: claim.memory_request.map(Bytes::get),
            memory_limit_bytes: claim.memory_limit.map(Bytes::get),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::extract::Path;
    use axum::routing::get;
    use axum::{Json, Router};
    use serde_json::json;

    use super::*;

    /// A control API of one workload that is `ready`; keeps what was put.
    async fn control(ready: u32) -> (ProcessBed, Arc<Mutex<Vec<(String, serde_json::Value)>>>) {
        // An error means that a provider is installed already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let cart = move || {
            Json(json!({"namespace": "shop", "kind": "Deployment", "name": "cart", "replicas": 2,
                "ready": ready, "more": true, "claim": {"cpu_limit_millicores": 300}}))
        };
        let put = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&put);
        let one = get(async move |Path(name): Path<String>| {
            if name == "cart" {
                Ok(cart())
            } else {
                Err((axum::http::StatusCode::NOT_FOUND, "none"))
            }
        })
        .put(
            async move |Path(name): Path<String>, Json(body): Json<serde_json::Value>| {
                log.lock().unwrap().push((name, body));
                cart()
            },
        );
        let all = get(async move || Json(json!([cart().0])));
        let app =
            Router::new().route("/control/workloads", all).route("/control/workloads/{name}", one);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/control", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (ProcessBed::new(&url).unwrap(), put)
    }

    #[tokio::test]
    async fn workloads_are_listed_by_namespace_and_settled_when_all_are_ready() {
        let (bed, _) = control(1).await;
        let listed = bed.workloads("shop").await.unwrap();
        assert_eq!(listed[0].workload, "shop/cart".parse().unwrap());
        assert!(!listed[0].settled);
        assert_eq!(listed[0].containers["server"].cpu_limit, Some(Millicores::new(300)));
        assert!(bed.workloads("elsewhere").await.unwrap().is_empty());
        let (bed, _) = control(2).await;
        assert!(bed.workload(&"shop/cart".parse().unwrap()).await.unwrap().settled);
    }

    #[tokio::test]
    async fn a_part_is_put_alone_and_a_refusal_quotes_what_was_said() {
        let (bed, put) = control(2).await;
        let cart = "shop/cart".parse().unwrap();
        bed.set(&cart, &Aspect::Replicas, &Value::Replicas(4)).await.unwrap();
        let claim = ResourceClaim { cpu_limit: Some(Millicores::new(500)), ..Default::default() };
        let aspect = Aspect::Claim("server".to_owned());
        bed.set(&cart, &aspect, &Value::Claim(claim)).await.unwrap();
        let claim = json!({"cpu_request_millicores": null, "cpu_limit_millicores": 500,
            "memory_request_bytes": null, "memory_limit_bytes": null});
        let expected = [json!({"replicas": 4}), json!({ "claim": claim })];
        let named = expected.map(|body| ("cart".to_owned(), body));
        assert_eq!(*put.lock().unwrap(), named);
        let absent = bed.workload(&"shop/email".parse().unwrap()).await.unwrap_err();
        assert!(
            matches!(&absent, BedError::Refused { status: 404, said, .. } if said == "none"),
            "{absent}"
        );
        let other = bed.workload(&"shop/StatefulSet/cart".parse().unwrap()).await.unwrap_err();
        assert!(matches!(other, BedError::NoSuchPart { .. }));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in ["kubernetes", "", "mailto:me", "127.0.0.1:90"] {
            assert!(matches!(ProcessBed::new(text), Err(BedError::Url { .. })), "{text}");
        }
    }
}
