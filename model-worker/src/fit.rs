//! Fitting every signal of an upload.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use jiff::Timestamp;
use mora_core::{Series, SeriesError, Signal, Step};
use mora_forecast::{FitError, FitOptions, Progress, SignalModel};
use thiserror::Error;

/// A complete upload.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) start: Timestamp,
    pub(crate) step: Step,
    pub(crate) columns: BTreeMap<Signal, Vec<Option<f64>>>,
}

impl Upload {
    /// The columns as series; fails when one is none.
    pub(crate) fn series(self) -> Result<BTreeMap<Signal, Series>, TrainError> {
        let (start, step) = (self.start, self.step);
        let series = |(signal, column)| {
            let series = Series::new(start, step, column);
            series.map(|s| (signal, s)).map_err(|source| TrainError::Series { signal, source })
        };
        self.columns.into_iter().map(series).collect()
    }
}

/// Why an upload gives no model.
#[derive(Debug, Error)]
pub(crate) enum TrainError {
    #[error("the {signal} column is not a series")]
    Series { signal: Signal, source: SeriesError },
    #[error("no signal of the upload could be fitted: {0}")]
    NothingFits(String),
    #[error("the job was cancelled")]
    Cancelled,
}

/// The fitted signals, and a sentence for every signal that could not be fitted.
pub(crate) struct Fitted {
    pub(crate) signals: BTreeMap<Signal, SignalModel>,
    pub(crate) left_out: Vec<String>,
}

/// Fits one model per signal; `observe` sees what is being done and the share of the whole that is done.
///
/// A signal with too little history is left out; it fails only when none is left or `observe` breaks.
pub(crate) fn fit_signals(
    observed: &BTreeMap<Signal, Series>,
    options: &FitOptions,
    observe: &mut dyn FnMut(Signal, Progress) -> ControlFlow<()>,
) -> Result<Fitted, TrainError> {
    let count = observed.len().max(1) as f64;
    let mut fitted = Fitted { signals: BTreeMap::new(), left_out: Vec::new() };
    for (index, (&signal, series)) in observed.iter().enumerate() {
        let mut within = |progress: Progress| {
            let share = (index as f64 + progress.share) / count;
            observe(signal, Progress { share, ..progress })
        };
        match mora_forecast::fit(series, options, &mut within) {
            Ok(model) => drop(fitted.signals.insert(signal, model)),
            Err(FitError::Cancelled) => return Err(TrainError::Cancelled),
            Err(error) => fitted.left_out.push(format!("{signal}: {error}")),
        }
    }
    if fitted.signals.is_empty() {
        return Err(TrainError::NothingFits(fitted.left_out.join("; ")));
    }
    Ok(fitted)
}
