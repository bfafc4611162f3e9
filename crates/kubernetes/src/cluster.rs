//! The connection to one cluster and what is asked of it.

use std::fmt::Debug;
use std::path::Path;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::error::without_excerpt;
use crate::list::{list_all, list_namespaced};
use crate::observed::Described;
use crate::{ClusterError, ObservedWorkload};

/// Namespaces of Kubernetes itself, left out unless they are asked for.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// A cluster whose API is read.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster of a kubeconfig's `context`; without one, of its current context or, in a pod, of
    /// the service account. The API is not asked for anything yet.
    ///
    /// Fails when there is no such configuration or it cannot be used.
    pub async fn connect(context: Option<&str>) -> Result<Self, ClusterError> {
        Self::configured(match context {
            None => Config::infer().await.map_err(ClusterError::not_inferred)?,
            Some(context) => of_context(context).await?,
        })
    }

    /// The cluster of a `context` of the kubeconfig at `path`; without one, of its current context.
    ///
    /// Fails when there is no such file or context, or it cannot be used.
    pub async fn of_kubeconfig(path: &Path, context: Option<&str>) -> Result<Self, ClusterError> {
        let unusable = |error| ClusterError::Kubeconfig(without_excerpt(error));
        let kubeconfig = Kubeconfig::read_from(path).map_err(unusable)?;
        let context = context.map(str::to_owned);
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        Self::configured(
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(unusable)?,
        )
    }

    fn configured(mut config: Config) -> Result<Self, ClusterError> {
        // What is asked again, and for how long, is decided where it is asked: the client's own way is fifteen tries, also of a
        // query that has just been too much for a Prometheus.
        config.default_retry = false;
        if has_unsendable_token(&config.auth_info) {
            let cause = "the token in the kubeconfig has a line break or another control character";
            return Err(ClusterError::Credentials(cause.into()));
        }
        let client =
            Client::try_from(config).map_err(|source| ClusterError::Credentials(source.into()))?;
        Ok(Self { client })
    }

    /// Every Deployment, StatefulSet and DaemonSet of `namespaces`, ordered; if that is empty, of all
    /// but those of Kubernetes itself.
    ///
    /// Fails when one of the kinds cannot be listed.
    pub async fn workloads(
        &self,
        namespaces: &[String],
    ) -> Result<Vec<ObservedWorkload>, ClusterError> {
        let (deployments, stateful_sets, daemon_sets) = tokio::join!(
            self.described::<Deployment>(namespaces),
            self.described::<StatefulSet>(namespaces),
            self.described::<DaemonSet>(namespaces),
        );
        let described = [deployments?, stateful_sets?, daemon_sets?].concat();
        let classes = self.priority_classes(&described).await.unwrap_or_else(|error| {
            warn!("priorities of workloads are not used: {error}");
            Vec::new()
        });
        let wanted = |w: &ObservedWorkload| {
            !namespaces.is_empty() || !SYSTEM_NAMESPACES.contains(&w.workload.namespace())
        };
        let mut workloads: Vec<ObservedWorkload> =
            described.into_iter().filter_map(|d| d.observe(&classes)).filter(wanted).collect();
        workloads.sort_by(|a, b| a.workload.cmp(&b.workload));
        Ok(workloads)
    }

    /// Every workload of the kind `K`.
    pub(crate) async fn described<K>(
        &self,
        namespaces: &[String],
    ) -> Result<Vec<Described>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug,
        Described: From<K>,
    {
        let objects = list_namespaced::<K>(&self.client, namespaces).await?;
        Ok(objects.into_iter().map(Described::from).collect())
    }

    /// Every PriorityClass, if any workload names one.
    pub(crate) async fn priority_classes(
        &self,
        described: &[Described],
    ) -> Result<Vec<PriorityClass>, ClusterError> {
        if !described.iter().any(Described::has_priority_class) {
            return Ok(Vec::new());
        }
        list_all(&self.client).await
    }
}

async fn of_context(context: &str) -> Result<Config, ClusterError> {
    let options =
        KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    Config::from_kubeconfig(&options).await.map_err(|source| ClusterError::Context {
        context: context.to_owned(),
        source: without_excerpt(source),
    })
}

/// Whether the token cannot stand in an HTTP header, which would make the client panic.
fn has_unsendable_token(credentials: &AuthInfo) -> bool {
    // The token is secret to all but its serialization.
    let fields = serde_json::to_value(credentials).unwrap_or_default();
    fields["token"].as_str().is_some_and(|token| token.contains(|c: char| c.is_ascii_control()))
}

#[cfg(test)]
pub(crate) mod tests;
