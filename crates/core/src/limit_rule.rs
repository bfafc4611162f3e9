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
    /// It stays what it is now, and is raised where that is less than twice the request or than what is likely to be used; without a
    /// limit there stays none. A request is a share and a price that may follow the load down; what one request of a user takes at
    /// once does not become less with the load, and a limit near its mean makes it wait.
    NeverLower,
    /// It equals the request.
    EqualToRequest,
    /// There is none.
    None,
}

/// [`LimitRule::NeverLower`] leaves a limit at least as many times its request.
const LEAST_TIMES: u64 = 2;

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
            Self::KeepRatio | Self::NeverLower => {
                let limit = now.1?;
                // Kubernetes takes the limit as the request where only a limit is stated.
                let now = now.0.unwrap_or(limit);
                if limit == now {
                    return Some(request);
                }
                let kept = match self {
                    Self::NeverLower => limit.max(request.saturating_mul(LEAST_TIMES)),
                    _ if now == 0 => limit,
                    _ => in_proportion(request, (now, limit)),
                };
                Some(kept.max(likely).max(request))
            }
        }
    }
}

/// Ratios are looked for among fractions of so small a denominator; where CPU is counted in millicores, there is one.
const DENOMINATORS: std::ops::RangeInclusive<u128> = 1..=4096;

/// The limit that is as many times `request` as the limit `now` is of the request `now`, which is above 0; rounded up.
///
/// The limit in force was itself rounded up, so it stands for every ratio that rounds to it, and the simplest of them is taken. The
/// quotient of the two numbers would be a little larger each time, and a limit that follows a schedule would grow with it.
fn in_proportion(request: u64, (now, limit): (u64, u64)) -> u64 {
    let (now, limit) = (u128::from(now), u128::from(limit));
    let rounds_to_it = |denominator: u128| {
        let numerator = limit * denominator / now;
        (numerator * now > limit.saturating_sub(1) * denominator)
            .then_some((numerator, denominator))
    };
    let (numerator, denominator) =
        DENOMINATORS.into_iter().find_map(rounds_to_it).unwrap_or((limit, now));
    let kept = (u128::from(request) * numerator).div_ceil(denominator);
    u64::try_from(kept).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_keeps_its_limit_whatever_the_ratio() {
        for (request, limit) in [(70, 125), (100, 200), (200, 300), (3, 7), (7, 1), (4999, 7919)] {
            assert_eq!(in_proportion(request, (request, limit)), limit, "{request} {limit}");
        }
    }

    #[test]
    fn a_limit_that_follows_small_requests_for_a_month_keeps_its_ratio() {
        for (first, ratio) in [((200, 300), 1.5), ((70, 125), 125.0 / 70.0), ((100, 200), 2.0)] {
            let mut now = first;
            for hour in 0_u64..24 * 30 {
                let request = 10 + hour * 7 % 23;
                now = (request, in_proportion(request, now));
            }
            let back = in_proportion(first.0, now) as f64 / first.0 as f64;
            assert!((back / ratio - 1.0).abs() < 0.02, "{first:?} became {back}");
        }
    }

    #[test]
    fn a_limit_that_is_never_lowered_follows_the_highest_request() {
        let limit = |request, now, likely| LimitRule::NeverLower.limit(request, now, likely);
        assert_eq!(limit(50, (Some(100), Some(150)), 60), Some(150), "a request that falls");
        assert_eq!(limit(100, (Some(100), Some(150)), 120), Some(200), "at least twice");
        assert_eq!(limit(60, (Some(100), Some(150)), 180), Some(180), "at least what is likely");
        assert_eq!(limit(50, (Some(100), Some(100)), 60), Some(50), "equal stays equal");
        assert_eq!(limit(50, (Some(100), None), 60), None);
        let mut now = (Some(100), Some(150));
        for hour in 0_u64..24 * 30 {
            let request = 10 + hour * 7 % 223;
            now = (Some(request), limit(request, now, request + 9));
        }
        assert_eq!(now.1, Some(2 * 232), "a month of ups and downs does not add up");
    }

    #[test]
    fn amounts_of_memory_keep_their_ratio_to_the_byte() {
        let (request, limit) = (230_686_720, 471_859_200);
        assert_eq!(in_proportion(2 * request, (request, limit)), 2 * limit);
        assert_eq!(in_proportion(u64::MAX, (1, u64::MAX)), u64::MAX);
    }
}
