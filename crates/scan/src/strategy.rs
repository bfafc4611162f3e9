//! From what was observed to what should be requested.

pub mod krr;
mod limits;
mod statistical;

use mora_core::{Bytes, InventoryContainer, InventoryItem, Millicores};

use crate::observed::ContainerObserved;
use crate::queries::{Dialect, QuerySettings};
use crate::severity::SeverityRule;
use crate::{Confidence, ConfidenceLevel, Proposed};

pub use krr::{KrrSettings, KrrStrategy};
pub use statistical::StatisticalSettings;

/// How requests and limits are computed.
#[derive(Debug, Clone, PartialEq)]
pub enum Strategy {
    /// A percentile of CPU and the largest memory with a margin.
    Statistical(StatisticalSettings),
    /// The numbers of Robusta KRR.
    Krr(KrrSettings),
}

/// What to set for one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advised<Q> {
    /// The request.
    pub request: Proposed<Q>,
    /// The limit.
    pub limit: Proposed<Q>,
}

/// What to set for one container.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// How it was computed, as [`crate::Row::strategy`] says it.
    pub strategy: String,
    /// CPU per replica.
    pub cpu: Advised<Millicores>,
    /// Memory per replica.
    pub memory: Advised<Bytes>,
    /// The memory that the container is known to have used or lacked; its limit must not be below.
    pub memory_peak: Option<Bytes>,
    /// What it stands on.
    pub confidence: Confidence,
    /// What the reader should know, each a sentence.
    pub notes: Vec<String>,
}

/// What is known of one container when it is advised on.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Its owner.
    pub item: &'a InventoryItem,
    /// The container.
    pub container: &'a InventoryContainer,
    /// What was observed of it; `None` for nothing.
    pub observed: Option<&'a ContainerObserved>,
    /// What was asked for.
    pub settings: &'a QuerySettings,
}

impl Strategy {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Statistical(_) => "statistical",
            Self::Krr(_) => "krr",
        }
    }

    /// What to ask Prometheus for.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Statistical(_) => Dialect::Own,
            Self::Krr(settings) => {
                let points_required = settings.points_required;
                match settings.strategy {
                    KrrStrategy::Simple => Dialect::KrrSimple { points_required },
                    KrrStrategy::SimpleLimit => Dialect::KrrSimpleLimit { points_required },
                }
            }
        }
    }

    /// Whether kills for lack of memory are asked for.
    #[must_use]
    pub const fn asks_oom_kills(&self) -> bool {
        match self {
            Self::Statistical(_) => true,
            Self::Krr(settings) => settings.use_oomkill_data,
        }
    }

    /// The quantile of CPU to ask Prometheus for, above 0 and up to 1.
    #[must_use]
    pub fn cpu_quantile(&self) -> f64 {
        match self {
            Self::Statistical(settings) => settings.cpu_percentile / 100.0,
            Self::Krr(settings) => settings.cpu_percentile / 100.0,
        }
    }

    /// What to set for the container of `case`.
    #[must_use]
    pub fn advise(&self, case: Case<'_>) -> Advice {
        match self {
            Self::Statistical(settings) => settings.advise(case),
            Self::Krr(settings) => settings.advise(case),
        }
    }

    /// How far apart what is and what should be may lie.
    #[must_use]
    pub const fn severity_rule(&self) -> SeverityRule {
        match self {
            Self::Statistical(_) => SeverityRule::Own,
            Self::Krr(_) => SeverityRule::Krr,
        }
    }
}

impl Case<'_> {
    /// What a recommendation stands on that follows usage alone; `is_some` tells whether there is one.
    #[must_use]
    pub fn confidence(&self, is_some: bool) -> Confidence {
        let counted = self.settings.counted_hours();
        let observed_hours = self.observed_hours().min(counted);
        Confidence {
            level: self.level(observed_hours, is_some),
            observed_hours,
            lookback_hours: counted,
            pods: self.observed.map_or(0, |observed| observed.pods.len() as u32),
            coverage: None,
            origins: None,
        }
    }

    fn level(&self, observed_hours: f64, is_some: bool) -> ConfidenceLevel {
        match observed_hours {
            _ if !is_some => ConfidenceLevel::None,
            hours if hours < DAY_HOURS => ConfidenceLevel::Low,
            hours if hours < WHOLE * self.settings.counted_hours() => ConfidenceLevel::Medium,
            _ => ConfidenceLevel::High,
        }
    }

    /// Hours, of those that count, in which the container was observed in some pod, in whole slots.
    pub(crate) fn observed_hours(&self) -> f64 {
        let slots = self.observed.map_or(0, |observed| observed.slots().len());
        slots as f64 * f64::from(self.settings.slot().seconds()) / 3600.0
    }
}

const DAY_HOURS: f64 = 24.0;
/// Share of the lookback from which on it was observed as a whole.
const WHOLE: f64 = 0.9;

/// The percent of the request `new` that is as much as `percent` of the request `now`: an autoscaler that aims at it keeps
/// the replicas. `None` where either request is zero.
pub(crate) fn kept_percent(percent: u32, now: u64, new: u64) -> Option<u32> {
    if now == 0 || new == 0 {
        return None;
    }
    let kept = f64::from(percent) * (now as f64 / new as f64);
    Some((kept.round() as u32).max(1))
}
