//! Quantiles per hour of the day and week, from the same hour of earlier days.
//!
//! An earlier day counts less the older it is, more when it is the same weekday, and is scaled towards the
//! level of the last day. With a week of data an hour has been seen seven times, too few for a tail of its own; so half
//! of each quantile comes from the hour's own days, and half from its median and spread with the errors
//! of all hours, each divided by the spread of its hour. How fast days age is not chosen but averaged over:
//! on few days the choice would follow noise.

use serde::{Deserialize, Serialize};

use crate::levels::{Levels, uncrossed, weighted_levels};
use crate::season::Season;
use crate::slots::History;

/// Shares a day keeps of its weight per day.
const PACES: [f64; 3] = [0.7, 0.85, 0.93];
/// The pace of the profile that the LSTM departs from, and of errors.
const PROFILE_PACE: f64 = PACES[1];
const ERROR_PACE: f64 = PACES[2];
/// How many times more the same weekday counts, where weekdays were not seen to differ and where they were.
const SAME_WEEKDAY: f64 = 4.0;
const WEEKLY_WEEKDAY: f64 = 16.0;
/// Exponents of the ratio of the last season's level to an earlier day's; the first unless another errs clearly less.
const CARRIES: [f64; 3] = [0.5, 0.0, 1.0];
/// Share of the errors of the first that another must stay below.
const CLEARLY: f64 = 0.95;
/// Days that are looked back on.
const DAYS: i64 = 28;
/// Last days whose errors are measured.
const ERROR_DAYS: i64 = 10;
/// Days of evidence at which an hour's own spread weighs as much as that of all hours.
const SPREAD_PRIOR: f64 = 5.0;

/// A fitted profile: the quantiles of the week after the history, slot by slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HourOfWeek {
    /// The slot the first entry is about.
    first: i64,
    /// One entry per slot of a week, or per day where the hours of a day do not differ.
    week: Vec<Levels>,
    /// How far each slot of a day is off; one entry where the hours of a day do not differ.
    spreads: Vec<f64>,
    /// Slots that share an entry.
    width: i64,
}

/// What the profile expected of a slot before it was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    pub(crate) levels: Levels,
    pub(crate) spread: f64,
}

impl HourOfWeek {
    /// The profile of `history`.
    pub(crate) fn fit(history: &History, season: Season) -> Self {
        let past = Past::new(history, season).with_best_carry();
        let parts = PACES.map(|pace| Part::new(&past, pace));
        let entries = 7 * past.entries();
        let week = (0..entries).map(|entry| {
            let n = past.end + entry * past.width;
            mean(&parts.each_ref().map(|part| part.levels(&past, n)))
        });
        let hours = (0..past.entries() as usize)
            .map(|hour| parts.iter().map(|part| part.spreads[hour]).sum::<f64>() / 3.0);
        Self { first: past.end, week: week.collect(), spreads: hours.collect(), width: past.width }
    }

    /// The quantiles of the largest observation in slot `n`.
    pub(crate) fn levels(&self, n: i64) -> Levels {
        uncrossed(self.week[self.entry(n) % self.week.len()])
    }

    /// How far slot `n` is usually off its median; positive, in the signal's unit.
    pub(crate) fn spread(&self, n: i64) -> f64 {
        self.spreads[self.entry(n) % self.spreads.len()]
    }

    /// The entry of slot `n`, counted on from the first.
    fn entry(&self, n: i64) -> usize {
        let slots = self.week.len() as i64 * self.width;
        ((n - self.first).rem_euclid(slots) / self.width) as usize
    }

    /// Whether the numbers can be what a fit to slots of `day` a day before slot `end` leaves behind.
    pub(crate) fn is_sound(&self, day: i64, end: i64) -> bool {
        let entries = if self.width == day { 1 } else { day };
        self.first == end
            && (self.width == 1 || self.width == day)
            && self.spreads.len() as i64 == entries
            && self.week.len() as i64 == 7 * entries
            && self.spreads.iter().all(|spread| *spread > 0.0)
    }
}

/// What the profile, without carrying levels forward, expected of each slot of `history` the day before,
/// and expects of the `ahead` slots after it; `None` for the first day.
pub(crate) fn trace(history: &History, season: Season, ahead: i64) -> Vec<Option<Expected>> {
    let past = Past { levels: Vec::new(), ..Past::new(history, season) };
    let total = history.len() as i64 + ahead;
    let mut trace = vec![None; total as usize];
    let mut errors = Errors::new(&past);
    let days = history.len() as i64 / past.day;
    for back in (0..=days).rev() {
        let origin = past.end - back * past.day;
        let own = past.entries_after(origin, back, PROFILE_PACE);
        let slots = origin..(origin + past.day).min(history.first + total);
        if origin - history.first < past.day {
            continue;
        }
        if errors.is_empty() {
            // The first errors set the spread they are seen in; there is none before them.
            errors.add_day(&past, origin, &own);
        }
        let spreads = errors.spreads(past.floor());
        let residuals = errors.residuals(&spreads);
        for n in slots {
            let entry = ((n - origin) / past.width) as usize;
            let spread = spreads[entry];
            let levels = shared(&own[entry], &residuals, spread);
            trace[(n - history.first) as usize] = Some(Expected { levels, spread });
        }
        errors.age();
        errors.add_day(&past, origin, &own);
    }
    trace
}

/// A history by days that end with it.
struct Past<'a> {
    history: &'a History,
    end: i64,
    day: i64,
    /// Slots that share an entry: 1, or a day where the hours of a day do not differ.
    width: i64,
    /// How many times more the same weekday counts.
    weekday: f64,
    /// How much of the ratio of levels is carried forward, as an exponent.
    carry: f64,
    /// Mean of the season that ends this many days before the end; empty where levels are not carried.
    levels: Vec<Option<f64>>,
}

impl<'a> Past<'a> {
    fn new(history: &'a History, season: Season) -> Self {
        let (end, day) = (history.end(), history.day());
        let level = |back: i64| {
            let slots = end - back * day - season.slots(day)..end - back * day;
            average(slots.filter_map(|n| history.max(n)))
        };
        let levels = (0..=DAYS + ERROR_DAYS).map(level).collect();
        let width = if season == Season::None { day } else { 1 };
        let weekday = if season == Season::Week { WEEKLY_WEEKDAY } else { SAME_WEEKDAY };
        Self { history, end, day, width, weekday, carry: CARRIES[0], levels }
    }

    /// The same with the carry that errs least on the last days.
    fn with_best_carry(mut self) -> Self {
        let errors = CARRIES.map(|carry| {
            self.carry = carry;
            Errors::measured(&self, PROFILE_PACE).size()
        });
        self.carry = CARRIES[0];
        let mut least = CLEARLY * errors[0];
        for (error, carry) in errors.into_iter().zip(CARRIES).skip(1) {
            if error < least {
                (least, self.carry) = (error, carry);
            }
        }
        self
    }

    /// Entries in a day.
    fn entries(&self) -> i64 {
        self.day / self.width
    }

    /// Spread below which slots are not told apart.
    fn floor(&self) -> f64 {
        (1e-6 * self.history.mean_max().abs()).max(f64::MIN_POSITIVE)
    }

    /// What was seen `back` days before the end and earlier of the entry that holds slot `n`, with weights.
    fn seen(&self, n: i64, back: i64, pace: f64) -> Vec<(f64, f64)> {
        let origin = self.end - back * self.day;
        let ahead = (n - origin).div_euclid(self.day);
        let mut seen = Vec::with_capacity((DAYS * self.width) as usize);
        for days in ahead + 1..=ahead + DAYS {
            let slot = n - days * self.day;
            if slot + self.width <= self.history.first {
                break;
            }
            let weekday = if days % 7 == 0 { self.weekday } else { 1.0 };
            let weight = weekday * pace.powi(days as i32);
            let scale = self.carried(back, back + days);
            let values = (slot..slot + self.width).filter_map(|slot| self.history.max(slot));
            seen.extend(values.map(|value| (scale * value, weight)));
        }
        seen
    }

    /// What a value from after the day that ends `from` days before the end is multiplied by to stand for
    /// one after the day that ends `to` days before it.
    fn carried(&self, to: i64, from: i64) -> f64 {
        let level = |back: i64| self.levels.get(back as usize).copied().flatten();
        match (level(to), level(from)) {
            (Some(now), Some(then)) if now > 0.0 && then > 0.0 => {
                (now / then).clamp(0.2, 5.0).powf(self.carry)
            }
            _ => 1.0,
        }
    }

    /// The quantiles of the entry that holds slot `n`, as known `back` days before the end.
    fn quantiles(&self, n: i64, back: i64, pace: f64) -> Levels {
        let mut seen = self.seen(n, back, pace);
        if seen.is_empty() {
            let known = self.history.before(self.end - back * self.day);
            seen = known.observed().map(|(_, value)| (value, 1.0)).collect();
        }
        weighted_levels(&mut seen)
    }

    /// The quantiles of the day after `origin`, which is `back` days before the end.
    fn entries_after(&self, origin: i64, back: i64, pace: f64) -> Vec<Levels> {
        let slots = (0..self.entries()).map(|entry| origin + entry * self.width);
        slots.map(|n| self.quantiles(n, back, pace)).collect()
    }
}

/// The errors of past days about the medians that were known before each.
struct Errors {
    /// Per entry of a day: weight, weighted sum of sizes.
    hours: Vec<(f64, f64)>,
    /// Entry, error, weight.
    all: Vec<(usize, f64, f64)>,
}

impl Errors {
    fn new(past: &Past<'_>) -> Self {
        Self { hours: vec![(0.0, 0.0); past.entries() as usize], all: Vec::new() }
    }

    /// The errors of the last days, but for the first two of the history, which are forecast from.
    fn measured(past: &Past<'_>, pace: f64) -> Self {
        let mut errors = Self::new(past);
        let days = (past.history.len() as i64 / past.day - 2).clamp(0, ERROR_DAYS);
        for back in (1..=days).rev() {
            let origin = past.end - back * past.day;
            errors.age();
            errors.add_day(past, origin, &past.entries_after(origin, back, pace));
        }
        errors
    }

    /// Weighted sum of the sizes of the errors.
    fn size(&self) -> f64 {
        self.all.iter().map(|(_, error, weight)| weight * error.abs()).sum()
    }

    fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes in how far the day after `origin` was off the medians of `entries`.
    fn add_day(&mut self, past: &Past<'_>, origin: i64, entries: &[Levels]) {
        for n in origin..origin + past.day {
            let entry = ((n - origin) / past.width) as usize;
            if let Some(value) = past.history.max(n) {
                let error = value - entries[entry][0];
                self.hours[entry].0 += 1.0;
                self.hours[entry].1 += error.abs();
                self.all.push((entry, error, 1.0));
            }
        }
    }

    /// Lets what was taken in count less by a day.
    fn age(&mut self) {
        for (weight, sum) in &mut self.hours {
            *weight *= ERROR_PACE;
            *sum *= ERROR_PACE;
        }
        self.all.iter_mut().for_each(|(_, _, weight)| *weight *= ERROR_PACE);
    }

    /// The usual size of an error per entry, drawn to that of all, at least `floor`.
    fn spreads(&self, floor: f64) -> Vec<f64> {
        let (weight, sum) = self.hours.iter().fold((0.0, 0.0), |t, h| (t.0 + h.0, t.1 + h.1));
        let all = if weight > 0.0 { sum / weight } else { 0.0 };
        let drawn = |(weight, sum): &(f64, f64)| {
            ((sum + SPREAD_PRIOR * all) / (weight + SPREAD_PRIOR)).max(floor)
        };
        self.hours.iter().map(drawn).collect()
    }

    /// Quantiles of the errors in `spreads`.
    fn residuals(&self, spreads: &[f64]) -> Levels {
        let scaled =
            self.all.iter().map(|&(entry, error, weight)| (error / spreads[entry], weight));
        weighted_levels(&mut scaled.collect::<Vec<_>>())
    }
}

/// The profile at one pace.
struct Part {
    pace: f64,
    spreads: Vec<f64>,
    residuals: Levels,
    measured: bool,
}

impl Part {
    fn new(past: &Past<'_>, pace: f64) -> Self {
        let errors = Errors::measured(past, pace);
        let spreads = errors.spreads(past.floor());
        let residuals = errors.residuals(&spreads);
        Self { pace, spreads, residuals, measured: !errors.is_empty() }
    }

    fn levels(&self, past: &Past<'_>, n: i64) -> Levels {
        let own = past.quantiles(n, 0, self.pace);
        if !self.measured {
            return own;
        }
        let entry = ((n - past.end) / past.width).rem_euclid(past.entries()) as usize;
        shared(&own, &self.residuals, self.spreads[entry])
    }
}

/// Half an hour's own quantiles, half its median with the errors of all hours.
fn shared(own: &Levels, residuals: &Levels, spread: f64) -> Levels {
    std::array::from_fn(|level| 0.5 * (own[level] + own[0] + spread * residuals[level]))
}

fn mean(parts: &[Levels; 3]) -> Levels {
    std::array::from_fn(|level| parts.iter().map(|part| part[level]).sum::<f64>() / 3.0)
}

fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
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
            assert!(fitted.is_sound(24, seen.end()));
        }
    }
}
