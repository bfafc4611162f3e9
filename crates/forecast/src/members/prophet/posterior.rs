//! The parameters of largest posterior probability.
//!
//! The model is linear but for the noise and for the Laplace prior of the trend changes. Given both, the
//! parameters solve a ridge regression; given the parameters, the noise has a closed form and the
//! prior a ridge that touches it from above. Taking turns never lowers the posterior.

use augurs_prophet::optimizer::Data;

use super::Parameters;

/// Standard deviation of the prior of slope and offset in Prophet's model.
const TREND_SCALE: f64 = 5.0;
/// Variance of the half-normal prior of the noise.
const NOISE_VARIANCE: f64 = 0.25;
/// Noise variance below which fits are not told apart, in squares of the largest value.
const LEAST_VARIANCE: f64 = 1e-8;
/// A trend change below this is zero.
const LEAST_CHANGE: f64 = 1e-9;
const TURNS: usize = 200;

/// The maximum for `data`, the seasons' coefficients in the order of the columns `order`.
pub(super) fn maximum(data: &Data, order: &[usize]) -> Parameters {
    let normal = Normal::new(data, order);
    let mut variance = 0.01;
    let mut weights = vec![0.0; normal.size()];
    let mut ridge = ridge(data, order);
    for _ in 0..TURNS {
        let found = normal.solve(variance, &ridge);
        let moved = weights.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        weights = found;
        variance = noise_variance(normal.squares(&weights), normal.rows);
        for (j, _) in data.t_change.iter().enumerate() {
            ridge[2 + j] = 1.0 / (*data.tau * weights[2 + j].abs().max(LEAST_CHANGE));
        }
        if moved < 1e-9 {
            break;
        }
    }
    let (trend, seasons) = weights.split_at(2 + data.t_change.len());
    Parameters {
        slope: trend[0],
        offset: trend[1],
        changes: trend[2..].to_vec(),
        seasons: seasons.to_vec(),
        noise: variance.sqrt(),
    }
}

/// Precision of the prior of each weight, trend changes as far from zero as their prior's scale.
fn ridge(data: &Data, order: &[usize]) -> Vec<f64> {
    let trend = [TREND_SCALE.powi(-2); 2];
    let changes = data.t_change.iter().map(|_| data.tau.powi(-2));
    let seasons = order.iter().map(|&column| data.sigmas[column].powi(-2));
    trend.into_iter().chain(changes).chain(seasons).collect()
}

/// The variance of largest posterior probability for a sum of squared errors over `rows`: the root
/// of `rows / s - squares / s^3 + s / NOISE_VARIANCE = 0` in the noise `s`, squared.
fn noise_variance(squares: f64, rows: f64) -> f64 {
    let root = (rows * rows + 4.0 * squares / NOISE_VARIANCE).sqrt();
    (2.0 * squares / (rows + root)).max(LEAST_VARIANCE)
}

/// The normal equations of the regression.
struct Normal {
    /// Features times features, row by row.
    gram: Vec<f64>,
    /// Features times values.
    product: Vec<f64>,
    /// Values times values.
    values: f64,
    rows: f64,
}

impl Normal {
    fn new(data: &Data, order: &[usize]) -> Self {
        let size = 2 + data.t_change.len() + order.len();
        let mut normal = Self {
            gram: vec![0.0; size * size],
            product: vec![0.0; size],
            values: 0.0,
            rows: data.y.len() as f64,
        };
        let mut features = Vec::with_capacity(size);
        for (row, &y) in data.y.iter().enumerate() {
            features.clear();
            features.extend([data.t[row], 1.0]);
            features.extend(data.t_change.iter().map(|change| (data.t[row] - change).max(0.0)));
            features.extend(order.iter().map(|&column| data.X[row * order.len() + column]));
            normal.add(&features, y);
        }
        normal
    }

    fn add(&mut self, features: &[f64], y: f64) {
        let rows = self.gram.chunks_exact_mut(features.len());
        for (i, (row, feature)) in rows.zip(features).enumerate() {
            self.product[i] += feature * y;
            row[..=i].iter_mut().zip(features).for_each(|(sum, other)| *sum += feature * other);
        }
        self.values += y * y;
    }

    fn size(&self) -> usize {
        self.product.len()
    }

    /// The weights of largest posterior probability at a noise variance and prior precisions.
    fn solve(&self, variance: f64, ridge: &[f64]) -> Vec<f64> {
        let size = self.size();
        let mut factor = self.gram.clone();
        for (i, precision) in ridge.iter().enumerate() {
            factor[i * size + i] += variance * precision;
        }
        cholesky(&mut factor, size);
        substitute(&factor, &self.product)
    }

    /// Sum of squared errors at `weights`; never negative.
    fn squares(&self, weights: &[f64]) -> f64 {
        let size = self.size();
        let mut sum = self.values;
        for (i, weight) in weights.iter().enumerate() {
            let row = &self.gram[i * size..][..i];
            let below: f64 = row.iter().zip(weights).map(|(g, w)| g * w).sum();
            sum +=
                weight * (2.0 * below + self.gram[i * size + i] * weight - 2.0 * self.product[i]);
        }
        sum.max(0.0)
    }
}

/// Replaces the lower triangle of `matrix` by its Cholesky factor.
fn cholesky(matrix: &mut [f64], size: usize) {
    for i in 0..size {
        for j in 0..=i {
            let (upper, lower) = matrix.split_at(i * size);
            let other = if j < i { &upper[j * size..][..j] } else { &lower[..j] };
            let dot: f64 = lower[..j].iter().zip(other).map(|(a, b)| a * b).sum();
            let rest = matrix[i * size + j] - dot;
            matrix[i * size + j] = if j == i {
                // The ridge keeps it positive; rounding may not.
                rest.max(f64::EPSILON * matrix[i * size + i].abs()).max(f64::MIN_POSITIVE).sqrt()
            } else {
                rest / matrix[j * size + j]
            };
        }
    }
}

/// Solves for the right-hand side `product` with a Cholesky factor.
fn substitute(factor: &[f64], product: &[f64]) -> Vec<f64> {
    let size = product.len();
    let mut x = product.to_vec();
    for i in 0..size {
        let dot: f64 = factor[i * size..][..i].iter().zip(&x).map(|(a, b)| a * b).sum();
        x[i] = (x[i] - dot) / factor[i * size + i];
    }
    for i in (0..size).rev() {
        let dot: f64 = (i + 1..size).map(|j| factor[j * size + i] * x[j]).sum();
        x[i] = (x[i] - dot) / factor[i * size + i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::noise;
    use augurs_prophet::{PositiveFloat, TrendIndicator};

    fn positive(value: f64) -> PositiveFloat {
        PositiveFloat::try_new(value).unwrap()
    }

    fn data() -> Data {
        let rows = 400_i64;
        let t: Vec<f64> = (0..rows).map(|i| i as f64 / (rows - 1) as f64).collect();
        let angle = |i: i64| std::f64::consts::TAU * i as f64 / 24.0;
        let bend = |t: f64| if t > 0.4 { 0.8 * (t - 0.4) } else { 0.0 };
        let value = |i: i64| 0.3 + bend(t[i as usize]) + 0.2 * angle(i).sin() + 0.05 * noise(i);
        Data {
            T: rows as i32,
            y: (0..rows).map(value).collect(),
            cap: vec![0.0; rows as usize],
            S: 4,
            t_change: vec![0.2, 0.4, 0.6, 0.8],
            trend_indicator: TrendIndicator::Linear,
            K: 2,
            s_a: vec![1, 1],
            s_m: vec![0, 0],
            X: (0..rows).flat_map(|i| [angle(i).sin(), angle(i).cos()]).collect(),
            sigmas: vec![positive(10.0); 2],
            tau: positive(0.05),
            t,
        }
    }

    /// The negative logarithm of the posterior density, written out from Prophet's Stan model.
    fn objective(data: &Data, p: &Parameters) -> f64 {
        let errors = data.y.iter().enumerate().map(|(i, y)| {
            let bends = data.t_change.iter().zip(&p.changes);
            let trend: f64 = bends.map(|(s, d)| d * (data.t[i] - s).max(0.0)).sum();
            let seasons: f64 =
                data.X[2 * i..][..2].iter().zip(&p.seasons).map(|(x, b)| x * b).sum();
            (y - p.slope * data.t[i] - p.offset - trend - seasons).powi(2)
        });
        let changes: f64 = p.changes.iter().map(|d| d.abs() / *data.tau).sum();
        let seasons: f64 = p.seasons.iter().map(|b| b * b / 200.0).sum();
        errors.sum::<f64>() / (2.0 * p.noise * p.noise)
            + data.y.len() as f64 * p.noise.ln()
            + (p.slope * p.slope + p.offset * p.offset) / 50.0
            + changes
            + seasons
            + 2.0 * p.noise * p.noise
    }

    type Move = Box<dyn Fn(&mut Parameters, f64)>;

    #[test]
    fn no_step_from_the_maximum_raises_the_posterior() {
        let data = data();
        let best = maximum(&data, &[0, 1]);
        let least = objective(&data, &best);
        let mut steps: Vec<Move> = vec![
            Box::new(|p, by| p.slope += by),
            Box::new(|p, by| p.offset += by),
            Box::new(|p, by| p.noise += by),
        ];
        for j in 0..4 {
            steps.push(Box::new(move |p, by| p.changes[j] += by));
        }
        for j in 0..2 {
            steps.push(Box::new(move |p, by| p.seasons[j] += by));
        }
        for (index, step) in steps.iter().enumerate() {
            for by in [-1e-2, -1e-3, 1e-3, 1e-2] {
                let mut other = best.clone();
                step(&mut other, by);
                assert!(objective(&data, &other) > least, "step {index} by {by}");
            }
        }
    }

    #[test]
    fn the_truth_behind_the_noise_is_found() {
        let found = maximum(&data(), &[0, 1]);
        assert!((found.seasons[0] - 0.2).abs() < 0.01, "{found:?}");
        assert!((found.noise - 0.05).abs() < 0.005, "{found:?}");
        assert!((found.changes.iter().sum::<f64>() + found.slope - 0.8).abs() < 0.1, "{found:?}");
    }
}
