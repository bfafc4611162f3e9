//! Putting a plan into force, and taking it back.
//!
//! What is to change is decided by pure functions from the plan, the modes and what the cluster says now ([`intents`] and
//! `check`); [`Driver`] makes the changes wave after wave through an [`Actuator`], each written down in a [`Records`] before it
//! is made; [`roll_back`] undoes what is written there.

mod actuator;
mod check;
mod config;
mod diff;
mod drive;
#[cfg(test)]
mod fake;
mod git_ops;
mod intent;
mod limit;
mod preview;
mod record;
mod report;
mod resources;
mod rollback;

pub use actuator::Actuator;
pub use config::{
    ApplyConfig, GitOpsConfig, InPlaceConfig, ModeRule, ScheduledConfig, Through, VpaConfig,
};
pub use drive::{Driver, Pace, in_files};
pub use git_ops::{FileChange, GitOpsError, write_patches};
pub use intent::{ContainerIntent, Intended, Intent, Means, intents};
pub use preview::{Preview, preview};
pub use record::{
    AppliedPlan, Change, ChangeState, Held, Journal, Kept, Pair, Place, PlanObjects, RecordError,
    Records,
};
pub use report::{LeftAlone, Outcome, Report, WorkloadOutcome};
pub use rollback::{Undone, roll_back};
