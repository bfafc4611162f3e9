//! What a plan needs to know of a workload's history, as a small document.
//!
//! A history is megabytes; what decisions are made from is a few hundred bytes. The document is saved with the
//! plan, so that the plan can be made again and asked what would be if.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use mora_core::{
    Bytes, CallGraph, ContainerUsage, Dataset, Indicator, Millicores, OomKill, Quantile,
    ResourceClaim, Series, Signal, Step, WorkloadRef, empirical_quantile,
};
use serde::{Deserialize, Serialize};

use crate::Policy;
use crate::graph::external_share;
use crate::load_to_cpu::LoadToCpu;
use crate::nowcast::nowcast;
use crate::recent::RecentLoad;

/// A history shorter than this has not seen enough to be trusted over the callers' load.
const YOUNG: SignedDuration = SignedDuration::from_hours(72);
/// A sample with this share of throttled periods or more shows a workload that wanted more CPU than it got.
const THROTTLED: f64 = 0.25;
/// Levels of the request rate that stand in for a forecast of it.
const LEVELS: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// What was observed of one workload over the lookback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// The containers whose usage was seen, by name.
    pub containers: BTreeMap<String, ObservedContainer>,
    /// Replicas at the end, at least 1.
    pub replicas: u32,
    /// The request rate; `None` where nothing measures it.
    pub rate: Option<ObservedRate>,
    /// Share of the load that no caller accounts for, in [0, 1].
    pub external_share: f64,
    /// How CPU followed the load.
    pub load_to_cpu: LoadToCpu,
    /// First observation of any signal; `None` without one.
    pub data_from: Option<Timestamp>,
    /// The instant after the newest observation; `None` without one.
    pub data_until: Option<Timestamp>,
    /// Share of samples in which a quarter or more of the scheduler's periods were throttled; `None` where that is
    /// not measured.
    pub throttled_share: Option<f64>,
    /// The load of the last hour beside what is usual; `None` where less than two days were observed.
    #[serde(default)]
    pub recent: Option<RecentLoad>,
    /// Cores over all replicas that the last half hour lets expect, at most, for the slots just ahead; empty where it tells nothing.
    #[serde(default)]
    pub nowcast: Vec<f64>,
}

/// What was observed of one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservedContainer {
    /// What it claims now.
    pub claim: ResourceClaim,
    /// Its share of the workload's CPU, in [0, 1].
    pub cpu_share: f64,
    /// Its share of the workload's memory, in [0, 1].
    pub memory_share: f64,
    /// What the statistical rule makes of its history, or why that says nothing.
    pub baseline: Result<BaselineNeed, String>,
    /// Largest memory of any pod per day, oldest first, in days that end when the plan is made.
    pub daily_memory: Vec<Option<Bytes>>,
    /// When it ran out of memory.
    pub oom_kills: BTreeSet<OomKill>,
}

/// The statistical rule's answer for one container, per pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineNeed {
    /// CPU request.
    pub cpu: Millicores,
    /// Median CPU usage, at most the request.
    pub cpu_lower: Millicores,
    /// Largest CPU usage.
    pub cpu_upper: Millicores,
    /// Memory request.
    pub memory: Bytes,
    /// Largest memory usage.
    pub memory_lower: Bytes,
    /// Largest memory usage with twice the margin.
    pub memory_upper: Bytes,
}

/// The observed request rate of one workload, in requests per second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservedRate {
    /// The largest observation.
    pub most: f64,
    /// Spacing of the observations.
    pub step: Step,
    /// Quantiles of the largest observation per slot.
    pub levels: BTreeMap<Quantile, f64>,
}

/// What `datasets` show, for a plan made at `now` under `policy` with slots of width `slot`.
#[must_use]
pub fn observe(
    datasets: &BTreeMap<WorkloadRef, Dataset>,
    graph: &CallGraph,
    policy: &Policy,
    (now, slot): (Timestamp, Step),
) -> BTreeMap<WorkloadRef, Observed> {
    let observed = |(workload, dataset): (&WorkloadRef, &Dataset)| {
        let external_share = external_share(workload, graph, datasets);
        let rate = dataset.request_rate.as_ref().and_then(|rate| observed_rate(rate, policy, slot));
        let signals = dataset.signals();
        let (data_from, data_until) = (
            first_observation(&signals),
            signals.values().filter_map(Series::observed_until).max(),
        );
        let observed = Observed {
            containers: containers(dataset, policy, now),
            replicas: dataset.current_replicas(),
            rate,
            external_share,
            load_to_cpu: LoadToCpu::of(&signals),
            data_from,
            data_until,
            recent: RecentLoad::of(&signals, now),
            nowcast: signals
                .get(&Signal::Cpu)
                .map(|cpu| nowcast(cpu, now, (slot.floor(now), slot)))
                .unwrap_or_default(),
            throttled_share: dataset.indicators.get(&Indicator::ThrottledRatio).and_then(throttled),
        };
        (workload.clone(), observed)
    };
    datasets.iter().map(observed).collect()
}

impl Observed {
    /// Whether its history is too short to be trusted over the callers' load.
    #[must_use]
    pub fn is_young(&self) -> bool {
        match (self.data_from, self.data_until) {
            (Some(from), Some(until)) => until.duration_since(from) < YOUNG,
            _ => false,
        }
    }
}

fn first_observation(signals: &BTreeMap<Signal, Series>) -> Option<Timestamp> {
    let starts = signals.values().filter_map(|series| {
        series.values().iter().position(Option::is_some).map(|first| series.time(first))
    });
    starts.min()
}

fn observed_rate(rate: &Series, policy: &Policy, slot: Step) -> Option<ObservedRate> {
    let (_, slots) = rate.slots(slot);
    let mut largest: Vec<f64> = slots.iter().flatten().map(|slot| slot.max).collect();
    largest.sort_by(f64::total_cmp);
    let fixed = LEVELS.into_iter().filter_map(|level| Quantile::new(level).ok());
    let level = |q: Quantile| Some((q, empirical_quantile(&largest, q.get())?));
    let levels = fixed.chain([policy.quantile]).filter_map(level).collect();
    Some(ObservedRate { most: *largest.last()?, step: rate.step(), levels })
}

fn throttled(ratio: &Series) -> Option<f64> {
    let count = ratio.observed().count();
    let throttled = ratio.observed().filter(|ratio| *ratio >= THROTTLED).count();
    (count > 0).then(|| throttled as f64 / count as f64)
}

fn containers(
    dataset: &Dataset,
    policy: &Policy,
    now: Timestamp,
) -> BTreeMap<String, ObservedContainer> {
    let shares = dataset.shares();
    let container = |(name, usage): (&String, &ContainerUsage)| {
        let (cpu_share, memory_share) = shares.get(name).copied().unwrap_or_default();
        let observed = ObservedContainer {
            claim: usage.claim,
            cpu_share,
            memory_share,
            baseline: baseline_need(usage, policy),
            daily_memory: usage.daily_memory(now),
            oom_kills: usage.oom_kills.clone(),
        };
        (name.clone(), observed)
    };
    dataset.containers.iter().map(container).collect()
}

fn baseline_need(usage: &ContainerUsage, policy: &Policy) -> Result<BaselineNeed, String> {
    let rule = &policy.statistical;
    let with = |cpu_percentile, margins: f64| {
        let memory_margin_percent = margins * rule.memory_margin_percent;
        let rule = mora_core::StatisticalRule { cpu_percentile, memory_margin_percent, ..*rule };
        rule.recommend(usage).map_err(|error| error.to_string())
    };
    let (low, high) = (with(50.0, 0.0)?, with(100.0, 2.0)?);
    let target = with(rule.cpu_percentile, 1.0)?;
    Ok(BaselineNeed {
        cpu: target.cpu,
        cpu_lower: low.cpu.min(target.cpu),
        cpu_upper: high.cpu,
        memory: target.memory,
        memory_lower: low.memory,
        memory_upper: high.memory,
    })
}
