//! The statistical baseline: a percentile of CPU usage and the maximum of memory plus a margin.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Bytes, ContainerUsage, Millicores, Series};

/// The parameters of the statistical strategy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatisticalRule {
    /// Percentile of CPU usage that becomes the CPU request, in percent above 0 and up to 100.
    pub cpu_percentile: f64,
    /// Margin over the largest memory working set, in percent, at least 0.
    pub memory_margin_percent: f64,
    /// Smallest CPU request.
    pub cpu_min_allowed: Millicores,
    /// Smallest memory request.
    pub memory_min_allowed: Bytes,
    /// Samples per resource, over all pods, below which nothing is recommended.
    pub min_samples: usize,
}

impl Default for StatisticalRule {
    fn default() -> Self {
        Self {
            cpu_percentile: 95.0,
            memory_margin_percent: 15.0,
            cpu_min_allowed: Millicores::new(10),
            memory_min_allowed: Bytes::from_mebibytes(16),
            min_samples: 10,
        }
    }
}

/// A container's requests by the statistical rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Baseline {
    /// CPU request per pod.
    pub cpu: Millicores,
    /// Memory request per pod.
    pub memory: Bytes,
}

/// Why the rule gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "too few samples: {cpu} of CPU and {memory} of memory, where {needed} of each are needed; widen the lookback or check that the container ran"
)]
pub struct TooFewSamples {
    /// CPU samples seen.
    pub cpu: usize,
    /// Memory samples seen.
    pub memory: usize,
    /// Samples needed of each.
    pub needed: usize,
}

impl StatisticalRule {
    /// The requests of one container: per pod, then the maximum over pods; rounded up to 1m and 1 MiB.
    ///
    /// Fails when fewer samples than `min_samples` were observed of either resource.
    pub fn recommend(&self, usage: &ContainerUsage) -> Result<Baseline, TooFewSamples> {
        let count = |series: &Series| series.observed().count();
        let samples = (
            usage.cpu.values().map(count).sum::<usize>(),
            usage.memory.values().map(count).sum::<usize>(),
        );
        let needed = self.min_samples.max(1);
        let too_few = TooFewSamples { cpu: samples.0, memory: samples.1, needed };
        if samples.0 < needed || samples.1 < needed {
            return Err(too_few);
        }
        let cpu = over_pods(usage.cpu.values(), self.cpu_percentile / 100.0).ok_or(too_few)?;
        let peak = over_pods(usage.memory.values(), 1.0).ok_or(too_few)?;
        let memory = peak * (1.0 + self.memory_margin_percent / 100.0);
        Ok(Baseline {
            cpu: Millicores::from_cores(cpu).map_err(|_| too_few)?.max(self.cpu_min_allowed),
            memory: Bytes::from_measured(memory).map_err(|_| too_few)?.max(self.memory_min_allowed),
        })
    }
}

/// The largest of the pods' `probability` quantiles.
fn over_pods<'a>(pods: impl Iterator<Item = &'a Series>, probability: f64) -> Option<f64> {
    pods.filter_map(|series| series.quantile(probability)).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;
    use jiff::Timestamp;

    fn pod(values: impl Iterator<Item = f64>) -> Series {
        Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values.map(Some).collect()).unwrap()
    }

    #[test]
    fn the_busiest_pod_sets_p95_cpu_and_maximum_memory_plus_margin() {
        let usage = ContainerUsage {
            cpu: [
                ("idle".to_owned(), pod((0..=100).map(|_| 0.01))),
                ("busy".to_owned(), pod((0..=100).map(|i| f64::from(i) / 100.0))),
            ]
            .into(),
            memory: [("busy".to_owned(), pod((0..=100).map(|i| f64::from(i) * 1_048_576.0)))]
                .into(),
            ..ContainerUsage::default()
        };
        let baseline = StatisticalRule::default().recommend(&usage).unwrap();
        assert_eq!(baseline.cpu, Millicores::new(950));
        assert_eq!(baseline.memory, Bytes::from_mebibytes(115));
    }

    #[test]
    fn too_little_data_is_an_answer_of_its_own() {
        let usage = ContainerUsage {
            cpu: [("a".to_owned(), pod((0..20).map(f64::from)))].into(),
            ..ContainerUsage::default()
        };
        let error = StatisticalRule::default().recommend(&usage).unwrap_err();
        assert_eq!((error.cpu, error.memory, error.needed), (20, 0, 10));
    }
}
