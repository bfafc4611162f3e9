//! The rules by which severities are told.
//!
//! Our own looks at both the share and the amount. A share alone makes noise of containers that take next to nothing; an
//! amount alone misses that a small container with half of what it needs starves beside a large one. Amounts are over all
//! replicas, because that is what nodes hold and bills count.

use mora_core::{Bytes, Millicores};

use super::{Severity, SeverityRule};
use crate::Proposed;
use crate::strategy::Advised;
use crate::strategy::krr;

/// Amounts of one resource over all replicas from which on a difference counts.
#[derive(Debug, Clone, Copy)]
struct Amounts {
    /// Below it, it is as it should be.
    ok: u64,
    /// Worth a change.
    warning: u64,
    /// Worth a change soon where it is wasted.
    critical: u64,
}

/// In millicores: a hundredth, a tenth and the whole of a core.
const CPU: Amounts = Amounts { ok: 10, warning: 100, critical: 1000 };
/// In bytes: 16 MiB, 128 MiB and 1 GiB.
const MEMORY: Amounts = Amounts { ok: 16 << 20, warning: 128 << 20, critical: 1 << 30 };
/// Shares of what is set by which the recommendation differs.
const OK_SHARE: f64 = 0.1;
const WARNING_SHARE: f64 = 0.25;
/// Share of what is recommended below which a request starves, and of what is set above which more is waste than use.
const HALF: f64 = 0.5;

/// The severities of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Severities {
    pub(crate) request: Severity,
    pub(crate) limit: Severity,
}

impl SeverityRule {
    /// How far the CPU `request` and `limit` now are from what is advised, over `replicas`.
    pub(crate) fn cpu(
        self,
        (request, limit): (Option<Millicores>, Option<Millicores>),
        advised: Advised<Millicores>,
        replicas: u32,
    ) -> Severities {
        match self {
            Self::Krr => Severities {
                request: krr::cpu_severity(
                    request.map(Millicores::cores),
                    advised.request.map(Millicores::cores),
                ),
                limit: krr::cpu_severity(
                    limit.map(Millicores::cores),
                    advised.limit.map(Millicores::cores),
                ),
            },
            Self::Own => {
                let get = |amount: Option<Millicores>| amount.map(Millicores::get);
                let needed = advised.request.value().map(Millicores::get);
                Severities {
                    request: of_request(
                        get(request),
                        advised.request.map(Millicores::get),
                        replicas,
                        CPU,
                    ),
                    // A CPU limit below what is needed slows the container down.
                    limit: of_limit(
                        get(limit),
                        advised.limit.map(Millicores::get),
                        needed,
                        Severity::Warning,
                    ),
                }
            }
        }
    }

    /// The same of memory; `peak` is what the container is known to have used or lacked.
    pub(crate) fn memory(
        self,
        (request, limit): (Option<Bytes>, Option<Bytes>),
        advised: Advised<Bytes>,
        replicas: u32,
        peak: Option<Bytes>,
    ) -> Severities {
        match self {
            Self::Krr => {
                let bytes = |amount: Option<Bytes>| amount.map(|amount| amount.get() as f64);
                Severities {
                    request: krr::memory_severity(
                        bytes(request),
                        advised.request.map(|amount| amount.get() as f64),
                    ),
                    limit: krr::memory_severity(
                        bytes(limit),
                        advised.limit.map(|amount| amount.get() as f64),
                    ),
                }
            }
            Self::Own => {
                let get = |amount: Option<Bytes>| amount.map(Bytes::get);
                // A memory limit that was reached kills the container when it is reached again.
                let peak = get(peak);
                Severities {
                    request: of_request(
                        get(request),
                        advised.request.map(Bytes::get),
                        replicas,
                        MEMORY,
                    ),
                    limit: of_limit(
                        get(limit),
                        advised.limit.map(Bytes::get),
                        peak,
                        Severity::Critical,
                    ),
                }
            }
        }
    }
}

/// How far a request is from what it should be: the scheduler trusts it, so that too little is a risk and too much a waste.
fn of_request(
    current: Option<u64>,
    recommended: Proposed<u64>,
    replicas: u32,
    amounts: Amounts,
) -> Severity {
    let (now, new) = match (current, recommended) {
        (_, Proposed::Unknown) => return Severity::Unknown,
        (None, Proposed::Unset) => return Severity::Good,
        // Without a request the scheduler counts nothing, and the node evicts the pod first.
        (None, Proposed::Value(_)) | (Some(_), Proposed::Unset) => return Severity::Warning,
        (Some(now), Proposed::Value(new)) => (now, new),
    };
    let apart = now.abs_diff(new).saturating_mul(u64::from(replicas.max(1)));
    let share = now.abs_diff(new) as f64 / now.max(1) as f64;
    let starves = (now as f64) < HALF * new as f64 && apart >= amounts.warning;
    let wastes = now > new && share > HALF && apart >= amounts.critical;
    if starves || wastes {
        Severity::Critical
    } else if share >= WARNING_SHARE && apart >= amounts.warning {
        Severity::Warning
    } else if share >= OK_SHARE && apart >= amounts.ok {
        Severity::Ok
    } else {
        Severity::Good
    }
}

/// How far a limit is from what it should be: it costs nothing, so that it matters where it is below what is `needed`, which
/// is as urgent as `below`.
fn of_limit(
    current: Option<u64>,
    recommended: Proposed<u64>,
    needed: Option<u64>,
    below: Severity,
) -> Severity {
    match (current, recommended) {
        (Some(now), _) if needed.is_some_and(|needed| now < needed) => below,
        (_, Proposed::Unknown) => Severity::Unknown,
        (None, Proposed::Unset) => Severity::Good,
        (None, Proposed::Value(_)) | (Some(_), Proposed::Unset) => Severity::Ok,
        (Some(now), Proposed::Value(new)) => {
            let share = now.abs_diff(new) as f64 / now.max(1) as f64;
            if share >= WARNING_SHARE { Severity::Ok } else { Severity::Good }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(now: Option<u64>, new: u64, replicas: u32) -> Severity {
        of_request(now, Proposed::Value(new), replicas, CPU)
    }

    #[test]
    fn half_of_what_is_needed_starves_and_a_core_in_vain_is_waste() {
        assert_eq!(cpu(Some(100), 250, 1), Severity::Critical);
        assert_eq!(cpu(Some(125), 250, 1), Severity::Warning);
        assert_eq!(cpu(Some(1), 10, 1), Severity::Good);
        assert_eq!(cpu(Some(1), 15, 10), Severity::Critical, "140m over all replicas");
        assert_eq!(cpu(Some(500), 200, 4), Severity::Critical);
        assert_eq!(cpu(Some(500), 200, 3), Severity::Warning, "900m");
        assert_eq!(cpu(Some(2000), 1000, 1), Severity::Warning, "not more than half");
    }

    #[test]
    fn a_little_off_is_no_warning() {
        assert_eq!(cpu(Some(1000), 800, 1), Severity::Ok);
        assert_eq!(cpu(Some(1000), 950, 1), Severity::Good);
        assert_eq!(cpu(Some(80), 30, 1), Severity::Ok);
        assert_eq!(cpu(Some(12), 10, 1), Severity::Good);
        assert_eq!(cpu(None, 10, 1), Severity::Warning);
        assert_eq!(of_request(None, Proposed::Unset, 1, CPU), Severity::Good);
        assert_eq!(of_request(Some(5), Proposed::Unknown, 1, CPU), Severity::Unknown);
    }

    #[test]
    fn a_limit_matters_where_it_is_below_what_is_needed() {
        let memory = |now, new, peak| {
            let advised = Advised { request: new, limit: new };
            let bytes = |mebibytes: Option<u64>| mebibytes.map(Bytes::from_mebibytes);
            SeverityRule::Own.memory((None, bytes(now)), advised, 1, bytes(peak)).limit
        };
        let new = Proposed::Value(Bytes::from_mebibytes(300));
        assert_eq!(memory(Some(200), new, Some(250)), Severity::Critical);
        assert_eq!(memory(Some(260), new, Some(250)), Severity::Good);
        assert_eq!(memory(Some(900), new, Some(250)), Severity::Ok);
        assert_eq!(memory(Some(200), Proposed::Unknown, None), Severity::Unknown);
        assert_eq!(memory(None, Proposed::Unset, Some(250)), Severity::Good);
        let advised =
            Advised { request: Proposed::Value(Millicores::new(300)), limit: Proposed::Unset };
        let now = (None, Some(Millicores::new(200)));
        assert_eq!(SeverityRule::Own.cpu(now, advised, 1).limit, Severity::Warning);
    }
}
