//! Rules that need no model.

use mora_core::empirical_quantile;

use super::Situation;
use crate::answer::{Answer, LEVELS};

/// Robusta KRR's default percentile of CPU.
pub(super) const KRR_PERCENTILE: f64 = 0.95;

/// Days the maximum per hour of day looks back.
const DAYS: i64 = 7;

/// The `probability` quantile of the history's samples, all day.
pub(super) fn percentile(asked: &Situation<'_>, probability: f64) -> Answer {
    let request = empirical_quantile(&asked.history.sorted(), probability).unwrap_or(0.0);
    Answer::held(request, asked.slots)
}

/// The largest sample of each slot of the day itself; of the whole day where a slot has none.
pub(super) fn oracle(asked: &Situation<'_>) -> Answer {
    let usage = &asked.day.usage;
    let most = usage.iter().map(|sample| sample.1).fold(0.0, f64::max);
    let mut request: Vec<Option<f64>> = vec![None; asked.slots];
    for &(slot, value) in usage {
        request[slot] = Some(request[slot].map_or(value, |known| known.max(value)));
    }
    let request = request.into_iter().map(|value| value.unwrap_or(most)).collect();
    Answer { request, quantiles: None, priced: Vec::new() }
}

/// The largest sample of the slot's time of day over the last days; of all of them where it has none.
pub(super) fn hour_of_day_maximum(asked: &Situation<'_>) -> Answer {
    let maxima = asked.maxima();
    let day = asked.slots as i64;
    let of = |n: i64| (1..=DAYS).filter_map(|ago| maxima.get(n - ago * day)).reduce(f64::max);
    let wanted = asked.wanted();
    let since = wanted.start - DAYS * day;
    let recent = maxima.observed().filter(|(n, _)| *n >= since).map(|(_, value)| value);
    let most = recent.fold(0.0, f64::max);
    Answer {
        request: wanted.map(|n| of(n).unwrap_or(most)).collect(),
        quantiles: None,
        priced: Vec::new(),
    }
}

/// The KRR rule, with the quantiles of the slots seen.
pub(super) fn stand_in(asked: &Situation<'_>) -> Answer {
    let mut seen: Vec<f64> = asked.maxima().observed().map(|(_, value)| value).collect();
    seen.sort_by(f64::total_cmp);
    let levels = LEVELS.map(|level| empirical_quantile(&seen, level).unwrap_or(0.0));
    let quantiles = Some(vec![levels; asked.slots]);
    Answer { quantiles, ..percentile(asked, KRR_PERCENTILE) }
}

#[cfg(test)]
mod tests {
    use super::super::made::asked;
    use super::*;

    #[test]
    fn percentiles_are_of_the_samples_and_hold_all_day() {
        let hundred = |n: i64| (n <= 100).then_some(n as f64);
        let request =
            |probability| asked(5, hundred, |asked| percentile(asked, probability)).request;
        for (probability, value) in [(0.95, 95.0), (0.99, 99.0), (1.0, 100.0)] {
            let request = request(probability);
            assert_eq!(request.len(), 24);
            assert!(request.iter().all(|v| (v - value).abs() < 1e-9), "{request:?}");
        }
    }

    #[test]
    fn the_hour_of_day_maximum_looks_back_seven_days_and_falls_back_to_the_largest() {
        let value = |n: i64| match (n / 24, n % 24) {
            (_, 5) => None,
            (0, 3) => Some(100.0),
            (4, 3) => Some(9.0),
            _ => Some(1.0),
        };
        let request = asked(8, value, hour_of_day_maximum).request;
        assert_eq!(request[2..6], [1.0, 9.0, 1.0, 9.0]);
    }

    #[test]
    fn the_oracle_requests_what_comes() {
        let request = asked(1, |_| Some(1.0), oracle).request;
        assert_eq!(request[..4], [5.0, 5.0, 1.0, 5.0]);
    }
}
