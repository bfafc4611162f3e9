//! `mora`: forecasts and coordinated recommendations from one command.

mod apply;
mod backtest;
mod completions;
mod config;
mod connect;
mod crds;
mod demo;
mod doctor;
mod embedded;
mod evaluate;
mod explain;
mod failure;
mod gather;
mod graph;
mod hindsight;
mod known_plan;
mod man;
mod models;
mod progress;
mod recommend;
mod reference;
mod refusal;
mod report;
mod rollback;
mod stdout;
mod train;
mod tree;
mod version;
mod whatif;

use anyhow::Context;
use clap::{FromArgMatches, Parser, Subcommand};
use mora_runtime::{Exit, init_telemetry, install_crypto_provider};
use tokio::runtime::{Builder, Runtime};

/// Forecasts what each microservice will need and recommends CPU, memory and replicas together
#[derive(Debug, Parser)]
#[command(name = "mora", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole system on a simulated shop, in one process, with nothing installed
    Demo(demo::DemoArguments),
    /// Recommend requests for workloads from their history in a Prometheus
    Recommend(Box<recommend::RecommendArguments>),
    /// Say whether a Prometheus has what is needed, and what to do where it has not
    Doctor(Box<doctor::DoctorArguments>),
    /// Show who calls whom and how often, and how that is known
    Graph(graph::GraphArguments),
    /// Say why a workload's numbers are what they are
    Explain(Box<explain::ExplainArguments>),
    /// Show the plan if more or less load came in
    Whatif(Box<whatif::WhatIfArguments>),
    /// Put a plan in force: in pod templates, running pods, VerticalPodAutoscalers or files
    Apply(Box<apply::ApplyArguments>),
    /// Undo what was changed for a plan
    Rollback(rollback::RollbackArguments),
    /// Judge MOrA and simpler rules on recorded series of your own, day by day
    Backtest(Box<backtest::BacktestArguments>),
    /// Compare MOrA with other ways to size an application, in closed loop on a simulated cluster
    Evaluate(evaluate::EvaluateArguments),
    /// Look at, compare, roll back, export and prune the versions of a model library
    Models(models::ModelsArguments),
    /// Make data that models can be trained on
    Train(train::TrainArguments),
    /// Print the definitions of MOrA's custom resources, for `kubectl apply -f -`
    Crds,
    /// Show, check or begin a configuration
    Config(config::ConfigArguments),
    /// Print what a shell needs to complete commands and options
    Completions(completions::CompletionsArguments),
    /// Print or write manual pages
    Man(man::ManArguments),
    /// Show facts about this build
    Version(version::VersionArguments),
    /// Print a reference document
    #[command(hide = true)]
    Reference(reference::ReferenceArguments),
}

fn main() -> Exit {
    if std::env::var_os("MORA_LOG").is_some() {
        init_telemetry();
    }
    install_crypto_provider();
    let matches = tree::tree().try_get_matches();
    let matches = matches.unwrap_or_else(|error| refusal::advised(error).exit());
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let runtime = runtime(&arguments.command);
    failure::report(runtime.and_then(|runtime| runtime.block_on(Box::pin(run(arguments.command)))))
}

/// What the command runs in. A scan waits for others most of its time, and its memory grows with the number of threads.
fn runtime(command: &Command) -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if matches!(command, Command::Recommend(_)) {
        builder.worker_threads(1);
    }
    let built = builder.enable_all().build();
    built.context("no threads can be started; raise the limits of processes and open files (ulimit -u, ulimit -n)")
}

async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(arguments) => demo::demo(arguments).await,
        Command::Recommend(arguments) => recommend::recommend(*arguments).await,
        Command::Doctor(arguments) => doctor::doctor(*arguments).await,
        Command::Graph(arguments) => Box::pin(graph::graph(arguments)).await,
        Command::Explain(arguments) => explain::explain(*arguments).await,
        Command::Whatif(arguments) => whatif::whatif(*arguments).await,
        Command::Apply(arguments) => apply::apply(*arguments).await,
        Command::Rollback(arguments) => rollback::rollback(arguments).await,
        Command::Backtest(arguments) => backtest::backtest(*arguments).await,
        Command::Evaluate(arguments) => Box::pin(evaluate::evaluate(arguments)).await,
        Command::Models(arguments) => models::models(arguments),
        Command::Train(arguments) => train::train(arguments).await,
        Command::Crds => crds::crds(),
        Command::Config(arguments) => config::config(arguments),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Man(arguments) => man::man(&arguments),
        Command::Version(arguments) => version::version(&arguments),
        Command::Reference(arguments) => reference::reference(&arguments),
    }
}
