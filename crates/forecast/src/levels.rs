//! The quantiles every member answers, and what lies between them.

/// The quantiles members are fitted, weighed and calibrated at, ascending.
pub(crate) const LEVELS: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// Index in [`LEVELS`] of the quantile confidence is stated for.
pub(crate) const STATED: usize = 2;

/// One value per level of [`LEVELS`], in the signal's unit.
pub(crate) type Levels = [f64; LEVELS.len()];

/// The loss of answering `forecast` for the quantile `level` where `observed` came.
///
/// Its mean is least at the true quantile (Koenker and Bassett 1978).
pub(crate) fn pinball(level: f64, forecast: f64, observed: f64) -> f64 {
    let short = observed - forecast;
    (level * short).max((level - 1.0) * short)
}

/// Mean pinball loss over the levels.
pub(crate) fn mean_pinball(forecast: &Levels, observed: f64) -> f64 {
    let sum: f64 = LEVELS.iter().zip(forecast).map(|(&q, &f)| pinball(q, f, observed)).sum();
    sum / LEVELS.len() as f64
}

/// `levels` raised so that none is below zero or below a lower level's.
pub(crate) fn uncrossed(mut levels: Levels) -> Levels {
    let mut floor = 0.0_f64;
    for value in &mut levels {
        floor = floor.max(*value);
        *value = floor;
    }
    levels
}

/// The quantiles of weighted values at the levels; zeros without values.
///
/// A value stands for the middle of its share of the weight, values between are interpolated.
pub(crate) fn weighted_levels(values: &mut [(f64, f64)]) -> Levels {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = values.iter().map(|v| v.1).sum();
    LEVELS.map(|level| weighted_quantile(values, level * total))
}

fn weighted_quantile(sorted: &[(f64, f64)], rank: f64) -> f64 {
    let mut below: Option<(f64, f64)> = None;
    let mut passed = 0.0;
    for &(value, weight) in sorted {
        let middle = passed + weight / 2.0;
        passed += weight;
        if middle < rank {
            below = Some((value, middle));
            continue;
        }
        let Some((low, at)) = below else { return value };
        return low + (value - low) * (rank - at) / (middle - at);
    }
    below.map_or(0.0, |(value, _)| value)
}

/// Shares that sum to 1 and fall by e per `1 / rate` of how far a loss is above the least, as a share of it; equal where the
/// least is 0 (exponential weights, Vovk 1990).
pub(crate) fn shares_by_loss(losses: &[f64], rate: f64) -> Vec<f64> {
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let excess = |loss: &f64| if least > 0.0 { loss / least - 1.0 } else { 0.0 };
    let raw: Vec<f64> = losses.iter().map(|loss| (-rate * excess(loss)).exp()).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|share| share / total).collect()
}

/// How deep in the upper tail `probability` lies; 0 at probability 0.
pub(crate) fn depth(probability: f64) -> f64 {
    -(-probability).ln_1p()
}

/// The value at `probability`, given the values at the levels.
///
/// Between and above the levels it is linear in [`depth`], exact for an exponential tail;
/// below the median it mirrors the upper half. Never negative, ascending in `probability`.
pub(crate) fn interpolate(levels: &Levels, probability: f64) -> f64 {
    if probability < LEVELS[0] {
        let mirrored = at_depth(levels, depth(1.0 - probability));
        return (2.0 * levels[0] - mirrored).max(0.0);
    }
    at_depth(levels, depth(probability)).max(0.0)
}

/// The value at a [`depth`] not above that of the median.
pub(crate) fn at_depth(levels: &Levels, at: f64) -> f64 {
    let upper = LEVELS[1..LEVELS.len() - 1].iter().filter(|&&q| depth(q) < at).count() + 1;
    let (low, high) = (depth(LEVELS[upper - 1]), depth(LEVELS[upper]));
    let share = (at - low) / (high - low);
    levels[upper - 1] + share * (levels[upper] - levels[upper - 1])
}

/// The least [`depth`], from the median's up to `most`, at which the levels reach `value`.
pub(crate) fn depth_of(levels: &Levels, value: f64, most: f64) -> f64 {
    if value <= levels[0] {
        return depth(LEVELS[0]);
    }
    let upper = levels[1..LEVELS.len() - 1].iter().filter(|&&level| level < value).count() + 1;
    let (low, high) = (depth(LEVELS[upper - 1]), depth(LEVELS[upper]));
    let rise = levels[upper] - levels[upper - 1];
    let share = if rise > 0.0 { (value - levels[upper - 1]) / rise } else { f64::INFINITY };
    (low + share * (high - low)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinball_weighs_a_shortfall_by_the_level() {
        assert!((pinball(0.9, 1.0, 3.0) - 1.8).abs() < 1e-12);
        assert!((pinball(0.9, 3.0, 1.0) - 0.2).abs() < 1e-12);
    }

    #[test]
    fn weighted_quantiles_of_equal_weights_are_those_of_the_sample() {
        let mut values: Vec<_> = (0..1000).map(|i| (f64::from(i), 2.0)).collect();
        let levels = weighted_levels(&mut values);
        for (found, level) in levels.iter().zip(LEVELS) {
            assert!((found - level * 1000.0).abs() < 1.0, "{found} at {level}");
        }
        assert!(weighted_levels(&mut []).iter().all(|v| v.abs() < 1e-12));
    }

    #[test]
    fn values_between_levels_ascend_and_meet_them() {
        let levels = [10.0, 20.0, 23.0, 30.0];
        for (&value, level) in levels.iter().zip(LEVELS) {
            assert!((interpolate(&levels, level) - value).abs() < 1e-9);
        }
        let path: Vec<f64> = (1..1000).map(|i| interpolate(&levels, f64::from(i) / 1e3)).collect();
        assert!(path.is_sorted());
        assert!(path[998] > 30.0 && path[0] >= 0.0);
    }

    #[test]
    fn the_depth_of_a_value_is_where_the_levels_reach_it() {
        let levels = [10.0, 20.0, 23.0, 30.0];
        for value in [10.0, 12.0, 20.0, 22.0, 25.0, 33.0] {
            let depth = depth_of(&levels, value, 20.0);
            assert!((at_depth(&levels, depth) - value).abs() < 1e-9, "{value}");
        }
        assert!((depth_of(&levels, 1e9, 7.0) - 7.0).abs() < 1e-12);
        assert!((depth_of(&[5.0; 4], 5.0, 7.0) - depth(0.5)).abs() < 1e-12);
        assert!((depth_of(&[5.0; 4], 5.1, 7.0) - 7.0).abs() < 1e-12);
    }

    #[test]
    fn crossed_or_negative_levels_are_raised() {
        let raised = uncrossed([-1.0, 3.0, 2.0, 4.0]);
        assert!(raised.iter().zip([0.0, 3.0, 3.0, 4.0]).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
