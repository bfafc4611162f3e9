//! What a server takes from its clients at most.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use futures::future::BoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use tower::{Layer, Service};

/// When a client that was turned away should come back.
const COME_BACK: Duration = Duration::from_secs(1);
/// A message that is smaller than this could not hold one chunk of an upload.
const LEAST_MESSAGE: usize = 1 << 20;
const MOST_MESSAGE: usize = 1 << 30;

/// What a server takes from its clients at most; see `docs/configuration.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, try_from = "Stated")]
pub struct ServerLimits {
    /// Longest message that is read, in bytes, from 1 MiB to 1 GiB.
    pub message_bytes: usize,
    /// Calls that may be open on one connection, at least 1.
    pub streams_per_connection: u32,
    /// Calls that may be open on all connections together, at least 1; health checks and reflection do not count.
    pub concurrent_requests: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { message_bytes: 4 << 20, streams_per_connection: 100, concurrent_requests: 256 }
    }
}

/// What a configuration says, before it is known whether it can be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Stated {
    message_bytes: usize,
    streams_per_connection: u32,
    concurrent_requests: usize,
}

impl Default for Stated {
    fn default() -> Self {
        let ServerLimits { message_bytes, streams_per_connection, concurrent_requests } =
            ServerLimits::default();
        Self { message_bytes, streams_per_connection, concurrent_requests }
    }
}

/// A limit that cannot be.
#[derive(Debug, Error)]
enum LimitError {
    #[error("message_bytes is {0}; write a number from {LEAST_MESSAGE} to {MOST_MESSAGE}")]
    Message(usize),
    #[error("{0} is 0, so that nothing would be answered; write a number from 1")]
    Zero(&'static str),
    #[error("concurrent_requests is {0}; write a number up to {most}", most = Semaphore::MAX_PERMITS)]
    Requests(usize),
}

impl TryFrom<Stated> for ServerLimits {
    type Error = LimitError;

    fn try_from(stated: Stated) -> Result<Self, LimitError> {
        let Stated { message_bytes, streams_per_connection, concurrent_requests } = stated;
        if !(LEAST_MESSAGE..=MOST_MESSAGE).contains(&message_bytes) {
            return Err(LimitError::Message(message_bytes));
        }
        if streams_per_connection == 0 {
            return Err(LimitError::Zero("streams_per_connection"));
        }
        if concurrent_requests == 0 {
            return Err(LimitError::Zero("concurrent_requests"));
        }
        if concurrent_requests > Semaphore::MAX_PERMITS {
            return Err(LimitError::Requests(concurrent_requests));
        }
        Ok(Self { message_bytes, streams_per_connection, concurrent_requests })
    }
}

/// An answer of `RESOURCE_EXHAUSTED` that says when to come back.
pub(crate) fn exhausted(message: impl Into<String>, after: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(after));
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// A call that is open and counts as such until the last clone of this is dropped.
#[derive(Debug, Clone)]
pub struct OpenCall {
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl OpenCall {
    /// That of `request`; a server drops its own once the answer has begun, so that who streams an answer has to hold it.
    #[must_use]
    pub fn of<M>(request: &tonic::Request<M>) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or(Self { _permit: None })
    }

    /// `stream`, the call being open as long as it is there.
    pub fn hold<S: Stream>(self, stream: S) -> impl Stream<Item = S::Item> {
        stream.map(move |item| {
            let _open = &self;
            item
        })
    }
}

/// Turns calls away while as many are open as may be.
#[derive(Clone)]
pub(crate) struct Bounded(Arc<Semaphore>);

impl Bounded {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }
}

impl<S> Layer<S> for Bounded {
    type Service = BoundedService<S>;

    fn layer(&self, inner: S) -> BoundedService<S> {
        BoundedService { inner, open: self.0.clone() }
    }
}

/// A service with a bound on open calls.
#[derive(Clone)]
pub(crate) struct BoundedService<S> {
    inner: S,
    open: Arc<Semaphore>,
}

impl<S, E> Service<Request<Body>> for BoundedService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = E>,
    S::Future: Send + 'static,
    E: Send + 'static,
{
    type Response = Response<Body>;
    type Error = E;
    type Future = BoxFuture<'static, Result<Response<Body>, E>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Ok(permit) = self.open.clone().try_acquire_owned() else {
            let busy = "as many calls are open here as are allowed (`limits.concurrent_requests`); try again in 1 s";
            let answer = exhausted(busy, COME_BACK).into_http::<Body>();
            return std::future::ready(Ok(answer)).boxed();
        };
        let open = OpenCall { _permit: Some(Arc::new(permit)) };
        request.extensions_mut().insert(open.clone());
        let answered = self.inner.call(request);
        async move {
            let answered = answered.await;
            drop(open);
            answered
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
