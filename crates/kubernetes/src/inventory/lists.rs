//! Listing the kinds that an inventory is made of.

use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use kube::api::ListParams;
use kube::core::Request;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::wire::{Named, Templated};
use crate::ClusterError;
use crate::ask::ask;
use crate::list::{asked_list, pages};

const NOT_FOUND: u16 = 404;
/// Namespaces of one kind that are listed at once.
const AT_ONCE: usize = 4;

/// A kind of object as the API's paths have it.
#[derive(Debug)]
pub(super) struct Kind {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    /// Whether the rest is not even sent: a cluster has thousands of old `ReplicaSets`, each with a whole template.
    metadata_only: bool,
}

const fn kind(group: &'static str, version: &'static str, plural: &'static str) -> Kind {
    Kind { group, version, plural, metadata_only: false }
}

impl Kind {
    pub(super) const PODS: Self = kind("", "v1", "pods");
    pub(super) const DEPLOYMENTS: Self = kind("apps", "v1", "deployments");
    pub(super) const STATEFUL_SETS: Self = kind("apps", "v1", "statefulsets");
    pub(super) const DAEMON_SETS: Self = kind("apps", "v1", "daemonsets");
    pub(super) const REPLICA_SETS: Self =
        Self { metadata_only: true, ..kind("apps", "v1", "replicasets") };
    pub(super) const CRON_JOBS: Self = kind("batch", "v1", "cronjobs");
    pub(super) const JOBS: Self = kind("batch", "v1", "jobs");
    pub(super) const ROLLOUTS: Self = kind("argoproj.io", "v1alpha1", "rollouts");
    const DEPLOYMENT_CONFIGS: Self = kind("apps.openshift.io", "v1", "deploymentconfigs");
    const REPLICATION_CONTROLLERS: Self =
        Self { metadata_only: true, ..kind("", "v1", "replicationcontrollers") };
    pub(super) const AUTOSCALERS: Self = kind("autoscaling", "v2", "horizontalpodautoscalers");

    /// The path of its group and version.
    fn root(&self) -> String {
        match self.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        }
    }

    fn path(&self, namespace: Option<&str>) -> String {
        let within = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
        format!("{}{within}/{}", self.root(), self.plural)
    }
}

/// Objects of a kind and what could not be looked at, each a sentence.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub(super) objects: Vec<T>,
    pub(super) warnings: Vec<String>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { objects: Vec::new(), warnings: Vec::new() }
    }
}

/// What is listed, and from whom.
#[derive(Clone, Copy)]
pub(super) struct Listing<'a> {
    pub(super) client: &'a Client,
    /// All if empty.
    pub(super) namespaces: &'a [String],
}

impl Listing<'_> {
    /// All objects of `kind`.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        kind: &Kind,
    ) -> Result<Vec<T>, ClusterError> {
        let lists = stream::iter(self.scopes()).map(|scope| self.of_scope(kind, scope));
        let lists: Vec<Vec<T>> = lists.buffered(AT_ONCE).try_collect().await?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// The objects of `kind` that can be had; where they cannot, a warning.
    ///
    /// Fails when the API answers nothing at all.
    pub(super) async fn readable<T: DeserializeOwned>(
        &self,
        kind: &Kind,
    ) -> Result<Listed<T>, ClusterError> {
        let lists = stream::iter(self.scopes()).map(|scope| self.of_scope(kind, scope));
        let lists: Vec<Result<Vec<T>, ClusterError>> = lists.buffered(AT_ONCE).collect().await;
        let mut listed = Listed::default();
        for list in lists {
            match list {
                Ok(objects) => listed.objects.extend(objects),
                Err(error) if error.is_of_one_part() => {
                    listed.warnings.push(format!("{} are not read: {error}", kind.plural));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(listed)
    }

    /// As [`Listing::readable`], of a kind that not every cluster has.
    pub(super) async fn installed<T: DeserializeOwned>(
        &self,
        kind: &Kind,
    ) -> Result<Listed<T>, ClusterError> {
        let scope = self.namespaces.first().map(String::as_str);
        match self.of_scope(kind, scope).await {
            Ok(objects) if self.namespaces.len() <= 1 => {
                return Ok(Listed { objects, warnings: Vec::new() });
            }
            Err(ClusterError::Failed { code: NOT_FOUND, .. }) => return Ok(Listed::default()),
            // Rights are looked at before whether there is anything that they would be for.
            Err(ClusterError::Forbidden { .. }) if !self.is_served(kind).await => {
                return Ok(Listed::default());
            }
            _ => {}
        }
        self.readable(kind).await
    }

    /// `DeploymentConfigs` and, where there are any, the `ReplicationControllers` between them and pods.
    pub(super) async fn deployment_configs(
        &self,
    ) -> Result<(Listed<Templated>, Listed<Named>), ClusterError> {
        let configs: Listed<Templated> = self.installed(&Kind::DEPLOYMENT_CONFIGS).await?;
        if configs.objects.is_empty() && configs.warnings.is_empty() {
            return Ok((configs, Listed::default()));
        }
        Ok((configs, self.readable(&Kind::REPLICATION_CONTROLLERS).await?))
    }

    fn scopes(&self) -> Vec<Option<&str>> {
        if self.namespaces.is_empty() {
            return vec![None];
        }
        self.namespaces.iter().map(|name| Some(name.as_str())).collect()
    }

    async fn of_scope<T: DeserializeOwned>(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
    ) -> Result<Vec<T>, ClusterError> {
        let path = Request::new(kind.path(namespace));
        let asked = asked_list(kind.group, kind.plural, namespace);
        pages(self.client, &asked, &ListParams::default(), |parameters| {
            if kind.metadata_only { path.list_metadata(parameters) } else { path.list(parameters) }
        })
        .await
    }

    /// Whether the API knows the group of `kind`, which everybody may ask; in doubt it does.
    async fn is_served(&self, kind: &Kind) -> bool {
        let Ok(request) = http::Request::get(kind.root()).body(Vec::new()) else { return true };
        let asked = asked_list(kind.group, kind.plural, None);
        let answer = ask::<IgnoredAny>(self.client, &request, &asked).await;
        !matches!(answer, Err(ClusterError::Failed { code: NOT_FOUND, .. }))
    }
}
