//! Which workload a number is about.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::text::serde_as_text;

/// The Kubernetes kinds that own pods MOrA can size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl WorkloadKind {
    /// All kinds, in the order they are documented.
    pub const ALL: [Self; 3] = [Self::Deployment, Self::StatefulSet, Self::DaemonSet];

    /// The kind as the Kubernetes API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text does not name a workload.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WorkloadError {
    /// The text has not two or three parts.
    #[error("`{0}` does not name a workload; write namespace/name or namespace/Kind/name")]
    Malformed(String),
    /// The kind is not one MOrA sizes.
    #[error("`{0}` is not a workload kind; use Deployment, StatefulSet or DaemonSet")]
    UnknownKind(String),
    /// A part is not a valid Kubernetes object name.
    #[error(
        "`{0}` is not a Kubernetes name; use up to 253 lower-case letters, digits, `-` and `.`, with a letter or digit at both ends"
    )]
    InvalidName(String),
}

impl FromStr for WorkloadKind {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| WorkloadError::UnknownKind(text.to_owned()))
    }
}

/// A workload's identity: namespace, kind and name, each a valid Kubernetes name.
///
/// Its text form is `namespace/Kind/name`; `namespace/name` is read as a Deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadRef {
    // A plan names a workload dozens of times: sharing the text makes those copies cheap.
    namespace: Arc<str>,
    kind: WorkloadKind,
    name: Arc<str>,
}

impl WorkloadRef {
    /// The workload `kind` `name` in `namespace`.
    ///
    /// Fails when either part is not a valid Kubernetes object name.
    pub fn new(namespace: &str, kind: WorkloadKind, name: &str) -> Result<Self, WorkloadError> {
        Ok(Self { namespace: object_name(namespace)?, kind, name: object_name(name)? })
    }

    /// The Deployment `name` in `namespace`; fails as [`WorkloadRef::new`] does.
    pub fn deployment(namespace: &str, name: &str) -> Result<Self, WorkloadError> {
        Self::new(namespace, WorkloadKind::Deployment, name)
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> WorkloadKind {
        self.kind
    }

    /// The name within its namespace and kind.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn object_name(text: &str) -> Result<Arc<str>, WorkloadError> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let valid = text.len() <= 253
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text.chars().all(inner);
    valid.then(|| text.into()).ok_or_else(|| WorkloadError::InvalidName(text.to_owned()))
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}/{}", self.namespace, self.kind, self.name))
    }
}

impl FromStr for WorkloadRef {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        match text.split('/').collect::<Vec<_>>()[..] {
            [namespace, name] => Self::deployment(namespace, name),
            [namespace, kind, name] => Self::new(namespace, kind.parse()?, name),
            _ => Err(WorkloadError::Malformed(text.to_owned())),
        }
    }
}

serde_as_text!(WorkloadKind);
serde_as_text!(WorkloadRef);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_parts_name_a_deployment_and_three_any_kind() {
        let short: WorkloadRef = "shop/cart".parse().unwrap();
        assert_eq!(short.to_string(), "shop/Deployment/cart");
        let long: WorkloadRef = "shop/statefulset/redis".parse().unwrap();
        assert_eq!(long.kind(), WorkloadKind::StatefulSet);
        assert_eq!(long.to_string().parse(), Ok(long));
    }

    #[test]
    fn names_kubernetes_would_refuse_are_refused() {
        for text in ["cart", "shop/Cart", "shop/-cart", "shop/cart.", "/cart", "a/b/c/d"] {
            assert!(text.parse::<WorkloadRef>().is_err(), "{text}");
        }
        assert!(matches!(
            "shop/CronTab/cart".parse::<WorkloadRef>(),
            Err(WorkloadError::UnknownKind(_))
        ));
    }
}
