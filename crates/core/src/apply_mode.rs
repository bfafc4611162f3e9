//! How a plan is put in force.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How what the change gate lets through of a workload is put in force.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ApplyMode {
    /// Not at all: the plan is advice.
    #[default]
    Off,
    /// In the workload's pod template, by server-side apply; its pods are replaced.
    Patch,
    /// In the running pods, through their resize subresource, without a restart.
    InPlace,
    /// As the slot that holds the present asks for.
    Scheduled,
    /// As the recommendation of a `VerticalPodAutoscaler`.
    Vpa,
    /// As files for a repository.
    GitOps,
}

/// A text that names no [`ApplyMode`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a mode of applying; use off, patch, in_place, scheduled, vpa or git_ops")]
pub struct UnknownApplyMode(String);

impl ApplyMode {
    /// All modes, in the order they are documented.
    pub const ALL: [Self; 6] =
        [Self::Off, Self::Patch, Self::InPlace, Self::Scheduled, Self::Vpa, Self::GitOps];

    /// The mode as configuration files and flags spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Patch => "patch",
            Self::InPlace => "in_place",
            Self::Scheduled => "scheduled",
            Self::Vpa => "vpa",
            Self::GitOps => "git_ops",
        }
    }
}

impl fmt::Display for ApplyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ApplyMode {
    type Err = UnknownApplyMode;

    fn from_str(text: &str) -> Result<Self, UnknownApplyMode> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| UnknownApplyMode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_read_as_it_is_written() {
        for mode in ApplyMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
    }

    #[test]
    fn a_text_that_is_no_mode_is_refused_with_those_there_are() {
        let error = "InPlace".parse::<ApplyMode>().unwrap_err().to_string();
        assert!(error.contains("`InPlace`") && error.contains("in_place"), "{error}");
    }
}
