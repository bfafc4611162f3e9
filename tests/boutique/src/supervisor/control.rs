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

/// `GET /workloads`, `GET` and `PUT /workloads/{name}`, `GET /workloads/{name}/pods`.
pub(super) fn router(cluster: Arc<Cluster>) -> Router {
    Router::new()
        .route("/workloads", get(workloads))
        .route("/workloads/{name}", get(workload).put(change))
        .route("/workloads/{name}/pods", get(pods))
        .with_state(cluster)
}

async fn workloads(State(cluster): State<Arc<Cluster>>) -> Json<Vec<WorkloadState>> {
    Json(cluster.told().into_iter().map(|told| told.workload).collect())
}

async fn workload(
    State(cluster): State<Arc<Cluster>>,
    Path(name): Path<String>,
) -> Result<Json<WorkloadState>, Refused> {
    Ok(Json(cluster.workload(&name)?.workload))
}

async fn pods(
    State(cluster): State<Arc<Cluster>>,
    Path(name): Path<String>,
) -> Result<Json<Vec<PodTold>>, Refused> {
    Ok(Json(cluster.workload(&name)?.pods.into_iter().map(PodTold::from).collect()))
}

async fn change(
    State(cluster): State<Arc<Cluster>>,
    Path(name): Path<String>,
    change: Result<Json<WorkloadChange>, JsonRejection>,
) -> Result<Json<WorkloadState>, Refused> {
    Ok(Json(cluster.change(&name, &change?.0)??))
}
