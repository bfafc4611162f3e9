//! The limits that go with requests.

use mora_core::{Bytes, LimitRule, Millicores, ResourceClaim};

use super::Advised;
use crate::Proposed;

/// The CPU request `request` with its limit by `rule`; without a request both are unknown.
pub(super) fn cpu(
    rule: LimitRule,
    request: Option<Millicores>,
    claim: &ResourceClaim,
) -> Advised<Millicores> {
    let now = (claim.cpu_request.map(Millicores::get), claim.cpu_limit.map(Millicores::get));
    advised(request, rule.limit(request.map_or(0, Millicores::get), now, 0).map(Millicores::new))
}

/// The memory request `request` with its limit by `rule`, which is at least `peak` where it is kept above the request;
/// without a request both are unknown.
pub(super) fn memory(
    rule: LimitRule,
    request: Option<Bytes>,
    claim: &ResourceClaim,
    peak: Option<Bytes>,
) -> Advised<Bytes> {
    let now = (claim.memory_request.map(Bytes::get), claim.memory_limit.map(Bytes::get));
    let limit = rule.limit(request.map_or(0, Bytes::get), now, peak.map_or(0, Bytes::get));
    advised(request, limit.map(|limit| Bytes::new(limit).ceil_mebibyte()))
}

fn advised<Q>(request: Option<Q>, limit: Option<Q>) -> Advised<Q> {
    match request {
        None => Advised { request: Proposed::Unknown, limit: Proposed::Unknown },
        Some(request) => Advised {
            request: Proposed::Value(request),
            limit: limit.map_or(Proposed::Unset, Proposed::Value),
        },
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
        let limit = |request, limit| {
            let request = claim(request, limit);
            cpu(LimitRule::KeepRatio, Some(Millicores::new(150)), &request).limit.value()
        };
        assert_eq!(limit(Some(100), Some(400)), Some(Millicores::new(600)));
        assert_eq!(limit(Some(100), Some(100)), Some(Millicores::new(150)));
        assert_eq!(limit(None, Some(400)), Some(Millicores::new(150)));
        assert_eq!(limit(Some(0), Some(400)), Some(Millicores::new(400)));
        assert_eq!(limit(Some(100), None), None);
    }

    #[test]
    fn a_memory_limit_is_at_least_the_request_and_what_was_used() {
        let mebibytes = Bytes::from_mebibytes;
        let limit = |rule, peak| {
            let now = claim(Some(200), Some(300));
            memory(rule, Some(mebibytes(100)), &now, Some(mebibytes(peak))).limit
        };
        assert_eq!(limit(LimitRule::KeepRatio, 80), Proposed::Value(mebibytes(150)));
        assert_eq!(limit(LimitRule::KeepRatio, 180), Proposed::Value(mebibytes(180)));
        assert_eq!(limit(LimitRule::EqualToRequest, 80), Proposed::Value(mebibytes(100)));
        assert_eq!(limit(LimitRule::None, 180), Proposed::Unset);
    }

    #[test]
    fn without_a_request_nothing_is_said_of_the_limit() {
        let advised = cpu(LimitRule::KeepRatio, None, &claim(Some(100), Some(200)));
        assert_eq!((advised.request, advised.limit), (Proposed::Unknown, Proposed::Unknown));
    }
}
