//! A small application with the shape of the Online Boutique, for tests that need real processes under load.
//!
//! `boutique serve SERVICE` is one process of one service; `boutique run` starts all of them, balances connections over
//! their replicas, scales them, and tells what a cluster's metrics would tell.

mod bounded;
mod effort;
mod exchange;
mod frontend;
mod generated_names;
mod meter;
mod money;
mod peer;
mod process_usage;
mod serve;
mod service_name;
mod shop;
mod stop;
mod supervisor;

/// Generated messages, clients and servers of package `boutique.v1`.
#[allow(missing_docs, unreachable_pub, dead_code, clippy::pedantic)]
mod wire {
    tonic::include_proto!("boutique.v1");
}

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The test application.
#[derive(Debug, Parser)]
#[command(name = "boutique", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One process of one service.
    Serve(serve::ServeArguments),
    /// All services as processes of this machine, with balancers, a control API and metrics.
    Run(supervisor::RunArguments),
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    log_to_standard_error();
    // An error says that one is installed already, which serves as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match arguments.command {
            Command::Serve(arguments) => serve::serve(arguments).await.map_err(Into::into),
            Command::Run(arguments) => supervisor::run(arguments).await.map_err(Into::into),
        }
    })
}

/// `BOUTIQUE_LOG` filters, `warn` without it: eleven processes share one standard error.
fn log_to_standard_error() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BOUTIQUE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
