//! A runtime of its own for servers inside a test.

use std::future::Future;
use std::net::SocketAddr;

use mora_core::{Dataset, WorkloadRef};
use mora_proto::v1::collector_service_server::CollectorServiceServer;
use mora_proto::v1::forecast_service_server::ForecastServiceServer;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::Server;
use tonic::transport::server::{Router, TcpIncoming};

use super::api_server::{ApiFault, api_server};
use super::collector::FakeCollector;
use super::worker::{FakeWorker, WorkerFault};

/// Runs fake servers on loopback until it is dropped.
pub struct Host(Runtime);

impl Host {
    /// A host without servers.
    ///
    /// # Panics
    /// When no threads can be had, as a test should.
    #[must_use]
    pub fn new() -> Self {
        Self(Runtime::new().expect("a runtime needs threads"))
    }

    /// A worker of `workload` that answers as `fault` says; its address.
    #[must_use]
    pub fn worker(&self, workload: &WorkloadRef, fault: WorkerFault) -> SocketAddr {
        let (listener, address) = self.bind();
        match fault {
            // Nobody listens there once the listener is gone.
            WorkerFault::Down => drop(listener),
            WorkerFault::WrongVersion => {
                let other = FakeCollector::of(Vec::new());
                self.serve(
                    listener,
                    Server::builder().add_service(CollectorServiceServer::new(other)),
                );
            }
            fault => {
                let worker = FakeWorker::new(workload.clone(), fault);
                self.serve(
                    listener,
                    Server::builder().add_service(ForecastServiceServer::new(worker)),
                );
            }
        }
        address
    }

    /// A collector that has `datasets`; its address.
    #[must_use]
    pub fn collector(&self, datasets: Vec<Dataset>) -> SocketAddr {
        let (listener, address) = self.bind();
        let collector = CollectorServiceServer::new(FakeCollector::of(datasets));
        self.serve(listener, Server::builder().add_service(collector));
        address
    }

    /// A Kubernetes API that fails as `fault` says; its address.
    #[must_use]
    pub fn api_server(&self, fault: ApiFault) -> SocketAddr {
        self.http(api_server(fault))
    }

    /// Whatever `router` answers over HTTP; its address.
    #[must_use]
    pub fn http(&self, router: axum::Router) -> SocketAddr {
        let (listener, address) = self.bind();
        self.run(async move { axum::serve(listener, router).await.is_ok() });
        address
    }

    fn bind(&self) -> (TcpListener, SocketAddr) {
        let listener = self.0.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        (listener, address)
    }

    fn serve(&self, listener: TcpListener, server: Router) {
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        self.run(async move { server.serve_with_incoming(incoming).await.is_ok() });
    }

    /// The task ends with the runtime; that it ended before shows as a refused connection.
    fn run(&self, serving: impl Future<Output = bool> + Send + 'static) {
        self.0.spawn(serving);
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}
