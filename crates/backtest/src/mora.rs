//! MOrA's forecasts as answers: the one place that calls `mora-forecast`.

use std::ops::ControlFlow;
use std::time::Instant;

use mora_core::{Quantile, SignalForecast};
use mora_forecast::{DEFAULT_RISK_PRICE, FitOptions, Member, RISK_PRICES, fit};

use crate::answer::{Answer, LEVELS};
use crate::method::Method;
use crate::methods::{Situation, Timed};

/// Which parts of MOrA take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    Full,
    HourOfWeek,
    Prophet,
    Lstm,
    NoLstm,
    NoProphet,
    NoCalibration,
}

impl Variant {
    /// Which parts answer for `method`; `None` where it is a rule.
    pub(crate) const fn of(method: Method) -> Option<Self> {
        Some(match method {
            Method::HourOfWeek => Self::HourOfWeek,
            Method::Prophet => Self::Prophet,
            Method::Lstm => Self::Lstm,
            Method::Mora | Method::MoraStatic => Self::Full,
            Method::MoraNoLstm => Self::NoLstm,
            Method::MoraNoProphet => Self::NoProphet,
            Method::MoraNoCalibration => Self::NoCalibration,
            _ => return None,
        })
    }
}

/// The answer of `variant`; the reason where it refuses.
pub(crate) fn answer(variant: Variant, asked: &Situation<'_>) -> Result<Timed, String> {
    let began = Instant::now();
    let options = options(variant, asked);
    let model = fit(asked.history, &options, &mut |_| ControlFlow::Continue(()))
        .map_err(|error| error.to_string())?;
    let fitted = began.elapsed();
    let quantiles: Vec<Quantile> =
        LEVELS.iter().filter_map(|level| Quantile::new(*level).ok()).collect();
    let forecast =
        model.forecast(asked.start, asked.slots, &quantiles).map_err(|error| error.to_string())?;
    let mut answer = Answer::stated(levels(&forecast, &quantiles, asked.slots));
    if requests_at_least_cost(variant) {
        let requests = |price| model.requests(asked.start, asked.slots, price);
        answer.request = requests(DEFAULT_RISK_PRICE).map_err(|error| error.to_string())?;
        let priced = RISK_PRICES.into_iter().map(requests).collect::<Result<_, _>>();
        answer.priced = priced.map_err(|error| error.to_string())?;
    }
    Ok(Timed { answer, fit: fitted, forecast: began.elapsed().saturating_sub(fitted) })
}

/// Whether `variant` requests the path of least cost; a member alone requests its 0.95 quantile.
fn requests_at_least_cost(variant: Variant) -> bool {
    !matches!(variant, Variant::HourOfWeek | Variant::Prophet | Variant::Lstm)
}

/// How `variant` is fitted.
fn options(variant: Variant, asked: &Situation<'_>) -> FitOptions {
    let left_out = |member| Member::ALL.into_iter().filter(move |m| *m != member).collect();
    let members = match variant {
        Variant::Full | Variant::NoCalibration => Member::ALL.into(),
        Variant::HourOfWeek => [Member::HourOfWeek].into(),
        Variant::Prophet => [Member::Prophet].into(),
        Variant::Lstm => [Member::Lstm].into(),
        Variant::NoLstm => left_out(Member::Lstm),
        Variant::NoProphet => left_out(Member::Prophet),
    };
    FitOptions {
        slot: asked.slot,
        horizon: asked.slots,
        seed: asked.options.seed,
        holidays: asked.options.holidays.clone(),
        tuning_budget: asked.options.tuning_budget,
        members,
        calibrate: variant != Variant::NoCalibration,
        ..FitOptions::default()
    }
}

/// The paths slot by slot.
fn levels(
    forecast: &SignalForecast,
    quantiles: &[Quantile],
    slots: usize,
) -> Vec<[f64; LEVELS.len()]> {
    let mut levels = vec![[0.0; LEVELS.len()]; slots];
    for (index, quantile) in quantiles.iter().enumerate() {
        let path = forecast.paths.get(quantile).into_iter().flatten();
        for (slot, value) in levels.iter_mut().zip(path) {
            slot[index] = *value;
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::made::asked;

    #[test]
    fn a_season_is_forecast_and_a_short_history_is_refused_with_its_reason() {
        let wave = |n: i64| Some(10.0 + ((n % 24) as f64 - 12.0).abs());
        let answered =
            asked(5, wave, |asked| answer(Variant::Full, asked)).unwrap_or_else(|e| panic!("{e}"));
        let request = answered.answer.request;
        assert!(request[0] > 20.0 && request[12] < 13.0, "{request:?}");
        let refused =
            asked(1, |n| (n < 5).then_some(1.0), |asked| answer(Variant::Full, asked).err());
        assert!(refused.is_some_and(|reason| reason.starts_with("too little history")));
    }
}
