//! Services behind which a Prometheus, or what answers as one, may stand.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Deserialize;

use crate::list::list_all_as;
use crate::{Cluster, ClusterError, ServiceAddress};

/// A Service behind which Prometheus' HTTP API should be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusService {
    /// The Service, and its port to call.
    pub service: ServiceAddress,
    /// What its labels say it is, as in `Thanos Query`.
    pub what: &'static str,
    /// The path below which `what` answers, as in `/prometheus`; empty for none.
    pub path: &'static str,
    /// The base URL within the cluster, with that path.
    pub url: String,
}

impl Cluster {
    /// The Services that by their labels stand before a Prometheus or what answers as one, the best first.
    ///
    /// Fails when Services cannot be listed in the whole cluster.
    pub async fn prometheus_services(&self) -> Result<Vec<PrometheusService>, ClusterError> {
        let known = list_all_as::<Service, KnownByLabels>(&self.client).await?;
        Ok(ranked(known.into_iter().filter_map(|known| known.0)))
    }
}

/// A Service of a list if its labels say something; a cluster has hundreds of others, which are forgotten one by one.
#[derive(Deserialize)]
#[serde(from = "Service")]
struct KnownByLabels(Option<Service>);

impl From<Service> for KnownByLabels {
    fn from(service: Service) -> Self {
        Self(Some(service).filter(|service| sign_of(service).is_some()))
    }
}

/// Labels that all must be there (or, where the value is empty, must not), with what they mean and the path the HTTP API is
/// below.
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

const APP: &str = "app";
const QUERY_FRONTEND: &str = "Thanos Query Frontend";
const QUERY: &str = "Thanos Query";
const PROMETHEUS: &str = "Prometheus";
const SELECT: &str = "/select/0/prometheus";

/// The best first: what sees several Prometheus and keeps the longest history, then single ones, and a Service without an
/// address of its own last. They are what the charts and operators of each put on their Services.
const SIGNS: [Sign; 35] = [
    sign(&[(NAME, "thanos-query-frontend")], QUERY_FRONTEND, ""),
    sign(&[(NAME, "thanos"), (COMPONENT, "query-frontend")], QUERY_FRONTEND, ""),
    sign(&[(NAME, "thanos-query")], QUERY, ""),
    sign(&[(NAME, "thanos"), (COMPONENT, "query")], QUERY, ""),
    sign(&[(APP, "thanos-query")], QUERY, ""),
    sign(&[(APP, "thanos-querier")], QUERY, ""),
    sign(&[(NAME, "mimir"), (COMPONENT, "gateway")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir"), (COMPONENT, "nginx")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir-gateway")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir-nginx")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir"), (COMPONENT, "query-frontend")], "Mimir", "/prometheus"),
    sign(&[(NAME, "mimir-query-frontend")], "Mimir", "/prometheus"),
    sign(&[(NAME, "cortex"), (COMPONENT, "nginx")], "Cortex", "/prometheus"),
    sign(&[(NAME, "cortex"), (COMPONENT, "query-frontend")], "Cortex", "/prometheus"),
    sign(&[(NAME, "vmselect")], "VictoriaMetrics cluster", SELECT),
    sign(&[(APP, "vmselect")], "VictoriaMetrics cluster", SELECT),
    sign(&[(NAME, "vmsingle")], "VictoriaMetrics", ""),
    sign(&[(NAME, "victoria-metrics-single-server")], "VictoriaMetrics", ""),
    sign(&[(NAME, "victoria-metrics-single")], "VictoriaMetrics", ""),
    sign(&[(APP, "kube-prometheus-stack-prometheus")], PROMETHEUS, ""),
    sign(&[(APP, "rancher-monitoring-prometheus")], PROMETHEUS, ""),
    sign(&[(APP, "prometheus-operator-prometheus")], PROMETHEUS, ""),
    sign(&[(NAME, "kube-prometheus"), (COMPONENT, "prometheus")], PROMETHEUS, ""),
    sign(&[(NAME, "prometheus"), (COMPONENT, "server")], PROMETHEUS, ""),
    sign(&[(NAME, "prometheus"), (COMPONENT, "prometheus")], PROMETHEUS, ""),
    sign(&[(APP, "prometheus"), ("component", "server")], PROMETHEUS, ""),
    sign(&[(APP, "prometheus-server")], PROMETHEUS, ""),
    sign(&[(NAME, "prometheus-server")], PROMETHEUS, ""),
    sign(&[(NAME, "prometheus"), (COMPONENT, "")], PROMETHEUS, ""),
    sign(&[(APP, "prometheus"), (COMPONENT, ""), ("component", "")], PROMETHEUS, ""),
    sign(&[(APP, "prometheus-prometheus")], PROMETHEUS, ""),
    sign(&[("k8s-app", "prometheus")], PROMETHEUS, ""),
    sign(&[("kubernetes.io/name", "Prometheus")], PROMETHEUS, ""),
    // A mesh's own, which keeps hours.
    sign(&[("linkerd.io/extension", "viz"), ("component", "prometheus")], PROMETHEUS, ""),
    sign(&[("operated-prometheus", "true")], PROMETHEUS, ""),
];

/// Names of ports that serve the HTTP API, the likeliest first; what reloads configurations or speaks gRPC has others.
const PORT_NAMES: [&str; 7] =
    ["http-web", "web", "http", "http-query", "http-metrics", "https", "nginx-http"];
/// Their numbers, for ports without such a name.
const PORTS: [i32; 6] = [9090, 10902, 8481, 8429, 8428, 80];
/// Annotations by which a Service of `OpenShift` is given a certificate, which then all its ports serve.
const SERVING_CERTIFICATE: [&str; 2] = [
    "service.beta.openshift.io/serving-cert-secret-name",
    "service.alpha.openshift.io/serving-cert-secret-name",
];

/// The sign that is on `service`, and its place among all.
fn sign_of(service: &Service) -> Option<(usize, &'static Sign)> {
    let labels = service.metadata.labels.as_ref()?;
    SIGNS.iter().enumerate().find(|(_, sign)| sign.is_on(labels))
}

/// Those of `services` that stand before a Prometheus or what answers as one, the best first.
fn ranked(services: impl IntoIterator<Item = Service>) -> Vec<PrometheusService> {
    let found = services.into_iter().filter_map(|service| {
        let (rank, sign) = sign_of(&service)?;
        Some((rank, prometheus(&service, sign)?))
    });
    let mut found: Vec<_> = found.collect();
    found.sort_by(|(a_rank, a), (b_rank, b)| {
        let (a, b) = (&a.service, &b.service);
        (a_rank, &a.namespace, &a.name).cmp(&(b_rank, &b.namespace, &b.name))
    });
    found.into_iter().map(|(_, service)| service).collect()
}

impl Sign {
    fn is_on(&self, labels: &BTreeMap<String, String>) -> bool {
        let is = |(key, value): &(&str, &str)| match *value {
            "" => !labels.contains_key(*key),
            value => labels.get(*key).is_some_and(|v| v == value),
        };
        self.labels.iter().all(is)
    }
}

fn prometheus(service: &Service, sign: &Sign) -> Option<PrometheusService> {
    let (namespace, name) = (service.metadata.namespace.clone()?, service.metadata.name.clone()?);
    let spec = service.spec.as_ref()?;
    let chosen = chosen(spec.ports.as_deref()?)?;
    let port_within = match &chosen.target_port {
        // The name of a headless Service stands for the addresses of pods.
        Some(IntOrString::Int(of_pods)) if spec.cluster_ip.as_deref() == Some("None") => *of_pods,
        _ => chosen.port,
    };
    let service =
        ServiceAddress { is_tls: is_tls(service, chosen), port: chosen.port, namespace, name };
    let url = format!(
        "{}://{}.{}.svc:{port_within}{}",
        service.scheme(),
        service.name,
        service.namespace,
        sign.path
    );
    Some(PrometheusService { service, what: sign.what, path: sign.path, url })
}

fn is_tls(service: &Service, port: &ServicePort) -> bool {
    let annotations = service.metadata.annotations.as_ref();
    let is_certified = annotations.is_some_and(|all| {
        SERVING_CERTIFICATE.iter().any(|annotation| all.contains_key(*annotation))
    });
    let says_so = |text: &Option<String>| text.as_deref().is_some_and(|t| t.starts_with("https"));
    is_certified || port.port == 443 || says_so(&port.name) || says_so(&port.app_protocol)
}

fn chosen(ports: &[ServicePort]) -> Option<&ServicePort> {
    let is_grpc = |port: &&ServicePort| port.name.as_deref().is_some_and(|n| n.starts_with("grpc"));
    let http = || ports.iter().filter(|port| !is_grpc(port));
    let named = |name: &&str| http().find(|port| port.name.as_deref() == Some(*name));
    let numbered = |number: &i32| http().find(|port| port.port == *number);
    let by_name = PORT_NAMES.iter().find_map(named);
    by_name.or_else(|| PORTS.iter().find_map(numbered)).or_else(|| http().next())
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

    fn urls(services: impl IntoIterator<Item = Service>) -> Vec<String> {
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
        assert_eq!(urls(services), expected);
    }

    #[test]
    fn what_answers_below_a_path_is_called_there() {
        let one = |labels: &Value, ports: &Value| {
            urls([service("it", labels, &json!({"ports": ports}))]).pop().unwrap()
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
    fn the_services_of_charts_and_operators_are_known() {
        let ports = |name: &str, port: i32| json!({"ports": [{"name": name, "port": port}]});
        for (labels, spec, expected) in [
            (
                json!({"app": "rancher-monitoring-prometheus"}),
                ports("nginx-http", 9090),
                "Prometheus 9090",
            ),
            (
                json!({NAME: "kube-prometheus", COMPONENT: "prometheus"}),
                ports("http", 9090),
                "Prometheus 9090",
            ),
            (
                json!({NAME: "prometheus", COMPONENT: "server", "app.kubernetes.io/part-of": "prometheus"}),
                ports("http", 80),
                "Prometheus 80",
            ),
            (
                json!({NAME: "prometheus", COMPONENT: "prometheus", "app.kubernetes.io/instance": "k8s"}),
                web(9090),
                "Prometheus 9090",
            ),
            (json!({NAME: "thanos", COMPONENT: "query"}), ports("http", 9090), "Thanos Query 9090"),
            (
                json!({NAME: "thanos-query", COMPONENT: "query-layer"}),
                ports("http", 9090),
                "Thanos Query 9090",
            ),
            (json!({NAME: "mimir", COMPONENT: "nginx"}), ports("http-metrics", 80), "Mimir 80"),
            (
                json!({NAME: "vmsingle", "managed-by": "vm-operator"}),
                ports("http", 8429),
                "VictoriaMetrics 8429",
            ),
            (
                json!({"app": "vmselect", NAME: "victoria-metrics-cluster"}),
                ports("http", 8481),
                "VictoriaMetrics cluster 8481",
            ),
        ] {
            let found = ranked([service("it", &labels, &spec)]).pop();
            let found = found.map(|found| format!("{} {}", found.what, found.service.port));
            assert_eq!(found.as_deref(), Some(expected), "{labels}");
        }
        for (labels, spec) in [
            (json!({NAME: "prometheus", COMPONENT: "alertmanager"}), ports("http", 80)),
            (json!({"app": "prometheus", "component": "pushgateway"}), ports("http", 9091)),
            (json!({NAME: "thanos", COMPONENT: "query"}), ports("grpc", 10901)),
        ] {
            assert_eq!(ranked([service("it", &labels, &spec)]), [], "{labels}");
        }
    }

    #[test]
    fn a_service_with_a_certificate_of_openshift_speaks_tls_on_all_ports() {
        let labels = json!({NAME: "thanos-query", COMPONENT: "query-layer"});
        let spec = json!({"ports": [{"name": "web", "port": 9091, "targetPort": "web"}, {"name": "tenancy", "port": 9092}]});
        let mut querier = service("thanos-querier", &labels, &spec);
        querier.metadata.annotations =
            Some([(SERVING_CERTIFICATE[0].to_owned(), "thanos-querier-tls".to_owned())].into());
        let found = ranked([querier]);
        assert!(found[0].service.is_tls);
        assert_eq!(found[0].url, "https://thanos-querier.monitoring.svc:9091");
    }

    #[test]
    fn a_headless_service_is_asked_for_by_its_own_port_through_the_api_server() {
        let spec = json!({"clusterIP": "None", "ports": [{"name": "web", "port": 80, "targetPort": 9090}]});
        let found = ranked([service("it", &json!({"operated-prometheus": "true"}), &spec)]);
        assert_eq!(found[0].service.port, 80);
        assert_eq!(found[0].url, "http://it.monitoring.svc:9090");
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
            urls(services),
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
