//! What the autoscalers of workloads do.

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
};
use mora_core::{Autoscaler, WorkloadRef};

/// The target of an autoscaler that states no metric.
const DEFAULT_CPU_PERCENT: u32 = 80;

/// The autoscaler of every workload that has one.
pub(crate) fn autoscalers(
    objects: &[HorizontalPodAutoscaler],
) -> BTreeMap<WorkloadRef, Autoscaler> {
    objects.iter().filter_map(autoscaler).collect()
}

fn autoscaler(object: &HorizontalPodAutoscaler) -> Option<(WorkloadRef, Autoscaler)> {
    let spec = object.spec.as_ref()?;
    let target = &spec.scale_target_ref;
    let namespace = object.metadata.namespace.as_deref()?;
    let workload = WorkloadRef::new(namespace, target.kind.parse().ok()?, &target.name).ok()?;
    let whole = |count: i32| u32::try_from(count).unwrap_or(0);
    let (cpu_target_percent, other_metrics) = metrics(spec);
    let autoscaler = Autoscaler {
        min_replicas: spec.min_replicas.map_or(1, whole),
        max_replicas: whole(spec.max_replicas),
        current_replicas: object.status.as_ref().map_or(0, |status| whole(status.desired_replicas)),
        cpu_target_percent,
        other_metrics,
    };
    Some((workload, autoscaler))
}

/// The target on CPU utilisation, and whether there is any other.
fn metrics(spec: &HorizontalPodAutoscalerSpec) -> (Option<u32>, bool) {
    let metrics = spec.metrics.as_deref().unwrap_or_default();
    if metrics.is_empty() {
        return (Some(DEFAULT_CPU_PERCENT), false);
    }
    let targets: Vec<Option<u32>> = metrics.iter().map(cpu_target).collect();
    (targets.iter().flatten().copied().next(), targets.contains(&None))
}

fn cpu_target(metric: &MetricSpec) -> Option<u32> {
    let resource = metric.resource.as_ref().filter(|resource| resource.name == "cpu")?;
    u32::try_from(resource.target.average_utilization?).ok()
}
