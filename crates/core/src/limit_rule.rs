//! How limits follow requests.

use serde::{Deserialize, Serialize};

/// How the limit of a resource follows its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitRule {
    /// It stays as many times the request as it is now, and where it is above the request at least what is likely to be
    /// used; without a limit there stays none.
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
    /// The memory limit; `keep_ratio`.
    pub memory: LimitRule,
}

impl LimitRule {
    /// The limit that goes with `request` where a request and a limit are set `now`, never below the request; in the
    /// resource's smallest unit. `likely` is the most that is likely to be used.
    ///
    /// A limit that equals its request now stays equal, since raising it would change the pod's class of service; any
    /// other that is kept is at least `likely`, since below that it throttles or kills.
    #[must_use]
    pub fn limit(self, request: u64, now: (Option<u64>, Option<u64>), likely: u64) -> Option<u64> {
        match self {
            Self::None => None,
            Self::EqualToRequest => Some(request),
            Self::KeepRatio => {
                let limit = now.1?;
                // Kubernetes takes the limit as the request where only a limit is stated.
                let now = now.0.unwrap_or(limit);
                if limit == now {
                    return Some(request);
                }
                let ratio = limit as f64 / now.max(1) as f64;
                let kept = if now == 0 { limit } else { (request as f64 * ratio).ceil() as u64 };
                Some(kept.max(likely).max(request))
            }
        }
    }
}
