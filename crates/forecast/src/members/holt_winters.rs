//! Damped additive Holt-Winters smoothing with a day and a week (Holt 1957, Winters 1960).
//!
//! Level and damped trend as in Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, 8.4;
//! two seasons and the carried error as in Taylor, "Short-term electricity demand forecasting using double
//! seasonal exponential smoothing", 2003. In error correction form, with `e` the observation less what was
//! expected of it:
//!
//! ```text
//! expected(h) = level + trend * (damping + ... + damping^h) + day[n] + week[n] + carry^h * error
//! level += damping * trend + a * e      trend = damping * trend + b * e
//! day[n] += c * e                       week[n] += d * e
//! ```
//!
//! The shares are those with the least absolute error over whole days ahead, which is what is asked of the
//! member; one slot ahead is easy and would choose a restless level.

mod search;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::search::least;
use crate::season::Season;
use crate::slots::History;

/// Days that are smoothed at most: the shares forget what is older.
const MOST_DAYS: i64 = 56;
/// Seasons a history must cover, and weeks it must cover for weekdays to differ.
const LEAST_SEASONS: i64 = 2;
/// Origins a day from which the shares are tried.
const ORIGINS_A_DAY: usize = 4;
/// Damping per slot: below, a trend is no trend; above, it never ends.
const DAMPING: (f64, f64) = (0.8, 0.998);
/// Largest share of an error that the next slot repeats.
const MOST_CARRY: f64 = 0.95;

/// Why nothing was smoothed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("Holt-Winters needs {needed} slots of which half were observed, and has {found}")]
pub(crate) struct TooShort {
    /// Slots observed.
    pub(crate) found: usize,
    /// Slots in two seasons.
    pub(crate) needed: usize,
}

/// How much of an error each part of the state takes, and how fast trend and error fade.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Shares {
    level: f64,
    trend: f64,
    damping: f64,
    day: f64,
    week: f64,
    carry: f64,
}

/// What is known after a slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    level: f64,
    trend: f64,
    error: f64,
    /// By slot number modulo its length; one zero where the hours of a day do not differ.
    day: Vec<f64>,
    /// By slot number modulo its length; one zero where weekdays do not differ.
    week: Vec<f64>,
}

/// A fitted Holt-Winters model: it answers from its last state and is not fitted again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoltWinters {
    /// The slot after the last it has seen.
    end: i64,
    /// The unit of the state: the largest value it has seen.
    scale: f64,
    shares: Shares,
    state: State,
}

impl HoltWinters {
    /// Smooths the largest observations of `history`; weekdays are told apart from two weeks on.
    ///
    /// Fails where fewer than two days, or less than half of their slots, were observed.
    pub(crate) fn fit(history: &History, season: Season) -> Result<Self, TooShort> {
        let needed = (LEAST_SEASONS * history.day()) as usize;
        let found = history.observed().count();
        if history.len() < needed || 2 * found < needed {
            return Err(TooShort { found, needed });
        }
        let scale = history.observed().fold(0.0, |most: f64, (_, value)| most.max(value.abs()));
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let seen = Seen::new(history, season, scale);
        let start = seen.start();
        let best = least([0.2, 0.1, 0.5, 0.2, 0.2, 0.5], |point| {
            seen.days_ahead_error(&start, &Shares::at(point))
        });
        let shares = Shares::at(&best);
        let mut state = start;
        seen.slots().for_each(|(n, value)| state.see(&shares, n, value));
        Ok(Self { end: history.end(), scale, shares, state })
    }

    /// The expected largest observation in each of `count` slots from `first` on.
    pub(crate) fn path(&self, first: i64, count: usize) -> Vec<f64> {
        let Self { shares, state, .. } = self;
        let lead = i32::try_from((first - self.end).max(-1) + 1).unwrap_or(i32::MAX);
        let damped = shares.damping.powi(lead);
        let ahead = Ahead {
            risen: shares.damping * (1.0 - damped) / (1.0 - shares.damping),
            damped,
            carried: shares.carry.powi(lead),
        };
        ahead
            .onward(shares)
            .zip(first..)
            .take(count)
            .map(|(ahead, n)| self.scale * state.expected(&ahead, n))
            .collect()
    }

    /// Whether the numbers can be what a fit to slots of `day` a day before slot `end` leaves behind.
    pub(crate) fn is_sound(&self, day: i64, end: i64) -> bool {
        let Self { scale, shares, state, .. } = self;
        let Shares { level, trend, damping, day: daily, week: weekly, carry } = *shares;
        let sums = [*scale, state.level, state.trend, state.error];
        let numbers = sums.iter().chain(&state.day).chain(&state.week);
        let length = |season: &[f64], full: i64| [1, full].contains(&(season.len() as i64));
        self.end == end
            && *scale > 0.0
            && length(&state.day, day)
            && length(&state.week, 7 * day)
            && [level, trend, daily, weekly, carry].iter().all(|s| (0.0..=1.0).contains(s))
            && (0.0..1.0).contains(&damping)
            && numbers.into_iter().all(|number| number.is_finite())
    }
}

impl Shares {
    /// The shares of a point in the unit cube: none is negative, and level and season never take more than the error.
    fn at(point: &[f64; 6]) -> Self {
        let [level, trend, damping, day, week, carry] = *point;
        Self {
            level,
            trend: 0.3 * level * trend,
            damping: DAMPING.0 + (DAMPING.1 - DAMPING.0) * damping,
            day: (1.0 - level) * day,
            week: (1.0 - level) * (1.0 - day) * week,
            carry: MOST_CARRY * carry,
        }
    }
}

/// How trend and error have faded some slots ahead.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    /// The trend's sum up to this slot, in trends.
    risen: f64,
    /// The trend at this slot, in trends.
    damped: f64,
    /// The error at this slot, in errors.
    carried: f64,
}

impl Ahead {
    const NOW: Self = Self { risen: 0.0, damped: 1.0, carried: 1.0 };

    fn next(self, shares: &Shares) -> Self {
        let damped = self.damped * shares.damping;
        Self { risen: self.risen + damped, damped, carried: self.carried * shares.carry }
    }

    /// This slot and all after it.
    fn onward(self, shares: &Shares) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |ahead| Some(ahead.next(shares)))
    }
}

impl State {
    /// What is expected of slot `n`, which is `ahead` of this state.
    fn expected(&self, ahead: &Ahead, n: i64) -> f64 {
        let season = self.day[phase(n, &self.day)] + self.week[phase(n, &self.week)];
        self.level + self.trend * ahead.risen + season + self.error * ahead.carried
    }

    /// Moves on to slot `n` and what was observed in it; over a gap, as if nothing unexpected had come.
    fn see(&mut self, shares: &Shares, n: i64, value: Option<f64>) {
        self.trend *= shares.damping;
        self.level += self.trend;
        let (day, week) = (phase(n, &self.day), phase(n, &self.week));
        let Some(value) = value else {
            self.error *= shares.carry;
            return;
        };
        self.error = value - self.level - self.day[day] - self.week[week];
        self.level += shares.level * self.error;
        self.trend += shares.trend * self.error;
        if self.day.len() > 1 {
            self.day[day] += shares.day * self.error;
        }
        if self.week.len() > 1 {
            self.week[week] += shares.week * self.error;
        }
    }
}

fn phase(n: i64, season: &[f64]) -> usize {
    n.rem_euclid(season.len() as i64) as usize
}

/// The part of a history that is smoothed, in its own unit.
struct Seen {
    first: i64,
    values: Vec<Option<f64>>,
    day: i64,
    daily: bool,
    weekly: bool,
}

impl Seen {
    fn new(history: &History, season: Season, scale: f64) -> Self {
        let day = history.day();
        let first = history.first.max(history.end() - MOST_DAYS * day);
        let slots = first..history.end();
        let weeks = (slots.end - slots.start) / (7 * day);
        Self {
            first,
            values: slots.map(|n| history.max(n).map(|value| value / scale)).collect(),
            day,
            daily: season != Season::None && day > 1,
            weekly: season == Season::Week && weeks >= LEAST_SEASONS,
        }
    }

    fn slots(&self) -> impl Iterator<Item = (i64, Option<f64>)> + '_ {
        (self.first..).zip(self.values.iter().copied())
    }

    /// The state before the first slot: mean and mean departures from the moving mean of the first weeks.
    fn start(&self) -> State {
        let season = if self.weekly { 7 * self.day } else { self.day } as usize;
        let early = &self.values[..self.values.len().min((14 * self.day) as usize)];
        let level = mean(early[..season.min(early.len())].iter().flatten().copied());
        let level = level.or_else(|| mean(early.iter().flatten().copied())).unwrap_or(0.0);
        let mut rest: Vec<Option<f64>> = (0..early.len())
            .map(|index| {
                let from = index.saturating_sub(season / 2).min(early.len().saturating_sub(season));
                let around = &early[from..(from + season).min(early.len())];
                Some(early[index]? - mean(around.iter().flatten().copied())?)
            })
            .collect();
        let mut take = |wanted: bool, length: i64| {
            if wanted { take_season(&mut rest, self.first, length as usize) } else { vec![0.0] }
        };
        let day = take(self.daily, self.day);
        let week = take(self.weekly, 7 * self.day);
        State { level, trend: 0.0, error: 0.0, day, week }
    }

    /// Mean absolute error of the days ahead of origins spread over all but the first season.
    fn days_ahead_error(&self, start: &State, shares: &Shares) -> f64 {
        let apart = (self.day as usize / ORIGINS_A_DAY).max(1);
        let warm = if self.weekly { 7 * self.day } else { self.day } as usize;
        let mut state = start.clone();
        let (mut sum, mut count) = (0.0, 0.0);
        for (index, (n, value)) in self.slots().enumerate() {
            if index >= warm && index % apart == 0 {
                let ahead = Ahead::NOW.next(shares).onward(shares).zip(&self.values[index..]);
                for ((ahead, value), n) in ahead.take(self.day as usize).zip(n..) {
                    let Some(value) = value else { continue };
                    sum += (value - state.expected(&ahead, n)).abs();
                    count += 1.0;
                }
            }
            state.see(shares, n, value);
        }
        sum / f64::max(count, 1.0)
    }
}

/// The mean of `rest` at each phase of a season of `length` slots, which is taken away from it; zero where
/// nothing was observed.
fn take_season(rest: &mut [Option<f64>], first: i64, length: usize) -> Vec<f64> {
    let offset = first.rem_euclid(length as i64) as usize;
    let mut season = vec![0.0; length];
    for index in 0..length.min(rest.len()) {
        let phase = rest.iter().skip(index).step_by(length);
        season[(offset + index) % length] = mean(phase.flatten().copied()).unwrap_or(0.0);
    }
    for (index, value) in rest.iter_mut().enumerate() {
        *value = value.map(|value| value - season[(offset + index) % length]);
    }
    season
}

/// The mean of `values`; `None` without any.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::{self, FIRST, history, noise};

    fn day(n: i64) -> f64 {
        20.0 * (std::f64::consts::TAU * n as f64 / 24.0).sin()
            + if n % 24 == 9 { 15.0 } else { 0.0 }
    }

    /// Mean distance of the day after `days` days from what is due.
    fn off(model: &HoltWinters, days: i64, due: impl Fn(i64) -> f64) -> f64 {
        let path = model.path(FIRST + days * 24, 24);
        let error = |(lead, value): (usize, &f64)| (value - due(days * 24 + lead as i64)).abs();
        path.iter().enumerate().map(error).sum::<f64>() / 24.0
    }

    #[test]
    fn a_trend_with_a_day_is_carried_on() {
        let due = |n: i64| 100.0 + 0.2 * n as f64 + day(n);
        let model = HoltWinters::fit(&history(28, |n| Some(due(n) + noise(n))), Season::Day);
        let off = off(&model.unwrap(), 28, due);
        assert!(off < 1.5, "{off}");
    }

    #[test]
    fn weekdays_differ_where_two_weeks_were_seen() {
        let due = |n: i64| if n / 24 % 7 < 5 { 100.0 + day(n) } else { 50.0 };
        let seen = |days| history(days, |n| Some(due(n) + noise(n)));
        for days in [28, 33] {
            let model = HoltWinters::fit(&seen(days), Season::Week).unwrap();
            assert_eq!(model.state.week.len(), 168);
            let off = off(&model, days, due);
            assert!(off < 2.5, "{off} after {days} days");
        }
        let model = HoltWinters::fit(&seen(13), Season::Week).unwrap();
        assert_eq!((model.state.day.len(), model.state.week.len()), (24, 1));
    }

    #[test]
    fn slots_of_a_day_have_weekdays_and_no_hours() {
        let due = |n: i64| if n / 24 % 7 < 5 { 100.0 } else { 50.0 };
        let hourly = made::series(35, |n| Some(due(n) + noise(n)));
        let seen = History::new(&hourly, mora_core::Step::from_seconds(86_400).unwrap());
        let model = HoltWinters::fit(&seen, Season::Week).unwrap();
        assert_eq!((model.state.day.len(), model.state.week.len()), (1, 7));
        assert!(model.state.day[0].abs() < 1e-12, "{:?}", model.state.day);
        assert!(model.is_sound(1, seen.end()));
        for (day, value) in model.path(seen.end(), 7).iter().enumerate() {
            let due = due(24 * (35 + day as i64));
            // The largest of 24 values is 2 above their mean.
            assert!((value - due - 2.0).abs() < 2.0, "{day}: {value} is not {due}");
        }
    }

    #[test]
    fn gaps_are_passed_over() {
        let due = |n: i64| 100.0 + day(n);
        let kept = |n: i64| n % 5 != 0 && !(200..260).contains(&n) && n < 325;
        let seen = history(14, |n| kept(n).then(|| due(n) + noise(n)));
        let model = HoltWinters::fit(&seen, Season::Day).unwrap();
        let off = off(&model, 14, due);
        assert!(off < 2.0, "{off}");
    }

    #[test]
    fn a_level_shift_is_followed_and_a_single_outlier_is_not() {
        let shifted = |n: i64| if n < 240 { 100.0 } else { 200.0 } + day(n);
        let model = HoltWinters::fit(&history(14, |n| Some(shifted(n))), Season::Day).unwrap();
        assert!(off(&model, 14, shifted) < 5.0, "{}", off(&model, 14, shifted));
        let steady = |n: i64| 100.0 + day(n);
        let seen = |n: i64| if n == 300 { 1000.0 } else { steady(n) + noise(n) };
        let model = HoltWinters::fit(&history(14, |n| Some(seen(n))), Season::Day).unwrap();
        assert!(off(&model, 14, steady) < 10.0, "{}", off(&model, 14, steady));
    }

    #[test]
    fn constants_and_zeros_are_carried_on() {
        for level in [0.0, 7.0, 1e-12, 1e15] {
            for season in [Season::None, Season::Day, Season::Week] {
                let seen = history(15, |n| (n % 5 != 0).then_some(level));
                let model = HoltWinters::fit(&seen, season).unwrap();
                let path = model.path(seen.end(), 200);
                let close = |value: &f64| (value - level).abs() <= 1e-9 * level;
                assert!(path.iter().all(close), "{path:?}");
            }
        }
    }

    #[test]
    fn less_than_two_days_is_refused() {
        let short = history(1, |n| Some(day(n)));
        assert_eq!(HoltWinters::fit(&short, Season::Day), Err(TooShort { found: 24, needed: 48 }));
        let sparse = history(20, |n| (n % 23 == 0).then_some(1.0));
        assert_eq!(HoltWinters::fit(&sparse, Season::Day).unwrap_err().found, 21);
        assert!(HoltWinters::fit(&history(2, |n| Some(day(n))), Season::Week).is_ok());
    }

    #[test]
    fn a_saved_model_answers_the_same_bits() {
        let seen = history(21, |n| Some(100.0 + day(n) + 5.0 * noise(n)));
        for season in [Season::None, Season::Day, Season::Week] {
            let model = HoltWinters::fit(&seen, season).unwrap();
            assert!(model.is_sound(24, seen.end()), "{model:?}");
            let text = serde_json::to_string(&model).unwrap();
            let restored: HoltWinters = serde_json::from_str(&text).unwrap();
            for first in [seen.end() - 5, seen.end(), seen.end() + 1_000_000] {
                let bits = |model: &HoltWinters| {
                    model.path(first, 168).iter().map(|v| v.to_bits()).collect::<Vec<_>>()
                };
                assert_eq!(bits(&restored), bits(&model));
            }
        }
    }

    #[test]
    fn a_path_goes_on_where_another_begins() {
        let seen = history(21, |n| Some(100.0 + 0.5 * n as f64 + day(n) + noise(n)));
        let model = HoltWinters::fit(&seen, Season::Day).unwrap();
        let whole = model.path(seen.end(), 72);
        for (a, b) in whole[30..].iter().zip(model.path(seen.end() + 30, 42)) {
            assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        }
    }
}
