//! How far what is requested lies from what is recommended.

mod rule;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use rule::Severities;

/// How far what is requested or limited lies from what is recommended, from the least to the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is recommended.
    Unknown,
    /// As it should be.
    Good,
    /// A little off.
    Ok,
    /// Worth changing.
    Warning,
    /// To be changed soon: it wastes much, or risks the workload.
    Critical,
}

impl Severity {
    /// All, from the least to the most urgent.
    pub const ALL: [Self; 5] = [Self::Unknown, Self::Good, Self::Ok, Self::Warning, Self::Critical];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "good",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// By which rule severities are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeverityRule {
    /// Our own, by share and by amount over all replicas.
    Own,
    /// That of Robusta KRR, by amount per replica.
    Krr,
}
