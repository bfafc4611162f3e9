//! A plan under a supposed change of load.

use mora_core::{Forecast, Plan, Signal, WorkloadRef};
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
        let observed = supposed.observed.get(workload);
        let model = observed.map_or(LoadToCpu::Proportional, |observed| observed.load_to_cpu);
        multiply(forecast, model, *factor);
    }
    let id = format!("what-if-{}", evidence.now.strftime("%Y%m%dT%H%M%SZ"));
    Ok(plan(&id, &supposed, policy))
}

/// Multiplies the load of `forecast`; CPU follows the median load of its slot.
fn multiply(forecast: &mut Forecast, model: LoadToCpu, factor: f64) {
    let rate = forecast.signals.get(&Signal::RequestRate);
    let median = rate.and_then(|rate| rate.paths.first_key_value());
    let loads = median.map(|(_, path)| path.clone());
    if let Some(cpu) = forecast.signals.get_mut(&Signal::Cpu) {
        for path in cpu.paths.values_mut().chain([&mut cpu.requests]) {
            for (slot, cores) in path.iter_mut().enumerate() {
                let load = loads.as_ref().and_then(|loads| loads.get(slot));
                *cores = load.map_or(*cores * factor, |load| model.scaled(*cores, *load, factor));
            }
        }
    }
    if let Some(rate) = forecast.signals.get_mut(&Signal::RequestRate) {
        let paths = rate.paths.values_mut().chain([&mut rate.requests]);
        paths.flatten().for_each(|value| *value *= factor);
    }
}
