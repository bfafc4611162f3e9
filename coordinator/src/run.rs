//! One planning run: gather, ask, decide.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use mora_core::{
    CallGraph, ClusterState, Dataset, Plan, PlanStatus, Quantile, ResourceClaim, WorkloadRef,
};
use mora_discovery::discover;
use mora_kubernetes::{Cluster, ClusterError};
use mora_runtime::TlsError;
use thiserror::Error;

use crate::client::{CollectorError, fetch_datasets};
use mora_planning::{
    Evidence, ForecastRequest, GraphError, assemble_graph, declared_by_hosts, declared_graph,
    drift_warnings, observe, plan,
};

use crate::cluster::{connect, look_at, tell};
use crate::fan_out::{Answers, Endpoint};
use crate::rules::{Rules, rules};
use crate::{CoordinatorConfig, StoreError, Workers};

const COLLECTOR_DEADLINE: Duration = Duration::from_secs(30);

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum RunError {
    /// Nothing names a workload.
    #[error(
        "there is no workload to plan for; set `collector`, `workers.endpoints`, `workers.discovery` or `workloads`"
    )]
    NoWorkloads,
    /// The collector gives no data and no worker is configured to forecast without it.
    #[error(transparent)]
    Collector(#[from] CollectorError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The call graph file cannot be read.
    #[error("cannot read the call graph file {}; check the key `call_graph`", path.display())]
    ReadGraph {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The call graph file cannot be understood.
    #[error("the call graph file {} cannot be used", path.display())]
    Graph {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: GraphError,
    },
    /// The cluster cannot be read.
    #[error("cannot read what the cluster allows")]
    Cluster(#[from] ClusterError),
    /// The plan cannot be remembered.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing answered: neither a forecast nor usage of any workload.
    #[error("no worker answered and no usage is known, so nothing can be recommended: {0}")]
    Nothing(String),
}

/// A plan and what it was made of.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The plan.
    pub plan: Plan,
    /// The evidence, from which the plan can be made again.
    pub evidence: Evidence,
    /// The histories behind the evidence.
    pub datasets: BTreeMap<WorkloadRef, Dataset>,
    /// The rules it was made under.
    pub rules: Rules,
    /// The connection to the cluster, where there is one.
    pub cluster: Option<Cluster>,
}

/// Makes one plan at `now` with usage from the configured collector.
///
/// A collector that cannot be reached is fatal only when no worker is configured either; a worker
/// that cannot be reached puts its workload on the baseline. Fails when nothing can be recommended.
pub async fn run(config: &CoordinatorConfig, now: Timestamp) -> Result<Outcome, RunError> {
    run_asking(&Workers::once(config)?, config, now).await
}

/// Makes one plan as [`run`] does, and asks `workers`, which live on after it.
pub async fn run_asking(
    workers: &Workers,
    config: &CoordinatorConfig,
    now: Timestamp,
) -> Result<Outcome, RunError> {
    let mut warnings = Vec::new();
    let datasets = match &config.collector {
        None => BTreeMap::new(),
        Some(endpoint) => {
            match fetch_datasets(endpoint, workers.security(), COLLECTOR_DEADLINE).await {
                Ok(datasets) => datasets,
                Err(error) if !config.workers.names_workers() && config.workloads.is_empty() => {
                    return Err(error.into());
                }
                Err(error) => {
                    warnings.push(format!("planned without usage history: {error}"));
                    BTreeMap::new()
                }
            }
        }
    };
    let mut outcome = Box::pin(plan_asking(workers, config, datasets, now)).await?;
    if !warnings.is_empty() {
        outcome.plan.warnings.extend(warnings);
        outcome.plan.status = outcome.plan.status.max(PlanStatus::Degraded);
    }
    Ok(outcome)
}

/// Makes one plan at `now` from `datasets` and the configured workers; fails as [`run`] does.
pub async fn run_with(
    config: &CoordinatorConfig,
    datasets: BTreeMap<WorkloadRef, Dataset>,
    now: Timestamp,
) -> Result<Outcome, RunError> {
    Box::pin(plan_asking(&Workers::once(config)?, config, datasets, now)).await
}

async fn plan_asking(
    workers: &Workers,
    config: &CoordinatorConfig,
    mut datasets: BTreeMap<WorkloadRef, Dataset>,
    now: Timestamp,
) -> Result<Outcome, RunError> {
    let found = discover(&config.workers, workers.security()).await;
    let connected = connect(config).await?;
    let ruled = rules(config, &connected).await;
    let policy = ruled.rules.policy.clone();
    let config = &CoordinatorConfig { workers: found.workers, policy, ..config.clone() };
    let workloads = workloads(config, &datasets);
    if workloads.is_empty() {
        return Err(RunError::NoWorkloads);
    }
    let (slot, slots) = (config.slot(), config.slots());
    let start = slot.floor(now);
    let risk_price = config.policy.risk_price;
    let request = ForecastRequest { start, slot, slots, quantiles: quantiles(config), risk_price };
    let forecasts = ask(workers, config, &workloads, &request).await;
    let cluster = connected.ok();
    let allowed = look_at(config, cluster.as_ref(), &workloads).await?;
    if let Some(state) = &allowed.state {
        claim_as_deployed(&mut datasets, state);
    }
    let graph = call_graph(config, &datasets, allowed.state.as_ref())?;
    let observed = observe(&datasets, &graph, &config.policy, (now, slot));
    let capacity = allowed.capacity;
    let evidence = Evidence {
        observed,
        forecasts,
        graph,
        capacity,
        cluster: allowed.state,
        now,
        start,
        slot,
        slots,
    };
    let id = now.strftime("%Y%m%dT%H%M%S%3fZ").to_string();
    let mut plan = plan(&id, &evidence, &config.policy);
    plan.warnings.extend(found.warnings);
    ruled.note(&mut plan);
    plan.warnings.extend(drift_warnings(&evidence.graph));
    if plan.recommendations.is_empty() {
        return Err(RunError::Nothing(plan.warnings.join(" ")));
    }
    let untold = tell(config, cluster.as_ref(), &plan, now).await;
    plan.warnings.extend(untold);
    Ok(Outcome { plan, evidence, datasets, rules: ruled.rules, cluster })
}

/// What the collector does not know to be claimed is claimed as the workload states it: a claim that is not known would be
/// taken for one that is not there, and a lower one set at once.
fn claim_as_deployed(datasets: &mut BTreeMap<WorkloadRef, Dataset>, state: &ClusterState) {
    for (workload, dataset) in datasets {
        let Some(deployed) = state.workloads.get(workload) else { continue };
        for (name, usage) in &mut dataset.containers {
            if usage.claim == ResourceClaim::default() {
                usage.claim = deployed.containers.get(name).copied().unwrap_or_default();
            }
        }
    }
}

fn workloads(
    config: &CoordinatorConfig,
    datasets: &BTreeMap<WorkloadRef, Dataset>,
) -> BTreeSet<WorkloadRef> {
    let listed = config.workers.endpoints.keys();
    datasets.keys().chain(listed).chain(&config.workloads).cloned().collect()
}

/// The median shows how much of a request is margin; the others are what bounds and requests are made of.
fn quantiles(config: &CoordinatorConfig) -> Vec<Quantile> {
    let fixed = [0.5, 0.9, 0.95, 0.99].into_iter().filter_map(|q| Quantile::new(q).ok());
    let all: BTreeSet<Quantile> = fixed.chain([config.policy.quantile]).collect();
    all.into_iter().collect()
}

async fn ask(
    workers: &Workers,
    config: &CoordinatorConfig,
    workloads: &BTreeSet<WorkloadRef>,
    request: &ForecastRequest,
) -> Answers {
    let endpoint = |w: &WorkloadRef| Some((w.clone(), Endpoint(config.workers.resolve(w)?)));
    let known: BTreeMap<_, _> = workloads.iter().filter_map(endpoint).collect();
    let reason = "no worker is configured for it; see `workers` in the configuration";
    let unknown = workloads.iter().filter(|workload| !known.contains_key(workload));
    let unknown: Vec<_> = unknown.map(|w| (w.clone(), Err(reason.to_owned()))).collect();
    let mut forecasts = workers.ask(known, request).await;
    forecasts.extend(unknown);
    forecasts
}

fn call_graph(
    config: &CoordinatorConfig,
    datasets: &BTreeMap<WorkloadRef, Dataset>,
    cluster: Option<&ClusterState>,
) -> Result<CallGraph, RunError> {
    let file = match config.call_graph.clone() {
        Some(path) => read_call_graph(path)?,
        None => CallGraph::default(),
    };
    let deployed = cluster.into_iter().flat_map(|cluster| &cluster.workloads);
    let hosts =
        deployed.map(|(workload, deployed)| (workload.clone(), deployed.callee_hosts.clone()));
    let declared = declared_by_hosts(&hosts.collect());
    Ok(assemble_graph(datasets, &declared, &file))
}

/// The call graph written in the file `path`; fails when that cannot be read or understood.
pub fn read_call_graph(path: PathBuf) -> Result<CallGraph, RunError> {
    let text = std::fs::read_to_string(&path)
        .map_err(|source| RunError::ReadGraph { path: path.clone(), source })?;
    declared_graph(&text).map_err(|source| RunError::Graph { path, source })
}

#[cfg(test)]
mod tests {
    use mora_core::{Bytes, ContainerUsage, Deployed, Millicores};

    use super::*;

    #[test]
    fn what_the_collector_does_not_know_is_claimed_as_deployed() {
        let workload: WorkloadRef = "shop/cart".parse().unwrap();
        let known = ResourceClaim {
            memory_request: Some(Bytes::from_mebibytes(64)),
            ..ResourceClaim::default()
        };
        let stated =
            ResourceClaim { cpu_request: Some(Millicores::new(100)), ..ResourceClaim::default() };
        let mut dataset = Dataset::new(workload.clone());
        for (name, claim) in [("server", ResourceClaim::default()), ("proxy", known)] {
            let usage = ContainerUsage { claim, ..ContainerUsage::default() };
            dataset.containers.insert(name.to_owned(), usage);
        }
        let containers = ["server", "proxy"].map(|name| (name.to_owned(), stated)).into();
        let deployed = Deployed { containers, ..Deployed::default() };
        let state = ClusterState {
            workloads: [(workload.clone(), deployed)].into(),
            ..ClusterState::default()
        };
        let mut datasets = BTreeMap::from([(workload.clone(), dataset)]);
        claim_as_deployed(&mut datasets, &state);
        let containers = &datasets[&workload].containers;
        assert_eq!((containers["server"].claim, containers["proxy"].claim), (stated, known));
    }
}
