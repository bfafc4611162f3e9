//! `mora recommend`: recommendations from a real Prometheus and, where there is one, a cluster.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use mora_coordinator::{Format, Outcome, Rules, exit_of, render, write_whole};
use mora_core::{Dataset, WorkloadRef};
use mora_planning::{observe, statistical_plan};
use mora_runtime::Exit;

use crate::gather::{
    Gathered, RecommendConfig, SourceArguments, coordinator_config, gather, predictive,
};
use crate::progress::say;
use crate::report::{Report, html};

/// How requests are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Strategy {
    /// A percentile of CPU and the maximum of memory plus a margin
    Statistical,
    /// The forecast of the next day, from running workers or trained here
    Predictive,
}

/// Options of `mora recommend`.
#[derive(Debug, Args)]
pub(crate) struct RecommendArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// How requests are computed
    #[arg(long, value_enum, default_value_t = Strategy::Statistical)]
    strategy: Strategy,
    /// Output format: table, json or yaml
    #[arg(long, short, default_value_t = Format::Table)]
    output: Format,
    /// Also write an HTML report with plots to this file
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Runs the command; the plan goes to standard output.
pub(crate) async fn recommend(arguments: RecommendArguments) -> anyhow::Result<Exit> {
    let Gathered { config, datasets, now } = gather(&arguments.source).await?;
    let outcome = match arguments.strategy {
        Strategy::Statistical => statistical(&config, datasets, now).await?,
        Strategy::Predictive => predictive(&config, datasets, now).await?,
    };
    print!("{}", render(&outcome.plan, arguments.output)?);
    if let Some(path) = &arguments.report {
        let (actual, findings) = (BTreeMap::new(), Vec::new());
        let Outcome { plan, evidence, datasets, .. } = &outcome;
        let report = Report {
            title: "Recommendations",
            plan,
            evidence,
            datasets,
            actual: &actual,
            findings: &findings,
        };
        write_whole(path, &html(&report))?;
        say(&format!("report: {}", path.display()));
    }
    Ok(exit_of(&outcome.plan))
}

async fn statistical(
    config: &RecommendConfig,
    datasets: BTreeMap<WorkloadRef, Dataset>,
    now: Timestamp,
) -> anyhow::Result<Outcome> {
    let managed = datasets.keys().cloned().collect();
    let coordinator = coordinator_config(config, &config.workers);
    let allowed = mora_coordinator::look(&coordinator, &managed).await?;
    let slot = coordinator.slot();
    let graph = mora_core::CallGraph::default();
    let evidence = mora_planning::Evidence {
        observed: observe(&datasets, &graph, &config.policy, (now, slot)),
        forecasts: BTreeMap::new(),
        graph,
        capacity: allowed.capacity,
        cluster: allowed.state,
        now,
        start: slot.floor(now),
        slot,
        slots: coordinator.slots(),
    };
    let plan = statistical_plan("statistical", &evidence, &config.policy);
    let rules = Rules { policy: config.policy.clone(), ..Rules::default() };
    Ok(Outcome { plan, evidence, datasets, rules, cluster: None })
}
