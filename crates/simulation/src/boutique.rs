//! The simulated application as a source of datasets and of truth.

use jiff::{SignedDuration, Timestamp};
use mora_core::{
    Amount, Bytes, CallGraph, CallRatio, Dataset, Millicores, Series, Signal, Step, WorkloadError,
    WorkloadRef,
};
use thiserror::Error;

use crate::load::Load;
use crate::noise::Noise;
use crate::observation::Observation;
use crate::pods::Pods;
use crate::profile::{EDGES, PROFILES, Profile, replicas_at, requests_per_frontend_request};
use crate::window::Window;

const MEBIBYTE: f64 = 1_048_576.0;
/// What a node with 2 cores and 4 GiB leaves to pods.
pub const NODE: Amount = Amount { cpu: Millicores::new(1930), memory: Bytes::from_mebibytes(3300) };

/// Which boutique to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct BoutiqueOptions {
    /// Seed of everything random.
    pub seed: u64,
    /// The instant after the newest observation.
    pub end: Timestamp,
    /// Days of history, at least 1.
    pub days: u32,
    /// Spacing of observations.
    pub step: Step,
    /// Namespace of the workloads.
    pub namespace: String,
    /// Requests per second at the frontend, averaged over a week; above 0.
    pub frontend_rate: f64,
}

impl BoutiqueOptions {
    /// Four weeks up to `end` at one-minute steps, 30 requests per second.
    #[must_use]
    pub fn new(seed: u64, end: Timestamp) -> Self {
        Self {
            seed,
            end,
            days: 28,
            step: Step::MINUTE,
            namespace: "hipster-shop".to_owned(),
            frontend_rate: 30.0,
        }
    }
}

/// Why a boutique cannot be simulated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum BoutiqueError {
    /// The namespace is not a Kubernetes name.
    #[error("the namespace of the simulation cannot be used")]
    Namespace(#[source] WorkloadError),
    /// The load is not positive and finite.
    #[error("{0} requests per second cannot be simulated; use a number above 0 and up to 100000")]
    FrontendRate(f64),
    /// The history is empty or starts before representable time.
    #[error("{0} days of history cannot be simulated; use 1 to 3650")]
    Days(u32),
}

/// The simulated Online Boutique.
#[derive(Debug, Clone)]
pub struct Boutique {
    options: BoutiqueOptions,
    pub(crate) workloads: Vec<WorkloadRef>,
    pub(crate) noise: Noise,
    pub(crate) load: Load,
    received: [f64; PROFILES.len()],
    replicas: [usize; PROFILES.len()],
}

impl Boutique {
    /// The boutique of `options`; fails when one of them is out of its range.
    pub fn new(options: BoutiqueOptions) -> Result<Self, BoutiqueError> {
        if !(options.frontend_rate > 0.0 && options.frontend_rate <= 100_000.0) {
            return Err(BoutiqueError::FrontendRate(options.frontend_rate));
        }
        if !(1..=3650).contains(&options.days) {
            return Err(BoutiqueError::Days(options.days));
        }
        let workloads = PROFILES
            .iter()
            .map(|profile| WorkloadRef::deployment(&options.namespace, profile.name))
            .collect::<Result<_, _>>()
            .map_err(BoutiqueError::Namespace)?;
        let load = Load::new(options.frontend_rate);
        let received = requests_per_frontend_request();
        let replicas = replicas_at(options.frontend_rate);
        Ok(Self { noise: Noise::new(options.seed), load, received, replicas, workloads, options })
    }

    /// The same shop with `factor` times as many visitors, at least 0, on the pods it has.
    #[must_use]
    pub fn with_visitors(&self, factor: f64) -> Self {
        let load = Load::new(self.options.frontend_rate * factor.max(0.0));
        Self { load, ..self.clone() }
    }

    /// What was observed over the history, ordered by workload.
    #[must_use]
    pub fn datasets(&self) -> Vec<Dataset> {
        let back = SignedDuration::from_hours(24 * i64::from(self.options.days));
        let start = self.options.end.checked_sub(back).unwrap_or(Timestamp::MIN);
        let observation =
            Observation::new(self, Window::between(start, self.options.end, self.options.step));
        (0..PROFILES.len()).map(|index| observation.dataset(index)).collect()
    }

    /// Who calls whom, as declared: ratios without measurement.
    #[must_use]
    pub fn call_graph(&self) -> CallGraph {
        let mut graph = CallGraph::default();
        for edge in &EDGES {
            let ratio = CallRatio::stated(edge.ratio, 0.0);
            graph.insert(
                self.workloads[edge.caller].clone(),
                self.workloads[edge.callee].clone(),
                ratio,
            );
        }
        graph
    }

    /// What is expected of `signal` of `workload` at the steps from `from` up to `to`, before or after
    /// the end: no noise, no gaps.
    ///
    /// `None` when the boutique has no such workload or there is no step. The memory is that of the pod
    /// with the largest expectation.
    #[must_use]
    pub fn truth(
        &self,
        workload: &WorkloadRef,
        signal: Signal,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<Series> {
        let index = self.index(workload)?;
        let window = Window::between(from, to, self.options.step);
        let values: Vec<_> =
            window.seconds().map(|second| Some(self.expected(index, signal, second))).collect();
        window.series(0, values).filter(|series| !series.is_empty())
    }

    /// What is, or will be, observed of `signal` of `workload` at the steps from `from` up to `to`: the
    /// same noise and the same gaps as in the datasets.
    ///
    /// `None` when the boutique has no such workload or nothing was observed.
    #[must_use]
    pub fn observe(
        &self,
        workload: &WorkloadRef,
        signal: Signal,
        from: Timestamp,
        to: Timestamp,
    ) -> Option<Series> {
        let index = self.index(workload)?;
        let window = Window::between(from, to, self.options.step);
        Observation::new(self, window).dataset(index).signals().remove(&signal)
    }

    /// What pods can use of a plausible cluster: as many 2-core, 4-GiB nodes as the claims fill to 60 %,
    /// at least three.
    #[must_use]
    pub fn capacity(&self) -> (Millicores, Bytes) {
        let claimed = |of: fn(&Profile) -> u64| -> u64 {
            let total = |(index, profile)| of(profile) * self.replicas(index) as u64;
            PROFILES.iter().enumerate().map(total).sum()
        };
        let fill = |claimed: u64, node: u64| (claimed * 10).div_ceil(node * 6);
        let memory = NODE.memory.get() / Bytes::MEBIBYTE.get();
        let nodes = fill(claimed(|p| p.cpu_claim.0), NODE.cpu.get())
            .max(fill(claimed(|p| p.memory_claim.0), memory));
        let all = NODE.times(nodes.max(3) as u32);
        (all.cpu, all.memory)
    }

    fn index(&self, workload: &WorkloadRef) -> Option<usize> {
        self.workloads.iter().position(|known| known == workload)
    }

    pub(crate) fn replicas(&self, index: usize) -> usize {
        self.replicas[index]
    }

    pub(crate) fn pods(&self, index: usize) -> Pods {
        Pods::new(self.noise, index, self.replicas(index))
    }

    fn expected(&self, index: usize, signal: Signal, second: i64) -> f64 {
        let profile = &PROFILES[index];
        let rate = self.load.expected(second) * self.received[index];
        match signal {
            Signal::RequestRate => rate,
            Signal::Cpu => {
                let idle = profile.idle_cpu * self.replicas(index) as f64;
                (idle + profile.cpu_per_rate * rate) / 1000.0
            }
            Signal::Memory => {
                let pods = self.pods(index);
                let memory = |place| self.expected_memory(pods, place, index, second);
                (0..pods.replicas).map(memory).fold(0.0, f64::max)
            }
        }
    }

    /// In bytes.
    pub(crate) fn expected_memory(
        &self,
        pods: Pods,
        place: usize,
        index: usize,
        second: i64,
    ) -> f64 {
        let relative_load = self.load.expected(second) / self.options.frontend_rate;
        let (_, age) = pods.running(place, second);
        pods.memory(&PROFILES[index], place, age, relative_load) * MEBIBYTE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: i64 = 1_760_000_400;

    fn at(offset_hours: i64) -> Timestamp {
        Timestamp::from_second(END + offset_hours * 3600).unwrap()
    }

    fn options() -> BoutiqueOptions {
        let step = Step::from_seconds(300).unwrap();
        BoutiqueOptions { step, ..BoutiqueOptions::new(42, at(0)) }
    }

    fn boutique() -> Boutique {
        Boutique::new(options()).unwrap()
    }

    fn workload(name: &str) -> WorkloadRef {
        WorkloadRef::deployment("hipster-shop", name).unwrap()
    }

    fn mean(values: impl Iterator<Item = f64>) -> f64 {
        let (sum, count) = values.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
        sum / count
    }

    #[test]
    fn more_visitors_make_more_requests_on_the_same_pods() {
        let (usual, busy) = (boutique(), boutique().with_visitors(3.0));
        let day = |shop: &Boutique, signal| -> Vec<f64> {
            let truth = shop.truth(&workload("cartservice"), signal, at(0), at(24)).unwrap();
            truth.observed().collect()
        };
        let rates = day(&busy, Signal::RequestRate);
        for (rate, usual) in rates.iter().zip(day(&usual, Signal::RequestRate)) {
            assert!((rate / usual - 3.0).abs() < 1e-9);
        }
        assert_eq!(usual.capacity(), busy.capacity());
        let observed = busy.observe(&workload("cartservice"), Signal::RequestRate, at(0), at(24));
        assert!((mean(observed.unwrap().observed()) / mean(rates.into_iter()) - 1.0).abs() < 0.1);
    }

    #[test]
    fn every_request_of_a_callee_comes_from_a_caller() {
        for dataset in boutique().datasets().iter().filter(|d| !d.calls.is_empty()) {
            let received = dataset.request_rate.as_ref().unwrap();
            for (step, rate) in received.values().iter().enumerate() {
                let made: f64 =
                    dataset.calls.values().filter_map(|calls| calls.values()[step]).sum();
                assert!(
                    (made - rate.unwrap_or(0.0)).abs() < 1e-9,
                    "{} at {step}",
                    dataset.workload
                );
            }
        }
    }

    #[test]
    fn measured_call_ratios_are_the_declared_ones() {
        let boutique = boutique();
        let datasets = boutique.datasets();
        let of = |w: &WorkloadRef| datasets.iter().find(|d| d.workload == *w).unwrap();
        for (caller, callee, declared) in boutique.call_graph().edges() {
            let calls = mean(of(callee).calls[caller].observed());
            let requests = mean(of(caller).request_rate.as_ref().unwrap().observed());
            let ratio = calls / requests;
            assert!((ratio / declared.ratio - 1.0).abs() < 0.02, "{caller} to {callee}: {ratio}");
        }
    }

    #[test]
    fn the_same_seed_is_the_same_boutique_and_another_seed_another() {
        assert_eq!(boutique().datasets(), boutique().datasets());
        let other = Boutique::new(BoutiqueOptions { seed: 43, ..options() }).unwrap();
        assert_ne!(boutique().datasets()[5].request_rate, other.datasets()[5].request_rate);
    }

    #[test]
    fn observations_follow_the_truth_on_average() {
        let boutique = boutique();
        for dataset in boutique.datasets() {
            for (signal, seen) in dataset.signals() {
                let truth =
                    boutique.truth(&dataset.workload, signal, seen.start(), seen.end()).unwrap();
                let pairs = seen.values().iter().zip(truth.observed());
                let ratio = mean(seen.observed())
                    / mean(pairs.filter_map(|(value, expected)| value.map(|_| expected)));
                assert!((ratio - 1.0).abs() < 0.03, "{} {signal}: {ratio}", dataset.workload);
            }
        }
    }

    #[test]
    fn a_day_and_a_week_look_like_the_one_before() {
        let boutique = boutique();
        let rate = boutique
            .observe(&workload("frontend"), Signal::RequestRate, at(-28 * 24), at(0))
            .unwrap();
        let correlation = |lag: usize| {
            let average = mean(rate.observed());
            let values = rate.values();
            let product = |(a, b): (&Option<f64>, &Option<f64>)| {
                Some((a.as_ref()? - average) * (b.as_ref()? - average))
            };
            let covariance = mean(values[lag..].iter().zip(values).filter_map(product));
            covariance / mean(rate.observed().map(|v| (v - average).powi(2)))
        };
        assert!(correlation(288) > 0.8, "{}", correlation(288));
        assert!(correlation(7 * 288) > 0.9, "{}", correlation(7 * 288));
        assert!(correlation(144) < 0.0, "{}", correlation(144));
        assert!(correlation(7 * 288) > correlation(288));
    }

    #[test]
    fn missing_scrapes_are_gaps_and_never_zero() {
        for dataset in boutique().datasets() {
            let cpu = &dataset.signals()[&Signal::Cpu];
            assert!((0.9..1.0).contains(&cpu.coverage()), "{}", dataset.workload);
            assert!(cpu.observed().all(|cores| cores > 0.0));
        }
    }

    #[test]
    fn what_is_observed_later_continues_the_datasets() {
        let frontend = workload("frontend");
        let earlier = boutique();
        let later = Boutique::new(BoutiqueOptions { end: at(48), ..options() }).unwrap();
        let dataset = later.datasets().into_iter().find(|d| d.workload == frontend).unwrap();
        for (signal, series) in dataset.signals() {
            let future = earlier.observe(&frontend, signal, at(0), at(48)).unwrap();
            let expected = series.between(at(0), at(48));
            assert_eq!(future.start(), expected.start());
            for (a, b) in future.values().iter().zip(expected.values()) {
                assert_eq!(a.is_some(), b.is_some());
                assert!((a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() <= 1e-9 * a.unwrap_or(0.0));
            }
        }
    }

    #[test]
    fn pods_are_replaced_and_their_history_stays() {
        let datasets = boutique().datasets();
        let currency = &datasets[3];
        let pods = &currency.containers["server"].cpu;
        assert!(pods.len() > boutique().replicas(3), "{} pods", pods.len());
        assert!(pods.values().any(|series| series.end() < at(-24)));
        assert_eq!(currency.current_replicas() as usize, boutique().replicas(3));
    }

    #[test]
    fn the_claims_fit_the_capacity() {
        let (cpu, memory) = boutique().capacity();
        let claimed: u64 = (0..PROFILES.len())
            .map(|i| PROFILES[i].cpu_claim.0 * boutique().replicas(i) as u64)
            .sum();
        assert!(claimed * 10 <= cpu.get() * 6, "{claimed} of {cpu}");
        assert!(memory > Bytes::from_mebibytes(3000));
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let refused = |options| Boutique::new(options).unwrap_err();
        assert!(matches!(
            refused(BoutiqueOptions { days: 0, ..options() }),
            BoutiqueError::Days(0)
        ));
        let idle = BoutiqueOptions { frontend_rate: f64::NAN, ..options() };
        assert!(matches!(refused(idle), BoutiqueError::FrontendRate(_)));
        let nameless = BoutiqueOptions { namespace: "Shop".to_owned(), ..options() };
        assert!(matches!(refused(nameless), BoutiqueError::Namespace(_)));
        assert!(boutique().truth(&workload("loadgenerator"), Signal::Cpu, at(0), at(1)).is_none());
    }
}
