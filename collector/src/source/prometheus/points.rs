//! Splitting a lookback into queries that Prometheus does not refuse.

use mora_core::Step;

use crate::Lookback;

/// The first and the last instant of one query, both evaluated, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

/// The steps of `lookback` in spans of at most `max_points` steps, each step in exactly one.
pub(super) fn split(lookback: &Lookback, max_points: usize) -> Vec<Span> {
    let first = lookback.first_second();
    let last = first + i64::from(lookback.step.seconds()) * (lookback.steps() as i64 - 1);
    split_between((first, last), lookback.step, max_points)
}

/// The steps from `first` to `last`, both included, in spans of at most `max_points` steps, each step in exactly one; none
/// where `last` is before `first`.
pub(super) fn split_between((first, last): (i64, i64), step: Step, max_points: usize) -> Vec<Span> {
    let width = i64::from(step.seconds());
    let steps = usize::try_from((last - first).div_euclid(width) + 1).unwrap_or(0);
    let most = max_points.max(1);
    let second = |index: usize| first + width * index as i64;
    let span =
        |from: usize| Span { start: second(from), end: second((from + most).min(steps) - 1) };
    (0..steps).step_by(most).map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn lookback(from: i64, to: i64, step: u32) -> Lookback {
        let at = |second| Timestamp::from_second(second).unwrap();
        Lookback { from: at(from), to: at(to), step: Step::from_seconds(step).unwrap() }
    }

    #[test]
    fn a_month_of_minutes_takes_four_queries() {
        let spans = split(&lookback(0, 28 * 86_400, 60), 11_000);
        assert_eq!(spans.len(), 4);
        assert_eq!(spans[0], Span { start: 0, end: 10_999 * 60 });
        assert_eq!(spans[3].end, 28 * 86_400 - 60);
    }

    proptest! {
        #[test]
        fn every_step_is_asked_for_exactly_once(
            from in -10_000i64..10_000, length in 0i64..100_000, step in 1u32..900, most in 1usize..500,
        ) {
            let lookback = lookback(from, from + length, step);
            let width = i64::from(step);
            let spans = split(&lookback, most);
            prop_assert!(spans.iter().all(|s| (s.end - s.start) / width < most as i64 && s.end >= s.start));
            let asked: Vec<i64> =
                spans.iter().flat_map(|s| (s.start..=s.end).step_by(step as usize)).collect();
            let expected: Vec<i64> =
                (0..lookback.steps()).map(|i| lookback.first_second() + width * i as i64).collect();
            prop_assert_eq!(asked, expected);
        }
    }
}
