//! A plan under a supposed change of load.

use mora_core::{Forecast, Plan, Signal, SignalForecast, WorkloadRef};
use thiserror::Error;

use crate::{Evidence, LoadToCpu, Policy, plan};

/// Why a supposition cannot be planned for.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum WhatIfError {
    /// The factor is negative, infinite or not a number.
    #[error("the factor {factor} of {workload} is not a finite number of at least 0")]
    Factor {
        /// The workload.
        workload: WorkloadRef,
        /// The factor.
        factor: f64,
    },
    /// The workload has no forecast to multiply.
    #[error("{0} has no forecast, so its load cannot be multiplied")]
    NoForecast(WorkloadRef),
}

/// The plan when the load that reaches each listed workload is multiplied by its factor.
///
/// The workload's own request rate grows by the factor, and its CPU as it was seen to follow the load, or by the same
/// factor where that could not be seen; what it calls follows along the call graph as in any plan. Fails on a factor that is no factor and on a workload without a forecast.
pub fn what_if(
    evidence: &Evidence,
    policy: &Policy,
    factors: &[(WorkloadRef, f64)],
) -> Result<Plan, WhatIfError> {
    let mut supposed = evidence.clone();
    for (workload, factor) in factors {
        if !factor.is_finite() || *factor < 0.0 {
            return Err(WhatIfError::Factor { workload: workload.clone(), factor: *factor });
        }
        let Some(Ok(forecast)) = supposed.forecasts.get_mut(workload) else {
            return Err(WhatIfError::NoForecast(workload.clone()));
        };
        let observed = supposed.observed.get_mut(workload);
        let model =
            observed.as_ref().map_or(LoadToCpu::Proportional, |observed| observed.load_to_cpu);
        let factors = vec![*factor; evidence.slots];
        let growth = growth(forecast, model, &factors);
        multiply(forecast, &factors, &growth);
        // What was just used would have been more, too.
        let just_ahead = observed.into_iter().flat_map(|observed| &mut observed.nowcast);
        just_ahead.zip(&growth).for_each(|(cores, growth)| *cores *= growth);
    }
    let id = format!("what-if-{}", evidence.now.strftime("%Y%m%dT%H%M%SZ"));
    Ok(plan(&id, &supposed, policy))
}

/// Multiplies the load of `forecast` by the factor of each slot, and every path of its CPU by `growth`.
pub(crate) fn multiply(forecast: &mut Forecast, factors: &[f64], growth: &[f64]) {
    if let Some(cpu) = forecast.signals.get_mut(&Signal::Cpu) {
        for path in cpu.paths.values_mut().chain([&mut cpu.requests]) {
            path.iter_mut().zip(growth).for_each(|(cores, growth)| *cores *= growth);
        }
    }
    if let Some(rate) = forecast.signals.get_mut(&Signal::RequestRate) {
        let paths = rate.paths.values_mut().chain([&mut rate.requests]);
        for path in paths {
            path.iter_mut().zip(factors).for_each(|(rate, factor)| *rate *= factor);
        }
    }
}

/// What CPU is multiplied by in each slot when its load is multiplied by the slot's factor: as its lowest path grows at the lowest load of
/// the slot, or the factor where that says nothing.
pub(crate) fn growth(forecast: &Forecast, model: LoadToCpu, factors: &[f64]) -> Vec<f64> {
    let lowest = |signal| {
        let signal: Option<&SignalForecast> = forecast.signals.get(&signal);
        signal.and_then(|signal| signal.paths.values().next()).map_or(&[][..], Vec::as_slice)
    };
    let loads = lowest(Signal::RequestRate);
    let grown = |(slot, (cores, factor)): (usize, (&f64, &f64))| match loads.get(slot) {
        Some(load) if *cores > 0.0 => model.scaled(*cores, *load, *factor) / cores,
        _ => *factor,
    };
    lowest(Signal::Cpu).iter().zip(factors).enumerate().map(grown).collect()
}
