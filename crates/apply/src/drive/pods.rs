//! Resizing running pods.

use std::collections::BTreeMap;

use mora_kubernetes::{PodState, Resizing};
use serde_json::Value;
use tokio::time::Instant;

use super::{Driver, Ended, Making, TRIES};
use crate::actuator::{is_absent, is_stale, said};
use crate::check::{PodVerdict, Verdict, pod_change, sizes};
use crate::record::{ChangeState, Place, RecordError, Records};
use crate::resources::same;
use crate::{Actuator, Outcome};

/// What became of one pod.
enum PodEnd {
    Resized,
    Unchanged,
    /// It is gone, and what took its place comes next time.
    Gone,
    Left(String),
    SetBack(String),
    Failed(String),
}

/// How far a pod is with what was asked of it.
enum Progress {
    Done,
    Waiting(String),
    Hopeless(String),
}

impl<A: Actuator, R: Records> Driver<'_, A, R> {
    /// Resizes the running pods of the workload, one after the other, and stops at the first that cannot be.
    pub(super) async fn resize(&self, making: &mut Making<'_>) -> Result<Ended, RecordError> {
        let pods = match self.actuator.pods(&making.intent.workload).await {
            Ok(pods) => pods,
            Err(error) => return Ok((Outcome::Failed, said(&error))),
        };
        let running: Vec<PodState> = pods.into_iter().filter(|pod| pod.runs).collect();
        let (mut resized, mut gone) = (0, 0);
        for pod in &running {
            match self.resize_pod(making, &pod.name, &pod.uid).await? {
                PodEnd::Resized => resized += 1,
                PodEnd::Unchanged => {}
                PodEnd::Gone => gone += 1,
                PodEnd::Left(reason) if resized == 0 => return Ok((Outcome::LeftAlone, reason)),
                PodEnd::SetBack(reason) if resized == 0 => return Ok((Outcome::SetBack, reason)),
                PodEnd::Left(reason) | PodEnd::SetBack(reason) | PodEnd::Failed(reason) => {
                    let all = running.len();
                    return Ok((
                        Outcome::Failed,
                        format!(
                            "{resized} of {all} pods were resized, then pod {}: {reason}",
                            pod.name
                        ),
                    ));
                }
            }
            if self.stop.is_cancelled() && resized < running.len() {
                let reason = format!(
                    "{resized} of {} pods were resized before the run was told to stop",
                    running.len()
                );
                return Ok((Outcome::Failed, reason));
            }
        }
        Ok(told(running.len(), resized, gone))
    }

    async fn resize_pod(
        &self,
        making: &mut Making<'_>,
        name: &str,
        uid: &str,
    ) -> Result<PodEnd, RecordError> {
        let intent = making.intent;
        for _ in 0..TRIES {
            let template = match self.actuator.template(&intent.workload).await {
                Ok(template) => template,
                Err(error) => return Ok(PodEnd::Failed(said(&error))),
            };
            let pod = match self.actuator.pod(intent.workload.namespace(), name).await {
                Ok(Some(pod)) if pod.uid == uid && pod.runs => pod,
                Ok(_) => return Ok(PodEnd::Gone),
                Err(error) => return Ok(PodEnd::Failed(said(&error))),
            };
            let wanted = match pod_change(intent, &pod, &template) {
                Verdict::Unchanged => return Ok(PodEnd::Unchanged),
                Verdict::Leave(reason) => return Ok(PodEnd::Left(reason)),
                Verdict::Change(wanted) => wanted,
            };
            if let Some(ended) = self.write_pod(making, &pod, wanted).await? {
                return Ok(ended);
            }
        }
        Ok(PodEnd::Failed(format!("it was changed by others {TRIES} times meanwhile")))
    }

    /// Writes down and makes one change of `pod`, and waits for it; `None` when the pod has changed meanwhile.
    async fn write_pod(
        &self,
        making: &mut Making<'_>,
        pod: &PodState,
        wanted: PodVerdict,
    ) -> Result<Option<PodEnd>, RecordError> {
        let (name, uid) = (pod.name.clone(), pod.uid.clone());
        let place = Place::Pod { name, uid, containers: wanted.clone() };
        let index = self.begin(making, place).await?;
        let after: BTreeMap<String, Value> =
            wanted.iter().map(|(name, pair)| (name.clone(), sizes(&pair.after))).collect();
        let namespace = making.intent.workload.namespace();
        if let Err(error) = self.actuator.resize(namespace, pod, &after).await {
            return match error {
                stale if is_stale(&stale) => Ok(None),
                absent if is_absent(&absent) => Ok(Some(PodEnd::Left(
                    "the pod is gone, or the API server has no resize subresource for pods (Kubernetes 1.33 and newer have)".to_owned(),
                ))),
                error => Ok(Some(PodEnd::Failed(said(&error)))),
            };
        }
        match self.resized(namespace, pod, &after).await {
            Ok(true) => {
                self.note(making, index, ChangeState::Made).await?;
                Ok(Some(PodEnd::Resized))
            }
            Ok(false) => Ok(Some(PodEnd::Gone)),
            Err(reason) => Ok(Some(self.set_back(making, index, (pod, &wanted), reason).await?)),
        }
    }

    /// Waits until the pod that was `before` has the sizes `after`; false when it is gone.
    ///
    /// Fails with the reason when it will not have them, or not in time, or restarted.
    async fn resized(
        &self,
        namespace: &str,
        before: &PodState,
        after: &BTreeMap<String, Value>,
    ) -> Result<bool, String> {
        let deadline = Instant::now() + self.config.resized();
        loop {
            let waiting = match self.actuator.pod(namespace, &before.name).await {
                Ok(Some(pod)) if pod.uid == before.uid => {
                    if let Some(container) = restarted(before, &pod) {
                        return Err(format!("its container {container} was restarted by it"));
                    }
                    match progress(&pod, after) {
                        Progress::Done if pod.ready || !before.ready => return Ok(true),
                        Progress::Done => "it is not ready any more".to_owned(),
                        Progress::Hopeless(reason) => return Err(reason),
                        Progress::Waiting(reason) => reason,
                    }
                }
                Ok(_) => return Ok(false),
                Err(error) => said(&error),
            };
            if Instant::now() >= deadline {
                let waited = self.config.in_place.deadline_seconds;
                return Err(format!("it was not resized within {waited} s: {waiting}"));
            }
            if !self.paused().await {
                return Err(format!("the run was told to stop: {waiting}"));
            }
        }
    }

    /// Asks for what `pod` had before; the kubelet has room for what runs, so that this is not waited for.
    async fn set_back(
        &self,
        making: &mut Making<'_>,
        index: usize,
        (pod, wanted): (&PodState, &PodVerdict),
        reason: String,
    ) -> Result<PodEnd, RecordError> {
        let namespace = making.intent.workload.namespace();
        let before: BTreeMap<String, Value> = wanted
            .iter()
            .filter_map(|(name, pair)| Some((name.clone(), sizes(pair.before.as_ref()?))))
            .collect();
        let mut failed = String::new();
        for _ in 0..TRIES {
            let now = match self.actuator.pod(namespace, &pod.name).await {
                Ok(Some(now)) if now.uid == pod.uid => now,
                Ok(_) => return Ok(PodEnd::Gone),
                Err(error) => {
                    failed = said(&error);
                    break;
                }
            };
            match self.actuator.resize(namespace, &now, &before).await {
                Ok(_) => {
                    self.note(making, index, ChangeState::Undone).await?;
                    return Ok(PodEnd::SetBack(format!("pod {} was set back: {reason}", pod.name)));
                }
                Err(error) => failed = said(&error),
            }
        }
        Ok(PodEnd::Failed(format!("{reason}; and it could not be set back: {failed}")))
    }
}

fn told(running: usize, resized: usize, gone: usize) -> Ended {
    if running == 0 {
        return (Outcome::LeftAlone, "it has no running pod to resize".to_owned());
    }
    let had_it = running - resized - gone;
    let mut parts = vec![format!("{resized} of {running} pods were resized")];
    parts.extend((had_it > 0).then(|| format!("{had_it} had it already")));
    parts.extend((gone > 0).then(|| {
        format!("{gone} went away, and what took their place is resized by the next run")
    }));
    let outcome = if resized + gone == 0 { Outcome::Unchanged } else { Outcome::Applied };
    (outcome, parts.join(", "))
}

/// The first container that was restarted since `before`.
fn restarted<'a>(before: &PodState, now: &'a PodState) -> Option<&'a str> {
    let more = |name: &str, restarts: u32| {
        before.container(name).is_some_and(|container| restarts > container.restarts)
    };
    let found = now.containers.iter().find(|container| more(&container.name, container.restarts));
    found.map(|container| container.name.as_str())
}

fn progress(pod: &PodState, after: &BTreeMap<String, Value>) -> Progress {
    match &pod.resizing {
        Resizing::Infeasible(message) => {
            return Progress::Hopeless(format!("its node can never hold it: {message}"));
        }
        Resizing::Deferred(message) => {
            return Progress::Waiting(format!("its node has no room for it now: {message}"));
        }
        Resizing::Failed(message) => {
            return Progress::Waiting(format!("the kubelet failed at it: {message}"));
        }
        Resizing::InProgress => return Progress::Waiting("it is being resized".to_owned()),
        Resizing::None => {}
    }
    let has = |name: &str, wanted: &Value| {
        pod.container(name).is_some_and(|c| {
            let actual = c.actual.as_ref().map(sizes);
            let requests = c.allocated.as_ref();
            // Old runtimes do not report what containers have, and the kubelet then repeats what it once said.
            let is_actual = actual.is_some() && same(actual.as_ref(), Some(wanted));
            let is_allocated =
                pod.observed == Some(true) && requests.is_some_and(|held| holds(held, wanted));
            is_actual || is_allocated
        })
    };
    if after.iter().all(|(name, wanted)| has(name, wanted)) {
        Progress::Done
    } else {
        Progress::Waiting("the kubelet has not taken it up yet".to_owned())
    }
}

/// Whether the requests that were set aside are those of `wanted`.
fn holds(allocated: &Value, wanted: &Value) -> bool {
    let as_requests = |requests: &Value| serde_json::json!({"requests": requests});
    let requests = wanted.get("requests").cloned().unwrap_or_default();
    same(Some(&as_requests(allocated)), Some(&as_requests(&requests)))
}
