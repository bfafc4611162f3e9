//! Workloads, signals, claims and ladder steps.

use mora_core::{Bytes, Millicores, ResourceClaim, Rung, Signal, WorkloadKind, WorkloadRef};

use crate::{FieldError, v1};

impl From<&WorkloadRef> for v1::WorkloadRef {
    fn from(workload: &WorkloadRef) -> Self {
        let kind = match workload.kind() {
            WorkloadKind::Deployment => v1::WorkloadKind::Deployment,
            WorkloadKind::StatefulSet => v1::WorkloadKind::StatefulSet,
            WorkloadKind::DaemonSet => v1::WorkloadKind::DaemonSet,
        };
        Self {
            namespace: workload.namespace().to_owned(),
            kind: kind.into(),
            name: workload.name().to_owned(),
        }
    }
}

impl TryFrom<v1::WorkloadRef> for WorkloadRef {
    type Error = FieldError;

    fn try_from(wire: v1::WorkloadRef) -> Result<Self, FieldError> {
        let kind = match wire.kind() {
            v1::WorkloadKind::Deployment => WorkloadKind::Deployment,
            v1::WorkloadKind::StatefulSet => WorkloadKind::StatefulSet,
            v1::WorkloadKind::DaemonSet => WorkloadKind::DaemonSet,
            v1::WorkloadKind::Unspecified => {
                return Err(FieldError::new("kind", "must name a kind of workload"));
            }
        };
        let bad_namespace = Self::new(&wire.namespace, kind, "name").err();
        let field = if bad_namespace.is_some() { "namespace" } else { "name" };
        Self::new(&wire.namespace, kind, &wire.name).map_err(|error| FieldError::new(field, error))
    }
}

impl From<Signal> for v1::Signal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Cpu => Self::Cpu,
            Signal::Memory => Self::Memory,
            Signal::RequestRate => Self::RequestRate,
        }
    }
}

impl TryFrom<v1::Signal> for Signal {
    type Error = FieldError;

    fn try_from(wire: v1::Signal) -> Result<Self, FieldError> {
        match wire {
            v1::Signal::Cpu => Ok(Self::Cpu),
            v1::Signal::Memory => Ok(Self::Memory),
            v1::Signal::RequestRate => Ok(Self::RequestRate),
            v1::Signal::Unspecified => Err(FieldError::new("", "must name a signal")),
        }
    }
}

impl From<Rung> for v1::Rung {
    fn from(rung: Rung) -> Self {
        match rung {
            Rung::Ensemble => Self::Ensemble,
            Rung::SingleMember => Self::SingleMember,
            Rung::HourOfWeek => Self::HourOfWeek,
            Rung::Statistical => Self::Statistical,
        }
    }
}

impl TryFrom<v1::Rung> for Rung {
    type Error = FieldError;

    fn try_from(wire: v1::Rung) -> Result<Self, FieldError> {
        match wire {
            v1::Rung::Ensemble => Ok(Self::Ensemble),
            v1::Rung::SingleMember => Ok(Self::SingleMember),
            v1::Rung::HourOfWeek => Ok(Self::HourOfWeek),
            v1::Rung::Statistical => Ok(Self::Statistical),
            v1::Rung::Unspecified => Err(FieldError::new("", "must name a step of the ladder")),
        }
    }
}

impl From<ResourceClaim> for v1::ResourceClaim {
    fn from(claim: ResourceClaim) -> Self {
        Self {
            cpu_request_millicores: claim.cpu_request.map(Millicores::get),
            cpu_limit_millicores: claim.cpu_limit.map(Millicores::get),
            memory_request_bytes: claim.memory_request.map(Bytes::get),
            memory_limit_bytes: claim.memory_limit.map(Bytes::get),
        }
    }
}

impl From<v1::ResourceClaim> for ResourceClaim {
    fn from(wire: v1::ResourceClaim) -> Self {
        Self {
            cpu_request: wire.cpu_request_millicores.map(Millicores::new),
            cpu_limit: wire.cpu_limit_millicores.map(Millicores::new),
            memory_request: wire.memory_request_bytes.map(Bytes::new),
            memory_limit: wire.memory_limit_bytes.map(Bytes::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_workload_names_the_field() {
        let wire = |namespace: &str, kind: i32, name: &str| v1::WorkloadRef {
            namespace: namespace.to_owned(),
            kind,
            name: name.to_owned(),
        };
        let path =
            |wire: v1::WorkloadRef| WorkloadRef::try_from(wire).unwrap_err().path().to_owned();
        assert_eq!(path(wire("shop", 0, "cart")), "kind");
        assert_eq!(path(wire("Shop", 1, "cart")), "namespace");
        assert_eq!(path(wire("shop", 1, "")), "name");
        let workload: WorkloadRef = "shop/StatefulSet/redis".parse().unwrap();
        assert_eq!(WorkloadRef::try_from(v1::WorkloadRef::from(&workload)), Ok(workload));
    }
}
