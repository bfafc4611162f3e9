//! An API server on loopback that knows Services and answers for them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::{HeaderMap, Method, Response, StatusCode};
use mora_kubernetes::Cluster;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Of whom the kubeconfig says that they ask.
pub(crate) const TOKEN: &str = "of-the-kubeconfig";

/// What was asked for behind a Service.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// As in `monitoring/http:prometheus:9090`.
    pub(crate) service: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
}

/// The server, until it is dropped.
pub(crate) struct FakeApi {
    address: SocketAddr,
    folder: TempDir,
    pub(crate) asked: Arc<Mutex<Vec<Asked>>>,
    _task: AbortOnDropHandle<()>,
}

impl FakeApi {
    /// A server that lists `services`, and answers what is asked behind them with `answer`.
    pub(crate) async fn start(
        services: Value,
        answer: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let response = match of_service(&request) {
                Some(asked) => {
                    log.lock().unwrap().push(asked.clone());
                    answer(&asked)
                }
                None if request.uri().path() == "/api/v1/services" => json_of(
                    200,
                    &json!({"kind": "ServiceList", "apiVersion": "v1", "metadata": {}, "items": services}),
                ),
                None => status(404, "the server could not find the requested resource"),
            };
            async move { response }
        });
        let serve = async move { axum::serve(listener, router).await.unwrap() };
        let task = AbortOnDropHandle::new(tokio::spawn(serve));
        Self { address, folder: TempDir::new().unwrap(), asked, _task: task }
    }

    /// A connection to it, as a kubeconfig makes it.
    pub(crate) async fn cluster(&self) -> Cluster {
        let path = self.folder.path().join("config");
        write_kubeconfig(&path, self.address);
        Cluster::of_kubeconfig(&path, None).await.unwrap()
    }

    /// The last that was asked for behind a Service.
    pub(crate) fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

fn write_kubeconfig(path: &Path, address: SocketAddr) {
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "fake",
        "clusters": [{"name": "fake", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "me", "user": {"token": TOKEN}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}],
    });
    std::fs::write(path, text.to_string()).unwrap();
}

fn of_service(request: &Request) -> Option<Asked> {
    let uri = request.uri().path_and_query()?.as_str();
    let (namespace, rest) = uri.strip_prefix("/api/v1/namespaces/")?.split_once("/services/")?;
    let (service, path) = rest.split_once("/proxy")?;
    Some(Asked {
        method: request.method().clone(),
        service: format!("{namespace}/{service}"),
        path: path.to_owned(),
        headers: request.headers().clone(),
    })
}

/// A Service of the namespace `monitoring` with these labels and a port.
pub(crate) fn service(name: &str, labels: &Value, port: i32) -> Value {
    json!({"metadata": {"namespace": "monitoring", "name": name, "labels": labels},
        "spec": {"ports": [{"name": "http", "port": port}]}})
}

pub(crate) fn json_of(code: u16, body: &Value) -> Response<Body> {
    let response = Response::builder().status(code).header("content-type", "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}

/// How the API server tells of a failure of its own.
pub(crate) fn status(code: u16, message: &str) -> Response<Body> {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": StatusCode::from_u16(code).unwrap().to_string(), "code": code});
    json_of(code, &body)
}

/// How Prometheus answers a question with one number, or with nothing.
pub(crate) fn vector(values: usize) -> Response<Body> {
    let element = json!({"metric": {}, "value": [1, "1"]});
    let result = vec![element; values];
    json_of(200, &json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}
