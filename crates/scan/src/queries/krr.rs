//! The questions whose answers are those Robusta KRR works with, for many workloads at once.
//!
//! KRR takes the maximum over all series of a container within every step. That of one series is the series, so it is
//! asked for without, and only again with it where a container has several.

use jiff::SignedDuration;

use super::{CONTAINERS, CPU, ENDED_REASON, LIMITS, MEMORY, Of, QuerySettings, Subject};

const BY: &str = "by (namespace,pod,container,job)";

/// The text of the question about `subject` for the pods that `matchers` select.
pub(super) fn promql(settings: &QuerySettings, subject: Subject, of: Of, matchers: &str) -> String {
    let (step, slot) = (settings.step.seconds(), settings.slot().seconds());
    let range = format!("[{}:{step}s]", duration(settings.lookback));
    let container = settings.selector(matchers, CONTAINERS);
    let whole = |vector: String| match of {
        Of::Series => vector,
        Of::Container => format!("(max {BY} ({vector}))"),
    };
    let rate = format!("rate({CPU}{container}[{step}s])");
    match subject {
        Subject::Cpu => {
            let quantile = quantile(settings.cpu_quantile);
            format!("quantile_over_time({quantile},{}{range})", whole(rate))
        }
        Subject::CpuSamples => whole(rate),
        Subject::CpuPoints => {
            format!("count_over_time({}{range})", whole(format!("{CPU}{container}")))
        }
        Subject::CpuPointsAtLeast => {
            format!("count_over_time({CPU}{container}[{}s:{step}s])", latest(settings))
        }
        Subject::Memory => {
            format!("max_over_time({}{range})", whole(format!("{MEMORY}{container}")))
        }
        Subject::MemoryPoints => {
            format!("count_over_time({}{range})", whole(format!("{MEMORY}{container}")))
        }
        Subject::MemoryPointsAtLeast => {
            let some = seconds_between_some(settings);
            format!("count_over_time({MEMORY}{container}[{}:{some}s])", duration(settings.lookback))
        }
        Subject::CpuSlots => {
            format!("max by (namespace,pod,container) (max_over_time({rate}[{slot}s:{step}s]))")
        }
        Subject::MemorySlots => format!(
            "max by (namespace,pod,container) (max_over_time({MEMORY}{container}[{slot}s]))"
        ),
        Subject::OomTime => {
            let reason = settings.selector(matchers, r#"reason="OOMKilled""#);
            format!("max_over_time({ENDED_REASON}{reason}{range})")
        }
        Subject::OomLimit => oom_limit(settings, matchers, &range),
    }
}

/// Enough of the latest steps for a pod that runs to be seen at twice as many as are required, in seconds: they are a small
/// part of the lookback, and cost as little.
fn latest(settings: &QuerySettings) -> i64 {
    let required = i64::from(settings.dialect.points_required());
    let whole = settings.lookback.as_secs();
    // The range itself may have been cut to whole days or minutes.
    let held = if whole > 86_400 { whole / 86_400 * 86_400 } else { whole / 60 * 60 };
    (2 * required.max(1) * i64::from(settings.step.seconds())).min(held)
}

/// The spacing of some of the steps, in seconds: about an hour, which tells how long a pod was there. Prometheus aligns steps to
/// multiples of them since the Unix epoch, so that those of a multiple are among them.
pub(super) fn seconds_between_some(settings: &QuerySettings) -> i64 {
    let step = i64::from(settings.step.seconds());
    let required = i64::from(settings.dialect.points_required()).max(1);
    let hour = (3600 / step).max(1);
    // A short lookback has too few hours to tell that there are enough.
    let enough = (settings.lookback.as_secs() / (step * required)).max(1);
    step * hour.min(enough)
}

/// KRR multiplies the limit by the 1 that kube-state-metrics says of a kill, as long as it says it.
fn oom_limit(settings: &QuerySettings, matchers: &str, range: &str) -> String {
    let limits = settings.selector(matchers, r#"resource="memory""#);
    let reason = settings.selector(matchers, r#"reason="OOMKilled""#);
    let limits = format!("max {BY} ({LIMITS}{limits})");
    let killed = format!("max by (namespace,pod,container,job,reason) ({ENDED_REASON}{reason})");
    format!(
        "max_over_time((max {BY} ({limits} * on (namespace,pod,container,job) group_left (reason) {killed})){range})"
    )
}

/// A length of time as KRR writes it: beyond a day in whole days, else in whole minutes, the rest cut off.
fn duration(time: SignedDuration) -> String {
    let seconds = time.as_secs();
    if seconds > 86_400 { format!("{}d", seconds / 86_400) } else { format!("{}m", seconds / 60) }
}

/// A quantile as KRR writes it, with two decimals: the percentile 99.5 becomes 0.99 or 1, whichever its binary
/// neighbour is nearer to.
fn quantile(quantile: f64) -> String {
    // Formatting rounds the exact binary value, as Python's `round` does.
    let text = format!("{quantile:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
