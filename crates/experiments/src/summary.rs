//! What became of a cell.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{Dataset, Lookback, SeriesQuality, Signal, WorkloadRef};
use serde::{Deserialize, Serialize};

use crate::gates::mean;
use crate::{Cell, LoadReport};

/// What was measured of the target, in a few figures.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Mean CPU usage of all its pods together, in cores.
    pub cpu_cores: Option<f64>,
    /// Coefficient of variation of that at the end of the steady part.
    pub cpu_variation: Option<f64>,
    /// Largest memory working set of a pod, in bytes.
    pub memory_bytes: Option<f64>,
    /// Mean requests per second it received.
    pub request_rate: Option<f64>,
}

impl Figures {
    /// The figures of `target` among `datasets`, with the variation of the last `stable_seconds`; none without a dataset of it.
    #[must_use]
    pub fn of(
        target: &WorkloadRef,
        datasets: &[Dataset],
        expected: &Lookback,
        stable_seconds: u32,
    ) -> Self {
        let Some(dataset) = datasets.iter().find(|d| d.workload == *target) else {
            return Self::default();
        };
        let signals = dataset.signals();
        let cpu = signals.get(&Signal::Cpu);
        Self {
            cpu_cores: cpu.and_then(mean),
            cpu_variation: cpu
                .and_then(|s| SeriesQuality::of(s, expected, stable_seconds).variation),
            memory_bytes: signals.get(&Signal::Memory).and_then(|s| s.observed().reduce(f64::max)),
            request_rate: signals.get(&Signal::RequestRate).and_then(mean),
        }
    }
}

/// One try of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The steady part of the load.
    pub expected: Lookback,
    /// What the load did.
    pub load: LoadReport,
    /// What was measured.
    pub figures: Figures,
    /// Why it was rejected; empty if it was accepted.
    pub reasons: Vec<String>,
    /// What else is worth knowing, each a sentence.
    pub notes: Vec<String>,
}

/// A file of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// What became of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellOutcome {
    /// The cell.
    pub cell: Cell,
    /// Whether its last try was accepted.
    pub accepted: bool,
    /// Its tries, at least one; the files are of the last.
    pub attempts: Vec<Attempt>,
    /// Rows of the dataset.
    pub rows: u64,
    /// Its files, by name.
    pub files: BTreeMap<String, FileRecord>,
}
