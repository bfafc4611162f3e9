//! Why the cluster did not answer, by what to do about it.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use kube::client::AuthError;
use kube::config::{InferConfigError, KubeconfigError};
use thiserror::Error;

use crate::ask::Asked;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the cluster did not answer.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// There is neither a kubeconfig nor a service account.
    #[error(
        "no cluster is configured; point KUBECONFIG at a kubeconfig or write ~/.kube/config, or run in a pod with a service account"
    )]
    NotConfigured(#[source] Cause),
    /// There is a kubeconfig, but it cannot be used.
    #[error(
        "the kubeconfig cannot be used; correct it, and select a context with `kubectl config use-context`"
    )]
    Kubeconfig(#[source] Cause),
    /// The kubeconfig has not the context that was asked for, or cannot be used.
    #[error(
        "the context {context} of the kubeconfig cannot be used; see `kubectl config get-contexts`"
    )]
    Context {
        /// The context.
        context: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The configuration leads to no client.
    #[error("the cluster's certificates or credentials cannot be used; try `kubectl get nodes`")]
    Credentials(#[source] Cause),
    /// The API server gave no answer.
    #[error(
        "the Kubernetes API cannot be reached; check that the cluster runs, the network allows it and the kubeconfig has its certificate authority"
    )]
    Unreachable(#[source] Cause),
    /// The API server took too long.
    #[error(
        "the Kubernetes API gave no answer about {resource} within {deadline:?}; check its load and try again"
    )]
    TimedOut {
        /// What it was about.
        resource: String,
        /// How long was waited.
        deadline: Duration,
    },
    /// The API server does not know who asks.
    #[error("the Kubernetes API does not accept the credentials; log in again or renew the token")]
    Unauthorized(#[source] Cause),
    /// The API server does not allow it.
    #[error(
        "to {verb} {resource}{scope} is forbidden; add the rule {{apiGroups: [\"{group}\"], resources: [\"{resource}\"], verbs: [\"{verb}\"]}} to the role that MOrA is bound to"
    )]
    Forbidden {
        /// What was to be done.
        verb: &'static str,
        /// The API group; empty for the core group.
        group: String,
        /// The resource, in the plural.
        resource: String,
        /// Where, as in ` in namespace shop`; empty for the whole cluster.
        scope: String,
        /// What the API server said.
        #[source]
        source: Cause,
    },
    /// The API server asks to slow down.
    #[error("the Kubernetes API is overloaded (status {code}); try again later")]
    Overloaded {
        /// HTTP status.
        code: u16,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// The API server failed in another way.
    #[error("the Kubernetes API failed to {verb} {resource} (status {code}); see its log")]
    Failed {
        /// What was to be done.
        verb: &'static str,
        /// What it was about.
        resource: String,
        /// HTTP status.
        code: u16,
        /// What it said.
        #[source]
        source: Cause,
    },
    /// The API server does not reach what stands behind a Service.
    #[error(
        "the API server does not reach the Service {service}: {said}; check that pods stand behind it and are ready, and that the network lets the API server reach them"
    )]
    Service {
        /// The Service, as `namespace/name`.
        service: String,
        /// What the API server says.
        said: String,
    },
    /// A label selector is none.
    #[error(
        "`{part}` in the label selector `{selector}` is no requirement; write key, !key, key=value, key!=value, key in (a,b) or key notin (a,b), with commas between"
    )]
    Selector {
        /// The selector.
        selector: String,
        /// The part that is none.
        part: String,
    },
    /// The answer is not what the API promises.
    #[error(
        "the answer of the Kubernetes API about {resource} cannot be read; check that the address is an API server"
    )]
    Unreadable {
        /// What it was about.
        resource: String,
        /// Why.
        #[source]
        source: Cause,
    },
}

impl ClusterError {
    /// The case of a configuration that was neither found in a kubeconfig nor in a pod.
    pub(crate) fn not_inferred(error: InferConfigError) -> Self {
        let kubeconfig = error.source().and_then(|source| source.downcast_ref());
        if kubeconfig.is_none_or(is_absent) {
            Self::NotConfigured(error.into())
        } else {
            Self::Kubeconfig(without_excerpt(error))
        }
    }

    /// The case of `error`, which answered `asked`.
    pub(crate) fn of(error: kube::Error, asked: &Asked) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(status.code, status, asked),
            kube::Error::Auth(source) => Self::Credentials(source.into()),
            kube::Error::Service(source) if source.is::<AuthError>() => Self::Credentials(source),
            kube::Error::SerdeError(source) => {
                Self::Unreadable { resource: asked.resource.clone(), source: source.into() }
            }
            kube::Error::FromUtf8(source) => {
                Self::Unreadable { resource: asked.resource.clone(), source: source.into() }
            }
            other => Self::Unreachable(other.into()),
        }
    }

    /// The case of an answer with the HTTP status `code`.
    pub(crate) fn of_status(code: u16, status: Box<kube::core::Status>, asked: &Asked) -> Self {
        let Asked { verb, group, resource, scope } = asked.clone();
        let source = status.into();
        match code {
            401 => Self::Unauthorized(source),
            403 => Self::Forbidden { verb, group, resource, scope, source },
            429 | 503 | 504 => Self::Overloaded { code, source },
            _ => Self::Failed { verb, resource, code, source },
        }
    }

    /// Whether only this part of the cluster is closed to the reader, so that others may be read all the same.
    pub(crate) const fn is_of_one_part(&self) -> bool {
        matches!(
            self,
            Self::Forbidden { .. }
                | Self::Overloaded { .. }
                | Self::Failed { .. }
                | Self::Unreadable { .. }
                | Self::TimedOut { .. }
        )
    }
}

/// Whether there is no kubeconfig, rather than one with a fault.
/// `error` without the excerpt of a kubeconfig that stands below its first line, as that can hold a token.
pub(crate) fn without_excerpt(error: impl std::error::Error + Send + Sync + 'static) -> Cause {
    match error.to_string().split_once('\n') {
        Some((first, _)) => first.trim_end().to_owned().into(),
        None => Box::new(error),
    }
}

pub(crate) fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(source, _) => source.kind() == ErrorKind::NotFound,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_kubeconfig_with_a_fault_is_not_an_absent_one() {
        let unread = |kind: ErrorKind| {
            KubeconfigError::ReadConfig(io::Error::from(kind), "/home/me/.kube/config".into())
        };
        assert!(is_absent(&unread(ErrorKind::NotFound)));
        assert!(!is_absent(&unread(ErrorKind::PermissionDenied)));
        assert!(!is_absent(&KubeconfigError::CurrentContextNotSet));
    }
}
