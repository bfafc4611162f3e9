//! A fitted model of one workload.

use std::collections::BTreeMap;

use mora_core::{Forecast, Signal, SignalForecast};
use mora_forecast::{ForecastError, SignalModel};

use crate::paired::pairs;
use crate::request::PeakQuery;
use crate::{Comparison, Manifest};

/// The fitted signals of one version, ready to answer.
pub struct WorkloadModel {
    /// The version's record.
    pub manifest: Manifest,
    /// The fitted signals.
    pub signals: BTreeMap<Signal, SignalModel>,
}

impl WorkloadModel {
    /// This version (first) against `other` (second) on the slots neither has seen; `None` where there are none.
    ///
    /// Fails when the older cannot say what it would have answered since its data ended.
    pub fn compare(&self, other: &Self) -> Result<Option<Comparison>, ForecastError> {
        let older_first = self.manifest.data_until <= other.manifest.data_until;
        let (older, newer) = if older_first { (self, other) } else { (other, self) };
        let mut paired = BTreeMap::new();
        for (signal, model) in &newer.signals {
            if let Some(old) = older.signals.get(signal) {
                paired.insert(*signal, pairs(old, model)?);
            }
        }
        Ok(if older_first {
            Comparison::of(&paired, |pair| &pair.older, |pair| &pair.newer)
        } else {
            Comparison::of(&paired, |pair| &pair.newer, |pair| &pair.older)
        })
    }

    /// Forecasts the signals of `query` that the model knows, with what to request for each.
    ///
    /// Fails when a signal's model cannot answer for that range.
    pub(crate) fn forecast(&self, query: &PeakQuery) -> Result<Forecast, ForecastError> {
        let PeakQuery { start, slots, risk_price, .. } = *query;
        let wanted = &query.signals;
        let mut signals = BTreeMap::new();
        let mut warnings = Vec::new();
        for (signal, model) in self.signals.iter().filter(|(signal, _)| wanted.contains(signal)) {
            let requests = model.requests(start, slots, risk_price.get())?;
            let forecast = model.forecast(start, slots, &query.quantiles)?;
            signals.insert(*signal, SignalForecast { requests, ..forecast });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::{fitted, version, wave};

    #[test]
    fn versions_compare_the_same_whichever_is_named_first() {
        let old = version("v1", fitted(0..14, wave));
        let new = version("v2", fitted(2..16, wave));
        let forth = old.compare(&new).unwrap().unwrap();
        let back = new.compare(&old).unwrap().unwrap();
        assert!((forth.excess + back.excess).abs() < 1e-12);
        let (forth, back) = (forth.signals[&Signal::Cpu], back.signals[&Signal::Cpu]);
        assert_eq!((forth.slots, forth.since), (168, 48));
        assert_eq!((forth.first_loss, forth.second_loss), (back.second_loss, back.first_loss));
    }
}
