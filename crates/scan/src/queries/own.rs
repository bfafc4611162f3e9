//! Our own questions.

use super::{
    CONTAINERS, CPU, ENDED_REASON, ENDED_TIME, LIMITS, MEMORY, Of, QuerySettings, Subject,
};

const BY: &str = "by (namespace,pod,container)";

/// The text of the question about `subject` for the pods that `matchers` select.
pub(super) fn promql(settings: &QuerySettings, subject: Subject, of: Of, matchers: &str) -> String {
    let (lookback, step) = (settings.lookback.as_secs(), settings.step.seconds());
    let slot = settings.slot().seconds();
    let container = settings.selector(matchers, CONTAINERS);
    match subject {
        Subject::Cpu | Subject::CpuSamples => {
            let quantile = settings.cpu_quantile;
            let usage = usage(settings, &container, of);
            format!("quantile_over_time({quantile},{usage}[{lookback}s:{step}s])")
        }
        Subject::CpuSlots => {
            let usage = usage(settings, &container, Of::Series);
            format!("max {BY} (max_over_time({usage}[{slot}s:{step}s]))")
        }
        // Straight over the samples: none is missed, and nothing is evaluated between them. Series of one container are put
        // together where the answer is read: to group them costs Prometheus a fifth as much again.
        Subject::Memory | Subject::MemorySlots => {
            format!("max_over_time({MEMORY}{container}[{slot}s])")
        }
        Subject::CpuPoints | Subject::CpuPointsAtLeast => {
            format!("sum {BY} (count_over_time({CPU}{container}[{lookback}s]))")
        }
        Subject::MemoryPoints | Subject::MemoryPointsAtLeast => {
            format!("sum {BY} (count_over_time({MEMORY}{container}[{lookback}s]))")
        }
        Subject::OomTime => oom_time(settings, matchers),
        Subject::OomLimit => {
            let limits = settings.selector(matchers, r#"resource="memory""#);
            format!("max {BY} (max_over_time({LIMITS}{limits}[{lookback}s]))")
        }
    }
}

/// CPU usage at an instant, in cores, within the hours that count.
///
/// Grouping costs as much as the rates themselves, so it is left out where a container has one series.
fn usage(settings: &QuerySettings, container: &str, of: Of) -> String {
    let rate = format!("rate({CPU}{container}[{}s])", settings.rate_window().seconds());
    let rate = match of {
        Of::Series => rate,
        Of::Container => format!("max {BY} ({rate})"),
    };
    match (&settings.hours, of) {
        // The window of a rate lies within the hours if both of its ends do: hours are longer than windows.
        (Some(hours), _) => {
            let (begins, ends) = (hours.promql(settings.rate_window().seconds()), hours.promql(1));
            format!("({rate} and on () ({begins}) and on () ({ends}))")
        }
        (None, Of::Series) => rate,
        (None, Of::Container) => format!("({rate})"),
    }
}

/// When each container was last killed for lack of memory.
///
/// kube-state-metrics tells when a container last ended and why in two metrics. An old one tells only why; then the last
/// instant at which it did stands in, which is late, so that a kill counts for longer.
fn oom_time(settings: &QuerySettings, matchers: &str) -> String {
    let (lookback, step) = (settings.lookback.as_secs(), settings.step.seconds());
    let reason = settings.selector(matchers, r#"reason="OOMKilled""#);
    let reason = format!("({ENDED_REASON}{reason} == 1)");
    let time = format!("{ENDED_TIME}{}", settings.selector(matchers, ""));
    let told = format!("max {BY} ({time} and on (namespace,pod,container,uid) {reason})");
    let seen = format!("max {BY} (timestamp({reason}))");
    format!("max_over_time(({told} or {seen})[{lookback}s:{step}s])")
}
