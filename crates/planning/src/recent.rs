//! Load that is unusual for its time of day, as the last hour shows it, and the forecasts that follow it.
//!
//! A forecast is fitted once in hours; a plan is made every few minutes. What happens between two fits, as a surge nobody saw before,
//! is in no forecast yet, but it is in what was observed: the last hour, beside the same hour on the days before.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Forecast, Series, Signal, WorkloadRef};
use serde::{Deserialize, Serialize};

use crate::what_if::{growth, multiply};
use crate::windows::WINDOW_SECONDS;
use crate::{Evidence, LoadToCpu, Policy};

/// How far back load is recent: a workload that failed under a surge serves less, and must not be given less for it at once.
const RECENT: SignedDuration = SignedDuration::from_hours(1);
/// By how much the hours it is compared with are wider at either end, because no day is as punctual as a clock.
const AROUND: SignedDuration = SignedDuration::from_mins(30);
/// The days before that it is compared with, which hold every day of the week.
const DAYS: i64 = 7;
/// Days without which nothing is known of what is usual.
const LEAST_DAYS: usize = 2;
/// Load up to this many times the most that was usual is no news.
const UNUSUAL: f64 = 1.25;
/// No load is followed further than this: a workload that was idle grows by any factor.
const MOST: f64 = 10.0;
/// How long unusual load is taken to last after it was seen, and then to halve.
const LASTS: SignedDuration = SignedDuration::from_hours(1);

/// The highest five-minute mean of the last hour, and of the same hour on the days before; the unit is that of the signal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RecentLoad {
    /// Of the last hour; at least 0.
    pub highest: f64,
    /// The most of the same hour, half an hour longer at either end, on up to seven days before; above 0.
    pub usual: f64,
}

impl RecentLoad {
    /// The load of `signals` before `now`: its request rate, or its CPU where nothing measures that; `None` for a history of less
    /// than two days.
    pub(crate) fn of(signals: &BTreeMap<Signal, Series>, now: Timestamp) -> Option<Self> {
        let load = signals.get(&Signal::RequestRate).or_else(|| signals.get(&Signal::Cpu))?;
        let highest = highest_window(load, now - RECENT, now)?;
        let same_hour = |day: i64| {
            let to = now - SignedDuration::from_hours(24 * day);
            highest_window(load, to - RECENT - AROUND, to + AROUND)
        };
        let before: Vec<f64> = (1..=DAYS).filter_map(same_hour).collect();
        let usual = before.iter().copied().fold(0.0, f64::max);
        (before.len() >= LEAST_DAYS && usual > 0.0).then_some(Self { highest, usual })
    }

    /// How many times the most that is usual it was, up to 10; `None` where that is no news.
    fn factor(self) -> Option<f64> {
        let factor = self.highest / self.usual;
        (factor > UNUSUAL).then_some(factor.min(MOST))
    }
}

/// The largest mean of five minutes in a row from `from` to `to`, in steps of five minutes that end with `to`.
fn highest_window(series: &Series, from: Timestamp, to: Timestamp) -> Option<f64> {
    let width = (WINDOW_SECONDS / series.step().seconds()).max(1) as usize;
    let within = series.between(from, to);
    let mean = |window: &[Option<f64>]| {
        let (count, sum) = window.iter().flatten().fold((0, 0.0), |(n, sum), v| (n + 1, sum + v));
        (count > 0).then(|| sum / f64::from(count))
    };
    within.values().rchunks(width).filter_map(mean).reduce(f64::max)
}

/// By what unusual load multiplies the slots of a plan, by workload; workloads whose load is usual are left out.
pub(crate) fn unusual(evidence: &Evidence, policy: &Policy) -> BTreeMap<WorkloadRef, Vec<f64>> {
    if !policy.follow_recent_load {
        return BTreeMap::new();
    }
    let factors = evidence.observed.iter().filter_map(|(workload, observed)| {
        Some((workload.clone(), per_slot(evidence, observed.recent?.factor()?)))
    });
    factors.collect()
}

/// `factor` in the slots that begin within an hour from now, halving every hour after that.
fn per_slot(evidence: &Evidence, factor: f64) -> Vec<f64> {
    let left = |slot: usize| {
        let begins = evidence.start.saturating_add(evidence.slot.times(slot));
        let ahead = begins.unwrap_or(Timestamp::MAX).duration_since(evidence.now) - LASTS;
        (-ahead.as_secs_f64().max(0.0) / LASTS.as_secs_f64()).exp2()
    };
    (0..evidence.slots).map(|slot| 1.0 + (factor - 1.0) * left(slot)).collect()
}

/// `evidence` with the forecasts of the workloads in `unusual` raised slot by slot by the factors there.
pub(crate) fn followed<'a>(
    evidence: &'a Evidence,
    unusual: &BTreeMap<WorkloadRef, Vec<f64>>,
) -> Cow<'a, Evidence> {
    if unusual.is_empty() {
        return Cow::Borrowed(evidence);
    }
    let mut followed = evidence.clone();
    for (workload, factors) in unusual {
        let Some(Ok(forecast)) = followed.forecasts.get_mut(workload) else { continue };
        if let Some(observed) = followed.observed.get(workload) {
            raise(forecast, observed.load_to_cpu, factors);
            let factor = factors.first().copied().unwrap_or(1.0);
            forecast.warnings.push(format!(
                "its load of the last hour was {factor:.2} times the most of that time of day on the {DAYS} days before, so more is requested for the hours ahead"
            ));
        }
    }
    Cow::Owned(followed)
}

fn raise(forecast: &mut Forecast, model: LoadToCpu, factors: &[f64]) {
    let growth = growth(forecast, model, factors);
    multiply(forecast, factors, &growth);
}

#[cfg(test)]
mod tests;
