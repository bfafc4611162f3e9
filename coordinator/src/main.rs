//! `mora-coordinator`: one plan for a CronJob or a shell, or a server that makes them on request.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use jiff::Timestamp;
use mimalloc::MiMalloc;
use mora_coordinator::{
    Applied, CoordinatorConfig, Format, Metrics, Outcome, Workers, exit_of, put_in_force, render,
    run_gated, serve, serve_metrics, write_whole,
};
use mora_runtime::{
    Exit, GrpcServer, init_telemetry, install_crypto_provider, load_config, report, stop_signal,
    until_stopped,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A run makes many small allocations at once: a thousand connections take a third less processor time with it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Makes one plan and ends. Exit codes: 0 complete, 1 failure, 2 wrong usage, 3 degraded (some workload
/// on its baseline, or was not put in force), 4 violation (the demand does not fit what the cluster allows).
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// YAML configuration file
    #[arg(long)]
    config: Option<PathBuf>,
    /// Output format: table, json or yaml
    #[arg(long, short, default_value_t = Format::Table)]
    output: Format,
    /// Write the plan to this file instead of standard output, whole or not at all
    #[arg(long)]
    output_file: Option<PathBuf>,
    /// Serve plans over gRPC on this address until stopped, instead of making one
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Serve metrics over HTTP at /metrics on this address, with --listen
    #[arg(long, requires = "listen")]
    metrics_listen: Option<SocketAddr>,
    /// Write metrics to this file after the run, whole or not at all, for node-exporter's textfile collector
    #[arg(long, conflicts_with = "listen")]
    metrics_file: Option<PathBuf>,
    /// Put plans in force by the modes under the configuration's key `apply`; those of a RightsizingPolicy need no flag
    #[arg(long)]
    apply: bool,
}

#[tokio::main]
async fn main() -> Exit {
    init_telemetry();
    install_crypto_provider();
    report(started(Arguments::parse()).await)
}

async fn started(arguments: Arguments) -> anyhow::Result<Exit> {
    let mut config: CoordinatorConfig = load_config(arguments.config.as_deref())?;
    config.apply.permitted |= arguments.apply;
    match arguments.listen {
        Some(address) => serve_until_stopped(config, address, arguments.metrics_listen).await,
        None => plan_once(config, &arguments).await,
    }
}

async fn plan_once(config: CoordinatorConfig, arguments: &Arguments) -> anyhow::Result<Exit> {
    let begin = Instant::now();
    let workers = Workers::once(config.fan_out);
    let mut outcome = tokio::select! {
        outcome = Box::pin(run_gated(&workers, &config, Timestamp::now())) => outcome,
        () = stop_signal() => anyhow::bail!("stopped before the plan was made; nothing was written"),
    };
    let applied = match &mut outcome {
        Ok(outcome) => applied(&config, outcome).await,
        Err(_) => None,
    };
    if let Some(path) = &arguments.metrics_file {
        let metrics = Metrics::default();
        metrics.record(outcome.as_ref().ok().map(|outcome| &outcome.plan), begin.elapsed());
        metrics.record_applied(applied.as_ref());
        write_whole(path, &metrics.text(Timestamp::now()))?;
    }
    let outcome = outcome?;
    let text = render(&outcome.plan, arguments.output)?;
    match &arguments.output_file {
        Some(path) => write_whole(path, &text)?,
        None => print!("{text}"),
    }
    Ok(exit_with(exit_of(&outcome.plan), applied.as_ref()))
}

/// Puts the plan in force where that is permitted; told to stop, it ends what it has begun.
async fn applied(config: &CoordinatorConfig, outcome: &mut Outcome) -> Option<Applied> {
    let stop = CancellationToken::new();
    until_stopped(Box::pin(put_in_force(config, outcome, &stop)), &stop).await
}

/// The exit of a plan that would end with `plan` by itself.
fn exit_with(plan: Exit, applied: Option<&Applied>) -> Exit {
    match applied {
        Some(Err(reason)) => {
            tracing::error!("{reason}");
            Exit::Failure
        }
        Some(Ok(report)) if report.has_failed() => {
            report.warnings().iter().for_each(|warning| tracing::error!("{warning}"));
            Exit::Failure
        }
        Some(Ok(report)) if !report.is_complete() && plan == Exit::Success => Exit::Degraded,
        _ => plan,
    }
}

async fn serve_until_stopped(
    config: CoordinatorConfig,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
) -> anyhow::Result<Exit> {
    let server = GrpcServer::bind(address).await?;
    let stop = CancellationToken::new();
    let metrics = Arc::new(Metrics::default());
    let scraped = match metrics_address {
        Some(address) => Some(TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address} for metrics; choose another --metrics-listen")
        })?),
        None => None,
    };
    let serving = async {
        let plans = async {
            Box::pin(serve(config, server, Arc::clone(&metrics), stop.clone())).await?;
            anyhow::Ok(())
        };
        let scrapes = async {
            if let Some(listener) = scraped {
                serve_metrics(listener, metrics.clone(), stop.clone()).await?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(plans, scrapes).map(drop)
    };
    until_stopped(serving, &stop).await?;
    Ok(Exit::Success)
}
