//! What is kept of each run.

mod folder;
mod rows;
mod table;

pub use folder::{Results, ResultsError, configuration_in, load, load_table, load_traces};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ArmName, Metrics};

/// Which run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunKey {
    /// The scenario's name.
    pub scenario: String,
    /// The arm.
    pub arm: ArmName,
    /// The factor on what the arm asks for of CPU, in thousandths: 1000 is the arm as it is. Others show what it costs at other
    /// risks.
    pub margin_thousandths: u32,
    /// The seed.
    pub seed: u64,
}

/// The environment of a run that no cluster made.
pub const SIMULATED: &str = "simulated";

/// What made a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the program.
    pub version: String,
    /// Commit it was built from, where known.
    pub commit: String,
    /// [`SIMULATED`], or what cluster it ran on.
    pub environment: String,
    /// SHA-256 of the whole configuration, in hexadecimal; runs of another are not resumed.
    pub configuration: String,
    /// Further facts, by name.
    pub facts: BTreeMap<String, String>,
}

/// One finished run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultRow {
    /// Which.
    pub key: RunKey,
    /// Its figures.
    pub metrics: Metrics,
    /// What made it.
    pub provenance: Provenance,
}
