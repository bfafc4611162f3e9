//! The gRPC server every process runs: its own services, health and reflection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

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
    /// The transport failed while serving.
    #[error("the gRPC transport failed")]
    Transport(#[source] tonic::transport::Error),
}

/// A bound, not yet serving gRPC server.
#[derive(Debug)]
pub struct GrpcServer {
    listener: TcpListener,
    address: SocketAddr,
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
        let bind_error = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::PortInUse(listen),
            _ => ServeError::Bind { address: listen, source },
        };
        let listener = TcpListener::bind(listen).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        Ok(Self { listener, address })
    }

    /// The bound address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
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
        let health = tonic_health::pb::health_server::HealthServer::new(
            tonic_health::server::HealthService::from_health_reporter(readiness.reporter.clone()),
        );
        let served = readiness.services;
        let routes = services
            .add_service(health)
            .add_service(reflection(served).build_v1().map_err(ServeError::Reflection)?)
            .add_service(reflection(served).build_v1alpha().map_err(ServeError::Reflection)?);
        tracing::info!(address = %self.address, "listening on {}", self.address);
        let stopping = {
            let stop = stop.clone();
            async move {
                stop.cancelled().await;
                readiness.set(ServingStatus::NotServing).await;
            }
        };
        // An answer is written in several pieces; without this, the last waits 40 ms for the client to acknowledge.
        let incoming = TcpIncoming::from(self.listener).with_nodelay(Some(true));
        let serving = Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, stopping);
        tokio::select! {
            ended = serving => ended.map_err(ServeError::Transport),
            () = grace_over(&stop) => {
                tracing::warn!("calls were still open after {} s and were cut off", Self::GRACE.as_secs());
                Ok(())
            }
        }
    }
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
        let channel = crate::channel(&endpoint, Duration::from_secs(5)).unwrap();
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
