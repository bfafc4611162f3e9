//! Conformal calibration, so that a stated quantile holds on days the model has not seen, and the honest
//! account of how often it did.
//!
//! A level is moved to the quantile of the model's own tail that held as often as the level states: an hour
//! that is unsteady is widened by more than one that is steady.

use crate::back_test::Trial;
use crate::fusion::{Weights, fuse};
use crate::levels::{LEVELS, Levels, STATED, at_depth, depth, depth_of, mean_pinball, uncrossed};

/// The deepest a level is moved, that of a quantile of 0.999: beyond, nothing was seen to go by.
const DEEPEST: f64 = 6.9;
/// Origins at which what the back-test saw counts as much as what the model states: the slots of a day err
/// together. Full trust made the pinball loss of unseen days 5 % worse on the seasonal series of
/// `bitbrains_vms_15min.csv.gz`, with 28 days of history.
const TRUST_ORIGINS: f64 = 28.0;
/// Days added to those that were seen, each as if it had been worse than all: with `n` days behind it, a level `q` is
/// aimed at as `1 - (1 - q) n / (n + 6)`. Without it a stated 0.95 held for 0.92 of the unseen slots of the seasonal
/// series of `service_metrics_1min.csv.gz`, with it for 0.93.
const UNSEEN_DAYS: f64 = 6.0;

/// What is left when a strategy is tried on days that took no part in its choice or calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Account {
    /// Mean pinball loss over levels and slots, in the signal's unit.
    pub(crate) loss: f64,
    /// Share of slots that stayed at or below the path of [`STATED`], in [0, 1].
    pub(crate) coverage: f64,
    /// Slots behind it.
    pub(crate) slots: usize,
}

/// The trials fused by the weights chosen without their own origin.
pub(crate) struct Fused<'a> {
    origins: &'a [Vec<Trial>],
    paths: Vec<Vec<Levels>>,
    /// Whether levels are moved at all.
    calibrate: bool,
}

impl<'a> Fused<'a> {
    /// Fuses the trials of every origin by `weights` of its index.
    pub(crate) fn new(
        origins: &'a [Vec<Trial>],
        calibrate: bool,
        weights: impl Fn(usize) -> Weights,
    ) -> Self {
        let fuse_origin = |(index, trials): (usize, &Vec<Trial>)| {
            let weights = weights(index);
            trials.iter().map(|trial| fuse(&weights, &trial.members)).collect()
        };
        Self { origins, paths: origins.iter().enumerate().map(fuse_origin).collect(), calibrate }
    }

    /// The depths in the tail at which the upper levels hold, from all origins but `left_out`.
    pub(crate) fn depths(&self, left_out: Option<usize>) -> Levels {
        let mut seen: Vec<f64> = (0..self.origins.len())
            .filter(|&index| Some(index) != left_out)
            .flat_map(|index| self.origins[index].iter().zip(&self.paths[index]))
            .map(|(trial, path)| depth_of(path, trial.observed, DEEPEST))
            .collect();
        seen.sort_by(f64::total_cmp);
        let origins = self.origins.len() - usize::from(left_out.is_some());
        let trust = origins as f64 / (origins as f64 + TRUST_ORIGINS);
        LEVELS.map(|level| {
            if level <= 0.5 || !self.calibrate {
                return depth(level);
            }
            let aim = 1.0 - (1.0 - level) * origins as f64 / (origins as f64 + UNSEEN_DAYS);
            let stated = depth(aim);
            stated + trust * (conformal(&seen, aim) - stated)
        })
    }

    /// The fused and calibrated levels of every trial, whose origin took part in neither.
    pub(crate) fn said(&self) -> Vec<(&'a Trial, Levels)> {
        let origin = |index: usize| {
            let depths = self.depths(Some(index));
            let pairs = self.origins[index].iter().zip(&self.paths[index]);
            pairs.map(move |(trial, path)| (trial, calibrated(path, &depths)))
        };
        (0..self.origins.len()).flat_map(origin).collect()
    }

    /// How they do.
    #[cfg(test)]
    fn account(&self) -> Account {
        account(&self.said())
    }
}

/// How forecasts did: each a trial and what was said of it.
pub(crate) fn account(said: &[(&Trial, Levels)]) -> Account {
    let (mut loss, mut held, mut slots) = (0.0, 0_usize, 0_usize);
    for (trial, levels) in said {
        loss += mean_pinball(levels, trial.observed);
        held += usize::from(trial.observed <= levels[STATED]);
        slots += 1;
    }
    let count = (slots as f64).max(1.0);
    Account { loss: loss / count, coverage: held as f64 / count, slots }
}

/// The values of `path` at `depths`; not crossing, not negative.
pub(crate) fn calibrated(path: &Levels, depths: &Levels) -> Levels {
    uncrossed(depths.map(|depth| at_depth(path, depth)))
}

/// The smallest of `seen`, which ascends, that the next one stays at or below with probability `level`,
/// were all exchangeable (Vovk et al. 2005); the largest where there are too few.
fn conformal(seen: &[f64], level: f64) -> f64 {
    let rank = ((seen.len() + 1) as f64 * level).ceil() as usize;
    seen.get(rank.saturating_sub(1)).or(seen.last()).copied().unwrap_or_else(|| depth(level))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::PROFILE_ONLY;
    use crate::members::made::noise;

    /// Twenty days whose noise is `size` where members expect 1.
    fn origins(size: f64) -> Vec<Vec<Trial>> {
        let trial = |n: i64| Trial {
            slot: n,
            observed: 100.0 + size * noise(n),
            spread: 1.0,
            baseline: [100.0; 4],
            flat: [100.0; 4],
            members: [Some([100.0, 101.28, 101.64, 102.33]), None, None, None],
        };
        (0..20).map(|day| (day * 24..day * 24 + 24).map(trial).collect()).collect()
    }

    #[test]
    fn paths_that_are_too_narrow_cover_better_after_calibration() {
        for size in [1.0, 1.5, 2.0, 3.0] {
            let origins = origins(size);
            let raw = origins.iter().flatten().map(|t| (t, t.members[0].unwrap()));
            let raw = account(&raw.collect::<Vec<_>>());
            let calibrated = Fused::new(&origins, true, |_| PROFILE_ONLY).account();
            let off = |account: Account| (account.coverage - 0.95).abs();
            assert!(off(calibrated) < 0.8 * off(raw) || off(raw) < 0.02, "{raw:?}, {calibrated:?}");
            assert_eq!(calibrated.slots, 480);
        }
    }

    #[test]
    fn the_conformal_quantile_is_above_its_share_of_the_errors() {
        let seen: Vec<f64> = (1..=99).map(f64::from).collect();
        assert!((conformal(&seen, 0.95) - 95.0).abs() < 1e-12);
        assert!((conformal(&seen, 0.995) - 99.0).abs() < 1e-12);
        assert!((conformal(&[], 0.9) - depth(0.9)).abs() < 1e-12);
    }

    #[test]
    fn the_median_is_not_moved() {
        let depths = Fused::new(&origins(5.0), true, |_| PROFILE_ONLY).depths(None);
        assert!((depths[0] - depth(0.5)).abs() < 1e-12);
    }
}
