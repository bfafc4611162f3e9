//! The load of each scenario as a function of time and seed.

use std::sync::Arc;

use mora_cluster_simulator::Demand;
use mora_simulation::Load;

use super::shape::DayShape;
use super::{Disturbance, HistoryKind, Scenario};
use crate::noise::{Noise, Purpose};

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;

/// Standard deviation of the level of a day: the days of one shop differ by some percent.
const DAYS: f64 = 0.05;
/// Standard deviation of swings over half hours.
const SWINGS: f64 = 0.04;
/// Standard deviation of the level of a minute, beside the chance of each arrival.
const MINUTES: f64 = 0.05;
/// The same of each 10 s of the noisy load; 95 % lie between half and twice the load.
const SECONDS: f64 = 0.35;
const SECONDS_APART: f64 = 10.0;

/// Chance that a burst begins in a quarter of an hour: about 29 a day.
const BURST_CHANCE: f64 = 0.3;
const BURST_SLOT: f64 = 15.0 * MINUTE;
const BURST_SECONDS: (f64, f64) = (60.0, 300.0);
const BURST_HEIGHT: (f64, f64) = (1.5, 2.5);

/// When a flash crowd arrives, within the first judged day.
const FLASH_AT: f64 = 13.0 * HOUR;
const FLASH_HEIGHT: f64 = 4.0;
const FLASH_RAMP: f64 = MINUTE;
const FLASH_LASTS: f64 = 20.0 * MINUTE;
/// Time constant with which it leaves.
const FLASH_DECAY: f64 = 5.0 * MINUTE;

/// When a surge begins, within the first judged day.
const SURGE_AT: f64 = 11.0 * HOUR;
const SURGE_LASTS: f64 = 2.0 * HOUR;
const SURGE_RAMP: f64 = 5.0 * MINUTE;
const SURGE_HEIGHT: (f64, f64) = (2.0, 3.0);

/// The load of one scenario with one seed.
pub(super) struct ScenarioDemand {
    base: Base,
    history: HistoryKind,
    disturbance: Disturbance,
    seed: u64,
    judged: f64,
}

/// What is the same every week.
enum Base {
    Week(Load),
    Shape(Arc<DayShape>, f64),
}

impl ScenarioDemand {
    pub(super) fn new(scenario: &Scenario, seed: u64, rate: f64, judged: i64) -> Self {
        let base = match &scenario.shape {
            Some(shape) => Base::Shape(Arc::clone(shape), rate),
            None => Base::Week(Load::new(rate)),
        };
        let (history, disturbance) = (scenario.history.clone(), scenario.disturbance);
        Self { base, history, disturbance, seed, judged: judged as f64 }
    }

    /// By how much a day, half an hour and a minute differ from what is usual; mean 1.
    fn level(&self, second: f64) -> f64 {
        let at = |purpose, position| Noise::new(self.seed, purpose).smooth(position);
        // The level of a day is its own at noon.
        let day = at(Purpose::Days, (second - DAY / 2.0) / DAY);
        let swing = at(Purpose::Swings, second / (HOUR / 2.0));
        let minute = at(Purpose::Minutes, second / MINUTE);
        lognormal(DAYS, day) * lognormal(SWINGS, swing) * lognormal(MINUTES, minute)
    }

    fn usual(&self, second: f64) -> f64 {
        match self.history {
            HistoryKind::Noisy => {
                let slot = (second / SECONDS_APART).floor() as i64;
                lognormal(SECONDS, Noise::new(self.seed, Purpose::Seconds).normal(slot))
            }
            HistoryKind::Bursty => burst(self.seed, second),
            HistoryKind::Steady | HistoryKind::File(_) => 1.0,
        }
    }

    fn disturbed(&self, second: f64) -> f64 {
        match self.disturbance {
            Disturbance::FlashCrowd => flash(second - self.judged - FLASH_AT),
            Disturbance::Surge => surge(self.seed, second - self.judged - SURGE_AT),
            _ => 1.0,
        }
    }
}

impl Demand for ScenarioDemand {
    fn rate(&self, second: f64) -> f64 {
        let base = match &self.base {
            Base::Week(load) => load.expected(second.floor() as i64),
            Base::Shape(shape, rate) => rate * shape.relative(second),
        };
        base * self.level(second) * self.usual(second) * self.disturbed(second)
    }
}

/// A factor of mean 1 for a standard normal number.
fn lognormal(deviation: f64, normal: f64) -> f64 {
    (deviation * normal - deviation * deviation / 2.0).exp()
}

fn between(range: (f64, f64), share: f64) -> f64 {
    range.0 + (range.1 - range.0) * share
}

/// The factor of bursts. One that begins late in its slot reaches into the next, so both are asked; where two meet, the
/// higher counts.
fn burst(seed: u64, second: f64) -> f64 {
    let slot = (second / BURST_SLOT).floor() as i64;
    let draw = |purpose, slot| Noise::new(seed, purpose).uniform(slot);
    let of = |slot: i64| {
        if draw(Purpose::BurstChance, slot) >= BURST_CHANCE {
            return 1.0;
        }
        let begins = (slot as f64 + draw(Purpose::BurstStart, slot)) * BURST_SLOT;
        let lasts = between(BURST_SECONDS, draw(Purpose::BurstLength, slot));
        let height = between(BURST_HEIGHT, draw(Purpose::BurstHeight, slot));
        if (begins..begins + lasts).contains(&second) { height } else { 1.0 }
    };
    of(slot - 1).max(of(slot))
}

/// The factor `since` seconds after a flash crowd began to arrive.
fn flash(since: f64) -> f64 {
    let more = FLASH_HEIGHT - 1.0;
    if since < 0.0 {
        1.0
    } else if since < FLASH_RAMP {
        1.0 + more * since / FLASH_RAMP
    } else if since < FLASH_LASTS {
        FLASH_HEIGHT
    } else {
        1.0 + more * (-(since - FLASH_LASTS) / FLASH_DECAY).exp()
    }
}

/// The factor `since` seconds after a surge began.
fn surge(seed: u64, since: f64) -> f64 {
    let height = between(SURGE_HEIGHT, Noise::new(seed, Purpose::SurgeHeight).uniform(0));
    let there = (since / SURGE_RAMP).min((SURGE_LASTS - since) / SURGE_RAMP).clamp(0.0, 1.0);
    1.0 + (height - 1.0) * there
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUDGED: &str = "2026-03-03T00:00Z";

    fn rates(name: &str, seed: u64) -> Vec<f64> {
        let judged: jiff::Timestamp = JUDGED.parse().unwrap();
        let demand = name.parse::<Scenario>().unwrap().demand(seed, 30.0, judged);
        (0..86_400).map(|second| demand.rate((judged.as_second() + second) as f64)).collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn at(rates: &[f64], hour: f64) -> f64 {
        let first = (hour * HOUR) as usize;
        mean(&rates[first..first + 600])
    }

    #[test]
    fn a_realistic_day_has_a_quiet_night_a_midday_peak_and_an_evening_lull() {
        for seed in 1..6 {
            let day = rates("realistic", seed);
            assert!((0.8..1.3).contains(&(mean(&day) / 31.5)), "{}", mean(&day));
            assert!(at(&day, 3.0) < 0.3 * at(&day, 12.0));
            assert!(at(&day, 8.0) > 2.0 * at(&day, 5.0));
            assert!(at(&day, 18.0) < 0.9 * at(&day, 12.0));
            assert!((42.0..68.0).contains(&at(&day, 12.0)), "{}", at(&day, 12.0));
        }
        assert!(
            (at(&rates("realistic", 1), 12.0) / at(&rates("realistic", 2), 12.0) - 1.0).abs()
                > 1e-3
        );
    }

    #[test]
    fn a_noisy_day_swings_within_minutes_and_a_realistic_one_does_not() {
        let spread = |day: &[f64]| {
            let noon = &day[12 * 3600..13 * 3600];
            let average = mean(noon);
            (noon.iter().map(|rate| (rate - average).powi(2)).sum::<f64>() / 3600.0).sqrt()
                / average
        };
        assert!(spread(&rates("noisy", 1)) > 0.25 && spread(&rates("realistic", 1)) < 0.12);
    }

    #[test]
    fn bursts_last_one_to_five_minutes_and_reach_up_to_two_and_a_half_times() {
        let (bursty, steady) = (rates("bursty", 4), rates("realistic", 4));
        let factors: Vec<f64> = bursty.iter().zip(&steady).map(|(a, b)| a / b).collect();
        let runs: Vec<&[f64]> = factors
            .chunk_by(|a, b| (*a > 1.01) == (*b > 1.01))
            .filter(|run| run[0] > 1.01)
            .collect();
        assert!((15..45).contains(&runs.len()), "{} bursts", runs.len());
        for run in runs {
            // Two that meet are one run.
            assert!((60..=601).contains(&run.len()), "{} s", run.len());
            assert!(run.iter().all(|factor| (1.5..=2.5).contains(factor)));
        }
    }

    #[test]
    fn a_flash_crowd_is_there_within_a_minute_and_gone_within_an_hour() {
        let (flash, steady) = (rates("flash-crowd", 2), rates("realistic", 2));
        let factor = |hour: f64| at(&flash, hour) / at(&steady, hour);
        assert!((factor(12.8) - 1.0).abs() < 1e-9 && (factor(13.1) - 4.0).abs() < 1e-9);
        assert!((1.0..1.02).contains(&factor(14.0)), "{}", factor(14.0));
        let after = 13 * 3600 + 60;
        assert!((flash[after] / steady[after] - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_surge_has_its_height_from_the_seed() {
        let heights: Vec<f64> = (1..6)
            .map(|seed| at(&rates("surge", seed), 12.0) / at(&rates("realistic", seed), 12.0))
            .collect();
        assert!(heights.iter().all(|height| (2.0..3.0).contains(height)), "{heights:?}");
        assert!(heights.windows(2).all(|pair| (pair[0] - pair[1]).abs() > 1e-6), "{heights:?}");
        assert!(
            (at(&rates("surge", 1), 14.0) / at(&rates("realistic", 1), 14.0) - 1.0).abs() < 1e-9
        );
    }
}
