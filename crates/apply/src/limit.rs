//! The limit that goes with a request on the way to its target.

use mora_core::{Bytes, Limit, Millicores, ResourceClaim, Target};

/// A request on its way, in the resource's smallest unit.
#[derive(Debug, Clone, Copy)]
struct Way {
    now: Option<u64>,
    next: u64,
    target: u64,
    limit_now: Option<u64>,
    limit_target: Option<u64>,
    fixed: bool,
}

impl Way {
    /// The limit beside `next`: that of the plan once the target is reached, or where it goes with every request; on the way
    /// another keeps its ratio and is neither below the plan's nor below the request. One that the plan wants gone stays until the
    /// target is reached.
    fn limit(self) -> Option<u64> {
        let Self { now, next, target, limit_now, limit_target, fixed } = self;
        if now == Some(next) {
            return limit_now;
        }
        if next == target {
            return limit_target;
        }
        let Some(goal) = limit_target else { return limit_now.map(|limit| limit.max(next)) };
        if fixed {
            return Some(goal.max(next));
        }
        if goal == target {
            return Some(next);
        }
        let limit = match (now, limit_now) {
            (Some(now), Some(limit)) if next < now => goal.max(scaled(limit, next, now)),
            (_, limit) => limit.unwrap_or(0).max(scaled(goal, next, target)),
        };
        Some(limit.max(next))
    }
}

/// `amount * numerator / denominator`, rounded up.
fn scaled(amount: u64, numerator: u64, denominator: u64) -> u64 {
    let exact = u128::from(amount) * u128::from(numerator);
    u64::try_from(exact.div_ceil(u128::from(denominator.max(1)))).unwrap_or(u64::MAX)
}

/// The claim with the requests `cpu` and `memory`, given the targets and limits of the plan.
pub(crate) fn claim_with(
    (cpu, memory): (Option<Millicores>, Option<Bytes>),
    (cpu_target, memory_target): (Target<Millicores>, Target<Bytes>),
    (cpu_limit, memory_limit): (Limit<Millicores>, Limit<Bytes>),
) -> ResourceClaim {
    let of_cpu = |next: Millicores| Way {
        now: cpu_target.current.map(Millicores::get),
        next: next.get(),
        target: cpu_target.target.get(),
        limit_now: cpu_limit.current.map(Millicores::get),
        limit_target: cpu_limit.target.map(Millicores::get),
        fixed: cpu_limit.fixed,
    };
    let of_memory = |next: Bytes| Way {
        now: memory_target.current.map(Bytes::get),
        next: next.get(),
        target: memory_target.target.get(),
        limit_now: memory_limit.current.map(Bytes::get),
        limit_target: memory_limit.target.map(Bytes::get),
        fixed: memory_limit.fixed,
    };
    ResourceClaim {
        cpu_request: cpu,
        memory_request: memory,
        cpu_limit: cpu.map_or(cpu_limit.current, |next| of_cpu(next).limit().map(Millicores::new)),
        memory_limit: memory
            .map_or(memory_limit.current, |next| of_memory(next).limit().map(Bytes::new)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(now: u64, next: u64, target: u64, limits: [Option<u64>; 2]) -> Option<u64> {
        let [limit_now, limit_target] = limits;
        Way { now: Some(now), next, target, limit_now, limit_target, fixed: false }.limit()
    }

    #[test]
    fn one_that_goes_with_every_request_is_set_whatever_the_slot() {
        let limit = |now, next, goal| {
            let [limit_now, limit_target] = [Some(400), Some(goal)];
            Way { now: Some(now), next, target: 50, limit_now, limit_target, fixed: true }.limit()
        };
        assert_eq!(limit(100, 50, 400), Some(400), "the target");
        assert_eq!(limit(50, 100, 400), Some(400), "a later slot above the target");
        assert_eq!(limit(100, 80, 400), Some(400), "on the way down");
        assert_eq!(limit(50, 100, 90), Some(100), "a limit range holds it below that slot");
    }

    #[test]
    fn a_limit_follows_its_request_in_proportion_and_never_below_the_plans() {
        assert_eq!(limit(1000, 800, 100, [Some(2000), Some(400)]), Some(1600));
        assert_eq!(limit(1000, 800, 100, [Some(2000), Some(1900)]), Some(1900));
        assert_eq!(limit(1000, 100, 100, [Some(2000), Some(400)]), Some(400), "reached");
        assert_eq!(limit(100, 150, 200, [Some(120), Some(240)]), Some(180), "part of a raise");
    }

    #[test]
    fn a_limit_that_equals_its_request_stays_equal() {
        assert_eq!(limit(1000, 800, 100, [Some(1000), Some(100)]), Some(800));
        assert_eq!(limit(100, 150, 200, [Some(100), Some(200)]), Some(150));
    }

    #[test]
    fn a_request_that_stays_keeps_its_limit_and_one_that_is_to_go_stays_on_the_way() {
        assert_eq!(limit(500, 500, 100, [Some(600), Some(200)]), Some(600));
        assert_eq!(limit(1000, 800, 100, [Some(900), None]), Some(900));
        assert_eq!(limit(100, 150, 200, [Some(120), None]), Some(150), "never below the request");
        assert_eq!(limit(1000, 100, 100, [Some(900), None]), None);
    }
}
