//! A fitted model of one workload.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{Forecast, Quantile, Signal};
use mora_forecast::{ForecastError, SignalModel};

use crate::Manifest;

/// The fitted signals of one version, ready to answer.
pub struct WorkloadModel {
    /// The version's record.
    pub manifest: Manifest,
    /// The fitted signals.
    pub signals: BTreeMap<Signal, SignalModel>,
}

impl WorkloadModel {
    /// Forecasts `slots` slots from `start`, for the signals in `wanted` that the model knows.
    ///
    /// Fails when a signal's model cannot answer for that range.
    pub fn forecast(
        &self,
        start: Timestamp,
        slots: usize,
        quantiles: &[Quantile],
        wanted: &[Signal],
    ) -> Result<Forecast, ForecastError> {
        let mut signals = BTreeMap::new();
        let mut warnings = Vec::new();
        for (signal, model) in self.signals.iter().filter(|(signal, _)| wanted.contains(signal)) {
            signals.insert(*signal, model.forecast(start, slots, quantiles)?);
            warnings.extend(model.warnings(start).into_iter().map(|w| format!("{signal}: {w}")));
        }
        let missing = wanted.iter().filter(|signal| !self.signals.contains_key(signal));
        warnings.extend(missing.map(|signal| format!("{signal}: never observed, so not forecast")));
        Ok(Forecast {
            workload: self.manifest.workload.clone(),
            model_version: self.manifest.version.clone(),
            start,
            slot: self.manifest.slot,
            data_until: self.manifest.data_until,
            replicas: self.manifest.replicas,
            signals,
            warnings,
        })
    }
}
