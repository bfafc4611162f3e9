//! Makes a simulated application behave as a measured one does, and says how far it still is from it.
//!
//! CPU is fitted by least squares over minutes, `cpu / pods = idle + per_request * rate / pods`. Call ratios are calls
//! counted over requests received. Memory is `base + per_request * requests in the pod`, of which there are rate times
//! latency (Little's law); `base` holds all that grew with the load and stayed. Waiting is what is missing between the median latency that the simulator gives at low load and
//! the one that was measured, after what callees miss themselves; a few runs of the simulator find it.

mod fitting;
mod validation;
mod waiting;

use mora_cluster_simulator::{Application, ApplicationError, ClusterError, NodeSize};
use mora_core::{Dataset, Indicator, Series, Signal, WorkloadRef};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use validation::{Compared, ServiceError, validate};

#[cfg(test)]
use fitting::{Line, given_back, line};

/// Minutes with a larger share of failed requests say little of what requests cost.
const FAILING: f64 = 0.01;
/// Fewer minutes than this are not fitted.
const FEWEST: usize = 10;

/// An application with the parameters that were measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// The application; what could not be measured is as it was.
    pub application: Application,
    /// How well each microservice was fitted, in their order.
    pub quality: Vec<ServiceQuality>,
}

/// How well one microservice was fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceQuality {
    /// The workload.
    pub workload: WorkloadRef,
    /// Minutes in which both CPU and rate were measured.
    pub minutes: usize,
    /// Share of the variance of CPU that the fit explains, at most 1; `None` where CPU was not fitted.
    pub cpu_explained: Option<f64>,
    /// Root mean square of what the fit misses, over mean CPU.
    pub cpu_residual: Option<f64>,
    /// Median latency at low load that the simulator gives, over the measured one, less 1; `None` where none was measured.
    pub latency: Option<f64>,
    /// Calls of this microservice whose ratio was measured.
    pub ratios: usize,
}

/// Why there is no calibration.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// Nothing was measured of the entry.
    #[error(
        "no request rate of the entry `{0}` was measured; collect it over at least {FEWEST} minutes"
    )]
    NoEntry(WorkloadRef),
    /// What was measured cannot be simulated.
    #[error("the measured application cannot be simulated")]
    Application(#[from] ApplicationError),
    /// The application does not run on the nodes.
    #[error("the calibrated application cannot be run on these nodes")]
    Cluster(#[from] ClusterError),
}

/// Fits `application` to what was `measured` of it while it ran on `nodes`: CPU, memory, call ratios, waiting, claims and
/// replicas.
///
/// Fails when no rate of the entry was measured or the result cannot be simulated.
pub fn calibrate(
    measured: &[Dataset],
    application: &Application,
    nodes: &[NodeSize],
) -> Result<Calibrated, CalibrationError> {
    let mut application = application.clone();
    let entry = &application.microservices[application.entry].workload;
    if entry_rate(measured, entry).is_none() {
        return Err(CalibrationError::NoEntry(entry.clone()));
    }
    let mut quality: Vec<ServiceQuality> = application
        .microservices
        .iter_mut()
        .map(|microservice| {
            let dataset = measured.iter().find(|dataset| dataset.workload == microservice.workload);
            let mut quality = ServiceQuality::unknown(microservice.workload.clone());
            if let Some(dataset) = dataset {
                fitting::deployed(dataset, microservice);
                fitting::cpu(dataset, microservice, &mut quality);
                fitting::memory(dataset, microservice);
            }
            quality
        })
        .collect();
    fitting::ratios(measured, &mut application, &mut quality);
    let mut application = application.checked()?;
    waiting::fit(measured, &mut application, nodes, &mut quality)?;
    Ok(Calibrated { application, quality })
}

impl ServiceQuality {
    const fn unknown(workload: WorkloadRef) -> Self {
        let (cpu_explained, cpu_residual, latency) = (None, None, None);
        Self { workload, minutes: 0, cpu_explained, cpu_residual, latency, ratios: 0 }
    }
}

/// The request rate of the entry, where it was measured for long enough.
fn entry_rate<'a>(measured: &'a [Dataset], entry: &WorkloadRef) -> Option<&'a Series> {
    let dataset = measured.iter().find(|dataset| dataset.workload == *entry)?;
    let rate = dataset.request_rate.as_ref()?;
    (rate.observed().count() >= FEWEST).then_some(rate)
}

/// What `other` had at the steps of `series`; `None` where it had nothing.
fn aligned(series: &Series, other: Option<&Series>) -> Vec<Option<f64>> {
    let Some(other) = other else { return vec![None; series.len()] };
    let width = i64::from(other.step().seconds());
    let at = |index: usize| {
        let offset = series.time(index).as_second() - other.start().as_second();
        let place = usize::try_from(offset.div_euclid(width)).ok()?;
        other.values().get(place).copied().flatten()
    };
    (0..series.len()).map(at).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests;
