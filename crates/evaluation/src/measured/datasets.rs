//! A run as a collector would have it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{ContainerUsage, Dataset, Lookback, Series, Step, WorkloadRef};

use super::holding::by_minute;
use super::{ContainerOf, MeasuredRun, Track};

impl MeasuredRun {
    /// What was observed of each workload in `containers` until `now` on the clock, by the minute; not the minute that holds
    /// `now`. It ends where the run does.
    #[must_use]
    pub fn datasets(
        &self,
        now: Timestamp,
        containers: &BTreeMap<WorkloadRef, ContainerOf>,
    ) -> Vec<Dataset> {
        let passed = now.duration_since(self.clock.start()).as_secs() / 60;
        let minutes = usize::try_from(passed).unwrap_or(0).min(self.minutes);
        let of = |(workload, container)| self.dataset(workload, container, minutes);
        containers.iter().map(of).collect()
    }

    fn dataset(&self, workload: &WorkloadRef, container: &ContainerOf, minutes: usize) -> Dataset {
        let mut dataset = Dataset::new(workload.clone());
        let held = by_minute(&self.held, workload, &self.clock, minutes);
        dataset.replicas = self.series(held.into_iter().map(|seen| Some(seen[1].round())));
        let Some(tracks) = self.tracks.get(workload) else { return dataset };
        let mut usage = ContainerUsage { claim: container.claim, ..ContainerUsage::default() };
        for (pod, track) in &tracks.cpu {
            usage
                .cpu
                .extend(self.sampled(track, minutes, |mean, _| mean).map(|s| (pod.clone(), s)));
        }
        for (pod, track) in &tracks.memory {
            let largest = self.sampled(track, minutes, |_, largest| largest);
            usage.memory.extend(largest.map(|series| (pod.clone(), series)));
        }
        dataset.containers.insert(container.name.clone(), usage);
        dataset.request_rate = self.sampled(&tracks.received, minutes, |mean, _| mean);
        for (caller, track) in &tracks.calls {
            let series = self.sampled(track, minutes, |mean, _| mean);
            dataset.calls.extend(series.map(|series| (caller.clone(), series)));
        }
        dataset
    }

    /// `track` by the minute; `None` where nothing of it is known.
    fn sampled(
        &self,
        track: &Track,
        minutes: usize,
        of: impl Fn(f64, f64) -> f64,
    ) -> Option<Series> {
        let minute = |index: usize| {
            let (mean, largest) = track.between(self.clock.minute(index))?;
            Some(of(mean, largest))
        };
        self.series((0..minutes).map(minute)).filter(|series| series.coverage() > 0.0)
    }

    fn series(&self, values: impl Iterator<Item = Option<f64>>) -> Option<Series> {
        Series::new(self.clock.start(), Step::MINUTE, values.collect()).ok()
    }
}

/// `past` and then `present`, as far as both lie in `lookback`: the claims are those of the present, and so is what only the
/// present has.
pub(super) fn joined(past: &Dataset, present: Option<&Dataset>, lookback: &Lookback) -> Dataset {
    let mut dataset = past.clone();
    if let Some(present) = present {
        for (name, usage) in &present.containers {
            let own = dataset.containers.entry(name.clone()).or_default();
            own.claim = usage.claim;
            usage.cpu.iter().for_each(|(pod, series)| append(&mut own.cpu, pod, series));
            usage.memory.iter().for_each(|(pod, series)| append(&mut own.memory, pod, series));
        }
        let after = |past: &Option<Series>, more: &Option<Series>| match (past, more) {
            (Some(past), Some(more)) => Some(continued(past, more)),
            (past, more) => past.clone().or_else(|| more.clone()),
        };
        dataset.request_rate = after(&dataset.request_rate, &present.request_rate);
        dataset.replicas = after(&dataset.replicas, &present.replicas);
        present.calls.iter().for_each(|(caller, more)| append(&mut dataset.calls, caller, more));
    }
    within(dataset, lookback)
}

fn append<K: Ord + Clone>(all: &mut BTreeMap<K, Series>, key: &K, more: &Series) {
    let whole = all.get(key).map_or_else(|| more.clone(), |past| continued(past, more));
    all.insert(key.clone(), whole);
}

/// `past` with `more` after it; what lies between is unknown. `past` alone where `more` does not follow at its step.
fn continued(past: &Series, more: &Series) -> Series {
    let between = more.start().as_second() - past.end().as_second();
    let (Ok(between), true) = (u64::try_from(between), past.step() == more.step()) else {
        return past.clone();
    };
    let missing = between / u64::from(past.step().seconds());
    let mut values = past.values().to_vec();
    values.extend((0..missing).map(|_| None));
    values.extend_from_slice(more.values());
    Series::new(past.start(), past.step(), values).unwrap_or_else(|_| past.clone())
}

fn within(mut dataset: Dataset, lookback: &Lookback) -> Dataset {
    let cut = |series: &Series| series.between(lookback.from, lookback.to);
    let known = |series: &Series| series.coverage() > 0.0;
    for usage in dataset.containers.values_mut() {
        for all in [&mut usage.cpu, &mut usage.memory] {
            for series in all.values_mut() {
                *series = cut(series);
            }
            all.retain(|_, series| known(series));
        }
    }
    for one in [&mut dataset.request_rate, &mut dataset.replicas] {
        *one = one.as_ref().map(cut).filter(known);
    }
    dataset.calls.values_mut().for_each(|series| *series = cut(series));
    dataset.calls.retain(|_, series| known(series));
    dataset.indicators.values_mut().for_each(|series| *series = cut(series));
    dataset.indicators.retain(|_, series| known(series));
    dataset
}

#[cfg(test)]
mod tests {
    use mora_core::ResourceClaim;

    use super::super::{Clock, Held, Holding, WorkloadTracks};
    use super::*;

    #[test]
    fn only_whole_minutes_before_now_are_seen_and_pods_stay_apart() {
        let begun: Timestamp = "2026-11-26T10:00:00Z".parse().unwrap();
        let clock = Clock::new(begun, "2026-03-03T00:00:00Z".parse().unwrap(), 60.0).unwrap();
        let workload: WorkloadRef = "shop/cart".parse().unwrap();
        let second = begun.as_second() as f64;
        let track = |value: f64, from: f64, to: f64| {
            Track::new([(second + from, value), (second + to, value)])
        };
        let tracks = WorkloadTracks {
            cpu: [
                ("a".to_owned(), track(0.5, 0.0, 10.0)),
                ("b".to_owned(), track(0.25, 5.5, 10.0)),
            ]
            .into(),
            received: track(7.0, 0.0, 10.0),
            ..WorkloadTracks::default()
        };
        let holding = Holding { replicas: 2, pods: 2, ready: 2, cpu: 0.2, memory: 1.0 };
        let run = MeasuredRun {
            clock,
            minutes: 10,
            first: 0,
            workloads: vec![workload.clone()],
            entry: 0,
            held: vec![Held { at: begun, workloads: [(workload.clone(), holding)].into() }],
            tracks: [(workload.clone(), tracks)].into(),
            pages: Vec::new(),
            changes: Vec::new(),
        };
        let container = ContainerOf {
            name: "server".to_owned(),
            claim: ResourceClaim::default(),
            scales: true,
        };
        let now = clock.start() + jiff::SignedDuration::from_secs(4 * 60 + 59);
        let datasets = run.datasets(now, &[(workload, container)].into());
        let [dataset] = &datasets[..] else { panic!("one workload: {datasets:?}") };
        assert_eq!(dataset.request_rate.as_ref().unwrap().values(), [Some(7.0); 4]);
        assert_eq!(dataset.replicas.as_ref().unwrap().values(), [Some(2.0); 4]);
        let cpu = &dataset.containers["server"].cpu;
        assert_eq!(cpu["a"].len(), 4);
        assert_eq!(cpu["b"].observed().count(), 1, "{:?}", cpu["b"]);
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn dataset(start: i64, values: &[f64], pod: &str) -> Dataset {
        let values = values.iter().copied().map(Some).collect();
        let series = Series::new(at(start), Step::MINUTE, values).unwrap();
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        let mut usage = ContainerUsage::default();
        usage.cpu.insert(pod.to_owned(), series.clone());
        dataset.containers.insert("server".to_owned(), usage);
        dataset.request_rate = Some(series.clone());
        dataset.calls.insert("shop/frontend".parse().unwrap(), series);
        dataset
    }

    #[test]
    fn the_present_follows_the_past_and_pods_stay_apart() {
        let (past, present) = (dataset(0, &[1.0, 2.0], "old"), dataset(3, &[4.0], "new"));
        let lookback = Lookback { from: at(1), to: at(4), step: Step::MINUTE };
        let both = joined(&past, Some(&present), &lookback);
        let expected = [Some(2.0), None, Some(4.0)];
        assert_eq!(both.request_rate.as_ref().unwrap().values(), expected);
        assert_eq!(both.calls.values().next().unwrap().values(), expected);
        let pods = &both.containers["server"].cpu;
        assert_eq!(pods["old"].values(), [Some(2.0)]);
        assert_eq!((pods["new"].start(), pods["new"].values()), (at(3), &[Some(4.0)][..]));
        let later = Lookback { from: at(3), ..lookback };
        let only = joined(&past, Some(&present), &later);
        assert!(!only.containers["server"].cpu.contains_key("old"), "it had ended before");
        assert_eq!(joined(&past, None, &lookback).request_rate.unwrap().values(), [Some(2.0)]);
    }
}
