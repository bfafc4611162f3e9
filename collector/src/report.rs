//! How good a dataset is, and whether it may be learned from.

use std::collections::BTreeMap;

use mora_core::{Dataset, Lookback, Mark, MarkKind, QualityGates, QualityReport, Series, Signal};

/// How good a dataset is.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetReport {
    /// By signal, those of which anything was observed.
    pub signals: BTreeMap<Signal, QualityReport>,
    /// When the workload was not its usual self.
    pub marks: Vec<Mark>,
}

impl DatasetReport {
    /// What `gates` say of `dataset`: of each signal from its first observation to the end of the dataset.
    #[must_use]
    pub fn of(dataset: &Dataset, gates: &QualityGates) -> Self {
        let end = dataset.end();
        let judge = |series: &Series| {
            let to = end.unwrap_or_else(|| series.end());
            gates.judge(series, &Lookback { from: series.start(), to, step: series.step() })
        };
        let signals = dataset.signals();
        let signals = signals.iter().map(|(signal, series)| (*signal, judge(series))).collect();
        Self { signals, marks: dataset.marks() }
    }

    /// Why the dataset may not be learned from, a sentence without a full stop each; empty where it may.
    ///
    /// Its CPU and memory decide: without a request rate a worker still learns from those.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let deciding = self.signals.iter().filter(|(signal, _)| **signal != Signal::RequestRate);
        deciding
            .flat_map(|(signal, report)| {
                report.faults.iter().map(move |fault| format!("{signal}: {fault}"))
            })
            .collect()
    }

    /// The signals that may be learned from.
    pub fn accepted(&self) -> impl Iterator<Item = Signal> {
        let accepted = self.signals.iter().filter(|(_, report)| report.is_accepted());
        accepted.map(|(signal, _)| *signal)
    }

    /// The number of marks of `kind`.
    #[must_use]
    pub fn count(&self, kind: MarkKind) -> usize {
        self.marks.iter().filter(|mark| mark.kind == kind).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::Step;

    fn dataset(cpu: &[Option<f64>], requests: &[Option<f64>]) -> Dataset {
        let series = |values: &[Option<f64>]| {
            Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values.to_vec()).unwrap()
        };
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        let usage = dataset.containers.entry("server".to_owned()).or_default();
        usage.cpu.insert("a".to_owned(), series(cpu));
        dataset.request_rate = (!requests.is_empty()).then(|| series(requests));
        dataset
    }

    fn every(count: usize, missing: usize) -> Vec<Option<f64>> {
        (0..count).map(|index| (index % missing != missing - 1).then_some(1.0)).collect()
    }

    #[test]
    fn gaps_in_cpu_reject_a_dataset_and_gaps_in_requests_only_those() {
        let gates = QualityGates::default().without_stability();
        let report = |cpu, requests| DatasetReport::of(&dataset(cpu, requests), &gates);
        let (good, bad) = (every(100, 50), every(100, 4));
        let good_one = report(&good, &bad);
        assert!(good_one.faults().is_empty());
        assert_eq!(good_one.accepted().collect::<Vec<_>>(), [Signal::Cpu]);
        let bad_one = report(&bad, &good).faults();
        assert_eq!(bad_one.len(), 2, "{bad_one:?}");
        assert!(bad_one[0].starts_with("cpu: 75.8 % of the steps were observed"), "{bad_one:?}");
    }

    #[test]
    fn a_signal_that_ended_before_the_others_is_incomplete() {
        let gates = QualityGates::default().without_stability();
        let report = DatasetReport::of(&dataset(&every(80, 90), &every(100, 200)), &gates);
        assert!(report.faults()[0].contains("80.0 %"), "{:?}", report.faults());
    }
}
