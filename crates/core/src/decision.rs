//! What of a recommendation is to be put in force now.

use serde::{Deserialize, Serialize};

use crate::{Bytes, Millicores};

/// Which way a container goes in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A request goes up, or is set where there was none.
    Raise,
    /// A request goes down by a step.
    Lower,
    /// Nothing changes.
    Hold,
    /// A request goes back up to what was in force before a decrease that did harm.
    RollBack,
}

/// What the change gate lets through of one recommendation, in this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Which way the container goes.
    pub verdict: Verdict,
    /// CPU request per replica after this run; `None` where none is in force and none is to be set.
    pub cpu: Option<Millicores>,
    /// Memory request per replica after this run; `None` where none is in force and none is to be set.
    pub memory: Option<Bytes>,
    /// Place in the order of changes, from 1: all of one wave are made before any of the next. `None` where
    /// nothing changes.
    pub wave: Option<u32>,
    /// Why, a sentence.
    pub reason: String,
}
