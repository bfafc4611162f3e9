//! The signed-rank test.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// Up to so many differences the distribution is counted out.
const COUNTED_OUT: usize = 25;

/// What the signed-rank test says of paired differences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Wilcoxon {
    /// Differences that are not zero.
    pub pairs: usize,
    /// Sum of the ranks of those above zero.
    pub statistic: f64,
    /// How likely a sum at least so far from the middle is, to either side, where differences are symmetric about zero.
    pub p: f64,
}

/// Wilcoxon's signed-rank test of `differences`, two-sided (F. Wilcoxon, "Individual Comparisons by Ranking Methods", Biometrics
/// Bulletin 1 (1945) 80-83; M. Hollander, D. A. Wolfe, E. Chicken, "Nonparametric Statistical Methods", 3rd ed., 2014, section 3.1).
///
/// Differences of zero are left out; equal ones share the mean of their ranks. Up to 25, the sums of all choices of signs are
/// counted, equal ranks included, so that p is exact; of five differences it cannot be less than 1 / 16. Beyond, the normal
/// distribution is used with the variance less what equal ranks take and a continuity correction of a half.
#[must_use]
pub fn wilcoxon(differences: &[f64]) -> Wilcoxon {
    let mut sizes: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    sizes.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranks = doubled_ranks(&sizes);
    let above = sizes.iter().zip(&ranks).filter(|(difference, _)| **difference > 0.0);
    let above: usize = above.map(|(_, rank)| rank).sum();
    let p = if sizes.is_empty() {
        1.0
    } else if sizes.len() <= COUNTED_OUT {
        counted(&ranks, above)
    } else {
        approximated(&ranks, above)
    };
    Wilcoxon { pairs: sizes.len(), statistic: above as f64 / 2.0, p }
}

/// Twice the rank of each size, which is whole even where sizes are equal.
fn doubled_ranks(sizes: &[f64]) -> Vec<usize> {
    let mut ranks = Vec::with_capacity(sizes.len());
    for equal in sizes.chunk_by(|a, b| a.abs().total_cmp(&b.abs()).is_eq()) {
        let first = ranks.len() + 1;
        ranks.extend(vec![2 * first + equal.len() - 1; equal.len()]);
    }
    ranks
}

/// The exact p: of how many of the `2^n` choices of signs is the sum as far out?
fn counted(ranks: &[usize], above: usize) -> f64 {
    let total: usize = ranks.iter().sum();
    let mut ways = vec![0.0_f64; total + 1];
    ways[0] = 1.0;
    let mut reached = 0;
    for &rank in ranks {
        for sum in (0..=reached).rev() {
            ways[sum + rank] += ways[sum];
        }
        reached += rank;
    }
    let all = 2.0_f64.powi(ranks.len() as i32);
    let fewer: f64 = ways[..=above].iter().sum();
    let more: f64 = ways[above..].iter().sum();
    (2.0 * fewer.min(more) / all).min(1.0)
}

fn approximated(ranks: &[usize], above: usize) -> f64 {
    let n = ranks.len() as f64;
    let equal = ranks.chunk_by(|a, b| a == b).map(|same| same.len() as f64);
    let less: f64 = equal.map(|t| (t * t * t - t) / 48.0).sum();
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - less;
    let far = (above as f64 / 2.0 - n * (n + 1.0) / 4.0).abs() - 0.5;
    (2.0 * Normal::standard().cdf(-far.max(0.0) / variance.sqrt())).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(x: &[f64], y: &[f64]) -> Vec<f64> {
        x.iter().zip(y).map(|(x, y)| x - y).collect()
    }

    /// Fifteen pairs with equal ranks, published with V = 13, p = 0.1367 exact and 0.1436 approximated.
    fn with_ties() -> Vec<f64> {
        let x = [9, 14, 8, 11, 14, 10, 8, 14, 12, 14, 13, 9, 15, 12, 9].map(f64::from);
        let y = [13, 15, 9, 12, 16, 10, 8, 13, 12, 16, 9, 10, 16, 12, 9].map(f64::from);
        differences(&x, &y)
    }

    #[test]
    fn the_depression_scale_of_hollander_and_wolfe_gives_what_they_print() {
        // Changes of the nine patients, in thousandths.
        let changes = [952, -147, 1022, 430, 620, 590, 490, -80, 10].map(f64::from);
        let test = wilcoxon(&changes);
        assert_eq!((test.pairs, test.statistic), (9, 40.0));
        assert!((test.p - 0.039_062_5).abs() < 1e-12, "{test:?}");
    }

    #[test]
    fn equal_ranks_are_counted_out_too() {
        let test = wilcoxon(&with_ties());
        assert!((test.statistic - 13.0).abs() < 1e-12, "{test:?}");
        assert!((test.p - 0.1367).abs() < 5e-5, "{test:?}");
    }

    #[test]
    fn the_approximation_corrects_for_equal_ranks_and_continuity() {
        let mut sizes: Vec<f64> = with_ties().into_iter().filter(|d| *d != 0.0).collect();
        sizes.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let p = approximated(&doubled_ranks(&sizes), 26);
        assert!((p - 0.1436).abs() < 5e-5, "{p}");
    }

    #[test]
    fn five_differences_of_one_sign_are_one_in_sixteen() {
        assert!((wilcoxon(&[1.0, 2.0, 3.0, 4.0, 5.0]).p - 0.0625).abs() < 1e-12);
        let none = wilcoxon(&[0.0, 0.0]);
        assert_eq!((none.pairs, none.p), (0, 1.0));
    }

    #[test]
    fn beyond_what_is_counted_out_the_approximation_agrees_with_the_count() {
        let sign = |i: u32| if i.is_multiple_of(3) { -1.0 } else { 1.0 };
        let many: Vec<f64> = (1..=26).map(|i| f64::from(i) * sign(i)).collect();
        let test = wilcoxon(&many);
        let exact = counted(&doubled_ranks(&many), (2.0 * test.statistic) as usize);
        assert!((1e-9..0.002).contains(&(test.p - exact).abs()), "{test:?} {exact}");
    }
}
