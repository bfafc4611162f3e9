//! What was observed of the machines pods run on.

use serde::{Deserialize, Serialize};

use crate::{Series, Stated};

/// One node over a lookback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeSeries {
    /// Its name.
    pub name: String,
    /// What pods may request on it together, at the end of the lookback; `None` where nothing states it.
    #[serde(default)]
    pub allocatable: Stated,
    /// CPU everything on it used, in cores; `None` where nothing measures it.
    #[serde(default)]
    pub cpu: Option<Series>,
    /// Memory working set of everything on it, in bytes; `None` where nothing measures it.
    #[serde(default)]
    pub memory: Option<Series>,
}

impl NodeSeries {
    /// A node of which nothing is known but its name.
    #[must_use]
    pub const fn new(name: String) -> Self {
        Self { name, allocatable: Stated { cpu: None, memory: None }, cpu: None, memory: None }
    }
}
