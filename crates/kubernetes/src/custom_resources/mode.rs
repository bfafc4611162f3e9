//! Modes of applying as custom resources spell them.

use mora_core::ApplyMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a plan is put in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Mode {
    Off,
    Patch,
    InPlace,
    Scheduled,
    #[serde(rename = "VPA")]
    Vpa,
    GitOps,
}

impl From<Mode> for ApplyMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Off => Self::Off,
            Mode::Patch => Self::Patch,
            Mode::InPlace => Self::InPlace,
            Mode::Scheduled => Self::Scheduled,
            Mode::Vpa => Self::Vpa,
            Mode::GitOps => Self::GitOps,
        }
    }
}

impl From<ApplyMode> for Mode {
    fn from(mode: ApplyMode) -> Self {
        match mode {
            ApplyMode::Off => Self::Off,
            ApplyMode::Patch => Self::Patch,
            ApplyMode::InPlace => Self::InPlace,
            ApplyMode::Scheduled => Self::Scheduled,
            ApplyMode::Vpa => Self::Vpa,
            ApplyMode::GitOps => Self::GitOps,
        }
    }
}
