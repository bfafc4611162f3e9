//! The numbers of Robusta KRR, its peculiarities included.

#[cfg(test)]
mod tests;
mod text;

use mora_core::{Bytes, ContainerRole, Millicores, OwnerAutoscaler};
use serde::{Deserialize, Serialize};

use super::{Advice, Advised, Case};
use crate::observed::ContainerObserved;
use crate::settings_error::{SettingsError, check_margin, check_percentile};
use crate::{Proposed, Severity};

pub use text::{format, parse, round_cpu, round_memory};

/// Which strategy of KRR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KrrStrategy {
    /// A percentile of CPU per pod, without a limit.
    #[default]
    Simple,
    /// Percentiles of CPU over all pods together, for the request and for the limit.
    SimpleLimit,
}

/// The settings of KRR, by its names.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KrrSettings {
    /// Which of its strategies.
    pub strategy: KrrStrategy,
    /// `simple`: the percentile of CPU, in percent above 0 and up to 100.
    pub cpu_percentile: f64,
    /// `simple_limit`: the percentile that becomes the CPU request.
    pub cpu_request: f64,
    /// `simple_limit`: the percentile that becomes the CPU limit.
    pub cpu_limit: f64,
    /// Margin over the largest memory, in percent.
    pub memory_buffer_percentage: f64,
    /// Steps with data, over all pods, below which nothing is recommended.
    pub points_required: u32,
    /// Whether to recommend for what a HorizontalPodAutoscaler scales on.
    pub allow_hpa: bool,
    /// Whether memory is raised after a kill for lack of it.
    pub use_oomkill_data: bool,
    /// Margin over the limit at such a kill, in percent.
    pub oom_memory_buffer_percentage: f64,
    /// Smallest CPU, in millicores.
    pub cpu_min: u32,
    /// Smallest memory, in MiB.
    pub mem_min: u32,
}

impl Default for KrrSettings {
    fn default() -> Self {
        Self {
            strategy: KrrStrategy::Simple,
            cpu_percentile: 95.0,
            cpu_request: 66.0,
            cpu_limit: 96.0,
            memory_buffer_percentage: 15.0,
            points_required: 100,
            allow_hpa: false,
            use_oomkill_data: false,
            oom_memory_buffer_percentage: 25.0,
            cpu_min: 10,
            mem_min: 100,
        }
    }
}

/// One resource as KRR recommends it, in cores or bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KrrResource {
    /// The request.
    pub request: Proposed<f64>,
    /// The limit.
    pub limit: Proposed<f64>,
    /// What KRR says beside it.
    pub info: Option<&'static str>,
}

impl KrrResource {
    const fn unknown(info: &'static str) -> Self {
        Self { request: Proposed::Unknown, limit: Proposed::Unknown, info: Some(info) }
    }

    fn rounded(self, round: impl Fn(f64) -> f64) -> Self {
        let Self { request, limit, info } = self;
        Self { request: request.map(&round), limit: limit.map(&round), info }
    }
}

impl KrrSettings {
    /// Fails with the first setting that is out of its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        check_percentile("cpu_percentile", self.cpu_percentile)?;
        check_percentile("cpu_request", self.cpu_request)?;
        check_percentile("cpu_limit", self.cpu_limit)?;
        check_margin("memory_buffer_percentage", self.memory_buffer_percentage)?;
        check_margin("oom_memory_buffer_percentage", self.oom_memory_buffer_percentage)
    }

    /// CPU in cores and memory in bytes before rounding, from what was observed in all pods.
    #[must_use]
    pub fn unrounded(
        &self,
        observed: Option<&ContainerObserved>,
        autoscaler: Option<&OwnerAutoscaler>,
    ) -> (KrrResource, KrrResource) {
        let nothing = ContainerObserved::default();
        let observed = observed.unwrap_or(&nothing);
        (self.cpu(observed, autoscaler), self.memory(observed, autoscaler))
    }

    /// As [`KrrSettings::unrounded`], rounded and raised to the smallest amounts.
    #[must_use]
    pub fn recommended(
        &self,
        observed: Option<&ContainerObserved>,
        autoscaler: Option<&OwnerAutoscaler>,
    ) -> (KrrResource, KrrResource) {
        let (cpu, memory) = self.unrounded(observed, autoscaler);
        let (least_cpu, least_memory) = (self.cpu_min, self.mem_min);
        (
            cpu.rounded(|cores| round_cpu(cores, least_cpu)),
            memory.rounded(|bytes| round_memory(bytes, least_memory)),
        )
    }

    fn cpu(
        &self,
        observed: &ContainerObserved,
        autoscaler: Option<&OwnerAutoscaler>,
    ) -> KrrResource {
        let pods = || observed.pods.values();
        let mut samples: Vec<f64> = match self.strategy {
            KrrStrategy::Simple => pods().filter_map(|pod| pod.cpu).collect(),
            KrrStrategy::SimpleLimit => {
                pods().flat_map(|pod| pod.cpu_samples.iter().copied()).collect()
            }
        };
        if samples.is_empty() {
            return KrrResource::unknown("No data");
        }
        if pods().filter_map(|pod| pod.cpu_points).sum::<f64>() < f64::from(self.points_required) {
            return KrrResource::unknown("Not enough data");
        }
        if !self.allow_hpa && autoscaler.is_some_and(|scales| scales.cpu_percent.is_some()) {
            return KrrResource::unknown("HPA detected");
        }
        samples.sort_by(f64::total_cmp);
        let percentile = |percent| Proposed::Value(percentile(&samples, percent));
        let (request, limit) = match self.strategy {
            KrrStrategy::Simple => (percentile(100.0), Proposed::Unset),
            KrrStrategy::SimpleLimit => (percentile(self.cpu_request), percentile(self.cpu_limit)),
        };
        KrrResource { request, limit, info: None }
    }

    fn memory(
        &self,
        observed: &ContainerObserved,
        autoscaler: Option<&OwnerAutoscaler>,
    ) -> KrrResource {
        let pods = || observed.pods.values();
        let Some(peak) = observed.memory_peak() else { return KrrResource::unknown("No data") };
        let points: f64 = pods().filter_map(|pod| pod.memory_points).sum();
        if points < f64::from(self.points_required) {
            return KrrResource::unknown("Not enough data");
        }
        if !self.allow_hpa && autoscaler.is_some_and(|scales| scales.memory_percent.is_some()) {
            return KrrResource::unknown("HPA detected");
        }
        let killed = pods().filter_map(|pod| pod.oom_limit).reduce(f64::max);
        let killed = killed.filter(|_| self.use_oomkill_data).unwrap_or(0.0);
        let used = peak * (1.0 + self.memory_buffer_percentage / 100.0);
        let lacked = killed * (1.0 + self.oom_memory_buffer_percentage / 100.0);
        let memory = Proposed::Value(used.max(lacked));
        // Said also where usage decides.
        let info = (killed != 0.0).then_some("OOMKill detected");
        KrrResource { request: memory, limit: memory, info }
    }

    /// What to set for the container of `case`.
    pub(super) fn advise(&self, case: Case<'_>) -> Advice {
        let mut notes = Vec::new();
        // KRR looks at no init containers.
        let is_seen = case.container.role != ContainerRole::Init;
        if !is_seen {
            notes.push("KRR does not look at init containers.".to_owned());
        }
        let observed = case.observed.filter(|_| is_seen);
        let (cpu, memory) = self.recommended(observed, case.item.autoscaler.as_ref());
        for (resource, info) in [("CPU", cpu.info), ("Memory", memory.info)] {
            notes.extend(info.filter(|_| is_seen).map(|info| format!("{resource}: {info}.")));
        }
        let millicores = |cores: f64| Millicores::new((cores * 1000.0).round() as u64);
        let advised_cpu = advised(cpu, millicores);
        let advised_memory = advised(memory, |bytes| Bytes::new(bytes as u64));
        let is_some =
            advised_cpu.request.value().is_some() || advised_memory.request.value().is_some();
        Advice {
            strategy: "krr".to_owned(),
            cpu: advised_cpu,
            memory: advised_memory,
            memory_peak: None,
            confidence: Self::confidence(case, is_some),
            notes,
        }
    }

    /// KRR counts steps, not hours.
    fn confidence(case: Case<'_>, is_some: bool) -> crate::Confidence {
        let mut confidence = case.confidence(is_some);
        let pods = case.observed.into_iter().flat_map(|observed| observed.pods.values());
        let hours = pods.filter_map(|pod| pod.hours_known).reduce(f64::max).unwrap_or(0.0);
        confidence.observed_hours = hours.min(confidence.lookback_hours);
        confidence.level = case.level(confidence.observed_hours, is_some);
        confidence
    }
}

fn advised<Q>(resource: KrrResource, quantity: impl Fn(f64) -> Q) -> Advised<Q> {
    Advised { request: resource.request.map(&quantity), limit: resource.limit.map(&quantity) }
}

/// The `percent` percentile of `sorted`, which is not empty, between its neighbours from the nearer one, as `NumPy` does.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let rank = percent / 100.0 * (sorted.len() - 1) as f64;
    let below = (rank.floor() as usize).min(sorted.len() - 1);
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high, share) = (sorted[below], sorted[above], rank - below as f64);
    if share >= 0.5 { high - (high - low) * (1.0 - share) } else { low + (high - low) * share }
}

/// Which of the `series` of a pod KRR takes, each with the name of its job: that of the job `kubelet` if there is exactly
/// one, else the first by the name of the job. `None` where there is none.
#[must_use]
pub fn job_kept<T>(series: &[(&str, T)]) -> Option<usize> {
    let mut kubelet = series.iter().enumerate().filter(|(_, (job, _))| *job == "kubelet");
    match (kubelet.next(), kubelet.next()) {
        (Some((index, _)), None) => Some(index),
        _ => (0..series.len()).min_by_key(|index| series[*index].0),
    }
}

/// How far apart KRR finds `current` and `recommended`, in cores for CPU and bytes for memory, by the `limits` between its
/// severities.
fn severity(current: Option<f64>, recommended: Proposed<f64>, limits: [f64; 3]) -> Severity {
    let apart = match (current, recommended) {
        (_, Proposed::Unknown) => return Severity::Unknown,
        (None, Proposed::Unset) => return Severity::Good,
        (None, _) | (_, Proposed::Unset) => return Severity::Warning,
        (Some(current), Proposed::Value(recommended)) => (current - recommended).abs(),
    };
    let [ok, warning, critical] = limits;
    match apart {
        apart if apart >= critical => Severity::Critical,
        apart if apart >= warning => Severity::Warning,
        apart if apart >= ok => Severity::Ok,
        _ => Severity::Good,
    }
}

/// KRR's severity for CPU, in cores.
#[must_use]
pub fn cpu_severity(current: Option<f64>, recommended: Proposed<f64>) -> Severity {
    severity(current, recommended, [0.1, 0.25, 0.5])
}

/// KRR's severity for memory, in bytes.
#[must_use]
pub fn memory_severity(current: Option<f64>, recommended: Proposed<f64>) -> Severity {
    const MEBIBYTE: f64 = 1_048_576.0;
    severity(current, recommended, [100.0 * MEBIBYTE, 250.0 * MEBIBYTE, 500.0 * MEBIBYTE])
}

/// KRR's score of containers, from 0 to 100, and its letter; 0 for none.
#[must_use]
pub fn score(severities: &[Severity]) -> (u32, char) {
    let cost: f64 = severities
        .iter()
        .map(|severity| match severity {
            Severity::Warning => 0.7,
            Severity::Critical => 1.0,
            Severity::Unknown | Severity::Good | Severity::Ok => 0.0,
        })
        .sum();
    let count = severities.len() as f64;
    let score = if severities.is_empty() { 0 } else { ((count - cost) / count * 100.0) as u32 };
    let letter = match score {
        ..30 => 'F',
        30..55 => 'D',
        55..70 => 'C',
        70..90 => 'B',
        _ => 'A',
    };
    (score, letter)
}
