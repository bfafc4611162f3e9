//! One process of one service.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower::limit::GlobalConcurrencyLimitLayer;

use crate::effort::{Effort, EffortError};
use crate::frontend;
use crate::meter::Meter;
use crate::meter::layer::MeterLayer;
use crate::peer::PeerError;
use crate::service_name::ServiceName;
use crate::shop;
use crate::stop::stop_token;

/// How long open requests may take to end after the signal to stop.
const GRACE: Duration = Duration::from_secs(5);
/// Requests that are worked on at a time, which bounds the memory they hold; more wait.
const REQUESTS: usize = 512;
/// The port of the metrics where no flag says another.
const METRICS_PORT: u16 = 9464;

/// What to serve, and where.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The service; its callees are found in `*_SERVICE_ADDR` and `REDIS_ADDR`, the work of a request is scaled by
    /// `BOUTIQUE_WORK`.
    service: ServiceName,
    /// Where to listen; without it all addresses at `PORT` or the port the service has in the Online Boutique.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Where to serve `/metrics`.
    #[arg(long, default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), METRICS_PORT))]
    metrics_listen: SocketAddr,
    /// The namespace that the metrics name.
    #[arg(long, default_value = "shop")]
    namespace: String,
    /// The port to listen on, where `--listen` is not given.
    #[arg(long, env = "PORT", hide = true)]
    port: Option<u16>,
    /// Stop when standard input ends, as it does when the process that started this one is gone.
    #[arg(long)]
    stop_with_input: bool,
}

/// Why a service does not serve.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    #[error(
        "cannot listen on {address}; give a free address of this machine with --listen and --metrics-listen"
    )]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Effort(#[from] EffortError),
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("the gRPC transport failed; start the service again")]
    Grpc(#[source] tonic::transport::Error),
    #[error("the HTTP server failed; start the service again")]
    Http(#[source] io::Error),
}

/// What a process says of itself, on standard output, once it accepts connections.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Announcement {
    /// Where it serves.
    pub(crate) address: SocketAddr,
    /// Where its metrics are.
    pub(crate) metrics: SocketAddr,
}

/// Serves until the process is asked to stop; then open requests have five seconds to end.
///
/// Fails when the configuration is not usable, an address is taken or a server fails.
pub(crate) async fn serve(arguments: ServeArguments) -> Result<(), ServeError> {
    let service = arguments.service;
    let effort = Effort::of(service)?;
    let meter = Meter::new(service, &arguments.namespace, effort);
    let kind = Kind::of(service)?;
    let port = arguments.port.unwrap_or(service.default_port());
    let all = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    let (listener, address) = bind(arguments.listen.unwrap_or(all)).await?;
    let (metrics_listener, metrics) = bind(arguments.metrics_listen).await?;
    let stop = stop_token(arguments.stop_with_input);
    announce(&Announcement { address, metrics });
    let pages = axum::serve(metrics_listener, meter.clone().router());
    let serving = async { kind.serve(listener, meter, stop.clone()).await };
    let metrics = async { pages.await.map_err(ServeError::Http) };
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = serving => ended,
        ended = metrics => ended,
        () = overdue => Ok(()),
    }
}

/// Binds, and tells the address that was taken.
///
/// Fails when it is taken already or not this machine's.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The one line on standard output. Where nobody reads it, there is nobody to tell.
fn announce(announcement: &Announcement) {
    if let Ok(line) = serde_json::to_string(announcement) {
        println!("{line}");
    }
}

/// A service made ready: pages or procedures.
enum Kind {
    Pages(axum::Router),
    Procedures(Routes),
}

impl Kind {
    fn of(service: ServiceName) -> Result<Self, PeerError> {
        if service == ServiceName::Frontend {
            return Ok(Self::Pages(frontend::router()?));
        }
        shop::routes(service).map(Self::Procedures)
    }

    async fn serve(
        self,
        listener: TcpListener,
        meter: Meter,
        stop: CancellationToken,
    ) -> Result<(), ServeError> {
        let (layer, bound) = (MeterLayer(meter), GlobalConcurrencyLimitLayer::new(REQUESTS));
        match self {
            Self::Pages(pages) => axum::serve(listener, pages.layer(layer).layer(bound))
                .with_graceful_shutdown(stop.cancelled_owned())
                .await
                .map_err(ServeError::Http),
            Self::Procedures(routes) => Server::builder()
                .layer(bound)
                .layer(layer)
                .add_routes(with_health(routes).await)
                .serve_with_incoming_shutdown(
                    TcpIncoming::from(listener).with_nodelay(Some(true)),
                    stop.cancelled_owned(),
                )
                .await
                .map_err(ServeError::Grpc),
        }
    }
}

/// Health checks of the whole process answer SERVING from the start: there is nothing to load.
async fn with_health(routes: Routes) -> Routes {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    routes.add_service(health)
}
