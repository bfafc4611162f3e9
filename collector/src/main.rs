//! `mora-collector`: collects series, trains the workers, and serves what it has observed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use jiff::Timestamp;
use mora_collector::{Collector, CollectorConfig, log_round, serve};
use mora_runtime::{
    Exit, GrpcServer, init_telemetry, install_crypto_provider, load_config, report, serve_metrics,
    stop_signal,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Collects metrics, trains the model-workers, and serves what it has observed over gRPC.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:50062", env = "MORA_LISTEN")]
    listen: SocketAddr,
    /// YAML configuration file
    #[arg(long)]
    config: Option<PathBuf>,
    /// Collect and train once, then end; fails when any worker could not be trained
    #[arg(long)]
    once: bool,
    /// Only collect, with --once
    #[arg(long, requires = "once")]
    no_training: bool,
    /// Serve metrics over HTTP at /metrics on this address
    #[arg(long, env = "MORA_METRICS_LISTEN", conflicts_with = "once")]
    metrics_listen: Option<SocketAddr>,
}

#[tokio::main]
async fn main() -> Exit {
    init_telemetry();
    install_crypto_provider();
    report(run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let config: CollectorConfig = load_config(arguments.config.as_deref())?;
    let server = GrpcServer::bind(arguments.listen).await?;
    let source = config.source.clone().located().await?.open()?;
    tracing::info!("collecting from {}", source.describe());
    let collector = Arc::new(Collector::open(source, config)?);
    let now = Timestamp::now();
    let count = collector.collect(now).await?;
    tracing::info!("collected {count} workloads");
    if arguments.no_training {
        return Ok(Exit::Success);
    }
    if arguments.once {
        return train_once(&collector, now).await;
    }
    let stop = CancellationToken::new();
    let metrics = async {
        let Some(address) = arguments.metrics_listen else { return Ok(()) };
        let listener = TcpListener::bind(address).await?;
        tracing::info!("serving metrics on {}", listener.local_addr()?);
        let figures = collector.clone();
        serve_metrics(listener, move || figures.metrics().text(), stop.clone()).await
    };
    let (served, measured) =
        tokio::join!(run_until_stopped(&collector, server, now, &stop), metrics);
    served?;
    measured.context("metrics cannot be served")?;
    Ok(Exit::Success)
}

async fn train_once(collector: &Collector, now: Timestamp) -> anyhow::Result<Exit> {
    let round = collector.train(now).await;
    log_round(&round);
    let failed = round.failed.len() + round.without_worker.len() + round.rejected.len();
    anyhow::ensure!(failed == 0, "{failed} workloads were not trained; see the log above");
    Ok(Exit::Success)
}

async fn run_until_stopped(
    collector: &Arc<Collector>,
    server: GrpcServer,
    now: Timestamp,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let serving = serve(collector.clone(), server, stop.clone());
    let collecting = async {
        if let Some(round) = stop.run_until_cancelled(collector.train(now)).await {
            log_round(&round);
        }
        collector.run(stop).await;
    };
    let stopping = async {
        tokio::select! {
            () = stop_signal() => stop.cancel(),
            () = stop.cancelled() => {}
        }
    };
    let ((), (), served) = tokio::join!(collecting, stopping, async {
        let served = serving.await;
        stop.cancel();
        served
    });
    Ok(served?)
}
