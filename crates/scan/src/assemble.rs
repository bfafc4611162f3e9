//! From advice to rows and a report.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use mora_core::{Bytes, Inventory, Millicores, OwnerAutoscaler};

use crate::observed::Observed;
use crate::queries::QuerySettings;
use crate::severity::{Severities, SeverityRule};
use crate::strategy::{Advice, Advised, Case, Strategy, kept_percent, krr};
use crate::{
    AutoscalerRow, Change, History, Prices, Proposed, ResourceRow, Row, SCHEMA, ScanReport,
    ScannedCluster, Selection, Severity, StrategyUsed, Summary,
};

/// What was found in one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterRows {
    /// Which.
    pub cluster: ScannedCluster,
    /// One per container.
    pub rows: Vec<Row>,
    /// Usage to draw by [`Row::key`]; may be empty.
    pub histories: BTreeMap<String, History>,
    /// What the reader should know, each a sentence.
    pub warnings: Vec<String>,
}

/// The rows of all containers of `inventory` by `strategy`, in its order.
#[must_use]
pub fn rows(
    inventory: &Inventory,
    observed: &Observed,
    settings: &QuerySettings,
    strategy: &Strategy,
    prices: &Prices,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for (index, item) in inventory.items.iter().enumerate() {
        for (name, container) in &item.containers {
            let observed = observed.container(index, name);
            let case = Case { item, container, observed, settings };
            let advice = strategy.advise(case);
            rows.push(row(case, name, advice, strategy.severity_rule(), prices));
        }
    }
    rows
}

/// The row of the container called `name` of `case`, for which `advice` was given.
#[must_use]
pub fn row(case: Case<'_>, name: &str, advice: Advice, rule: SeverityRule, prices: &Prices) -> Row {
    let (item, claim) = (case.item, &case.container.claim);
    let cpu_now = (claim.cpu_request, claim.cpu_limit);
    let memory_now = (claim.memory_request, claim.memory_limit);
    let cpu = rule.cpu(cpu_now, advice.cpu, item.replicas);
    let cpu = resource(cpu_now, advice.cpu, cpu, Millicores::get);
    let memory = rule.memory(memory_now, advice.memory, item.replicas, advice.memory_peak);
    let memory = resource(memory_now, advice.memory, memory, Bytes::get);
    let severities =
        [cpu.request.severity, cpu.limit.severity, memory.request.severity, memory.limit.severity];
    Row {
        cluster: None,
        namespace: item.owner.namespace.to_string(),
        kind: item.owner.kind.clone(),
        name: item.owner.name.to_string(),
        container: name.to_owned(),
        role: case.container.role,
        replicas: item.replicas,
        autoscaler: item.autoscaler.map(|scales| autoscaler(scales, &cpu)),
        strategy: advice.strategy,
        cost: prices.cost(&cpu, &memory, item.replicas),
        cpu,
        memory,
        severity: severities.into_iter().max().unwrap_or(Severity::Unknown),
        confidence: advice.confidence,
        notes: item.warnings.iter().cloned().chain(advice.notes).collect(),
    }
}

fn resource<Q: Copy>(
    (request, limit): (Option<Q>, Option<Q>),
    advised: Advised<Q>,
    severities: Severities,
    get: impl Fn(Q) -> u64,
) -> ResourceRow<Q> {
    let change = |current: Option<Q>, recommended: Proposed<Q>, severity| Change {
        current,
        recommended,
        change_percent: change_percent(current.map(&get), recommended.value().map(&get)),
        severity,
    };
    ResourceRow {
        request: change(request, advised.request, severities.request),
        limit: change(limit, advised.limit, severities.limit),
    }
}

/// By how many percent of `now` it becomes `new`, to a tenth; `None` where either is missing or `now` is nothing.
fn change_percent(now: Option<u64>, new: Option<u64>) -> Option<f64> {
    let (now, new) = (now.filter(|now| *now > 0)? as f64, new? as f64);
    Some(((new - now) / now * 1000.0).round() / 10.0)
}

fn autoscaler(scales: OwnerAutoscaler, cpu: &ResourceRow<Millicores>) -> AutoscalerRow {
    let advised = || {
        let (now, new) = (cpu.request.current?, cpu.request.recommended.value()?);
        kept_percent(scales.cpu_percent?, now.get(), new.get())
    };
    AutoscalerRow {
        min_replicas: scales.min_replicas,
        max_replicas: scales.max_replicas,
        cpu_percent: scales.cpu_percent,
        advised_cpu_percent: advised(),
    }
}

/// The report of `clusters`: the rows that `selection` shows, in its order. `created_at` is when it is made.
#[must_use]
pub fn assemble(
    clusters: Vec<ClusterRows>,
    strategy: StrategyUsed,
    settings: &QuerySettings,
    (selection, prices): (&Selection, &Prices),
    created_at: Timestamp,
) -> ScanReport {
    let several = clusters.len() > 1;
    let mut report = ScanReport {
        schema: SCHEMA.to_owned(),
        created_at,
        strategy,
        from: settings.start(),
        to: settings.end(),
        clusters: Vec::new(),
        summary: Summary::default(),
        rows: Vec::new(),
        warnings: Vec::new(),
        histories: BTreeMap::new(),
    };
    for found in clusters {
        let context = found.cluster.context.clone().filter(|_| several);
        for mut row in found.rows {
            let key = row.key();
            row.cluster.clone_from(&context);
            if let Some(history) = found.histories.get(&key) {
                report.histories.insert(row.key(), history.clone());
            }
            report.rows.push(row);
        }
        let of = context.map(|context| format!("{context}: ")).unwrap_or_default();
        report.warnings.extend(found.warnings.iter().map(|warning| format!("{of}{warning}")));
        report.clusters.push(found.cluster);
    }
    if settings.dialect.is_krr() && !report.rows.is_empty() {
        let severities: Vec<Severity> = report.rows.iter().map(|row| row.severity).collect();
        let (score, letter) = krr::score(&severities);
        report.warnings.push(format!("KRR's score is {score} of 100 ({letter})."));
    }
    report.summary = summary(&report.rows, prices);
    report.summary.hidden = selection.arrange(&mut report.rows);
    if report.summary.hidden > 0 {
        report.warnings.push(format!(
            "{} of the {} containers are not shown; counts and sums are over all of them.",
            report.summary.hidden, report.summary.containers
        ));
    }
    let shown: BTreeSet<String> = report.rows.iter().map(Row::key).collect();
    report.histories.retain(|key, _| shown.contains(key));
    report
}

/// Counts and sums over `rows`.
#[must_use]
pub fn summary(rows: &[Row], prices: &Prices) -> Summary {
    let owners: BTreeSet<_> =
        rows.iter().map(|row| (row.cluster.as_deref(), row.owner())).collect();
    let mut severities = BTreeMap::new();
    for row in rows {
        *severities.entry(row.severity).or_insert(0) += 1;
    }
    let current =
        rows.iter().map(|row| (row.cpu.request.current, row.memory.request.current, row.replicas));
    let recommended =
        rows.iter().map(|row| (row.cpu.request.then(), row.memory.request.then(), row.replicas));
    Summary {
        workloads: owners.len(),
        containers: rows.len(),
        severities,
        current: prices.totals(current),
        recommended: prices.totals(recommended),
        currency: prices.currency.clone(),
        hidden: 0,
    }
}
