//! Where changes are made.

use std::collections::BTreeMap;
use std::future::Future;

use mora_core::WorkloadRef;
use mora_kubernetes::{
    Cluster, ClusterError, PodState, PodTemplate, RecommendedAutoscaler, TemplateChange,
};
use serde_json::Value;

/// The answer to one request.
type Answer<T> = Result<T, ClusterError>;

/// A cluster whose workloads can be changed; each method is one request, and each change is refused when what it changes is
/// no longer what was read.
pub trait Actuator: Sync {
    /// The pod template of `workload`.
    fn template(&self, workload: &WorkloadRef) -> impl Future<Output = Answer<PodTemplate>> + Send;

    /// Makes `change` to `template`; returns it as it is then.
    fn apply(
        &self,
        template: &PodTemplate,
        change: &TemplateChange,
    ) -> impl Future<Output = Answer<PodTemplate>> + Send;

    /// Lets the containers of `template` have exactly these `resources`, and its workload the annotation `plan`.
    fn restore(
        &self,
        template: &PodTemplate,
        resources: &BTreeMap<String, Option<Value>>,
        plan: Option<&str>,
    ) -> impl Future<Output = Answer<PodTemplate>> + Send;

    /// The pods of `workload`, ordered by name.
    fn pods(&self, workload: &WorkloadRef) -> impl Future<Output = Answer<Vec<PodState>>> + Send;

    /// One pod; `None` where it is gone.
    fn pod(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Answer<Option<PodState>>> + Send;

    /// Asks for `resources` by container of `pod`.
    fn resize(
        &self,
        namespace: &str,
        pod: &PodState,
        resources: &BTreeMap<String, Value>,
    ) -> impl Future<Output = Answer<PodState>> + Send;

    /// The VerticalPodAutoscalers of `workload` that name `recommender`.
    fn autoscalers(
        &self,
        workload: &WorkloadRef,
        recommender: &str,
    ) -> impl Future<Output = Answer<Vec<RecommendedAutoscaler>>> + Send;

    /// Lets the status of `autoscaler` have `recommendation` and `conditions`, null for none.
    fn recommend(
        &self,
        namespace: &str,
        autoscaler: &RecommendedAutoscaler,
        recommendation: &Value,
        conditions: &Value,
    ) -> impl Future<Output = Answer<()>> + Send;
}

impl Actuator for Cluster {
    async fn template(&self, workload: &WorkloadRef) -> Answer<PodTemplate> {
        self.pod_template(workload).await
    }

    async fn apply(&self, template: &PodTemplate, change: &TemplateChange) -> Answer<PodTemplate> {
        self.apply_template(template, change).await
    }

    async fn restore(
        &self,
        template: &PodTemplate,
        resources: &BTreeMap<String, Option<Value>>,
        plan: Option<&str>,
    ) -> Answer<PodTemplate> {
        self.restore_template(template, resources, plan).await
    }

    async fn pods(&self, workload: &WorkloadRef) -> Answer<Vec<PodState>> {
        self.pods_of(workload).await
    }

    async fn pod(&self, namespace: &str, name: &str) -> Answer<Option<PodState>> {
        Cluster::pod(self, namespace, name).await
    }

    async fn resize(
        &self,
        namespace: &str,
        pod: &PodState,
        resources: &BTreeMap<String, Value>,
    ) -> Answer<PodState> {
        Cluster::resize(self, namespace, pod, resources).await
    }

    async fn autoscalers(
        &self,
        workload: &WorkloadRef,
        recommender: &str,
    ) -> Answer<Vec<RecommendedAutoscaler>> {
        self.recommended_autoscalers(workload, recommender).await
    }

    async fn recommend(
        &self,
        namespace: &str,
        autoscaler: &RecommendedAutoscaler,
        recommendation: &Value,
        conditions: &Value,
    ) -> Answer<()> {
        Cluster::recommend(self, namespace, autoscaler, recommendation, conditions).await
    }
}

/// Whether what was to be changed has changed since it was read.
pub(crate) const fn is_stale(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Failed { code: 409, .. })
}

/// Whether there is no such thing.
pub(crate) const fn is_absent(error: &ClusterError) -> bool {
    matches!(error, ClusterError::Failed { code: 404, .. })
}

/// The error and its causes in one sentence.
pub(crate) fn said(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
