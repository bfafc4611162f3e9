//! The settings of an experiment, as they stand in a configuration file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mora_core::{QualityGatesError, Step, WorkloadRef};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{ExperimentGates, IsolationConfig, JMeterConfig, Matrix};

/// Settings of `mora train clean-experiments`; the section `experiments` of a configuration file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExperimentsConfig {
    /// The workload that is measured; must be set.
    pub target: Option<WorkloadRef>,
    /// What users do; each the name of a load plan.
    pub scenarios: Vec<String>,
    /// Replicas of the target.
    pub replicas: Vec<u32>,
    /// Concurrent users.
    pub users: Vec<u32>,
    /// `kubernetes`, or the URL of the control API of an application of processes.
    pub bed: String,
    /// Context of the kubeconfig; the current one when absent.
    pub context: Option<String>,
    /// Where datasets, state and journal are kept.
    pub results: PathBuf,
    /// How often a rejected cell is tried again.
    pub retries: u32,
    /// How long everything takes.
    pub timing: Timing,
    /// What a cell must be like to be accepted.
    pub gates: ExperimentGates,
    /// How the other workloads are over-provisioned.
    pub isolation: IsolationConfig,
    /// How load is made.
    pub load: LoadConfig,
}

/// Times of a cell, all in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Spacing of the collected samples.
    pub step_seconds: u32,
    /// Longest wait for all workloads to be ready.
    pub ready_seconds: u32,
    /// Longest wait for the target's CPU usage to settle before load is put on it; 0 does not wait.
    pub settle_seconds: u32,
    /// Time over which that CPU usage is looked at.
    pub settle_window_seconds: u32,
    /// Coefficient of variation at which it has settled.
    pub settle_variation: f64,
    /// CPU usage in cores below which it has settled however it varies: the noise of something that idles.
    pub settle_idle_cores: f64,
    /// Time in which the users begin.
    pub ramp_seconds: u32,
    /// Time after that which is not looked at.
    pub warm_seconds: u32,
    /// Steady part, which is collected.
    pub steady_seconds: u32,
    /// Longest wait for the end of the steady part to be measured.
    pub collect_seconds: u32,
}

/// How load is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadConfig {
    /// Host of the application's entry.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Mean pause of a user before each page, in milliseconds.
    pub think_milliseconds: u64,
    /// Further properties of the plans, such as `max_rps`.
    pub properties: BTreeMap<String, String>,
    /// Where JMeter is, and from when on a load counts as failed, which ends the experiment.
    pub jmeter: JMeterConfig,
}

impl Default for ExperimentsConfig {
    fn default() -> Self {
        let texts = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        Self {
            target: None,
            scenarios: texts(["browsing", "checkout"]),
            replicas: vec![1, 2, 4, 6],
            users: vec![10, 50, 100, 150, 200, 250],
            bed: "kubernetes".to_owned(),
            context: None,
            results: PathBuf::from("experiments"),
            retries: 1,
            timing: Timing::default(),
            gates: ExperimentGates::default(),
            isolation: IsolationConfig::default(),
            load: LoadConfig::default(),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            step_seconds: 15,
            ready_seconds: 300,
            settle_seconds: 180,
            settle_window_seconds: 60,
            settle_variation: 0.1,
            settle_idle_cores: 0.05,
            ramp_seconds: 60,
            warm_seconds: 60,
            steady_seconds: 300,
            collect_seconds: 120,
        }
    }
}

impl Default for LoadConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8080,
            think_milliseconds: 1000,
            properties: BTreeMap::new(),
            // Fewer errors are a matter of the gates, which reject the one cell.
            jmeter: JMeterConfig { max_error_ratio: 0.5, ..JMeterConfig::default() },
        }
    }
}

/// Why no experiment can be made of the settings.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ConfigError {
    /// No target is named.
    #[error(
        "no target is named; give it with --target NAMESPACE/NAME or the key `experiments.target`"
    )]
    NoTarget,
    /// There is no cell.
    #[error(
        "there is nothing to do: name at least one scenario, and replicas and users of at least 1"
    )]
    NoCells,
    /// A time that must not be zero is.
    #[error("experiments.timing.{0} = 0 measures nothing; use a number of seconds above 0")]
    NoTime(&'static str),
    /// A factor or share is out of its range.
    #[error("experiments.{key} = {value} cannot be used; use {wanted}")]
    Range {
        /// The key below `experiments`.
        key: &'static str,
        /// Its value.
        value: f64,
        /// What can be used.
        wanted: &'static str,
    },
    /// A quality gate cannot be used.
    #[error("a bound in experiments.gates.quality cannot be used")]
    Gates(#[from] QualityGatesError),
}

impl Timing {
    /// Spacing of the collected samples.
    #[must_use]
    pub fn step(&self) -> Step {
        Step::from_seconds(self.step_seconds).unwrap_or(Step::MINUTE)
    }

    /// How long load is put on, ramp included.
    #[must_use]
    pub fn load(&self) -> Duration {
        seconds(self.ramp_seconds + self.warm_seconds + self.steady_seconds)
    }
}

/// `count` seconds.
pub(crate) fn seconds(count: u32) -> Duration {
    Duration::from_secs(u64::from(count))
}

impl ExperimentsConfig {
    /// The target and the cells; fails when there is none, or a value cannot be used.
    pub fn checked(&self) -> Result<(WorkloadRef, Matrix), ConfigError> {
        let target = self.target.clone().ok_or(ConfigError::NoTarget)?;
        let matrix = Matrix::new(&self.scenarios, &self.replicas, &self.users);
        let matrix = matrix.ok_or(ConfigError::NoCells)?;
        let Timing { step_seconds, ready_seconds, steady_seconds, .. } = self.timing;
        for (key, value) in [
            ("step_seconds", step_seconds),
            ("ready_seconds", ready_seconds),
            ("steady_seconds", steady_seconds),
        ] {
            if value == 0 {
                return Err(ConfigError::NoTime(key));
            }
        }
        self.gates.quality.checked()?;
        self.check_ranges()?;
        Ok((target, matrix))
    }

    fn check_ranges(&self) -> Result<(), ConfigError> {
        const FACTOR: &str = "a factor of at least 1, as in 2";
        const SHARE: &str = "a share from 0 to 1, as in 0.01";
        let (isolation, gates) = (&self.isolation, &self.gates);
        let from_one = |value: f64| value.is_finite() && value >= 1.0;
        let is_share = |value: f64| (0.0..=1.0).contains(&value);
        let ranges = [
            ("isolation.replica_factor", isolation.replica_factor, FACTOR),
            ("isolation.limit_factor", isolation.limit_factor, FACTOR),
            ("gates.error_ratio", gates.error_ratio, SHARE),
            ("gates.others_of_limit", gates.others_of_limit, SHARE),
        ];
        for (key, value, wanted) in ranges {
            if !(if wanted == FACTOR { from_one(value) } else { is_share(value) }) {
                return Err(ConfigError::Range { key, value, wanted });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable() -> ExperimentsConfig {
        ExperimentsConfig {
            target: Some("shop/frontend".parse().unwrap()),
            ..ExperimentsConfig::default()
        }
    }

    #[test]
    fn the_defaults_are_forty_eight_cells_of_seven_minutes_of_load() {
        let (_, matrix) = usable().checked().unwrap();
        assert_eq!(matrix.cells().len(), 48);
        assert_eq!(usable().timing.load(), Duration::from_mins(7));
    }

    #[test]
    fn what_cannot_be_used_is_named_by_its_key() {
        let mut config = ExperimentsConfig::default();
        assert_eq!(config.checked(), Err(ConfigError::NoTarget));
        config = usable();
        config.users = vec![0];
        assert_eq!(config.checked(), Err(ConfigError::NoCells));
        config = usable();
        config.timing.steady_seconds = 0;
        assert_eq!(config.checked(), Err(ConfigError::NoTime("steady_seconds")));
        config = usable();
        config.isolation.limit_factor = 0.5;
        assert!(config.checked().unwrap_err().to_string().contains("isolation.limit_factor"));
        config = usable();
        config.gates.quality.missing = 5.0;
        assert!(matches!(config.checked(), Err(ConfigError::Gates(_))));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let error = serde_json::from_str::<ExperimentsConfig>(r#"{"timing": {"steady": 3}}"#);
        assert!(error.unwrap_err().to_string().contains("steady_seconds"));
    }
}
