//! All services as child processes, as a small cluster would run them.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::serve::{ServeError, bind};
use crate::service_name::ServiceName;
use crate::stop::{input_is_null, stop_token};

mod balancer;
mod claim;
mod cluster;
mod control;
mod exposition;
mod metrics;
mod node;
mod pod;
mod traffic;
mod workload;

use balancer::{Balancer, Choice};
use cluster::Cluster;
use metrics::MetricsPage;
use pod::Launcher;

/// How long all services may take to be ready at the start.
const START: Duration = Duration::from_secs(30);
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where to listen. Port 0 takes a free one; the line on standard output tells which.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Where visitors come in: the balancer of the frontend.
    #[arg(long, default_value_t = LOOPBACK)]
    listen: SocketAddr,
    /// Where replicas and claims are read and set, by anyone who can connect.
    #[arg(long, default_value_t = LOOPBACK)]
    control_listen: SocketAddr,
    /// Where `/metrics` is served.
    #[arg(long, default_value_t = LOOPBACK)]
    metrics_listen: SocketAddr,
    /// The namespace of all workloads.
    #[arg(long, default_value = "shop")]
    namespace: String,
}

/// Why the application does not run.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Bind(#[from] ServeError),
    #[error("the program cannot find itself; start it by its full path")]
    NoProgram(#[source] io::Error),
    #[error("the client of the metrics cannot be made; this build is broken, please report it")]
    Client(#[source] reqwest::Error),
    #[error("not ready within {} s: {}; see the log above, with BOUTIQUE_LOG=info for more", START.as_secs(), .0.join(", "))]
    NotReady(Vec<&'static str>),
    #[error("a server of the supervisor failed; start it again")]
    Server(#[source] io::Error),
}

/// The one line on standard output.
#[derive(Debug, Serialize)]
struct Ready {
    frontend: String,
    control: String,
    metrics: String,
}

/// Runs until asked to stop or, unless it is the null device, standard input ends; then stops all services.
///
/// Fails when an address is taken, or a service cannot be started in time.
pub(crate) async fn run(arguments: RunArguments) -> Result<(), RunError> {
    let stop = stop_token(!input_is_null());
    let (balancers, addresses) = balancers(arguments.listen).await?;
    let (control, control_address) = bind(arguments.control_listen).await?;
    let (metrics, metrics_address) = bind(arguments.metrics_listen).await?;
    let ready = Ready {
        frontend: format!("http://{}", addresses[&ServiceName::Frontend]),
        control: format!("http://{control_address}"),
        metrics: format!("http://{metrics_address}/metrics"),
    };
    let program = std::env::current_exe().map_err(RunError::NoProgram)?;
    let launcher = Launcher { program, namespace: arguments.namespace, balancers: addresses };
    let cluster = Arc::new(Cluster::new(launcher));
    let page = MetricsPage::new(cluster.clone()).map_err(RunError::Client)?;
    let ended = tokio::select! {
        () = cluster.keep(&stop) => Ok(()),
        () = balance(balancers, &cluster) => Ok(()),
        ended = answer(control, control::router(cluster.clone())) => ended,
        ended = answer(metrics, page.router()) => ended,
        ended = announce(&cluster, &ready, &stop) => ended,
    };
    cluster.stop().await;
    ended
}

type Balancers = BTreeMap<ServiceName, Balancer>;
type Doors = BTreeMap<ServiceName, SocketAddr>;

/// A balancer for each service, and where it is reached; that of the frontend at `listen`.
async fn balancers(listen: SocketAddr) -> Result<(Balancers, Doors), ServeError> {
    let (mut balancers, mut addresses) = (Balancers::new(), Doors::new());
    for service in ServiceName::ALL {
        let asked = if service == ServiceName::Frontend { listen } else { LOOPBACK };
        let (listener, address) = bind(asked).await?;
        // Each keeps its own carts.
        let store = service == ServiceName::RedisCart;
        let choice = if store { Choice::Oldest } else { Choice::InTurn };
        balancers.insert(service, Balancer::new(listener, choice));
        addresses.insert(service, address);
    }
    Ok((balancers, addresses))
}

async fn balance(balancers: Balancers, cluster: &Cluster) {
    let all = balancers
        .into_iter()
        .map(|(service, balancer)| balancer.run(cluster.ready(service), cluster.addresses()));
    futures::future::join_all(all).await;
}

async fn answer(listener: TcpListener, router: axum::Router) -> Result<(), RunError> {
    axum::serve(listener, router).await.map_err(RunError::Server)
}

/// Tells where everything is once every service is ready; ends only when one is not in time.
async fn announce(
    cluster: &Cluster,
    ready: &Ready,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    if tokio::time::timeout(START, cluster.all_ready()).await.is_err() {
        return Err(RunError::NotReady(cluster.unready()));
    }
    if let Ok(line) = serde_json::to_string(ready) {
        println!("{line}");
    }
    stop.cancelled().await;
    // The services are stopped by the branch that waits for the same.
    std::future::pending().await
}
