//! Everything a plan is computed from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use mora_core::{CallGraph, Capacity, Forecast, Quantile, RiskPrice, Step, WorkloadRef};
use serde::{Deserialize, Serialize};

use crate::{Observed, Policy, validate};

/// What is known when a plan is made; the same evidence and policy give the same plan.
///
/// Small enough to be saved with the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was observed, by workload; a workload can be missing.
    pub observed: BTreeMap<WorkloadRef, Observed>,
    /// What each worker answered, or why there is no answer, as a sentence without a full stop.
    pub forecasts: BTreeMap<WorkloadRef, Result<Forecast, String>>,
    /// Who calls whom.
    pub graph: CallGraph,
    /// What the cluster can give; `None` plans without a limit.
    pub capacity: Option<Capacity>,
    /// When the plan is made.
    pub now: Timestamp,
    /// Start of the first slot.
    pub start: Timestamp,
    /// Width of a slot.
    pub slot: Step,
    /// Number of slots, at least 1.
    pub slots: usize,
}

/// What every worker is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastRequest {
    /// Start of the first slot.
    pub start: Timestamp,
    /// Width of a slot.
    pub slot: Step,
    /// Number of slots, at least 1.
    pub slots: usize,
    /// The quantiles wanted; empty for those the worker prefers.
    pub quantiles: Vec<Quantile>,
    /// What a share of samples above the requests costs.
    pub risk_price: RiskPrice,
}

/// What one plan is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) evidence: &'a Evidence,
    pub(crate) policy: &'a Policy,
}

impl Evidence {
    /// The workloads a plan could be about: observed or asked for a forecast.
    pub(crate) fn workloads(&self) -> BTreeSet<&WorkloadRef> {
        self.observed.keys().chain(self.forecasts.keys()).collect()
    }

    /// The forecast of `workload` if it answers this plan's slots, else the reason it does not.
    pub(crate) fn forecast(&self, workload: &WorkloadRef) -> Result<&Forecast, String> {
        let forecast = match self.forecasts.get(workload) {
            None => return Err("no worker is responsible for it".to_owned()),
            Some(Err(reason)) => return Err(reason.clone()),
            Some(Ok(forecast)) => forecast,
        };
        validate(forecast, workload, &self.request()).map_err(|rejection| rejection.to_string())?;
        Ok(forecast)
    }

    /// The slots every forecast must cover.
    fn request(&self) -> ForecastRequest {
        ForecastRequest {
            start: self.start,
            slot: self.slot,
            slots: self.slots,
            quantiles: Vec::new(),
            risk_price: RiskPrice::DEFAULT,
        }
    }
}
