//! `mora recommend`: what every container of a cluster should request, by its past or its forecast.

mod asking;
mod forecast;
mod planned;
mod scan;
mod seen;
mod settings;
mod written;

use jiff::Timestamp;
use mora_coordinator::exit_of;
use mora_core::{Plan, PlanStatus};
use mora_runtime::Exit;
use mora_scan::{ClusterRows, Severity, assemble};

pub(crate) use self::asking::ScanConfig;
use self::scan::scan;
use self::settings::Format;
pub(crate) use self::settings::{
    OutputConfig, RecommendArguments, RuleArguments, SelectionArguments, StrategyName,
};
use crate::gather::RecommendConfig;
use crate::progress::say;

/// What was found in one cluster.
struct Found {
    rows: ClusterRows,
    /// What forecasts were planned into.
    plan: Option<Plan>,
}

/// Runs the command; what it found goes to standard output or to a file, everything else to standard error.
pub(crate) async fn recommend(arguments: RecommendArguments) -> anyhow::Result<Exit> {
    let config = arguments.layered()?;
    config.output.check()?;
    let now = config.now();
    let mut found = Vec::new();
    for context in contexts(&config) {
        found.push(Box::pin(in_cluster(&config, context, now)).await?);
    }
    if found.iter().all(|found| found.rows.rows.is_empty()) {
        return Ok(nothing(&found));
    }
    let exit = ended(&config, &found);
    write(&config, found, now)?;
    Ok(exit)
}

/// The contexts to scan; `None` is the current one.
fn contexts(config: &RecommendConfig) -> Vec<Option<String>> {
    if config.contexts.is_empty() {
        return vec![config.cluster.context.clone()];
    }
    let mut contexts: Vec<Option<String>> = Vec::new();
    for context in config.contexts.iter().cloned().map(Some) {
        if !contexts.contains(&context) {
            contexts.push(context);
        }
    }
    contexts
}

async fn in_cluster(
    config: &RecommendConfig,
    context: Option<String>,
    now: Timestamp,
) -> anyhow::Result<Found> {
    let scanned = scan(config, context, now).await?;
    let mut rows = scanned.rows(config);
    let plan = match config.strategy {
        StrategyName::Predictive => forecast::lay_over(config, &scanned, &mut rows).await?,
        StrategyName::Statistical | StrategyName::Krr => None,
    };
    Ok(Found { rows, plan })
}

fn nothing(found: &[Found]) -> Exit {
    found.iter().flat_map(|found| &found.rows.warnings).for_each(|warning| say(warning));
    say(
        "nothing was scanned: no workload is left by the selection; see --namespace, --kind, --name and --selector, and `kubectl get deployments -A`",
    );
    Exit::Nothing
}

/// How the command ends once everything is written.
fn ended(config: &RecommendConfig, found: &[Found]) -> Exit {
    let rows = || found.iter().flat_map(|found| &found.rows.rows);
    if config.fail_on.is_some_and(|least| rows().any(|row| row.severity >= least)) {
        return Exit::Severe;
    }
    if rows().all(|row| row.severity == Severity::Unknown) {
        say("nothing can be recommended: no container has a history; see `mora doctor`");
        return Exit::Nothing;
    }
    let worst = found.iter().filter_map(|found| found.plan.as_ref()).max_by_key(|plan| plan.status);
    worst.map_or(Exit::Success, exit_of)
}

fn write(config: &RecommendConfig, found: Vec<Found>, now: Timestamp) -> anyhow::Result<()> {
    if config.output.format == Format::Plan {
        let plan = planned::plan(found, now)?;
        if plan.status != PlanStatus::Complete {
            plan.warnings.iter().for_each(|warning| say(warning));
        }
        return written::write_plan(&config.output, &plan);
    }
    let settings = scan::query_settings(config, now);
    let clusters = found.into_iter().map(|found| found.rows).collect();
    let shown = (&config.selection, &config.cost);
    let report = assemble(clusters, scan::strategy_used(config), &settings, shown, now);
    written::write_report(config, &report)
}
