//! Where arms come from.

use std::error::Error;
use std::sync::Arc;

use crate::{Arm, History, RunKey, Scenario, Setup};

/// What an arm is made for.
#[derive(Debug, Clone, Copy)]
pub struct RunContext<'a> {
    /// Which run.
    pub key: &'a RunKey,
    /// What all runs have in common.
    pub setup: &'a Setup,
    /// What happens in it.
    pub scenario: &'a Scenario,
    /// What was observed before.
    pub history: &'a Arc<History>,
}

impl RunContext<'_> {
    /// The factor on what the arm asks for of CPU.
    #[must_use]
    pub fn margin(&self) -> f64 {
        f64::from(self.key.margin_thousandths) / 1000.0
    }
}

/// Makes the arm of each run, which is used for that run alone.
pub trait ArmFactory: Sync {
    /// The arm that `context` names; called on a thread that may be blocked, within a tokio runtime.
    ///
    /// Fails when it cannot be made.
    fn make(&self, context: &RunContext<'_>) -> Result<Box<dyn Arm>, Box<dyn Error + Send + Sync>>;
}
