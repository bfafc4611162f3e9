//! Quantiles per hour of the day or week: a profile that forgets, its spread, and how far the last
//! day was above or below it.
//!
//! With a week of data an hour has been seen seven times, too few for a quantile of its own. So an
//! hour has a centre and a spread, and the errors of all hours, each divided by its spread, share
//! one distribution. Centre, spread and errors come from walking through the history day by day, each
//! day forecast from the days before it.

use serde::{Deserialize, Serialize};

use crate::levels::{LEVELS, Levels, pinball, uncrossed, weighted_levels};
use crate::season::Season;
use crate::slots::History;

/// Share an error keeps of its weight per day: half after about three weeks.
const ERROR_KEEP: f64 = 0.97;

/// Share an error keeps of its weight in the spread per day, at least.
const SPREAD_KEEP: f64 = 0.9;

/// Days of evidence at which an hour's own spread weighs as much as that of all hours.
const SPREAD_PRIOR: f64 = 3.0;

/// How the profile follows the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pace {
    /// Share an observation keeps of its weight per day, in (0, 1].
    pub(crate) keep: f64,
    /// Share of the last day's departure from the profile that is carried forward, in [0, 1].
    pub(crate) carry: f64,
    /// Whether weekdays have profiles of their own.
    pub(crate) weekdays: bool,
}

/// A weighted mean under way.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Mean {
    weight: f64,
    sum: f64,
}

impl Mean {
    fn add(&mut self, value: f64, keep: f64) {
        self.weight = keep * self.weight + 1.0;
        self.sum = keep * self.sum + value;
    }

    /// The mean, drawn to `prior` as by `count` further observations of it.
    fn toward(self, prior: f64, count: f64) -> f64 {
        (self.sum + count * prior) / (self.weight + count)
    }

    fn get(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

/// A fitted seasonal profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HourOfWeek {
    day: i64,
    pace: Pace,
    overall: Mean,
    hours: Vec<Mean>,
    weekdays: Vec<Mean>,
    errors: Mean,
    spreads: Vec<Mean>,
    departure: f64,
    residuals: Levels,
    floor: f64,
}

/// What the profile expected of a slot before it was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) centre: f64,
    pub(crate) spread: f64,
}

impl HourOfWeek {
    /// The profile of `history` at the pace that would have forecast its days best.
    pub(crate) fn fit(history: &History, season: Season) -> Self {
        let mut best: Option<(f64, Self)> = None;
        for pace in paces(season) {
            let (loss, fitted) = Self::at(history, season, pace);
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, fitted));
            }
        }
        best.map_or_else(|| Self::blank(history, season, SLOW), |(_, fitted)| fitted)
    }

    /// The profile at one pace, and the mean pinball loss it had on the way.
    fn at(history: &History, season: Season, pace: Pace) -> (f64, Self) {
        let mut fitted = Self::blank(history, season, pace);
        let mut errors = Vec::with_capacity(history.len());
        fitted.walk(history, |n, expected, seen| {
            if let Some(seen) = seen {
                errors.push((n, (seen - expected.centre) / expected.spread, expected.spread));
            }
        });
        let age = |n: i64| ((history.end() - n) / fitted.day) as i32;
        let mut weighed: Vec<(f64, f64)> =
            errors.iter().map(|&(n, z, _)| (z, ERROR_KEEP.powi(age(n)))).collect();
        fitted.residuals = weighted_levels(&mut weighed);
        let loss = |z: f64| -> f64 {
            LEVELS.iter().zip(&fitted.residuals).map(|(&q, &r)| pinball(q, r, z)).sum()
        };
        let total: f64 = errors.iter().map(|&(_, z, spread)| spread * loss(z)).sum();
        (total, fitted)
    }

    fn blank(history: &History, season: Season, pace: Pace) -> Self {
        let day = history.day();
        let hours = if season == Season::None { 1 } else { day as usize };
        let weekdays = if pace.weekdays { 7 * day as usize } else { 0 };
        Self {
            day,
            pace,
            overall: Mean::default(),
            hours: vec![Mean::default(); hours],
            weekdays: vec![Mean::default(); weekdays],
            errors: Mean::default(),
            spreads: vec![Mean::default(); hours],
            departure: 0.0,
            residuals: Levels::default(),
            floor: (1e-6 * history.mean_max().abs()).max(f64::MIN_POSITIVE),
        }
    }

    /// Goes through `history` day by day, the last day ending with it, and tells `observe` what was
    /// expected of each slot and what was seen. The first day only fills the profile.
    fn walk(&mut self, history: &History, mut observe: impl FnMut(i64, Expected, Option<f64>)) {
        let mut from = history.first;
        let partial = history.len() as i64 % self.day;
        let mut to = from + if partial > 0 { partial } else { self.day };
        while from < history.end() {
            if from - history.first >= self.day {
                // The first errors set the spread they are seen in; there is none before them.
                let early = self.errors.weight <= 0.0;
                if early {
                    self.measure(history, from, to);
                }
                (from..to).for_each(|n| observe(n, self.expected(n), history.max(n)));
                if !early {
                    self.measure(history, from, to);
                }
            }
            for n in from..to {
                history.max(n).into_iter().for_each(|value| self.remember(n, value));
            }
            (from, to) = (to, to + self.day);
        }
    }

    /// Takes in how far the slots from `from` up to `to` were off.
    fn measure(&mut self, history: &History, from: i64, to: i64) {
        let (mut seen, mut profile) = (0.0, 0.0);
        let keep = self.pace.keep.max(SPREAD_KEEP);
        let keep_hour = keep.powf(1.0 / self.slots_per_hour());
        let keep_all = keep.powf(1.0 / self.day as f64);
        for (n, value) in (from..to).filter_map(|n| Some((n, history.max(n)?))) {
            let error = (value - self.expected(n).centre).abs();
            let hour = self.hour(n);
            self.spreads[hour].add(error, keep_hour);
            self.errors.add(error, keep_all);
            seen += value;
            profile += self.profile(n);
        }
        if profile > 0.0 {
            self.departure = (seen / profile).clamp(0.25, 4.0) - 1.0;
        }
    }

    /// Slots a day that share an hour's mean.
    fn slots_per_hour(&self) -> f64 {
        self.day as f64 / self.hours.len() as f64
    }

    fn remember(&mut self, n: i64, value: f64) {
        let hour = self.hour(n);
        let keep = self.pace.keep.powf(1.0 / self.slots_per_hour());
        self.hours[hour].add(value, keep);
        self.overall.add(value, 1.0);
        if !self.weekdays.is_empty() {
            let slot = n.rem_euclid(7 * self.day) as usize;
            self.weekdays[slot].add(value, self.pace.keep);
        }
    }

    fn hour(&self, n: i64) -> usize {
        n.rem_euclid(self.hours.len() as i64) as usize
    }

    /// The mean at this hour of the day, or week.
    fn profile(&self, n: i64) -> f64 {
        let overall = self.overall.get().unwrap_or(0.0);
        let hour = self.hours[self.hour(n)].get().unwrap_or(overall);
        if self.weekdays.is_empty() {
            return hour;
        }
        self.weekdays[n.rem_euclid(7 * self.day) as usize].toward(hour, 0.5)
    }

    fn expected(&self, n: i64) -> Expected {
        let centre = self.profile(n) * (1.0 + self.pace.carry * self.departure);
        Expected { centre, spread: self.spread(n) }
    }

    /// How far slot `n` is usually off its centre; positive, in the signal's unit.
    pub(crate) fn spread(&self, n: i64) -> f64 {
        let all = self.errors.get().unwrap_or(0.0);
        self.spreads[self.hour(n)].toward(all, SPREAD_PRIOR).max(self.floor)
    }

    /// The quantiles of the largest observation in slot `n`.
    pub(crate) fn levels(&self, n: i64) -> Levels {
        let Expected { centre, spread } = self.expected(n);
        uncrossed(self.residuals.map(|residual| centre + spread * residual))
    }

    pub(crate) fn dbg(&self) -> String { format!("{:?} dep {:.2} res {:?}", self.pace, self.departure, self.residuals) }

    /// The levels' departures from the centre, in spreads.
    pub(crate) fn residuals(&self) -> &Levels {
        &self.residuals
    }

    /// What the profile at `self`'s pace, without carrying departures, expected of each slot of
    /// `history` and expects of the `ahead` slots after it; `None` for the first day.
    pub(crate) fn trace(&self, history: &History, ahead: i64) -> Vec<Option<Expected>> {
        let season = if self.hours.len() == 1 { Season::None } else { Season::Day };
        let mut walker = Self::blank(history, season, Pace { carry: 0.0, ..self.pace });
        let mut trace = vec![None; history.len()];
        let first = history.first;
        walker.walk(history, |n, expected, _| trace[(n - first) as usize] = Some(expected));
        let end = history.end();
        trace.extend((end..end + ahead).map(|n| Some(walker.expected(n))));
        trace
    }

    /// Whether the numbers can be what a fit to slots of `day` a day leaves behind.
    pub(crate) fn is_sound(&self, day: i64) -> bool {
        let cells = [&self.hours, &self.weekdays, &self.spreads].into_iter().flatten();
        let finite = |m: &Mean| m.weight.is_finite() && m.weight >= 0.0 && m.sum.is_finite();
        let hours = self.hours.len();
        let weekdays = if self.pace.weekdays { 7 * self.day as usize } else { 0 };
        self.day == day
            && (hours == 1 || hours as i64 == self.day)
            && self.spreads.len() == hours
            && self.weekdays.len() == weekdays
            && cells.chain([&self.overall, &self.errors]).all(finite)
            && self.residuals.iter().all(|r| r.is_finite())
            && [self.departure, self.pace.carry, self.floor].iter().all(|v| v.is_finite())
    }
}

/// The pace where nothing can be compared: every day counts alike.
const SLOW: Pace = Pace { keep: 1.0, carry: 0.0, weekdays: false };

/// The paces that are compared.
fn paces(season: Season) -> Vec<Pace> {
    let mut paces = Vec::new();
    for keep in [1.0, 0.9, 0.75, 0.5] {
        for carry in [0.0, 0.5, 1.0] {
            paces.push(Pace { keep, carry, weekdays: false });
            if season == Season::Week {
                paces.push(Pace { keep, carry, weekdays: true });
            }
        }
    }
    paces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::{history, noise};

    #[test]
    fn an_hour_is_forecast_from_the_same_hour_of_other_days() {
        let seen = history(8, |n| Some(10.0 + (n % 24) as f64 + 0.2 * noise(n)));
        let fitted = HourOfWeek::fit(&seen, Season::Day);
        for lead in 0..24 {
            let levels = fitted.levels(seen.end() + lead);
            assert!((levels[0] - 10.0 - lead as f64).abs() < 0.3, "{lead}: {levels:?}");
            assert!(levels[3] - levels[0] > 0.2 && levels[3] - levels[0] < 1.5, "{levels:?}");
        }
    }

    #[test]
    fn an_unsteady_hour_has_wider_quantiles_than_a_steady_one() {
        let seen = history(14, |n| Some(20.0 + if n % 24 == 5 { 4.0 } else { 0.2 } * noise(n)));
        let fitted = HourOfWeek::fit(&seen, Season::Day);
        let width = |hour: i64| {
            let levels = fitted.levels(seen.end() + hour);
            levels[3] - levels[0]
        };
        assert!(width(5) > 3.0 * width(6), "{} and {}", width(5), width(6));
    }

    #[test]
    fn a_level_shift_is_carried_forward() {
        let seen = history(10, |n| {
            let level = if n < 216 { 1.0 } else { 2.0 };
            Some(level * (10.0 + (n % 24) as f64))
        });
        let fitted = HourOfWeek::fit(&seen, Season::Day);
        assert!(fitted.levels(seen.end())[1] > 17.0, "{:?}", fitted.levels(seen.end()));
    }

    #[test]
    fn weekdays_have_profiles_of_their_own_where_they_differ() {
        let value = |n: i64| Some(if n / 24 % 7 < 5 { 30.0 } else { 10.0 } + 0.5 * noise(n));
        let seen = history(28, value);
        let fitted = HourOfWeek::fit(&seen, Season::Week);
        let day = |day: i64| fitted.levels(seen.end() + day * 24)[0];
        assert!(day(0) > 25.0 && day(6) < 15.0, "{} and {}", day(0), day(6));
    }

    #[test]
    fn constants_zeros_and_gaps_are_forecast_without_spread() {
        for level in [0.0, 7.0] {
            let seen = history(5, |n| (n % 5 != 0).then_some(level));
            let fitted = HourOfWeek::fit(&seen, Season::None);
            assert!(fitted.levels(seen.end()).iter().all(|v| (v - level).abs() < 1e-3));
            assert!(fitted.is_sound(24));
        }
    }
}
