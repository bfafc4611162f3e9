//! Forecasts laid over what usage alone recommends.

use std::collections::BTreeSet;

use mora_coordinator::Outcome;
use mora_core::{OwnerRef, Plan, Recommendation, Source};
use mora_scan::{Advice, Case, ClusterRows, ConfidenceLevel, History, Proposed, SeverityRule, row};

use super::scan::Scanned;
use crate::gather::{RecommendConfig, collect, merge_cluster, predictive};
use crate::progress::say;

/// Forecasts the workloads of `scanned` that have models, plans them together, and lays their rows over `rows`.
///
/// What has no model (a Job, say, or what was never observed) keeps its row. `None` where nothing has one.
pub(super) async fn lay_over(
    config: &RecommendConfig,
    scanned: &Scanned,
    rows: &mut ClusterRows,
) -> anyhow::Result<Option<Plan>> {
    let mut config = config.clone();
    config.prometheus = scanned.prometheus.clone();
    config.prometheus.namespaces = namespaces(scanned);
    config.cluster.kubernetes = scanned.has_cluster;
    config.cluster.context.clone_from(&scanned.shown.context);
    if config.prometheus.namespaces.is_empty() {
        say("no workload of a kind that is forecast was observed; usage alone decides");
        return Ok(None);
    }
    let now = scanned.settings.at;
    let mut datasets = collect(&config, now).await?;
    if scanned.has_cluster {
        merge_cluster(&config, &mut datasets, now).await?;
    }
    let selected: BTreeSet<&OwnerRef> =
        scanned.inventory.items.iter().map(|item| &item.owner).collect();
    datasets.retain(|workload, _| selected.contains(&OwnerRef::from(workload)));
    let Outcome { plan, .. } = predictive(&config, datasets, now).await?;
    for recommendation in &plan.recommendations {
        lay_one_over(&config, scanned, recommendation, rows);
    }
    rows.warnings.extend(plan.warnings.iter().cloned());
    Ok(Some(plan))
}

/// Namespaces with a workload that can be forecast and was observed.
fn namespaces(scanned: &Scanned) -> Vec<String> {
    let items = scanned.inventory.items.iter().enumerate();
    let observed = items.filter(|(index, item)| {
        let has = |name: &str| scanned.observed.container(*index, name).is_some();
        item.owner.workload().is_some() && item.containers.iter().any(|(name, _)| has(name))
    });
    let names: BTreeSet<String> =
        observed.map(|(_, item)| item.owner.namespace.to_string()).collect();
    names.into_iter().collect()
}

fn lay_one_over(
    config: &RecommendConfig,
    scanned: &Scanned,
    recommendation: &Recommendation,
    rows: &mut ClusterRows,
) {
    let owner = OwnerRef::from(&recommendation.workload);
    let container = &recommendation.container;
    let Some(case) = case(scanned, &owner, container) else { return };
    let mut new =
        row(case, container, advice(config, case, recommendation), SeverityRule::Own, &config.cost);
    if let (Some(scales), Some(advised)) = (&mut new.autoscaler, recommendation.autoscaler) {
        scales.advised_cpu_percent = Some(advised.target_percent);
    }
    let key = new.key();
    if let Some(old) = rows.rows.iter_mut().find(|row| row.key() == key) {
        draw(&mut rows.histories, &key, recommendation, config.output.has_plots());
        *old = new;
    }
}

fn case<'a>(scanned: &'a Scanned, owner: &OwnerRef, name: &str) -> Option<Case<'a>> {
    let index = scanned.inventory.items.iter().position(|item| item.owner == *owner)?;
    let item = &scanned.inventory.items[index];
    let (_, container) = item.containers.iter().find(|(known, _)| **known == *name)?;
    let observed = scanned.observed.container(index, name);
    Some(Case { item, container, observed, settings: &scanned.settings })
}

/// What the plan says of a container, as advice.
fn advice(config: &RecommendConfig, case: Case<'_>, recommendation: &Recommendation) -> Advice {
    let Recommendation { cpu, memory, limits, justification, .. } = recommendation;
    let peak = case.observed.and_then(mora_scan::ContainerObserved::memory_peak);
    let peak = peak.and_then(|bytes| mora_core::Bytes::from_measured(bytes).ok());
    let requests = (Some(cpu.target), Some(memory.target), peak);
    let notes = notes(recommendation);
    let mut advice =
        config.statistical.with_requests(case, strategy(&recommendation.source), requests, notes);
    advice.cpu.limit = limits.cpu.target.map_or(Proposed::Unset, Proposed::Value);
    advice.memory.limit = limits.memory.target.map_or(Proposed::Unset, Proposed::Value);
    advice.confidence.coverage = justification.observed_coverage;
    if justification.origins > 0 {
        advice.confidence.origins = Some(justification.origins);
        advice.confidence.level = ConfidenceLevel::High;
    }
    advice
}

const fn strategy(source: &Source) -> &'static str {
    match source {
        Source::Forecast { rung, .. } => rung.as_str(),
        Source::Baseline { .. } => "baseline",
        Source::Statistical => "statistical",
    }
}

fn notes(recommendation: &Recommendation) -> Vec<String> {
    let reason = match &recommendation.source {
        Source::Baseline { reason } => Some(format!("It is on its baseline: {reason}.")),
        Source::Forecast { .. } | Source::Statistical => None,
    };
    reason.into_iter().chain(recommendation.justification.notes.iter().cloned()).collect()
}

/// Adds the schedule of a forecast to what is drawn.
fn draw(
    histories: &mut std::collections::BTreeMap<String, History>,
    key: &str,
    recommendation: &Recommendation,
    plots: bool,
) {
    if !plots {
        return;
    }
    let history = histories.entry(key.to_owned()).or_default();
    let schedule = &recommendation.schedule;
    history.cpu_forecast = schedule.iter().map(|slot| (slot.start, slot.cpu.cores())).collect();
    history.memory_forecast =
        schedule.iter().map(|slot| (slot.start, slot.memory.get() as f64)).collect();
}
