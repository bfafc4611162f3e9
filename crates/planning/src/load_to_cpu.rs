//! What CPU a workload needs at another load than the one its own forecast supposes.

use std::collections::BTreeMap;

use mora_core::{Dataset, Series, Signal, empirical_quantile};
use serde::{Deserialize, Serialize};

use crate::windows::{paired, window_means};

/// Windows below which a slope is not trusted: half a day of five minutes.
const MIN_WINDOWS: usize = 144;
/// The load must span this factor between its 5th and 95th percentile for a slope to be visible.
const MIN_SPAN: f64 = 1.5;
/// Share of the variation of CPU that the load must explain.
const MIN_EXPLAINED: f64 = 0.5;
/// The quantile of CPU at a given load that the slope follows: what busy windows cost, not typical ones.
const QUANTILE: f64 = 0.95;
/// Halvings of the interval a slope is searched in; 40 leave a trillionth of it.
const HALVINGS: usize = 40;
/// How far CPU follows the load where no slope was measured.
const ELASTICITY: std::ops::RangeInclusive<f64> = 0.8..=2.0;
/// Cores and requests per second below this are nothing.
const NOTHING: f64 = 1e-9;

/// How a workload's CPU follows its load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadToCpu {
    /// Measured: this many cores more per request per second.
    Slope(f64),
    /// Not measurable: in proportion to the load, within limits.
    Proportional,
}

impl LoadToCpu {
    /// Learns how CPU followed the request rate over five-minute windows: the line that 95 % of the windows stay
    /// below, with neither a negative slope nor a negative idle part.
    ///
    /// Too short a history, too even a load or too weak a relation gives [`LoadToCpu::Proportional`].
    #[must_use]
    pub fn learn(dataset: &Dataset) -> Self {
        Self::of(&dataset.signals())
    }

    /// As [`LoadToCpu::learn`], from the signals of a dataset.
    pub(crate) fn of(signals: &BTreeMap<Signal, Series>) -> Self {
        let windows = |signal| signals.get(&signal).map(window_means).unwrap_or_default();
        let points = paired(&windows(Signal::RequestRate), &windows(Signal::Cpu));
        if points.len() < MIN_WINDOWS
            || span(&points) < MIN_SPAN
            || explained(&points) < MIN_EXPLAINED
        {
            return Self::Proportional;
        }
        match slope(&points) {
            slope if slope > NOTHING => Self::Slope(slope),
            _ => Self::Proportional,
        }
    }

    /// Cores at `rate` requests per second, where `own_cpu` is right at `own_rate`.
    ///
    /// Never below the lower limit of the elasticity: a call graph does not see every request.
    #[must_use]
    pub fn cpu(self, own_cpu: f64, own_rate: f64, rate: f64) -> f64 {
        match self {
            Self::Slope(slope) => {
                (own_cpu + slope * (rate - own_rate)).max(ELASTICITY.start() * own_cpu)
            }
            Self::Proportional => own_cpu * elasticity(own_rate, rate),
        }
    }

    /// Cores when a load of `rate` that needs `cpu` is multiplied by `factor`, at least 0.
    ///
    /// Unlike [`LoadToCpu::cpu`] this follows any factor: the load is supposed, not inferred.
    #[must_use]
    pub fn scaled(self, cpu: f64, rate: f64, factor: f64) -> f64 {
        match self {
            Self::Slope(slope) => (cpu + slope * rate * (factor - 1.0)).max(cpu * factor.min(1.0)),
            Self::Proportional => cpu * factor,
        }
    }
}

/// The factor on CPU when the load is `rate` instead of `own_rate` and nothing else is known.
pub(crate) fn elasticity(own_rate: f64, rate: f64) -> f64 {
    if (rate - own_rate).abs() < NOTHING {
        return 1.0;
    }
    (rate / own_rate.max(NOTHING)).clamp(*ELASTICITY.start(), *ELASTICITY.end())
}

fn span(points: &[(f64, f64)]) -> f64 {
    let mut rates: Vec<f64> = points.iter().map(|(rate, _)| *rate).collect();
    rates.sort_by(f64::total_cmp);
    let at = |probability| empirical_quantile(&rates, probability).unwrap_or(0.0);
    if at(0.95) < NOTHING { 0.0 } else { at(0.95) / at(0.05).max(NOTHING) }
}

/// The share of the variation of CPU that a rising straight line on the rate explains; 0 for a falling one.
fn explained(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (rate, cpu) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|p| of(p.0, p.1)).sum::<f64>();
    let together = sum(&|x, y| (x - rate) * (y - cpu));
    let (rates, cpus) = (sum(&|x, _| (x - rate).powi(2)), sum(&|_, y| (y - cpu).powi(2)));
    let share = together * together / (rates * cpus).max(f64::MIN_POSITIVE);
    if together > 0.0 { share } else { 0.0 }
}

/// The slope of the quantile regression line `cpu = idle + slope * rate`, both at least 0.
///
/// For a given slope the best idle part is a quantile of what is left, and the loss is convex in the slope, so the
/// interval that holds its minimum can be narrowed from both ends (Koenker and Bassett, 1978, for the loss).
fn slope(points: &[(f64, f64)]) -> f64 {
    let steepest = points.iter().filter(|p| p.0 > NOTHING).map(|(rate, cpu)| cpu / rate);
    let (mut low, mut high) = (0.0, steepest.fold(0.0, f64::max));
    let mut rest = vec![0.0; points.len()];
    for _ in 0..HALVINGS {
        let third = (high - low) / 3.0;
        if loss(points, low + third, &mut rest) <= loss(points, high - third, &mut rest) {
            high -= third;
        } else {
            low += third;
        }
    }
    f64::midpoint(low, high)
}

/// Pinball loss of the line with `slope` and its best idle part; `rest` is scratch space of the same length.
fn loss(points: &[(f64, f64)], slope: f64, rest: &mut [f64]) -> f64 {
    rest.iter_mut().zip(points).for_each(|(rest, (rate, cpu))| *rest = cpu - slope * rate);
    let at = ((rest.len() as f64 * QUANTILE).ceil() as usize).clamp(1, rest.len()) - 1;
    let idle = rest.select_nth_unstable_by(at, f64::total_cmp).1.max(0.0);
    rest.iter().map(|rest| pinball(rest - idle)).sum()
}

fn pinball(error: f64) -> f64 {
    if error > 0.0 { QUANTILE * error } else { (QUANTILE - 1.0) * error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::{ContainerUsage, Series, Step};

    fn dataset(points: impl Iterator<Item = (f64, f64)>) -> Dataset {
        let (rates, cpus): (Vec<_>, Vec<_>) = points.map(|(r, c)| (Some(r), Some(c))).unzip();
        let series = |v| Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, v).unwrap();
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        dataset.request_rate = Some(series(rates));
        let cpu = [("pod".to_owned(), series(cpus))].into();
        dataset
            .containers
            .insert("server".to_owned(), ContainerUsage { cpu, ..ContainerUsage::default() });
        dataset
    }

    fn day(low: f64, high: f64) -> impl Iterator<Item = f64> {
        (0..1440).map(move |i| low + (high - low) * f64::from(i % 720) / 720.0)
    }

    #[test]
    fn a_load_that_varies_shows_the_cost_of_a_request() {
        let learned = LoadToCpu::learn(&dataset(day(10.0, 50.0).map(|r| (r, 0.1 + 0.02 * r))));
        assert!(matches!(learned, LoadToCpu::Slope(slope) if (slope - 0.02).abs() < 1e-6));
        assert!((learned.cpu(1.0, 40.0, 90.0) - 2.0).abs() < 1e-4);
    }

    #[test]
    fn an_idle_part_is_never_negative() {
        let learned =
            LoadToCpu::learn(&dataset(day(10.0, 50.0).map(|r| (r, (0.02 * r - 0.2).max(0.0)))));
        assert!(matches!(learned, LoadToCpu::Slope(slope) if slope < 0.02));
    }

    #[test]
    fn an_even_load_or_an_unrelated_cpu_gives_only_proportion() {
        let even = day(10.0, 12.0).map(|r| (r, 0.02 * r));
        let unrelated = day(10.0, 50.0).enumerate().map(|(i, r)| (r, (i % 10) as f64));
        assert_eq!(LoadToCpu::learn(&dataset(even)), LoadToCpu::Proportional);
        assert_eq!(LoadToCpu::learn(&dataset(unrelated)), LoadToCpu::Proportional);
    }

    #[test]
    fn the_slope_is_that_of_busy_windows_where_the_cost_of_a_request_varies() {
        let noisy = day(10.0, 50.0).enumerate().map(|(i, r)| {
            let dear = if i / 5 % 5 == 0 { 1.5 } else { 1.0 };
            (r, 0.05 + 0.02 * dear * r)
        });
        let learned = LoadToCpu::learn(&dataset(noisy));
        assert!(
            matches!(learned, LoadToCpu::Slope(slope) if (slope - 0.03).abs() < 1e-3),
            "{learned:?}"
        );
    }

    #[test]
    fn a_supposed_load_is_followed_as_far_as_it_goes() {
        let slope = LoadToCpu::Slope(0.02);
        assert!((slope.scaled(1.0, 30.0, 3.0) - 2.2).abs() < 1e-12);
        assert!((slope.scaled(1.0, 30.0, 0.5) - 0.7).abs() < 1e-12);
        assert!((LoadToCpu::Proportional.scaled(1.0, 30.0, 3.0) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn proportion_stays_within_its_limits() {
        let cpu = |own, rate| LoadToCpu::Proportional.cpu(1.0, own, rate);
        assert!((cpu(10.0, 15.0) - 1.5).abs() < 1e-12);
        assert!((cpu(10.0, 100.0) - 2.0).abs() < 1e-12);
        assert!((cpu(10.0, 0.0) - 0.8).abs() < 1e-12);
        assert!((cpu(0.0, 0.0) - 1.0).abs() < 1e-12);
    }
}
