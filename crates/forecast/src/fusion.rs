//! How much each member counts at each level.

use crate::back_test::{Forecasts, Trial};
use crate::levels::{LEVELS, Levels, pinball};
use crate::members::Member;

/// The weight of each member, in the order of [`Member::ALL`], per level; each row sums to 1.
pub(crate) type Weights = [Shares; LEVELS.len()];

/// One weight per member, in the order of [`Member::ALL`].
pub(crate) type Shares = [f64; Member::ALL.len()];

/// The profile alone.
pub(crate) const PROFILE_ONLY: Weights = [[1.0, 0.0, 0.0, 0.0]; LEVELS.len()];

/// Weights are compared in steps of one in this many.
const PARTS: usize = 10;

/// The members' forecasts averaged by `weights`; a member that does not reach leaves its share to the others.
pub(crate) fn fuse(weights: &Weights, forecasts: &Forecasts) -> Levels {
    std::array::from_fn(|level| fuse_level(&weights[level], forecasts, level))
}

fn fuse_level(weights: &Shares, forecasts: &Forecasts, level: usize) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (weight, levels) in weights.iter().zip(forecasts) {
        if let Some(levels) = levels {
            sum += weight * levels[level];
            total += weight;
        }
    }
    if total > 0.0 {
        return sum / total;
    }
    // Only members that do not reach have a weight: all that do count alike.
    let values = || forecasts.iter().flatten().map(|levels| levels[level]);
    values().sum::<f64>() / (values().count() as f64).max(1.0)
}

/// Pinball losses of all weights at every origin, from which weights are chosen.
pub(crate) struct Contest {
    candidates: Vec<Shares>,
    /// Per level, candidate and origin.
    losses: Vec<Vec<Vec<f64>>>,
}

impl Contest {
    /// Tries all weights of the members that took part in `origins`.
    pub(crate) fn new(origins: &[Vec<Trial>]) -> Self {
        let taking_part: [bool; Member::ALL.len()] = std::array::from_fn(|member| {
            origins.iter().flatten().any(|trial| trial.members[member].is_some())
        });
        let candidates = simplex(taking_part);
        let loss = |level: usize, weights: &Shares, trials: &[Trial]| -> f64 {
            let said = |t: &Trial| fuse_level(weights, &t.members, level);
            trials.iter().map(|t| pinball(LEVELS[level], said(t), t.observed)).sum()
        };
        let losses = (0..LEVELS.len())
            .map(|level| {
                let row = |w| origins.iter().map(|trials| loss(level, w, trials)).collect();
                candidates.iter().map(row).collect()
            })
            .collect();
        Self { candidates, losses }
    }

    /// The weights of least loss over all origins but `left_out`.
    ///
    /// The mean of all weights, each by how near its loss is to the least: the least alone follows noise.
    pub(crate) fn weights(&self, left_out: Option<usize>) -> Weights {
        let excesses: Vec<Vec<f64>> =
            (0..LEVELS.len()).map(|level| self.excess(level, left_out)).collect();
        let overall = |candidate: usize| -> f64 {
            excesses.iter().map(|row| row[candidate]).sum::<f64>() / LEVELS.len() as f64
        };
        std::array::from_fn(|level| {
            let own = excesses[level].iter().enumerate();
            self.average(own.map(|(candidate, own)| 0.5 * (own + overall(candidate))))
        })
    }

    /// How far the loss of each candidate at `level` is above the least, as a share of it.
    fn excess(&self, level: usize, left_out: Option<usize>) -> Vec<f64> {
        let total = |row: &Vec<f64>| -> f64 {
            row.iter().enumerate().filter(|(i, _)| Some(*i) != left_out).map(|(_, l)| l).sum()
        };
        let totals: Vec<f64> = self.losses[level].iter().map(total).collect();
        let least = totals.iter().copied().fold(f64::INFINITY, f64::min);
        totals.iter().map(|total| if least > 0.0 { total / least - 1.0 } else { 0.0 }).collect()
    }

    fn average(&self, excesses: impl Iterator<Item = f64>) -> Shares {
        let mut weights = [0.0; Member::ALL.len()];
        for (candidate, excess) in self.candidates.iter().zip(excesses) {
            let share = (-excess / NEAR).exp();
            weights.iter_mut().zip(candidate).for_each(|(sum, weight)| *sum += share * weight);
        }
        rounded(weights)
    }
}

/// A loss this much above the least, as a share of it, counts a third as much.
const NEAR: f64 = 0.05;

/// `weights` brought to sum 1, those too small to matter left out.
fn rounded(weights: Shares) -> Shares {
    let total: f64 = weights.iter().sum();
    let kept = weights.map(|weight| if weight < 0.02 * total { 0.0 } else { weight });
    let total: f64 = kept.iter().sum();
    kept.map(|weight| weight / total)
}

/// All weights in steps of one in [`PARTS`] of the members that take part.
fn simplex(taking_part: [bool; Member::ALL.len()]) -> Vec<Shares> {
    let members: Vec<usize> =
        (0..Member::ALL.len()).filter(|&member| taking_part[member]).collect();
    let mut parts = vec![([0_usize; Member::ALL.len()], PARTS)];
    for (index, &member) in members.iter().enumerate() {
        let last = index + 1 == members.len();
        let share = |&(given, left): &([usize; Member::ALL.len()], usize)| {
            let least = if last { left } else { 0 };
            (least..=left).map(move |part| {
                let mut given = given;
                given[member] = part;
                (given, left - part)
            })
        };
        parts = parts.iter().flat_map(share).collect();
    }
    parts.into_iter().map(|(given, _)| given.map(|part| part as f64 / PARTS as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::noise;

    /// A member that says the truth but for an error, and its quantiles for noise of size 1.
    fn said(truth: f64, error: f64) -> Levels {
        [0.0, 1.28, 1.64, 2.33].map(|z| truth + error + z)
    }

    fn origins(errors: [f64; 4]) -> Vec<Vec<Trial>> {
        let trial = |n: i64| {
            let truth = 50.0 + (n % 24) as f64;
            let side = if n % 2 == 0 { 1.0 } else { -1.0 };
            Trial {
                slot: n,
                observed: truth + noise(n),
                spread: 1.0,
                baseline: [truth; 4],
                flat: [60.0; 4],
                members: errors.map(|error| Some(said(truth, side * error))),
            }
        };
        (0..10).map(|day| (day * 24..day * 24 + 24).map(trial).collect()).collect()
    }

    #[test]
    fn the_member_that_errs_least_weighs_most() {
        let weights = Contest::new(&origins([6.0, 0.0, 6.0, 6.0])).weights(None);
        for row in weights {
            assert!(row[1] > 0.8, "{weights:?}");
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn members_that_err_to_opposite_sides_are_averaged() {
        let weights = Contest::new(&origins([3.0, -3.0, 20.0, 20.0])).weights(None);
        assert!((weights[0][0] - 0.5).abs() < 0.25, "{weights:?}");
        assert!(weights[0][2] < 0.05, "{weights:?}");
    }

    #[test]
    fn a_member_that_does_not_reach_leaves_its_share_to_the_others() {
        let weights = [[0.2, 0.2, 0.6, 0.0]; 4];
        let forecasts = [Some([1.0; 4]), Some([3.0; 4]), None, None];
        assert!(fuse(&weights, &forecasts).iter().all(|v| (v - 2.0).abs() < 1e-12));
        let absent = fuse(&[[0.0, 0.0, 1.0, 0.0]; 4], &forecasts);
        assert!(absent.iter().all(|v| (v - 2.0).abs() < 1e-12));
    }

    #[test]
    fn an_absent_member_gets_no_weight() {
        let mut origins = origins([6.0, 6.0, 0.0, 6.0]);
        origins.iter_mut().flatten().for_each(|trial| trial.members[2] = None);
        assert!(Contest::new(&origins).weights(None).iter().all(|row| row[2] == 0.0));
    }
}
