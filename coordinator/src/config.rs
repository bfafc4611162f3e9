//! The coordinator's configuration.

use std::path::PathBuf;
use std::time::Duration;

use mora_apply::ApplyConfig;
use mora_core::{Bytes, Millicores, Step, WorkloadRef};
use mora_runtime::{ApiConfig, ServerLimits, TlsConfig, WorkerEndpoints};
use serde::{Deserialize, Serialize};

use mora_planning::Policy;

use crate::FanOutLimits;

/// The namespace MOrA is installed in where nothing else is stated.
const NAMESPACE: &str = "mora";

/// Whom to ask and what to allow; see `docs/configuration.md`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CoordinatorConfig {
    /// Address of the collector (`http://host:port`), which gives usage and current requests.
    pub collector: Option<String>,
    /// Where workers listen.
    pub workers: WorkerEndpoints,
    /// Workloads to plan for besides those the collector knows and those listed with an endpoint.
    pub workloads: Vec<WorkloadRef>,
    /// YAML file of call ratios; absent means that they are learned from what callers were seen to send.
    pub call_graph: Option<PathBuf>,
    /// What the cluster can give.
    pub cluster: ClusterConfig,
    /// Quantile, cap, bounds and priorities.
    pub policy: Policy,
    /// How far to plan, in hours, from 1 to 168.
    pub horizon_hours: u32,
    /// Width of a slot in seconds; that of the workers' models.
    pub slot_seconds: u32,
    /// Folder of the last plans and of what the change gate remembers; absent means that nothing is remembered.
    pub state: Option<PathBuf>,
    /// Plans kept in that folder, at least 2.
    pub keep_plans: usize,
    /// How workers are asked.
    pub fan_out: FanOutConfig,
    /// Certificates; absent for plain text.
    pub tls: Option<TlsConfig>,
    /// Who may ask the server for plans.
    pub api: ApiConfig,
    /// What the server takes from its clients at most.
    pub limits: ServerLimits,
    /// How plans are put in force; nothing is without `--apply`, unless this permits it.
    pub apply: ApplyConfig,
}

/// What the cluster can give.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterConfig {
    /// Read nodes and pods from the Kubernetes API.
    pub kubernetes: bool,
    /// Context of the kubeconfig; absent means the current one, or the pod's own service account.
    pub context: Option<String>,
    /// Write an Event for each violation on the workload it concerns, and for each workload of which a request changes.
    pub events: bool,
    /// Write each plan as an object to the cluster; absent means that none is written.
    pub plans: Option<PlansConfig>,
    /// The policy of the cluster, which overlays that of the configuration; absent means that none is read.
    pub policy: Option<PolicyConfig>,
    /// CPU that can be requested on all nodes, where Kubernetes is not asked.
    pub cpu_allocatable: Option<Millicores>,
    /// Memory that can be requested on all nodes, where Kubernetes is not asked.
    pub memory_allocatable: Option<Bytes>,
}

/// Where plans are written as objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlansConfig {
    /// Namespace they are written to.
    pub namespace: String,
    /// Plans kept there, at least 1.
    pub keep: usize,
}

impl Default for PlansConfig {
    fn default() -> Self {
        Self { namespace: NAMESPACE.to_owned(), keep: 24 }
    }
}

/// Which object states the policy of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { namespace: NAMESPACE.to_owned(), name: "default".to_owned() }
    }
}

/// How workers are asked; see `docs/configuration.md`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FanOutConfig {
    /// Longest wait for one answer, in milliseconds.
    pub per_call_ms: u64,
    /// Longest wait for all answers, in milliseconds.
    pub overall_ms: u64,
    /// Workers asked at once.
    pub concurrency: usize,
    /// Further tries after a transient failure.
    pub retries: u32,
    /// Further tries for all workers together, as a share of their number from 0 to 1; ten are always allowed.
    pub retry_share: f64,
    /// A worker is asked a second time when it takes this many times as long as nineteen in twenty of the others; 0 for never.
    pub hedge_factor: f64,
    /// Second calls for all workers together, as a share of their number.
    pub hedge_share: f64,
    /// Share of workers that must have answered before the time of the rest is bounded; 1 for never.
    pub straggler_share: f64,
    /// The rest have this many times as long as that share took, while answers come.
    pub straggler_factor: f64,
    /// The least the rest have beyond that share, in milliseconds, where a hundred answered; a third where 300 did, ten
    /// times as long where ten did.
    pub straggler_least_ms: u64,
    /// Failures in a row after which a worker is left alone; 0 for never.
    pub breaker_failures: u32,
    /// How long it is left alone before it is tried again, in milliseconds.
    pub breaker_pause_ms: u64,
    /// Connections a server keeps open from one plan to the next.
    pub kept_connections: usize,
}

impl Default for FanOutConfig {
    fn default() -> Self {
        let limits = FanOutLimits::default();
        let millis = |duration: Duration| duration.as_millis() as u64;
        Self {
            per_call_ms: millis(limits.per_call),
            overall_ms: millis(limits.overall),
            concurrency: limits.concurrency,
            retries: limits.retries,
            retry_share: limits.retry_share,
            hedge_factor: limits.hedge_factor,
            hedge_share: limits.hedge_share,
            straggler_share: limits.straggler_share,
            straggler_factor: limits.straggler_factor,
            straggler_least_ms: millis(limits.straggler_least),
            breaker_failures: limits.breaker_failures,
            breaker_pause_ms: millis(limits.breaker_pause),
            kept_connections: 128,
        }
    }
}

impl From<FanOutConfig> for FanOutLimits {
    fn from(config: FanOutConfig) -> Self {
        Self {
            per_call: Duration::from_millis(config.per_call_ms),
            overall: Duration::from_millis(config.overall_ms),
            concurrency: config.concurrency,
            retries: config.retries,
            retry_share: config.retry_share,
            hedge_factor: config.hedge_factor,
            hedge_share: config.hedge_share,
            straggler_share: config.straggler_share,
            straggler_factor: config.straggler_factor,
            straggler_least: Duration::from_millis(config.straggler_least_ms),
            breaker_failures: config.breaker_failures,
            breaker_pause: Duration::from_millis(config.breaker_pause_ms),
        }
    }
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            collector: None,
            workers: WorkerEndpoints::default(),
            workloads: Vec::new(),
            call_graph: None,
            cluster: ClusterConfig::default(),
            policy: Policy::default(),
            horizon_hours: 24,
            slot_seconds: 3600,
            state: None,
            keep_plans: 48,
            fan_out: FanOutConfig::default(),
            tls: None,
            api: ApiConfig::default(),
            limits: ServerLimits::default(),
            apply: ApplyConfig::default(),
        }
    }
}

impl CoordinatorConfig {
    /// Width of a slot.
    #[must_use]
    pub fn slot(&self) -> Step {
        Step::from_seconds(self.slot_seconds).unwrap_or(Step::HOUR)
    }

    /// Number of slots in the horizon, at least 1.
    #[must_use]
    pub fn slots(&self) -> usize {
        (self.horizon_hours as usize * 3600 / self.slot().seconds() as usize).max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use mora_runtime::{ConfigError, load_config};

    use super::*;
    use mora_planning::CpuPath;

    fn policy(text: &str) -> Result<Policy, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "policy:\n  {text}\n").unwrap();
        load_config::<CoordinatorConfig>(Some(file.path())).map(|config| config.policy)
    }

    #[test]
    fn a_file_overlays_the_rules_for_cpu_and_memory_key_by_key() {
        let read = policy("cpu_path: quantile\n  risk_price: 160\n  oom: {factor: 2}").unwrap();
        let default = Policy::default();
        assert_eq!(
            (read.cpu_path, read.risk_price.get().to_string()),
            (CpuPath::Quantile, "160".to_owned())
        );
        assert_eq!(read.oom, mora_core::OomRule { factor: 2.0, ..default.oom });
        assert_eq!(
            (read.memory_ratchet, read.quantile),
            (default.memory_ratchet, default.quantile)
        );
    }

    #[test]
    fn a_rule_that_cannot_be_is_refused_with_its_key() {
        let refused = |text| policy(text).unwrap_err().to_string();
        for (text, key) in [
            ("risk_price: -1", "policy.risk_price"),
            ("oom: {factor: 0.5}", "policy.oom"),
            ("oom: {expires: 1}", "expires"),
            ("memory_ratchet: {half_life_hours: soon}", "policy.memory_ratchet"),
        ] {
            let message = refused(text);
            assert!(message.contains(key), "no `{key}` in: {message}");
        }
    }
}
