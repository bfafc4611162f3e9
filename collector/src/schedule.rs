//! When the worker of a workload is trained again.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Dataset, Signal, Step};
use serde::{Deserialize, Serialize};

use crate::config::TrainingConfig;

/// Growth of a history that is worth a training, as a ratio.
const MUCH_MORE: f64 = 1.5;
const DAY: Step = Step::DAY;

/// What a worker was trained with, or would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// When.
    pub at: Timestamp,
    /// Length of the history, in hours.
    pub hours: f64,
    /// The smallest and the largest mean CPU of its days, in cores; `None` where no CPU was observed.
    pub daily_cpu: Option<(f64, f64)>,
    /// The mean CPU of its last day, in cores; `None` where no CPU was observed.
    pub last_cpu: Option<f64>,
}

impl Trained {
    /// What a training with `dataset` at `now` would be.
    #[must_use]
    pub fn with(dataset: &Dataset, now: Timestamp) -> Self {
        let signals = dataset.signals();
        let span = |series: &mora_core::Series| series.end().duration_since(series.start());
        let hours = signals.values().map(|series| span(series).as_secs_f64() / 3600.0);
        let cpu = signals.get(&Signal::Cpu);
        let days = cpu.map(|cpu| cpu.slots(DAY).1).unwrap_or_default();
        let means = || days.iter().flatten().map(|day| day.mean);
        let last = cpu.map(|cpu| cpu.between(cpu.end() - DAY.times(1), cpu.end()));
        let last = last.and_then(|last| mean(last.observed()));
        Self {
            at: now,
            hours: hours.fold(0.0, f64::max),
            daily_cpu: means().reduce(f64::min).zip(means().reduce(f64::max)),
            last_cpu: last,
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Why a worker is to be trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Due {
    /// It never was.
    First,
    /// The last time is long ago.
    Age {
        /// Hours since.
        hours: f64,
    },
    /// It uses much more or less CPU than on any day it was trained with.
    Drift {
        /// The mean CPU of the last day, as a multiple of the nearest it was trained with.
        ratio: f64,
    },
    /// There is much more history.
    MoreData {
        /// Hours then.
        then: f64,
        /// Hours now.
        now: f64,
    },
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => write!(f, "never trained"),
            Self::Age { hours } => write!(f, "trained {hours:.0} h ago"),
            Self::Drift { ratio } => {
                write!(f, "uses {ratio:.2} times the CPU of the nearest day it was trained with")
            }
            Self::MoreData { then, now } => {
                write!(f, "{now:.0} h of history where it was trained with {then:.0} h")
            }
        }
    }
}

/// What the age of a training says about the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ByAge {
    /// It is time.
    Due(Due),
    /// It is too early, whatever the data says.
    TooEarly,
    /// The data decides.
    Open,
}

impl TrainingConfig {
    /// What age alone says; the data has to be looked at where that is nothing.
    pub(crate) fn due_by_age(&self, before: Option<&Trained>, now: Timestamp) -> ByAge {
        let Some(before) = before else { return ByAge::Due(Due::First) };
        let age = now.duration_since(before.at);
        if age >= SignedDuration::from_hours(i64::from(self.every_hours)) {
            return ByAge::Due(Due::Age { hours: age.as_secs_f64() / 3600.0 });
        }
        let early = age < SignedDuration::from_hours(i64::from(self.pause_hours));
        if early { ByAge::TooEarly } else { ByAge::Open }
    }

    /// Why a worker trained as `before` is to be trained as `seen`; `None` where it need not be.
    #[must_use]
    pub fn due(&self, before: Option<&Trained>, seen: &Trained) -> Option<Due> {
        match self.due_by_age(before, seen.at) {
            ByAge::Due(due) => return Some(due),
            ByAge::TooEarly => return None,
            ByAge::Open => {}
        }
        let before = before?;
        let drift = self.drift(before, seen).map(|ratio| Due::Drift { ratio });
        let more = seen.hours >= before.hours * MUCH_MORE;
        drift.or(more.then_some(Due::MoreData { then: before.hours, now: seen.hours }))
    }

    fn drift(&self, before: &Trained, seen: &Trained) -> Option<f64> {
        let ((least, most), last) = before.daily_cpu.zip(seen.last_cpu)?;
        let nearest = last.clamp(least, most);
        let ratio = if nearest > 0.0 { last / nearest } else { 1.0 };
        let bound = 1.0 + self.drift_ratio.max(0.0);
        (ratio > bound || ratio < 1.0 / bound).then_some(ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::{ContainerUsage, Series};

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    /// One pod with the given mean CPU on each day from the epoch on.
    fn days(cores: &[f64]) -> Dataset {
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        let values = cores.iter().flat_map(|cores| [Some(*cores); 24]).collect();
        let usage = ContainerUsage {
            cpu: [("a".to_owned(), Series::new(at(0), Step::HOUR, values).unwrap())].into(),
            ..ContainerUsage::default()
        };
        dataset.containers.insert("server".to_owned(), usage);
        dataset
    }

    fn due(before: &[f64], seen: &[f64], hours_later: i64) -> Option<Due> {
        let trained = Trained::with(&days(before), at(100));
        let seen = Trained::with(&days(seen), at(100 + hours_later));
        TrainingConfig::default().due(Some(&trained), &seen)
    }

    #[test]
    fn a_worker_is_trained_first_and_when_its_training_is_old() {
        let config = TrainingConfig::default();
        assert_eq!(config.due(None, &Trained::with(&days(&[1.0]), at(0))), Some(Due::First));
        let week = [1.0; 7];
        assert_eq!(due(&week, &week, 23), None);
        assert_eq!(due(&week, &week, 24), Some(Due::Age { hours: 24.0 }));
    }

    #[test]
    fn a_day_unlike_any_it_was_trained_with_is_drift_and_a_quiet_weekend_is_none() {
        let week = [1.0, 1.1, 1.0, 1.0, 0.9, 0.2, 0.2];
        assert_eq!(due(&week, &[1.0, 1.0, 0.2], 7), None);
        assert_eq!(due(&week, &[1.0, 1.0, 1.4], 7), None);
        let drift = due(&week, &[1.0, 1.0, 2.2], 7);
        assert!(
            matches!(drift, Some(Due::Drift { ratio }) if (ratio - 2.0).abs() < 1e-9),
            "{drift:?}"
        );
        assert!(matches!(due(&week, &[1.0, 0.1], 7), Some(Due::Drift { ratio }) if ratio < 0.6));
        assert_eq!(due(&week, &[1.0, 1.0, 2.2], 5), None, "not so soon again");
    }

    #[test]
    fn half_as_much_history_again_is_worth_a_training() {
        assert_eq!(due(&[1.0; 2], &[1.0; 3], 7), Some(Due::MoreData { then: 48.0, now: 72.0 }));
        assert_eq!(due(&[1.0; 4], &[1.0; 5], 7), None);
    }

    #[test]
    fn nothing_observed_is_no_drift() {
        let nothing = Trained::with(&Dataset::new("shop/cart".parse().unwrap()), at(0));
        let (daily, last) = (nothing.daily_cpu, nothing.last_cpu);
        assert_eq!((daily, last), (None, None));
        assert!(nothing.hours.abs() < 1e-12);
        assert_eq!(due(&[0.0; 2], &[0.0; 2], 7), None);
    }
}
