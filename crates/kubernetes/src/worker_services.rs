//! Services that stand before model-workers.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mora_core::WorkloadRef;

use crate::list::list_labelled;
use crate::{Cluster, ClusterError};

/// The annotation that says which workload the worker behind a Service forecasts: `namespace/Kind/name`.
const WORKLOAD: &str = "mora.dev/workload";
/// The name of the port workers listen on.
const PORT: &str = "grpc";

/// Workers found by the Services before them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkerServices {
    /// The address (`name.namespace.svc:port`) by workload.
    pub addresses: BTreeMap<WorkloadRef, String>,
    /// Services that cannot be used and what to do about it, each a sentence.
    pub warnings: Vec<String>,
}

impl Cluster {
    /// The workers behind the Services with the labels `selector` in `namespaces`, or in all of them if that is empty.
    ///
    /// A Service says in its annotation `mora.dev/workload` whose worker stands behind it, and has a port named `grpc`;
    /// one that does not is left out with a warning. Fails when Services cannot be listed.
    pub async fn worker_services(
        &self,
        namespaces: &[String],
        selector: &str,
    ) -> Result<WorkerServices, ClusterError> {
        let mut services: Vec<Service> = list_labelled(&self.client, namespaces, selector).await?;
        services.sort_by_key(full_name);
        let mut found = WorkerServices::default();
        for service in &services {
            match worker(service) {
                Ok((workload, address)) => found.add(workload, address, service),
                Err(problem) => found.warnings.push(format!(
                    "the Service {} is not used for a worker: {problem}",
                    full_name(service)
                )),
            }
        }
        if services.is_empty() {
            found.warnings.push(format!(
                "no Service has the labels `{selector}`; check `workers.discovery.services`"
            ));
        }
        Ok(found)
    }
}

impl WorkerServices {
    fn add(&mut self, workload: WorkloadRef, address: String, service: &Service) {
        if let Some(earlier) = self.addresses.get(&workload) {
            self.warnings.push(format!(
                "the Service {} is not used: {earlier} is the worker of {workload} too; correct one of the annotations",
                full_name(service)
            ));
            return;
        }
        self.addresses.insert(workload, address);
    }
}

/// `namespace/name`.
fn full_name(service: &Service) -> String {
    let metadata = &service.metadata;
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    format!("{namespace}/{}", metadata.name.as_deref().unwrap_or_default())
}

/// Whose worker stands behind `service`, and its address; else what to mend.
fn worker(service: &Service) -> Result<(WorkloadRef, String), String> {
    let annotations = service.metadata.annotations.as_ref();
    let stated = annotations.and_then(|annotations| annotations.get(WORKLOAD));
    let stated =
        stated.ok_or_else(|| format!("annotate it with {WORKLOAD}: namespace/Kind/name"))?;
    let workload = stated
        .parse::<WorkloadRef>()
        .map_err(|error| format!("its annotation {WORKLOAD} is `{stated}`: {error}"))?;
    let port = port(service).ok_or_else(|| format!("give it a port with the name {PORT}"))?;
    let (namespace, name) = (&service.metadata.namespace, &service.metadata.name);
    let (Some(namespace), Some(name)) = (namespace, name) else {
        return Err("it has no name".to_owned());
    };
    Ok((workload, format!("{name}.{namespace}.svc:{port}")))
}

/// The port to call: that of the Service, or of the pods where its name stands for their addresses.
fn port(service: &Service) -> Option<i32> {
    let spec = service.spec.as_ref()?;
    let named = |port: &&ServicePort| port.name.as_deref() == Some(PORT);
    let port = spec.ports.as_deref()?.iter().find(named)?;
    match &port.target_port {
        Some(IntOrString::Int(of_pods)) if spec.cluster_ip.as_deref() == Some("None") => {
            Some(*of_pods)
        }
        _ => Some(port.port),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::tests::{failure, list, scripted};

    fn service(name: &str, workload: Option<&str>, spec: &Value) -> Value {
        let annotations = workload.map(|workload| json!({ WORKLOAD: workload }));
        json!({"metadata": {"namespace": "mora", "name": name, "annotations": annotations}, "spec": spec})
    }

    fn grpc(port: i32) -> Value {
        json!({"ports": [{"name": "metrics", "port": 9090}, {"name": "grpc", "port": port, "targetPort": 50061}]})
    }

    async fn found(services: Value) -> WorkerServices {
        let (cluster, _) = scripted(move |_, _| (200, list(&services)));
        cluster.worker_services(&["mora".to_owned()], "app=worker").await.unwrap()
    }

    #[tokio::test]
    async fn a_service_gives_the_address_of_the_worker_its_annotation_names() {
        let mut headless = grpc(80);
        headless["clusterIP"] = json!("None");
        let found = found(json!([
            service("cart", Some("shop/Deployment/cart"), &grpc(80)),
            service("redis", Some("shop/StatefulSet/redis"), &headless),
        ]))
        .await;
        let address = |workload: &str| found.addresses[&workload.parse().unwrap()].as_str();
        assert_eq!(address("shop/cart"), "cart.mora.svc:80");
        assert_eq!(address("shop/StatefulSet/redis"), "redis.mora.svc:50061");
        assert_eq!(found.warnings, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_service_that_cannot_be_used_is_named_with_what_to_mend() {
        let found = found(json!([
            service("a", None, &grpc(80)),
            service("b", Some("no workload"), &grpc(80)),
            service("c", Some("shop/cart"), &json!({"ports": [{"port": 80}]})),
            service("d", Some("shop/ad"), &grpc(80)),
            service("e", Some("shop/ad"), &grpc(80)),
        ]))
        .await;
        assert_eq!(found.addresses.len(), 1);
        let expected = [
            ("mora/a", "annotate it with mora.dev/workload"),
            ("mora/b", "is `no workload`"),
            ("mora/c", "a port with the name grpc"),
            ("mora/e", "d.mora.svc:80 is the worker of shop/Deployment/ad too"),
        ];
        assert_eq!(found.warnings.len(), expected.len());
        for (warning, (service, remedy)) in found.warnings.iter().zip(expected) {
            assert!(warning.contains(service) && warning.contains(remedy), "{warning}");
        }
    }

    #[tokio::test]
    async fn only_services_with_the_labels_are_asked_for_and_their_absence_is_told() {
        let (cluster, seen) = scripted(|_, _| (200, list(&json!([]))));
        let found = cluster.worker_services(&["mora".to_owned()], "app=worker").await.unwrap();
        let asked = seen.lock().unwrap().join(" ");
        assert!(asked.contains("/api/v1/namespaces/mora/services?"), "{asked}");
        assert!(asked.contains("labelSelector=app%3Dworker"), "{asked}");
        assert!(found.warnings[0].contains("`app=worker`"));
    }

    #[tokio::test]
    async fn a_missing_permission_is_told_with_the_rule_to_add() {
        let (cluster, _) = scripted(|_, _| failure(403));
        let error = cluster.worker_services(&[], "app=worker").await.unwrap_err().to_string();
        assert!(error.contains("resources: [\"services\"], verbs: [\"list\"]"), "{error}");
    }
}
