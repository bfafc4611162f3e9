//! Between datasets and the runs of values that files hold.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{
    Bytes, ContainerUsage, Dataset, Lookback, Millicores, OomKill, ResourceClaim, Series, Step,
    WorkloadRef,
};

use crate::what::{Claimed, What};

/// Regular values of one thing: `values[i]` belongs to second `start + i * step` since the Unix epoch; `None` is a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Whose.
    pub workload: WorkloadRef,
    /// Of what.
    pub what: What,
    /// Second of the first value.
    pub start: i64,
    /// Seconds between two values, at least 1.
    pub step: u32,
    /// The values; at least one, all finite.
    pub values: Vec<Option<f64>>,
}

impl Run {
    /// The second after the step of the last value.
    pub(crate) fn end(&self) -> i64 {
        self.start + i64::from(self.step) * self.values.len() as i64
    }

    /// What order the runs of a file have.
    pub(crate) fn order(&self) -> (&WorkloadRef, &What, i64) {
        (&self.workload, &self.what, self.start)
    }

    /// The observed values with their seconds.
    pub fn samples(&self) -> impl Iterator<Item = (i64, f64)> {
        let second = |index: usize| self.start + i64::from(self.step) * index as i64;
        let values = self.values.iter().enumerate();
        values.filter_map(move |(index, value)| Some((second(index), (*value)?)))
    }

    /// Whether `next` continues this after at most `gap` seconds, on the same grid.
    fn is_continued_by(&self, next: &Self, gap: i64) -> bool {
        let missing = next.start - self.end();
        (&next.workload, &next.what, next.step) == (&self.workload, &self.what, self.step)
            && (0..=gap).contains(&missing)
            && missing % i64::from(self.step) == 0
    }

    /// Appends `next`, which continues this.
    fn append(&mut self, next: Self) {
        let missing = (next.start - self.end()) / i64::from(self.step);
        self.values.extend((0..missing).map(|_| None));
        self.values.extend(next.values);
    }
}

/// Gaps up to this are kept as gaps within a run when runs are joined, in seconds.
const GAP_WITHIN_RUN: i64 = 6 * 3600;

/// The same in fewer runs: those that continue another are joined, and of equal claims in a row the first is kept.
///
/// `runs` are of one workload, in their order.
pub(crate) fn joined(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::new();
    for run in runs {
        let is_claim = matches!(run.what, What::Claim { .. });
        let is_kill = matches!(run.what, What::OomKill { .. });
        match joined.last_mut() {
            Some(last) if is_claim && last.what == run.what && last.values == run.values => {}
            Some(last) if !is_claim && !is_kill && last.is_continued_by(&run, GAP_WITHIN_RUN) => {
                last.append(run);
            }
            _ => joined.push(run),
        }
    }
    joined
}

/// Everything `dataset`, collected until `until`, says, in the order of a file.
pub(crate) fn runs_of(dataset: &Dataset, until: Timestamp) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut add = |what: What, start: i64, step: u32, values: &[Option<f64>]| {
        if !values.is_empty() {
            let (workload, values) = (dataset.workload.clone(), values.to_vec());
            runs.push(Run { workload, what, start, step, values });
        }
    };
    let mut series = |what: What, series: &Series| {
        add(what, series.start().as_second(), series.step().seconds(), series.values());
    };
    for (container, usage) in &dataset.containers {
        let container = || container.clone();
        for (pod, cpu) in &usage.cpu {
            series(What::Cpu { container: container(), pod: pod.clone() }, cpu);
        }
        for (pod, memory) in &usage.memory {
            series(What::Memory { container: container(), pod: pod.clone() }, memory);
        }
    }
    dataset.request_rate.iter().for_each(|rate| series(What::RequestRate, rate));
    dataset.replicas.iter().for_each(|replicas| series(What::Replicas, replicas));
    for (caller, calls) in &dataset.calls {
        series(What::Calls { caller: caller.clone() }, calls);
    }
    for (indicator, values) in &dataset.indicators {
        series(What::Indicator(*indicator), values);
    }
    for (container, usage) in &dataset.containers {
        for (claimed, value) in claims(&usage.claim) {
            let what = What::Claim { container: container.clone(), claimed };
            add(what, until.as_second() - 1, 1, &[value]);
        }
        for kill in &usage.oom_kills {
            let (container, pod) = (container.clone(), kill.pod.clone());
            let peak = [Some(kill.peak.get() as f64)];
            add(What::OomKill { container, pod }, kill.killed.as_second(), 1, &peak);
        }
    }
    runs.sort_by(|a, b| a.order().cmp(&b.order()));
    runs
}

fn claims(claim: &ResourceClaim) -> [(Claimed, Option<f64>); 4] {
    let cores = |cpu: Option<Millicores>| cpu.map(Millicores::cores);
    let bytes = |memory: Option<Bytes>| memory.map(|memory| memory.get() as f64);
    [
        (Claimed::CpuRequest, cores(claim.cpu_request)),
        (Claimed::CpuLimit, cores(claim.cpu_limit)),
        (Claimed::MemoryRequest, bytes(claim.memory_request)),
        (Claimed::MemoryLimit, bytes(claim.memory_limit)),
    ]
}

fn claim(claim: &mut ResourceClaim, claimed: Claimed, value: Option<f64>) {
    let cpu = value.and_then(|cores| Millicores::from_cores(cores).ok());
    let memory = value.map(|bytes| Bytes::new(bytes as u64));
    match claimed {
        Claimed::CpuRequest => claim.cpu_request = cpu,
        Claimed::CpuLimit => claim.cpu_limit = cpu,
        Claimed::MemoryRequest => claim.memory_request = memory,
        Claimed::MemoryLimit => claim.memory_limit = memory,
    }
}

/// What is known of one workload over a span, as runs come in.
pub(crate) struct Gathered {
    dataset: Dataset,
    span: Lookback,
    cells: BTreeMap<What, Vec<Option<f64>>>,
    claims: BTreeMap<(String, Claimed), (i64, Option<f64>)>,
    /// The largest peak said of each kill: later chunks see it too, but no longer what it had before.
    kills: BTreeMap<(String, Timestamp, String), f64>,
}

impl Gathered {
    pub(crate) fn new(workload: WorkloadRef, span: Lookback) -> Self {
        let dataset = Dataset::new(workload);
        let (cells, claims, kills) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { dataset, span, cells, claims, kills }
    }

    /// Adds a run; where two have a value for one step, the later instant and the run added last count.
    pub(crate) fn add(&mut self, run: &Run) {
        match &run.what {
            What::Claim { container, claimed } => {
                let newest =
                    self.claims.entry((container.clone(), *claimed)).or_insert((i64::MIN, None));
                if run.start >= newest.0 {
                    *newest = (run.start, run.values.last().copied().flatten());
                }
            }
            What::OomKill { container, pod } => self.add_kills(container, pod, run),
            _ => self.add_values(run),
        }
    }

    fn add_kills(&mut self, container: &str, pod: &str, run: &Run) {
        for (second, peak) in run.samples() {
            let killed = Timestamp::from_second(second).ok().filter(|at| self.span.holds(*at));
            let Some(killed) = killed else { continue };
            let key = (container.to_owned(), killed, pod.to_owned());
            let largest = self.kills.entry(key).or_insert(peak);
            *largest = largest.max(peak);
        }
    }

    fn add_values(&mut self, run: &Run) {
        let (first, step) = (self.span.first_second(), i64::from(self.span.step.seconds()));
        let steps = self.span.steps();
        if run.end() <= first || run.start >= first + step * steps as i64 {
            return;
        }
        let cells = self.cells.entry(run.what.clone()).or_insert_with(|| vec![None; steps]);
        for (second, value) in run.samples() {
            let index = usize::try_from((second - first).div_euclid(step)).ok();
            if let Some(cell) = index.and_then(|index| cells.get_mut(index)) {
                *cell = Some(value);
            }
        }
    }

    /// The dataset; `None` when no usage and no request was observed.
    pub(crate) fn finish(mut self) -> Option<Dataset> {
        for (what, cells) in std::mem::take(&mut self.cells) {
            if let Some(series) = self.trimmed(&cells) {
                place(&mut self.dataset, what, series);
            }
        }
        let observed = |usage: &ContainerUsage| !usage.cpu.is_empty() || !usage.memory.is_empty();
        self.dataset.containers.retain(|_, usage| observed(usage));
        for ((container, claimed), (_, value)) in self.claims {
            if let Some(usage) = self.dataset.containers.get_mut(&container) {
                claim(&mut usage.claim, claimed, value);
            }
        }
        for ((container, killed, pod), peak) in self.kills {
            if let Some(usage) = self.dataset.containers.get_mut(&container) {
                usage.oom_kills.insert(OomKill { killed, pod, peak: Bytes::new(peak as u64) });
            }
        }
        let dataset = self.dataset;
        (!dataset.containers.is_empty() || dataset.request_rate.is_some()).then_some(dataset)
    }

    fn trimmed(&self, cells: &[Option<f64>]) -> Option<Series> {
        let first = cells.iter().position(Option::is_some)?;
        let last = cells.iter().rposition(Option::is_some)?;
        let step: Step = self.span.step;
        let start = self.span.first_second() + i64::from(step.seconds()) * first as i64;
        let start = Timestamp::from_second(start).ok()?;
        Series::new(start, step, cells[first..=last].to_vec()).ok()
    }
}

fn place(dataset: &mut Dataset, what: What, series: Series) {
    match what {
        What::Cpu { container, pod } => {
            dataset.containers.entry(container).or_default().cpu.insert(pod, series);
        }
        What::Memory { container, pod } => {
            dataset.containers.entry(container).or_default().memory.insert(pod, series);
        }
        What::RequestRate => dataset.request_rate = Some(series),
        What::Replicas => dataset.replicas = Some(series),
        What::Calls { caller } => {
            dataset.calls.insert(caller, series);
        }
        What::Indicator(indicator) => {
            dataset.indicators.insert(indicator, series);
        }
        What::Claim { .. } | What::OomKill { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(what: What, start: i64, values: &[f64]) -> Run {
        let values = values.iter().copied().map(Some).collect();
        Run { workload: "shop/cart".parse().unwrap(), what, start, step: 60, values }
    }

    #[test]
    fn runs_that_continue_one_another_are_joined_and_claims_kept_where_they_change() {
        let claim = |start, value| {
            let claimed = Claimed::CpuLimit;
            run(What::Claim { container: "server".to_owned(), claimed }, start, &[value])
        };
        let rate = |start, values: &[f64]| run(What::RequestRate, start, values);
        let all = [
            claim(59, 1.0),
            claim(119, 1.0),
            claim(179, 2.0),
            rate(0, &[1.0, 2.0]),
            rate(120, &[3.0]),
            rate(240, &[5.0]),
            rate(300 + 60 + GAP_WITHIN_RUN, &[6.0]),
        ];
        let joined = joined(all);
        let values = |run: &Run| (run.start, run.values.clone());
        let expected = [
            (59, vec![Some(1.0)]),
            (179, vec![Some(2.0)]),
            (0, vec![Some(1.0), Some(2.0), Some(3.0), None, Some(5.0)]),
            (360 + GAP_WITHIN_RUN, vec![Some(6.0)]),
        ];
        assert_eq!(joined.iter().map(values).collect::<Vec<_>>(), expected);
    }
}
