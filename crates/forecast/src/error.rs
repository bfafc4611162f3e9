//! What can go wrong, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use mora_core::Step;

/// Why no model was fitted.
#[derive(Debug, Error)]
pub enum FitError {
    /// Less than 24 hours or fewer than 7 slots were observed.
    #[error("too little history: {observed} of {needed}; collect more, or widen the lookback")]
    TooLittleHistory {
        /// Time observed.
        observed: ObservedTime,
        /// Time needed.
        needed: ObservedTime,
    },
    /// The slot does not divide a day, or is shorter than the series' step.
    #[error(
        "a slot of {} s does not fit: use one that divides a day (24 h at most) and is no shorter than the series' step of {} s",
        slot.seconds(), step.seconds()
    )]
    Slot {
        /// The slot asked for.
        slot: Step,
        /// The spacing of the series.
        step: Step,
    },
    /// The horizon is zero or longer than 7 days.
    #[error("a horizon of {0} slots is out of range; use at least one slot and at most 7 days")]
    Horizon(usize),
    /// The observer broke off.
    #[error("the fit was cancelled; start it again to get a model")]
    Cancelled,
    /// Prophet refused the data.
    #[error("prophet could not be fitted; report the series this happened on")]
    Prophet(#[source] augurs_prophet::Error),
    /// The ONNX backend refused the exported network.
    #[error("the exported LSTM could not be served; report the series this happened on")]
    Onnx(#[source] ort::Error),
}

/// A length of observed time, shown in hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservedTime {
    /// Its seconds.
    pub seconds: u64,
}

impl ObservedTime {
    /// `count` slots of width `slot`.
    pub(crate) fn of(count: usize, slot: Step) -> Self {
        Self { seconds: count as u64 * u64::from(slot.seconds()) }
    }
}

impl fmt::Display for ObservedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.seconds as f64 / 360.0).round() / 10.0;
        write!(f, "{tenths} h")
    }
}

/// Why a fitted model did not answer.
#[derive(Debug, Error)]
pub enum ForecastError {
    /// No slot, or more than 7 days, was asked for.
    #[error("{asked} slots cannot be forecast; ask for 1 to {most}")]
    Slots {
        /// Slots asked for.
        asked: usize,
        /// The most that are answered: 7 days.
        most: usize,
    },
    /// No quantile was asked for.
    #[error("no quantile was asked for; ask for at least one, as in 0.95")]
    NoQuantile,
    /// Prophet did not answer.
    #[error("prophet did not answer; train the model again")]
    Prophet(#[source] augurs_prophet::Error),
    /// The ONNX backend did not answer.
    #[error("the LSTM did not answer; train the model again")]
    Onnx(#[source] ort::Error),
    /// The ONNX backend gave another number of values than it was built for.
    #[error("the LSTM gave {0} values where others were due; train the model again")]
    Shape(usize),
}

/// Why an ONNX Runtime does not serve.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// The file is no ONNX Runtime of version 1.24 or newer.
    #[error("{} does not load as ONNX Runtime 1.24 or newer; name another library, or none to serve from the embedded one", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ort::LoadDynamicError,
    },
    /// The library loads but does not start.
    #[error("ONNX Runtime does not start; name none to serve from the embedded one")]
    Start(#[source] ort::Error),
    /// A network has been opened before, and a process keeps the backend it has.
    #[error(
        "this process serves from another ONNX backend already; choose one before a model is opened"
    )]
    TooLate,
}

/// Why a model could not be turned into files.
#[derive(Debug, Error)]
#[error("the model could not be written as JSON; train it again")]
pub struct SaveError(#[from] pub(crate) serde_json::Error);

/// Why files are not a model.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A file is missing.
    #[error("the model has no file `{0}`; restore it, or go back to another version")]
    Missing(&'static str),
    /// A file is not the JSON it should be.
    #[error("`{file}` cannot be read; restore it, or go back to another version")]
    Json {
        /// Name of the file.
        file: &'static str,
        /// What the parser found.
        source: serde_json::Error,
    },
    /// The files were written by another version of the program.
    #[error("the model has format {found}, this program reads {known}; train it again")]
    Format {
        /// Format of the files.
        found: u32,
        /// Format this program reads.
        known: u32,
    },
    /// A file reads well but its content is not what a fit writes.
    #[error("`{file}` is damaged: {what}; restore it, or go back to another version")]
    Damaged {
        /// Name of the file.
        file: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Prophet refused the saved parameters.
    #[error("`prophet.json` does not restore a model; go back to another version")]
    Prophet(#[source] augurs_prophet::Error),
    /// The ONNX backend refused the network.
    #[error("`lstm.onnx` does not load; go back to another version")]
    Onnx(#[source] ort::Error),
}
