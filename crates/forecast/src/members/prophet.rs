//! Prophet: a piecewise linear trend plus daily and weekly seasons, through augurs.
//!
//! augurs prepares the features and evaluates the model, the optimiser is ours ([`posterior`]). A fitted
//! model is saved as its parameters; loading one replays them through the same interface, so
//! nothing is optimised again.

mod posterior;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;

use augurs_prophet::optimizer::{
    Data, Error as OptimizeError, InitialParams, OptimizeOpts, OptimizedParams, Optimizer,
};
use augurs_prophet::{
    Error, FeaturePrediction, Holiday, HolidayOccurrence, PositiveFloat, PredictionData,
    Prophet as Augurs, ProphetOptions, SeasonalityOption, TrainingData,
};
use mora_core::Step;
use serde::{Deserialize, Serialize};

use crate::holidays::Effects;
use crate::season::Season;
use crate::slots::{DAY_SECONDS, History, slots_per_day};

/// Standard deviation of the prior of a holiday's effect, in largest values; Prophet's default.
const HOLIDAY_PRIOR_SCALE: f64 = 10.0;
/// Most harmonics a season may have: half of the slots of a day of 15 minutes.
const MOST_HARMONICS: u32 = 48;
/// Days from the Unix epoch beyond which no instant can be represented.
const FARTHEST_DAY: i64 = 4_000_000;

/// What can be chosen of a Prophet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProphetSettings {
    /// Scale of the prior of trend changes, positive; 0.05 by default, as in Prophet.
    pub changepoint_prior_scale: f64,
    /// Standard deviation of the prior of the seasons' coefficients, positive; 10 by default, as in Prophet.
    pub seasonality_prior_scale: f64,
    /// Harmonics of the day, 1 to 48 and no more than half the slots of a day; 6 by default.
    pub daily_harmonics: u32,
    /// Harmonics of the week, 1 to 48; 3 by default.
    pub weekly_harmonics: u32,
}

impl Default for ProphetSettings {
    fn default() -> Self {
        Self {
            changepoint_prior_scale: 0.05,
            seasonality_prior_scale: 10.0,
            daily_harmonics: 6,
            weekly_harmonics: 3,
        }
    }
}

impl ProphetSettings {
    /// Whether every number is in its range.
    pub(crate) fn is_sound(&self) -> bool {
        let scales = [self.changepoint_prior_scale, self.seasonality_prior_scale];
        let harmonics = [self.daily_harmonics, self.weekly_harmonics];
        scales.iter().all(|scale| scale.is_finite() && *scale > 0.0)
            && harmonics.iter().all(|count| (1..=MOST_HARMONICS).contains(count))
    }
}

/// What a Prophet is made of, besides a history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe<'a> {
    pub(crate) season: Season,
    pub(crate) holidays: &'a Effects,
    pub(crate) settings: ProphetSettings,
}

impl Recipe<'_> {
    /// Without holidays, as it is by default.
    pub(crate) fn plain(season: Season) -> Self {
        static NO_HOLIDAYS: Effects = Effects::new();
        Self { season, holidays: &NO_HOLIDAYS, settings: ProphetSettings::default() }
    }
}

/// What a fitted Prophet is saved as.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    slot: Step,
    season: Season,
    settings: ProphetSettings,
    /// The effects of holidays that were seen; those that were not are zero by their prior.
    holidays: Effects,
    /// The slots it was fitted to, ascending.
    slots: Vec<i64>,
    /// The largest of their values, in which the parameters are measured.
    scale: f64,
    parameters: Parameters,
}

/// The parameters; season coefficients are in the order of [`canonical`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Parameters {
    slope: f64,
    offset: f64,
    changes: Vec<f64>,
    seasons: Vec<f64>,
    noise: f64,
}

/// A fitted Prophet, ready to answer.
#[derive(Debug)]
pub(crate) struct Prophet {
    saved: Saved,
    model: Augurs<Replay>,
}

impl Prophet {
    /// Fits the largest observations of `history`.
    ///
    /// Fails where fewer than two slots were observed.
    pub(crate) fn fit(history: &History, recipe: &Recipe<'_>) -> Result<Self, Error> {
        let Recipe { season, holidays, settings } = *recipe;
        let (slots, values): (Vec<i64>, Vec<f64>) = history.observed().unzip();
        let scale = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let holidays = seen(holidays, &slots, slots_per_day(history.slot));
        let (slot, parameters) = (history.slot, Parameters::default());
        let mut saved = Saved { slot, season, settings, holidays, slots, scale, parameters };
        let found = RefCell::default();
        saved.prepare(Search { found: &found }, values)?;
        saved.parameters = found.into_inner();
        Self::restore(saved)
    }

    /// The model that was saved as `saved`.
    ///
    /// Fails where the parameters are not as many as the slots and seasons call for.
    pub(crate) fn restore(saved: Saved) -> Result<Self, Error> {
        let values = vec![saved.scale; saved.slots.len()];
        let model = saved.prepare(Replay { parameters: saved.parameters.clone() }, values)?;
        Ok(Self { saved, model })
    }

    /// What to save.
    pub(crate) fn saved(&self) -> &Saved {
        &self.saved
    }

    /// The expected largest observation in each of `count` slots from `first` on.
    pub(crate) fn path(&self, first: i64, count: usize) -> Result<Vec<f64>, Error> {
        let slots: Vec<i64> = (first..first + count as i64).collect();
        let answer = self.model.predict(PredictionData::new(self.saved.seconds(&slots)))?;
        // The seasons are added here in this order, as augurs adds them in that of a hash map.
        let mut path = answer.trend.point;
        for name in ["daily", "weekly"] {
            add(&mut path, &answer.seasonalities, name);
        }
        for name in self.saved.holidays.keys() {
            add(&mut path, &answer.holidays, name);
        }
        Ok(path)
    }
}

fn positive(value: f64) -> Result<PositiveFloat, Error> {
    PositiveFloat::try_new(value).map_err(|error| Error::OptimizationFailed(error.to_string()))
}

/// The effects that have a day among `slots`.
fn seen(effects: &Effects, slots: &[i64], day: i64) -> Effects {
    let days: BTreeSet<i64> = slots.iter().map(|n| n.div_euclid(day)).collect();
    let seen = effects.iter().filter(|(_, dates)| !dates.is_disjoint(&days));
    seen.map(|(name, dates)| (name.clone(), dates.clone())).collect()
}

/// A holiday of augurs on `days`, days since the Unix epoch.
fn holiday(days: &BTreeSet<i64>) -> Holiday {
    let second = |day: &i64| day * i64::from(DAY_SECONDS);
    Holiday::new(days.iter().map(|day| HolidayOccurrence::for_day(second(day))).collect())
}

fn add(path: &mut [f64], seasons: &HashMap<String, FeaturePrediction>, name: &str) {
    if let Some(season) = seasons.get(name) {
        path.iter_mut().zip(&season.point).for_each(|(sum, value)| *sum += value);
    }
}

impl Saved {
    /// A model whose features come from the slots and whose parameters come from `optimiser`.
    fn prepare<O: Optimizer>(&self, optimiser: O, values: Vec<f64>) -> Result<Augurs<O>, Error> {
        let mut model = Augurs::new(self.options()?, optimiser);
        let data = TrainingData::new(self.seconds(&self.slots), values)?;
        model.fit(data, OptimizeOpts::default())?;
        Ok(model)
    }

    fn options(&self) -> Result<ProphetOptions, Error> {
        let Self { settings, .. } = self;
        let resolved = u32::try_from(slots_per_day(self.slot) / 2).unwrap_or(1);
        let daily = settings.daily_harmonics.min(resolved);
        let holidays = self.holidays.iter();
        let fourier = |order: u32, wanted: bool| match NonZeroU32::new(order) {
            Some(order) if wanted => SeasonalityOption::Fourier(order),
            _ => SeasonalityOption::Manual(false),
        };
        Ok(ProphetOptions {
            yearly_seasonality: SeasonalityOption::Manual(false),
            weekly_seasonality: fourier(settings.weekly_harmonics, self.season == Season::Week),
            daily_seasonality: fourier(daily, self.season != Season::None),
            changepoint_prior_scale: positive(settings.changepoint_prior_scale)?,
            seasonality_prior_scale: positive(settings.seasonality_prior_scale)?,
            holidays: holidays.map(|(name, days)| (name.clone(), holiday(days))).collect(),
            holidays_prior_scale: positive(HOLIDAY_PRIOR_SCALE)?,
            uncertainty_samples: 0,
            ..ProphetOptions::default()
        })
    }

    fn seconds(&self, slots: &[i64]) -> Vec<i64> {
        slots.iter().map(|n| n * i64::from(self.slot.seconds())).collect()
    }

    /// Whether the slots and numbers can be what a fit to slots of width `slot` before `end` leaves behind.
    pub(crate) fn is_sound(&self, slot: Step, end: i64) -> bool {
        let Parameters { slope, offset, changes, seasons, noise } = &self.parameters;
        let numbers = changes.iter().chain(seasons).chain([slope, offset, noise, &self.scale]);
        let oldest = end - i64::from(u32::MAX);
        let (first, last) = (self.slots.first(), self.slots.last());
        let representable = |day: &i64| day.abs() < FARTHEST_DAY;
        self.slot == slot
            && self.settings.is_sound()
            && self.holidays.values().flatten().all(representable)
            && self.slots.len() >= 2
            && self.slots.is_sorted_by(|a, b| a < b)
            && first.is_some_and(|&first| first > oldest)
            && last.is_some_and(|&last| last < end)
            && numbers.into_iter().all(|value| value.is_finite())
            && *noise > 0.0
    }
}

/// The columns of the features of seasons and holidays, in the order of their values.
///
/// augurs lists both in the order of a hash map, which differs from model to model.
fn canonical(data: &Data) -> Vec<usize> {
    let mut order: Vec<usize> = (0..data.K as usize).collect();
    order.sort_by(|&a, &b| compare(data, a, b));
    order
}

/// How the values of two columns compare at the first slot at which they differ.
fn compare(data: &Data, a: usize, b: usize) -> Ordering {
    let rows = data.X.chunks_exact(data.K as usize);
    rows.map(|row| row[a].total_cmp(&row[b])).find(|c| c.is_ne()).unwrap_or(Ordering::Equal)
}

/// Gives columns that are the same the same coefficient, their mean, as which of them is which cannot be told: two
/// holidays of the same days share their effect.
fn share(coefficients: &mut [f64], data: &Data, order: &[usize]) {
    let mut first = 0;
    for run in order.chunk_by(|&a, &b| compare(data, a, b).is_eq()) {
        let same = &mut coefficients[first..first + run.len()];
        let mean = same.iter().sum::<f64>() / same.len() as f64;
        same.fill(mean);
        first += run.len();
    }
}

/// Finds the parameters of largest posterior probability, and leaves them in `found`.
#[derive(Debug)]
struct Search<'a> {
    found: &'a RefCell<Parameters>,
}

impl Optimizer for Search<'_> {
    fn optimize(
        &self,
        _: &InitialParams,
        data: &Data,
        _: &OptimizeOpts,
    ) -> Result<OptimizedParams, OptimizeError> {
        let order = canonical(data);
        let mut parameters = posterior::maximum(data, &order);
        share(&mut parameters.seasons, data, &order);
        *self.found.borrow_mut() = parameters.clone();
        replay(&parameters, data)
    }
}

/// Answers parameters that were found before.
#[derive(Debug)]
struct Replay {
    parameters: Parameters,
}

impl Optimizer for Replay {
    fn optimize(
        &self,
        _: &InitialParams,
        data: &Data,
        _: &OptimizeOpts,
    ) -> Result<OptimizedParams, OptimizeError> {
        replay(&self.parameters, data)
    }
}

/// `parameters` in the order of the columns of `data`.
fn replay(parameters: &Parameters, data: &Data) -> Result<OptimizedParams, OptimizeError> {
    let order = canonical(data);
    if parameters.seasons.len() != order.len() || parameters.changes.len() != data.t_change.len() {
        return Err(OptimizeError::static_str("parameters of another number of slots or seasons"));
    }
    let mut beta = vec![0.0; order.len()];
    for (&column, &value) in order.iter().zip(&parameters.seasons) {
        beta[column] = value;
    }
    Ok(OptimizedParams {
        k: parameters.slope,
        m: parameters.offset,
        sigma_obs: PositiveFloat::try_new(parameters.noise).map_err(OptimizeError::custom)?,
        delta: parameters.changes.clone(),
        beta,
        trend: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::{self, history, noise};

    fn seasonal(n: i64) -> f64 {
        let turn = std::f64::consts::TAU * n as f64 / 24.0;
        100.0 + 0.05 * n as f64 + 20.0 * turn.sin() + 8.0 * (turn / 7.0).cos()
    }

    #[test]
    fn a_trend_with_a_day_and_a_week_is_carried_on_through_gaps() {
        let seen = history(28, |n| (n % 11 != 0).then(|| seasonal(n) + noise(n)));
        let model = Prophet::fit(&seen, &Recipe::plain(Season::Week)).unwrap();
        let path = model.path(seen.end(), 24).unwrap();
        for (lead, value) in path.iter().enumerate() {
            let due = seasonal(seen.end() - made::FIRST + lead as i64);
            assert!((value - due).abs() < 2.5, "{value} is not {due}");
        }
    }

    #[test]
    fn saved_parameters_answer_the_same_bits_every_time() {
        let seen = history(21, |n| Some(seasonal(n) + noise(n)));
        let model = Prophet::fit(&seen, &Recipe::plain(Season::Week)).unwrap();
        let path = model.path(seen.end() + 3, 48).unwrap();
        for _ in 0..8 {
            let text = serde_json::to_string(model.saved()).unwrap();
            let restored = Prophet::restore(serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(restored.path(seen.end() + 3, 48).unwrap(), path);
            assert_eq!(
                Prophet::fit(&seen, &Recipe::plain(Season::Week)).unwrap().saved(),
                model.saved()
            );
        }
    }

    #[test]
    fn parameters_of_another_model_are_refused() {
        let seen = history(21, |n| Some(seasonal(n)));
        let mut saved = Prophet::fit(&seen, &Recipe::plain(Season::Week)).unwrap().saved().clone();
        saved.parameters.seasons.pop();
        assert!(Prophet::restore(saved).is_err());
    }

    #[test]
    fn a_day_of_two_slots_and_a_week_of_days_are_resolved() {
        let due = |n: i64| {
            let hours = if n % 24 < 12 { 10.0 } else { 30.0 };
            hours + if n / 24 % 7 < 5 { 20.0 } else { 0.0 }
        };
        let hourly = made::series(35, |n| Some(due(n) + 0.1 * noise(n)));
        for hours in [12, 24] {
            let slot = Step::from_seconds(3600 * hours).unwrap();
            let seen = History::new(&hourly, slot);
            let model = Prophet::fit(&seen, &Recipe::plain(Season::Week)).unwrap();
            let slots = 7 * 24 / i64::from(hours);
            for (lead, value) in model.path(seen.end(), slots as usize).unwrap().iter().enumerate()
            {
                let first = 35 * 24 + lead as i64 * i64::from(hours);
                let due = (first..first + i64::from(hours)).map(due).fold(0.0, f64::max);
                // Three harmonics of a week bend around a weekend of 12 h slots, and meet each of 7 days.
                let off = if hours == 24 { 2.0 } else { 6.0 };
                assert!((value - due).abs() < off, "{hours} h, {lead}: {value} is not {due}");
            }
        }
    }

    /// Prophet with the holidays of `named`, each by the days since the start of the made history.
    fn with_holidays(seen: &History, named: &[(&str, &[i64])]) -> Prophet {
        let date = |day: &i64| made::FIRST / 24 + day;
        let effect =
            |(name, days): &(&str, &[i64])| ((*name).to_owned(), days.iter().map(date).collect());
        let holidays = named.iter().map(effect).collect();
        Prophet::fit(seen, &Recipe { holidays: &holidays, ..Recipe::plain(Season::Day) }).unwrap()
    }

    /// A wave that is 40 higher on days 5 and 16.
    fn festive() -> History {
        history(24, |n| {
            let feast = [5, 16].contains(&(n / 24));
            Some(seasonal(n % 24) + if feast { 40.0 } else { 0.0 } + noise(n))
        })
    }

    #[test]
    fn a_holiday_that_was_seen_twice_is_forecast_the_third_time() {
        let seen = festive();
        let model = with_holidays(&seen, &[("feast", &[5, 16, 25])]);
        let plain = Prophet::fit(&seen, &Recipe::plain(Season::Day)).unwrap();
        let (path, without) =
            (model.path(seen.end(), 72).unwrap(), plain.path(seen.end(), 72).unwrap());
        for lead in 0..72 {
            let feast = (24..48).contains(&lead);
            let due = seasonal(lead as i64 % 24) + if feast { 40.0 } else { 0.0 };
            assert!((path[lead] - due).abs() < 3.0, "{lead}: {} is not {due}", path[lead]);
            assert!(!feast || without[lead] < due - 30.0, "{lead}: {}", without[lead]);
        }
    }

    #[test]
    fn a_holiday_that_was_never_seen_changes_no_bit() {
        let seen = history(21, |n| Some(seasonal(n) + noise(n)));
        let plain = Prophet::fit(&seen, &Recipe::plain(Season::Day)).unwrap();
        let model = with_holidays(&seen, &[("feast", &[-9, 22]), ("other", &[400])]);
        assert_eq!(model.saved(), plain.saved());
        assert_eq!(model.path(seen.end(), 72).unwrap(), plain.path(seen.end(), 72).unwrap());
    }

    #[test]
    fn holidays_of_the_same_days_share_their_effect_and_answer_the_same_bits_every_time() {
        let seen = festive();
        let named: [(&str, &[i64]); 3] =
            [("a", &[5, 16, 25]), ("b", &[5, 16, 26]), ("c", &[5, 16])];
        let model = with_holidays(&seen, &named);
        let path = model.path(seen.end(), 96).unwrap();
        for lead in 24..72 {
            let share = path[lead] - path[lead % 24];
            assert!((share - 40.0 / 3.0).abs() < 2.5, "{lead}: {share}");
        }
        for _ in 0..8 {
            let text = serde_json::to_string(model.saved()).unwrap();
            let restored = Prophet::restore(serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(restored.path(seen.end(), 96).unwrap(), path);
            assert_eq!(with_holidays(&seen, &named).saved(), model.saved());
        }
    }

    #[test]
    fn constants_and_zeros_are_carried_on() {
        for level in [0.0, 7.0] {
            let seen = history(10, |_| Some(level));
            let path = Prophet::fit(&seen, &Recipe::plain(Season::None))
                .unwrap()
                .path(seen.end(), 24)
                .unwrap();
            assert!(path.iter().all(|v| (v - level).abs() < 1e-3 * level.max(1.0)), "{path:?}");
        }
    }
}
