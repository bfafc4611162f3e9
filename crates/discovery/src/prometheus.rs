//! Finding a Prometheus by the labels of the Services of a cluster.

use mora_kubernetes::{Cluster, ClusterError, PrometheusService};
use thiserror::Error;

/// Why no Prometheus was found that can be asked.
#[derive(Debug, Error)]
pub enum PrometheusDiscoveryError {
    /// Services cannot be read.
    #[error(
        "Prometheus was not looked for among the Services of the cluster; give its URL instead"
    )]
    Cluster(#[from] ClusterError),
    /// None has the labels of one.
    #[error(
        "no Service has the labels of a Prometheus, Thanos, Mimir or VictoriaMetrics (app.kubernetes.io/name, app, operated-prometheus); give its URL instead"
    )]
    Absent,
    /// Its name means nothing outside the cluster.
    #[error(
        "the Service {namespace}/{name} stands before {what}, but its name is only known inside the cluster; run `kubectl --namespace {namespace} port-forward service/{name} 9090:{port}` and give http://localhost:9090{path} as the URL"
    )]
    Outside {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What it is.
        what: &'static str,
        /// Its port.
        port: i32,
        /// The path below which it answers; empty for none.
        path: String,
    },
}

/// The base URL of the best Prometheus that the labels of Services tell of, for a process inside the cluster.
///
/// `context` is that of a kubeconfig; without one it is the current or, in a pod, that of the service account. Fails when
/// Services cannot be listed, when none is found, and outside of a cluster, where the name of a Service leads nowhere.
pub async fn prometheus_url(context: Option<&str>) -> Result<String, PrometheusDiscoveryError> {
    let services = Cluster::connect(context).await?.prometheus_services().await?;
    // Kubernetes sets it in every container.
    let inside = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let best = best(services, inside)?;
    tracing::info!("found {} at {}", best.what, best.url);
    Ok(best.url)
}

fn best(
    services: Vec<PrometheusService>,
    inside: bool,
) -> Result<PrometheusService, PrometheusDiscoveryError> {
    let best = services.into_iter().next().ok_or(PrometheusDiscoveryError::Absent)?;
    if inside {
        return Ok(best);
    }
    let host = format!(".svc:{}", best.port);
    let path = best.url.split_once(&host).map_or("", |(_, path)| path).to_owned();
    let PrometheusService { namespace, name, port, what, .. } = best;
    Err(PrometheusDiscoveryError::Outside { namespace, name, what, port, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mimir() -> PrometheusService {
        PrometheusService {
            namespace: "monitoring".to_owned(),
            name: "mimir".to_owned(),
            port: 80,
            what: "Mimir",
            url: "http://mimir.monitoring.svc:80/prometheus".to_owned(),
        }
    }

    #[test]
    fn inside_the_cluster_the_first_is_taken_and_outside_a_port_forward_is_asked_for() {
        assert_eq!(best(vec![mimir()], true).unwrap(), mimir());
        let outside = best(vec![mimir()], false).unwrap_err().to_string();
        assert!(outside.contains("port-forward service/mimir 9090:80"), "{outside}");
        assert!(outside.contains("http://localhost:9090/prometheus"), "{outside}");
        let absent = best(Vec::new(), true).unwrap_err();
        assert!(matches!(absent, PrometheusDiscoveryError::Absent));
    }
}
