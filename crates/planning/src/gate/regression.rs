//! Whether a decrease did harm.

use jiff::{SignedDuration, Timestamp};
use mora_core::{Bytes, Dataset, Indicator, Series};

use super::rules::RegressionRules;
use super::state::{Requests, Watch};
use super::when;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A decrease of one container and what its workload did since.
#[derive(Clone, Copy)]
pub(super) struct Aftermath<'a> {
    pub(super) watch: &'a Watch,
    pub(super) requests: Requests,
    pub(super) container: &'a str,
    pub(super) dataset: &'a Dataset,
    pub(super) now: Timestamp,
}

impl Aftermath<'_> {
    /// What became worse, as part of a sentence; `None` where nothing did or too little was observed.
    pub(super) fn regression(&self, rules: &RegressionRules) -> Option<String> {
        self.killed().or_else(|| self.slower(rules)).or_else(|| self.failing(rules))
    }

    /// A kill after a decrease of memory. The decrease was made at an unknown instant after it was last seen
    /// not to be, so every kill from there on counts.
    fn killed(&self) -> Option<String> {
        let before = self.watch.before.memory?;
        let lowered = self.requests.memory.is_some_and(|memory: Bytes| memory < before);
        let kills = self.dataset.containers.get(self.container)?.oom_kills.iter();
        let since = |killed: &Timestamp| (self.watch.unchanged_at..=self.now).contains(killed);
        let first = kills.map(|kill| kill.killed).find(since).filter(|_| lowered)?;
        Some(format!("it ran out of memory at {} after a decrease", when(first)))
    }

    fn slower(&self, rules: &RegressionRules) -> Option<String> {
        let (before, after) = self.compared(Indicator::LatencyP95, median, rules)?;
        let worse = after > before * (1.0 + rules.latency_ratio)
            && (after - before) * 1000.0 > rules.latency_least_ms;
        let milliseconds = |seconds: f64| format!("{:.0} ms", seconds * 1000.0);
        worse.then(|| {
            format!(
                "latency p95 rose from {} to {} after a decrease",
                milliseconds(before),
                milliseconds(after)
            )
        })
    }

    fn failing(&self, rules: &RegressionRules) -> Option<String> {
        let (before, after) = self.compared(Indicator::ErrorRatio, mean, rules)?;
        (after - before > rules.error_ratio.get()).then(|| {
            format!(
                "the error ratio rose from {:.1} % to {:.1} % after a decrease",
                before * 100.0,
                after * 100.0
            )
        })
    }

    /// The indicator before the decrease and in the newest window since.
    ///
    /// Before is the worse of the same hours a day earlier and the last hours without the decrease, so that
    /// neither the busy hour of every day nor a busy day counts as harm.
    fn compared(
        &self,
        indicator: Indicator,
        typical: fn(&Series) -> f64,
        rules: &RegressionRules,
    ) -> Option<(f64, f64)> {
        let series = self.dataset.indicators.get(&indicator)?;
        let between = |from: Timestamp, to: Timestamp| {
            let part = series.between(from, to);
            let enough = part.observed().count() >= rules.min_samples.max(1) as usize;
            enough.then(|| typical(&part))
        };
        let earlier = |time: Timestamp, by| time.saturating_sub(by).unwrap_or(Timestamp::MIN);
        let from = self.watch.changed_at.max(earlier(self.now, rules.window()));
        let after = between(from, self.now)?;
        let day_before = between(earlier(from, DAY), earlier(self.now, DAY));
        let unchanged = self.watch.unchanged_at;
        let just_before = between(earlier(unchanged, rules.window()), unchanged);
        let before = day_before.into_iter().chain(just_before).reduce(f64::max)?;
        Some((before, after))
    }
}

/// One slow scrape is no regression.
fn median(series: &Series) -> f64 {
    let sorted = series.sorted();
    sorted[sorted.len() / 2]
}

/// Errors come in bursts that a median does not see.
fn mean(series: &Series) -> f64 {
    series.observed().sum::<f64>() / series.observed().count() as f64
}
