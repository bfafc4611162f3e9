//! What is recorded of a model version.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{Signal, SignalForecast, Step, WorkloadRef, hexadecimal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Decision;

/// The record beside the files of one version; everything needed to check and describe it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this schema.
    pub schema: u32,
    /// Version of MOrA that wrote it.
    pub written_by: String,
    /// The version's name.
    pub version: String,
    /// The workload.
    pub workload: WorkloadRef,
    /// First observation.
    pub data_from: Timestamp,
    /// The instant after the newest observation.
    pub data_until: Timestamp,
    /// Width of a slot in seconds.
    pub slot: Step,
    /// Replicas that ran at `data_until`.
    pub replicas: u32,
    /// Seed of the fit.
    pub seed: u64,
    /// Rolling origins of the back-test, at most.
    pub origins: usize,
    /// Slots the members learned to forecast at once.
    pub horizon_slots: usize,
    /// Members, skill and confidence by signal.
    pub signals: BTreeMap<Signal, SignalSummary>,
    /// Whether it replaced the version before; `None` for the first.
    pub decision: Option<Decision>,
    /// Every file of the version, by path relative to it.
    pub files: BTreeMap<String, FileDigest>,
}

/// A signal's members, skill and confidence; the forecast's paths are empty.
pub type SignalSummary = SignalForecast;

/// Size and checksum of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

impl FileDigest {
    /// Size and checksum of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let sha256 = hexadecimal(&Sha256::digest(bytes));
        Self { bytes: bytes.len() as u64, sha256 }
    }
}

impl Manifest {
    /// The schema this build reads and writes.
    pub const SCHEMA: u32 = 2;

    /// Why the version was not to serve when it was trained; `None` where it was.
    #[must_use]
    pub fn rejection(&self) -> Option<&str> {
        let decision = self.decision.as_ref().filter(|decision| !decision.published);
        decision.map(|decision| decision.reason.as_str())
    }

    /// Bytes of all its files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}
