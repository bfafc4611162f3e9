//! A glitch of the measurement: one sample far above everything else, which says nothing of the weeks to come.
//!
//! A rule has to tell it from a burst that will come again. It is a glitch only where all of this holds:
//!
//! - it is a single sample, or consecutive ones within 10 minutes: a rate smears one wrong reading over its window;
//! - every other sample is at most a tenth of it, so that nothing like it was ever seen before or after;
//! - at least three days and 48 samples of others were observed, and something was used in them.
//!
//! What is left of it is the largest of the other samples. A burst that was seen twice stays, however high.

use std::borrow::Cow;
use std::ops::Range;

use mora_core::Series;

/// How many times every other sample a glitch is.
///
/// Of the 4,785 windows of up to 28 days of the service metrics, pools and virtual machines of docs/backtest.md none has
/// such a sample.
const FACTOR: f64 = 10.0;
/// Longest glitch of more than one sample, in seconds.
const LONGEST: u32 = 600;
/// Least other samples, and least time they must cover, in seconds.
const LEAST_SAMPLES: usize = 48;
const LEAST_SECONDS: u64 = 3 * 86_400;

/// `series` with its glitch brought down to the largest of the other samples; most series have none.
pub(crate) fn without_glitch(series: &Series) -> Cow<'_, Series> {
    let Some((glitch, rest)) = find(series) else { return Cow::Borrowed(series) };
    let mut values = series.values().to_vec();
    values[glitch].fill(Some(rest));
    // The same instants as before, and values that were there: it cannot fail.
    Series::new(series.start(), series.step(), values).map_or(Cow::Borrowed(series), Cow::Owned)
}

/// Where the glitch is, and the largest of the other samples.
fn find(series: &Series) -> Option<(Range<usize>, f64)> {
    let (values, step) = (series.values(), series.step().seconds());
    let observed = values.iter().enumerate().filter_map(|(index, value)| Some((index, (*value)?)));
    let (peak, height) = observed.reduce(|a, b| if b.1 > a.1 { b } else { a })?;
    let glitch = run(values, peak, height / FACTOR);
    let others = values[..glitch.start].iter().chain(&values[glitch.end..]).flatten();
    let (count, rest) = others.fold((0, 0.0_f64), |(n, most), value| (n + 1, most.max(*value)));
    let short = glitch.len() == 1 || glitch.len() as u64 * u64::from(step) <= u64::from(LONGEST);
    let known = count >= LEAST_SAMPLES && count as u64 * u64::from(step) >= LEAST_SECONDS;
    (short && known && rest > 0.0 && rest <= height / FACTOR).then_some((glitch, rest))
}

/// The consecutive samples around `peak` that are above `limit`.
fn run(values: &[Option<f64>], peak: usize, limit: f64) -> Range<usize> {
    let high = |value: &&Option<f64>| value.is_some_and(|value| value > limit);
    let before = values[..peak].iter().rev().take_while(high).count();
    let after = values[peak..].iter().take_while(high).count();
    peak - before..peak + after.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::{FIRST, noise, series};
    use jiff::Timestamp;
    use mora_core::Step;

    fn wave(n: i64) -> f64 {
        10.0 + 5.0 * (std::f64::consts::TAU * n as f64 / 24.0).sin() + noise(n)
    }

    /// `days` days of minutes, with `high` in the minutes that are `at`.
    fn minutes(days: i64, at: impl Fn(i64) -> bool, high: f64) -> Series {
        let value = |n: i64| if at(n) { high } else { wave(n / 60) };
        let start = Timestamp::from_second(FIRST * 3600).unwrap();
        let values = (0..days * 1440).map(|n| Some(value(n))).collect();
        Series::new(start, Step::MINUTE, values).unwrap()
    }

    #[test]
    fn a_single_sample_far_above_all_others_is_brought_down_to_the_largest_of_them() {
        let found = series(14, |n| Some(if n == 200 { 10_000.0 } else { wave(n) }));
        let rest = (0..336).filter(|n| *n != 200).map(wave).fold(0.0, f64::max);
        let cleaned = without_glitch(&found).into_owned();
        assert_eq!(cleaned.values()[200], Some(rest));
        let others = |series: &Series| [&series.values()[..200], &series.values()[201..]].concat();
        assert_eq!(others(&cleaned), others(&found));
    }

    #[test]
    fn ten_minutes_are_a_glitch_and_eleven_are_a_burst() {
        for (length, glitch) in [(1, true), (5, true), (10, true), (11, false)] {
            let found = minutes(7, |n| (5000..5000 + length).contains(&n), 9000.0);
            let most =
                without_glitch(&found).values().iter().flatten().fold(0.0, |a: f64, b| a.max(*b));
            assert_eq!(most < 25.0, glitch, "{length} min leave {most}");
        }
    }

    #[test]
    fn what_came_twice_is_near_the_rest_or_is_all_there_is_stays() {
        let kept = |series: &Series| matches!(without_glitch(series), Cow::Borrowed(_));
        assert!(
            kept(&minutes(7, |n| [5000, 8000].contains(&n), 9000.0)),
            "a burst that came again"
        );
        assert!(kept(&series(14, |n| Some(if n == 200 { 120.0 } else { wave(n) }))), "7 times");
        assert!(kept(&series(14, |n| Some(if n == 200 { 9000.0 } else { 0.0 }))), "a lone job");
        assert!(kept(&series(2, |n| Some(if n == 20 { 9000.0 } else { wave(n) }))), "two days");
        assert!(kept(&series(14, |n| Some(wave(n)))) && kept(&series(14, |_| Some(0.0))));
        assert!(kept(&series(14, |_| None)) && kept(&series(14, |n| (n == 3).then_some(5.0))));
    }
}
