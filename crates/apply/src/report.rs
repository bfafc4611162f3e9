//! What became of a plan.

use std::fmt;

use mora_core::{ApplyMode, WorkloadRef};
use serde::{Deserialize, Serialize};

/// A workload with a mode that was left as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftAlone {
    /// The workload.
    pub workload: WorkloadRef,
    /// Its mode.
    pub mode: ApplyMode,
    /// Why, a sentence.
    pub reason: String,
}

/// What became of one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// What was asked for is in force.
    Applied,
    /// It was in force already.
    Unchanged,
    /// It was not touched, for a reason of its own.
    LeftAlone,
    /// It was not reached, because an earlier change failed or the run was told to stop.
    NotReached,
    /// It could not be done, and what had been done of it was undone.
    SetBack,
    /// It could not be done, or is not known to be.
    Failed,
}

impl Outcome {
    /// All outcomes, from the best to the worst.
    pub const ALL: [Self; 6] = [
        Self::Applied,
        Self::Unchanged,
        Self::LeftAlone,
        Self::NotReached,
        Self::SetBack,
        Self::Failed,
    ];

    /// The outcome as metrics and tables spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::LeftAlone => "left_alone",
            Self::NotReached => "not_reached",
            Self::SetBack => "set_back",
            Self::Failed => "failed",
        }
    }

    /// Whether changes that come later must not be made.
    #[must_use]
    pub const fn stops(self) -> bool {
        matches!(self, Self::SetBack | Self::Failed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What became of one workload, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadOutcome {
    /// The workload.
    pub workload: WorkloadRef,
    /// Its mode.
    pub mode: ApplyMode,
    /// Place in the order of changes; `None` where there was none to make.
    pub wave: Option<u32>,
    /// What became of it.
    pub outcome: Outcome,
    /// What was done or why not, a sentence.
    pub detail: String,
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// The plan.
    pub plan: String,
    /// What became of each workload that had a mode and something to change.
    pub workloads: Vec<WorkloadOutcome>,
}

impl Report {
    /// Whether every change is in force.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.workloads.iter().all(|w| matches!(w.outcome, Outcome::Applied | Outcome::Unchanged))
    }

    /// Whether something went wrong, so that not even all that should have been tried was.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.workloads.iter().any(|w| w.outcome.stops() || w.outcome == Outcome::NotReached)
    }

    /// One sentence for each workload that is not as it was asked for.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let amiss = self
            .workloads
            .iter()
            .filter(|w| !matches!(w.outcome, Outcome::Applied | Outcome::Unchanged));
        amiss
            .map(|w| format!("{} was not put in force ({}): {}", w.workload, w.mode, w.detail))
            .collect()
    }
}
