//! A run as a collector would have it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{ContainerUsage, Dataset, Series, Step, WorkloadRef};

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
}
