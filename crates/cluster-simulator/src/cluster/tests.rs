//! What a cluster does under load, held against queueing theory, hand computations and the rules of Kubernetes.

mod flow;
mod placing;
mod properties;
mod shortage;
mod theory;

use std::sync::Arc;

use mora_core::{Bytes, Millicores};

use super::*;
use crate::{CpuCost, MemoryProfile, Microservice, NodeSize, StartUp, TimedEvent, boutique};

const MEBIBYTE: f64 = 1_048_576.0;

/// So many seconds after the start, which is a midnight.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_496_000 + second).unwrap()
}

fn node(cpu: u64, mebibytes: u64) -> NodeSize {
    NodeSize { cpu: Millicores::new(cpu), memory: Bytes::from_mebibytes(mebibytes) }
}

fn options(nodes: Vec<NodeSize>) -> ClusterOptions {
    ClusterOptions { seed: 1, start: at(0), nodes, step_millis: 100, events: Vec::new() }
}

fn four_nodes() -> ClusterOptions {
    options(vec![node(3900, 15_000); 4])
}

fn shop(rate: f64, options: ClusterOptions) -> Cluster {
    let application = boutique("shop", 30.0).unwrap();
    Cluster::new(application, Arc::new(move |_: f64| rate), options).unwrap()
}

fn workload(name: &str) -> WorkloadRef {
    WorkloadRef::deployment("shop", name).unwrap()
}

fn claim(cpu: (u64, u64), mebibytes: (u64, u64)) -> ResourceClaim {
    ResourceClaim {
        cpu_request: Some(Millicores::new(cpu.0)),
        cpu_limit: Some(Millicores::new(cpu.1)),
        memory_request: Some(Bytes::from_mebibytes(mebibytes.0)),
        memory_limit: Some(Bytes::from_mebibytes(mebibytes.1)),
    }
}

/// One microservice that calls nobody: 10 ms of CPU for each request, no limit, 100 MiB.
fn lone() -> Microservice {
    Microservice {
        workload: workload("lone"),
        container: "server".to_owned(),
        claim: ResourceClaim {
            cpu_request: Some(Millicores::new(100)),
            memory_request: Some(Bytes::from_mebibytes(100)),
            ..ResourceClaim::default()
        },
        replicas: 1,
        scales: true,
        cpu: CpuCost { per_request: 0.01, variation: 1.0, idle: 0.0, waiting: 0.0 },
        concurrency: 1000,
        memory: MemoryProfile {
            base: 100.0 * MEBIBYTE,
            cache: 0.0,
            cache_seconds: 1.0,
            per_request: 0.0,
            leak: None,
        },
        start_up: StartUp { seconds: 2.0, cpu: 0.2 },
    }
}

fn alone(microservice: Microservice, rate: f64, options: ClusterOptions) -> Cluster {
    let application =
        Application { microservices: vec![microservice], calls: Vec::new(), entry: 0 };
    Cluster::new(application, Arc::new(move |_: f64| rate), options).unwrap()
}

fn phases(cluster: &Cluster, name: &str) -> Vec<pod::Phase> {
    let service = cluster.index[&workload(name)];
    cluster.services[service].pods.iter().map(|pod| cluster.pods[*pod].phase).collect()
}

fn resize(name: &str, claim: ResourceClaim) -> Change {
    Change::Resize { workload: workload(name), claim }
}

fn scale(name: &str, replicas: u32) -> Change {
    Change::Scale { workload: workload(name), replicas }
}
