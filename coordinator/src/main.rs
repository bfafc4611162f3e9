//! `mora-coordinator`: one plan for a CronJob or a shell, or a server that makes them on request.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use jiff::Timestamp;
use mora_coordinator::{
    CoordinatorConfig, Format, Workers, exit_of, render, run_gated, serve, write_whole,
};
use mora_runtime::{
    Exit, GrpcServer, init_telemetry, install_crypto_provider, load_config, report, until_stopped,
};
use tokio_util::sync::CancellationToken;

/// Makes one plan and ends. Exit codes: 0 complete, 1 failure, 2 wrong usage, 3 degraded (some workload
/// on its baseline), 4 violation (the demand does not fit under the cap).
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
}

#[tokio::main]
async fn main() -> Exit {
    init_telemetry();
    install_crypto_provider();
    report(started(Arguments::parse()).await)
}

async fn started(arguments: Arguments) -> anyhow::Result<Exit> {
    let config: CoordinatorConfig = load_config(arguments.config.as_deref())?;
    match arguments.listen {
        Some(address) => serve_until_stopped(config, address).await,
        None => plan_once(config, &arguments).await,
    }
}

async fn plan_once(config: CoordinatorConfig, arguments: &Arguments) -> anyhow::Result<Exit> {
    let outcome = run_gated(&Workers::once(config.fan_out), &config, Timestamp::now()).await?;
    let text = render(&outcome.plan, arguments.output)?;
    match &arguments.output_file {
        Some(path) => write_whole(path, &text)?,
        None => print!("{text}"),
    }
    Ok(exit_of(&outcome.plan))
}

async fn serve_until_stopped(
    config: CoordinatorConfig,
    address: SocketAddr,
) -> anyhow::Result<Exit> {
    let server = GrpcServer::bind(address).await?;
    let stop = CancellationToken::new();
    let serving = serve(config, server, stop.clone());
    until_stopped(serving, &stop).await?;
    Ok(Exit::Success)
}
