//! The course of a run, coarse enough to be kept of every run and drawn.

use jiff::Timestamp;
use mora_cluster_simulator::{Recording, WorkloadMinute};
use serde::{Deserialize, Serialize};

use crate::RunKey;

/// Minutes of a run that one point stands for.
pub const TRACE_MINUTES: usize = 15;

/// The course of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Which run.
    pub key: RunKey,
    /// Its points, [`TRACE_MINUTES`] apart, in order of time.
    pub points: Vec<TracePoint>,
}

/// A quarter of an hour of a run, over all workloads where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TracePoint {
    /// Its first minute.
    pub at: Timestamp,
    /// Requests per second that users sent, mean.
    pub requests: f64,
    /// CPU requests in cores, mean.
    pub cpu_requested: f64,
    /// CPU usage in cores, mean.
    pub cpu_used: f64,
    /// Latency from end to end, in seconds: the largest of the minutes' 95th percentiles; `None` without a request.
    pub latency_p95: Option<f64>,
    /// Pods that held a place on a node, mean.
    pub replicas: f64,
}

impl Trace {
    /// The course of what was recorded; a last quarter of an hour that is not complete is one point too.
    #[must_use]
    pub fn of(key: RunKey, recording: &Recording) -> Self {
        let length = recording.minutes.get(recording.entry).map_or(0, Vec::len);
        let point = |first: usize| {
            let last = (first + TRACE_MINUTES).min(length);
            let sum = |of: fn(&WorkloadMinute) -> f64| -> f64 {
                let of_all =
                    recording.minutes.iter().filter_map(|minutes| minutes.get(first..last));
                of_all.flatten().map(of).sum::<f64>() / (last - first) as f64
            };
            let entry = &recording.minutes[recording.entry][first..last];
            TracePoint {
                at: recording.start + jiff::SignedDuration::from_mins(first as i64),
                requests: entry.iter().map(|m| m.received).sum::<f64>() / (last - first) as f64,
                cpu_requested: sum(|minute| minute.cpu_requested),
                cpu_used: sum(|minute| minute.cpu_used),
                latency_p95: entry.iter().filter_map(|m| m.latency_p95).reduce(f64::max),
                replicas: sum(|minute| minute.pods),
            }
        };
        Self { key, points: (0..length).step_by(TRACE_MINUTES).map(point).collect() }
    }
}

#[cfg(test)]
mod tests {
    use mora_cluster_simulator::Latencies;

    use super::*;
    use crate::ArmName;

    fn minute(received: f64, latency: f64) -> WorkloadMinute {
        let latency_p95 = (received > 0.0).then_some(latency);
        let (cpu_requested, cpu_used) = (2.0, received / 10.0);
        WorkloadMinute {
            received,
            latency_p95,
            cpu_requested,
            cpu_used,
            pods: 1.0,
            ..WorkloadMinute::default()
        }
    }

    #[test]
    fn a_point_stands_for_a_quarter_of_an_hour_and_the_last_for_what_is_left() {
        let entry =
            [vec![minute(10.0, 0.1); 14], vec![minute(25.0, 0.3)], vec![minute(0.0, 0.0); 2]]
                .concat();
        let other = vec![minute(0.0, 0.0); 17];
        let recording = Recording {
            start: "2026-03-03T00:00Z".parse().unwrap(),
            workloads: Vec::new(),
            entry: 1,
            minutes: vec![other, entry],
            latencies: Latencies::default(),
            events: Vec::new(),
        };
        let key = RunKey {
            scenario: "realistic".into(),
            arm: ArmName::Mora,
            margin_thousandths: 1000,
            seed: 1,
        };
        let points = Trace::of(key, &recording).points;
        assert_eq!(points.len(), 2);
        assert!((points[0].requests - 11.0).abs() < 1e-12, "14 of 10 and one of 25");
        assert!((points[0].cpu_used - 1.1).abs() < 1e-12);
        assert!(
            (points[1].cpu_requested - 4.0).abs() < 1e-12
                && (points[1].replicas - 2.0).abs() < 1e-12
        );
        assert_eq!((points[0].latency_p95, points[1].latency_p95), (Some(0.3), None));
        assert_eq!(points[1].at.to_string(), "2026-03-03T00:15:00Z");
    }
}
