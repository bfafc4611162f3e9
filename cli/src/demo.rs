//! `mora demo`: the whole system in one process on a simulated shop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use mora_collector::{
    Collector, CollectorConfig, Lookback, SimulatedConfig, SimulatedSource, TrainingConfig, serve,
};
use mora_coordinator::{
    ClusterConfig, CoordinatorConfig, Format, Outcome, Workers, exit_of, render, run_gated,
    write_whole,
};
use mora_core::{Plan, Series, Signal, Step, WorkloadRef};
use mora_model_worker::WorkerConfig;
use mora_planning::{CpuPath, Policy, plan, statistical_plan};
use mora_runtime::{Exit, GrpcServer};
use mora_simulation::Boutique;
use tokio_util::sync::CancellationToken;

use crate::embedded::{EmbeddedWorkers, LOOPBACK};
use crate::gather::instant;
use crate::hindsight::{Hindsight, scheduled_cpu, static_cpu};
use crate::progress::{say, train_with_progress};
use crate::report::{Report, html};
use crate::stdout::print;

/// Options of `mora demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Days of history to simulate, from 3 to 90
    #[arg(long, default_value_t = 28, value_parser = clap::value_parser!(u32).range(3..=90))]
    days: u32,
    /// Seed of the simulation and of every fit
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Where the simulated history ends, an hour in RFC 3339
    #[arg(long, default_value = "2026-03-02T00:00:00Z", value_parser = instant)]
    end: Timestamp,
    /// Where the HTML report is written
    #[arg(long, default_value = "mora-demo.html")]
    report: PathBuf,
    /// Directory for the models; a temporary one, removed afterwards, when absent
    #[arg(long)]
    library: Option<PathBuf>,
    /// Folder to remember the plan in, for `mora explain` and `mora whatif`
    #[arg(long)]
    state: Option<PathBuf>,
    /// Output format: table, json or yaml
    #[arg(long, short, default_value_t = Format::Table)]
    output: Format,
}

/// Runs the demo; ends with the plan on standard output and the report's path on standard error.
pub(crate) async fn demo(arguments: DemoArguments) -> anyhow::Result<Exit> {
    let now = Step::HOUR.floor(arguments.end);
    let source = SimulatedSource::new(SimulatedConfig {
        seed: arguments.seed,
        ..SimulatedConfig::default()
    });
    let from = now - SignedDuration::from_hours(24 * i64::from(arguments.days));
    let boutique = source.boutique(&Lookback { from, to: now, step: Step::MINUTE })?;
    let outcome = Box::pin(run_system(&arguments, source, &boutique, now)).await?;
    let actual = next_day(&boutique, &outcome.plan, now);
    let report = Report {
        title: "A simulated Online Boutique",
        plan: &outcome.plan,
        evidence: &outcome.evidence,
        datasets: &outcome.datasets,
        actual: &actual,
        findings: &findings(&outcome, &actual),
    };
    print(&render(&outcome.plan, arguments.output)?)?;
    for finding in report.findings {
        say(finding);
    }
    write_whole(&arguments.report, &html(&report))?;
    say(&format!("report: {}", arguments.report.display()));
    Ok(exit_of(&outcome.plan))
}

async fn run_system(
    arguments: &DemoArguments,
    source: SimulatedSource,
    boutique: &Boutique,
    now: Timestamp,
) -> anyhow::Result<Outcome> {
    let temporary = tempfile::tempdir()?;
    let library = arguments.library.clone().unwrap_or_else(|| temporary.path().to_owned());
    let worker_config = WorkerConfig { library, ..WorkerConfig::default() };
    let graph = boutique.call_graph();
    let workloads: Vec<WorkloadRef> = graph.workloads().into_iter().cloned().collect();
    say(&format!("simulating {} days of {} microservices", arguments.days, workloads.len()));
    let (cpu_allocatable, memory_allocatable) = boutique.capacity();
    let workers = EmbeddedWorkers::start(workloads, &worker_config).await?;
    let collector =
        Arc::new(Collector::new(Box::new(source), collector_config(arguments, &workers)));
    collector.collect(now).await?;
    say("training one model-worker per microservice over gRPC on loopback");
    train_with_progress(&collector, now).await;
    let server = GrpcServer::bind(LOOPBACK).await?;
    let config = CoordinatorConfig {
        collector: Some(format!("http://{}", server.address())),
        workers: workers.endpoints().clone(),
        state: arguments.state.clone(),
        cluster: ClusterConfig {
            cpu_allocatable: Some(cpu_allocatable),
            memory_allocatable: Some(memory_allocatable),
            ..ClusterConfig::default()
        },
        ..CoordinatorConfig::default()
    };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(collector, server, stop.clone()));
    say("asking every worker for the next 24 hours and planning");
    let outcome = match &config.state {
        None => mora_coordinator::run(&config, now).await,
        Some(_) => run_gated(&Workers::once(&config)?, &config, now).await,
    };
    stop.cancel();
    serving.await??;
    workers.stop().await?;
    Ok(outcome?)
}

fn collector_config(arguments: &DemoArguments, workers: &EmbeddedWorkers) -> CollectorConfig {
    CollectorConfig {
        lookback_hours: arguments.days * 24,
        training: TrainingConfig {
            seed: arguments.seed,
            force: true,
            // All jobs may wait at the workers, which share this machine's processors.
            concurrency: 64,
            ..TrainingConfig::default()
        },
        workers: workers.endpoints().clone(),
        ..CollectorConfig::default()
    }
}

/// What the simulation goes on to use on the planned day: CPU in cores over all pods.
fn next_day(boutique: &Boutique, plan: &Plan, now: Timestamp) -> BTreeMap<WorkloadRef, Series> {
    let until = now + SignedDuration::from_hours(24);
    let observed = |workload: &WorkloadRef| boutique.observe(workload, Signal::Cpu, now, until);
    let workloads = plan.recommendations.iter().map(|r| &r.workload);
    workloads.filter_map(|w| Some((w.clone(), observed(w)?))).collect()
}

/// How the plan, the same plan by a quantile and the statistical baseline fare on the simulated next day.
fn findings(outcome: &Outcome, actual: &BTreeMap<WorkloadRef, Series>) -> Vec<String> {
    let baseline = statistical_plan("baseline", &outcome.evidence, &Policy::default());
    let policy = Policy { cpu_path: CpuPath::Quantile, ..Policy::default() };
    let by_quantile = plan("quantile", &outcome.evidence, &policy);
    let held = |plan: &Plan, scheduled: bool| {
        let mut hindsight = Hindsight::default();
        for recommendation in &plan.recommendations {
            let Some(usage) = actual.get(&recommendation.workload) else { continue };
            let request = |time| {
                if scheduled {
                    scheduled_cpu(recommendation, time)
                } else {
                    static_cpu(recommendation)
                }
            };
            hindsight.add(usage, request);
        }
        format!(
            "{:.2} cores requested per core used, usage above the request in {:.2} % of minutes",
            hindsight.overhead(),
            hindsight.under() * 100.0
        )
    };
    vec![
        format!("the simulated next day, hourly schedule: {}", held(&outcome.plan, true)),
        format!("the simulated next day, one request for the day: {}", held(&outcome.plan, false)),
        format!(
            "the simulated next day, hourly schedule by the {} quantile: {}",
            policy.quantile,
            held(&by_quantile, true)
        ),
        format!("the simulated next day, p95 baseline: {}", held(&baseline, false)),
    ]
}
