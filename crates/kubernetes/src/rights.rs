//! What whoever asks may do, and which API answers.

use futures::future::join_all;
use http::Request;
use serde::Deserialize;
use serde_json::json;

use crate::ask::{Asked, ask};
use crate::{Cluster, ClusterError};

/// Something that may be done in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// The verb, as in `list`.
    pub verb: &'static str,
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The resource in the plural, with its subresource, as in `services/proxy`.
    pub resource: &'static str,
    /// Where; `None` for the whole cluster.
    pub namespace: Option<String>,
}

/// Whether it may be done.
#[derive(Debug)]
pub enum Permission {
    /// It may.
    Granted,
    /// It may not; the rule that would allow it, and what the API says of it, if anything.
    Denied {
        /// The rule to add to the role that MOrA is bound to.
        rule: String,
        /// What the API says; empty for nothing.
        reason: String,
    },
    /// The API does not say.
    Unknown(ClusterError),
}

impl Right {
    /// What a scan needs in the whole cluster: first the right without which it fails, then those without which a part of it is missing.
    pub const SCAN: [Self; 13] = [
        right("list", "", "pods"),
        right("list", "", "services"),
        right("get", "", "services/proxy"),
        right("list", "apps", "deployments"),
        right("list", "apps", "statefulsets"),
        right("list", "apps", "daemonsets"),
        right("list", "apps", "replicasets"),
        right("list", "batch", "cronjobs"),
        right("list", "batch", "jobs"),
        right("list", "autoscaling", "horizontalpodautoscalers"),
        right("list", "argoproj.io", "rollouts"),
        right("list", "apps.openshift.io", "deploymentconfigs"),
        right("list", "", "replicationcontrollers"),
    ];

    /// The same in one namespace only.
    #[must_use]
    pub fn within(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    /// The rule of a role that allows it.
    #[must_use]
    pub fn rule(&self) -> String {
        let Self { verb, group, resource, .. } = self;
        format!("{{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [\"{verb}\"]}}")
    }
}

const fn right(verb: &'static str, group: &'static str, resource: &'static str) -> Right {
    Right { verb, group, resource, namespace: None }
}

#[derive(Deserialize)]
struct Review {
    status: Reviewed,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reviewed {
    allowed: bool,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

impl Cluster {
    /// Whether each of `rights` is granted, in their order, asked at once.
    pub async fn may(&self, rights: &[Right]) -> Vec<Permission> {
        join_all(rights.iter().map(|right| self.permission(right))).await
    }

    async fn permission(&self, right: &Right) -> Permission {
        match self.review(right).await {
            Ok(Reviewed { allowed: true, .. }) => Permission::Granted,
            Ok(Reviewed { reason, .. }) => Permission::Denied { rule: right.rule(), reason },
            Err(error) => Permission::Unknown(error),
        }
    }

    async fn review(&self, right: &Right) -> Result<Reviewed, ClusterError> {
        let asked = about("authorization.k8s.io", "create", "selfsubjectaccessreviews");
        let Right { verb, group, resource, namespace } = right;
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let body = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "verb": verb, "group": group, "resource": resource,
                "subresource": subresource, "namespace": namespace.as_deref().unwrap_or_default(),
            }},
        });
        let request = Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .header("content-type", "application/json")
            .body(body.to_string().into_bytes())
            .map_err(|error| ClusterError::of(kube::Error::HttpError(error), &asked))?;
        let review: Review = ask(&self.client, &request, &asked).await?;
        Ok(review.status)
    }

    /// The version of the API server, as in `v1.33.1`.
    ///
    /// Fails when it does not answer.
    pub async fn version(&self) -> Result<String, ClusterError> {
        let asked = about("", "get", "version");
        let request = Request::get("/version")
            .body(Vec::new())
            .map_err(|error| ClusterError::of(kube::Error::HttpError(error), &asked))?;
        let version: Version = ask(&self.client, &request, &asked).await?;
        Ok(version.git_version)
    }
}

fn about(group: &str, verb: &'static str, resource: &str) -> Asked {
    let (group, resource) = (group.to_owned(), resource.to_owned());
    Asked { verb, group, resource, scope: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::{failure, scripted};
    use serde_json::json;

    #[tokio::test]
    async fn each_right_is_granted_denied_with_its_rule_or_unknown() {
        let (cluster, seen) = scripted(|_, _| {
            (201, json!({"status": {"allowed": false, "reason": "no role says so"}}))
        });
        let proxy = right("get", "", "services/proxy");
        let denied = cluster.may(&[proxy]).await.remove(0);
        let Permission::Denied { rule, reason } = denied else { panic!("{denied:?}") };
        assert!(rule.contains("resources: [\"services/proxy\"], verbs: [\"get\"]"), "{rule}");
        assert_eq!(reason, "no role says so");
        assert_eq!(seen.lock().unwrap().len(), 1);
        let (cluster, _) = scripted(|_, _| (201, json!({"status": {"allowed": true}})));
        let all = cluster.may(&Right::SCAN).await;
        assert_eq!(all.len(), Right::SCAN.len());
        assert!(all.iter().all(|permission| matches!(permission, Permission::Granted)));
        let (cluster, _) = scripted(|_, _| failure(404));
        assert!(matches!(cluster.may(&Right::SCAN[..1]).await[..], [Permission::Unknown(_)]));
    }

    #[tokio::test]
    async fn the_server_tells_its_version() {
        let (cluster, _) = scripted(|path, _| {
            assert_eq!(path, "/version");
            (200, json!({"major": "1", "gitVersion": "v1.33.1"}))
        });
        assert_eq!(cluster.version().await.unwrap(), "v1.33.1");
    }
}
