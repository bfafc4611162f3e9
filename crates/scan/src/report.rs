//! What a scan found: the stable, versioned document behind every output format.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{Bytes, ContainerRole, Millicores, OwnerKind, OwnerRef};
use serde::{Deserialize, Serialize};

use crate::Severity;

/// The name and version of the document; the version grows when a field goes or changes its meaning, not when one is added.
pub const SCHEMA: &str = "mora.dev/scan/v1";

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made, UTC.
    pub created_at: Timestamp,
    /// How the numbers were computed.
    pub strategy: StrategyUsed,
    /// Start of the history that was looked at.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// What was scanned, in the order of the rows.
    pub clusters: Vec<ScannedCluster>,
    /// Counts and sums over all that was scanned, rows that are not shown included.
    pub summary: Summary,
    /// One per container.
    pub rows: Vec<Row>,
    /// What the reader should know, each a sentence.
    pub warnings: Vec<String>,
    /// Usage and forecast to draw, by [`Row::key`]; only there for a report with plots.
    #[serde(skip)]
    pub histories: BTreeMap<String, History>,
}

/// How the numbers were computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyUsed {
    /// `statistical`, `predictive` or `krr`.
    pub name: String,
    /// Its parameters, by configuration key.
    pub parameters: BTreeMap<String, String>,
}

/// A cluster that was scanned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannedCluster {
    /// The context of the kubeconfig; `None` in a pod, or where no cluster was asked.
    pub context: Option<String>,
    /// Where the history came from, without credentials, as in `Prometheus monitoring/prometheus-server`.
    pub prometheus: String,
    /// Workloads looked at.
    pub workloads: usize,
}

/// The recommendation for one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The context of its cluster, if several were scanned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Namespace.
    pub namespace: String,
    /// Kind of the owner.
    pub kind: OwnerKind,
    /// Name of the owner.
    pub name: String,
    /// Container.
    pub container: String,
    /// When the container runs.
    pub role: ContainerRole,
    /// Replicas that requests are multiplied by.
    pub replicas: u32,
    /// What scales them, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<AutoscalerRow>,
    /// How this row was computed: `statistical`, `krr`, or the rung of the ladder that forecast it, as in `ensemble`.
    pub strategy: String,
    /// CPU per replica.
    pub cpu: ResourceRow<Millicores>,
    /// Memory per replica.
    pub memory: ResourceRow<Bytes>,
    /// The most urgent of its four numbers.
    pub severity: Severity,
    /// What the recommendation stands on.
    pub confidence: Confidence,
    /// What the requests of all replicas cost in a month.
    pub cost: Cost,
    /// What the reader should know, each a sentence.
    pub notes: Vec<String>,
}

/// What scales the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoscalerRow {
    /// Fewest replicas.
    pub min_replicas: u32,
    /// Most replicas.
    pub max_replicas: u32,
    /// Percent of the CPU request it aims at; `None` where it scales on something else.
    pub cpu_percent: Option<u32>,
    /// Percent of the recommended CPU request that keeps the number of replicas as it is.
    pub advised_cpu_percent: Option<u32>,
}

/// One resource of a container.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(bound(
    serialize = "Q: Serialize + std::fmt::Display",
    deserialize = "Q: Deserialize<'de> + std::str::FromStr<Err: std::fmt::Display>"
))]
pub struct ResourceRow<Q> {
    /// Its request.
    pub request: Change<Q>,
    /// Its limit.
    pub limit: Change<Q>,
}

/// What is and what should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(bound(
    serialize = "Q: Serialize + std::fmt::Display",
    deserialize = "Q: Deserialize<'de> + std::str::FromStr<Err: std::fmt::Display>"
))]
pub struct Change<Q> {
    /// What is set; `None` where nothing is.
    pub current: Option<Q>,
    /// What to set.
    pub recommended: Proposed<Q>,
    /// By how many percent of what is set it changes; `None` where either is not a number.
    pub change_percent: Option<f64>,
    /// How far apart both are.
    pub severity: Severity,
}

impl<Q: Copy> Change<Q> {
    /// What is set once it is as recommended, with what is set now where nothing can be said.
    #[must_use]
    pub const fn then(&self) -> Option<Q> {
        match self.recommended {
            Proposed::Value(quantity) => Some(quantity),
            Proposed::Unset => None,
            Proposed::Unknown => self.current,
        }
    }
}

/// What to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proposed<Q> {
    /// This quantity.
    Value(Q),
    /// Nothing: remove what is set.
    Unset,
    /// Nothing can be said; leave what is set.
    Unknown,
}

impl<Q: Copy> Proposed<Q> {
    /// The quantity, if it is one.
    #[must_use]
    pub const fn value(self) -> Option<Q> {
        match self {
            Self::Value(quantity) => Some(quantity),
            Self::Unset | Self::Unknown => None,
        }
    }
}

impl<Q> Proposed<Q> {
    /// The same with a quantity made of the quantity.
    pub(crate) fn map<R>(self, with: impl FnOnce(Q) -> R) -> Proposed<R> {
        match self {
            Self::Value(quantity) => Proposed::Value(with(quantity)),
            Self::Unset => Proposed::Unset,
            Self::Unknown => Proposed::Unknown,
        }
    }
}

impl<Q: std::fmt::Display> std::fmt::Display for Proposed<Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(quantity) => f.pad(&quantity.to_string()),
            Self::Unset => f.pad("unset"),
            Self::Unknown => f.pad("unknown"),
        }
    }
}

impl<Q: std::fmt::Display> Serialize for Proposed<Q> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, Q: std::str::FromStr<Err: std::fmt::Display>> Deserialize<'de> for Proposed<Q> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "unset" => Ok(Self::Unset),
            "unknown" => Ok(Self::Unknown),
            text => text.parse().map(Self::Value).map_err(serde::de::Error::custom),
        }
    }
}

/// What a recommendation stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// In one word.
    pub level: ConfidenceLevel,
    /// Hours of the lookback in which the container was observed in some pod.
    pub observed_hours: f64,
    /// Hours of the lookback.
    pub lookback_hours: f64,
    /// Pods that were observed, those that are gone included.
    pub pods: u32,
    /// Share of held-out slots within the forecast's stated quantile, in [0, 1]; `None` without a forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Back-test origins behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<u32>,
}

/// How much a recommendation stands on, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfidenceLevel {
    /// Nothing is recommended.
    None,
    /// Less than a day was observed.
    Low,
    /// At least a day, but less than nine tenths of the lookback.
    Medium,
    /// At least nine tenths of the lookback, or a forecast that was back-tested.
    High,
}

impl ConfidenceLevel {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What requests cost in a month of 730 hours, in the currency of the prices.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// As they are; `None` where a request is not set.
    pub current: Option<f64>,
    /// As recommended, with what is set where nothing can be said; `None` where neither is there.
    pub recommended: Option<f64>,
}

/// Counts and sums over all that was scanned.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Workloads.
    pub workloads: usize,
    /// Containers.
    pub containers: usize,
    /// Containers by severity.
    pub severities: BTreeMap<Severity, usize>,
    /// Requests of all replicas as they are.
    pub current: Totals,
    /// Requests of all replicas as recommended; where nothing can be said, as they are.
    pub recommended: Totals,
    /// Name of the currency, as in `USD`.
    pub currency: String,
    /// Containers that are counted here, but have no row, because only the most urgent or the first ones were asked for.
    #[serde(default)]
    pub hidden: usize,
}

/// Requests of all replicas of all that was scanned.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// CPU.
    pub cpu: Millicores,
    /// Memory.
    pub memory: Bytes,
    /// Cost in a month; what is not set costs nothing.
    pub cost: f64,
}

/// Usage and forecast of a container, to be drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// CPU usage of the busiest pod, in cores.
    pub cpu: Vec<(Timestamp, f64)>,
    /// Memory working set of the largest pod, in bytes.
    pub memory: Vec<(Timestamp, f64)>,
    /// The CPU request slot by slot that a forecast asks for, per replica, in cores.
    pub cpu_forecast: Vec<(Timestamp, f64)>,
    /// The memory request slot by slot that a forecast asks for, per replica, in bytes.
    pub memory_forecast: Vec<(Timestamp, f64)>,
}

impl Row {
    /// What owns the container's pods.
    #[must_use]
    pub fn owner(&self) -> OwnerRef {
        OwnerRef::new(&self.namespace, self.kind.clone(), &self.name)
    }

    /// A text that no other row of the report has.
    #[must_use]
    pub fn key(&self) -> String {
        let cluster = self.cluster.as_deref().unwrap_or_default();
        format!("{cluster}/{}/{}", self.owner(), self.container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_is_written_as_a_quantity_or_a_word_and_read_back() {
        let all = [Proposed::Value(Millicores::new(138)), Proposed::Unset, Proposed::Unknown];
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(text, r#"["138m","unset","unknown"]"#);
        assert_eq!(serde_json::from_str::<[Proposed<Millicores>; 3]>(&text).unwrap(), all);
    }
}
