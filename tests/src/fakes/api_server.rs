//! A Kubernetes API that refuses what is asked of it.

use axum::Json;
use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What is wrong with a Kubernetes API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiFault {
    /// Nothing: one node of four cores and 16 GiB, and nothing runs.
    None,
    /// Every question is answered with this HTTP status.
    Always(u16),
    /// Nodes may not be listed.
    NodesForbidden,
    /// MOrA's custom resources are not defined.
    NoDefinitions,
}

/// The API with its fault.
pub(super) fn api_server(fault: ApiFault) -> Router {
    Router::new().fallback(move |uri: Uri| async move { answer(fault, uri.path()) })
}

fn answer(fault: ApiFault, path: &str) -> Response {
    match fault {
        ApiFault::Always(code) => refused(code, path),
        ApiFault::NodesForbidden if path.ends_with("/nodes") => refused(403, path),
        ApiFault::NoDefinitions if path.starts_with("/apis/mora.dev/") => refused(404, path),
        _ if path.ends_with("/nodes") => Json(list(&json!([node()]))).into_response(),
        _ => Json(list(&json!([]))).into_response(),
    }
}

fn list(items: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
}

fn node() -> Value {
    json!({
        "metadata": {"name": "node-1"},
        "status": {
            "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

fn refused(code: u16, path: &str) -> Response {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let body = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": format!("{path} is refused on purpose"), "reason": reason, "code": code,
    });
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, Json(body)).into_response()
}
