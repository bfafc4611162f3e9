//! The limits that go with requests.

use mora_core::{Bytes, Millicores, ResourceClaim};
use serde::{Deserialize, Serialize};

use super::Advised;
use crate::Proposed;

/// How the limit of a resource follows its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitRule {
    /// It stays as many times the request as it is now; without a limit there stays none. One that equals its request
    /// stays equal, because another would change the pod's class of service.
    #[default]
    KeepRatio,
    /// It equals the request.
    EqualToRequest,
    /// There is none.
    None,
}

/// How limits follow requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitPolicy {
    /// The CPU limit; `keep_ratio`.
    pub cpu: LimitRule,
    /// The memory limit; `keep_ratio`, and never below the largest working set.
    pub memory: LimitRule,
}

impl LimitPolicy {
    /// The CPU request `request` with its limit; without a request both are unknown.
    pub(super) fn cpu(
        self,
        request: Option<Millicores>,
        claim: &ResourceClaim,
    ) -> Advised<Millicores> {
        let now = (claim.cpu_request.map(Millicores::get), claim.cpu_limit.map(Millicores::get));
        self.cpu.advised(request.map(Millicores::get), now, 0).map(Millicores::new)
    }

    /// The memory request `request` with its limit, which is at least `peak`; without a request both are unknown.
    pub(super) fn memory(
        self,
        request: Option<Bytes>,
        claim: &ResourceClaim,
        peak: Option<Bytes>,
    ) -> Advised<Bytes> {
        let now = (claim.memory_request.map(Bytes::get), claim.memory_limit.map(Bytes::get));
        let peak = peak.map_or(0, Bytes::get);
        let round = |amount: u64| Bytes::new(amount).ceil_mebibyte();
        self.memory.advised(request.map(Bytes::get), now, peak).map(round)
    }
}

impl LimitRule {
    fn advised(
        self,
        request: Option<u64>,
        now: (Option<u64>, Option<u64>),
        least: u64,
    ) -> Advised<u64> {
        let Some(request) = request else {
            return Advised { request: Proposed::Unknown, limit: Proposed::Unknown };
        };
        let limit = match self {
            Self::None => None,
            Self::EqualToRequest => Some(request),
            Self::KeepRatio => kept(request, now),
        };
        let limit = limit.map(|limit| Proposed::Value(limit.max(least).max(request)));
        Advised { request: Proposed::Value(request), limit: limit.unwrap_or(Proposed::Unset) }
    }
}

/// The limit as many times `request` as the limit is of the request now.
fn kept(request: u64, (request_now, limit_now): (Option<u64>, Option<u64>)) -> Option<u64> {
    let limit = limit_now?;
    // Kubernetes takes the limit as the request where only a limit is stated.
    match request_now.unwrap_or(limit) {
        0 => Some(limit),
        now => Some((request as f64 * (limit as f64 / now as f64)).ceil() as u64),
    }
}

impl<Q> Advised<Q> {
    fn map<R>(self, with: impl Fn(Q) -> R) -> Advised<R> {
        Advised { request: self.request.map(&with), limit: self.limit.map(&with) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(request: Option<u64>, limit: Option<u64>) -> ResourceClaim {
        ResourceClaim {
            cpu_request: request.map(Millicores::new),
            cpu_limit: limit.map(Millicores::new),
            memory_request: request.map(Bytes::from_mebibytes),
            memory_limit: limit.map(Bytes::from_mebibytes),
        }
    }

    #[test]
    fn a_limit_keeps_its_ratio_and_where_there_is_none_there_stays_none() {
        let policy = LimitPolicy::default();
        let limit = |request, limit| {
            policy.cpu(Some(Millicores::new(150)), &claim(request, limit)).limit.value()
        };
        assert_eq!(limit(Some(100), Some(400)), Some(Millicores::new(600)));
        assert_eq!(limit(Some(100), Some(100)), Some(Millicores::new(150)));
        assert_eq!(limit(None, Some(400)), Some(Millicores::new(150)));
        assert_eq!(limit(Some(0), Some(400)), Some(Millicores::new(400)));
        assert_eq!(limit(Some(100), None), None);
    }

    #[test]
    fn a_memory_limit_is_at_least_the_request_and_what_was_used() {
        let policy = LimitPolicy::default();
        let mebibytes = Bytes::from_mebibytes;
        let limit = |policy: LimitPolicy, peak| {
            let advised = policy.memory(
                Some(mebibytes(100)),
                &claim(Some(200), Some(300)),
                Some(mebibytes(peak)),
            );
            advised.limit
        };
        assert_eq!(limit(policy, 80), Proposed::Value(mebibytes(150)));
        assert_eq!(limit(policy, 180), Proposed::Value(mebibytes(180)));
        let equal = LimitPolicy { memory: LimitRule::EqualToRequest, ..policy };
        assert_eq!(limit(equal, 80), Proposed::Value(mebibytes(100)));
        let none = LimitPolicy { memory: LimitRule::None, ..policy };
        assert_eq!(limit(none, 180), Proposed::Unset);
    }

    #[test]
    fn without_a_request_nothing_is_said_of_the_limit() {
        let advised = LimitPolicy::default().cpu(None, &claim(Some(100), Some(200)));
        assert_eq!((advised.request, advised.limit), (Proposed::Unknown, Proposed::Unknown));
    }
}
