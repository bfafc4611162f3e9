//! Upper values of loads that cannot be negative and lean to the left.

use statrs::function::erf::erf;
use statrs::function::gamma::{gamma_lr, ln_gamma};

/// From this shape on the cube root of a gamma variable is normal within a third of a percent.
const CUBE_ROOT_SHAPE: f64 = 8.0;
/// From this shape on a gamma variable is as good as normal, and the cube root loses digits.
const NORMAL_SHAPE: f64 = 1e8;
/// Where the search begins at the least: below it the density has no finite steps.
const LEAST: f64 = 1e-3;
/// One step goes no farther than this many times the value.
const FARTHEST: f64 = 4.0;
/// Halvings that find a value to its last digits.
const MAX_STEPS: usize = 200;

/// The value that a gamma variable of this mean and variance stays below as often as a standard normal
/// one stays below `deviations`; at least the mean.
///
/// Counts of rare calls lean to the left with a long tail to the right: at 0.99 the normal value is a
/// tenth too low where five calls are expected. With growing counts the two become the same.
pub(crate) fn upper_value(mean: f64, variance: f64, deviations: f64) -> f64 {
    if variance <= 0.0 {
        return mean.max(0.0);
    }
    let shape = mean * mean / variance;
    if mean <= 0.0 || shape >= NORMAL_SHAPE {
        return deviations.mul_add(variance.sqrt(), mean).max(mean);
    }
    let relative = cube_root(shape, deviations);
    let found = if shape < CUBE_ROOT_SHAPE { exact(shape, deviations, relative) } else { relative };
    (mean * found).max(mean)
}

/// The value over the mean, by the approximation of Wilson and Hilferty (1931).
fn cube_root(shape: f64, deviations: f64) -> f64 {
    let ninth = 1.0 / (9.0 * shape);
    deviations.mul_add(ninth.sqrt(), 1.0 - ninth).max(0.0).powi(3)
}

/// The value over the mean: Newton's steps from `start`, or halvings where they would leave the bracket.
fn exact(shape: f64, deviations: f64, start: f64) -> f64 {
    let probability = f64::midpoint(1.0, erf(deviations / std::f64::consts::SQRT_2));
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut value = (start * shape).max(LEAST);
    for _ in 0..MAX_STEPS {
        let above = gamma_lr(shape, value) - probability;
        if above > 0.0 {
            high = value;
        } else {
            low = value;
        }
        let density = ((shape - 1.0) * value.ln() - value - ln_gamma(shape)).exp();
        let newton = (value - above / density).min(FARTHEST * value);
        let next = if newton > low && newton < high {
            newton
        } else {
            f64::midpoint(low, high.min(FARTHEST * value))
        };
        if (next - value).abs() <= 1e-7 * value {
            return next / shape;
        }
        value = next;
    }
    value / shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::normal_quantile;
    use proptest::prelude::*;

    #[test]
    fn known_quantiles_come_out() {
        for (shape, deviations, expected) in [
            (0.1, 2.326, 15.878),
            (0.5, 2.326, 6.633),
            (1.0, 3.6, 8.746),
            (2.0, 1.28, 1.943),
            (4.0, 4.0, 4.324),
            (8.0, 2.326, 2.000),
            (20.0, 3.2, 1.872),
        ] {
            let found = upper_value(1.0, 1.0 / shape, deviations);
            assert!((found / expected - 1.0).abs() < 5e-3, "{shape} {deviations}: {found}");
        }
    }

    #[test]
    fn a_large_count_is_as_good_as_normal() {
        let found = upper_value(100.0, 1.0, normal_quantile(0.99));
        assert!((found / 102.326 - 1.0).abs() < 5e-4, "{found}");
    }

    proptest! {
        #[test]
        fn more_deviations_never_give_less(
            mean in 1e-6..1e4f64, share in 1e-6..1e4f64, fewer in 0.0..4.0f64, more in 0.0..4.0f64,
        ) {
            let variance = mean * mean * share;
            let (low, high) = (upper_value(mean, variance, fewer.min(more)), upper_value(mean, variance, fewer.max(more)));
            prop_assert!(low.is_finite() && mean <= low && low <= high * (1.0 + 1e-6), "{low} {high}");
        }

        #[test]
        fn a_thousand_times_the_load_is_a_thousand_times_the_value(
            mean in 1e-3..1e2f64, share in 1e-4..1e2f64, deviations in 0.0..4.0f64,
        ) {
            let variance = mean * mean * share;
            let one = upper_value(mean, variance, deviations);
            let other = upper_value(1e3 * mean, 1e6 * variance, deviations);
            prop_assert!((other / one - 1e3).abs() < 1e-3);
        }
    }
}
