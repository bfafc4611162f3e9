//! What is recorded of a model version.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{Signal, SignalForecast, Step, WorkloadRef};
use serde::{Deserialize, Serialize};

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
    /// Members, skill and confidence by signal.
    pub signals: BTreeMap<Signal, SignalSummary>,
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

impl Manifest {
    /// The schema this build reads and writes.
    pub const SCHEMA: u32 = 1;
}
