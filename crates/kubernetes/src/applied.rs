//! What was changed in the cluster to put a plan in force, noted in the plan's object.

use jiff::Timestamp;
use kube::api::Patch;
use mora_core::{ApplyMode, WorkloadRef};
use serde_json::json;

use crate::custom_resources::{
    AppliedEntry, AppliedPlace, AppliedResult, Condition, RightsizingPlan, RightsizingPlanStatus,
};
use crate::published::{applied_condition, bounded};
use crate::{Cluster, ClusterError, CustomResourceError};

/// Tries to note what others note too.
const TRIES: u32 = 8;
/// Longest message, in bytes.
const MESSAGE: usize = 512;
const CONFLICT: u16 = 409;

/// What was changed of a workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangedPlace {
    /// Its pod template.
    Template,
    /// The running pod of this name.
    Pod(String),
    /// The status of the VerticalPodAutoscaler of this name.
    Autoscaler(String),
}

/// How far a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppliedOutcome {
    /// It was about to be made; whether it was is not known.
    Started,
    /// It is made.
    Applied,
    /// It was not made on purpose.
    LeftAlone,
    /// It could not be made.
    Failed,
    /// It was made and taken back.
    RolledBack,
}

/// One change that puts a plan in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedChange {
    /// The workload.
    pub workload: WorkloadRef,
    /// What of it was changed.
    pub place: ChangedPlace,
    /// The container; empty where no container was changed.
    pub container: String,
    /// Identity of the object that was changed.
    pub uid: String,
    /// How.
    pub mode: ApplyMode,
    /// What was there before, in JSON as the API gave it, of a container its `resources`; at most 16 KiB. It is kept to the byte.
    pub before: String,
    /// What was there after, in JSON; at most 16 KiB.
    pub after: String,
    /// What else taking it back needs, in JSON; may be empty, at most 1 KiB.
    pub extra: String,
    /// When the outcome was noted.
    pub at: Timestamp,
    /// How far it came.
    pub outcome: AppliedOutcome,
    /// What there is to say of it; may be empty.
    pub message: String,
}

impl Cluster {
    /// Notes `changes` in the object of the plan `name` in `namespace`: each takes the place of what was noted of the same
    /// place and container, and what was noted of others stays, whoever noted it.
    ///
    /// Fails when there is no such plan, when it is written to all the time, or when the API refuses, as it does where
    /// a text is too long.
    pub async fn record_applied(
        &self,
        namespace: &str,
        name: &str,
        changes: &[AppliedChange],
    ) -> Result<(), CustomResourceError> {
        let entries: Vec<AppliedEntry> = changes.iter().map(entry).collect();
        let mut attempt = 1;
        loop {
            let object: RightsizingPlan = self.custom_resource(namespace, name).await?;
            let patch = noted(&object, &entries);
            match self.patch_plan_status(namespace, name, &patch).await {
                Err(CustomResourceError::Cluster(ClusterError::Failed {
                    code: CONFLICT, ..
                })) if attempt < TRIES => attempt += 1,
                answer => return answer,
            }
        }
    }
}

/// The change of `object` that notes `entries`; the API refuses it when the object was changed in between.
fn noted(object: &RightsizingPlan, entries: &[AppliedEntry]) -> Patch<serde_json::Value> {
    let status = object.status.clone().unwrap_or_default();
    let applied = merged(status.applied.clone(), entries);
    let conditions = with_applied(&status, &applied);
    Patch::Merge(json!({
        "metadata": {"resourceVersion": object.metadata.resource_version},
        "status": {"applied": applied, "conditions": conditions},
    }))
}

fn merged(mut noted: Vec<AppliedEntry>, entries: &[AppliedEntry]) -> Vec<AppliedEntry> {
    for entry in entries {
        let same = |other: &&mut AppliedEntry| {
            (&other.workload, other.place, &other.object, &other.container)
                == (&entry.workload, entry.place, &entry.object, &entry.container)
        };
        match noted.iter_mut().find(same) {
            Some(place) => place.clone_from(entry),
            None => noted.push(entry.clone()),
        }
    }
    noted
}

/// The conditions of `status` with Applied as `applied` has it.
fn with_applied(status: &RightsizingPlanStatus, applied: &[AppliedEntry]) -> Vec<Condition> {
    let at = applied.iter().map(|entry| entry.at).max().unwrap_or_default();
    let mut next = applied_condition(applied, at);
    let mut conditions = status.conditions.clone();
    match conditions.iter_mut().find(|condition| condition.type_ == next.type_) {
        Some(place) => {
            if place.status == next.status {
                next.last_transition_time = place.last_transition_time;
            }
            *place = next;
        }
        None => conditions.push(next),
    }
    conditions
}

fn entry(change: &AppliedChange) -> AppliedEntry {
    let (place, object) = match &change.place {
        ChangedPlace::Template => (AppliedPlace::Template, String::new()),
        ChangedPlace::Pod(name) => (AppliedPlace::Pod, name.clone()),
        ChangedPlace::Autoscaler(name) => (AppliedPlace::Autoscaler, name.clone()),
    };
    AppliedEntry {
        workload: change.workload.to_string(),
        place,
        object,
        container: change.container.clone(),
        uid: change.uid.clone(),
        mode: change.mode.into(),
        before: change.before.clone(),
        after: change.after.clone(),
        extra: change.extra.clone(),
        at: change.at,
        outcome: match change.outcome {
            AppliedOutcome::Started => AppliedResult::Started,
            AppliedOutcome::Applied => AppliedResult::Applied,
            AppliedOutcome::LeftAlone => AppliedResult::LeftAlone,
            AppliedOutcome::Failed => AppliedResult::Failed,
            AppliedOutcome::RolledBack => AppliedResult::RolledBack,
        },
        message: bounded(&change.message, MESSAGE),
    }
}

/// The change that `entry` notes; fails with a sentence where the entry names no workload.
pub(crate) fn change(entry: &AppliedEntry) -> Result<AppliedChange, String> {
    Ok(AppliedChange {
        workload: entry.workload.parse().map_err(|e| format!("status.applied: {e}"))?,
        place: match entry.place {
            AppliedPlace::Template => ChangedPlace::Template,
            AppliedPlace::Pod => ChangedPlace::Pod(entry.object.clone()),
            AppliedPlace::Autoscaler => ChangedPlace::Autoscaler(entry.object.clone()),
        },
        container: entry.container.clone(),
        uid: entry.uid.clone(),
        mode: entry.mode.into(),
        before: entry.before.clone(),
        after: entry.after.clone(),
        extra: entry.extra.clone(),
        at: entry.at,
        outcome: match entry.outcome {
            AppliedResult::Started => AppliedOutcome::Started,
            AppliedResult::Applied => AppliedOutcome::Applied,
            AppliedResult::LeftAlone => AppliedOutcome::LeftAlone,
            AppliedResult::Failed => AppliedOutcome::Failed,
            AppliedResult::RolledBack => AppliedOutcome::RolledBack,
        },
        message: entry.message.clone(),
    })
}

#[cfg(test)]
mod tests;
