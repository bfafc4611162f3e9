//! A plan under a supposed change of load.

use mora_core::{Plan, Signal, WorkloadRef};
use thiserror::Error;

use crate::{Evidence, Policy, plan};

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
/// The workload's own request rate and CPU forecasts grow by the factor; what it calls follows along the
/// call graph as in any plan. Fails on a factor that is no factor and on a workload without a forecast.
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
        for signal in [Signal::Cpu, Signal::RequestRate] {
            let Some(signal) = forecast.signals.get_mut(&signal) else { continue };
            let paths = signal.paths.values_mut().chain([&mut signal.requests]);
            paths.flatten().for_each(|value| *value *= factor);
        }
    }
    let id = format!("what-if-{}", evidence.now.strftime("%Y%m%dT%H%M%SZ"));
    Ok(plan(&id, &supposed, policy))
}
