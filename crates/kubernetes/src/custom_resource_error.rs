//! Why one of MOrA's own resources cannot be read or written.

use kube::Resource;
use thiserror::Error;

use crate::ClusterError;

const NOT_FOUND: u16 = 404;

/// Why one of MOrA's own resources cannot be read or written.
#[derive(Debug, Error)]
pub enum CustomResourceError {
    /// There is no such object, or the cluster does not know its kind.
    #[error(
        "there is no {kind} {name} in namespace {namespace}; see `kubectl get {plural} -n {namespace}`, and where that kind is not known, `mora crds | kubectl apply -f -`"
    )]
    Absent {
        /// The kind.
        kind: String,
        /// The kind in the plural, as `kubectl` takes it.
        plural: String,
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
    },
    /// The cluster takes no such objects there.
    #[error(
        "no {kind} can be written to namespace {namespace}: check that the namespace is there, and install the definitions with `mora crds | kubectl apply -f -`"
    )]
    NoPlace {
        /// The kind.
        kind: String,
        /// The namespace.
        namespace: String,
        /// What the API server said.
        #[source]
        source: ClusterError,
    },
    /// The object states something that cannot be.
    #[error(
        "the {kind} {name} in namespace {namespace} cannot be used: {reason}; mend it with `kubectl edit`"
    )]
    Invalid {
        /// The kind.
        kind: String,
        /// The namespace.
        namespace: String,
        /// The name.
        name: String,
        /// The field and what is wrong with it.
        reason: String,
    },
    /// The Kubernetes API did not do what it was asked for.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl CustomResourceError {
    /// The case of `error`, which answered a request for the object `name` in `namespace`.
    pub(crate) fn of<K: Resource<DynamicType = ()>>(
        error: ClusterError,
        (namespace, name): (&str, &str),
    ) -> Self {
        match error {
            ClusterError::Failed { code: NOT_FOUND, .. } => Self::Absent {
                kind: K::kind(&()).into_owned(),
                plural: K::plural(&()).into_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
            other => Self::Cluster(other),
        }
    }

    /// The case of `error`, which answered the creation of an object in `namespace`.
    pub(crate) fn of_creation<K: Resource<DynamicType = ()>>(
        error: ClusterError,
        namespace: &str,
    ) -> Self {
        match error {
            source @ ClusterError::Failed { code: NOT_FOUND, .. } => Self::NoPlace {
                kind: K::kind(&()).into_owned(),
                namespace: namespace.to_owned(),
                source,
            },
            other => Self::Cluster(other),
        }
    }

    /// The case of the object `name` in `namespace`, of which `reason` is wrong.
    pub(crate) fn invalid<K: Resource<DynamicType = ()>>(
        (namespace, name): (&str, &str),
        reason: String,
    ) -> Self {
        Self::Invalid {
            kind: K::kind(&()).into_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            reason,
        }
    }
}
