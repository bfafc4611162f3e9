//! What a pod of a workload claims.

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::service_name::ServiceName;

/// Requests and limits of the one container of each pod; `None` is no bound. They are recorded and told, not enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Claim {
    /// Thousandths of a core.
    pub(super) cpu_request_millicores: Option<u64>,
    /// Thousandths of a core.
    pub(super) cpu_limit_millicores: Option<u64>,
    pub(super) memory_request_bytes: Option<u64>,
    pub(super) memory_limit_bytes: Option<u64>,
}

/// New bounds: one that is absent stays, one that is null goes.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClaimChange {
    cpu_request_millicores: BoundChange,
    cpu_limit_millicores: BoundChange,
    memory_request_bytes: BoundChange,
    memory_limit_bytes: BoundChange,
}

/// What becomes of one bound.
#[derive(Debug, Clone, Copy, Default)]
enum BoundChange {
    #[default]
    Stays,
    Becomes(Option<u64>),
}

/// A claim that Kubernetes would refuse.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "the {resource} request of {request} is above the limit of {limit}; raise the limit or lower the request"
)]
pub(super) struct ClaimError {
    resource: &'static str,
    request: u64,
    limit: u64,
}

/// Only what is there is deserialised, so that null and absent differ.
impl<'de> Deserialize<'de> for BoundChange {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        Option::deserialize(value).map(Self::Becomes)
    }
}

impl BoundChange {
    fn of(self, bound: Option<u64>) -> Option<u64> {
        match self {
            Self::Stays => bound,
            Self::Becomes(new) => new,
        }
    }
}

impl Claim {
    /// As in the manifests of the Online Boutique.
    pub(super) const fn stock(service: ServiceName) -> Self {
        match service {
            ServiceName::Ad => Self::of([200, 300], [180, 300]),
            ServiceName::Cart => Self::of([200, 300], [64, 128]),
            ServiceName::Recommendation => Self::of([100, 200], [220, 450]),
            ServiceName::RedisCart => Self::of([70, 125], [200, 256]),
            _ => Self::of([100, 200], [64, 128]),
        }
    }

    /// Requests and limits, in millicores and mebibytes.
    const fn of(cpu: [u64; 2], memory: [u64; 2]) -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            cpu_request_millicores: Some(cpu[0]),
            cpu_limit_millicores: Some(cpu[1]),
            memory_request_bytes: Some(memory[0] * MIB),
            memory_limit_bytes: Some(memory[1] * MIB),
        }
    }

    /// This claim with a change.
    ///
    /// Fails when a request would be above its limit.
    pub(super) fn with(self, change: ClaimChange) -> Result<Self, ClaimError> {
        let changed = Self {
            cpu_request_millicores: change.cpu_request_millicores.of(self.cpu_request_millicores),
            cpu_limit_millicores: change.cpu_limit_millicores.of(self.cpu_limit_millicores),
            memory_request_bytes: change.memory_request_bytes.of(self.memory_request_bytes),
            memory_limit_bytes: change.memory_limit_bytes.of(self.memory_limit_bytes),
        };
        fits("cpu", changed.cpu_request_millicores, changed.cpu_limit_millicores)?;
        fits("memory", changed.memory_request_bytes, changed.memory_limit_bytes)?;
        Ok(changed)
    }
}

fn fits(
    resource: &'static str,
    request: Option<u64>,
    limit: Option<u64>,
) -> Result<(), ClaimError> {
    match request.zip(limit) {
        Some((request, limit)) if request > limit => Err(ClaimError { resource, request, limit }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str) -> ClaimChange {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_absent_stays_and_what_is_null_goes() {
        let stock = Claim::stock(ServiceName::Cart);
        let json = r#"{"cpu_request_millicores": 250, "memory_limit_bytes": null}"#;
        let changed = stock.with(change(json)).unwrap();
        assert_eq!(changed.cpu_request_millicores, Some(250));
        assert_eq!(changed.memory_limit_bytes, None);
        assert_eq!(changed.memory_request_bytes, stock.memory_request_bytes);
    }

    #[test]
    fn a_claim_that_was_read_can_be_written_back() {
        let stock = Claim::stock(ServiceName::RedisCart);
        let json = serde_json::to_string(&stock).unwrap();
        let other = Claim::stock(ServiceName::Ad);
        assert_eq!(other.with(change(&json)), Ok(stock));
    }

    #[test]
    fn a_request_above_its_limit_and_an_unknown_field_are_refused() {
        let stock = Claim::stock(ServiceName::Cart);
        let error = stock.with(change(r#"{"cpu_request_millicores": 301}"#)).unwrap_err();
        assert!(error.to_string().contains("cpu request of 301"), "{error}");
        assert!(serde_json::from_str::<ClaimChange>(r#"{"cpu": 1}"#).is_err());
    }
}
