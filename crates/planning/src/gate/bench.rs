//! An application whose requests follow the gate's decisions, for tests.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mora_core::{
    Bytes, CallGraph, CallRatio, Capacity, ContainerUsage, Dataset, Decision, Indicator,
    Justification, Millicores, Plan, Recommendation, Series, Source, Step, Target, Verdict,
    WorkloadRef,
};

use super::{GateRules, GateState, Surroundings, gate};

pub(super) struct Bench {
    pub(super) plan: Plan,
    pub(super) graph: CallGraph,
    pub(super) datasets: BTreeMap<WorkloadRef, Dataset>,
    pub(super) rules: GateRules,
    pub(super) state: GateState,
    pub(super) now: Timestamp,
}

pub(super) fn workload(name: &str) -> WorkloadRef {
    WorkloadRef::deployment("shop", name).unwrap()
}

pub(super) fn mebibytes(amount: u64) -> Bytes {
    Bytes::from_mebibytes(amount)
}

/// One container that has 100m and 100 MiB in force and wants `cpu` millicores and `memory` MiB.
pub(super) fn wants(name: &str, cpu: u64, memory: u64) -> Recommendation {
    Recommendation {
        workload: workload(name),
        container: "server".to_owned(),
        replicas: 1,
        cpu: target(Millicores::new(100), Millicores::new(cpu)),
        memory: target(mebibytes(100), mebibytes(memory)),
        schedule: Vec::new(),
        source: Source::Statistical,
        justification: Justification::default(),
        limits: mora_core::Limits::default(),
        autoscaler: None,
        decision: None,
    }
}

fn target<Q: Copy + Default>(current: Q, target: Q) -> Target<Q> {
    let lower_bound = Q::default();
    let current = Some(current);
    Target { current, target, lower_bound, upper_bound: target, uncapped_target: target }
}

/// A cluster that has exactly `cpu` millicores and `memory` MiB to give.
pub(super) fn capacity(cpu: u64, memory: u64) -> Capacity {
    Capacity {
        cpu_allocatable: Millicores::new(cpu),
        memory_allocatable: mebibytes(memory),
        cpu_unmanaged: Millicores::ZERO,
        memory_unmanaged: Bytes::ZERO,
        cap: 1.0,
    }
}

impl Bench {
    pub(super) fn new(recommendations: Vec<Recommendation>) -> Self {
        let now = Timestamp::from_second(1_700_006_400).unwrap();
        let datasets = recommendations.iter().map(|r| {
            let mut dataset = Dataset::new(r.workload.clone());
            dataset.containers.insert(r.container.clone(), ContainerUsage::default());
            (r.workload.clone(), dataset)
        });
        Self {
            datasets: datasets.collect(),
            plan: Plan { start: now, ..Plan::complete("p".to_owned(), now, recommendations) },
            graph: CallGraph::default(),
            rules: GateRules::default(),
            state: GateState::default(),
            now,
        }
    }

    pub(super) fn call(&mut self, caller: &str, callee: &str) {
        let ratio = CallRatio::stated(1.0, 0.0);
        self.graph.insert(workload(caller), workload(callee), ratio);
    }

    /// The decisions of a run now, which nobody carries out yet.
    pub(super) fn run(&mut self) -> Vec<Decision> {
        let surroundings =
            Surroundings { graph: &self.graph, datasets: &self.datasets, now: self.now };
        self.state = gate(&mut self.plan, surroundings, &self.rules, Some(&self.state));
        self.decisions()
    }

    pub(super) fn decisions(&self) -> Vec<Decision> {
        self.plan.recommendations.iter().map(|r| r.decision.clone().unwrap()).collect()
    }

    /// Puts what was decided in force.
    pub(super) fn apply(&mut self) {
        for recommendation in &mut self.plan.recommendations {
            let decision = recommendation.decision.as_ref().unwrap();
            recommendation.cpu.current = decision.cpu;
            recommendation.memory.current = decision.memory;
        }
    }

    pub(super) fn wait(&mut self, minutes: i64) {
        self.now += SignedDuration::from_mins(minutes);
    }

    /// The verdicts of a run that is carried out, after which half an hour passes.
    pub(super) fn turn(&mut self) -> Vec<Verdict> {
        let verdicts = self.run().into_iter().map(|decision| decision.verdict).collect();
        self.apply();
        self.wait(30);
        verdicts
    }

    /// CPU in force of the first container, in millicores.
    pub(super) fn cpu(&self) -> u64 {
        self.plan.recommendations[0].cpu.current.map_or(0, Millicores::get)
    }

    /// Memory in force of the first container, in MiB.
    pub(super) fn memory(&self) -> u64 {
        self.plan.recommendations[0].memory.current.map_or(0, Bytes::get) >> 20
    }

    /// Lets an indicator of `name` be `value` of the hours before now, minute by minute, for two days.
    pub(super) fn measure(&mut self, name: &str, indicator: Indicator, value: impl Fn(f64) -> f64) {
        let minutes = 2 * 24 * 60;
        let start = self.now - Step::MINUTE.times(minutes);
        let values = (0..minutes).map(|i| Some(value((minutes - i) as f64 / 60.0))).collect();
        let series = Series::new(start, Step::MINUTE, values).unwrap();
        self.datasets.get_mut(&workload(name)).unwrap().indicators.insert(indicator, series);
    }
}
