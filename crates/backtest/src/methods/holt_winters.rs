//! Additive Holt-Winters with a damped trend.

use mora_core::empirical_quantile;

use super::Situation;
use crate::answer::{Answer, LEVELS};
use crate::maxima::{Maxima, mean};

/// The trend loses this share of itself per slot: undamped it runs away over a day.
const DAMPING: f64 = 0.98;
const LEVEL_RATES: [f64; 5] = [0.02, 0.05, 0.1, 0.2, 0.4];
const TREND_RATES: [f64; 3] = [0.0, 0.005, 0.02];
const SEASON_RATES: [f64; 4] = [0.05, 0.1, 0.2, 0.4];

/// The smoothed path plus the quantiles of what it was off by, a day ahead, in the history.
pub(super) fn answer(asked: &Situation<'_>) -> Answer {
    let maxima = asked.maxima();
    let season = maxima.season(asked.slots as i64);
    let values = filled(&maxima, season);
    let best = all_rates()
        .map(|rates| Smoothed::run(&values, season as usize, asked.slots, rates))
        .reduce(|best, other| if other.squares < best.squares { other } else { best });
    let Some(best) = best else { return Answer::held(0.0, asked.slots) };
    let ahead = asked.wanted().start - maxima.end();
    let residuals = best.residuals();
    let level = |lead: usize| residuals.map(|residual| best.state.ahead(lead) + residual);
    Answer::stated((0..asked.slots).map(|lead| level(lead + ahead.max(0) as usize)).collect())
}

/// The history without gaps: one season ago where there is one, else the mean.
fn filled(maxima: &Maxima, season: i64) -> Vec<f64> {
    let mut values: Vec<f64> = Vec::new();
    for n in maxima.first()..maxima.end() {
        let ago = values.len().checked_sub(season as usize).map(|index| values[index]);
        values.push(maxima.get(n).or(ago).unwrap_or_else(|| maxima.mean()));
    }
    values
}

#[derive(Debug, Clone, Copy)]
struct Rates {
    level: f64,
    trend: f64,
    season: f64,
}

fn all_rates() -> impl Iterator<Item = Rates> {
    LEVEL_RATES.into_iter().flat_map(|level| {
        TREND_RATES.into_iter().flat_map(move |trend| {
            SEASON_RATES.into_iter().map(move |season| Rates { level, trend, season })
        })
    })
}

/// What is known after some slots.
#[derive(Debug, Clone)]
struct State {
    level: f64,
    trend: f64,
    /// The season, the next slot first.
    season: std::collections::VecDeque<f64>,
}

impl State {
    /// Before the first slot: the mean of the first season, and what it departs from it by.
    fn new(values: &[f64], season: usize) -> Self {
        let first = &values[..season.min(values.len())];
        let level = mean(first.iter().copied()).unwrap_or(0.0);
        let mut departures: std::collections::VecDeque<f64> =
            first.iter().map(|value| value - level).collect();
        departures.resize(season, 0.0);
        Self { level, trend: 0.0, season: departures }
    }

    /// The forecast of the slot `lead` after the next.
    fn ahead(&self, lead: usize) -> f64 {
        let damped = DAMPING * (1.0 - DAMPING.powi(lead as i32 + 1)) / (1.0 - DAMPING);
        self.level + damped * self.trend + self.season[lead % self.season.len()]
    }

    fn learn(&mut self, value: f64, rates: Rates) {
        let carried = self.level + DAMPING * self.trend;
        let departure = self.season.pop_front().unwrap_or(0.0);
        let level = rates.level * (value - departure) + (1.0 - rates.level) * carried;
        self.trend =
            rates.trend * (level - self.level) + (1.0 - rates.trend) * DAMPING * self.trend;
        self.level = level;
        self.season.push_back(rates.season * (value - level) + (1.0 - rates.season) * departure);
    }
}

/// The state after a history, and how it did a day ahead on the way.
struct Smoothed {
    state: State,
    errors: Vec<f64>,
    squares: f64,
}

impl Smoothed {
    fn run(values: &[f64], season: usize, day: usize, rates: Rates) -> Self {
        let mut state = State::new(values, season);
        let (mut errors, mut squares) = (Vec::new(), 0.0);
        for (index, &value) in values.iter().enumerate() {
            if index >= season && index % day == season % day {
                let judged = values[index..].iter().take(day).enumerate();
                errors.extend(judged.map(|(lead, value)| value - state.ahead(lead)));
            }
            squares += (value - state.ahead(0)).powi(2);
            state.learn(value, rates);
        }
        if !errors.is_empty() {
            squares = errors.iter().map(|error| error.powi(2)).sum();
        }
        Self { state, errors, squares }
    }

    fn residuals(&self) -> [f64; LEVELS.len()] {
        let mut sorted = self.errors.clone();
        sorted.sort_by(f64::total_cmp);
        LEVELS.map(|level| empirical_quantile(&sorted, level).unwrap_or(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::made::asked;
    use super::*;

    #[test]
    fn one_step_is_the_smoothing_equations() {
        let mut state = State::new(&[1.0, 3.0], 2);
        assert!((state.ahead(0) - 1.0).abs() < 1e-12);
        state.learn(2.0, Rates { level: 0.5, trend: 0.5, season: 0.5 });
        // Level 0.5 (2 + 1) + 0.5 * 2 = 2.5, trend 0.5 * 0.5 = 0.25, season 0.5 (2 - 2.5) - 0.5 = -0.75.
        assert!((state.level - 2.5).abs() < 1e-12 && (state.trend - 0.25).abs() < 1e-12);
        assert!((state.season[1] + 0.75).abs() < 1e-12);
        assert!((state.ahead(0) - (2.5 + 0.98 * 0.25 + 1.0)).abs() < 1e-12);
    }

    #[test]
    fn a_season_is_repeated_and_its_spread_requested() {
        let wave = |n: i64| 10.0 + ((n % 24) as f64 - 12.0).abs();
        let exact = asked(10, |n| Some(wave(n)), answer);
        let quantiles = exact.quantiles.unwrap();
        for (lead, levels) in quantiles.iter().enumerate() {
            assert!((levels[0] - wave(lead as i64)).abs() < 1e-6, "{levels:?}");
        }
        let noisy = asked(10, |n| Some(wave(n) + f64::from(u8::from(n % 7 == 0))), answer);
        assert!(noisy.quantiles.unwrap().iter().all(|levels| levels[3] > levels[0] + 0.5));
    }
}
