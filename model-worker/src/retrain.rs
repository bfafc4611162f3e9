//! Whether the version that serves is due for a new fit.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Series, Signal};
use mora_forecast::{BackTestSlot, ForecastError, SignalModel};
use serde::{Deserialize, Serialize};

use crate::WorkloadModel;
use crate::paired::{after, answered};

/// Days on most of which the losses must be too large: one odd day is no drift.
const DRIFT_DAYS: usize = 3;
/// Two-sided error of the coverage test.
const SIGNIFICANCE: f64 = 0.01;
/// Quantiles whose coverage is tested, by index in the levels: the median shows a fallen level, 0.95 a risen one.
const TESTED: [(usize, f64); 2] = [(0, 0.5), (2, 0.95)];
/// History that grew by this factor is worth a fit: young models know few days.
const GROWTH: f64 = 1.25;
/// How far back recent slots are looked at: as far as a forecast reaches.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The 0.95 quantile of a standard normal.
const NORMAL_95: f64 = 1.645;
/// Median absolute deviation to standard deviation of a normal.
const MAD_TO_DEVIATION: f64 = 1.4826;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// When a version is fitted anew.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrainPolicy {
    /// Age of the newest observation a version has seen, in hours, from which it is due; 0 means always.
    pub max_age_hours: u32,
    /// Losses this many times those of the back-test are drift, where the coverage is off too.
    pub drift_ratio: f64,
    /// Spreads by which the median of a day must be off to be a level shift.
    pub shift_spreads: f64,
}

impl Default for RetrainPolicy {
    fn default() -> Self {
        Self { max_age_hours: 24, drift_ratio: 1.5, shift_spreads: 3.0 }
    }
}

/// Why a version is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// Its newest observation is that old.
    Age {
        /// The age.
        hours: i64,
    },
    /// A signal was observed that it does not know.
    NewSignal(Signal),
    /// The history is at least a quarter longer than what it was fitted to.
    MoreHistory {
        /// What it was fitted to.
        had_hours: i64,
        /// What there is.
        has_hours: i64,
    },
    /// The level of a signal is another for a day.
    LevelShift {
        /// The signal.
        signal: Signal,
        /// How far off its median is, in spreads; above 0 the usage is higher than forecast.
        spreads: f64,
    },
    /// Forecasts are worse than the back-test promises, for days.
    Drift {
        /// The signal.
        signal: Signal,
        /// Median over days of the loss divided by the back-test's.
        ratio: f64,
        /// Share of slots at or below the 0.95 path, in [0, 1].
        coverage: f64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age { hours } => write!(f, "its data is {hours} h old"),
            Self::NewSignal(signal) => write!(f, "{signal} is observed now"),
            Self::MoreHistory { had_hours, has_hours } => {
                write!(f, "the history grew from {had_hours} h to {has_hours} h")
            }
            Self::LevelShift { signal, spreads } => {
                write!(f, "the level of {signal} shifted by {spreads:+.1} spreads for a day")
            }
            Self::Drift { signal, ratio, coverage } => write!(
                f,
                "forecasts of {signal} drift: {ratio:.2} times the loss of the back-test, {:.0} % at or below the 0.95 path",
                100.0 * coverage
            ),
        }
    }
}

/// Why `model` should be fitted anew at `now`, given what was observed; `None` when it may stay.
///
/// Of `observed`, what came after the model's data counts as unseen. Fails when the model cannot say what it would
/// have answered.
pub fn due(
    model: &WorkloadModel,
    observed: &BTreeMap<Signal, Series>,
    now: Timestamp,
    policy: &RetrainPolicy,
) -> Result<Option<Reason>, ForecastError> {
    let standing = aged(model, now, policy).or_else(|| grown(model, observed));
    if standing.is_some() {
        return Ok(standing);
    }
    for (signal, known) in &model.signals {
        let Some(series) = observed.get(signal) else { continue };
        let recent = recent(known, series)?;
        if let Some(spreads) = level_shift(known, &recent, policy) {
            return Ok(Some(Reason::LevelShift { signal: *signal, spreads }));
        }
        if let Some((ratio, coverage)) = drift(known.back_test(), &recent, policy) {
            return Ok(Some(Reason::Drift { signal: *signal, ratio, coverage }));
        }
    }
    Ok(None)
}

fn aged(model: &WorkloadModel, now: Timestamp, policy: &RetrainPolicy) -> Option<Reason> {
    let hours = now.duration_since(model.manifest.data_until).as_hours();
    (hours >= i64::from(policy.max_age_hours)).then_some(Reason::Age { hours })
}

fn grown(model: &WorkloadModel, observed: &BTreeMap<Signal, Series>) -> Option<Reason> {
    let seen = |series: &&Series| series.observed().next().is_some();
    for (signal, series) in observed {
        let Some(known) = model.signals.get(signal) else {
            let new = seen(&series) && series.step().times(series.len()) >= DAY;
            if new && series.observed().count() * 2 >= series.len() {
                return Some(Reason::NewSignal(*signal));
            }
            continue;
        };
        let had = known.data_until().duration_since(known.data_from());
        let has = extent(series);
        if has.as_secs_f64() >= GROWTH * had.as_secs_f64() {
            return Some(Reason::MoreHistory {
                had_hours: had.as_hours(),
                has_hours: has.as_hours(),
            });
        }
    }
    None
}

/// From the first to after the last observation.
fn extent(series: &Series) -> SignedDuration {
    let first = series.values().iter().position(Option::is_some).unwrap_or(0);
    let last = series.values().iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    series.step().times(last.saturating_sub(first))
}

/// The last slots after the model's data with what it answers for them; a slot of which less than half was observed
/// is left out.
fn recent(model: &SignalModel, series: &Series) -> Result<Vec<BackTestSlot>, ForecastError> {
    let slot = model.slot();
    let from = after(model.data_until(), slot).max(slot.floor(series.end() - RECENT));
    let (start, slots) = series.between(from, series.end()).slots(slot);
    let whole = (slot.seconds() / series.step().seconds()).max(1);
    let observed = slots.iter().enumerate().filter_map(|(index, cell)| {
        let cell = cell.filter(|cell| 2 * cell.count >= whole)?;
        let start = start.saturating_add(slot.times(index)).unwrap_or(Timestamp::MAX);
        Some(BackTestSlot { start, observed: cell.max, levels: [0.0; 4] })
    });
    answered(model, &observed.collect::<Vec<_>>())
}

/// How many spreads the median of the last day is off, where that is more than the policy allows; `None` for less
/// than half a day, and without a back-test.
///
/// A slot's spread is what the model states for it, but no less than what is usual in the back-test.
pub(crate) fn level_shift(
    model: &SignalModel,
    recent: &[BackTestSlot],
    policy: &RetrainPolicy,
) -> Option<f64> {
    let last = recent.last()?.start;
    let day: Vec<&BackTestSlot> =
        recent.iter().filter(|slot| last.duration_since(slot.start) < DAY).collect();
    let due = DAY.as_secs() / i64::from(model.slot().seconds());
    if 2 * (day.len() as i64) < due {
        return None;
    }
    let off = |slot: &BackTestSlot| slot.observed - slot.levels[0];
    let usual = median(model.back_test().iter().map(|slot| off(slot).abs()).collect())?;
    let spread = |slot: &BackTestSlot| {
        let stated = (slot.levels[2] - slot.levels[0]) / NORMAL_95;
        // A hundredth of the level: a constant has no spread at all.
        stated.max(MAD_TO_DEVIATION * usual).max(0.01 * slot.levels[0]).max(f64::MIN_POSITIVE)
    };
    let spreads = median(day.iter().map(|slot| off(slot) / spread(slot)).collect())?;
    (spreads.abs() > policy.shift_spreads).then_some(spreads)
}

/// How many times the back-test's the losses of the last days are, and their coverage, where that is drift.
///
/// Drift is that most of three days are worse than the policy allows and the coverage is not by chance what it is.
fn drift(
    back_test: &[BackTestSlot],
    recent: &[BackTestSlot],
    policy: &RetrainPolicy,
) -> Option<(f64, f64)> {
    let last = recent.last()?.start;
    let since = DAY * DRIFT_DAYS as i32;
    let recent: Vec<&BackTestSlot> =
        recent.iter().filter(|slot| last.duration_since(slot.start) < since).collect();
    let mut days: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for slot in &recent {
        let day = last.duration_since(slot.start).as_hours() / 24;
        days.entry(day).or_default().push(slot.loss());
    }
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len().max(1) as f64;
    let usual = mean(&back_test.iter().map(BackTestSlot::loss).collect::<Vec<_>>());
    if back_test.is_empty() || days.len() < DRIFT_DAYS {
        return None;
    }
    let ratio =
        median(days.values().map(|losses| mean(losses)).collect())? / usual.max(f64::MIN_POSITIVE);
    let held = |level: usize| recent.iter().filter(|s| s.observed <= s.levels[level]).count();
    let off = TESTED.iter().any(|&(level, stated)| is_off(held(level), recent.len(), stated));
    (ratio > policy.drift_ratio && off).then(|| (ratio, held(2) as f64 / recent.len() as f64))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    mora_core::empirical_quantile(&values, 0.5)
}

/// Whether `held` of `count` is too few or too many to be by chance, were each held with probability `stated`.
fn is_off(held: usize, count: usize, stated: f64) -> bool {
    let at_most = binomial(held, count, stated);
    let at_least = binomial(count - held, count, 1.0 - stated);
    at_most.min(at_least) < SIGNIFICANCE / 2.0
}

/// The probability of at most `most` of `count`, each with `probability`; in logarithms, as the terms underflow.
fn binomial(most: usize, count: usize, probability: f64) -> f64 {
    let odds = (probability / (1.0 - probability)).ln();
    let mut term = count as f64 * (1.0 - probability).ln();
    let mut sum = 0.0;
    for index in 0..=most.min(count) {
        sum += term.exp();
        term += ((count - index) as f64 / (index + 1) as f64).ln() + odds;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::{at, fitted, series, version, wave};

    /// The defaults, but for an age that leaves the other reasons a week to show.
    fn weekly() -> RetrainPolicy {
        RetrainPolicy { max_age_hours: 168, ..RetrainPolicy::default() }
    }

    /// Why a model of 14 days is due after `days` of `later`.
    fn after_days(days: i64, later: impl Fn(i64) -> f64) -> Option<Reason> {
        let model = version("v1", fitted(0..14, wave));
        let value = |hour: i64| if hour < 14 * 24 { wave(hour) } else { later(hour) };
        let observed = [(Signal::Cpu, series(days..14 + days, value))].into();
        due(&model, &observed, at((14 + days) * 24), &weekly()).unwrap()
    }

    #[test]
    fn a_model_whose_forecasts_hold_stays_until_it_is_a_week_old() {
        assert_eq!(after_days(0, wave), None);
        assert_eq!(after_days(3, wave), None);
        assert_eq!(after_days(6, wave), None);
        assert_eq!(after_days(7, wave), Some(Reason::Age { hours: 168 }));
    }

    #[test]
    fn a_shifted_level_is_seen_after_a_day_either_way() {
        for (factor, up) in [(2.0, true), (0.4, false)] {
            let reason = after_days(1, |hour| factor * wave(hour));
            let Some(Reason::LevelShift { signal: Signal::Cpu, spreads }) = reason else {
                panic!("{factor}: {reason:?}")
            };
            assert_eq!(spreads > 0.0, up);
        }
    }

    #[test]
    fn a_few_odd_hours_are_neither_a_shift_nor_drift() {
        let odd = |hour: i64| wave(hour) * if hour % 24 < 6 { 2.0 } else { 1.0 };
        assert_eq!(after_days(1, odd), None);
        let one_day = |hour: i64| wave(hour) + if hour < 15 * 24 { 8.0 } else { 0.0 };
        assert_eq!(after_days(3, one_day), None);
    }

    #[test]
    fn forecasts_that_are_worse_for_days_drift() {
        let model = fitted(0..14, wave);
        let spread = model.back_test().iter().map(|s| s.levels[2] - s.levels[0]).sum::<f64>()
            / model.back_test().len() as f64;
        // More than the 0.95 path allows, less than a shift of three spreads.
        let reason = after_days(3, |hour| wave(hour) + 1.5 * spread);
        let Some(Reason::Drift { ratio, coverage, .. }) = reason else { panic!("{reason:?}") };
        assert!(ratio > 1.5 && coverage < 0.8, "{reason:?}");
        let two_days = after_days(2, |hour| wave(hour) + 1.5 * spread);
        assert_eq!(two_days, None);
    }

    #[test]
    fn a_longer_history_and_a_new_signal_are_worth_a_fit() {
        let model = version("v1", fitted(0..3, wave));
        let policy = weekly();
        let reason = |days: i64, signal: Signal| {
            let mut observed: BTreeMap<Signal, Series> = [(Signal::Cpu, series(0..3, wave))].into();
            observed.insert(signal, series(0..days, wave));
            due(&model, &observed, at(days * 24), &policy).unwrap()
        };
        let grown = Reason::MoreHistory { had_hours: 72, has_hours: 96 };
        assert_eq!(reason(4, Signal::Cpu), Some(grown));
        assert_eq!(reason(3, Signal::Cpu), None);
        assert_eq!(reason(3, Signal::RequestRate), Some(Reason::NewSignal(Signal::RequestRate)));
    }

    #[test]
    fn an_age_of_zero_means_always() {
        let model = version("v1", fitted(0..14, wave));
        let policy = RetrainPolicy { max_age_hours: 0, ..RetrainPolicy::default() };
        let reason = due(&model, &BTreeMap::new(), at(14 * 24), &policy).unwrap();
        assert_eq!(reason, Some(Reason::Age { hours: 0 }));
    }

    #[test]
    fn coverage_is_off_only_beyond_what_chance_does() {
        assert!(!is_off(72, 72, 0.95) && !is_off(68, 72, 0.95) && is_off(60, 72, 0.95));
        assert!(is_off(72, 72, 0.5) && is_off(0, 72, 0.5) && !is_off(36, 72, 0.5));
        assert!(is_off(672, 672, 0.95) && !is_off(640, 672, 0.95));
        assert!((binomial(1, 3, 0.5) - 0.5).abs() < 1e-12);
    }
}
