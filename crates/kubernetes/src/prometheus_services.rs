//! Services behind which a Prometheus, or what answers as one, may stand.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::list::list_namespaced;
use crate::{Cluster, ClusterError};

/// A Service behind which Prometheus' HTTP API should be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The port to call.
    pub port: i32,
    /// What its labels say it is, as in `Thanos Query`.
    pub what: &'static str,
    /// The base URL within the cluster, with the path prefix that `what` answers below.
    pub url: String,
}

impl Cluster {
    /// The Services that by their labels stand before a Prometheus or what answers as one, the best first.
    ///
    /// Fails when Services cannot be listed in the whole cluster.
    pub async fn prometheus_services(&self) -> Result<Vec<PrometheusService>, ClusterError> {
        Ok(ranked(&list_namespaced(&self.client, &[]).await?))
    }
}

/// Labels that all must be there, with what they mean and the path the HTTP API is below.
struct Sign {
    labels: &'static [(&'static str, &'static str)],
    what: &'static str,
    path: &'static str,
}

const NAME: &str = "app.kubernetes.io/name";
const COMPONENT: &str = "app.kubernetes.io/component";

const fn sign(
    labels: &'static [(&'static str, &'static str)],
    what: &'static str,
    path: &'static str,
) -> Sign {
    Sign { labels, what, path }
}

/// The best first: what sees several Prometheus and keeps the longest history, then single ones, and a Service without an
/// address of its own last.
const SIGNS: [Sign; 23] = [
    sign(&[(NAME, "thanos-query-frontend")], "Thanos Query Frontend", ""),
    sign(&[(NAME, "thanos"), (COMPONENT, "query-frontend")], "Thanos Query Frontend", ""),
    sign(&[(NAME, "thanos-query")], "Thanos Query", ""),
    sign(&[(NAME, "thanos"), (COMPONENT, "query")], "Thanos Query", ""),
    sign(&[(NAME, "mimir"), (COMPONENT, "gateway")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir"), (COMPONENT, "nginx")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir-gateway")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir-nginx")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir"), (COMPONENT, "query-frontend")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir-query-frontend")], "Mimir", "/prometheus"),
    sign(&[(NAME, "vmselect")], "VictoriaMetrics cluster", "/select/0/prometheus"),
    sign(&[("app", "vmselect")], "VictoriaMetrics cluster", "/select/0/prometheus"),
    sign(&[(NAME, "vmsingle")], "VictoriaMetrics", ""),
    sign(&[(NAME, "victoria-metrics-single-server")], "VictoriaMetrics", ""),
    sign(&[(NAME, "victoria-metrics-single")], "VictoriaMetrics", ""),
    sign(&[("app", "kube-prometheus-stack-prometheus")], "Prometheus", ""),
    sign(&[(NAME, "prometheus"), (COMPONENT, "server")], "Prometheus", ""),
    sign(&[(NAME, "prometheus"), (COMPONENT, "prometheus")], "Prometheus", ""),
    sign(&[("app", "prometheus"), ("component", "server")], "Prometheus", ""),
    sign(&[(NAME, "prometheus")], "Prometheus", ""),
    sign(&[("app", "prometheus")], "Prometheus", ""),
    sign(&[("k8s-app", "prometheus")], "Prometheus", ""),
    sign(&[("operated-prometheus", "true")], "Prometheus", ""),
];

/// Names of ports that serve the HTTP API, the likeliest first; what reloads configurations or speaks gRPC has others.
const PORT_NAMES: [&str; 6] = ["http-web", "web", "http", "http-query", "http-metrics", "https"];
/// Their numbers, for ports without such a name.
const PORTS: [i32; 6] = [9090, 10902, 8481, 8429, 8428, 80];

/// Those of `services` that stand before a Prometheus or what answers as one, the best first.
pub(crate) fn ranked(services: &[Service]) -> Vec<PrometheusService> {
    let found = services.iter().filter_map(|service| {
        let labels = service.metadata.labels.as_ref()?;
        let (rank, sign) = SIGNS.iter().enumerate().find(|(_, sign)| sign.is_on(labels))?;
        Some((rank, prometheus(service, sign)?))
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by(|(a_rank, a), (b_rank, b)| {
        (a_rank, &a.namespace, &a.name).cmp(&(b_rank, &b.namespace, &b.name))
    });
    found.into_iter().map(|(_, service)| service).collect()
}

impl Sign {
    fn is_on(&self, labels: &BTreeMap<String, String>) -> bool {
        let is = |(key, value): &(&str, &str)| labels.get(*key).is_some_and(|v| v == value);
        self.labels.iter().all(is)
    }
}

fn prometheus(service: &Service, sign: &Sign) -> Option<PrometheusService> {
    let (namespace, name) = (service.metadata.namespace.clone()?, service.metadata.name.clone()?);
    let spec = service.spec.as_ref()?;
    let chosen = chosen(spec.ports.as_deref()?)?;
    let port = match &chosen.target_port {
        // The name of a headless Service stands for the addresses of pods.
        Some(IntOrString::Int(of_pods)) if spec.cluster_ip.as_deref() == Some("None") => *of_pods,
        _ => chosen.port,
    };
    let is_tls =
        chosen.port == 443 || chosen.name.as_deref().is_some_and(|n| n.starts_with("https"));
    let scheme = if is_tls { "https" } else { "http" };
    let url = format!("{scheme}://{name}.{namespace}.svc:{port}{}", sign.path);
    Some(PrometheusService { namespace, name, port, what: sign.what, url })
}

fn chosen(ports: &[ServicePort]) -> Option<&ServicePort> {
    let named = |name: &&str| ports.iter().find(|port| port.name.as_deref() == Some(*name));
    let numbered = |number: &i32| ports.iter().find(|port| port.port == *number);
    let by_name = PORT_NAMES.iter().find_map(named);
    by_name.or_else(|| PORTS.iter().find_map(numbered)).or_else(|| ports.first())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::tests::{failure, list, scripted};

    fn service(name: &str, labels: &Value, spec: &Value) -> Service {
        let json = json!({"metadata": {"namespace": "monitoring", "name": name, "labels": labels}, "spec": spec});
        serde_json::from_value(json).unwrap()
    }

    fn web(port: i32) -> Value {
        json!({"ports": [{"name": "reloader-web", "port": 8080}, {"name": "http-web", "port": port}]})
    }

    fn urls(services: &[Service]) -> Vec<String> {
        ranked(services).into_iter().map(|service| service.url).collect()
    }

    #[test]
    fn what_sees_most_comes_first_and_a_service_without_address_last() {
        let headless = json!({"clusterIP": "None", "ports": [{"name": "web", "port": 80, "targetPort": 9090}]});
        let services = [
            service("prometheus-operated", &json!({"operated-prometheus": "true"}), &headless),
            service("stack", &json!({"app": "kube-prometheus-stack-prometheus"}), &web(9090)),
            service("grafana", &json!({NAME: "grafana"}), &web(80)),
            service(
                "thanos",
                &json!({NAME: "thanos-query"}),
                &json!({"ports": [{"name": "grpc", "port": 10901}, {"port": 10902}]}),
            ),
            service(
                "prometheus-node-exporter",
                &json!({NAME: "prometheus-node-exporter"}),
                &web(9100),
            ),
        ];
        let expected = [
            "http://thanos.monitoring.svc:10902",
            "http://stack.monitoring.svc:9090",
            "http://prometheus-operated.monitoring.svc:9090",
        ];
        assert_eq!(urls(&services), expected);
    }

    #[test]
    fn what_answers_below_a_path_is_called_there() {
        let one = |labels: &Value, ports: &Value| {
            urls(&[service("it", labels, &json!({"ports": ports}))]).pop().unwrap()
        };
        let mimir = json!({NAME: "mimir", COMPONENT: "gateway"});
        let vmselect = json!({NAME: "vmselect"});
        let http = |port: i32| json!([{"name": "http", "port": port}]);
        assert_eq!(one(&mimir, &http(80)), "http://it.monitoring.svc:80/prometheus");
        let select = "http://it.monitoring.svc:8481/select/0/prometheus";
        assert_eq!(one(&vmselect, &http(8481)), select);
        let server = json!({NAME: "victoria-metrics-single-server"});
        assert_eq!(one(&server, &json!([{"port": 8428}])), "http://it.monitoring.svc:8428");
        let tls = json!([{"name": "https", "port": 9091}]);
        assert_eq!(one(&json!({"app": "prometheus"}), &tls), "https://it.monitoring.svc:9091");
    }

    #[test]
    fn of_equals_the_order_of_names_decides_and_one_without_ports_is_left_out() {
        let labels = json!({NAME: "prometheus", COMPONENT: "server"});
        let services = [
            service("b", &labels, &web(9090)),
            service("a", &labels, &web(9090)),
            service("none", &labels, &json!({})),
        ];
        assert_eq!(
            urls(&services),
            ["http://a.monitoring.svc:9090", "http://b.monitoring.svc:9090"]
        );
    }

    #[tokio::test]
    async fn services_of_the_whole_cluster_are_looked_through() {
        let found = json!([{"metadata": {"namespace": "istio-system", "name": "prometheus", "labels": {"app": "prometheus"}},
            "spec": {"ports": [{"name": "http", "port": 9090}]}}]);
        let (cluster, seen) = scripted(move |_, _| (200, list(&found)));
        let services = cluster.prometheus_services().await.unwrap();
        assert_eq!(services[0].url, "http://prometheus.istio-system.svc:9090");
        assert!(seen.lock().unwrap().join(" ").contains("/api/v1/services?"));
        let (forbidden, _) = scripted(|_, _| failure(403));
        let error = forbidden.prometheus_services().await.unwrap_err().to_string();
        assert!(error.contains("resources: [\"services\"], verbs: [\"list\"]"), "{error}");
    }
}
