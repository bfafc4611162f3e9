//! An API server on loopback that has what a test gives it, and leads to what stands behind its Services.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Who the kubeconfig says asks; it must reach nothing but the API server.
const TOKEN: &str = "token-of-the-kubeconfig";
const GROUPS_OF_OTHERS: [&str; 2] = ["/apis/argoproj.io/", "/apis/apps.openshift.io/"];

/// A running API server; it ends when dropped.
#[derive(Debug)]
pub struct ApiServer {
    folder: TempDir,
    has: Arc<Has>,
    serving: JoinHandle<()>,
}

/// What an [`ApiServer`] has.
#[derive(Debug, Default)]
pub struct ApiObjects {
    /// Objects by the plural of their kind, as in `deployments`, each a list.
    pub objects: BTreeMap<&'static str, Value>,
    /// Plurals (and `services/proxy`) that whoever asks has no right to.
    pub forbidden: Vec<&'static str>,
    /// Addresses of what stands behind Services, by `namespace/name`, without a path.
    pub behind: BTreeMap<&'static str, String>,
}

#[derive(Debug)]
struct Has {
    objects: ApiObjects,
    http: reqwest::Client,
    asked: Mutex<Vec<String>>,
}

impl ApiServer {
    /// Starts one with `objects`.
    ///
    /// Fails when no port can be bound, no client can be made or the kubeconfig cannot be written.
    pub async fn start(objects: ApiObjects) -> io::Result<Self> {
        // An error means that a provider is installed already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().map_err(io::Error::other)?;
        let has = Arc::new(Has { objects, http, asked: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&has));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let folder = TempDir::new()?;
        write_kubeconfig(&folder.path().join("config"), listener.local_addr()?)?;
        let serving = tokio::spawn(async move {
            // It ends with the test, which sees what does not answer.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { folder, has, serving })
    }

    /// The kubeconfig that leads to it.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// Paths that were asked for so far, with their queries.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.has.asked().clone()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Has {
    /// The guard, also after a panic elsewhere: a line is pushed whole or not at all.
    fn asked(&self) -> MutexGuard<'_, Vec<String>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may(&self, resource: &str) -> bool {
        !self.objects.forbidden.contains(&resource)
    }

    /// The objects of the last part of a path: all, or those of the namespace it names.
    fn list(&self, path: &str) -> Response {
        let parts: Vec<&str> = path.split('/').collect();
        let plural = parts.last().copied().unwrap_or_default();
        let listed = self.objects.objects.get(plural);
        let is_unknown = GROUPS_OF_OTHERS.iter().any(|group| path.starts_with(group));
        if listed.is_none() && is_unknown {
            return status(404, "the server could not find the requested resource");
        }
        if !self.may(plural) {
            return status(403, &format!("{plural} is forbidden"));
        }
        let namespace = parts.iter().position(|part| *part == "namespaces");
        let namespace = namespace.and_then(|index| parts.get(index + 1));
        let is_in = |item: &&Value| namespace.is_none_or(|n| item["metadata"]["namespace"] == *n);
        let items = listed.and_then(Value::as_array).into_iter().flatten();
        let items: Vec<&Value> = items.filter(is_in).collect();
        Json(json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}))
            .into_response()
    }

    /// What stands behind a Service answers, if it can be reached; it does not learn who asks.
    async fn behind(&self, service: &str, rest: &str) -> Response {
        if !self.may("services/proxy") {
            return status(403, "services/proxy is forbidden");
        }
        let Some(address) = self.objects.behind.get(service) else {
            return status(503, &format!("no endpoints available for service \"{service}\""));
        };
        match self.http.get(format!("{address}{rest}")).send().await {
            Ok(answer) => {
                let code = answer.status();
                let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
                let kind = kind.map(|kind| [(header::CONTENT_TYPE, kind)]);
                match answer.bytes().await {
                    Ok(body) => match kind {
                        Some(kind) => (code, kind, Body::from(body)).into_response(),
                        None => (code, Body::from(body)).into_response(),
                    },
                    Err(error) => status(502, &error.to_string()),
                }
            }
            Err(error) => status(503, &format!("error trying to reach service: {error}")),
        }
    }
}

async fn answer(State(has): State<Arc<Has>>, request: Request) -> Response {
    let uri = request.uri().clone();
    has.asked().push(uri.to_string());
    let bearer = format!("Bearer {TOKEN}");
    let credentials = request.headers().get(header::AUTHORIZATION);
    if credentials.is_none_or(|value| value.as_bytes() != bearer.as_bytes()) {
        return status(401, "Unauthorized");
    }
    if request.method() == Method::POST {
        return reviewed(&has, request).await;
    }
    if uri.path() == "/version" {
        let version = json!({"major": "1", "minor": "33", "gitVersion": "v1.33.1"});
        return Json(version).into_response();
    }
    match proxied(&uri.to_string()) {
        Some((service, rest)) => has.behind(&service, rest).await,
        None => has.list(uri.path()),
    }
}

/// The Service and what is asked of it.
fn proxied(uri: &str) -> Option<(String, &str)> {
    let (namespace, rest) = uri.strip_prefix("/api/v1/namespaces/")?.split_once("/services/")?;
    let (service, rest) = rest.split_once("/proxy")?;
    Some((format!("{namespace}/{}", service.split(':').nth(1)?), rest))
}

/// Whether something may be done.
async fn reviewed(has: &Has, request: Request) -> Response {
    if !request.uri().path().ends_with("/selfsubjectaccessreviews") {
        return status(405, "the server does not allow this method on the requested resource");
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), 1 << 16).await else {
        return status(400, "the body cannot be read");
    };
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let attributes = &review["spec"]["resourceAttributes"];
    let text = |field: &str| attributes[field].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let allowed = has.may(&resource);
    (StatusCode::CREATED, Json(json!({"status": {"allowed": allowed}}))).into_response()
}

/// How the API server tells of a failure of its own.
fn status(code: u16, message: &str) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "code": code});
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, Json(body)).into_response()
}

fn write_kubeconfig(path: &Path, address: SocketAddr) -> io::Result<()> {
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "loopback",
        "clusters": [{"name": "loopback", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "tester", "user": {"token": TOKEN}}],
        "contexts": [{"name": "loopback", "context": {"cluster": "loopback", "user": "tester"}}],
    });
    std::fs::write(path, text.to_string())
}
