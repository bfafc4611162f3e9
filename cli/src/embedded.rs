//! Model-workers in this process, each on a loopback port of its own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mora_core::WorkloadRef;
use mora_model_worker::{Worker, WorkerConfig};
use mora_runtime::{GrpcServer, ServeError, WorkerEndpoints};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A free port of this machine, reachable from nowhere else.
pub(crate) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The processors of this machine, for fits.
pub(crate) fn processors() -> Arc<Semaphore> {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new(count))
}

/// Running workers; they stop when [`EmbeddedWorkers::stop`] is called or this is dropped.
pub(crate) struct EmbeddedWorkers {
    endpoints: WorkerEndpoints,
    stop: CancellationToken,
    serving: JoinSet<Result<(), ServeError>>,
}

impl EmbeddedWorkers {
    /// Starts one worker per workload; fits run on as many processors as this machine has.
    pub(crate) async fn start(
        workloads: impl IntoIterator<Item = WorkloadRef>,
        config: &WorkerConfig,
    ) -> anyhow::Result<Self> {
        Self::sharing(workloads, config, processors()).await
    }

    /// Starts one worker per workload; as many fits run at once as `processors` allow to all that share them.
    pub(crate) async fn sharing(
        workloads: impl IntoIterator<Item = WorkloadRef>,
        config: &WorkerConfig,
        processors: Arc<Semaphore>,
    ) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        let mut endpoints = BTreeMap::new();
        for workload in workloads {
            let server = GrpcServer::bind(LOOPBACK).await?;
            endpoints.insert(workload.clone(), format!("http://{}", server.address()));
            let worker = Worker::open(workload, config.clone(), processors.clone()).await?;
            serving.spawn(worker.serve(server, stop.clone()));
        }
        let endpoints = WorkerEndpoints { endpoints, ..WorkerEndpoints::default() };
        Ok(Self { endpoints, stop, serving })
    }

    pub(crate) const fn endpoints(&self) -> &WorkerEndpoints {
        &self.endpoints
    }

    /// Stops every worker and waits for it.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        while let Some(ended) = self.serving.join_next().await {
            ended??;
        }
        Ok(())
    }
}
