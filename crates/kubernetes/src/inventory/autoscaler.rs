//! What scales owners.

use mora_core::{OwnerAutoscaler, OwnerRef};
use serde::Deserialize;

use super::chain::owner;
use super::wire::{Metadata, OwnerReference, or_default};

/// What an autoscaler that states no metric aims at.
const DEFAULT_CPU_PERCENT: u32 = 80;

/// A HorizontalPodAutoscaler.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HorizontalPodAutoscaler {
    metadata: Metadata,
    spec: Spec,
    #[serde(deserialize_with = "or_default")]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    scale_target_ref: OwnerReference,
    min_replicas: Option<u32>,
    max_replicas: u32,
    #[serde(deserialize_with = "or_default")]
    metrics: Vec<Metric>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    desired_replicas: u32,
}

/// What it looks at; of what is neither a resource of pods nor of one container, only that it is there.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metric {
    resource: Option<ResourceMetric>,
    container_resource: Option<ResourceMetric>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceMetric {
    name: String,
    target: Target,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Target {
    average_utilization: Option<u32>,
}

/// What a metric says about requests.
enum Aim {
    Cpu(u32),
    Memory(u32),
    Absolute,
}

impl HorizontalPodAutoscaler {
    /// What it scales, and how.
    pub(super) fn read(&self) -> (OwnerRef, OwnerAutoscaler) {
        let Self { metadata, spec, status } = self;
        let (cpu_percent, memory_percent, on_absolute) = aims(&spec.metrics);
        let autoscaler = OwnerAutoscaler {
            // Zero is valid where that feature is on, and means that nothing need run.
            min_replicas: spec.min_replicas.unwrap_or(1),
            max_replicas: spec.max_replicas,
            current_replicas: status.desired_replicas,
            cpu_percent,
            memory_percent,
            on_absolute,
        };
        (owner(&metadata.namespace, &spec.scale_target_ref), autoscaler)
    }
}

fn aims(metrics: &[Metric]) -> (Option<u32>, Option<u32>, bool) {
    if metrics.is_empty() {
        return (Some(DEFAULT_CPU_PERCENT), None, false);
    }
    let (mut cpu, mut memory, mut absolute) = (None, None, false);
    for metric in metrics {
        match aim(metric) {
            // The metric that wants most replicas decides: with equal usage that is the one with the lowest aim.
            Aim::Cpu(percent) => cpu = Some(cpu.map_or(percent, |least: u32| least.min(percent))),
            Aim::Memory(percent) => {
                memory = Some(memory.map_or(percent, |least: u32| least.min(percent)));
            }
            Aim::Absolute => absolute = true,
        }
    }
    (cpu, memory, absolute)
}

fn aim(metric: &Metric) -> Aim {
    let Some(resource) = metric.resource.as_ref().or(metric.container_resource.as_ref()) else {
        return Aim::Absolute;
    };
    match (resource.name.as_str(), resource.target.average_utilization) {
        ("cpu", Some(percent)) => Aim::Cpu(percent),
        ("memory", Some(percent)) => Aim::Memory(percent),
        _ => Aim::Absolute,
    }
}
