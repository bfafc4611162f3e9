//! What a model-worker answers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Quantile, RequestRecord, RiskPrice, Signal, Step, WorkloadRef};

/// The forecast of one workload: a path of slots per signal and quantile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The workload.
    pub workload: WorkloadRef,
    /// Version of the model that answered.
    pub model_version: String,
    /// Start of the first slot.
    pub start: Timestamp,
    /// Width of a slot.
    pub slot: Step,
    /// The instant after the newest observation the model has seen.
    pub data_until: Timestamp,
    /// Replicas that ran at that instant.
    pub replicas: u32,
    /// The paths, by signal.
    pub signals: BTreeMap<Signal, SignalForecast>,
    /// What the reader should know, each a sentence.
    pub warnings: Vec<String>,
}

/// The forecast of one signal: the distribution of the largest observation in each slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignalForecast {
    /// One value per slot, in the signal's unit, by quantile; paths of higher quantiles are nowhere below.
    pub paths: BTreeMap<Quantile, Vec<f64>>,
    /// What to request in each slot, in the signal's unit: the path of least cost at the price of risk that was
    /// asked for; empty in a summary, and from a worker that answers none.
    #[serde(default)]
    pub requests: Vec<f64>,
    /// What requests at each known price would have cost on the last days; empty with too few of them.
    #[serde(default)]
    pub request_records: Vec<RequestRecord>,
    /// Which step of the fallback ladder answered.
    pub rung: Rung,
    /// The members that took part, with their weights.
    pub members: Vec<MemberWeight>,
    /// How the model did in its back-test against the baseline.
    pub skill: Skill,
    /// How often the stated upper quantile held in the back-test; `None` without one.
    pub confidence: Option<Confidence>,
}

impl SignalForecast {
    /// What requests at the known price nearest to `price`, as a ratio, would have cost; `None` without a record.
    #[must_use]
    pub fn record_nearest(&self, price: RiskPrice) -> Option<RequestRecord> {
        let apart = |record: &RequestRecord| (record.price / price.get()).ln().abs();
        self.request_records.iter().copied().min_by(|a, b| apart(a).total_cmp(&apart(b)))
    }
}

/// A step of the fallback ladder, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Several members, weighed by back-test.
    Ensemble,
    /// The one member that beats the baseline.
    SingleMember,
    /// The maximum per hour of the week or day.
    HourOfWeek,
    /// A percentile of what was seen, the same for every slot.
    Statistical,
}

impl Rung {
    /// The step's name in tables and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ensemble => "ensemble",
            Self::SingleMember => "single member",
            Self::HourOfWeek => "hour of week",
            Self::Statistical => "statistical",
        }
    }
}

/// A member of the ensemble and its share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberWeight {
    /// The member's name: `hour_of_week`, `prophet`, `lstm`.
    pub member: String,
    /// Its weight at the highest quantile, in [0, 1].
    pub weight: f64,
}

/// How a model did against the baseline on days it had not seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Skill {
    /// Mean pinball loss divided by the baseline's on the same slots; below 1 is better; `None` where
    /// the history allows no back-test or the baseline made no error.
    pub pinball_ratio: Option<f64>,
    /// Number of rolling origins behind it.
    pub origins: u32,
}

/// An observed coverage, which can be checked against what was stated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// The quantile that was stated.
    pub stated: Quantile,
    /// Share of back-test slots whose largest observation stayed at or below the path, in [0, 1].
    pub observed: f64,
    /// Number of slots behind it.
    pub slots: u32,
}

/// The highest point of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Start of the slot it falls in.
    pub at: Timestamp,
    /// Its value in the signal's unit.
    pub value: f64,
}

impl Forecast {
    /// The highest point of a signal's path; `None` where the signal, the quantile or any slot is missing.
    #[must_use]
    pub fn peak(&self, signal: Signal, quantile: Quantile) -> Option<Peak> {
        let path = self.signals.get(&signal)?.paths.get(&quantile)?;
        let (index, value) = path
            .iter()
            .copied()
            .enumerate()
            .reduce(|best, point| if point.1 > best.1 { point } else { best })?;
        Some(Peak { at: self.slot_start(index), value })
    }

    /// The start of slot `index`.
    #[must_use]
    pub fn slot_start(&self, index: usize) -> Timestamp {
        self.start.saturating_add(self.slot.times(index)).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(path: &[f64]) -> SignalForecast {
        SignalForecast {
            paths: [(Quantile::new(0.95).unwrap(), path.to_vec())].into(),
            requests: Vec::new(),
            request_records: Vec::new(),
            rung: Rung::HourOfWeek,
            members: Vec::new(),
            skill: Skill { pinball_ratio: None, origins: 0 },
            confidence: None,
        }
    }

    #[test]
    fn the_record_of_the_nearest_known_price_counts() {
        let record = |price| RequestRecord { price, overhead: 1.2, above: 0.01, days: 9 };
        let mut signal = signal(&[]);
        assert_eq!(signal.record_nearest(RiskPrice::DEFAULT), None);
        signal.request_records = [40.0, 80.0, 160.0].map(record).to_vec();
        let nearest = |price| signal.record_nearest(RiskPrice::new(price).unwrap());
        let pairs = [(1.0, 40.0), (80.0, 80.0), (110.0, 80.0), (120.0, 160.0), (1e9, 160.0)];
        for (price, found) in pairs {
            assert_eq!(nearest(price), Some(record(found)), "{price}");
        }
    }

    #[test]
    fn the_peak_is_the_first_highest_slot() {
        let quantile = Quantile::new(0.95).unwrap();
        let signal = signal(&[1.0, 3.0, 2.0, 3.0]);
        let forecast = Forecast {
            workload: "shop/cart".parse().unwrap(),
            model_version: "v1".to_owned(),
            start: Timestamp::UNIX_EPOCH,
            slot: Step::HOUR,
            data_until: Timestamp::UNIX_EPOCH,
            replicas: 1,
            signals: [(Signal::Cpu, signal)].into(),
            warnings: Vec::new(),
        };
        let peak = forecast.peak(Signal::Cpu, quantile).unwrap();
        assert_eq!((peak.at.as_second(), peak.value), (3600, 3.0));
        assert_eq!(forecast.peak(Signal::Memory, quantile), None);
    }
}
