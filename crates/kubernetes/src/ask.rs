//! One request to the API, sent again after a failure that passes.

use std::time::Duration;

use http::{Method, Request, StatusCode, header::RETRY_AFTER};
use kube::client::Body;
use kube::core::Status;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use crate::ClusterError;

/// Longest wait for one answer, further tries included: an API server gives up on a request after 60 s.
const DEADLINE: Duration = Duration::from_secs(30);
/// Tries before a failure that passes is taken for one that does not.
const TRIES: u32 = 5;
/// Pause before the second try; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What is asked for and where, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) verb: &'static str,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) scope: String,
}

impl Asked {
    /// What is asked for of objects of the kind `K` in `namespace`; `subresource` is empty or begins with a slash.
    pub(crate) fn of<K: Resource<DynamicType = ()>>(
        verb: &'static str,
        namespace: &str,
        subresource: &str,
    ) -> Self {
        Self {
            verb,
            group: K::group(&()).into_owned(),
            resource: format!("{}{subresource}", K::plural(&())),
            scope: format!(" in namespace {namespace}"),
        }
    }
}

/// Why one try failed, and when the API wants to be asked again.
struct Failure {
    error: ClusterError,
    passes: bool,
    retry_after: Option<Duration>,
}

/// The answer to `request`.
///
/// Conflicts while reading, overload and failures of the server are tried again with growing pauses, or after the
/// pause the server names, for 30 s in all.
pub(crate) async fn ask<T: DeserializeOwned>(
    client: &Client,
    request: &Request<Vec<u8>>,
    asked: &Asked,
) -> Result<T, ClusterError> {
    let deadline = Instant::now() + DEADLINE;
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        let answer = timeout_at(deadline, once(client, request, asked)).await;
        let failure = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(failure)) => failure,
            Err(_) => break,
        };
        let wait = failure.retry_after.unwrap_or(pause);
        if !failure.passes || attempt == TRIES || Instant::now() + wait >= deadline {
            return Err(failure.error);
        }
        tracing::debug!("{} is asked for again in {wait:?}: {}", asked.resource, failure.error);
        sleep(wait).await;
        pause *= 2;
    }
    Err(ClusterError::TimedOut { resource: asked.resource.clone(), deadline: DEADLINE })
}

async fn once<T: DeserializeOwned>(
    client: &Client,
    request: &Request<Vec<u8>>,
    asked: &Asked,
) -> Result<T, Failure> {
    let lasting = |error| Failure { error, passes: false, retry_after: None };
    let foreign = |error| lasting(ClusterError::of(error, asked));
    let answer = client.send(request.clone().map(Body::from)).await.map_err(foreign)?;
    let (code, headers) = (answer.status(), answer.headers().clone());
    let body = answer.into_body().collect_bytes().await.map_err(foreign)?;
    if code.is_success() {
        return serde_json::from_slice(&body).map_err(|source| {
            lasting(ClusterError::Unreadable {
                resource: asked.resource.clone(),
                source: source.into(),
            })
        });
    }
    let seconds = headers.get(RETRY_AFTER).and_then(|text| text.to_str().ok()?.parse().ok());
    Err(Failure {
        error: ClusterError::of_status(code.as_u16(), status(code, &body), asked),
        passes: passes(code, request.method()),
        retry_after: seconds.map(Duration::from_secs),
    })
}

/// What the server says; some of its failures come from a proxy and are plain text.
fn status(code: StatusCode, body: &[u8]) -> Box<Status> {
    let said = || String::from_utf8_lossy(body).trim().chars().take(200).collect::<String>();
    let status = serde_json::from_slice(body);
    Box::new(status.unwrap_or_else(|_| Status::failure(&said(), "").with_code(code.as_u16())))
}

/// Whether the same request can succeed a little later. A write that conflicts has to be made anew.
fn passes(code: StatusCode, method: &Method) -> bool {
    let code = code.as_u16();
    matches!(code, 429 | 500 | 502..=504) || code == 409 && *method == Method::GET
}
