//! Conformal margins, so that a stated quantile holds on days the model has not seen, and the honest
//! account of how often it did.

use crate::back_test::Trial;
use crate::fusion::{Weights, fuse};
use crate::levels::{LEVELS, Levels, STATED, mean_pinball, uncrossed};

/// What is left when a strategy is tried on days that took no part in its choice or margins.
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
}

impl<'a> Fused<'a> {
    /// Fuses the trials of every origin by `weights` of its index.
    pub(crate) fn new(origins: &'a [Vec<Trial>], weights: impl Fn(usize) -> Weights) -> Self {
        let fuse_origin = |(index, trials): (usize, &Vec<Trial>)| {
            let weights = weights(index);
            trials.iter().map(|trial| fuse(&weights, &trial.members)).collect()
        };
        Self { origins, paths: origins.iter().enumerate().map(fuse_origin).collect() }
    }

    /// The margins that make the upper levels hold, in spreads, from all origins but `left_out`.
    pub(crate) fn margins(&self, left_out: Option<usize>) -> Levels {
        std::array::from_fn(|level| {
            if LEVELS[level] <= 0.5 {
                return 0.0;
            }
            let mut errors: Vec<f64> = (0..self.origins.len())
                .filter(|&index| Some(index) != left_out)
                .flat_map(|index| self.origins[index].iter().zip(&self.paths[index]))
                .map(|(trial, path)| (trial.observed - path[level]) / trial.spread)
                .collect();
            conformal_quantile(&mut errors, LEVELS[level])
        })
    }

    /// How the fused and calibrated paths do on origins that took no part in either.
    pub(crate) fn account(&self) -> Account {
        let calibrated = |index: usize| {
            let margins = self.margins(Some(index));
            let pairs = self.origins[index].iter().zip(&self.paths[index]);
            pairs.map(move |(trial, path)| (trial, widened(*path, &margins, trial.spread)))
        };
        account((0..self.origins.len()).flat_map(calibrated))
    }
}

/// How forecasts did: each a trial and what was said of it.
pub(crate) fn account<'a>(said: impl Iterator<Item = (&'a Trial, Levels)>) -> Account {
    let (mut loss, mut held, mut slots) = (0.0, 0_usize, 0_usize);
    for (trial, levels) in said {
        loss += mean_pinball(&levels, trial.observed);
        held += usize::from(trial.observed <= levels[STATED]);
        slots += 1;
    }
    let count = (slots as f64).max(1.0);
    Account { loss: loss / count, coverage: held as f64 / count, slots }
}

/// `path` moved by `margins` spreads; not crossing, not negative.
pub(crate) fn widened(path: Levels, margins: &Levels, spread: f64) -> Levels {
    uncrossed(std::array::from_fn(|level| path[level] + margins[level] * spread))
}

/// The smallest error that the next one stays at or below with probability `level`, were all
/// exchangeable (Vovk et al. 2005); the largest where there are too few, 0 without any.
fn conformal_quantile(errors: &mut [f64], level: f64) -> f64 {
    errors.sort_by(f64::total_cmp);
    let rank = ((errors.len() + 1) as f64 * level).ceil() as usize;
    errors.get(rank.saturating_sub(1)).or(errors.last()).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::PROFILE_ONLY;
    use crate::members::made::noise;

    /// Twenty days whose noise is `size` where members expect 1.
    fn origins(size: f64) -> Vec<Vec<Trial>> {
        let trial = |n: i64| Trial {
            observed: 100.0 + size * noise(n),
            spread: 1.0,
            baseline: [100.0; 4],
            flat: [100.0; 4],
            members: [Some([100.0, 101.28, 101.64, 102.33]), None, None],
        };
        (0..20).map(|day| (day * 24..day * 24 + 24).map(trial).collect()).collect()
    }

    #[test]
    fn paths_that_are_too_narrow_or_too_wide_cover_after_calibration() {
        for size in [0.3, 1.0, 5.0] {
            let origins = origins(size);
            let account = Fused::new(&origins, |_| PROFILE_ONLY).account();
            assert!((account.coverage - 0.95).abs() < 0.02, "{account:?} at {size}");
            assert_eq!(account.slots, 480);
        }
    }

    #[test]
    fn the_conformal_quantile_is_above_its_share_of_the_errors() {
        let mut errors: Vec<f64> = (1..=99).map(f64::from).collect();
        assert!((conformal_quantile(&mut errors, 0.95) - 95.0).abs() < 1e-12);
        assert!((conformal_quantile(&mut errors, 0.995) - 99.0).abs() < 1e-12);
        assert!(conformal_quantile(&mut [], 0.9).abs() < 1e-12);
    }

    #[test]
    fn the_median_is_not_moved() {
        assert!(Fused::new(&origins(5.0), |_| PROFILE_ONLY).margins(None)[0].abs() < 1e-12);
    }
}
