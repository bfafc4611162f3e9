//! How often each caller calls, from request rates alone.

/// Windows below which nothing is explained: two hours of five minutes.
const MIN_WINDOWS: usize = 24;
/// A ratio must be this many standard errors above zero.
const CLEAR: f64 = 5.0;
/// How much worse than a constant the callers may explain the callee, noise of their own taken into account.
const WORSE_THAN_CONSTANT: f64 = 1.25;
/// Each round weighs windows by the variance that the one before expects; more rounds change nothing.
const ROUNDS: usize = 4;
/// Sweeps over the callers within a round; few callers settle long before.
const SWEEPS: usize = 500;
/// A pivot below this share of its diagonal is none: the callers rise and fall together.
const COLLINEAR: f64 = 1e-9;

/// What is to be explained by what, window by window.
#[derive(Debug, Clone, Default)]
pub(super) struct Problem {
    /// The callee's request rate, less what is known of its calls.
    pub(super) target: Vec<f64>,
    /// The request rate of each caller.
    pub(super) callers: Vec<Vec<f64>>,
    /// What each window counts, above 0.
    pub(super) weights: Vec<f64>,
}

/// Calls per request of each caller; `None` for one whose part cannot be told from the others' or from
/// none at all.
///
/// Ratios are not negative. The caller whose part is least clear is left out until every part is clear;
/// where the rest explains the callee worse than a constant would, nothing is.
pub(super) fn ratios(problem: &Problem) -> Vec<Option<f64>> {
    let mut found = vec![None; problem.callers.len()];
    let mut chosen: Vec<usize> = (0..problem.callers.len()).collect();
    while !chosen.is_empty() && problem.target.len() >= MIN_WINDOWS {
        let part = problem.of(&chosen);
        let fit = Fit::new(&part);
        let Some(unclear) = fit.least_clear() else {
            if fit.explains(&part) {
                chosen.iter().zip(&fit.ratios).for_each(|(at, ratio)| found[*at] = Some(*ratio));
            }
            break;
        };
        chosen.remove(unclear);
    }
    found
}

impl Problem {
    fn of(&self, chosen: &[usize]) -> Self {
        let callers = chosen.iter().map(|at| self.callers[*at].clone()).collect();
        Self { target: self.target.clone(), callers, weights: self.weights.clone() }
    }

    /// The callers' rates in window `at` times `ratios`.
    fn explained(&self, at: usize, ratios: &[f64]) -> f64 {
        self.callers.iter().zip(ratios).map(|(rates, ratio)| rates[at] * ratio).sum()
    }

    fn residual(&self, at: usize, ratios: &[f64]) -> f64 {
        self.target[at] - self.explained(at, ratios)
    }
}

struct Fit {
    ratios: Vec<f64>,
    /// Standard error of each ratio, infinite where the callers cannot be told apart.
    errors: Vec<f64>,
}

impl Fit {
    /// Least squares with ratios of at least 0, where the variance of a window grows with its load.
    fn new(problem: &Problem) -> Self {
        let mut weights = problem.weights.clone();
        let mut ratios = vec![0.0; problem.callers.len()];
        let mut normal = Normal::new(problem, &weights);
        for _ in 0..ROUNDS {
            normal.solve(&mut ratios);
            let mean = problem.target.iter().sum::<f64>() / problem.target.len() as f64;
            for (at, weight) in weights.iter_mut().enumerate() {
                let expected = problem.explained(at, &ratios).max(0.01 * mean.abs());
                *weight = problem.weights[at] / expected.max(f64::MIN_POSITIVE);
            }
            normal = Normal::new(problem, &weights);
        }
        normal.solve(&mut ratios);
        let squares = |(at, weight): (usize, &f64)| weight * problem.residual(at, &ratios).powi(2);
        let free = (problem.target.len() - problem.callers.len().min(MIN_WINDOWS / 2)) as f64;
        let variance = weights.iter().enumerate().map(squares).sum::<f64>() / free;
        let errors = normal.inverse_diagonal().into_iter().map(|d| (variance * d).sqrt()).collect();
        Self { ratios, errors }
    }

    /// The caller whose ratio is least clearly above 0; `None` where all are clear.
    fn least_clear(&self) -> Option<usize> {
        let clarity = |at: &usize| {
            let clear = self.ratios[*at] / self.errors[*at];
            if self.ratios[*at] > 0.0 { clear } else { 0.0 }
        };
        let least = (0..self.ratios.len()).min_by(|a, b| clarity(a).total_cmp(&clarity(b)))?;
        (clarity(&least) < CLEAR).then_some(least)
    }

    /// Whether the callers explain the target at least as well as a constant, but for their own noise.
    fn explains(&self, problem: &Problem) -> bool {
        let count = problem.target.len() as f64;
        let mean = problem.target.iter().sum::<f64>() / count;
        let constant: f64 = problem.target.iter().map(|y| (y - mean).powi(2)).sum();
        let left: f64 =
            (0..problem.target.len()).map(|at| problem.residual(at, &self.ratios).powi(2)).sum();
        let parts = problem.callers.iter().zip(&self.ratios);
        let noise: f64 = parts.map(|(rates, ratio)| ratio * ratio * noise_squares(rates)).sum();
        left <= WORSE_THAN_CONSTANT * (constant + noise)
    }
}

/// The squares that `rates` would have from one window to the next if nothing but noise moved them.
fn noise_squares(rates: &[f64]) -> f64 {
    rates.windows(2).map(|pair| (pair[1] - pair[0]).powi(2) / 2.0).sum()
}

/// The normal equations of weighted least squares.
struct Normal {
    squares: Vec<Vec<f64>>,
    products: Vec<f64>,
}

impl Normal {
    fn new(problem: &Problem, weights: &[f64]) -> Self {
        let product = |a: &[f64], b: &[f64]| -> f64 {
            a.iter().zip(b).zip(weights).map(|((a, b), weight)| weight * a * b).sum()
        };
        let row = |a: &Vec<f64>| problem.callers.iter().map(|b| product(a, b)).collect();
        let products = problem.callers.iter().map(|a| product(a, &problem.target)).collect();
        Self { squares: problem.callers.iter().map(row).collect(), products }
    }

    /// One unknown after the other, each at least 0, until none moves; the start is `ratios`.
    fn solve(&self, ratios: &mut [f64]) {
        for _ in 0..SWEEPS {
            let mut moved = false;
            for at in 0..ratios.len() {
                let own = self.squares[at][at];
                let others: f64 = (0..ratios.len())
                    .filter(|other| *other != at)
                    .map(|other| self.squares[at][other] * ratios[other])
                    .sum();
                let best =
                    if own > 0.0 { ((self.products[at] - others) / own).max(0.0) } else { 0.0 };
                moved |= (best - ratios[at]).abs() > 1e-12 * best.max(1e-6);
                ratios[at] = best;
            }
            if !moved {
                break;
            }
        }
    }

    /// The diagonal of the inverse; infinite throughout where there is none.
    fn inverse_diagonal(&self) -> Vec<f64> {
        let size = self.products.len();
        let Some(lower) = cholesky(&self.squares) else { return vec![f64::INFINITY; size] };
        let column = |at: usize| {
            let mut solved = vec![0.0; size];
            for row in at..size {
                let unit = if row == at { 1.0 } else { 0.0 };
                let known: f64 = (at..row).map(|k| lower[row][k] * solved[k]).sum();
                solved[row] = (unit - known) / lower[row][row];
            }
            solved.iter().map(|v| v * v).sum()
        };
        (0..size).map(column).collect()
    }
}

/// The lower triangle whose product with its transpose is `matrix`; `None` where that is singular.
fn cholesky(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let mut lower = vec![vec![0.0; matrix.len()]; matrix.len()];
    for row in 0..matrix.len() {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let left = matrix[row][column] - known;
            lower[row][column] = if row == column {
                (left > COLLINEAR * matrix[row][row]).then(|| left.sqrt())?
            } else {
                left / lower[column][column]
            };
        }
    }
    Some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn problem(windows: usize, target: impl Fn(f64) -> f64, callers: &[fn(f64) -> f64]) -> Problem {
        let times = || (0..windows).map(|i| i as f64);
        Problem {
            target: times().map(target).collect(),
            callers: callers.iter().map(|rate| times().map(rate).collect()).collect(),
            weights: vec![1.0; windows],
        }
    }

    fn day(t: f64) -> f64 {
        10.0 + 5.0 * (t / 46.0).sin()
    }

    fn batch(t: f64) -> f64 {
        3.0 + 2.0 * (t / 11.0).cos()
    }

    #[test]
    fn callers_that_move_differently_are_told_apart() {
        let found = ratios(&problem(288, |t| 0.5 * day(t) + 2.0 * batch(t), &[day, batch]));
        assert!((found[0].unwrap() - 0.5).abs() < 1e-6 && (found[1].unwrap() - 2.0).abs() < 1e-6);
    }

    #[test]
    fn of_callers_that_rise_and_fall_together_none_gets_a_part_of_the_other() {
        let found = ratios(&problem(288, |t| 3.0 * day(t), &[day, |t| 2.0 * day(t)]));
        let explained: f64 = found.iter().zip([1.0, 2.0]).map(|(k, x)| k.unwrap_or(0.0) * x).sum();
        assert!((explained - 3.0).abs() < 1e-6, "{found:?}");
        assert_eq!(found.iter().flatten().count(), 1);
    }

    #[test]
    fn a_callee_that_runs_by_the_clock_is_not_explained_by_its_callers() {
        assert_eq!(ratios(&problem(288, |t| 4.0 + 0.1 * (t * 7.0).sin(), &[day])), [None]);
    }

    #[test]
    fn an_even_load_still_gives_a_ratio() {
        let noisy = |t: f64| 10.0 + 0.3 * (t * 7.3).sin();
        let found = ratios(&problem(100, |t| 5.0 + 0.3 * (t * 3.1).cos(), &[noisy]));
        assert!((found[0].unwrap() - 0.5).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn a_caller_without_calls_and_a_short_history_give_none() {
        let found = ratios(&problem(288, |t| 0.5 * day(t), &[day, batch]));
        assert!((found[0].unwrap() - 0.5).abs() < 1e-6 && found[1].is_none(), "{found:?}");
        assert_eq!(ratios(&problem(20, |t| 0.5 * day(t), &[day])), [None]);
    }

    proptest! {
        #[test]
        fn ratios_are_finite_and_not_negative(
            target in prop::collection::vec(0.0..50.0f64, 30),
            first in prop::collection::vec(0.0..50.0f64, 30),
            second in prop::collection::vec(0.0..50.0f64, 30),
        ) {
            let problem = Problem { target, callers: vec![first, second], weights: vec![1.0; 30] };
            for ratio in ratios(&problem).into_iter().flatten() {
                prop_assert!(ratio.is_finite() && ratio > 0.0);
            }
        }
    }
}
