//! Calls to another service.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use thiserror::Error;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

use crate::meter::CALLER;
use crate::service_name::ServiceName;

/// Connections to each service: with one, all calls would go to one replica.
const CONNECTIONS: usize = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a call is tried that never left this process.
const TRIES: usize = 3;

/// A callee without a usable address.
#[derive(Debug, Error)]
pub(crate) enum PeerError {
    #[error("{caller} needs {callee}; set {variable} to its HOST:PORT", variable = .callee.address_variable())]
    NoAddress { caller: ServiceName, callee: ServiceName },
    #[error("`{address}` in {variable} is no address; write HOST:PORT", variable = .callee.address_variable())]
    BadAddress {
        callee: ServiceName,
        address: String,
        #[source]
        source: tonic::transport::Error,
    },
}

/// A connection of a peer, over which the caller tells its name.
pub(crate) type Link = InterceptedService<Channel, CallerName>;

/// A service to call.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    links: Arc<[Channel]>,
    next: Arc<AtomicUsize>,
    caller: ServiceName,
}

/// Puts the caller's name into a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallerName(ServiceName);

impl Interceptor for CallerName {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let name = MetadataValue::from_static(self.0.as_str());
        request.metadata_mut().insert(CALLER, name);
        Ok(request)
    }
}

impl Peer {
    /// The service `callee` as `caller` finds it in its environment; it is connected to on first use.
    ///
    /// Fails when the environment has no address, or one that cannot be read.
    pub(crate) fn from_environment(
        caller: ServiceName,
        callee: ServiceName,
    ) -> Result<Self, PeerError> {
        let address = std::env::var(callee.address_variable())
            .map_err(|_| PeerError::NoAddress { caller, callee })?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|source| PeerError::BadAddress { callee, address, source })?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true);
        let links = (0..CONNECTIONS).map(|_| endpoint.connect_lazy()).collect();
        Ok(Self { links, next: Arc::default(), caller })
    }

    fn link(&self) -> Link {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.links.len();
        InterceptedService::new(self.links[next].clone(), CallerName(self.caller))
    }

    /// Sends `request` with `send`, over the connections in turn; again over another where it was not sent at all.
    ///
    /// Fails with the callee's status, UNAVAILABLE when it cannot be reached, DEADLINE_EXCEEDED after ten seconds.
    pub(crate) async fn call<Q, A, F>(
        &self,
        request: Q,
        send: impl Fn(Link, Q) -> F,
    ) -> Result<A, Status>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut tries = 1;
        loop {
            let sent = tokio::time::timeout(DEADLINE, send(self.link(), request.clone())).await;
            match sent.unwrap_or_else(|_| Err(Status::deadline_exceeded("no answer"))) {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) if tries < TRIES && was_not_sent(&status) => tries += 1,
                Err(status) => return Err(status),
            }
        }
    }
}

/// A connection that could not be made, or that its server closed before the call was on it.
fn was_not_sent(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Cancelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Peer {
        let endpoint = Endpoint::from_static("http://127.0.0.1:1");
        let links = (0..CONNECTIONS).map(|_| endpoint.connect_lazy()).collect();
        Peer { links, next: Arc::default(), caller: ServiceName::Frontend }
    }

    async fn tries_of(code: Code) -> usize {
        let tries = AtomicUsize::new(0);
        let send = |_: Link, (): ()| {
            tries.fetch_add(1, Ordering::Relaxed);
            async move { Err::<Response<()>, _>(Status::new(code, "")) }
        };
        assert_eq!(peer().call((), send).await.unwrap_err().code(), code);
        tries.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn only_what_was_not_sent_is_tried_again() {
        assert_eq!(tries_of(Code::Unavailable).await, TRIES);
        assert_eq!(tries_of(Code::Internal).await, 1);
        assert_eq!(tries_of(Code::DeadlineExceeded).await, 1);
    }
}
