//! A cluster under load.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Bytes, Millicores};

use super::*;
use crate::{NodeSize, boutique};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_772_496_000 + minute * 60).unwrap()
}

fn options(step_millis: u32) -> ClusterOptions {
    let node = NodeSize { cpu: Millicores::new(3900), memory: Bytes::from_mebibytes(15_000) };
    ClusterOptions { seed: 1, start: at(0), nodes: vec![node; 4], step_millis, events: Vec::new() }
}

fn shop(rate: f64, options: ClusterOptions) -> Cluster {
    let application = boutique("shop", 30.0).unwrap();
    Cluster::new(application, Arc::new(move |_: f64| rate), options).unwrap()
}

#[test]
fn show() {
    for (rate, step) in [(30.0, 100), (30.0, 10_000), (55.0, 100), (110.0, 100)] {
        let mut cluster = shop(rate, options(step));
        let clock = std::time::Instant::now();
        cluster.advance_to(at(60));
        println!("rate {rate} step {step}: {:?} {} pods", clock.elapsed(), cluster.pods.len());
        for (service, minutes) in cluster.recording().minutes.iter().enumerate() {
            let m = minutes[30];
            println!(
                "{:25} pods {:.1}/{:.1} req {:.2} cpu {:.3} mem {:.0} thr {:.3} rate {:.1} fail {:.2} p95 {:?}",
                cluster.application.microservices[service].workload.name(),
                m.pods,
                m.ready,
                m.cpu_requested,
                m.cpu_used,
                m.memory_used / 1048576.0,
                m.throttled,
                m.received,
                m.failed,
                m.latency_p95.map(|s| (s * 1e5).round() / 100.0)
            );
        }
        println!(
            "{:?} {:?}",
            cluster.recording.latencies.mean(),
            cluster.recording.latencies.quantile(0.99)
        );
    }
    let _ = SignedDuration::ZERO;
}
