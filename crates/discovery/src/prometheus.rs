//! Finding a Prometheus by the labels of the Services of a cluster, and the way to it.

use std::io;
use std::time::Duration;

use axum::body::to_bytes;
use futures::future::join_all;
use http::{HeaderMap, StatusCode};
use mora_kubernetes::{Cluster, ClusterError, PrometheusService};
use mora_runtime::with_causes;
use serde::Deserialize;
use thiserror::Error;
use tokio::time::timeout;

use crate::forwarder::Forwarder;

/// Where an expression is asked for.
const QUERY: &str = "/api/v1/query?query=";
/// Where many Prometheus behind an ingress have it (`--web.route-prefix`).
const PREFIX: &str = "/prometheus";
/// What only a Prometheus with the kubelets' metrics has a value for.
const CONTAINERS: &str = "count(container_cpu_usage_seconds_total)";
/// Services that are asked whether they are a Prometheus.
const MOST_CANDIDATES: usize = 8;
/// Longest time that one of them may take to answer.
const PROBE_DEADLINE: Duration = Duration::from_secs(10);
/// Most that is read of an answer to such a question, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;

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
        "no Service has the labels of a Prometheus, Thanos, Mimir, Cortex or VictoriaMetrics (app.kubernetes.io/name, app, operated-prometheus); give its URL instead, also that of one outside the cluster"
    )]
    Absent,
    /// None of those that have them answers.
    #[error(
        "no Service with the labels of a Prometheus answers as one: {}; mend that, or give the URL of another", .0.join("; ")
    )]
    Silent(Vec<String>),
    /// There is no way to make one.
    #[error("no way to Prometheus can be opened on this machine; give its URL instead")]
    Forwarder(#[from] io::Error),
}

/// The way to the Prometheus of a cluster.
///
/// Inside of the cluster that is the Service itself. Outside it is a port of this machine that answers below a path which
/// nobody can guess, and asks through the API server; it is there until this is dropped or closed.
#[derive(Debug)]
pub struct PrometheusTunnel {
    url: String,
    shown: String,
    forwarder: Option<Forwarder>,
}

/// By where they lead.
impl PartialEq for PrometheusTunnel {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl PrometheusTunnel {
    /// The way to the best Prometheus that the labels of Services tell of.
    ///
    /// `context` is that of a kubeconfig; without one it is the current or, in a pod, that of the service account. Fails as
    /// [`PrometheusTunnel::through`] does.
    pub async fn open(context: Option<&str>) -> Result<Self, PrometheusDiscoveryError> {
        let cluster = Cluster::connect(context).await?;
        // Kubernetes sets it in every container; with a kubeconfig, another cluster may be meant.
        let in_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
        if in_pod && context.is_none() && Cluster::contexts()?.is_empty() {
            return Self::within(&cluster).await;
        }
        Self::through(cluster).await
    }

    /// The way for a process inside of the cluster.
    async fn within(cluster: &Cluster) -> Result<Self, PrometheusDiscoveryError> {
        let services = cluster.prometheus_services().await?;
        let best = services.into_iter().next().ok_or(PrometheusDiscoveryError::Absent)?;
        tracing::info!("found {} at {}", best.what, best.url);
        let shown = format!("{} {}", best.what, best.service);
        Ok(Self { url: best.url, shown, forwarder: None })
    }

    /// The way through the API server of `cluster`.
    ///
    /// Each Service is asked first whether it answers as Prometheus does, and of several the first that knows containers is
    /// taken. Fails when Services cannot be listed, when none is found, and when none answers.
    pub async fn through(cluster: Cluster) -> Result<Self, PrometheusDiscoveryError> {
        let mut services = cluster.prometheus_services().await?;
        services.truncate(MOST_CANDIDATES);
        let found = chosen(&cluster, services).await?;
        let PrometheusService { service, what, path, .. } = found;
        let shown = format!("{what} {service} (through the API server)");
        tracing::info!("found {shown}");
        let forwarder = Forwarder::open(cluster, service, path).await?;
        Ok(Self { url: format!("{}{path}", forwarder.url()), shown, forwarder: Some(forwarder) })
    }

    /// Where it is asked, with the path below which its API is; a secret where it is a port of this machine.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it is, for people, as in `Prometheus monitoring/prometheus-server (through the API server)`.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether [`PrometheusTunnel::url`] is a port of this machine, which no proxy leads to.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.forwarder.is_some()
    }

    /// Closes the way and waits until it is closed.
    pub async fn close(self) {
        if let Some(forwarder) = self.forwarder {
            forwarder.close().await;
        }
    }
}

/// How a Service answers a question.
enum Answer {
    /// With values, or with none.
    Values(bool),
    /// It wants to know for which tenant, which only a header can say.
    Tenant,
    /// With that there is nothing there; how.
    Absent(String),
    /// Not as Prometheus does; why.
    No(String),
}

/// The first of `services` that answers and knows containers; else the first that answers; else one that asks for a tenant.
async fn chosen(
    cluster: &Cluster,
    services: Vec<PrometheusService>,
) -> Result<PrometheusService, PrometheusDiscoveryError> {
    if services.is_empty() {
        return Err(PrometheusDiscoveryError::Absent);
    }
    let probed = join_all(services.into_iter().map(|service| probed(cluster, service))).await;
    let (mut answering, mut of_tenants, mut silent) = (Vec::new(), Vec::new(), Vec::new());
    for probed in probed {
        let (service, answer) = probed?;
        match answer {
            Answer::Values(_) => answering.push(service),
            Answer::Tenant => of_tenants.push(service),
            Answer::Absent(why) | Answer::No(why) => {
                silent.push(format!("{} {why}", service.service));
            }
        }
    }
    if answering.len() > 1 {
        let asked = answering.iter().map(|service| asked(cluster, service, CONTAINERS));
        let known: Vec<Answer> = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
        let first = known.iter().position(|answer| matches!(answer, Answer::Values(true)));
        answering.swap(0, first.unwrap_or(0));
    }
    let first = answering.into_iter().chain(of_tenants).next();
    first.ok_or(PrometheusDiscoveryError::Silent(silent))
}

/// How a Service answers, and as what: below [`PREFIX`] if there is nothing at the root.
async fn probed(
    cluster: &Cluster,
    service: PrometheusService,
) -> Result<(PrometheusService, Answer), ClusterError> {
    let answer = asked(cluster, &service, "1").await?;
    if service.path.is_empty() && matches!(answer, Answer::Absent(_)) {
        let url = format!("{}{PREFIX}", service.url);
        let below = PrometheusService { path: PREFIX, url, ..service.clone() };
        let answer = asked(cluster, &below, "1").await?;
        if matches!(answer, Answer::Values(_) | Answer::Tenant) {
            return Ok((below, answer));
        }
    }
    Ok((service, answer))
}

/// The answer to an expression, in time.
async fn asked(
    cluster: &Cluster,
    service: &PrometheusService,
    expression: &str,
) -> Result<Answer, ClusterError> {
    let late = || Ok(Answer::No(format!("does not answer within {PROBE_DEADLINE:?}")));
    timeout(PROBE_DEADLINE, ask(cluster, service, expression)).await.unwrap_or_else(|_| late())
}

/// Asks for the value of an expression that needs no escaping in an address.
///
/// Fails when no Service could be asked.
async fn ask(
    cluster: &Cluster,
    candidate: &PrometheusService,
    expression: &str,
) -> Result<Answer, ClusterError> {
    let question = format!("{}{QUERY}{expression}", candidate.path);
    let answer = cluster.get_through(&candidate.service, &question, &HeaderMap::new()).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error @ (ClusterError::Unreachable(_) | ClusterError::Unauthorized(_))) => {
            return Err(error);
        }
        Err(error) => return Ok(Answer::No(format!("cannot be asked: {}", with_causes(&error)))),
    };
    let status = answer.status();
    Ok(match to_bytes(answer.into_body(), LONGEST_ANSWER).await {
        Ok(body) => read(status, &body),
        Err(error) => Answer::No(format!("broke off: {}", with_causes(&error))),
    })
}

/// What every answer of the API begins with.
#[derive(Deserialize)]
struct Answered {
    status: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<serde::de::IgnoredAny>,
}

fn read(status: StatusCode, body: &[u8]) -> Answer {
    if status.is_success() {
        return match serde_json::from_slice::<Answered>(body) {
            Ok(answered) if answered.status == "success" => {
                Answer::Values(!answered.data.result.is_empty())
            }
            _ => Answer::No("does not answer as Prometheus does".to_owned()),
        };
    }
    let said = String::from_utf8_lossy(body);
    let said: String = said.trim().chars().take(120).collect();
    match status {
        StatusCode::UNAUTHORIZED if said.contains("org id") => Answer::Tenant,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::No(format!(
            "wants a token of its own ({status}), which the API server does not pass on: give its URL (on OpenShift that of the route thanos-querier) and a bearer token"
        )),
        StatusCode::NOT_FOUND => Answer::Absent(format!("answers with {status}: {said}")),
        status => Answer::No(format!("answers with {status}: {said}")),
    }
}

#[cfg(test)]
mod tests;
