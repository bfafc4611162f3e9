//! Events about what a plan finds and changes, on the workloads it concerns, where `kubectl describe` shows them.

mod news;

use std::collections::BTreeMap;

use http::Request;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::{GetParams, ObjectMeta, PartialObjectMeta, PostParams};
use kube::core::Request as Path;
use kube::core::request::Error as RequestError;
use mora_core::{Recommendation, Violation, WorkloadKind, WorkloadRef};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::ask::{Asked, ask};
use crate::{Cluster, ClusterError};
use news::News;

/// Who reports.
const COMPONENT: &str = "mora-coordinator";
/// The same violation within this time is counted; after it, it is new.
const SAME: SignedDuration = SignedDuration::from_hours(1);
/// Tries to write an Event that others write too.
const TRIES: u32 = 4;
const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;

impl Cluster {
    /// Writes one Event for each of `violations` that concerns a workload; returns how many could not be
    /// written, each with its reason as a sentence.
    ///
    /// An Event about the same violation is found by its name: within an hour its count grows, later it begins
    /// anew. A conflict with another writer is resolved by reading again.
    pub async fn publish_events(&self, violations: &[Violation], now: Timestamp) -> Vec<String> {
        self.tell(violations.iter().filter_map(News::of_violation), now).await
    }

    /// Writes one Event for each workload of which a request changes in this run, as `recommendations` have decided; returns
    /// what could not be written as [`Cluster::publish_events`] does, and counts in the same way.
    pub async fn publish_changes(
        &self,
        recommendations: &[Recommendation],
        now: Timestamp,
    ) -> Vec<String> {
        self.tell(News::of_changes(recommendations), now).await
    }

    async fn tell(&self, news: impl IntoIterator<Item = News>, now: Timestamp) -> Vec<String> {
        let mut uids: BTreeMap<WorkloadRef, Option<String>> = BTreeMap::new();
        let mut failures = Vec::new();
        for one in news {
            let workload = one.workload.clone();
            if !uids.contains_key(&workload) {
                let uid = self.uid(&workload).await;
                uids.insert(workload.clone(), uid);
            }
            let event = event(one, uids[&workload].clone(), now);
            if let Err(error) = self.record(workload.namespace(), event, now).await {
                failures.push(format!("no Event tells of {workload}: {error}"));
            }
        }
        failures
    }

    /// The identity by which `kubectl describe` finds Events; without it they are only found by name.
    async fn uid(&self, workload: &WorkloadRef) -> Option<String> {
        let found = match workload.kind() {
            WorkloadKind::Deployment => self.metadata::<Deployment>(workload).await,
            WorkloadKind::StatefulSet => self.metadata::<StatefulSet>(workload).await,
            WorkloadKind::DaemonSet => self.metadata::<DaemonSet>(workload).await,
        };
        let metadata =
            found.inspect_err(|error| warn!("Events of {workload} have no uid: {error}"));
        metadata.ok()?.uid
    }

    async fn metadata<K>(&self, workload: &WorkloadRef) -> Result<ObjectMeta, ClusterError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let asked = asked::<K>("get", workload.namespace());
        let path = Path::new(K::url_path(&(), Some(workload.namespace())));
        let request = path.get_metadata(workload.name(), &GetParams::default());
        let object: PartialObjectMeta<K> = self.answer(request, &asked).await?;
        Ok(object.metadata)
    }

    async fn record(
        &self,
        namespace: &str,
        event: Event,
        now: Timestamp,
    ) -> Result<(), ClusterError> {
        let mut attempt = 1;
        loop {
            match self.write(namespace, &event, now).await {
                Err(ClusterError::Failed { code: CONFLICT | NOT_FOUND, .. }) if attempt < TRIES => {
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Creates `event`, or counts the one that is there.
    async fn write(
        &self,
        namespace: &str,
        event: &Event,
        now: Timestamp,
    ) -> Result<(), ClusterError> {
        let path = Path::new(Event::url_path(&(), Some(namespace)));
        let name = event.metadata.name.as_deref().unwrap_or_default();
        let asked = |verb| asked::<Event>(verb, namespace);
        let found = self.answer(path.get(name, &GetParams::default()), &asked("get")).await;
        let parameters = PostParams::default();
        let (request, asked) = match found {
            Ok(found) => {
                let counted = body(&counted(event, &found, now), &asked("update"))?;
                (path.replace(name, &parameters, counted), asked("update"))
            }
            Err(ClusterError::Failed { code: NOT_FOUND, .. }) => {
                (path.create(&parameters, body(event, &asked("create"))?), asked("create"))
            }
            Err(error) => return Err(error),
        };
        self.answer::<serde_json::Value>(request, &asked).await.map(drop)
    }

    /// The answer to `request`; fails as the API does, or when the request cannot be made.
    pub(crate) async fn answer<T: DeserializeOwned>(
        &self,
        request: Result<Request<Vec<u8>>, RequestError>,
        asked: &Asked,
    ) -> Result<T, ClusterError> {
        let built = request.map_err(|e| ClusterError::of(kube::Error::BuildRequest(e), asked))?;
        ask(&self.client, &built, asked).await
    }
}

fn asked<K: Resource<DynamicType = ()>>(verb: &'static str, namespace: &str) -> Asked {
    Asked {
        verb,
        group: K::group(&()).into_owned(),
        resource: K::plural(&()).into_owned(),
        scope: format!(" in namespace {namespace}"),
    }
}

fn body(event: &Event, asked: &Asked) -> Result<Vec<u8>, ClusterError> {
    serde_json::to_vec(event).map_err(|e| ClusterError::of(kube::Error::SerdeError(e), asked))
}

/// The Event that brings `news`, as seen for the first time.
fn event(news: News, uid: Option<String>, now: Timestamp) -> Event {
    let text = |text: &str| Some(text.to_owned());
    let workload = &news.workload;
    Event {
        metadata: ObjectMeta {
            name: Some(news.name()),
            namespace: text(workload.namespace()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: text("apps/v1"),
            kind: text(workload.kind().as_str()),
            name: text(workload.name()),
            namespace: text(workload.namespace()),
            uid,
            ..ObjectReference::default()
        },
        reason: text(news.reason),
        type_: text(news.type_),
        message: Some(news.message),
        count: Some(1),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        source: Some(EventSource { component: text(COMPONENT), host: None }),
        reporting_component: text(COMPONENT),
        reporting_instance: text(COMPONENT),
        ..Event::default()
    }
}

/// `event` as the next of the `found` one, which keeps its identity.
fn counted(event: &Event, found: &Event, now: Timestamp) -> Event {
    let last = found.last_timestamp.as_ref().map(|time| time.0);
    let same = last.is_some_and(|last| now.duration_since(last) < SAME);
    let mut next = Event { metadata: found.metadata.clone(), ..event.clone() };
    if same {
        next.count = Some(found.count.unwrap_or(1).saturating_add(1));
        next.first_timestamp.clone_from(&found.first_timestamp);
    }
    next
}

#[cfg(test)]
mod tests;
