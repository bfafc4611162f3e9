//! The control API: replicas and claims over HTTP and JSON.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::service_name::UnknownService;

use super::cluster::Cluster;
use super::pod::PodState;
use super::workload::{ChangeError, WorkloadChange, WorkloadState};

/// Why nothing is told or changed.
#[derive(Debug)]
struct Refused(StatusCode, String);

/// A pod as it is told of.
#[derive(Debug, Serialize)]
struct PodTold {
    name: String,
    /// The number of its process, if it has one now.
    process: Option<u32>,
    ready: bool,
    restarts: u32,
}

impl From<UnknownService> for Refused {
    fn from(error: UnknownService) -> Self {
        Self(StatusCode::NOT_FOUND, error.to_string())
    }
}

impl From<ChangeError> for Refused {
    fn from(error: ChangeError) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<PodState> for PodTold {
    fn from(pod: PodState) -> Self {
        let process = pod.process.map(|(number, _)| number);
        Self { name: pod.name, process, ready: pod.ready.is_some(), restarts: pod.restarts }
    }
}

type Shared = State<Arc<Cluster>>;

/// `GET /workloads`, `GET` and `PUT /workloads/{name}`, `GET /workloads/{name}/pods`.
pub(super) fn router(cluster: Arc<Cluster>) -> Router {
    let of_one =
        get(async |State(cluster): Shared, Path(name): Path<String>| workload(&cluster, &name));
    let of_one = of_one.put(async |State(cluster): Shared, Path(name): Path<String>, asked| {
        change(&cluster, &name, asked)
    });
    let of_pods =
        get(async |State(cluster): Shared, Path(name): Path<String>| pods(&cluster, &name));
    Router::new()
        .route("/workloads", get(async |State(cluster): Shared| workloads(&cluster)))
        .route("/workloads/{name}", of_one)
        .route("/workloads/{name}/pods", of_pods)
        .with_state(cluster)
}

fn workloads(cluster: &Cluster) -> Json<Vec<WorkloadState>> {
    Json(cluster.told().into_iter().map(|told| told.workload).collect())
}

fn workload(cluster: &Cluster, name: &str) -> Result<Json<WorkloadState>, Refused> {
    Ok(Json(cluster.workload(name)?.workload))
}

fn pods(cluster: &Cluster, name: &str) -> Result<Json<Vec<PodTold>>, Refused> {
    Ok(Json(cluster.workload(name)?.pods.into_iter().map(PodTold::from).collect()))
}

fn change(
    cluster: &Cluster,
    name: &str,
    asked: Result<Json<WorkloadChange>, JsonRejection>,
) -> Result<Json<WorkloadState>, Refused> {
    Ok(Json(cluster.change(name, &asked?.0)??))
}
