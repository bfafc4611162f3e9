//! Prophet: a piecewise linear trend plus daily and weekly seasons, through augurs.
//!
//! augurs prepares the features and evaluates the model, the optimiser is ours ([`posterior`]). A fitted
//! model is saved as its parameters; loading one replays them through the same interface, so
//! nothing is optimised again.

mod posterior;

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::num::NonZeroU32;

use augurs_prophet::optimizer::{
    Data, Error as OptimizeError, InitialParams, OptimizeOpts, OptimizedParams, Optimizer,
};
use augurs_prophet::{
    Error, FeaturePrediction, PositiveFloat, PredictionData, Prophet as Augurs, ProphetOptions,
    SeasonalityOption, TrainingData,
};
use mora_core::Step;
use serde::{Deserialize, Serialize};

use crate::season::Season;
use crate::slots::{History, slots_per_day};

/// Harmonics of the day, where the slots resolve them.
const DAILY_ORDER: u32 = 6;
/// Harmonics of the week.
const WEEKLY_ORDER: u32 = 3;

/// What a fitted Prophet is saved as.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    slot: Step,
    season: Season,
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
    pub(crate) fn fit(history: &History, season: Season) -> Result<Self, Error> {
        let (slots, values): (Vec<i64>, Vec<f64>) = history.observed().unzip();
        let scale = values.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let mut saved =
            Saved { slot: history.slot, season, slots, scale, parameters: Parameters::default() };
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
        Ok(path)
    }
}

fn add(path: &mut [f64], seasons: &HashMap<String, FeaturePrediction>, name: &str) {
    if let Some(season) = seasons.get(name) {
        path.iter_mut().zip(&season.point).for_each(|(sum, value)| *sum += value);
    }
}

impl Saved {
    /// A model whose features come from the slots and whose parameters come from `optimiser`.
    fn prepare<O: Optimizer>(&self, optimiser: O, values: Vec<f64>) -> Result<Augurs<O>, Error> {
        let mut model = Augurs::new(self.options(), optimiser);
        let data = TrainingData::new(self.seconds(&self.slots), values)?;
        model.fit(data, OptimizeOpts::default())?;
        Ok(model)
    }

    fn options(&self) -> ProphetOptions {
        let resolved = u32::try_from(slots_per_day(self.slot) / 2).unwrap_or(1);
        let daily = DAILY_ORDER.min(resolved.saturating_sub(1));
        let fourier = |order: u32, wanted: bool| match NonZeroU32::new(order) {
            Some(order) if wanted => SeasonalityOption::Fourier(order),
            _ => SeasonalityOption::Manual(false),
        };
        ProphetOptions {
            yearly_seasonality: SeasonalityOption::Manual(false),
            weekly_seasonality: fourier(WEEKLY_ORDER, self.season == Season::Week),
            daily_seasonality: fourier(daily, self.season != Season::None),
            uncertainty_samples: 0,
            ..ProphetOptions::default()
        }
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
        self.slot == slot
            && self.slots.len() >= 2
            && self.slots.is_sorted_by(|a, b| a < b)
            && first.is_some_and(|&first| first > oldest)
            && last.is_some_and(|&last| last < end)
            && numbers.into_iter().all(|value| value.is_finite())
            && *noise > 0.0
    }
}

/// The columns of the season features, in the order of their values.
///
/// augurs lists the seasons in the order of a hash map, which differs from model to model.
fn canonical(data: &Data) -> Vec<usize> {
    let columns = data.K as usize;
    let mut order: Vec<usize> = (0..columns).collect();
    let compare = |a: usize, b: usize| {
        data.X.chunks_exact(columns).map(|row| row[a].total_cmp(&row[b])).find(|c| c.is_ne())
    };
    order.sort_by(|&a, &b| compare(a, b).unwrap_or(Ordering::Equal));
    order
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
        let parameters = posterior::maximum(data, &canonical(data));
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
        let model = Prophet::fit(&seen, Season::Week).unwrap();
        let path = model.path(seen.end(), 24).unwrap();
        for (lead, value) in path.iter().enumerate() {
            let due = seasonal(seen.end() - made::FIRST + lead as i64);
            assert!((value - due).abs() < 2.5, "{value} is not {due}");
        }
    }

    #[test]
    fn saved_parameters_answer_the_same_bits_every_time() {
        let seen = history(21, |n| Some(seasonal(n) + noise(n)));
        let model = Prophet::fit(&seen, Season::Week).unwrap();
        let path = model.path(seen.end() + 3, 48).unwrap();
        for _ in 0..8 {
            let text = serde_json::to_string(model.saved()).unwrap();
            let restored = Prophet::restore(serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(restored.path(seen.end() + 3, 48).unwrap(), path);
            assert_eq!(Prophet::fit(&seen, Season::Week).unwrap().saved(), model.saved());
        }
    }

    #[test]
    fn parameters_of_another_model_are_refused() {
        let seen = history(21, |n| Some(seasonal(n)));
        let mut saved = Prophet::fit(&seen, Season::Week).unwrap().saved().clone();
        saved.parameters.seasons.pop();
        assert!(Prophet::restore(saved).is_err());
    }

    #[test]
    fn constants_and_zeros_are_carried_on() {
        for level in [0.0, 7.0] {
            let seen = history(10, |_| Some(level));
            let path = Prophet::fit(&seen, Season::None).unwrap().path(seen.end(), 24).unwrap();
            assert!(path.iter().all(|v| (v - level).abs() < 1e-3 * level.max(1.0)), "{path:?}");
        }
    }
}
