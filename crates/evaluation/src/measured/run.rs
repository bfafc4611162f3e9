//! A run on a real cluster as a recording.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_cluster_simulator::{Latencies, Recording, ScalingEvent, WorkloadMinute};
use mora_core::{Step, WorkloadRef};

use super::clock::seconds;
use super::holding::{by_minute, scalings};
use super::{Clock, Held, Track, WorkloadTracks};

/// One page that a visitor asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Page {
    /// When, in real time.
    pub began: Timestamp,
    /// Seconds until it was answered.
    pub seconds: f64,
    /// Whether it was wrong.
    pub failed: bool,
}

/// Everything that was seen of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredRun {
    /// Its clock.
    pub clock: Clock,
    /// Minutes of the clock that it lasted.
    pub minutes: usize,
    /// The first of them that is judged.
    pub first: usize,
    /// The workloads, in order.
    pub workloads: Vec<WorkloadRef>,
    /// Place of the one that users reach.
    pub entry: usize,
    /// What they held, in order of time.
    pub held: Vec<Held>,
    /// What they used.
    pub tracks: BTreeMap<WorkloadRef, WorkloadTracks>,
    /// What visitors asked for.
    pub pages: Vec<Page>,
    /// What an arm changed itself, by the time of the clock.
    pub changes: Vec<ScalingEvent>,
}

impl MeasuredRun {
    /// The judged part of the run by the minute of its clock. Of the entry what is received and fails, and its latency, are those of pages.
    #[must_use]
    pub fn recording(&self) -> Recording {
        let mut minutes: Vec<_> =
            self.workloads.iter().map(|workload| self.minutes_of(workload)).collect();
        let start = self.clock.start() + Step::MINUTE.times(self.first);
        let mut latencies = Latencies::default();
        if let Some(entry) = minutes.get_mut(self.entry) {
            self.add_pages(entry, &mut latencies);
        }
        let mut events = scalings(&self.held, &self.clock);
        events.extend(self.changes.iter().cloned());
        events.retain(|event| event.at >= start);
        events.sort_by(|a, b| (a.at, &a.workload).cmp(&(b.at, &b.workload)));
        for minutes in &mut minutes {
            minutes.drain(..self.first.min(minutes.len()));
        }
        let workloads = self.workloads.clone();
        Recording { start, workloads, entry: self.entry, minutes, latencies, events }
    }

    /// The share of minutes of workloads in which CPU usage is not known: it counts as none there.
    #[must_use]
    pub fn unobserved(&self) -> f64 {
        let unknown = |workload: &WorkloadRef| {
            let tracks = self.tracks.get(workload);
            let known = |index: &usize| {
                tracks.is_some_and(|all| {
                    let spans = |track: &Track| track.between(self.clock.minute(*index)).is_some();
                    all.cpu.values().any(spans)
                })
            };
            self.minutes - (0..self.minutes).filter(known).count()
        };
        let cells = self.minutes * self.workloads.len();
        self.workloads.iter().map(unknown).sum::<usize>() as f64 / cells.max(1) as f64
    }

    fn minutes_of(&self, workload: &WorkloadRef) -> Vec<WorkloadMinute> {
        let none = WorkloadTracks::default();
        let tracks = self.tracks.get(workload).unwrap_or(&none);
        let held = by_minute(&self.held, workload, &self.clock, self.minutes);
        let mut minutes: Vec<WorkloadMinute> = held
            .into_iter()
            .enumerate()
            .map(|(index, [pods, ready, cpu_requested, memory_requested])| {
                let used = tracks.used(self.clock.minute(index));
                WorkloadMinute { pods, ready, cpu_requested, memory_requested, ..used }
            })
            .collect();
        for killed in &tracks.oom_kills {
            let minute = self.clock.minute_of(*killed).and_then(|index| minutes.get_mut(index));
            if let Some(minute) = minute {
                minute.oom_kills += 1;
            }
        }
        minutes
    }

    fn add_pages(&self, entry: &mut [WorkloadMinute], latencies: &mut Latencies) {
        let mut counted = vec![(Latencies::default(), 0_u32); entry.len()];
        for page in &self.pages {
            let minute = self.clock.minute_of(seconds(page.began));
            let Some(minute) = minute.filter(|index| *index < counted.len()) else { continue };
            let (own, failed) = &mut counted[minute];
            if page.failed {
                *failed += 1;
                continue;
            }
            own.add(page.seconds, 1.0);
            if minute >= self.first {
                latencies.add(page.seconds, 1.0);
            }
        }
        let (from, to) = self.clock.minute(0);
        for (minute, (own, failed)) in entry.iter_mut().zip(counted) {
            minute.received = (own.count() + f64::from(failed)) / (to - from);
            minute.failed = f64::from(failed) / (to - from);
            minute.latency_p95 = own.quantile(0.95);
        }
    }
}

impl WorkloadTracks {
    /// What was used between two real instants; what is not known is none.
    fn used(&self, span: (f64, f64)) -> WorkloadMinute {
        let mean = |track: &Track| track.between(span).map_or(0.0, |(mean, _)| mean);
        let largest = |track: &Track| track.between(span).map_or(0.0, |(_, largest)| largest);
        WorkloadMinute {
            cpu_used: self.cpu.values().map(mean).sum(),
            memory_used: self.memory.values().map(largest).sum(),
            throttled: mean(&self.throttled).clamp(0.0, 1.0),
            received: mean(&self.received),
            failed: mean(&self.failed),
            ..WorkloadMinute::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use mora_cluster_simulator::ScalingKind;

    use super::super::Holding;
    use super::*;

    fn begun() -> Timestamp {
        "2026-11-26T10:00:00Z".parse().unwrap()
    }

    fn run() -> MeasuredRun {
        let workload: WorkloadRef = "shop/frontend".parse().unwrap();
        let start = "2026-03-03T00:00:00Z".parse().unwrap();
        let clock = Clock::new(begun(), start, 30.0).unwrap();
        let at = |seconds: i64| begun() + SignedDuration::from_secs(seconds);
        let holding = |replicas: u32| Holding {
            replicas,
            pods: replicas,
            ready: replicas,
            cpu: f64::from(replicas) * 0.1,
            memory: 64.0,
        };
        let look = |second, replicas| Held {
            at: at(second),
            workloads: [(workload.clone(), holding(replicas))].into(),
        };
        let flat = |value: f64| {
            let second = seconds(begun());
            Track::new((0..=6).map(|index| (second + f64::from(index), value)))
        };
        let tracks = WorkloadTracks {
            cpu: [("a".to_owned(), flat(0.25)), ("b".to_owned(), flat(0.5))].into(),
            memory: [("a".to_owned(), flat(7.0))].into(),
            throttled: flat(0.125),
            oom_kills: vec![seconds(begun()) + 2.5, seconds(begun()) - 9.0],
            ..WorkloadTracks::default()
        };
        let page = |second, seconds, failed| Page { began: at(second), seconds, failed };
        MeasuredRun {
            clock,
            minutes: 3,
            first: 0,
            workloads: vec![workload.clone()],
            entry: 0,
            held: vec![look(0, 1), look(2, 2), look(4, 2)],
            tracks: [(workload.clone(), tracks)].into(),
            pages: vec![
                page(-1, 9.0, false),
                page(0, 0.1, false),
                page(1, 0.2, false),
                page(2, 0.3, true),
                page(70, 0.3, true),
            ],
            changes: vec![ScalingEvent { at: start, workload, kind: ScalingKind::InPlace }],
        }
    }

    fn alike(found: &[f64], expected: &[f64]) -> bool {
        found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9)
    }

    #[test]
    fn a_run_is_recorded_by_the_minute_of_its_clock() {
        let recording = run().recording();
        assert_eq!((recording.minutes.len(), recording.minutes[0].len()), (1, 3));
        let [first, second, third] = [0, 1, 2].map(|index| recording.minutes[0][index]);
        assert!((first.cpu_used - 0.75).abs() < 1e-9 && (first.memory_used - 7.0).abs() < 1e-9);
        assert!((first.throttled - 0.125).abs() < 1e-9);
        assert!(alike(&[first.pods, second.pods, third.pods], &[1.0, 2.0, 2.0]));
        assert!((second.cpu_requested - 0.2).abs() < 1e-9);
        assert_eq!([first.oom_kills, second.oom_kills, third.oom_kills], [0, 1, 0]);
        let told = "two pages in two seconds";
        assert!(alike(&[first.received, first.failed], &[1.0, 0.0]), "{told}");
        assert!(alike(&[second.received, second.failed], &[0.5, 0.5]));
        assert!((first.latency_p95.unwrap() / 0.2 - 1.0).abs() < 0.03);
        assert_eq!((second.latency_p95, third.latency_p95), (None, None));
        assert!((recording.latencies.count() - 2.0).abs() < 1e-9, "neither failed nor early ones");
    }

    #[test]
    fn what_was_changed_by_the_arm_and_by_others_is_in_order() {
        let kinds: Vec<ScalingKind> =
            run().recording().events.into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [ScalingKind::InPlace, ScalingKind::Replicas]);
    }

    #[test]
    fn what_comes_before_the_judged_time_is_not_recorded() {
        let whole = run().recording();
        let judged = MeasuredRun { first: 1, ..run() }.recording();
        assert_eq!(judged.start, whole.start + SignedDuration::from_mins(1));
        assert_eq!(judged.minutes[0], whole.minutes[0][1..]);
        assert_eq!(judged.events, whole.events[1..]);
        assert!(alike(&[judged.latencies.count()], &[0.0]));
    }

    #[test]
    fn minutes_without_usage_are_told() {
        let mut run = run();
        assert!(alike(&[run.unobserved()], &[0.0]));
        run.minutes = 6;
        assert!((run.unobserved() - 1.0 / 6.0).abs() < 1e-9, "{}", run.unobserved());
    }
}
