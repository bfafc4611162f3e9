//! The worker's configuration.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mora_forecast::{Holiday, Member};
use mora_runtime::{ServerLimits, TlsConfig};
use serde::{Deserialize, Deserializer, Serialize};

use crate::RetrainPolicy;

/// How a worker fits and keeps its models; see `docs/configuration.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// Directory of the model library, shared by all workers.
    pub library: PathBuf,
    /// Versions kept per workload, at least 1; older ones are removed when a new one is kept.
    pub keep_versions: usize,
    /// Rolling origins of the back-test, at most.
    pub origins: usize,
    /// Slots the members learn to forecast at once; longer horizons are answered without the LSTM's help.
    pub horizon_slots: usize,
    /// By how much the loss of a new version may exceed that of the one that serves, as a share, before it is
    /// rejected.
    pub challenger_tolerance: f64,
    /// Members of the ensemble that may take part; those that are left out are neither fitted nor back-tested.
    #[serde(deserialize_with = "at_least_one")]
    pub members: BTreeSet<Member>,
    /// Days on which usage differs, which Prophet learns.
    pub holidays: Vec<Holiday>,
    /// Settings tried for Prophet and for the LSTM, each, at a fit; 0 means none.
    pub tuning_budget: u32,
    /// When an upload is worth a fit.
    pub retrain: RetrainPolicy,
    /// Certificates; absent for plain text.
    pub tls: Option<TlsConfig>,
    /// What the server takes from its clients at most.
    pub limits: ServerLimits,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            library: PathBuf::from("models"),
            keep_versions: 5,
            origins: 14,
            horizon_slots: 24,
            challenger_tolerance: 0.02,
            members: Member::ALL.into(),
            holidays: Vec::new(),
            tuning_budget: 0,
            retrain: RetrainPolicy::default(),
            tls: None,
            limits: ServerLimits::default(),
        }
    }
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<Member>, D::Error> {
    let members = BTreeSet::deserialize(deserializer)?;
    let none = || serde::de::Error::custom("no member is left to forecast; name at least one");
    if members.is_empty() { Err(none()) } else { Ok(members) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_runtime::{ConfigError, load_config, with_causes};

    fn read(text: &str) -> Result<WorkerConfig, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker.yaml");
        std::fs::write(&path, text).unwrap();
        load_config(Some(&path))
    }

    const HOLIDAYS: &str = "holidays:\n  - name: new-year\n    dates: [2026-01-01, 2027-01-01]\n    lower_window: -1\n";

    #[test]
    fn holidays_are_read_from_a_file() {
        let dates = ["2026-01-01", "2027-01-01"].map(|date| date.parse().unwrap());
        let due = Holiday::new("new-year", dates.into(), -1..=0).unwrap();
        assert_eq!(read(HOLIDAYS).unwrap().holidays, [due]);
    }

    #[test]
    fn members_are_all_unless_a_file_names_some() {
        assert_eq!(WorkerConfig::default().members, Member::ALL.into());
        let some = read("members: [prophet, hour_of_week]").unwrap().members;
        assert_eq!(some, [Member::HourOfWeek, Member::Prophet].into());
        for (members, told) in [("[arima]", "holt_winters"), ("[]", "name at least one")] {
            let error = with_causes(&read(&format!("members: {members}")).unwrap_err());
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_date_or_a_window_that_is_none_is_an_error_that_says_which() {
        for (was, is) in
            [("2027-01-01", "2027-02-29"), ("-1", "-99"), ("name: new-year", "name: ''")]
        {
            let error = with_causes(&read(&HOLIDAYS.replace(was, is)).unwrap_err());
            assert!(error.contains("holidays"), "{is}: {error}");
        }
    }
}
