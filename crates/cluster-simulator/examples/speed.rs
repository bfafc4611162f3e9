//! How long a simulated day takes: `speed [COPIES [STEP_MILLIS [HOURS]]]`.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{Cluster, ClusterOptions, NodeSize, boutique};
use mora_core::{Bytes, Millicores};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let mut next = |usual: u32| arguments.next().unwrap_or(Ok(usual));
    let (copies, step_millis, hours) = (next(1)?, next(100)?, next(24)?);
    let one = boutique("shop", 30.0)?;
    let application = if copies > 1 { one.copies(copies as usize)? } else { one };
    let services = application.microservices.len();
    let start: Timestamp = "2026-03-03T00:00Z".parse()?;
    let node = NodeSize { cpu: Millicores::new(3900), memory: Bytes::from_mebibytes(15_000) };
    let nodes = vec![node; 3 + copies as usize];
    let options = ClusterOptions { seed: 1, start, nodes, step_millis, events: Vec::new() };
    let rate = 30.0 * f64::from(copies);
    let day =
        move |second: f64| rate * (1.0 - 0.7 * (second * std::f64::consts::TAU / 86_400.0).cos());
    let mut cluster = Cluster::new(application, Arc::new(day), options)?;
    let clock = Instant::now();
    cluster.advance_to(start.checked_add(SignedDuration::from_hours(i64::from(hours)))?);
    let recording = cluster.recording();
    println!(
        "{services} services, {hours} h in steps of {step_millis} ms: {:.1} s; {:.0} requests of users, p95 {:?}",
        clock.elapsed().as_secs_f64(),
        recording.latencies.count(),
        recording.latencies.quantile(0.95)
    );
    Ok(())
}
