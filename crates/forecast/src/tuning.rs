//! Choosing the settings of members on the days before the back-test.
//!
//! Candidates are tried in a fixed order, each a change of the best so far, and judged at daily origins that lie
//! before the first origin of the back-test: what the back-test then says was never looked at. How many are
//! tried is counted, not timed, so that the same data gives the same model everywhere.

use std::ops::{ControlFlow, Range};

use serde::{Deserialize, Serialize};

use crate::back_test::{origins, tries_lstm};
use crate::error::FitError;
use crate::fit::{FitOptions, Watch};
use crate::members::Member;
use crate::members::lstm::features::Features;
use crate::members::lstm::train::{LstmSettings, Start, judge, train};
use crate::members::prophet::{Prophet, ProphetSettings, Recipe};
use crate::season::Season;
use crate::slots::History;

/// Days on which candidates are judged, the last ones before the back-test.
const MOST_ORIGINS: i64 = 5;
const LEAST_ORIGINS: i64 = 2;
/// Days a member must have before the first of them.
const DAYS_BEFORE: i64 = 3;
/// Share of the loss of the best so far that a candidate must stay below: on few days chance decides nearer
/// differences.
const CLEARLY: f64 = 0.98;

/// The settings a model's members were fitted with, and how many others were tried.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Of Prophet.
    pub prophet: ProphetSettings,
    /// Candidates tried for Prophet besides the defaults.
    pub prophet_candidates: u32,
    /// Of the LSTM.
    pub lstm: LstmSettings,
    /// Candidates tried for the LSTM besides the defaults.
    pub lstm_candidates: u32,
}

/// A change of Prophet's settings.
#[derive(Debug, Clone, Copy)]
enum Change {
    Changepoints(f64),
    Seasons(f64),
    Daily(u32),
    Weekly(u32),
}

/// The changes, the widest steps first.
const CHANGES: [Change; 8] = [
    Change::Changepoints(0.5),
    Change::Changepoints(0.005),
    Change::Daily(10),
    Change::Seasons(0.1),
    Change::Weekly(6),
    Change::Daily(4),
    Change::Seasons(0.02),
    Change::Changepoints(0.15),
];

/// Rates of learning that are tried.
const RATES: [f64; 3] = [2e-3, 8e-3, 1e-3];

impl Tuning {
    /// What suits the days of `history` before its back-test best; the defaults where those are too few or no budget is
    /// given.
    ///
    /// Fails when the watch breaks off, or a member cannot be fitted.
    pub(crate) fn choose(
        history: &History,
        recipe: &Recipe<'_>,
        options: &FitOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Self, FitError> {
        let mut tuning = Self::default();
        let Some(judged) = judged(history, options) else { return Ok(tuning) };
        if options.members.contains(&Member::Prophet) {
            (tuning.prophet, tuning.prophet_candidates) =
                prophet(history, recipe, &judged, options, watch)?;
        }
        if tries_lstm(history, options) {
            (tuning.lstm, tuning.lstm_candidates) =
                lstm(history, recipe.season, &judged, options, watch)?;
        }
        Ok(tuning)
    }

    /// Whether every setting is in its range.
    pub(crate) fn is_sound(&self) -> bool {
        self.prophet.is_sound() && self.lstm.is_sound()
    }
}

/// The slots on which candidates are judged, whole days that end where the back-test begins; `None` where there is no
/// budget, no back-test, or fewer than two days.
fn judged(history: &History, options: &FitOptions) -> Option<Range<i64>> {
    let (day, origins) = (history.day(), origins(history, options));
    let first = history.end() - origins * day;
    let before = (first - history.first) / day;
    let days = MOST_ORIGINS.min(before / 2).min(before - DAYS_BEFORE);
    let tuned = options.tuning_budget > 0 && origins > 0 && days >= LEAST_ORIGINS;
    tuned.then(|| first - days * day..first)
}

impl Change {
    /// `settings` with the change.
    fn of(self, settings: ProphetSettings) -> ProphetSettings {
        match self {
            Self::Changepoints(changepoint_prior_scale) => {
                ProphetSettings { changepoint_prior_scale, ..settings }
            }
            Self::Seasons(seasonality_prior_scale) => {
                ProphetSettings { seasonality_prior_scale, ..settings }
            }
            Self::Daily(daily_harmonics) => ProphetSettings { daily_harmonics, ..settings },
            Self::Weekly(weekly_harmonics) => ProphetSettings { weekly_harmonics, ..settings },
        }
    }

    /// Whether it does anything to a model of `season` in slots of `day` a day.
    fn matters(self, season: Season, day: i64) -> bool {
        match self {
            Self::Changepoints(_) => true,
            Self::Seasons(_) => season != Season::None,
            Self::Daily(harmonics) => season != Season::None && 2 * i64::from(harmonics) <= day,
            Self::Weekly(_) => season == Season::Week,
        }
    }
}

/// The settings that err least over the slots of `judged`, and how many were tried besides those of `recipe`.
fn prophet(
    history: &History,
    recipe: &Recipe<'_>,
    judged: &Range<i64>,
    options: &FitOptions,
    watch: &mut Watch<'_>,
) -> Result<(ProphetSettings, u32), FitError> {
    let loss = |settings| days_ahead_error(history, &Recipe { settings, ..*recipe }, judged);
    let mut best = (loss(recipe.settings)?, recipe.settings);
    let mut tried = 0;
    let matters = |change: &Change| change.matters(recipe.season, history.day());
    for change in CHANGES.into_iter().filter(matters).take(options.tuning_budget as usize) {
        watch.tell("tuning", 0.0)?;
        let settings = change.of(best.1);
        let candidate = loss(settings)?;
        if candidate < CLEARLY * best.0 {
            best = (candidate, settings);
        }
        tried += 1;
    }
    Ok((best.1, tried))
}

/// Sum of the absolute errors of Prophet over the days of `judged`, each as forecast from what came before it.
fn days_ahead_error(
    history: &History,
    recipe: &Recipe<'_>,
    judged: &Range<i64>,
) -> Result<f64, FitError> {
    let day = history.day();
    let mut sum = 0.0;
    for origin in judged.clone().step_by(day as usize) {
        let known = history.before(origin);
        if known.observed().nth(1).is_none() {
            continue;
        }
        let model = Prophet::fit(&known, recipe).map_err(FitError::Prophet)?;
        let path = model.path(origin, day as usize).map_err(FitError::Prophet)?;
        let errors =
            path.iter().zip(origin..).filter_map(|(v, n)| Some((history.max(n)? - v).abs()));
        sum += errors.sum::<f64>();
    }
    Ok(sum)
}

/// The settings of the LSTM that lose least over the slots of `judged`, trained on what came before them, and how many
/// were tried besides the defaults.
fn lstm(
    history: &History,
    season: Season,
    judged: &Range<i64>,
    options: &FitOptions,
    watch: &mut Watch<'_>,
) -> Result<(LstmSettings, u32), FitError> {
    let features = Features::new(history, season, options.horizon);
    let index = |n: i64| (n - history.first) as usize;
    let (split, end) = (index(judged.start), index(judged.end));
    let mut loss = |settings: LstmSettings| {
        let (start, mut observe) = (Start::Random(options.seed), |_| watch.report("tuning", 0.0));
        match train(&features, split, &start, settings, &mut observe) {
            ControlFlow::Continue(network) => Ok(judge(&network, &features, split..end)),
            ControlFlow::Break(()) => Err(FitError::Cancelled),
        }
    };
    let mut best = (loss(LstmSettings::default())?, LstmSettings::default());
    let mut tried = 0;
    for rate in RATES.into_iter().take(options.tuning_budget as usize) {
        let settings = LstmSettings { rate };
        let candidate = loss(settings)?;
        if candidate < CLEARLY * best.0 {
            best = (candidate, settings);
        }
        tried += 1;
    }
    Ok((best.1, tried))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::Progress;
    use crate::members::made::{FIRST, history, noise};

    fn chosen(seen: &History, options: &FitOptions) -> Tuning {
        let mut observe = |_: Progress| ControlFlow::Continue(());
        let recipe = Recipe::plain(Season::detect(seen));
        Tuning::choose(seen, &recipe, options, &mut Watch { observe: &mut observe }).unwrap()
    }

    fn budget(tuning_budget: u32) -> FitOptions {
        FitOptions { tuning_budget, members: [Member::Prophet].into(), ..FitOptions::default() }
    }

    /// A day with one busy hour, which takes more harmonics than the default.
    fn busy_hour(n: i64) -> f64 {
        20.0 + if n % 24 == 9 { 50.0 } else { 0.0 } + noise(n)
    }

    #[test]
    fn without_a_budget_or_enough_days_the_defaults_stand() {
        assert_eq!(chosen(&history(28, |n| Some(busy_hour(n))), &budget(0)), Tuning::default());
        assert_eq!(chosen(&history(8, |n| Some(busy_hour(n))), &budget(9)), Tuning::default());
    }

    #[test]
    fn a_day_with_one_busy_hour_gets_more_harmonics() {
        let tuning = chosen(&history(28, |n| Some(busy_hour(n))), &budget(3));
        assert_eq!(tuning.prophet.daily_harmonics, 10, "{tuning:?}");
        assert_eq!((tuning.prophet_candidates, tuning.lstm_candidates), (3, 0));
    }

    #[test]
    fn what_the_back_test_judges_is_not_looked_at() {
        let options = FitOptions { tuning_budget: 8, ..FitOptions::default() };
        let other = |n: i64| if n < 14 * 24 { busy_hour(n) } else { 5.0 * noise(n).abs() };
        let seen = [history(28, |n| Some(busy_hour(n))), history(28, |n| Some(other(n)))];
        let judged = seen.each_ref().map(|seen| judged(seen, &options).unwrap());
        assert_eq!(judged, [FIRST + 9 * 24..FIRST + 14 * 24, FIRST + 9 * 24..FIRST + 14 * 24]);
        let recipe = Recipe::plain(Season::Day);
        let losses =
            seen.each_ref().map(|seen| days_ahead_error(seen, &recipe, &judged[0]).unwrap());
        assert_eq!(losses[0].to_bits(), losses[1].to_bits());
    }

    #[test]
    fn changes_that_do_nothing_are_not_tried() {
        let tried = |season, day| CHANGES.iter().filter(|c| c.matters(season, day)).count();
        assert_eq!(tried(Season::Week, 24), 8);
        assert_eq!(tried(Season::Day, 24), 7);
        assert_eq!(tried(Season::None, 24), 3);
        assert_eq!(tried(Season::Week, 1), 6);
    }

    #[test]
    fn the_rate_of_the_lstm_is_tried_on_the_same_days() {
        let options = FitOptions { tuning_budget: 1, members: [Member::Lstm].into(), ..budget(1) };
        let tuning = chosen(&history(28, |n| Some(busy_hour(n))), &options);
        assert_eq!((tuning.prophet_candidates, tuning.lstm_candidates), (0, 1));
        assert!([4e-3, RATES[0]].contains(&tuning.lstm.rate), "{tuning:?}");
    }
}
