//! Ways to size an application.

use std::fmt;
use std::str::FromStr;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::Change;
use mora_core::{Dataset, Lookback, ResourceClaim, WorkloadRef};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The arms that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmName {
    /// The requests, limits and replicas of the manifests.
    Stock,
    /// The statistical baseline, set once: p95 of CPU, the maximum of memory and 15 %.
    Baseline,
    /// The rule of the Vertical Pod Autoscaler.
    Vpa,
    /// A HorizontalPodAutoscaler on CPU at half of the request.
    #[serde(rename = "hpa-50")]
    Hpa50,
    /// The same at 70 %.
    #[serde(rename = "hpa-70")]
    Hpa70,
    /// The same at 80 %.
    #[serde(rename = "hpa-80")]
    Hpa80,
    /// MOrA as shipped, following its schedule in place.
    Mora,
    /// MOrA without the call graph.
    MoraNoGraph,
    /// MOrA with one request for the day instead of a schedule.
    MoraStatic,
    /// MOrA that looks at its forecasts alone, not at the load of the last hour.
    MoraNoRecent,
    /// MOrA with a plan every minute.
    MoraEveryMinute,
    /// MOrA whose workers fit no LSTM.
    MoraNoLstm,
    /// MOrA whose workers fit no Prophet.
    MoraNoProphet,
    /// What was needed, known beforehand, by the hour.
    Oracle,
}

/// No arm has this name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no arm `{name}`; use one of {known}", name = .0, known = all_names())]
pub struct UnknownArm(pub String);

fn all_names() -> String {
    ArmName::ALL.map(ArmName::as_str).join(", ")
}

impl ArmName {
    /// All arms, in the order of tables.
    pub const ALL: [Self; 14] = [
        Self::Stock,
        Self::Baseline,
        Self::Vpa,
        Self::Hpa50,
        Self::Hpa70,
        Self::Hpa80,
        Self::Mora,
        Self::MoraNoGraph,
        Self::MoraStatic,
        Self::MoraNoRecent,
        Self::MoraEveryMinute,
        Self::MoraNoLstm,
        Self::MoraNoProphet,
        Self::Oracle,
    ];

    /// The name in flags, files and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Baseline => "baseline",
            Self::Vpa => "vpa",
            Self::Hpa50 => "hpa-50",
            Self::Hpa70 => "hpa-70",
            Self::Hpa80 => "hpa-80",
            Self::Mora => "mora",
            Self::MoraNoGraph => "mora-no-graph",
            Self::MoraStatic => "mora-static",
            Self::MoraNoRecent => "mora-no-recent",
            Self::MoraEveryMinute => "mora-every-minute",
            Self::MoraNoLstm => "mora-no-lstm",
            Self::MoraNoProphet => "mora-no-prophet",
            Self::Oracle => "oracle",
        }
    }
}

impl fmt::Display for ArmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ArmName {
    type Err = UnknownArm;

    fn from_str(text: &str) -> Result<Self, UnknownArm> {
        let found = Self::ALL.into_iter().find(|arm| arm.as_str() == text);
        found.ok_or_else(|| UnknownArm(text.to_owned()))
    }
}

/// What was observed, workload by workload.
pub type Datasets<'a> = Box<dyn Iterator<Item = Dataset> + 'a>;

/// What a controller can observe of its cluster.
pub trait View: Send + Sync {
    /// Everything observed by the minute over `lookback`, ordered by workload, as a collector would give it; each made when it is
    /// asked for.
    fn datasets(&self, lookback: &Lookback) -> Datasets<'_>;

    /// CPU usage of each pod that has been ready over the last half a minute and its request, both in cores, as the metrics API
    /// tells a HorizontalPodAutoscaler; and how many pods exist that are not ready.
    fn pods(&self, workload: &WorkloadRef) -> (Vec<(f64, f64)>, u32);

    /// Replicas asked for.
    fn replicas(&self, workload: &WorkloadRef) -> u32;

    /// What pods of the workload claim.
    fn claim(&self, workload: &WorkloadRef) -> ResourceClaim;

    /// The workloads, in order.
    fn workloads(&self) -> Vec<WorkloadRef>;

    /// Whether more than one replica may run.
    fn scales(&self, workload: &WorkloadRef) -> bool;
}

/// Why an arm cannot go on.
#[derive(Debug, Error)]
#[error("the arm `{arm}` cannot decide at {at}")]
pub struct ArmError {
    /// The arm.
    pub arm: ArmName,
    /// When.
    pub at: Timestamp,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A way to size an application.
pub trait Arm: Send {
    /// Which one.
    fn name(&self) -> ArmName;

    /// How often it decides; `None` for once, at the start of the judged time.
    fn every(&self) -> Option<SignedDuration>;

    /// What it asks of the cluster at `now`.
    ///
    /// Fails when something it is made of does; a change that the cluster refuses is no failure of the arm.
    fn decide<'a>(
        &'a mut self,
        view: &'a dyn View,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Change>, ArmError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_has_one_name_in_flags_and_in_documents() {
        for arm in ArmName::ALL {
            assert_eq!(serde_json::to_value(arm).unwrap(), arm.as_str());
            assert_eq!(arm.as_str().parse(), Ok(arm));
        }
    }
}
