//! Calls to another service.

use std::error::Error;
use std::future::Future;
use std::net::{AddrParseError, IpAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

use crate::meter::CALLER;
use crate::service_name::ServiceName;

/// Connections to each service: with one, all calls would go to one replica.
const CONNECTIONS: usize = 4;
/// How long a connection is used. Each is opened anew so often, one after the other, so that new replicas get their
/// share. Callers do it, because a server that closes a connection may do so just when a call is put on it.
const CONNECTION_AGE: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a call is tried whose connection fails.
const TRIES: usize = 3;

/// The environment variable with the address to call from, as Kubernetes can set it; without it any.
pub(crate) const POD_IP: &str = "POD_IP";

/// A callee without a usable address.
#[derive(Debug, Error)]
pub(crate) enum PeerError {
    #[error("{caller} needs {callee}; set {variable} to its HOST:PORT", variable = .callee.address_variable())]
    NoAddress { caller: ServiceName, callee: ServiceName },
    #[error("`{0}` in {POD_IP} is no IP address; write one of this machine's or nothing")]
    BadSource(String, #[source] AddrParseError),
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
    caller: ServiceName,
    endpoint: Endpoint,
    lines: Arc<[Mutex<Line>]>,
    next: Arc<AtomicUsize>,
}

/// One connection at a time.
#[derive(Debug)]
struct Line {
    channel: Channel,
    until: Instant,
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

impl Line {
    /// The channel; a new one, not connected yet, where this one is too old. Calls on the old one end as they would.
    fn channel(&mut self, endpoint: &Endpoint, now: Instant) -> Channel {
        if now >= self.until {
            *self = Self { channel: endpoint.connect_lazy(), until: now + CONNECTION_AGE };
        }
        self.channel.clone()
    }
}

impl Peer {
    /// The service `callee` as `caller` finds it in its environment; it is connected to on first use.
    ///
    /// Must be called within a tokio runtime. Fails when the environment has no address, or one that cannot be read.
    pub(crate) fn from_environment(
        caller: ServiceName,
        callee: ServiceName,
    ) -> Result<Self, PeerError> {
        let address = std::env::var(callee.address_variable())
            .map_err(|_| PeerError::NoAddress { caller, callee })?;
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|source| PeerError::BadAddress { callee, address, source })?;
        let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
        Ok(Self::new(caller, endpoint.local_address(source_address()?)))
    }

    fn new(caller: ServiceName, endpoint: Endpoint) -> Self {
        let now = Instant::now();
        let line = |index: usize| {
            let until = now + CONNECTION_AGE * (index + 1) as u32 / CONNECTIONS as u32;
            Mutex::new(Line { channel: endpoint.connect_lazy(), until })
        };
        let lines = (0..CONNECTIONS).map(line).collect();
        Self { caller, endpoint, lines, next: Arc::default() }
    }

    fn link(&self) -> Link {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.lines.len();
        // Also after a panic elsewhere: a line is replaced whole or not at all.
        let mut line = self.lines[next].lock().unwrap_or_else(PoisonError::into_inner);
        let channel = line.channel(&self.endpoint, Instant::now());
        InterceptedService::new(channel, CallerName(self.caller))
    }

    /// Sends `request` with `send`, over the connections in turn; again over another where the connection failed and
    /// not the callee. As with a mesh that does so, a call may then have been answered unheard.
    ///
    /// Fails with the callee's status, `UNAVAILABLE` when it cannot be reached, `DEADLINE_EXCEEDED` after ten seconds.
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
                Err(status) if tries < TRIES && connection_failed(&status) => tries += 1,
                Err(status) => return Err(status),
            }
        }
    }
}

fn source_address() -> Result<Option<IpAddr>, PeerError> {
    let Ok(text) = std::env::var(POD_IP) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| PeerError::BadSource(text, error))
}

/// A status that this side made of a transport's error; those of the callee have no source.
fn connection_failed(status: &Status) -> bool {
    status.source().is_some_and(<dyn std::error::Error>::is::<tonic::transport::Error>)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::GetAdsRequest;
    use crate::wire::ad_service_client::AdServiceClient;

    /// Nobody listens there.
    fn peer() -> Peer {
        Peer::new(ServiceName::Frontend, Endpoint::from_static("http://127.0.0.1:1"))
    }

    #[tokio::test]
    async fn a_call_is_tried_again_where_the_connection_fails() {
        let tries = AtomicUsize::new(0);
        let send = |link, request| {
            tries.fetch_add(1, Ordering::Relaxed);
            async move { AdServiceClient::new(link).get_ads(request).await }
        };
        let failed = peer().call(GetAdsRequest::default(), send).await.unwrap_err();
        assert_eq!(failed.code(), tonic::Code::Unavailable);
        assert_eq!(tries.load(Ordering::Relaxed), TRIES);
    }

    #[tokio::test]
    async fn what_the_callee_answers_is_not_asked_again() {
        let tries = AtomicUsize::new(0);
        let send = |_: Link, (): ()| {
            tries.fetch_add(1, Ordering::Relaxed);
            async move { Err::<Response<()>, _>(Status::unavailable("no store")) }
        };
        assert_eq!(peer().call((), send).await.unwrap_err().message(), "no store");
        assert_eq!(tries.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn connections_get_old_one_after_the_other() {
        let peer = peer();
        let until = |line: &Mutex<Line>| line.lock().unwrap().until;
        assert!(peer.lines.iter().is_sorted_by(|a, b| until(a) < until(b)));
        let mut first = peer.lines[0].lock().unwrap();
        let before = first.until;
        let _young =
            first.channel(&peer.endpoint, before.checked_sub(Duration::from_millis(1)).unwrap());
        assert_eq!(first.until, before);
        let _old = first.channel(&peer.endpoint, before);
        assert_eq!(first.until, before + CONNECTION_AGE);
    }
}
