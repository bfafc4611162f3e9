//! Two models held against each other on slots that neither had seen.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Quantile, Signal, Step};
use mora_forecast::{BACK_TEST_QUANTILES, BackTestSlot, ForecastError, SignalModel};
use serde::{Deserialize, Serialize};

/// Slots since the older model's data below which its real forecasts are not counted: a day.
const LEAST_SINCE: usize = 24;
/// Observations of one slot that differ by more than this share are not of the same series.
const SAME: f64 = 0.05;
const LONGEST_FORECAST: SignedDuration = SignedDuration::from_hours(7 * 24);
const DAY_SECONDS: i64 = 86_400;

/// What two models said of one slot, each without having seen it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    pub(crate) older: BackTestSlot,
    pub(crate) newer: BackTestSlot,
    /// Whether the older model's levels are those it really answered, after the end of its data.
    pub(crate) since: bool,
}

/// Two models of one signal on the same slots.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalComparison {
    /// Slots both were held against.
    pub slots: u32,
    /// How many of them came after the older model's data: there its real forecasts count.
    pub since: u32,
    /// Mean pinball loss of the first, in the signal's unit.
    pub first_loss: f64,
    /// Mean pinball loss of the second, in the signal's unit.
    pub second_loss: f64,
    /// Share of slots at or below the first's 0.95 path, in [0, 1].
    pub first_coverage: f64,
    /// Share of slots at or below the second's 0.95 path, in [0, 1].
    pub second_coverage: f64,
}

/// Two models of one workload on the same slots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Days the slots are of.
    pub days: u32,
    /// How much larger the second's loss is, as a share of the loss of both; mean over days and signals.
    pub excess: f64,
    /// Standard error of `excess` from its spread over days; `None` for a single day.
    pub standard_error: Option<f64>,
    /// The figures by signal.
    pub signals: BTreeMap<Signal, SignalComparison>,
}

/// The slots that `older` and `newer`, whose data ends no earlier, both said something of unseen.
///
/// Those are the slots of both back-tests where both saw the same, and those of `newer`'s back-test after the end of
/// `older`'s data, when there are at least 24. Fails when `older` does not answer.
pub(crate) fn pairs(older: &SignalModel, newer: &SignalModel) -> Result<Vec<Pair>, ForecastError> {
    if older.slot() != newer.slot() {
        return Ok(Vec::new());
    }
    let known: BTreeMap<Timestamp, &BackTestSlot> =
        older.back_test().iter().map(|slot| (slot.start, slot)).collect();
    let common = newer.back_test().iter().filter_map(|slot| {
        let older = **known.get(&slot.start)?;
        same(older.observed, slot.observed).then_some(Pair { older, newer: *slot, since: false })
    });
    let mut pairs: Vec<Pair> = common.collect();
    let end = after(older.data_until(), older.slot());
    let later: Vec<BackTestSlot> =
        newer.back_test().iter().filter(|slot| slot.start >= end).copied().collect();
    if later.len() >= LEAST_SINCE {
        let said = answered(older, &later)?;
        let since = said.into_iter().zip(later);
        pairs.extend(since.map(|(older, newer)| Pair { older, newer, since: true }));
    }
    Ok(pairs)
}

/// `observed` with the levels that `model` answers for its slots, which ascend and lie after its data.
pub(crate) fn answered(
    model: &SignalModel,
    observed: &[BackTestSlot],
) -> Result<Vec<BackTestSlot>, ForecastError> {
    let (Some(first), Some(last)) = (observed.first(), observed.last()) else {
        return Ok(Vec::new());
    };
    let width = i64::from(model.slot().seconds());
    let index = |start: Timestamp| ((start.as_second() - first.start.as_second()) / width) as usize;
    let levels = levels(model, first.start, index(last.start) + 1)?;
    let with = |slot: &BackTestSlot| BackTestSlot { levels: levels[index(slot.start)], ..*slot };
    Ok(observed.iter().map(with).collect())
}

/// The levels of `count` slots from `start` on.
fn levels(
    model: &SignalModel,
    start: Timestamp,
    count: usize,
) -> Result<Vec<[f64; 4]>, ForecastError> {
    // The constants are quantiles.
    let quantiles: Vec<Quantile> =
        BACK_TEST_QUANTILES.iter().filter_map(|q| Quantile::new(*q).ok()).collect();
    let most = (LONGEST_FORECAST.as_secs() / i64::from(model.slot().seconds())) as usize;
    let mut levels = Vec::with_capacity(count);
    while levels.len() < count {
        let from = start.saturating_add(model.slot().times(levels.len())).unwrap_or(Timestamp::MAX);
        let slots = most.min(count - levels.len());
        let paths = model.forecast(from, slots, &quantiles)?.paths;
        let at = |slot: usize| std::array::from_fn(|level| paths[&quantiles[level]][slot]);
        levels.extend((0..slots).map(at));
    }
    Ok(levels)
}

/// The first slot that starts at or after `time`.
pub(crate) fn after(time: Timestamp, slot: Step) -> Timestamp {
    let floor = slot.floor(time);
    if floor < time { floor.saturating_add(slot.times(1)).unwrap_or(Timestamp::MAX) } else { floor }
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

impl Comparison {
    /// The figures of `pairs`, where `first` and `second` tell the two models apart; `None` without a pair.
    pub(crate) fn of(
        pairs: &BTreeMap<Signal, Vec<Pair>>,
        first: fn(&Pair) -> &BackTestSlot,
        second: fn(&Pair) -> &BackTestSlot,
    ) -> Option<Self> {
        let paired = || pairs.iter().filter(|(_, pairs)| !pairs.is_empty());
        let signals: BTreeMap<Signal, SignalComparison> =
            paired().map(|(signal, pairs)| (*signal, figures(pairs, first, second))).collect();
        let mut days: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (signal, pairs) in paired() {
            let scale = f64::midpoint(signals[signal].first_loss, signals[signal].second_loss);
            for (day, excess) in excess_by_day(pairs, first, second) {
                let excess = if scale > 0.0 { excess / scale } else { 0.0 };
                days.entry(day).or_default().push(excess);
            }
        }
        let days: Vec<f64> = days.values().map(|excesses| mean(excesses)).collect();
        (!days.is_empty()).then(|| Self {
            days: days.len() as u32,
            excess: mean(&days),
            standard_error: standard_error(&days),
            signals,
        })
    }

    /// Slots of all signals together.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.signals.values().map(|signal| signal.slots).sum()
    }
}

fn figures(
    pairs: &[Pair],
    first: fn(&Pair) -> &BackTestSlot,
    second: fn(&Pair) -> &BackTestSlot,
) -> SignalComparison {
    let count = pairs.len() as f64;
    let loss = |of: fn(&Pair) -> &BackTestSlot| {
        pairs.iter().map(|pair| of(pair).loss()).sum::<f64>() / count
    };
    let coverage = |of: fn(&Pair) -> &BackTestSlot| {
        pairs.iter().filter(|pair| of(pair).held()).count() as f64 / count
    };
    SignalComparison {
        slots: pairs.len() as u32,
        since: pairs.iter().filter(|pair| pair.since).count() as u32,
        first_loss: loss(first),
        second_loss: loss(second),
        first_coverage: coverage(first),
        second_coverage: coverage(second),
    }
}

/// By how much the second's mean loss is larger on each day.
fn excess_by_day(
    pairs: &[Pair],
    first: fn(&Pair) -> &BackTestSlot,
    second: fn(&Pair) -> &BackTestSlot,
) -> BTreeMap<i64, f64> {
    let mut days: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for pair in pairs {
        let day = pair.newer.start.as_second().div_euclid(DAY_SECONDS);
        days.entry(day).or_default().push(second(pair).loss() - first(pair).loss());
    }
    days.into_iter().map(|(day, excesses)| (day, mean(&excesses))).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len() as f64).max(1.0)
}

fn standard_error(values: &[f64]) -> Option<f64> {
    let count = values.len() as f64;
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (count - 1.0) / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made;

    #[test]
    fn slots_are_paired_by_their_start_and_real_forecasts_count_since_the_older_data() {
        let (older, newer) = (made::fitted(0..14, made::wave), made::fitted(2..16, made::wave));
        let pairs = pairs(&older, &newer).unwrap();
        // Both hold out their last seven days: 7 to 14 and 9 to 16.
        let common = pairs.iter().filter(|pair| !pair.since).count();
        assert_eq!((common, pairs.len()), (5 * 24, 7 * 24));
        assert!(pairs.iter().all(|pair| pair.older.start == pair.newer.start));
        assert!(pairs.windows(2).all(|two| two[0].newer.start < two[1].newer.start));
    }

    #[test]
    fn less_than_a_day_since_is_not_counted_and_other_data_is_not_paired() {
        let older = made::fitted(0..14, made::wave);
        let same = pairs(&older, &made::fitted(0..14, made::wave)).unwrap();
        assert!(same.len() == 7 * 24 && same.iter().all(|pair| pair.older == pair.newer));
        let other = made::fitted(0..14, |hour| 2.0 * made::wave(hour));
        assert!(pairs(&older, &other).unwrap().is_empty());
    }

    #[test]
    fn the_excess_is_relative_and_its_error_is_over_days() {
        let older = made::fitted(0..14, made::wave);
        let mut pairs = pairs(&older, &older).unwrap();
        for (index, pair) in pairs.iter_mut().enumerate() {
            let size = if index < 24 { 4.0 } else { 2.0 };
            pair.older.levels = [pair.older.observed + 2.0; 4];
            pair.newer.levels = [pair.newer.observed + size; 4];
        }
        let by_signal = [(Signal::Cpu, pairs)].into();
        let compared = Comparison::of(&by_signal, |p| &p.older, |p| &p.newer).unwrap();
        let figures = compared.signals[&Signal::Cpu];
        assert_eq!((compared.days, figures.slots, compared.slots()), (7, 168, 168));
        let ratio = figures.second_loss / figures.first_loss;
        assert!((ratio - 8.0 / 7.0).abs() < 1e-9, "{figures:?}");
        assert!((compared.excess - (ratio - 1.0) / f64::midpoint(ratio, 1.0)).abs() < 1e-9);
        // One day of seven differs: the mean is as large as its standard error.
        assert!((compared.standard_error.unwrap() - compared.excess).abs() < 1e-9);
        assert!(Comparison::of(&BTreeMap::new(), |p| &p.older, |p| &p.newer).is_none());
    }
}
