//! Quantiles per hour of the day and week, from the same hour of earlier days.
//!
//! An earlier day counts less the older it is, more when it is the same weekday, and is scaled towards the
//! level of the last day. With a week of data an hour has been seen seven times, too few for a tail of its own; so half
//! of each quantile comes from the hour's own days, and half from its median and spread with the errors
//! of all hours, each divided by the spread of its hour. How fast days age, how much the weekday counts and how much of
//! a change of level is carried forward is not chosen once: views that do it differently are averaged, each by how
//! far it was off on the last days (exponential weights; Cesa-Bianchi and Lugosi, "Prediction, Learning, and
//! Games", 2006, chapter 2).

mod errors;
mod past;

use serde::{Deserialize, Serialize};

use self::errors::Errors;
use self::past::{Past, View};
use crate::levels::{Levels, shares_by_loss, uncrossed};
use crate::members::naive::Naive;
use crate::season::Season;
use crate::slots::History;

/// How fast a view loses weight: an error one half above the least on a single day divides it by e twice.
const RATE: f64 = 4.0;

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
        let past = Past::new(history, season);
        let parts: Vec<Part> = View::all().into_iter().map(|view| Part::new(&past, view)).collect();
        let shares = shares(&parts);
        let weighed = || shares.iter().zip(&parts).filter(|(share, _)| **share > 0.0);
        let average =
            |value: &dyn Fn(&Part) -> f64| weighed().map(|(s, part)| s * value(part)).sum();
        let entry = |entry: i64| {
            let n = past.end + entry * past.width;
            let said: Vec<(f64, Levels)> =
                weighed().map(|(share, part)| (*share, part.levels(&past, n))).collect();
            std::array::from_fn(|level| said.iter().map(|(s, levels)| s * levels[level]).sum())
        };
        Self {
            first: past.end,
            week: (0..7 * past.entries()).map(entry).collect(),
            spreads: (0..past.entries() as usize)
                .map(|hour| average(&|p| p.spreads[hour]))
                .collect(),
            width: past.width,
        }
    }

    /// The same with the quantiles of `naive` for a week of slots, `day` a day.
    pub(crate) fn repeating(&self, naive: &Naive<'_>, day: i64) -> Self {
        let slots = |count: i64| self.first..self.first + count;
        Self {
            first: self.first,
            week: slots(7 * day).map(|n| naive.levels(n)).collect(),
            spreads: slots(day).map(|n| self.spread(n)).collect(),
            width: 1,
        }
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
    let past = Past::new(history, season);
    let view = View::profile(season);
    let total = history.len() as i64 + ahead;
    let mut trace = vec![None; total as usize];
    let mut errors = Errors::new(&past);
    let days = history.len() as i64 / past.day;
    for back in (0..=days).rev() {
        let origin = past.end - back * past.day;
        let own = past.entries_after(origin, back, &view);
        let slots = origin..(origin + past.day).min(history.first + total);
        if origin - history.first < past.day {
            continue;
        }
        // The first errors set the spread they are seen in; there is none before them.
        let early = errors.is_empty();
        if early {
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
        if !early {
            errors.add_day(&past, origin, &own);
        }
    }
    trace
}

/// Shares below this are left out.
const NO_SAY: f64 = 1e-3;

/// How much each part counts: by how far it was off on the last days, those of no say left out.
fn shares(parts: &[Part]) -> Vec<f64> {
    let off: Vec<f64> = parts.iter().map(|part| part.off).collect();
    // The views are tried on the same days.
    let days = parts.iter().map(|part| part.days).fold(0.0, f64::max);
    let mut shares = shares_by_loss(&off, RATE * days);
    shares.iter_mut().filter(|share| **share < NO_SAY).for_each(|share| *share = 0.0);
    let total: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / total).collect()
}

/// The profile in one view.
struct Part {
    view: View,
    spreads: Vec<f64>,
    residuals: Levels,
    /// How far it was off on the last days, and their weight; 0 without any.
    off: f64,
    days: f64,
}

impl Part {
    fn new(past: &Past<'_>, view: View) -> Self {
        let errors = Errors::measured(past, &view);
        let spreads = errors.spreads(past.floor());
        let residuals = errors.residuals(&spreads);
        let (off, days) = errors.size();
        Self { view, spreads, residuals, off, days }
    }

    fn levels(&self, past: &Past<'_>, n: i64) -> Levels {
        let own = past.quantiles(n, 0, &self.view);
        if self.days <= 0.0 {
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
        let top = |days: i64| fitted.levels(seen.end() + 24 * days)[3];
        for days in 1..6 {
            assert!(top(days) < 1.1 * top(0), "{} {days} days after {}", top(days), top(0));
        }
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
