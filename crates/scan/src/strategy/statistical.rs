//! Our own rule: a percentile of CPU and the largest memory with a margin, per pod, then the largest over pods.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use mora_core::{Bytes, ContainerRole, LimitPolicy, Millicores, OomRule, OwnerAutoscaler};
use serde::{Deserialize, Serialize};

use super::{Advice, Case, limits};
use crate::observed::{ContainerObserved, PodObserved};
use crate::settings_error::{SettingsError, check_margin, check_percentile};

/// The parameters of the strategy `statistical`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatisticalSettings {
    /// Percentile of CPU usage that becomes the CPU request, in percent above 0 and up to 100.
    pub cpu_percentile: f64,
    /// Margin over the largest memory working set, in percent, at least 0.
    pub memory_margin_percent: f64,
    /// Smallest CPU request.
    pub cpu_min_allowed: Millicores,
    /// Smallest memory request.
    pub memory_min_allowed: Bytes,
    /// Nothing is recommended for what was observed for no longer than this, in hours; a Job may be shorter.
    pub min_observed_hours: f64,
    /// How limits follow requests.
    pub limits: LimitPolicy,
    /// How much a container gets that ran out of memory.
    pub oom: OomRule,
}

impl Default for StatisticalSettings {
    fn default() -> Self {
        Self {
            cpu_percentile: 95.0,
            memory_margin_percent: 15.0,
            cpu_min_allowed: Millicores::new(10),
            memory_min_allowed: Bytes::from_mebibytes(16),
            min_observed_hours: 1.0,
            limits: LimitPolicy::default(),
            oom: OomRule::default(),
        }
    }
}

impl StatisticalSettings {
    /// Fails with the first setting that is out of its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        check_percentile("cpu_percentile", self.cpu_percentile)?;
        check_margin("memory_margin_percent", self.memory_margin_percent)
    }

    /// What to set for the container of `case`.
    pub(super) fn advise(&self, case: Case<'_>) -> Advice {
        let mut notes = Vec::new();
        let is_enough = self.is_enough(case, &mut notes);
        let observed = case.observed.filter(|_| is_enough);
        let cpu = observed.and_then(cpu_usage).and_then(|cores| self.cpu_request(cores));
        let peak = observed.and_then(ContainerObserved::memory_peak);
        let raised = observed.and_then(|observed| self.raised(observed, case.settings.end()));
        let memory = peak.and_then(|bytes| self.memory_request(bytes));
        let memory = match (memory, raised) {
            (Some(memory), Some((killed, least))) if least > memory => {
                notes.push(format!(
                    "It ran out of memory at {killed}, so it gets more than it had then."
                ));
                Some(least)
            }
            (memory, _) => memory,
        };
        if observed.is_some() && case.item.owner.kind.is_batch() {
            notes.push(
                "The percentile of CPU is over the time in which it ran, not over the lookback."
                    .to_owned(),
            );
        }
        let known = observed.into_iter().flat_map(|observed| observed.pods.values());
        let lacked = known.filter_map(|pod| pod.oom_limit.filter(|_| pod.oom_killed.is_some()));
        let memory_peak = peak.into_iter().chain(lacked).reduce(f64::max);
        let memory_peak = memory_peak.and_then(|bytes| Bytes::from_measured(bytes).ok());
        self.with_requests(case, "statistical", (cpu, memory, memory_peak), notes)
    }

    /// The advice of another strategy, called `strategy`, with these requests per replica (CPU, memory, and
    /// the largest memory that was used), its notes, and limits by the policy of this one; what is `None` is unknown.
    #[must_use]
    pub fn with_requests(
        &self,
        case: Case<'_>,
        strategy: &str,
        (cpu, memory, memory_peak): (Option<Millicores>, Option<Bytes>, Option<Bytes>),
        mut notes: Vec<String>,
    ) -> Advice {
        let claim = &case.container.claim;
        if let Some(autoscaler) = &case.item.autoscaler {
            notes.extend(scales_on_memory(autoscaler, claim.memory_request, memory));
        }
        Advice {
            strategy: strategy.to_owned(),
            cpu: limits::cpu(self.limits.cpu, cpu, claim),
            memory: limits::memory(self.limits.memory, memory, claim, memory_peak),
            memory_peak,
            confidence: case.confidence(cpu.is_some() || memory.is_some()),
            notes,
        }
    }

    /// Whether what was observed is worth a recommendation; else says why not.
    fn is_enough(&self, case: Case<'_>, notes: &mut Vec<String>) -> bool {
        let hours = case.observed_hours();
        if hours == 0.0 {
            notes.push(match case.container.role {
                ContainerRole::Init => {
                    "An init container runs too shortly to be observed; what it requests stays."
                        .to_owned()
                }
                _ => "It was not observed in the lookback.".to_owned(),
            });
            return false;
        }
        let runs_to_an_end =
            case.item.owner.kind.is_batch() || case.container.role == ContainerRole::Init;
        let slot = f64::from(case.settings.slot().seconds()) / 3600.0;
        // A slot may have been observed for a moment only; of several, all but the first and last were whole.
        let is_enough = runs_to_an_end
            || hours > self.min_observed_hours.max(slot).min(case.settings.counted_hours() - slot);
        if !is_enough {
            notes.push(format!(
                "It was observed for no longer than {} h; recommendations need more than {} h (strategy.min_observed_hours).",
                hours, self.min_observed_hours
            ));
        }
        is_enough
    }

    fn cpu_request(&self, cores: f64) -> Option<Millicores> {
        Some(Millicores::from_cores(cores).ok()?.max(self.cpu_min_allowed))
    }

    fn memory_request(&self, peak: f64) -> Option<Bytes> {
        let bytes = peak * (1.0 + self.memory_margin_percent / 100.0);
        Some(Bytes::from_measured(bytes).ok()?.max(self.memory_min_allowed))
    }

    /// The kill for lack of memory that calls for most, and what it calls for.
    fn raised(&self, observed: &ContainerObserved, now: Timestamp) -> Option<(Timestamp, Bytes)> {
        let kill = |pod: &PodObserved| {
            let killed = pod.oom_killed?;
            let peak = peak_at_kill(pod, killed)?;
            Some((killed, self.oom.least(Bytes::new(peak.ceil() as u64), killed, now)?))
        };
        observed.pods.values().filter_map(kill).max_by_key(|(_, least)| *least)
    }
}

/// The largest over pods of the quantile of CPU, in cores.
///
/// A pod seen in a single slot is mostly start-up: it does not decide where others ran on.
fn cpu_usage(observed: &ContainerObserved) -> Option<f64> {
    let ran_on = |pod: &&PodObserved| pod.memory_slots.len() > 1;
    let largest = |pods: &mut dyn Iterator<Item = &PodObserved>| {
        pods.filter_map(|pod| pod.cpu).reduce(f64::max)
    };
    largest(&mut observed.pods.values().filter(ran_on))
        .or_else(|| largest(&mut observed.pods.values()))
}

/// What the container had when it was killed: its limit, or the largest working set of the slot of the kill and the one
/// before, whichever is more.
fn peak_at_kill(pod: &PodObserved, killed: Timestamp) -> Option<f64> {
    let after = pod.memory_slots.partition_point(|(end, _)| *end < killed);
    let slots = &pod.memory_slots[after.saturating_sub(1)..(after + 1).min(pod.memory_slots.len())];
    slots.iter().map(|(_, bytes)| *bytes).chain(pod.oom_limit).reduce(f64::max)
}

/// What to do about an autoscaler whose aim is a share of the memory request.
fn scales_on_memory(
    autoscaler: &OwnerAutoscaler,
    now: Option<Bytes>,
    memory: Option<Bytes>,
) -> Option<String> {
    let (percent, now, memory) = (autoscaler.memory_percent?, now?, memory?);
    let advised = super::kept_percent(percent, now.get(), memory.get())?;
    (advised != percent).then(|| {
        format!(
            "Its autoscaler aims at {percent} % of the memory request; with the one recommended, {advised} % keeps the replicas."
        )
    })
}
