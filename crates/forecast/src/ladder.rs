//! Which step of the fallback ladder answers, by the back-test.

use mora_core::Rung;

use crate::back_test::{BackTest, Trial};
use crate::calibration::{Account, Fused, account};
use crate::fit::FitOptions;
use crate::fusion::{Contest, PROFILE_ONLY, Weights};
use crate::levels::{LEVELS, Levels, depth};
use crate::members::Member;
use crate::slots::History;

/// Days from which hours of the day are told apart.
const PROFILE_DAYS: usize = 3;
/// How much less than the profile's the loss of a simpler rule must be: on few days chance decides
/// nearer differences.
const CLEARLY: f64 = 0.95;

/// What is said of each trial of a back-test.
type Said<'a> = Vec<(&'a Trial, Levels)>;

/// What the back-test decides.
pub(crate) struct Verdict<'a> {
    pub(crate) rung: Rung,
    pub(crate) weights: Weights,
    /// Where in the tail each level is read.
    pub(crate) depths: Levels,
    /// Of the rung that answers; `None` without a back-test.
    pub(crate) account: Option<Account>,
    /// The back-test of the rung that answers.
    pub(crate) said: Said<'a>,
    /// Mean pinball loss of the baseline; 0 without a back-test.
    pub(crate) baseline: f64,
    pub(crate) origins: usize,
    /// Whether the profile is what was seen one season ago.
    pub(crate) naive: bool,
    /// Why a lower rung answers, as sentences.
    pub(crate) notes: Vec<String>,
}

impl<'a> Verdict<'a> {
    /// The highest rung of the ladder that `test` allows.
    pub(crate) fn reach(history: &History, test: &'a BackTest, options: &FitOptions) -> Self {
        if test.origins.is_empty() {
            return Self::without_back_test(history.days());
        }
        let contest = Contest::new(&test.origins);
        let fused = |weights: &dyn Fn(usize) -> Weights| {
            Fused::new(&test.origins, options.calibrate, weights)
        };
        let (fused, profile) =
            (fused(&|index| contest.weights(Some(index))), fused(&|_| PROFILE_ONLY));
        let baseline: Said<'_> = trials(test).map(|trial| (trial, trial.baseline)).collect();
        let baseline_loss = account(&baseline).loss;
        let (ensemble, seasonal) = (fused.said(), profile.said());
        let loss = account(&ensemble).loss;
        let alone = !options.members.contains(&Member::HourOfWeek);
        let earned = loss < baseline_loss && loss <= account(&seasonal).loss;
        let verdict = if earned || alone {
            let weights = contest.weights(None);
            Self::of(rung(&weights), weights, fused.depths(None), ensemble)
        } else {
            let notes = fallback_note(loss, baseline_loss);
            Self { notes, ..Self::simple(test, &profile, baseline) }
        };
        Self { baseline: baseline_loss, origins: test.origins.len(), ..verdict }
    }

    /// The profile alone, or where that was clearly better one quantile for all slots or the baseline.
    fn simple(test: &'a BackTest, profile: &Fused<'a>, baseline: Said<'a>) -> Self {
        let (seasonal, stated) = (profile.said(), LEVELS.map(depth));
        let flat: Said<'_> = trials(test).map(|trial| (trial, trial.flat)).collect();
        let loss = |said: &[(&Trial, Levels)]| account(said).loss;
        if loss(&flat).min(loss(&baseline)) >= CLEARLY * loss(&seasonal) {
            return Self::of(Rung::HourOfWeek, PROFILE_ONLY, profile.depths(None), seasonal);
        }
        if loss(&flat) < loss(&baseline) {
            return Self::of(Rung::Statistical, PROFILE_ONLY, stated, flat);
        }
        Self { naive: true, ..Self::of(Rung::HourOfWeek, PROFILE_ONLY, stated, baseline) }
    }

    fn of(rung: Rung, weights: Weights, depths: Levels, said: Said<'a>) -> Self {
        Self {
            rung,
            weights,
            depths,
            account: Some(account(&said)),
            said,
            baseline: 0.0,
            origins: 0,
            naive: false,
            notes: Vec::new(),
        }
    }

    fn without_back_test(days: usize) -> Self {
        let told_apart = days >= PROFILE_DAYS;
        Self {
            rung: if told_apart { Rung::HourOfWeek } else { Rung::Statistical },
            weights: PROFILE_ONLY,
            depths: LEVELS.map(depth),
            account: None,
            said: Vec::new(),
            baseline: 0.0,
            origins: 0,
            naive: false,
            notes: vec![format!("{days} days of history allow no back-test: the skill is unknown")],
        }
    }
}

fn trials(test: &BackTest) -> impl Iterator<Item = &Trial> {
    test.origins.iter().flatten()
}

fn rung(weights: &Weights) -> Rung {
    let taking_part = Member::ALL.iter().filter(|&&member| takes_part(weights, member));
    match taking_part.collect::<Vec<_>>()[..] {
        [Member::HourOfWeek] => Rung::HourOfWeek,
        [_] => Rung::SingleMember,
        _ => Rung::Ensemble,
    }
}

/// Whether `member` has a weight at any level.
pub(crate) fn takes_part(weights: &Weights, member: Member) -> bool {
    weights.iter().any(|row| row[member as usize] > 0.0)
}

fn fallback_note(ensemble: f64, baseline: f64) -> Vec<String> {
    if ensemble < baseline || baseline <= 0.0 {
        return Vec::new();
    }
    let ratio = ensemble / baseline;
    vec![format!(
        "the ensemble does not beat the baseline (pinball ratio {ratio:.2}): a simpler rule answers"
    )]
}
