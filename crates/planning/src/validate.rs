//! Refusing answers that no plan should be built on.

use std::fmt;

use mora_core::{Forecast, Quantile, Signal, SignalForecast, WorkloadRef};
use thiserror::Error;

use crate::ForecastRequest;

/// How far a higher path may lie below a lower one, as a share, and still be rounding.
const ROUNDING: f64 = 1e-9;

/// One of the paths of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathName {
    /// That of a quantile.
    Quantile(Quantile),
    /// What to request.
    Requests,
}

impl fmt::Display for PathName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile(quantile) => f.pad(&format!("path at {quantile}")),
            Self::Requests => f.pad("request path"),
        }
    }
}

/// Why a forecast is not used.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Rejection {
    /// The answer is about another workload.
    #[error("the worker answered for {0}; check which worker the address belongs to")]
    WrongWorkload(WorkloadRef),
    /// The slots are not those that were asked for.
    #[error(
        "the worker's slots start at {start} every {seconds} s, not those asked for; train it for the slot width of the plan"
    )]
    WrongSlots {
        /// Start of the first slot of the answer, in Unix seconds.
        start: i64,
        /// Width of its slots.
        seconds: u32,
    },
    /// There is nothing in it.
    #[error("the worker's answer has no path of {0}; train it again")]
    NoPath(Signal),
    /// A path has another number of slots.
    #[error(
        "the worker's {path} of {signal} has {found} slots where {wanted} were asked for; ask for a horizon its model reaches"
    )]
    WrongLength {
        /// The signal.
        signal: Signal,
        /// The path.
        path: PathName,
        /// Slots in the path.
        found: usize,
        /// Slots asked for.
        wanted: usize,
    },
    /// A value is negative, infinite or not a number.
    #[error("the worker's {path} of {signal} holds {value} in slot {slot}; roll its model back")]
    Impossible {
        /// The signal.
        signal: Signal,
        /// The path.
        path: PathName,
        /// Index of the slot.
        slot: usize,
        /// The value.
        value: f64,
    },
    /// A higher quantile lies below a lower one.
    #[error(
        "the worker's paths of {signal} cross: the one at {quantile} is below a lower one in slot {slot}; roll its model back"
    )]
    Crossing {
        /// The signal.
        signal: Signal,
        /// The higher quantile.
        quantile: Quantile,
        /// Index of the slot.
        slot: usize,
    },
}

/// Checks that `forecast` answers `request` for `workload` with possible numbers.
///
/// Fails with the first reason not to use it.
pub fn validate(
    forecast: &Forecast,
    workload: &WorkloadRef,
    request: &ForecastRequest,
) -> Result<(), Rejection> {
    if forecast.workload != *workload {
        return Err(Rejection::WrongWorkload(forecast.workload.clone()));
    }
    if forecast.start != request.start || forecast.slot != request.slot {
        let (start, seconds) = (forecast.start.as_second(), forecast.slot.seconds());
        return Err(Rejection::WrongSlots { start, seconds });
    }
    if forecast.signals.is_empty() {
        return Err(Rejection::NoPath(Signal::Cpu));
    }
    forecast.signals.iter().try_for_each(|(signal, f)| check_signal(*signal, f, request.slots))
}

fn check_signal(signal: Signal, forecast: &SignalForecast, wanted: usize) -> Result<(), Rejection> {
    if forecast.paths.is_empty() {
        return Err(Rejection::NoPath(signal));
    }
    let mut below: Option<&[f64]> = None;
    for (&quantile, path) in &forecast.paths {
        check_path((signal, PathName::Quantile(quantile)), path, wanted)?;
        if let Some(slot) = below.and_then(|lower| first_crossing(lower, path)) {
            return Err(Rejection::Crossing { signal, quantile, slot });
        }
        below = Some(path);
    }
    // A worker older than the request path answers none.
    if forecast.requests.is_empty() {
        return Ok(());
    }
    check_path((signal, PathName::Requests), &forecast.requests, wanted)
}

fn check_path(
    (signal, path): (Signal, PathName),
    values: &[f64],
    wanted: usize,
) -> Result<(), Rejection> {
    if values.len() != wanted {
        return Err(Rejection::WrongLength { signal, path, found: values.len(), wanted });
    }
    let possible = |value: &f64| value.is_finite() && *value >= 0.0;
    match values.iter().position(|value| !possible(value)) {
        Some(slot) => Err(Rejection::Impossible { signal, path, slot, value: values[slot] }),
        None => Ok(()),
    }
}

fn first_crossing(lower: &[f64], higher: &[f64]) -> Option<usize> {
    lower.iter().zip(higher).position(|(low, high)| *high < low * (1.0 - ROUNDING))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::{RiskPrice, Rung, Skill, Step};

    fn forecast(paths: &[(f64, &[f64])]) -> Forecast {
        let path = |(q, values): &(f64, &[f64])| (Quantile::new(*q).unwrap(), values.to_vec());
        let cpu = SignalForecast {
            paths: paths.iter().map(path).collect(),
            requests: Vec::new(),
            request_records: Vec::new(),
            rung: Rung::Ensemble,
            members: Vec::new(),
            skill: Skill { pinball_ratio: None, origins: 0 },
            confidence: None,
        };
        Forecast {
            workload: "shop/cart".parse().unwrap(),
            model_version: "v1".to_owned(),
            start: Timestamp::UNIX_EPOCH,
            slot: Step::HOUR,
            data_until: Timestamp::UNIX_EPOCH,
            replicas: 1,
            signals: [(Signal::Cpu, cpu)].into(),
            warnings: Vec::new(),
        }
    }

    fn check(forecast: &Forecast) -> Result<(), Rejection> {
        let request = ForecastRequest {
            start: Timestamp::UNIX_EPOCH,
            slot: Step::HOUR,
            slots: 2,
            quantiles: Vec::new(),
            risk_price: RiskPrice::DEFAULT,
        };
        validate(forecast, &"shop/cart".parse().unwrap(), &request)
    }

    #[test]
    fn a_sound_forecast_passes() {
        assert_eq!(check(&forecast(&[(0.5, &[1.0, 2.0]), (0.9, &[1.0, 3.0])])), Ok(()));
    }

    #[test]
    fn every_kind_of_nonsense_is_refused_by_name() {
        use Rejection::{Crossing, Impossible, NoPath, WrongLength};
        let refuse = |paths: &[(f64, &[f64])]| check(&forecast(paths)).unwrap_err();
        assert!(matches!(refuse(&[]), NoPath(Signal::Cpu)));
        assert!(matches!(refuse(&[(0.5, &[1.0])]), WrongLength { found: 1, .. }));
        assert!(matches!(refuse(&[(0.5, &[1.0, f64::NAN])]), Impossible { slot: 1, .. }));
        assert!(matches!(refuse(&[(0.5, &[-1.0, 1.0])]), Impossible { slot: 0, .. }));
        assert!(matches!(
            refuse(&[(0.5, &[1.0, 2.0]), (0.9, &[1.0, 1.0])]),
            Crossing { slot: 1, .. }
        ));
    }

    #[test]
    fn a_request_path_is_checked_where_there_is_one() {
        let check = |requests: &[f64]| {
            let mut forecast = forecast(&[(0.5, &[1.0, 2.0])]);
            forecast.signals.get_mut(&Signal::Cpu).unwrap().requests = requests.to_vec();
            check(&forecast)
        };
        assert_eq!((check(&[]), check(&[0.5, 3.0])), (Ok(()), Ok(())));
        let error = check(&[1.0]).unwrap_err();
        let path = PathName::Requests;
        assert!(matches!(error, Rejection::WrongLength { path: p, found: 1, .. } if p == path));
        let error = check(&[1.0, f64::NAN]).unwrap_err();
        assert!(matches!(error, Rejection::Impossible { slot: 1, .. }));
        assert!(error.to_string().contains("request path of"), "{error}");
    }

    #[test]
    fn an_answer_to_another_question_is_refused() {
        let mut other = forecast(&[(0.5, &[1.0, 2.0])]);
        other.slot = Step::MINUTE;
        assert!(matches!(check(&other), Err(Rejection::WrongSlots { seconds: 60, .. })));
        other.workload = "shop/ad".parse().unwrap();
        assert!(matches!(check(&other), Err(Rejection::WrongWorkload(_))));
    }
}
