//! What was seen one season ago.

use mora_core::empirical_quantile;

use super::Situation;
use crate::answer::{Answer, LEVELS};
use crate::maxima::Maxima;

/// The slot one season ago; it is also each of its quantiles.
pub(super) fn repeat(asked: &Situation<'_>) -> Answer {
    let (maxima, season) = seasonal(asked);
    let path = path(asked, &maxima, season);
    Answer::stated(path.iter().map(|value| [*value; LEVELS.len()]).collect())
}

/// The slot one season ago plus the quantiles of what that was off by in the history.
pub(super) fn with_residuals(asked: &Situation<'_>) -> Answer {
    let (maxima, season) = seasonal(asked);
    let mut errors: Vec<f64> = maxima.differences(season).map(|(_, error)| error).collect();
    errors.sort_by(f64::total_cmp);
    let residuals = LEVELS.map(|level| empirical_quantile(&errors, level).unwrap_or(0.0));
    let path = path(asked, &maxima, season);
    Answer::stated(path.iter().map(|value| residuals.map(|residual| value + residual)).collect())
}

fn seasonal(asked: &Situation<'_>) -> (Maxima, i64) {
    let maxima = asked.maxima();
    let season = maxima.season(asked.slots as i64);
    (maxima, season)
}

fn path(asked: &Situation<'_>, maxima: &Maxima, season: i64) -> Vec<f64> {
    let mean = maxima.mean();
    asked.wanted().map(|n| one_season_ago(maxima, n, season).unwrap_or(mean)).collect()
}

/// The newest observation a whole number of seasons before slot `n`.
fn one_season_ago(maxima: &Maxima, n: i64, season: i64) -> Option<f64> {
    (1..)
        .map(|count| n - count * season)
        .take_while(|&then| then >= maxima.first())
        .find_map(|then| maxima.get(then))
}

#[cfg(test)]
mod tests {
    use super::super::made::asked;
    use super::*;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn the_last_day_is_repeated_and_gaps_are_skipped() {
        let value = |n: i64| (n != 53).then_some((n % 24) as f64 + 100.0 * (n / 24) as f64);
        let answer = asked(3, value, repeat);
        near(answer.request[4], 204.0);
        near(answer.request[5], 105.0);
        for level in answer.quantiles.unwrap()[4] {
            near(level, 204.0);
        }
    }

    #[test]
    fn residuals_are_what_one_season_ago_was_off_by() {
        // Every day is higher than the one before by 10, so each residual is 10.
        let value = |n: i64| Some((n % 24) as f64 + 10.0 * (n / 24) as f64);
        let answer = asked(4, value, with_residuals);
        near(answer.request[7], 7.0 + 30.0 + 10.0);
    }
}
