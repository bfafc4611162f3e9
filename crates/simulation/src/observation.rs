//! What a metrics source sees of the boutique.

use std::collections::BTreeMap;

use mora_core::{ContainerUsage, Dataset, Series};

use crate::boutique::Boutique;
use crate::noise::{Draws, Purpose};
use crate::outage::Outages;
use crate::pods::{Pod, Pods};
use crate::profile::{EDGES, PROFILES};
use crate::traffic::Traffic;
use crate::window::Window;

/// Standard deviation of the CPU a pod's requests take within a step, relative.
const CPU_NOISE: f64 = 0.08;
/// Standard deviation of memory around its expectation, relative.
const MEMORY_NOISE: f64 = 0.003;

/// One window of the boutique.
pub(crate) struct Observation<'a> {
    boutique: &'a Boutique,
    window: Window,
    seconds: Vec<i64>,
    traffic: Traffic,
    source_down: Vec<bool>,
}

impl<'a> Observation<'a> {
    pub(crate) fn new(boutique: &'a Boutique, window: Window) -> Self {
        let seconds: Vec<i64> = window.seconds().collect();
        let traffic = Traffic::draw(boutique.load, boutique.noise, window);
        let source_down = Outages::new(boutique.noise).of_source(&seconds);
        Self { boutique, window, seconds, traffic, source_down }
    }

    pub(crate) fn dataset(&self, index: usize) -> Dataset {
        let profile = &PROFILES[index];
        let workload = &self.boutique.workloads;
        let mut dataset = Dataset::new(workload[index].clone());
        dataset.containers.insert(profile.container.to_owned(), self.usage(index));
        dataset.request_rate = self.scraped(self.traffic.received[index].iter().copied());
        let replicas = self.boutique.replicas(index) as f64;
        dataset.replicas = self.scraped(std::iter::repeat_n(replicas, self.window.len));
        dataset.calls = EDGES
            .iter()
            .zip(&self.traffic.calls)
            .filter(|(edge, _)| edge.callee == index)
            .filter_map(|(edge, calls)| {
                Some((workload[edge.caller].clone(), self.scraped(calls.iter().copied())?))
            })
            .collect();
        dataset
    }

    /// `values` over the whole window, with the source's outages as gaps.
    fn scraped(&self, values: impl Iterator<Item = f64>) -> Option<Series> {
        let seen = values.zip(&self.source_down).map(|(value, down)| (!down).then_some(value));
        self.window.series(0, seen.collect())
    }

    fn usage(&self, index: usize) -> ContainerUsage {
        let pods = self.boutique.pods(index);
        let outages = Outages::new(self.boutique.noise).of_workload(&self.seconds, index);
        let down: Vec<bool> =
            outages.iter().zip(&self.source_down).map(|(a, b)| *a || *b).collect();
        let mut usage =
            ContainerUsage { claim: PROFILES[index].claim(), ..ContainerUsage::default() };
        for place in 0..pods.replicas {
            let gapped = |values: Vec<f64>| -> Vec<Option<f64>> {
                values.into_iter().zip(&down).map(|(v, down)| (!down).then_some(v)).collect()
            };
            let cpu = gapped(self.cpu(index, pods, place));
            let memory = gapped(self.memory(index, pods, place));
            for (pod, range) in self.lives(pods, place) {
                let name = pods.name(pod, PROFILES[index].name);
                self.insert(&mut usage.cpu, &name, range.start, &cpu[range.clone()]);
                self.insert(&mut usage.memory, &name, range.start, &memory[range]);
            }
        }
        usage
    }

    fn insert(
        &self,
        pods: &mut BTreeMap<String, Series>,
        name: &str,
        offset: usize,
        values: &[Option<f64>],
    ) {
        pods.extend(self.window.series(offset, values.to_vec()).map(|s| (name.to_owned(), s)));
    }

    /// The pods that filled `place`, each with the steps of the window it ran in.
    fn lives(&self, pods: Pods, place: usize) -> Vec<(Pod, std::ops::Range<usize>)> {
        let mut lives: Vec<(Pod, std::ops::Range<usize>)> = Vec::new();
        for (step, second) in self.seconds.iter().enumerate() {
            let (pod, _) = pods.running(place, *second);
            match lives.last_mut() {
                Some((last, range)) if *last == pod => range.end = step + 1,
                _ => lives.push((pod, step..step + 1)),
            }
        }
        lives
    }

    /// In cores.
    fn cpu(&self, index: usize, pods: Pods, place: usize) -> Vec<f64> {
        let profile = &PROFILES[index];
        let per_rate = profile.cpu_per_rate * pods.share(place);
        let mut draws = self.draws(Purpose::Cpu, index, place);
        let cores = |rate: &f64| {
            let work = per_rate * rate * (1.0 + CPU_NOISE * draws.normal());
            (profile.idle_cpu + work).max(0.0) / 1000.0
        };
        self.traffic.received[index].iter().map(cores).collect()
    }

    /// In bytes.
    fn memory(&self, index: usize, pods: Pods, place: usize) -> Vec<f64> {
        let mut draws = self.draws(Purpose::Memory, index, place);
        let bytes = |second: &i64| {
            let expected = self.boutique.expected_memory(pods, place, index, *second);
            (expected * (1.0 + MEMORY_NOISE * draws.normal())).round()
        };
        self.seconds.iter().map(bytes).collect()
    }

    fn draws(&self, purpose: Purpose, index: usize, place: usize) -> Draws {
        self.boutique.noise.draws(purpose, index, place, self.window.first)
    }
}
