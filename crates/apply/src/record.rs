//! What was there before each change, written down before it is made.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;

use jiff::Timestamp;
use mora_core::{ApplyMode, WorkloadRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::WorkloadOutcome;

mod journal;
mod kept;
mod object;

pub use journal::{Held, Journal};
pub use kept::Kept;
pub use object::PlanObjects;

/// Why what was there before cannot be written down or read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("cannot use {} to record what was there before; nothing is changed without it, so check that the folder is there and writable", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The record cannot be understood.
    #[error("the record {} cannot be read; mend it by hand, it says what was there before", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A newer version wrote the record.
    #[error(
        "the record of plan {plan} was written by a newer version (schema {found}, this one reads up to {known}); update this program"
    )]
    Newer {
        /// The plan.
        plan: String,
        /// Its schema.
        found: u32,
        /// The newest schema this version reads.
        known: u32,
    },
    /// Somebody else puts a plan in force or takes one back.
    #[error("another run puts a plan in force from {}; wait for it, or stop it", .0.display())]
    Busy(PathBuf),
    /// The object of the plan did not take or give its record.
    #[error("the record of plan {plan} cannot be kept in its object")]
    Object {
        /// The plan.
        plan: String,
        /// Why.
        #[source]
        source: Box<mora_kubernetes::CustomResourceError>,
    },
    /// There is no place for records.
    #[error(
        "there is no place to record what was there before, and nothing is changed without it; set `state` to a folder, or `cluster.plans`"
    )]
    Nowhere,
    /// There is no such record.
    #[error(
        "nothing was recorded of plan {plan} in {place}; see `mora rollback --help` for where records are kept"
    )]
    Unknown {
        /// The plan.
        plan: String,
        /// Where it was looked for.
        place: String,
    },
}

/// The `resources` of a container, exactly as the API has them; `None` where the field is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Before the change.
    pub before: Option<Value>,
    /// After it.
    pub after: Value,
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum Place {
    /// The pod template of the workload.
    Template {
        /// Identity of the workload's object.
        uid: String,
        /// The plan that the workload followed before, by its annotation.
        plan_before: Option<String>,
        /// The containers.
        containers: BTreeMap<String, Pair>,
    },
    /// A running pod.
    Pod {
        /// Its name.
        name: String,
        /// Its identity.
        uid: String,
        /// The containers.
        containers: BTreeMap<String, Pair>,
    },
    /// The status of a VerticalPodAutoscaler.
    Autoscaler {
        /// Its name.
        name: String,
        /// The recommender that it named.
        recommender: String,
        /// Its recommendation and conditions before, null for none.
        before: [Value; 2],
        /// The same after.
        after: [Value; 2],
    },
}

impl Place {
    /// Whether both are the same part of the same object.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Template { uid: a, .. }, Self::Template { uid: b, .. })
            | (Self::Pod { uid: a, .. }, Self::Pod { uid: b, .. })
            | (Self::Autoscaler { name: a, .. }, Self::Autoscaler { name: b, .. }) => a == b,
            _ => false,
        }
    }

    /// Lets what was there before the `earlier` change of the same place be what was there before, as far as that change is what
    /// this one began from.
    fn continue_from(&mut self, earlier: &Self) {
        match (self, earlier) {
            (
                Self::Template { plan_before, containers, .. },
                Self::Template { plan_before: first, containers: earlier, .. },
            ) => {
                plan_before.clone_from(first);
                continue_pairs(containers, earlier);
            }
            (Self::Pod { containers, .. }, Self::Pod { containers: earlier, .. }) => {
                continue_pairs(containers, earlier);
            }
            (
                Self::Autoscaler { before, .. },
                Self::Autoscaler { before: first, after: began, .. },
            ) if before == began => before.clone_from(first),
            _ => {}
        }
    }
}

fn continue_pairs(containers: &mut BTreeMap<String, Pair>, earlier: &BTreeMap<String, Pair>) {
    for (name, first) in earlier {
        match containers.get_mut(name) {
            None => drop(containers.insert(name.clone(), first.clone())),
            Some(pair) if crate::resources::same(pair.before.as_ref(), Some(&first.after)) => {
                pair.before.clone_from(&first.before);
            }
            Some(_) => {}
        }
    }
}

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// It is about to be made, and may have been.
    Begun,
    /// It was made.
    Made,
    /// It was undone.
    Undone,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The workload.
    pub workload: WorkloadRef,
    /// The mode that asked for it.
    pub mode: ApplyMode,
    /// When it was written down.
    pub at: Timestamp,
    /// How far it is.
    pub state: ChangeState,
    /// What was changed, before and after.
    #[serde(flatten)]
    pub place: Place,
}

/// All that was changed for one plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppliedPlan {
    /// Version of this schema; grows when a field changes its meaning.
    pub schema: u32,
    /// The plan.
    pub plan: String,
    /// The changes in the order they were begun.
    pub changes: Vec<Change>,
    /// What became of each workload when it was last put in force.
    #[serde(default)]
    pub outcomes: Vec<WorkloadOutcome>,
}

impl AppliedPlan {
    /// The schema version this build writes.
    pub const SCHEMA: u32 = 1;

    /// A record of `plan` without any change.
    #[must_use]
    pub fn new(plan: &str) -> Self {
        Self {
            schema: Self::SCHEMA,
            plan: plan.to_owned(),
            changes: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Takes in `change`, which is about to be made; returns its place in the list. What an earlier change of the same object
    /// for this plan found there stays what is restored.
    pub(crate) fn begin(&mut self, mut change: Change) -> usize {
        let same = |c: &Change| c.workload == change.workload && c.place.is(&change.place);
        if let Some(index) = self.changes.iter().position(same) {
            let earlier = self.changes.remove(index);
            if earlier.state != ChangeState::Undone {
                change.place.continue_from(&earlier.place);
            }
        }
        self.changes.push(change);
        self.changes.len() - 1
    }

    /// Whether anything is not undone.
    #[must_use]
    pub fn is_outstanding(&self) -> bool {
        self.changes.iter().any(|change| change.state != ChangeState::Undone)
    }
}

/// Where records are kept.
pub trait Records: Sync {
    /// Keeps `applied`, whole or not at all; once this has returned it outlives the machine.
    fn save(&self, applied: &AppliedPlan) -> impl Future<Output = Result<(), RecordError>> + Send;

    /// What was recorded of `plan`; `None` where nothing was.
    fn load(
        &self,
        plan: &str,
    ) -> impl Future<Output = Result<Option<AppliedPlan>, RecordError>> + Send;
}

/// The record in `bytes`, unless a newer version wrote it.
pub(crate) fn read(bytes: &[u8]) -> Result<Result<AppliedPlan, RecordError>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Head {
        schema: u32,
        plan: String,
    }
    let Head { schema: found, plan } = serde_json::from_slice(bytes)?;
    let known = AppliedPlan::SCHEMA;
    if found > known {
        return Ok(Err(RecordError::Newer { plan, found, known }));
    }
    serde_json::from_slice(bytes).map(Ok)
}
