//! `mora-model-worker`: the process of one workload.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use mora_core::WorkloadRef;
use mora_model_worker::{Worker, WorkerConfig};
use mora_runtime::{Exit, GrpcServer, init_telemetry, load_config, report, until_stopped};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Trains and serves the forecasts of one workload over gRPC.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The workload: namespace/name or namespace/Kind/name
    #[arg(long, env = "MORA_WORKLOAD")]
    workload: WorkloadRef,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:50061", env = "MORA_LISTEN")]
    listen: SocketAddr,
    /// Directory of the model library; overrides the key `library`
    #[arg(long)]
    library: Option<PathBuf>,
    /// Shared library of an ONNX Runtime (1.24 or newer) to serve LSTMs from, instead of the embedded one
    #[arg(long, env = "ORT_DYLIB_PATH")]
    onnxruntime: Option<PathBuf>,
    /// YAML configuration file
    #[arg(long)]
    config: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Exit {
    init_telemetry();
    report(run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let mut config: WorkerConfig = load_config(arguments.config.as_deref())?;
    config.library = arguments.library.unwrap_or(config.library);
    if let Some(library) = &arguments.onnxruntime {
        mora_forecast::use_onnx_runtime(library)?;
        tracing::info!("LSTMs are served from {}", library.display());
    }
    let server = GrpcServer::bind(arguments.listen).await?;
    let worker = Worker::open(arguments.workload, config, Arc::new(Semaphore::new(1))).await?;
    let stop = CancellationToken::new();
    let serving = worker.serve(server, stop.clone());
    until_stopped(serving, &stop).await?;
    Ok(Exit::Success)
}
