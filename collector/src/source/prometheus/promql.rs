//! What is asked beside the catalogue, and over which windows.

use mora_core::Step;

use crate::Lookback;

/// The namespaces with container metrics within the last hour.
pub(super) const NAMESPACES: &str =
    "group by (namespace) (last_over_time(container_cpu_usage_seconds_total[1h]))";

/// Width of a window in which an owner is looked for, in seconds: short enough to hold few samples,
/// long enough to take few windows.
const OWNER_WINDOW: u32 = 6 * 3600;

/// Requests or limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Request,
    Limit,
}

/// The ends of the windows that cover `lookback` without a hole, as a lookback of their own.
pub(super) fn owner_windows(lookback: &Lookback) -> Lookback {
    let width = jiff::SignedDuration::from_secs(i64::from(OWNER_WINDOW));
    // A window that ends inside the lookback looks back by its width; the last must not end before it.
    let to = lookback.to.saturating_add(width).unwrap_or(lookback.to);
    Lookback { to, step: Step::from_seconds(OWNER_WINDOW).unwrap_or(Step::HOUR), ..*lookback }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::prometheus::catalogue::catalogue;
    use jiff::Timestamp;

    #[test]
    fn owner_windows_cover_every_instant_of_the_lookback() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (from, to) in [(1, 60), (21_600, 43_200), (100_000, 190_001)] {
            let windows =
                owner_windows(&Lookback { from: at(from), to: at(to), step: Step::MINUTE });
            let first = windows.first_second();
            let last = first + 21_600 * (windows.steps() as i64 - 1);
            assert!(first - 21_600 < from && to <= last, "{from} to {to}: {first} to {last}");
        }
        let owners = catalogue().into_iter().filter(|metric| metric.name.ends_with("_owners"));
        let wide = owners.filter(|metric| metric.queries[0].promql.ends_with("[6h]))")).count();
        assert_eq!(wide, 2);
    }
}
