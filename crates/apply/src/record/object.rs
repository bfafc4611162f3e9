//! Records in the object of a plan, where `kubectl` shows them.

use jiff::Timestamp;
use mora_kubernetes::{
    AppliedChange, AppliedOutcome, ChangedPlace, Cluster, CustomResourceError, object_name,
};
use serde_json::{Value, json};

use super::{AppliedPlan, Change, ChangeState, Pair, Place, RecordError, Records};
use crate::{Outcome, WorkloadOutcome};

/// The objects of plans in a namespace, whose status takes the records.
#[derive(Debug, Clone)]
pub struct PlanObjects {
    /// The cluster they are in.
    pub cluster: Cluster,
    /// Their namespace.
    pub namespace: String,
}

impl Records for PlanObjects {
    async fn save(&self, applied: &AppliedPlan) -> Result<(), RecordError> {
        let name = object_name(&applied.plan);
        let entries: Vec<AppliedChange> =
            applied.changes.iter().flat_map(|change| entries(applied, change)).collect();
        let noted = self.cluster.record_applied(&self.namespace, &name, &entries).await;
        noted.map_err(|source| of(&applied.plan, source))
    }

    async fn load(&self, plan: &str) -> Result<Option<AppliedPlan>, RecordError> {
        match self.cluster.plan_of(&self.namespace, &object_name(plan)).await {
            Ok(found) if found.applied.is_empty() => Ok(None),
            Ok(found) => Ok(Some(record(&found.plan.id, &found.applied))),
            Err(CustomResourceError::Absent { .. }) => Ok(None),
            Err(source) => Err(of(plan, source)),
        }
    }
}

fn of(plan: &str, source: CustomResourceError) -> RecordError {
    RecordError::Object { plan: plan.to_owned(), source: Box::new(source) }
}

/// One entry for each container, or one for an autoscaler.
fn entries(applied: &AppliedPlan, change: &Change) -> Vec<AppliedChange> {
    let became = applied.outcomes.iter().find(|one| one.workload == change.workload);
    let entry = |place, container: &str, uid: &str, sides: [String; 2], extra| AppliedChange {
        workload: change.workload.clone(),
        place,
        container: container.to_owned(),
        uid: uid.to_owned(),
        mode: change.mode,
        before: sides[0].clone(),
        after: sides[1].clone(),
        extra,
        at: change.at,
        outcome: outcome(change.state, became),
        message: became.map(|one| one.detail.clone()).unwrap_or_default(),
    };
    match &change.place {
        Place::Template { uid, plan_before, containers } => {
            let extra = plan_before.as_ref().map(|id| json!({ "plan": id }).to_string());
            let extra = extra.unwrap_or_default();
            let of_pair = |(name, pair): (&String, &Pair)| {
                entry(ChangedPlace::Template, name, uid, texts(pair), extra.clone())
            };
            containers.iter().map(of_pair).collect()
        }
        Place::Pod { name: pod, uid, containers } => {
            let of_pair = |(name, pair): (&String, &Pair)| {
                entry(ChangedPlace::Pod(pod.clone()), name, uid, texts(pair), String::new())
            };
            containers.iter().map(of_pair).collect()
        }
        Place::Autoscaler { name, recommender, before, after } => {
            let sides = [before, after].map(|side| json!(side).to_string());
            let extra = json!({ "recommender": recommender }).to_string();
            vec![entry(ChangedPlace::Autoscaler(name.clone()), "", "", sides, extra)]
        }
    }
}

/// A field that is absent is an empty text.
fn texts(pair: &Pair) -> [String; 2] {
    [pair.before.as_ref().map(Value::to_string).unwrap_or_default(), pair.after.to_string()]
}

const fn outcome(state: ChangeState, became: Option<&WorkloadOutcome>) -> AppliedOutcome {
    match (state, became) {
        (ChangeState::Undone, _) => AppliedOutcome::RolledBack,
        (ChangeState::Made, _) => AppliedOutcome::Applied,
        (ChangeState::Begun, Some(WorkloadOutcome { outcome: Outcome::Failed, .. })) => {
            AppliedOutcome::Failed
        }
        (ChangeState::Begun, _) => AppliedOutcome::Started,
    }
}

/// The record that `entries` tell of.
fn record(plan: &str, entries: &[AppliedChange]) -> AppliedPlan {
    let mut applied = AppliedPlan::new(plan);
    for entry in entries {
        let Some(place) = place(entry) else { continue };
        let same = |c: &&mut Change| c.workload == entry.workload && c.place.is(&place);
        match applied.changes.iter_mut().find(same) {
            Some(change) => joined(&mut change.place, place),
            None => applied.changes.push(Change {
                workload: entry.workload.clone(),
                mode: entry.mode,
                at: entry.at,
                state: state(entry.outcome),
                place,
            }),
        }
    }
    let begun = |change: &Change| -> Timestamp { change.at };
    applied.changes.sort_by_key(begun);
    applied
}

/// Adds the containers of `more` to those of `place`.
fn joined(place: &mut Place, more: Place) {
    match (place, more) {
        (Place::Template { containers, .. }, Place::Template { containers: more, .. })
        | (Place::Pod { containers, .. }, Place::Pod { containers: more, .. }) => {
            containers.extend(more);
        }
        _ => {}
    }
}

const fn state(outcome: AppliedOutcome) -> ChangeState {
    match outcome {
        AppliedOutcome::Applied => ChangeState::Made,
        AppliedOutcome::RolledBack => ChangeState::Undone,
        AppliedOutcome::Started | AppliedOutcome::Failed | AppliedOutcome::LeftAlone => {
            ChangeState::Begun
        }
    }
}

/// What an entry says was changed; `None` where it is not of this program's writing.
fn place(entry: &AppliedChange) -> Option<Place> {
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    let extra = json(&entry.extra).unwrap_or_default();
    let pair = || {
        let before = if entry.before.is_empty() { None } else { Some(json(&entry.before)?) };
        let pair = Pair { before, after: json(&entry.after)? };
        Some([(entry.container.clone(), pair)].into())
    };
    let text = |key: &str| extra[key].as_str().map(str::to_owned);
    match &entry.place {
        ChangedPlace::Template => Some(Place::Template {
            uid: entry.uid.clone(),
            plan_before: text("plan"),
            containers: pair()?,
        }),
        ChangedPlace::Pod(name) => {
            Some(Place::Pod { name: name.clone(), uid: entry.uid.clone(), containers: pair()? })
        }
        ChangedPlace::Autoscaler(name) => Some(Place::Autoscaler {
            name: name.clone(),
            recommender: text("recommender")?,
            before: serde_json::from_str(&entry.before).ok()?,
            after: serde_json::from_str(&entry.after).ok()?,
        }),
    }
}

#[cfg(test)]
mod tests;
