//! Fitting: the season, the members, their back-test, and which rung of the ladder answers.

use std::ops::ControlFlow;

use mora_core::{Rung, Series, Step};

use crate::back_test::{BackTest, flat_levels};
use crate::calibration::{Account, Fused, account};
use crate::error::{FitError, History as Observed};
use crate::fusion::{Contest, PROFILE_ONLY, Weights};
use crate::levels::{LEVELS, Levels, depth};
use crate::members::Member;
use crate::members::hour_of_week::HourOfWeek;
use crate::members::lstm::serve::{Lstm, Origin};
use crate::members::lstm::train::{Start, train};
use crate::members::prophet::Prophet;
use crate::model::{Parts, Seen, SignalModel};
use crate::season::Season;
use crate::slots::History;

/// Slots below which nothing is forecast.
const LEAST_SLOTS: usize = 24;
/// Days from which hours of the day are told apart.
const PROFILE_DAYS: usize = 3;
/// How much less than the profile's the loss of one quantile for all slots must be: on few days chance decides
/// nearer differences.
const FLAT_GAIN: f64 = 0.9;
/// Longest slot, in seconds: with fewer than four a day there is no daily season.
const LONGEST_SLOT: u32 = 6 * 3600;

/// How a model is fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FitOptions {
    /// Width of a slot: divides a day, at most 6 h, no shorter than the series' step. An hour by default.
    pub slot: Step,
    /// Slots the LSTM is trained to reach, at least 1 and at most 7 days; 24 by default. The other members
    /// reach further.
    pub horizon: usize,
    /// Seed of the LSTM's first weights; the same data and seed give the same model, byte for byte.
    pub seed: u64,
    /// Most origins of the back-test; 14 by default. Fewer than two mean none.
    pub origins: usize,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { slot: Step::HOUR, horizon: 24, seed: 0, origins: 14 }
    }
}

/// How far a fit is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What is being done: `hour_of_week`, `prophet`, `lstm` or `back-test`.
    pub stage: &'static str,
    /// Share of the whole fit that is done, in [0, 1]; never falls.
    pub share: f64,
}

/// Tells an observer, and breaks off when it says so.
pub(crate) struct Watch<'a> {
    observe: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

impl Watch<'_> {
    pub(crate) fn report(&mut self, stage: &'static str, share: f64) -> ControlFlow<()> {
        (self.observe)(Progress { stage, share })
    }

    pub(crate) fn tell(&mut self, stage: &'static str, share: f64) -> Result<(), FitError> {
        match self.report(stage, share) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(FitError::Cancelled),
        }
    }
}

/// Fits a model of the largest observation per slot of `series`.
///
/// `observe` is told the progress, and cancels the fit by breaking. Fails when the options are out
/// of range, when fewer than 24 slots were observed for at least half of their width, or when cancelled.
pub fn fit(
    series: &Series,
    options: &FitOptions,
    observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<SignalModel, FitError> {
    check(series, options)?;
    let history = History::new(series, options.slot);
    let observed = history.observed().count();
    if observed < LEAST_SLOTS {
        return Err(FitError::TooLittleHistory {
            observed: Observed::of(observed, options.slot),
            needed: Observed::of(LEAST_SLOTS, options.slot),
        });
    }
    let watch = &mut Watch { observe };
    let season = Season::detect(&history);
    let test = BackTest::run(&history, season, options, watch)?;
    let verdict = Verdict::reach(&history, &test);
    watch.tell("hour_of_week", 0.6)?;
    let parts = fit_members(&history, season, &test, &verdict, watch)?;
    watch.tell("lstm", 1.0)?;
    Ok(SignalModel::new(Seen::new(series, &history), verdict, parts, history.mean_max()))
}

fn check(series: &Series, options: &FitOptions) -> Result<(), FitError> {
    let (slot, step) = (options.slot, series.step());
    let fits = slot.seconds() <= LONGEST_SLOT && 86_400 % slot.seconds() == 0 && slot >= step;
    if !fits {
        return Err(FitError::Slot { slot, step });
    }
    let most = 7 * 86_400 / slot.seconds() as usize;
    if !(1..=most).contains(&options.horizon) {
        return Err(FitError::Horizon(options.horizon));
    }
    Ok(())
}

/// What the back-test decides.
pub(crate) struct Verdict {
    pub(crate) rung: Rung,
    pub(crate) weights: Weights,
    pub(crate) depths: Levels,
    /// Of the rung that answers; `None` without a back-test.
    pub(crate) account: Option<Account>,
    /// Mean pinball loss of the baseline.
    pub(crate) baseline: f64,
    pub(crate) origins: usize,
    /// Why a lower rung answers, as sentences.
    pub(crate) notes: Vec<String>,
}

impl Verdict {
    fn reach(history: &History, test: &BackTest) -> Self {
        if test.origins.is_empty() {
            return Self::without_back_test(history);
        }
        let contest = Contest::new(&test.origins);
        let fused = Fused::new(&test.origins, |index| contest.weights(Some(index)));
        let ensemble = fused.account();
        let profile = Fused::new(&test.origins, |_| PROFILE_ONLY);
        let trials = || test.origins.iter().flatten();
        let baseline = account(trials().map(|trial| (trial, trial.baseline))).loss;
        let origins = test.origins.len();
        let base = Self { origins, baseline, ..Self::without_back_test(history) };
        let seasonal = profile.account();
        if ensemble.loss < baseline && ensemble.loss <= seasonal.loss {
            let (weights, depths) = (contest.weights(None), fused.depths(None));
            let account = Some(ensemble);
            return Self {
                rung: rung(&weights),
                weights,
                depths,
                account,
                notes: Vec::new(),
                ..base
            };
        }
        let notes = fallback_note(ensemble.loss, baseline);
        let flat = account(trials().map(|trial| (trial, trial.flat)));
        if flat.loss < FLAT_GAIN * seasonal.loss {
            return Self { rung: Rung::Statistical, account: Some(flat), notes, ..base };
        }
        let depths = profile.depths(None);
        Self { rung: Rung::HourOfWeek, depths, account: Some(seasonal), notes, ..base }
    }

    fn without_back_test(history: &History) -> Self {
        let (days, told_apart) = (history.days(), history.days() >= PROFILE_DAYS);
        Self {
            rung: if told_apart { Rung::HourOfWeek } else { Rung::Statistical },
            weights: PROFILE_ONLY,
            depths: LEVELS.map(depth),
            account: None,
            baseline: 0.0,
            origins: 0,
            notes: vec![format!(
                "{days} days of history allow no back-test: nothing is known about the skill"
            )],
        }
    }
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
    if ensemble < baseline {
        return Vec::new();
    }
    let ratio = if baseline > 0.0 { ensemble / baseline } else { 1.0 };
    vec![format!(
        "the ensemble does not beat the baseline (pinball ratio {ratio:.2}): a simpler rule answers"
    )]
}

/// Fits the members that take part to the whole history.
fn fit_members(
    history: &History,
    season: Season,
    test: &BackTest,
    verdict: &Verdict,
    watch: &mut Watch<'_>,
) -> Result<Parts, FitError> {
    let wanted = |member| {
        matches!(verdict.rung, Rung::Ensemble | Rung::SingleMember)
            && takes_part(&verdict.weights, member)
    };
    let mut parts = Parts {
        flat: flat_levels(history),
        profile: HourOfWeek::fit(history, season),
        prophet_residuals: test.prophet_residuals,
        prophet: None,
        lstm: None,
    };
    if wanted(Member::Prophet) {
        watch.tell("prophet", 0.65)?;
        parts.prophet = Some(Prophet::fit(history, season).map_err(FitError::Prophet)?);
    }
    if wanted(Member::Lstm) {
        parts.lstm = fit_lstm(history, test, watch)?;
    }
    Ok(parts)
}

/// Trains the back-test's network on to the end of the history and exports it.
fn fit_lstm(
    history: &History,
    test: &BackTest,
    watch: &mut Watch<'_>,
) -> Result<Option<(Lstm, Origin)>, FitError> {
    let Some((features, network)) = &test.lstm else { return Ok(None) };
    let start = Start::Network(network);
    let mut observe = |share| watch.report("lstm", 0.7 + 0.3 * share);
    let ControlFlow::Continue(network) = train(features, features.len, &start, &mut observe) else {
        return Err(FitError::Cancelled);
    };
    let origin = Origin::new(features, history.end());
    let lstm = Lstm::new(&network, origin.reach()).map_err(FitError::Onnx)?;
    Ok(Some((lstm, origin)))
}
