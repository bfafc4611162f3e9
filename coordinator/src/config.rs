//! The coordinator's configuration.

use std::path::PathBuf;

use mora_core::{Bytes, Millicores, Step, WorkloadRef};
use mora_runtime::WorkerEndpoints;
use serde::{Deserialize, Serialize};

use mora_planning::Policy;

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
    /// Deadlines and concurrency of the fan-out.
    pub fan_out: FanOutConfig,
}

/// What the cluster can give.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterConfig {
    /// Read nodes and pods from the Kubernetes API.
    pub kubernetes: bool,
    /// Context of the kubeconfig; absent means the current one, or the pod's own service account.
    pub context: Option<String>,
    /// Write an Event for each violation on the workload it concerns.
    pub events: bool,
    /// CPU that can be requested on all nodes, where Kubernetes is not asked.
    pub cpu_allocatable: Option<Millicores>,
    /// Memory that can be requested on all nodes, where Kubernetes is not asked.
    pub memory_allocatable: Option<Bytes>,
}

/// Deadlines and concurrency of the fan-out.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
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
}

impl Default for FanOutConfig {
    fn default() -> Self {
        Self { per_call_ms: 3000, overall_ms: 15_000, concurrency: 64, retries: 1 }
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
            fan_out: FanOutConfig::default(),
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
