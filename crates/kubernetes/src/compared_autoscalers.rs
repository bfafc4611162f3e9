//! `HorizontalPodAutoscaler`s that are made to be compared with, and removed again.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Resource;
use kube::api::{DeleteParams, PostParams};
use kube::core::Request as Path;
use mora_core::WorkloadRef;
use serde_json::{Value, json};

use crate::list::list_labelled;
use crate::scaling::asked;
use crate::{AutoscalerBounds, Cluster, ClusterError};

/// What tells those that were made here from others.
const LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "mora-evaluation");
const NOT_FOUND: u16 = 404;

impl Cluster {
    /// Makes an autoscaler with the name and bounds of `bounds` that keeps the CPU usage of `workload` at `target_percent` of its
    /// request, with the default behaviour.
    ///
    /// Fails when the API refuses, as it does when there is one of this name.
    pub async fn create_autoscaler(
        &self,
        workload: &WorkloadRef,
        bounds: &AutoscalerBounds,
        target_percent: u32,
    ) -> Result<(), ClusterError> {
        let namespace = workload.namespace();
        let text = object(workload, bounds, target_percent).to_string();
        let path = of_autoscalers(namespace);
        let request = path.create(&PostParams::default(), text.into_bytes());
        let asked = asked::<HorizontalPodAutoscaler>("create", namespace, "");
        self.answer::<Value>(request, &asked).await.map(drop)
    }

    /// Removes every autoscaler in `namespace` that [`Cluster::create_autoscaler`] made; returns how many.
    ///
    /// Fails when they cannot be listed or the API refuses; one that is gone already is no failure.
    pub async fn delete_created_autoscalers(&self, namespace: &str) -> Result<usize, ClusterError> {
        let (key, value) = LABEL;
        let namespaces = [namespace.to_owned()];
        let selector = format!("{key}={value}");
        let found: Vec<HorizontalPodAutoscaler> =
            list_labelled(&self.client, &namespaces, &selector).await?;
        let mut removed = 0;
        for name in found.into_iter().filter_map(|one| one.metadata.name) {
            let request = of_autoscalers(namespace).delete(&name, &DeleteParams::default());
            let asked = asked::<HorizontalPodAutoscaler>("delete", namespace, "");
            match self.answer::<Value>(request, &asked).await {
                Ok(_) => removed += 1,
                Err(ClusterError::Failed { code: NOT_FOUND, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }
}

fn object(workload: &WorkloadRef, bounds: &AutoscalerBounds, target_percent: u32) -> Value {
    let (key, value) = LABEL;
    let target = json!({"type": "Utilization", "averageUtilization": target_percent});
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": bounds.name, "labels": {key: value}},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": workload.kind().as_str(), "name": workload.name()},
            "minReplicas": bounds.min,
            "maxReplicas": bounds.max,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    })
}

fn of_autoscalers(namespace: &str) -> Path {
    Path::new(HorizontalPodAutoscaler::url_path(&(), Some(namespace)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_autoscaler_names_its_workload_and_states_no_behaviour_of_its_own() {
        let workload = "shop/StatefulSet/cart".parse().unwrap();
        let bounds = AutoscalerBounds { name: "cart".to_owned(), min: 1, max: 4 };
        let made: HorizontalPodAutoscaler =
            serde_json::from_value(object(&workload, &bounds, 70)).unwrap();
        let spec = made.spec.unwrap();
        assert_eq!(spec.scale_target_ref.kind, "StatefulSet");
        assert_eq!((spec.min_replicas, spec.max_replicas), (Some(1), 4));
        assert_eq!(spec.behavior, None);
        let metric = spec.metrics.unwrap().remove(0).resource.unwrap();
        assert_eq!(metric.target.average_utilization, Some(70));
        assert_eq!(made.metadata.labels.unwrap()[LABEL.0], LABEL.1);
    }
}
