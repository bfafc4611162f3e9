//! The gRPC server every process runs: its own services, health and reflection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::{Router, TcpIncoming};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::access::TokenError;
use crate::limits::{Bounded, ServerLimits};
use crate::tls::{Security, TlsError, accepting};

/// Probes answered at once on one connection.
const PROBES: u32 = 8;

/// Why a server does not serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Another process has the port.
    #[error("port {} is already in use; stop the process that has it or give another address with --listen", .0.port())]
    PortInUse(SocketAddr),
    /// The address cannot be bound for another reason.
    #[error("cannot listen on {address}; give an address of this machine with --listen")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The compiled descriptors cannot be served.
    #[error("cannot offer server reflection; this build is broken, please report it")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The tokens of the API cannot be used.
    #[error("the API cannot be guarded; check the key `api.token_file`")]
    Tokens(#[from] TokenError),
    /// Anyone could change the cluster.
    #[error(
        "others can reach {0}, and whoever asks for a plan there has it put in force; set `api.token_file` or `tls`, or give a loopback address with --listen"
    )]
    Unguarded(SocketAddr),
    /// The transport failed while serving.
    #[error("the gRPC transport failed")]
    Transport(#[source] tonic::transport::Error),
}

/// A bound, not yet serving gRPC server.
#[derive(Debug)]
pub struct GrpcServer {
    listener: TcpListener,
    address: SocketAddr,
    security: Security,
    /// Where health is told in plain text, beside a server that speaks TLS.
    probed: Option<TcpListener>,
    limits: ServerLimits,
}

/// Tells health checks which services can answer.
#[derive(Debug, Clone)]
pub struct Readiness {
    reporter: HealthReporter,
    services: &'static [&'static str],
}

impl Readiness {
    /// Health of `services` (full gRPC names), all unready, and the empty name, which stands for the process.
    pub async fn unready(services: &'static [&'static str]) -> Self {
        let readiness = Self { reporter: HealthReporter::new(), services };
        readiness.set(ServingStatus::NotServing).await;
        readiness
    }

    /// From now on health checks of every service answer SERVING.
    pub async fn ready(&self) {
        self.set(ServingStatus::Serving).await;
    }

    /// From now on health checks of `service` answer SERVING; the empty name stands for the process.
    pub async fn ready_service(&self, service: &str) {
        self.reporter.set_service_status(service, ServingStatus::Serving).await;
    }

    fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    async fn set(&self, status: ServingStatus) {
        for service in self.services.iter().chain(&[""]) {
            self.reporter.set_service_status(service, status).await;
        }
    }
}

impl GrpcServer {
    /// How long open calls may take to end after the signal to stop.
    pub const GRACE: Duration = Duration::from_secs(10);

    /// Binds `listen`; port 0 takes a free one.
    ///
    /// Fails when the port is taken or the address is not this machine's.
    pub async fn bind(listen: SocketAddr) -> Result<Self, ServeError> {
        let listener = listening(listen).await?;
        let address = bound(&listener, listen)?;
        let (security, limits) = (Security::default(), ServerLimits::default());
        Ok(Self { listener, address, security, probed: None, limits })
    }

    /// Speaks as `security` says, and binds the address where it wants health told in plain text.
    ///
    /// Fails when that address cannot be bound.
    pub async fn secured(mut self, security: Security) -> Result<Self, ServeError> {
        if let Some(address) = security.tls().and_then(|tls| tls.health_listen()) {
            self.probed = Some(listening(address).await?);
        }
        self.security = security;
        Ok(self)
    }

    /// Takes no more from its clients than `limits` allow. The longest message is a matter of each service.
    #[must_use]
    pub fn limited(self, limits: ServerLimits) -> Self {
        Self { limits, ..self }
    }

    /// The bound address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where health is told in plain text; `None` for nowhere.
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.probed.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// What it takes from its clients at most.
    #[must_use]
    pub const fn limits(&self) -> ServerLimits {
        self.limits
    }

    /// Whether only clients that prove who they are are answered.
    #[must_use]
    pub const fn is_secured(&self) -> bool {
        self.security.is_on()
    }

    /// Serves `services` with health and reflection until `stop` is cancelled; then says so to health
    /// checks, accepts no more calls and gives open ones [`GrpcServer::GRACE`] to end.
    ///
    /// Fails when the transport does.
    pub async fn serve(
        self,
        services: Routes,
        readiness: Readiness,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        let routes = self.routes(services, &readiness)?;
        let probes = Routes::new(readiness.service());
        tracing::info!(address = %self.address, "listening on {}", self.address);
        let stopping = {
            let stop = stop.clone();
            async move {
                stop.cancelled().await;
                readiness.set(ServingStatus::NotServing).await;
            }
        };
        let mut builder = Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .max_concurrent_streams(Some(self.limits.streams_per_connection));
        let router = builder.add_routes(routes);
        let serving = Box::pin(serve_calls(router, self.listener, &self.security, stopping));
        let probing = Box::pin(serve_probes(probes, self.probed, stop.clone()));
        tokio::select! {
            ended = futures::future::try_join(serving, probing) => {
                ended.map(drop).map_err(ServeError::Transport)
            }
            () = grace_over(&stop) => {
                tracing::warn!("calls were still open after {} s and were cut off", Self::GRACE.as_secs());
                Ok(())
            }
        }
    }

    /// `services` with a bound on their calls, and beside them what tells of them.
    fn routes(&self, services: Routes, readiness: &Readiness) -> Result<Routes, ServeError> {
        let served = readiness.services;
        let bounded = Bounded::new(self.limits.concurrent_requests);
        Ok(Routes::from(services.into_axum_router().layer(bounded))
            .add_service(readiness.service())
            .add_service(reflection(served).build_v1().map_err(ServeError::Reflection)?)
            .add_service(reflection(served).build_v1alpha().map_err(ServeError::Reflection)?))
    }
}

async fn listening(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortInUse(address),
        _ => ServeError::Bind { address, source },
    })
}

fn bound(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, ServeError> {
    listener.local_addr().map_err(|source| ServeError::Bind { address, source })
}

async fn serve_calls(
    router: Router,
    listener: TcpListener,
    security: &Security,
    stopping: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    match security.tls() {
        Some(tls) => {
            let incoming = accepting(listener, tls.clone());
            router.serve_with_incoming_shutdown(incoming, stopping).await
        }
        None => router.serve_with_incoming_shutdown(undelayed(listener), stopping).await,
    }
}

/// Tells health in plain text where it is wanted: the probes of a kubelet speak no TLS.
async fn serve_probes(
    probes: Routes,
    listener: Option<TcpListener>,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let Some(listener) = listener else { return Ok(()) };
    Server::builder()
        .max_concurrent_streams(Some(PROBES))
        .add_routes(probes)
        .serve_with_incoming_shutdown(undelayed(listener), stop.cancelled_owned())
        .await
}

/// An answer is written in several pieces; with a delay, the last waits 40 ms for the client to acknowledge.
fn undelayed(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

/// Reflection that lists what this process serves, and nothing else of the contract.
fn reflection(services: &[&'static str]) -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(mora_proto::DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    services.iter().fold(builder, |builder, service| builder.with_service_name(*service))
}

async fn grace_over(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(GrpcServer::GRACE).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let first = GrpcServer::bind(loopback()).await.unwrap();
        let error = GrpcServer::bind(first.address()).await.unwrap_err();
        assert!(matches!(error, ServeError::PortInUse(address) if address == first.address()));
        assert!(error.to_string().contains(&first.address().port().to_string()));
    }

    #[tokio::test]
    async fn health_is_not_serving_until_ready_and_the_server_stops_when_asked() {
        let server = GrpcServer::bind(loopback()).await.unwrap();
        let endpoint = format!("http://{}", server.address());
        let readiness = Readiness::unready(&["mora.v1.ForecastService"]).await;
        let stop = CancellationToken::new();
        let serving =
            tokio::spawn(server.serve(Routes::default(), readiness.clone(), stop.clone()));
        let channel = Security::default().channel(&endpoint, Duration::from_secs(5)).unwrap();
        let mut client = HealthClient::new(channel);
        let request = HealthCheckRequest { service: "mora.v1.ForecastService".to_owned() };
        let before = client.check(request.clone()).await.unwrap().into_inner();
        readiness.ready().await;
        let after = client.check(request).await.unwrap().into_inner();
        drop(client);
        stop.cancel();
        serving.await.unwrap().unwrap();
        assert_eq!(
            (before.status(), after.status()),
            (
                tonic_health::pb::health_check_response::ServingStatus::NotServing,
                tonic_health::pb::health_check_response::ServingStatus::Serving
            )
        );
    }
}
