//! The baseline: what was seen one season ago, with the quantiles of its own errors.

use crate::levels::{Levels, uncrossed, weighted_levels};
use crate::season::Season;
use crate::slots::History;

/// A fitted seasonal naive forecast.
pub(crate) struct Naive<'a> {
    history: &'a History,
    lag: i64,
    residuals: Levels,
}

impl<'a> Naive<'a> {
    /// Measures on `history` how far one season ago is off.
    pub(crate) fn fit(history: &'a History, season: Season) -> Self {
        let lag = season.slots(history.day());
        let mut errors: Vec<(f64, f64)> = history
            .observed()
            .filter_map(|(n, value)| Some((value - history.max(n - lag)?, 1.0)))
            .collect();
        Self { history, lag, residuals: weighted_levels(&mut errors) }
    }

    /// The quantiles of the largest observation in slot `n`.
    pub(crate) fn levels(&self, n: i64) -> Levels {
        let centre = self.one_season_ago(n).unwrap_or_else(|| self.history.mean_max());
        uncrossed(self.residuals.map(|residual| centre + residual))
    }

    /// The newest observation a whole number of seasons before slot `n`.
    fn one_season_ago(&self, n: i64) -> Option<f64> {
        let past = self.history.end() - 1;
        let newest = (n - past + self.lag - 1).div_euclid(self.lag).max(1);
        (newest..)
            .map(|count| n - count * self.lag)
            .take_while(|&then| then >= self.history.first)
            .find_map(|then| self.history.max(then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::history;

    #[test]
    fn it_repeats_the_last_season_and_skips_gaps() {
        let seen = history(4, |n| (n != 80).then_some((n % 24) as f64 + (n / 24) as f64));
        let naive = Naive::fit(&seen, Season::Day);
        let end = seen.end();
        assert!((naive.levels(end + 5)[0] - (5.0 + 3.0 + 1.0)).abs() < 1e-9);
        assert!((naive.levels(end + 8)[0] - (8.0 + 2.0 + 1.0)).abs() < 1e-9);
        assert!((naive.levels(end + 24 + 5)[0] - (5.0 + 3.0 + 1.0)).abs() < 1e-9);
    }
}
