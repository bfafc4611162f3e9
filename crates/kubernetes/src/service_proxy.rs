//! Asking what stands behind a Service, through the API server.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, ORIGIN,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Request, Response};
use kube::core::Status;
use tokio::time::timeout;

use crate::ask::Asked;
use crate::{Cluster, ClusterError};

/// Longest wait for the beginning of an answer: what asks through this has a shorter one of its own.
const DEADLINE: Duration = Duration::from_mins(5);
/// Most that is read of an answer that tells of a failure, in bytes.
const LONGEST_FAILURE: usize = 1 << 20;
/// Headers that are about one connection, or that say who asks: only the kubeconfig says that to the API server.
const OWN: [HeaderName; 13] = [
    AUTHORIZATION,
    PROXY_AUTHORIZATION,
    COOKIE,
    ORIGIN,
    HOST,
    CONNECTION,
    UPGRADE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    EXPECT,
    CONTENT_LENGTH,
    CONTENT_TYPE,
];
/// Beginnings of headers by which an API server is told to take one for another.
const IDENTITY: [&str; 2] = ["impersonate-", "x-remote-"];

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAddress {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The number of the port, as the Service has it.
    pub port: i32,
    /// Whether it speaks TLS.
    pub is_tls: bool,
}

/// `namespace/name`.
impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl ServiceAddress {
    /// `http` or `https`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// Where the API server answers for it.
    fn proxied(&self, path_and_query: &str) -> String {
        let Self { namespace, name, port, .. } = self;
        let scheme = self.scheme();
        format!(
            "/api/v1/namespaces/{namespace}/services/{scheme}:{name}:{port}/proxy{path_and_query}"
        )
    }
}

impl Cluster {
    /// What `service` answers to a GET of `path_and_query`, which begins with a slash, as it arrives; also where that is a
    /// failure of its own. Of `headers` those go with it that say neither who asks nor how.
    ///
    /// Fails when the API server does not allow it, cannot reach the Service, or answers nothing for five minutes.
    pub async fn get_through(
        &self,
        service: &ServiceAddress,
        path_and_query: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, ClusterError> {
        let asked = Asked {
            verb: "get",
            group: String::new(),
            resource: "services/proxy".to_owned(),
            scope: format!(" in namespace {}", service.namespace),
        };
        let foreign = |error| ClusterError::of(error, &asked);
        let mut request = Request::get(service.proxied(path_and_query))
            .body(kube::client::Body::empty())
            .map_err(|error| foreign(kube::Error::HttpError(error)))?;
        request.headers_mut().extend(passed_on(headers));
        let answer = if let Ok(answer) = timeout(DEADLINE, self.client.send(request)).await {
            answer.map_err(foreign)?.map(Body::new)
        } else {
            let resource = format!("the Service {service}");
            return Err(ClusterError::TimedOut { resource, deadline: DEADLINE });
        };
        if answer.status().is_success() {
            return Ok(answer);
        }
        told_apart(answer, service, &asked).await
    }
}

fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let is_kept = |name: &HeaderName| {
        !OWN.contains(name) && IDENTITY.iter().all(|start| !name.as_str().starts_with(start))
    };
    let kept = headers.iter().filter(|(name, _)| is_kept(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A failure of the Service as it is; one of the API server, which says so in its own words, as an error.
async fn told_apart(
    answer: Response<Body>,
    service: &ServiceAddress,
    asked: &Asked,
) -> Result<Response<Body>, ClusterError> {
    let (head, body) = answer.into_parts();
    let body =
        to_bytes(body, LONGEST_FAILURE).await.map_err(|source| ClusterError::Unreadable {
            resource: format!("the Service {service}"),
            source: source.into(),
        })?;
    let Some(status) = of_the_api(&body) else {
        return Ok(Response::from_parts(head, Body::from(body)));
    };
    let code = head.status.as_u16();
    if matches!(code, 500 | 502..=504) {
        let said = status.message;
        return Err(ClusterError::Service { service: service.to_string(), said });
    }
    Err(ClusterError::of_status(code, status, asked))
}

fn of_the_api(body: &[u8]) -> Option<Box<Status>> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let is_status = value["kind"] == "Status" && value["apiVersion"] == "v1";
    serde_json::from_value(value).ok().filter(|_| is_status).map(Box::new)
}
