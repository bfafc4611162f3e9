//! Which seasons a history has, found in the data.

use serde::{Deserialize, Serialize};

use crate::slots::History;

/// The seasons of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Season {
    /// None was found.
    None,
    /// The hours of a day differ.
    Day,
    /// The hours of a day differ, and the days of a week.
    Week,
}

/// Autocorrelation from which hours of the day are told apart: twice the standard error of a week of hours.
const DAILY: f64 = 0.15;
/// Autocorrelation from which weekdays are told apart.
const WEEKLY: f64 = 0.3;

impl Season {
    /// The seasons of `history`: daily from 3 days on where there are two slots a day or more, weekly from 14 days on.
    ///
    /// With one slot a day a weekly season tells weekdays apart and nothing else.
    pub(crate) fn detect(history: &History) -> Self {
        let day = history.day();
        if history.days() < 3 {
            return Self::None;
        }
        let within = deviations(history, |n| day_around(history, n));
        let daily = day > 1 && correlation(&within, day as usize) >= DAILY;
        if history.days() >= 14 && weekly(history, daily) {
            return Self::Week;
        }
        if daily { Self::Day } else { Self::None }
    }

    /// Slots in the longest season; a day where there is none.
    pub(crate) fn slots(self, day: i64) -> i64 {
        if self == Self::Week { 7 * day } else { day }
    }
}

/// Whether days resemble the same weekday more than the days between.
fn weekly(history: &History, daily: bool) -> bool {
    let day = history.day();
    let profile = day_profile(history);
    let mean = history.mean_max();
    let beyond = deviations(history, |n| {
        Some(if daily { profile[n.rem_euclid(day) as usize] } else { mean })
    });
    let at = |days: i64| correlation(&beyond, (days * day) as usize);
    let between = (2..6).map(at).fold(f64::MIN, f64::max);
    at(7) >= WEEKLY && at(7) > between + 0.1
}

/// Each slot's largest observation less `centre`, gaps as `None`.
fn deviations(history: &History, centre: impl Fn(i64) -> Option<f64>) -> Vec<Option<f64>> {
    (history.first..history.end())
        .map(|n| history.max(n).and_then(|m| centre(n).map(|c| m - c)))
        .collect()
}

/// Mean over the day centred on slot `n`, which takes slow trends and level shifts out.
fn day_around(history: &History, n: i64) -> Option<f64> {
    let half = history.day() / 2;
    let (sum, count) = (n - half..n + history.day() - half)
        .filter_map(|m| history.max(m))
        .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// Mean of the slots at each phase of the day; 0 where none was observed.
fn day_profile(history: &History) -> Vec<f64> {
    let day = history.day();
    let mut sums = vec![(0.0, 0.0); day as usize];
    for (n, value) in history.observed() {
        let (sum, count) = &mut sums[n.rem_euclid(day) as usize];
        *sum += value;
        *count += 1.0;
    }
    sums.into_iter().map(|(sum, count): (f64, f64)| sum / count.max(1.0)).collect()
}

/// Correlation of `values` with themselves `lag` later, over the pairs without a gap; 0 without any.
fn correlation(values: &[Option<f64>], lag: usize) -> f64 {
    let pairs =
        || values.iter().zip(values.iter().skip(lag)).filter_map(|(a, b)| Some(((*a)?, (*b)?)));
    let count = pairs().count() as f64;
    let (sum_a, sum_b) = pairs().fold((0.0, 0.0), |(x, y), (a, b)| (x + a, y + b));
    let (mean_a, mean_b) = (sum_a / count, sum_b / count);
    let (product, square_a, square_b) = pairs().fold((0.0, 0.0, 0.0), |(p, x, y), (a, b)| {
        let (a, b) = (a - mean_a, b - mean_b);
        (p + a * b, x + a * a, y + b * b)
    });
    let scale = (square_a * square_b).sqrt();
    if scale > 0.0 { product / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::{history, noise, series};
    use mora_core::Step;

    #[test]
    fn a_daily_wave_is_found_through_noise_and_a_level_shift() {
        let found = history(10, |n| {
            let wave = (n as f64 / 24.0 * std::f64::consts::TAU).sin();
            Some(if n < 100 { 5.0 } else { 15.0 } + wave + 0.3 * noise(n))
        });
        assert_eq!(Season::detect(&found), Season::Day);
    }

    #[test]
    fn quiet_weekends_are_a_weekly_season() {
        let found = history(21, |n| {
            let wave = (n as f64 / 24.0 * std::f64::consts::TAU).sin();
            let busy = if (n / 24) % 7 < 5 { 4.0 } else { 1.0 };
            Some(5.0 + busy * (1.2 + wave) + 0.3 * noise(n))
        });
        assert_eq!(Season::detect(&found), Season::Week);
    }

    #[test]
    fn noise_constants_and_short_histories_have_no_season() {
        assert_eq!(Season::detect(&history(21, |n| Some(5.0 + noise(n)))), Season::None);
        assert_eq!(Season::detect(&history(21, |_| Some(5.0))), Season::None);
        assert_eq!(Season::detect(&history(2, |n| Some((n % 24) as f64))), Season::None);
    }

    /// The history of `days` days in slots of `hours` hours, whose hour `n` holds `value(n)`.
    fn in_slots(hours: u32, days: i64, value: impl Fn(i64) -> f64) -> History {
        let slot = Step::from_seconds(hours * 3600).unwrap();
        History::new(&series(days, |n| Some(value(n))), slot)
    }

    #[test]
    fn long_slots_have_a_day_of_two_a_week_of_weekdays_and_no_season_in_noise() {
        let hours = |n: i64| if n % 24 < 12 { 10.0 } else { 20.0 };
        let weekdays = |n: i64| if n / 24 % 7 < 5 { 3.0 } else { 1.0 };
        assert_eq!(Season::detect(&in_slots(12, 10, |n| hours(n) + noise(n))), Season::Day);
        let found = Season::detect(&in_slots(24, 28, |n| hours(n) * weekdays(n) + noise(n)));
        assert_eq!(found, Season::Week);
        assert_eq!(Season::detect(&in_slots(24, 28, |n| hours(n) + noise(n))), Season::None);
        assert_eq!(Season::detect(&in_slots(12, 28, |n| 9.0 + noise(n))), Season::None);
    }

    #[test]
    fn gaps_do_not_hide_a_season() {
        let found = history(10, |n| (n % 7 != 0).then(|| (n % 24) as f64 + noise(n)));
        assert_eq!(Season::detect(&found), Season::Day);
    }
}
