//! What the last half hour lets expect of the slots just ahead.
//!
//! A forecast is fitted once in hours and must cover every level that a day can have. How busy today is shows in the last half hour, and
//! on the days before it shows how far a slot went above the half hour before it: the most of those ratios, times what was just
//! used, is what no recorded day would have exceeded.

use jiff::{SignedDuration, Timestamp};
use mora_core::{Series, Step};

/// What was just used: long enough to even out minutes, short enough to follow the day.
const BASE: SignedDuration = SignedDuration::from_mins(30);
/// How far ahead of now a slot may begin: further on, the forecast knows more.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);
/// The days before that are looked at.
const DAYS: i64 = 14;
/// Days without which a largest ratio says little.
const LEAST_DAYS: usize = 7;
/// The share of a path below which it is never brought: a workload that just failed uses little too.
const LEAST_SHARE: f64 = 0.75;

/// The most that is expected of `usage` in each of the slots of width `slot` from `start` on that begin within an hour of `now`, in its
/// unit; empty where less than seven days or the last half hour were not observed.
pub(crate) fn nowcast(
    usage: &Series,
    now: Timestamp,
    (start, slot): (Timestamp, Step),
) -> Vec<f64> {
    let Some(base) = mean(usage, now - BASE, now) else { return Vec::new() };
    let begins = |index: usize| start.saturating_add(slot.times(index)).unwrap_or(Timestamp::MAX);
    let expected = |index: usize| {
        let (from, to) = (begins(index).max(now), begins(index + 1));
        let ratio = |day: i64| {
            let back = SignedDuration::from_hours(24 * day);
            let before = mean(usage, now - back - BASE, now - back)?;
            let most = usage.between(from - back, to - back).observed().reduce(f64::max)?;
            (before > 0.0).then(|| most / before)
        };
        let ratios: Vec<f64> = (1..=DAYS).filter_map(ratio).collect();
        let most = ratios.iter().copied().reduce(f64::max)?;
        (ratios.len() >= LEAST_DAYS).then_some(base * most)
    };
    (0..).take_while(|index| begins(*index) <= now + AHEAD).map_while(expected).collect()
}

/// `path` where nothing more is expected than `nowcast` in its first slots, but never less than three quarters of it.
pub(crate) fn lowered(path: &[f64], nowcast: &[f64]) -> Vec<f64> {
    let expected = nowcast.iter().copied().chain(std::iter::repeat(f64::INFINITY));
    path.iter()
        .zip(expected)
        .map(|(cores, most)| cores.min(most.max(LEAST_SHARE * cores)))
        .collect()
}

/// The mean of `series` from `from` to `to`; `None` where less than half of it was observed.
fn mean(series: &Series, from: Timestamp, to: Timestamp) -> Option<f64> {
    let within = series.between(from, to);
    within.mean().filter(|_| within.coverage() >= 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 1440;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_006_400 + 12 * 3600 + 900).unwrap()
    }

    /// Minutes of `days` until now, with `usage` at minutes from now on, which are below 0.
    fn minutes(days: i64, usage: impl Fn(i64) -> Option<f64>) -> Series {
        let start = now() - SignedDuration::from_mins(days * DAY);
        Series::new(start, Step::MINUTE, (-days * DAY..0).map(usage).collect()).unwrap()
    }

    fn expected(usage: &Series) -> Vec<f64> {
        nowcast(usage, now(), (Step::HOUR.floor(now()), Step::HOUR))
    }

    /// One core, two in the quarter of an hour after now, three in the hour that follows it, and today half of it.
    fn day(minute: i64) -> f64 {
        let of_day = match minute.rem_euclid(DAY) {
            0..15 => 2.0,
            45..60 => 3.0,
            _ => 1.0,
        };
        if minute >= -DAY / 2 { of_day / 2.0 } else { of_day }
    }

    #[test]
    fn the_largest_ratio_of_the_days_before_is_put_on_what_was_just_used() {
        let usage = minutes(8, |minute| Some(day(minute)));
        assert_eq!(expected(&usage), [1.0, 1.5], "of the slot's rest, and of the next");
    }

    #[test]
    fn too_few_days_or_an_unseen_half_hour_say_nothing() {
        assert!(expected(&minutes(6, |minute| Some(day(minute)))).is_empty());
        let unseen = minutes(8, |minute| (minute < -14).then(|| day(minute)));
        assert_eq!(expected(&unseen).len(), 2, "half of it was seen");
        let unseen = minutes(8, |minute| (minute < -16).then(|| day(minute)));
        assert!(expected(&unseen).is_empty());
    }

    #[test]
    fn a_path_is_lowered_to_it_by_a_quarter_at_most_and_never_raised() {
        assert_eq!(lowered(&[2.0, 2.0, 2.0], &[1.8, 0.1]), [1.8, 1.5, 2.0]);
        assert_eq!(lowered(&[2.0], &[3.0]), [2.0]);
        assert_eq!(lowered(&[2.0], &[]), [2.0]);
    }
}
