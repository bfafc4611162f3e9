//! Undoing what was recorded of a plan.

use std::collections::BTreeMap;
use std::time::Duration;

use mora_core::WorkloadRef;
use mora_kubernetes::{PodState, PodTemplate};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::actuator::{is_absent, is_stale, said};
use crate::check::sizes;
use crate::record::{AppliedPlan, Change, ChangeState, Pair, Place, RecordError, Records};
use crate::resources::same;
use crate::{Actuator, Outcome};

/// Tries to undo a change of an object that others change too.
const TRIES: u32 = 5;
/// Longest wait for a pod to state again what it stated before.
const RESIZED: Duration = Duration::from_secs(30);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of one change that was to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The workload.
    pub workload: WorkloadRef,
    /// What of it.
    pub what: String,
    /// `Applied` where it was undone, `Unchanged` where it was as before already.
    pub outcome: Outcome,
    /// What was done or why not, a sentence.
    pub detail: String,
}

/// Undoes what `applied` records, the last change first, each on its own: one that fails keeps no other from being tried.
///
/// What is neither as it was before nor as the plan left it was changed by somebody else; it is left alone unless `force`. What is
/// undone already is not touched again. Fails only when the record cannot be kept.
pub async fn roll_back(
    actuator: &impl Actuator,
    records: &impl Records,
    applied: &mut AppliedPlan,
    force: bool,
) -> Result<Vec<Undone>, RecordError> {
    let mut undone = Vec::new();
    for index in (0..applied.changes.len()).rev() {
        let change = applied.changes[index].clone();
        let (outcome, detail) = match change.state {
            ChangeState::Undone => (Outcome::Unchanged, "it was undone before".to_owned()),
            ChangeState::Begun | ChangeState::Made => undo(actuator, &change, force).await,
        };
        let is_undone = matches!(outcome, Outcome::Applied | Outcome::Unchanged);
        if is_undone && change.state != ChangeState::Undone {
            applied.changes[index].state = ChangeState::Undone;
            records.save(applied).await?;
        }
        let what = named(&change.place);
        undone.push(Undone { workload: change.workload, what, outcome, detail });
    }
    Ok(undone)
}

fn named(place: &Place) -> String {
    match place {
        Place::Template { .. } => "pod template".to_owned(),
        Place::Pod { name, .. } => format!("pod {name}"),
        Place::Autoscaler { name, .. } => format!("VerticalPodAutoscaler {name}"),
    }
}

type Ended = (Outcome, String);

/// What an attempt found.
enum Attempt {
    Ended(Outcome, String),
    /// It changed between being read and being written.
    Stale,
}

impl Attempt {
    fn was_so() -> Self {
        Self::Ended(Outcome::Unchanged, "it was as before already".to_owned())
    }

    fn gone() -> Self {
        Self::Ended(Outcome::Unchanged, "it is gone, so there is nothing to undo".to_owned())
    }

    fn foreign() -> Self {
        let reason = "conflict: somebody else changed it since; --force sets it back all the same";
        Self::Ended(Outcome::LeftAlone, reason.to_owned())
    }
}

async fn undo(actuator: &impl Actuator, change: &Change, force: bool) -> Ended {
    for _ in 0..TRIES {
        let workload = &change.workload;
        let attempt = match &change.place {
            Place::Template { uid, plan_before, containers } => {
                let before = (uid.as_str(), plan_before.as_deref(), containers);
                undo_template(actuator, workload, before, force).await
            }
            Place::Pod { name, uid, containers } => {
                let (namespace, pod) = (workload.namespace(), (name.as_str(), uid.as_str()));
                undo_pod(actuator, namespace, pod, containers, force).await
            }
            Place::Autoscaler { name, recommender, before, after } => {
                let (named, sides) = ((name.as_str(), recommender.as_str()), [before, after]);
                undo_recommendation(actuator, workload, named, sides, force).await
            }
        };
        match attempt {
            Attempt::Ended(outcome, detail) => return (outcome, detail),
            Attempt::Stale => {}
        }
    }
    (Outcome::Failed, format!("it was changed by others {TRIES} times meanwhile; try again"))
}

/// The recorded state of a template: its object, the plan before, and the containers.
type Recorded<'a> = (&'a str, Option<&'a str>, &'a BTreeMap<String, Pair>);

async fn undo_template(
    actuator: &impl Actuator,
    workload: &WorkloadRef,
    (uid, plan_before, containers): Recorded<'_>,
    force: bool,
) -> Attempt {
    let template = match actuator.template(workload).await {
        Ok(template) => template,
        Err(error) if is_absent(&error) => return Attempt::gone(),
        Err(error) => return Attempt::Ended(Outcome::Failed, said(&error)),
    };
    if template.uid != uid && !force {
        let reason = "it was deleted and made again since; --force sets it back all the same";
        return Attempt::Ended(Outcome::LeftAlone, reason.to_owned());
    }
    let before: BTreeMap<String, Option<Value>> =
        containers.iter().map(|(name, pair)| (name.clone(), pair.before.clone())).collect();
    if is_restored(&template, &before) {
        // Of a change that was written down and never made, or is undone already, not even the annotation is there.
        return Attempt::was_so();
    }
    let ours = |(name, pair): (&String, &Pair)| {
        let now = template.resources(name);
        template.has(name) && (same(now, Some(&pair.after)) || same(now, pair.before.as_ref()))
    };
    if !force && !containers.iter().all(ours) {
        return Attempt::foreign();
    }
    match actuator.restore(&template, &before, plan_before).await {
        Ok(after) if is_restored(&after, &before) => {
            Attempt::Ended(Outcome::Applied, "its pod template is as before".to_owned())
        }
        Ok(_) => {
            let reason = "the API took it, but something in the cluster changes it again; see its admission webhooks";
            Attempt::Ended(Outcome::Failed, reason.to_owned())
        }
        Err(error) if is_stale(&error) => Attempt::Stale,
        Err(error) => Attempt::Ended(Outcome::Failed, said(&error)),
    }
}

/// Whether every container has exactly what it had.
fn is_restored(template: &PodTemplate, before: &BTreeMap<String, Option<Value>>) -> bool {
    before.iter().all(|(name, raw)| template.resources(name) == raw.as_ref())
}

async fn undo_pod(
    actuator: &impl Actuator,
    namespace: &str,
    (name, uid): (&str, &str),
    containers: &BTreeMap<String, Pair>,
    force: bool,
) -> Attempt {
    let pod = match actuator.pod(namespace, name).await {
        Ok(Some(pod)) if pod.uid == uid => pod,
        Ok(_) => return Attempt::gone(),
        Err(error) => return Attempt::Ended(Outcome::Failed, said(&error)),
    };
    if has_before(&pod, containers) {
        return Attempt::was_so();
    }
    let ours = |(name, pair): (&String, &Pair)| {
        let now = pod.container(name).map(|container| &container.resources);
        now.is_some() && (same(now, Some(&pair.after)) || same(now, pair.before.as_ref()))
    };
    if !force && !containers.iter().all(ours) {
        return Attempt::foreign();
    }
    let before = containers
        .iter()
        .filter_map(|(name, pair)| Some((name.clone(), sizes(pair.before.as_ref()?))))
        .collect();
    match actuator.resize(namespace, &pod, &before).await {
        Ok(_) => stated_again(actuator, namespace, &pod, containers).await,
        Err(error) if is_stale(&error) => Attempt::Stale,
        Err(error) if is_absent(&error) => Attempt::gone(),
        Err(error) => Attempt::Ended(Outcome::Failed, said(&error)),
    }
}

fn has_before(pod: &PodState, containers: &BTreeMap<String, Pair>) -> bool {
    containers.iter().all(|(name, pair)| {
        pod.container(name).map(|container| &container.resources) == pair.before.as_ref()
    })
}

/// Waits until the pod states what it stated before.
async fn stated_again(
    actuator: &impl Actuator,
    namespace: &str,
    pod: &PodState,
    containers: &BTreeMap<String, Pair>,
) -> Attempt {
    let deadline = Instant::now() + RESIZED;
    loop {
        match actuator.pod(namespace, &pod.name).await {
            Ok(Some(now)) if now.uid == pod.uid && has_before(&now, containers) => {
                return Attempt::Ended(Outcome::Applied, "it was resized back".to_owned());
            }
            Ok(Some(now)) if now.uid == pod.uid => {}
            Ok(_) => return Attempt::gone(),
            Err(error) if Instant::now() >= deadline => {
                return Attempt::Ended(Outcome::Failed, said(&error));
            }
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            let reason = format!("the API took it, but it is not as before after {RESIZED:?}");
            return Attempt::Ended(Outcome::Failed, reason);
        }
        sleep(PAUSE).await;
    }
}

async fn undo_recommendation(
    actuator: &impl Actuator,
    workload: &WorkloadRef,
    (name, recommender): (&str, &str),
    [before, after]: [&[Value; 2]; 2],
    force: bool,
) -> Attempt {
    // One that was given to another recommender is that one's to write.
    let found = match actuator.autoscalers(workload, recommender).await {
        Ok(found) => found.into_iter().find(|autoscaler| autoscaler.name == name),
        Err(error) if is_absent(&error) => None,
        Err(error) => return Attempt::Ended(Outcome::Failed, said(&error)),
    };
    let Some(autoscaler) = found else { return Attempt::gone() };
    let now = ["recommendation", "conditions"]
        .map(|key| autoscaler.status.get(key).cloned().unwrap_or_default());
    if now == *before {
        return Attempt::was_so();
    }
    if !force && now[0] != after[0] && now[0] != before[0] {
        return Attempt::foreign();
    }
    let answer =
        actuator.recommend(workload.namespace(), &autoscaler, &before[0], &before[1]).await;
    match answer {
        Ok(()) => Attempt::Ended(Outcome::Applied, "its recommendation is as before".to_owned()),
        Err(error) if is_stale(&error) => Attempt::Stale,
        Err(error) => Attempt::Ended(Outcome::Failed, said(&error)),
    }
}

#[cfg(test)]
mod tests;
