//! Fitting: the season, the members, their back-test, and which rung of the ladder answers.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use mora_core::{Rung, Series, Step};

use crate::back_test::{BackTest, flat_levels};
use crate::error::{FitError, ObservedTime};
use crate::glitch::without_glitch;
use crate::holidays::Holiday;
use crate::ladder::{Verdict, takes_part};
use crate::members::Member;
use crate::members::holt_winters::HoltWinters;
use crate::members::hour_of_week::HourOfWeek;
use crate::members::lstm::serve::{Lstm, Origin};
use crate::members::lstm::train::{Start, train};
use crate::members::naive::Naive;
use crate::members::prophet::Prophet;
use crate::model::{Parts, Seen, SignalModel};
use crate::plan::Plan;
use crate::requests::Requests;
use crate::season::Season;
use crate::slots::{DAY_SECONDS, History, slots_per_day};

/// Observed hours below which nothing is forecast.
const LEAST_HOURS: usize = 24;
/// Observed slots below which nothing is forecast, however long they are: a week of slots of a day.
const LEAST_SLOTS: usize = 7;

/// How a model is fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FitOptions {
    /// Width of a slot: divides a day and is no shorter than the series' step; a day at most. An hour by default.
    pub slot: Step,
    /// Slots that forecasts usually reach, at least 1 and at most 7 days; 24 by default. The LSTM is trained for as
    /// many, but no more than a day; the other members reach further.
    pub horizon: usize,
    /// Seed of the LSTM's first weights; the same data and seed give the same model, byte for byte.
    pub seed: u64,
    /// Most origins of the back-test; 14 by default. Fewer than two mean none.
    pub origins: usize,
    /// Members that may take part; all by default. Without the hour of week nothing falls back on simpler rules.
    pub members: BTreeSet<Member>,
    /// Whether upper quantiles are moved to where they held in the back-test; so by default.
    pub calibrate: bool,
    /// Days on which usage differs, which Prophet learns; none by default.
    pub holidays: Vec<Holiday>,
    /// Settings tried for Prophet and for the LSTM besides the defaults, each; 0, which is the default, means none. At
    /// most 8 are known for Prophet and 3 for the LSTM.
    pub tuning_budget: u32,
}

impl Default for FitOptions {
    fn default() -> Self {
        let members = Member::ALL.into_iter().collect();
        Self {
            slot: Step::HOUR,
            horizon: 24,
            seed: 0,
            origins: 14,
            members,
            calibrate: true,
            holidays: Vec::new(),
            tuning_budget: 0,
        }
    }
}

/// How far a fit is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What is being done: `tuning`, `hour_of_week`, `prophet`, `lstm` or `back-test`.
    pub stage: &'static str,
    /// Share of the whole fit that is done, in [0, 1]; never falls.
    pub share: f64,
}

/// Tells an observer, and breaks off when it says so.
pub(crate) struct Watch<'a> {
    pub(crate) observe: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
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
    let series = &*without_glitch(series);
    let history = History::new(series, options.slot);
    enough(&history)?;
    let watch = &mut Watch { observe };
    let plan = Plan::new(&history, options, watch)?;
    let test = BackTest::run(&history, &plan, options, watch)?;
    let verdict = Verdict::reach(&history, &test, options);
    watch.tell("hour_of_week", 0.6)?;
    let mut parts = fit_members(&history, &plan, &test, &verdict, watch)?;
    parts.requests = Requests::fit(series, options.slot, history.end());
    watch.tell("lstm", 1.0)?;
    Ok(SignalModel::new(Seen::new(series, &history), verdict, parts, history.mean_max()))
}

/// Whether enough was observed to say anything.
fn enough(history: &History) -> Result<(), FitError> {
    let slot = history.slot;
    let observed = history.observed().count();
    let needed = LEAST_SLOTS.max(LEAST_HOURS * 3600 / slot.seconds() as usize);
    if observed >= needed {
        return Ok(());
    }
    Err(FitError::TooLittleHistory {
        observed: ObservedTime::of(observed, slot),
        needed: ObservedTime::of(needed, slot),
    })
}

fn check(series: &Series, options: &FitOptions) -> Result<(), FitError> {
    let (slot, step) = (options.slot, series.step());
    if !DAY_SECONDS.is_multiple_of(slot.seconds()) || slot < step {
        return Err(FitError::Slot { slot, step });
    }
    let most = 7 * slots_per_day(slot) as usize;
    if !(1..=most).contains(&options.horizon) {
        return Err(FitError::Horizon(options.horizon));
    }
    Ok(())
}

/// Fits the members that take part to the whole history.
fn fit_members(
    history: &History,
    plan: &Plan,
    test: &BackTest,
    verdict: &Verdict<'_>,
    watch: &mut Watch<'_>,
) -> Result<Parts, FitError> {
    let wanted = |member| {
        matches!(verdict.rung, Rung::Ensemble | Rung::SingleMember)
            && takes_part(&verdict.weights, member)
    };
    let mut parts = Parts {
        flat: flat_levels(history),
        profile: fit_profile(history, plan.season, verdict),
        residuals: test.residuals,
        prophet: None,
        holt_winters: None,
        requests: None,
        lstm: None,
        tuning: plan.tuning,
    };
    if wanted(Member::Prophet) {
        watch.tell("prophet", 0.65)?;
        parts.prophet = Some(Prophet::fit(history, &plan.prophet()).map_err(FitError::Prophet)?);
    }
    if wanted(Member::HoltWinters) {
        parts.holt_winters = HoltWinters::fit(history, plan.season).ok();
    }
    if wanted(Member::Lstm) {
        parts.lstm = fit_lstm(history, plan, test, watch)?;
    }
    Ok(parts)
}

fn fit_profile(history: &History, season: Season, verdict: &Verdict<'_>) -> HourOfWeek {
    let profile = HourOfWeek::fit(history, season);
    if verdict.naive {
        return profile.repeating(&Naive::fit(history, season), history.day());
    }
    profile
}

/// Trains the back-test's network on to the end of the history and exports it.
fn fit_lstm(
    history: &History,
    plan: &Plan,
    test: &BackTest,
    watch: &mut Watch<'_>,
) -> Result<Option<(Lstm, Origin)>, FitError> {
    let Some((features, network)) = &test.lstm else { return Ok(None) };
    let start = Start::Network(network);
    let mut observe = |share| watch.report("lstm", 0.7 + 0.3 * share);
    let trained = train(features, features.len, &start, plan.tuning.lstm, &mut observe);
    let ControlFlow::Continue(network) = trained else {
        return Err(FitError::Cancelled);
    };
    let origin = Origin::new(features, history.end());
    let lstm = Lstm::new(&network, origin.reach()).map_err(FitError::Onnx)?;
    Ok(Some((lstm, origin)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::{FIRST, noise, series};
    use jiff::Timestamp;
    use mora_core::Quantile;

    fn fitted(series: &Series) -> SignalModel {
        fit(series, &FitOptions::default(), &mut |_| ControlFlow::Continue(())).unwrap()
    }

    fn wave(n: i64) -> f64 {
        let turn = std::f64::consts::TAU * (n % 24) as f64 / 24.0;
        100.0 + 40.0 * turn.sin() + 15.0 * (2.0 * turn).cos()
    }

    fn hour(n: i64) -> Timestamp {
        Timestamp::from_second((FIRST + n) * 3600).unwrap()
    }

    fn quantile(probability: f64) -> Quantile {
        Quantile::new(probability).unwrap()
    }

    /// The paths of 0.5, 0.95 and 0.99 for the day after `days` days.
    fn next_day(model: &SignalModel, days: i64) -> [Vec<f64>; 3] {
        let quantiles = [0.5, 0.95, 0.99].map(quantile);
        let forecast = model.forecast(hour(days * 24), 24, &quantiles).unwrap();
        quantiles.map(|quantile| forecast.paths[&quantile].clone())
    }

    #[test]
    fn a_noisy_wave_is_forecast_better_than_by_the_baseline_and_covered() {
        let value = |n: i64| wave(n) + 5.0 * noise(n);
        let model = fitted(&series(21, |n| Some(value(n))));
        let summary = model.summary();
        let ratio = summary.skill.pinball_ratio.unwrap();
        assert!(ratio < 0.9, "{summary:?}");
        let confidence = summary.confidence.unwrap();
        assert!((confidence.observed - 0.95).abs() < 0.03, "{confidence:?}");
        let mut held = 0;
        for day in 0..7_i64 {
            let [median, upper, _] = next_day(&model, 21 + day);
            for lead in 0..24 {
                let n = (21 + day) * 24 + lead;
                assert!((median[lead as usize] - wave(n)).abs() < 6.0);
                held += usize::from(value(n) <= upper[lead as usize]);
            }
        }
        assert!((148..=167).contains(&held), "{held} of 168 slots stay below the 0.95 path");
    }

    /// The weight of `member` at the highest level, 0 where it takes no part.
    fn weight(summary: &mora_core::SignalForecast, member: Member) -> f64 {
        let found = summary.members.iter().find(|weight| weight.member == member.as_str());
        found.map_or(0.0, |found| found.weight)
    }

    #[test]
    fn a_growing_load_is_left_mostly_to_the_members_with_a_trend() {
        let model = fitted(&series(28, |n| Some(wave(n) + 0.2 * n as f64 + 5.0 * noise(n))));
        let summary = model.summary();
        assert_eq!(summary.rung, Rung::Ensemble, "{summary:?}");
        let trend = weight(&summary, Member::Prophet) + weight(&summary, Member::HoltWinters);
        assert!(trend > 0.75, "{summary:?}");
        assert!(summary.skill.pinball_ratio.unwrap() < 0.85, "{summary:?}");
        let [median, ..] = next_day(&model, 28);
        assert!((median[6] - wave(6) - 0.2 * 678.0).abs() < 6.0, "{median:?}");
    }

    #[test]
    fn a_cycle_of_some_days_is_left_mostly_to_the_lstm() {
        let cycle = |n: i64| 20.0 * (std::f64::consts::TAU * n as f64 / (24.0 * 6.0)).sin();
        let model = fitted(&series(28, |n| Some(wave(n) + cycle(n) + 3.0 * noise(n))));
        let summary = model.summary();
        assert!(summary.rung <= Rung::SingleMember, "{summary:?}");
        assert!(weight(&summary, Member::Lstm) > 0.6, "{summary:?}");
        assert!(summary.skill.pinball_ratio.unwrap() < 0.75, "{summary:?}");
        assert_eq!(summary.skill.origins, 14);
    }

    #[test]
    fn white_noise_is_forecast_by_its_quantiles() {
        let model = fitted(&series(28, |n| Some(50.0 + 5.0 * noise(n))));
        assert!(model.summary().skill.pinball_ratio.unwrap() < 1.03, "{:?}", model.summary());
        let [median, upper, top] = next_day(&model, 28);
        for lead in 0..24 {
            assert!((median[lead] - 50.0).abs() < 3.0, "{median:?}");
            assert!((upper[lead] - 58.2).abs() < 3.0, "{upper:?}");
            assert!((top[lead] - 61.6).abs() < 5.0, "{top:?}");
        }
    }

    #[test]
    fn where_the_ensemble_does_not_beat_the_baseline_a_simpler_rule_answers_and_says_so() {
        // Every hour walks from day to day on its own: yesterday is all there is to know.
        let level = |n: i64| (0..=n / 24).map(|day| noise(24 * day + n % 24)).sum::<f64>();
        let model = fitted(&series(28, |n| Some(wave(n) + 10.0 * level(n))));
        let summary = model.summary();
        assert!(summary.rung > Rung::SingleMember, "{summary:?}");
        let ratio = summary.skill.pinball_ratio.unwrap();
        assert!((ratio - 1.0).abs() < 1e-9, "the baseline itself answers: {summary:?}");
        let warnings = model.warnings(hour(28 * 24));
        assert!(warnings[0].contains("does not beat the baseline"), "{warnings:?}");
        let files = model.save().unwrap().into_iter().map(|f| (f.name.to_owned(), f.bytes));
        let loaded = SignalModel::load(&files.collect()).unwrap();
        assert_eq!(next_day(&loaded, 28), next_day(&model, 28));
    }

    #[test]
    fn constants_and_zeros_are_forecast_as_they_are() {
        for level in [0.0, 7.0] {
            let model = fitted(&series(14, |_| Some(level)));
            for path in next_day(&model, 14) {
                assert!(path.iter().all(|value| (value - level).abs() < 0.01), "{path:?}");
            }
        }
    }

    #[test]
    fn gaps_leave_a_forecast_of_every_slot() {
        let seen = |n: i64| n % 7 != 3 && !(96..160).contains(&n) && n % 24 != 11;
        let model = fitted(&series(14, |n| seen(n).then(|| wave(n) + noise(n))));
        let [median, upper, _] = next_day(&model, 14);
        assert!(median.iter().chain(&upper).all(|value| value.is_finite() && *value > 0.0));
        assert!((median[6] - wave(6)).abs() < 8.0, "{median:?}");
    }

    #[test]
    fn a_level_shift_is_followed_within_two_days() {
        let level = |n: i64| if n < 12 * 24 { 1.0 } else { 2.0 };
        let model = fitted(&series(14, |n| Some(level(n) * wave(n) + noise(n))));
        let [_, upper, _] = next_day(&model, 14);
        assert!(upper[6] > 1.8 * wave(6), "{} of {}", upper[6], 2.0 * wave(6));
    }

    #[test]
    fn too_little_history_is_refused_with_what_is_missing() {
        let options = FitOptions::default();
        let short = series(1, |n| (n < 3).then_some(1.0));
        let error = fit(&short, &options, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(error.to_string().starts_with("too little history: 3 h of 24 h"), "{error}");
    }

    /// The model of `days` days of a busy week of waves in slots of `minutes` minutes.
    fn in_slots(minutes: u32, days: i64) -> Result<SignalModel, FitError> {
        let slot = Step::from_seconds(60 * minutes).unwrap();
        let step = slot.min(Step::HOUR);
        let hours = |n: i64| n * i64::from(step.seconds()) / 3600;
        let count = days * 86_400 / i64::from(step.seconds());
        let values = (0..count).map(|n| Some(busy(hours(n)) + noise(n))).collect();
        let data = Series::new(hour(0), step, values).unwrap();
        let day = 1440 / minutes as usize;
        let options = FitOptions { slot, horizon: day, ..FitOptions::default() };
        fit(&data, &options, &mut |_| ControlFlow::Continue(()))
    }

    /// A wave that is twice as high from Monday to Friday of the made weeks.
    fn busy(n: i64) -> f64 {
        wave(n) * if n / 24 % 7 < 5 { 2.0 } else { 1.0 }
    }

    #[test]
    fn slots_from_15_minutes_to_a_day_are_forecast_by_weekday() {
        for (minutes, off) in [(15, 12.0), (720, 18.0), (1440, 12.0)] {
            let model = in_slots(minutes, 35).unwrap();
            assert_eq!(model.summary().skill.origins, 14, "{minutes} min");
            let slots = 7 * 1440 / minutes as usize;
            let forecast = model.forecast(hour(35 * 24), slots, &[quantile(0.5)]).unwrap();
            let path = &forecast.paths[&quantile(0.5)];
            let due = |minute: i64| {
                let last = minute + i64::from(minutes) - 1;
                (minute / 60..=last / 60).map(busy).fold(0.0, f64::max)
            };
            let error = path.iter().enumerate().map(|(slot, value)| {
                (value - due(35 * 1440 + slot as i64 * i64::from(minutes))).abs()
            });
            let error = error.sum::<f64>() / slots as f64;
            assert!(error < off, "{minutes} min: off by {error}");
        }
    }

    #[test]
    fn long_slots_are_not_tried_with_the_lstm_before_there_are_168_of_them() {
        for (minutes, days, tried) in [(360, 21, false), (360, 42, true), (1440, 60, false)] {
            let slot = Step::from_seconds(60 * minutes).unwrap();
            let data = series(days, |n| Some(busy(n) + noise(n)));
            let history = History::new(&data, slot);
            let options = FitOptions { slot, horizon: 1, ..FitOptions::default() };
            let mut observe = |_: Progress| ControlFlow::Continue(());
            let watch = &mut Watch { observe: &mut observe };
            let plan = Plan::new(&history, &options, watch).unwrap();
            let test = BackTest::run(&history, &plan, &options, watch).unwrap();
            assert_eq!(test.lstm.is_some(), tried, "{days} days of {minutes} min");
        }
    }

    #[test]
    fn the_least_history_is_a_day_and_seven_slots() {
        let hours = [(15, 24), (60, 24), (180, 24), (240, 28), (360, 42), (720, 84), (1440, 168)];
        for (minutes, hours) in hours {
            let slot = Step::from_seconds(60 * minutes).unwrap();
            let step = slot.min(Step::HOUR);
            let fitted = |slots: i64| {
                let count = slots * i64::from(slot.seconds() / step.seconds());
                let values = (0..count).map(|n| Some(10.0 + noise(n))).collect();
                let data = Series::new(hour(0), step, values).unwrap();
                let options = FitOptions { slot, horizon: 1, ..FitOptions::default() };
                fit(&data, &options, &mut |_| ControlFlow::Continue(()))
            };
            let least = hours * 60 / i64::from(minutes);
            assert!(fitted(least).is_ok(), "{hours} h of {minutes} min");
            let error = fitted(least - 1).unwrap_err().to_string();
            assert!(error.contains(&format!("of {hours} h;")), "{minutes} min: {error}");
        }
    }

    #[test]
    fn one_day_gives_one_quantile_for_all_slots_and_three_days_a_profile() {
        let model = fitted(&series(1, |n| Some(wave(n))));
        assert_eq!(model.summary().rung, Rung::Statistical);
        let [median, ..] = next_day(&model, 1);
        assert!(median.iter().all(|value| (value - median[0]).abs() < 1e-12));
        let model = fitted(&series(3, |n| Some(wave(n))));
        assert_eq!(model.summary().rung, Rung::HourOfWeek);
        assert_eq!(model.summary().skill.origins, 0);
        assert!(model.warnings(hour(72))[0].contains("no back-test"));
        let [median, ..] = next_day(&model, 3);
        assert!(median[6] > 1.3 * median[18], "{median:?}");
    }

    #[test]
    fn slots_and_horizons_out_of_range_are_refused() {
        let data = series(5, |n| Some(wave(n)));
        let minutes = |m: u32| Step::from_seconds(60 * m).unwrap();
        for slot in [minutes(30), minutes(100), minutes(2880)] {
            let options = FitOptions { slot, ..FitOptions::default() };
            let error = fit(&data, &options, &mut |_| ControlFlow::Continue(())).unwrap_err();
            assert!(matches!(error, FitError::Slot { .. }), "{slot:?}");
        }
        for horizon in [0, 169] {
            let options = FitOptions { horizon, ..FitOptions::default() };
            let error = fit(&data, &options, &mut |_| ControlFlow::Continue(())).unwrap_err();
            assert!(matches!(error, FitError::Horizon(_)), "{horizon}");
        }
    }

    #[test]
    fn progress_never_falls_and_breaking_it_cancels() {
        let data = series(14, |n| Some(wave(n) + noise(n)));
        let mut shares = Vec::new();
        let mut observe = |progress: Progress| {
            shares.push(progress.share);
            ControlFlow::Continue(())
        };
        fit(&data, &FitOptions::default(), &mut observe).unwrap();
        assert!(shares.is_sorted() && shares.len() > 10, "{shares:?}");
        assert!((shares[shares.len() - 1] - 1.0).abs() < 1e-12);
        for calls in [0, 3, shares.len() - 2] {
            let mut left = calls;
            let mut observe = |_| {
                left = if left == 0 { return ControlFlow::Break(()) } else { left - 1 };
                ControlFlow::Continue(())
            };
            let cancelled = fit(&data, &FitOptions::default(), &mut observe);
            assert!(matches!(cancelled, Err(FitError::Cancelled)), "after {calls} calls");
        }
    }
}
